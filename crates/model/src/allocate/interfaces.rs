//! The NICs of every node: MAC addresses, tunnel ends, peers and link addresses.

use super::listener::Listeners;
use super::management::{LabManagement, NodeManagement};
use super::{AllocateError, Request, TUNNEL_PORT};
use crate::blueprint::{Attachment, Carrier, JunctionKind, JunctionState, Nic, NicRole, wire_end};
use crate::hash;
use crate::kind::{Dialect, Hardware, MediaForm};
use crate::lab::{End, FixedTunnel, Interface, Lab, Member, Node};
use crate::mac::MacAddress;
use crate::spec::{Transport, TunnelSpec};
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Frames of an interface that is not connected go to the discard port (RFC 863) of the node's
/// own address, where nobody listens.
const NOWHERE: u16 = 9;

/// Tunnel ends of NICs that are not data interfaces: behind those of any data interface. Each part
/// of a node has [`PART_TUNNEL_PORTS`] of its own behind those of the main VM.
const HIDDEN_TUNNEL_PORT: u16 = TUNNEL_PORT + 2000;

/// Ports for NICs of one VM that lead nowhere: more than it has dummies.
const PART_TUNNEL_PORTS: u16 = 200;

/// Tunnel ends of links between the VMs of one node: two each.
const INTERNAL_TUNNEL_PORT: u16 = TUNNEL_PORT + 5000;

/// Interface indices that stand for internal NICs where MAC addresses are derived.
const FIRST_INTERNAL_INDEX: u32 = 20_000;

/// Interface indices that stand for the first NIC and the dummies of a part, this many for each.
const FIRST_PART_INDEX: u32 = 30_000;
const PART_INDICES: u32 = 1000;

/// Interface index that stands for the management NIC where MAC addresses are derived.
const MANAGEMENT_INDEX: u32 = 0;

/// Interface indices that stand for dummies where MAC addresses are derived.
const FIRST_DUMMY_INDEX: u32 = 10_000;

/// The NICs of a node, of each VM in PCI order.
pub(super) struct NodeNics {
    /// Of its main VM.
    pub(super) main: Vec<Nic>,
    /// Of its other VMs.
    pub(super) parts: Vec<Vec<Nic>>,
}

impl NodeNics {
    /// All that a configuration of the node speaks of: those of the main VM, and the data
    /// interfaces wherever they are.
    pub(super) fn whole(&self) -> Vec<Nic> {
        let others = self.parts.iter().flatten();
        let data = others.filter(|nic| matches!(nic.role, NicRole::Data { .. }));
        self.main.iter().chain(data).cloned().collect()
    }
}

