//! YAML as a tree in which every value knows its place.
//!
//! The scanner and parser are `saphyr-parser`; the tree, its limits and its messages are ours. A
//! tree says nothing about types: a scalar stays a text with its style until a reader asks for a
//! number or a boolean ([`scalar`]), because YAML 1.1 and 1.2 answer differently.
//!
//! Invariants: a tree is at most [`DEPTH_LIMIT`] deep and holds at most [`VALUE_LIMIT`] values,
//! counted after aliases and merge keys are expanded; the keys of a mapping are scalars and
//! differ; every span lies on one line.

mod decode;
mod loader;
mod message;
mod place;
pub mod scalar;

use crate::span::Span;
use std::rc::Rc;

pub use decode::{decode, too_large};
pub use loader::load;

/// Largest text in bytes. A lab of 10,000 nodes takes about 2 MiB; the rest leaves room for
/// configurations written inline.
pub const TEXT_LIMIT: usize = 16 * 1024 * 1024;

/// Deepest nesting. The deepest lab file needs seven levels.
pub const DEPTH_LIMIT: usize = 64;

/// Most values in one file, aliases and merge keys expanded. A lab of 10,000 nodes and 20,000
/// links has about 200,000.
pub const VALUE_LIMIT: usize = 1_000_000;

/// Most brackets, braces and commas in one file. The parser has to look ahead through `[...]` and
/// `{...}`, and remembers up to a kilobyte for each while doing so. A lab of 10,000 nodes and
/// 20,000 links written in braces has about 200,000.
pub const FLOW_LIMIT: usize = 400_000;

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// The value's text; of what takes several lines only the first line, so that carets fit.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// A value. Cloning is cheap: collections are shared.
#[derive(Debug, Clone)]
pub enum Value {
    /// A text, number, boolean or nothing.
    Scalar(Scalar),
    /// A list.
    Sequence(Rc<[Node]>),
    /// Keys and values, in the order of the file; merged ones come last.
    Mapping(Rc<[Entry]>),
}

/// One key of a mapping and what it holds.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: Scalar,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// A scalar, not yet typed.
#[derive(Debug, Clone)]
pub struct Scalar {
    /// The text, quotes and escapes resolved.
    pub text: Rc<str>,
    /// Whether the text can mean anything but itself.
    pub style: Style,
    /// Where the text begins in the source, if it stands there letter by letter.
    pub verbatim: Option<u32>,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: `5` is a number and `~` is nothing.
    Plain,
    /// In quotes, as a block, or tagged `!!str`: always a text.
    Quoted,
}

impl Node {
    /// The scalar, if it is one.
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            Value::Sequence(_) | Value::Mapping(_) => None,
        }
    }

    /// Whether there is no value: nothing written, `~` or `null`.
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(scalar::is_null)
    }

    /// The place of a part of this scalar's text, if the text stands in the source as it is;
    /// otherwise the whole scalar.
    pub fn part(&self, start: usize, end: usize) -> Span {
        let begin = self.scalar().and_then(|scalar| scalar.verbatim);
        match (begin, u32::try_from(start), u32::try_from(end)) {
            (Some(begin), Ok(start), Ok(end)) => Span {
                source: self.span.source,
                start: begin + start,
                end: begin + end,
            },
            _ => self.span,
        }
    }

    /// What kind of value it is, in words for messages.
    pub fn describe(&self) -> &'static str {
        match &self.value {
            Value::Scalar(_) if self.is_null() => "nothing",
            Value::Scalar(scalar) => scalar::describe(scalar),
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}
