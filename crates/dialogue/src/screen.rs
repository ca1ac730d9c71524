//! A console's output as a person sees it: lines, of which the last one has the cursor.
//!
//! Carriage returns, backspaces and the few escape sequences by which line editors redraw a line
//! are obeyed; colours and all else are left out. Lines are as long as they get: nothing wraps.
//! Invariants: how the output is cut into pieces makes no difference; no more than a given number
//! of bytes of complete lines is held, and a line is cut at [`LINE_LIMIT`].

use std::collections::VecDeque;

/// Longest line that is kept, in bytes: the longest that routers take as a command.
const LINE_LIMIT: usize = 4096;

/// Most parameters' digits of an escape sequence; more is garbage.
const PARAMETER_LIMIT: usize = 16;

/// Distance of tab stops.
const TAB: usize = 8;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;
const BACKSPACE: u8 = 0x08;

/// The lines of a console.
#[derive(Debug, Clone)]
pub struct Screen {
    /// Complete lines, the oldest first.
    lines: VecDeque<String>,
    /// Bytes in them.
    size: usize,
    limit: usize,
    /// Number of the first line that is still held.
    first: usize,
    /// The line with the cursor.
    line: Vec<u8>,
    cursor: usize,
    state: State,
}

/// Where in an escape sequence the output stands (ECMA-48).
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Text,
    Escape,
    Intermediate,
    Control(Vec<u8>),
    String,
    StringEscape,
}

