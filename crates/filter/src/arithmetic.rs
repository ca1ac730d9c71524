//! Arithmetic: `tcp[(tcp[12] >> 2) & 0x3c : 4] = 0x47455420`.
//!
//! Operators bind as in C, with libpcap's exception: `%` and `^` take what stands directly to
//! their left and everything to their right, so `len % 8 + 1` is `len % 9`.

use crate::assembler::Fragment;
use crate::cursor::Parser;
use crate::error::FilterError;
use crate::program::{Field, OPERANDS, Op, Operator, Relation, Width, operands};
use crate::token::{Kind, Mark};
use crate::word::{Protocol, Word};

/// How strongly an operator binds. `%` and `^` have no rank, see above.
type Rank = u8;
const LOWEST: Rank = 0;
const HIGHEST: Rank = 6;

/// One side of a comparison while it is read.
#[derive(Debug, Default)]
struct Side {
    ops: Vec<Op>,
    /// The protocols whose fields are read: a frame without them does not match.
    guards: Vec<Protocol>,
}

impl Side {
    /// The number that the operations since `start` amount to, if it does not depend on the frame.
    fn constant(&self, start: usize) -> Option<u32> {
        match self.ops.get(start..) {
            Some([Op::Constant(value)]) => Some(*value),
            _ => None,
        }
    }

    fn replace(&mut self, start: usize, value: u32) {
        self.ops.truncate(start);
        self.ops.push(Op::Constant(value));
    }
}

impl Parser<'_> {
    /// A comparison of two arithmetic expressions.
    pub(crate) fn relation(&mut self) -> Result<Fragment, FilterError> {
        let place = self.place();
        let left = self.side()?;
        let Some((relation, is_negated)) = self.relation_ahead() else {
            return Err(self.unexpected("`=`, `!=`, `<`, `<=`, `>` or `>=`"));
        };
        self.advance();
        let right = self.side()?;
        if operands(&left.ops).max(operands(&right.ops)) > OPERANDS {
            let whole = place.start..self.last_place().end;
            let expected = format!("arithmetic that holds at most {OPERANDS} values at once");
            return Err(self.error(whole, expected));
        }
        let mut guard: Option<Fragment> = None;
        for protocol in left.guards.iter().chain(&right.guards) {
            let Some(one) = self.refusable(place.clone(), |coder| coder.field_guard(*protocol))?
            else {
                continue;
            };
            guard = Some(match guard {
                Some(guard) => self.coder.asm.both(guard, one),
                None => one,
            });
        }
        let asm = &mut self.coder.asm;
        let mut compared = match (left.ops.as_slice(), right.ops.as_slice()) {
            ([Op::Field(field)], [Op::Constant(value)]) => {
                asm.field(*field, u32::MAX, relation, *value)
            }
            (
                [
                    Op::Field(field),
                    Op::Constant(mask),
                    Op::Binary(Operator::And),
                ],
                [Op::Constant(value)],
            ) => asm.field(*field, *mask, relation, *value),
            (left, right) => asm.values(left, relation, right),
        };
        if is_negated {
            compared = compared.negated();
        }
        Ok(match guard {
            Some(guard) => asm.both(guard, compared),
            None => compared,
        })
    }

    fn side(&mut self) -> Result<Side, FilterError> {
        let mut side = Side::default();
        self.value(&mut side, LOWEST)?;
        Ok(side)
    }

    /// A value whose operators bind at least as strongly as `rank`.
    fn value(&mut self, side: &mut Side, rank: Rank) -> Result<(), FilterError> {
        let start = side.ops.len();
        self.operand(side)?;
        while let Some((operator, own)) = self.operator_ahead() {
            if own.is_some_and(|own| own < rank) {
                break;
            }
            self.advance();
            let middle = side.ops.len();
            let guards = side.guards.len();
            let place = self.place();
            match own {
                Some(own) => self.value(side, own + 1)?,
                None => self.nested(|parser| parser.value(side, LOWEST))?,
            }
            // libpcap forgets what the right operand would need; so do we.
            side.guards.truncate(guards);
            if let Some(right) = side.constant(middle) {
                let place = place.start..self.last_place().end;
                self.check_right(operator, right, place)?;
            }
            combine(side, start, middle, operator);
        }
        Ok(())
    }

    fn check_right(
        &self,
        operator: Operator,
        right: u32,
        place: std::ops::Range<usize>,
    ) -> Result<(), FilterError> {
        let expected = match operator {
            Operator::Divide | Operator::Remainder if right == 0 => "a divisor that is not zero",
            Operator::ShiftLeft | Operator::ShiftRight if right > 31 => "a shift by at most 31",
            _ => return Ok(()),
        };
        Err(self.error(place, expected))
    }

    fn operand(&mut self, side: &mut Side) -> Result<(), FilterError> {
        match self.kind() {
            Some(Kind::Number(number)) => {
                self.advance();
                side.ops.push(Op::Constant(number));
                Ok(())
            }
            Some(Kind::Word(Word::Length)) => {
                self.advance();
                side.ops.push(Op::Length);
                Ok(())
            }
            Some(Kind::Word(Word::Protocol(protocol))) => self.field(side, protocol),
            Some(Kind::Mark(Mark::Minus)) => {
                self.advance();
                let start = side.ops.len();
                self.nested(|parser| parser.value(side, HIGHEST))?;
                match side.constant(start) {
                    Some(value) => side.replace(start, value.wrapping_neg()),
                    None => side.ops.push(Op::Negate),
                }
                Ok(())
            }
            Some(Kind::Mark(Mark::Open)) => {
                self.advance();
                self.nested(|parser| parser.value(side, LOWEST))?;
                self.expect(Mark::Close, "an operator or `)`")
            }
            _ => Err(self.unexpected("a number, `len`, or bytes of a header such as `ip[8]`")),
        }
    }

    /// Bytes of a header: `ip[2:2]`.
    fn field(&mut self, side: &mut Side, protocol: Protocol) -> Result<(), FilterError> {
        let Some((base, offset)) = self.coder.field_base(protocol) else {
            return Err(self.unexpected("a protocol whose bytes can be read, such as `ip`"));
        };
        self.advance();
        self.expect(Mark::OpenBracket, "`[` and an offset")?;
        let start = side.ops.len();
        self.nested(|parser| parser.value(side, LOWEST))?;
        let mut width = Width::Byte;
        if self.kind() == Some(Kind::Mark(Mark::Colon)) {
            self.advance();
            width = match self.kind() {
                Some(Kind::Number(1)) => Width::Byte,
                Some(Kind::Number(2)) => Width::Half,
                Some(Kind::Number(4)) => Width::Word,
                _ => return Err(self.unexpected("a size of 1, 2 or 4 bytes")),
            };
            self.advance();
        }
        self.expect(Mark::CloseBracket, "an operator, `:` and a size, or `]`")?;
        side.guards.push(protocol);
        let field = Field {
            base,
            offset,
            width,
        };
        match side.constant(start) {
            Some(index) => {
                let offset = offset.wrapping_add(index);
                side.ops.truncate(start);
                side.ops.push(Op::Field(Field { offset, ..field }));
            }
            None => side.ops.push(Op::Indexed(field)),
        }
        Ok(())
    }

    fn relation_ahead(&self) -> Option<(Relation, bool)> {
        let Some(Kind::Mark(mark)) = self.kind() else {
            return None;
        };
        Some(match mark {
            Mark::Equal => (Relation::Equal, false),
            Mark::NotEqual => (Relation::Equal, true),
            Mark::Greater => (Relation::Greater, false),
            Mark::AtMost => (Relation::Greater, true),
            Mark::AtLeast => (Relation::AtLeast, false),
            Mark::Less => (Relation::AtLeast, true),
            _ => return None,
        })
    }

    fn operator_ahead(&self) -> Option<(Operator, Option<Rank>)> {
        match self.kind() {
            Some(Kind::Mark(mark)) => operator(mark),
            _ => None,
        }
    }
}

