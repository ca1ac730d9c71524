//! What shall be: every MAC address, UDP endpoint, console, volume and day-0 file, decided.
//!
//! [`crate::allocate`] makes a blueprint; [`crate::plan`] compares it with what was observed. A
//! [`NodeBlueprint`] is also what a domain carries in its metadata, as JSON (see
//! [`crate::record`]), so its serde form is a file format: a change that an older program would
//! misread raises [`crate::record::VERSION`].

mod start;
mod wire;
mod wire_change;

pub use start::{After, StartLimit, Until};
pub use wire::{
    ADDRESS_LIMIT, AGEING_SECONDS, CarrierPolicy, Junction, JunctionKind, JunctionState, Metrics,
    NoMetrics, WireBlueprint, WireEnd,
};
pub use wire_change::WireChange;

use crate::kind::{Bus, DiskCache, Firmware, Machine, MachineSwitch, NicModel, Ready, Video};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// The wire's end for data interface n of a node is bound to this port plus n.
pub const WIRE_PORT: u16 = 20000;

/// Kinds tell their time without acceleration; in hardware a third is ample.
const ACCELERATED_DIVISOR: u32 = 3;

/// A whole lab, decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Blueprint {
    /// The lab's name.
    pub lab: String,
    /// The file or folder that the lab came from.
    pub source: String,
    /// Management networks to make; those of the host are not listed.
    pub networks: Vec<NetworkBlueprint>,
    /// The nodes, in the order of the lab; of nodes of several VMs the main ones.
    pub nodes: Vec<NodeBlueprint>,
    /// The VMs beside the main ones.
    pub parts: Vec<NodeBlueprint>,
    /// Contents of the day-0 media, by volume name.
    pub media: BTreeMap<String, MediaContent>,
    /// Configurations that are typed on consoles, by node: those of kinds that take none from a
    /// medium.
    pub typed: BTreeMap<String, String>,
    /// The process that frames pass through; `None` where all go directly.
    pub wire: Option<WireBlueprint>,
    /// How much of it may boot at one time.
    pub start: StartLimit,
}

impl Blueprint {
    /// The node of a name.
    pub fn node(&self, name: &str) -> Option<&NodeBlueprint> {
        self.nodes.iter().find(|node| node.node == name)
    }

    /// All VMs: each node, and behind it the VMs beside its main one.
    pub fn vms(&self) -> impl Iterator<Item = &NodeBlueprint> {
        self.nodes
            .iter()
            .flat_map(|node| std::iter::once(node).chain(self.parts_of(&node.node)))
    }

    /// The VMs of a node beside its main one.
    pub fn parts_of<'a>(&'a self, node: &'a str) -> impl Iterator<Item = &'a NodeBlueprint> {
        self.parts.iter().filter(move |part| part.node == node)
    }
}

/// A node, decided; of a node of several VMs one of them. What the two have in common stands in
/// both, so that each says by itself whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NodeBlueprint {
    /// The lab's name.
    pub lab: String,
    /// The node's name.
    pub node: String,
    /// Which VM of the node it is, such as `vfp`; `None` for the main one, and the only one of
    /// most nodes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub part: Option<String>,
    /// The node's number in the lab, from 1; generated addresses follow from it.
    pub number: u32,
    /// The kind that the lab names.
    pub kind: String,
    /// The kind whose guest boots: `kind` itself, or its stand-in.
    pub guest: String,
    /// Host name in the guest.
    pub hostname: String,
    /// The node's own loopback address on the host: its tunnels, its console and its forwarded
    /// SSH port are here unless the lab fixes them elsewhere.
    pub address: Ipv4Addr,
    /// The loopback address inside the guest, where its configuration is generated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub loopback: Option<Ipv4Addr>,
    /// How QEMU executes it.
    pub accelerator: Accelerator,
    /// The machine.
    pub machine: MachineBlueprint,
    /// Folder of our volumes on the host that runs the node.
    pub volume_folder: String,
    /// Disks and CD-ROMs, the boot disk first.
    pub drives: Vec<Drive>,
    /// NICs in PCI order.
    pub nics: Vec<Nic>,
    /// Whether data NICs lose their carrier when the node at the other end of a link is off.
    #[serde(skip_serializing_if = "CarrierPolicy::is_follow", default)]
    pub carrier: CarrierPolicy,
    /// The serial console.
    pub console: Console,
    /// Percent of a CPU of the host that each virtual CPU may take once it is ready, from 1 to 100;
    /// `None` for no limit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_limit_percent: Option<u32>,
    /// How one sees that it is up.
    pub ready: ReadyBlueprint,
    /// How one gets in from the host; `None` without management.
    pub access: Option<Access>,
    /// The nodes that it starts after.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub after: Vec<After>,
}

