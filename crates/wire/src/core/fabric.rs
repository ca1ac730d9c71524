//! All ends, links and segments of a wire, and every frame that waits: without any I/O.
//!
//! # Theory of operation
//!
//! Frames come in by [`Fabric::arrive`], with the time of their arrival. The lane of their end
//! judges them: they are dropped, go on at once, or wait until a time. Those that go on are given
//! to the link or segment, which says to whom; each becomes a [`Departure`]. Whoever owns the
//! fabric sends the departures, tells it how that went, and gives it the frames back.
//!
//! [`Fabric::release`] lets those go on that have waited long enough, and [`Fabric::next_due`]
//! says when to come back. Time is an argument everywhere, so tests run on a clock of their own.
//!
//! A link that asks for nothing is told from the others once, when it is set up
//! ([`Route::Straight`]), so that its frames need not come here at all.
//!
//! Each frame that came in is counted exactly once as passed, dropped or held:
//! `received + duplicates = passed + dropped before the link + held`.

use super::cause::Cause;
use super::counters::EndCounters;
use super::junction::{Forwarding, Junction, LinkState, Way};
use super::lane::{Lane, Timing, Waiting};
use super::policy::{Policy, Verdict};
use super::pool::{Held, Pool};
use super::watch::{Chunk, Direction, Record, Watch, WatchId, WatchSpec};
use super::wheel::Wheel;
use super::{EndId, JunctionId};

/// Memory in which frames lie as they come in.
pub trait Slots {
    /// The beginning of a slot.
    fn frame(&self, slot: u16, length: usize) -> &[u8];

    /// The same, to be changed.
    fn frame_mut(&mut self, slot: u16, length: usize) -> &mut [u8];
}

/// A frame that has come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incoming {
    /// Where it lies.
    pub slot: u16,
    /// Its length in bytes.
    pub length: usize,
    /// When it arrived, on the monotonic clock in nanoseconds.
    pub arrived_ns: u64,
}

/// Where the bytes of a departing frame lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where it came in.
    Slot(u16),
    /// In the pool.
    Pool(Held),
}

/// A frame to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    /// To whom.
    pub to: EndId,
    /// Whose frame it is.
    pub from: EndId,
    /// Where its bytes lie.
    pub place: Place,
    /// Its length in bytes.
    pub length: usize,
    /// When it came in.
    pub arrived_ns: u64,
}

/// What departs, and what can be freed after it has.
#[derive(Debug, Default)]
pub struct Departures {
    /// Frames in the order in which they depart.
    pub frames: Vec<Departure>,
    spent: Vec<Held>,
}

/// What happens to the frames of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// All go to one end at once, unchanged, and nobody looks at them.
    Straight(EndId),
    /// All are dropped.
    Blocked(Cause),
    /// Each is looked at.
    Judged,
}

/// What frames that wait may hold. A frame that would go beyond is dropped, and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory of all of them.
    pub total_bytes: usize,
    /// Bytes of the frames of one lane.
    pub lane_bytes: usize,
}

/// Everything between the ends.
#[derive(Debug)]
pub struct Fabric {
    net: Net,
    wheel: Wheel<Timer>,
    pool: Pool,
    lane_limit_bytes: usize,
    due: Vec<Timer>,
}

/// The ends, and how they are joined: everything but the frames.
#[derive(Debug, Default)]
struct Net {
    ends: Vec<Option<End>>,
    junctions: Vec<Option<Junction>>,
    watches: Vec<Watch>,
}

#[derive(Debug)]
struct End {
    counters: EndCounters,
    junction: Option<JunctionId>,
    lane: Lane,
    route: Route,
    watched: bool,
}

#[derive(Debug)]
enum Timer {
    /// The head of a lane's queue, with the number of the timer.
    Head(EndId, u32),
    /// A frame of a lane that may reorder.
    Alone(EndId, Waiting),
}

impl Fabric {
    /// An empty fabric.
    pub fn new(limits: Limits) -> Self {
        Self {
            net: Net::default(),
            wheel: Wheel::default(),
            pool: Pool::new(limits.total_bytes),
            lane_limit_bytes: limits.lane_bytes,
            due: Vec::new(),
        }
    }

