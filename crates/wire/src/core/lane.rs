//! The frames that one end sends into its link or segment, and those of them that wait.
//!
//! A lane that keeps the order is a queue of which only the head has a timer; one that may
//! reorder has a timer for each frame. Which of the two it is follows from its policy. When the
//! policy changes, what waits is let go at once and in order, so that nothing overtakes it.

use super::policy::Policy;
use super::pool::Held;
use std::collections::VecDeque;

/// A frame that waits in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// When it goes on, on the monotonic clock in nanoseconds.
    pub due_ns: u64,
    /// When it arrived.
    pub arrived_ns: u64,
    /// The frame.
    pub held: Held,
    /// The stay of its end in a link or segment; see [`Lane::leave`].
    pub stay: u32,
}

/// The lane of an end.
#[derive(Debug, Default)]
pub struct Lane {
    /// What is asked of its frames; `None` when nothing is.
    pub policy: Option<Box<Policy>>,
    /// Frames that wait in order.
    queue: VecDeque<Waiting>,
    /// Frames that wait with a timer each.
    scattered: usize,
    /// Bytes of all that waits.
    waiting_bytes: usize,
    /// Numbers the stays of the end in links and segments.
    stay: u32,
    /// Tells the timer of the present queue from those of queues that were emptied by force.
    timer: u32,
}

/// What has to be timed after a frame was put into a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Nothing: the head of the queue has a timer already.
    Covered,
    /// The head of the queue, at this time, with the number that [`Lane::is_timed_by`] knows.
    Head(u64, u32),
    /// This frame by itself.
    Alone(Waiting),
}

impl Lane {
    /// Whether a frame that came now would overtake one that waits in order.
    pub fn is_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Number of frames that wait.
    pub fn waiting(&self) -> usize {
        self.queue.len() + self.scattered
    }

    /// Bytes of the frames that wait.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Lets a frame wait.
    pub fn push(&mut self, mut frame: Waiting) -> Timing {
        frame.stay = self.stay;
        self.waiting_bytes += frame.held.length();
        let ordered = self
            .policy
            .as_ref()
            .is_none_or(|policy| policy.is_ordered());
        if !ordered {
            self.scattered += 1;
            return Timing::Alone(frame);
        }
        let last = self.queue.back().map(|last| last.due_ns);
        frame.due_ns = frame.due_ns.max(last.unwrap_or(0));
        self.queue.push_back(frame);
        match last {
            None => Timing::Head(frame.due_ns, self.timer),
            Some(_) => Timing::Covered,
        }
    }

    /// Takes the head of the queue if it is due.
    pub fn pop_due(&mut self, now_ns: u64) -> Option<Waiting> {
        let due = self.queue.front().is_some_and(|head| head.due_ns <= now_ns);
        let frame = if due { self.queue.pop_front() } else { None }?;
        self.waiting_bytes -= frame.held.length();
        Some(frame)
    }

    /// Says that a frame with a timer of its own has left.
    pub fn left_alone(&mut self, frame: &Waiting) {
        self.scattered -= 1;
        self.waiting_bytes -= frame.held.length();
    }

    /// When the head of the queue is due, for the timer that goes on.
    pub fn next_due(&self) -> Option<u64> {
        self.queue.front().map(|head| head.due_ns)
    }

    /// Whether a timer is that of the queue as it is.
    pub fn is_timed_by(&self, timer: u32) -> bool {
        self.timer == timer
    }

    /// Empties the queue by force, whatever the time; its timer is no longer good.
    pub fn drain(&mut self) -> VecDeque<Waiting> {
        self.timer = self.timer.wrapping_add(1);
        let frames = std::mem::take(&mut self.queue);
        let bytes: usize = frames.iter().map(|frame| frame.held.length()).sum();
        self.waiting_bytes -= bytes;
        frames
    }

    /// The end leaves its link or segment: what waits does not belong to the next.
    pub fn leave(&mut self) -> VecDeque<Waiting> {
        self.stay = self.stay.wrapping_add(1);
        self.drain()
    }

    /// Whether a frame came in while the end was in the link or segment that it is in now.
    pub fn belongs(&self, frame: &Waiting) -> bool {
        self.stay == frame.stay
    }
}
