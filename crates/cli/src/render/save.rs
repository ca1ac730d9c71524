//! Configurations that were saved.

use super::{Format, Screen, clean};
use crate::error::{CommandError, ErrorKind};
use serde::Serialize;
use similar::TextDiff;
use std::path::{Path, PathBuf};

/// What became of a node's configuration.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) lab: String,
    pub(crate) node: String,
    pub(crate) path: PathBuf,
    /// How the node was asked.
    pub(crate) way: Option<&'static str>,
    pub(crate) lines: usize,
    /// What the file held, where that was another.
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) result: Result,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Result {
    /// There was no such file.
    New,
    /// The file held another configuration.
    Changed,
    /// The file holds just that.
    Unchanged,
    /// The reason; the file is as it was.
    Failed(String),
}

impl Result {
    fn word(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Failed(_) => "failed",
        }
    }
}

/// Says what was saved; fails where not all of it was.
pub(crate) fn report(
    screen: &Screen,
    rows: &[Row],
    dry_run: bool,
    diff: bool,
) -> std::result::Result<(), CommandError> {
    if screen.format() == Format::Json {
        let nodes = rows.iter().map(RowJson::new).collect();
        screen.json("save", SaveJson { dry_run, nodes })?;
    } else {
        let mut text = String::new();
        for row in rows {
            if matches!(row.result, Result::Failed(_)) {
                continue;
            }
            let path = shown(&row.path);
            let lines = row.lines;
            text.push_str(&format!("{path}: {lines} lines, {}\n", row.result.word()));
            if diff && row.result != Result::Unchanged {
                let changes = TextDiff::from_lines(&row.before, &row.after);
                let mut changes = changes.unified_diff();
                let changes = changes.context_radius(3).to_string();
                text.extend(changes.lines().map(|line| clean(line) + "\n"));
            }
        }
        screen.write(&text)?;
        let saved = rows.iter().any(|row| row.result == Result::New);
        if saved && !dry_run {
            screen
                .say("A node boots with its file once the lab says `startup-config: FILE` of it.");
        }
    }
    let failed: Vec<String> = rows
        .iter()
        .filter_map(|row| match &row.result {
            Result::Failed(reason) => Some(format!("{}: {reason}", row.node)),
            _ => None,
        })
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    let message = format!(
        "{} of {} configurations are not saved",
        failed.len(),
        rows.len()
    );
    let mut error = CommandError::new(ErrorKind::Failed, message)
        .hint("Their files are as they were. `vnflab console NODE` shows what a node is up to.");
    error.causes = failed;
    Err(error)
}

/// Below the current folder, a path is written from there.
fn shown(path: &Path) -> String {
    let current = crate::context::current_folder();
    clean(
        &path
            .strip_prefix(&current)
            .unwrap_or(path)
            .display()
            .to_string(),
    )
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct SaveJson<'a> {
    dry_run: bool,
    nodes: Vec<RowJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct RowJson<'a> {
    lab: &'a str,
    node: &'a str,
    path: &'a Path,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    way: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> RowJson<'a> {
    fn new(row: &'a Row) -> Self {
        let error = match &row.result {
            Result::Failed(reason) => Some(reason.as_str()),
            _ => None,
        };
        Self {
            lab: &row.lab,
            node: &row.node,
            path: &row.path,
            result: row.result.word(),
            way: row.way,
            lines: error.is_none().then_some(row.lines),
            error,
        }
    }
}
