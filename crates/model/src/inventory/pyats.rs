//! pyATS: a testbed of devices with their SSH servers and consoles, and the links between them.

use super::{Fields, Inventory, Member, SSH_PORT, links, literal, yaml};
use serde_json::Value;
use std::net::IpAddr;

/// Unicon's `os` for what it does not know.
const UNKNOWN_OS: &str = "generic";

pub(super) fn write(inventory: &Inventory<'_>) -> String {
    let mut devices = Fields::default();
    for member in &inventory.members {
        devices.set(&member.node.node, device(inventory, member));
    }
    let mut topology = Fields::default();
    for member in &inventory.members {
        let name = &member.node.node;
        let mut interfaces = Fields::default();
        for link in links(inventory) {
            let [(a, a_nic), (b, b_nic)] = link.ends;
            for (_, nic) in link.ends.iter().filter(|(node, _)| node.node == *name) {
                let mut interface = Fields::default();
                interface.set("type", "ethernet");
                interface.set(
                    "link",
                    format!("{}--{}", a.end_name(a_nic), b.end_name(b_nic)),
                );
                let address = |is_v6: bool| {
                    let mut all = nic.addresses.iter();
                    all.find(|address| address.contains(':') == is_v6).cloned()
                };
                interface.set_some("ipv4", address(false));
                interface.set_some("ipv6", address(true));
                interfaces.set(&nic.name, interface.object());
            }
        }
        let mut device = Fields::default();
        device.set("interfaces", interfaces.object());
        topology.set(name, device.object());
    }
    let mut testbed = Fields::default();
    testbed.set("name", inventory.lab);
    let mut root = Fields::default();
    root.set("testbed", testbed.object());
    root.set("devices", devices.object());
    root.set("topology", topology.object());
    yaml("pyATS testbed", inventory, &root.object())
}

fn device(inventory: &Inventory<'_>, member: &Member<'_>) -> Value {
    let node = member.node;
    let os = member
        .automation()
        .and_then(|automation| automation.pyats.as_deref());
    let mut device = Fields::default();
    device.set("os", os.unwrap_or(UNKNOWN_OS));
    device.set("type", node.kind.as_str());
    let access = node.access.as_ref();
    let user = access.and_then(|access| access.user.as_deref());
    let mut credentials = Fields::default();
    credentials.set_some("username", user);
    // Unicon types it on the console, too, which knows no keys.
    let password = || member.kind?.password_of(access?);
    credentials.set_some("password", password());
    let mut default = Fields::default();
    default.set("default", credentials.object());
    device.set("credentials", default.object());
    let mut connections = Fields::default();
    if let Some(access) = member.access() {
        let mut cli = cli_at(access.ssh.ip(), access.ssh.port());
        let mut options = member.ssh_words(inventory);
        if member.takes_key() {
            options.push_str(&format!(" -i '{}'", literal(inventory.key)));
        }
        cli.set("ssh_options", options.as_str());
        connections.set("cli", cli.object());
        if let Some(ipv6) = access.ipv6 {
            let mut cli = cli_at(ipv6.into(), SSH_PORT);
            cli.set("ssh_options", options);
            connections.set("ipv6", cli.object());
        }
    }
    let console = node.console.listen;
    let mut telnet = Fields::default();
    telnet.set("protocol", "telnet");
    telnet.set("ip", console.ip().to_string());
    telnet.set("port", console.port());
    connections.set("console", telnet.object());
    device.set("connections", connections.object());
    device.object()
}

fn cli_at(address: IpAddr, port: u16) -> Fields {
    let mut cli = Fields::default();
    cli.set("protocol", "ssh");
    cli.set("ip", address.to_string());
    cli.set("port", port);
    cli
}
