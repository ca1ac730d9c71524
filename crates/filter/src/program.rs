//! A compiled filter: a list of tests that only jump forward.
//!
//! It is not cBPF, but it decides as cBPF does: a load that reaches beyond the frame, and a
//! division by zero, reject the frame at once, whatever stands around them.
//!
//! What holds: every jump goes to a later step or is a verdict, so a run ends; the operands of a
//! step fit [`OPERANDS`], so a run needs no memory but its stack.

use std::ops::Range;

/// How many values an arithmetic expression may hold at once: the registers that libpcap has.
pub(crate) const OPERANDS: usize = 16;

/// Where a jump goes that accepts the frame.
pub(crate) const ACCEPT: u16 = u16::MAX;
/// Where a jump goes that rejects the frame.
pub(crate) const REJECT: u16 = u16::MAX - 1;

/// How many bytes a load takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Byte,
    Half,
    Word,
}

/// From where an offset counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// The first byte of the frame.
    Frame,
    /// As many bytes after the first as the IPv4 header is long that begins at `header`.
    AfterIpv4 { header: u32 },
}

/// A number in a frame, big endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) base: Base,
    /// Bytes after the base.
    pub(crate) offset: u32,
    pub(crate) width: Width,
}

/// How two numbers are compared; the other three relations are these, negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Equal,
    Greater,
    AtLeast,
}

/// An operator of two numbers. All wrap at 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    And,
    Or,
    ExclusiveOr,
    ShiftLeft,
    ShiftRight,
}

/// One step of an arithmetic expression, written after its operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Constant(u32),
    /// The frame's length in bytes.
    Length,
    Field(Field),
    /// As a field, but the number on top of the stack is added to its offset.
    Indexed(Field),
    Negate,
    Binary(Operator),
}

/// A question about a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test {
    /// A field, some of its bits, against a number.
    Field {
        field: Field,
        mask: u32,
        relation: Relation,
        value: u32,
    },
    /// One arithmetic expression against another.
    Values {
        left: Range<u16>,
        relation: Relation,
        right: Range<u16>,
    },
}

/// A question and where its answers lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) test: Test,
    pub(crate) on_true: u16,
    pub(crate) on_false: u16,
}

/// A filter that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) steps: Box<[Step]>,
    pub(crate) ops: Box<[Op]>,
}

impl Program {
    /// Whether the frame is accepted. A program without steps accepts every frame.
    pub(crate) fn accepts(&self, frame: &[u8]) -> bool {
        let mut next = if self.steps.is_empty() { ACCEPT } else { 0 };
        while let Some(step) = self.steps.get(usize::from(next)) {
            let Some(answer) = self.answer(&step.test, frame) else {
                return false;
            };
            next = if answer { step.on_true } else { step.on_false };
        }
        next == ACCEPT
    }

    fn answer(&self, test: &Test, frame: &[u8]) -> Option<bool> {
        match test {
            Test::Field {
                field,
                mask,
                relation,
                value,
            } => Some(relation.holds(field.load(frame)? & mask, *value)),
            Test::Values {
                left,
                relation,
                right,
            } => Some(relation.holds(self.value(left, frame)?, self.value(right, frame)?)),
        }
    }

    fn value(&self, ops: &Range<u16>, frame: &[u8]) -> Option<u32> {
        let ops = self.ops.get(usize::from(ops.start)..usize::from(ops.end))?;
        let mut stack = Stack::default();
        for op in ops {
            let value = match *op {
                Op::Constant(value) => value,
                Op::Length => length(frame),
                Op::Field(field) => field.load(frame)?,
                Op::Indexed(field) => field.load_at(frame, stack.pop()?)?,
                Op::Negate => stack.pop()?.wrapping_neg(),
                Op::Binary(operator) => {
                    let right = stack.pop()?;
                    operator.apply(stack.pop()?, right)?
                }
            };
            stack.push(value)?;
        }
        stack.pop()
    }
}

/// The most operands that some operations hold at once.
pub(crate) fn operands(ops: &[Op]) -> usize {
    let mut held: usize = 0;
    let mut most = 0;
    for op in ops {
        match op {
            Op::Constant(_) | Op::Length | Op::Field(_) => held += 1,
            Op::Indexed(_) | Op::Negate => {}
            Op::Binary(_) => held = held.saturating_sub(1),
        }
        most = most.max(held);
    }
    most
}

#[derive(Default)]
struct Stack {
    values: [u32; OPERANDS],
    held: usize,
}

impl Stack {
    fn push(&mut self, value: u32) -> Option<()> {
        *self.values.get_mut(self.held)? = value;
        self.held += 1;
        Some(())
    }

    fn pop(&mut self) -> Option<u32> {
        self.held = self.held.checked_sub(1)?;
        self.values.get(self.held).copied()
    }
}

fn length(frame: &[u8]) -> u32 {
    u32::try_from(frame.len()).unwrap_or(u32::MAX)
}

impl Relation {
    fn holds(self, left: u32, right: u32) -> bool {
        match self {
            Relation::Equal => left == right,
            Relation::Greater => left > right,
            Relation::AtLeast => left >= right,
        }
    }
}

impl Operator {
    /// The result, unless it is a division by zero.
    pub(crate) fn apply(self, left: u32, right: u32) -> Option<u32> {
        Some(match self {
            Operator::Add => left.wrapping_add(right),
            Operator::Subtract => left.wrapping_sub(right),
            Operator::Multiply => left.wrapping_mul(right),
            Operator::Divide => left.checked_div(right)?,
            Operator::Remainder => left.checked_rem(right)?,
            Operator::And => left & right,
            Operator::Or => left | right,
            Operator::ExclusiveOr => left ^ right,
            Operator::ShiftLeft => left.checked_shl(right).unwrap_or(0),
            Operator::ShiftRight => left.checked_shr(right).unwrap_or(0),
        })
    }
}

impl Field {
    fn load(self, frame: &[u8]) -> Option<u32> {
        match self.base {
            Base::Frame => self.read(frame, self.offset as usize),
            Base::AfterIpv4 { header } => self.read(
                frame,
                header_bytes(frame, header)?.checked_add(self.offset)? as usize,
            ),
        }
    }

    /// The index wraps with the length of the IPv4 header, as a register does; the sum with the
    /// offset does not.
    fn load_at(self, frame: &[u8], index: u32) -> Option<u32> {
        let index = match self.base {
            Base::Frame => index,
            Base::AfterIpv4 { header } => index.wrapping_add(header_bytes(frame, header)?),
        };
        self.read(frame, index.checked_add(self.offset)? as usize)
    }

    fn read(self, frame: &[u8], start: usize) -> Option<u32> {
        let bytes = frame.get(start..)?;
        match self.width {
            Width::Byte => bytes.first().copied().map(u32::from),
            Width::Half => bytes
                .first_chunk()
                .map(|two| u32::from(u16::from_be_bytes(*two))),
            Width::Word => bytes.first_chunk().map(|four| u32::from_be_bytes(*four)),
        }
    }
}

/// How long the IPv4 header at `header` says it is.
fn header_bytes(frame: &[u8], header: u32) -> Option<u32> {
    let first = frame.get(header as usize)?;
    Some(u32::from(first & 0xf) * 4)
}
