//! What a check found, and what mends it.

use super::Check;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// All is well.
    Good,
    /// It does not matter on this connection.
    NotNeeded,
    /// Labs run, but something is slower or missing.
    Warning,
    /// Labs do not run.
    Failure,
}

impl Verdict {
    /// The word for people and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::NotNeeded => "not-needed",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
    /// Commands that mend it, in order.
    pub remedy: Vec<String>,
}

impl Finding {
    pub(super) fn new(check: Check, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            check,
            verdict,
            detail: detail.into(),
            remedy: Vec::new(),
        }
    }

    pub(super) fn mend(mut self, command: impl Into<String>) -> Self {
        self.remedy.push(command.into());
        self
    }
}