/// The NICs of every node, in the order of the lab.
pub(super) fn allocate(
    request: &Request<'_>,
    addresses: &[Ipv4Addr],
    management: &LabManagement,
    listeners: &[Listeners],
) -> Result<Vec<NodeNics>, AllocateError> {
    let lab = request.lab;
    let joined = joined(lab);
    let link_addresses = link_addresses(request)?;
    let mut macs = MacPool::new(lab);
    let nodes = lab.nodes.iter().enumerate().map(|(position, node)| {
        let own = addresses[position];
        let mut main = Vec::new();
        if let Some(name) = &node.kind.interfaces.management {
            let mac = management_mac(request, node);
            main.push(management_nic(
                node,
                name,
                mac,
                &management.nodes[position],
                own,
                &listeners[position],
            ));
        }
        for position in 0..node.parts.len() {
            main.push(internal_nic(
                lab,
                node,
                &mut macs,
                position,
                Side::Main,
                own,
            ));
        }
        for dummy in 0..node.kind.interfaces.dummies {
            let mac = macs.derive(lab, node, FIRST_DUMMY_INDEX + dummy);
            let port = HIDDEN_TUNNEL_PORT + 1 + u16::try_from(dummy).unwrap_or(0);
            main.push(dummy_nic(
                &node.kind.hardware,
                dummy,
                mac,
                unconnected(own, port),
            ));
        }
        let mut data = Vec::new();
        for (index, interface) in node.interfaces.iter().enumerate() {
            let end = End {
                node: position,
                interface: index,
            };
            let mac = interface
                .mac
                .unwrap_or_else(|| macs.derive(lab, node, interface.index));
            let joined = joined.get(&end);
            let transport = joined.map_or(lab.transport, |joined| joined.transport);
            let peer = joined.and_then(|joined| joined.peer_end);
            let local = tunnel_end(own, interface.index, fixed(interface, transport));
            let remote = match transport {
                Transport::Wire => wire_end(own, interface.index),
                Transport::Direct => remote(lab, addresses, local, peer, interface.tunnel),
            };
            let given = interface.addresses.iter().copied();
            let numbered = link_addresses.get(&end).copied().map(IpNet::V4);
            data.push(Nic {
                role: NicRole::Data {
                    index: interface.index,
                },
                name: interface.name.clone(),
                carrier: match joined.map(|joined| joined.state) {
                    Some(JunctionState::Up) => Carrier::Up,
                    Some(JunctionState::Down) | None => Carrier::Down,
                },
                peer: joined.and_then(|joined| joined.peer.clone()),
                segment: joined.and_then(|joined| joined.segment).map(str::to_owned),
                addresses: given
                    .chain(numbered)
                    .map(|address| address.to_string())
                    .collect(),
                mtu: interface.mtu,
                ..nic(
                    data_hardware(node),
                    mac,
                    Attachment::Tunnel { local, remote },
                )
            });
        }
        let mut parts: Vec<Vec<Nic>> = (0..node.parts.len())
            .map(|position| part_nics(lab, node, &mut macs, position, own))
            .collect();
        match node.data_part() {
            Some(part) => parts[part].extend(data),
            None => main.extend(data),
        }
        NodeNics { main, parts }
    });
    Ok(nodes.collect())
}

/// The MAC address of a node's management NIC. It follows from the names alone, without regard
/// to other nodes, because leases are made before the NICs are; see [`MacPool`].
pub(super) fn management_mac(request: &Request<'_>, node: &Node) -> MacAddress {
    node.management_mac
        .unwrap_or_else(|| derived_mac(request.lab, node, MANAGEMENT_INDEX, 0))
}

fn nic(hardware: &Hardware, mac: MacAddress, attachment: Attachment) -> Nic {
    Nic {
        role: NicRole::Management,
        name: String::new(),
        model: hardware.nic_model,
        mac: mac.to_string(),
        attachment,
        carrier: Carrier::Down,
        peer: None,
        segment: None,
        addresses: Vec::new(),
        mtu: None,
    }
}

fn management_nic(
    node: &Node,
    name: &str,
    mac: MacAddress,
    management: &NodeManagement,
    own: Ipv4Addr,
    listeners: &Listeners,
) -> Nic {
    let (attachment, carrier) = match management {
        NodeManagement::Bridge { bridge, .. } => (
            Attachment::Bridge {
                bridge: bridge.clone(),
            },
            Carrier::Up,
        ),
        NodeManagement::User => (Attachment::User { ssh: listeners.ssh }, Carrier::Up),
        NodeManagement::Unconnected => (unconnected(own, HIDDEN_TUNNEL_PORT), Carrier::Down),
    };
    Nic {
        name: name.to_owned(),
        carrier,
        ..nic(&node.kind.hardware, mac, attachment)
    }
}

/// The machine that has the data interfaces.
fn data_hardware(node: &Node) -> &Hardware {
    match node.data_part() {
        Some(part) => &node.parts[part].of_kind.hardware,
        None => &node.kind.hardware,
    }
}

