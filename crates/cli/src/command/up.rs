//! `vnflab up`: makes a lab run as its file says.

use super::carry_out::{CarriedOut, Job, carry_out};
use super::provision::{self, Which};
use super::settle::settle;
use super::{lab, wait};
use crate::cli::{Global, UpArgs};
use crate::context;
use crate::error::CommandError;
use crate::interrupt::Interrupt;
use crate::render::{self, Screen};
use std::collections::BTreeSet;
use std::time::Instant;
use vnflab_engine::executor::MAX_WORKERS;
use vnflab_engine::performer::SHUTDOWN_PATIENCE;
use vnflab_engine::ssh;
use vnflab_model::blueprint::StartLimit;
use vnflab_model::plan::{Action, plan_replace, plan_up};

pub(super) fn run(
    global: &Global,
    arguments: &UpArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let interrupt = Interrupt::listen()?;
    let selection = lab::selection(&arguments.selection);
    let mut decided = lab::decide(&workspace, &selection.lab, &arguments.variation, screen)?;
    if let Some(batch) = arguments.batch {
        decided.blueprint.start = StartLimit::of_nodes(batch.get());
    }
    let blueprint = &decided.blueprint;
    let nodes = selection.nodes.as_ref();
    lab::check_nodes(blueprint, nodes)?;
    let job = Job {
        lab: &blueprint.lab,
        plan: match arguments.replace {
            true => plan_replace(blueprint, &decided.survey.observed, nodes)?,
            false => plan_up(blueprint, &decided.survey.observed, nodes)?,
        },
        blueprint: Some(blueprint),
        workers: arguments.parallel.map_or(MAX_WORKERS, usize::from),
        shutdown_patience: SHUTDOWN_PATIENCE,
    };
    let made = |name: &str| {
        let mut steps = job.plan.steps.iter();
        steps.any(|step| {
            step.subject.name() == name && matches!(step.action, Action::CreateOverlay { .. })
        })
    };
    let new = blueprint.nodes.iter().filter(|node| made(&node.node));
    let guests: BTreeSet<&str> = new.map(|node| node.guest.as_str()).collect();
    let kinds = guests
        .iter()
        .filter_map(|name| workspace.catalogue().find(name));
    render::kinds::notes(screen, kinds.map(|kind| &**kind));
    let mut run = carry_out(&workspace, job, &interrupt, screen)?;
    forget_new_disks(&run);
    if run.is_complete() {
        settle(&workspace, blueprint, nodes, &run.plan, &interrupt)?;
    }
    if run.is_complete() && !arguments.no_provision {
        let began = Instant::now();
        let left = Which::Left;
        run.provisioned = provision::all(&workspace, blueprint, nodes, left, &interrupt, screen)?;
        run.elapsed += began.elapsed();
        run.interrupted = interrupt.is_set();
    }
    if arguments.wait && run.is_complete() {
        // Those that others had to wait for are known already.
        let known: BTreeSet<&str> = run.ready.iter().map(|(node, _)| node.as_str()).collect();
        let awaited = blueprint.vms().filter(|vm| {
            let selected = nodes.is_none_or(|nodes| nodes.contains(&vm.node));
            let says_it = !vm.ready.is_untold();
            selected && says_it && !known.contains(vm.shown_name().as_str())
        });
        let began = Instant::now();
        let ready = wait::wait(&workspace, blueprint, awaited, &interrupt, screen)?;
        run.ready.extend(ready);
        run.elapsed += began.elapsed();
        run.interrupted = interrupt.is_set();
    }
    render::run::report_up(screen, &run)
}

/// A new disk means a new host key: the old one would be taken for an attack.
fn forget_new_disks(run: &CarriedOut) {
    let Ok(folder) = ssh::folder() else {
        return;
    };
    let known_hosts = ssh::known_hosts(&folder, &run.lab);
    for step in &run.plan.steps {
        if let Action::CreateOverlay { .. } = step.action {
            let alias = format!("{}.{}", run.lab, step.subject.name());
            // A file that cannot be edited makes `ssh` speak up, which is all that is lost.
            let _ = ssh::forget_host(&known_hosts, &alias);
        }
    }
}
