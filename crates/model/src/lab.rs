//! A lab that makes sense: every kind is known, every interface exists, every link joins two.
//!
//! Made by [`crate::resolve`] only, so that what holds here needs no second look. Choices that
//! depend on the host (addresses, ports, volumes) are not made yet; [`crate::allocate`] makes
//! them.

use crate::blueprint::{After, JunctionKind, JunctionState, WireEnd, end_name};
use crate::day0::Startup;
use crate::kind::{Dialect, Kind, Login, MediaForm, Part};
use crate::lab_check::LabCheck;
use crate::mac::MacAddress;
use crate::name::Name;
use crate::span::Span;
use crate::spec::{ImageSpec, ManagementMode, NetworkSpec, Transport, WireSpec};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use vnflab_impairment::Impairment;

/// A lab.
#[derive(Debug, Clone)]
pub struct Lab {
    /// Whether nothing of it is hidden by mistakes: what is left of a lab with errors is checked as
    /// well, and what it lacks may then be such a part.
    pub is_whole: bool,
    /// Its name, with the place where it is said.
    pub name: Name,
    /// Where the name is said.
    pub name_span: Span,
    /// The nodes, in the order of the file; their names differ (without case).
    pub nodes: Vec<Node>,
    /// The links; no two share an end.
    pub links: Vec<Link>,
    /// The segments, and the links of which an end is not in the lab; nothing else shares their
    /// members.
    pub segments: Vec<Segment>,
    /// What shall be true of it once it runs; names are written as the lab has them.
    pub checks: Vec<LabCheck>,
    /// How frames of interfaces that no link uses would travel.
    pub transport: Transport,
    /// What all chance on links follows from, if the lab says.
    pub seed: Option<u64>,
    /// What is said of the wire.
    pub wire: WireSpec,
    /// Files that its profiles of impairments name.
    pub profile_files: Vec<NamedFile>,
    /// How the nodes are managed.
    pub management: Management,
    /// Pool of loopback addresses.
    pub loopback_pool: Ipv4Net,
    /// Pool of link subnets.
    pub link_pool: Ipv4Net,
    /// Where all consoles listen; `None` for each node's own loopback address.
    pub console_address: Option<IpAddr>,
    /// Where that is said.
    pub console_span: Option<Span>,
    /// Most nodes that boot at one time; `None` leaves it to the host.
    pub batch: Option<u32>,
    /// Values for templates, where a node says nothing else.
    pub variables: serde_json::Map<String, serde_json::Value>,
}

impl Lab {
    /// Loopbacks come from here unless the lab says otherwise.
    pub const LOOPBACK_POOL: &'static str = "10.255.0.0/16";
    /// Link subnets come from here unless the lab says otherwise. It stays clear of 10.0.2.0/24,
    /// which QEMU's user-mode networking uses.
    pub const LINK_POOL: &'static str = "10.128.0.0/10";

    /// Sends all frames one way, whatever the lab and its links say.
    pub fn override_transport(&mut self, transport: Transport) {
        self.transport = transport;
        for link in &mut self.links {
            link.transport = transport;
        }
        for segment in &mut self.segments {
            segment.transport = transport;
        }
    }

    /// The files that impairments name.
    pub fn impairment_files(&self) -> impl Iterator<Item = &NamedFile> {
        let links = self.links.iter().map(|link| &link.asked);
        let segments = self.segments.iter().map(|segment| &segment.asked);
        let asked = links.chain(segments).flat_map(|asked| &asked.files);
        self.profile_files.iter().chain(asked)
    }

    /// The name of an end, `r1:eth1`.
    ///
    /// # Panics
    ///
    /// When the end is not of this lab.
    pub fn end_name(&self, end: End) -> String {
        end_name(
            self.nodes[end.node].name.as_str(),
            &self.interface(end).name,
        )
    }

    /// The name of a member, `r1:eth1` or `host:eth1`.
    ///
    /// # Panics
    ///
    /// When it is an interface that is not of this lab.
    pub fn member_name(&self, member: &Member) -> String {
        match member {
            Member::Interface(end) => self.end_name(*end),
            Member::Outside { name, .. } => name.clone(),
        }
    }

    /// The interface at an end of a link.
    ///
    /// # Panics
    ///
    /// When the end is not of this lab.
    pub fn interface(&self, end: End) -> &Interface {
        &self.nodes[end.node].interfaces[end.interface]
    }
}