fn dummy_nic(hardware: &Hardware, dummy: u32, mac: MacAddress, attachment: Attachment) -> Nic {
    Nic {
        role: NicRole::Dummy,
        name: format!("dummy{dummy}"),
        // The guest takes it for a link between its own parts, which is always there.
        carrier: Carrier::Up,
        ..nic(hardware, mac, attachment)
    }
}

/// Which end of a link between the VMs of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Main,
    Part,
}

/// An end of the link between the main VM and the part at a position: from QEMU to QEMU, on the
/// node's own address.
fn internal_nic(
    lab: &Lab,
    node: &Node,
    macs: &mut MacPool,
    position: usize,
    side: Side,
    own: Ipv4Addr,
) -> Nic {
    let part = &node.parts[position].of_kind;
    let number = u16::try_from(position).expect("kinds have few parts");
    let main_port = INTERNAL_TUNNEL_PORT + 2 * number;
    let (hardware, name, local, remote) = match side {
        Side::Main => {
            let hardware = &node.kind.hardware;
            (hardware, &part.internal.main, main_port, main_port + 1)
        }
        Side::Part => {
            let hardware = &part.hardware;
            (hardware, &part.internal.part, main_port + 1, main_port)
        }
    };
    let end = match side {
        Side::Main => 0,
        Side::Part => 1,
    };
    let mac = macs.derive(
        lab,
        node,
        FIRST_INTERNAL_INDEX + 2 * u32::from(number) + end,
    );
    let at = |port| SocketAddr::new(IpAddr::V4(own), port);
    let attachment = Attachment::Tunnel {
        local: at(local),
        remote: at(remote),
    };
    Nic {
        role: NicRole::Internal,
        name: name.clone(),
        carrier: Carrier::Up,
        ..nic(hardware, mac, attachment)
    }
}

/// The NICs of a part but for data interfaces: a first one that nothing uses, the internal one, and
/// dummies.
fn part_nics(
    lab: &Lab,
    node: &Node,
    macs: &mut MacPool,
    position: usize,
    own: Ipv4Addr,
) -> Vec<Nic> {
    let part = &node.parts[position].of_kind;
    let number = u16::try_from(position).expect("kinds have few parts");
    let first_port = HIDDEN_TUNNEL_PORT + PART_TUNNEL_PORTS * (number + 1);
    let first_index = FIRST_PART_INDEX + PART_INDICES * u32::from(number);
    let unused = (0..=part.dummies).map(|dummy| {
        let port = first_port + u16::try_from(dummy).expect("dummies are few");
        let mac = macs.derive(lab, node, first_index + dummy);
        dummy_nic(&part.hardware, dummy, mac, unconnected(own, port))
    });
    let mut nics: Vec<Nic> = unused.collect();
    let internal = internal_nic(lab, node, macs, position, Side::Part, own);
    nics.insert(1, internal);
    nics
}

fn unconnected(own: Ipv4Addr, port: u16) -> Attachment {
    let address = IpAddr::V4(own);
    Attachment::Tunnel {
        local: SocketAddr::new(address, port),
        remote: SocketAddr::new(address, NOWHERE),
    }
}

/// Where an interface is bound.
fn tunnel_end(own: Ipv4Addr, index: u32, fixed: Option<FixedTunnel>) -> SocketAddr {
    match fixed {
        Some(fixed) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), fixed.local_port),
        None => {
            let offset = u16::try_from(index).expect("kinds have far fewer interfaces");
            SocketAddr::new(IpAddr::V4(own), TUNNEL_PORT + offset)
        }
    }
}

fn remote(
    lab: &Lab,
    addresses: &[Ipv4Addr],
    local: SocketAddr,
    peer: Option<End>,
    fixed: Option<FixedTunnel>,
) -> SocketAddr {
    match (fixed, peer) {
        (Some(fixed), _) => SocketAddr::new(local.ip(), fixed.remote_port),
        (None, Some(peer)) => {
            let interface = lab.interface(peer);
            tunnel_end(addresses[peer.node], interface.index, interface.tunnel)
        }
        (None, None) => SocketAddr::new(local.ip(), NOWHERE),
    }
}

