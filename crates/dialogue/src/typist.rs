//! Typing one line until it stands on the screen as it was meant.
//!
//! The line is typed in slices, each of which has to be echoed before the next one is sent. What
//! is echoed otherwise is erased and typed again in smaller slices. A log line that came between
//! takes the prompt away: then Enter is pressed on the erased line for a new one. Beyond the width
//! of a terminal, where line editors begin to scroll or to wrap, single characters are looked for.

use crate::pattern::Pattern;
use crate::screen::Screen;
use crate::script::Timing;
use std::time::Duration;

/// Characters sent at once at each attempt; the last number holds for all further ones. A receiver
/// that is overrun loses fewer of them the fewer come at once.
const SLICES: [usize; 4] = [32, 16, 8, 4];

/// Attempts at a line whose characters get lost: where one in forty is lost, every third line of
/// forty characters comes through, and all of this many fail once in ten million.
const ATTEMPT_LIMIT: usize = 40;

/// How often the same wrong echo is seen before it is taken for the device's way, not for a loss.
const SAME_LIMIT: usize = 5;

/// Attempts at a line that log lines interrupt. They say nothing about the line's quality, and
/// sooner or later there is a gap.
const INTERRUPTION_LIMIT: usize = 100;

/// How often the line is erased before Enter is pressed on whatever is left of it.
const ERASE_LIMIT: u32 = 3;

/// How often the key that erases is sent at once: one may be lost.
const ERASE_REPEAT: usize = 2;

/// How often Enter is pressed for a new prompt.
const ENTER_LIMIT: u32 = 3;

/// Columns up to which no line editor scrolls or wraps.
const WIDTH: usize = 72;

/// A line that is being typed.
#[derive(Debug, Clone)]
pub(crate) struct Typist {
    text: String,
    /// What stood in front of the cursor before.
    base: String,
    attempt: usize,
    interruptions: usize,
    /// The wrong echo that was seen last, and how often in a row.
    wrong: (String, usize),
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Begin,
    /// Everything before `begin` is on the screen; up to `end` was sent.
    Echo {
        begin: usize,
        end: usize,
        since: Duration,
        before: (usize, String),
    },
    Erasing {
        tries: u32,
        since: Duration,
    },
    Entered {
        tries: u32,
        since: Duration,
        row: usize,
    },
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typing {
    Send(Vec<u8>),
    Wait(Duration),
    /// The line stands there; Enter may be pressed.
    Complete,
    /// The place where the line was typed is gone.
    Lost,
    /// It cannot be made to stand there.
    NotEchoed,
}

/// What a typist looks at.
pub(crate) struct View<'a> {
    pub(crate) now: Duration,
    pub(crate) screen: &'a Screen,
    /// Nothing came for a while.
    pub(crate) is_settled: bool,
    pub(crate) timing: &'a Timing,
    pub(crate) erase: &'a [u8],
    /// Where the line can be typed.
    pub(crate) prompts: &'a [&'a Pattern],
}

impl Typist {
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            base: String::new(),
            attempt: 0,
            interruptions: 0,
            wrong: (String::new(), 0),
            state: State::Begin,
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn next(&mut self, view: &View<'_>) -> Typing {
        let cursor = view.screen.before_cursor();
        match self.state.clone() {
            State::Begin => {
                self.base = cursor;
                self.slice(0, view)
            }
            State::Echo {
                begin,
                end,
                since,
                before,
            } => {
                if self.is_echoed(begin, end, &before, view) {
                    return self.slice(end, view);
                }
                let over = since + view.timing.echo;
                if view.now < over {
                    return Typing::Wait(over);
                }
                // Smaller slices take longer, which helps only against loss.
                match view.screen.row() == before.0 {
                    true => self.attempt += 1,
                    false => self.interruptions += 1,
                }
                self.wrong.1 = match cursor == self.wrong.0 {
                    true => self.wrong.1 + 1,
                    false => 1,
                };
                self.wrong.0.clone_from(&cursor);
                if self.attempt >= ATTEMPT_LIMIT || self.interruptions >= INTERRUPTION_LIMIT {
                    return Typing::NotEchoed;
                }
                if self.wrong.1 >= SAME_LIMIT {
                    // Without any echo nobody is there who takes lines.
                    let is_silent = self.wrong.0 == before.1 || self.wrong.0.is_empty();
                    return match is_silent {
                        true => Typing::Lost,
                        false => Typing::NotEchoed,
                    };
                }
                self.erase(1, view)
            }
            State::Erasing { tries, since } => {
                if cursor == self.base && view.is_settled {
                    return self.slice(0, view);
                }
                let over = since + view.timing.echo / 2;
                if view.now < over {
                    return Typing::Wait(over.min(view.now + view.timing.settle));
                }
                if tries < ERASE_LIMIT {
                    return self.erase(tries + 1, view);
                }
                self.enter(1, view)
            }
            State::Entered { tries, since, row } => {
                let is_prompt = view.prompts.iter().any(|prompt| prompt.matches(&cursor));
                if view.is_settled && view.screen.row() > row && is_prompt {
                    self.base = cursor;
                    return self.slice(0, view);
                }
                let over = since + view.timing.echo;
                if view.now < over {
                    return Typing::Wait(over.min(view.now + view.timing.settle));
                }
                match tries < ENTER_LIMIT {
                    true => self.enter(tries + 1, view),
                    false => Typing::Lost,
                }
            }
        }
    }

    /// Sends what follows on `begin`.
    fn slice(&mut self, begin: usize, view: &View<'_>) -> Typing {
        if begin >= self.text.len() {
            return Typing::Complete;
        }
        let column = self.base.chars().count() + self.text[..begin].chars().count();
        let count = match column {
            WIDTH.. => 1,
            _ => SLICES[self.attempt.min(SLICES.len() - 1)].min(WIDTH - column),
        };
        let rest = &self.text[begin..];
        let length = rest
            .char_indices()
            .nth(count)
            .map_or(rest.len(), |(position, _)| position);
        let end = begin + length;
        self.state = State::Echo {
            begin,
            end,
            since: view.now,
            before: (view.screen.row(), view.screen.before_cursor()),
        };
        Typing::Send(self.text.as_bytes()[begin..end].to_vec())
    }

    fn is_echoed(
        &self,
        begin: usize,
        end: usize,
        before: &(usize, String),
        view: &View<'_>,
    ) -> bool {
        let cursor = view.screen.before_cursor();
        let typed = &self.text[..end];
        if cursor.strip_prefix(self.base.as_str()) == Some(typed) {
            return true;
        }
        let column = self.base.chars().count() + self.text[..begin].chars().count();
        let has_moved = (view.screen.row(), &cursor) != (before.0, &before.1);
        column >= WIDTH
            && has_moved
            && (cursor.is_empty() || cursor.ends_with(&self.text[begin..end]))
    }

    fn erase(&mut self, tries: u32, view: &View<'_>) -> Typing {
        self.state = State::Erasing {
            tries,
            since: view.now,
        };
        Typing::Send(view.erase.repeat(ERASE_REPEAT))
    }

    fn enter(&mut self, tries: u32, view: &View<'_>) -> Typing {
        self.state = State::Entered {
            tries,
            since: view.now,
            row: view.screen.row(),
        };
        Typing::Send(b"\r".to_vec())
    }
}