    /// Bounds the memory of waiting frames anew; those that wait stay.
    pub fn bound(&mut self, limits: Limits) {
        self.pool.bound(limits.total_bytes);
        self.lane_limit_bytes = limits.lane_bytes;
    }

    /// Bytes of memory that waiting frames hold.
    pub fn waiting_bytes(&self) -> usize {
        self.pool.used_bytes()
    }

    /// Adds an end that is in no link.
    pub fn add_end(&mut self, id: EndId, counters: EndCounters) {
        let index = id as usize;
        if self.net.ends.len() <= index {
            self.net.ends.resize_with(index + 1, || None);
        }
        self.net.ends[index] = Some(End {
            counters,
            junction: None,
            lane: Lane::default(),
            route: Route::Blocked(Cause::Unconnected),
            watched: false,
        });
    }

    /// Takes an end away, from its junction too; what waits in its lane is dropped.
    pub fn remove_end(&mut self, id: EndId) {
        let Some(junction) = self.net.end(id).map(|end| end.junction) else {
            return;
        };
        if let Some(junction) = junction {
            let members = self.members(junction);
            let rest = members.into_iter().filter(|end| *end != id).collect();
            self.set_members(junction, rest);
        }
        self.clear_lane(id);
        self.net.ends[id as usize] = None;
    }

    /// Adds a link or segment, or changes the one of that name. An end that was a member of
    /// another leaves that one; an end that leaves drops what waits in its lane.
    pub fn put_junction(
        &mut self,
        id: JunctionId,
        forwarding: Forwarding,
        state: LinkState,
        members: Vec<EndId>,
    ) {
        let index = id as usize;
        if self.net.junctions.len() <= index {
            self.net.junctions.resize_with(index + 1, || None);
        }
        let same = |known: &&mut Junction| known.forwarding() == forwarding;
        match self.net.junctions[index].as_mut().filter(same) {
            Some(known) => known.state = state,
            None => {
                let members = self.members(id);
                self.net.junctions[index] = Some(Junction::new(forwarding, state, members));
            }
        }
        self.set_members(id, members);
    }

    /// Takes a link or segment away; its ends stay.
    pub fn remove_junction(&mut self, id: JunctionId) {
        self.set_members(id, Vec::new());
        if let Some(junction) = self.net.junctions.get_mut(id as usize) {
            *junction = None;
        }
    }

    fn members(&self, id: JunctionId) -> Vec<EndId> {
        let junction = self.net.junctions.get(id as usize).and_then(Option::as_ref);
        junction.map_or(Vec::new(), |junction| junction.members().to_vec())
    }

    fn set_members(&mut self, id: JunctionId, members: Vec<EndId>) {
        let were = self.members(id);
        for gone in were.iter().filter(|end| !members.contains(end)) {
            self.clear_lane(*gone);
            if let Some(end) = self.net.end_mut(*gone) {
                end.junction = None;
            }
        }
        for new in members.iter().filter(|end| !were.contains(end)) {
            let old = self.net.end(*new).and_then(|end| end.junction);
            if let Some(old) = old.filter(|old| *old != id) {
                let rest = self.members(old).into_iter().filter(|end| end != new);
                let rest = rest.collect();
                self.set_members(old, rest);
            }
            if let Some(end) = self.net.end_mut(*new) {
                end.junction = Some(id);
            }
        }
        let touched: Vec<EndId> = were.iter().chain(&members).copied().collect();
        if let Some(Some(junction)) = self.net.junctions.get_mut(id as usize) {
            junction.set_members(members);
        }
        touched.into_iter().for_each(|end| self.net.find_route(end));
    }

    /// Sets what is asked of the frames of an end. What waits under another policy goes on now.
    pub fn set_policy(&mut self, id: EndId, policy: Option<Box<Policy>>, out: &mut Departures) {
        self.flush_lane(id, out);
        if let Some(end) = self.net.end_mut(id) {
            end.lane.policy = policy;
            self.net.find_route(id);
        }
    }

    /// What happens to the frames of an end; `None` when there is none of that name.
    pub fn route(&self, id: EndId) -> Option<Route> {
        self.net.end(id).map(|end| end.route)
    }

    /// Whether frames of an end may pass at a time: its link is up, and no schedule says no.
    pub fn state(&mut self, id: EndId, now_ns: u64) -> LinkState {
        let Some(end) = self.net.end_mut(id) else {
            return LinkState::Down;
        };
        match (end.route, &mut end.lane.policy) {
            (Route::Blocked(_), _) => LinkState::Down,
            (_, Some(policy)) => policy.state(now_ns),
            _ => LinkState::Up,
        }
    }

