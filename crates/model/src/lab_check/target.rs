//! Which addresses and names the nodes of a running lab have.
//!
//! Known is what the lab gives or what was allocated for it; addresses that somebody configured by
//! hand in a guest are not.

use super::{Nodes, Target};
use crate::blueprint::NodeBlueprint;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The nodes of a running lab, by what tells them apart on the network.
#[derive(Debug, Clone)]
pub struct Places<'a> {
    nodes: Vec<&'a NodeBlueprint>,
}

impl<'a> Places<'a> {
    /// Of these nodes.
    pub fn new(nodes: impl IntoIterator<Item = &'a NodeBlueprint>) -> Self {
        let mut nodes: Vec<_> = nodes.into_iter().collect();
        nodes.sort_by_key(|node| node.number);
        Self { nodes }
    }

    /// The node of a name.
    pub fn node(&self, name: &str) -> Option<&'a NodeBlueprint> {
        self.nodes.iter().find(|node| node.node == name).copied()
    }

    /// The nodes that are meant.
    ///
    /// # Errors
    ///
    /// When one of them does not exist, in words.
    pub(super) fn meant(&self, nodes: &Nodes) -> Result<Vec<&'a NodeBlueprint>, String> {
        match nodes {
            Nodes::All => Ok(self.nodes.clone()),
            Nodes::Named(names) => names.iter().map(|name| self.existing(name)).collect(),
        }
    }

    pub(super) fn existing(&self, name: &str) -> Result<&'a NodeBlueprint, String> {
        let node = self.node(name);
        node.ok_or_else(|| format!("`{name}` is not up"))
    }

    /// Where packets go that `from` sends to a target: the name of each place and its address.
    ///
    /// # Errors
    ///
    /// When a node does not exist or has no address that is known, in words.
    pub(super) fn addresses(
        &self,
        from: &NodeBlueprint,
        target: &Target,
    ) -> Result<Vec<(String, IpAddr)>, String> {
        match target {
            Target::Address(address) => Ok(vec![(address.to_string(), *address)]),
            Target::All => {
                let others = self.nodes.iter().filter(|node| node.node != from.node);
                others.map(|node| of_node(node)).collect()
            }
            Target::Node(name) => Ok(vec![of_node(self.existing(name)?)?]),
            Target::Interface(end) => {
                let (node, interface) = end.split_once(':').unwrap_or((end, ""));
                let node = self.existing(node)?;
                let nic = node.data_nics().find(|nic| nic.name == interface);
                let address = nic.and_then(|nic| nic.addresses.iter().find_map(|one| host(one)));
                let address = address.ok_or_else(|| no_address(end))?;
                Ok(vec![(end.value.clone(), address)])
            }
        }
    }

    /// All addresses by whose they are.
    pub(super) fn owners(&self) -> BTreeMap<IpAddr, String> {
        let of = |node: &&NodeBlueprint| {
            let name = node.node.clone();
            let addresses = all_addresses(node).into_iter();
            addresses
                .map(move |address| (address, name.clone()))
                .collect::<Vec<_>>()
        };
        self.nodes.iter().flat_map(of).collect()
    }

    /// What a neighbour may call a node: its names and its addresses, in lower case.
    pub(super) fn identifiers(&self, node: &NodeBlueprint) -> BTreeSet<String> {
        let addresses = all_addresses(node).into_iter();
        let short = node.hostname.split('.').next().unwrap_or_default();
        let names = [&node.node, node.hostname.as_str(), short].map(str::to_lowercase);
        addresses
            .map(|address| address.to_string())
            .chain(names)
            .collect()
    }

    /// The nodes at the other ends of a node's links, and in its segments.
    pub(super) fn linked(&self, node: &NodeBlueprint) -> Vec<&'a NodeBlueprint> {
        let is_linked = |other: &&&NodeBlueprint| {
            node.data_nics().any(|nic| {
                let peer = nic.peer.as_ref().and_then(|peer| peer.split_once(':'));
                let by_link = peer.is_some_and(|(name, _)| name == other.node);
                let by_segment = nic.segment.is_some()
                    && other.data_nics().any(|one| one.segment == nic.segment);
                by_link || by_segment
            })
        };
        let others = self.nodes.iter().filter(|other| other.node != node.node);
        others.filter(is_linked).copied().collect()
    }
}

/// A node's loopback address, else the first that it has on a link.
fn of_node(node: &NodeBlueprint) -> Result<(String, IpAddr), String> {
    let first = all_addresses(node).into_iter().next();
    let address = first.ok_or_else(|| no_address(&node.node))?;
    Ok((node.node.clone(), address))
}

fn all_addresses(node: &NodeBlueprint) -> Vec<IpAddr> {
    let data = node.data_nics().flat_map(|nic| &nic.addresses);
    let loopback = node.loopback.map(IpAddr::V4);
    loopback
        .into_iter()
        .chain(data.filter_map(|address| host(address)))
        .collect()
}

fn host(address: &str) -> Option<IpAddr> {
    address.parse::<IpNet>().ok().map(|net| net.addr())
}

fn no_address(of: &str) -> String {
    format!("no address of `{of}` is known: write one, or give the link its addresses")
}
