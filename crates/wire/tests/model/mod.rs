//! A fabric and its model side by side.

use crate::common::Random;
use std::collections::{BTreeMap, BTreeSet};
use vnflab_impairment::Impairment;
use vnflab_wire::LinkState;
use vnflab_wire::core::cause::Cause;
use vnflab_wire::core::counters::EndCounters;
use vnflab_wire::core::fabric::{Departures, Fabric, Incoming, Limits, Slots};
use vnflab_wire::core::junction::Forwarding;
use vnflab_wire::core::policy::{Policy, Verdict};
use vnflab_wire::core::watch::{Direction, WatchSpec};
use vnflab_wire::core::{EndId, JunctionId};

/// Sizes of the pool's blocks: what a frame that waits takes of the limit.
const BLOCKS: [usize; 4] = [256, 2048, 9216, 65_536];

const WATCH: u64 = 7;

/// One slot, in which each frame comes in.
struct Slot(Vec<u8>);

impl Slots for Slot {
    fn frame(&self, _: u16, length: usize) -> &[u8] {
        &self.0[..length]
    }

    fn frame_mut(&mut self, _: u16, length: usize) -> &mut [u8] {
        &mut self.0[..length]
    }
}

/// A frame that waits. No two arrive at one time, so the time is its name.
struct Frame {
    from: EndId,
    arrived_ns: u64,
    due_ns: u64,
    bytes: Vec<u8>,
    /// Whether its lane kept the order when it came.
    ordered: bool,
    /// Whether its end has left the link in which it came.
    stale: bool,
}

#[derive(Default)]
struct End {
    junction: Option<JunctionId>,
    twin: Option<Box<Policy>>,
    received: u64,
    duplicates: u64,
    passed: u64,
    drops: BTreeMap<Cause, u64>,
    /// The last frame that left in order.
    last_in_order_ns: u64,
}

struct Junction {
    forwarding: Forwarding,
    state: LinkState,
    members: Vec<EndId>,
}

/// Both.
pub(crate) struct World {
    fabric: Fabric,
    out: Departures,
    slot: Slot,
    counters: BTreeMap<EndId, EndCounters>,
    ends: BTreeMap<EndId, End>,
    junctions: BTreeMap<JunctionId, Junction>,
    waiting: Vec<Frame>,
    limits: Limits,
    now_ns: u64,
    next_end: EndId,
    /// Addresses that somebody has sent from.
    senders: BTreeSet<[u8; 6]>,
    watch: Option<(Vec<EndId>, Vec<EndId>)>,
    seen: [usize; 2],
}

impl World {
    pub(crate) fn new(ends: usize) -> Self {
        let limits = Limits {
            total_bytes: 1 << 20,
            lane_bytes: 1 << 18,
        };
        let mut world = Self {
            fabric: Fabric::new(limits),
            out: Departures::default(),
            slot: Slot(vec![0; 65_536]),
            counters: BTreeMap::new(),
            ends: BTreeMap::new(),
            junctions: BTreeMap::new(),
            waiting: Vec::new(),
            limits,
            now_ns: 1_000_000_000,
            next_end: 0,
            senders: BTreeSet::new(),
            watch: None,
            seen: [0, 0],
        };
        (0..ends).for_each(|_| world.add_end());
        world
    }

    pub(crate) fn random_end(&self, random: &mut Random) -> EndId {
        let ends: Vec<EndId> = self.ends.keys().copied().collect();
        *random.one_of(&ends)
    }

    /// Up to `most` different ones.
    pub(crate) fn random_ends(&self, random: &mut Random, most: usize) -> Vec<EndId> {
        let mut ends = Vec::new();
        for _ in 0..random.below(most + 1) {
            let end = self.random_end(random);
            if !ends.contains(&end) {
                ends.push(end);
            }
        }
        ends
    }

    pub(crate) fn add_end(&mut self) {
        let counters = EndCounters::unshared().unwrap();
        self.fabric.add_end(self.next_end, counters.clone());
        self.counters.insert(self.next_end, counters);
        self.ends.insert(self.next_end, End::default());
        self.next_end += 1;
    }

