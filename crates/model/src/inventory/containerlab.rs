//! containerlab's `topology-data.json`, for programs that read it.
//!
//! Its fields for containers are empty where a VM has nothing of the kind. Where nodes are reached
//! by forwarded ports, the address is the node's own on this host, and `port-bindings` has the port.

use super::{Fields, Inventory, Member, SSH_PORT, forwarded, links, management};
use crate::blueprint::{Attachment, DriveContent, Nic, NodeBlueprint};
use serde_json::{Value, json};
use std::net::IpAddr;

pub(super) fn write(inventory: &Inventory<'_>) -> String {
    let mut nodes = Fields::default();
    for member in &inventory.members {
        nodes.set(&member.node.node, node(member));
    }
    let links: Vec<Value> = links(inventory)
        .iter()
        .map(|link| {
            let [a, z] = link.ends;
            json!({"endpoints": {"a": end(a, "z"), "z": end(z, "a")}})
        })
        .collect();
    let value = json!({
        "name": inventory.lab,
        "type": "clab",
        "clab": {"config": {"prefix": "", "mgmt": {"network": network(inventory)}}},
        "nodes": nodes.object(),
        "links": links,
    });
    format!("{value:#}\n")
}

/// The bridge that the nodes are managed on, if there is one.
fn network(inventory: &Inventory<'_>) -> String {
    let mut nics = inventory
        .members
        .iter()
        .filter_map(|member| management(member.node));
    let bridge = nics.find_map(|nic| match &nic.attachment {
        Attachment::Bridge { bridge } => Some(bridge.clone()),
        Attachment::Tunnel { .. } | Attachment::User { .. } => None,
    });
    bridge.unwrap_or_default()
}

fn node(member: &Member<'_>) -> Value {
    let node = member.node;
    let kind = member
        .automation()
        .and_then(|automation| automation.containerlab.as_deref());
    let management = management(node);
    let address = node.access.as_ref().map(|access| access.ssh.ip());
    let ipv6 = node.access.as_ref().and_then(|access| access.ipv6);
    let text = |is_v6: bool| {
        let addresses = address.into_iter().chain(ipv6.map(IpAddr::V6));
        let of_family = |one: &IpAddr| matches!(one, IpAddr::V6(_)) == is_v6;
        let first = addresses.into_iter().find(of_family);
        first.map_or_else(String::new, |address| address.to_string())
    };
    let ports: Vec<Value> = forwarded(node)
        .map(|ssh| {
            json!({
                "host-ip": ssh.ip().to_string(),
                "host-port": ssh.port(),
                "port": SSH_PORT,
                "protocol": "tcp",
            })
        })
        .into_iter()
        .collect();
    json!({
        "index": node.number.to_string(),
        "shortname": node.node,
        "longname": node.domain(),
        "fqdn": format!("{}.{}.io", node.node, node.lab),
        "group": "",
        "labdir": "",
        "kind": kind.unwrap_or(&node.kind),
        "image": image(node),
        "mgmt-net": "",
        "mgmt-intf": management.map_or("", |nic| nic.name.as_str()),
        "mgmt-ipv4-address": text(false),
        "mgmt-ipv4-prefix-length": 0,
        "mgmt-ipv6-address": text(true),
        "mgmt-ipv6-prefix-length": 0,
        "mac-address": management.map_or("", |nic| nic.mac.as_str()),
        "labels": {
            "vnflab-kind": node.kind,
            "vnflab-console": node.console.listen.to_string(),
        },
        "port-bindings": ports,
    })
}

/// The image that the boot disk lies on.
fn image(node: &NodeBlueprint) -> &str {
    let overlay = node.drives.iter().find_map(|drive| match &drive.content {
        DriveContent::Overlay { image_path, .. } => Some(image_path.as_str()),
        _ => None,
    });
    overlay.unwrap_or_default()
}

fn end((node, nic): (&NodeBlueprint, &Nic), peer: &str) -> Value {
    let mut end = Fields::default();
    end.set("node", node.node.as_str());
    end.set("interface", nic.name.as_str());
    end.set("mac", nic.mac.as_str());
    for address in &nic.addresses {
        let family = match address.contains(':') {
            true => "ipv6",
            false => "ipv4",
        };
        end.set(family, address.as_str());
    }
    end.set("peer", peer);
    end.object()
}
