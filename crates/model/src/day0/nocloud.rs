//! cloud-init's NoCloud data source: `meta-data`, `user-data` and `network-config` (version 2).
//!
//! Everything is written by a serializer, so that no text of the user can break out of its
//! place. Only the first line of `user-data` is ours: the comment that cloud-init demands.

use super::{Day0Request, frr};
use crate::allocate::CLOUD_USER;
use crate::blueprint::{MediaContent, MediaNaming, NicRole};
use crate::hash;
use crate::kind::Dialect;
use serde::Serialize;
use std::collections::BTreeMap;

/// Begins every configuration that cloud-init shall read as its own.
const CLOUD_CONFIG: &str = "#cloud-config";

pub(super) fn content(request: &Day0Request<'_>) -> MediaContent {
    let user_data = user_data(request);
    let network_config = yaml(&network_config(request));
    let id = hash::hex_digest(&[user_data.as_bytes(), network_config.as_bytes()]);
    let (lab, node) = (request.lab, &request.node.name);
    let meta_data = yaml(&MetaData {
        // A guest applies its configuration again when this changes, and only then.
        instance_id: format!("{lab}-{node}-{}", &id[..12]),
        local_hostname: &request.node.hostname,
    });
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

/// The `user-data` that we write. The keys of all mappings here stand in the order of the
/// alphabet: another order would be another medium to guests that exist.
#[derive(Serialize)]
struct UserData<'a> {
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssh_authorized_keys: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssh_pwauth: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<(&'static str, User<'a>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    write_files: Option<[WrittenFile<'a>; 1]>,
}

#[derive(Serialize)]
struct User<'a> {
    name: &'static str,
    shell: &'static str,
    ssh_authorized_keys: &'a [String],
    sudo: &'static str,
}

#[derive(Serialize)]
struct WrittenFile<'a> {
    content: String,
    path: &'a str,
    permissions: &'static str,
}

/// The `network-config`.
#[derive(Serialize)]
struct NetworkConfig<'a> {
    ethernets: BTreeMap<String, Ethernet<'a>>,
    version: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Ethernet<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    addresses: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dhcp4: Option<bool>,
    r#match: Match<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    optional: Option<bool>,
    set_name: String,
}

#[derive(Serialize)]
struct Match<'a> {
    macaddress: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct MetaData<'a> {
    instance_id: String,
    local_hostname: &'a str,
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
    let keys = request.authorized_keys;
    let user = super::makes_user(request.node).then_some(User {
        name: CLOUD_USER,
        shell: "/bin/bash",
        ssh_authorized_keys: keys,
        sudo: "ALL=(ALL) NOPASSWD:ALL",
    });
    let file = guest.day0.file.as_ref().zip(config);
    let data = UserData {
        hostname: &request.node.hostname,
        ssh_authorized_keys: user.is_none().then_some(keys),
        // Where there is a key, a password that everybody knows stays on the serial console.
        ssh_pwauth: (!keys.is_empty()).then_some(false),
        users: user.map(|user| ("default", user)),
        write_files: file.map(|(path, content)| {
            [WrittenFile {
                content,
                path,
                permissions: "0640",
            }]
        }),
    };
    format!("{CLOUD_CONFIG}\n{}", yaml(&data))
}

/// Interfaces are told apart by MAC address and named eth0, eth1, ... in order, whatever the
/// guest would call them by itself.
fn network_config<'a>(request: &Day0Request<'a>) -> NetworkConfig<'a> {
    let mut ethernets = BTreeMap::new();
    for nic in request.nics {
        let index = match nic.role {
            NicRole::Dummy => continue,
            NicRole::Management => 0,
            NicRole::Data { index } => index,
        };
        let is_data = index > 0;
        let name = format!("eth{index}");
        let ethernet = Ethernet {
            addresses: is_data.then_some(nic.addresses.as_slice()),
            dhcp4: (!is_data).then_some(true),
            r#match: Match {
                macaddress: &nic.mac,
            },
            mtu: nic.mtu,
            optional: is_data.then_some(true),
            set_name: name.clone(),
        };
        ethernets.insert(name, ethernet);
    }
    NetworkConfig {
        ethernets,
        version: 2,
    }
}

fn yaml(value: &impl Serialize) -> String {
    serde_saphyr::to_string(value).expect("string keys, no foreign types")
}