    pub(crate) fn remove_end(&mut self, id: EndId) {
        self.fabric.remove_end(id);
        self.leave(id);
        self.ends.remove(&id);
    }

    pub(crate) fn put_junction(
        &mut self,
        id: JunctionId,
        forwarding: Forwarding,
        state: LinkState,
        members: Vec<EndId>,
    ) {
        self.fabric
            .put_junction(id, forwarding, state, members.clone());
        let were = self
            .junctions
            .get(&id)
            .map_or(Vec::new(), |known| known.members.clone());
        for end in were.iter().filter(|end| !members.contains(end)) {
            self.leave(*end);
        }
        for end in members.iter().filter(|end| !were.contains(end)) {
            if self.ends[end].junction.is_some() {
                self.leave(*end);
            }
            self.ends.get_mut(end).unwrap().junction = Some(id);
        }
        let junction = Junction {
            forwarding,
            state,
            members,
        };
        self.junctions.insert(id, junction);
    }

    pub(crate) fn remove_junction(&mut self, id: JunctionId) {
        self.fabric.remove_junction(id);
        if let Some(gone) = self.junctions.remove(&id) {
            gone.members.into_iter().for_each(|end| self.leave(end));
        }
    }

    /// Frames that wait in order are dropped at once, those with a timer each when it rings.
    fn leave(&mut self, id: EndId) {
        let end = self.ends.get_mut(&id).unwrap();
        if let Some(junction) = end
            .junction
            .take()
            .and_then(|id| self.junctions.get_mut(&id))
        {
            junction.members.retain(|member| *member != id);
        }
        let drops = &mut end.drops;
        self.waiting.retain_mut(|frame| {
            if frame.from != id || frame.stale {
                return true;
            }
            if frame.ordered {
                *drops.entry(Cause::Removed).or_default() += 1;
            }
            frame.stale = true;
            !frame.ordered
        });
    }

    pub(crate) fn bound(&mut self, limits: Limits) {
        self.fabric.bound(limits);
        self.limits = limits;
    }

    pub(crate) fn set_policy(&mut self, id: EndId, asked: &Impairment, seed: u64) {
        let policy = || Policy::new(asked, seed, self.now_ns).unwrap();
        let (policy, twin) = (policy(), policy());
        self.fabric.set_policy(id, policy, &mut self.out);
        self.ends.get_mut(&id).unwrap().twin = twin;
        let mut let_go = Vec::new();
        let mut rest = Vec::new();
        for frame in std::mem::take(&mut self.waiting) {
            match frame.from == id && frame.ordered && !frame.stale {
                true => let_go.push(frame),
                false => rest.push(frame),
            }
        }
        self.waiting = rest;
        self.expect(let_go);
    }

    pub(crate) fn watch(&mut self, sent_by: Vec<EndId>, received_by: Vec<EndId>) {
        self.unwatch();
        let spec = WatchSpec {
            sent_by: sent_by.clone(),
            received_by: received_by.clone(),
            filter: None,
            snap_length: 40,
        };
        self.fabric.watch(WATCH, spec);
        self.watch = Some((sent_by, received_by));
    }

    pub(crate) fn unwatch(&mut self) {
        self.fabric.unwatch(WATCH);
        self.watch = None;
    }

