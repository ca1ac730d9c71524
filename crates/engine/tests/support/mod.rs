//! Labs for tests: blueprints made from a short description, without files, kinds or allocator.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use vnflab_model::blueprint::{
    Accelerator, After, Attachment, Blueprint, Carrier, CarrierPolicy, Console, Drive,
    DriveContent, Forward, Junction, JunctionKind, JunctionState, Lease, MachineBlueprint,
    MediaContent, MediaDevice, MediaFilesystem, MediaNaming, NetworkBlueprint, NetworkIpv6, Nic,
    NicRole, NodeBlueprint, ReadyBlueprint, StartLimit, WireBlueprint, WireEnd,
};
use vnflab_model::kind::{Bus, Firmware, Machine, NicModel, Video};
use vnflab_model::observed::VolumeName;

/// What a test lab shall be. Its nodes stand in a ring: of tunnels, or on a wire.
#[derive(Debug, Clone)]
pub(crate) struct TestLab {
    pub(crate) name: String,
    pub(crate) nodes: Vec<TestNode>,
    /// Whether the nodes hang on a management network, and the third number of its subnet.
    pub(crate) network: Option<u8>,
    pub(crate) volume_folder: String,
    pub(crate) console_folder: String,
    /// Absolute path and format of the image that all disks lie on.
    pub(crate) image: (String, String),
    /// Second number of the loopback addresses.
    pub(crate) loopback: u8,
    /// How frames travel from node to node.
    pub(crate) ring: Ring,
    /// How much of it may boot at one time.
    pub(crate) start: StartLimit,
}

/// How frames travel from node to node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ring {
    /// From QEMU to QEMU.
    Direct,
    /// Through the lab's wire: the second interface of each is linked to the first of the node
    /// that stands so many places further on.
    Wire(usize),
}

/// What a test node shall be.
#[derive(Debug, Clone)]
pub(crate) struct TestNode {
    pub(crate) name: String,
    pub(crate) memory_mib: u64,
    pub(crate) configuration: String,
    pub(crate) extra_disk: bool,
    pub(crate) after: Vec<After>,
}

impl TestNode {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            memory_mib: 64,
            configuration: "hostname test\n".to_owned(),
            extra_disk: false,
            after: Vec::new(),
        }
    }
}

impl TestLab {
    pub(crate) fn new(name: &str, count: usize) -> Self {
        Self {
            name: name.to_owned(),
            nodes: (1..=count)
                .map(|number| TestNode::new(format!("r{number}")))
                .collect(),
            network: None,
            volume_folder: "/fake/volumes".to_owned(),
            console_folder: "/fake/consoles".to_owned(),
            image: ("/fake/images/base.qcow2".to_owned(), "qcow2".to_owned()),
            loopback: 201,
            ring: Ring::Direct,
            start: StartLimit::NONE,
        }
    }

    pub(crate) fn blueprint(&self) -> Blueprint {
        let mut media = BTreeMap::new();
        let nodes: Vec<NodeBlueprint> = (0..self.nodes.len())
            .map(|index| self.node(index, &mut media))
            .collect();
        Blueprint {
            parts: Vec::new(),
            wire: self.wire(&nodes),
            lab: self.name.clone(),
            source: format!("/labs/{}.yaml", self.name),
            networks: self
                .network
                .iter()
                .map(|third| self.management(*third))
                .collect(),
            nodes,
            media,
            start: self.start,
            typed: BTreeMap::new(),
        }
    }

    fn wire(&self, nodes: &[NodeBlueprint]) -> Option<WireBlueprint> {
        let Ring::Wire(_) = self.ring else {
            return None;
        };
        let mut wire = WireBlueprint::new(&self.name, 1);
        for node in nodes {
            for nic in node.data_nics() {
                let Attachment::Tunnel { local, remote } = nic.attachment else {
                    continue;
                };
                let (local, remote) = (remote, local);
                let end = WireEnd::Tunnel { local, remote };
                wire.ends.insert(node.end_name(nic), end);
            }
            if let Some(peer) = node.data_nics().nth(1).and_then(|nic| nic.peer.clone()) {
                let members = vec![format!("{}:eth2", node.node), peer];
                let junction = Junction {
                    kind: JunctionKind::Link,
                    members: members.clone(),
                    state: JunctionState::Up,
                    impairments: BTreeMap::new(),
                };
                wire.junctions.insert(members.join("--"), junction);
            }
        }
        (!wire.ends.is_empty()).then_some(wire)
    }

    fn bridge(&self) -> String {
        format!("vt-{}", self.name)
    }

    fn management(&self, third: u8) -> NetworkBlueprint {
        let leases = self.nodes.iter().enumerate().map(|(index, node)| Lease {
            mac: mac(0, index, 0),
            address: Ipv4Addr::new(10, 213, third, 10 + number(index)),
            name: node.name.clone(),
            ipv6: Some(Ipv6Addr::new(
                0xfd00,
                213,
                u16::from(third),
                0,
                0,
                0,
                0,
                10 + index as u16,
            )),
        });
        NetworkBlueprint {
            lab: self.name.clone(),
            name: format!("vnflab-{}", self.name),
            bridge: self.bridge(),
            forward: Forward::Nat,
            gateway: Ipv4Addr::new(10, 213, third, 1),
            prefix_length: 24,
            ipv6: Some(NetworkIpv6 {
                gateway: Ipv6Addr::new(0xfd00, 213, u16::from(third), 0, 0, 0, 0, 1),
                prefix_length: 64,
            }),
            leases: leases.collect(),
        }
    }

