//! What became of plans that were carried out.

use super::plan::StepJson;
use super::{Format, Screen, counted, subject, time};
use crate::command::carry_out::{CarriedOut, StepResult};
use crate::command::provision::{Outcome as Provision, Provisioned};
use crate::error::{CommandError, ErrorKind};
use serde::Serialize;
use std::collections::BTreeSet;
use vnflab_engine::ready::{Outcome, Reason};
use vnflab_model::plan::Action;

/// Most failures that are told in full; more have the same few reasons.
const FAILURE_LIMIT: usize = 20;

/// Most names in one message; it shall stay a line or two.
const NAME_LIMIT: usize = 10;

/// Shows the JSON document, or says how it went; fails when not all of it was done.
pub(crate) fn report(screen: &Screen, verb: &str, runs: &[CarriedOut]) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let labs = runs.iter().map(LabJson::new).collect();
        screen.json("run", RunJson { verb, labs })?;
    }
    for run in runs {
        let is_provisioned = |one: &Provisioned| matches!(one.outcome, Provision::Done(_));
        let is_well = run.provisioned.iter().all(is_provisioned);
        if run.is_complete() && is_well && awaited_in_vain(run).next().is_none() {
            screen.say(&summary(verb, run));
        }
    }
    outcome(verb, runs)?;
    runs.iter().try_for_each(not_ready)
}

/// As [`report`], for `up`: says how to look around, and which nodes are not ready.
pub(crate) fn report_up(screen: &Screen, run: &CarriedOut) -> Result<(), CommandError> {
    report(screen, "up", std::slice::from_ref(run))?;
    super::provision::outcome(screen, &run.provisioned)?;
    if !run.plan.is_empty() {
        screen.say("Look around with `vnflab ps`, `vnflab links` and `vnflab console NODE`.");
    }
    Ok(())
}

/// After `down`: says which disks are left, by their sizes in bytes, and how they go too.
pub(crate) fn kept_disks(screen: &Screen, lab: &str, sizes: &[u64]) {
    if sizes.is_empty() {
        return;
    }
    let disks = counted(sizes.len(), "disk");
    let mib = sizes.iter().sum::<u64>().div_ceil(1024 * 1024);
    let (stay, them) = match sizes.len() {
        1 => ("stays", "it"),
        _ => ("stay", "them"),
    };
    screen.say(&format!(
        "{disks} of `{lab}` ({mib} MiB) {stay} for the next `up`; `vnflab down --purge --lab {lab}` deletes {them}."
    ));
}

/// The nodes that were waited for in vain, with the reason and their last lines.
fn awaited_in_vain(run: &CarriedOut) -> impl Iterator<Item = (&str, &Reason, &[String])> {
    run.ready
        .iter()
        .filter_map(|(node, outcome)| match outcome {
            Outcome::Ready { .. } => None,
            Outcome::NotReady { reason, last_lines } => {
                Some((node.as_str(), reason, last_lines.as_slice()))
            }
        })
}

/// An error when nodes were waited for in vain.
fn not_ready(run: &CarriedOut) -> Result<(), CommandError> {
    let mut causes = Vec::new();
    let mut booting = Vec::new();
    for (node, reason, last_lines) in awaited_in_vain(run) {
        if *reason == Reason::Cancelled {
            booting.push(node);
            continue;
        }
        let lines: String = last_lines
            .iter()
            .map(|line| format!("\n      | {line}"))
            .collect();
        causes.push(format!("{node}: {reason}{lines}"));
    }
    for node in held_back(run) {
        causes.push(format!(
            "{node}: not started, it comes after a node that is not ready"
        ));
    }
    let all = run.ready.len() + held_back(run).count();
    let mut error = match (booting.len(), causes.len()) {
        (0, 0) => return Ok(()),
        (0, failed) => {
            let message = format!("{failed} of {all} nodes are not ready");
            CommandError::new(ErrorKind::NotReady, message)
                .hint("`vnflab console NODE` shows what a node is up to.")
        }
        (count, _) => {
            let mut names = booting[..count.min(NAME_LIMIT)].join(", ");
            if count > NAME_LIMIT {
                names.push_str(&format!(" and {} more", count - NAME_LIMIT));
            }
            let message =
                format!("interrupted while {count} of {all} nodes were still booting: {names}");
            CommandError::new(ErrorKind::Interrupted, message)
                .hint("They boot on; `vnflab up --wait` goes on waiting for them.")
        }
    };
    causes.truncate(FAILURE_LIMIT);
    error.causes = causes;
    Err(error)
}

/// The nodes that were not started because another is not ready.
fn held_back(run: &CarriedOut) -> impl Iterator<Item = &str> {
    let steps = run.plan.steps.iter().zip(&run.results);
    steps
        .filter(|(step, result)| {
            **result == StepResult::Skipped && matches!(step.action, Action::StartDomain { .. })
        })
        .map(|(step, _)| step.subject.name())
}

