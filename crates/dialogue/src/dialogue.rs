//! The machine that follows a script.

mod act;
mod look;

use crate::ending::{Ending, Failure, OUTPUT_LIMIT, Refused};
use crate::flood::Heard;
use crate::screen::Screen;
use crate::script::Script;
use crate::typist::Typist;
use std::time::Duration;

/// Bytes of complete lines that are looked at: some screens full.
const SCREEN_LIMIT: usize = 64 * 1024;

/// Lines shown of a console on which a dialogue failed.
const LAST_LINES: usize = 5;

/// A dialogue.
#[derive(Debug, Clone)]
pub struct Dialogue {
    script: Script,
    screen: Screen,
    /// When it began; the first call tells.
    began: Option<Duration>,
    last_heard: Option<Duration>,
    heard: Heard,
    phase: Phase,
    /// A step whose lines are not all typed.
    work: Option<Work>,
    scope: Scope,
    /// Since when nothing has been recognised.
    looking_since: Duration,
    /// When the screen was last looked at.
    last_look: Duration,
    nudges: u32,
    /// What stood where when something was last sent: no news.
    stale: Option<(usize, String)>,
    /// Lines before this one are no news.
    news: usize,
    /// Whether a line or key of ours may wait for its Enter.
    has_typed: bool,
    visits: Vec<u32>,
    answers: Vec<u32>,
    passwords: usize,
    refusal: Option<String>,
    refused: Vec<Refused>,
    output: Option<Vec<String>>,
    logged_in: bool,
}

/// A step whose lines are typed one after the other.
#[derive(Debug, Clone)]
struct Work {
    step: usize,
    lines: Vec<String>,
    /// The line that is typed next.
    next: usize,
    /// The row on which Enter was last pressed.
    row: usize,
}

#[derive(Debug, Clone)]
enum Phase {
    Look,
    /// A line is typed.
    Type(Typist, Purpose),
    /// Enter was pressed behind a line.
    Enter {
        purpose: Purpose,
        since: Duration,
        tries: u32,
        stood: (usize, String),
    },
    Ended(Ending),
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The next line of [`Dialogue::work`].
    Work,
    /// A reply, which may come in the middle of it.
    Reply,
}

/// Which steps may be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Any.
    All,
    /// This one, or those behind it as long as they are optional.
    From(usize),
}

/// What a dialogue wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// These bytes sent; then it wants to be asked again.
    Send(Sent),
    /// To be asked again when something came, and at the latest at this time.
    Wait(Duration),
    /// Nothing: it is over.
    End(Ending),
}

/// Bytes to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether they must not be seen.
    pub is_secret: bool,
}

impl Dialogue {
    /// Begins a dialogue; wherever the device is, that is found out.
    pub fn new(script: Script) -> Self {
        let captures = script.steps.iter().any(|step| step.is_captured);
        Self {
            screen: Screen::new(if captures { OUTPUT_LIMIT } else { SCREEN_LIMIT }),
            began: None,
            last_heard: None,
            heard: Heard::default(),
            phase: Phase::Look,
            work: None,
            scope: Scope::All,
            looking_since: Duration::ZERO,
            last_look: Duration::ZERO,
            nudges: 0,
            stale: None,
            news: 0,
            has_typed: false,
            visits: vec![0; script.steps.len()],
            answers: vec![0; script.answers.len()],
            passwords: 0,
            refusal: None,
            refused: Vec::new(),
            output: None,
            logged_in: false,
            script,
        }
    }

    /// Takes what came.
    pub fn heard(&mut self, now: Duration, bytes: &[u8]) {
        self.begin(now);
        self.screen.write(bytes);
        self.last_heard = Some(now);
        self.heard.count(now, bytes.len());
    }

    /// Whether a login was asked for and given.
    pub fn has_logged_in(&self) -> bool {
        self.logged_in
    }

    /// How many steps have been taken, of how many, and how many lines of the current one, of how
    /// many.
    pub fn progress(&self) -> (usize, usize, usize, usize) {
        let taken = self.visits.iter().filter(|visits| **visits > 0).count();
        let (typed, lines) = self
            .work
            .as_ref()
            .map_or((0, 0), |work| (work.next, work.lines.len()));
        (taken, self.script.steps.len(), typed, lines)
    }

    /// What is to be done now.
    pub fn next(&mut self, now: Duration) -> Next {
        self.begin(now);
        let deadline = self.began.unwrap_or(now) + self.script.timing.limit;
        if now >= deadline && !matches!(self.phase, Phase::Ended(_)) {
            let failure = self.time_over(now);
            self.fail(failure);
        }
        // Each turn sends, waits, ends, or goes on by a phase; a step without anything to send
        // is passed once a visit.
        loop {
            let next = match std::mem::replace(&mut self.phase, Phase::Look) {
                Phase::Ended(ending) => {
                    self.phase = Phase::Ended(ending.clone());
                    Some(Next::End(ending))
                }
                Phase::Look => self.look(now),
                Phase::Type(typist, purpose) => self.type_on(now, typist, purpose),
                Phase::Enter {
                    purpose,
                    since,
                    tries,
                    stood,
                } => self.entered(now, purpose, since, tries, stood),
            };
            match next {
                Some(Next::Wait(until)) => return Next::Wait(until.min(deadline)),
                Some(next) => return next,
                None => {}
            }
        }
    }

    fn begin(&mut self, now: Duration) {
        if self.began.is_none() {
            self.began = Some(now);
            self.looking_since = now;
            self.heard = Heard::new(now);
        }
    }

    fn is_settled(&self, now: Duration) -> bool {
        let settle = self.script.timing.settle;
        self.last_heard.is_none_or(|last| now >= last + settle)
    }

    fn end_if_over(&mut self) -> Option<Next> {
        let ending = self.ending()?;
        self.phase = Phase::Ended(ending.clone());
        Some(Next::End(ending))
    }

    fn ending(&self) -> Option<Ending> {
        let is_over = self.scope == Scope::From(self.script.steps.len());
        is_over.then(|| Ending::Done {
            output: self.output.clone().unwrap_or_default(),
            refused: self.refused.clone(),
        })
    }

    fn fail(&mut self, failure: Failure) -> Option<Next> {
        let ending = Ending::Failed(failure);
        self.phase = Phase::Ended(ending.clone());
        Some(Next::End(ending))
    }

    fn time_over(&self, now: Duration) -> Failure {
        let last_lines = self.screen.last_lines(LAST_LINES);
        if let Some(bytes) = self.heard.flood(now) {
            return Failure::Flooded { bytes, last_lines };
        }
        if let Some(said) = &self.refusal {
            return Failure::LoginRefused { said: said.clone() };
        }
        let expected = match (&self.work, self.scope) {
            (Some(work), _) => self.script.steps[work.step].name.clone(),
            (None, Scope::From(first)) => self
                .script
                .steps
                .get(first)
                .map_or_else(String::new, |step| step.name.clone()),
            (None, Scope::All) => {
                let names: Vec<&str> = self.script.steps.iter().map(|s| s.name.as_str()).collect();
                names.join(", ")
            }
        };
        Failure::TimedOut {
            expected,
            limit: self.script.timing.limit,
            last_lines,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visibility {
    Open,
    Secret,
}

fn send(bytes: &[u8], visibility: Visibility) -> Next {
    Next::Send(Sent {
        bytes: bytes.to_vec(),
        is_secret: visibility == Visibility::Secret,
    })
}
