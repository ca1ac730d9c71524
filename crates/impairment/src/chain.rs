//! Settings that change by chance: a Markov chain whose states are whole settings.
//!
//! How long a state lasts is thrown when it begins, so that an idle link costs nothing until the
//! next change.

use crate::random::{Purpose, Random};
use crate::settings::Settings;
use crate::spec::{MarkovSpec, SpecProblem};
use crate::unit::Percent;

/// Says which state holds at which time.
#[derive(Debug, Clone)]
pub struct MarkovSwitch {
    every_ns: u64,
    states: Vec<State>,
    current: usize,
    due_ns: Option<u64>,
    random: Random,
}

#[derive(Debug, Clone)]
struct State {
    name: String,
    settings: Settings,
    /// That it ends at a step.
    leave: Percent,
    /// What comes then: states, and their shares of `leave`.
    next: Vec<(usize, Percent)>,
}

impl MarkovSwitch {
    /// A chain that begins now (of any clock, in nanoseconds) in its first state. What its states
    /// ask for is laid over `base`.
    ///
    /// # Errors
    ///
    /// When [`MarkovSpec::check`] finds something; the first of it.
    pub fn new(
        spec: &MarkovSpec,
        base: &Settings,
        seed: u64,
        now_ns: u64,
    ) -> Result<Self, SpecProblem> {
        if let Some(problem) = spec.check().into_iter().next() {
            return Err(problem);
        }
        let place = |name: &str| spec.states.iter().position(|state| state.name == name);
        let states = spec.states.iter().map(|state| {
            let next = state.next.iter().filter(|(name, _)| **name != state.name);
            let next: Vec<(usize, Percent)> = next
                .filter_map(|(name, percent)| Some((place(name)?, *percent)))
                .collect();
            let leave = next.iter().map(|(_, percent)| percent.billionths()).sum();
            let mut settings = base.clone();
            settings.overlay(&state.settings);
            State {
                name: state.name.clone(),
                settings,
                leave: Percent::from_billionths(leave),
                next,
            }
        });
        let mut switch = Self {
            every_ns: spec.every.ns(),
            states: states.collect(),
            current: 0,
            due_ns: None,
            random: Random::new(seed, Purpose::Markov),
        };
        switch.due_ns = switch.lasts_until(now_ns);
        Ok(switch)
    }

    /// The name of the state that holds.
    pub fn state(&self) -> &str {
        &self.states[self.current].name
    }

    /// The settings that hold.
    pub fn settings(&self) -> &Settings {
        &self.states[self.current].settings
    }

    /// When the next state begins; `None` if this one lasts for ever.
    pub const fn due_ns(&self) -> Option<u64> {
        self.due_ns
    }

    /// Goes on to this time. `true` if states changed on the way.
    pub fn advance(&mut self, now_ns: u64) -> bool {
        let mut changed = false;
        while let Some(due_ns) = self.due_ns.filter(|due_ns| *due_ns <= now_ns) {
            self.current = self.next();
            self.due_ns = self.lasts_until(due_ns);
            changed = true;
        }
        changed
    }

    /// When the state ends that begins at this time.
    fn lasts_until(&mut self, from_ns: u64) -> Option<u64> {
        let leave = self.states[self.current].leave;
        if leave.is_zero() {
            return None;
        }
        let steps = self.random.misses(leave).checked_add(1)?;
        from_ns.checked_add(self.every_ns.checked_mul(steps)?)
    }

    /// The state behind the current one.
    fn next(&mut self) -> usize {
        let state = &self.states[self.current];
        let mut thrown = self.random.below(u64::from(state.leave.billionths()));
        for (next, percent) in &state.next {
            match thrown.checked_sub(u64::from(percent.billionths())) {
                Some(rest) => thrown = rest,
                None => return *next,
            }
        }
        self.current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> MarkovSpec {
        serde_json::from_str(text).unwrap()
    }

    const WEATHER: &str = r#"{"every": "10ms", "states": [
        {"name": "good", "next": {"good": "95%", "bad": "4%", "out": "1%"}},
        {"name": "bad", "settings": {"loss": "30%"}, "next": {"good": "20%"}},
        {"name": "out", "settings": {"loss": "100%"}, "next": {"good": "50%"}}
    ]}"#;

    #[test]
    fn states_last_as_long_and_follow_as_often_as_asked_for() {
        let seed = 11;
        let mut base = Settings::default();
        base.set("delay", "5ms").unwrap();
        let mut switch = MarkovSwitch::new(&spec(WEATHER), &base, seed, 0).unwrap();
        assert_eq!(switch.settings(), &base);
        let mut counts = [0_u32; 3];
        let steps = 200_000_u32;
        for step in 0..steps {
            switch.advance(u64::from(step) * 10_000_000);
            match switch.state() {
                "good" => counts[0] += 1,
                "bad" => counts[1] += 1,
                _ => counts[2] += 1,
            }
        }
        // The balance: good * 4 % = bad * 20 %, good * 1 % = out * 50 %.
        let good = 1.0 / (1.0 + 0.2 + 0.02);
        for (count, expected) in counts.into_iter().zip([good, good * 0.2, good * 0.02]) {
            let share = f64::from(count) / f64::from(steps);
            assert!(
                (share - expected).abs() < 0.1 * expected,
                "seed {seed}: {counts:?}"
            );
        }
    }

    #[test]
    fn looking_seldom_gives_the_same_states_as_looking_often() {
        let make = || MarkovSwitch::new(&spec(WEATHER), &Settings::default(), 3, 500).unwrap();
        let (mut often, mut seldom) = (make(), make());
        for now_ns in (500..20_000_000_000).step_by(1_000_003) {
            often.advance(now_ns);
        }
        seldom.advance(20_000_000_000);
        often.advance(20_000_000_000);
        assert_eq!(often.state(), seldom.state());
        assert_eq!(often.due_ns(), seldom.due_ns());
    }

    #[test]
    fn a_state_without_a_next_one_lasts_for_ever() {
        let spec = spec(
            r#"{"every": "1ms", "states": [{"name": "a", "next": {"b": "100%"}}, {"name": "b"}]}"#,
        );
        let mut switch = MarkovSwitch::new(&spec, &Settings::default(), 1, 7).unwrap();
        assert_eq!(switch.due_ns(), Some(1_000_007));
        assert!(!switch.advance(1_000_006));
        assert!(switch.advance(u64::MAX));
        assert_eq!((switch.state(), switch.due_ns()), ("b", None));
    }
}
