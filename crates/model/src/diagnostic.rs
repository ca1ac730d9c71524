//! What is wrong with what the user gave us, where it stands, and what to do about it.
//!
//! A rule never prints and never stops at the first mistake: it adds a [`Diagnostic`] and goes
//! on. Codes are stable; their table is [`crate::code`].

use crate::code::Code;
use crate::span::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The lab cannot be built.
    Error,
    /// The lab can be built, yet it will likely disappoint.
    Warning,
}

/// A place in a file and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// Said beside the carets; may be empty.
    pub text: String,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// One sentence in lower case, names in backticks, no full stop.
    pub message: String,
    /// The place that is wrong; absent where no file is involved.
    pub primary: Option<Label>,
    /// Further places, such as the first of two that clash.
    pub secondary: Vec<Label>,
    /// What to do; each is a sentence.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error with its message.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// A warning with its message.
    pub fn warning(code: Code, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    fn new(severity: Severity, code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            message: message.into(),
            primary: None,
            secondary: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Points at the place that is wrong.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.primary = Some(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Points at one more place.
    #[must_use]
    pub fn and_at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }
}

/// Most mistakes that are kept of one lab; nobody mends more in one go, and a file made to be
/// wrong shall not fill the memory.
pub const DIAGNOSTIC_LIMIT: usize = 10_000;

/// All that was found, in the order of finding, up to [`DIAGNOSTIC_LIMIT`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    found: Vec<Diagnostic>,
    left_out: usize,
    left_out_errors: usize,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.found.len() < DIAGNOSTIC_LIMIT {
            self.found.push(diagnostic);
            return;
        }
        self.left_out += 1;
        self.left_out_errors += usize::from(diagnostic.severity == Severity::Error);
    }

    /// Adds all of another list.
    pub fn extend(&mut self, others: Self) {
        self.left_out += others.left_out;
        self.left_out_errors += others.left_out_errors;
        for diagnostic in others.found {
            self.push(diagnostic);
        }
    }

    /// How many were found of a severity, whether or not they were kept.
    pub fn count(&self, severity: Severity) -> usize {
        let kept = self.found.iter().filter(|one| one.severity == severity);
        kept.count()
            + match severity {
                Severity::Error => self.left_out_errors,
                Severity::Warning => self.left_out - self.left_out_errors,
            }
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.found.iter()
    }

    /// Sorts by place in the file (what has no place comes first) and drops what is said twice.
    pub fn sort(&mut self) {
        self.found
            .sort_by_key(|diagnostic| diagnostic.primary.as_ref().map(|label| label.span));
        self.found.dedup();
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.found.into_iter()
    }
}

/// The known name nearest to what was written, if one is near enough to be meant.
///
/// At most a third of the letters, and always one, may differ (Damerau-Levenshtein distance,
/// letters compared without case).
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let allowed = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&lower, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_past_the_limit_are_counted() {
        let mut found = Diagnostics::default();
        for _ in 0..DIAGNOSTIC_LIMIT {
            found.push(Diagnostic::warning(crate::code::IGNORED, "x"));
        }
        let mut more = Diagnostics::default();
        more.push(Diagnostic::error(crate::code::SYNTAX, "y"));
        found.extend(more);
        assert!(found.has_errors());
        assert_eq!(found.iter().count(), DIAGNOSTIC_LIMIT);
        assert_eq!(found.count(Severity::Error), 1);
        assert_eq!(found.count(Severity::Warning), DIAGNOSTIC_LIMIT);
    }

    #[test]
    fn nearest_finds_a_slip_and_not_a_stranger() {
        assert_eq!(nearest("memmory", ["memory", "cpu"]), Some("memory"));
        assert_eq!(nearest("IOS", ["ios", "eos"]), Some("ios"));
        assert_eq!(nearest("colour", ["memory", "cpu"]), None);
    }
}
