//! How jitter is distributed.

use super::Word;
use crate::error::{FileError, SettingProblem};
use crate::settings::Settings;
use crate::value::{Value, ValueError};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

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

/// Quantiles in a built-in table, as many as iproute2's have.
const QUANTILES: usize = 4096;

/// Where quantiles come from.
#[derive(Debug, Clone)]
pub(crate) enum Quantiles {
    Uniform,
    Table(Arc<[i16]>),
}

impl Quantiles {
    /// A table that was not attached counts as uniform.
    pub(crate) fn new(distribution: Option<&Distribution>) -> Self {
        static NORMAL: OnceLock<Arc<[i16]>> = OnceLock::new();
        static PARETO: OnceLock<Arc<[i16]>> = OnceLock::new();
        static PARETO_NORMAL: OnceLock<Arc<[i16]>> = OnceLock::new();
        let (cell, make): (_, fn() -> Vec<f64>) = match distribution {
            None | Some(Distribution::Uniform) => return Self::Uniform,
            Some(Distribution::Table(table)) => {
                return table.quantiles.clone().map_or(Self::Uniform, Self::Table);
            }
            Some(Distribution::Normal) => (&NORMAL, normal),
            Some(Distribution::Pareto) => (&PARETO, pareto),
            Some(Distribution::ParetoNormal) => (&PARETO_NORMAL, pareto_normal),
        };
        Self::Table(Arc::clone(cell.get_or_init(|| scaled(&make()))))
    }

    /// The quantile at this share (in parts of 2^64) of a distribution that is `width` wide.
    pub(crate) fn at(&self, share: u64, width: u64) -> i64 {
        let product = match self {
            Self::Uniform => {
                let span = u128::from(width) * 2 + 1;
                let above = (u128::from(share) * span) >> 64;
                let above = i128::try_from(above).unwrap_or_default();
                return i64::try_from(above - i128::from(width)).unwrap_or_default();
            }
            Self::Table(table) => {
                let length = u128::try_from(table.len()).unwrap_or_default();
                let index = usize::try_from((u128::from(share) * length) >> 64);
                let quantile = index.ok().and_then(|index| table.get(index)).copied();
                i128::from(quantile.unwrap_or_default()) * i128::from(width)
            }
        };
        i64::try_from(product / i128::from(SCALE)).unwrap_or_default()
    }
}

/// In units of a table, cut off where those of iproute2 are: at four.
fn scaled(quantiles: &[f64]) -> Arc<[i16]> {
    let bound = f64::from(i16::MAX);
    quantiles
        .iter()
        .map(|quantile| {
            let scaled = libm::rint(quantile * f64::from(SCALE));
            scaled.clamp(-bound, bound) as i16
        })
        .collect()
}

/// The middle of the part of the distribution that a quantile stands for.
fn middle(index: usize) -> f64 {
    (index as f64 + 0.5) / QUANTILES as f64
}

/// The share of the standard normal distribution that is below a value.
pub(crate) fn normal_share(value: f64) -> f64 {
    0.5 * libm::erfc(-value * std::f64::consts::FRAC_1_SQRT_2)
}

/// Newton's method from the median outwards: each quantile is near the one before.
fn normal() -> Vec<f64> {
    let density = |value: f64| libm::exp(-0.5 * value * value) / libm::sqrt(std::f64::consts::TAU);
    let mut value = 0.0;
    let upper: Vec<f64> = (QUANTILES / 2..QUANTILES)
        .map(|index| {
            for _ in 0..8 {
                value += (middle(index) - normal_share(value)) / density(value);
            }
            value
        })
        .collect();
    let lower = upper.iter().rev().map(|value| -value);
    lower.chain(upper.iter().copied()).collect()
}

/// iproute2's: shape 3, moved by its mean of 1.5 and stretched by 4/3, cut off at 4.
fn pareto() -> Vec<f64> {
    let most = f64::from(i16::MAX) / f64::from(SCALE);
    (0..QUANTILES)
        .map(|index| {
            let above = 1.0 - middle(index);
            ((1.0 / libm::cbrt(above) - 1.5) * (4.0 / 3.0)).min(most)
        })
        .collect()
}

/// iproute2's: a quarter of the normal quantile and three quarters of Pareto's.
fn pareto_normal() -> Vec<f64> {
    let pairs = normal().into_iter().zip(pareto());
    pairs
        .map(|(normal, pareto)| (normal + 3.0 * pareto) / 4.0)
        .collect()
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
