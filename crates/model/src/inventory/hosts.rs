//! Lines for `/etc/hosts`: the addresses under which the host reaches nodes.

use super::{Inventory, Names};
use std::fmt::Write as _;
use std::net::IpAddr;

/// A line for each address of a node, the IPv4 address first.
pub fn hosts(inventory: &Inventory<'_>, names: Names) -> String {
    let mut text = format!("# The lab {}, made by vnflab.\n", inventory.lab);
    for member in &inventory.members {
        let node = member.node;
        let Some(access) = &node.access else { continue };
        let names = match names {
            Names::Short => format!("{} {}", node.domain(), node.node),
            Names::Full => node.domain(),
        };
        let ipv6 = access.ipv6.map(IpAddr::V6);
        for address in [access.ssh.ip()].into_iter().chain(ipv6) {
            writeln!(text, "{address}\t{names}").expect("a string takes it");
        }
    }
    text
}
