//! How each node is reached from the host, and the networks that this takes.

use super::ipv6;
use super::{AllocateError, Request};
use crate::blueprint::{Forward, Lease, NetworkBlueprint};
use crate::day0::{ManagementAddress, ManagementAddresses};
use crate::hash;
use crate::lab::Node;
use crate::observed::Scope;
use crate::spec::ManagementMode;
use ipnet::{Ipv4Net, Ipv6Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The guest's address in QEMU's user-mode networking, the same in every guest (QEMU's default).
pub(super) const USER_NETWORK_GUEST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);

/// QEMU's own address there, and the length of the network's prefix (QEMU's defaults).
const USER_NETWORK_GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const USER_NETWORK_PREFIX: u8 = 24;

/// First host part that a node gets by its number; those below are for the gateway and for what
/// people set by hand.
pub(super) const FIRST_HOST: u32 = 10;

/// Free subnets are looked for here: private (RFC 1918), and rarely used by home routers.
const SUBNET_POOL: &str = "172.16.0.0/12";

/// Longest prefix of a management network.
const LONGEST_PREFIX: u8 = 24;

/// Shortest prefix of a management network: room for 49,000 nodes.
const SHORTEST_PREFIX: u8 = 16;

/// How one node is managed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NodeManagement {
    /// On a bridge: the host's own, or that of a network of ours.
    Bridge {
        /// The bridge.
        bridge: String,
        /// The node's address, where we give it or the lab tells it.
        address: Option<Ipv4Addr>,
        /// The same in IPv6, where its first configuration gives it that.
        ipv6: Option<Ipv6Addr>,
    },
    /// By user-mode networking.
    User,
    /// Not at all.
    Unconnected,
}

/// The management of a lab.
#[derive(Debug, Clone)]
pub(super) struct LabManagement {
    /// Networks to make.
    pub(super) networks: Vec<NetworkBlueprint>,
    /// For each node, in the order of the lab.
    pub(super) nodes: Vec<NodeManagement>,
    /// For each node its address in IPv6, if it has one.
    pub(super) ipv6: Vec<Option<ManagementAddress<Ipv6Net>>>,
}

impl LabManagement {
    /// The addresses that a node has by the lab's order, where we know its network.
    pub(super) fn addresses(&self, position: usize) -> ManagementAddresses {
        let ipv4 = match &self.nodes[position] {
            NodeManagement::User => Ipv4Net::new(USER_NETWORK_GUEST, USER_NETWORK_PREFIX)
                .ok()
                .map(|net| ManagementAddress {
                    net,
                    gateway: Some(USER_NETWORK_GATEWAY.into()),
                }),
            NodeManagement::Bridge {
                bridge,
                address: Some(address),
                ..
            } => self.on_network(bridge, *address),
            NodeManagement::Bridge { address: None, .. } | NodeManagement::Unconnected => None,
        };
        ManagementAddresses {
            ipv4,
            ipv6: self.ipv6[position],
        }
    }

    fn on_network(&self, bridge: &str, address: Ipv4Addr) -> Option<ManagementAddress<Ipv4Net>> {
        let network = self.networks.iter().find(|one| one.bridge == *bridge)?;
        Some(ManagementAddress {
            net: Ipv4Net::new(address, network.prefix_length).ok()?,
            gateway: Some(network.gateway.into()),
        })
    }
}

pub(super) fn allocate(
    request: &Request<'_>,
    numbers: &[u32],
) -> Result<LabManagement, AllocateError> {
    let everywhere = |management: NodeManagement| LabManagement {
        networks: Vec::new(),
        nodes: vec![management; request.lab.nodes.len()],
        ipv6: vec![None; request.lab.nodes.len()],
    };
    match (request.lab.management.mode, request.host.scope) {
        (Some(ManagementMode::None), _) => Ok(everywhere(NodeManagement::Unconnected)),
        (Some(ManagementMode::User), _) | (_, Scope::Session) => {
            Ok(everywhere(NodeManagement::User))
        }
        (Some(ManagementMode::Route), Scope::System) => bridged(request, numbers, Forward::Route),
        (Some(ManagementMode::Nat) | None, Scope::System) => {
            bridged(request, numbers, Forward::Nat)
        }
    }
}