    /// Lets a frame come in, and what is due before it go.
    pub(crate) fn arrive(&mut self, from: EndId, length: usize, random: &mut Random) {
        self.advance(1000);
        let arrived_ns = self.now_ns - random.next() % 1000;
        for byte in &mut self.slot.0[..length] {
            *byte = random.next() as u8;
        }
        let header: Vec<u8> = [random_address(random), sender(from, random)]
            .concat()
            .into_iter()
            .chain(*random.one_of(&[[8, 0], [8, 6], [0x88, 0xb5]]))
            .collect();
        let part = length.min(header.len());
        self.slot.0[..part].copy_from_slice(&header[..part]);
        let mut bytes = self.slot.0[..length].to_vec();

        let incoming = Incoming {
            slot: 0,
            length,
            arrived_ns,
        };
        let Self {
            fabric, slot, out, ..
        } = self;
        fabric.arrive(from, incoming, self.now_ns, slot, out);

        let blocked = self.blocked(from);
        let end = self.ends.get_mut(&from).unwrap();
        end.received += 1;
        let mut verdict = match (&mut end.twin, blocked) {
            _ if length == 0 => Verdict::Drop(Cause::Empty),
            (_, Some(cause)) => Verdict::Drop(cause),
            (Some(twin), None) => twin.judge(arrived_ns, &mut bytes),
            (None, None) => Verdict::Deliver {
                due_ns: arrived_ns,
                duplicate_ns: None,
            },
        };
        if let Verdict::Deliver { due_ns, .. } = verdict
            && (due_ns > self.now_ns || self.last_in_order(from).is_some())
            && !self.has_room(from, length)
        {
            verdict = Verdict::Drop(Cause::Memory);
        }
        let end = self.ends.get_mut(&from).unwrap();
        if self
            .watch
            .as_ref()
            .is_some_and(|watch| watch.0.contains(&from))
        {
            self.seen[0] += 1;
        }
        let mut now = Vec::new();
        match verdict {
            Verdict::Drop(cause) => *end.drops.entry(cause).or_default() += 1,
            Verdict::Deliver {
                due_ns,
                duplicate_ns,
            } => {
                end.duplicates += u64::from(duplicate_ns.is_some());
                for due_ns in [Some(due_ns), duplicate_ns].into_iter().flatten() {
                    let frame = Frame {
                        from,
                        arrived_ns,
                        due_ns,
                        bytes: bytes.clone(),
                        ordered: false,
                        stale: false,
                    };
                    now.extend(self.deliver(frame));
                }
            }
        }
        self.expect(now);
    }

    /// Gives the frame back if it leaves at once.
    fn deliver(&mut self, mut frame: Frame) -> Option<Frame> {
        let end = self.ends.get_mut(&frame.from).unwrap();
        frame.ordered = end.twin.as_ref().is_none_or(|twin| twin.is_ordered());
        let last_ns = self.last_in_order(frame.from);
        if frame.due_ns <= self.now_ns && last_ns.is_none() {
            return Some(frame);
        }
        if !self.has_room(frame.from, frame.bytes.len()) {
            let end = self.ends.get_mut(&frame.from).unwrap();
            *end.drops.entry(Cause::Memory).or_default() += 1;
            return None;
        }
        if let Some(last_ns) = last_ns.filter(|_| frame.ordered) {
            frame.due_ns = frame.due_ns.max(last_ns);
        }
        self.waiting.push(frame);
        None
    }

    /// When the last frame is due that waits in order at an end.
    fn last_in_order(&self, from: EndId) -> Option<u64> {
        let mut waiting = self.waiting.iter().rev();
        let last = waiting.find(|one| one.from == from && one.ordered && !one.stale);
        last.map(|one| one.due_ns)
    }

    fn has_room(&self, from: EndId, length: usize) -> bool {
        let of_lane = self.waiting.iter().filter(|one| one.from == from);
        let lane_bytes: usize = of_lane.map(|one| one.bytes.len()).sum();
        let total_bytes: usize = self.waiting.iter().map(|one| block(one.bytes.len())).sum();
        lane_bytes + length <= self.limits.lane_bytes
            && total_bytes + block(length) <= self.limits.total_bytes
    }

    /// Lets one frame of two addresses come in; to whom it goes at once.
    pub(crate) fn pass(
        &mut self,
        from: EndId,
        receiver: [u8; 6],
        sender: [u8; 6],
        now_ns: u64,
    ) -> Vec<EndId> {
        let frame = [&receiver[..], &sender, &[0x88, 0xb5]].concat();
        self.slot.0[..frame.len()].copy_from_slice(&frame);
        let incoming = Incoming {
            slot: 0,
            length: frame.len(),
            arrived_ns: now_ns,
        };
        let Self {
            fabric, slot, out, ..
        } = self;
        fabric.arrive(from, incoming, now_ns, slot, out);
        let to = self.out.frames.iter().map(|departure| departure.to);
        let to = to.collect();
        self.fabric.recycle(&mut self.out);
        to
    }

