//! Carrying a plan out while the user watches.

use super::provision::Provisioned;
use crate::error::CommandError;
use crate::interrupt::Interrupt;
use crate::render::progress::Progress;
use crate::render::{self, Screen};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use vnflab_engine::executor::Event;
use vnflab_engine::performer::PerformError;
use vnflab_engine::ready::Outcome;
use vnflab_engine::workspace::{Order, Workspace};
use vnflab_model::blueprint::Blueprint;
use vnflab_model::plan::{Action, Plan};

/// A plan and what became of it.
#[derive(Debug)]
pub(crate) struct CarriedOut {
    /// The lab.
    pub(crate) lab: String,
    /// The plan.
    pub(crate) plan: Plan,
    /// What became of each step, in the order of the plan.
    pub(crate) results: Vec<StepResult>,
    /// The nodes that the lab has by its file; `None` where the file does not matter.
    pub(crate) nodes: Option<BTreeSet<String>>,
    /// How long all of it took, with the waiting.
    pub(crate) elapsed: Duration,
    /// Whether the user interrupted it.
    pub(crate) interrupted: bool,
    /// The nodes on whose consoles was typed, and how that ended.
    pub(crate) provisioned: Vec<Provisioned>,
    /// The nodes that were waited for, and how that ended.
    pub(crate) ready: Vec<(String, Outcome)>,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepResult {
    /// It was done.
    Done,
    /// It failed.
    Failed {
        /// Why.
        reason: String,
        /// What to do, where something is known.
        hint: Option<String>,
    },
    /// It waited for a node in vain; the outcome is with the nodes.
    NotReady,
    /// It was not begun, or broken off by the user.
    Skipped,
}

impl CarriedOut {
    /// How many steps ended so.
    pub(crate) fn count(&self, wanted: fn(&StepResult) -> bool) -> usize {
        self.results.iter().filter(|result| wanted(result)).count()
    }

    /// Whether every step was done but those that waited for nodes in vain.
    pub(crate) fn is_complete(&self) -> bool {
        self.results
            .iter()
            .all(|result| matches!(result, StepResult::Done | StepResult::NotReady))
    }
}

/// A plan to carry out.
pub(crate) struct Job<'a> {
    /// The lab.
    pub(crate) lab: &'a str,
    /// The plan.
    pub(crate) plan: Plan,
    /// What the plan was made from, if it makes things.
    pub(crate) blueprint: Option<&'a Blueprint>,
    /// Most steps at one time.
    pub(crate) workers: usize,
    /// How long guests may take to shut down.
    pub(crate) shutdown_patience: Duration,
}

/// Carries a plan out.
pub(crate) fn carry_out(
    workspace: &Workspace,
    job: Job,
    interrupt: &Interrupt,
    screen: &Screen,
) -> Result<CarriedOut, CommandError> {
    let began = Instant::now();
    let Job {
        lab,
        plan,
        blueprint,
        workers,
        shutdown_patience,
    } = job;
    let mut results = vec![StepResult::Skipped; plan.steps.len()];
    let mut ready = Vec::new();
    if !plan.is_empty() {
        let mut progress = Progress::new(screen);
        let mut left = steps_left(&plan);
        let mut on_event = |event: &Event<'_, PerformError>| {
            observe(event, &mut progress, &mut left, &mut results, &mut ready)
        };
        let order = Order {
            plan: &plan,
            blueprint,
            workers,
            shutdown_patience,
        };
        let outcome = workspace.carry_out(&order, interrupt.flag(), &mut on_event);
        progress.clear();
        outcome?;
    }
    Ok(CarriedOut {
        lab: lab.to_owned(),
        nodes: blueprint.map(names),
        interrupted: interrupt.is_set(),
        elapsed: began.elapsed(),
        plan,
        results,
        ready,
        provisioned: Vec::new(),
    })
}

fn names(blueprint: &Blueprint) -> BTreeSet<String> {
    let names = blueprint.nodes.iter().map(|node| node.node.clone());
    names.collect()
}

/// How many steps each subject has.
fn steps_left(plan: &Plan) -> BTreeMap<String, usize> {
    let mut left = BTreeMap::new();
    for step in &plan.steps {
        *left.entry(render::subject(&step.subject)).or_default() += 1;
    }
    left
}

fn observe(
    event: &Event<'_, PerformError>,
    progress: &mut Progress,
    left: &mut BTreeMap<String, usize>,
    results: &mut [StepResult],
    ready: &mut Vec<(String, Outcome)>,
) {
    let (Event::Started { step, .. }
    | Event::Done { step, .. }
    | Event::Failed { step, .. }
    | Event::Skipped { step, .. }) = event;
    let subject = render::subject(&step.subject);
    let what = step.action.describe();
    match event {
        Event::Started { .. } => return progress.begin(&subject, &what),
        Event::Done { id, elapsed, .. } => {
            results[*id] = StepResult::Done;
            match &step.action {
                Action::AwaitReady { node } => {
                    let after = *elapsed;
                    ready.push((node.shown_name(), Outcome::Ready { after }));
                    progress.ready(&subject, after);
                }
                _ => progress.done(&subject, &what, *elapsed),
            }
        }
        // The report says that the user broke off.
        Event::Failed {
            error: PerformError::Interrupted,
            ..
        } => {}
        Event::Failed {
            id,
            error: PerformError::NotReady { reason, last_lines },
            ..
        } => {
            results[*id] = StepResult::NotReady;
            let outcome = Outcome::NotReady {
                reason: reason.clone(),
                last_lines: last_lines.clone(),
            };
            ready.push((step.subject.name().to_owned(), outcome));
            progress.failed(&subject, &what);
        }
        Event::Failed { id, error, .. } => {
            results[*id] = StepResult::Failed {
                reason: error.to_string(),
                hint: error.hint().map(str::to_owned),
            };
            progress.failed(&subject, &what);
        }
        Event::Skipped { .. } => {}
    }
    if let Some(count) = left.get_mut(&subject) {
        *count -= 1;
        if *count == 0 {
            progress.end(&subject);
        }
    }
}
