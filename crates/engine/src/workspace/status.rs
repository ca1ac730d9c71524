//! How nodes are, told from libvirt alone.

use crate::driver::{Driver, DriverError};
use std::collections::BTreeMap;
use std::time::Duration;
use vnflab_model::blueprint::NodeBlueprint;
use vnflab_model::observed::{DomainState, Observed, ObservedDomain};
use vnflab_model::typing::Typing;

/// How a node is.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeStatus {
    /// What it was made from; of several VMs the main one.
    pub blueprint: NodeBlueprint,
    /// The file or folder that its lab came from.
    pub source: String,
    /// Whether it runs: of several VMs, whether all of them do.
    pub state: DomainState,
    /// Its VMs, the main one first. Of a broken node one may be missing.
    pub vms: Vec<VmStatus>,
}

/// How a VM of a node is.
#[derive(Debug, Clone, PartialEq)]
pub struct VmStatus {
    /// What it was made from.
    pub blueprint: NodeBlueprint,
    /// Whether it runs.
    pub state: DomainState,
    /// Percent of a CPU of the host that each virtual CPU may take now; `None` for no limit.
    pub cpu_limit_percent: Option<u32>,
    /// How far the typing on its console is; `None` where nothing was typed.
    pub typing: Option<Typing>,
    /// Time since its start, where it can be known.
    pub uptime: Option<Duration>,
    /// Memory that its QEMU takes up, in MiB, where it can be known.
    pub resident_mib: Option<u64>,
}

impl NodeStatus {
    /// A node of some VMs, which are not none.
    fn of(source: &str, mut vms: Vec<VmStatus>) -> Option<Self> {
        vms.sort_by(|a, b| a.blueprint.part.cmp(&b.blueprint.part));
        let blueprint = vms.first()?.blueprint.clone();
        let all_run = vms.iter().all(|vm| vm.state == DomainState::Running);
        let has = |state| vms.iter().any(|vm| vm.state == state);
        Some(Self {
            source: source.to_owned(),
            state: match all_run {
                // Without its main VM it is no node that one could work on.
                true if blueprint.part.is_none() => DomainState::Running,
                _ if has(DomainState::Crashed) => DomainState::Crashed,
                _ if has(DomainState::Paused) => DomainState::Paused,
                _ => DomainState::Off,
            },
            blueprint,
            vms,
        })
    }

    /// Time since all of it runs, where it can be known.
    pub fn uptime(&self) -> Option<Duration> {
        let uptimes: Option<Vec<Duration>> = self.vms.iter().map(|vm| vm.uptime).collect();
        uptimes?.into_iter().min()
    }

    /// The CPU limit of its VMs, which is one for all.
    pub fn cpu_limit_percent(&self) -> Option<u32> {
        self.vms.iter().find_map(|vm| vm.cpu_limit_percent)
    }

    /// How far the typing on its console, that of the main VM, is.
    pub fn typing(&self) -> Option<&Typing> {
        self.vms.first()?.typing.as_ref()
    }

    /// Memory that it takes up, in MiB, where it can be known.
    pub fn resident_mib(&self) -> Option<u64> {
        let resident = self.vms.iter().filter_map(|vm| vm.resident_mib);
        resident.reduce(|one, other| one + other)
    }

    /// Memory that it was given, in MiB.
    pub fn memory_mib(&self) -> u64 {
        let memory = self.vms.iter().map(|vm| vm.blueprint.machine.memory_mib);
        memory.fold(0, u64::saturating_add)
    }

    /// Its virtual CPUs.
    pub fn cpus(&self) -> u32 {
        let cpus = self.vms.iter().map(|vm| vm.blueprint.machine.cpus);
        cpus.fold(0, u32::saturating_add)
    }
}

pub(super) fn nodes(
    driver: &dyn Driver,
    observed: &Observed,
    lab: Option<&str>,
) -> Result<Vec<NodeStatus>, DriverError> {
    let mut by_node: BTreeMap<(&str, &str), (&str, Vec<VmStatus>)> = BTreeMap::new();
    for domain in of(observed, lab) {
        let usage = match domain.state {
            DomainState::Off | DomainState::Crashed => None,
            DomainState::Running | DomainState::Paused => driver.domain_usage(&domain.name)?,
        };
        let blueprint = &domain.record.blueprint;
        let node = by_node.entry((&blueprint.lab, &blueprint.node));
        let (_, vms) = node.or_insert((&domain.record.source, Vec::new()));
        vms.push(VmStatus {
            blueprint: blueprint.clone(),
            state: domain.state,
            cpu_limit_percent: domain.cpu_limit_percent,
            typing: domain.typing.clone(),
            uptime: usage.and_then(|usage| usage.uptime),
            resident_mib: usage
                .and_then(|usage| usage.resident_kib)
                .map(|kib| kib / 1024),
        });
    }
    let nodes = by_node.into_values();
    let nodes = nodes.filter_map(|(source, vms)| NodeStatus::of(source, vms));
    let mut nodes: Vec<NodeStatus> = nodes.collect();
    nodes.sort_by(|a, b| order(&a.blueprint).cmp(&order(&b.blueprint)));
    Ok(nodes)
}

/// Nodes are shown lab by lab, in the order of their numbers.
fn order(node: &NodeBlueprint) -> (&str, u32) {
    (node.lab.as_str(), node.number)
}

/// The domains of a lab, or of all.
pub(super) fn of<'a>(
    observed: &'a Observed,
    lab: Option<&'a str>,
) -> impl Iterator<Item = &'a ObservedDomain> {
    let matches =
        move |domain: &&ObservedDomain| lab.is_none_or(|lab| domain.record.blueprint.lab == lab);
    observed.domains.iter().filter(matches)
}
