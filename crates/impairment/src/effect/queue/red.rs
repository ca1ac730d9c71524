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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_spread_evenly() {
        let size = Size::from_bytes;
        let tenth = Percent::from_billionths(100_000_000);
        let mut red = Red::new(size(20_000), size(60_000), tenth, 1000.0, 1);
        // In the middle a twentieth is dropped, and the gaps between drops are 1 to 20 frames,
        // all alike; chance alone would make gaps of any length.
        red.average = 40_000.0;
        let mut gaps = [0_u32; 20];
        let mut gap = 0;
        for _ in 0..100_000 {
            if red.drops() {
                gaps[gap] += 1;
                gap = 0;
            } else {
                gap += 1;
            }
        }
        let drops: u32 = gaps.iter().sum();
        assert!((9000..10_000).contains(&drops), "{drops}");
        for count in gaps {
            assert!(
                (f64::from(count) / f64::from(drops) - 0.05).abs() < 0.01,
                "{gaps:?}"
            );
        }
    }

    #[test]
    fn an_idle_line_brings_the_average_down() {
        let size = Size::from_bytes;
        let mut red = Red::new(size(20_000), size(60_000), Percent::FULL, 1000.0, 1);
        for n in 0..5000 {
            red.average(100_000, u64::MAX, n);
        }
        assert!(red.average > 90_000.0 && red.drops());
        // A frame of 1000 bytes takes a millisecond: after a second without any, of 1000 frames.
        red.average(0, 5000, 1_000_005_000);
        let expected = 100_000.0 * 0.998_f64.powi(1000);
        assert!(
            (red.average / expected - 1.0).abs() < 0.01,
            "{}",
            red.average
        );
        assert!(!red.drops());
    }
}
