//! A rate, and what a frame takes of it.

use super::Word;
use crate::error::SettingProblem;
use crate::settings::Settings;
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
