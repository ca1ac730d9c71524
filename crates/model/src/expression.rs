//! Regular expressions and JSON paths that somebody wrote into a file, read once and kept with
//! their text.
//!
//! Both are bounded: the expressions take time in proportion to the text that they look at, and a
//! path visits each value of a document a bounded number of times. Two are equal when their texts
//! are.
//!
//! Compiling is what takes time, and few of the expressions of a catalogue are ever asked for: those
//! that are known to be good are compiled at first use.

use regex::{Captures, Regex, RegexBuilder};
use serde_json::Value;
use serde_json_path::JsonPath;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Most bytes of a compiled expression: far more than any that a person writes.
const COMPILED_LIMIT: usize = 1 << 20;

/// A regular expression, in the syntax of Rust's `regex` crate.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    /// Compiled once for all copies; `None` where the text is no expression after all.
    regex: Arc<OnceLock<Option<Regex>>>,
}

/// A JSON path (RFC 9535).
#[derive(Debug, Clone)]
pub struct JsonQuery {
    text: String,
    path: JsonPath,
}

/// Why a text is no expression or path: what is wrong with it, in one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ExpressionError(String);

impl Expression {
    /// Reads an expression. `^` and `$` match at the lines' ends, since outputs have many lines.
    ///
    /// # Errors
    ///
    /// When it is malformed, or too large once it is compiled.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let regex =
            compile(text).map_err(|error| ExpressionError(last_line(&error.to_string())))?;
        let expression = Self::known(text);
        expression.regex.get_or_init(|| Some(regex));
        Ok(expression)
    }

    /// Takes a text that is known to be an expression, such as one that a test has parsed. Where
    /// it is none, it matches nothing.
    pub fn known(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            regex: Arc::default(),
        }
    }

    fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| compile(&self.text).ok()).as_ref()
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it matches somewhere.
    pub fn matches(&self, text: &str) -> bool {
        self.regex().is_some_and(|regex| regex.is_match(text))
    }

    /// The part that it matches first.
    pub fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        self.regex()?.find(text).map(|found| found.as_str())
    }

    /// The groups of its first match.
    pub fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.regex()?.captures(text)
    }

    /// The groups of all its matches.
    pub fn all_captures<'t>(&self, text: &'t str) -> impl Iterator<Item = Captures<'t>> {
        let regex = self.regex().into_iter();
        regex.flat_map(move |regex| regex.captures_iter(text))
    }

    /// Whether it has a group of that name.
    pub fn has_group(&self, name: &str) -> bool {
        let mut names = self.regex().into_iter().flat_map(Regex::capture_names);
        names.any(|one| one == Some(name))
    }
}

fn compile(text: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(text)
        .multi_line(true)
        .size_limit(COMPILED_LIMIT)
        .build()
}

impl JsonQuery {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// When it is malformed.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let path = JsonPath::parse(text)
            .map_err(|error| ExpressionError(last_line(&error.to_string())))?;
        Ok(Self {
            text: text.to_owned(),
            path,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// All values that it leads to.
    pub fn values<'v>(&self, document: &'v Value) -> Vec<&'v Value> {
        self.path.query(document).all()
    }

    /// All values that it leads to, each with the names of the objects' members on the way.
    pub fn located<'v>(&self, document: &'v Value) -> Vec<(Vec<String>, &'v Value)> {
        let found = self.path.query_located(document);
        found
            .iter()
            .map(|node| {
                let names = node.location().iter().filter_map(|part| part.as_name());
                (names.map(str::to_owned).collect(), node.node())
            })
            .collect()
    }
}

/// The reason stands last in messages that repeat the expression with a caret below.
fn last_line(message: &str) -> String {
    let line = message.lines().rev().find(|line| !line.trim().is_empty());
    let line = line.unwrap_or(message).trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

macro_rules! text_like {
    ($($name:ident)*) => { $(
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl Eq for $name {}

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.text)
            }
        }
    )* };
}

text_like! { Expression JsonQuery }

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_malformed_is_told_in_one_line() {
        let error = Expression::parse("(").unwrap_err();
        assert_eq!(error.to_string(), "unclosed group");
        assert!(Expression::parse("(a{1000}){1000}").is_err());
        assert!(
            !JsonQuery::parse("x[")
                .unwrap_err()
                .to_string()
                .contains('\n')
        );
    }

    #[test]
    fn line_ends_are_ends() {
        let expression = Expression::parse("^b$").unwrap();
        assert!(expression.matches("a\nb\nc"));
    }

    #[test]
    fn a_path_tells_the_names_on_its_way() {
        let document = json!({"neighbors": {"10.0.0.1": [{"state": "Full"}]}});
        let path = JsonQuery::parse("$.neighbors.*[*]").unwrap();
        let (names, value) = path.located(&document).remove(0);
        assert_eq!(names, ["neighbors", "10.0.0.1"]);
        assert_eq!(value["state"], "Full");
    }
}
