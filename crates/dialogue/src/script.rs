//! What is said to a device, and when.

use crate::pattern::Pattern;
use std::time::Duration;

/// A script: complete, every text as it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Taken in order.
    pub steps: Vec<Step>,
    /// What may be asked at any time, and what is said then; the first that matches counts. Steps
    /// go before answers.
    pub answers: Vec<Answer>,
    /// Where a line can be typed.
    pub prompts: Vec<Pattern>,
    /// Lines by which a login is refused.
    pub refusals: Vec<Pattern>,
    /// Lines by which a typed line is refused.
    pub errors: Vec<Pattern>,
    /// What empties the line that is being typed; most devices take Ctrl-U.
    pub erase: Vec<u8>,
    /// How patient one is.
    pub timing: Timing,
}

/// Something to do at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is called in reports.
    pub name: String,
    /// Where it is taken: one of these shows.
    pub at: Vec<Pattern>,
    /// What is sent there.
    pub send: Sending,
    /// How long its place may take to show before Enter is pressed again.
    pub patience: Duration,
    /// Whether the step after it may be taken in its place.
    pub is_optional: bool,
    /// Whether what comes between it and the next prompt is wanted.
    pub is_captured: bool,
    /// Whether the dialogue is over once it is taken, whatever follows.
    pub is_last: bool,
}

/// What a step sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sending {
    /// Nothing: that its place shows is enough.
    Nothing,
    /// Something short.
    Reply(Reply),
    /// Lines, one after the other, each at a prompt.
    Lines(Vec<String>),
}

/// Something short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A line that the device echoes.
    Line(String),
    /// The password: each of these in turn, not echoed.
    Password(Vec<String>),
    /// A line that is not echoed and must not be seen.
    Secret(String),
    /// Keys, without Enter.
    Keys(Vec<u8>),
}

/// What is said whenever something is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The question.
    pub see: Pattern,
    /// What is said.
    pub send: Reply,
    /// Whether the question means that the device has begun anew, so that the steps do, too.
    pub begins: bool,
}

/// How patient a dialogue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// Silence after which what stands on the screen is taken for complete.
    pub settle: Duration,
    /// How long the echo of some characters may take.
    pub echo: Duration,
    /// How long a line may be worked on, without a prompt, before the next one is typed: text in
    /// the middle of a banner has no prompt.
    pub line: Duration,
    /// When the dialogue is over, come what may.
    pub limit: Duration,
}

impl Default for Timing {
    /// For a device without hardware acceleration, which may be ten times slower than a real one.
    fn default() -> Self {
        Self {
            settle: Duration::from_millis(150),
            echo: Duration::from_secs(3),
            line: Duration::from_secs(10),
            limit: Duration::from_secs(600),
        }
    }
}
