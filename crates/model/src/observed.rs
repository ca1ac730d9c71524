//! What was seen on a libvirt connection, and of the wires beside it: facts, never wishes.

use crate::blueprint::{Accelerator, Carrier, NetworkBlueprint, Nic, NodeBlueprint, WireBlueprint};
use crate::record::NodeRecord;
use crate::typing::Typing;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What exists.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// Domains that carry our metadata, of all labs.
    pub domains: Vec<ObservedDomain>,
    /// Networks that carry our metadata, of all labs.
    pub networks: Vec<ObservedNetwork>,
    /// Volumes of our pool whose names are of our form, of all labs.
    pub volumes: Vec<ObservedVolume>,
    /// Names of domains that are not ours.
    pub foreign_domains: BTreeSet<String>,
    /// Names of networks that are not ours.
    pub foreign_networks: BTreeSet<String>,
    /// Bridges that belong to networks that are not ours.
    pub foreign_bridges: BTreeSet<String>,
    /// Wires, by lab.
    pub wires: BTreeMap<String, ObservedWire>,
}

impl Observed {
    /// The domain of a node; of several the main one.
    pub fn domain(&self, lab: &str, node: &str) -> Option<&ObservedDomain> {
        let mut vms = self.vms_of_node(lab, node);
        vms.find(|domain| domain.record.blueprint.part.is_none())
    }

    /// The nodes of a lab, by their main domains.
    pub fn of_lab<'a>(&'a self, lab: &'a str) -> impl Iterator<Item = &'a ObservedDomain> {
        let vms = self.vms_of_lab(lab);
        vms.filter(|domain| domain.record.blueprint.part.is_none())
    }

    /// All domains of a lab.
    pub fn vms_of_lab<'a>(&'a self, lab: &str) -> impl Iterator<Item = &'a ObservedDomain> {
        self.domains
            .iter()
            .filter(move |domain| domain.record.blueprint.lab == lab)
    }

    /// All domains of a node.
    pub fn vms_of_node<'a>(
        &'a self,
        lab: &str,
        node: &str,
    ) -> impl Iterator<Item = &'a ObservedDomain> {
        let vms = self.vms_of_lab(lab);
        vms.filter(move |domain| domain.record.blueprint.node == node)
    }

    /// The domain that an interface of a node is at, and the NIC. `end` is `NODE:INTERFACE`.
    pub fn nic(&self, lab: &str, end: &str) -> Option<(&ObservedDomain, &Nic)> {
        let (node, interface) = end.split_once(':')?;
        let mut vms = self.vms_of_node(lab, node);
        vms.find_map(|domain| {
            let mut nics = domain.record.blueprint.data_nics();
            let nic = nics.find(|nic| nic.name == interface)?;
            Some((domain, nic))
        })
    }

    /// Whether all VMs of a node run; `None` where there is no such node.
    pub fn runs(&self, lab: &str, node: &str) -> Option<bool> {
        let mut vms = self.vms_of_node(lab, node).peekable();
        vms.peek()?;
        Some(vms.all(|domain| domain.state == DomainState::Running))
    }

    /// A node as a whole, with the NICs of all its VMs: for those who look at its interfaces.
    pub fn whole(&self, lab: &str, node: &str) -> Option<NodeBlueprint> {
        let mut whole = self.domain(lab, node)?.record.blueprint.clone();
        for domain in self.vms_of_node(lab, node) {
            let other = &domain.record.blueprint;
            if other.part.is_some() {
                whole.nics.extend(other.data_nics().cloned());
            }
        }
        Some(whole)
    }

    /// The names of all labs.
    pub fn labs(&self) -> BTreeSet<&str> {
        let domains = self
            .domains
            .iter()
            .map(|domain| domain.record.blueprint.lab.as_str());
        let networks = self
            .networks
            .iter()
            .map(|network| network.blueprint.lab.as_str());
        let volumes = self.volumes.iter().map(|volume| volume.name.lab.as_str());
        let wires = self.wires.keys().map(String::as_str);
        domains
            .chain(networks)
            .chain(volumes)
            .chain(wires)
            .collect()
    }
}

/// A domain of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedDomain {
    /// libvirt's name.
    pub name: String,
    /// What it was made from.
    pub record: NodeRecord,
    /// Whether it runs.
    pub state: DomainState,
    /// Process id of its QEMU, when it runs on this host and can be known.
    pub process: Option<u32>,
    /// The carriers that its interfaces have now, by MAC address.
    pub carriers: BTreeMap<String, Carrier>,
    /// Percent of a CPU of the host that each virtual CPU may take now; `None` for no limit.
    pub cpu_limit_percent: Option<u32>,
    /// How far the typing on its console is; `None` where nothing was typed.
    pub typing: Option<Typing>,
    /// Time since its start, where it runs and that was looked at.
    pub uptime: Option<Duration>,
}

