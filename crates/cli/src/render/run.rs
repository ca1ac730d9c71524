//! What became of plans that were carried out.

use super::plan::StepJson;
use super::{Format, Screen, counted, subject, time};
use crate::command::carry_out::{CarriedOut, StepResult};
use crate::error::{CommandError, ErrorKind};
use serde::Serialize;
use std::collections::BTreeSet;
use vnflab_engine::ready::{Outcome, Reason};
use vnflab_model::plan::Subject;

/// Most failures that are told in full; more have the same few reasons.
const FAILURE_LIMIT: usize = 20;

/// Shows the JSON document, or says how it went; fails when not all of it was done.
pub(crate) fn report(screen: &Screen, verb: &str, runs: &[CarriedOut]) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let labs = runs.iter().map(LabJson::new).collect();
        screen.json("run", RunJson { verb, labs })?;
    }
    for run in runs {
        let lab = &run.lab;
        if run.plan.is_empty() {
            screen.say(&format!("`{lab}`: nothing to do."));
        } else if run.is_complete() {
            let nodes = counted(nodes(run), "node");
            let elapsed = time::fine(run.elapsed);
            let done = match verb {
                "up" => format!("`{lab}` is up: {nodes} in {elapsed}."),
                "down" => format!("`{lab}` is down: {nodes} in {elapsed}."),
                _ => format!("`{lab}`: {verb} of {nodes} in {elapsed}."),
            };
            screen.say(&done);
        }
    }
    outcome(verb, runs)
}

/// As [`report`], for `up`: says how to look around, and which nodes are not ready.
pub(crate) fn report_up(screen: &Screen, run: &CarriedOut) -> Result<(), CommandError> {
    report(screen, "up", std::slice::from_ref(run))?;
    not_ready(run)?;
    if !run.plan.is_empty() {
        screen.say("Look around with `vnflab ps`, `vnflab links` and `vnflab console NODE`.");
    }
    Ok(())
}

/// An error when nodes were waited for in vain.
fn not_ready(run: &CarriedOut) -> Result<(), CommandError> {
    let mut causes = Vec::new();
    let mut cancelled = false;
    for (node, outcome) in &run.ready {
        if let Outcome::NotReady { reason, last_lines } = outcome {
            let lines: String = last_lines
                .iter()
                .map(|line| format!("\n      | {line}"))
                .collect();
            causes.push(format!("{node}: {reason}{lines}"));
            cancelled |= *reason == Reason::Cancelled;
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} of {} nodes are not ready",
        causes.len(),
        run.ready.len()
    );
    let mut error = match cancelled {
        true => CommandError::new(ErrorKind::Interrupted, message)
            .hint("The nodes boot on; `vnflab up --wait` waits for them again."),
        false => CommandError::new(ErrorKind::NotReady, message)
            .hint("`vnflab console NODE` shows what a node is up to."),
    };
    causes.truncate(FAILURE_LIMIT);
    error.causes = causes;
    Err(error)
}

/// How many nodes a plan concerned.
fn nodes(run: &CarriedOut) -> usize {
    let subjects = run.plan.steps.iter().map(|step| &step.subject);
    let nodes = subjects.filter(|subject| matches!(subject, Subject::Node(_)));
    nodes.collect::<BTreeSet<_>>().len()
}

/// An error when not all of it was done.
fn outcome(verb: &str, runs: &[CarriedOut]) -> Result<(), CommandError> {
    let is_failed = |result: &StepResult| matches!(result, StepResult::Failed { .. });
    let steps: usize = runs.iter().map(|run| run.results.len()).sum();
    let failed: usize = runs.iter().map(|run| run.count(is_failed)).sum();
    let done: usize = runs
        .iter()
        .map(|run| run.count(|result| *result == StepResult::Done))
        .sum();
    if failed == 0 && runs.iter().all(CarriedOut::is_complete) {
        return Ok(());
    }
    let mut error = match runs.iter().any(|run| run.interrupted) {
        true => {
            let message = format!("interrupted: {done} of {steps} steps were done");
            CommandError::new(ErrorKind::Interrupted, message).hint(format!(
                "`vnflab {verb}` goes on from there, and `vnflab down` removes what there is."
            ))
        }
        false => {
            let message = format!("{failed} of {steps} steps failed, {done} were done");
            CommandError::new(ErrorKind::Failed, message)
        }
    };
    let mut hints = BTreeSet::new();
    for run in runs {
        for (step, result) in run.plan.steps.iter().zip(&run.results) {
            let StepResult::Failed { reason, hint } = result else {
                continue;
            };
            if error.causes.len() < FAILURE_LIMIT {
                let subject = subject(&step.subject);
                error.causes.push(format!("{subject}: {reason}"));
            }
            hints.extend(hint.clone());
        }
    }
    error.hints.splice(0..0, hints);
    if error.kind == ErrorKind::Failed {
        error.hints.push(format!(
            "Once that is mended, `vnflab {verb}` goes on from there."
        ));
    }
    Err(error)
}

#[derive(Serialize)]
struct RunJson<'a> {
    verb: &'a str,
    labs: Vec<LabJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct LabJson<'a> {
    lab: &'a str,
    complete: bool,
    interrupted: bool,
    elapsed_seconds: f64,
    steps: Vec<DoneJson<'a>>,
    ready: Vec<ReadyJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ReadyJson<'a> {
    node: &'a str,
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_lines: Option<&'a [String]>,
}

impl<'a> ReadyJson<'a> {
    fn new((node, outcome): &'a (String, Outcome)) -> Self {
        match outcome {
            Outcome::Ready { after } => Self {
                node,
                ready: true,
                after_seconds: Some(after.as_secs_f64()),
                reason: None,
                last_lines: None,
            },
            Outcome::NotReady { reason, last_lines } => Self {
                node,
                ready: false,
                after_seconds: None,
                reason: Some(reason.to_string()),
                last_lines: Some(last_lines),
            },
        }
    }
}

#[derive(Serialize)]
struct DoneJson<'a> {
    #[serde(flatten)]
    step: StepJson<'a>,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> LabJson<'a> {
    fn new(run: &'a CarriedOut) -> Self {
        let steps = run.plan.steps.iter().zip(&run.results);
        Self {
            lab: &run.lab,
            complete: run.is_complete(),
            interrupted: run.interrupted,
            elapsed_seconds: run.elapsed.as_secs_f64(),
            steps: steps
                .map(|(step, result)| {
                    let (result, error) = match result {
                        StepResult::Done => ("done", None),
                        StepResult::Failed { reason, .. } => ("failed", Some(reason.as_str())),
                        StepResult::Skipped => ("skipped", None),
                    };
                    DoneJson {
                        step: StepJson::new(step),
                        result,
                        error,
                    }
                })
                .collect(),
            ready: run.ready.iter().map(ReadyJson::new).collect(),
        }
    }
}