    /// The counters of an end.
    pub fn counters(&self, id: EndId) -> Option<&EndCounters> {
        self.net.end(id).map(|end| &end.counters)
    }

    /// How many addresses a switch knows, and how often it had no room for one.
    pub fn addresses(&self, id: JunctionId) -> (usize, u64) {
        let junction = self.net.junctions.get(id as usize).and_then(Option::as_ref);
        junction.map_or((0, 0), |one| (one.table().len(), one.table().refused()))
    }

    /// Whether arrivals at an end have to be stamped: somebody looks at their time.
    pub fn needs_stamps(&self, id: EndId) -> bool {
        self.net
            .end(id)
            .is_some_and(|end| end.lane.policy.is_some() || end.watched)
    }

    /// A frame came in. Call [`Self::release`] for the same time before, so that order is kept.
    pub fn arrive(
        &mut self,
        id: EndId,
        incoming: Incoming,
        now_ns: u64,
        slots: &mut impl Slots,
        out: &mut Departures,
    ) {
        let Some(end) = self.net.ends.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        let Incoming {
            slot,
            length,
            arrived_ns,
        } = incoming;
        end.counters.received(1, length as u64);
        let mut verdict = if length == 0 {
            Verdict::Drop(Cause::Empty)
        } else if let Route::Blocked(cause) = end.route {
            Verdict::Drop(cause)
        } else if let Some(policy) = &mut end.lane.policy {
            policy.judge(arrived_ns, slots.frame_mut(slot, length))
        } else {
            Verdict::Deliver {
                due_ns: arrived_ns,
                duplicate_ns: None,
            }
        };
        if let Verdict::Deliver { due_ns, .. } = verdict
            && (due_ns > now_ns || end.lane.is_queued())
            && !has_room(&end.lane, &self.pool, self.lane_limit_bytes, length)
        {
            verdict = Verdict::Drop(Cause::Memory);
        }
        if end.watched {
            let dropped = match verdict {
                Verdict::Drop(cause) => Some(cause),
                Verdict::Deliver { .. } => None,
            };
            let record = Record {
                end: id,
                stamp_ns: arrived_ns,
                original_length: length as u32,
                kept_length: 0,
                direction: Direction::Sent,
                dropped,
            };
            let frame = slots.frame(slot, length);
            let watches = self.net.watches.iter_mut();
            watches.for_each(|watch| watch.look(record, frame));
        }
        match verdict {
            Verdict::Drop(cause) => end.counters.dropped(cause, 1),
            Verdict::Deliver {
                due_ns,
                duplicate_ns,
            } => {
                self.deliver(id, incoming, due_ns, now_ns, slots, out);
                if let Some(due_ns) = duplicate_ns {
                    if let Some(end) = self.net.end(id) {
                        end.counters.doubled();
                    }
                    self.deliver(id, incoming, due_ns, now_ns, slots, out);
                }
            }
        }
    }

    /// Lets a judged frame go on, now or later.
    fn deliver(
        &mut self,
        id: EndId,
        incoming: Incoming,
        due_ns: u64,
        now_ns: u64,
        slots: &mut impl Slots,
        out: &mut Departures,
    ) {
        let Some(end) = self.net.ends.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        let Incoming {
            slot,
            length,
            arrived_ns,
        } = incoming;
        let frame = slots.frame(slot, length);
        if due_ns <= now_ns && !end.lane.is_queued() {
            self.net
                .pass(id, Place::Slot(slot), frame, arrived_ns, now_ns, out);
            return;
        }
        let fits = has_room(&end.lane, &self.pool, self.lane_limit_bytes, length);
        let Some(held) = fits.then(|| self.pool.hold(frame)).flatten() else {
            end.counters.dropped(Cause::Memory, 1);
            return;
        };
        let timing = end.lane.push(Waiting {
            due_ns,
            arrived_ns,
            held,
            stay: 0,
        });
        end.counters.hold(end.lane.waiting() as u64);
        match timing {
            Timing::Covered => {}
            Timing::Head(due_ns, timer) => self.wheel.insert(due_ns, Timer::Head(id, timer)),
            Timing::Alone(frame) => self.wheel.insert(frame.due_ns, Timer::Alone(id, frame)),
        }
    }

