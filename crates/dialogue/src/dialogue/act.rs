//! Saying what is to be said at a place, and making sure that it came through.

use super::{Dialogue, LAST_LINES, Next, Phase, Purpose, Scope, Visibility, Work, send};
use crate::ending::{Failure, Refused, VISIT_LIMIT};
use crate::pattern::Pattern;
use crate::script::{Answer, Reply, Sending};
use crate::typist::{Typing, Typist, View};
use std::time::Duration;

/// How often each password is tried: a character of it may have been lost.
const PASSWORD_ROUNDS: usize = 3;

/// How often one question is answered without a step in between. A wrong password ends sooner; a
/// console that logs busily may ask many times before an answer comes through.
const ANSWER_LIMIT: u32 = 200;

/// How often Enter is pressed behind a line that stands there.
const ENTER_LIMIT: u32 = 10;

impl Dialogue {
    pub(super) fn take(&mut self, now: Duration, index: usize) -> Option<Next> {
        self.visits[index] += 1;
        let step = self.script.steps[index].clone();
        if self.visits[index] > VISIT_LIMIT {
            let last_lines = self.screen.last_lines(LAST_LINES);
            return self.fail(Failure::Repeats {
                step: step.name,
                last_lines,
            });
        }
        self.scope = match step.is_last {
            true => Scope::From(self.script.steps.len()),
            false => Scope::From(index + 1),
        };
        self.answers.fill(0);
        self.passwords = 0;
        self.refusal = None;
        self.looking_since = now;
        self.nudges = 0;
        match step.send {
            Sending::Nothing => {
                // The next step may be at the same place.
                self.stale = None;
                self.end_if_over()
            }
            Sending::Reply(reply) => self.reply(now, &reply),
            Sending::Lines(lines) => {
                // Lines that are typed again are refused again.
                self.refused.clear();
                self.work = Some(Work {
                    step: index,
                    lines,
                    next: 0,
                    row: self.screen.row(),
                });
                self.type_next_line()
            }
        }
    }

    pub(super) fn answer(&mut self, now: Duration, index: usize) -> Option<Next> {
        let Answer { send, begins, see } = self.script.answers[index].clone();
        self.answers[index] += 1;
        let is_key = matches!(send, Reply::Keys(_));
        if !is_key && self.answers[index] > ANSWER_LIMIT {
            let last_lines = self.screen.last_lines(LAST_LINES);
            return self.fail(match &self.refusal {
                Some(said) => Failure::LoginRefused { said: said.clone() },
                None => Failure::Repeats {
                    step: see.to_string(),
                    last_lines,
                },
            });
        }
        if begins {
            self.work = None;
            self.scope = Scope::All;
            self.logged_in = true;
            self.output = None;
        }
        self.looking_since = now;
        self.nudges = 0;
        self.reply(now, &send)
    }

    fn reply(&mut self, now: Duration, reply: &Reply) -> Option<Next> {
        let secret = match reply {
            Reply::Line(text) if !text.is_empty() => {
                self.phase = Phase::Type(Typist::new(text), Purpose::Reply);
                return None;
            }
            Reply::Line(_) => {
                self.sent();
                return Some(send(b"\r", Visibility::Open));
            }
            Reply::Keys(keys) => {
                self.sent();
                return Some(send(keys, Visibility::Open));
            }
            Reply::Secret(secret) => secret.clone(),
            Reply::Password(passwords) => {
                self.logged_in = true;
                let count = passwords.len().max(1);
                if self.passwords >= count * PASSWORD_ROUNDS {
                    let said = self.refusal.clone();
                    let said = said.unwrap_or_else(|| "it asks for the password again".to_owned());
                    return self.fail(Failure::LoginRefused { said });
                }
                let password = passwords.get(self.passwords % count);
                self.passwords += 1;
                password.cloned().unwrap_or_default()
            }
        };
        self.sent();
        self.looking_since = now;
        self.has_typed = true;
        let line = format!("{secret}\r");
        let visibility = match secret.is_empty() {
            true => Visibility::Open,
            false => Visibility::Secret,
        };
        Some(send(line.as_bytes(), visibility))
    }

    /// Something is sent: what stands there now is no news any more.
    fn sent(&mut self) {
        self.stale = Some((self.screen.row(), self.screen.before_cursor()));
        self.news = self.screen.row();
        if self.work.is_none() {
            // A step that sends one thing is over with it.
            if let Some(ending) = self.ending() {
                self.phase = Phase::Ended(ending);
            }
        }
    }

    fn type_next_line(&mut self) -> Option<Next> {
        let line = self
            .work
            .as_ref()
            .and_then(|work| work.lines.get(work.next));
        match line {
            Some(line) => {
                self.phase = Phase::Type(Typist::new(line), Purpose::Work);
                None
            }
            None => {
                self.work = None;
                self.stale = None;
                self.end_if_over()
            }
        }
    }