impl NodeBlueprint {
    /// How long it may take from its start until it is ready.
    pub fn boot_time(&self) -> Duration {
        self.accelerated(Duration::from_secs(self.ready.timeout_seconds))
    }

    /// How long after its start it counts as ready, whatever it shows; `None` for those that show
    /// it.
    pub fn ready_after(&self) -> Option<Duration> {
        let after = Duration::from_secs(self.ready.after_seconds?);
        Some(self.accelerated(after))
    }

    /// A time that its kind tells, where it runs: kinds tell theirs without acceleration, and in
    /// hardware a third is ample.
    pub fn accelerated(&self, time: Duration) -> Duration {
        match self.accelerator {
            Accelerator::Kvm => time / ACCELERATED_DIVISOR,
            Accelerator::Tcg => time,
        }
    }

    /// The domain's name: `LAB.NODE`, and `LAB.NODE.PART` beside the main VM.
    pub fn domain(&self) -> String {
        let node = domain_name(&self.lab, &self.node);
        match &self.part {
            Some(part) => format!("{node}.{part}"),
            None => node,
        }
    }

    /// Which VM of its lab it is.
    pub fn vm(&self) -> Vm<'_> {
        Vm {
            node: &self.node,
            part: self.part.as_deref(),
        }
    }

    /// The name to show: `r1`, and `r1:vfp` beside the main VM.
    pub fn shown_name(&self) -> String {
        self.vm().shown_name()
    }

    /// Where the wire's end for a NIC is bound: on the node's own loopback address, behind the
    /// ports of its tunnels. `None` for a NIC whose frames do not pass through the wire.
    pub fn wire_end(&self, nic: &Nic) -> Option<SocketAddr> {
        let NicRole::Data { index } = nic.role else {
            return None;
        };
        match nic.attachment {
            Attachment::Tunnel { remote, .. } if remote == wire_end(self.address, index) => {
                Some(remote)
            }
            _ => None,
        }
    }

    /// The name of an interface's end, `r1:eth1`.
    pub fn end_name(&self, nic: &Nic) -> String {
        end_name(&self.node, &nic.name)
    }

    /// The data NICs, by interface index.
    pub fn data_nics(&self) -> impl Iterator<Item = &Nic> {
        self.nics
            .iter()
            .filter(|nic| matches!(nic.role, NicRole::Data { .. }))
    }
}

/// A VM in its lab. Of one node the main VM comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vm<'a> {
    /// The node.
    pub node: &'a str,
    /// The part; `None` for the main VM.
    pub part: Option<&'a str>,
}

impl Vm<'_> {
    /// The name to show: `r1`, and `r1:vfp` beside the main VM.
    pub fn shown_name(self) -> String {
        match self.part {
            Some(part) => format!("{}:{part}", self.node),
            None => self.node.to_owned(),
        }
    }
}

/// Where the wire's end for a data interface is bound.
pub(crate) fn wire_end(address: Ipv4Addr, index: u32) -> SocketAddr {
    let offset = u16::try_from(index).expect("kinds have far fewer interfaces");
    SocketAddr::new(IpAddr::V4(address), WIRE_PORT + offset)
}

/// The name of an interface in its lab, `r1:eth1`.
pub fn end_name(node: &str, interface: &str) -> String {
    format!("{node}:{interface}")
}

/// The name of a link, `r1:eth1--r2:eth1`: those of its ends in the order in which they are written.
pub fn link_name(ends: [String; 2]) -> String {
    ends.join("--")
}

/// A domain's name. Names hold no dot, so two pairs never meet in one name.
pub fn domain_name(lab: &str, node: &str) -> String {
    format!("{lab}.{node}")
}

/// How QEMU executes a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accelerator {
    /// In hardware.
    Kvm,
    /// By translation, an order of magnitude slower.
    Tcg,
}

impl Accelerator {
    /// The word for people and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }
}

/// CPU, memory and firmware.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MachineBlueprint {
    /// QEMU's machine type.
    pub machine: Machine,
    /// Features of it that are not as QEMU has them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub machine_features: Vec<MachineSwitch>,
    /// What starts the guest.
    pub firmware: Firmware,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// CPU model; `None` leaves it to the accelerator.
    pub cpu_model: Option<String>,
    /// CPU features, `+name` or `-name`.
    pub cpu_features: Vec<String>,
    /// SMBIOS: table, field, text.
    pub smbios: Vec<(String, String, String)>,
    /// Number of serial ports.
    pub serial_ports: u32,
    /// The graphics adapter.
    pub video: Video,
    /// How QEMU caches what is written to its disks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disk_cache: Option<DiskCache>,
}

/// A disk or CD-ROM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Drive {
    /// Where it hangs.
    pub bus: Bus,
    /// What is in it.
    pub content: DriveContent,
}

