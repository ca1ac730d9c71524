//! What can be wrong with settings and with the files they name.

use crate::value::ValueError;

/// Why a setting was refused. Nothing was changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no such key.
    #[error("there is no setting `{key}`{}", hint(.nearest))]
    Key {
        /// What was written.
        key: String,
        /// The key that is spelt most like it, if one is.
        nearest: Option<&'static str>,
    },
    /// The value is not of the key's form.
    #[error("`{key}`: {error}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was written.
        value: String,
        /// What was expected and found.
        error: Box<ValueError>,
        /// The form of the key's values.
        form: &'static str,
        /// A good value.
        example: &'static str,
    },
    /// A file was given for a key that names none.
    #[error("`{key}` names no file")]
    NoFile {
        /// The key.
        key: String,
    },
    /// The file's content is not what it should be.
    #[error("`{key}`: {error}")]
    File {
        /// The key.
        key: &'static str,
        /// What is wrong, and where.
        error: FileError,
    },
}

/// What is wrong with the content of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// A line that cannot be read.
    #[error("line {line}: {expected} was expected, not `{found}`")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
        /// What stands there (its beginning).
        found: String,
    },
    /// Too few or too many figures.
    #[error("{expected} were expected, not {found}")]
    Count {
        /// How many there may be.
        expected: &'static str,
        /// How many there are.
        found: usize,
    },
    /// A trace that takes no time.
    #[error("the last line is 0, so that the trace takes no time: a trace ends past 0 ms")]
    NoTime,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// What was said has no effect.
    NoEffect,
    /// It cannot be done.
    Impossible,
}

/// Settings that are good one by one, and not together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingProblem {
    /// The key that is to be changed.
    pub key: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and what to do, in lower case.
    pub text: String,
}

impl SettingProblem {
    pub(crate) fn no_effect(key: &'static str, text: impl Into<String>) -> Self {
        Self {
            key,
            severity: Severity::NoEffect,
            text: text.into(),
        }
    }

    pub(crate) fn impossible(key: &'static str, text: impl Into<String>) -> Self {
        Self {
            key,
            severity: Severity::Impossible,
            text: text.into(),
        }
    }
}

/// Longest part of a file's line that is shown back, in characters.
const SHOWN_LIMIT: usize = 40;

impl FileError {
    pub(crate) fn line(line: usize, expected: &'static str, found: &str) -> Self {
        Self::Line {
            line,
            expected,
            found: found.chars().take(SHOWN_LIMIT).collect(),
        }
    }
}

/// The name that is spelt most like what was written, if any is near.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let allowed = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The second half of a sentence about an unknown name.
pub(crate) fn hint<T: std::fmt::Display>(nearest: &Option<T>) -> String {
    nearest
        .as_ref()
        .map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}
