//! The figures, as a table or as JSON.

use comfy_table::{Table, presets};
use serde::Serialize;
use std::fmt;

/// All figures of a run.
#[derive(Default, Serialize)]
pub(crate) struct Report {
    rows: Vec<Row>,
    #[serde(skip)]
    part: String,
}

/// One figure.
#[derive(Serialize)]
struct Row {
    part: String,
    what: String,
    value: f64,
    unit: &'static str,
    /// Beside the figure of a simple relay in the same run.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
}

impl Report {
    pub(crate) fn part(&mut self, name: &str) {
        name.clone_into(&mut self.part);
    }

    pub(crate) fn figure(&mut self, what: impl Into<String>, value: f64, unit: &'static str) {
        self.row(what.into(), value, unit, None, String::new());
    }

    pub(crate) fn noted(
        &mut self,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        note: String,
    ) {
        self.row(what.into(), value, unit, None, note);
    }

    pub(crate) fn beside(
        &mut self,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
        base: f64,
    ) {
        self.row(what.into(), value, unit, Some(value / base), String::new());
    }

    pub(crate) fn left_out(&mut self, part: &str, reason: &str) {
        let note = format!("left out: {reason}");
        self.row(part.to_owned(), f64::NAN, "", None, note);
    }

    fn row(
        &mut self,
        what: String,
        value: f64,
        unit: &'static str,
        ratio: Option<f64>,
        note: String,
    ) {
        self.rows.push(Row {
            part: self.part.clone(),
            what,
            value,
            unit,
            ratio,
            note,
        });
    }

    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_preset(presets::UTF8_FULL_CONDENSED);
        table.set_header(["", "what", "figure", "beside", "note"]);
        for row in &self.rows {
            let figure = match row.value.is_nan() {
                true => String::new(),
                false => format!("{} {}", shown(row.value), row.unit),
            };
            let ratio = row
                .ratio
                .map_or(String::new(), |ratio| format!("{ratio:.2}"));
            table.add_row([&row.part, &row.what, &figure, &ratio, &row.note]);
        }
        write!(formatter, "{table}")
    }
}

/// Three digits that count.
fn shown(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// A value below which this part of all lies.
pub(crate) fn quantile<T: Copy + PartialOrd>(values: &mut [T], part: f64) -> Option<T> {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    let last = values.len().checked_sub(1)?;
    values.get((part * last as f64).round() as usize).copied()
}

/// The middle one; not a number if there is none.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5).unwrap_or(f64::NAN)
}
