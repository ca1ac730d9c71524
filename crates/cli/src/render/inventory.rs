//! How nodes are logged in to, for programs that want our own form.

use super::Screen;
use crate::error::CommandError;
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use vnflab_model::inventory::{Inventory, Member};

/// The nodes of labs as JSON.
pub(crate) fn json(screen: &Screen, inventories: &[Inventory<'_>]) -> Result<(), CommandError> {
    let nodes = inventories.iter().flat_map(|inventory| {
        let members = inventory.members.iter();
        members.map(|member| NodeJson::new(inventory, member))
    });
    let nodes = nodes.collect();
    screen.json("inventory", InventoryJson { nodes })
}

#[derive(Serialize)]
struct InventoryJson<'a> {
    nodes: Vec<NodeJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct NodeJson<'a> {
    lab: &'a str,
    node: &'a str,
    kind: &'a str,
    guest: &'a str,
    address: Option<IpAddr>,
    ssh: Option<SocketAddr>,
    ssh_login: Option<&'static str>,
    user: Option<&'a str>,
    key: &'a Path,
    known_hosts: &'a Path,
    host_key_alias: String,
    console: SocketAddr,
}

impl<'a> NodeJson<'a> {
    fn new(inventory: &'a Inventory<'a>, member: &Member<'a>) -> Self {
        let node = member.node;
        let access = node.access.as_ref();
        Self {
            lab: &node.lab,
            node: &node.node,
            kind: &node.kind,
            guest: &node.guest,
            address: access.map(|access| access.address),
            ssh: access.map(|access| access.ssh),
            ssh_login: member.kind.map(|kind| kind.automation.ssh.word()),
            user: access.and_then(|access| access.user.as_deref()),
            key: inventory.key,
            known_hosts: inventory.known_hosts,
            host_key_alias: node.domain(),
            console: node.console.listen,
        }
    }
}