fn bridged(
    request: &Request<'_>,
    numbers: &[u32],
    forward: Forward,
) -> Result<LabManagement, AllocateError> {
    let lab = request.lab;
    let mut positions: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (position, node) in lab.nodes.iter().enumerate() {
        positions
            .entry(bridge_of(request, node))
            .or_default()
            .push(position);
    }
    let several = positions.len() > 1;
    let mut nodes = vec![NodeManagement::Unconnected; lab.nodes.len()];
    let mut all_ipv6 = vec![None; lab.nodes.len()];
    let mut networks = Vec::new();
    let mut subnets: BTreeSet<Ipv4Net> = BTreeSet::new();
    for (bridge, positions) in positions {
        if belongs_to_others(request, &bridge) {
            for position in positions {
                let node = &lab.nodes[position];
                all_ipv6[position] = ipv6::told(lab, node);
                nodes[position] = NodeManagement::Bridge {
                    bridge: bridge.clone(),
                    address: node.management_ipv4,
                    ipv6: node.management_ipv6,
                };
            }
            continue;
        }
        let subnet = subnet(request, &bridge, &positions, numbers, &subnets)?;
        subnets.insert(subnet);
        let addresses = addresses(request, subnet, &positions, numbers)?;
        let ipv6 = ipv6::network(lab, &bridge, &positions, numbers)?;
        let mut leases = Vec::new();
        for (position, address) in positions.into_iter().zip(addresses) {
            let node = &lab.nodes[position];
            all_ipv6[position] = ipv6.address(position);
            // What the node is not given nobody shall try.
            let has_ipv6 = node.management_ipv6.is_some() || node.is_given_ipv6();
            let ipv6 = all_ipv6[position].filter(|_| has_ipv6);
            let ipv6 = ipv6.map(|ipv6| ipv6.net.addr());
            // libvirt knows it by the name, which is that of one node for DNS.
            let is_named = leases.iter().all(|one: &Lease| one.name != node.hostname);
            nodes[position] = NodeManagement::Bridge {
                bridge: bridge.clone(),
                address: Some(address),
                ipv6,
            };
            leases.push(Lease {
                mac: super::interfaces::management_mac(request, node).to_string(),
                address,
                name: node.hostname.clone(),
                ipv6: ipv6.filter(|_| is_named),
            });
        }
        leases.sort();
        let name = if several
            || lab
                .nodes
                .iter()
                .any(|node| node.management_bridge.is_some())
        {
            format!("vnflab-{}-{bridge}", lab.name)
        } else {
            format!("vnflab-{}", lab.name)
        };
        networks.push(NetworkBlueprint {
            lab: lab.name.to_string(),
            name,
            bridge,
            forward,
            gateway: gateway(subnet),
            prefix_length: subnet.prefix_len(),
            ipv6: ipv6.blueprint(),
            leases,
        });
    }
    Ok(LabManagement {
        networks,
        nodes,
        ipv6: all_ipv6,
    })
}

fn bridge_of(request: &Request<'_>, node: &Node) -> String {
    let named = node
        .management_bridge
        .as_ref()
        .or(request.lab.management.bridge.as_ref());
    named.cloned().unwrap_or_else(|| {
        // Linux allows 15 characters for an interface's name.
        format!(
            "vnf{:08x}",
            hash::spread(&["bridge", request.lab.name.as_str()]) as u32
        )
    })
}

/// A bridge that exists and is not of this lab is used as it is.
fn belongs_to_others(request: &Request<'_>, bridge: &str) -> bool {
    let lab = request.lab.name.as_str();
    let observed = request.observed;
    let of = |ours: bool| {
        observed.networks.iter().any(|network| {
            network.blueprint.bridge == bridge && (network.blueprint.lab == lab) == ours
        })
    };
    let foreign =
        request.host.bridges.contains(bridge) || observed.foreign_bridges.contains(bridge);
    of(false) || (foreign && !of(true))
}

fn gateway(subnet: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(subnet.network()) + 1)
}

