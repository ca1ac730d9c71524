//! How one works on a kind's serial console: its prompts, what it asks, and how it refuses.
//!
//! The facts are enough to log in, to run a command and to take its output; what brings a first
//! configuration onto the device is in [`super::provision`].

use super::dialogue::{AnswerFile, Said, answers};
use super::mistake::Mistakes;
use serde::{Deserialize, Serialize};
use vnflab_dialogue::Pattern;

/// As it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ConsoleFile {
    /// Where a command can be typed. These and all patterns here are regular expressions for one
    /// line; one that ends with `$` is looked for in front of the cursor alone.
    pub(super) prompts: Option<Vec<String>>,
    /// Where the user is asked for.
    pub(super) login: Option<Vec<String>>,
    /// Where the password is asked for.
    pub(super) password: Option<Vec<String>>,
    /// What else may be asked at any time, and what is said then. The first one that shows counts;
    /// they go before `login` and `password`.
    pub(super) answers: Option<Vec<AnswerFile>>,
    /// Lines by which a login is refused.
    pub(super) refusals: Option<Vec<String>>,
    /// Lines by which a command is refused.
    pub(super) errors: Option<Vec<String>>,
    /// Commands that are typed before one whose output is wanted, such as what turns the pager off.
    pub(super) prepare: Option<Vec<String>>,
    /// The command that logs out.
    pub(super) leave: Option<String>,
    /// The command that prints the status of the one before.
    pub(super) status: Option<String>,
    /// The key that empties the line; Ctrl-U unless it says otherwise.
    pub(super) erase: Option<String>,
}

/// How one works on a serial console.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Console {
    /// Where a command can be typed; without any, no command is run on the console.
    pub prompts: Vec<Pattern>,
    /// Where the user is asked for.
    pub login: Vec<Pattern>,
    /// Where the password is asked for.
    pub password: Vec<Pattern>,
    /// What else may be asked, and what is said then.
    pub answers: Vec<Said>,
    /// Lines by which a login is refused.
    pub refusals: Vec<Pattern>,
    /// Lines by which a command is refused.
    pub errors: Vec<Pattern>,
    /// Commands that are typed before one whose output is wanted.
    pub prepare: Vec<String>,
    /// The command that logs out.
    pub leave: Option<String>,
    /// The command that prints the status of the one before.
    pub status: Option<String>,
    /// What empties the line that is being typed.
    pub erase: String,
}

/// Ctrl-U.
const ERASE: &str = "\u{15}";

impl ConsoleFile {
    pub(super) fn inherit(&mut self, parent: &Self) {
        macro_rules! inherit {
            ($($field:ident),*) => {
                $( if self.$field.is_none() { self.$field.clone_from(&parent.$field); } )*
            };
        }
        inherit!(
            prompts, login, password, answers, refusals, errors, prepare, leave, status, erase
        );
    }

    /// The section, once everything is inherited. What makes no sense is left out.
    pub(super) fn into_console(self, mistakes: &mut Mistakes) -> Console {
        let mut patterns = |key: &str, texts: Option<Vec<String>>| {
            mistakes.patterns(&format!("console.{key}"), &texts.unwrap_or_default())
        };
        Console {
            prompts: patterns("prompts", self.prompts),
            login: patterns("login", self.login),
            password: patterns("password", self.password),
            refusals: patterns("refusals", self.refusals),
            errors: patterns("errors", self.errors),
            answers: answers(
                "console.answers",
                self.answers.unwrap_or_default(),
                mistakes,
            ),
            prepare: self.prepare.unwrap_or_default(),
            leave: self.leave,
            status: self.status,
            erase: self.erase.unwrap_or_else(|| ERASE.to_owned()),
        }
    }
}
