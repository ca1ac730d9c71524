//! The machine of one lane: says of each frame when it arrives, or why it does not.
//!
//! It decides all at the moment of a frame's arrival and holds no frames.
//!
//! # Theory of operation
//!
//! A frame passes these stations: loss, MTU, the line with its queue, delay, slots. Whether it is
//! duplicated and corrupted is thrown for every frame, whatever becomes of it, so that the same
//! seed picks the same frames whatever else is asked for. A copy passes line, delay and slots
//! behind its original.
//!
//! Take `rate 10mbit`, `delay 20ms`, and two frames of 1250 bytes that arrive at 0 and at 200 µs.
//! Each takes 1 ms on the line. The first leaves it at 1 ms and is due at 21 ms; the second has to
//! wait until 1 ms, leaves the line at 2 ms and is due at 22 ms. At 200 µs one frame was waiting.
//!
//! It holds:
//! - a frame is never due before it arrived;
//! - if [`Judge::is_ordered`], what was judged later is not due earlier;
//! - the same settings, seed, frames and times give the same verdicts, on every platform.

use crate::bottleneck::Bottleneck;
use crate::cause::Cause;
use crate::chance::Dice;
use crate::effect::corrupt::Flips;
use crate::effect::delay::{Delays, Order};
use crate::effect::loss::Losses;
use crate::effect::mtu::Mtu;
use crate::effect::reorder::{Reorder, Skips};
use crate::effect::slot::Slots;
use crate::random::Purpose;
use crate::settings::Settings;

/// What becomes of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It arrives.
    Deliver {
        /// When: at once if this is not after its arrival. In nanoseconds of the arrivals' clock.
        due_ns: u64,
        /// When its copy arrives, if there is one.
        duplicate: Option<u64>,
    },
    /// It does not arrive.
    Drop(Cause),
}

/// What waits for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Frames, the one in transmission included.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Judges the frames of one lane.
#[derive(Debug, Clone)]
pub struct Judge {
    seed: u64,
    /// How often the settings were changed.
    changes: u64,
    loss: Option<Losses>,
    mtu: Option<Mtu>,
    line: Option<Box<Bottleneck>>,
    delays: Option<Box<Delays>>,
    skips: Option<Skips>,
    order: Order,
    slots: Option<Slots>,
    duplicate: Option<Dice>,
    corrupt: Option<Flips>,
    /// When the last frame is due that keeps order.
    last_due_ns: u64,
}

impl Judge {
    /// A judge for these settings, as their [`Settings::resolved`] have it. Files that were not
    /// attached count as not asked for.
    pub fn new(settings: &Settings, seed: u64) -> Self {
        Self::made(settings, seed, 0)
    }

    fn made(settings: &Settings, seed: u64, changes: u64) -> Self {
        let settings = settings.resolved();
        // Every change has streams of its own. With the same ones a link that often changes would
        // have the same fate every time.
        let stream = seed ^ changes.rotate_left(32);
        let reorder = settings.reorder.value();
        let varies = settings.jitter.value().is_some_and(|time| time.ns() > 0);
        let order = match reorder {
            Some(Reorder::Jitter) if varies => Order::Free,
            _ => Order::Kept,
        };
        let delays = Delays::new(&settings, stream, order).map(Box::new);
        let slots = settings.slot.value().map(|slot| Slots::new(*slot, stream));
        let held = delays.is_some() || slots.is_some();
        let skips = match reorder {
            Some(Reorder::Skip { chance, gap }) if held => Skips::new(chance, *gap, stream),
            _ => None,
        };
        Self {
            seed,
            changes,
            loss: settings
                .loss
                .value()
                .and_then(|loss| Losses::new(loss, stream)),
            mtu: settings.mtu.value().copied(),
            line: Bottleneck::new(&settings, stream).map(Box::new),
            delays,
            skips,
            order,
            slots,
            duplicate: settings
                .duplicate
                .value()
                .and_then(|chance| Dice::new(chance, stream, Purpose::Duplicate)),
            corrupt: settings
                .corrupt
                .value()
                .and_then(|chance| Flips::new(chance, stream)),
            last_due_ns: 0,
        }
    }

    /// Goes on with other settings. Frames keep their order over the change, and what waits for
    /// the line still has to leave it first.
    pub fn change(&mut self, settings: &Settings) {
        let mut next = Self::made(settings, self.seed, self.changes.wrapping_add(1));
        next.last_due_ns = self.last_due_ns;
        if let (Some(line), Some(before)) = (&mut next.line, self.line.take()) {
            line.follow(*before);
        }
        *self = next;
    }

    /// Goes on with other settings when nothing that was judged before is still on its way: as
    /// [`Judge::change`], but with an empty line and without regard to earlier frames.
    pub fn restart(&mut self, settings: &Settings) {
        *self = Self::made(settings, self.seed, self.changes.wrapping_add(1));
    }

    /// What becomes of a frame that arrives at this time (of any clock, in nanoseconds). Times may
    /// go back a little, as those of several sockets do. The frame may be changed, if
    /// [`Judge::needs_bytes`], and only if it is delivered.
    pub fn judge(&mut self, arrival_ns: u64, frame: &mut [u8]) -> Verdict {
        let lost = self.loss.as_mut().is_some_and(Losses::event);
        let doubled = self.duplicate.as_mut().is_some_and(Dice::event);
        let corrupted = self.corrupt.as_mut().is_some_and(Flips::event);
        if lost {
            return Verdict::Drop(Cause::Loss);
        }
        if self.mtu.is_some_and(|mtu| !mtu.fits(frame)) {
            return Verdict::Drop(Cause::Mtu);
        }
        let bytes = frame.len() as u64;
        let due_ns = match self.route(arrival_ns, bytes) {
            Ok(due_ns) => due_ns,
            Err(cause) => return Verdict::Drop(cause),
        };
        if corrupted && let Some(flips) = &mut self.corrupt {
            flips.flip(frame);
        }
        let duplicate = match doubled {
            true => self.route(arrival_ns, bytes).ok(),
            false => None,
        };
        Verdict::Deliver { due_ns, duplicate }
    }

    /// The way through line, delay and slots.
    fn route(&mut self, arrival_ns: u64, bytes: u64) -> Result<u64, Cause> {
        let left_ns = match &mut self.line {
            Some(line) => line.pass(arrival_ns, bytes)?,
            None => arrival_ns,
        };
        if self.skips.as_mut().is_some_and(Skips::event) {
            return Ok(left_ns);
        }
        let mut due_ns = left_ns;
        if let Some(delays) = &mut self.delays {
            due_ns = due_ns.saturating_add(delays.next(left_ns));
        }
        if self.order == Order::Kept {
            due_ns = due_ns.max(self.last_due_ns);
        }
        if let Some(slots) = &mut self.slots {
            due_ns = slots.place(due_ns, bytes);
        }
        self.last_due_ns = due_ns.max(self.last_due_ns);
        Ok(due_ns)
    }

    /// Whether what is judged later is never due earlier. A change of the settings can end this.
    pub fn is_ordered(&self) -> bool {
        self.skips.is_none() && self.order == Order::Kept
    }

    /// Whether frames may be changed, so that they have to be writable.
    pub const fn needs_bytes(&self) -> bool {
        self.corrupt.is_some()
    }

    /// What waits for the line at this time.
    pub fn backlog(&mut self, now_ns: u64) -> Backlog {
        let waiting = self.line.as_mut().map(|line| line.waiting(now_ns));
        let (frames, bytes) = waiting.unwrap_or_default();
        Backlog { frames, bytes }
    }
}