    /// Lets everything go on that is due.
    pub fn release(&mut self, now_ns: u64, out: &mut Departures) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.take_due(now_ns, &mut due);
        for timer in due.drain(..) {
            match timer {
                Timer::Head(id, timer) => self.release_queue(id, timer, now_ns, out),
                Timer::Alone(id, frame) => self.release_alone(id, frame, now_ns, out),
            }
        }
        self.due = due;
    }

    fn release_queue(&mut self, id: EndId, timer: u32, now_ns: u64, out: &mut Departures) {
        let timed = |end: &End| end.lane.is_timed_by(timer);
        if !self.net.end(id).is_some_and(timed) {
            return;
        }
        while let Some(frame) = self
            .net
            .end_mut(id)
            .and_then(|end| end.lane.pop_due(now_ns))
        {
            self.depart(id, frame, now_ns, out);
        }
        if let Some(due_ns) = self.net.end(id).and_then(|end| end.lane.next_due()) {
            self.wheel.insert(due_ns, Timer::Head(id, timer));
        }
    }

    fn release_alone(&mut self, id: EndId, frame: Waiting, now_ns: u64, out: &mut Departures) {
        let Some(end) = self.net.end_mut(id) else {
            self.pool.free(frame.held);
            return;
        };
        end.lane.left_alone(&frame);
        if end.lane.belongs(&frame) {
            self.depart(id, frame, now_ns, out);
            return;
        }
        end.counters.dropped(Cause::Removed, 1);
        end.counters.hold(end.lane.waiting() as u64);
        self.pool.free(frame.held);
        if end.lane.waiting() == 0 {
            self.net.find_route(id);
        }
    }

    /// A frame has left its lane: counts it, and hands it to the junction.
    fn depart(&mut self, id: EndId, frame: Waiting, now_ns: u64, out: &mut Departures) {
        out.spent.push(frame.held);
        let Some(end) = self.net.end(id) else {
            return;
        };
        end.counters.hold(end.lane.waiting() as u64);
        if let Route::Blocked(cause) = end.route {
            end.counters.dropped(cause, 1);
            return;
        }
        let last = end.lane.policy.is_none() && end.lane.waiting() == 0;
        let (bytes, place) = (self.pool.bytes(frame.held), Place::Pool(frame.held));
        self.net
            .pass(id, place, bytes, frame.arrived_ns, now_ns, out);
        if last {
            self.net.find_route(id);
        }
    }

    /// When [`Self::release`] has something to do next.
    pub fn next_due(&self) -> Option<u64> {
        self.wheel.next_due()
    }

    /// The bytes of a departing frame.
    pub fn bytes<'a>(&'a self, departure: &Departure, slots: &'a impl Slots) -> &'a [u8] {
        match departure.place {
            Place::Slot(slot) => slots.frame(slot, departure.length),
            Place::Pool(held) => self.pool.bytes(held),
        }
    }

    /// Frees what has departed, and empties the list.
    pub fn recycle(&mut self, departures: &mut Departures) {
        departures.frames.clear();
        for held in departures.spent.drain(..) {
            self.pool.free(held);
        }
    }

    /// Begins to copy frames.
    pub fn watch(&mut self, id: WatchId, spec: WatchSpec) {
        self.net.watches.push(Watch {
            id,
            spec,
            chunk: Chunk::default(),
        });
        self.mark_watched();
    }

    /// Ends it.
    pub fn unwatch(&mut self, id: WatchId) {
        self.net.watches.retain(|watch| watch.id != id);
        self.mark_watched();
    }

    /// Takes away what was copied since the last time.
    pub fn take_chunks(&mut self) -> impl Iterator<Item = (WatchId, Chunk)> {
        let full = |watch: &&mut Watch| !watch.chunk.records.is_empty();
        self.net
            .watches
            .iter_mut()
            .filter(full)
            .map(|watch| (watch.id, std::mem::take(&mut watch.chunk)))
    }

    fn mark_watched(&mut self) {
        for index in 0..self.net.ends.len() {
            let id = index as EndId;
            let watched = self.net.watches.iter().any(|watch| {
                watch.spec.sent_by.contains(&id) || watch.spec.received_by.contains(&id)
            });
            if let Some(end) = self.net.end_mut(id) {
                end.watched = watched;
            }
        }
        (0..self.net.ends.len() as EndId).for_each(|id| self.net.find_route(id));
    }

    /// Lets all that waits in order go on now.
    fn flush_lane(&mut self, id: EndId, out: &mut Departures) {
        let Some(end) = self.net.end_mut(id) else {
            return;
        };
        for frame in end.lane.drain() {
            self.depart(id, frame, frame.due_ns, out);
        }
    }

    /// Drops all that waits: the end leaves its link.
    fn clear_lane(&mut self, id: EndId) {
        let Some(end) = self.net.end_mut(id) else {
            return;
        };
        for frame in end.lane.leave() {
            end.counters.dropped(Cause::Removed, 1);
            self.pool.free(frame.held);
        }
        end.counters.hold(end.lane.waiting() as u64);
    }
}

