//! Writing a program: tests are appended in the order in which they are asked, and their answers
//! are joined with `and`, `or` and `not`.
//!
//! A [`Fragment`] is a run of steps whose answers do not lead anywhere yet. Joining two fragments
//! points some answers of the first at the start of the second, so jumps only go forward as long
//! as the first was written before the second; every caller does.

use crate::program::{ACCEPT, Field, Op, Program, REJECT, Relation, Step, Test};

/// An answer of a step that leads nowhere yet.
#[derive(Debug, Clone, Copy)]
struct Exit {
    step: u16,
    answer: bool,
}

/// Steps that belong together, and the answers with which they are left.
#[derive(Debug)]
pub(crate) struct Fragment {
    start: u16,
    on_true: Vec<Exit>,
    on_false: Vec<Exit>,
}

impl Fragment {
    /// The same question with its answers exchanged.
    pub(crate) fn negated(self) -> Fragment {
        Fragment {
            start: self.start,
            on_true: self.on_false,
            on_false: self.on_true,
        }
    }
}

/// A program that is being written.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    steps: Vec<Step>,
    ops: Vec<Op>,
}

impl Assembler {
    /// Asks whether some bits of a field are so.
    pub(crate) fn field(
        &mut self,
        field: Field,
        mask: u32,
        relation: Relation,
        value: u32,
    ) -> Fragment {
        self.test(Test::Field {
            field,
            mask,
            relation,
            value,
        })
    }

    /// Asks how two arithmetic expressions compare.
    pub(crate) fn values(&mut self, left: &[Op], relation: Relation, right: &[Op]) -> Fragment {
        let start = self.mark();
        self.ops.extend_from_slice(left);
        let middle = self.mark();
        self.ops.extend_from_slice(right);
        let end = self.mark();
        self.test(Test::Values {
            left: start..middle,
            relation,
            right: middle..end,
        })
    }

    /// True when both are; the second is not asked when the first is false.
    pub(crate) fn both(&mut self, first: Fragment, second: Fragment) -> Fragment {
        self.lead(&first.on_true, second.start);
        let mut on_false = first.on_false;
        on_false.extend(second.on_false);
        Fragment {
            start: first.start,
            on_true: second.on_true,
            on_false,
        }
    }

    /// True when one is; the second is not asked when the first is true.
    pub(crate) fn either(&mut self, first: Fragment, second: Fragment) -> Fragment {
        self.lead(&first.on_false, second.start);
        let mut on_true = first.on_true;
        on_true.extend(second.on_true);
        Fragment {
            start: first.start,
            on_true,
            on_false: second.on_false,
        }
    }

    /// The program that accepts what the whole is true for.
    pub(crate) fn finish(mut self, whole: &Fragment) -> Program {
        self.lead(&whole.on_true, ACCEPT);
        self.lead(&whole.on_false, REJECT);
        Program {
            steps: self.steps.into(),
            ops: self.ops.into(),
        }
    }

    fn test(&mut self, test: Test) -> Fragment {
        let step = place(self.steps.len());
        self.steps.push(Step {
            test,
            on_true: REJECT,
            on_false: REJECT,
        });
        Fragment {
            start: step,
            on_true: vec![Exit { step, answer: true }],
            on_false: vec![Exit {
                step,
                answer: false,
            }],
        }
    }

    fn lead(&mut self, exits: &[Exit], target: u16) {
        for exit in exits {
            let step = &mut self.steps[usize::from(exit.step)];
            if exit.answer {
                step.on_true = target;
            } else {
                step.on_false = target;
            }
        }
    }

    fn mark(&self) -> u16 {
        place(self.ops.len())
    }
}

/// The limits on an expression's length and primitives keep programs far below 65,534 steps.
fn place(index: usize) -> u16 {
    u16::try_from(index).expect("an expression of limited length has fewer steps")
}
