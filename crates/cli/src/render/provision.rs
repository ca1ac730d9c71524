//! Configurations that were typed on consoles.

use super::{Format, Screen, counted, time};
use crate::command::provision::{Outcome, Provisioned};
use crate::error::{CommandError, ErrorKind};
use serde::Serialize;
use std::path::Path;

/// Most refused lines that are told of a node; the record has all of them.
const REFUSED_LIMIT: usize = 5;

/// Shows how it went; fails where not all of it was typed.
pub(crate) fn report(screen: &Screen, lab: &str, all: &[Provisioned]) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let nodes = all.iter().map(NodeJson::new).collect();
        screen.json("provision", ProvisionJson { lab, nodes })?;
    }
    if all.is_empty() {
        screen.say(&format!("`{lab}`: nothing is left to be typed."));
    }
    outcome(screen, all)?;
    if let Some(longest) = all.iter().map(|one| one.elapsed).max() {
        let nodes = counted(all.len(), "node");
        let elapsed = time::fine(longest);
        screen.say(&format!("`{lab}`: {nodes} configured in {elapsed}."));
    }
    Ok(())
}

/// Warns of lines that were refused; an error where not all of it was typed.
pub(crate) fn outcome(screen: &Screen, all: &[Provisioned]) -> Result<(), CommandError> {
    let mut causes = Vec::new();
    let mut records = Vec::new();
    let mut left = Vec::new();
    for one in all {
        match &one.outcome {
            Outcome::Done(refused) if refused.is_empty() => {}
            Outcome::Done(refused) => {
                let count = counted(refused.len(), "line");
                screen.warn(&format!("`{}` refused {count}:", one.node));
                for line in refused.iter().take(REFUSED_LIMIT) {
                    let number = line.number;
                    screen.say(&format!("  {number}: `{}`: {}", line.line, line.said));
                }
                screen.say(&format!("  The dialogue is in {}.", one.record.display()));
            }
            Outcome::Failed { reason, last_lines } => {
                let lines: String = last_lines
                    .iter()
                    .map(|line| format!("\n      | {line}"))
                    .collect();
                causes.push(format!("{}: {reason}{lines}", one.node));
                records.push(one.record.display().to_string());
            }
            Outcome::Cancelled => left.push(one.node.as_str()),
        }
    }
    if !left.is_empty() {
        let names = left.join(", ");
        let message = format!("interrupted while typing on consoles: {names}");
        return Err(CommandError::new(ErrorKind::Interrupted, message)
            .hint("`vnflab provision` goes on from what the consoles show."));
    }
    if causes.is_empty() {
        return Ok(());
    }
    let message = format!("{} of {} nodes are not configured", causes.len(), all.len());
    let mut error = CommandError::new(ErrorKind::Failed, message)
        .hint("`vnflab provision` tries again, from what the consoles show then.")
        .hint(format!("The dialogue is in {}.", records.join(", ")));
    error.causes = causes;
    Err(error)
}

#[derive(Serialize)]
struct ProvisionJson<'a> {
    lab: &'a str,
    nodes: Vec<NodeJson<'a>>,
}

/// What became of a node.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct NodeJson<'a> {
    node: &'a str,
    result: &'static str,
    elapsed_seconds: f64,
    record: &'a Path,
    refused: Vec<RefusedJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_lines: Option<&'a [String]>,
}

#[derive(Serialize)]
struct RefusedJson<'a> {
    number: usize,
    line: &'a str,
    said: &'a str,
}

impl<'a> NodeJson<'a> {
    /// Of one node.
    pub(crate) fn new(one: &'a Provisioned) -> Self {
        let mut json = Self {
            node: &one.node,
            result: "done",
            elapsed_seconds: one.elapsed.as_secs_f64(),
            record: &one.record,
            refused: Vec::new(),
            reason: None,
            last_lines: None,
        };
        match &one.outcome {
            Outcome::Done(refused) => {
                let refused = refused.iter().map(|one| RefusedJson {
                    number: one.number,
                    line: &one.line,
                    said: &one.said,
                });
                json.refused = refused.collect();
            }
            Outcome::Failed { reason, last_lines } => {
                json.result = "failed";
                json.reason = Some(reason);
                json.last_lines = Some(last_lines);
            }
            Outcome::Cancelled => json.result = "interrupted",
        }
        json
    }
}
