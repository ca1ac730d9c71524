//! One node: made, made anew, started, adapted while it runs, or left alone.

use super::changes::{changes, link_changes, settled};
use super::networks::Networks;
use super::volumes::{is_complete, plan_volumes};
use super::wire::WirePlan;
use super::{Renewal, Seen};
use crate::blueprint::{Attachment, Carrier, Drive, DriveContent, Nic, NodeBlueprint};
use crate::observed::{DomainState, ObservedDomain, ObservedVolume, ObservedWire};
use crate::plan::starts::{LIMITED, Starts};
use crate::plan::{Action, Plan, StepId, Subject};
use crate::record::NodeRecord;
use crate::typing::{Typing, remembered};
use std::collections::BTreeSet;

/// Why a node is made anew that needs it not.
pub(super) const REPLACED: &str = "replaced as asked for";

/// What every node is planned against.
pub(super) struct World<'a> {
    pub(super) source: &'a str,
    pub(super) seen: &'a Seen<'a>,
    pub(super) networks: &'a Networks,
    /// Names of the nodes that run once the plan is done.
    pub(super) running: &'a BTreeSet<&'a str>,
    /// Names of the nodes that the lab has.
    pub(super) nodes: &'a BTreeSet<&'a str>,
    /// The wire as it is.
    pub(super) wire: Option<&'a ObservedWire>,
    /// Whether the disks of the nodes that are planned are made anew.
    pub(super) renewal: Renewal,
}

impl World<'_> {
    /// The carrier that a NIC shall have: what its link gives, unless its schedule cuts it now or
    /// the node at the other end is off. The name of that, then.
    fn carrier<'n>(&self, node: &NodeBlueprint, nic: &'n Nic) -> (Carrier, Option<&'n str>) {
        let cut = |wire: &ObservedWire| wire.is_cut(&node.end_name(nic), nic.peer.as_deref());
        if self.wire.is_some_and(cut) {
            return (Carrier::Down, None);
        }
        let peer = nic.peer.as_deref().and_then(|peer| peer.split_once(':'));
        let off = peer.map(|(peer, _)| peer).filter(|peer| {
            node.carrier.is_follow() && self.nodes.contains(peer) && !self.running.contains(peer)
        });
        match off {
            Some(_) => (Carrier::Down, off),
            None => (nic.carrier, None),
        }
    }
}

