//! How outputs and numbers are judged. Nothing of an output can make it panic.

use super::{Conditions, Verdict};
use crate::kind::{
    ConnectRecipe, NeighborEntries, NeighborRecipe, PeerSource, PingRecipe, TracerouteRecipe,
};
use serde_json::Value;
use std::net::IpAddr;
use vnflab_impairment::unit::{Percent, Rate};

/// Longest part of an output that is told, in letters.
const QUOTE_LIMIT: usize = 120;

/// What a node said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Its output.
    pub stdout: &'a str,
    /// Its messages, where they are told apart.
    pub stderr: &'a str,
    /// The status that the command ended with, where there is one.
    pub status: Option<i32>,
}

impl Answer<'_> {
    /// All that was said.
    fn text(&self) -> String {
        match self.stderr.trim().is_empty() {
            true => self.stdout.to_owned(),
            false => format!("{}\n{}", self.stdout, self.stderr),
        }
    }

    /// The last line that says something.
    fn last_line(&self) -> String {
        let text = self.text();
        let line = text.lines().rev().find(|line| !line.trim().is_empty());
        line.map_or_else(|| "it says nothing".to_owned(), quoted)
    }
}

fn quoted(text: &str) -> String {
    let clean: String = text
        .trim()
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    match clean.char_indices().nth(QUOTE_LIMIT) {
        None => clean,
        Some((at, _)) => format!("{}...", &clean[..at]),
    }
}

fn not_understood(what: &str, answer: &Answer<'_>) -> Verdict {
    Verdict::Unknown(format!(
        "the output of `{what}` is not understood: {}",
        answer.last_line()
    ))
}

/// Judges echo requests; `way` is told, such as `r1 → r3`.
pub(super) fn ping(recipe: &PingRecipe, way: &str, loss: Percent, answer: &Answer<'_>) -> Verdict {
    let text = answer.text();
    let number = |name: &str| {
        let groups = recipe.answer.captures(&text)?;
        groups.name(name)?.as_str().parse::<u64>().ok()
    };
    let refusal = recipe.refusal.as_ref().and_then(|one| one.find(&text));
    let reason = refusal.map_or_else(String::new, |line| format!(" ({})", quoted(line)));
    match (number("sent"), number("received")) {
        (Some(sent), Some(received)) if sent > 0 => {
            let told = format!("{way}: {received} of {sent} came back");
            let lost = sent.saturating_sub(received);
            let most = loss.share() * sent as f64;
            match lost as f64 <= most && received > 0 {
                true => Verdict::Holds(told),
                false => Verdict::Not(format!("{told}{reason}")),
            }
        }
        _ if refusal.is_some() => Verdict::Not(format!("{way}: nothing can be sent{reason}")),
        _ => not_understood("ping", answer),
    }
}

/// What is asked of the way of packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// Such as `r1 → r3`.
    pub(super) told: String,
    /// Where it ends.
    pub(super) end: IpAddr,
    /// The nodes on it, if they are asked for.
    pub(super) through: Option<Vec<String>>,
    /// Nodes that are not on it.
    pub(super) avoids: Vec<String>,
}

/// Judges the way of packets.
pub(super) fn traceroute(
    recipe: &TracerouteRecipe,
    way: &Way,
    owner: &dyn Fn(IpAddr) -> Option<String>,
    answer: &Answer<'_>,
) -> Verdict {
    let text = answer.text();
    let hops = recipe.hop.all_captures(&text);
    let hops: Vec<String> = hops
        .filter_map(|groups| Some(groups.name("address")?.as_str().to_owned()))
        .collect();
    if hops.is_empty() {
        return not_understood("traceroute", answer);
    }
    let address = |hop: &String| hop.parse::<IpAddr>().ok();
    let end_owner = owner(way.end);
    let name = |hop: &String| {
        let owner = address(hop).and_then(owner);
        owner.unwrap_or_else(|| hop.clone())
    };
    let mut names: Vec<String> = hops.iter().map(name).collect();
    let arrived = hops.last().is_some_and(|hop| {
        address(hop) == Some(way.end)
            || (end_owner.is_some() && address(hop).and_then(owner) == end_owner)
    });
    let path = quoted(&names.join(", "));
    let told = format!("{}: {path}", way.told);
    if !arrived {
        return Verdict::Not(format!("{told}, and never arrives"));
    }
    names.pop();
    if let Some(through) = way.through.as_ref().filter(|through| **through != names) {
        let wanted = match through.is_empty() {
            true => "no node".to_owned(),
            false => through.join(", "),
        };
        return Verdict::Not(format!("{told}; expected {wanted} on the way"));
    }
    match way.avoids.iter().find(|node| names.contains(node)) {
        Some(node) => Verdict::Not(format!("{told}; `{node}` is on the way")),
        None => Verdict::Holds(told),
    }
}

