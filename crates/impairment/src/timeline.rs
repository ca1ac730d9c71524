//! Changes at given times.

use crate::spec::{Action, Change};

/// A schedule that has begun: says what is due when.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// In order of time; what is at one time is in the order in which it was written.
    changes: Vec<Change>,
    next: usize,
    start_ns: u64,
}

impl Timeline {
    /// A schedule that begins now (of any clock, in nanoseconds).
    pub fn new(schedule: &[Change], now_ns: u64) -> Self {
        let mut changes = schedule.to_vec();
        changes.sort_by_key(|change| change.at);
        Self {
            changes,
            next: 0,
            start_ns: now_ns,
        }
    }

    /// When the next change is due; `None` if there is none.
    pub fn due_ns(&self) -> Option<u64> {
        let change = self.changes.get(self.next)?;
        Some(self.start_ns.saturating_add(change.at.ns()))
    }

    /// The next change that is due by now. Called until it gives none.
    pub fn take_due(&mut self, now_ns: u64) -> Option<&Action> {
        self.due_ns().filter(|due_ns| *due_ns <= now_ns)?;
        self.next += 1;
        self.changes.get(self.next - 1).map(|change| &change.action)
    }

    /// How many changes are still to come.
    pub fn left(&self) -> usize {
        self.changes.len() - self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Duration;

    #[test]
    fn changes_come_in_order_of_time_and_of_writing() {
        let change = |ms, action| Change {
            at: Duration::from_ms(ms),
            action,
        };
        let schedule = [
            change(20, Action::Up),
            change(10, Action::Down),
            change(20, Action::Reset),
        ];
        let mut timeline = Timeline::new(&schedule, 5);
        assert_eq!(timeline.due_ns(), Some(10_000_005));
        assert_eq!(timeline.take_due(10_000_004), None);
        assert_eq!(timeline.take_due(10_000_005), Some(&Action::Down));
        assert_eq!(timeline.take_due(10_000_005), None);
        assert_eq!(timeline.left(), 2);
        assert_eq!(timeline.take_due(u64::MAX), Some(&Action::Up));
        assert_eq!(timeline.take_due(u64::MAX), Some(&Action::Reset));
        assert_eq!(timeline.take_due(u64::MAX), None);
        assert_eq!((timeline.due_ns(), timeline.left()), (None, 0));
    }
}
