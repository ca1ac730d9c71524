//! Carrying out the checks of a running lab.
//!
//! # Theory of operation
//!
//! 1. Checks that change nothing run at the same time, [`MAX_CHECKS`] of them at most; then those
//!    that change the lab run one after the other, so that nobody sees the changes of another.
//! 2. A look is tried until it is as expected or its time is over. Of several questions only those
//!    are asked again whose answer was not as expected.
//! 3. What a check has changed is put back when it ends, whatever the end: a step that does not
//!    hold, an interruption, a panic.
//!
//! All that touches the world is behind [`Hands`]; [`live::LiveLab`] is a lab that runs. So the
//! rest, time included, is tried without one.

mod frames;
pub mod live;
mod power;
mod queue;

use queue::Queue;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;
use vnflab_model::blueprint::JunctionState;
use vnflab_model::lab_check::judge::{self, Answer};
use vnflab_model::lab_check::{
    Assertion, Body, Change, Expect, LabCheck, Probe, Question, Step, Verdict,
};

/// Most checks that run at the same time.
pub const MAX_CHECKS: usize = 16;

/// Most questions of one check that are asked at the same time.
const MAX_QUESTIONS: usize = 16;

/// Between two tries.
const INTERVAL: Duration = Duration::from_millis(300);

/// What a node said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its output.
    pub stdout: String,
    /// Its messages.
    pub stderr: String,
    /// The status that the command ended with, where there is one.
    pub status: Option<i32>,
}

/// What can be done to a running lab, and with the time.
///
/// Errors are told to people, as the reason why something could not be looked at.
pub trait Hands: Sync {
    /// What has to be asked of whom.
    ///
    /// # Errors
    ///
    /// Why it cannot be asked.
    fn questions(&self, probe: &Probe) -> Result<Vec<Question>, String>;

    /// Runs a command in a node.
    ///
    /// # Errors
    ///
    /// Why it was not run.
    fn ask(&self, node: &str, command: &str) -> Result<Said, String>;

    /// The state of a link or segment, with the reason where it is down.
    ///
    /// # Errors
    ///
    /// Why it is not known.
    fn link(&self, name: &str) -> Result<(JunctionState, String), String>;

    /// How many frames are seen on a link or segment, until there are enough or time is up.
    ///
    /// # Errors
    ///
    /// Why nothing can be seen.
    fn frames(&self, look: &FrameLook<'_>) -> Result<u64, String>;

    /// How many bytes have come into a link or segment, from one end or from all.
    ///
    /// # Errors
    ///
    /// Why it is not known.
    fn bytes(&self, on: &str, from: Option<&str>) -> Result<u64, String>;

    /// Changes the lab; what it was is remembered.
    ///
    /// # Errors
    ///
    /// Why it cannot be changed.
    fn change(&self, change: &Change) -> Result<(), String>;

    /// Puts back all that was changed; nothing where nothing was.
    ///
    /// # Errors
    ///
    /// What could not be put back.
    fn put_back(&self) -> Result<(), String>;

    /// The time since some moment in the past.
    fn now(&self) -> Duration;

    /// Lets time pass.
    fn sleep(&self, time: Duration);
}

/// What frames are looked for.
#[derive(Debug, Clone, Copy)]
pub struct FrameLook<'a> {
    /// On this link or segment.
    pub on: &'a str,
    /// Those that this filter expression matches.
    pub filter: Option<&'a str>,
    /// Those that this end sends.
    pub from: Option<&'a str>,
    /// So many are enough.
    pub enough: u64,
    /// So long.
    pub during: Duration,
    /// Ends it early.
    pub cancel: &'a AtomicBool,
}

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckOutcome {
    /// Its name.
    pub name: String,
    /// What came out, expectations included.
    pub verdict: Verdict,
    /// How long it took.
    pub elapsed: Duration,
    /// Its steps, as far as they were taken; one for a check without steps.
    pub steps: Vec<StepOutcome>,
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOutcome {
    /// What was done or looked at.
    pub what: String,
    /// What came out.
    pub verdict: Verdict,
    /// How long it took.
    pub elapsed: Duration,
    /// How often it was tried.
    pub tries: u32,
}

/// What happens while checks run.
#[derive(Debug)]
pub enum Event<'a> {
    /// A check does something.
    Doing {
        /// The check.
        check: &'a str,
        /// What.
        what: &'a str,
    },
    /// A check has ended.
    Done(&'a CheckOutcome),
}

/// How checks are run.
#[derive(Debug, Clone, Copy)]
pub struct Patience<'a> {
    /// How long a look is tried at least, unless the check has changed the lab before.
    pub wait: Duration,
    /// Ends everything early; what was changed is put back all the same.
    pub cancel: &'a AtomicBool,
}

