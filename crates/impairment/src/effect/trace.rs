//! A rate that changes over time, recorded on a real link.
//!
//! The format is Mahimahi's: one whole number a line, the millisecond at which the link could
//! take [`OPPORTUNITY_BYTES`] bytes; a millisecond may come many times. After the last line the
//! trace begins anew.

use super::Word;
use crate::error::{FileError, SettingProblem};
use crate::settings::Settings;
use crate::value::{Value, ValueError};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub(crate) const TRACE: Word = Word {
    name: "trace",
    form: "FILE",
    example: "verizon-lte.down",
    doc: "A rate over time, in place of `rate`: a file in Mahimahi's format, each line a millisecond at which 1504 bytes can pass. It is repeated for ever.",
};

/// Bytes that pass at one opportunity, as Mahimahi has it: an MTU of 1500 and its tunnel's header.
pub const OPPORTUNITY_BYTES: u32 = 1504;

/// Most lines of a trace: an hour at a gigabit a second takes 300 million, a minute 5 million.
const LINES_LIMIT: usize = 5_000_000;

/// Longest trace in milliseconds: 30 days.
const TIME_LIMIT_MS: u32 = 30 * 24 * 3_600 * 1000;

/// A trace, by the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    file: String,
    /// Milliseconds, never descending; the last one is more than 0.
    opportunities: Option<Arc<[u32]>>,
}

impl Trace {
    /// The milliseconds of the opportunities, once the file was attached.
    pub fn opportunities(&self) -> Option<&[u32]> {
        self.opportunities.as_deref()
    }
}

impl FromStr for Trace {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.trim() {
            "" => Err(ValueError::Missing {
                expected: "the name of a file",
            }),
            file => Ok(Self {
                file: file.to_owned(),
                opportunities: None,
            }),
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)
    }
}

/// A line that sends what fits at each opportunity of a trace.
///
/// As Mahimahi has it: an opportunity takes as many frames as fit, and the beginning of one that
/// does not; what is left of it when no frame waits is lost. The trace begins with the first
/// frame.
#[derive(Debug, Clone)]
pub(crate) struct Opportunities {
    at_ms: Arc<[u32]>,
    /// When the current round of the trace began.
    round_ns: Option<u64>,
    /// The current opportunity, and what is left of it.
    index: usize,
    left: u64,
}

/// Nanoseconds of a millisecond.
const MILLISECOND: u64 = 1_000_000;

impl Opportunities {
    /// `None` if the trace was not attached.
    pub(crate) fn new(trace: &Trace) -> Option<Self> {
        Some(Self {
            at_ms: trace.opportunities.clone()?,
            round_ns: None,
            index: 0,
            left: u64::from(OPPORTUNITY_BYTES),
        })
    }

