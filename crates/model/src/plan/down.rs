//! From what is to nothing.

use super::sharing::{is_on, other_lab_on};
use super::{Action, Plan, StepId, Subject};
use crate::observed::{DomainState, Observed, ObservedDomain};
use crate::typing::remembered;
use std::collections::BTreeMap;

/// What becomes of the disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disks {
    /// They are deleted with the rest.
    Delete,
    /// They stay; the next `up` boots from them again.
    Keep,
}

/// What has to be done so that nothing of the lab is left but, where they are kept, its disks.
///
/// It follows from what was observed alone, so a lab goes down completely even when its file
/// was edited or lost in the meantime.
pub fn plan_down(lab: &str, observed: &Observed, disks: Disks) -> Plan {
    let mut plan = Plan::default();
    let reason = "the lab goes down";
    let mut off: Vec<(&ObservedDomain, StepId)> = Vec::new();
    let mut undefined: BTreeMap<&str, Vec<StepId>> = BTreeMap::new();
    for domain in observed.vms_of_lab(lab) {
        let node = domain.record.blueprint.node.as_str();
        let subject = Subject::of(domain.record.blueprint.vm());
        let mut after = Vec::new();
        if domain.state != DomainState::Off {
            let action = Action::DestroyDomain {
                domain: domain.name.clone(),
            };
            after.push(plan.push(&subject, action, reason, &[]));
        }
        let destroy = after.first().copied();
        let memory = domain.typing.as_ref();
        let memory = memory.and_then(|typing| typing.memory(&domain.record.blueprint));
        if let (Disks::Keep, Some(volume)) = (disks, memory) {
            let volume = volume.to_string();
            let action = Action::RememberTyping { volume };
            after.push(plan.push(&subject, action, "its disk is kept", &after));
        }
        let action = Action::UndefineDomain {
            domain: domain.name.clone(),
        };
        let undefine = plan.push(&subject, action, reason, &after);
        off.extend(destroy.map(|step| (domain, step)));
        undefined.entry(node).or_default().push(undefine);
    }
    if observed.wires.contains_key(lab) {
        let after: Vec<StepId> = off.iter().map(|(_, step)| *step).collect();
        let action = Action::StopWire {
            lab: lab.to_owned(),
        };
        plan.push(&Subject::Wire(lab.to_owned()), action, reason, &after);
    }
    // Networks take longest, so they come first among what can be done at the same time.
    for network in observed
        .networks
        .iter()
        .filter(|network| network.blueprint.lab == lab)
    {
        let bridge = &network.blueprint.bridge;
        if other_lab_on(bridge, lab, observed).is_some() {
            continue;
        }
        let after: Vec<StepId> = off
            .iter()
            .filter(|(domain, _)| is_on(&domain.record.blueprint, bridge))
            .map(|(_, step)| *step)
            .collect();
        let name = network.blueprint.name.clone();
        let subject = Subject::Network(name.clone());
        plan.push(
            &subject,
            Action::RemoveNetwork { network: name },
            reason,
            &after,
        );
    }
    for volume in observed
        .volumes
        .iter()
        .filter(|volume| volume.name.lab == lab)
    {
        // Media are made again at every start; only disks are worth keeping, and with them what
        // was typed.
        let is_kept = volume.name.is_disk() || remembered(&volume.name).is_some();
        if disks == Disks::Keep && is_kept {
            continue;
        }
        let after = undefined.get(volume.name.node.as_str());
        let after = after.cloned().unwrap_or_default();
        let action = Action::DeleteVolume {
            volume: volume.name.to_string(),
        };
        plan.push(
            &Subject::Node(volume.name.node.clone()),
            action,
            reason,
            &after,
        );
    }
    plan
}
