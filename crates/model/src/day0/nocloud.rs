//! cloud-init's NoCloud data source: `meta-data`, `user-data` and `network-config` (version 2).
//!
//! Everything is written by a serializer, so that no text of the user can break out of its
//! place. Only the first line of `user-data` is ours: the comment that cloud-init demands.

use super::{CLOUD_USER, Day0Request, Parts, TemplateError, frr};
use crate::blueprint::NicRole;
use crate::hash;
use crate::kind::Dialect;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Begins every configuration that cloud-init shall read as its own.
const CLOUD_CONFIG: &str = "#cloud-config";

/// Interfaces are named so, with their index behind: eth0 is management.
pub(super) const NAMES: &str = "eth";

/// The files, but for those that the kind adds.
pub(super) fn files(
    request: &Day0Request<'_>,
    parts: &Parts,
) -> Result<Vec<(String, Vec<u8>)>, TemplateError> {
    let written = match document(request, parts)? {
        Some(user_data) => Written {
            user_data,
            vendor_data: None,
        },
        None => user_data(request, parts.config.as_deref()),
    };
    let network_config = yaml(&network_config(request));
    let vendor = written.vendor_data.as_deref().unwrap_or_default();
    let mut sums = vec![written.user_data.as_bytes(), network_config.as_bytes()];
    if !vendor.is_empty() {
        sums.push(vendor.as_bytes());
    }
    let id = hash::hex_digest(&sums);
    let (lab, node) = (request.lab, request.node);
    let meta_data = yaml(&MetaData {
        // A guest applies its configuration again when this changes, and only then.
        instance_id: format!("{lab}-{}-{}", node.name, &id[..12]),
        local_hostname: node.management_config.then_some(&node.hostname),
    });
    let mut files = vec![
        ("meta-data".to_owned(), meta_data.into_bytes()),
        ("network-config".to_owned(), network_config.into_bytes()),
        ("user-data".to_owned(), written.user_data.into_bytes()),
    ];
    if let Some(vendor_data) = written.vendor_data {
        files.push(("vendor-data".to_owned(), vendor_data.into_bytes()));
    }
    Ok(files)
}

/// The user-data of a kind that has a template of its own for it.
pub(super) fn document(
    request: &Day0Request<'_>,
    parts: &Parts,
) -> Result<Option<String>, TemplateError> {
    let day0 = &request.node.guest.day0;
    match day0.document.is_some() && day0.file.is_none() {
        true => super::document(request, parts),
        false => Ok(None),
    }
}

/// What is written for cloud-init.
pub(super) struct Written {
    /// The user's, or ours.
    pub(super) user_data: String,
    /// Ours beside the user's: cloud-init takes it for defaults that user-data overrides.
    pub(super) vendor_data: Option<String>,
}

/// The `user-data` that we write. The keys of all mappings here stand in the order of the
/// alphabet: another order would be another medium to guests that exist.
#[derive(Serialize)]
struct UserData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
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
    shell: &'a str,
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
    addresses: Option<Cow<'a, [String]>>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    local_hostname: Option<&'a String>,
}

/// A guest with a configuration file of its own gets it as a file; for any other the lab's
/// configuration is the user-data itself, and ours goes beside it.
pub(super) fn user_data(request: &Day0Request<'_>, config: Option<&str>) -> Written {
    let node = request.node;
    let guest = &node.guest;
    let manages = node.management_config;
    let config = match (&guest.day0.file, config) {
        (None, Some(own)) => {
            let generated = || format!("{CLOUD_CONFIG}\n{}", yaml(&management(request, None)));
            return Written {
                user_data: own.to_owned(),
                vendor_data: manages.then(generated),
            };
        }
        (_, Some(own)) => Some(own.to_owned()),
        (_, None) => match guest.day0.dialect {
            Dialect::None => None,
            Dialect::Frr => Some(frr::config(request)),
        },
    };
    let file = guest.day0.file.as_ref().zip(config);
    let data = management(request, file);
    Written {
        user_data: format!("{CLOUD_CONFIG}\n{}", yaml(&data)),
        vendor_data: None,
    }
}

/// What management needs, and a file.
fn management<'a>(request: &Day0Request<'a>, file: Option<(&'a String, String)>) -> UserData<'a> {
    let node = request.node;
    let manages = node.management_config;
    let keys = request.authorized_keys;
    let user = super::makes_user(node).then_some(User {
        name: CLOUD_USER,
        shell: &node.guest.day0.shell,
        ssh_authorized_keys: keys,
        sudo: "ALL=(ALL) NOPASSWD:ALL",
    });
    UserData {
        hostname: manages.then_some(&node.hostname),
        ssh_authorized_keys: (manages && user.is_none()).then_some(keys),
        // Where there is a key, a password that everybody knows stays on the serial console.
        ssh_pwauth: (manages && !keys.is_empty()).then_some(false),
        users: user.map(|user| ("default", user)),
        write_files: file.map(|(path, content)| {
            [WrittenFile {
                content,
                path,
                permissions: "0640",
            }]
        }),
    }
}

/// Interfaces are told apart by MAC address and named eth0, eth1, ... in order, whatever the
/// guest would call them by itself.
fn network_config<'a>(request: &Day0Request<'a>) -> NetworkConfig<'a> {
    let management = request.management.ipv6;
    let mut ethernets = BTreeMap::new();
    for nic in request.nics {
        let index = match nic.role {
            NicRole::Dummy | NicRole::Internal => continue,
            NicRole::Management => 0,
            NicRole::Data { index } => index,
        };
        let is_data = index > 0;
        if !is_data && !request.node.management_config {
            continue;
        }
        let name = format!("{NAMES}{index}");
        let ethernet = Ethernet {
            addresses: match is_data {
                true => Some(Cow::Borrowed(nic.addresses.as_slice())),
                // DHCP has no say in IPv6: its servers do not know guests by their MAC addresses.
                false => management.map(|ipv6| Cow::Owned(vec![ipv6.net.to_string()])),
            },
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
