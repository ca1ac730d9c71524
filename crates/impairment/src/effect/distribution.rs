//! How jitter is distributed.

use super::Word;
use crate::error::{FileError, SettingProblem};
use crate::settings::Settings;
use crate::value::{Value, ValueError};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub(crate) const DISTRIBUTION: Word = Word {
    name: "distribution",
    form: "uniform|normal|pareto|paretonormal|table FILE",
    example: "normal",
    doc: "How the jitter is distributed. A table is a file of iproute2's (`.dist`): quantiles in units of 1/8192 of the jitter.",
};

/// A distribution of jitter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distribution {
    /// Anything between minus and plus one jitter, all alike.
    Uniform,
    /// The bell curve.
    Normal,
    /// Pareto's, of shape 3: mostly a little early, at times very late.
    Pareto,
    /// A quarter of normal and three quarters of Pareto.
    ParetoNormal,
    /// As a file has it.
    Table(Table),
}

/// A distribution from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    file: String,
    /// Quantiles in ascending order, in units of 1/[`SCALE`] of the jitter.
    quantiles: Option<Arc<[i16]>>,
}

/// What one standard deviation is in a table, as iproute2 has it (`NETEM_DIST_SCALE`).
pub const SCALE: i16 = 8192;

/// Most figures in a table, as the kernel has it (`NETEM_DIST_MAX`).
const FIGURES_LIMIT: usize = 16 * 1024;

/// What a value that is not one of the names is told.
const EXPECTED: &str = "`uniform`, `normal`, `pareto`, `paretonormal` or `table FILE`";

impl Table {
    /// The quantiles in ascending order, once the file was attached.
    pub fn quantiles(&self) -> Option<&[i16]> {
        self.quantiles.as_deref()
    }
}

impl FromStr for Distribution {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.trim() {
            "uniform" => Ok(Self::Uniform),
            "normal" => Ok(Self::Normal),
            "pareto" => Ok(Self::Pareto),
            "paretonormal" => Ok(Self::ParetoNormal),
            text => match text.split_once(char::is_whitespace) {
                Some(("table", file)) => Ok(Self::Table(Table {
                    file: file.trim().to_owned(),
                    quantiles: None,
                })),
                _ => Err(ValueError::Form {
                    expected: EXPECTED,
                    found: text.to_owned(),
                }),
            },
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::Pareto => "pareto",
            Self::ParetoNormal => "paretonormal",
            Self::Table(table) => return write!(formatter, "table {}", table.file),
        })
    }
}

impl Value for Distribution {
    fn file(&self) -> Option<&str> {
        match self {
            Self::Table(table) => Some(&table.file),
            _ => None,
        }
    }

    fn attach(&mut self, content: &str) -> Result<(), FileError> {
        if let Self::Table(table) = self {
            table.quantiles = Some(read_table(content)?.into());
        }
        Ok(())
    }

    fn content(&self) -> Option<String> {
        let Self::Table(table) = self else {
            return None;
        };
        let figures: Vec<String> = table.quantiles()?.iter().map(i16::to_string).collect();
        Some(figures.join("\n"))
    }
}

/// Reads whole numbers that are separated by blanks; `#` begins a comment.
fn read_table(content: &str) -> Result<Vec<i16>, FileError> {
    let mut figures = Vec::new();
    for (index, line) in content.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        for word in line.split_whitespace() {
            let figure = word.parse().map_err(|_| {
                FileError::line(index + 1, "a whole number between -32768 and 32767", word)
            })?;
            figures.push(figure);
        }
    }
    if figures.is_empty() || figures.len() > FIGURES_LIMIT {
        return Err(FileError::Count {
            expected: "1 to 16384 figures",
            found: figures.len(),
        });
    }
    figures.sort_unstable();
    Ok(figures)
}

pub(crate) fn check(settings: &Settings, found: &mut Vec<SettingProblem>) {
    let Some(distribution) = settings.distribution.value() else {
        return;
    };
    if settings.jitter.value().is_none_or(|time| time.ns() == 0) {
        found.push(SettingProblem::no_effect(
            DISTRIBUTION.name,
            "a distribution without `jitter` has no effect",
        ));
    }
    if let Distribution::Table(Table {
        file,
        quantiles: None,
    }) = distribution
    {
        found.push(SettingProblem::impossible(
            DISTRIBUTION.name,
            format!("the table `{file}` was not read"),
        ));
    }
}
