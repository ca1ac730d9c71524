//! Codes and what they mean.

use super::table::{Cell, Table};
use super::{Format, Screen};
use crate::error::CommandError;
use serde::Serialize;

/// A code, wherever it comes from.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Explanation {
    /// The code.
    pub(crate) code: &'static str,
    /// What it is, in a few words.
    pub(crate) title: &'static str,
    /// Why it matters and what to do.
    pub(crate) explanation: &'static str,
}

#[derive(Serialize)]
struct CodesJson<'a> {
    codes: &'a [Explanation],
}

/// All codes.
pub(crate) fn list(screen: &Screen, codes: &[Explanation]) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        return screen.json("codes", CodesJson { codes });
    }
    let mut table = Table::new(screen.out, &["CODE", "MEANING"]);
    for code in codes {
        table.row([Cell::plain(code.code), Cell::plain(code.title)]);
    }
    screen.write(&table.text())
}

/// One code.
pub(crate) fn one(screen: &Screen, code: &Explanation) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        return screen.json("code", code);
    }
    screen.write(&format!(
        "{}: {}\n\n{}\n",
        screen.out.head(code.code),
        code.title,
        code.explanation
    ))
}
