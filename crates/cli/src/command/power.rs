//! `vnflab start`, `stop`, `restart`, `suspend`, `resume` and `cpu-limit`: the power of nodes that
//! exist.

use super::carry_out::{CarriedOut, Job, carry_out};
use crate::cli::Global;
use crate::cli::power::{CpuLimitArgs, HoldArgs, NodesArgs, RestartArgs, StartArgs, StopArgs};
use crate::context::{self, World};
use crate::error::{CommandError, ErrorKind};
use crate::interrupt::Interrupt;
use crate::render::{self, Screen};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;
use vnflab_engine::executor::MAX_WORKERS;
use vnflab_engine::performer::SHUTDOWN_PATIENCE;
use vnflab_model::blueprint::StartLimit;
use vnflab_model::observed::{DomainState, Host, Observed};
use vnflab_model::plan::{
    Plan, PlanError, Stop, plan_cpu_limit, plan_restart, plan_resume, plan_start, plan_stop,
    plan_suspend,
};

pub(super) fn start(
    global: &Global,
    arguments: &StartArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let job = Power {
        verb: "start",
        nodes: &arguments.nodes,
        meant: |_| true,
        patience: SHUTDOWN_PATIENCE,
    };
    run(global, &job, screen, |lab, seen, nodes| {
        let limit = limit(&seen.host, arguments.batch);
        plan_start(lab, seen.observed, nodes, limit)
    })
}

pub(super) fn stop(
    global: &Global,
    arguments: &StopArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let how = how(arguments);
    let job = Power::off("stop", arguments);
    run(global, &job, screen, |lab, seen, nodes| {
        plan_stop(lab, seen.observed, nodes, how)
    })
}

pub(super) fn restart(
    global: &Global,
    arguments: &RestartArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let how = how(&arguments.stop);
    let job = Power::off("restart", &arguments.stop);
    run(global, &job, screen, |lab, seen, nodes| {
        let limit = limit(&seen.host, arguments.batch);
        plan_restart(lab, seen.observed, nodes, how, limit)
    })
}

pub(super) fn suspend(
    global: &Global,
    arguments: &HoldArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let job = Power::of_running("suspend", &arguments.nodes);
    run(global, &job, screen, |lab, seen, nodes| {
        plan_suspend(lab, seen.observed, nodes)
    })
}

pub(super) fn resume(
    global: &Global,
    arguments: &HoldArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let job = Power::of_running("resume", &arguments.nodes);
    run(global, &job, screen, |lab, seen, nodes| {
        plan_resume(lab, seen.observed, nodes)
    })
}

pub(super) fn cpu_limit(
    global: &Global,
    arguments: &CpuLimitArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let job = Power::of_running("cpu-limit", &arguments.nodes);
    run(global, &job, screen, |lab, seen, nodes| {
        plan_cpu_limit(lab, seen.observed, nodes, arguments.limit.0)
    })
}

/// What is asked for.
struct Power<'a> {
    verb: &'static str,
    nodes: &'a NodesArgs,
    /// The states in which `--all` means a node.
    meant: fn(DomainState) -> bool,
    /// How long guests may take to shut down.
    patience: Duration,
}

impl<'a> Power<'a> {
    fn off(verb: &'static str, arguments: &'a StopArgs) -> Self {
        Self {
            verb,
            nodes: &arguments.nodes,
            meant: |_| true,
            patience: arguments.timeout.unwrap_or(SHUTDOWN_PATIENCE),
        }
    }

    fn of_running(verb: &'static str, nodes: &'a NodesArgs) -> Self {
        Self {
            verb,
            nodes,
            meant: DomainState::is_active,
            patience: SHUTDOWN_PATIENCE,
        }
    }

    /// The nodes that are meant, by lab.
    fn chosen<'w>(
        &self,
        world: &'w World,
    ) -> Result<BTreeMap<&'w str, BTreeSet<String>>, CommandError> {
        let mut labs: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        if self.nodes.all {
            let lab = world.lab(self.nodes.lab.as_deref())?;
            let domains = world.observed.vms_of_lab(lab);
            let domains = domains.filter(|domain| (self.meant)(domain.state));
            let nodes: BTreeSet<String> = domains
                .map(|domain| domain.record.blueprint.node.clone())
                .collect();
            if nodes.is_empty() {
                let message = format!("no node of `{lab}` runs");
                return Err(CommandError::new(ErrorKind::Failed, message));
            }
            labs.insert(lab, nodes);
        }
        for argument in &self.nodes.nodes {
            let blueprint = &world.node(argument)?.record.blueprint;
            let nodes = labs.entry(&blueprint.lab).or_default();
            nodes.insert(blueprint.node.clone());
        }
        Ok(labs)
    }
}

/// How much may boot at one time: so many nodes, else what the host bears.
fn limit(host: &Host, batch: Option<NonZeroU32>) -> StartLimit {
    match batch {
        Some(nodes) => StartLimit::of_nodes(nodes.get()),
        None => StartLimit::of_host(host),
    }
}

fn how(arguments: &StopArgs) -> Stop {
    match arguments.hard {
        true => Stop::PowerOff,
        false => Stop::Shutdown,
    }
}

/// What plans of power are made from.
struct Seen<'a> {
    host: Host,
    observed: &'a Observed,
}

fn run(
    global: &Global,
    power: &Power<'_>,
    screen: &Screen,
    plan: impl Fn(&str, &Seen<'_>, &BTreeSet<String>) -> Result<Plan, Vec<PlanError>>,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let world = World::observe(&workspace)?;
    let labs = power.chosen(&world)?;
    let seen = Seen {
        host: workspace.driver().host()?,
        observed: &world.observed,
    };
    let interrupt = Interrupt::listen()?;
    let mut all: Vec<CarriedOut> = Vec::new();
    for (lab, nodes) in &labs {
        let job = Job {
            lab,
            plan: plan(lab, &seen, nodes)?,
            blueprint: None,
            workers: MAX_WORKERS,
            shutdown_patience: power.patience,
        };
        all.push(carry_out(&workspace, job, &interrupt, screen)?);
        if interrupt.is_set() {
            break;
        }
    }
    render::run::report(screen, power.verb, &all)
}
