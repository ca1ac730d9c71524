//! What is due when: a wheel of slots, so that a million waiting frames cost no more than one.
//!
//! # Theory of operation
//!
//! Time is cut into ticks of [`TICK_NS`]. The wheel has a slot for each of the next [`SLOTS`]
//! ticks (268 ms); an entry goes into the slot of its tick. What is due later waits in a sorted
//! map and is moved over as the wheel turns. A bit for each slot, and a bit for each word of
//! those, find the next occupied slot in a few steps.
//!
//! Entries come out in the order of their times; those of one time in the order in which they
//! went in.

use std::collections::BTreeMap;

/// Length of a tick in nanoseconds: a power of two near 4 microseconds, which is finer than any
/// sleep.
const TICK_NS: u64 = 4096;

/// Number of slots.
const SLOTS: usize = 65_536;

const WORDS: usize = SLOTS / 64;

/// A timer wheel of `T`.
#[derive(Debug)]
pub struct Wheel<T> {
    slots: Vec<Vec<Entry<T>>>,
    occupied: Vec<u64>,
    summary: [u64; WORDS / 64],
    /// Everything in the wheel is of this tick or a later one.
    tick: u64,
    later: BTreeMap<(u64, u64), T>,
    /// Numbers the entries, to keep the order of those of one time.
    entered: u64,
    length: usize,
}

#[derive(Debug)]
struct Entry<T> {
    due_ns: u64,
    order: u64,
    value: T,
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self {
            slots: std::iter::repeat_with(Vec::new).take(SLOTS).collect(),
            occupied: vec![0; WORDS],
            summary: [0; WORDS / 64],
            tick: 0,
            later: BTreeMap::new(),
            entered: 0,
            length: 0,
        }
    }
}

impl<T> Wheel<T> {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Lets `value` be due at `due_ns`. What is due in the past comes out next.
    pub fn insert(&mut self, due_ns: u64, value: T) {
        let order = self.entered;
        self.entered += 1;
        self.length += 1;
        let tick = (due_ns / TICK_NS).max(self.tick);
        if tick - self.tick < SLOTS as u64 {
            self.place(
                tick,
                Entry {
                    due_ns,
                    order,
                    value,
                },
            );
        } else {
            self.later.insert((due_ns, order), value);
        }
    }

    fn place(&mut self, tick: u64, entry: Entry<T>) {
        let slot = (tick % SLOTS as u64) as usize;
        self.slots[slot].push(entry);
        self.occupied[slot / 64] |= 1 << (slot % 64);
        self.summary[slot / 4096] |= 1 << (slot / 64 % 64);
    }

    fn mark_empty(&mut self, slot: usize) {
        self.occupied[slot / 64] &= !(1 << (slot % 64));
        if self.occupied[slot / 64] == 0 {
            self.summary[slot / 4096] &= !(1 << (slot / 64 % 64));
        }
    }

