//! What is looked for on a console: a regular expression for one line.
//!
//! A pattern that ends with `$` is a prompt: it is looked for in the text in front of the cursor
//! alone, so that the same words in a line that is complete do not count. Any other pattern is
//! looked for in every line. `^` is the beginning of the line in both.
//!
//! Compiling takes a thousand times as long as reading the text, and most patterns of a catalogue
//! of devices are never looked for: those that are known to be good are compiled at first use.

use regex::bytes::{Regex, RegexBuilder};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Largest compiled pattern in bytes; prompts take a few kilobytes.
const SIZE_LIMIT: usize = 256 * 1024;

/// A regular expression for a line.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: Arc<str>,
    /// Compiled once for all copies; `None` where the text is no pattern after all.
    regex: Arc<OnceLock<Option<Regex>>>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a pattern: {reason}")]
pub struct PatternError {
    /// The text.
    pub text: String,
    /// What its reader said, in one line.
    pub reason: String,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// When it is no regular expression, or matches the empty line.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let error = |reason: String| PatternError {
            text: text.to_owned(),
            reason,
        };
        let regex = compile(text).map_err(|found| error(last_line(&found.to_string())))?;
        if regex.is_match(b"") {
            return Err(error("it matches the empty line".to_owned()));
        }
        let pattern = Self::known(text);
        pattern.regex.get_or_init(|| Some(regex));
        Ok(pattern)
    }

    /// Takes a text that is known to be a pattern, such as one that a test has parsed. Where it is
    /// none, it matches nothing.
    pub fn known(text: &str) -> Self {
        Self {
            text: text.into(),
            regex: Arc::default(),
        }
    }

    /// Whether it is looked for in front of the cursor alone.
    pub fn is_prompt(&self) -> bool {
        self.text.ends_with('$') && !self.text.ends_with("\\$")
    }

    /// Whether a line, or the text in front of the cursor, is meant.
    pub fn matches(&self, line: &str) -> bool {
        let regex = self.regex.get_or_init(|| compile(&self.text).ok());
        regex
            .as_ref()
            .is_some_and(|regex| regex.is_match(line.as_bytes()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn compile(text: &str) -> Result<Regex, regex::Error> {
    // Consoles are ASCII: `\w` with all letters of the world takes a hundred times as long.
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(SIZE_LIMIT)
        .build()
}

/// The reader's message stands in its last line, behind a drawing of the place.
fn last_line(message: &str) -> String {
    let line = message.lines().last().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_with_a_dollar_at_its_end_is_a_prompt() {
        assert!(Pattern::parse("login: ?$").unwrap().is_prompt());
        assert!(!Pattern::parse("Press RETURN").unwrap().is_prompt());
        assert!(!Pattern::parse(r"cost: \$").unwrap().is_prompt());
    }

    #[test]
    fn what_is_no_pattern_says_why_in_a_line() {
        let error = Pattern::parse("a(b").unwrap_err();
        assert_eq!(error.to_string(), "`a(b` is not a pattern: unclosed group");
        assert!(Pattern::parse(".*$").is_err());
        assert!(Pattern::parse("").is_err());
    }

    #[test]
    fn a_pattern_that_was_taken_as_known_matches_as_one_that_was_parsed() {
        let known = Pattern::known("login: ?$");
        assert_eq!(known, Pattern::parse("login: ?$").unwrap());
        assert!(known.is_prompt() && known.matches("r1 login: ") && !known.matches("r1#"));
        assert!(!Pattern::known("a(b").matches("a(b"));
    }
}
