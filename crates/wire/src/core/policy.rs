//! What is asked of the frames of one lane, at work: judges, chosen by filters, states and time.

use super::cause::Cause;
use super::junction::LinkState;
use vnflab_filter::{Filter, FilterError};
use vnflab_impairment::{
    Action, Impairment, Judge, MarkovSwitch, Settings, SpecProblem, Timeline, Verdict as Judged,
};

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Deliver {
        /// When: at once if that is not after its arrival.
        due_ns: u64,
        /// When a copy of it does, if there is one.
        duplicate_ns: Option<u64>,
    },
    /// It does not.
    Drop(Cause),
}

/// The policy of a lane that asks for something.
#[derive(Debug)]
pub struct Policy {
    /// For frames that no rule matches.
    judge: Judge,
    rules: Vec<(Filter, Judge)>,
    base: Settings,
    /// What the schedule has laid over all else so far.
    scheduled: Settings,
    states: Option<MarkovSwitch>,
    schedule: Timeline,
    state: LinkState,
}

/// Why a policy cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A filter that is none.
    #[error("the filter `{text}`: {error}")]
    Filter {
        /// The expression.
        text: String,
        /// Why.
        error: FilterError,
    },
    /// States that are none.
    #[error(transparent)]
    Spec(#[from] SpecProblem),
}

/// Keeps the chances of the rules apart from each other and from those of the lane.
const RULE_STREAM: u64 = 0x9e37_79b9_7f4a_7c15;

impl Policy {
    /// The policy for what is asked; `None` when nothing is. A schedule counts from `set_at_ns`,
    /// on the clock of the arrivals.
    ///
    /// # Errors
    ///
    /// When a filter or the states are wrong.
    pub fn new(
        asked: &Impairment,
        seed: u64,
        set_at_ns: u64,
    ) -> Result<Option<Box<Self>>, PolicyError> {
        if let Some(problem) = asked.check().into_iter().next() {
            return Err(problem.into());
        }
        let mut rules = Vec::with_capacity(asked.rules.len());
        for (number, rule) in (1_u64..).zip(&asked.rules) {
            let filter = Filter::parse(&rule.matches).map_err(|error| PolicyError::Filter {
                text: rule.matches.clone(),
                error,
            })?;
            let stream = seed ^ number.wrapping_mul(RULE_STREAM);
            rules.push((filter, Judge::new(&rule.settings, stream)));
        }
        if asked.is_plain() {
            return Ok(None);
        }
        let states = match &asked.markov {
            Some(spec) => Some(MarkovSwitch::new(spec, &asked.settings, seed, set_at_ns)?),
            None => None,
        };
        let begin = states
            .as_ref()
            .map_or(&asked.settings, MarkovSwitch::settings);
        Ok(Some(Box::new(Self {
            judge: Judge::new(begin, seed),
            rules,
            base: asked.settings.clone(),
            scheduled: Settings::default(),
            states,
            schedule: Timeline::new(&asked.schedule, set_at_ns),
            state: LinkState::Up,
        })))
    }

    /// Whether what is judged later never goes on earlier. Frames that a rule picks may overtake
    /// the others, and the others them.
    pub fn is_ordered(&self) -> bool {
        self.rules.is_empty() && self.judge.is_ordered()
    }

    /// Whether the schedule lets frames pass at a time.
    pub fn state(&mut self, now_ns: u64) -> LinkState {
        self.advance(now_ns);
        self.state
    }

    /// Judges a frame.
    pub fn judge(&mut self, arrived_ns: u64, frame: &mut [u8]) -> Verdict {
        self.advance(arrived_ns);
        if self.state == LinkState::Down {
            return Verdict::Drop(Cause::Down);
        }
        let rule = self
            .rules
            .iter_mut()
            .find(|(filter, _)| filter.matches(frame));
        let by_rule = rule.is_some();
        let judge = rule.map_or(&mut self.judge, |(_, judge)| judge);
        match judge.judge(arrived_ns, frame) {
            Judged::Deliver { due_ns, duplicate } => Verdict::Deliver {
                due_ns,
                duplicate_ns: duplicate,
            },
            Judged::Drop(vnflab_impairment::Cause::Loss) if by_rule => Verdict::Drop(Cause::Rule),
            Judged::Drop(cause) => Verdict::Drop(cause.into()),
        }
    }