/// Judges an attempt to connect.
pub(super) fn connect(recipe: &ConnectRecipe, way: &str, answer: &Answer<'_>) -> Verdict {
    let text = answer.text();
    if recipe.open.matches(&text) {
        return Verdict::Holds(format!("{way}: open"));
    }
    match recipe.closed.find(&text) {
        Some(line) => Verdict::Not(format!("{way}: {}", quoted(line))),
        None => not_understood("connect", answer),
    }
}

/// Judges what a command said.
pub(super) fn command(node: &str, conditions: &Conditions, answer: &Answer<'_>) -> Verdict {
    if conditions.is_empty() {
        return match answer.status {
            None | Some(0) => Verdict::Holds(format!("{node}: done")),
            Some(status) => Verdict::Not(format!(
                "{node}: ended with status {status}: {}",
                answer.last_line()
            )),
        };
    }
    let text = answer.text();
    let missing = conditions.matches.iter().find(|one| !one.matches(&text));
    if let Some(expression) = missing {
        return Verdict::Not(format!(
            "{node}: `{expression}` does not match: {}",
            answer.last_line()
        ));
    }
    let present = conditions.lacks.iter();
    let mut present = present.filter_map(|one| Some((one, one.find(&text)?)));
    if let Some((expression, part)) = present.next() {
        return Verdict::Not(format!("{node}: `{expression}` matches {}", shown(part)));
    }
    let Some(query) = &conditions.json else {
        return Verdict::Holds(format!("{node}: as expected"));
    };
    let Some(document) = json_in(answer.stdout) else {
        return Verdict::Not(format!("{node}: no JSON: {}", answer.last_line()));
    };
    let found = query.values(&document);
    if found.is_empty() {
        return Verdict::Not(format!("{node}: `{query}` leads to nothing"));
    }
    let Some(wanted) = &conditions.equals else {
        return Verdict::Holds(format!("{node}: `{query}` is there"));
    };
    match found.iter().find(|value| plain(value) != *wanted) {
        None => Verdict::Holds(format!("{node}: `{query}` is {}", shown(wanted))),
        Some(value) => Verdict::Not(format!(
            "{node}: `{query}` is {}, expected {}",
            shown(&plain(value)),
            shown(wanted)
        )),
    }
}

fn shown(text: &str) -> String {
    format!("`{}`", quoted(text))
}

/// A value as one would write it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first JSON document in an output, whatever stands before and behind it.
fn json_in(text: &str) -> Option<Value> {
    let starts = text.match_indices(['{', '[']).map(|(at, _)| at);
    // What is no document is most often a prompt or a date in brackets.
    const TRIES: usize = 16;
    starts.take(TRIES).find_map(|start| {
        let mut documents = serde_json::Deserializer::from_str(&text[start..]).into_iter();
        documents.next()?.ok()
    })
}

/// A neighbour as a node tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbor {
    /// What tells who it is.
    pub peers: Vec<String>,
    /// Its state, where it has one.
    pub state: Option<String>,
    /// Whether it is established.
    pub established: bool,
}

/// Reads a list of neighbours; `None` if it is none.
pub fn neighbors(recipe: &NeighborRecipe, answer: &Answer<'_>) -> Option<Vec<Neighbor>> {
    let is_established = |state: Option<&String>| match (&recipe.established, state) {
        (Some(expression), Some(state)) => expression.matches(state),
        (Some(_), None) => false,
        (None, _) => true,
    };
    let new = |peers: Vec<String>, state: Option<String>| Neighbor {
        established: is_established(state.as_ref()),
        peers,
        state,
    };
    match &recipe.entries {
        NeighborEntries::Text(line) => {
            let text = answer.text();
            let found = line.all_captures(&text).map(|groups| {
                let group = |name| Some(groups.name(name)?.as_str().to_owned());
                let peers = ["peer", "address"].into_iter().filter_map(group);
                new(peers.collect(), group("state"))
            });
            Some(found.collect())
        }
        NeighborEntries::Json {
            entries,
            peers,
            state,
        } => {
            let document = json_in(answer.stdout)?;
            let found = entries.located(&document).into_iter();
            let read = found.map(|(names, entry)| {
                let of = |source: &PeerSource| match source {
                    PeerSource::Key => names.clone(),
                    PeerSource::Value(path) => path.values(entry).into_iter().map(plain).collect(),
                };
                let state = state.as_ref().and_then(|path| {
                    let values = path.values(entry);
                    values.first().map(|value| plain(value))
                });
                new(peers.iter().flat_map(of).collect(), state)
            });
            Some(read.collect())
        }
    }
}

