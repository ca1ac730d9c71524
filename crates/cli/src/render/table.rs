//! Tables without lines: columns aligned, two blanks between them, no blanks at a line's end.

use super::clean;
use super::paint::Paint;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement};

/// Lays rows out under their heads. Cells are cleaned; painting a cell is the caller's choice
/// and happens after.
pub(crate) struct Table {
    inner: comfy_table::Table,
}

impl Table {
    /// A table with these heads.
    pub(crate) fn new(paint: Paint, heads: &[&str]) -> Self {
        let mut inner = comfy_table::Table::new();
        inner
            .load_preset(NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled);
        inner.set_header(heads.iter().map(|head| paint.head(head)));
        for column in inner.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self { inner }
    }

    /// Aligns a column to the right.
    pub(crate) fn right(mut self, column: usize) -> Self {
        if let Some(column) = self.inner.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        self
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.inner.add_row(cells.into_iter().map(|cell| cell.text));
    }

    /// The whole text, each line ended.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for line in self.inner.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A cell: text without control characters, or painted by us.
pub(crate) struct Cell {
    text: String,
}

impl Cell {
    /// A text from anywhere.
    pub(crate) fn plain(text: impl AsRef<str>) -> Self {
        Self {
            text: clean(text.as_ref()).replace('\n', " "),
        }
    }

    /// A text of our own that is painted.
    pub(crate) fn painted(text: String) -> Self {
        Self { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(paint: Paint) -> String {
        let mut table = Table::new(paint, &["NAME", "STATE", "SIZE"]).right(2);
        table.row([
            Cell::plain("r1\u{1b}[31m\n"),
            Cell::painted(paint.good("up")),
            Cell::plain("7"),
        ]);
        table.row([
            Cell::plain("router2"),
            Cell::painted(paint.error("crashed")),
            Cell::plain("123"),
        ]);
        table.text()
    }

    #[test]
    fn colours_change_no_width_and_foreign_ones_are_taken_out() {
        let plain = table(Paint::plain());
        let expected = "\
NAME      STATE    SIZE
r1?[31m   up          7
router2   crashed   123
";
        assert_eq!(plain, expected);
        let painted = table(Paint::colored());
        let stripped = anstream::adapter::strip_str(&painted).to_string();
        assert_eq!(stripped, plain);
    }
}
