//! What is counted for each end, in words that other threads read and that outlive the process.
//!
//! One thread writes, so that adding is a load and a store and needs no lock on the bus. Readers
//! see each word as it was a moment ago, and no two words of exactly the same moment.

use super::cause::Cause;
use crate::sys::SharedWords;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Words of an end: one for each count, drops by cause, and the histogram.
pub const END_WORDS: usize = 64;

const RECEIVED_FRAMES: usize = 0;
const RECEIVED_BYTES: usize = 1;
const SENT_FRAMES: usize = 2;
const SENT_BYTES: usize = 3;
const PASSED_FRAMES: usize = 4;
const DUPLICATES: usize = 5;
const HELD_FRAMES: usize = 6;
const FIRST_DROP: usize = 8;
const FIRST_BUCKET: usize = 34;

/// Buckets of the latency histogram. Bucket n counts frames that spent less than 2^n
/// microseconds in the wire (and not less than half of that); the last has all above 8 seconds.
pub const BUCKETS: usize = 24;

const _: () = assert!(FIRST_DROP + Cause::COUNT <= FIRST_BUCKET);
const _: () = assert!(FIRST_BUCKET + BUCKETS <= END_WORDS);

/// The counts of one end.
#[derive(Debug, Clone)]
pub struct EndCounters {
    words: Arc<SharedWords>,
    first: usize,
}

/// Counts as they were at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndCounts {
    /// Frames that came in from this end.
    pub received_frames: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Frames that were sent out to this end.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames of this end that came through its lane into the link or segment.
    pub passed_frames: u64,
    /// Frames that the lane doubled: one count for each copy.
    pub duplicates: u64,
    /// Frames that wait in the lane.
    pub held_frames: u64,
    /// Frames dropped, by cause.
    pub drops: Vec<(Cause, u64)>,
    /// Latency histogram; see [`BUCKETS`].
    pub latency: [u64; BUCKETS],
}

impl EndCounters {
    /// The counters in the `place`-th block of some words.
    ///
    /// # Panics
    ///
    /// When the words have no such block: whoever gives places out knows how many there are.
    pub fn new(words: Arc<SharedWords>, place: usize) -> Self {
        let first = place * END_WORDS;
        assert!(first + END_WORDS <= words.words().len(), "no block {place}");
        Self { words, first }
    }

    /// Counters of their own, for tests and for wires whose counts nobody keeps.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn unshared() -> std::io::Result<Self> {
        let words = SharedWords::anonymous(END_WORDS)?;
        Ok(Self::new(Arc::new(words), 0))
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        &self.words.words()[self.first + index]
    }

    fn add(&self, index: usize, count: u64) {
        let word = self.word(index);
        word.store(
            word.load(Ordering::Relaxed).wrapping_add(count),
            Ordering::Relaxed,
        );
    }

    /// Sets all counts to 0.
    pub fn clear(&self) {
        (0..END_WORDS).for_each(|index| self.word(index).store(0, Ordering::Relaxed));
    }

    pub(crate) fn received(&self, frames: u64, bytes: u64) {
        self.add(RECEIVED_FRAMES, frames);
        self.add(RECEIVED_BYTES, bytes);
    }

    pub(crate) fn sent(&self, frames: u64, bytes: u64) {
        self.add(SENT_FRAMES, frames);
        self.add(SENT_BYTES, bytes);
    }

    pub(crate) fn passed(&self, frames: u64) {
        self.add(PASSED_FRAMES, frames);
    }

    pub(crate) fn doubled(&self) {
        self.add(DUPLICATES, 1);
    }

    pub(crate) fn hold(&self, frames: u64) {
        self.word(HELD_FRAMES).store(frames, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self, cause: Cause, frames: u64) {
        self.add(FIRST_DROP + cause.index(), frames);
    }

    pub(crate) fn delayed(&self, nanoseconds: u64) {
        let bits = (u64::BITS - (nanoseconds / 1000).leading_zeros()) as usize;
        self.add(FIRST_BUCKET + bits.min(BUCKETS - 1), 1);
    }

    /// The counts now.
    pub fn read(&self) -> EndCounts {
        let at = |index: usize| self.word(index).load(Ordering::Relaxed);
        EndCounts {
            received_frames: at(RECEIVED_FRAMES),
            received_bytes: at(RECEIVED_BYTES),
            sent_frames: at(SENT_FRAMES),
            sent_bytes: at(SENT_BYTES),
            passed_frames: at(PASSED_FRAMES),
            duplicates: at(DUPLICATES),
            held_frames: at(HELD_FRAMES),
            drops: Cause::ALL
                .iter()
                .map(|cause| (*cause, at(FIRST_DROP + cause.index())))
                .filter(|(_, count)| *count > 0)
                .collect(),
            latency: std::array::from_fn(|bucket| at(FIRST_BUCKET + bucket)),
        }
    }
}

impl EndCounts {
    /// Frames that were dropped for a cause.
    pub fn dropped(&self, cause: Cause) -> u64 {
        let found = self.drops.iter().find(|(known, _)| *known == cause);
        found.map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_they_were_written() {
        let counters = EndCounters::unshared().unwrap();
        counters.received(3, 300);
        counters.sent(2, 200);
        counters.passed(1);
        counters.hold(7);
        for cause in Cause::ALL {
            counters.dropped(*cause, 1 + cause.index() as u64);
        }
        let counts = counters.read();
        assert_eq!((counts.received_frames, counts.received_bytes), (3, 300));
        assert_eq!((counts.sent_frames, counts.sent_bytes), (2, 200));
        assert_eq!((counts.passed_frames, counts.held_frames), (1, 7));
        for cause in Cause::ALL {
            assert_eq!(counts.dropped(*cause), 1 + cause.index() as u64);
        }
        assert_eq!(counts.latency, [0; BUCKETS]);
    }

    #[test]
    fn latencies_fall_into_buckets_of_powers_of_two() {
        let counters = EndCounters::unshared().unwrap();
        for microseconds in [0, 1, 2, 3, 4, 1000, u64::MAX / 1000] {
            counters.delayed(microseconds * 1000);
        }
        let latency = counters.read().latency;
        assert_eq!(latency[..4], [1, 1, 2, 1]);
        assert_eq!((latency[10], latency[BUCKETS - 1]), (1, 1));
    }
}