impl Drive {
    /// Whether the guest sees a CD-ROM.
    pub fn is_cdrom(&self) -> bool {
        matches!(
            self.content,
            DriveContent::Media {
                device: MediaDevice::Cdrom,
                ..
            } | DriveContent::HostIso { .. }
        )
    }

    /// The volume that we make for it, if it is one of ours.
    pub fn volume(&self) -> Option<&str> {
        match &self.content {
            DriveContent::Overlay { volume, .. }
            | DriveContent::Empty { volume, .. }
            | DriveContent::Media { volume, .. } => Some(volume),
            DriveContent::HostIso { .. } => None,
        }
    }
}

/// What is in a drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum DriveContent {
    /// A qcow2 overlay of an image, which stays as it is.
    #[serde(rename_all = "kebab-case")]
    Overlay {
        /// Our volume.
        volume: String,
        /// Absolute path of the image.
        image_path: String,
        /// The image's format, as QEMU calls it.
        image_format: String,
        /// Size of the disk in bytes.
        size_bytes: u64,
    },
    /// An empty qcow2 disk.
    #[serde(rename_all = "kebab-case")]
    Empty {
        /// Our volume.
        volume: String,
        /// Size of the disk in bytes.
        size_bytes: u64,
    },
    /// A day-0 medium of ours; its content is in [`Blueprint::media`].
    #[serde(rename_all = "kebab-case")]
    Media {
        /// Our volume.
        volume: String,
        /// SHA-256 of the content, in hex: tells whether it changed.
        digest: String,
        /// SHA-256 of what the content would be if nothing were linked: tells whether the links
        /// are all that changed. Absent in records of versions that did not know it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        digest_without_links: Option<String>,
        /// What the guest sees.
        #[serde(skip_serializing_if = "MediaDevice::is_cdrom", default)]
        device: MediaDevice,
    },
    /// An ISO of the user, read only.
    #[serde(rename_all = "kebab-case")]
    HostIso {
        /// Absolute path.
        path: String,
    },
}

impl DriveContent {
    /// Whether the bytes are the same: of a medium, its digest alone counts.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let medium = |content: &Self| match content {
            Self::Media { volume, digest, .. } => Some((volume.clone(), digest.clone())),
            _ => None,
        };
        match (medium(self), medium(other)) {
            (Some(one), Some(other)) => one == other,
            _ => self == other,
        }
    }
}

/// What a guest sees a day-0 medium as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaDevice {
    /// A CD-ROM.
    #[default]
    Cdrom,
    /// A disk or, on the bus for those, a USB stick.
    Disk,
}

impl MediaDevice {
    /// Whether it is a CD-ROM.
    pub fn is_cdrom(&self) -> bool {
        *self == Self::Cdrom
    }
}

/// What a day-0 medium holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaContent {
    /// How files are laid out.
    pub filesystem: MediaFilesystem,
    /// The volume label.
    pub label: String,
    /// All files are in a tar.gz of this name, which is all that is on the medium.
    pub archive: Option<String>,
    /// Paths and contents, sorted by path.
    pub files: Vec<(String, Vec<u8>)>,
}

/// How files are laid out on a medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaFilesystem {
    /// ISO 9660.
    Iso {
        /// How file names are written.
        naming: MediaNaming,
    },
    /// FAT.
    Fat {
        /// Size of the disk in bytes.
        size_bytes: u64,
        /// Whether it is in a partition.
        partitioned: bool,
    },
}

/// How file names are written on an ISO 9660 image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaNaming {
    /// Upper case, eight characters and three.
    Level1,
    /// Upper case, at most 31 characters: what `mkisofs -l` gives.
    Plain,
    /// With the Joliet and Rock Ridge extensions, as cloud-init expects.
    Extended,
}

/// A NIC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Nic {
    /// What it is for.
    pub role: NicRole,
    /// The vendor's name of the interface.
    pub name: String,
    /// The model.
    pub model: NicModel,
    /// The MAC address.
    pub mac: String,
    /// Where its frames go.
    pub attachment: Attachment,
    /// Whether the guest sees a carrier.
    pub carrier: Carrier,
    /// The other end of the link, as `NODE:INTERFACE`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub peer: Option<String>,
    /// The segment that it is in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub segment: Option<String>,
    /// Addresses with prefix length, given by the lab or from its pool.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub addresses: Vec<String>,
    /// Largest frame payload in bytes, where the link says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mtu: Option<u32>,
}

impl Nic {
    /// The same NIC without what it has from its link. Its tunnel stays.
    pub fn without_link(&self) -> Self {
        Self {
            carrier: Carrier::Down,
            peer: None,
            segment: None,
            addresses: Vec::new(),
            mtu: None,
            ..self.clone()
        }
    }

