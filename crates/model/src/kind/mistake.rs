//! What is wrong with the values of a kind, beyond the form of its file.
//!
//! A mistake names the value by its path in the file, so that whoever has the text can show the
//! place. All mistakes are collected; the reader goes on with something usable.

use crate::expression::Expression;
use std::fmt;
use vnflab_dialogue::Pattern;

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

/// Who wrote a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Author {
    /// We did, and a test has compiled its patterns: they are compiled again when they are needed.
    Project,
    /// Somebody else: every pattern is tried.
    #[default]
    User,
}

/// The mistakes of one kind.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    author: Author,
    found: Vec<Mistake>,
}

impl Mistakes {
    pub(super) fn of(author: Author) -> Self {
        Self {
            author,
            ..Self::default()
        }
    }

    /// Adds one. The path has a dot between its parts.
    pub(super) fn add(&mut self, path: &str, reason: impl Into<String>) {
        self.add_at(path.split('.').map(str::to_owned).collect(), reason);
    }

    /// Adds one whose path has parts with dots of their own, such as names of files.
    pub(super) fn add_at(&mut self, path: Vec<String>, reason: impl Into<String>) {
        self.found.push(Mistake {
            path,
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
        self.advise_at(path.split('.').map(str::to_owned).collect(), reason, help);
    }

    /// Adds one with advice, at a path whose parts may have dots of their own.
    pub(super) fn advise_at(
        &mut self,
        path: Vec<String>,
        reason: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.add_at(path, reason);
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

    /// A pattern for lines of a console.
    pub(super) fn pattern(&mut self, path: &str, text: &str) -> Option<Pattern> {
        match self.author {
            Author::Project => Some(Pattern::known(text)),
            Author::User => self.keep(path, Pattern::parse(text)),
        }
    }

    /// A list of them.
    pub(super) fn patterns(&mut self, path: &str, texts: &[String]) -> Vec<Pattern> {
        let texts = texts.iter().enumerate();
        texts
            .filter_map(|(index, text)| self.pattern(&format!("{path}.{index}"), text))
            .collect()
    }

    /// An expression that has all these groups.
    pub(super) fn expression(
        &mut self,
        path: &str,
        text: &str,
        groups: &[&str],
    ) -> Option<Expression> {
        if self.author == Author::Project {
            return Some(Expression::known(text));
        }
        let read = self.keep(path, Expression::parse(text))?;
        for group in groups.iter().filter(|group| !read.has_group(group)) {
            let reason = format!("the expression has no group `{group}`");
            self.advise(path, reason, format!("write `(?<{group}>...)`"));
        }
        Some(read)
    }

    /// An expression that has at least one of two groups.
    pub(super) fn expression_with_either(
        &mut self,
        path: &str,
        text: &str,
        [one, other]: [&str; 2],
    ) -> Option<Expression> {
        let read = self.expression(path, text, &[])?;
        let is_tried = self.author == Author::User;
        if is_tried && !read.has_group(one) && !read.has_group(other) {
            let reason = format!("the expression has neither the group `{one}` nor `{other}`");
            self.advise(path, reason, format!("write `(?<{one}>...)`"));
        }
        Some(read)
    }

    pub(super) fn into_found(self) -> Vec<Mistake> {
        self.found
    }
}
