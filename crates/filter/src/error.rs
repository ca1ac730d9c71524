//! Why a text is no filter.

use std::fmt;
use std::ops::Range;

/// What is wrong with an expression: where, what was expected there, and what was found.
///
/// Its text is for people and stands alone: ``expected `and` or `or`, found `80` ``.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    place: Range<usize>,
    expected: String,
    found: String,
    suggestion: Option<String>,
}

/// More of a found text than this is cut off, in characters.
const MAX_FOUND: usize = 40;

impl FilterError {
    pub(crate) fn new(text: &str, place: Range<usize>, expected: impl Into<String>) -> Self {
        let found = match text.get(place.clone()) {
            None | Some("") => "the end".to_owned(),
            Some(found) => quoted(found),
        };
        FilterError {
            place,
            expected: expected.into(),
            found,
            suggestion: None,
        }
    }

    pub(crate) fn found(mut self, found: impl Into<String>) -> Self {
        self.found = found.into();
        self
    }

    pub(crate) fn suggest(mut self, suggestion: Option<impl Into<String>>) -> Self {
        self.suggestion = suggestion.map(Into::into);
        self
    }

    /// Where in the text, in bytes; empty at the end of the text when something is missing there.
    pub fn place(&self) -> Range<usize> {
        self.place.clone()
    }

    /// What would have been right at that place, for people.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What stands there, for people.
    pub fn what_was_found(&self) -> &str {
        &self.found
    }

    /// What was probably meant, to be written in its place.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)?;
        if let Some(suggestion) = &self.suggestion {
            write!(f, "; did you mean `{suggestion}`?")?;
        }
        Ok(())
    }
}

impl std::error::Error for FilterError {}

fn quoted(found: &str) -> String {
    let mut shown: String = found
        .chars()
        .take(MAX_FOUND)
        .flat_map(char::escape_debug)
        .collect();
    if found.chars().count() > MAX_FOUND {
        shown.push('…');
    }
    format!("`{shown}`")
}
