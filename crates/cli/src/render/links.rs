//! Links and segments: who is joined, whether frames pass, what is asked, what was carried.

use super::rate::Rates;
use super::table::{Cell, Table};
use super::wire::summary;
use super::{Format, Screen};
use crate::context::Listed;
use crate::error::CommandError;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use vnflab_engine::workspace::{LinkEnd, LinkKind, LinkState, LinkStatus};
use vnflab_model::blueprint::Carrier;
use vnflab_wire::JunctionConfig;
use vnflab_wire::control::protocol::EndStatus;

/// All of them, with what they carry a second where it was looked at twice.
pub(crate) fn list(
    screen: &Screen,
    listed: &Listed,
    links: &[LinkStatus],
    rates: Option<&Rates>,
) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let links = links
            .iter()
            .map(|link| LinkJson::new(link, rates))
            .collect();
        return screen.json("links", LinksJson { links });
    }
    if links.is_empty() {
        super::nothing_listed(screen, listed, "links");
        return Ok(());
    }
    match rates {
        Some(rates) => screen.write(&carried(screen, links, rates)),
        None => screen.write(&joined(screen, links)),
    }
}

/// Who is joined, and by which ports.
fn joined(screen: &Screen, links: &[LinkStatus]) -> String {
    let heads = ["LAB", "A", "PORT", "B", "PORT", "STATE", "KIND", "ASKS"];
    let mut table = Table::new(screen.out, &heads);
    for link in links {
        for (a, b) in rows(link) {
            table.row([
                Cell::plain(&link.lab),
                Cell::plain(&a.name),
                Cell::plain(port(a)),
                Cell::plain(b.map_or(link.name.as_str(), |b| b.name.as_str())),
                Cell::plain(b.map_or("-".to_owned(), port)),
                state(screen, link),
                Cell::plain(link.kind.word()),
                Cell::plain(asks(link)),
            ]);
        }
    }
    table.text()
}

/// What they carry, what was lost, and which guests see a carrier.
fn carried(screen: &Screen, links: &[LinkStatus], rates: &Rates) -> String {
    let heads = [
        "LAB", "A", "B", "STATE", "CARRIER", "A→B", "B→A", "DROPPED", "ASKS",
    ];
    let mut table = Table::new(screen.out, &heads);
    for link in links {
        let rate = |end: &LinkEnd| {
            rates
                .of(&link.lab, end)
                .map_or("-".to_owned(), |rate| rate.words())
        };
        for (a, b) in rows(link) {
            table.row([
                Cell::plain(&link.lab),
                Cell::plain(&a.name),
                Cell::plain(b.map_or(link.name.as_str(), |b| b.name.as_str())),
                state(screen, link),
                Cell::plain(
                    [Some(a), b]
                        .into_iter()
                        .flatten()
                        .map(carrier)
                        .collect::<Vec<_>>()
                        .join("/"),
                ),
                Cell::plain(rate(a)),
                Cell::plain(b.map_or("-".to_owned(), rate)),
                Cell::plain(drops([Some(a), b].into_iter().flatten())),
                Cell::plain(asks(link)),
            ]);
        }
    }
    table.text()
}

/// A link is one row; a segment has one for each member.
fn rows(link: &LinkStatus) -> Vec<(&LinkEnd, Option<&LinkEnd>)> {
    match (link.kind, &link.ends[..]) {
        (LinkKind::Direct | LinkKind::Wire, [a, b]) => vec![(a, Some(b))],
        (_, ends) => ends.iter().map(|end| (end, None)).collect(),
    }
}

fn port(end: &LinkEnd) -> String {
    let interface = end.interface.as_ref();
    interface.map_or("-".to_owned(), |interface| interface.local.to_string())
}

fn state(screen: &Screen, link: &LinkStatus) -> Cell {
    let word = link.state.word();
    Cell::painted(match link.state {
        LinkState::Up => screen.out.good(word),
        LinkState::Down => screen.out.faint(word),
    })
}