/// What interrupted checks say.
const INTERRUPTED: &str = "interrupted";

/// Runs checks; the outcomes come in their order.
pub fn run(
    checks: &[&LabCheck],
    hands: &dyn Hands,
    patience: Patience<'_>,
    on_event: &mut dyn FnMut(&Event<'_>),
) -> Vec<CheckOutcome> {
    let mut outcomes: Vec<Option<CheckOutcome>> = vec![None; checks.len()];
    let (alone, together): (Vec<usize>, Vec<usize>) =
        (0..checks.len()).partition(|position| checks[*position].changes_the_lab());
    let groups = [(together, MAX_CHECKS), (alone, 1)];
    for (positions, workers) in groups {
        let queue = Queue::new(positions);
        let (sender, receiver) = mpsc::channel();
        std::thread::scope(|scope| {
            queue.work(scope, workers, move |position| {
                let runner = Runner {
                    hands,
                    patience,
                    check: checks[position],
                    report: &|what| {
                        let _ = sender.send((position, Report::Doing(what.to_owned())));
                    },
                };
                let outcome = runner.run();
                // Whoever listens does so until all have ended.
                let _ = sender.send((position, Report::Done(outcome)));
            });
            for (position, report) in receiver {
                match report {
                    Report::Doing(what) => on_event(&Event::Doing {
                        check: &checks[position].name,
                        what: &what,
                    }),
                    Report::Done(outcome) => {
                        on_event(&Event::Done(&outcome));
                        outcomes[position] = Some(outcome);
                    }
                }
            }
        });
    }
    outcomes.into_iter().flatten().collect()
}

enum Report {
    Doing(String),
    Done(CheckOutcome),
}

/// Puts back what was changed when it is dropped: by a panic, too.
struct PutBack<'a>(Option<&'a dyn Hands>);

impl PutBack<'_> {
    fn now(mut self) -> Result<(), String> {
        match self.0.take() {
            Some(hands) => hands.put_back(),
            None => Ok(()),
        }
    }
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        if let Some(hands) = self.0.take() {
            let _ = hands.put_back();
        }
    }
}

/// Runs one check.
struct Runner<'a> {
    hands: &'a dyn Hands,
    patience: Patience<'a>,
    check: &'a LabCheck,
    report: &'a (dyn Fn(&str) + 'a),
}

