//! OpenStack's config drive: what a metadata service would answer, on a volume named `config-2`.
//!
//! Paths and keys are those of OpenStack's documentation ("Config drives", "Metadata") and of
//! cloud-init's data source of that name, which wants `network_data.json` in OpenStack's own form.

use super::nocloud::NAMES;
use super::{Day0Request, Parts, TemplateError, nocloud};
use crate::blueprint::NicRole;
use crate::hash;
use ipnet::IpNet;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The folder of the newest version of the metadata.
const LATEST: &str = "openstack/latest";

#[derive(Serialize)]
struct MetaData<'a> {
    uuid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    public_keys: BTreeMap<String, &'a str>,
}

#[derive(Serialize)]
struct NetworkData<'a> {
    links: Vec<Link<'a>>,
    networks: Vec<Network>,
    services: [(); 0],
}

#[derive(Serialize)]
struct Link<'a> {
    id: String,
    r#type: &'static str,
    ethernet_mac_address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mtu: Option<u32>,
    name: String,
}

#[derive(Serialize)]
struct Network {
    id: String,
    link: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    netmask: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routes: Option<[(); 0]>,
}

/// The files, but for those that the kind adds.
pub(super) fn files(
    request: &Day0Request<'_>,
    parts: &Parts,
) -> Result<Vec<(String, Vec<u8>)>, TemplateError> {
    let node = request.node;
    let user_data = match nocloud::document(request, parts)? {
        Some(document) => document,
        None => nocloud::user_data(request, parts.config.as_deref()).user_data,
    };
    let network_data = json(&network_data(request));
    let id = hash::hex_digest(&[user_data.as_bytes(), network_data.as_bytes()]);
    let keys = request.authorized_keys.iter().enumerate();
    let keys = keys.filter(|_| node.management_config);
    let meta_data = json(&MetaData {
        uuid: uuid(&id),
        hostname: node.management_config.then_some(node.hostname.as_str()),
        name: node.name.as_str(),
        public_keys: keys
            .map(|(index, key)| (format!("key{index}"), key.as_str()))
            .collect(),
    });
    let file = |name: &str, text: String| (format!("{LATEST}/{name}"), text.into_bytes());
    Ok(vec![
        file("meta_data.json", meta_data),
        file("network_data.json", network_data),
        file("user_data", user_data),
    ])
}

/// A UUID (version 8, RFC 9562) of the first bits of a digest in hex.
fn uuid(digest: &str) -> String {
    let part = |from: usize, to: usize| &digest[from..to];
    format!(
        "{}-{}-8{}-8{}-{}",
        part(0, 8),
        part(8, 12),
        part(13, 16),
        part(17, 20),
        part(20, 32)
    )
}

fn network_data<'a>(request: &Day0Request<'a>) -> NetworkData<'a> {
    let (mut links, mut networks) = (Vec::new(), Vec::new());
    for nic in request.nics {
        let index = match nic.role {
            NicRole::Dummy | NicRole::Internal => continue,
            NicRole::Management => 0,
            NicRole::Data { index } => index,
        };
        if index == 0 && !request.node.management_config {
            continue;
        }
        let name = format!("{NAMES}{index}");
        links.push(Link {
            id: name.clone(),
            r#type: "phy",
            ethernet_mac_address: &nic.mac,
            mtu: nic.mtu,
            name: name.clone(),
        });
        if index == 0 {
            networks.push(Network {
                id: "management".to_owned(),
                link: name.clone(),
                r#type: "ipv4_dhcp",
                ip_address: None,
                netmask: None,
                routes: None,
            });
        }
        let management = request.management.ipv6.filter(|_| index == 0);
        let management = management.map(|ipv6| IpNet::V6(ipv6.net));
        let nets = nic.addresses.iter();
        let nets = nets.filter_map(|address| address.parse().ok());
        for (position, net) in nets.chain(management).enumerate() {
            let net: IpNet = net;
            networks.push(Network {
                id: format!("{name}-{position}"),
                link: name.clone(),
                r#type: if matches!(net, IpNet::V4(_)) {
                    "ipv4"
                } else {
                    "ipv6"
                },
                ip_address: Some(net.addr()),
                netmask: Some(net.netmask()),
                routes: Some([]),
            });
        }
    }
    NetworkData {
        links,
        networks,
        services: [],
    }
}

fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value).expect("string keys, no foreign types");
    text + "\n"
}
