//! TCP listeners of every node: its consoles, and its forwarded SSH port.
//!
//! Each is on the node's own loopback address at a fixed port, so they cannot meet. Two things
//! can be in the way: a server that has the port on all addresses, and a lab whose consoles all
//! share one address. Then the next free port is taken, and kept while the node exists.

use super::{CONSOLE_PORT, Request, SSH_PORT};
use crate::blueprint::{Attachment, NodeBlueprint, Vm};
use crate::facts::Facts;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where all consoles share an address, those of the parts of nodes begin behind those of so many
/// nodes, so that new ones are in nobody's way.
const SHARED_PART_PORTS: u16 = 1000;

/// Where a node is listened for.
#[derive(Debug, Clone)]
pub(super) struct Listeners {
    /// Its console.
    pub(super) console: SocketAddr,
    /// Those of its parts.
    pub(super) part_consoles: Vec<SocketAddr>,
    /// Its SSH server, where it is forwarded.
    pub(super) ssh: SocketAddr,
}

/// The listeners of every node, in the order of the lab.
pub(super) fn allocate(
    request: &Request<'_>,
    addresses: &[Ipv4Addr],
    numbers: &[u32],
) -> Vec<Listeners> {
    let lab = request.lab;
    let shared = lab.console_address;
    let fixed_address = shared.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let fixed = |port| SocketAddr::new(fixed_address, port);
    let mut ports = Ports {
        taken: &request.facts.tcp_taken,
        used: lab
            .nodes
            .iter()
            .filter_map(|node| node.console_port)
            .map(|(port, _)| fixed(port))
            .collect(),
    };
    let had: BTreeMap<Vm<'_>, &NodeBlueprint> = request
        .observed
        .vms_of_lab(lab.name.as_str())
        .map(|domain| &domain.record.blueprint)
        .map(|blueprint| (blueprint.vm(), blueprint))
        .collect();
    lab.nodes
        .iter()
        .zip(addresses)
        .zip(numbers)
        .map(|((node, address), number)| {
            let own = IpAddr::V4(*address);
            let vm = |part| Vm {
                node: node.name.as_str(),
                part,
            };
            let had_parts: Vec<_> = node
                .parts
                .iter()
                .map(|part| had.get(&vm(Some(&part.of_kind.name))))
                .collect();
            let had = had.get(&vm(None)).copied();
            let console = match (node.console_port, shared) {
                (Some((port, _)), _) => fixed(port),
                (None, None) => {
                    let first = SocketAddr::new(own, CONSOLE_PORT);
                    ports.choose(had.map(|had| had.console.listen), first)
                }
                (None, Some(shared)) => {
                    let offset = u16::try_from(*number).unwrap_or(0);
                    let first = SocketAddr::new(shared, CONSOLE_PORT.saturating_add(offset));
                    ports.choose(had.map(|had| had.console.listen), first)
                }
            };
            let ssh = ports.choose(had.and_then(forwarded), SocketAddr::new(own, SSH_PORT));
            let part_consoles = had_parts.iter().zip(1_u16..).map(|(had, nth)| {
                let (address, port) = match shared {
                    None => (own, CONSOLE_PORT + nth),
                    Some(shared) => {
                        let number = u16::try_from(*number).unwrap_or(0);
                        let port = CONSOLE_PORT + SHARED_PART_PORTS * nth;
                        (shared, port.saturating_add(number))
                    }
                };
                let had = had.map(|had| had.console.listen);
                ports.choose(had, SocketAddr::new(address, port))
            });
            Listeners {
                part_consoles: part_consoles.collect(),
                console,
                ssh,
            }
        })
        .collect()
}

fn forwarded(node: &NodeBlueprint) -> Option<SocketAddr> {
    node.nics.iter().find_map(|nic| match nic.attachment {
        Attachment::User { ssh } => Some(ssh),
        Attachment::Tunnel { .. } | Attachment::Bridge { .. } => None,
    })
}

/// Which listeners can still be had.
struct Ports<'a> {
    taken: &'a BTreeSet<SocketAddr>,
    used: BTreeSet<SocketAddr>,
}

impl Ports<'_> {
    /// What the node had, if it is on the address that it shall be on; else the first that is
    /// free from `first` upwards.
    fn choose(&mut self, had: Option<SocketAddr>, first: SocketAddr) -> SocketAddr {
        let kept = had.filter(|had| had.ip() == first.ip());
        let above = (first.port()..=u16::MAX).map(|port| SocketAddr::new(first.ip(), port));
        let chosen = kept
            .into_iter()
            .chain(above)
            .find(|address| !self.used.contains(address) && !Facts::is_taken(self.taken, *address));
        // With every port above taken, the check after allocation has nothing better to say
        // than libvirt will.
        let chosen = chosen.unwrap_or(first);
        self.used.insert(chosen);
        chosen
    }
}