    fn blocked(&self, id: EndId) -> Option<Cause> {
        let Some(junction) = self.ends[&id].junction else {
            return Some(Cause::Unconnected);
        };
        (self.junctions[&junction].state == LinkState::Down).then_some(Cause::Down)
    }

    pub(crate) fn advance(&mut self, nanoseconds: u64) {
        self.now_ns += nanoseconds;
        self.fabric.release(self.now_ns, &mut self.out);
        let mut due = Vec::new();
        let mut rest = Vec::new();
        for frame in std::mem::take(&mut self.waiting) {
            match frame.due_ns <= self.now_ns {
                true => due.push(frame),
                false => rest.push(frame),
            }
        }
        self.waiting = rest;
        for frame in due.iter().filter(|frame| frame.stale) {
            if let Some(end) = self.ends.get_mut(&frame.from) {
                *end.drops.entry(Cause::Removed).or_default() += 1;
            }
        }
        due.retain(|frame| !frame.stale);
        self.expect(due);
    }

    /// These and no others have left their lanes; looks at where they went.
    fn expect(&mut self, frames: Vec<Frame>) {
        let mut expected: Vec<(Frame, Option<Vec<EndId>>)> = Vec::new();
        let senders = frames.iter().filter_map(|frame| frame.bytes.get(6..12));
        self.senders
            .extend(senders.map(|bytes| <[u8; 6]>::try_from(bytes).unwrap()));
        for frame in frames {
            let junction = self.ends[&frame.from]
                .junction
                .map(|id| &self.junctions[&id]);
            let blocked = self.blocked(frame.from);
            let short = junction.is_some_and(|junction| {
                matches!(junction.forwarding, Forwarding::Switch { .. }) && frame.bytes.len() < 12
            });
            let end = self.ends.get_mut(&frame.from).unwrap();
            if let Some(cause) = blocked.or(short.then_some(Cause::Short)) {
                *end.drops.entry(cause).or_default() += 1;
                continue;
            }
            end.passed += 1;
            let junction = junction.unwrap();
            let others = junction.members.iter().filter(|id| **id != frame.from);
            let others: Vec<EndId> = others.copied().collect();
            // What a switch knows is looked at elsewhere; here, only what it cannot know.
            let floods = match junction.forwarding {
                Forwarding::Link | Forwarding::Hub => true,
                Forwarding::Switch { .. } => {
                    frame.bytes[0] & 1 == 1 || !self.senders.contains(&frame.bytes[..6])
                }
            };
            expected.push((frame, floods.then_some(others)));
        }
        let departures = std::mem::take(&mut self.out.frames);
        for departure in &departures {
            let found = expected.iter().any(|(frame, _)| {
                (frame.from, frame.arrived_ns) == (departure.from, departure.arrived_ns)
                    && frame.bytes == self.fabric.bytes(departure, &self.slot)
            });
            assert!(found, "nobody expects {departure:?} at {}", self.now_ns);
            let members = &self.junctions[&self.ends[&departure.from].junction.unwrap()].members;
            assert!(members.contains(&departure.to) && departure.to != departure.from);
            assert!(departure.length > 0);
            if self
                .watch
                .as_ref()
                .is_some_and(|watch| watch.1.contains(&departure.to))
            {
                self.seen[1] += 1;
            }
        }
        for (frame, receivers) in &expected {
            let copies = expected
                .iter()
                .filter(|(one, _)| one.arrived_ns == frame.arrived_ns);
            let copies = copies.count();
            let of_frame = departures
                .iter()
                .filter(|one| one.arrived_ns == frame.arrived_ns);
            let mut to: Vec<EndId> = of_frame.map(|departure| departure.to).collect();
            to.sort_unstable();
            let Some(receivers) = receivers else {
                continue;
            };
            let mut all = receivers.repeat(copies);
            all.sort_unstable();
            assert_eq!(to, all, "to whom the frame of {} went", frame.arrived_ns);
        }
        self.check_order(&departures, &expected);
        self.out.frames = departures;
        self.fabric.recycle(&mut self.out);
    }