/// A VM running a VNF.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name.
    pub name: Name,
    /// Where the name stands.
    pub span: Span,
    /// Its hardware and the names of its interfaces.
    pub kind: Arc<Kind>,
    /// Whose guest boots in it: `kind` itself, or the kind that stands in for it.
    pub guest: Arc<Kind>,
    /// The disk image.
    pub image: ImageSpec,
    /// Where the image is named; the node's place where it is not.
    pub image_span: Span,
    /// The VMs beside the main one. A stand-in boots alone and has none.
    pub parts: Vec<NodePart>,
    /// Virtual CPUs of the main VM, at least 1.
    pub cpus: u32,
    /// Where the CPUs are given, if they are.
    pub cpus_span: Option<Span>,
    /// Percent of a CPU of the host that each virtual CPU may take once the node is ready, from 1
    /// to 100.
    pub cpu_limit_percent: Option<u32>,
    /// Where the limit is given, if it is not the kind's.
    pub cpu_limit_span: Option<Span>,
    /// Memory of the main VM in MiB.
    pub memory_mib: u64,
    /// Host name in the guest.
    pub hostname: String,
    /// Data interfaces by index, the first has index 1.
    pub interfaces: Vec<Interface>,
    /// MAC address of the management interface, if fixed.
    pub management_mac: Option<MacAddress>,
    /// Where it is given.
    pub management_mac_span: Option<Span>,
    /// Address on the management network, if fixed.
    pub management_ipv4: Option<Ipv4Addr>,
    /// Where it is given.
    pub management_ipv4_span: Option<Span>,
    /// IPv6 address on the management network, if fixed.
    pub management_ipv6: Option<Ipv6Addr>,
    /// Where it is fixed.
    pub management_ipv6_span: Option<Span>,
    /// Host bridge of the management interface, if the node has its own.
    pub management_bridge: Option<String>,
    /// TCP port of the console, if fixed, with its place.
    pub console_port: Option<(u16, Span)>,
    /// The first configuration, if given.
    pub startup_config: Option<StartupConfig>,
    /// Where it is given.
    pub startup_config_span: Option<Span>,
    /// Whether what management needs is added to its configuration.
    pub management_config: bool,
    /// A ready-made day-0 medium, relative to the lab's folder.
    pub config_medium: Option<(String, Span)>,
    /// An ISO to insert, relative to the lab's folder.
    pub cdrom: Option<(String, Span)>,
    /// The nodes that it starts after; nobody waits for himself.
    pub after: Vec<After>,
    /// Values for templates, by name.
    pub variables: serde_json::Map<String, serde_json::Value>,
}

impl Lab {
    /// Leaves out the configurations of all nodes but one, with whatever may be wrong with them. What
    /// follows from their being there stays as it is: the addresses of links, for example.
    pub fn without_configurations_but(&mut self, name: &str) {
        let others = self.nodes.iter_mut();
        for node in others.filter(|node| node.name.as_str() != name) {
            let is_read = node.guest.day0.takes_config() || node.guest.provision.is_some();
            let empty = || StartupConfig::Inline(String::new());
            node.startup_config = node
                .startup_config
                .take()
                .filter(|_| is_read)
                .map(|_| empty());
            node.cdrom = None;
            node.config_medium = None;
        }
    }
}

/// A VM of a node beside the main one.
#[derive(Debug, Clone)]
pub struct NodePart {
    /// What its kind says of it.
    pub of_kind: Part,
    /// Its disk image.
    pub image: ImageSpec,
    /// Where the image is named; the node's place where it is not.
    pub image_span: Span,
}

impl Node {
    /// The images of all its VMs, each with the place where it is named.
    pub fn images(&self) -> impl Iterator<Item = (&ImageSpec, Span)> {
        let parts = self.parts.iter();
        let parts = parts.map(|part| (&part.image, part.image_span));
        std::iter::once((&self.image, self.image_span)).chain(parts)
    }

    /// The position of the part whose NICs the data interfaces are; `None` for the main VM.
    pub fn data_part(&self) -> Option<usize> {
        self.kind
            .data_part()
            .filter(|part| *part < self.parts.len())
    }

    /// Memory of all its VMs in MiB.
    pub fn whole_memory_mib(&self) -> u64 {
        let parts = self.parts.iter();
        let parts = parts.map(|part| part.of_kind.hardware.memory_mib);
        parts.fold(self.memory_mib, u64::saturating_add)
    }

    /// Virtual CPUs of all its VMs.
    pub fn whole_cpus(&self) -> u32 {
        let parts = self.parts.iter();
        let parts = parts.map(|part| part.of_kind.hardware.cpus);
        parts.fold(self.cpus, u32::saturating_add)
    }

    /// The dialect in which a configuration is generated when none is given.
    pub fn dialect(&self) -> Dialect {
        self.guest.day0.dialect
    }

    /// Whether its configuration is a template.
    pub fn has_template(&self) -> bool {
        match &self.startup_config {
            Some(StartupConfig::File(path, _)) => path.ends_with(Startup::TEMPLATE_ENDING),
            Some(StartupConfig::Inline(_)) | None => false,
        }
    }

    /// The login that it has once it read its first configuration; `None` where there is none, or
    /// only one by key.
    pub fn login_after_day0(&self) -> Option<&Login> {
        let made = self.guest.day0.login.as_ref();
        made.filter(|_| self.has_management_config())
            .or(self.guest.login.as_ref())
    }

