//! OpenSSH: a configuration to be included in `~/.ssh/config`, so that `ssh NODE` works.

use super::{Inventory, Member};
use std::fmt::Write as _;

/// By which names nodes are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// `LAB.NODE` and `NODE`.
    Short,
    /// `LAB.NODE` alone, where the nodes of several labs could meet in a name.
    Full,
}

/// The `Host` sections of a lab's nodes.
pub fn ssh_config(inventory: &Inventory<'_>, names: Names) -> String {
    let mut text = format!("# The lab {}, made by vnflab.\n", inventory.lab);
    for member in &inventory.members {
        write(&mut text, inventory, member, names);
    }
    text
}

fn write(text: &mut String, inventory: &Inventory<'_>, member: &Member<'_>, names: Names) {
    let Some(access) = member.access() else {
        return;
    };
    let node = member.node;
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes it");
    match names {
        Names::Short => line(format!("Host {} {}", node.domain(), node.node)),
        Names::Full => line(format!("Host {}", node.domain())),
    }
    let mut set = |name: &str, value: String| line(format!("    {name} {value}"));
    set("HostName", access.ssh.ip().to_string());
    set("Port", access.ssh.port().to_string());
    if let Some(user) = &access.user {
        set("User", user.clone());
    }
    if member.takes_key() {
        set(
            "IdentityFile",
            format!("\"{}\"", super::literal(inventory.key)),
        );
    }
    for (name, value) in member.ssh_options(inventory) {
        set(name, value);
    }
}
