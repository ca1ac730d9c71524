//! The facts that templates can name.
//!
//! This is an interface: what stands here is described in docs/day0.md and stays.

use super::Day0Request;
use crate::blueprint::{Nic, NicRole};
use ipnet::IpNet;
use minijinja::Value;
use minijinja::value::Serde;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// Everything.
#[derive(Serialize)]
struct Facts<'a> {
    lab: LabFacts<'a>,
    node: NodeFacts<'a>,
    management: ManagementFacts<'a>,
    login: LoginFacts<'a>,
    ssh_keys: Vec<KeyFacts<'a>>,
    /// Values of the user's own: the lab's, and over them the node's.
    vars: BTreeMap<&'a str, &'a serde_json::Value>,
}

#[derive(Serialize)]
struct LabFacts<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct NodeFacts<'a> {
    name: &'a str,
    hostname: &'a str,
    kind: &'a str,
    number: u32,
    cpus: u32,
    memory_mib: u64,
    loopback: Ipv4Addr,
    interfaces: Vec<InterfaceFacts<'a>>,
}

#[derive(Serialize)]
struct InterfaceFacts<'a> {
    name: &'a str,
    index: u32,
    mac: &'a str,
    mtu: Option<u32>,
    /// The first IPv4 and IPv6 address, for the common case.
    ipv4: Option<AddressFacts>,
    ipv6: Option<AddressFacts>,
    addresses: Vec<AddressFacts>,
    peer: Option<PeerFacts<'a>>,
    segment: Option<&'a str>,
}

#[derive(Serialize)]
struct PeerFacts<'a> {
    node: &'a str,
    interface: &'a str,
}

#[derive(Serialize, Clone)]
struct AddressFacts {
    address: IpAddr,
    prefix_length: u8,
    netmask: IpAddr,
    network: IpAddr,
    /// `address/prefix_length`.
    cidr: String,
}

impl From<IpNet> for AddressFacts {
    fn from(net: IpNet) -> Self {
        Self {
            address: net.addr(),
            prefix_length: net.prefix_len(),
            netmask: net.netmask(),
            network: net.network(),
            cidr: net.to_string(),
        }
    }
}

#[derive(Serialize)]
struct ManagementFacts<'a> {
    interface: Option<&'a str>,
    mac: Option<&'a str>,
    ipv4: Option<AddressFacts>,
    gateway: Option<IpAddr>,
    ipv6: Option<AddressFacts>,
    ipv6_gateway: Option<IpAddr>,
}

#[derive(Serialize)]
struct LoginFacts<'a> {
    user: &'a str,
    password: Option<&'a str>,
}

#[derive(Serialize)]
struct KeyFacts<'a> {
    r#type: &'a str,
    data: &'a str,
    line: &'a str,
}

/// The facts of a request.
pub(super) fn facts(request: &Day0Request<'_>) -> Value {
    let node = request.node;
    let management = request
        .nics
        .iter()
        .find(|nic| nic.role == NicRole::Management);
    let login = node.login_after_day0();
    let super::ManagementAddresses { ipv4, ipv6 } = request.management;
    Value::from(Serde(Facts {
        lab: LabFacts { name: request.lab },
        vars: {
            let all = request.variables.iter().chain(&node.variables);
            all.map(|(name, value)| (name.as_str(), value)).collect()
        },
        node: NodeFacts {
            name: node.name.as_str(),
            hostname: &node.hostname,
            kind: &node.kind.name,
            number: request.number,
            cpus: node.cpus,
            memory_mib: node.memory_mib,
            loopback: request.loopback,
            interfaces: request.nics.iter().filter_map(interface).collect(),
        },
        management: ManagementFacts {
            interface: management.map(|nic| nic.name.as_str()),
            mac: management.map(|nic| nic.mac.as_str()),
            ipv4: ipv4.map(|ipv4| AddressFacts::from(IpNet::V4(ipv4.net))),
            gateway: ipv4.and_then(|ipv4| ipv4.gateway),
            ipv6: ipv6.map(|ipv6| AddressFacts::from(IpNet::V6(ipv6.net))),
            ipv6_gateway: ipv6.and_then(|ipv6| ipv6.gateway),
        },
        login: LoginFacts {
            user: login.map_or(super::CLOUD_USER, |login| login.user.as_str()),
            password: login.and_then(|login| login.password.as_deref()),
        },
        ssh_keys: request
            .authorized_keys
            .iter()
            .filter_map(|key| key_facts(key))
            .collect(),
    }))
}

fn interface(nic: &Nic) -> Option<InterfaceFacts<'_>> {
    let NicRole::Data { index } = nic.role else {
        return None;
    };
    let nets = nic
        .addresses
        .iter()
        .filter_map(|address| address.parse().ok());
    let nets: Vec<IpNet> = nets.collect();
    let first = |is_v4: bool| {
        let mut nets = nets.iter();
        let net = nets.find(|net| matches!(net, IpNet::V4(_)) == is_v4)?;
        Some(AddressFacts::from(*net))
    };
    let peer = nic.peer.as_deref().and_then(|peer| peer.split_once(':'));
    Some(InterfaceFacts {
        name: &nic.name,
        index,
        mac: &nic.mac,
        mtu: nic.mtu,
        ipv4: first(true),
        ipv6: first(false),
        peer: peer.map(|(node, interface)| PeerFacts { node, interface }),
        segment: nic.segment.as_deref(),
        addresses: nets.into_iter().map(AddressFacts::from).collect(),
    })
}

/// A line of `authorized_keys`: `ssh-ed25519 AAAA... comment`.
fn key_facts(line: &str) -> Option<KeyFacts<'_>> {
    let mut words = line.split_whitespace();
    Some(KeyFacts {
        r#type: words.next()?,
        data: words.next()?,
        line: line.trim(),
    })
}
