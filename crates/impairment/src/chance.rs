//! Events that happen to a share of the frames.
//!
//! An event with correlation repeats the last frame's fate with that probability, and is thrown
//! anew otherwise. So its probability stays what was asked for, and the correlation of one frame's
//! fate with the next one's is the figure given; netem mixes random numbers instead, by which the
//! probability changes too.

use crate::error::SettingProblem;
use crate::random::{Purpose, Random};
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

/// What decides for which frames an event happens.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    random: Random,
    throw: Throw,
}

#[derive(Debug, Clone)]
enum Throw {
    /// Without correlation: the frames until the next event are counted, so that the others need
    /// no random number.
    Count { percent: Percent, left: u64 },
    /// With correlation.
    Repeat { chance: Chance, last: bool },
}

impl Dice {
    /// `None` if the event never happens.
    pub(crate) fn new(chance: &Chance, seed: u64, purpose: Purpose) -> Option<Self> {
        let mut random = Random::new(seed, purpose);
        let throw = match *chance {
            Chance {
                percent: Percent::ZERO,
                ..
            } => return None,
            Chance {
                percent,
                correlation,
            } if percent == Percent::FULL || correlation.is_zero() => Throw::Count {
                percent,
                left: random.misses(percent),
            },
            chance => Throw::Repeat {
                chance,
                last: random.happens(chance.percent),
            },
        };
        Some(Self { random, throw })
    }

    /// Whether the event happens to this frame.
    pub(crate) fn event(&mut self) -> bool {
        match &mut self.throw {
            Throw::Count { left: 0, percent } => {
                let left = self.random.misses(*percent);
                self.throw = Throw::Count {
                    percent: *percent,
                    left,
                };
                true
            }
            Throw::Count { left, .. } => {
                *left -= 1;
                false
            }
            Throw::Repeat { chance, last } => {
                let event = *last;
                if !self.random.happens(chance.correlation) {
                    *last = self.random.happens(chance.percent);
                }
                event
            }
        }
    }
}

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
