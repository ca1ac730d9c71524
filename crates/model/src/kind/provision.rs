//! How a first configuration is typed on the console of a kind that takes none from a medium.

use super::dialogue::{AnswerFile, Said, Text, answers, checked};
use super::mistake::Mistakes;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use vnflab_dialogue::Pattern;

/// How long a step's place may take to show before Enter is pressed again, unless it says.
const PATIENCE_SECONDS: u64 = 10;

/// How long all of it may take, unless the kind says.
const TIMEOUT_SECONDS: u64 = 900;

/// As it is written.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ProvisionFile {
    /// The password that is set where the device insists on a new one.
    password: Option<String>,
    /// How long all of it may take, without hardware acceleration.
    timeout_seconds: Option<u64>,
    /// What may be asked besides what the console's answers say; these go before them.
    #[serde(default)]
    answers: Vec<AnswerFile>,
    /// Lines of the configuration that are left out, such as comments.
    #[serde(default)]
    skip: Vec<String>,
    /// Taken in order, each once its place shows. Where the dialogue begins, and where it is lost,
    /// the first step whose place shows is taken.
    steps: Vec<StepFile>,
}

/// A step: at most one of `send`, `secret` and `type`; with none, it is enough that its place shows.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct StepFile {
    /// What it is called in reports.
    name: String,
    /// Where it is taken: one of these patterns shows.
    at: Vec<String>,
    /// A line to send.
    send: Option<String>,
    /// A line to send that the device does not echo, and that is not shown.
    secret: Option<String>,
    /// What to type, line by line.
    r#type: Option<TypeWord>,
    /// Whether the step after it may be taken instead.
    #[serde(default)]
    optional: bool,
    /// Whether the script is over with it.
    #[serde(default)]
    last: bool,
    /// How long its place may take to show before Enter is pressed again.
    patience_seconds: Option<u64>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum TypeWord {
    /// The node's configuration.
    Configuration,
}

/// How a first configuration is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provision {
    /// The password that is set where the device insists on a new one.
    pub password: Option<String>,
    /// How long all of it may take, without hardware acceleration.
    pub timeout: Duration,
    /// What may be asked besides what the console's answers say.
    pub answers: Vec<Said>,
    /// Lines of the configuration that are left out.
    pub skip: Vec<Pattern>,
    /// Taken in order.
    pub steps: Vec<ProvisionStep>,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionStep {
    /// What it is called in reports.
    pub name: String,
    /// Where it is taken.
    pub at: Vec<Pattern>,
    /// What is sent there.
    pub send: StepText,
    /// Whether the step after it may be taken instead.
    pub is_optional: bool,
    /// Whether the script is over with it.
    pub is_last: bool,
    /// How long its place may take to show before Enter is pressed again.
    pub patience: Duration,
}

/// What a step sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepText {
    /// Nothing.
    Nothing,
    /// A text.
    Text(Text),
    /// The node's configuration, line by line.
    Configuration,
}

impl ProvisionFile {
    /// The section, once everything is inherited. What makes no sense is left out.
    pub(super) fn into_provision(self, mistakes: &mut Mistakes) -> Provision {
        if self.steps.is_empty() {
            mistakes.add("provision.steps", "a script needs at least one step");
        }
        let steps = self.steps.into_iter().enumerate();
        let steps = steps.filter_map(|(index, step)| {
            step.into_step(&format!("provision.steps.{index}"), mistakes)
        });
        Provision {
            password: self.password,
            timeout: Duration::from_secs(self.timeout_seconds.unwrap_or(TIMEOUT_SECONDS)),
            steps: steps.collect(),
            answers: answers("provision.answers", self.answers, mistakes),
            skip: mistakes.patterns("provision.skip", &self.skip),
        }
    }
}

impl StepFile {
    fn into_step(self, path: &str, mistakes: &mut Mistakes) -> Option<ProvisionStep> {
        let at = |key: &str| format!("{path}.{key}");
        let send = match (self.send, self.secret, self.r#type) {
            (None, None, None) => Some(StepText::Nothing),
            (Some(line), None, None) => checked(&at("send"), line, mistakes)
                .map(Text::Line)
                .map(StepText::Text),
            (None, Some(secret), None) => checked(&at("secret"), secret, mistakes)
                .map(Text::Secret)
                .map(StepText::Text),
            (None, None, Some(TypeWord::Configuration)) => Some(StepText::Configuration),
            _ => {
                let reason = "a step has at most one of `send`, `secret` and `type`";
                mistakes.add(&at("name"), reason);
                None
            }
        };
        if self.at.is_empty() {
            mistakes.add(&at("at"), "a step that is taken nowhere is never taken");
        }
        let places = mistakes.patterns(&at("at"), &self.at);
        Some(ProvisionStep {
            at: places,
            name: self.name,
            send: send?,
            is_optional: self.optional,
            is_last: self.last,
            patience: Duration::from_secs(self.patience_seconds.unwrap_or(PATIENCE_SECONDS)),
        })
    }
}
