//! Loss of frames.
//!
//! Random, in bursts after Gilbert and Elliott or after the Markov chain of four states that
//! netem has, or every n-th frame.

use super::Word;
use crate::chance::{Chance, Dice};
use crate::error::SettingProblem;
use crate::random::{Purpose, Random};
use crate::settings::Settings;
use crate::unit::Percent;
use crate::value::{Value, ValueError, Words};
use std::fmt;
use std::str::FromStr;

pub(crate) const LOSS: Word = Word {
    name: "loss",
    form: "PERCENT [CORRELATION] | gilbert-elliott P R [1-H [1-K]] | markov P13 P31 [P32 [P23 [P14]]] | every N",
    example: "1%",
    doc: "Which frames are lost: any with a probability (and how alike one frame's fate and the next's are); bursts after Gilbert and Elliott or a Markov chain of four states; or every n-th.",
};

/// A model of loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Each frame with the same probability.
    Random {
        /// The probability.
        percent: Percent,
        /// How much of a frame's fate is the last one's.
        correlation: Percent,
    },
    /// Two states, good and bad.
    GilbertElliott {
        /// From good to bad, at each frame.
        p: Percent,
        /// From bad to good, at each frame.
        r: Percent,
        /// Loss while bad (1-h).
        bad: Percent,
        /// Loss while good (1-k).
        good: Percent,
    },
    /// Four states: 1 received in a gap, 2 received in a burst, 3 lost in a burst, 4 lost alone.
    Markov {
        /// From received to a burst of losses.
        p13: Percent,
        /// From a burst back to reception.
        p31: Percent,
        /// From lost to received within a burst.
        p32: Percent,
        /// From received to lost within a burst.
        p23: Percent,
        /// From received to one lost frame.
        p14: Percent,
    },
    /// Every n-th frame, the n-th first.
    Every(u32),
}

impl Loss {
    /// Whether no frame is ever lost.
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Random { percent, .. } => percent.is_zero(),
            Self::GilbertElliott { p, bad, good, .. } => {
                good.is_zero() && (p.is_zero() || bad.is_zero())
            }
            Self::Markov { p13, p14, .. } => p13.is_zero() && p14.is_zero(),
            Self::Every(_) => false,
        }
    }

    /// Whether all frames are lost.
    pub fn is_all(&self) -> bool {
        match self {
            Self::Random { percent, .. } => *percent == Percent::FULL,
            Self::GilbertElliott { bad, good, .. } => {
                *bad == Percent::FULL && *good == Percent::FULL
            }
            Self::Markov { .. } => false,
            Self::Every(n) => *n == 1,
        }
    }
}

impl FromStr for Loss {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut words = Words::new(text);
        let mut rest = words_after(text);
        let loss = match words.word() {
            None => {
                return Err(ValueError::Missing {
                    expected: "a percentage or a model",
                });
            }
            Some("gilbert-elliott" | "gemodel") => Self::GilbertElliott {
                p: rest.required("P, the percentage from good to bad,")?,
                r: rest.required("R, the percentage from bad to good,")?,
                bad: rest.optional()?.unwrap_or(Percent::FULL),
                good: rest.optional()?.unwrap_or(Percent::ZERO),
            },
            Some("markov" | "state") => markov(&mut rest)?,
            Some("every") => Self::Every(rest.number("N", 1, u32::MAX)?),
            Some(word) if word.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                return Err(ValueError::Form {
                    expected: "a percentage, `gilbert-elliott`, `markov` or `every`",
                    found: word.to_owned(),
                });
            }
            Some(word) => Self::Random {
                percent: word.parse()?,
                correlation: rest.optional()?.unwrap_or(Percent::ZERO),
            },
        };
        rest.end()?;
        Ok(loss)
    }
}

/// The words behind the first.
fn words_after(text: &str) -> Words<'_> {
    let mut words = Words::new(text);
    words.word();
    words
}

fn markov(words: &mut Words<'_>) -> Result<Loss, ValueError> {
    let p13: Percent = words.required("P13, the percentage from received to a burst,")?;
    let p31: Percent = words.required("P31, the percentage from a burst to received,")?;
    let p32: Percent = words.optional()?.unwrap_or(Percent::ZERO);
    let p23: Percent = words.optional()?.unwrap_or(Percent::FULL);
    let p14: Percent = words.optional()?.unwrap_or(Percent::ZERO);
    for (what, one, other) in [("P13 + P14", p13, p14), ("P31 + P32", p31, p32)] {
        if one > other.rest() {
            return Err(ValueError::Bounds {
                what,
                found: format!("{one} + {other}"),
                bounds: "100% at most".to_owned(),
            });
        }
    }
    Ok(Loss::Markov {
        p13,
        p31,
        p32,
        p23,
        p14,
    })
}

impl fmt::Display for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random {
                percent,
                correlation,
            } if correlation.is_zero() => write!(formatter, "{percent}"),
            Self::Random {
                percent,
                correlation,
            } => write!(formatter, "{percent} {correlation}"),
            Self::GilbertElliott { p, r, bad, good } => {
                write!(formatter, "gilbert-elliott {p} {r}")?;
                match (*bad, *good) {
                    (Percent::FULL, Percent::ZERO) => Ok(()),
                    (bad, Percent::ZERO) => write!(formatter, " {bad}"),
                    (bad, good) => write!(formatter, " {bad} {good}"),
                }
            }
            Self::Markov {
                p13,
                p31,
                p32,
                p23,
                p14,
            } => {
                write!(formatter, "markov {p13} {p31}")?;
                match (*p32, *p23, *p14) {
                    (Percent::ZERO, Percent::FULL, Percent::ZERO) => Ok(()),
                    (p32, Percent::FULL, Percent::ZERO) => write!(formatter, " {p32}"),
                    (p32, p23, Percent::ZERO) => write!(formatter, " {p32} {p23}"),
                    (p32, p23, p14) => write!(formatter, " {p32} {p23} {p14}"),
                }
            }
            Self::Every(n) => write!(formatter, "every {n}"),
        }
    }
}

