//! Events that happen to a share of the frames.

use crate::error::SettingProblem;
use crate::unit::Percent;
use crate::value::{Value, ValueError, Words};
use std::fmt;
use std::str::FromStr;

/// An event that happens to a share of the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chance {
    /// Its probability.
    pub percent: Percent,
    /// How much of a frame's fate is the last one's.
    pub correlation: Percent,
}

impl FromStr for Chance {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut words = Words::new(text);
        let chance = Self {
            percent: words.required("a percentage")?,
            correlation: words.optional()?.unwrap_or(Percent::ZERO),
        };
        words.end()?;
        Ok(chance)
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.percent)?;
        if !self.correlation.is_zero() {
            write!(formatter, " {}", self.correlation)?;
        }
        Ok(())
    }
}

impl Value for Chance {}

/// Says so if the correlation changes nothing.
pub(crate) fn check(key: &'static str, chance: Option<&Chance>, found: &mut Vec<SettingProblem>) {
    let Some(chance) = chance else { return };
    let certain = chance.percent.is_zero() || chance.percent == Percent::FULL;
    if certain && !chance.correlation.is_zero() {
        found.push(SettingProblem::no_effect(
            key,
            format!("a correlation has no effect on {}", chance.percent),
        ));
    }
}
