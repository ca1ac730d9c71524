//! cloud-init's NoCloud data source: `meta-data`, `user-data` and `network-config` (version 2).
//!
//! Everything is written by a serializer, so that no text of the user can break out of its
//! place. Only the first line of `user-data` is ours: the comment that cloud-init demands.

use super::{Day0Request, frr};
use crate::allocate::CLOUD_USER;
use crate::blueprint::{MediaContent, MediaNaming, NicRole};
use crate::hash;
use crate::kind::Dialect;
use serde_json::{Value, json};

/// Begins every configuration that cloud-init shall read as its own.
const CLOUD_CONFIG: &str = "#cloud-config";

pub(super) fn content(request: &Day0Request<'_>) -> MediaContent {
    let user_data = user_data(request);
    let network_config = yaml(&network_config(request));
    let id = hash::hex_digest(&[user_data.as_bytes(), network_config.as_bytes()]);
    let (lab, node) = (request.lab, &request.node.name);
    let meta_data = yaml(&json!({
        // A guest applies its configuration again when this changes, and only then.
        "instance-id": format!("{lab}-{node}-{}", &id[..12]),
        "local-hostname": request.node.hostname,
    }));
    MediaContent {
        naming: MediaNaming::Extended,
        label: request.node.guest.day0.label.clone(),
        files: vec![
            ("meta-data".to_owned(), meta_data.into_bytes()),
            ("network-config".to_owned(), network_config.into_bytes()),
            ("user-data".to_owned(), user_data.into_bytes()),
        ],
    }
}

/// A guest with a configuration file of its own gets it as a file; for any other the lab's
/// configuration is the user-data itself.
fn user_data(request: &Day0Request<'_>) -> String {
    let guest = &request.node.guest;
    let config = match (&guest.day0.file, request.startup_config) {
        (None, Some(own)) => return own.to_owned(),
        (_, Some(own)) => Some(own.to_owned()),
        (_, None) => match guest.day0.dialect {
            Dialect::None => None,
            Dialect::Frr => Some(frr::config(request)),
        },
    };
    let mut data = json!({ "hostname": request.node.hostname });
    if !request.authorized_keys.is_empty() {
        // There is a key; a password that everybody knows stays on the serial console.
        data["ssh_pwauth"] = json!(false);
    }
    match super::makes_user(request.node) {
        true => {
            data["users"] = json!(["default", {
                "name": CLOUD_USER,
                "shell": "/bin/bash",
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": request.authorized_keys,
            }]);
        }
        false => data["ssh_authorized_keys"] = json!(request.authorized_keys),
    }
    if let (Some(path), Some(content)) = (&guest.day0.file, config) {
        data["write_files"] = json!([{ "path": path, "permissions": "0640", "content": content }]);
    }
    format!("{CLOUD_CONFIG}\n{}", yaml(&data))
}

/// Interfaces are told apart by MAC address and named eth0, eth1, ... in order, whatever the
/// guest would call them by itself.
fn network_config(request: &Day0Request<'_>) -> Value {
    let mut ethernets = serde_json::Map::new();
    for nic in request.nics {
        let (name, mut settings) = match nic.role {
            NicRole::Dummy => continue,
            NicRole::Management => ("eth0".to_owned(), json!({ "dhcp4": true })),
            NicRole::Data { index } => {
                let addresses = &nic.addresses;
                (
                    format!("eth{index}"),
                    json!({ "addresses": addresses, "optional": true }),
                )
            }
        };
        settings["match"] = json!({ "macaddress": nic.mac });
        settings["set-name"] = json!(name);
        if let Some(mtu) = nic.mtu {
            settings["mtu"] = json!(mtu);
        }
        ethernets.insert(name, settings);
    }
    json!({ "version": 2, "ethernets": ethernets })
}

fn yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).expect("string keys, no foreign types")
}
