//! From what is to what shall be.

mod changes;
mod networks;
mod node;
mod volumes;
mod wire;

use self::networks::{Networks, network_conflicts, plan_networks, remove_networks};
use self::node::{World, adapt, plan_node};
use self::wire::WirePlan;
use super::starts::{Starts, may_boot, ordered};
use super::{Action, Plan, StepId, Subject};
use crate::blueprint::{Blueprint, Drive, NodeBlueprint, StartLimit, Vm};
use crate::observed::{Observed, ObservedDomain, ObservedNetwork, ObservedVolume};
use crate::typing::remembered;
use std::collections::{BTreeMap, BTreeSet};

/// Why a blueprint cannot be carried out here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A domain of that name exists and is not ours.
    #[error("a VM named `{0}` exists that vnflab did not make")]
    ForeignDomain(String),
    /// A network of that name exists and is not ours.
    #[error("a network named `{0}` exists that vnflab did not make")]
    ForeignNetwork(String),
    /// A node was asked for that the lab does not have.
    #[error("the lab has no node `{0}`")]
    UnknownNode(String),
    /// A node was asked for that is off, for what only one that is not can do.
    #[error("`{0}` is off: `vnflab start {0}`")]
    NotRunning(String),
    /// Some nodes were asked for, and a network has to be made anew, which concerns all of them.
    #[error("the management network `{0}` changes: run `up` without naming nodes")]
    NetworkChanges(String),
    /// Nodes cannot start without their wire, and only the lab's file says what it was.
    #[error("nothing is left of the wire of lab `{0}`: run `up`")]
    NoWire(String),
    /// A network has to be made anew while VMs of another lab are on its bridge.
    #[error("the management network `{network}` changes, and VMs of lab `{lab}` are on it")]
    NetworkInUse {
        /// libvirt's name of the network.
        network: String,
        /// The other lab.
        lab: String,
    },
}

/// What has to be done so that the lab is as the blueprint says.
///
/// With a selection, only those nodes are looked at, and nothing else is removed or loses its
/// power; the wire is set up as a whole all the same. A node that differs from its blueprint is made anew; its disk is kept unless it is to
/// lie on another image, or on one of another size. A network that the lab no longer wants stays while VMs of another lab
/// are on it.
///
/// # Errors
///
/// Every name that is taken by something that is not ours, every selected node that does not
/// exist, and every network that would have to be made anew under nodes that were not selected
/// or under another lab: all at once.
pub fn plan_up(
    blueprint: &Blueprint,
    observed: &Observed,
    selection: Option<&BTreeSet<String>>,
) -> Result<Plan, Vec<PlanError>> {
    plan(blueprint, observed, selection, Renewal::WhereNeeded)
}

/// As [`plan_up`], and every node that is selected is made anew from its image: what is on its
/// disks is lost.
///
/// # Errors
///
/// Those of [`plan_up`].
pub fn plan_replace(
    blueprint: &Blueprint,
    observed: &Observed,
    selection: Option<&BTreeSet<String>>,
) -> Result<Plan, Vec<PlanError>> {
    plan(blueprint, observed, selection, Renewal::Always)
}

/// Whether a node's disks are made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Renewal {
    /// Those that are missing, or not what they shall be.
    WhereNeeded,
    /// All of them.
    Always,
}

fn plan(
    blueprint: &Blueprint,
    observed: &Observed,
    selection: Option<&BTreeSet<String>>,
    renewal: Renewal,
) -> Result<Plan, Vec<PlanError>> {
    let seen = Seen::new(blueprint, observed);
    let errors = conflicts(blueprint, observed, &seen, selection);
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut plan = Plan::default();
    let freed = plan_leftovers(&mut plan, blueprint, &seen, selection);
    let mut networks = Networks::default();
    if selection.is_none() {
        remove_networks(&mut plan, &mut networks, blueprint, observed, &seen, &freed);
    }
    plan_networks(&mut plan, &mut networks, blueprint, &seen, &freed);
    let wire = WirePlan::begin(&mut plan, blueprint, observed);
    let selected = |name: &str| selection.is_none_or(|names| names.contains(name));
    let nodes: BTreeSet<&str> = blueprint
        .nodes
        .iter()
        .map(|node| node.node.as_str())
        .collect();
    let runs = |name: &&str| selected(name) || observed.runs(&blueprint.lab, name) == Some(true);
    let running = nodes.iter().copied().filter(runs).collect();
    let world = World {
        running: &running,
        nodes: &nodes,
        wire: observed.wires.get(&blueprint.lab),
        source: &blueprint.source,
        seen: &seen,
        networks: &networks,
        renewal,
    };
    let order = ordered(blueprint.vms());
    let vms = || {
        let seen = seen.domains.values();
        let seen = seen.filter(|domain| blueprint.node(&domain.record.blueprint.node).is_none());
        blueprint
            .vms()
            .chain(seen.map(|domain| &domain.record.blueprint))
    };
    let mut starts = Starts::new(blueprint.start, vms());
    let domains = seen.domains.values().copied();
    let booting: Vec<&ObservedDomain> = domains.filter(|domain| may_boot(domain)).collect();
    if !booting.is_empty() {
        // Those that are made anew take no place before: who they are shows in a plan.
        let mut trial = Starts::new(StartLimit::NONE, vms());
        plan_nodes(
            &mut plan.clone(),
            &order,
            &selected,
            &world,
            &wire,
            &mut trial,
        );
        for domain in booting {
            let node = domain.record.blueprint.node.as_str();
            if nodes.contains(node) && !trial.starts_node(node) {
                starts.found(domain);
            }
        }
    }
    plan_nodes(&mut plan, &order, &selected, &world, &wire, &mut starts);
    wire.finish(&mut plan);
    if selection.is_none() {
        wire.stop(&mut plan);
    }
    Ok(plan)
}