    fn node(&self, index: usize, media: &mut BTreeMap<String, MediaContent>) -> NodeBlueprint {
        let test_node = &self.nodes[index];
        let name = &test_node.name;
        let volume = |part: &str, extension: &str| {
            VolumeName::new(&self.name, name, part, extension).to_string()
        };
        let day0 = volume("day0", "iso");
        let content = MediaContent {
            filesystem: MediaFilesystem::Iso {
                naming: MediaNaming::Extended,
            },
            label: "cidata".to_owned(),
            archive: None,
            files: vec![(
                "user-data".to_owned(),
                test_node.configuration.clone().into_bytes(),
            )],
        };
        let mut drives = vec![
            Drive {
                bus: Bus::Virtio,
                content: DriveContent::Overlay {
                    volume: volume("disk", "qcow2"),
                    image_path: self.image.0.clone(),
                    image_format: self.image.1.clone(),
                    size_bytes: 64 << 20,
                },
            },
            Drive {
                bus: Bus::Ide,
                content: DriveContent::Media {
                    volume: day0.clone(),
                    // As good as a digest here: it changes with the content.
                    digest: format!("{} {:?}", test_node.configuration, self.ring),
                    digest_without_links: Some(test_node.configuration.clone()),
                    device: MediaDevice::Cdrom,
                },
            },
        ];
        media.insert(day0, content);
        if test_node.extra_disk {
            drives.push(Drive {
                bus: Bus::Virtio,
                content: DriveContent::Empty {
                    volume: volume("extra1", "qcow2"),
                    size_bytes: 16 << 20,
                },
            });
        }
        let address = self.address(index);
        NodeBlueprint {
            part: None,
            lab: self.name.clone(),
            node: name.clone(),
            number: u32::from(number(index)),
            kind: "frr".to_owned(),
            guest: "frr".to_owned(),
            hostname: name.clone(),
            address,
            accelerator: Accelerator::Tcg,
            machine: MachineBlueprint {
                machine: Machine::Pc,
                firmware: Firmware::Bios,
                cpus: 1,
                memory_mib: test_node.memory_mib,
                cpu_model: None,
                cpu_features: Vec::new(),
                smbios: Vec::new(),
                serial_ports: 1,
                video: Video::None,
                disk_cache: None,
                machine_features: Vec::new(),
            },
            volume_folder: self.volume_folder.clone(),
            drives,
            nics: self.nics(index),
            carrier: CarrierPolicy::Follow,
            cpu_limit_percent: (index == 0).then_some(30),
            console: Console {
                listen: SocketAddr::new(address.into(), 5000),
                log_path: format!("{}/{}.{name}.log", self.console_folder, self.name),
            },
            ready: ReadyBlueprint {
                patterns: vec!["login:".to_owned()],
                after_seconds: None,
                ssh: false,
                timeout_seconds: 60,
            },
            loopback: None,
            access: None,
            after: test_node.after.clone(),
        }
    }

    fn nics(&self, index: usize) -> Vec<Nic> {
        let count = self.nodes.len();
        let nic = |role, name: &str, mac, attachment| Nic {
            role,
            name: name.to_owned(),
            model: NicModel::Virtio,
            mac,
            attachment,
            carrier: Carrier::Up,
            peer: None,
            segment: None,
            addresses: Vec::new(),
            mtu: None,
        };
        let mut nics = Vec::new();
        if self.network.is_some() {
            let bridge = self.bridge();
            let attachment = Attachment::Bridge { bridge };
            nics.push(nic(
                NicRole::Management,
                "eth0",
                mac(0, index, 0),
                attachment,
            ));
        }
        let end = |node: usize, port| SocketAddr::new(self.address(node).into(), port);
        let tunnel = |local, remote| Attachment::Tunnel { local, remote };
        let mac_of = |nic| mac(self.loopback, index, nic);
        if let Ring::Wire(step) = self.ring {
            let further = |places: usize| (index + places) % count;
            let peers = [(1, further(count - step % count), 2), (2, further(step), 1)];
            for (nic_index, peer, peer_nic) in peers {
                let name = format!("eth{nic_index}");
                let port = u16::from(nic_index);
                let attachment = tunnel(end(index, 10000 + port), end(index, 20000 + port));
                let role = NicRole::Data {
                    index: u32::from(nic_index),
                };
                let linked = step > 0;
                nics.push(Nic {
                    carrier: if linked { Carrier::Up } else { Carrier::Down },
                    peer: linked.then(|| format!("{}:eth{peer_nic}", self.nodes[peer].name)),
                    ..nic(role, &name, mac_of(nic_index), attachment)
                });
            }
            return nics;
        }
        let next = tunnel(end(index, 10001), end((index + 1) % count, 10002));
        let last = tunnel(end(index, 10002), end((index + count - 1) % count, 10001));
        nics.push(nic(NicRole::Data { index: 1 }, "eth1", mac_of(1), next));
        nics.push(nic(NicRole::Data { index: 2 }, "eth2", mac_of(2), last));
        nics
    }

    fn address(&self, index: usize) -> Ipv4Addr {
        Ipv4Addr::new(127, self.loopback, 0, number(index))
    }
}

fn number(index: usize) -> u8 {
    u8::try_from(index + 1).expect("test labs are small")
}

fn mac(lab: u8, index: usize, nic: u8) -> String {
    format!("52:54:00:{lab:02x}:{:02x}:{nic:02x}", number(index))
}
