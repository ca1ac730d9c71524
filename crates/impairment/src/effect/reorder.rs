//! Frames that overtake others.

use super::Word;
use crate::chance::{Chance, Dice};
use crate::error::SettingProblem;
use crate::random::Purpose;
use crate::settings::Settings;
use crate::unit::Percent;
use crate::value::{Value, ValueError, Words};
use std::fmt;
use std::str::FromStr;

pub(crate) const REORDER: Word = Word {
    name: "reorder",
    form: "PERCENT [CORRELATION] [gap N] | jitter",
    example: "25% gap 5",
    doc: "How many frames skip the delay and so overtake the ones before them; with a gap, only every n-th frame is a candidate. `jitter`: frames overtake each other as their jitter has it.",
};

/// Longest gap, in frames.
const GAP_LIMIT: u32 = 1_000_000;

/// Which frames may overtake others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reorder {
    /// A share of them skips the delay.
    Skip {
        /// How many of the candidates.
        chance: Chance,
        /// Every n-th frame is a candidate.
        gap: u32,
    },
    /// All, as far as the jitter of one is less than that of another.
    Jitter,
}

impl Reorder {
    /// Whether all frames stay in order.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Skip { chance, .. } if chance.percent.is_zero())
    }
}

impl FromStr for Reorder {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.trim() == "jitter" {
            return Ok(Self::Jitter);
        }
        let mut words = Words::new(text);
        let percent = words.required("a percentage, or `jitter`,")?;
        let mut correlation = Percent::ZERO;
        let mut gap = 1;
        match words.word() {
            None => {}
            Some("gap") => gap = words.number("the gap", 1, GAP_LIMIT)?,
            Some(word) => {
                correlation = word.parse()?;
                match words.word() {
                    None => {}
                    Some("gap") => gap = words.number("the gap", 1, GAP_LIMIT)?,
                    Some(word) => {
                        return Err(ValueError::Form {
                            expected: "`gap N`",
                            found: word.to_owned(),
                        });
                    }
                }
            }
        }
        words.end()?;
        let chance = Chance {
            percent,
            correlation,
        };
        Ok(Self::Skip { chance, gap })
    }
}

impl fmt::Display for Reorder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jitter => formatter.write_str("jitter"),
            Self::Skip { chance, gap: 1 } => write!(formatter, "{chance}"),
            Self::Skip { chance, gap } => write!(formatter, "{chance} gap {gap}"),
        }
    }
}

impl Value for Reorder {}

/// What decides which frames skip the delay.
#[derive(Debug, Clone)]
pub(crate) struct Skips {
    dice: Dice,
    gap: u32,
    /// Frames since the last one that skipped.
    passed: u32,
}

impl Skips {
    /// `None` if no frame ever does.
    pub(crate) fn new(chance: &Chance, gap: u32, seed: u64) -> Option<Self> {
        Some(Self {
            dice: Dice::new(chance, seed, Purpose::Reorder)?,
            gap,
            passed: 0,
        })
    }

    /// Whether this frame skips the delay. As netem has it, `gap - 1` frames pass in any case
    /// before one may; from then on each one may, until one does.
    pub(crate) fn event(&mut self) -> bool {
        if self.passed + 1 < self.gap || !self.dice.event() {
            self.passed = self.passed.saturating_add(1);
            return false;
        }
        self.passed = 0;
        true
    }
}

pub(crate) fn check(settings: &Settings, found: &mut Vec<SettingProblem>) {
    let jitter = settings.jitter.value().is_some_and(|time| time.ns() > 0);
    let delay = settings.delay.value().is_some_and(|time| time.ns() > 0);
    match settings.reorder.value() {
        Some(Reorder::Jitter) if !jitter => found.push(SettingProblem::no_effect(
            REORDER.name,
            "`jitter` without the setting `jitter` reorders nothing",
        )),
        Some(Reorder::Skip { chance, .. }) => {
            if !chance.percent.is_zero() && !jitter && !delay {
                found.push(SettingProblem::no_effect(
                    REORDER.name,
                    "without `delay` there is nothing that a frame could skip",
                ));
            }
            crate::chance::check(REORDER.name, Some(chance), found);
        }
        _ => {}
    }
}