    fn check_order(
        &mut self,
        departures: &[vnflab_wire::core::fabric::Departure],
        expected: &[(Frame, Option<Vec<EndId>>)],
    ) {
        for departure in departures {
            let is_ordered = |(frame, _): &&(Frame, Option<Vec<EndId>>)| {
                frame.arrived_ns == departure.arrived_ns && frame.ordered
            };
            if expected.iter().any(|one| is_ordered(&one)) {
                let end = self.ends.get_mut(&departure.from).unwrap();
                assert!(
                    departure.arrived_ns >= end.last_in_order_ns,
                    "order is kept"
                );
                end.last_in_order_ns = departure.arrived_ns;
            }
        }
    }

    /// Counters, memory, timers and copies are as the model has them.
    pub(crate) fn check(&mut self) {
        for (id, end) in &self.ends {
            let counts = self.counters[id].read();
            let held = self
                .waiting
                .iter()
                .filter(|frame| frame.from == *id)
                .count() as u64;
            let drops: BTreeMap<Cause, u64> = counts.drops.iter().copied().collect();
            assert_eq!(drops, end.drops, "end {id}");
            assert_eq!(counts.held_frames, held, "end {id}");
            assert_eq!(
                (
                    counts.received_frames,
                    counts.duplicates,
                    counts.passed_frames
                ),
                (end.received, end.duplicates, end.passed),
                "end {id}"
            );
            let dropped: u64 = drops.values().sum();
            assert_eq!(
                counts.received_frames + counts.duplicates,
                counts.passed_frames + dropped + held,
                "conservation at end {id}"
            );
        }
        let bytes: usize = self
            .waiting
            .iter()
            .map(|frame| block(frame.bytes.len()))
            .sum();
        assert_eq!(self.fabric.waiting_bytes(), bytes);
        let first = self.waiting.iter().map(|frame| frame.due_ns).min();
        if let Some(first) = first {
            assert!(self.fabric.next_due().is_some_and(|due| due <= first));
        }
        let mut copied = [0, 0];
        for (_, chunk) in self.fabric.take_chunks() {
            for (record, bytes) in chunk.frames() {
                assert_eq!(bytes.len(), (record.original_length as usize).min(40));
                copied[usize::from(record.direction == Direction::Received)] += 1;
            }
        }
        if self.watch.is_some() {
            assert_eq!(
                copied, self.seen,
                "copies of frames sent, and of frames received"
            );
        }
        self.seen = [0, 0];
    }

    /// Lets everything go.
    pub(crate) fn drain(&mut self) {
        while let Some(due_ns) = self.fabric.next_due() {
            self.advance(due_ns.saturating_sub(self.now_ns).max(1));
        }
        assert!(self.waiting.is_empty(), "nothing is left behind");
        assert_eq!(self.fabric.waiting_bytes(), 0);
        self.check();
    }
}

fn block(length: usize) -> usize {
    let fits = BLOCKS.iter().find(|bytes| length <= **bytes);
    *fits.unwrap()
}

/// Everybody sends from few addresses, so that switches learn, and sometimes from another's.
fn sender(from: EndId, random: &mut Random) -> [u8; 6] {
    let number = match random.once_in(20) {
        true => random.below(8) as u8,
        false => from as u8,
    };
    [2, 0, 0, 0, 0, number]
}

fn random_address(random: &mut Random) -> [u8; 6] {
    match random.below(5) {
        0 => [0xff; 6],
        1 => [1, 0x80, 0xc2, 0, 0, 2],
        _ => [2, 0, 0, 0, 0, random.below(12) as u8],
    }
}
