//! Finding out where the device is.
//!
//! What is to be done there is not decided here: a place leads to a step, an answer or the next
//! line. Nothing is looked at before it stands still, or has gone on for long.

use super::{Dialogue, Next, Scope, Visibility, send};
use crate::ending::Failure;
use crate::pattern::Pattern;
use crate::script::Step;
use std::time::Duration;

/// Silence in the very beginning after which Enter is pressed.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);

/// How often Enter is pressed before it is looked anew where the device is.
const NUDGE_LIMIT: u32 = 3;

/// How often the key that erases is pressed before Enter: it may be lost.
const ERASE_REPEAT: usize = 3;

/// How often a look may be put off because something still comes, in spans of silence.
const RESTLESS_FACTOR: u32 = 10;

impl Dialogue {
    /// Looks where the device is, and does what is to be done there.
    pub(super) fn look(&mut self, now: Duration) -> Option<Next> {
        let settle = self.script.timing.settle;
        let next_look = self.last_look.max(self.looking_since) + settle * RESTLESS_FACTOR;
        if !self.is_settled(now) && now < next_look {
            let silence = self.last_heard.unwrap_or(now) + settle;
            return Some(Next::Wait(silence.min(next_look)));
        }
        self.last_look = now;
        if self.screen.oldest() > self.news && self.script.steps.iter().any(|s| s.is_captured) {
            return self.fail(Failure::TooMuch);
        }
        if let Some(said) = self.find_refusal() {
            self.refusal = Some(said);
        }
        if self.last_heard.is_some()
            && let Some(recognised) = self.recognise(now)
        {
            return recognised;
        }
        let patience = self.patience();
        let end = self.looking_since + patience;
        if now < end {
            // Where something still comes, the next look is after it.
            let next = match self.is_settled(now) {
                true => end,
                false => end.min(now + settle * RESTLESS_FACTOR),
            };
            return Some(Next::Wait(next));
        }
        self.nudge(now)
    }

    /// What shows and means something: `Some` of what is to be done.
    #[allow(clippy::option_option, reason = "the inner one is that of every phase")]
    fn recognise(&mut self, now: Duration) -> Option<Option<Next>> {
        if self.work.is_some() {
            if let Some(index) = self.find_answer() {
                return Some(self.answer(now, index));
            }
            return self.go_on_with_work(now);
        }
        if let Some(index) = self.find_step() {
            return Some(self.take(now, index));
        }
        let index = self.find_answer()?;
        Some(self.answer(now, index))
    }

    pub(super) fn shows(&self, pattern: &Pattern) -> bool {
        let cursor = self.screen.before_cursor();
        let is_news = self.stale.as_ref() != Some(&(self.screen.row(), cursor.clone()));
        if is_news && pattern.matches(&cursor) {
            return true;
        }
        !pattern.is_prompt()
            && self
                .screen
                .lines_from(self.news)
                .any(|line| pattern.matches(line))
    }

    fn find_step(&self) -> Option<usize> {
        let steps = &self.script.steps;
        let is_there = |step: &Step| step.at.iter().any(|place| self.shows(place));
        match self.scope {
            Scope::All => steps.iter().position(is_there),
            Scope::From(first) => {
                for (index, step) in steps.iter().enumerate().skip(first) {
                    if is_there(step) {
                        return Some(index);
                    }
                    if !step.is_optional {
                        break;
                    }
                }
                None
            }
        }
    }

    fn find_answer(&self) -> Option<usize> {
        let answers = &self.script.answers;
        answers.iter().position(|answer| self.shows(&answer.see))
    }

    fn find_refusal(&self) -> Option<String> {
        let mut lines = self.screen.lines_from(self.news);
        let refusals = &self.script.refusals;
        lines
            .find(|line| refusals.iter().any(|refusal| refusal.matches(line)))
            .map(|line| line.trim().to_owned())
    }

    fn patience(&self) -> Duration {
        if self.last_heard.is_none() && self.nudges == 0 {
            return FIRST_PATIENCE;
        }
        if self.work.is_some() {
            return self.script.timing.line;
        }
        let first = match self.scope {
            Scope::All => 0,
            Scope::From(first) => first,
        };
        let step = self.script.steps.get(first);
        step.map_or(self.script.timing.line, |step| step.patience)
    }

    /// Presses Enter, for something to show.
    fn nudge(&mut self, now: Duration) -> Option<Next> {
        self.looking_since = now;
        self.nudges += 1;
        if self.nudges > NUDGE_LIMIT {
            let is_captured = self
                .work
                .as_ref()
                .is_some_and(|work| self.script.steps[work.step].is_captured);
            if !is_captured {
                self.work = None;
                self.scope = Scope::All;
            }
            self.stale = None;
        }
        // What somebody left on the line is not to be sent off.
        let bytes = match self.has_typed || self.work.is_some() {
            true => b"\r".to_vec(),
            false => [self.script.erase.repeat(ERASE_REPEAT).as_slice(), b"\r"].concat(),
        };
        Some(send(&bytes, Visibility::Open))
    }
}
