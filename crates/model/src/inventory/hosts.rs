//! Lines for `/etc/hosts`: the addresses under which the host reaches nodes.

use super::{Inventory, Names};
use std::fmt::Write as _;

/// A line for each node that has an address.
pub fn hosts(inventory: &Inventory<'_>, names: Names) -> String {
    let mut text = format!("# The lab {}, made by vnflab.\n", inventory.lab);
    for member in &inventory.members {
        let node = member.node;
        let Some(access) = &node.access else { continue };
        let address = access.ssh.ip();
        let names = match names {
            Names::Short => format!("{} {}", node.domain(), node.node),
            Names::Full => node.domain(),
        };
        writeln!(text, "{address}\t{names}").expect("a string takes it");
    }
    text
}
