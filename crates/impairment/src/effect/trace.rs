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
