//! Checks of a running lab: what the lab file wants to be true, as data, and how an answer is
//! judged.
//!
//! # Theory of operation
//!
//! 1. The format reader makes a [`LabCheck`] of each entry of `checks`; [`crate::resolve`] looks
//!    its names up and writes them as the lab has them.
//! 2. [`questions`] makes of a [`Probe`] what has to be asked of which node: the kind's recipe (see
//!    [`crate::kind::Recipes`]) gives the command, the records of the nodes give the addresses.
//! 3. Whoever can reach the nodes asks, and hands the output to [`Question::judge`], which gives a
//!    [`Verdict`].
//!
//! What is seen of links, frames and rates is not asked of a guest; their verdicts are made from
//! numbers, in [`mod@judge`].
//!
//! Invariant: a thing that could not be looked at is [`Verdict::Unknown`], never
//! [`Verdict::Not`], so that a check that expects a failure is not satisfied by a node that cannot
//! be reached.

pub mod judge;
mod question;
mod target;

pub use question::{Question, questions};
pub use target::Places;

use crate::blueprint::JunctionState;
use crate::expression::{Expression, JsonQuery};
use crate::kind::Protocol;
use crate::span::{Span, Spanned};
use std::net::IpAddr;
use std::time::Duration;
use vnflab_impairment::Settings;
use vnflab_impairment::unit::{Percent, Rate};

/// What shall be true of a running lab.
#[derive(Debug, Clone, PartialEq)]
pub struct LabCheck {
    /// Its name.
    pub name: Spanned<String>,
    /// What is looked at.
    pub body: Body,
}

/// One look, or several with changes between them.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// One.
    Single(Assertion),
    /// Several, in this order.
    Steps(Vec<Step>),
}

impl LabCheck {
    /// Whether it changes the lab while it runs: then nothing else may run beside it.
    pub fn changes_the_lab(&self) -> bool {
        match &self.body {
            Body::Single(_) => false,
            Body::Steps(steps) => steps.iter().any(|step| matches!(step, Step::Change(_))),
        }
    }

    /// All that it looks at.
    pub fn assertions(&self) -> impl Iterator<Item = &Assertion> {
        let (single, steps): (_, &[Step]) = match &self.body {
            Body::Single(one) => (Some(one), &[]),
            Body::Steps(steps) => (None, steps),
        };
        let of_steps = steps.iter().filter_map(|step| match step {
            Step::Assert(one) => Some(one),
            Step::Change(_) | Step::Pause(_) => None,
        });
        single.into_iter().chain(of_steps)
    }
}

/// A step of a check.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Looks.
    Assert(Assertion),
    /// Changes the lab; it is put back at the end.
    Change(Change),
    /// Lets time pass.
    Pause(Duration),
}

/// A change of the lab, for the time of a check.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Cuts a link or segment.
    Cut {
        /// Which.
        link: Spanned<String>,
        /// Whether the guests keep their carriers, so that only their protocols can notice.
        silent: bool,
    },
    /// Restores one.
    Restore {
        /// Which.
        link: Spanned<String>,
    },
    /// Takes a node's power.
    Stop {
        /// Which.
        node: Spanned<String>,
    },
    /// Starts a node and waits until it is ready.
    Start {
        /// Which.
        node: Spanned<String>,
    },
    /// Lays an impairment over what holds, in every direction or for what one end sends.
    Impair {
        /// Which.
        link: Spanned<String>,
        /// Whose frames.
        from: Option<Spanned<String>>,
        /// What is done to them.
        settings: Box<Settings>,
    },
}

impl Change {
    /// What is done, in words: `cut r1:eth1--r2:eth1`.
    pub fn describe(&self) -> String {
        match self {
            Self::Cut { link, silent } => match silent {
                false => format!("cut {}", link.value),
                true => format!("cut {} in silence", link.value),
            },
            Self::Restore { link } => format!("restore {}", link.value),
            Self::Stop { node } => format!("stop {}", node.value),
            Self::Start { node } => format!("start {}", node.value),
            Self::Impair {
                link,
                from,
                settings,
            } => {
                let link = &link.value;
                let settings = settings.entries().into_iter();
                let settings: Vec<String> = settings
                    .map(|(key, value)| format!("{key} {value}"))
                    .collect();
                let from = from.as_ref().map(|from| format!(" from {}", from.value));
                let from = from.unwrap_or_default();
                format!("impair {link}{from}: {}", settings.join(", "))
            }
        }
    }
}

/// A look at the lab, with what is expected of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Assertion {
    /// What is looked at.
    pub probe: Probe,
    /// What is expected.
    pub expect: Expect,
    /// How long it may take until it is as expected; it is looked at once without.
    pub within: Option<Duration>,
    /// Where it stands.
    pub span: Span,
}

/// What is expected of a look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Expect {
    /// That it is so.
    #[default]
    Pass,
    /// That it is not so.
    Fail,
}

