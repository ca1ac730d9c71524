//! How much came lately, which tells a console that floods from one that is slow.

use std::time::Duration;

/// Span over which it is counted how much comes.
pub(crate) const FLOOD_WINDOW: Duration = Duration::from_secs(5);

/// Bytes in that span that count as a flood: a serial line at 115200 bit/s that is never silent
/// brings 57,000; one that logs busily brings a tenth.
const FLOOD_BYTES: usize = 25_000;

/// Bytes in the current span and in the one before; nothing older is kept.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heard {
    since: Duration,
    current: usize,
    before: usize,
}

impl Heard {
    /// Counts from now on.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            since: now,
            ..Self::default()
        }
    }

    pub(crate) fn count(&mut self, now: Duration, bytes: usize) {
        if now >= self.since + FLOOD_WINDOW {
            let is_next = now < self.since + 2 * FLOOD_WINDOW;
            *self = Self {
                since: now,
                current: 0,
                before: if is_next { self.current } else { 0 },
            };
        }
        self.current = self.current.saturating_add(bytes);
    }

    /// Bytes of the fuller of the last two spans, where they are a flood.
    pub(crate) fn flood(&self, now: Duration) -> Option<usize> {
        // Silence turns no spans; what was counted before it is no flood of now.
        let is_old = now >= self.since + 2 * FLOOD_WINDOW;
        let bytes = match is_old {
            true => 0,
            false => self.current.max(self.before),
        };
        (bytes >= FLOOD_BYTES).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_console_that_never_falls_silent_floods() {
        let mut heard = Heard::new(at(0));
        for second in 0..30 {
            heard.count(at(second), 10_000);
        }
        assert_eq!(heard.flood(at(30)), Some(50_000));
    }

    #[test]
    fn a_console_that_was_loud_while_the_device_started_does_not_flood() {
        let mut heard = Heard::new(at(0));
        heard.count(at(1), 60_000);
        assert!(heard.flood(at(2)).is_some());
        assert_eq!(heard.flood(at(60)), None);
    }

    #[test]
    fn one_line_after_a_long_silence_is_no_flood() {
        let mut heard = Heard::new(at(0));
        heard.count(at(1), 60_000);
        heard.count(at(60), 80);
        assert_eq!(heard.flood(at(60)), None);
    }
}
