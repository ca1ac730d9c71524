//! Nornir: the hosts file of its SimpleInventory, which needs no files of groups and defaults.

use super::{Fields, Inventory, Member, yaml};
use serde_json::Value;

pub(super) fn write(inventory: &Inventory<'_>) -> String {
    let mut hosts = Fields::default();
    for member in &inventory.members {
        if let Some(host) = host(inventory, member) {
            hosts.set(&member.node.node, host);
        }
    }
    yaml("Nornir hosts", inventory, &hosts.object())
}

fn host(inventory: &Inventory<'_>, member: &Member<'_>) -> Option<Value> {
    let node = member.node;
    let access = member.access()?;
    let automation = member.automation();
    let mut host = Fields::default();
    host.set("hostname", access.ssh.ip().to_string());
    host.set("port", access.ssh.port());
    host.set_some("username", access.user.as_deref());
    host.set_some("password", member.password());
    let netmiko = automation.and_then(|automation| automation.netmiko.as_deref());
    host.set_some("platform", netmiko);
    let mut connections = Fields::default();
    let key = inventory.key.display().to_string();
    if netmiko.is_some() && member.takes_key() {
        let mut extras = Fields::default();
        extras.set("use_keys", true);
        extras.set("key_file", key.as_str());
        connections.set("netmiko", connection(netmiko, Some(extras)));
    }
    if let Some(driver) = automation.and_then(|automation| automation.napalm.as_deref()) {
        let optional = member.takes_key().then(|| {
            let mut arguments = Fields::default();
            arguments.set("key_file", key.as_str());
            let mut extras = Fields::default();
            extras.set("optional_args", arguments.object());
            extras
        });
        connections.set("napalm", connection(Some(driver), optional));
    }
    if let Some(platform) = automation.and_then(|automation| automation.scrapli.as_deref()) {
        let mut extras = Fields::default();
        // Scrapli would look into the user's own file of host keys.
        extras.set("auth_strict_key", false);
        if member.takes_key() {
            extras.set("auth_private_key", key.as_str());
        }
        connections.set("scrapli", connection(Some(platform), Some(extras)));
    }
    host.set("connection_options", connections.object());
    let mut data = Fields::default();
    data.set("lab", node.lab.as_str());
    data.set("kind", node.kind.as_str());
    data.set_some("ipv6", access.ipv6.map(|address| address.to_string()));
    data.set("console", node.console.listen.to_string());
    host.set("data", data.object());
    Some(host.object())
}

fn connection(platform: Option<&str>, extras: Option<Fields>) -> Value {
    let mut connection = Fields::default();
    connection.set_some("platform", platform);
    connection.set_some("extras", extras.map(Fields::object));
    connection.object()
}