    pub(super) fn type_on(
        &mut self,
        now: Duration,
        mut typist: Typist,
        purpose: Purpose,
    ) -> Option<Next> {
        let own = self.work.as_ref().map(|work| work.step);
        let own = own.map_or(&[][..], |step| self.script.steps[step].at.as_slice());
        let prompts: Vec<&Pattern> = self.script.prompts.iter().chain(own).collect();
        let typing = typist.next(&View {
            now,
            screen: &self.screen,
            is_settled: self.is_settled(now),
            timing: &self.script.timing,
            erase: &self.script.erase,
            prompts: &prompts,
        });
        match typing {
            Typing::Send(bytes) => {
                self.phase = Phase::Type(typist, purpose);
                self.has_typed = true;
                Some(send(&bytes, Visibility::Open))
            }
            Typing::Wait(until) => {
                self.phase = Phase::Type(typist, purpose);
                // Where the screen is looked at once it is silent, silence is an event.
                let silence = self.last_heard.map(|last| last + self.script.timing.settle);
                Some(Next::Wait(match silence {
                    Some(silence) if silence > now => until.min(silence),
                    _ => until,
                }))
            }
            Typing::Complete => {
                self.phase = Phase::Enter {
                    purpose,
                    since: now,
                    tries: 1,
                    stood: (self.screen.row(), self.screen.before_cursor()),
                };
                Some(send(b"\r", Visibility::Open))
            }
            Typing::NotEchoed => {
                let line = typist.text().to_owned();
                let last_lines = self.screen.last_lines(LAST_LINES);
                self.fail(Failure::NotEchoed { line, last_lines })
            }
            Typing::Lost => {
                // The place is gone, most often by a reload: it is looked anew. Whatever is left of
                // the line is erased before Enter is pressed.
                self.has_typed = false;
                self.work = None;
                self.scope = Scope::All;
                self.stale = None;
                self.looking_since = now;
                self.nudges = 0;
                None
            }
        }
    }

    /// Whether Enter came through: the line is left.
    pub(super) fn entered(
        &mut self,
        now: Duration,
        purpose: Purpose,
        since: Duration,
        tries: u32,
        stood: (usize, String),
    ) -> Option<Next> {
        let is_left = self.has_left(now, &stood);
        let over = since + self.script.timing.echo;
        if !is_left && now < over {
            self.phase = Phase::Enter {
                purpose,
                since,
                tries,
                stood,
            };
            let silence = self.last_heard.map(|last| last + self.script.timing.settle);
            return Some(Next::Wait(match silence {
                Some(silence) if silence > now => over.min(silence),
                _ => over,
            }));
        }
        if !is_left && tries < ENTER_LIMIT {
            self.phase = Phase::Enter {
                purpose,
                since: now,
                tries: tries + 1,
                stood,
            };
            return Some(send(b"\r", Visibility::Open));
        }
        self.has_typed = false;
        self.looking_since = now;
        self.nudges = 0;
        // What stood there before Enter is old, and all that stands there now is new.
        self.news = stood.0 + 1;
        self.stale = Some(stood.clone());
        match (&mut self.work, purpose) {
            (Some(work), Purpose::Work) => {
                work.row = stood.0;
                work.next += 1;
                None
            }
            (Some(_), Purpose::Reply) => None,
            (None, _) => self.end_if_over(),
        }
    }

    /// Whether Enter came through: the line is complete as it stood, or there is a new prompt. A
    /// line that a log line broke is not: Enter may have been lost all the same.
    fn has_left(&self, now: Duration, stood: &(usize, String)) -> bool {
        let (row, text) = stood;
        if self.screen.row() <= *row {
            return false;
        }
        if self.screen.lines_from(*row).next() == Some(text.trim_end()) {
            return true;
        }
        let cursor = self.screen.before_cursor();
        let is_place = |pattern: &Pattern| pattern.is_prompt() && pattern.matches(&cursor);
        let steps = self.script.steps.iter().flat_map(|step| &step.at);
        let answers = self.script.answers.iter().map(|answer| &answer.see);
        let mut places = self.script.prompts.iter().chain(steps).chain(answers);
        self.is_settled(now) && places.any(is_place)
    }

    /// Whether the device is done with a line of the current step, so that the next one is typed.
    #[allow(clippy::option_option, reason = "the inner one is that of every phase")]
    pub(super) fn go_on_with_work(&mut self, now: Duration) -> Option<Option<Next>> {
        let work = self.work.as_ref()?;
        let step = &self.script.steps[work.step];
        let places: Vec<&Pattern> = self.script.prompts.iter().chain(&step.at).collect();
        let is_prompt = places
            .iter()
            .any(|place| place.is_prompt() && self.shows(place));
        let cursor = self.screen.before_cursor();
        let quiet = self
            .last_heard
            .is_some_and(|last| now >= last.max(self.looking_since) + self.script.timing.line);
        // In the middle of a text that goes over several lines there is no prompt.
        let is_text = !step.is_captured && quiet && cursor.is_empty();
        if !is_prompt && !is_text {
            return None;
        }
        let (row, number) = (work.row, work.next);
        let said = self
            .screen
            .lines_from(row + 1)
            .find(|line| self.script.errors.iter().any(|error| error.matches(line)))
            .map(|line| line.trim().to_owned());
        if let (Some(said), Some(line)) = (said, work.lines.get(number.wrapping_sub(1))) {
            self.refused.push(Refused {
                number,
                line: line.clone(),
                said,
            });
        }
        if step.is_captured {
            let is_prompt = |line: &str| {
                places.iter().any(|place| {
                    place.is_prompt() && (place.matches(line) || place.matches(&format!("{line} ")))
                })
            };
            let lines = self.screen.lines_from(row + 1);
            let mut lines: Vec<String> = lines.map(str::to_owned).collect();
            // Enter that was pressed meanwhile is answered by prompts.
            while lines.last().is_some_and(|line| is_prompt(line)) {
                lines.pop();
            }
            self.output.get_or_insert_default().extend(lines);
        }
        Some(self.type_next_line())
    }
}
