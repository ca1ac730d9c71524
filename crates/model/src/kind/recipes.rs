//! How a kind's guests are asked whether the network works: commands, and how to read what they
//! say.
//!
//! A recipe is data. Its command may have `{address}` and the like in it, which are filled in; its
//! expressions name the groups that are read. Everything is looked over when the kind is read, so
//! that a recipe that is in use is whole.

use super::mistake::Mistakes;
use crate::expression::{Expression, JsonQuery};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a kind's guests can be asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipes {
    /// Echo requests.
    pub ping: Option<PingRecipe>,
    /// The way of packets.
    pub traceroute: Option<TracerouteRecipe>,
    /// A TCP connection.
    pub connect: Option<ConnectRecipe>,
    /// Neighbours, by protocol.
    pub neighbors: BTreeMap<Protocol, NeighborRecipe>,
}

impl Recipes {
    /// The checks that there are recipes for, in words: `ping`, `neighbors: ospf, bgp`.
    pub fn words(&self) -> Vec<String> {
        let ping = self.ping.as_ref().map(|ping| match ping.sized_command {
            Some(_) => "ping (with `size`)".to_owned(),
            None => "ping".to_owned(),
        });
        let traceroute = self.traceroute.as_ref().map(|_| "traceroute".to_owned());
        let connect = self.connect.as_ref().map(|_| "connect".to_owned());
        let protocols: Vec<&str> = self.neighbors.keys().map(|one| one.word()).collect();
        let neighbors =
            (!protocols.is_empty()).then(|| format!("neighbors: {}", protocols.join(", ")));
        let words = [ping, traceroute, connect, neighbors];
        words.into_iter().flatten().collect()
    }
}

/// Sending echo requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingRecipe {
    /// With `{address}` and `{count}`.
    pub command: String,
    /// The same for packets of a given length that must not be fragmented: with `{size}`, the
    /// length of the IP packet, or `{payload}`, that of the data behind the ICMP header.
    pub sized_command: Option<String>,
    /// The groups `sent` and `received` of what it says at the end.
    pub answer: Expression,
    /// What it says when it has no way to send: a line of it is told.
    pub refusal: Option<Expression>,
}

/// Following packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracerouteRecipe {
    /// With `{address}`.
    pub command: String,
    /// A hop: the group `address`, which may be a `*`.
    pub hop: Expression,
}

/// Opening a TCP connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectRecipe {
    /// With `{address}` and `{port}`.
    pub command: String,
    /// What it says when the connection was opened.
    pub open: Expression,
    /// What it says when it was not.
    pub closed: Expression,
}

/// Listing the neighbours of a protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighborRecipe {
    /// The command.
    pub command: String,
    /// How its output is read.
    pub entries: NeighborEntries,
    /// What the state of an established neighbour is like; all that are listed are, without.
    pub established: Option<Expression>,
}

/// How a list of neighbours is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NeighborEntries {
    /// From JSON.
    Json {
        /// To each neighbour.
        entries: JsonQuery,
        /// From a neighbour to what tells who it is: identifiers, addresses or names.
        peers: Vec<PeerSource>,
        /// From a neighbour to its state.
        state: Option<JsonQuery>,
    },
    /// From text: each match is a neighbour. The groups are `peer` and `address`, which tell who
    /// it is, and `state`.
    Text(Expression),
}

/// Where a neighbour's entry tells who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerSource {
    /// In the names of the members that lead to it.
    Key,
    /// In its values.
    Value(JsonQuery),
}

/// Protocols that have neighbours.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// LLDP (IEEE 802.1AB).
    Lldp,
    /// OSPF for IPv4 (RFC 2328).
    Ospf,
    /// OSPF for IPv6 (RFC 5340).
    Ospfv3,
    /// BGP (RFC 4271).
    Bgp,
    /// IS-IS (ISO 10589).
    Isis,
    /// BFD (RFC 5880).
    Bfd,
}

impl Protocol {
    /// All of them, in the order of [`Self::WORDS`].
    pub const ALL: [Self; 6] = [
        Self::Lldp,
        Self::Ospf,
        Self::Ospfv3,
        Self::Bgp,
        Self::Isis,
        Self::Bfd,
    ];

    /// How they are written.
    pub const WORDS: &'static [&'static str] = &["lldp", "ospf", "ospfv3", "bgp", "isis", "bfd"];

    /// The word for people and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lldp => "lldp",
            Self::Ospf => "ospf",
            Self::Ospfv3 => "ospfv3",
            Self::Bgp => "bgp",
            Self::Isis => "isis",
            Self::Bfd => "bfd",
        }
    }
}

