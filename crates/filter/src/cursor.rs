//! The place in an expression that is being read.
//!
//! It knows tokens, limits and where errors are, but no grammar: that is in `parse`, `operand` and
//! `arithmetic`, which are all written upon it.

use std::ops::Range;

use crate::error::FilterError;
use crate::layers::Refusal;
use crate::primitive::Coder;
use crate::token::{Kind, Mark, Token, tokens};
use crate::{MAX_DEPTH, MAX_PRIMITIVES};

/// An expression that is being read, and the program that is being written.
pub(crate) struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// For every `(`, where its `)` is.
    closes: Vec<Option<usize>>,
    next: usize,
    depth: usize,
    primitives: usize,
    pub(crate) coder: Coder,
}

impl<'a> Parser<'a> {
    /// Begins with the first token of a text.
    pub(crate) fn new(text: &'a str) -> Result<Parser<'a>, FilterError> {
        let tokens = tokens(text)?;
        Ok(Parser {
            text,
            closes: closes(&tokens),
            tokens,
            next: 0,
            depth: 0,
            primitives: 0,
            coder: Coder::default(),
        })
    }

    /// The number of the next token.
    pub(crate) fn position(&self) -> usize {
        self.next
    }

    /// Where the parenthesis is closed that this token opens.
    pub(crate) fn close_of(&self, open: usize) -> Option<usize> {
        self.closes.get(open).copied().flatten()
    }

    pub(crate) fn number(&mut self, expected: &str) -> Result<u32, FilterError> {
        let Some(Kind::Number(number)) = self.kind() else {
            return Err(self.unexpected(expected));
        };
        self.advance();
        Ok(number)
    }

    /// A number that may follow a word, in parentheses or not.
    pub(crate) fn argument(&mut self, most: u32, noun: &str) -> Result<Option<u32>, FilterError> {
        let is_wrapped = self.kind() == Some(Kind::Mark(Mark::Open));
        let at = self.next + usize::from(is_wrapped);
        let Some(Kind::Number(number)) = self.kind_at(at) else {
            return Ok(None);
        };
        if is_wrapped && self.kind_at(at + 1) != Some(Kind::Mark(Mark::Close)) {
            return Ok(None);
        }
        self.next = at;
        if number > most {
            return Err(self.unexpected(format!("{noun} of at most {most}")));
        }
        self.next = at + 1 + usize::from(is_wrapped);
        Ok(Some(number))
    }

    /// Reads what stands in parentheses or brackets, unless that is too deep.
    pub(crate) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, FilterError>,
    ) -> Result<T, FilterError> {
        if self.depth == MAX_DEPTH {
            return Err(self.unexpected(format!("at most {MAX_DEPTH} levels of nesting")));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    pub(crate) fn count(&mut self) -> Result<(), FilterError> {
        if self.primitives == MAX_PRIMITIVES {
            return Err(self.unexpected(format!("at most {MAX_PRIMITIVES} primitives")));
        }
        self.primitives += 1;
        Ok(())
    }

    /// Codes a primitive; a refusal becomes an error at this place.
    pub(crate) fn refusable<T>(
        &mut self,
        place: Range<usize>,
        code: impl FnOnce(&mut Coder) -> Result<T, Refusal>,
    ) -> Result<T, FilterError> {
        code(&mut self.coder).map_err(|Refusal(expected)| self.error(place, expected))
    }

    pub(crate) fn kind(&self) -> Option<Kind> {
        self.kind_at(self.next)
    }

    pub(crate) fn kind_at(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    pub(crate) fn advance(&mut self) {
        self.next += 1;
    }

    pub(crate) fn expect(&mut self, mark: Mark, expected: &str) -> Result<(), FilterError> {
        if self.kind() != Some(Kind::Mark(mark)) {
            return Err(self.unexpected(expected));
        }
        self.advance();
        Ok(())
    }

    /// The text of the next token.
    pub(crate) fn token_text(&self) -> &str {
        self.text.get(self.place()).unwrap_or_default()
    }

    /// Where the next token is, or the end.
    pub(crate) fn place(&self) -> Range<usize> {
        let end = self.text.len();
        self.tokens
            .get(self.next)
            .map_or(end..end, |token| token.place.clone())
    }

    /// Where the token before the next one is.
    pub(crate) fn last_place(&self) -> Range<usize> {
        let last = self.next.checked_sub(1);
        last.and_then(|last| self.tokens.get(last))
            .map_or(0..0, |token| token.place.clone())
    }

    pub(crate) fn error(&self, place: Range<usize>, expected: impl Into<String>) -> FilterError {
        FilterError::new(self.text, place, expected)
    }

    pub(crate) fn unexpected(&self, expected: impl Into<String>) -> FilterError {
        self.error(self.place(), expected)
    }
}

fn closes(tokens: &[Token]) -> Vec<Option<usize>> {
    let mut closes = vec![None; tokens.len()];
    let mut open = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Mark(Mark::Open) => open.push(index),
            Kind::Mark(Mark::Close) => {
                if let Some(opened) = open.pop() {
                    closes[opened] = Some(index);
                }
            }
            _ => {}
        }
    }
    closes
}
