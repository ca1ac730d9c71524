//! One node: made, made anew, started, or left alone.

use super::Seen;
use super::changes::changes;
use super::networks::Networks;
use super::volumes::{is_complete, plan_volumes};
use crate::blueprint::{Attachment, Drive, DriveContent, NodeBlueprint};
use crate::observed::DomainState;
use crate::plan::{Action, Plan, StepId, Subject};

pub(super) fn plan_node(
    plan: &mut Plan,
    node: &NodeBlueprint,
    seen: &Seen<'_>,
    networks: &Networks,
) {
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