/// Whether a frame may wait: its lane and the pool have room for it.
fn has_room(lane: &Lane, pool: &Pool, lane_limit_bytes: usize, length: usize) -> bool {
    lane.waiting_bytes() + length <= lane_limit_bytes && pool.has_room(length)
}

impl Net {
    /// Gives a frame to its junction.
    fn pass(
        &mut self,
        from: EndId,
        place: Place,
        frame: &[u8],
        arrived_ns: u64,
        now_ns: u64,
        out: &mut Departures,
    ) {
        let Some(end) = self.ends.get(from as usize).and_then(Option::as_ref) else {
            return;
        };
        let junction = end
            .junction
            .and_then(|id| self.junctions.get_mut(id as usize)?.as_mut());
        let Some(junction) = junction else {
            end.counters.dropped(Cause::Unconnected, 1);
            return;
        };
        let way = junction.way(from, frame, now_ns);
        if way == Way::TooShort {
            end.counters.dropped(Cause::Short, 1);
            return;
        }
        end.counters.passed(1);
        let departure = |to| Departure {
            to,
            from,
            place,
            length: frame.len(),
            arrived_ns,
        };
        let first = out.frames.len();
        match way {
            Way::To(to) => out.frames.push(departure(to)),
            Way::Everybody => {
                let others = junction.members().iter().filter(|end| **end != from);
                out.frames.extend(others.map(|to| departure(*to)));
            }
            Way::Nowhere | Way::TooShort => {}
        }
        for departure in &out.frames[first..] {
            let to = self
                .ends
                .get(departure.to as usize)
                .and_then(Option::as_ref);
            if to.is_some_and(|end| end.watched) {
                let record = Record {
                    end: departure.to,
                    stamp_ns: now_ns,
                    original_length: frame.len() as u32,
                    kept_length: 0,
                    direction: Direction::Received,
                    dropped: None,
                };
                self.watches
                    .iter_mut()
                    .for_each(|watch| watch.look(record, frame));
            }
        }
    }

    fn end(&self, id: EndId) -> Option<&End> {
        self.ends.get(id as usize)?.as_ref()
    }

    fn end_mut(&mut self, id: EndId) -> Option<&mut End> {
        self.ends.get_mut(id as usize)?.as_mut()
    }

    /// Decides once what otherwise every frame would ask.
    fn find_route(&mut self, id: EndId) {
        let Some(end) = self.end(id) else {
            return;
        };
        let junction = end
            .junction
            .and_then(|junction| self.junctions.get(junction as usize)?.as_ref());
        let route = match junction {
            None => Route::Blocked(Cause::Unconnected),
            Some(junction) if junction.state == LinkState::Down => Route::Blocked(Cause::Down),
            Some(junction) => match junction.peer(id) {
                Some(peer) if self.is_unwatched(id, peer) => Route::Straight(peer),
                _ => Route::Judged,
            },
        };
        if let Some(end) = self.end_mut(id) {
            end.route = route;
        }
    }

    /// Whether frames from one end to another can go by without a look.
    fn is_unwatched(&self, from: EndId, to: EndId) -> bool {
        let asks_nothing = |end: &End| end.lane.policy.is_none() && end.lane.waiting() == 0;
        self.end(from)
            .is_some_and(|end| asks_nothing(end) && !end.watched)
            && self.end(to).is_some_and(|end| !end.watched)
    }
}