/// Recipes as they are written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RecipesFile {
    /// The kind whose recipes hold where this one, before its parent, says nothing.
    pub(super) like: Option<String>,
    /// Sending echo requests.
    ping: Option<PingFile>,
    /// Following packets.
    traceroute: Option<TracerouteFile>,
    /// Opening a TCP connection.
    connect: Option<ConnectFile>,
    /// Listing neighbours, by protocol.
    neighbors: Option<BTreeMap<Protocol, NeighborFile>>,
}

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PingFile {
    /// With `{address}` and `{count}`.
    command: String,
    /// For packets that must not be fragmented: with `{size}`, the length of the IP packet, or
    /// `{payload}`, that of the data behind the ICMP header.
    sized_command: Option<String>,
    /// A regular expression with the groups `sent` and `received`.
    answer: String,
    /// A regular expression: what it says when it has no way to send.
    refusal: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TracerouteFile {
    /// With `{address}`.
    command: String,
    /// A regular expression with the group `address`, which may match a `*`.
    hop: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ConnectFile {
    /// With `{address}` and `{port}`.
    command: String,
    /// A regular expression: what it says when the connection was opened.
    open: String,
    /// A regular expression: what it says when it was not.
    closed: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct NeighborFile {
    /// The command.
    command: String,
    /// A JSON path to each neighbour.
    entries: Option<String>,
    /// JSON paths from a neighbour to what tells who it is; `key` stands for the names of the
    /// members that lead to it.
    peers: Option<Vec<String>>,
    /// A JSON path from a neighbour to its state.
    state: Option<String>,
    /// For text: a regular expression with the groups `peer` or `address`, and `state`.
    line: Option<String>,
    /// A regular expression: what the state of an established neighbour is like.
    established: Option<String>,
}

impl RecipesFile {
    /// Fills in what these leave to others, recipe by recipe.
    pub(super) fn inherit(&mut self, parent: &Self) {
        let parent = parent.clone();
        self.ping = self.ping.take().or(parent.ping);
        self.traceroute = self.traceroute.take().or(parent.traceroute);
        self.connect = self.connect.take().or(parent.connect);
        let mut neighbors = parent.neighbors.unwrap_or_default();
        neighbors.extend(self.neighbors.take().unwrap_or_default());
        self.neighbors = Some(neighbors);
    }

    /// The recipes, once everything is inherited. One that makes no sense is left out.
    pub(super) fn into_recipes(self, mistakes: &mut Mistakes) -> Recipes {
        let mut reader = Reader { mistakes };
        let neighbors = self.neighbors.unwrap_or_default().into_iter();
        Recipes {
            ping: self.ping.and_then(|file| reader.ping(file)),
            traceroute: self.traceroute.and_then(|file| reader.traceroute(file)),
            connect: self.connect.and_then(|file| reader.connect(file)),
            neighbors: neighbors
                .filter_map(|(protocol, file)| Some((protocol, reader.neighbor(protocol, file)?)))
                .collect(),
        }
    }
}

/// Looks recipes over, all of each before it is given up.
struct Reader<'a> {
    mistakes: &'a mut Mistakes,
}

impl Reader<'_> {
    fn ping(&mut self, file: PingFile) -> Option<PingRecipe> {
        let at = |key: &str| format!("recipes.ping.{key}");
        let plain = self.command(&at("command"), file.command, &["address", "count"]);
        let sized = file.sized_command.map(|text| {
            let known = ["address", "count", "size", "payload"];
            self.command(&at("sized-command"), text, &known)
        });
        let answer = self
            .mistakes
            .expression(&at("answer"), &file.answer, &["sent", "received"]);
        let refusal = file.refusal;
        let refusal = refusal.map(|text| self.mistakes.expression(&at("refusal"), &text, &[]));
        Some(PingRecipe {
            command: plain?,
            sized_command: sized.flatten(),
            answer: answer?,
            refusal: refusal.flatten(),
        })
    }

    fn traceroute(&mut self, file: TracerouteFile) -> Option<TracerouteRecipe> {
        let command = self.command("recipes.traceroute.command", file.command, &["address"]);
        let hop = self
            .mistakes
            .expression("recipes.traceroute.hop", &file.hop, &["address"]);
        Some(TracerouteRecipe {
            command: command?,
            hop: hop?,
        })
    }

    fn connect(&mut self, file: ConnectFile) -> Option<ConnectRecipe> {
        let known = ["address", "port"];
        let command = self.command("recipes.connect.command", file.command, &known);
        let open = self
            .mistakes
            .expression("recipes.connect.open", &file.open, &[]);
        let closed = self
            .mistakes
            .expression("recipes.connect.closed", &file.closed, &[]);
        Some(ConnectRecipe {
            command: command?,
            open: open?,
            closed: closed?,
        })
    }

    fn neighbor(&mut self, protocol: Protocol, file: NeighborFile) -> Option<NeighborRecipe> {
        let recipe = format!("recipes.neighbors.{}", protocol.word());
        let at = |key: &str| format!("{recipe}.{key}");
        let command = self.command(&at("command"), file.command, &[]);
        let entries = match (file.entries, file.peers, file.line) {
            (Some(entries), Some(peers), None) => {
                let entries = self.query(&at("entries"), &entries);
                let peers: Vec<PeerSource> = peers
                    .iter()
                    .enumerate()
                    .filter_map(|(index, source)| match source.as_str() {
                        "key" => Some(PeerSource::Key),
                        path => self
                            .query(&at(&format!("peers.{index}")), path)
                            .map(PeerSource::Value),
                    })
                    .collect();
                let state = file.state.map(|path| self.query(&at("state"), &path));
                entries.map(|entries| NeighborEntries::Json {
                    entries,
                    peers,
                    state: state.flatten(),
                })
            }
            (None, None, Some(line)) if file.state.is_none() => {
                let groups = ["peer", "address"];
                let line = self
                    .mistakes
                    .expression_with_either(&at("line"), &line, groups);
                line.map(NeighborEntries::Text)
            }
            _ => {
                let reason = "the recipe has to say either `entries`, with `peers`, or `line`";
                self.mistakes.add(&recipe, reason);
                None
            }
        };
        let established = file.established;
        let established =
            established.map(|text| self.mistakes.expression(&at("established"), &text, &[]));
        Some(NeighborRecipe {
            command: command?,
            entries: entries?,
            established: established.flatten(),
        })
    }

    fn query(&mut self, path: &str, text: &str) -> Option<JsonQuery> {
        self.mistakes.keep(path, JsonQuery::parse(text))
    }

    /// A command all of whose placeholders are known.
    fn command(&mut self, path: &str, text: String, known: &[&str]) -> Option<String> {
        let Some(name) = placeholders(&text).find(|name| !known.contains(name)) else {
            return Some(text);
        };
        let known: Vec<String> = known.iter().map(|name| format!("`{{{name}}}`")).collect();
        let help = match known.is_empty() {
            true => "nothing is filled in here".to_owned(),
            false => format!("there is {}", known.join(", ")),
        };
        let reason = format!("nothing is filled in for `{{{name}}}`");
        self.mistakes.advise(path, reason, help);
        None
    }
}

/// The words in braces; braces around anything else are the guest's own business.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase());
        is_word.then_some(name)
    })
}

