//! The machine that follows a script.

use crate::pattern::Pattern;
use crate::screen::Screen;
use crate::script::{Answer, Reply, Script, Sending, Step};
use crate::typist::{Typing, Typist, View};
use std::time::Duration;

/// Bytes of complete lines that are looked at: some screens full.
const SCREEN_LIMIT: usize = 64 * 1024;

/// Longest output of a command that is wanted, in bytes: the configuration of a large router is a
/// tenth of it.
const OUTPUT_LIMIT: usize = 8 * 1024 * 1024;

/// Silence in the very beginning after which Enter is pressed.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);

/// How often Enter is pressed before it is looked anew where the device is.
const NUDGE_LIMIT: u32 = 3;

/// How often a step is taken: more than reloads that a configuration asks for.
const VISIT_LIMIT: u32 = 5;

/// How often one question is answered without a step in between. A wrong password ends sooner; a
/// console that logs busily may ask many times before an answer comes through.
const ANSWER_LIMIT: u32 = 200;

/// How often each password is tried: a character of it may have been lost.
const PASSWORD_ROUNDS: usize = 3;

/// How often the key that erases is pressed before Enter: it may be lost.
const ERASE_REPEAT: usize = 3;

/// How often Enter is pressed behind a line that stands there.
const ENTER_LIMIT: u32 = 10;

/// How often a look may be put off because something still comes, in spans of silence.
const RESTLESS_FACTOR: u32 = 10;

/// Lines shown of a console on which a dialogue failed.
const LAST_LINES: usize = 5;

/// Span over which it is counted how much comes.
const FLOOD_WINDOW: Duration = Duration::from_secs(5);

/// Bytes in that span that count as a flood: a serial line at 115200 bit/s that is never silent
/// brings 57,000; one that logs busily brings a tenth.
const FLOOD_BYTES: usize = 25_000;

/// A dialogue.
#[derive(Debug, Clone)]
pub struct Dialogue {
    script: Script,
    screen: Screen,
    /// When it began; the first call tells.
    began: Option<Duration>,
    last_heard: Option<Duration>,
    /// Bytes in the current span and in the one before.
    heard: (Duration, usize, usize),
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

/// How a dialogue ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// All steps were taken.
    Done {
        /// What came behind the line of the step that is captured.
        output: Vec<String>,
        /// The lines that the device refused.
        refused: Vec<Refused>,
    },
    /// They were not.
    Failed(Failure),
}

/// A line that the device did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its number among the lines of its step, from 1.
    pub number: usize,
    /// The line.
    pub line: String,
    /// What the device said.
    pub said: String,
}

/// Why a dialogue failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The time is over.
    #[error("nothing that is known showed within {} s; expected: {expected}", limit.as_secs())]
    TimedOut {
        /// The step that was waited for.
        expected: String,
        /// The time.
        limit: Duration,
        /// The last lines of the console.
        last_lines: Vec<String>,
    },
    /// The time is over, and the console never fell silent.
    #[error("the console floods: {bytes} bytes in the last {} s", FLOOD_WINDOW.as_secs())]
    Flooded {
        /// How much came.
        bytes: usize,
        /// The last lines of the console.
        last_lines: Vec<String>,
    },
    /// A wrong user or password.
    #[error("the device refuses the login: {said}")]
    LoginRefused {
        /// What the device said.
        said: String,
    },
    /// A line could not be made to stand on the screen.
    #[error("the console does not echo `{line}` as it is typed")]
    NotEchoed {
        /// The line.
        line: String,
        /// The last lines of the console.
        last_lines: Vec<String>,
    },
    /// The device came back to one step too often.
    #[error("the device came back to the step `{step}` {VISIT_LIMIT} times")]
    Repeats {
        /// The step.
        step: String,
        /// The last lines of the console.
        last_lines: Vec<String>,
    },
    /// A command's output is larger than any.
    #[error("the output is larger than {} MiB", OUTPUT_LIMIT / 1024 / 1024)]
    TooMuch,
}

impl Failure {
    /// The last lines of the console, where they help.
    pub fn last_lines(&self) -> &[String] {
        match self {
            Self::TimedOut { last_lines, .. }
            | Self::Flooded { last_lines, .. }
            | Self::NotEchoed { last_lines, .. }
            | Self::Repeats { last_lines, .. } => last_lines,
            Self::LoginRefused { .. } | Self::TooMuch => &[],
        }
    }
}

impl Dialogue {
    /// Begins a dialogue; wherever the device is, that is found out.
    pub fn new(script: Script) -> Self {
        let captures = script.steps.iter().any(|step| step.is_captured);
        Self {
            screen: Screen::new(if captures { OUTPUT_LIMIT } else { SCREEN_LIMIT }),
            began: None,
            last_heard: None,
            heard: (Duration::ZERO, 0, 0),
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
        if now >= self.heard.0 + FLOOD_WINDOW {
            self.heard = (now, 0, self.heard.1);
        }
        self.heard.1 += bytes.len();
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
            let failure = self.time_over();
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
            self.heard.0 = now;
        }
    }

    fn is_settled(&self, now: Duration) -> bool {
        let settle = self.script.timing.settle;
        self.last_heard.is_none_or(|last| now >= last + settle)
    }

    /// Looks where the device is, and does what is to be done there.
    fn look(&mut self, now: Duration) -> Option<Next> {
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

    fn shows(&self, pattern: &Pattern) -> bool {
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

    fn take(&mut self, now: Duration, index: usize) -> Option<Next> {
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

    fn answer(&mut self, now: Duration, index: usize) -> Option<Next> {
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

    fn type_on(&mut self, now: Duration, mut typist: Typist, purpose: Purpose) -> Option<Next> {
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
    fn entered(
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
    fn go_on_with_work(&mut self, now: Duration) -> Option<Option<Next>> {
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

    fn time_over(&self) -> Failure {
        let last_lines = self.screen.last_lines(LAST_LINES);
        let (_, current, before) = self.heard;
        let bytes = current.max(before);
        if bytes >= FLOOD_BYTES {
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
