//! A lab as the user wrote it, whatever the format, every value with its place.
//!
//! Every format reader ends here and everything behind it knows one form. Nothing is resolved
//! yet: a kind is a word, an interface is a text. [`crate::resolve`] makes a [`crate::lab::Lab`].

use crate::blueprint::{CarrierPolicy, JunctionKind, JunctionState, Metrics, Until};
use crate::lab_check::LabCheck;
use crate::mac::MacAddress;
use crate::span::{Span, Spanned};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vnflab_impairment::Settings;
use vnflab_impairment::unit::{Duration, Percent};

/// A lab as written.
#[derive(Debug, Clone)]
pub struct LabSpec {
    /// The lab's name: written in the file, else that of its file or folder.
    pub name: Spanned<String>,
    /// The nodes, in the order of the file.
    pub nodes: Vec<NodeSpec>,
    /// The links, in the order of the file.
    pub links: Vec<LinkSpec>,
    /// The segments, in the order of the file.
    pub segments: Vec<SegmentSpec>,
    /// What shall be true of the running lab, in the order of the file.
    pub checks: Vec<CheckSpec>,
    /// Profiles of impairments, in the order of the file.
    pub profiles: Vec<(Spanned<String>, SettingsSpec)>,
    /// What all chance follows from; it follows from the lab's name by default.
    pub seed: Option<Spanned<u64>>,
    /// What is said of the wire.
    pub wire: WireSpec,
    /// How frames travel where a link does not say.
    pub transport: Transport,
    /// What is said of the management network.
    pub management: ManagementSpec,
    /// Pools from which addresses are taken where the lab gives none.
    pub addressing: AddressingSpec,
    /// Where consoles listen: the node's own loopback address unless the lab says otherwise.
    pub console_address: Option<Spanned<IpAddr>>,
    /// Most nodes that boot at one time; what the host bears where it is not said.
    pub batch: Option<Spanned<u32>>,
    /// Values for templates, where a node says nothing else.
    pub variables: serde_json::Map<String, serde_json::Value>,
}

/// A node as written, with the lab's defaults already filled in.
#[derive(Debug, Clone)]
pub struct NodeSpec {
    /// Its name.
    pub name: Spanned<String>,
    /// The word for its kind.
    pub kind: Spanned<String>,
    /// The image, or those of its parts.
    pub image: Option<Spanned<ImagesSpec>>,
    /// Virtual CPUs.
    pub cpus: Option<Spanned<u32>>,
    /// Percent of a CPU of the host for each virtual CPU once it is ready, from 1 to 100.
    pub cpu_limit_percent: Option<Spanned<u32>>,
    /// Memory in MiB.
    pub memory_mib: Option<Spanned<u64>>,
    /// How many data interfaces it has.
    pub interface_count: Option<Spanned<u32>>,
    /// MAC address of the management interface.
    pub mac: Option<Spanned<MacAddress>>,
    /// Address on the management network.
    pub management_ipv4: Option<Spanned<Ipv4Addr>>,
    /// IPv6 address on the management network.
    pub management_ipv6: Option<Spanned<Ipv6Addr>>,
    /// Host bridge of the management interface.
    pub management_bridge: Option<Spanned<String>>,
    /// TCP port of the console.
    pub console_port: Option<Spanned<u16>>,
    /// The first configuration.
    pub startup_config: Option<Spanned<StartupConfigSpec>>,
    /// Whether what management needs is added to its configuration.
    pub management_config: Option<Spanned<bool>>,
    /// A ready-made day-0 medium, relative to the lab's folder.
    pub config_medium: Option<Spanned<String>>,
    /// An ISO to insert, relative to the lab's folder.
    pub cdrom: Option<Spanned<String>>,
    /// Host name in the guest, where it is not the node's name.
    pub hostname: Option<Spanned<String>>,
    /// The nodes that it starts after, and how far those must be.
    pub after: Vec<(Spanned<String>, Until)>,
    /// Values for templates, by name.
    pub variables: serde_json::Map<String, serde_json::Value>,
    /// Tunnels with fixed ports, the n-th for the n-th data interface (the origin's way).
    pub tunnels: Vec<Spanned<TunnelSpec>>,
}