/// A command with its placeholders filled in.
pub(crate) fn fill(command: &str, values: &[(&str, String)]) -> String {
    values
        .iter()
        .fold(command.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Recipes, Vec<String>) {
        let file: RecipesFile = serde_saphyr::from_str(text).unwrap();
        let mut mistakes = Mistakes::default();
        let recipes = file.into_recipes(&mut mistakes);
        let found = mistakes.into_found();
        (recipes, found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_words_of_protocols_are_those_of_files() {
        for (protocol, word) in Protocol::ALL.into_iter().zip(Protocol::WORDS) {
            assert_eq!(protocol.word(), *word);
            assert_eq!(serde_json::to_value(protocol).unwrap(), *word);
        }
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, told) in [
            (
                "ping: {command: 'ping {host}', answer: '(?<sent>1)'}",
                [
                    "`recipes.ping.command`: nothing is filled in for `{host}`; there is `{address}`, `{count}`",
                    "`recipes.ping.answer`: the expression has no group `received`; write `(?<received>...)`",
                ],
            ),
            (
                "{traceroute: {command: x, hop: '('}, neighbors: {bgp: {command: x}}}",
                [
                    "`recipes.traceroute.hop`: unclosed group",
                    "`recipes.neighbors.bgp`: the recipe has to say either `entries`, with `peers`, or `line`",
                ],
            ),
            (
                "neighbors: {bgp: {command: x, line: x}, ospf: {command: '{address}', line: '(?<peer>x)'}}",
                [
                    "`recipes.neighbors.ospf.command`: nothing is filled in for `{address}`; nothing is filled in here",
                    "`recipes.neighbors.bgp.line`: the expression has neither the group `peer` nor `address`; write `(?<peer>...)`",
                ],
            ),
        ] {
            assert_eq!(read(text).1, told);
        }
    }

    #[test]
    fn braces_around_other_things_are_left_alone() {
        let json = r#"x '{"a": 1}' {address}"#;
        assert_eq!(placeholders(json).collect::<Vec<_>>(), ["address"]);
        let filled = fill(json, &[("address", "10.0.0.1".to_owned())]);
        assert_eq!(filled, r#"x '{"a": 1}' 10.0.0.1"#);
    }

    #[test]
    fn a_child_says_only_the_recipes_that_differ() {
        let parse = |text: &str| serde_saphyr::from_str::<RecipesFile>(text).unwrap();
        let parent = parse(
            "{traceroute: {command: a, hop: '(?<address>a)'}, neighbors: {bgp: {command: b, line: '(?<peer>b)'}, ospf: {command: o, line: '(?<peer>o)'}}}",
        );
        let mut child = parse("{neighbors: {bgp: {command: mine, line: '(?<peer>b)'}}}");
        child.inherit(&parent);
        let recipes = child.into_recipes(&mut Mistakes::default());
        assert_eq!(recipes.traceroute.unwrap().command, "a");
        assert_eq!(recipes.neighbors[&Protocol::Bgp].command, "mine");
        assert_eq!(recipes.neighbors[&Protocol::Ospf].command, "o");
    }
}
