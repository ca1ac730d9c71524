//! A loopback address for every node.

use super::Request;
use crate::hash;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// Tries before a node settles for an address that is taken; with 16 million addresses the
/// second try all but always succeeds.
const TRIES: u32 = 64;

/// One address a node, in the order of the lab.
///
/// The address follows from the names; where it is taken the next candidate does. What the node
/// had before comes first.
pub(super) fn allocate(request: &Request<'_>) -> Vec<Ipv4Addr> {
    let lab = request.lab.name.as_str();
    let mut taken: BTreeSet<Ipv4Addr> = BTreeSet::new();
    let mut own: BTreeMap<&str, Ipv4Addr> = BTreeMap::new();
    for domain in &request.observed.domains {
        let blueprint = &domain.record.blueprint;
        if blueprint.lab == lab {
            own.insert(blueprint.node.as_str(), blueprint.address);
        }
        taken.insert(blueprint.address);
    }
    for address in request
        .facts
        .udp_taken
        .iter()
        .chain(&request.facts.tcp_taken)
    {
        if let IpAddr::V4(address) = address.ip() {
            taken.insert(address);
        }
    }
    request
        .lab
        .nodes
        .iter()
        .map(|node| {
            let name = node.name.as_str();
            let address = own
                .get(name)
                .copied()
                .unwrap_or_else(|| free(lab, name, &taken));
            taken.insert(address);
            address
        })
        .collect()
}

fn free(lab: &str, node: &str, taken: &BTreeSet<Ipv4Addr>) -> Ipv4Addr {
    let candidates = (0..TRIES).map(|attempt| candidate(lab, node, attempt));
    let mut last = Ipv4Addr::LOCALHOST;
    for address in candidates {
        last = address;
        if !taken.contains(&address) {
            break;
        }
    }
    last
}

/// Stays clear of 127.0.0.0/16, where the system has its own (127.0.0.1, 127.0.1.1,
/// 127.0.0.53), and of the first and last address of every /24.
fn candidate(lab: &str, node: &str, attempt: u32) -> Ipv4Addr {
    let number = hash::spread(&["loopback", lab, node, &attempt.to_string()]);
    let [a, b, c, ..] = number.to_be_bytes();
    let within = |byte: u8, first: u8, count: u8| first + byte % count;
    Ipv4Addr::new(127, within(a, 1, 254), b, within(c, 1, 254))
}
