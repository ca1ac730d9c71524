//! A console's output as a person would read it, and whether it shows one of some texts.
//!
//! Escape sequences, which terminals obey and people do not see, are left out, as are control
//! characters; line ends stay. Invariants: how the output is cut into pieces makes no difference,
//! and no more than [`TAIL_LIMIT`] bytes are held.

/// Bytes of output that are kept, for matching across pieces and for the last lines.
const TAIL_LIMIT: usize = 16 * 1024;

/// Longest last line that is shown; a boot loader may draw one without an end.
const LINE_LIMIT: usize = 200;

const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// Output read so far.
#[derive(Debug, Clone)]
pub(super) struct Transcript {
    patterns: Vec<Vec<u8>>,
    longest: usize,
    state: State,
    tail: Vec<u8>,
    /// Where the search goes on: nothing before it begins a match.
    searched: usize,
    matched: bool,
}

/// Where in an escape sequence the output stands (ECMA-48).
///
/// ```text
///   Text --ESC--> Escape --[--> Control --final--> Text
///                    |-- ] P X ^ _ --> Text string --BEL, ESC \--> Text
///                    |-- intermediate --> Intermediate --final--> Text
///                    +-- any other --> Text
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    Escape,
    Intermediate,
    Control,
    String,
    StringEscape,
}

impl Transcript {
    /// Nothing read yet; these texts are looked for. Empty ones never show.
    pub(super) fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let patterns: Vec<Vec<u8>> = patterns
            .into_iter()
            .filter(|pattern| !pattern.is_empty())
            .map(|pattern| pattern.as_bytes().to_vec())
            .collect();
        Self {
            longest: patterns.iter().map(Vec::len).max().unwrap_or(0),
            patterns,
            state: State::Text,
            tail: Vec::new(),
            searched: 0,
            matched: false,
        }
    }

    /// Takes the next output.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.step(*byte);
        }
        self.search();
        let surplus = self.tail.len().saturating_sub(TAIL_LIMIT);
        if surplus > 0 {
            self.tail.drain(..surplus);
            self.searched = self.searched.saturating_sub(surplus);
        }
    }

    /// Forgets everything: a new boot.
    pub(super) fn start_over(&mut self) {
        self.state = State::Text;
        self.tail.clear();
        self.searched = 0;
        self.matched = false;
    }

    /// Whether one of the texts has shown.
    pub(super) fn matched(&self) -> bool {
        self.matched
    }

    /// The last lines that are not blank, at most so many.
    pub(super) fn last_lines(&self, count: usize) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.tail);
        let mut lines: Vec<String> = text
            .lines()
            .rev()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
            .take(count)
            .map(|line| line.chars().take(LINE_LIMIT).collect())
            .collect();
        lines.reverse();
        lines
    }

    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
            (State::Text | State::Escape | State::Intermediate | State::Control, ESCAPE) => {
                State::Escape
            }
            (State::Text, b'\n' | b'\t' | b' '..=b'~' | 0x80..) => {
                self.tail.push(byte);
                State::Text
            }
            (State::Text, _) => State::Text,
            (State::Escape, b'[') => State::Control,
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => State::String,
            (State::Escape | State::Intermediate, b' '..=b'/') => State::Intermediate,
            (State::Control, b'@'..=b'~') => State::Text,
            // A line end inside a sequence: the sequence was broken off.
            (State::Control | State::String, b'\n') => {
                self.tail.push(byte);
                State::Text
            }
            (State::Control, _) => State::Control,
            (State::String, ESCAPE) => State::StringEscape,
            (State::String, BELL) => State::Text,
            (State::String, _) => State::String,
            (State::StringEscape, _) => State::Text,
            (State::Escape | State::Intermediate, _) => State::Text,
        };
    }

    fn search(&mut self) {
        let fresh = &self.tail[self.searched..];
        self.matched |= self
            .patterns
            .iter()
            .any(|pattern| fresh.windows(pattern.len()).any(|window| window == pattern));
        // A text may have begun in the last bytes and end in the next.
        self.searched = (self.tail.len() + 1).saturating_sub(self.longest.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matched(pattern: &str, output: &[u8]) -> bool {
        let mut transcript = Transcript::new([pattern]);
        transcript.read(output);
        transcript.matched()
    }

    #[test]
    fn a_text_is_found_among_escape_sequences() {
        assert!(matched("login:", b"\x1b[2J\x1b[1;31mr1 log\x1b[0min: "));
        assert!(matched("login:", b"\x1b]0;title login\x07login:"));
        assert!(matched("login:", b"\x1b(Blogin:"));
        assert!(matched("Press RETURN", b"Press\r RETURN to get started"));
        assert!(!matched("login:", b"\x1b]0;login:\x07"));
        assert!(!matched("login:", b"last logon"));
        assert!(!matched("", b"anything"));
    }

    #[test]
    fn a_sequence_that_is_broken_off_swallows_one_line_at_most() {
        assert!(matched("login:", b"\x1b]0;title\nlogin:"));
        assert!(matched("login:", b"\x1b[1;3\nlogin:"));
    }

    #[test]
    fn the_last_lines_come_without_blanks_and_escapes() {
        let mut transcript = Transcript::new(["x"]);
        transcript.read(b"one\r\n\r\n\x1b[32mtwo\x1b[m  \r\nthree");
        assert_eq!(transcript.last_lines(2), ["two", "three"]);
        transcript.start_over();
        assert_eq!(transcript.last_lines(2), Vec::<String>::new());
    }

    #[test]
    fn endless_output_takes_bounded_memory_and_is_still_searched() {
        let mut transcript = Transcript::new(["login:"]);
        let noise = vec![b'.'; TAIL_LIMIT];
        for _ in 0..10 {
            transcript.read(&noise);
        }
        transcript.read(b"log");
        transcript.read(b"in:");
        assert!(transcript.matched());
        assert!(transcript.tail.len() <= TAIL_LIMIT);
    }

    proptest! {
        #[test]
        fn how_the_output_is_cut_makes_no_difference(
            before in proptest::collection::vec(any::<u8>(), 0..100),
            escapes in "(\u{1b}\\[[0-9;]{0,3}m)?",
            after in proptest::collection::vec(any::<u8>(), 0..100),
            cuts in proptest::collection::vec(0..300usize, 0..8),
        ) {
            let output = [&before[..], b"\n", b"lo", escapes.as_bytes(), b"gin:", &after[..]].concat();
            let mut whole = Transcript::new(["login:", "#"]);
            whole.read(&output);
            let mut pieces = Transcript::new(["login:", "#"]);
            let mut rest = &output[..];
            for cut in cuts {
                let (piece, tail) = rest.split_at(cut.min(rest.len()));
                pieces.read(piece);
                rest = tail;
            }
            pieces.read(rest);
            prop_assert_eq!(whole.matched(), pieces.matched());
            prop_assert_eq!(whole.last_lines(5), pieces.last_lines(5));
        }

        #[test]
        fn a_text_in_the_clear_is_always_found(
            before in "[a-z \n]{0,200}",
            after in "[a-z \n]{0,200}",
            cut in 0..400usize,
        ) {
            let output = format!("{before}login:{after}");
            let (first, second) = output.as_bytes().split_at(cut.min(output.len()));
            let mut transcript = Transcript::new(["login:"]);
            transcript.read(first);
            transcript.read(second);
            prop_assert!(transcript.matched());
        }
    }
}
