//! Where something stands in a file that the user wrote.
//!
//! A [`Span`] is a range of bytes in one [`Source`]; [`Sources`] owns the texts, so that a span
//! stays small and `Copy`. Nothing here reads files: whoever reads them hands the text over.

use std::ops::Deref;

/// Names one text in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A range of bytes in one source; `start <= end`, both at most the length of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text that the range lies in.
    pub source: SourceId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

impl Span {
    /// The empty span at the beginning of a source, for what concerns the file as a whole.
    pub fn start_of(source: SourceId) -> Self {
        Self {
            source,
            start: 0,
            end: 0,
        }
    }
}

/// One text, with the path under which the user knows it.
#[derive(Debug, Clone)]
pub struct Source {
    /// The path as it is shown in messages.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// A place as people count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// All texts that one reading of a lab involved.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    sources: Vec<Source>,
}

impl Sources {
    /// Takes a text in and names it.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) -> SourceId {
        let id = SourceId(u32::try_from(self.sources.len()).expect("fewer than 2^32 files"));
        self.sources.push(Source {
            path: path.into(),
            text: text.into(),
        });
        id
    }

    /// The text behind a name.
    pub fn source(&self, id: SourceId) -> &Source {
        &self.sources[id.0 as usize]
    }

    /// The names of all texts, in the order in which they came.
    pub fn ids(&self) -> impl Iterator<Item = SourceId> + '_ {
        (0..self.sources.len()).map(|index| SourceId(index as u32))
    }

    /// Line and column of the first byte of a span.
    pub fn position(&self, span: Span) -> Position {
        let text = &self.source(span.source).text;
        let before = text.get(..span.start as usize).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// A value together with the place that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was written.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Joins a value and its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Another value from the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Spanned<U> {
        Spanned {
            value: change(self.value),
            span: self.span,
        }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_counts_lines_and_characters_from_one() {
        let mut sources = Sources::default();
        let source = sources.add("lab.yaml", "a: 1\nö: x\n");
        let position = |start| {
            sources.position(Span {
                source,
                start,
                end: start,
            })
        };
        assert_eq!(position(0), Position { line: 1, column: 1 });
        assert_eq!(position(5), Position { line: 2, column: 1 });
        assert_eq!(position(9), Position { line: 2, column: 4 });
    }
}