/// The subnet of a bridge: what the lab says, else what it has already, else a free one.
fn subnet(
    request: &Request<'_>,
    bridge: &str,
    positions: &[usize],
    numbers: &[u32],
    used: &BTreeSet<Ipv4Net>,
) -> Result<Ipv4Net, AllocateError> {
    let management = &request.lab.management;
    if let Some(network) = management
        .networks
        .iter()
        .find(|network| network.bridge == bridge)
    {
        return Ok(network.ipv4_subnet.trunc());
    }
    if let Some(subnet) = management.ipv4_subnet {
        return Ok(subnet.trunc());
    }
    let highest = positions
        .iter()
        .map(|position| numbers[*position])
        .max()
        .unwrap_or(0);
    let prefix = prefix_for(highest).ok_or(AllocateError::NoSubnet {
        nodes: positions.len(),
    })?;
    let lab = request.lab.name.as_str();
    let had = request
        .observed
        .networks
        .iter()
        .find(|network| network.blueprint.lab == lab && network.blueprint.bridge == bridge);
    if let Some(network) = had.filter(|network| network.blueprint.prefix_length <= prefix) {
        let NetworkBlueprint {
            gateway,
            prefix_length,
            ..
        } = network.blueprint;
        return Ipv4Net::new(gateway, prefix_length)
            .map(|subnet| subnet.trunc())
            .map_err(|_| AllocateError::NoSubnet {
                nodes: positions.len(),
            });
    }
    free_subnet(request, bridge, prefix, used).ok_or(AllocateError::NoSubnet {
        nodes: positions.len(),
    })
}

/// The longest prefix in which numbers up to `highest` stay below the dynamic upper quarter.
fn prefix_for(highest: u32) -> Option<u8> {
    (SHORTEST_PREFIX..=LONGEST_PREFIX).rev().find(|prefix| {
        let size = 1_u64 << (32 - prefix);
        u64::from(highest) + u64::from(FIRST_HOST) < size - size / 4
    })
}

fn free_subnet(
    request: &Request<'_>,
    bridge: &str,
    prefix: u8,
    used: &BTreeSet<Ipv4Net>,
) -> Option<Ipv4Net> {
    let pool: Ipv4Net = SUBNET_POOL.parse().expect("a constant");
    let candidates: Vec<Ipv4Net> = pool.subnets(prefix).ok()?.collect();
    let start = hash::spread(&["subnet", request.lab.name.as_str(), bridge]) as usize;
    let other_labs = request.observed.networks.iter().filter_map(|network| {
        Ipv4Net::new(network.blueprint.gateway, network.blueprint.prefix_length).ok()
    });
    let taken: Vec<Ipv4Net> = request
        .host
        .subnets
        .iter()
        .copied()
        .chain(other_labs)
        .chain(used.iter().copied())
        .collect();
    let overlaps = |candidate: &Ipv4Net| {
        taken.iter().any(|taken| {
            // A default route covers everything and says nothing.
            taken.prefix_len() > 0
                && (taken.contains(&candidate.network()) || candidate.contains(&taken.network()))
        })
    };
    (0..candidates.len())
        .map(|step| candidates[start.wrapping_add(step) % candidates.len()])
        .find(|candidate| !overlaps(candidate))
}

/// An address for each node: the lab's choice, else by the node's number, skipping those that
/// the lab gave to others.
fn addresses(
    request: &Request<'_>,
    subnet: Ipv4Net,
    positions: &[usize],
    numbers: &[u32],
) -> Result<Vec<Ipv4Addr>, AllocateError> {
    let fixed = |position: usize| {
        request.lab.nodes[position]
            .management_ipv4
            .filter(|address| subnet.contains(address))
    };
    let mut taken: BTreeSet<Ipv4Addr> = positions
        .iter()
        .filter_map(|position| fixed(*position))
        .collect();
    taken.insert(gateway(subnet));
    let exhausted = || AllocateError::PoolExhausted {
        pool: subnet.to_string(),
    };
    positions
        .iter()
        .map(|position| {
            if let Some(address) = fixed(*position) {
                return Ok(address);
            }
            let first = u32::from(subnet.network()) + FIRST_HOST + numbers[*position];
            let last = u32::from(subnet.broadcast());
            let address = (first..last)
                .map(Ipv4Addr::from)
                .find(|address| !taken.contains(address));
            let address = address.ok_or_else(exhausted)?;
            taken.insert(address);
            Ok(address)
        })
        .collect()
}
