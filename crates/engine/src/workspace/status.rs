//! How labs are, told from libvirt alone.

use crate::driver::{Driver, DriverError};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use vnflab_model::blueprint::{Attachment, Carrier, NodeBlueprint};
use vnflab_model::observed::{DomainState, Observed, ObservedDomain};

/// How a node is.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeStatus {
    /// What it was made from.
    pub blueprint: NodeBlueprint,
    /// The file or folder that its lab came from.
    pub source: String,
    /// Whether it runs.
    pub state: DomainState,
    /// Time since its start, where it can be known.
    pub uptime: Option<Duration>,
    /// Memory that its QEMU takes up, in MiB, where it can be known.
    pub resident_mib: Option<u64>,
}

/// How a link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkStatus {
    /// The lab.
    pub lab: String,
    /// The ends.
    pub ends: [LinkEnd; 2],
    /// Whether frames can pass.
    pub state: LinkState,
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkEnd {
    /// The node.
    pub node: String,
    /// The interface.
    pub interface: String,
    /// Where its tunnel is bound.
    pub local: SocketAddr,
    /// Where its frames go.
    pub remote: SocketAddr,
    /// Addresses inside the guest, where they are known.
    pub addresses: Vec<String>,
    /// Whether the node runs.
    pub state: DomainState,
}

/// Whether frames can pass a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Both nodes run and both ends have a carrier.
    Up,
    /// A node is off, or an end has no carrier.
    Down,
}

impl LinkState {
    /// The word for people and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

pub(super) fn nodes(
    driver: &dyn Driver,
    observed: &Observed,
    lab: Option<&str>,
) -> Result<Vec<NodeStatus>, DriverError> {
    let mut nodes = Vec::new();
    for domain in of(observed, lab) {
        let usage = match domain.state {
            DomainState::Off | DomainState::Crashed => None,
            DomainState::Running | DomainState::Paused => driver.domain_usage(&domain.name)?,
        };
        nodes.push(NodeStatus {
            blueprint: domain.record.blueprint.clone(),
            source: domain.record.source.clone(),
            state: domain.state,
            uptime: usage.and_then(|usage| usage.uptime),
            resident_mib: usage
                .and_then(|usage| usage.resident_kib)
                .map(|kib| kib / 1024),
        });
    }
    nodes.sort_by(|a, b| order(&a.blueprint).cmp(&order(&b.blueprint)));
    Ok(nodes)
}

/// Nodes are shown lab by lab, in the order of their numbers.
fn order(node: &NodeBlueprint) -> (&str, u32) {
    (node.lab.as_str(), node.number)
}

fn of<'a>(
    observed: &'a Observed,
    lab: Option<&'a str>,
) -> impl Iterator<Item = &'a ObservedDomain> {
    let matches =
        move |domain: &&ObservedDomain| lab.is_none_or(|lab| domain.record.blueprint.lab == lab);
    observed.domains.iter().filter(matches)
}

pub(super) fn links(observed: &Observed, lab: Option<&str>) -> Vec<LinkStatus> {
    let mut ends: BTreeMap<(String, String), (LinkEnd, String, Carrier, u32)> = BTreeMap::new();
    for domain in of(observed, lab) {
        let blueprint = &domain.record.blueprint;
        for nic in blueprint.data_nics() {
            let (Some(peer), Attachment::Tunnel { local, remote }) = (&nic.peer, &nic.attachment)
            else {
                continue;
            };
            let end = LinkEnd {
                node: blueprint.node.clone(),
                interface: nic.name.clone(),
                local: *local,
                remote: *remote,
                addresses: nic.addresses.clone(),
                state: domain.state,
            };
            let key = (
                blueprint.lab.clone(),
                format!("{}:{}", blueprint.node, nic.name),
            );
            ends.insert(key, (end, peer.clone(), nic.carrier, blueprint.number));
        }
    }
    let mut links = Vec::new();
    for ((lab, name), (end, peer, carrier, number)) in &ends {
        let Some((other, back, other_carrier, other_number)) =
            ends.get(&(lab.clone(), peer.clone()))
        else {
            continue;
        };
        // Each link is met twice; it is shown from its end with the lower number.
        let first = (number, name) < (other_number, peer);
        if back != name || !first {
            continue;
        }
        let runs = [end, other]
            .iter()
            .all(|end| end.state == DomainState::Running);
        let carried = [*carrier, *other_carrier] == [Carrier::Up; 2];
        links.push((
            *number,
            LinkStatus {
                lab: lab.clone(),
                ends: [end.clone(), other.clone()],
                state: if runs && carried {
                    LinkState::Up
                } else {
                    LinkState::Down
                },
            },
        ));
    }
    links.sort_by(|(a_number, a), (b_number, b)| {
        (&a.lab, a_number, &a.ends[0].interface).cmp(&(&b.lab, b_number, &b.ends[0].interface))
    });
    links.into_iter().map(|(_, link)| link).collect()
}
