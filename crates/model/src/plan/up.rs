//! From what is to what shall be.

use super::sharing::other_lab_on;
use super::{Action, Plan, StepId, Subject};
use crate::blueprint::{
    Attachment, Blueprint, Drive, DriveContent, NetworkBlueprint, Nic, NodeBlueprint,
};
use crate::observed::{
    DomainState, NetworkState, Observed, ObservedDomain, ObservedNetwork, ObservedVolume,
};
use std::collections::{BTreeMap, BTreeSet};

/// The unit of a disk's size.
const SECTOR_BYTES: u64 = 512;

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
    /// Some nodes were asked for, and a network has to be made anew, which concerns all of them.
    #[error("the management network `{0}` changes: run `up` without naming nodes")]
    NetworkChanges(String),
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
/// power. A node that differs from its blueprint is made anew; its disk is kept unless it is to
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
    let seen = Seen::new(blueprint, observed);
    let errors = conflicts(blueprint, observed, &seen, selection);
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut plan = Plan::default();
    let freed = match selection {
        None => plan_leftovers(&mut plan, blueprint, &seen),
        Some(_) => Vec::new(),
    };
    let mut networks = Networks::default();
    if selection.is_none() {
        remove_networks(&mut plan, &mut networks, blueprint, observed, &seen, &freed);
    }
    plan_networks(&mut plan, &mut networks, blueprint, &seen, &freed);
    let selected = |name: &str| selection.is_none_or(|names| names.contains(name));
    for node in blueprint.nodes.iter().filter(|node| selected(&node.node)) {
        plan_node(&mut plan, node, &seen, &networks);
    }
    Ok(plan)
}