fn carrier(end: &LinkEnd) -> &'static str {
    match end.interface.as_ref().map(|interface| interface.carrier) {
        Some(Carrier::Up) => "up",
        Some(Carrier::Down) => "down",
        None => "-",
    }
}

fn asks(link: &LinkStatus) -> String {
    match &link.junction {
        Some(junction) if !junction.impairments.is_empty() => summary(junction),
        _ => "-".to_owned(),
    }
}

/// `12 loss, 3 queue`, most first.
fn drops<'a>(ends: impl Iterator<Item = &'a LinkEnd>) -> String {
    let mut causes: BTreeMap<&str, u64> = BTreeMap::new();
    for status in ends.filter_map(|end| end.counts.as_ref()) {
        for (cause, count) in &status.drops {
            *causes.entry(cause.word()).or_default() += count;
        }
    }
    let mut causes: Vec<(&str, u64)> = causes.into_iter().collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words: Vec<String> = causes
        .iter()
        .map(|(cause, count)| format!("{count} {cause}"))
        .collect();
    match words.is_empty() {
        true => "-".to_owned(),
        false => words.join(", "),
    }
}

#[derive(Serialize)]
struct LinksJson<'a> {
    links: Vec<LinkJson<'a>>,
}

#[derive(Serialize)]
struct LinkJson<'a> {
    lab: &'a str,
    name: &'a str,
    kind: &'static str,
    state: &'static str,
    ends: Vec<EndJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asks: Option<&'a JunctionConfig>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct EndJson<'a> {
    name: &'a str,
    node: Option<&'a str>,
    interface: Option<&'a str>,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    addresses: &'a [String],
    node_state: Option<&'static str>,
    carrier: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<&'a EndStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bits_per_second: Option<f64>,
}

impl<'a> LinkJson<'a> {
    fn new(link: &'a LinkStatus, rates: Option<&Rates>) -> Self {
        let end = |end: &'a LinkEnd| {
            let interface = end.interface.as_ref();
            let rate = rates.and_then(|rates| rates.of(&link.lab, end));
            EndJson {
                name: &end.name,
                node: interface.map(|interface| interface.node.as_str()),
                interface: interface.map(|interface| interface.name.as_str()),
                local: interface.map(|interface| interface.local),
                remote: interface.map(|interface| interface.remote),
                addresses: interface.map_or(&[], |interface| &interface.addresses),
                node_state: interface.map(|interface| interface.state.word()),
                carrier: carrier(end),
                counts: end.counts.as_ref(),
                frames_per_second: rate.map(|rate| rate.frames),
                bits_per_second: rate.map(|rate| rate.bits),
            }
        };
        Self {
            lab: &link.lab,
            name: &link.name,
            kind: link.kind.word(),
            state: link.state.word(),
            ends: link.ends.iter().map(end).collect(),
            asks: link.junction.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vnflab_engine::workspace::EndInterface;
    use vnflab_model::observed::DomainState;

    #[test]
    fn a_link_in_json() {
        let end = |node: &str, local: &str, remote: &str| LinkEnd {
            name: format!("{node}:eth1"),
            interface: Some(EndInterface {
                node: node.to_owned(),
                name: "eth1".to_owned(),
                local: local.parse().unwrap(),
                remote: remote.parse().unwrap(),
                addresses: vec!["10.128.0.0/31".to_owned()],
                state: DomainState::Running,
                carrier: Carrier::Up,
            }),
            counts: None,
        };
        let (a, b) = ("127.1.1.1:10001", "127.1.1.2:10001");
        let link = LinkStatus {
            lab: "a".to_owned(),
            name: "r1:eth1--r2:eth1".to_owned(),
            kind: LinkKind::Wire,
            ends: vec![end("r1", a, b), end("r2", b, a)],
            state: LinkState::Up,
            junction: Some(JunctionConfig::link("r1:eth1", "r2:eth1")),
        };
        insta::assert_json_snapshot!(LinkJson::new(&link, None));
    }
}