/// Plans what a node needs to be as its blueprint says.
pub(super) fn plan_node<'a>(
    plan: &mut Plan,
    node: &'a NodeBlueprint,
    world: &World<'_>,
    wire: &WirePlan<'_>,
    starts: &mut Starts<'a>,
) {
    let seen = world.seen;
    let subject = Subject::of(node.vm());
    let before_start = before_start(node, world.networks, wire);
    let Some(observed) = seen.domains.get(&node.vm()).copied() else {
        let reason = "does not exist";
        let volumes = plan_volumes(plan, &subject, node, None, world, reason, &[]);
        let memories = memories(node, seen);
        let typing = memories.iter().find_map(|volume| remembered(&volume.name));
        let typing = typing.filter(|_| !has_new_disk(plan, &volumes));
        let defined = plan_define(plan, &subject, node, reason, &volumes, typing);
        forget(plan, &subject, &memories, &[defined]);
        start(plan, starts, node, reason, before_start, defined);
        return;
    };
    // Left by an `up` that was broken off, it would speak of the disk that comes next.
    forget(plan, &subject, &memories(node, seen), &[]);
    let powered_off = world.networks.powered_off.get(&node.domain());
    let powered_off = powered_off.cloned().unwrap_or_default();
    let state = match powered_off.is_empty() {
        true => observed.state,
        false => DomainState::Off,
    };
    let was = &observed.record.blueprint;
    // What a VM that runs does not notice can wait in its record; one that starts anew has all
    // of it.
    let changes = match state {
        DomainState::Running | DomainState::Paused => changes(&settled(was, node), node),
        DomainState::Off | DomainState::Crashed => {
            let mut all = changes(was, node);
            if all.is_empty() && !node.drives.iter().all(|drive| is_written(drive, was)) {
                all.push("its configuration follows its links".to_owned());
            }
            all
        }
    };
    let volumes_complete = node
        .drives
        .iter()
        .filter_map(Drive::volume)
        .all(|name| seen.volumes.contains_key(name));
    let is_replaced = world.renewal == Renewal::Always;
    if changes.is_empty() && volumes_complete && !is_replaced {
        let domain = node.domain();
        let (action, reason) = match state {
            DomainState::Running => {
                adapt(plan, node, observed, world);
                return limit_cpu(plan, starts, node, observed, &[]);
            }
            DomainState::Paused => {
                adapt(plan, node, observed, world);
                (Action::ResumeDomain { domain }, "is paused")
            }
            DomainState::Off if !powered_off.is_empty() => {
                (Action::StartDomain { domain }, "its network was replaced")
            }
            DomainState::Off => (Action::StartDomain { domain }, "is off"),
            DomainState::Crashed => (Action::StartDomain { domain }, "has crashed"),
        };
        // What it was left with may be out of date.
        let carriers = match state {
            DomainState::Paused => Vec::new(),
            _ => set_carriers(plan, node, observed, world),
        };
        let after = before_start.into_iter().chain(powered_off).chain(carriers);
        let after: Vec<StepId> = after.collect();
        match state {
            DomainState::Paused => {
                let resumed = plan.push(&subject, action, reason, &after);
                limit_cpu(plan, starts, node, observed, &[resumed]);
            }
            _ => drop(starts.start(plan, node, action, reason, after)),
        }
        return;
    }
    let reason = if is_replaced {
        REPLACED.to_owned()
    } else if changes.is_empty() {
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
    let rewrites_a_medium = node.drives.iter().any(|drive| {
        matches!(drive.content, DriveContent::Media { .. }) && !is_complete(drive, Some(was), seen)
    });
    if rewrites_a_medium || is_replaced {
        // What libvirt keeps for the domain, such as UEFI's variables, goes with the disks.
        // The record vouches for the medium that it names, so it goes before that is touched: a
        // broken upload must not pass for complete when the edit is taken back.
        let action = Action::UndefineDomain {
            domain: node.domain(),
        };
        let undefined = plan.push(&subject, action, reason.clone(), &off);
        off.push(undefined);
    }
    let volumes = plan_volumes(plan, &subject, node, Some(was), world, &reason, &off);
    let after: Vec<StepId> = off.iter().chain(&volumes).copied().collect();
    let typing = observed.typing.clone();
    let typing = typing.filter(|_| !has_new_disk(plan, &volumes));
    let defined = plan_define(plan, &subject, node, &reason, &after, typing);
    start(plan, starts, node, &reason, before_start, defined);
}

/// Volumes that remember what was typed on a node's console, which is that of its main VM.
fn memories<'a>(node: &NodeBlueprint, seen: &Seen<'a>) -> Vec<&'a ObservedVolume> {
    if node.part.is_some() {
        return Vec::new();
    }
    let volumes = seen.volumes.values().copied();
    let of_node = volumes.filter(|volume| volume.name.node == node.node);
    of_node
        .filter(|volume| remembered(&volume.name).is_some())
        .collect()
}

/// Plans that volumes are deleted of which the domain knows all.
fn forget(plan: &mut Plan, subject: &Subject, memories: &[&ObservedVolume], after: &[StepId]) {
    for volume in memories {
        let volume = volume.name.to_string();
        let action = Action::DeleteVolume { volume };
        plan.push(subject, action, "the domain knows what was typed", after);
    }
}

/// Whether one of the steps makes the disk that the node boots from.
fn has_new_disk(plan: &Plan, volumes: &[StepId]) -> bool {
    let mut actions = volumes.iter().map(|id| &plan.steps[*id].action);
    actions.any(|action| matches!(action, Action::CreateOverlay { .. }))
}