impl Expect {
    /// How they are written.
    pub const WORDS: &'static [&'static str] = &["pass", "fail"];

    /// All of them, in the order of [`Self::WORDS`].
    pub const ALL: [Self; 2] = [Self::Pass, Self::Fail];

    /// What a verdict means where this is expected.
    pub fn apply(self, verdict: Verdict) -> Verdict {
        match (self, verdict) {
            (Self::Fail, Verdict::Holds(text)) => {
                Verdict::Not(format!("expected to fail, yet: {text}"))
            }
            (Self::Fail, Verdict::Not(text)) => Verdict::Holds(text),
            (_, verdict) => verdict,
        }
    }
}

/// How something is, with what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is so.
    Holds(String),
    /// It is not so.
    Not(String),
    /// It could not be looked at.
    Unknown(String),
}

impl Verdict {
    /// Whether it is so.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Holds(_))
    }

    /// What was seen.
    pub fn text(&self) -> &str {
        match self {
            Self::Holds(text) | Self::Not(text) | Self::Unknown(text) => text,
        }
    }

    /// Of several that shall all hold: the first reasons of those that do not, else what was seen
    /// of all.
    pub fn all(verdicts: Vec<Self>) -> Self {
        let texts = |wanted: fn(&Self) -> bool| -> Vec<String> {
            let some = verdicts.iter().filter(|one| wanted(one));
            let mut texts: Vec<String> = some.map(|one| one.text().to_owned()).collect();
            texts.dedup();
            texts
        };
        let unknown = texts(|one| matches!(one, Self::Unknown(_)));
        let not = texts(|one| matches!(one, Self::Not(_)));
        match (unknown.is_empty(), not.is_empty()) {
            (true, true) => Self::Holds(joined(&texts(|_| true))),
            (true, false) => Self::Not(joined(&not)),
            (false, true) => Self::Unknown(joined(&unknown)),
            (false, false) => Self::Unknown(joined(&[not, unknown].concat())),
        }
    }
}

/// Most texts that are told of one verdict.
const TOLD_LIMIT: usize = 4;

fn joined(texts: &[String]) -> String {
    let told: Vec<&str> = texts.iter().take(TOLD_LIMIT).map(String::as_str).collect();
    let rest = texts.len() - told.len();
    match rest {
        0 => told.join("; "),
        _ => format!("{}; and {rest} more", told.join("; ")),
    }
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Probe {
    /// Echo requests from nodes to others.
    Ping {
        /// Who asks.
        from: Nodes,
        /// Who is asked.
        to: Vec<Target>,
        /// How many requests.
        count: u32,
        /// Length of the IP packets in bytes, which must not be fragmented.
        size: Option<u32>,
        /// How much may be lost.
        loss: Percent,
    },
    /// The way that packets take.
    Traceroute {
        /// From where.
        from: Nodes,
        /// To where.
        to: Target,
        /// The nodes on the way, all of them, without the ends.
        through: Option<Vec<Spanned<String>>>,
        /// Nodes that are not on the way.
        avoids: Vec<Spanned<String>>,
    },
    /// A TCP connection.
    Connect {
        /// From where.
        from: Nodes,
        /// To where.
        to: Vec<Target>,
        /// To which port.
        port: u16,
    },
    /// What a command says.
    Command {
        /// Where it is run.
        node: Nodes,
        /// As one would type it.
        run: String,
        /// What its output shall be like.
        conditions: Conditions,
    },
    /// Neighbours of a protocol that are established.
    Neighbors {
        /// Whose.
        node: Nodes,
        /// Of which protocol.
        protocol: Protocol,
        /// Which.
        with: With,
        /// How many, exactly.
        count: Option<u32>,
    },
    /// The state of a link or segment.
    Link {
        /// Which.
        name: Spanned<String>,
        /// What it shall be.
        state: JunctionState,
    },
    /// Frames on a link or segment.
    Frames {
        /// Which, or one end of it.
        on: Spanned<String>,
        /// Which frames: a pcap filter expression that can be compiled.
        filter: Option<String>,
        /// Only those that this end sends.
        from: Option<Spanned<String>>,
        /// How many at least.
        count: u32,
        /// How long it is looked for them.
        during: Duration,
    },
    /// How much passes a link or segment.
    Rate {
        /// Which.
        on: Spanned<String>,
        /// Only what this end sends; what all send without.
        from: Option<Spanned<String>>,
        /// At least.
        least: Option<Rate>,
        /// At most.
        most: Option<Rate>,
        /// How long it is counted.
        during: Duration,
    },
}

impl Probe {
    /// The word that the lab file has for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ping { .. } => "ping",
            Self::Traceroute { .. } => "traceroute",
            Self::Connect { .. } => "connect",
            Self::Command { .. } => "command",
            Self::Neighbors { .. } => "neighbors",
            Self::Link { .. } => "link",
            Self::Frames { .. } => "frames",
            Self::Rate { .. } => "rate",
        }
    }

    /// What is looked at, in a few words: `ping r1 → r3`.
    pub fn describe(&self) -> String {
        let word = self.word();
        match self {
            Self::Ping { from, to, size, .. } => {
                let size = size.map_or_else(String::new, |size| format!(", {size} bytes"));
                format!("{word} {from} → {}{size}", targets(to))
            }
            Self::Traceroute { from, to, .. } => format!("{word} {from} → {to}"),
            Self::Connect { from, to, port } => {
                format!("{word} {from} → {}, port {port}", targets(to))
            }
            Self::Command { node, run, .. } => format!("{node}: {run}"),
            Self::Neighbors { node, protocol, .. } => format!("{} of {node}", protocol.word()),
            Self::Link { name, state } => format!("{word} {} {}", name.value, state.word()),
            Self::Frames {
                on, filter, from, ..
            } => {
                let filter = filter.as_deref().map(|filter| format!(" `{filter}`"));
                let from = from.as_ref().map(|from| format!(" from {}", from.value));
                let (filter, from) = (filter.unwrap_or_default(), from.unwrap_or_default());
                format!("{word}{filter}{from} on {}", on.value)
            }
            Self::Rate { on, from, .. } => {
                let from = from.as_ref().map(|from| format!(" from {}", from.value));
                format!("{word}{} on {}", from.unwrap_or_default(), on.value)
            }
        }
    }
}