    /// What it is joined to, in words: `r2:eth1` or `segment lan`.
    pub fn joined_to(&self) -> Option<String> {
        let segment = || Some(format!("segment {}", self.segment.as_ref()?));
        self.peer.clone().or_else(segment)
    }
}

/// What a NIC is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum NicRole {
    /// Reaching the node from the host.
    Management,
    /// Something that the guest keeps for itself.
    Dummy,
    /// A link between the VMs of one node.
    Internal,
    /// A data interface.
    Data {
        /// Its index, from 1.
        index: u32,
    },
}

/// Whether the guest sees a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carrier {
    /// It does.
    Up,
    /// It does not.
    Down,
}

/// Where a NIC's frames go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
pub enum Attachment {
    /// A UDP socket pair: one datagram is one frame.
    Tunnel {
        /// Bound here.
        local: SocketAddr,
        /// Frames are sent there.
        remote: SocketAddr,
    },
    /// A bridge: the host's own or that of a management network.
    Bridge {
        /// Its name.
        bridge: String,
    },
    /// QEMU's user-mode networking.
    User {
        /// Connections to this address of the host reach the guest's SSH server.
        ssh: SocketAddr,
    },
}

/// The serial console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Console {
    /// QEMU's telnet server listens here.
    pub listen: SocketAddr,
    /// All output since the start is recorded in this file of the host.
    pub log_path: String,
}

/// How one sees that a node is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReadyBlueprint {
    /// Texts of which one shows on the console.
    pub patterns: Vec<String>,
    /// Seconds since its start after which it counts as up, without acceleration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after_seconds: Option<u64>,
    /// Whether it counts as up once its SSH port greets.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub ssh: bool,
    /// How long it may take, in seconds.
    pub timeout_seconds: u64,
}

impl ReadyBlueprint {
    /// As a kind says it.
    pub(crate) fn of(ready: &Ready) -> Self {
        Self {
            patterns: ready.patterns.clone(),
            after_seconds: ready.after.map(|after| after.as_secs()),
            ssh: ready.ssh,
            timeout_seconds: ready.timeout.as_secs(),
        }
    }

    /// Whether nothing tells that the VM is up: then it counts as up once it was started.
    pub fn is_untold(&self) -> bool {
        self.patterns.is_empty() && self.after_seconds.is_none() && !self.ssh
    }
}

/// How one gets in from the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Access {
    /// The SSH server as seen from the host.
    pub ssh: SocketAddr,
    /// The address that the node has on its management interface.
    pub address: IpAddr,
    /// The same in IPv6, where the lab's management has it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv6: Option<Ipv6Addr>,
    /// The user to log in as, where the kind has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// Who made that user.
    #[serde(skip_serializing_if = "UserOrigin::is_made", default)]
    pub user_origin: UserOrigin,
}

/// Who made the user that one logs in as; its password depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserOrigin {
    /// The generated part of the first configuration.
    #[default]
    Made,
    /// The vendor: it is in the image.
    Shipped,
}

impl UserOrigin {
    fn is_made(&self) -> bool {
        *self == Self::Made
    }
}

/// A management network that we make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NetworkBlueprint {
    /// The lab's name.
    pub lab: String,
    /// libvirt's name of the network.
    pub name: String,
    /// The bridge.
    pub bridge: String,
    /// How it forwards.
    pub forward: Forward,
    /// The host's own address on it.
    pub gateway: Ipv4Addr,
    /// Length of the network's prefix.
    pub prefix_length: u8,
    /// The same in IPv6, where the lab asks for it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv6: Option<NetworkIpv6>,
    /// DHCP leases, fixed by MAC address. They may change while the network runs.
    pub leases: Vec<Lease>,
}

/// The IPv6 side of a management network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct NetworkIpv6 {
    /// The host's own address on it.
    pub gateway: Ipv6Addr,
    /// Length of the network's prefix.
    pub prefix_length: u8,
}

/// How a network forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forward {
    /// With address translation.
    Nat,
    /// Routed by the host.
    Route,
}

/// A DHCP lease.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lease {
    /// For this MAC address.
    pub mac: String,
    /// This address.
    pub address: Ipv4Addr,
    /// The node's name, which DNS answers too.
    pub name: String,
    /// The IPv6 address that DNS answers beside the other: DHCPv6 knows no MAC addresses, so that
    /// it is given to the node by its first configuration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv6: Option<Ipv6Addr>,
}

impl Lease {
    /// Whether another one has the same name and IPv4 address for the same MAC address.
    pub fn is_same_in_ipv4(&self, other: &Self) -> bool {
        (&self.mac, self.address, &self.name) == (&other.mac, other.address, &other.name)
    }
}
