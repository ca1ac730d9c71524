//! What is said on a console, as kinds write it: patterns and answers.

use serde::{Deserialize, Serialize};
use vnflab_dialogue::Pattern;

use super::mistake::Mistakes;

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

impl AnswerFile {
    /// The answer that stands at a path in a kind's file.
    pub(super) fn into_said(self, path: &str, mistakes: &mut Mistakes) -> Option<Said> {
        let see = mistakes.pattern(&format!("{path}.see"), &self.see);
        let text = match (self.send, self.secret, self.keys) {
            (Some(line), None, None) => {
                checked(&format!("{path}.send"), line, mistakes).map(Text::Line)
            }
            (None, Some(secret), None) => {
                checked(&format!("{path}.secret"), secret, mistakes).map(Text::Secret)
            }
            (None, None, Some(keys)) => Some(Text::Keys(keys)),
            _ => {
                let reason = "an answer needs one of `send`, `secret` and `keys`";
                mistakes.add(&format!("{path}.see"), reason);
                None
            }
        };
        Some(Said {
            see: see?,
            text: text?,
            begins: self.begins,
        })
    }
}

/// The answers that stand in a list.
pub(super) fn answers(path: &str, files: Vec<AnswerFile>, mistakes: &mut Mistakes) -> Vec<Said> {
    let files = files.into_iter().enumerate();
    files
        .filter_map(|(index, file)| file.into_said(&format!("{path}.{index}"), mistakes))
        .collect()
}

/// A text whose words in braces are all known.
pub(super) fn checked(path: &str, text: String, mistakes: &mut Mistakes) -> Option<String> {
    let Some(word) = words(&text).find(|word| !WORDS.contains(word)) else {
        return Some(text);
    };
    let known: Vec<String> = WORDS.iter().map(|word| format!("`{{{word}}}`")).collect();
    let reason = format!("nothing is filled in for `{{{word}}}`");
    mistakes.advise(path, reason, format!("there is {}", known.join(", ")));
    None
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
