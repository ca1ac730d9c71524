//! OpenSSH: a configuration to be included in `~/.ssh/config`, so that `ssh NODE` works.

use super::{Inventory, Member, SSH_PORT};
use std::fmt::Write as _;
use std::net::SocketAddr;

/// By which names nodes are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// `LAB.NODE` and `NODE`.
    Short,
    /// `LAB.NODE` alone, where the nodes of several labs could meet in a name.
    Full,
}

/// The `Host` sections of a lab's nodes; those with an IPv6 address have a second one, `NODE_v6`.
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
    let ends = [(access.ssh, "")].into_iter().chain(
        // No name has an underscore, so that nobody else is called so.
        access
            .ipv6
            .map(|ipv6| (SocketAddr::new(ipv6.into(), SSH_PORT), "_v6")),
    );
    for (server, ending) in ends {
        section(text, inventory, member, names, server, ending);
    }
}

fn section(
    text: &mut String,
    inventory: &Inventory<'_>,
    member: &Member<'_>,
    names: Names,
    server: SocketAddr,
    ending: &str,
) {
    let node = member.node;
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes it");
    match names {
        Names::Short => line(format!(
            "Host {}{ending} {}{ending}",
            node.domain(),
            node.node
        )),
        Names::Full => line(format!("Host {}{ending}", node.domain())),
    }
    let mut set = |name: &str, value: String| line(format!("    {name} {value}"));
    set("HostName", server.ip().to_string());
    set("Port", server.port().to_string());
    let user = node.access.as_ref().and_then(|access| access.user.clone());
    if let Some(user) = user {
        set("User", user);
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