/// The images of a node as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImagesSpec {
    /// That of the main VM, which is the only one of most kinds.
    Main(ImageSpec),
    /// Those of some of its VMs, by name.
    OfParts(Vec<(Spanned<String>, Spanned<ImageSpec>)>),
}

/// An image as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageSpec {
    /// A path relative to the lab's folder, or absolute.
    Path(String),
    /// A name in the image store.
    Stored(String),
}

/// A first configuration as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartupConfigSpec {
    /// The text itself.
    Inline(String),
    /// A file, relative to the lab's folder.
    File(String),
}

/// The two ports of a tunnel with fixed ports, on 127.0.0.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelSpec {
    /// The port that frames are sent to (the origin's `s_port`).
    pub remote_port: Spanned<u16>,
    /// The port that is bound (the origin's `d_port`).
    pub local_port: Spanned<u16>,
}

impl TunnelSpec {
    /// The origin binds this port to say "not connected"; any number of interfaces may.
    pub const IDLE_LOCAL_PORT: u16 = 10000;

    /// Whether the interface is explicitly not connected.
    pub fn is_idle(&self) -> bool {
        self.local_port.value == Self::IDLE_LOCAL_PORT
    }
}

/// How frames travel from one interface to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Through the lab's wire, which can show, change and cut every link.
    Wire,
    /// From QEMU to QEMU: nothing is between them, and nothing can be done.
    Direct,
}

impl Transport {
    /// All of them, in the order of [`Self::WORDS`].
    pub const ALL: [Self; 2] = [Self::Wire, Self::Direct];

    /// How they are written.
    pub const WORDS: &'static [&'static str] = &["wire", "direct"];
}

/// A link as written.
#[derive(Debug, Clone)]
pub struct LinkSpec {
    /// The two ends.
    pub ends: [EndSpec; 2],
    /// How its frames travel, where it is not the lab's way.
    pub transport: Option<Spanned<Transport>>,
    /// What is asked of its frames.
    pub asked: AskedSpec,
    /// Largest frame payload in bytes.
    pub mtu: Option<Spanned<u32>>,
    /// The whole entry.
    pub span: Span,
}

/// A segment of many as written.
#[derive(Debug, Clone)]
pub struct SegmentSpec {
    /// Its name.
    pub name: Spanned<String>,
    /// What it does with a frame.
    pub kind: JunctionKind,
    /// What is asked of its frames.
    pub asked: AskedSpec,
    /// Its members.
    pub members: Vec<EndSpec>,
}

/// A check as written: its names are looked up later, and its settings too.
#[derive(Debug, Clone)]
pub struct CheckSpec {
    /// All of it but the settings.
    pub check: LabCheck,
    /// Settings of steps that impair, by the step's position.
    pub settings: BTreeMap<usize, SettingsSpec>,
}

/// What is said of the wire as a whole.
#[derive(Debug, Clone, Default)]
pub struct WireSpec {
    /// Where the counters can be read.
    pub metrics: Option<Metrics>,
    /// Whether interfaces lose their carrier when the other end's node is off.
    pub carrier: Option<CarrierPolicy>,
}

/// What is asked of the frames of a link or segment, as written. The default asks for nothing.
#[derive(Debug, Clone, Default)]
pub struct AskedSpec {
    /// Whether it begins cut.
    pub state: JunctionState,
    /// In every direction.
    pub both: Option<SettingsSpec>,
    /// For the frames that an end sends, laid over the former.
    pub from: Vec<(Spanned<String>, SettingsSpec)>,
    /// For some frames.
    pub rules: Vec<RuleSpec>,
    /// By chance.
    pub markov: Option<MarkovSpec>,
    /// By time.
    pub schedule: Vec<ChangeSpec>,
    /// Where the first of it stands; `None` where nothing is written.
    pub place: Option<Span>,
}