    /// Does what the schedule and the states have for the time up to now.
    fn advance(&mut self, now_ns: u64) {
        let mut changed = false;
        while let Some(action) = self.schedule.take_due(now_ns) {
            match action {
                Action::Set(settings) => self.scheduled.overlay(settings),
                Action::Reset => {
                    self.scheduled = Settings::default();
                    self.base = Settings::default();
                    self.states = None;
                    self.rules.clear();
                }
                Action::Down => self.state = LinkState::Down,
                Action::Up => self.state = LinkState::Up,
            }
            changed = true;
        }
        if let Some(states) = &mut self.states {
            changed |= states.advance(now_ns);
        }
        if changed {
            let states = self.states.as_ref();
            let mut settings = states.map_or(&self.base, MarkovSwitch::settings).clone();
            settings.overlay(&self.scheduled);
            self.judge.change(&settings);
        }
    }
}

impl From<vnflab_impairment::Cause> for Cause {
    fn from(cause: vnflab_impairment::Cause) -> Self {
        use vnflab_impairment::Cause as Judged;
        match cause {
            Judged::Loss => Self::Loss,
            Judged::Mtu => Self::Mtu,
            Judged::Queue => Self::Queue,
            Judged::Red => Self::Red,
            Judged::Codel => Self::Codel,
            Judged::Rule => Self::Rule,
            Judged::Down => Self::Down,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn policy(json: &str) -> Box<Policy> {
        let asked: Impairment = serde_json::from_str(json).unwrap();
        Policy::new(&asked, 7, 0)
            .unwrap()
            .expect("it asks for something")
    }

    fn due(policy: &mut Policy, at_ns: u64, frame: &mut [u8]) -> Option<u64> {
        match policy.judge(at_ns, frame) {
            Verdict::Deliver { due_ns, .. } => Some(due_ns),
            Verdict::Drop(_) => None,
        }
    }

    fn arp() -> Vec<u8> {
        let mut frame = vec![0; 60];
        frame[12..14].copy_from_slice(&[8, 6]);
        frame
    }

    #[test]
    fn the_first_rule_that_matches_counts() {
        let mut policy = policy(
            r#"{"settings": {"delay": "10ms"}, "rules": [
                {"matches": "arp", "settings": {"loss": "100%"}},
                {"matches": "ether proto 0x806", "settings": {}}]}"#,
        );
        assert_eq!(policy.judge(0, &mut arp()), Verdict::Drop(Cause::Rule));
        assert_eq!(due(&mut policy, 0, &mut [0; 60]), Some(10 * MS));
        assert!(!policy.is_ordered(), "what a rule picks may overtake");
    }

    #[test]
    fn a_schedule_cuts_restores_sets_and_resets() {
        let mut policy = policy(
            r#"{"schedule": [{"at": "1s", "action": "down"}, {"at": "2s", "action": "up"},
                {"at": "3s", "action": {"set": {"delay": "50ms"}}},
                {"at": "4s", "action": "reset"}]}"#,
        );
        let frame = &mut [0; 60];
        let second = 1000 * MS;
        assert_eq!(due(&mut policy, second - 1, frame), Some(second - 1));
        assert_eq!(policy.judge(second, frame), Verdict::Drop(Cause::Down));
        assert_eq!(policy.state(second), LinkState::Down);
        assert_eq!(due(&mut policy, 2 * second, frame), Some(2 * second));
        assert_eq!(
            due(&mut policy, 3 * second, frame),
            Some(3 * second + 50 * MS)
        );
        assert_eq!(due(&mut policy, 4 * second, frame), Some(4 * second));
    }

    #[test]
    fn states_change_the_settings() {
        let mut policy = policy(
            r#"{"settings": {"delay": "1ms"}, "markov": {"every": "1ms", "states": [
                {"name": "good", "next": {"bad": "100%"}},
                {"name": "bad", "settings": {"delay": "9ms"}}]}}"#,
        );
        let frame = &mut [0; 60];
        assert_eq!(due(&mut policy, 0, frame), Some(MS));
        assert_eq!(due(&mut policy, MS, frame), Some(10 * MS));
    }

    #[test]
    fn what_asks_for_nothing_has_no_policy_and_what_is_wrong_neither() {
        assert!(Policy::new(&Impairment::default(), 0, 0).unwrap().is_none());
        let wrong = r#"{"rules": [{"matches": "prto 89", "settings": {}}]}"#;
        let wrong: Impairment = serde_json::from_str(wrong).unwrap();
        let error = Policy::new(&wrong, 0, 0).unwrap_err().to_string();
        assert!(error.contains("prto 89"), "{error}");
    }
}
