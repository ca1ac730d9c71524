//! How links and segments are: of wires, as the wires tell; of direct links, from the records.

use super::status::of;
use crate::wire::WireLook;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use vnflab_model::blueprint::{Attachment, Carrier, Nic, NodeBlueprint};
use vnflab_model::observed::{DomainState, Observed, ObservedDomain};
use vnflab_wire::control::protocol::EndStatus;
use vnflab_wire::{Config, EndConfig, JunctionConfig, JunctionKind};

/// How a link or segment is.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkStatus {
    /// The lab.
    pub lab: String,
    /// Its name: `r1:eth1--r2:eth1`, or that of the segment.
    pub name: String,
    /// What it is.
    pub kind: LinkKind,
    /// Those who are joined; two of a link.
    pub ends: Vec<LinkEnd>,
    /// Whether frames can pass.
    pub state: LinkState,
    /// What is asked of it, if it is the wire's.
    pub junction: Option<JunctionConfig>,
}

/// What a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// From QEMU to QEMU.
    Direct,
    /// A link through the wire.
    Wire,
    /// A segment that switches.
    Switch,
    /// A segment that floods.
    Hub,
}

impl LinkKind {
    /// The word for people and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Wire => "wire",
            Self::Switch => "switch",
            Self::Hub => "hub",
        }
    }
}

/// One end of a link.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkEnd {
    /// `r1:eth1`, or where it leads: `tap:lab0`.
    pub name: String,
    /// The interface behind it, unless it leads outside.
    pub interface: Option<EndInterface>,
    /// What it has carried, if it is the wire's.
    pub counts: Option<EndStatus>,
}

/// The interface behind an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndInterface {
    /// The node.
    pub node: String,
    /// The interface.
    pub name: String,
    /// Where its tunnel is bound.
    pub local: SocketAddr,
    /// Where its frames go.
    pub remote: SocketAddr,
    /// Addresses inside the guest, where they are known.
    pub addresses: Vec<String>,
    /// Whether the node runs.
    pub state: DomainState,
    /// Whether the guest sees a carrier.
    pub carrier: Carrier,
}

/// Whether frames can pass a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// All nodes run and all ends have a carrier.
    Up,
    /// A node is off, an end has no carrier, or it is cut.
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

/// A lab and a name in it.
type Key<'a> = (&'a str, String);

/// All of a lab, or of all labs: links in the order of their nodes, then segments.
pub(super) fn links(
    observed: &Observed,
    looks: &BTreeMap<&str, WireLook>,
    lab: Option<&str>,
) -> Vec<LinkStatus> {
    let mut interfaces: BTreeMap<Key<'_>, (EndInterface, u32)> = BTreeMap::new();
    let mut direct: BTreeMap<Key<'_>, String> = BTreeMap::new();
    for domain in of(observed, lab) {
        let node = &domain.record.blueprint;
        for nic in node.data_nics() {
            let Some(interface) = interface(domain, node, nic) else {
                continue;
            };
            let key = (node.lab.as_str(), node.end_name(nic));
            if let (None, Some(peer)) = (node.wire_end(nic), &nic.peer) {
                direct.insert(key.clone(), peer.clone());
            }
            interfaces.insert(key, (interface, node.number));
        }
    }
    let mut links = direct_links(&interfaces, &direct);
    for (lab, look) in looks {
        let junctions = look.config.junctions.iter();
        links.extend(junctions.map(|(name, junction)| {
            let end = |member: &String| LinkEnd {
                name: member.clone(),
                interface: interfaces
                    .get(&(*lab, member.clone()))
                    .map(|(interface, _)| interface.clone()),
                counts: look.status.ends.get(member).cloned(),
            };
            wire_link(
                lab,
                name,
                junction,
                &look.config,
                junction.members.iter().map(end).collect(),
            )
        }));
    }
    let place = |link: &LinkStatus| {
        let first = link
            .ends
            .first()
            .and_then(|end| interfaces.get(&(link.lab.as_str(), end.name.clone())));
        let number = first.map_or(u32::MAX, |(_, number)| *number);
        let is_segment = matches!(link.kind, LinkKind::Switch | LinkKind::Hub);
        (link.lab.clone(), is_segment, number, link.name.clone())
    };
    links.sort_by_cached_key(place);
    links
}

fn interface(domain: &ObservedDomain, node: &NodeBlueprint, nic: &Nic) -> Option<EndInterface> {
    let Attachment::Tunnel { local, remote } = nic.attachment else {
        return None;
    };
    Some(EndInterface {
        node: node.node.clone(),
        name: nic.name.clone(),
        local,
        remote,
        addresses: nic.addresses.clone(),
        state: domain.state,
        carrier: domain
            .carriers
            .get(&nic.mac)
            .copied()
            .unwrap_or(nic.carrier),
    })
}

fn direct_links(
    interfaces: &BTreeMap<Key<'_>, (EndInterface, u32)>,
    direct: &BTreeMap<Key<'_>, String>,
) -> Vec<LinkStatus> {
    let mut links = Vec::new();
    for ((lab, name), peer) in direct {
        // Each link is met twice; it is shown from its end with the lower number.
        let key = |name: &String| (*lab, name.clone());
        let (Some((a, number)), Some((b, other))) =
            (interfaces.get(&key(name)), interfaces.get(&key(peer)))
        else {
            continue;
        };
        if direct.get(&key(peer)) != Some(name) || (number, name) >= (other, peer) {
            continue;
        }
        let end = |name: &String, interface: &EndInterface| LinkEnd {
            name: name.clone(),
            interface: Some(interface.clone()),
            counts: None,
        };
        let ends = vec![end(name, a), end(peer, b)];
        links.push(LinkStatus {
            lab: (*lab).to_owned(),
            name: format!("{name}--{peer}"),
            kind: LinkKind::Direct,
            state: state(&ends),
            ends,
            junction: None,
        });
    }
    links
}

fn wire_link(
    lab: &str,
    name: &str,
    junction: &JunctionConfig,
    config: &Config,
    ends: Vec<LinkEnd>,
) -> LinkStatus {
    let up = vnflab_wire::LinkState::Up;
    let passes = |end: &LinkEnd| {
        let leads_outside = EndConfig::from_name(&end.name).is_some();
        let is_there = leads_outside || config.ends.contains_key(&end.name);
        is_there && end.counts.as_ref().is_none_or(|counts| counts.state == up)
    };
    let cut = junction.state != up || ends.len() < 2 || !ends.iter().all(passes);
    LinkStatus {
        lab: lab.to_owned(),
        name: name.to_owned(),
        kind: match junction.kind {
            JunctionKind::Link => LinkKind::Wire,
            JunctionKind::Switch { .. } => LinkKind::Switch,
            JunctionKind::Hub => LinkKind::Hub,
        },
        state: if cut { LinkState::Down } else { state(&ends) },
        ends,
        junction: Some(junction.clone()),
    }
}

fn state(ends: &[LinkEnd]) -> LinkState {
    let works = |interface: &EndInterface| {
        interface.state == DomainState::Running && interface.carrier == Carrier::Up
    };
    match ends
        .iter()
        .filter_map(|end| end.interface.as_ref())
        .all(works)
    {
        true => LinkState::Up,
        false => LinkState::Down,
    }
}