/// Plans what a node is given without losing its power: carriers, and a record of its links.
pub(super) fn adapt(
    plan: &mut Plan,
    node: &NodeBlueprint,
    observed: &ObservedDomain,
    world: &World<'_>,
) {
    let was = &observed.record.blueprint;
    let settled = settled(was, node);
    let carriers = set_carriers(plan, &settled, observed, world);
    if *was == settled {
        return;
    }
    let mut reasons = link_changes(was, &settled);
    if was.after != settled.after {
        reasons.push("it starts after others now".to_owned());
    }
    if was.ready != settled.ready {
        reasons.push("it is ready by another sign now".to_owned());
    }
    if was.cpu_limit_percent != settled.cpu_limit_percent {
        reasons.push("its CPU limit is another now".to_owned());
    }
    let mut reason = reasons.join(", ");
    if !node.drives.iter().all(|drive| is_written(drive, was)) {
        reason += "; its generated configuration follows when `up` starts it next";
    }
    let action = Action::RecordNode {
        record: Box::new(NodeRecord {
            source: world.source.to_owned(),
            blueprint: settled,
        }),
    };
    plan.push(&Subject::of(node.vm()), action, reason, &carriers);
}

/// Gives a node that runs the CPU limit that it shall have.
fn limit_cpu(
    plan: &mut Plan,
    starts: &mut Starts<'_>,
    node: &NodeBlueprint,
    observed: &ObservedDomain,
    after: &[StepId],
) {
    if observed.cpu_limit_percent != node.cpu_limit_percent {
        starts.limit_cpu(plan, node, after, LIMITED);
    }
}

/// Gives interfaces that are on the wire the carriers that they shall have.
fn set_carriers(
    plan: &mut Plan,
    node: &NodeBlueprint,
    observed: &ObservedDomain,
    world: &World<'_>,
) -> Vec<StepId> {
    let subject = Subject::of(node.vm());
    let mut steps = Vec::new();
    for nic in &node.nics {
        let has = observed.carriers.get(&nic.mac).copied();
        let (carrier, off) = world.carrier(node, nic);
        if node.wire_end(nic).is_none() || has.is_none_or(|has| has == carrier) {
            continue;
        }
        let reason = match (carrier, nic.joined_to()) {
            (_, None) => "linked to nothing".to_owned(),
            (Carrier::Up, Some(joined)) => format!("linked to {joined}"),
            (Carrier::Down, Some(joined)) => match off {
                Some(peer) => format!("{peer} is off"),
                None => format!("the link to {joined} is down"),
            },
        };
        let action = Action::SetCarrier {
            domain: node.domain(),
            interface: nic.name.clone(),
            mac: nic.mac.clone(),
            carrier,
        };
        steps.push(plan.push(&subject, action, reason, &[]));
    }
    steps
}

/// Whether what a drive holds is what a record says was written.
fn is_written(drive: &Drive, was: &NodeBlueprint) -> bool {
    let mut drives = was.drives.iter();
    drives.any(|old| old.content.is_same_as(&drive.content))
}

/// The steps that give a node what it needs to start: its networks, and the wire.
fn before_start(node: &NodeBlueprint, networks: &Networks, wire: &WirePlan<'_>) -> Vec<StepId> {
    let bridges = node.nics.iter().filter_map(|nic| match &nic.attachment {
        Attachment::Bridge { bridge } => networks.ready.get(bridge),
        _ => None,
    });
    let on_wire = node.nics.iter().any(|nic| node.wire_end(nic).is_some());
    let wire = wire.ready.filter(|_| on_wire);
    bridges.copied().chain(wire).collect()
}

fn start<'a>(
    plan: &mut Plan,
    starts: &mut Starts<'a>,
    node: &'a NodeBlueprint,
    reason: &str,
    mut after: Vec<StepId>,
    defined: StepId,
) {
    after.push(defined);
    let action = Action::StartDomain {
        domain: node.domain(),
    };
    starts.start(plan, node, action, reason, after);
}

fn plan_define(
    plan: &mut Plan,
    subject: &Subject,
    node: &NodeBlueprint,
    reason: &str,
    after: &[StepId],
    typing: Option<Typing>,
) -> StepId {
    let action = Action::DefineDomain {
        domain: node.domain(),
        typing,
    };
    plan.push(subject, action, reason, after)
}