/// The ports that a lab fixes for an interface, as far as the wire can keep them: the port that
/// says "not connected" belongs to any number of interfaces, so no frames can be told apart there.
fn fixed(interface: &Interface, transport: Transport) -> Option<FixedTunnel> {
    let idle = |fixed: &FixedTunnel| fixed.local_port == TunnelSpec::IDLE_LOCAL_PORT;
    match transport {
        Transport::Wire => interface.tunnel.filter(|fixed| !idle(fixed)),
        Transport::Direct => interface.tunnel,
    }
}

/// What an interface is joined to.
#[derive(Debug, Clone)]
struct Joined<'a> {
    /// The other end of a link.
    peer: Option<String>,
    /// The same, where it is an interface of the lab.
    peer_end: Option<End>,
    /// The segment of many.
    segment: Option<&'a str>,
    transport: Transport,
    state: JunctionState,
}

/// What each interface is joined to.
fn joined(lab: &Lab) -> BTreeMap<End, Joined<'_>> {
    let mut joined = BTreeMap::new();
    for link in &lab.links {
        let [a, b] = link.ends;
        for (end, peer) in [(a, b), (b, a)] {
            let to_peer = Joined {
                peer: Some(lab.end_name(peer)),
                peer_end: Some(peer),
                segment: None,
                transport: link.transport,
                state: link.asked.state,
            };
            joined.insert(end, to_peer);
        }
    }
    for segment in &lab.segments {
        for member in &segment.members {
            let Member::Interface(end) = member else {
                continue;
            };
            let is_link = segment.kind == JunctionKind::Link;
            let other = segment.members.iter().find(|other| *other != member);
            let into_segment = Joined {
                peer: other
                    .filter(|_| is_link)
                    .map(|other| lab.member_name(other)),
                peer_end: None,
                segment: (!is_link).then_some(segment.name.as_str()),
                transport: segment.transport,
                state: segment.asked.state,
            };
            joined.insert(*end, into_segment);
        }
    }
    joined
}

/// Addresses of the links that the lab leaves without, one /31 (RFC 3021) each.
///
/// A link is numbered when a generated configuration is at one end at least and nobody's own
/// configuration is at either: whoever writes a configuration gives its addresses too. A link
/// that was numbered before keeps its subnet.
fn link_addresses(request: &Request<'_>) -> Result<BTreeMap<End, Ipv4Net>, AllocateError> {
    let lab = request.lab;
    let wanted: Vec<[End; 2]> = lab
        .links
        .iter()
        .map(|link| link.ends)
        .filter(|ends| is_numbered(lab, *ends))
        .collect();
    let had = recorded_subnets(request);
    let key = |end: End| {
        (
            lab.nodes[end.node].name.as_str(),
            lab.interface(end).name.as_str(),
        )
    };
    let kept = |ends: &[End; 2]| {
        let [a, b] = ends.map(key);
        had.get(&(a, b)).copied()
    };
    // What the lab gives itself is not given again.
    let interfaces = lab.nodes.iter().flat_map(|node| &node.interfaces);
    let given = interfaces.flat_map(|interface| &interface.addresses);
    let given = given.filter_map(|address| match address {
        IpNet::V4(address) => Some(u32::from(address.addr()) & !1),
        IpNet::V6(_) => None,
    });
    let kept_subnets = wanted.iter().filter_map(kept).map(|(low, _)| low);
    let mut used: BTreeSet<u32> = kept_subnets.chain(given).collect();
    let pool = lab.link_pool;
    let (first, last) = (u32::from(pool.network()), u32::from(pool.broadcast()));
    let mut next = first;
    let mut addresses = BTreeMap::new();
    for ends in wanted {
        let [a, b] = ends;
        let (low_end, high_end, low) = match kept(&ends) {
            Some((low, true)) => (a, b, low),
            Some((low, false)) => (b, a, low),
            None => {
                while used.contains(&next) {
                    next = next.saturating_add(2);
                }
                if next >= last {
                    return Err(AllocateError::PoolExhausted {
                        pool: pool.to_string(),
                    });
                }
                used.insert(next);
                (a, b, next)
            }
        };
        for (end, address) in [(low_end, low), (high_end, low + 1)] {
            let address = Ipv4Net::new(Ipv4Addr::from(address), 31).expect("31 is at most 32");
            addresses.insert(end, address);
        }
    }
    Ok(addresses)
}

