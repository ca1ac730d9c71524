//! What nodes answered to a command.
//!
//! Answers are shown in the order in which the nodes were named, each as soon as those before it
//! have come.

use super::{Format, Screen};
use crate::error::CommandError;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use vnflab_engine::exec::Output;
use vnflab_model::blueprint::NodeBlueprint;

/// What a node answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) lab: String,
    pub(crate) node: String,
    /// What the command said, if it was run.
    pub(crate) output: Option<Output>,
    /// Why it was not.
    pub(crate) error: Option<String>,
    /// What helps, as a sentence.
    pub(crate) hint: Option<String>,
    pub(crate) elapsed: Duration,
}

impl Answer {
    /// Of a node that was not asked yet.
    pub(crate) fn new(node: &NodeBlueprint) -> Self {
        Self {
            lab: node.lab.clone(),
            node: node.node.clone(),
            output: None,
            error: None,
            hint: None,
            elapsed: Duration::ZERO,
        }
    }

    fn is_success(&self) -> bool {
        self.output.as_ref().is_some_and(Output::is_success)
    }
}

/// All answers, as they come.
pub(crate) struct Report<'a> {
    screen: &'a Screen,
    command: &'a str,
    expected: usize,
    shown: usize,
    answers: BTreeMap<usize, Answer>,
}

impl<'a> Report<'a> {
    /// For so many nodes.
    pub(crate) fn new(screen: &'a Screen, command: &'a str, expected: usize) -> Self {
        Self {
            screen,
            command,
            expected,
            shown: 0,
            answers: BTreeMap::new(),
        }
    }

    /// Takes the answer of the node at a position, and shows what can be shown.
    pub(crate) fn add(&mut self, index: usize, answer: Answer) -> Result<(), CommandError> {
        self.answers.insert(index, answer);
        if self.screen.format() == Format::Json {
            return Ok(());
        }
        while let Some(answer) = self.answers.get(&self.shown) {
            self.show(answer)?;
            self.shown += 1;
        }
        Ok(())
    }

    /// Shows what is left; whether the command succeeded everywhere.
    pub(crate) fn finish(self) -> Result<bool, CommandError> {
        if self.screen.format() == Format::Json {
            let nodes = self.answers.values().map(AnswerJson::new).collect();
            let command = self.command;
            self.screen.json("exec", ExecJson { command, nodes })?;
        } else {
            // Answers behind one that never came, because the user interrupted.
            for (_, answer) in self.answers.range(self.shown..) {
                self.show(answer)?;
            }
        }
        Ok(self.answers.len() == self.expected && self.answers.values().all(Answer::is_success))
    }

    fn show(&self, answer: &Answer) -> Result<(), CommandError> {
        let Answer { node, .. } = answer;
        let screen = self.screen;
        if self.expected > 1 {
            let head = screen.out.head(&format!("== {node}"));
            screen.write(&format!("{head}\n"))?;
        }
        if let Some(output) = &answer.output {
            screen.write(&ended(&output.stdout))?;
            if !output.stderr.is_empty() {
                screen.talk_of_guest(&ended(&output.stderr));
            }
            if output.truncated {
                screen.warn(&format!("`{node}` said more than is shown"));
            }
            if let Some(status) = output.status.filter(|status| *status != 0) {
                screen.say(&format!("`{node}`: the command ended with status {status}"));
            }
        }
        if let Some(error) = &answer.error {
            let mut text = CommandError::new(
                crate::error::ErrorKind::Failed,
                format!("`{node}`: {error}"),
            );
            text.hints.extend(answer.hint.clone());
            screen.error(&text);
        }
        Ok(())
    }
}

/// A text whose last line is ended.
fn ended(text: &str) -> String {
    match text.is_empty() || text.ends_with('\n') {
        true => text.to_owned(),
        false => format!("{text}\n"),
    }
}

#[derive(Serialize)]
struct ExecJson<'a> {
    command: &'a str,
    nodes: Vec<AnswerJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct AnswerJson<'a> {
    lab: &'a str,
    node: &'a str,
    success: bool,
    way: Option<&'static str>,
    status: Option<i32>,
    stdout: Option<&'a str>,
    stderr: Option<&'a str>,
    truncated: bool,
    error: Option<&'a str>,
    hint: Option<&'a str>,
    elapsed_seconds: f64,
}

impl<'a> AnswerJson<'a> {
    fn new(answer: &'a Answer) -> Self {
        let output = answer.output.as_ref();
        Self {
            lab: &answer.lab,
            node: &answer.node,
            success: answer.is_success(),
            way: output.map(|output| output.way.word()),
            status: output.and_then(|output| output.status),
            stdout: output.map(|output| output.stdout.as_str()),
            stderr: output.map(|output| output.stderr.as_str()),
            truncated: output.is_some_and(|output| output.truncated),
            error: answer.error.as_deref(),
            hint: answer.hint.as_deref(),
            elapsed_seconds: answer.elapsed.as_secs_f64(),
        }
    }
}
