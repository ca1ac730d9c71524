//! All that is asked of one lane: settings, rules for some frames, states, and changes in time.

use crate::settings::Settings;
use crate::unit::{Duration, Percent};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that is asked of one lane. The default asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Impairment {
    /// What holds for frames that no rule matches.
    #[serde(skip_serializing_if = "is_default")]
    pub settings: Settings,
    /// What holds for some frames instead. The first rule that matches counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Settings that change by chance, laid over `settings`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub markov: Option<MarkovSpec>,
    /// What changes at which time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<Change>,
}

/// Settings for the frames that an expression matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rule {
    /// An expression of pcap's filter language. It is compiled elsewhere.
    pub matches: String,
    /// What holds for those frames. A loss of 100 % drops them all.
    pub settings: Settings,
}

/// Whole settings that follow each other by chance: a Markov chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MarkovSpec {
    /// How often the state may change.
    pub every: Duration,
    /// The states; the first one is where it begins.
    pub states: Vec<MarkovState>,
}

/// One state of a [`MarkovSpec`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MarkovState {
    /// Its name.
    pub name: String,
    /// What holds in it, laid over the lane's own settings.
    #[serde(default)]
    pub settings: Settings,
    /// The probabilities of the next states by name; what is missing to 100 % is that it stays.
    #[serde(default)]
    pub next: BTreeMap<String, Percent>,
}

/// A change at a given time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Change {
    /// How long after the schedule was set.
    pub at: Duration,
    /// What to do then.
    pub action: Action,
}

/// What a change does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Lays settings over those that hold.
    Set(Box<Settings>),
    /// Goes back to asking for nothing.
    Reset,
    /// Cuts the link.
    Down,
    /// Restores it.
    Up,
}

/// Why an [`Impairment`] cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecProblem {
    /// A chain without states.
    #[error("a Markov chain needs at least one state")]
    NoStates,
    /// A chain of more than [`STATES_LIMIT`] states.
    #[error("a Markov chain has at most {STATES_LIMIT} states, this one has {0}")]
    States(usize),
    /// Two states of one name.
    #[error("two states are called `{0}`")]
    Twice(String),
    /// A name that no state has.
    #[error("state `{from}` goes to `{to}`, which is no state{}", crate::error::hint(.nearest))]
    Unknown {
        /// The state.
        from: String,
        /// What it wants to become.
        to: String,
        /// The state that is spelt most like it.
        nearest: Option<String>,
    },
    /// Probabilities past 100 %.
    #[error("state `{0}` goes to others with more than 100% in all")]
    Sum(String),
    /// Steps in no time.
    #[error("`every` is less than {LEAST_STEP}, the least time between two states")]
    Step,
}

/// Most states of a chain: its memory and set-up stay small.
pub const STATES_LIMIT: usize = 100;

/// Least time between two steps of a chain: an idle hour is then caught up with in a moment.
pub const LEAST_STEP: Duration = Duration::from_ms(1);

impl Impairment {
    /// Whether frames pass as they are, now and later.
    pub fn is_plain(&self) -> bool {
        self.settings.is_plain()
            && self.rules.is_empty()
            && self.markov.is_none()
            && self.schedule.is_empty()
    }

    /// Why it cannot be done, if it cannot.
    pub fn check(&self) -> Vec<SpecProblem> {
        self.markov
            .as_ref()
            .map(MarkovSpec::check)
            .unwrap_or_default()
    }
}

impl MarkovSpec {
    /// Why it cannot be done, if it cannot.
    pub fn check(&self) -> Vec<SpecProblem> {
        let mut found = Vec::new();
        if self.every < LEAST_STEP {
            found.push(SpecProblem::Step);
        }
        match self.states.len() {
            0 => found.push(SpecProblem::NoStates),
            1..=STATES_LIMIT => {}
            count => found.push(SpecProblem::States(count)),
        }
        let names = || self.states.iter().map(|state| state.name.as_str());
        for (index, state) in self.states.iter().enumerate() {
            if names().take(index).any(|name| name == state.name) {
                found.push(SpecProblem::Twice(state.name.clone()));
            }
            for to in state.next.keys() {
                if !names().any(|name| name == to) {
                    found.push(SpecProblem::Unknown {
                        from: state.name.clone(),
                        to: to.clone(),
                        nearest: crate::error::nearest(to, names()).map(str::to_owned),
                    });
                }
            }
            let sum: u64 = state
                .next
                .values()
                .map(|it| u64::from(it.billionths()))
                .sum();
            if sum > u64::from(Percent::FULL.billionths()) {
                found.push(SpecProblem::Sum(state.name.clone()));
            }
        }
        found
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