fn plan_nodes<'a>(
    plan: &mut Plan,
    nodes: &[&'a NodeBlueprint],
    selected: &dyn Fn(&str) -> bool,
    world: &World<'_>,
    wire: &WirePlan<'_>,
    starts: &mut Starts<'a>,
) {
    for node in nodes {
        if selected(&node.node) {
            plan_node(plan, node, world, wire, starts);
        } else if let Some(domain) = world.seen.domains.get(&node.vm()) {
            // The wire is one for all nodes.
            adapt(plan, node, domain, world);
        }
    }
}

fn conflicts(
    blueprint: &Blueprint,
    observed: &Observed,
    seen: &Seen<'_>,
    selection: Option<&BTreeSet<String>>,
) -> Vec<PlanError> {
    let domains = blueprint.vms().map(NodeBlueprint::domain);
    let foreign_domains = domains.filter(|name| observed.foreign_domains.contains(name));
    let networks = blueprint
        .networks
        .iter()
        .map(|network| network.name.clone());
    let foreign_networks = networks.filter(|name| observed.foreign_networks.contains(name));
    let known: BTreeSet<&str> = blueprint
        .nodes
        .iter()
        .map(|node| node.node.as_str())
        .collect();
    let strangers = selection
        .into_iter()
        .flatten()
        .filter(|name| !known.contains(name.as_str()));
    foreign_domains
        .map(PlanError::ForeignDomain)
        .chain(foreign_networks.map(PlanError::ForeignNetwork))
        .chain(strangers.cloned().map(PlanError::UnknownNode))
        .chain(network_conflicts(
            blueprint,
            observed,
            seen,
            selection.is_some(),
        ))
        .collect()
}

/// What was observed of this lab, by name, so that no node has to search.
struct Seen<'a> {
    domains: BTreeMap<Vm<'a>, &'a ObservedDomain>,
    networks: BTreeMap<&'a str, &'a ObservedNetwork>,
    volumes: BTreeMap<String, &'a ObservedVolume>,
}

impl<'a> Seen<'a> {
    fn new(blueprint: &Blueprint, observed: &'a Observed) -> Self {
        let lab = blueprint.lab.as_str();
        Self {
            domains: observed
                .domains
                .iter()
                .filter(|domain| domain.record.blueprint.lab == lab)
                .map(|domain| (domain.record.blueprint.vm(), domain))
                .collect(),
            networks: observed
                .networks
                .iter()
                .filter(|network| network.blueprint.lab == lab)
                .map(|network| (network.blueprint.name.as_str(), network))
                .collect(),
            volumes: observed
                .volumes
                .iter()
                .filter(|volume| volume.name.lab == lab)
                .map(|volume| (volume.name.to_string(), volume))
                .collect(),
        }
    }
}

/// Removes what belongs to the lab and has no place in the blueprint; returns the steps that
/// take VMs down, for networks that wait until nobody is on them. Where nodes are selected, only
/// what these have left, such as a part that their kind no longer has.
fn plan_leftovers(
    plan: &mut Plan,
    blueprint: &Blueprint,
    seen: &Seen<'_>,
    selection: Option<&BTreeSet<String>>,
) -> Vec<StepId> {
    let concerns = |node: &str| {
        selection.is_none_or(|names| names.contains(node) && blueprint.node(node).is_some())
    };
    let wanted: BTreeSet<Vm<'_>> = blueprint.vms().map(NodeBlueprint::vm).collect();
    let mut freed = Vec::new();
    let mut last_of_node: BTreeMap<&str, Vec<StepId>> = BTreeMap::new();
    for (vm, domain) in &seen.domains {
        if wanted.contains(vm) || !concerns(vm.node) {
            continue;
        }
        let subject = Subject::of(*vm);
        let reason = "no longer in the lab file";
        let name = || domain.name.clone();
        let destroy = plan.push(
            &subject,
            Action::DestroyDomain { domain: name() },
            reason,
            &[],
        );
        let undefine = plan.push(
            &subject,
            Action::UndefineDomain { domain: name() },
            reason,
            &[destroy],
        );
        freed.push(destroy);
        last_of_node.entry(vm.node).or_default().push(undefine);
    }
    let volumes_wanted: BTreeSet<&str> = blueprint
        .vms()
        .flat_map(|node| &node.drives)
        .filter_map(Drive::volume)
        .collect();
    for (volume, observed) in seen
        .volumes
        .iter()
        .filter(|(volume, _)| !volumes_wanted.contains(volume.as_str()))
    {
        let node = observed.name.node.as_str();
        if !concerns(node) {
            continue;
        }
        // What was typed is the node's own matter.
        let main = Vm { node, part: None };
        if wanted.contains(&main) && remembered(&observed.name).is_some() {
            continue;
        }
        // A volume that a living VM no longer wants goes with that VM's own steps.
        let mut living = seen.domains.iter().filter(|(vm, _)| wanted.contains(vm));
        if living.any(|(_, domain)| has_volume(domain, volume)) {
            continue;
        }
        let after = last_of_node.get(node).cloned().unwrap_or_default();
        plan.push(
            &Subject::Node(node.to_owned()),
            Action::DeleteVolume {
                volume: volume.clone(),
            },
            "no longer in the lab file",
            &after,
        );
    }
    freed
}

fn has_volume(domain: &ObservedDomain, volume: &str) -> bool {
    let mut drives = domain.record.blueprint.drives.iter();
    drives.any(|drive| drive.volume() == Some(volume))
}
