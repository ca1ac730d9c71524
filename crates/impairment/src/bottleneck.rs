//! What waits for a line, and who is not let in.
//!
//! No frames are held here. As soon as a frame arrives it is known when it will leave the line,
//! so the queue is a list of departures: what has not left yet is waiting. That makes drops a
//! matter of the moment of arrival, for CoDel too, which decides when a frame comes to the head
//! of the queue: that moment is known.

use crate::cause::Cause;
use crate::effect::queue::{Codel, Discipline, FRAMES_LIMIT, QueueLimit, Red};
use crate::effect::rate::{Framing, Line};
use crate::effect::trace::Opportunities;
use crate::settings::Settings;
use std::collections::VecDeque;

/// A line and the queue in front of it.
#[derive(Debug, Clone)]
pub(crate) struct Bottleneck {
    framing: Framing,
    pace: Pace,
    waiting: VecDeque<Departure>,
    waiting_bytes: u64,
    limit: QueueLimit,
    /// When the last frame leaves.
    last_left_ns: u64,
    asked: Discipline,
    discipline: State,
}

#[derive(Debug, Clone)]
enum Pace {
    Rate(Line),
    Trace(Opportunities),
}

#[derive(Debug, Clone, Copy)]
struct Departure {
    at_ns: u64,
    bytes: u64,
}

#[derive(Debug, Clone)]
enum State {
    DropTail,
    Red(Red),
    Codel(Codel),
}

impl Bottleneck {
    /// `None` if there is neither rate nor trace.
    pub(crate) fn new(settings: &Settings, seed: u64) -> Option<Self> {
        let trace = settings.trace.value().and_then(Opportunities::new);
        let rate = settings.rate.value().map(|rate| Line::new(*rate));
        let pace = trace.map(Pace::Trace).or(rate.map(Pace::Rate))?;
        let asked = settings.queue_discipline.value().copied();
        let asked = asked.unwrap_or_default();
        let discipline = match asked {
            Discipline::DropTail => State::DropTail,
            Discipline::Red {
                least,
                most,
                probability,
            } => State::Red(Red::new(least, most, probability, pace.byte_ns(), seed)),
            Discipline::Codel { target, interval } => State::Codel(Codel::new(target, interval)),
        };
        Some(Self {
            framing: Framing::new(settings),
            pace,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            limit: match settings.queue {
                crate::Said::Open => QueueLimit::DEFAULT,
                crate::Said::Off => QueueLimit::Frames(FRAMES_LIMIT),
                crate::Said::Value(limit) => limit,
            },
            last_left_ns: 0,
            asked,
            discipline,
        })
    }

    /// Takes over what waits at the one that was in place before, and how far that was.
    pub(crate) fn follow(&mut self, before: Self) {
        self.waiting = before.waiting;
        self.waiting_bytes = before.waiting_bytes;
        self.last_left_ns = before.last_left_ns;
        match (&mut self.pace, &before.pace) {
            (Pace::Rate(line), Pace::Rate(last)) if !line.is_as_fast_as(last) => {
                line.keep_busy_until(last.free());
            }
            (Pace::Rate(_), Pace::Rate(_)) => {
                self.pace = before.pace;
                if self.asked == before.asked {
                    self.discipline = before.discipline;
                }
            }
            (Pace::Trace(trace), Pace::Trace(last)) if trace.is_of(last) => {
                self.pace = before.pace;
                if self.asked == before.asked {
                    self.discipline = before.discipline;
                }
            }
            (Pace::Rate(line), Pace::Trace(_)) => line.keep_busy_until(before.last_left_ns),
            (Pace::Trace(_), _) => {}
        }
    }

    /// Forgets what has left by now.
    fn expire(&mut self, now_ns: u64) {
        while let Some(first) = self.waiting.front().filter(|first| first.at_ns <= now_ns) {
            self.waiting_bytes -= first.bytes;
            self.waiting.pop_front();
        }
    }

    /// Frames and bytes that have not left by now.
    pub(crate) fn waiting(&mut self, now_ns: u64) -> (u64, u64) {
        self.expire(now_ns);
        (self.waiting.len() as u64, self.waiting_bytes)
    }

    /// When a frame that arrives now will have left.
    pub(crate) fn pass(&mut self, arrival_ns: u64, bytes: u64) -> Result<u64, Cause> {
        self.expire(arrival_ns);
        let full = match self.limit {
            QueueLimit::Bytes(limit) => {
                self.waiting_bytes + bytes > limit.bytes()
                    || self.waiting.len() >= FRAMES_LIMIT as usize
            }
            QueueLimit::Frames(limit) => self.waiting.len() >= limit as usize,
        };
        let start_ns = self.pace.start(arrival_ns);
        let cause = match &mut self.discipline {
            State::DropTail => None,
            State::Red(red) => {
                red.average(self.waiting_bytes, self.last_left_ns, arrival_ns);
                red.drops().then_some(Cause::Red)
            }
            State::Codel(_) if full => None,
            State::Codel(codel) => {
                let drops = codel.drops(arrival_ns, start_ns, self.waiting_bytes);
                drops.then_some(Cause::Codel)
            }
        };
        if full {
            return Err(Cause::Queue);
        }
        if let Some(cause) = cause {
            return Err(cause);
        }
        let on_link = self.framing.bytes_on_link(bytes);
        let at_ns = self.pace.send(arrival_ns, on_link);
        self.waiting.push_back(Departure { at_ns, bytes });
        self.waiting_bytes += bytes;
        self.last_left_ns = at_ns;
        Ok(at_ns)
    }
}

impl Pace {
    fn start(&mut self, arrival_ns: u64) -> u64 {
        match self {
            Self::Rate(line) => line.start(arrival_ns),
            Self::Trace(trace) => trace.start(arrival_ns),
        }
    }

    fn send(&mut self, arrival_ns: u64, bytes: u64) -> u64 {
        match self {
            Self::Rate(line) => line.send(arrival_ns, bytes),
            Self::Trace(trace) => trace.send(arrival_ns, bytes),
        }
    }

    fn byte_ns(&self) -> f64 {
        match self {
            Self::Rate(line) => line.byte_ns(),
            Self::Trace(trace) => trace.byte_ns(),
        }
    }
}