fn conflicts(
    blueprint: &Blueprint,
    observed: &Observed,
    seen: &Seen<'_>,
    selection: Option<&BTreeSet<String>>,
) -> Vec<PlanError> {
    let domains = blueprint.nodes.iter().map(NodeBlueprint::domain);
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

/// The networks that have to be made anew and cannot be.
fn network_conflicts(
    blueprint: &Blueprint,
    observed: &Observed,
    seen: &Seen<'_>,
    is_selection: bool,
) -> Vec<PlanError> {
    let mut errors = Vec::new();
    for network in &blueprint.networks {
        let Some(was) = seen.networks.get(network.name.as_str()) else {
            continue;
        };
        if same_network(&was.blueprint, network) {
            continue;
        }
        let name = network.name.clone();
        if let Some(other) = other_lab_on(&was.blueprint.bridge, &blueprint.lab, observed) {
            errors.push(PlanError::NetworkInUse {
                network: name,
                lab: other.to_owned(),
            });
        } else if is_selection {
            errors.push(PlanError::NetworkChanges(name));
        }
    }
    errors
}

/// What was observed of this lab, by name, so that no node has to search.
struct Seen<'a> {
    domains: BTreeMap<&'a str, &'a ObservedDomain>,
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
                .map(|domain| (domain.record.blueprint.node.as_str(), domain))
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
/// take VMs down, for networks that wait until nobody is on them.
fn plan_leftovers(plan: &mut Plan, blueprint: &Blueprint, seen: &Seen<'_>) -> Vec<StepId> {
    let wanted: BTreeSet<&str> = blueprint
        .nodes
        .iter()
        .map(|node| node.node.as_str())
        .collect();
    let mut freed = Vec::new();
    let mut last_of_node: BTreeMap<&str, StepId> = BTreeMap::new();
    for (node, domain) in &seen.domains {
        if wanted.contains(node) {
            continue;
        }
        let subject = Subject::Node((*node).to_owned());
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
        last_of_node.insert(node, undefine);
    }
    let volumes_wanted: BTreeSet<&str> = blueprint
        .nodes
        .iter()
        .flat_map(|node| &node.drives)
        .filter_map(Drive::volume)
        .collect();
    for (volume, observed) in seen
        .volumes
        .iter()
        .filter(|(volume, _)| !volumes_wanted.contains(volume.as_str()))
    {
        let node = observed.name.node.as_str();
        // A volume that a living node no longer wants goes with that node's own steps.
        if seen.domains.contains_key(node) && wanted.contains(node) {
            continue;
        }
        let after: Vec<StepId> = last_of_node.get(node).copied().into_iter().collect();
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

/// The outcome of planning the networks.
#[derive(Default)]
struct Networks {
    /// The step after which a bridge can be used.
    ready: BTreeMap<String, StepId>,
    /// Nodes that lose their power because their network is made anew, with the steps that take
    /// it.
    powered_off: BTreeMap<String, Vec<StepId>>,
}

/// Removes the lab's networks that have no place in the blueprint.
fn remove_networks(
    plan: &mut Plan,
    outcome: &mut Networks,
    blueprint: &Blueprint,
    observed: &Observed,
    seen: &Seen<'_>,
    freed: &[StepId],
) {
    let wanted: BTreeSet<&str> = blueprint
        .networks
        .iter()
        .map(|network| network.name.as_str())
        .collect();
    for name in seen.networks.keys().filter(|name| !wanted.contains(*name)) {
        let subject = Subject::Network((*name).to_owned());
        let network = &seen.networks[name].blueprint;
        if other_lab_on(&network.bridge, &blueprint.lab, observed).is_some() {
            continue;
        }
        let mut off = freed.to_vec();
        for (node, step) in power_off_all_on(plan, network, blueprint, seen) {
            off.push(step);
            outcome.powered_off.entry(node).or_default().push(step);
        }
        let action = Action::RemoveNetwork {
            network: (*name).to_owned(),
        };
        plan.push(&subject, action, "no longer in the lab file", &off);
    }
}

fn plan_networks(
    plan: &mut Plan,
    outcome: &mut Networks,
    blueprint: &Blueprint,
    seen: &Seen<'_>,
    freed: &[StepId],
) {
    for network in &blueprint.networks {
        let subject = Subject::Network(network.name.clone());
        let observed = seen.networks.get(network.name.as_str());
        let defined = match observed {
            None => Some(define_network(
                plan,
                &subject,
                network,
                "does not exist",
                &[],
            )),
            Some(observed) if same_network(&observed.blueprint, network) => {
                plan_leases(plan, &subject, &observed.blueprint, network);
                None
            }
            Some(observed) => {
                // Whoever is on it must go first: a bridge cannot change under its VMs.
                let off = power_off_all_on(plan, &observed.blueprint, blueprint, seen);
                let action = Action::RemoveNetwork {
                    network: network.name.clone(),
                };
                let steps: Vec<StepId> = off
                    .iter()
                    .map(|(_, step)| *step)
                    .chain(freed.iter().copied())
                    .collect();
                let removed = plan.push(&subject, action, "its subnet or bridge changed", &steps);
                for (node, step) in off {
                    outcome.powered_off.entry(node).or_default().push(step);
                }
                Some(define_network(
                    plan,
                    &subject,
                    network,
                    "made anew",
                    &[removed],
                ))
            }
        };
        let active = observed.is_some_and(|network| network.state == NetworkState::Active);
        if defined.is_some() || !active {
            let after: Vec<StepId> = defined.into_iter().collect();
            let action = Action::StartNetwork {
                network: network.name.clone(),
            };
            let started = plan.push(&subject, action, "does not run", &after);
            outcome.ready.insert(network.bridge.clone(), started);
        }
    }
}

fn define_network(
    plan: &mut Plan,
    subject: &Subject,
    network: &NetworkBlueprint,
    reason: &str,
    after: &[StepId],
) -> StepId {
    plan.push(
        subject,
        Action::DefineNetwork {
            network: network.clone(),
        },
        reason,
        after,
    )
}

/// Takes the power from every node of the blueprint that is on a network; returns each with its
/// step.
fn power_off_all_on(
    plan: &mut Plan,
    network: &NetworkBlueprint,
    blueprint: &Blueprint,
    seen: &Seen<'_>,
) -> Vec<(String, StepId)> {
    let on_it = |nic: &Nic| matches!(&nic.attachment, Attachment::Bridge { bridge } if *bridge == network.bridge);
    let mut off = Vec::new();
    for (node, domain) in &seen.domains {
        let stays = blueprint.node(node).is_some();
        let attached = domain.record.blueprint.nics.iter().any(on_it);
        if stays && attached && domain.state != DomainState::Off {
            let subject = Subject::Node((*node).to_owned());
            let action = Action::DestroyDomain {
                domain: domain.name.clone(),
            };
            let step = plan.push(&subject, action, "its management network changes", &[]);
            off.push(((*node).to_owned(), step));
        }
    }
    off
}

/// Whether only leases differ, which can be changed while the network runs.
fn same_network(observed: &NetworkBlueprint, wanted: &NetworkBlueprint) -> bool {
    let without_leases = |network: &NetworkBlueprint| NetworkBlueprint {
        leases: Vec::new(),
        ..network.clone()
    };
    without_leases(observed) == without_leases(wanted)
}

fn plan_leases(
    plan: &mut Plan,
    subject: &Subject,
    observed: &NetworkBlueprint,
    wanted: &NetworkBlueprint,
) {
    let had: BTreeSet<_> = observed.leases.iter().collect();
    let wants: BTreeSet<_> = wanted.leases.iter().collect();
    let network = || wanted.name.clone();
    let removed: Vec<StepId> = had
        .difference(&wants)
        .map(|lease| {
            let action = Action::RemoveLease {
                network: network(),
                lease: (*lease).clone(),
            };
            plan.push(subject, action, "no longer in the lab file", &[])
        })
        .collect();
    for lease in wants.difference(&had) {
        let action = Action::AddLease {
            network: network(),
            lease: (*lease).clone(),
        };
        plan.push(subject, action, "new in the lab file", &removed);
    }
}

fn plan_node(plan: &mut Plan, node: &NodeBlueprint, seen: &Seen<'_>, networks: &Networks) {
    let subject = Subject::Node(node.node.clone());
    let observed = seen.domains.get(node.node.as_str()).copied();
    let changes = observed.map(|domain| changes(&domain.record.blueprint, node));
    let bridges: Vec<&str> = node
        .nics
        .iter()
        .filter_map(|nic| match &nic.attachment {
            Attachment::Bridge { bridge } => Some(bridge.as_str()),
            _ => None,
        })
        .collect();
    let mut before_start: Vec<StepId> = bridges
        .iter()
        .filter_map(|bridge| networks.ready.get(*bridge))
        .copied()
        .collect();
    let powered_off = networks
        .powered_off
        .get(&node.node)
        .cloned()
        .unwrap_or_default();

    let (Some(observed), Some(changes)) = (observed, changes) else {
        let reason = "does not exist";
        let volumes = plan_volumes(plan, &subject, node, None, seen, reason, &[]);
        let defined = plan_define(plan, &subject, node, reason, &volumes);
        before_start.push(defined);
        let action = Action::StartDomain {
            domain: node.domain(),
        };
        plan.push(&subject, action, reason, &before_start);
        return;
    };

    let volumes_complete = node
        .drives
        .iter()
        .filter_map(Drive::volume)
        .all(|name| seen.volumes.contains_key(name));
    let state = match powered_off.is_empty() {
        true => observed.state,
        false => DomainState::Off,
    };
    if changes.is_empty() && volumes_complete {
        let domain = node.domain();
        let (action, reason) = match state {
            DomainState::Running => return,
            DomainState::Paused => (Action::ResumeDomain { domain }, "is paused"),
            DomainState::Off if !powered_off.is_empty() => {
                (Action::StartDomain { domain }, "its network was replaced")
            }
            DomainState::Off => (Action::StartDomain { domain }, "is off"),
            DomainState::Crashed => (Action::StartDomain { domain }, "has crashed"),
        };
        before_start.extend(powered_off);
        plan.push(&subject, action, reason, &before_start);
        return;
    }

    let reason = if changes.is_empty() {
        "a disk of it is gone".to_owned()
    } else {
        changes.join(", ")
    };
    let mut off = powered_off;
    if state != DomainState::Off {
        let action = Action::DestroyDomain {
            domain: node.domain(),
        };
        off.push(plan.push(&subject, action, reason.clone(), &[]));
    }
    let was = Some(&observed.record.blueprint);
    let rewrites_a_medium = node.drives.iter().any(|drive| {
        matches!(drive.content, DriveContent::Media { .. }) && !is_complete(drive, was, seen)
    });
    if rewrites_a_medium {
        // The record vouches for the medium that it names, so it goes before that is touched: a
        // broken upload must not pass for complete when the edit is taken back.
        let action = Action::UndefineDomain {
            domain: node.domain(),
        };
        let undefined = plan.push(&subject, action, reason.clone(), &off);
        off.push(undefined);
    }
    let volumes = plan_volumes(plan, &subject, node, was, seen, &reason, &off);
    let after: Vec<StepId> = off.iter().chain(&volumes).copied().collect();
    let defined = plan_define(plan, &subject, node, &reason, &after);
    before_start.push(defined);
    let action = Action::StartDomain {
        domain: node.domain(),
    };
    plan.push(&subject, action, reason, &before_start);
}

fn plan_define(
    plan: &mut Plan,
    subject: &Subject,
    node: &NodeBlueprint,
    reason: &str,
    after: &[StepId],
) -> StepId {
    let action = Action::DefineDomain {
        domain: node.domain(),
        node: node.node.clone(),
    };
    plan.push(subject, action, reason, after)
}

/// The volumes of a node. A medium is written again unless the domain that was defined after it
/// says that it is complete: an upload that was broken off leaves a volume with half its bytes.
fn plan_volumes(
    plan: &mut Plan,
    subject: &Subject,
    node: &NodeBlueprint,
    was: Option<&NodeBlueprint>,
    seen: &Seen<'_>,
    reason: &str,
    after: &[StepId],
) -> Vec<StepId> {
    let mut steps = Vec::new();
    for drive in &node.drives {
        match &drive.content {
            DriveContent::Overlay {
                volume,
                image_path,
                image_format,
                size_bytes,
            } => {
                let wrong = match seen.volumes.get(volume) {
                    None => None,
                    Some(there) if there.backing_path.as_deref() != Some(image_path) => {
                        Some("lies on another image")
                    }
                    // An image that was replaced in its place: what the disk holds are the
                    // differences from one that is gone.
                    Some(there) if !same_capacity(there.capacity_bytes, *size_bytes) => {
                        Some("its image has another size now")
                    }
                    Some(_) => continue,
                };
                let mut wait = after.to_vec();
                if let Some(wrong) = wrong {
                    let action = Action::DeleteVolume {
                        volume: volume.clone(),
                    };
                    wait.push(plan.push(subject, action, wrong, after));
                }
                let action = Action::CreateOverlay {
                    volume: volume.clone(),
                    image_path: image_path.clone(),
                    image_format: image_format.clone(),
                    size_bytes: *size_bytes,
                };
                steps.push(plan.push(subject, action, reason, &wait));
            }
            DriveContent::Empty { volume, size_bytes } => {
                if !seen.volumes.contains_key(volume) {
                    let action = Action::CreateDisk {
                        volume: volume.clone(),
                        size_bytes: *size_bytes,
                    };
                    steps.push(plan.push(subject, action, reason, after));
                }
            }
            DriveContent::Media { volume, .. } => {
                if !is_complete(drive, was, seen) {
                    let action = Action::WriteMedia {
                        volume: volume.clone(),
                    };
                    steps.push(plan.push(subject, action, reason, after));
                }
            }
            DriveContent::HostIso { .. } => {}
        }
    }
    let wanted: BTreeSet<&str> = node.drives.iter().filter_map(Drive::volume).collect();
    let dropped = was
        .into_iter()
        .flat_map(|was| &was.drives)
        .filter_map(Drive::volume);
    for volume in dropped.filter(|volume| !wanted.contains(volume)) {
        if seen.volumes.contains_key(volume) {
            let action = Action::DeleteVolume {
                volume: volume.to_owned(),
            };
            steps.push(plan.push(subject, action, "the node no longer has it", after));
        }
    }
    steps
}

/// Whether a disk that was made with a size has it: qcow2 rounds up to whole sectors.
fn same_capacity(capacity_bytes: u64, wanted_bytes: u64) -> bool {
    capacity_bytes.div_ceil(SECTOR_BYTES) == wanted_bytes.div_ceil(SECTOR_BYTES)
}

/// Whether a medium is there and the domain's record vouches for its content.
fn is_complete(drive: &Drive, was: Option<&NodeBlueprint>, seen: &Seen<'_>) -> bool {
    let there = drive
        .volume()
        .is_some_and(|volume| seen.volumes.contains_key(volume));
    let vouched = was.is_some_and(|was| was.drives.iter().any(|old| old.content == drive.content));
    there && vouched
}

/// What differs, each in a few words; empty when nothing does.
fn changes(was: &NodeBlueprint, shall: &NodeBlueprint) -> Vec<String> {
    let mut changes = Vec::new();
    let mut compare = |what: &str, old: String, new: String| {
        if old != new {
            changes.push(format!("{what} {old} → {new}"));
        }
    };
    compare("kind", was.kind.clone(), shall.kind.clone());
    compare("guest", was.guest.clone(), shall.guest.clone());
    compare(
        "memory",
        format!("{} MiB", was.machine.memory_mib),
        format!("{} MiB", shall.machine.memory_mib),
    );
    compare(
        "CPUs",
        was.machine.cpus.to_string(),
        shall.machine.cpus.to_string(),
    );
    compare(
        "accelerator",
        was.accelerator.word().to_owned(),
        shall.accelerator.word().to_owned(),
    );
    compare(
        "console",
        was.console.listen.to_string(),
        shall.console.listen.to_string(),
    );
    compare(
        "interfaces",
        was.nics.len().to_string(),
        shall.nics.len().to_string(),
    );
    for (old, new) in was.nics.iter().zip(&shall.nics) {
        if old != new {
            changes.push(nic_change(old, new));
        }
    }
    for (index, drive) in shall.drives.iter().enumerate() {
        if was.drives.get(index) != Some(drive) {
            changes.push(drive_change(drive).to_owned());
        }
    }
    if was.drives.len() > shall.drives.len() {
        changes.push("a drive is gone".to_owned());
    }
    if changes.is_empty() && was != shall {
        // Facts that have no words of their own, such as SMBIOS fields of the kind.
        changes.push("facts of its kind changed".to_owned());
    }
    changes
}

fn nic_change(was: &Nic, shall: &Nic) -> String {
    let unlinked = "nothing".to_owned();
    let name = &shall.name;
    if was.peer != shall.peer {
        let old = was.peer.as_ref().unwrap_or(&unlinked);
        let new = shall.peer.as_ref().unwrap_or(&unlinked);
        return format!("{name} to {old} → {new}");
    }
    if was.addresses != shall.addresses {
        return format!("addresses of {name}");
    }
    if was.mac != shall.mac {
        return format!("MAC address of {name}");
    }
    if was.attachment != shall.attachment {
        return format!("attachment of {name}");
    }
    format!("{name} changed")
}

fn drive_change(drive: &Drive) -> &'static str {
    match drive.content {
        DriveContent::Overlay { .. } => "image changed",
        DriveContent::Empty { .. } => "an extra disk changed",
        DriveContent::Media { .. } => "day-0 configuration changed",
        DriveContent::HostIso { .. } => "CD-ROM changed",
    }
}