    /// Whether a template of its kind for what management needs goes onto its medium.
    pub fn has_management_config(&self) -> bool {
        let day0 = &self.guest.day0;
        let is_wanted = self.management_config && self.config_medium.is_none();
        let is_taken = day0.takes_config() || self.guest.types_configuration();
        is_wanted && is_taken && day0.management.is_some()
    }

    /// Whether what is generated gives the management interface an IPv6 address where the lab has
    /// one for it.
    pub fn is_given_ipv6(&self) -> bool {
        const FACT: &str = "management.ipv6";
        let day0 = &self.guest.day0;
        let of_kind = day0.management.as_ref();
        let by_kind = of_kind.is_some_and(|text| text.contains(FACT));
        let is_cloud = matches!(day0.form, MediaForm::Nocloud | MediaForm::ConfigDrive);
        let by_cloud = is_cloud && self.management_config && self.config_medium.is_none();
        let by_smbios = day0.smbios.iter().any(|field| field.value.contains(FACT));
        by_cloud || by_smbios || (by_kind && self.has_management_config())
    }

    /// Whether another kind's image boots in place of its own.
    pub fn is_stand_in(&self) -> bool {
        self.guest.name != self.kind.name
    }
}

/// A first configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartupConfig {
    /// The text itself.
    Inline(String),
    /// A file, relative to the lab's folder, and where it is named.
    File(String, Span),
}

/// A data interface of a node.
#[derive(Debug, Clone)]
pub struct Interface {
    /// From 1.
    pub index: u32,
    /// The vendor's name.
    pub name: String,
    /// MAC address, if fixed.
    pub mac: Option<MacAddress>,
    /// Where it is given.
    pub mac_span: Option<Span>,
    /// Addresses given by the lab.
    pub addresses: Vec<IpNet>,
    /// Where they are given, one place for each.
    pub address_spans: Vec<Span>,
    /// Largest frame payload in bytes, if the link says.
    pub mtu: Option<u32>,
    /// Fixed ports of its tunnel (the origin's way).
    pub tunnel: Option<FixedTunnel>,
}

/// The ports of a tunnel, as the lab fixes them; both on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedTunnel {
    /// Frames are sent to this port.
    pub remote_port: u16,
    /// This port is bound.
    pub local_port: u16,
    /// Whether a peer points back; if not, the interface is not connected.
    pub connected: bool,
    /// Where the local port stands.
    pub span: Span,
}

/// One end of a link: positions in [`Lab::nodes`] and [`Node::interfaces`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    /// Position of the node.
    pub node: usize,
    /// Position of the interface (its index less one).
    pub interface: usize,
}

/// Two interfaces, joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The ends.
    pub ends: [End; 2],
    /// How its frames travel.
    pub transport: Transport,
    /// What is asked of its frames: of those of the first end, and of those of the second.
    pub asked: Asked,
    /// Where it stands.
    pub span: Span,
}

/// What is asked of a link or segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Whether it begins cut.
    pub state: JunctionState,
    /// What is done to the frames that each member sends, in the order of the members. Files
    /// are named and not attached yet.
    pub impairments: Vec<Impairment>,
    /// The files.
    pub files: Vec<NamedFile>,
    /// Where the first of it stands; `None` where nothing is asked.
    pub place: Option<Span>,
}

/// A file that a setting of an impairment names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The setting's key.
    pub key: &'static str,
    /// Its whole value.
    pub value: String,
    /// The path in it, relative to the lab's folder.
    pub path: String,
    /// Where it stands.
    pub span: Span,
}

/// What joins members that need not be two, nor in the lab. Only a wire can do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its name: of a link, those of its ends.
    pub name: String,
    /// What it does with a frame.
    pub kind: JunctionKind,
    /// Its members.
    pub members: Vec<Member>,
    /// How its frames shall travel.
    pub transport: Transport,
    /// What is asked of its frames.
    pub asked: Asked,
    /// Where it stands.
    pub span: Span,
}

/// A member of a segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// A data interface of a node.
    Interface(End),
    /// Something that is not in the lab.
    Outside {
        /// As it is written, such as `host:eth1`.
        name: String,
        /// What it is.
        end: WireEnd,
    },
}

/// How the nodes of a lab are managed.
#[derive(Debug, Clone, Default)]
pub struct Management {
    /// The way; `None` leaves it to what the connection allows.
    pub mode: Option<ManagementMode>,
    /// The bridge to use or to make, if the lab names one.
    pub bridge: Option<String>,
    /// The subnet, if the lab gives it.
    pub ipv4_subnet: Option<Ipv4Net>,
    /// The IPv6 subnet; without it management has no IPv6.
    pub ipv6_subnet: Option<Ipv6Net>,
    /// Where the settings are written that only networks of the host heed, each with what it is.
    pub network_spans: Vec<(&'static str, Span)>,
    /// Bridges that have their own subnet.
    pub networks: Vec<NetworkSpec>,
}