impl Value for Loss {}

/// What decides which frames are lost.
#[derive(Debug, Clone)]
pub(crate) enum Losses {
    Random(Dice),
    GilbertElliott {
        random: Random,
        state: GilbertState,
        p: Percent,
        r: Percent,
        bad: Percent,
        good: Percent,
    },
    Markov {
        random: Random,
        state: MarkovState,
        /// To a burst or a single loss; to reception or reception within a burst; from there back.
        burst: Percent,
        alone: Percent,
        end: Percent,
        pause: Percent,
        resume: Percent,
    },
    Every {
        n: u32,
        left: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GilbertState {
    Good,
    Bad,
}

/// States 1 to 4 of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkovState {
    Received,
    ReceivedInBurst,
    LostInBurst,
    LostAlone,
}

impl Losses {
    /// `None` if no frame is ever lost.
    pub(crate) fn new(loss: &Loss, seed: u64) -> Option<Self> {
        if loss.is_nothing() {
            return None;
        }
        let random = Random::new(seed, Purpose::Loss);
        Some(match *loss {
            Loss::Random {
                percent,
                correlation,
            } => {
                let chance = Chance {
                    percent,
                    correlation,
                };
                Self::Random(Dice::new(&chance, seed, Purpose::Loss)?)
            }
            Loss::GilbertElliott { p, r, bad, good } => Self::GilbertElliott {
                random,
                state: GilbertState::Good,
                p,
                r,
                bad,
                good,
            },
            Loss::Markov {
                p13,
                p31,
                p32,
                p23,
                p14,
            } => Self::Markov {
                random,
                state: MarkovState::Received,
                burst: p13,
                alone: p14,
                end: p31,
                pause: p32,
                resume: p23,
            },
            Loss::Every(n) => Self::Every { n, left: n - 1 },
        })
    }

    /// Whether this frame is lost. Chains step first; the frame's fate is that of the new state.
    pub(crate) fn event(&mut self) -> bool {
        match self {
            Self::Random(dice) => dice.event(),
            Self::GilbertElliott {
                random,
                state,
                p,
                r,
                bad,
                good,
            } => {
                let (leave, other) = match state {
                    GilbertState::Good => (*p, GilbertState::Bad),
                    GilbertState::Bad => (*r, GilbertState::Good),
                };
                if random.happens(leave) {
                    *state = other;
                }
                random.happens(match state {
                    GilbertState::Good => *good,
                    GilbertState::Bad => *bad,
                })
            }
            Self::Markov {
                random,
                state,
                burst,
                alone,
                end,
                pause,
                resume,
            } => {
                let (one, other) = match state {
                    MarkovState::Received => (
                        (*burst, MarkovState::LostInBurst),
                        (*alone, MarkovState::LostAlone),
                    ),
                    MarkovState::LostInBurst => (
                        (*end, MarkovState::Received),
                        (*pause, MarkovState::ReceivedInBurst),
                    ),
                    MarkovState::ReceivedInBurst => (
                        (*resume, MarkovState::LostInBurst),
                        (Percent::ZERO, MarkovState::ReceivedInBurst),
                    ),
                    MarkovState::LostAlone => (
                        (Percent::FULL, MarkovState::Received),
                        (Percent::ZERO, MarkovState::LostAlone),
                    ),
                };
                let thrown = random.below(u64::from(Percent::FULL.billionths()));
                let first = u64::from(one.0.billionths());
                if thrown < first {
                    *state = one.1;
                } else if thrown - first < u64::from(other.0.billionths()) {
                    *state = other.1;
                }
                matches!(state, MarkovState::LostInBurst | MarkovState::LostAlone)
            }
            Self::Every { n, left: 0 } => {
                *self = Self::Every {
                    n: *n,
                    left: *n - 1,
                };
                true
            }
            Self::Every { left, .. } => {
                *left -= 1;
                false
            }
        }
    }
}

pub(crate) fn check(settings: &Settings, found: &mut Vec<SettingProblem>) {
    match settings.loss.value() {
        Some(Loss::Random {
            percent,
            correlation,
        }) if !correlation.is_zero() && (percent.is_zero() || *percent == Percent::FULL) => {
            found.push(SettingProblem::no_effect(
                LOSS.name,
                format!("a correlation has no effect on a loss of {percent}"),
            ));
        }
        Some(Loss::GilbertElliott { p, r, .. }) if r.is_zero() && !p.is_zero() => {
            found.push(SettingProblem::no_effect(
                LOSS.name,
                "with R at 0% the link turns bad once and never good again",
            ));
        }
        Some(Loss::Markov { p13, p31, p32, .. })
            if p31.is_zero() && p32.is_zero() && !p13.is_zero() =>
        {
            found.push(SettingProblem::no_effect(
                LOSS.name,
                "with P31 and P32 at 0% the first burst of losses never ends",
            ));
        }
        _ => {}
    }
}
