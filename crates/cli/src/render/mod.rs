//! The only place that prints. Each submodule shows one thing, as text and as JSON.
//!
//! stdout is data: what was asked for. stderr is talk: progress, hints and errors. Text from
//! outside (names of images, output of others) is shown without control characters, so that it
//! cannot paint on the terminal.

pub(crate) mod capture;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod diagnostic;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod extcap;
mod frame;
pub(crate) mod images;
pub(crate) mod inventory;
pub(crate) mod kinds;
mod lab_yaml;
pub(crate) mod links;
mod paint;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod provision;
pub(crate) mod ps;
pub(crate) mod rate;
pub(crate) mod run;
pub(crate) mod save;
mod table;
pub(crate) mod test;
mod time;
pub(crate) mod wire;

use crate::cli::{ColorChoice, Global};
use crate::context::Listed;
use crate::error::CommandError;
use paint::Paint;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use vnflab_model::plan::Subject;

/// Where and how things are shown.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    format: Format,
    layout: Layout,
    talk: Talk,
    out: Paint,
    err: Paint,
}

/// What stdout carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text for people.
    Text,
    /// JSON for programs.
    Json,
}

/// How JSON documents are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// One document, indented.
    Document,
    /// A document a line, for those that follow one another.
    Lines,
}

/// What stderr carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Talk {
    /// Progress, hints, warnings and errors.
    All,
    /// Errors alone.
    ErrorsOnly,
}

/// The head of every JSON document.
#[derive(Serialize)]
struct Envelope<T> {
    format: String,
    version: u32,
    #[serde(flatten)]
    body: T,
}

/// Version of all JSON shapes. A new field does not raise it; a changed or missing one does.
const JSON_VERSION: u32 = 1;

impl Screen {
    /// As the global options say.
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            format: if global.json {
                Format::Json
            } else {
                Format::Text
            },
            layout: Layout::Document,
            talk: if global.quiet {
                Talk::ErrorsOnly
            } else {
                Talk::All
            },
            out: paint(global.color, io::stdout().is_terminal()),
            err: paint(global.color, io::stderr().is_terminal()),
        }
    }

    /// What stdout shall carry.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Whether stdout shall carry JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Writes to stdout as it is.
    pub(crate) fn write(&self, text: &str) -> Result<(), CommandError> {
        self.write_bytes(text.as_bytes())
    }

    /// Writes bytes to stdout as they are, such as the output of a guest.
    pub(crate) fn write_bytes(&self, bytes: &[u8]) -> Result<(), CommandError> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()?;
        Ok(())
    }

    /// Writes a JSON document: `{"format": "vnflab/NAME", "version": 1, ...body}`.
    pub(crate) fn json(&self, name: &str, body: impl Serialize) -> Result<(), CommandError> {
        let envelope = Envelope {
            format: format!("vnflab/{name}"),
            version: JSON_VERSION,
            body,
        };
        let text = match self.layout {
            Layout::Document => serde_json::to_string_pretty(&envelope),
            Layout::Lines => serde_json::to_string(&envelope),
        };
        let mut text = text.expect("our shapes have string keys and no values that can fail");
        text.push('\n');
        self.write(&text)
    }

    /// For showing the same thing again and again: JSON comes a document a line.
    pub(crate) fn repeating(&self) -> Self {
        Self {
            layout: Layout::Lines,
            ..self.clone()
        }
    }

    /// Before the same thing is shown again: clears a terminal, and parts texts elsewhere.
    pub(crate) fn next_frame(&self) -> Result<(), CommandError> {
        match (self.format, io::stdout().is_terminal()) {
            (Format::Json, _) => Ok(()),
            (Format::Text, true) => self.write("\x1b[H\x1b[2J"),
            (Format::Text, false) => self.write("\n"),
        }
    }

    /// Warns on stderr, unless it shall be quiet.
    pub(crate) fn warn(&self, text: &str) {
        self.say(&format!("{} {text}", self.err.warning("warning:")));
    }

    /// Says something on stderr, unless it shall be quiet.
    pub(crate) fn say(&self, text: &str) {
        if self.talks() {
            stderr_line(text);
        }
    }

    /// Passes on to stderr what a guest said there.
    pub(crate) fn talk_of_guest(&self, text: &str) {
        // There is nobody left to tell that stderr is gone.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// Whether more than errors may be said.
    fn talks(&self) -> bool {
        self.talk == Talk::All
    }

    /// Whether what is said appears on a terminal.
    fn talks_to_terminal(&self) -> bool {
        io::stderr().is_terminal()
    }

    /// Says why the command failed.
    pub(crate) fn error(&self, error: &CommandError) {
        if error.message.is_empty() {
            return;
        }
        let mut text = format!("{} {}\n", self.err.error("error:"), clean(&error.message));
        for cause in &error.causes {
            text.push_str(&format!(
                "  {} {}\n",
                self.err.faint("cause:"),
                clean(cause)
            ));
        }
        for hint in &error.hints {
            text.push_str(&format!("\n{} {}\n", self.err.note("hint:"), clean(hint)));
        }
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

fn stderr_line(text: &str) {
    // There is nobody left to tell that stderr is gone.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn paint(choice: ColorChoice, is_terminal: bool) -> Paint {
    let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let on = match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => is_terminal && !forbidden,
    };
    if on { Paint::colored() } else { Paint::plain() }
}

/// A text without control characters, line ends aside.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { '?' } else { c })
        .collect()
}

/// A JSON schema, which is a format of its own and comes without our envelope.
pub(crate) fn schema(screen: &Screen, schema: &serde_json::Value) -> Result<(), CommandError> {
    screen.write(&format!("{schema:#}\n"))
}

/// Says why a list is empty.
fn nothing_listed(screen: &Screen, listed: &Listed, nouns: &str) {
    screen.say(&match listed {
        Listed::All => format!("There are no {nouns}; `vnflab up` makes a lab run."),
        Listed::Lab(lab) => format!("`{lab}` has no {nouns}."),
        Listed::NotUp(lab) => format!(
            "`{lab}` is not up: `vnflab up` makes it run; `--all` lists the {nouns} of other labs."
        ),
    });
}

/// Whom a step concerns, for people.
pub(crate) fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Node(name) | Subject::Part(name) => name.clone(),
        Subject::Network(name) => format!("network {name}"),
        Subject::Wire(_) => "wire".to_owned(),
        Subject::Link(name) => format!("link {name}"),
    }
}

/// A number and its noun: `1 node`, `2 nodes`.
fn counted(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}
