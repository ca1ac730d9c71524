//! Ansible: a YAML inventory. The lab is the group `lab_NAME`, each kind a group below it.

use super::{Fields, Inventory, Member, literal, yaml};
use serde_json::Value;
use std::collections::BTreeMap;

/// Connections that are made by the system's `ssh`, whose options say which host keys count.
const OVER_SSH: &str = "ssh";

pub(super) fn write(inventory: &Inventory<'_>) -> String {
    let mut groups: BTreeMap<String, (Value, Fields)> = BTreeMap::new();
    for member in &inventory.members {
        let Some(host) = host(inventory, member) else {
            continue;
        };
        let (_, hosts) = groups
            .entry(group_name(&member.node.guest))
            .or_insert_with(|| (group(member), Fields::default()));
        hosts.set(&member.node.node, host);
    }
    let mut kinds = Fields::default();
    for (name, (variables, hosts)) in groups {
        let mut group = Fields::default();
        group.set("hosts", hosts.object());
        group.set("vars", variables);
        kinds.set(&name, group.object());
    }
    let mut lab = Fields::default();
    lab.set("children", kinds.object());
    let mut labs = Fields::default();
    labs.set(&format!("lab_{}", group_name(inventory.lab)), lab.object());
    let mut all = Fields::default();
    all.set("children", labs.object());
    let mut root = Fields::default();
    root.set("all", all.object());
    yaml("Ansible inventory", inventory, &root.object())
}

/// What all nodes of a kind have in common.
fn group(member: &Member<'_>) -> Value {
    let mut variables = Fields::default();
    let automation = member.automation();
    let connection = automation.map_or(OVER_SSH, |automation| {
        automation.ansible_connection.as_str()
    });
    variables.set("ansible_connection", connection);
    if let Some(automation) = automation {
        variables.set_some(
            "ansible_network_os",
            automation.ansible_network_os.as_deref(),
        );
        if let Some(method) = &automation.ansible_become {
            variables.set("ansible_become", true);
            variables.set("ansible_become_method", method.as_str());
        }
    }
    if connection != OVER_SSH {
        // These connections know only the user's own file of host keys, in which addresses that
        // are used again by other labs would clash.
        variables.set("ansible_host_key_checking", false);
    }
    variables.object()
}

fn host(inventory: &Inventory<'_>, member: &Member<'_>) -> Option<Value> {
    let node = member.node;
    let access = member.access()?;
    let mut host = Fields::default();
    host.set("ansible_host", access.ssh.ip().to_string());
    host.set("ansible_port", access.ssh.port());
    host.set_some("ansible_user", access.user.as_deref());
    host.set_some("ansible_password", member.password());
    if member.takes_key() {
        let over_ssh = member
            .automation()
            .is_none_or(|automation| automation.ansible_connection == OVER_SSH);
        let key = match over_ssh {
            true => literal(inventory.key),
            false => inventory.key.display().to_string(),
        };
        host.set("ansible_ssh_private_key_file", key);
    }
    host.set("ansible_ssh_common_args", member.ssh_words(inventory));
    host.set("vnflab_lab", node.lab.as_str());
    host.set("vnflab_node", node.node.as_str());
    host.set("vnflab_kind", node.kind.as_str());
    host.set("vnflab_console", node.console.listen.to_string());
    host.set_some(
        "vnflab_ipv6",
        access.ipv6.map(|address| address.to_string()),
    );
    host.set_some(
        "vnflab_loopback",
        node.loopback.map(|address| address.to_string()),
    );
    Some(host.object())
}

/// Names of groups are those of variables.
fn group_name(name: &str) -> String {
    name.replace('-', "_")
}
