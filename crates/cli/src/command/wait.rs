//! Waiting until nodes are ready, while the user watches.

use crate::error::{CommandError, ErrorKind};
use crate::interrupt::Interrupt;
use crate::render::Screen;
use crate::render::progress::Progress;
use std::collections::BTreeSet;
use vnflab_engine::ready::{Awaited, Outcome, Reason, wait_ready};
use vnflab_engine::workspace::Workspace;
use vnflab_model::blueprint::{Blueprint, NodeBlueprint};
use vnflab_model::observed::{DomainState, Locality};

/// What is shown of a node that is waited for.
const WAITING: &str = "boots";

/// Waits for the nodes; each outcome, in the order in which they came.
pub(super) fn wait<'a>(
    workspace: &Workspace,
    blueprint: &Blueprint,
    nodes: impl Iterator<Item = &'a NodeBlueprint>,
    interrupt: &Interrupt,
    screen: &Screen,
) -> Result<Vec<(String, Outcome)>, CommandError> {
    if workspace.driver().host()?.locality == Locality::Remote {
        let message = "the consoles are on another host, so readiness cannot be seen from here";
        return Err(CommandError::new(ErrorKind::Failed, message)
            .hint("Run `vnflab up --wait` on that host."));
    }
    let observed = workspace.observe()?;
    let awaited = nodes.map(|node| {
        let domain = observed.domain(&node.lab, &node.node);
        let uptime = domain.and_then(|domain| domain.uptime);
        Awaited::of(node).up_for(uptime.unwrap_or_default())
    });
    let awaited: Vec<Awaited> = awaited.collect();
    let mut progress = Progress::new(screen);
    for node in &awaited {
        progress.begin(&node.node, WAITING);
    }
    let mut outcomes = Vec::new();
    wait_ready(
        &awaited,
        &mut || stopped(workspace, blueprint),
        &mut |node, outcome| {
            match outcome {
                Outcome::Ready { after } => progress.ready(node, *after),
                // The node boots on, and the report names it.
                Outcome::NotReady {
                    reason: Reason::Cancelled,
                    ..
                } => {}
                Outcome::NotReady { .. } => progress.failed(node, WAITING),
            }
            progress.end(node);
            outcomes.push((node.to_owned(), outcome.clone()));
        },
        interrupt.flag(),
    );
    progress.clear();
    Ok(outcomes)
}

/// The nodes that do not run. While libvirt does not answer, none counts as stopped: the time of
/// each node ends the waiting.
fn stopped(workspace: &Workspace, blueprint: &Blueprint) -> BTreeSet<String> {
    let Ok(observed) = workspace.observe() else {
        return BTreeSet::new();
    };
    let runs = |node: &NodeBlueprint| {
        let mut vms = observed.vms_of_node(&node.lab, &node.node);
        let vm = vms.find(|domain| domain.record.blueprint.vm() == node.vm());
        vm.is_some_and(|domain| matches!(domain.state, DomainState::Running | DomainState::Paused))
    };
    let stopped = blueprint.vms().filter(|node| !runs(node));
    stopped.map(NodeBlueprint::shown_name).collect()
}