/// Settings as written: every value is read but the name of the profile.
#[derive(Debug, Clone)]
pub struct SettingsSpec {
    /// The profile that they stand on.
    pub profile: Option<Spanned<String>>,
    /// All others.
    pub own: Settings,
    /// Where each key's value stands.
    pub places: Vec<(&'static str, Span)>,
    /// Where all of it stands.
    pub span: Span,
}

/// A rule as written.
#[derive(Debug, Clone)]
pub struct RuleSpec {
    /// A filter expression that can be compiled.
    pub matches: String,
    /// The end that sends the frames; `None` for every end.
    pub from: Option<Spanned<String>>,
    /// Whether no frame passes.
    pub drops: bool,
    /// What holds for those that do.
    pub settings: SettingsSpec,
}

/// Settings that follow each other by chance, as written.
#[derive(Debug, Clone)]
pub struct MarkovSpec {
    /// How often the state may change.
    pub every: Duration,
    /// The states; it begins with the first.
    pub states: Vec<(Spanned<String>, SettingsSpec)>,
    /// From a state to another, with its probability.
    pub transitions: Vec<(Spanned<String>, Spanned<String>, Percent)>,
    /// Where it stands.
    pub span: Span,
}

/// A change at a given time, as written.
#[derive(Debug, Clone)]
pub struct ChangeSpec {
    /// How long after the link was set up.
    pub at: Duration,
    /// What happens then.
    pub then: Then,
}

/// What a change does, as written.
#[derive(Debug, Clone)]
pub enum Then {
    /// The link is cut.
    Down,
    /// It is restored.
    Up,
    /// It asks for nothing any more.
    Reset,
    /// Settings are laid over those that hold.
    Set(Box<SettingsSpec>),
}

/// One end of a link or segment as written.
#[derive(Debug, Clone)]
pub struct EndSpec {
    /// The node's name, or a word for what is not in the lab, such as `host`.
    pub node: Spanned<String>,
    /// The interface's name, or what such a word needs.
    pub interface: Spanned<String>,
    /// Addresses of the interface.
    pub addresses: Vec<Spanned<IpNet>>,
    /// MAC address of the interface.
    pub mac: Option<Spanned<MacAddress>>,
}

/// What is said of the management network.
#[derive(Debug, Clone, Default)]
pub struct ManagementSpec {
    /// How management reaches the nodes; by default what the connection allows.
    pub mode: Option<Spanned<ManagementMode>>,
    /// An existing host bridge, or the name of the bridge to make.
    pub bridge: Option<Spanned<String>>,
    /// The subnet; chosen free by default.
    pub ipv4_subnet: Option<Spanned<ipnet::Ipv4Net>>,
    /// The IPv6 subnet; none by default.
    pub ipv6_subnet: Option<Spanned<ipnet::Ipv6Net>>,
    /// Bridges with their own subnets and modes (the origin has two).
    pub networks: Vec<NetworkSpec>,
}

/// One management network by its bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSpec {
    /// The bridge.
    pub bridge: String,
    /// The subnet.
    pub ipv4_subnet: ipnet::Ipv4Net,
}

/// How management reaches the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagementMode {
    /// A libvirt network with NAT (needs `qemu:///system`).
    Nat,
    /// A libvirt network that the host routes (needs `qemu:///system`).
    Route,
    /// User-mode networking with a forwarded SSH port; needs no rights.
    User,
    /// No management interface is connected.
    None,
}

impl ManagementMode {
    /// All of them, in the order of [`Self::WORDS`].
    pub const ALL: [Self; 4] = [Self::Nat, Self::Route, Self::User, Self::None];

    /// How they are written.
    pub const WORDS: &'static [&'static str] = &["nat", "route", "user", "none"];
}

/// Pools of addresses.
#[derive(Debug, Clone, Default)]
pub struct AddressingSpec {
    /// One address a router.
    pub loopbacks: Option<Spanned<ipnet::Ipv4Net>>,
    /// One /31 a link.
    pub links: Option<Spanned<ipnet::Ipv4Net>>,
}
