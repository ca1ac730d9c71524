//! The queue in front of a rate: how much may wait, and who is dropped.

mod codel;
mod red;

pub(crate) use codel::Codel;
pub(crate) use red::Red;

use super::Word;
use crate::error::SettingProblem;
use crate::settings::Settings;
use crate::unit::{Duration, Percent, Size};
use crate::value::{Value, ValueError, Words, number};
use std::fmt;
use std::str::FromStr;

pub(crate) const QUEUE: Word = Word {
    name: "queue",
    form: "SIZE|Nframes",
    example: "64KiB",
    doc: "How much may wait for a rate, in bytes (`64KiB`) or frames (`100frames`), the frame in transmission included. 1000 frames unless said.",
};

pub(crate) const DISCIPLINE: Word = Word {
    name: "queue-discipline",
    form: "drop-tail | red MIN MAX PROBABILITY | codel [TARGET [INTERVAL]]",
    example: "red 30KiB 90KiB 2%",
    doc: "Which frames the queue drops: those that find it full (`drop-tail`); more and more between two average lengths (RED); or those that waited too long for too long (CoDel).",
};

/// Most frames that may wait on one lane: 16 MiB for our notes on them.
pub const FRAMES_LIMIT: u32 = 1_000_000;

/// An Ethernet frame with a payload of 1500 bytes, the customary MTU.
const LARGE_FRAME_BYTES: u64 = 1514;

/// How much may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueLimit {
    /// So many bytes (and [`FRAMES_LIMIT`] frames).
    Bytes(Size),
    /// So many frames.
    Frames(u32),
}

impl QueueLimit {
    /// What holds when nothing is said: netem's `limit`.
    pub const DEFAULT: Self = Self::Frames(1000);
}

impl FromStr for QueueLimit {
    type Err = ValueError;

    /// Reads `64KiB`, `1500b`, `100frames` or `100 frames`. A figure alone is refused: it is
    /// bytes to some and packets to tc.
    fn from_str(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        if let Some(frames) = ["frames", "frame"]
            .iter()
            .find_map(|unit| text.strip_suffix(unit))
        {
            let most = i64::from(FRAMES_LIMIT);
            let frames = number(frames.trim_end(), "the number of frames", 1, most)?;
            return Ok(Self::Frames(u32::try_from(frames).unwrap_or(FRAMES_LIMIT)));
        }
        if text.ends_with(|c: char| c.is_ascii_digit()) {
            return Err(ValueError::Form {
                expected: "a unit (`frames`, `b` or `KiB`) behind the figure",
                found: text.to_owned(),
            });
        }
        Ok(Self::Bytes(text.parse()?))
    }
}

impl fmt::Display for QueueLimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(size) => size.fmt(formatter),
            Self::Frames(frames) => write!(formatter, "{frames}frames"),
        }
    }
}

impl Value for QueueLimit {}

/// Which frames a queue drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Discipline {
    /// Those that find it full.
    #[default]
    DropTail,
    /// Random Early Detection (Floyd and Jacobson, 1993), on bytes.
    Red {
        /// Average length below which nothing is dropped.
        least: Size,
        /// Average length from which everything is dropped.
        most: Size,
        /// Probability of a drop just below `most`.
        probability: Percent,
    },
    /// Controlled Delay (RFC 8289).
    Codel {
        /// How long a frame may wait at all times.
        target: Duration,
        /// How long the wait may be above that before drops begin.
        interval: Duration,
    },
}

/// RFC 8289, section 4.2: 5 ms.
const CODEL_TARGET: Duration = Duration::from_ms(5);

/// RFC 8289, section 4.2: 100 ms.
const CODEL_INTERVAL: Duration = Duration::from_ms(100);

impl FromStr for Discipline {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut words = Words::new(text);
        let discipline = match words.word() {
            Some("drop-tail") => Self::DropTail,
            Some("red") => red(&mut words)?,
            Some("codel") => codel(&mut words)?,
            other => {
                return Err(ValueError::Form {
                    expected: "`drop-tail`, `red` or `codel`",
                    found: other.unwrap_or_default().to_owned(),
                });
            }
        };
        words.end()?;
        Ok(discipline)
    }
}

fn red(words: &mut Words<'_>) -> Result<Discipline, ValueError> {
    let least: Size = words.required("MIN, the length at which drops begin,")?;
    let most: Size = words.required("MAX, the length at which all are dropped,")?;
    let probability = words.required("PROBABILITY, that of a drop just below MAX,")?;
    if least >= most {
        return Err(ValueError::Bounds {
            what: "MIN",
            found: least.to_string(),
            bounds: format!("less than MAX, {most}"),
        });
    }
    Ok(Discipline::Red {
        least,
        most,
        probability,
    })
}

fn codel(words: &mut Words<'_>) -> Result<Discipline, ValueError> {
    let target = words.optional()?.unwrap_or(CODEL_TARGET);
    let interval = words.optional()?.unwrap_or(CODEL_INTERVAL.max(target));
    if target > interval || interval == Duration::ZERO {
        return Err(ValueError::Bounds {
            what: "TARGET",
            found: target.to_string(),
            bounds: format!("at most INTERVAL, {interval}, which is more than 0"),
        });
    }
    Ok(Discipline::Codel { target, interval })
}

impl fmt::Display for Discipline {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DropTail => formatter.write_str("drop-tail"),
            Self::Red {
                least,
                most,
                probability,
            } => write!(formatter, "red {least} {most} {probability}"),
            Self::Codel { target, interval } => write!(formatter, "codel {target} {interval}"),
        }
    }
}

impl Value for Discipline {}

pub(crate) fn check(settings: &Settings, found: &mut Vec<SettingProblem>) {
    let limited = settings.rate.value().is_some() || settings.trace.value().is_some();
    let discipline = settings.queue_discipline.value();
    for (key, given) in [
        (QUEUE.name, settings.queue.value().is_some()),
        (
            DISCIPLINE.name,
            discipline.is_some_and(|it| *it != Discipline::DropTail),
        ),
    ] {
        if given && !limited {
            found.push(SettingProblem::no_effect(
                key,
                "without `rate` or `trace` no frame ever waits, so that it has no effect",
            ));
        }
    }
    if let Some(QueueLimit::Bytes(limit)) = settings.queue.value()
        && limit.bytes() < LARGE_FRAME_BYTES
    {
        found.push(SettingProblem::no_effect(
            QUEUE.name,
            format!("frames of more than {limit} never fit and are all dropped"),
        ));
    }
    if let (Some(QueueLimit::Bytes(limit)), Some(Discipline::Red { least, .. })) =
        (settings.queue.value(), discipline)
        && least >= limit
    {
        found.push(SettingProblem::no_effect(
            DISCIPLINE.name,
            format!("the queue is full at {limit}, before drops begin at {least}"),
        ));
    }
}