impl Screen {
    /// An empty screen that holds at most so many bytes of complete lines.
    pub fn new(limit: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            size: 0,
            limit,
            first: 0,
            line: Vec::new(),
            cursor: 0,
            state: State::Text,
        }
    }

    /// Takes the next output.
    pub fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.step(*byte);
        }
    }

    /// Number of the line with the cursor, from 0; lines that are forgotten are counted.
    pub fn row(&self) -> usize {
        self.first + self.lines.len()
    }

    /// Number of the oldest line that is still held.
    pub fn oldest(&self) -> usize {
        self.first
    }

    /// The text in front of the cursor.
    pub fn before_cursor(&self) -> String {
        let end = self.cursor.min(self.line.len());
        String::from_utf8_lossy(&self.line[..end]).into_owned()
    }

    /// The complete lines from a number on that are still held.
    pub fn lines_from(&self, row: usize) -> impl DoubleEndedIterator<Item = &str> {
        let skip = row.saturating_sub(self.first);
        self.lines.iter().skip(skip).map(String::as_str)
    }

    /// The last lines that are not blank, at most so many, that with the cursor among them.
    pub fn last_lines(&self, count: usize) -> Vec<String> {
        let current = String::from_utf8_lossy(&self.line);
        let current = current.trim_end();
        let complete = self.lines.iter().rev().map(String::as_str);
        let mut lines: Vec<String> = std::iter::once(current)
            .chain(complete)
            .filter(|line| !line.is_empty())
            .take(count)
            .map(str::to_owned)
            .collect();
        lines.reverse();
        lines
    }

    fn step(&mut self, byte: u8) {
        let state = std::mem::replace(&mut self.state, State::Text);
        self.state = match (state, byte) {
            (State::Text | State::Escape | State::Intermediate | State::Control(_), ESCAPE) => {
                State::Escape
            }
            (State::Text, _) => {
                self.put(byte);
                State::Text
            }
            (State::Escape, b'[') => State::Control(Vec::new()),
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::String,
            (State::Escape | State::Intermediate, b' '..=b'/') => State::Intermediate,
            (State::Control(parameters), b'@'..=b'~') => {
                self.control(byte, &parameters);
                State::Text
            }
            // A line end inside a sequence: the sequence was broken off.
            (State::Control(_) | State::String, b'\n') => {
                self.put(byte);
                State::Text
            }
            (State::Control(mut parameters), _) => {
                if parameters.len() < PARAMETER_LIMIT {
                    parameters.push(byte);
                }
                State::Control(parameters)
            }
            (State::String, ESCAPE) => State::StringEscape,
            (State::String, BELL) => State::Text,
            (State::String, _) => State::String,
            (State::StringEscape | State::Escape | State::Intermediate, _) => State::Text,
        };
    }

    fn put(&mut self, byte: u8) {
        match byte {
            b'\n' => self.end_line(),
            b'\r' => self.cursor = 0,
            BACKSPACE => self.cursor = self.cursor.saturating_sub(1),
            b'\t' => {
                let stop = (self.cursor / TAB + 1) * TAB;
                while self.cursor < stop.min(LINE_LIMIT) {
                    self.put(b' ');
                }
            }
            b' '..=b'~' | 0x80.. if self.cursor < LINE_LIMIT => {
                if self.cursor < self.line.len() {
                    self.line[self.cursor] = byte;
                } else {
                    self.line.resize(self.cursor, b' ');
                    self.line.push(byte);
                }
                self.cursor += 1;
            }
            _ => {}
        }
    }

    fn control(&mut self, last: u8, parameters: &[u8]) {
        let number = std::str::from_utf8(parameters)
            .ok()
            .and_then(|text| text.parse::<usize>().ok());
        let count = number.unwrap_or(1).max(1);
        match last {
            b'C' => self.cursor = self.cursor.saturating_add(count).min(LINE_LIMIT),
            b'D' => self.cursor = self.cursor.saturating_sub(count),
            b'G' => self.cursor = (count - 1).min(LINE_LIMIT),
            // Erase to the end of the line, or of the screen, whose last line this is.
            b'K' | b'J' if number.unwrap_or(0) == 0 => self.line.truncate(self.cursor),
            b'K' | b'J' => self.line.clear(),
            b'P' => {
                let end = self.cursor.saturating_add(count).min(self.line.len());
                if self.cursor < end {
                    self.line.drain(self.cursor..end);
                }
            }
            _ => {}
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line).trim_end().to_owned();
        self.line.clear();
        self.cursor = 0;
        // An empty line costs its place, too.
        self.size += line.len() + 1;
        self.lines.push_back(line);
        while self.size > self.limit {
            let Some(oldest) = self.lines.pop_front() else {
                break;
            };
            self.size -= oldest.len() + 1;
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn screen(output: &str) -> Screen {
        let mut screen = Screen::new(1000);
        screen.write(output.as_bytes());
        screen
    }

    fn lines(output: &str) -> Vec<String> {
        let screen = screen(output);
        let complete = screen.lines_from(0).map(str::to_owned);
        complete.chain([screen.before_cursor()]).collect()
    }

    #[test]
    fn what_is_overwritten_is_not_seen() {
        assert_eq!(lines(" --More-- \r          \rend\r\n"), ["end", ""]);
        assert_eq!(lines("abx\x08 \x08c"), ["abc"]);
        assert_eq!(lines("\x1b[1;32mr1\x1b[0m# x\r\x1b[Kr1# "), ["r1# "]);
        assert_eq!(lines("a\tb"), ["a       b"]);
        assert_eq!(lines("\x1b]0;title\x07$ "), ["$ "]);
    }

    #[test]
    fn lines_are_numbered_for_good_and_old_ones_are_forgotten() {
        let mut screen = Screen::new(10);
        screen.write(b"one\ntwo\nthree\nfour\n> ");
        assert_eq!((screen.oldest(), screen.row()), (3, 4));
        assert_eq!(screen.lines_from(0).collect::<Vec<_>>(), ["four"]);
        assert_eq!(screen.last_lines(5), ["four", ">"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut screen = Screen::new(10);
        screen.write(&vec![b'x'; 3 * LINE_LIMIT]);
        assert_eq!(screen.before_cursor().len(), LINE_LIMIT);
    }

    proptest! {
        #[test]
        fn how_the_output_is_cut_makes_no_difference(
            bytes in proptest::collection::vec(
                prop_oneof![any::<u8>(), Just(0x1b), Just(b'['), Just(b'\r'), Just(b'K')], 0..200),
            cut in any::<usize>(),
        ) {
            let mut whole = Screen::new(500);
            whole.write(&bytes);
            let mut pieces = Screen::new(500);
            let (head, tail) = bytes.split_at(cut % (bytes.len() + 1));
            pieces.write(head);
            pieces.write(tail);
            prop_assert_eq!(whole.before_cursor(), pieces.before_cursor());
            prop_assert!(whole.lines_from(0).eq(pieces.lines_from(0)));
        }
    }
}
