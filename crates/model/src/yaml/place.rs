//! From the parser's marks (line and column in characters) to bytes.

use saphyr_parser::Marker;

/// Translates marks. The parser's marks come nearly in order, so the translation walks from the
/// last one; a whole file costs one walk.
pub(super) struct Places<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    last: (usize, usize, usize),
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let breaks = bytes.iter().enumerate().filter(|(at, byte)| match byte {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
        let line_starts = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        Self {
            text,
            line_starts,
            last: (0, 0, 0),
        }
    }

    /// The offset of the byte that a mark means; the end of the text if it lies beyond.
    pub(super) fn offset(&mut self, mark: &Marker) -> usize {
        let line = mark.line().saturating_sub(1);
        let column = mark.col();
        let Some(&line_start) = self.line_starts.get(line) else {
            return self.text.len();
        };
        let (last_line, last_column, last_offset) = self.last;
        let (from_column, from) = if last_line == line {
            (last_column, last_offset)
        } else {
            (0, line_start)
        };
        let offset = if column >= from_column {
            self.text[from..]
                .char_indices()
                .nth(column - from_column)
                .map_or(self.text.len(), |(at, _)| from + at)
        } else {
            self.text[..from]
                .char_indices()
                .nth_back(from_column - column - 1)
                .map_or(0, |(at, _)| at)
        };
        self.last = (line, column, offset);
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_bytes_in_any_order() {
        let mut places = Places::new("aöb\r\ncä\rd");
        for (line, column, offset) in [
            (1, 2, 3),
            (2, 0, 6),
            (2, 2, 9),
            (2, 1, 7),
            (3, 0, 10),
            (1, 1, 1),
            (9, 0, 11),
        ] {
            assert_eq!(
                places.offset(&Marker::new(0, line, column)),
                offset,
                "{line}:{column}"
            );
        }
    }
}