impl Runner<'_> {
    fn run(&self) -> CheckOutcome {
        let began = self.hands.now();
        let changes = self.check.changes_the_lab();
        let put_back = PutBack(changes.then_some(self.hands));
        let mut steps = match &self.check.body {
            Body::Single(assertion) => vec![self.look(assertion, self.patience.wait)],
            Body::Steps(steps) => self.steps(steps),
        };
        if let Err(reason) = put_back.now() {
            steps.push(StepOutcome {
                what: "put back what was changed".to_owned(),
                verdict: Verdict::Unknown(reason),
                elapsed: Duration::ZERO,
                tries: 1,
            });
        }
        let verdict = match &self.check.body {
            Body::Single(_) => steps.first().map(|step| step.verdict.clone()),
            Body::Steps(_) => Some(of_steps(&steps)),
        };
        CheckOutcome {
            name: self.check.name.value.clone(),
            verdict: verdict.unwrap_or_else(|| Verdict::Unknown(INTERRUPTED.to_owned())),
            elapsed: self.hands.now().saturating_sub(began),
            steps,
        }
    }

    /// Takes steps until one is not as expected.
    fn steps(&self, steps: &[Step]) -> Vec<StepOutcome> {
        let mut outcomes = Vec::with_capacity(steps.len());
        let mut changed = false;
        for step in steps {
            let outcome = match step {
                Step::Assert(assertion) => {
                    // How soon the lab reacts to a change is for the step alone to say.
                    let wait = match changed {
                        true => Duration::ZERO,
                        false => self.patience.wait,
                    };
                    self.look(assertion, wait)
                }
                Step::Change(change) => {
                    changed = true;
                    self.act(&change.describe(), || self.hands.change(change))
                }
                Step::Pause(time) => self.act(&format!("pause {} s", time.as_secs()), || {
                    self.pass(*time);
                    Ok(())
                }),
            };
            let holds = outcome.verdict.holds();
            outcomes.push(outcome);
            if !holds {
                break;
            }
        }
        outcomes
    }

    fn act(&self, what: &str, act: impl FnOnce() -> Result<(), String>) -> StepOutcome {
        (self.report)(what);
        let began = self.hands.now();
        let verdict = match self.is_cancelled() {
            true => Verdict::Unknown(INTERRUPTED.to_owned()),
            false => match act() {
                Ok(()) if self.is_cancelled() => Verdict::Unknown(INTERRUPTED.to_owned()),
                Ok(()) => Verdict::Holds("done".to_owned()),
                Err(reason) => Verdict::Unknown(reason),
            },
        };
        StepOutcome {
            what: what.to_owned(),
            verdict,
            elapsed: self.hands.now().saturating_sub(began),
            tries: 1,
        }
    }

    /// Looks until it is as expected, or its time is over.
    fn look(&self, assertion: &Assertion, wait: Duration) -> StepOutcome {
        let what = assertion.probe.describe();
        (self.report)(&what);
        let began = self.hands.now();
        let patience = assertion.within.unwrap_or_default().max(wait);
        let mut look = Look::new(self, assertion);
        let mut tries = 0;
        let verdict = loop {
            if self.is_cancelled() {
                break Verdict::Unknown(INTERRUPTED.to_owned());
            }
            tries += 1;
            let verdict = look.once();
            let elapsed = self.hands.now().saturating_sub(began);
            if verdict.holds() || elapsed + INTERVAL > patience {
                break verdict;
            }
            self.pass(INTERVAL);
        };
        StepOutcome {
            what: match assertion.expect {
                Expect::Pass => what,
                Expect::Fail => format!("{what} (expected to fail)"),
            },
            verdict,
            elapsed: self.hands.now().saturating_sub(began),
            tries,
        }
    }

    /// Lets time pass, in short pieces so that an interruption is noticed.
    fn pass(&self, time: Duration) {
        const PIECE: Duration = Duration::from_millis(100);
        let end = self.hands.now() + time;
        while !self.is_cancelled() {
            let left = end.saturating_sub(self.hands.now());
            if left.is_zero() {
                return;
            }
            self.hands.sleep(left.min(PIECE));
        }
    }

    fn is_cancelled(&self) -> bool {
        self.patience.cancel.load(Ordering::Relaxed)
    }
}

/// The last step tells: it is the one that does not hold, or all do.
fn of_steps(steps: &[StepOutcome]) -> Verdict {
    let count = steps.len();
    match steps.iter().position(|step| !step.verdict.holds()) {
        None => Verdict::Holds(match count {
            1 => "1 step".to_owned(),
            _ => format!("{count} steps"),
        }),
        Some(position) => {
            let step = &steps[position];
            let reason = format!(
                "step {}, {}: {}",
                position + 1,
                step.what,
                step.verdict.text()
            );
            match step.verdict {
                Verdict::Not(_) => Verdict::Not(reason),
                _ => Verdict::Unknown(reason),
            }
        }
    }
}

/// A look, and what of it is known already.
struct Look<'a> {
    runner: &'a Runner<'a>,
    assertion: &'a Assertion,
    questions: Option<Vec<Question>>,
    verdicts: Vec<Option<Verdict>>,
}

impl<'a> Look<'a> {
    fn new(runner: &'a Runner<'a>, assertion: &'a Assertion) -> Self {
        Self {
            runner,
            assertion,
            questions: None,
            verdicts: Vec::new(),
        }
    }

