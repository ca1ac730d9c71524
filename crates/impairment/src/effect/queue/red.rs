//! Random Early Detection, after Floyd and Jacobson (1993), figure 2.
//!
//! Works on bytes, and on the average of what each frame finds waiting.

use crate::random::{Purpose, Random};
use crate::unit::{Percent, Size};

/// How much one arrival counts in RED's average: Floyd and Jacobson's 0.002.
const WEIGHT: f64 = 0.002;

/// A typical frame, by which RED measures idle time: the `avpkt 1000` of tc's manual.
const TYPICAL_BYTES: f64 = 1000.0;

/// What decides which frames are dropped.
#[derive(Debug, Clone)]
pub(crate) struct Red {
    least: f64,
    most: f64,
    probability: Percent,
    random: Random,
    average: f64,
    /// Frames that were let in since the last drop.
    since_drop: f64,
    /// When the last frame came.
    seen_ns: u64,
    typical_ns: f64,
}

impl Red {
    /// With a line that takes so many nanoseconds a byte.
    pub(crate) fn new(
        least: Size,
        most: Size,
        probability: Percent,
        byte_ns: f64,
        seed: u64,
    ) -> Self {
        Self {
            least: float(least.bytes()),
            most: float(most.bytes()),
            probability,
            random: Random::new(seed, Purpose::Queue),
            average: 0.0,
            since_drop: 0.0,
            seen_ns: 0,
            typical_ns: byte_ns * TYPICAL_BYTES,
        }
    }

    /// Counts the length that a frame finds; an empty queue counts as often as frames could have
    /// been sent meanwhile.
    pub(crate) fn average(&mut self, bytes: u64, last_left_ns: u64, arrival_ns: u64) {
        if bytes > 0 {
            self.average += WEIGHT * (float(bytes) - self.average);
        } else {
            let idle_ns = arrival_ns.saturating_sub(last_left_ns.max(self.seen_ns));
            let missed = float(idle_ns) / self.typical_ns;
            self.average *= libm::pow(1.0 - WEIGHT, missed.max(1.0));
        }
        self.seen_ns = arrival_ns;
    }

    /// Whether the frame that was just counted is dropped.
    pub(crate) fn drops(&mut self) -> bool {
        if self.average < self.least {
            self.since_drop = 0.0;
            return false;
        }
        if self.average >= self.most {
            self.since_drop = 0.0;
            return true;
        }
        let within = (self.average - self.least) / (self.most - self.least);
        let probability = self.probability.share() * within;
        let spread = probability / (1.0 - self.since_drop * probability).max(probability);
        let drops = self.random.unit() < spread;
        self.since_drop = if drops { 0.0 } else { self.since_drop + 1.0 };
        drops
    }
}

fn float(number: u64) -> f64 {
    number as f64
}
