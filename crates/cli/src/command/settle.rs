//! Waiting until the carriers of a lab are what its links say.
//!
//! A node that is made anew is off for a moment. Its lab's keeper sees that and takes the carrier
//! of its neighbours, as it does for every node that is off, and gives it back at its next look.
//! `up` is done when that has happened, so that a second `up` finds nothing to do.

use crate::error::CommandError;
use crate::interrupt::Interrupt;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use vnflab_engine::workspace::Workspace;
use vnflab_model::blueprint::Blueprint;
use vnflab_model::plan::{Action, Plan, plan_up};

/// The keeper looks once a second. One that is gone is not waited for any longer: what is left
/// to do then shows in `plan`.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(150);

/// Waits until no carrier is left to be given, if the plan that was carried out took any node's
/// power for a while.
pub(super) fn settle(
    workspace: &Workspace,
    blueprint: &Blueprint,
    nodes: Option<&BTreeSet<String>>,
    done: &Plan,
    interrupt: &Interrupt,
) -> Result<(), CommandError> {
    let powers_off = |action: &Action| {
        matches!(
            action,
            Action::ShutdownDomain { .. } | Action::DestroyDomain { .. }
        )
    };
    let was_off = done.steps.iter().any(|step| powers_off(&step.action));
    if blueprint.wire.is_none() || !was_off {
        return Ok(());
    }
    let deadline = Instant::now() + PATIENCE;
    while !interrupt.is_set() && Instant::now() < deadline {
        let left = plan_up(blueprint, &workspace.observe()?, nodes)?;
        let sets_carrier = |action: &Action| matches!(action, Action::SetCarrier { .. });
        if !left.steps.iter().any(|step| sets_carrier(&step.action)) {
            break;
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