    /// Looks once; what was as expected before is not asked again.
    fn once(&mut self) -> Verdict {
        let expect = self.assertion.expect;
        if let Some(verdict) = self.see() {
            return expect.apply(verdict);
        }
        if self.questions.is_none() {
            match self.runner.hands.questions(&self.assertion.probe) {
                Ok(questions) => {
                    self.verdicts = vec![None; questions.len()];
                    self.questions = Some(questions);
                }
                // A node that is not up may come up.
                Err(reason) => return Verdict::Unknown(reason),
            }
        }
        let questions = self.questions.as_deref().unwrap_or_default();
        let is_open = |position: &usize| {
            !self.verdicts[*position]
                .as_ref()
                .is_some_and(Verdict::holds)
        };
        let open: Vec<usize> = (0..questions.len()).filter(is_open).collect();
        let hands = self.runner.hands;
        let answers = ask_all(&open, &|position| {
            let question: &Question = &questions[position];
            let verdict = match hands.ask(&question.node, &question.command) {
                Ok(said) => question.judge(&Answer {
                    stdout: &said.stdout,
                    stderr: &said.stderr,
                    status: said.status,
                }),
                Err(reason) => Verdict::Unknown(format!("{}: {reason}", question.node)),
            };
            expect.apply(verdict)
        });
        for (position, verdict) in answers {
            self.verdicts[position] = Some(verdict);
        }
        Verdict::all(self.verdicts.iter().flatten().cloned().collect())
    }

    /// What is seen without asking a guest; `None` where one has to be asked.
    fn see(&self) -> Option<Verdict> {
        let hands = self.runner.hands;
        let seen = match &self.assertion.probe {
            Probe::Link { name, state } => hands.link(name).map(|(is, reason)| {
                let reason = match reason.is_empty() {
                    true => String::new(),
                    false => format!(": {reason}"),
                };
                let told = format!("{} is {}{reason}", name.value, is.word());
                match is == *state {
                    true => Verdict::Holds(told),
                    false => Verdict::Not(told),
                }
            }),
            Probe::Frames {
                on,
                filter,
                from,
                count,
                during,
            } => {
                let began = hands.now();
                let seen = hands.frames(&FrameLook {
                    on,
                    filter: filter.as_deref(),
                    from: from.as_ref().map(|from| from.value.as_str()),
                    enough: u64::from(*count),
                    during: *during,
                    cancel: self.runner.patience.cancel,
                });
                let elapsed = hands.now().saturating_sub(began);
                let what = self.assertion.probe.describe();
                seen.map(|seen| judge::frames(&what, seen, *count, elapsed.as_secs_f64()))
            }
            Probe::Rate {
                on,
                from,
                least,
                most,
                during,
            } => {
                let from = from.as_ref().map(|from| from.value.as_str());
                let count = || -> Result<_, String> {
                    let (began, first) = (hands.now(), hands.bytes(on, from)?);
                    self.runner.pass(*during);
                    let (ended, last) = (hands.now(), hands.bytes(on, from)?);
                    Ok((last.saturating_sub(first), ended.saturating_sub(began)))
                };
                let what = self.assertion.probe.describe();
                count().map(|(bytes, time)| {
                    judge::rate(&what, bytes, time.as_secs_f64(), *least, *most)
                })
            }
            _ => return None,
        };
        let seen = seen.unwrap_or_else(Verdict::Unknown);
        // What was cut short says nothing.
        Some(match self.runner.is_cancelled() {
            true => Verdict::Unknown(INTERRUPTED.to_owned()),
            false => seen,
        })
    }
}

/// Asks at the same time.
fn ask_all(positions: &[usize], ask: &(dyn Fn(usize) -> Verdict + Sync)) -> Vec<(usize, Verdict)> {
    if let [one] = positions {
        return vec![(*one, ask(*one))];
    }
    let queue = Queue::new(positions.to_vec());
    let answers = Mutex::new(Vec::with_capacity(positions.len()));
    std::thread::scope(|scope| {
        queue.work(scope, MAX_QUESTIONS, |position| {
            let verdict = ask(position);
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.push((position, verdict));
        });
    });
    answers.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
