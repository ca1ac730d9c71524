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
            let message = format!("interrupted after {done} of {steps} steps");
            CommandError::new(ErrorKind::Interrupted, message).hint(format!(
                "`vnflab {verb}` goes on from there, and `vnflab down` removes what there is."
            ))
        }
        false => {
            let message = format!("{failed} of {steps} steps failed");
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use vnflab_model::plan::{Action, Plan, Step};

    /// A run of one step for each result, all of one node.
    fn run(results: Vec<StepResult>) -> CarriedOut {
        let step = Step {
            subject: Subject::Node("r1".to_owned()),
            action: Action::StartDomain {
                domain: "a.r1".to_owned(),
            },
            reason: "does not run".to_owned(),
            after: Vec::new(),
        };
        CarriedOut {
            lab: "a".to_owned(),
            plan: Plan {
                steps: vec![step; results.len()],
            },
            results,
            elapsed: Duration::from_millis(1500),
            interrupted: false,
            ready: Vec::new(),
        }
    }

    fn failed() -> StepResult {
        StepResult::Failed {
            reason: "no memory".to_owned(),
            hint: Some("free some".to_owned()),
        }
    }

    #[test]
    fn what_failed_is_told_once_with_its_hint() {
        assert!(outcome("up", &[run(vec![StepResult::Done])]).is_ok());
        let results = vec![StepResult::Done, failed(), failed(), StepResult::Skipped];
        let error = outcome("up", &[run(results)]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Failed);
        assert_eq!(error.message, "2 of 4 steps failed");
        assert_eq!(error.causes, ["r1: no memory", "r1: no memory"]);
        let hints = [
            "free some",
            "Once that is mended, `vnflab up` goes on from there.",
        ];
        assert_eq!(error.hints, hints);
    }

    #[test]
    fn an_interruption_says_how_to_go_on() {
        let interrupted = CarriedOut {
            interrupted: true,
            ..run(vec![StepResult::Done, StepResult::Skipped])
        };
        let error = outcome("up", &[interrupted]).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted);
        assert_eq!(error.message, "interrupted after 1 of 2 steps");
        // A signal that came when all was done changes nothing.
        let late = CarriedOut {
            interrupted: true,
            ..run(vec![StepResult::Done])
        };
        assert!(outcome("up", &[late]).is_ok());
    }

    #[test]
    fn nodes_that_are_not_ready_are_named_with_their_last_lines() {
        let ready = |node: &str, outcome| (node.to_owned(), outcome);
        let waited = CarriedOut {
            ready: vec![
                ready(
                    "r1",
                    Outcome::Ready {
                        after: Duration::from_secs(9),
                    },
                ),
                ready(
                    "r2",
                    Outcome::NotReady {
                        reason: Reason::TimedOut(Duration::from_secs(120)),
                        last_lines: vec!["booting".to_owned(), "grub>".to_owned()],
                    },
                ),
            ],
            ..run(vec![StepResult::Done])
        };
        let error = not_ready(&waited).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotReady);
        assert_eq!(error.message, "1 of 2 nodes are not ready");
        let told = "r2: not ready within 120 s\n      | booting\n      | grub>";
        assert_eq!(error.causes, [told]);
        insta::assert_json_snapshot!(LabJson::new(&waited));
    }
}
