//! How a dialogue ends.

use crate::flood::FLOOD_WINDOW;
use std::time::Duration;

/// Longest output of a command that is wanted, in bytes: the configuration of a large router is a
/// tenth of it.
pub(crate) const OUTPUT_LIMIT: usize = 8 * 1024 * 1024;

/// How often a step is taken: more than reloads that a configuration asks for.
pub(crate) const VISIT_LIMIT: u32 = 5;

/// How a dialogue ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// All steps were taken.
    Done {
        /// What came behind the line of the step that is captured.
        output: Vec<String>,
        /// The lines that the device refused.
        refused: Vec<Refused>,
    },
    /// They were not.
    Failed(Failure),
}

/// A line that the device did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its number among the lines of its step, from 1.
    pub number: usize,
    /// The line.
    pub line: String,
    /// What the device said.
    pub said: String,
}

/// Why a dialogue failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The time is over.
    #[error("nothing that is known showed within {} s; expected: {expected}", limit.as_secs())]
    TimedOut {
        /// The step that was waited for.
        expected: String,
        /// The time.
        limit: Duration,
        /// The last lines of the console.
        last_lines: Vec<String>,
    },
    /// The time is over, and the console never fell silent.
    #[error("the console floods: {bytes} bytes in the last {} s", FLOOD_WINDOW.as_secs())]
    Flooded {
        /// How much came.
        bytes: usize,
        /// The last lines of the console.
        last_lines: Vec<String>,
    },
    /// A wrong user or password.
    #[error("the device refuses the login: {said}")]
    LoginRefused {
        /// What the device said.
        said: String,
    },
    /// A line could not be made to stand on the screen.
    #[error("the console does not echo `{line}` as it is typed")]
    NotEchoed {
        /// The line.
        line: String,
        /// The last lines of the console.
        last_lines: Vec<String>,
    },
    /// The device came back to one step too often.
    #[error("the device came back to the step `{step}` {VISIT_LIMIT} times")]
    Repeats {
        /// The step.
        step: String,
        /// The last lines of the console.
        last_lines: Vec<String>,
    },
    /// A command's output is larger than any.
    #[error("the output is larger than {} MiB", OUTPUT_LIMIT / 1024 / 1024)]
    TooMuch,
}

impl Failure {
    /// What went wrong in a few words that quote neither what was typed nor what was heard.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::TimedOut { .. } => "nothing that is known showed in time",
            Self::Flooded { .. } => "the console floods",
            Self::LoginRefused { .. } => "the device refuses the login",
            Self::NotEchoed { .. } => "the console does not echo a line as it is typed",
            Self::Repeats { .. } => "the device came back to one step too often",
            Self::TooMuch => "the output is larger than any",
        }
    }

    /// The last lines of the console, where they help.
    pub fn last_lines(&self) -> &[String] {
        match self {
            Self::TimedOut { last_lines, .. }
            | Self::Flooded { last_lines, .. }
            | Self::NotEchoed { last_lines, .. }
            | Self::Repeats { last_lines, .. } => last_lines,
            Self::LoginRefused { .. } | Self::TooMuch => &[],
        }
    }
}