fn is_numbered(lab: &Lab, ends: [End; 2]) -> bool {
    let nodes = ends.map(|end| &lab.nodes[end.node]);
    let generated = |node: &Node| node.dialect() != Dialect::None && node.startup_config.is_none();
    let addressable = |node: &Node| {
        generated(node)
            || (node.dialect() == Dialect::None
                && node.guest.day0.form == MediaForm::Nocloud
                && node.startup_config.is_none())
    };
    let free = ends
        .iter()
        .all(|end| lab.interface(*end).addresses.is_empty());
    free && nodes.iter().any(|node| generated(node)) && nodes.iter().all(|node| addressable(node))
}

/// One end, as node and interface.
type Named<'a> = (&'a str, &'a str);

/// The /31 subnets of links that exist, by both ends: the lower address, and whether the first
/// end has it.
fn recorded_subnets<'a>(request: &Request<'a>) -> BTreeMap<(Named<'a>, Named<'a>), (u32, bool)> {
    let mut subnets = BTreeMap::new();
    for domain in request.observed.vms_of_lab(request.lab.name.as_str()) {
        let blueprint = &domain.record.blueprint;
        for nic in &blueprint.nics {
            let (Some(peer), [address]) = (&nic.peer, &nic.addresses[..]) else {
                continue;
            };
            let Some(peer) = peer.split_once(':') else {
                continue;
            };
            let Ok(address) = address.parse::<Ipv4Net>() else {
                continue;
            };
            if address.prefix_len() != 31 || !request.lab.link_pool.contains(&address.addr()) {
                continue;
            }
            let low = u32::from(address.network());
            let is_low = address.addr() == address.network();
            let this = (blueprint.node.as_str(), nic.name.as_str());
            subnets.insert((this, peer), (low, is_low));
            subnets.insert((peer, this), (low, !is_low));
        }
    }
    subnets
}

/// MAC addresses that are in use in the lab.
struct MacPool {
    used: BTreeSet<MacAddress>,
}

impl MacPool {
    fn new(lab: &Lab) -> Self {
        let management = lab.nodes.iter().map(|node| {
            node.management_mac
                .unwrap_or_else(|| derived_mac(lab, node, MANAGEMENT_INDEX, 0))
        });
        let fixed = lab
            .nodes
            .iter()
            .flat_map(|node| &node.interfaces)
            .filter_map(|i| i.mac);
        Self {
            used: management.chain(fixed).collect(),
        }
    }

    /// An address that follows from the names; the next candidate where it is in use.
    fn derive(&mut self, lab: &Lab, node: &Node, index: u32) -> MacAddress {
        let mac = (0_u32..)
            .map(|attempt| derived_mac(lab, node, index, attempt))
            .find(|mac| !self.used.contains(mac))
            .expect("a lab has far fewer interfaces than there are addresses");
        self.used.insert(mac);
        mac
    }
}

/// 32 bits behind QEMU's prefix, from the names, the index and the number of the attempt.
fn derived_mac(lab: &Lab, node: &Node, index: u32, attempt: u32) -> MacAddress {
    let words = [
        "mac",
        lab.name.as_str(),
        node.name.as_str(),
        &index.to_string(),
        &attempt.to_string(),
    ];
    MacAddress::qemu(hash::spread(&words) as u32)
}
