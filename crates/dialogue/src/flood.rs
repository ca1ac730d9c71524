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
            *self = Self {
                since: now,
                current: 0,
                before: self.current,
            };
        }
        self.current = self.current.saturating_add(bytes);
    }

    /// Bytes of the fuller span, where they are a flood.
    pub(crate) fn flood(&self) -> Option<usize> {
        let bytes = self.current.max(self.before);
        (bytes >= FLOOD_BYTES).then_some(bytes)
    }
}
