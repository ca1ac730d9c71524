//! A rate, and what a frame takes of it.

use super::Word;
use crate::error::SettingProblem;
use crate::settings::Settings;
use crate::unit::Rate;
use crate::value::{Value, ValueError, number};
use std::fmt;
use std::str::FromStr;

pub(crate) const RATE: Word = Word {
    name: "rate",
    form: "RATE",
    example: "10mbit",
    doc: "How many bits of frames pass in a second. Frames that come faster wait in the queue.",
};

pub(crate) const OVERHEAD: Word = Word {
    name: "overhead",
    form: "BYTES",
    example: "24",
    doc: "Bytes that each frame takes more on the link than it has: 24 for Ethernet's preamble, check sequence and gap. May be negative.",
};

pub(crate) const CELL_SIZE: Word = Word {
    name: "cell-size",
    form: "BYTES",
    example: "48",
    doc: "Frames (with their overhead) are cut into cells of so many bytes, the last one filled up: 48 for ATM.",
};

pub(crate) const CELL_OVERHEAD: Word = Word {
    name: "cell-overhead",
    form: "BYTES",
    example: "5",
    doc: "Bytes that each cell takes more than its size: 5 for ATM. May be negative.",
};

/// Most bytes of overhead, either way: as large as the largest frame.
const OVERHEAD_LIMIT: i64 = 65_535;

/// Bytes that come on top of a frame or a cell, or are taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overhead(i32);

impl Overhead {
    /// The bytes, which may be negative.
    pub const fn bytes(self) -> i32 {
        self.0
    }
}

impl FromStr for Overhead {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bytes = number(text.trim(), "the overhead", -OVERHEAD_LIMIT, OVERHEAD_LIMIT)?;
        Ok(Self(i32::try_from(bytes).unwrap_or_default()))
    }
}

impl fmt::Display for Overhead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Value for Overhead {}

/// The size of a cell in bytes: 1 to 65535, or 0 for no cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CellSize(u16);

impl CellSize {
    /// The bytes.
    pub const fn bytes(self) -> u16 {
        self.0
    }
}

impl FromStr for CellSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bytes = number(text.trim(), "the size of a cell", 0, i64::from(u16::MAX))?;
        Ok(Self(u16::try_from(bytes).unwrap_or_default()))
    }
}

impl fmt::Display for CellSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Value for CellSize {}

/// How many bytes a frame takes on the link.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Framing {
    overhead: i64,
    cell_size: i64,
    cell_overhead: i64,
}

impl Framing {
    pub(crate) fn new(settings: &Settings) -> Self {
        let overhead = |it: Option<&Overhead>| it.map_or(0, |it| i64::from(it.bytes()));
        let cell_size = settings.cell_size.value();
        Self {
            overhead: overhead(settings.overhead.value()),
            cell_size: cell_size.map_or(0, |it| i64::from(it.bytes())),
            cell_overhead: overhead(settings.cell_overhead.value()),
        }
    }

    /// Bytes on the link of a frame of so many bytes; never less than none.
    pub(crate) fn bytes_on_link(self, bytes: u64) -> u64 {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX / 2) + self.overhead;
        let bytes = bytes.max(0);
        let bytes = match self.cell_size {
            0 => bytes,
            size => {
                let cells = bytes / size + i64::from(bytes % size != 0);
                cells.saturating_mul(size + self.cell_overhead)
            }
        };
        u64::try_from(bytes).unwrap_or_default()
    }
}

/// A line of constant rate, on which one frame is sent after the other.
///
/// The time at which it is free is kept exactly, as nanoseconds and a rest in parts of one, so
/// that the rate is exact however long it runs.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    bits_per_second: u64,
    free_ns: u64,
    /// Parts of a nanosecond on top, in units of 1 / `bits_per_second`.
    rest: u64,
}

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

impl Line {
    pub(crate) const fn new(rate: Rate) -> Self {
        Self {
            bits_per_second: rate.bits(),
            free_ns: 0,
            rest: 0,
        }
    }

    /// When the next frame that arrives now could begin to be sent, in whole nanoseconds.
    pub(crate) fn start(&self, arrival_ns: u64) -> u64 {
        self.free().max(arrival_ns)
    }

    /// When the last frame has left, rounded up.
    pub(crate) fn free(&self) -> u64 {
        self.free_ns.saturating_add(u64::from(self.rest > 0))
    }

    /// Whether the other line has the same rate.
    pub(crate) const fn is_as_fast_as(&self, other: &Self) -> bool {
        self.bits_per_second == other.bits_per_second
    }

    /// Lets nothing begin before this time.
    pub(crate) const fn keep_busy_until(&mut self, free_ns: u64) {
        self.free_ns = free_ns;
        self.rest = 0;
    }

    /// Sends a frame of so many bytes on the link, and says when its last bit has left.
    pub(crate) fn send(&mut self, arrival_ns: u64, bytes: u64) -> u64 {
        if arrival_ns > self.free_ns {
            self.free_ns = arrival_ns;
            self.rest = 0;
        }
        let parts = u128::from(bytes) * 8 * u128::from(SECOND) + u128::from(self.rest);
        let (whole, rest) = match u64::try_from(parts) {
            Ok(parts) => (parts / self.bits_per_second, parts % self.bits_per_second),
            Err(_) => {
                let rate = u128::from(self.bits_per_second);
                let rest = u64::try_from(parts % rate).unwrap_or_default();
                (u64::try_from(parts / rate).unwrap_or(u64::MAX), rest)
            }
        };
        self.free_ns = self.free_ns.saturating_add(whole);
        self.rest = rest;
        self.free()
    }

    /// How long a byte takes, in nanoseconds.
    pub(crate) fn byte_ns(&self) -> f64 {
        8.0 * SECOND as f64 / self.bits_per_second as f64
    }
}

pub(crate) fn check(settings: &Settings, found: &mut Vec<SettingProblem>) {
    let limited = settings.rate.value().is_some() || settings.trace.value().is_some();
    let overhead = settings.overhead.value().is_some_and(|it| it.bytes() != 0);
    let cells = settings.cell_size.value().is_some_and(|it| it.bytes() != 0);
    let cell_overhead = settings
        .cell_overhead
        .value()
        .is_some_and(|it| it.bytes() != 0);
    for (key, given) in [(OVERHEAD.name, overhead), (CELL_SIZE.name, cells)] {
        if given && !limited {
            found.push(SettingProblem::no_effect(
                key,
                "without `rate` or `trace` it has no effect",
            ));
        }
    }
    if cell_overhead && !cells {
        found.push(SettingProblem::no_effect(
            CELL_OVERHEAD.name,
            "without `cell-size` it has no effect",
        ));
    }
    let (Some(size), Some(more)) = (settings.cell_size.value(), settings.cell_overhead.value())
    else {
        return;
    };
    if size.bytes() != 0 && i32::from(size.bytes()) + more.bytes() <= 0 {
        found.push(SettingProblem::impossible(
            CELL_OVERHEAD.name,
            format!("cells of {size} bytes would take nothing on the link"),
        ));
    }
}