/// Whether a mark goes on with arithmetic or compares it.
pub(crate) fn is_arithmetic(mark: Mark) -> bool {
    operator(mark).is_some()
        || matches!(
            mark,
            Mark::Equal
                | Mark::NotEqual
                | Mark::Greater
                | Mark::AtLeast
                | Mark::Less
                | Mark::AtMost
        )
}

fn operator(mark: Mark) -> Option<(Operator, Option<Rank>)> {
    Some(match mark {
        Mark::Bar => (Operator::Or, Some(1)),
        Mark::Ampersand => (Operator::And, Some(2)),
        Mark::ShiftLeft => (Operator::ShiftLeft, Some(3)),
        Mark::ShiftRight => (Operator::ShiftRight, Some(3)),
        Mark::Plus => (Operator::Add, Some(4)),
        Mark::Minus => (Operator::Subtract, Some(4)),
        Mark::Star => (Operator::Multiply, Some(5)),
        Mark::Slash => (Operator::Divide, Some(5)),
        Mark::Percent => (Operator::Remainder, None),
        Mark::Caret => (Operator::ExclusiveOr, None),
        _ => return None,
    })
}

/// Joins the values since `start` and since `middle`, at once where the frame has no part in it.
fn combine(side: &mut Side, start: usize, middle: usize, operator: Operator) {
    let right = side.constant(middle);
    if right == Some(0) && matches!(operator, Operator::And | Operator::Multiply) {
        side.replace(start, 0);
        return;
    }
    let left = match side.ops.get(start..middle) {
        Some([Op::Constant(left)]) => Some(*left),
        _ => None,
    };
    let folded = left
        .zip(right)
        .and_then(|(left, right)| operator.apply(left, right));
    match folded {
        Some(value) => side.replace(start, value),
        None => side.ops.push(Op::Binary(operator)),
    }
}