/// One line about what was done in full.
fn summary(verb: &str, run: &CarriedOut) -> String {
    let lab = &run.lab;
    let elapsed = time::fine(run.elapsed);
    if run.plan.is_empty() && run.ready.is_empty() && run.provisioned.is_empty() {
        return format!("`{lab}`: nothing to do.");
    }
    let touched = touched_nodes(run);
    let Some(all) = &run.nodes else {
        let nodes = counted(touched.len(), "node");
        return match verb {
            "down" => format!("`{lab}` is down: {nodes} removed in {elapsed}."),
            _ => format!("`{lab}`: {verb} of {nodes} in {elapsed}."),
        };
    };
    let changed = touched.iter().filter(|node| all.contains(**node)).count();
    let removed = touched.len() - changed;
    let mut details = Vec::new();
    if changed != all.len() {
        details.push(format!("{changed} changed"));
    }
    if removed > 0 {
        details.push(format!("{removed} removed"));
    }
    if !run.provisioned.is_empty() {
        details.push(format!("{} configured", run.provisioned.len()));
    }
    if !run.ready.is_empty() {
        details.push(format!("{} ready", run.ready.len()));
    }
    let details = match details.is_empty() {
        true => String::new(),
        false => format!(" ({})", details.join(", ")),
    };
    let nodes = counted(all.len(), "node");
    format!("`{lab}` is up: {nodes}{details} in {elapsed}.")
}

/// The nodes that a plan concerned.
fn touched_nodes(run: &CarriedOut) -> BTreeSet<&str> {
    let steps = run.plan.steps.iter();
    steps.filter_map(|step| step.subject.node()).collect()
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
    // What a node that is not ready held back is told with that node.
    let held_back = |run: &CarriedOut| !run.interrupted && awaited_in_vain(run).next().is_some();
    let is_told = |run: &CarriedOut| run.is_complete() || held_back(run);
    if failed == 0 && runs.iter().all(is_told) {
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
    provisioned: Vec<super::provision::NodeJson<'a>>,
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
                        StepResult::NotReady => ("not-ready", None),
                        StepResult::Skipped => ("skipped", None),
                    };
                    DoneJson {
                        step: StepJson::new(step),
                        result,
                        error,
                    }
                })
                .collect(),
            provisioned: run
                .provisioned
                .iter()
                .map(super::provision::NodeJson::new)
                .collect(),
            ready: run.ready.iter().map(ReadyJson::new).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use vnflab_model::plan::{Plan, Step, Subject};

    /// A run of one step for each result, all of one node.
    fn run(results: Vec<StepResult>) -> CarriedOut {
        let step = Step {
            subject: Subject::Node("r1".to_owned()),
            action: Action::StartDomain {
                domain: "a.r1".to_owned(),
            },
            reason: "does not run".to_owned(),
            after: Vec::new(),
            behind: Vec::new(),
        };
        CarriedOut {
            lab: "a".to_owned(),
            nodes: None,
            plan: Plan {
                steps: vec![step; results.len()],
            },
            results,
            elapsed: Duration::from_millis(1500),
            interrupted: false,
            provisioned: Vec::new(),
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
    fn a_summary_counts_the_nodes_of_the_lab_and_what_was_changed() {
        let of = |nodes: &[&str], ready| CarriedOut {
            nodes: Some(nodes.iter().map(|node| (*node).to_owned()).collect()),
            ready,
            ..run(vec![StepResult::Done, StepResult::Done])
        };
        let up = |run: &CarriedOut| summary("up", run);
        assert_eq!(up(&of(&["r1"], Vec::new())), "`a` is up: 1 node in 1.50 s.");
        assert_eq!(
            up(&of(&["r1", "r2"], Vec::new())),
            "`a` is up: 2 nodes (1 changed) in 1.50 s."
        );
        assert_eq!(
            up(&of(&["r2"], Vec::new())),
            "`a` is up: 1 node (0 changed, 1 removed) in 1.50 s."
        );
        let after = Duration::from_secs(1);
        let ready = vec![("r1".to_owned(), Outcome::Ready { after })];
        let waited = CarriedOut {
            plan: Plan { steps: Vec::new() },
            ..of(&["r1"], ready)
        };
        assert_eq!(
            up(&waited),
            "`a` is up: 1 node (0 changed, 1 ready) in 1.50 s."
        );
        let down = run(vec![StepResult::Done]);
        assert_eq!(
            summary("down", &down),
            "`a` is down: 1 node removed in 1.50 s."
        );
    }

    #[test]
    fn an_interrupted_wait_names_the_nodes_that_boot_on() {
        let waited = CarriedOut {
            interrupted: true,
            ready: ["r1", "r2"]
                .map(|node| {
                    let outcome = Outcome::NotReady {
                        reason: Reason::Cancelled,
                        last_lines: vec!["booting".to_owned()],
                    };
                    (node.to_owned(), outcome)
                })
                .into(),
            ..run(vec![StepResult::Done])
        };
        let error = not_ready(&waited).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Interrupted);
        assert_eq!(
            error.message,
            "interrupted while 2 of 2 nodes were still booting: r1, r2"
        );
        assert!(error.causes.is_empty());
    }

    #[test]
    fn a_node_that_was_held_back_is_told_with_the_one_that_is_not_ready() {
        let outcome_of_r2 = Outcome::NotReady {
            reason: Reason::TimedOut(Duration::from_secs(9)),
            last_lines: Vec::new(),
        };
        let waited = CarriedOut {
            ready: vec![("r2".to_owned(), outcome_of_r2)],
            ..run(vec![StepResult::NotReady, StepResult::Skipped])
        };
        assert!(outcome("up", std::slice::from_ref(&waited)).is_ok());
        let error = not_ready(&waited).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotReady);
        assert_eq!(error.message, "2 of 2 nodes are not ready");
        let told = [
            "r2: not ready within 9 s",
            "r1: not started, it comes after a node that is not ready",
        ];
        assert_eq!(error.causes, told);
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
