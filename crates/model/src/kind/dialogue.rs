//! What is said on a console, as kinds write it: patterns and answers.

use serde::{Deserialize, Serialize};
use vnflab_dialogue::{Pattern, PatternError};

/// What may stand in braces in a text that is typed.
pub const WORDS: &[&str] = &[
    "user",
    "password",
    "new-password",
    "hostname",
    "node",
    "lab",
];

/// A question and what is said then: one of `send`, `secret` and `keys`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AnswerFile {
    /// What shows.
    see: String,
    /// A line, with Enter; `{user}`, `{password}`, `{new-password}`, `{hostname}`, `{node}` and
    /// `{lab}` are filled in.
    send: Option<String>,
    /// A line that the device does not echo, and that is not shown.
    secret: Option<String>,
    /// Keys, without Enter.
    keys: Option<String>,
    /// Whether this means that the device has begun anew, so that a script does, too.
    #[serde(default)]
    begins: bool,
}

/// A question and what is said then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What shows.
    pub see: Pattern,
    /// What is said.
    pub text: Text,
    /// Whether this means that the device has begun anew.
    pub begins: bool,
}

/// A text that is typed, with words in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// A line, with Enter.
    Line(String),
    /// A line that is not echoed.
    Secret(String),
    /// Keys, without Enter.
    Keys(String),
}

/// What is wrong with what a kind says about its console.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialogueError {
    /// A pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Neither or more than one of the keys that say what is sent.
    #[error("`{0}` needs one of `send`, `secret` and `keys`")]
    Reply(String),
    /// A word in braces that is not known.
    #[error("`{{{word}}}` is not known; there is {}", known())]
    Word {
        /// The word.
        word: String,
    },
    /// A step that can never be taken.
    #[error("the step `{0}` says nowhere `at` which it is taken")]
    Nowhere(String),
    /// Steps without an end.
    #[error("a script needs at least one step")]
    Empty,
}

fn known() -> String {
    let words = WORDS.iter().map(|word| format!("`{{{word}}}`"));
    words.collect::<Vec<_>>().join(", ")
}

pub(super) fn patterns(texts: &[String]) -> Result<Vec<Pattern>, DialogueError> {
    let patterns = texts.iter().map(|text| Pattern::parse(text));
    Ok(patterns.collect::<Result<_, _>>()?)
}

impl AnswerFile {
    pub(super) fn into_said(self) -> Result<Said, DialogueError> {
        let text = match (self.send, self.secret, self.keys) {
            (Some(line), None, None) => Text::Line(checked(line)?),
            (None, Some(secret), None) => Text::Secret(checked(secret)?),
            (None, None, Some(keys)) => Text::Keys(keys),
            _ => return Err(DialogueError::Reply(self.see)),
        };
        Ok(Said {
            see: Pattern::parse(&self.see)?,
            text,
            begins: self.begins,
        })
    }
}

/// A text whose words in braces are all known.
pub(super) fn checked(text: String) -> Result<String, DialogueError> {
    for word in words(&text) {
        if !WORDS.contains(&word) {
            return Err(DialogueError::Word {
                word: word.to_owned(),
            });
        }
    }
    Ok(text)
}

/// What stands in braces and is written like a word of ours; devices have braces of their own.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.split('{').skip(1);
    inside.filter_map(|rest| {
        let (word, _) = rest.split_once('}')?;
        let is_word = !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        is_word.then_some(word)
    })
}
