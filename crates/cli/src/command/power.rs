//! `vnflab start`, `stop` and `restart`: the power of nodes that exist.

use super::carry_out::{CarriedOut, Job, carry_out};
use crate::cli::{Global, StartArgs, StopArgs};
use crate::context::{self, World};
use crate::error::CommandError;
use crate::interrupt::Interrupt;
use crate::render::{self, Screen};
use std::collections::{BTreeMap, BTreeSet};
use vnflab_engine::executor::MAX_WORKERS;
use vnflab_model::observed::Observed;
use vnflab_model::plan::{Plan, PlanError, Stop, plan_restart, plan_start, plan_stop};

pub(super) fn start(
    global: &Global,
    arguments: &StartArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    run(global, &arguments.nodes, screen, "start", plan_start)
}

pub(super) fn stop(
    global: &Global,
    arguments: &StopArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let how = how(arguments);
    run(
        global,
        &arguments.nodes,
        screen,
        "stop",
        |lab, observed, nodes| plan_stop(lab, observed, nodes, how),
    )
}

pub(super) fn restart(
    global: &Global,
    arguments: &StopArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let how = how(arguments);
    run(
        global,
        &arguments.nodes,
        screen,
        "restart",
        |lab, observed, nodes| plan_restart(lab, observed, nodes, how),
    )
}

fn how(arguments: &StopArgs) -> Stop {
    match arguments.hard {
        true => Stop::PowerOff,
        false => Stop::Shutdown,
    }
}

fn run(
    global: &Global,
    arguments: &[String],
    screen: &Screen,
    verb: &'static str,
    plan: impl Fn(&str, &Observed, &BTreeSet<String>) -> Result<Plan, Vec<PlanError>>,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let world = World::observe(&workspace)?;
    let mut labs: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for argument in arguments {
        let blueprint = &world.node(argument)?.record.blueprint;
        let nodes = labs.entry(&blueprint.lab).or_default();
        nodes.insert(blueprint.node.clone());
    }
    let interrupt = Interrupt::listen()?;
    let mut all: Vec<CarriedOut> = Vec::new();
    for (lab, nodes) in &labs {
        let job = Job {
            lab,
            plan: plan(lab, &world.observed, nodes)?,
            blueprint: None,
            workers: MAX_WORKERS,
        };
        all.push(carry_out(&workspace, job, &interrupt, screen)?);
        if interrupt.is_set() {
            break;
        }
    }
    render::run::report(screen, verb, &all)
}