    /// Whether both follow the same trace.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.at_ms, &other.at_ms) || self.at_ms == other.at_ms
    }

    /// How long a round takes.
    fn round_length(&self) -> u64 {
        self.at_ms
            .last()
            .map_or(1, |last| u64::from(*last) * MILLISECOND)
    }

    /// When the current opportunity is.
    fn current_ns(&self, round_ns: u64) -> u64 {
        let at_ms = self.at_ms.get(self.index).copied().unwrap_or_default();
        round_ns.saturating_add(u64::from(at_ms) * MILLISECOND)
    }

    fn step(&mut self) {
        self.index += 1;
        self.left = u64::from(OPPORTUNITY_BYTES);
        if self.index == self.at_ms.len() {
            self.index = 0;
            let length = self.round_length();
            self.round_ns = self.round_ns.map(|round| round.saturating_add(length));
        }
    }

    /// Goes to the first opportunity that is not before `now_ns`.
    fn catch_up(&mut self, now_ns: u64) -> u64 {
        let round_ns = *self.round_ns.get_or_insert(now_ns);
        if self.current_ns(round_ns) >= now_ns {
            return self.current_ns(round_ns);
        }
        let length = self.round_length();
        let rounds = (now_ns - round_ns) / length;
        // An opportunity at the very end of a round is before the next round's at 0.
        let mut round_ns = round_ns + rounds * length;
        if rounds > 0 && round_ns == now_ns {
            round_ns -= length;
        }
        let since_ms = (now_ns - round_ns).div_ceil(MILLISECOND);
        self.index = self.at_ms.partition_point(|at| u64::from(*at) < since_ms);
        self.left = u64::from(OPPORTUNITY_BYTES);
        self.round_ns = Some(round_ns);
        self.current_ns(round_ns)
    }

    /// When the next frame that arrives now could begin to be sent.
    pub(crate) fn start(&mut self, arrival_ns: u64) -> u64 {
        let at_ns = self.catch_up(arrival_ns);
        if self.left > 0 {
            return at_ns;
        }
        self.step();
        self.current_ns(self.round_ns.unwrap_or(arrival_ns))
    }

    /// Sends a frame of so many bytes on the link, and says when its last byte has left.
    pub(crate) fn send(&mut self, arrival_ns: u64, bytes: u64) -> u64 {
        let mut at_ns = self.start(arrival_ns);
        let mut bytes = bytes;
        let round_bytes = self.at_ms.len() as u64 * u64::from(OPPORTUNITY_BYTES);
        if bytes > round_bytes {
            let rounds = (bytes - 1) / round_bytes;
            bytes -= rounds * round_bytes;
            let later = rounds.saturating_mul(self.round_length());
            self.round_ns = self.round_ns.map(|round| round.saturating_add(later));
            at_ns = at_ns.saturating_add(later);
        }
        while bytes > self.left {
            bytes -= self.left;
            self.step();
            at_ns = self.current_ns(self.round_ns.unwrap_or(arrival_ns));
        }
        self.left -= bytes;
        at_ns
    }

    /// How long a byte takes on average, in nanoseconds.
    pub(crate) fn byte_ns(&self) -> f64 {
        let bytes = self.at_ms.len() as f64 * f64::from(OPPORTUNITY_BYTES);
        self.round_length() as f64 / bytes
    }
}

impl Value for Trace {
    fn file(&self) -> Option<&str> {
        Some(&self.file)
    }

    fn attach(&mut self, content: &str) -> Result<(), FileError> {
        self.opportunities = Some(read_trace(content)?.into());
        Ok(())
    }

    fn content(&self) -> Option<String> {
        let lines: Vec<String> = self.opportunities()?.iter().map(u32::to_string).collect();
        Some(lines.join("\n"))
    }
}

fn read_trace(content: &str) -> Result<Vec<u32>, FileError> {
    const EXPECTED: &str = "a whole number of milliseconds, not less than the line before,";
    let mut opportunities: Vec<u32> = Vec::new();
    for (index, line) in content.lines().enumerate() {
        let text = line.trim();
        if text.is_empty() {
            continue;
        }
        let before = opportunities.last().copied().unwrap_or_default();
        let at: u32 = text
            .parse()
            .ok()
            .filter(|at| (before..=TIME_LIMIT_MS).contains(at))
            .ok_or_else(|| FileError::line(index + 1, EXPECTED, text))?;
        opportunities.push(at);
        if opportunities.len() > LINES_LIMIT {
            break;
        }
    }
    if opportunities.is_empty() || opportunities.len() > LINES_LIMIT {
        return Err(FileError::Count {
            expected: "1 to 5000000 lines",
            found: opportunities.len(),
        });
    }
    if opportunities.last() == Some(&0) {
        return Err(FileError::NoTime);
    }
    Ok(opportunities)
}

pub(crate) fn check(settings: &Settings, found: &mut Vec<SettingProblem>) {
    let Some(trace) = settings.trace.value() else {
        return;
    };
    if settings.rate.value().is_some() {
        found.push(SettingProblem::no_effect(
            super::rate::RATE.name,
            "a trace takes the place of the rate: give one of the two",
        ));
    }
    if trace.opportunities.is_none() {
        found.push(SettingProblem::impossible(
            TRACE.name,
            format!("the trace `{trace}` was not read"),
        ));
    }
}