fn targets(targets: &[Target]) -> String {
    let all: Vec<String> = targets.iter().map(ToString::to_string).collect();
    all.join(", ")
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Nodes {
    /// Every node of the lab.
    All,
    /// These.
    Named(Vec<Spanned<String>>),
}

impl std::fmt::Display for Nodes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => formatter.write_str(ALL),
            Self::Named(names) => {
                let names: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
                formatter.write_str(&names.join(", "))
            }
        }
    }
}

/// The word for every node.
pub const ALL: &str = "all";

/// The word for all nodes that a node is linked with.
pub const LINKED: &str = "linked";

/// Where packets go.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// To every other node.
    All,
    /// To a node: its loopback address, else the first that it has.
    Node(Spanned<String>),
    /// To the address of an interface, `r1:eth1`.
    Interface(Spanned<String>),
    /// To an address.
    Address(IpAddr),
}

impl std::fmt::Display for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => formatter.write_str(ALL),
            Self::Node(name) | Self::Interface(name) => formatter.write_str(&name.value),
            Self::Address(address) => address.fmt(formatter),
        }
    }
}

/// Which neighbours there shall be.
#[derive(Debug, Clone, PartialEq)]
pub enum With {
    /// One at least, and none that is not established.
    Any,
    /// All nodes that the node is linked with.
    Linked,
    /// These nodes.
    Named(Vec<Spanned<String>>),
}

/// What an output shall be like. Without any condition the command has to succeed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conditions {
    /// Each of these matches.
    pub matches: Vec<Expression>,
    /// None of these does.
    pub lacks: Vec<Expression>,
    /// The output is JSON, and this leads to something in it.
    pub json: Option<JsonQuery>,
    /// All that it leads to is this.
    pub equals: Option<String>,
}

impl Conditions {
    /// Whether nothing is said of the output.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(words: &[&str]) -> Vec<Verdict> {
        let one = |word: &&str| match word.split_at(1) {
            ("+", text) => Verdict::Holds(text.to_owned()),
            ("-", text) => Verdict::Not(text.to_owned()),
            (_, text) => Verdict::Unknown(text.to_owned()),
        };
        words.iter().map(one).collect()
    }

    #[test]
    fn one_that_does_not_hold_spoils_all() {
        let all = |words: &[&str]| Verdict::all(texts(words));
        assert_eq!(all(&["+a", "+b"]), Verdict::Holds("a; b".to_owned()));
        assert_eq!(all(&["+a", "-b", "-c"]), Verdict::Not("b; c".to_owned()));
        let many = all(&["-a", "-b", "-c", "-d", "-e", "-f"]);
        assert_eq!(many.text(), "a; b; c; d; and 2 more");
        assert_eq!(
            all(&["+a", "-b", "?c"]),
            Verdict::Unknown("b; c".to_owned())
        );
    }

    #[test]
    fn what_could_not_be_looked_at_satisfies_nobody() {
        let unknown = || Verdict::Unknown("no answer".to_owned());
        assert_eq!(Expect::Fail.apply(unknown()), unknown());
        assert_eq!(Expect::Pass.apply(unknown()), unknown());
        assert!(Expect::Fail.apply(Verdict::Not("x".to_owned())).holds());
        assert!(!Expect::Fail.apply(Verdict::Holds("x".to_owned())).holds());
    }
}
