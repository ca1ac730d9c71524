//! The IPv6 side of management networks.
//!
//! libvirt's DHCPv6 knows guests by identifiers that they make themselves, not by MAC addresses. So
//! an address is chosen here, and the node's first configuration gives it to the node; the network
//! has the host's own address and the names.

use super::AllocateError;
use super::management::FIRST_HOST;
use crate::blueprint::NetworkIpv6;
use crate::day0::ManagementAddress;
use crate::lab::{Lab, Node};
use ipnet::Ipv6Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;

/// Length of the prefix of a subnet that is not ours and that nobody tells: what hosts choose
/// addresses in by themselves (RFC 4862).
const USUAL_PREFIX: u8 = 64;

/// What a network of ours has in IPv6.
#[derive(Debug, Default)]
pub(super) struct Ipv6Side {
    subnet: Option<Ipv6Net>,
    addresses: BTreeMap<usize, Ipv6Addr>,
}

impl Ipv6Side {
    /// The address of a node, by its position in the lab.
    pub(super) fn address(&self, position: usize) -> Option<ManagementAddress<Ipv6Net>> {
        let subnet = self.subnet?;
        let address = *self.addresses.get(&position)?;
        Some(ManagementAddress {
            net: Ipv6Net::new(address, subnet.prefix_len()).ok()?,
            gateway: Some(gateway(subnet).into()),
        })
    }

    /// What the network's description says of it.
    pub(super) fn blueprint(&self) -> Option<NetworkIpv6> {
        self.subnet.map(|subnet| NetworkIpv6 {
            gateway: gateway(subnet),
            prefix_length: subnet.prefix_len(),
        })
    }
}

/// The first address of a subnet is the host's own.
pub(crate) fn gateway(subnet: Ipv6Net) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(subnet.network()).saturating_add(1))
}

/// The IPv6 side of the network on a bridge: an address for each node, the lab's choice or by the
/// node's number. The lab's subnet is that of the lab's own bridge; those of single nodes have none.
pub(super) fn network(
    lab: &Lab,
    bridge: &str,
    positions: &[usize],
    numbers: &[u32],
) -> Result<Ipv6Side, AllocateError> {
    let of_one_node = |position: &usize| {
        let own = lab.nodes[*position].management_bridge.as_deref();
        own == Some(bridge) && lab.management.bridge.as_deref() != Some(bridge)
    };
    let Some(subnet) = lab.management.ipv6_subnet else {
        return Ok(Ipv6Side::default());
    };
    if positions.iter().any(of_one_node) {
        return Ok(Ipv6Side::default());
    }
    let fixed = |position: usize| {
        let address = lab.nodes[position].management_ipv6;
        address.filter(|address| subnet.contains(address))
    };
    let given = positions.iter().filter_map(|position| fixed(*position));
    let mut taken: BTreeSet<Ipv6Addr> = given.chain([gateway(subnet)]).collect();
    let mut addresses = BTreeMap::new();
    for &position in positions {
        let first = u128::from(subnet.network()) + u128::from(FIRST_HOST + numbers[position]);
        let mut chosen = (first..=u128::from(subnet.broadcast())).map(Ipv6Addr::from);
        let address = fixed(position).or_else(|| chosen.find(|one| !taken.contains(one)));
        let address = address.ok_or_else(|| AllocateError::PoolExhausted {
            pool: subnet.to_string(),
        })?;
        taken.insert(address);
        addresses.insert(position, address);
    }
    Ok(Ipv6Side {
        subnet: Some(subnet),
        addresses,
    })
}

/// The address of a node on a bridge that is not ours: as the lab tells it.
pub(super) fn told(lab: &Lab, node: &Node) -> Option<ManagementAddress<Ipv6Net>> {
    let address = node.management_ipv6?;
    let subnet = lab.management.ipv6_subnet;
    let subnet = subnet.filter(|subnet| subnet.contains(&address));
    let prefix = subnet.map_or(USUAL_PREFIX, |subnet| subnet.prefix_len());
    Some(ManagementAddress {
        net: Ipv6Net::new(address, prefix).ok()?,
        gateway: None,
    })
}
