//! Controlled Delay, after RFC 8289, section 5.
//!
//! CoDel decides when a frame comes to the head of the queue. That moment is known as soon as the
//! frame arrives, so that nothing has to wait for the decision. The one thing that is not known
//! then is what arrives behind the frame: the queue counts as short by what was before it.

use crate::unit::Duration;

/// With no more than one large frame waiting CoDel drops nothing (RFC 8289, section 4.4).
const SHORT_BYTES: u64 = 1514;

/// What decides which frames are dropped.
#[derive(Debug, Clone)]
pub(crate) struct Codel {
    target_ns: u64,
    interval_ns: u64,
    /// When the wait will have been too long for too long; 0 if it is not.
    first_above_ns: u64,
    dropping: bool,
    drop_next_ns: u64,
    count: u64,
    last_count: u64,
}

/// If the last drops are not longer ago than so many intervals, CoDel goes on at their pace.
const MEMORY: u64 = 16;

impl Codel {
    pub(crate) const fn new(target: Duration, interval: Duration) -> Self {
        Self {
            target_ns: target.ns(),
            interval_ns: interval.ns(),
            first_above_ns: 0,
            dropping: false,
            drop_next_ns: 0,
            count: 0,
            last_count: 0,
        }
    }

    fn too_long(&mut self, wait_ns: u64, now_ns: u64, short: bool) -> bool {
        if wait_ns < self.target_ns || short {
            self.first_above_ns = 0;
            return false;
        }
        if self.first_above_ns == 0 {
            self.first_above_ns = now_ns.saturating_add(self.interval_ns);
            return false;
        }
        now_ns >= self.first_above_ns
    }

    /// Whether a frame is dropped that arrived then, comes to the head of the queue now, and found
    /// so many bytes waiting.
    pub(crate) fn drops(&mut self, arrival_ns: u64, now_ns: u64, waiting_bytes: u64) -> bool {
        let short = waiting_bytes <= SHORT_BYTES;
        let too_long = self.too_long(now_ns.saturating_sub(arrival_ns), now_ns, short);
        if !too_long {
            self.dropping = false;
            return false;
        }
        if self.dropping {
            if now_ns < self.drop_next_ns {
                return false;
            }
            self.count += 1;
            self.drop_next_ns = self.next_after(self.drop_next_ns);
            return true;
        }
        self.dropping = true;
        let more = self.count.saturating_sub(self.last_count);
        let recent =
            now_ns.saturating_sub(self.drop_next_ns) < self.interval_ns.saturating_mul(MEMORY);
        self.count = if more > 1 && recent { more } else { 1 };
        self.last_count = self.count;
        self.drop_next_ns = self.next_after(now_ns);
        true
    }

    fn next_after(&self, time_ns: u64) -> u64 {
        let pause = float(self.interval_ns) / libm::sqrt(float(self.count));
        let pause = pause as u64;
        time_ns.saturating_add(pause)
    }
}

const fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    const MS: u64 = 1_000_000;

    /// RFC 8289's queue, with frames in it: which of them are dropped, if each takes a millisecond
    /// on the line. The law of control is ours.
    fn dropped_by_a_queue(arrivals: &[u64]) -> Vec<usize> {
        let mut law = Codel::new(Duration::from_ms(5), Duration::from_ms(100));
        let mut waiting: VecDeque<(usize, u64)> = arrivals.iter().copied().enumerate().collect();
        let (mut dropped, mut free_ns) = (Vec::new(), 0);
        while let Some((_, arrival_ns)) = waiting.front() {
            let now_ns = free_ns.max(*arrival_ns);
            let mut next = |law: &mut Codel| {
                let head = waiting.front().filter(|head| head.1 <= now_ns).copied();
                let (number, arrival_ns) = head?;
                waiting.pop_front();
                Some((number, law.too_long(now_ns - arrival_ns, now_ns, false)))
            };
            let mut head = next(&mut law);
            let too_long = |head: Option<(usize, bool)>| head.is_some_and(|(_, long)| long);
            if law.dropping {
                law.dropping = too_long(head);
                while law.dropping && now_ns >= law.drop_next_ns {
                    dropped.extend(head.map(|(number, _)| number));
                    law.count += 1;
                    head = next(&mut law);
                    law.dropping = too_long(head);
                    law.drop_next_ns = law.next_after(law.drop_next_ns);
                }
            } else if too_long(head) {
                dropped.extend(head.map(|(number, _)| number));
                next(&mut law);
                law.dropping = true;
                let more = law.count - law.last_count;
                let recent = now_ns - law.drop_next_ns < 16 * law.interval_ns;
                law.count = if more > 1 && recent { more } else { 1 };
                law.drop_next_ns = law.next_after(now_ns);
                law.last_count = law.count;
            }
            free_ns = now_ns + MS;
        }
        dropped
    }

    #[test]
    fn frames_are_dropped_on_arrival_that_a_queue_would_drop_at_its_head() {
        // Three times a tenth too much for two seconds, with a short pause and a long one.
        let mut arrivals = Vec::new();
        for begin in [0, 2400 * MS, 9000 * MS] {
            arrivals.extend((0..2200).map(|n| begin + n * 900_000));
        }
        let expected = dropped_by_a_queue(&arrivals);

        let mut codel = Codel::new(Duration::from_ms(5), Duration::from_ms(100));
        let (mut found, mut free_ns) = (Vec::new(), 0);
        for (number, arrival_ns) in arrivals.into_iter().enumerate() {
            let start_ns = free_ns.max(arrival_ns);
            if codel.drops(arrival_ns, start_ns, u64::MAX) {
                found.push(number);
            } else {
                free_ns = start_ns + MS;
            }
        }
        assert!(found.len() > 100, "{}", found.len());
        assert_eq!(found, expected);
    }
}
