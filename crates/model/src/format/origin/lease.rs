//! The origin's management networks and the addresses that its DHCP server leased.

use super::Written;
use crate::kind::Catalogue;
use crate::span::Spanned;
use crate::spec::{NetworkSpec, NodeSpec};
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The origin's bridges with their networks, whose gateway has the first address. Other bridges
/// get a subnet that is free.
const NETWORKS: [(&str, [u8; 4]); 2] = [("br0", [192, 168, 10, 0]), ("br2", [192, 168, 20, 0])];

/// All of them are /24.
const PREFIX_LENGTH: u8 = 24;

/// From which host number on the nodes of a kind are leased addresses.
const LEASE_BASES: [(&str, u8); 2] = [("ios", 100), ("eos", 200)];

/// The same for all other kinds.
const OTHER_BASE: u8 = 150;

/// The highest host number of a /24.
const LAST_HOST: u8 = 254;

fn network(bridge: &str) -> Option<Ipv4Net> {
    NETWORKS
        .iter()
        .find(|(name, _)| *name == bridge)
        .and_then(|(_, octets)| Ipv4Net::new(Ipv4Addr::from(*octets), PREFIX_LENGTH).ok())
}

/// The networks of the bridges that the nodes use.
pub(super) fn networks(nodes: &[NodeSpec]) -> Vec<NetworkSpec> {
    let bridges: BTreeSet<&str> = nodes
        .iter()
        .filter_map(|node| node.management_bridge.as_ref())
        .map(|bridge| bridge.as_str())
        .collect();
    bridges
        .into_iter()
        .filter_map(|bridge| {
            Some(NetworkSpec {
                bridge: bridge.to_owned(),
                ipv4_subnet: network(bridge)?,
            })
        })
        .collect()
}

/// Gives each node on one of the origin's bridges the next address of its kind. Nodes that are
/// not enabled keep theirs, so that enabling one moves no other.
pub(super) fn assign(written: &mut [Written], catalogue: &Catalogue) {
    let mut taken: BTreeMap<String, BTreeSet<u8>> = BTreeMap::new();
    for node in written {
        let spec = &mut node.spec;
        let Some(bridge) = &spec.management_bridge else {
            continue;
        };
        let Some(network) = network(bridge) else {
            continue;
        };
        let kind = catalogue.find(&spec.kind).map(|kind| kind.name.as_str());
        let base = LEASE_BASES
            .iter()
            .find(|(name, _)| Some(*name) == kind)
            .map_or(OTHER_BASE, |(_, base)| *base);
        let taken = taken.entry(bridge.value.clone()).or_default();
        let Some(host) = (base..=LAST_HOST).find(|host| !taken.contains(host)) else {
            continue;
        };
        taken.insert(host);
        let [a, b, c, _] = network.addr().octets();
        spec.management_ipv4 = Some(Spanned::new(Ipv4Addr::new(a, b, c, host), bridge.span));
    }
}
