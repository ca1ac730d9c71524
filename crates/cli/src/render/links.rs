//! Links with both ends' ports and state.

use super::table::{Cell, Table};
use super::{Format, Screen};
use crate::context::Listed;
use crate::error::CommandError;
use serde::Serialize;
use std::net::SocketAddr;
use vnflab_engine::workspace::{LinkEnd, LinkState, LinkStatus};

/// All of them.
pub(crate) fn list(
    screen: &Screen,
    listed: &Listed,
    links: &[LinkStatus],
) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let links = links.iter().map(LinkJson::new).collect();
        return screen.json("links", LinksJson { links });
    }
    if links.is_empty() {
        super::nothing_listed(screen, listed, "links");
        return Ok(());
    }
    let heads = ["LAB", "A", "PORT", "B", "PORT", "STATE"];
    let mut table = Table::new(screen.out, &heads);
    for link in links {
        let [a, b] = &link.ends;
        let word = link.state.word();
        let state = match link.state {
            LinkState::Up => screen.out.good(word),
            LinkState::Down => screen.out.faint(word),
        };
        table.row([
            Cell::plain(&link.lab),
            Cell::plain(name(a)),
            Cell::plain(a.local.to_string()),
            Cell::plain(name(b)),
            Cell::plain(b.local.to_string()),
            Cell::painted(state),
        ]);
    }
    screen.write(&table.text())
}

fn name(end: &LinkEnd) -> String {
    format!("{}:{}", end.node, end.interface)
}

#[derive(Serialize)]
struct LinksJson<'a> {
    links: Vec<LinkJson<'a>>,
}

#[derive(Serialize)]
struct LinkJson<'a> {
    lab: &'a str,
    state: &'static str,
    ends: [EndJson<'a>; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct EndJson<'a> {
    node: &'a str,
    interface: &'a str,
    local: SocketAddr,
    remote: SocketAddr,
    addresses: &'a [String],
    node_state: &'static str,
}

impl<'a> LinkJson<'a> {
    fn new(link: &'a LinkStatus) -> Self {
        Self {
            lab: &link.lab,
            state: link.state.word(),
            ends: link.ends.each_ref().map(EndJson::new),
        }
    }
}

impl<'a> EndJson<'a> {
    fn new(end: &'a LinkEnd) -> Self {
        Self {
            node: &end.node,
            interface: &end.interface,
            local: end.local,
            remote: end.remote,
            addresses: &end.addresses,
            node_state: end.state.word(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vnflab_model::observed::DomainState;

    #[test]
    fn a_link_in_json() {
        let end = |node: &str, local: &str, remote: &str| LinkEnd {
            node: node.to_owned(),
            interface: "eth1".to_owned(),
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
            addresses: vec!["10.128.0.0/31".to_owned()],
            state: DomainState::Running,
        };
        let (a, b) = ("127.1.1.1:10001", "127.1.1.2:10001");
        let link = LinkStatus {
            lab: "a".to_owned(),
            ends: [end("r1", a, b), end("r2", b, a)],
            state: LinkState::Up,
        };
        insta::assert_json_snapshot!(LinkJson::new(&link));
    }
}