/// What is asked of neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Whose and of which protocol: `ospf of r1`.
    pub(super) told: String,
    /// Who has to be there; `None` for anybody.
    pub(super) nodes: Option<Vec<String>>,
    /// How many.
    pub(super) count: Option<u32>,
}

/// Judges a list of neighbours.
pub(super) fn neighborhood(
    recipe: &NeighborRecipe,
    wanted: &Wanted,
    who: &dyn Fn(&[String]) -> Option<String>,
    answer: &Answer<'_>,
) -> Verdict {
    let told = &wanted.told;
    let Some(found) = neighbors(recipe, answer) else {
        return not_understood(&recipe.command, answer);
    };
    let name = |one: &Neighbor| {
        let known = who(&one.peers);
        known.unwrap_or_else(|| one.peers.last().cloned().unwrap_or_default())
    };
    let established = found.iter().filter(|one| one.established);
    let mut up: Vec<String> = established.map(name).collect();
    up.sort();
    let list = match up.is_empty() {
        true => "nobody".to_owned(),
        false => quoted(&up.join(", ")),
    };
    let not_up: Vec<String> = found
        .iter()
        .filter(|one| !one.established)
        .map(|one| {
            let state = one.state.as_deref().unwrap_or("in no state");
            format!("{} is {state}", name(one))
        })
        .collect();
    let rest = match not_up.is_empty() {
        true => String::new(),
        false => format!(" ({})", quoted(&not_up.join(", "))),
    };
    if let Some(nodes) = &wanted.nodes {
        let missing: Vec<&str> = nodes
            .iter()
            .filter(|node| !up.contains(node))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Verdict::Not(format!("{told}: {missing} missing, there is {list}{rest}"));
        }
    }
    match wanted.count {
        Some(count) if up.len() != count as usize => Verdict::Not(format!(
            "{told}: {} established, expected {count}: {list}{rest}",
            up.len()
        )),
        None if wanted.nodes.is_none() && (up.is_empty() || !not_up.is_empty()) => {
            Verdict::Not(format!("{told}: {list}{rest}"))
        }
        _ => Verdict::Holds(format!("{told}: {list}")),
    }
}

/// Judges how many frames were seen.
pub fn frames(what: &str, seen: u64, wanted: u32, seconds: f64) -> Verdict {
    let noun = if seen == 1 { "frame" } else { "frames" };
    match seen >= u64::from(wanted) {
        true => Verdict::Holds(format!("{what}: {seen} {noun}")),
        false => Verdict::Not(format!(
            "{what}: {seen} {noun} in {seconds:.1} s, expected {wanted}"
        )),
    }
}

/// Judges how much has passed.
pub fn rate(
    what: &str,
    bytes: u64,
    seconds: f64,
    least: Option<Rate>,
    most: Option<Rate>,
) -> Verdict {
    let bits = bytes as f64 * 8.0 / seconds.max(f64::MIN_POSITIVE);
    let told = format!("{what}: {}", figure(bits));
    let (too_little, too_much) = (
        least.filter(|least| bits < least.bits() as f64),
        most.filter(|most| bits > most.bits() as f64),
    );
    match (too_little, too_much) {
        (Some(least), _) => Verdict::Not(format!("{told}, expected {least} or more")),
        (_, Some(most)) => Verdict::Not(format!("{told}, expected {most} at most")),
        (None, None) => Verdict::Holds(told),
    }
}

/// Bits a second with three digits or so.
fn figure(bits: f64) -> String {
    const UNITS: [(&str, f64); 3] = [("gbit", 1e9), ("mbit", 1e6), ("kbit", 1e3)];
    let unit = UNITS.iter().find(|(_, size)| bits >= *size);
    match unit {
        Some((unit, size)) => format!("{:.2}{unit}/s", bits / size),
        None => format!("{bits:.0}bit/s"),
    }
}