    /// When the next entry is due.
    pub fn next_due(&self) -> Option<u64> {
        let in_wheel = self
            .next_tick()
            .map(|tick| &self.slots[(tick % SLOTS as u64) as usize])
            .and_then(|slot| slot.iter().map(|entry| entry.due_ns).min());
        let later = self.later.first_key_value().map(|((due, _), _)| *due);
        match (in_wheel, later) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        }
    }

    /// The first tick with an entry in the wheel.
    fn next_tick(&self) -> Option<u64> {
        let begin = (self.tick % SLOTS as u64) as usize;
        let slot = self
            .first_occupied(begin, SLOTS)
            .or_else(|| self.first_occupied(0, begin))?;
        let distance = (slot + SLOTS - begin) % SLOTS;
        Some(self.tick + distance as u64)
    }

    /// The first occupied slot from `begin` up to `end`, not included.
    fn first_occupied(&self, begin: usize, end: usize) -> Option<usize> {
        if begin >= end {
            return None;
        }
        let first_word = begin / 64;
        let head = self.occupied[first_word] & (u64::MAX << (begin % 64));
        let found = if head == 0 {
            let word = self.next_word(first_word + 1)?;
            word * 64 + self.occupied[word].trailing_zeros() as usize
        } else {
            first_word * 64 + head.trailing_zeros() as usize
        };
        (found < end).then_some(found)
    }

    /// The first word with an occupied slot, from `begin` on.
    fn next_word(&self, begin: usize) -> Option<usize> {
        if begin >= WORDS {
            return None;
        }
        let first = begin / 64;
        let head = self.summary[first] & (u64::MAX << (begin % 64));
        if head != 0 {
            return Some(first * 64 + head.trailing_zeros() as usize);
        }
        let rest = (first + 1..self.summary.len()).find(|group| self.summary[*group] != 0)?;
        Some(rest * 64 + self.summary[rest].trailing_zeros() as usize)
    }

    /// Takes everything out that is due at `now_ns`, in order, and appends it to `out`.
    pub fn take_due(&mut self, now_ns: u64, out: &mut Vec<T>) {
        let now_tick = now_ns / TICK_NS;
        loop {
            let later = self.later.first_key_value();
            let later = later.map(|((due_ns, _), _)| (due_ns / TICK_NS).max(self.tick));
            let next = self.next_tick().into_iter().chain(later).min();
            let Some(tick) = next.filter(|tick| *tick <= now_tick) else {
                break;
            };
            self.tick = tick;
            self.bring_near();
            let slot = (tick % SLOTS as u64) as usize;
            let entries = &mut self.slots[slot];
            entries.sort_unstable_by_key(|entry| (entry.due_ns, entry.order));
            let due = entries.partition_point(|entry| entry.due_ns <= now_ns);
            self.length -= due;
            out.extend(entries.drain(..due).map(|entry| entry.value));
            if !entries.is_empty() {
                return;
            }
            self.mark_empty(slot);
        }
        // Nothing is left up to now: the wheel can turn on.
        self.tick = self.tick.max(now_tick);
        self.bring_near();
    }

    /// Moves what has come within a turn of the wheel out of the sorted map.
    fn bring_near(&mut self) {
        while let Some(((due_ns, _), _)) = self.later.first_key_value() {
            let tick = (due_ns / TICK_NS).max(self.tick);
            if tick - self.tick >= SLOTS as u64 {
                return;
            }
            let ((due_ns, order), value) = self.later.pop_first().expect("just seen");
            self.place(
                tick,
                Entry {
                    due_ns,
                    order,
                    value,
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_due_in_the_past_comes_out_next() {
        let mut wheel = Wheel::default();
        let mut out = Vec::new();
        wheel.take_due(1_000_000_000, &mut out);
        wheel.insert(5, "late");
        assert_eq!(wheel.next_due(), Some(5));
        wheel.take_due(1_000_000_000, &mut out);
        assert_eq!(out, ["late"]);
        assert!(wheel.is_empty());
    }

    #[test]
    fn an_empty_wheel_finds_what_is_hours_away() {
        let mut wheel = Wheel::default();
        let hour = 3_600_000_000_000;
        wheel.insert(hour, 'a');
        wheel.insert(hour + 1, 'b');
        let mut out = Vec::new();
        wheel.take_due(hour - 1, &mut out);
        assert_eq!((out.len(), wheel.next_due()), (0, Some(hour)));
        wheel.take_due(hour, &mut out);
        assert_eq!(out, ['a']);
        wheel.take_due(2 * hour, &mut out);
        assert_eq!(out, ['a', 'b']);
    }

    proptest! {
        /// Against a sorted list, with times within a slot, a turn, and far beyond.
        #[test]
        fn everything_comes_out_once_in_order_and_never_early(
            steps in prop::collection::vec(
                (0_u64..3, prop_oneof![0_u64..9000, 0_u64..2_000_000, 0_u64..900_000_000]), 1..200
            )
        ) {
            let mut wheel = Wheel::default();
            let mut list: Vec<(u64, usize)> = Vec::new();
            let mut now = 0;
            for (number, (what, time)) in steps.into_iter().enumerate() {
                if what < 2 {
                    wheel.insert(now + time, (now + time, number));
                    list.push((now + time, number));
                } else {
                    now += time;
                    let mut out = Vec::new();
                    wheel.take_due(now, &mut out);
                    list.sort_unstable();
                    let due = list.partition_point(|(due, _)| *due <= now);
                    prop_assert_eq!(out, list.drain(..due).collect::<Vec<_>>());
                }
                let next = list.iter().map(|(due, _)| *due).min();
                prop_assert_eq!(wheel.next_due(), next);
                prop_assert_eq!(wheel.len(), list.len());
            }
        }
    }
}
