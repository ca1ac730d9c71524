//! What is wrong with the values of a kind, beyond the form of its file.
//!
//! A mistake names the value by its path in the file, so that whoever has the text can show the
//! place. All mistakes are collected; the reader goes on with something usable.

use std::fmt;

/// A value that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Keys and list positions (from 0) that lead to the value, such as `interfaces`, `names`, `0`.
    pub path: Vec<String>,
    /// What is wrong with it.
    pub reason: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}`: {}", self.path.join("."), self.reason)?;
        match &self.help {
            Some(help) => write!(formatter, "; {help}"),
            None => Ok(()),
        }
    }
}

/// The mistakes of one kind.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    found: Vec<Mistake>,
}

impl Mistakes {
    /// Adds one. The path has a dot between its parts.
    pub(super) fn add(&mut self, path: &str, reason: impl Into<String>) {
        self.found.push(Mistake {
            path: path.split('.').map(str::to_owned).collect(),
            reason: reason.into(),
            help: None,
        });
    }

    /// Adds one with advice.
    pub(super) fn advise(
        &mut self,
        path: &str,
        reason: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add(path, reason);
        if let Some(mistake) = self.found.last_mut() {
            mistake.help = Some(help.into());
        }
    }

    /// The value, or nothing and the mistake.
    pub(super) fn keep<T, E: fmt::Display>(
        &mut self,
        path: &str,
        result: Result<T, E>,
    ) -> Option<T> {
        result
            .map_err(|error| self.add(path, error.to_string()))
            .ok()
    }

    pub(super) fn into_found(self) -> Vec<Mistake> {
        self.found
    }
}
