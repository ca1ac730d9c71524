//! What all values of settings have in common, and how those of several words are taken apart.

use crate::error::FileError;
use crate::unit::{
    Duration, DurationError, Percent, PercentError, Rate, RateError, Size, SizeError,
};
use std::fmt::Display;
use std::str::{FromStr, SplitWhitespace};

/// Why a text is not the value of a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Not of the form.
    #[error("{expected} was expected, not `{found}`")]
    Form {
        /// What should stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// The text ends too early.
    #[error("{expected} is missing")]
    Missing {
        /// What should follow.
        expected: &'static str,
    },
    /// A figure outside of its bounds.
    #[error("{what} is {found}, and has to be {bounds}")]
    Bounds {
        /// What the figure is.
        what: &'static str,
        /// The figure.
        found: String,
        /// What it may be.
        bounds: String,
    },
    /// No such profile.
    #[error("there is no profile `{name}`{}", crate::error::hint(.nearest))]
    Profile {
        /// What was written.
        name: String,
        /// The profile that is spelt most like it, if one is.
        nearest: Option<&'static str>,
    },
    /// No time.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// No percentage.
    #[error(transparent)]
    Percent(#[from] PercentError),
    /// No rate.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// No size.
    #[error(transparent)]
    Size(#[from] SizeError),
}

/// The value of a setting: a text, and perhaps a file that the text names.
pub(crate) trait Value: FromStr<Err: Into<ValueError>> + Display + Clone {
    /// The file that it names.
    fn file(&self) -> Option<&str> {
        None
    }

    /// Takes the file's content.
    fn attach(&mut self, _content: &str) -> Result<(), FileError> {
        Ok(())
    }

    /// The content that was attached, in a form that can be attached again.
    fn content(&self) -> Option<String> {
        None
    }
}

impl Value for Duration {}
impl Value for Percent {}
impl Value for Rate {}
impl Value for Size {}

/// The words of a value, one after the other.
pub(crate) struct Words<'t> {
    rest: SplitWhitespace<'t>,
}

impl<'t> Words<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        Self {
            rest: text.split_whitespace(),
        }
    }

    /// The next word as it is.
    pub(crate) fn word(&mut self) -> Option<&'t str> {
        self.rest.next()
    }

    /// The next word, which has to be there.
    pub(crate) fn required<T>(&mut self, expected: &'static str) -> Result<T, ValueError>
    where
        T: FromStr<Err: Into<ValueError>>,
    {
        self.optional()?.ok_or(ValueError::Missing { expected })
    }

    /// The next word, if there is one.
    pub(crate) fn optional<T>(&mut self) -> Result<Option<T>, ValueError>
    where
        T: FromStr<Err: Into<ValueError>>,
    {
        self.rest
            .next()
            .map(|word| word.parse().map_err(Into::into))
            .transpose()
    }

    /// A whole number of at least `least` and at most `most`.
    pub(crate) fn number(
        &mut self,
        what: &'static str,
        least: u32,
        most: u32,
    ) -> Result<u32, ValueError> {
        let word = self
            .rest
            .next()
            .ok_or(ValueError::Missing { expected: what })?;
        number(word, what, i64::from(least), i64::from(most))
            .map(|number| u32::try_from(number).unwrap_or(most))
    }

    /// Makes sure that nothing follows.
    pub(crate) fn end(mut self) -> Result<(), ValueError> {
        match self.rest.next() {
            None => Ok(()),
            Some(word) => Err(ValueError::Form {
                expected: "nothing more",
                found: word.to_owned(),
            }),
        }
    }
}

/// A whole number within bounds.
pub(crate) fn number(
    text: &str,
    what: &'static str,
    least: i64,
    most: i64,
) -> Result<i64, ValueError> {
    text.parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| ValueError::Bounds {
            what,
            found: format!("`{text}`"),
            bounds: format!("a whole number between {least} and {most}"),
        })
}
