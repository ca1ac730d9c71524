//! Staying awake for a while after the last frame, as long as nobody else wants the CPU.
//!
//! A thread that sleeps takes some 30 microseconds to wake up; one that is awake takes a frame at
//! once. But on a host whose CPUs are all at work, that time is the guests'. Whether it is shows in
//! how often the kernel took the CPU away during a vigil: more than once in [`TOLERATED_NS`] on
//! average, and none is held for a second, for two, for four, and so on up to a minute, until one
//! passes undisturbed. A long vigil is looked at every [`REVIEW_NS`].

/// Pause after a vigil that was disturbed; it doubles each time, up to [`LONGEST_PAUSE_NS`].
const FIRST_PAUSE_NS: u64 = 1_000_000_000;

/// Longest pause between two tries.
const LONGEST_PAUSE_NS: u64 = 60_000_000_000;

/// A kernel thread that runs now and then takes the CPU less often than this; a guest that wants it
/// gets its share every few milliseconds.
const TOLERATED_NS: u64 = 20_000_000;

/// How long a vigil may last before it is looked at.
const REVIEW_NS: u64 = 100_000_000;

/// Decides whether to stay awake. Times are of the monotonic clock, in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Vigil {
    length_ns: u64,
    running: Option<Running>,
    pause_ns: u64,
    rests_until_ns: u64,
}

/// A vigil that is held.
#[derive(Debug, Clone, Copy)]
struct Running {
    /// When it began, or was looked at.
    began_ns: u64,
    /// When it ends, unless a frame comes.
    end_ns: u64,
    /// How often the thread had been pre-empted when it began.
    preemptions: u64,
}

impl Vigil {
    /// A vigil of some length; 0 for none ever.
    pub(crate) fn new(length_us: u32) -> Self {
        Self {
            length_ns: u64::from(length_us) * 1000,
            ..Self::default()
        }
    }

    /// Whether one may ever be held.
    pub(crate) fn is_possible(&self) -> bool {
        self.length_ns > 0
    }

    /// Whether one is held.
    pub(crate) fn is_held(&self) -> bool {
        self.running.is_some()
    }

    /// Frames came: stay awake, unless the last time others wanted the CPU.
    pub(crate) fn frames_came(&mut self, now_ns: u64, preemptions: impl FnOnce() -> u64) {
        let end_ns = now_ns + self.length_ns;
        match &mut self.running {
            Some(running) if now_ns < running.began_ns + REVIEW_NS => running.end_ns = end_ns,
            Some(_) => {
                let preemptions = preemptions();
                if self.end(now_ns, preemptions) {
                    self.begin(now_ns, preemptions);
                }
            }
            None if now_ns >= self.rests_until_ns => self.begin(now_ns, preemptions()),
            None => {}
        }
    }

    /// No frames came: is it over, and was it disturbed?
    pub(crate) fn nothing_came(&mut self, now_ns: u64, preemptions: impl FnOnce() -> u64) {
        if self.running.is_some_and(|running| now_ns >= running.end_ns) {
            self.end(now_ns, preemptions());
        }
    }

    fn begin(&mut self, now_ns: u64, preemptions: u64) {
        self.running = Some(Running {
            began_ns: now_ns,
            end_ns: now_ns + self.length_ns,
            preemptions,
        });
    }

    /// Ends it, and says whether it was undisturbed.
    fn end(&mut self, now_ns: u64, preemptions: u64) -> bool {
        let Some(running) = self.running.take() else {
            return true;
        };
        let count = preemptions.saturating_sub(running.preemptions);
        let lasted_ns = now_ns.saturating_sub(running.began_ns);
        if count.saturating_mul(TOLERATED_NS) <= lasted_ns {
            self.pause_ns = 0;
            return true;
        }
        self.pause_ns = (self.pause_ns * 2).clamp(FIRST_PAUSE_NS, LONGEST_PAUSE_NS);
        self.rests_until_ns = now_ns + self.pause_ns;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: u64 = 1000;

    #[test]
    fn it_lasts_from_the_last_frame_on() {
        let mut vigil = Vigil::new(50);
        vigil.frames_came(0, || 0);
        vigil.nothing_came(40 * US, || 0);
        vigil.frames_came(45 * US, || 0);
        vigil.nothing_came(60 * US, || 0);
        assert!(vigil.is_held());
        vigil.nothing_came(95 * US, || 0);
        assert!(!vigil.is_held());
    }

    #[test]
    fn whoever_is_disturbed_rests_longer_each_time() {
        let mut vigil = Vigil::new(50);
        let mut now_ns = 0;
        for pause_ns in [1, 2, 4, 8].map(|seconds| seconds * 1_000_000_000) {
            vigil.frames_came(now_ns, || 7);
            assert!(vigil.is_held());
            now_ns += 50 * US;
            vigil.nothing_came(now_ns, || 8);
            vigil.frames_came(now_ns + pause_ns - 1, || 8);
            assert!(!vigil.is_held());
            now_ns += pause_ns;
        }
        // One that passes undisturbed makes up for all.
        vigil.frames_came(now_ns, || 8);
        vigil.nothing_came(now_ns + 50 * US, || 8);
        vigil.frames_came(now_ns + 60 * US, || 8);
        assert!(vigil.is_held());
    }

    #[test]
    fn a_long_one_is_looked_at_and_bears_a_little() {
        let mut vigil = Vigil::new(50);
        let mut now_ns = 0;
        // One in 25 ms is no guest; four in a hundred.
        while now_ns < 1_000_000_000 {
            vigil.frames_came(now_ns, || now_ns / 25_000_000);
            assert!(vigil.is_held(), "at {now_ns}");
            now_ns += 10 * US;
        }
        // One in 5 ms is.
        while now_ns < 2_000_000_000 {
            vigil.frames_came(now_ns, || now_ns / 5_000_000);
            now_ns += 10 * US;
        }
        assert!(!vigil.is_held());
    }

    #[test]
    fn without_a_length_there_is_none() {
        assert!(!Vigil::new(0).is_possible());
    }
}