/// Whether a domain runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainState {
    /// It does (a guest that is shutting down still does).
    Running,
    /// Its CPUs are held.
    Paused,
    /// It does not.
    Off,
    /// QEMU or the guest crashed.
    Crashed,
}

impl DomainState {
    /// Whether it has a QEMU with a guest in it: it runs or is held.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }

    /// The word for people and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Off => "off",
            Self::Crashed => "crashed",
        }
    }
}

/// A network of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedNetwork {
    /// What it was made from, with the leases that it has now.
    pub blueprint: NetworkBlueprint,
    /// Whether it runs.
    pub state: NetworkState,
}

/// Whether a network runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NetworkState {
    /// It does.
    Active,
    /// It does not.
    Inactive,
}

/// The wire of a lab.
#[derive(Debug, Clone, PartialEq)]
pub enum ObservedWire {
    /// It does not run, though something of it is left: what it was is known.
    Stopped,
    /// It runs.
    Running {
        /// Version of the program that runs.
        version: String,
        /// What it is now, with all that was changed by hand.
        config: WireBlueprint,
        /// Ends that a schedule cuts off now: their frames do not pass, though their link is up.
        cut: BTreeSet<String>,
    },
}

impl ObservedWire {
    /// What it is now, if it runs.
    pub fn config(&self) -> Option<&WireBlueprint> {
        match self {
            Self::Stopped => None,
            Self::Running { config, .. } => Some(config),
        }
    }

    /// Whether a schedule cuts an end off, or the other one of its link.
    pub fn is_cut(&self, end: &str, peer: Option<&str>) -> bool {
        match self {
            Self::Stopped => false,
            Self::Running { cut, .. } => {
                cut.contains(end) || peer.is_some_and(|peer| cut.contains(peer))
            }
        }
    }
}

/// A volume of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedVolume {
    /// Its name, taken apart.
    pub name: VolumeName,
    /// Path of the image that it is an overlay of.
    pub backing_path: Option<String>,
    /// Size that the guest sees, in bytes.
    pub capacity_bytes: u64,
    /// Size that it takes up, in bytes.
    pub allocation_bytes: u64,
}

/// The name of one of our volumes: `vnflab1.LAB.NODE.PART.EXTENSION`.
///
/// libvirt gives volumes no metadata element, so the name carries it: whose it is, and the
/// version of the form (the digit). A file in our pool with another name is not ours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumeName {
    /// The lab.
    pub lab: String,
    /// The node.
    pub node: String,
    /// What it is of the node: `disk`, `extra1`, `day0`.
    pub part: String,
    /// `qcow2` or `iso`.
    pub extension: String,
}

impl VolumeName {
    /// Begins every name; the digit is the version of the form.
    pub const PREFIX: &'static str = "vnflab1";

    /// The name of a part of a node.
    pub fn new(lab: &str, node: &str, part: &str, extension: &str) -> Self {
        let own = str::to_owned;
        Self {
            lab: own(lab),
            node: own(node),
            part: own(part),
            extension: own(extension),
        }
    }

    /// Whether a guest writes to it, so that it cannot be made again.
    pub fn is_disk(&self) -> bool {
        self.extension == "qcow2"
    }

    /// Takes a name apart; `None` for a name that is not of our form.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('.').collect();
        let [Self::PREFIX, lab, node, part, extension] = parts[..] else {
            return None;
        };
        let named = [lab, node, part, extension]
            .iter()
            .all(|part| !part.is_empty());
        named.then(|| Self::new(lab, node, part, extension))
    }
}

impl std::fmt::Display for VolumeName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            lab,
            node,
            part,
            extension,
        } = self;
        write!(
            formatter,
            "{}.{lab}.{node}.{part}.{extension}",
            Self::PREFIX
        )
    }
}

/// What is known of the host that a connection leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The connection's URI.
    pub uri: String,
    /// Whose libvirt it is.
    pub scope: Scope,
    /// Whether it is this very machine.
    pub locality: Locality,
    /// How guests are executed.
    pub accelerator: Accelerator,
    /// Why not in hardware, or by what evidence it is.
    pub accelerator_reason: String,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// CPUs.
    pub cpus: u32,
    /// Folder of our volumes on that host.
    pub volume_folder: String,
    /// Folder of the console logs on that host.
    pub console_folder: String,
    /// Bridges of the host that are not ours.
    pub bridges: BTreeSet<String>,
    /// Why guests cannot be limited in what they take of its CPUs; `None` where they can.
    pub no_cpu_limits: Option<String>,
    /// Subnets that the host uses already.
    pub subnets: Vec<Ipv4Net>,
}

/// Whose libvirt it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The system's: networks and bridges can be made.
    System,
    /// A user's: no rights beyond those of the user.
    Session,
}

/// Where a connection leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locality {
    /// To this machine.
    Local,
    /// To another.
    Remote,
}
