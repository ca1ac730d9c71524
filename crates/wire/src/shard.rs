//! The thread that moves frames: it owns the sockets and the fabric, and shares nothing.
//!
//! # Theory of operation
//!
//! The shard waits until a socket can be read, a waiting frame is due, or somebody has an order
//! for it. From each socket that can be read it takes one batch, so that no link starves another.
//! A batch of a link that asks for nothing goes straight out to the peer: no clock is read, no
//! lock taken, nothing allocated, nothing copied. All others go through the [`Fabric`].
//!
//! Orders are closures that run on the shard between two batches; they are how links change
//! while frames pass.
//!
//! *Spinning.* A thread that sleeps wakes up late: some 30 microseconds after a frame came in,
//! some 60 after a timer. So the shard may stay awake for a while after the last frame
//! ([`Spin::after_frames_us`], see [`Vigil`]), and it wakes up early for what is due and waits for the moment
//! awake. How early follows from how late it woke up before, up to [`Spin::before_due_us`].

use crate::core::EndId;
use crate::core::cause::Cause;
use crate::core::counters::EndCounters;
use crate::core::fabric::{Departures, Fabric, Incoming, Limits, Route, Slots};
use crate::core::watch::{Chunk, WatchId};
use crate::sys::{
    Arena, BATCH, Clock, Messages, Port, SendFault, SendReport, Stamping, Waiter, Waker,
    preemptions,
};
use crate::vigil::Vigil;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

/// Most bytes of copied frames that wait for one reader. Beyond it frames are not copied, and the
/// reader is told how many.
pub const WATCH_BACKLOG_BYTES: usize = 16 << 20;

/// How long the shard stays awake to be in time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Spin {
    /// Stay awake so long after the last frame, in microseconds, while nobody else wants the CPU; 0
    /// never.
    pub after_frames_us: u32,
    /// Wake up at most so long before something is due, in microseconds; 0 never.
    pub before_due_us: u32,
}

impl Spin {
    /// How early to wake up at most for a frame that is due, in microseconds: what a timer is late
    /// on a machine with nothing else to do. It costs CPU only where frames wait.
    pub const TIMELY_US: u32 = 150;

    /// How long to stay awake after a frame, in microseconds: a burst's next frame is there by then,
    /// and a link with a hundred frames a second costs half a percent of a CPU.
    pub const QUICK_US: u32 = 50;
}

/// What a shard does between two batches when asked.
type Order = Box<dyn FnOnce(&mut Floor) + Send>;

/// Gives orders to a shard, and ends it when dropped.
#[derive(Debug)]
pub struct Shard {
    orders: mpsc::Sender<Order>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

/// The shard has ended, which it does only when it is told to or has met a mistake of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the thread that moves frames has ended")]
pub struct Ended;

impl Shard {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the process has no threads or file descriptors left.
    pub fn start(limits: Limits) -> io::Result<Self> {
        let waiter = Waiter::new()?;
        let waker = waiter.waker();
        let (orders, receiver) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("wire-shard".to_owned())
            .spawn(move || Floor::new(waiter, limits).run(&receiver))?;
        Ok(Self {
            orders,
            waker,
            thread: Some(thread),
        })
    }

    /// Lets the shard do something, and waits for the answer.
    ///
    /// # Errors
    ///
    /// When the shard has ended.
    pub fn ask<T: Send + 'static>(
        &self,
        order: impl FnOnce(&mut Floor) -> T + Send + 'static,
    ) -> Result<T, Ended> {
        let (answer, receiver) = mpsc::sync_channel(1);
        let order = Box::new(move |floor: &mut Floor| {
            // Whoever asked may have gone.
            let _ = answer.send(order(floor));
        });
        self.orders.send(order).map_err(|_| Ended)?;
        self.waker.wake();
        receiver.recv().map_err(|_| Ended)
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        // The thread ends when nobody can give it orders any more.
        let (orders, _) = mpsc::channel();
        self.orders = orders;
        self.waker.wake();
        if let Some(thread) = self.thread.take() {
            // A panic there was already seen by whoever asked last.
            let _ = thread.join();
        }
    }
}

/// Where copied frames go.
#[derive(Debug)]
pub struct Outlet {
    chunks: mpsc::Sender<Chunk>,
    backlog: Arc<AtomicUsize>,
    missed: Arc<AtomicUsize>,
}

/// Where copied frames come from.
#[derive(Debug)]
pub struct Inlet {
    chunks: mpsc::Receiver<Chunk>,
    backlog: Arc<AtomicUsize>,
    missed: Arc<AtomicUsize>,
}

/// A pair of ends for copied frames.
pub fn outlet() -> (Outlet, Inlet) {
    let (sender, receiver) = mpsc::channel();
    let (backlog, missed) = (Arc::default(), Arc::default());
    let outlet = Outlet {
        chunks: sender,
        backlog: Arc::clone(&backlog),
        missed: Arc::clone(&missed),
    };
    let inlet = Inlet {
        chunks: receiver,
        backlog,
        missed,
    };
    (outlet, inlet)
}

impl Outlet {
    fn put(&self, mut chunk: Chunk) {
        let bytes = chunk.bytes.len() + std::mem::size_of_val(&chunk.records[..]);
        let waiting = self.backlog.fetch_add(bytes, Ordering::Relaxed);
        if waiting + bytes > WATCH_BACKLOG_BYTES {
            self.backlog.fetch_sub(bytes, Ordering::Relaxed);
            self.missed
                .fetch_add(chunk.records.len(), Ordering::Relaxed);
            return;
        }
        chunk.missed_before = self.missed.swap(0, Ordering::Relaxed) as u64;
        // A reader that has gone is taken away by whoever served it.
        let _ = self.chunks.send(chunk);
    }
}

impl Inlet {
    /// The next chunk, or `None` when the time is over; an error when the watch has ended.
    ///
    /// # Errors
    ///
    /// When the watch has ended.
    pub fn next(&self, patience: Duration) -> Result<Option<Chunk>, Ended> {
        match self.chunks.recv_timeout(patience) {
            Ok(chunk) => {
                let bytes = chunk.bytes.len() + std::mem::size_of_val(&chunk.records[..]);
                self.backlog.fetch_sub(bytes, Ordering::Relaxed);
                Ok(Some(chunk))
            }
            Err(mpsc::RecvTimeoutError::Timeout) => Ok(None),
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Ended),
        }
    }

    /// Frames that found no room, and behind which none came yet that did.
    pub fn take_missed(&self) -> u64 {
        self.missed.swap(0, Ordering::Relaxed) as u64
    }
}

/// Everything that the shard's thread owns.
pub struct Floor {
    /// The ends, links and segments.
    pub fabric: Fabric,
    ports: Vec<Option<Port>>,
    waiter: Waiter,
    arena: Arena,
    messages: Messages,
    departures: Departures,
    outlets: HashMap<WatchId, Outlet>,
    spin: Spin,
    vigil: Vigil,
    /// How late timers were of late, in nanoseconds.
    oversleep_ns: u64,
    has_ended: bool,
}

impl Slots for Arena {
    fn frame(&self, slot: u16, length: usize) -> &[u8] {
        &self.slot(slot)[..length]
    }

    fn frame_mut(&mut self, slot: u16, length: usize) -> &mut [u8] {
        &mut self.slot_mut(slot)[..length]
    }
}

impl Floor {
    fn new(waiter: Waiter, limits: Limits) -> Self {
        Self {
            fabric: Fabric::new(limits),
            ports: Vec::new(),
            waiter,
            arena: Arena::new(),
            messages: Messages::default(),
            departures: Departures::default(),
            outlets: HashMap::new(),
            spin: Spin::default(),
            vigil: Vigil::default(),
            oversleep_ns: 0,
            has_ended: false,
        }
    }

    /// Adds an end that is in no link, with its door to the outside.
    ///
    /// # Errors
    ///
    /// When the door cannot be watched.
    pub fn add_end(&mut self, id: EndId, port: Port, counters: EndCounters) -> io::Result<()> {
        let index = id as usize;
        if self.ports.len() <= index {
            self.ports.resize_with(index + 1, || None);
        }
        self.waiter.watch(port.descriptor(), u64::from(id))?;
        self.ports[index] = Some(port);
        self.fabric.add_end(id, counters);
        Ok(())
    }

    /// Takes an end away and closes its door.
    pub fn remove_end(&mut self, id: EndId) {
        self.fabric.remove_end(id);
        if let Some(port) = self.ports.get_mut(id as usize).and_then(Option::take) {
            self.waiter.forget(port.descriptor());
        }
    }

    /// Sets how long to stay awake.
    pub fn set_spin(&mut self, spin: Spin) {
        if self.spin.after_frames_us != spin.after_frames_us {
            self.vigil = Vigil::new(spin.after_frames_us);
        }
        self.spin = spin;
    }

    /// Changes the fabric, and sees to what follows from it: stamps, and frames that were let go.
    pub fn change(&mut self, change: impl FnOnce(&mut Fabric, &mut Departures)) {
        change(&mut self.fabric, &mut self.departures);
        self.send_departures();
        for (index, port) in self.ports.iter_mut().enumerate() {
            if let Some(Port::Udp(port)) = port {
                let stamping = match self.fabric.needs_stamps(index as EndId) {
                    true => Stamping::On,
                    false => Stamping::Off,
                };
                port.stamp(stamping);
            }
        }
    }

    /// Lets copied frames go to a reader.
    pub fn attach(&mut self, id: WatchId, outlet: Outlet) {
        self.outlets.insert(id, outlet);
    }

    /// Ends it.
    pub fn detach(&mut self, id: WatchId) {
        self.outlets.remove(&id);
        self.change(|fabric, _| fabric.unwatch(id));
    }

    /// Lets frames come in at an end as if they had been received there.
    pub fn inject(&mut self, id: EndId, frames: &[Vec<u8>]) {
        for batch in frames.chunks(BATCH) {
            let now_ns = Clock::now();
            self.fabric.release(now_ns, &mut self.departures);
            for (slot, frame) in (0_u16..).zip(batch) {
                let length = frame.len();
                if length > self.arena.slot(slot).len() {
                    if let Some(counters) = self.fabric.counters(id) {
                        counters.received(1, length as u64);
                        counters.dropped(Cause::TooLong, 1);
                    }
                    continue;
                }
                self.arena.frame_mut(slot, length).copy_from_slice(frame);
                let incoming = Incoming {
                    slot,
                    length,
                    arrived_ns: now_ns,
                };
                let Self {
                    fabric,
                    arena,
                    departures,
                    ..
                } = self;
                fabric.arrive(id, incoming, now_ns, arena, departures);
            }
            self.send_departures();
            self.pass_chunks_on();
        }
    }

    /// Frames that the kernel dropped before the wire could take them, at an end.
    pub fn overruns(&self, id: EndId) -> u64 {
        let port = self.ports.get(id as usize).and_then(Option::as_ref);
        port.map_or(0, Port::overruns)
    }

    fn run(mut self, orders: &mpsc::Receiver<Order>) {
        crate::sys::sharpen_timers();
        let mut ready = Vec::new();
        while !self.has_ended {
            let timeout = self.timeout();
            let slept = timeout.is_none_or(|time| !time.is_zero());
            if self.waiter.wait(timeout, &mut ready).is_err() {
                return;
            }
            if slept && ready.is_empty() {
                self.learn_oversleep();
            }
            for key in &ready {
                self.serve(*key as EndId);
            }
            if !self.fabric_is_idle() {
                self.fabric.release(Clock::now(), &mut self.departures);
                self.send_departures();
            }
            self.pass_chunks_on();
            if self.vigil.is_possible() {
                match ready.is_empty() {
                    true if self.vigil.is_held() => {
                        self.vigil.nothing_came(Clock::now(), preemptions);
                    }
                    true => {}
                    false => self.vigil.frames_came(Clock::now(), preemptions),
                }
            }
            self.obey(orders);
        }
    }

    fn obey(&mut self, orders: &mpsc::Receiver<Order>) {
        loop {
            match orders.try_recv() {
                Ok(order) => order(self),
                Err(mpsc::TryRecvError::Empty) => return,
                Err(mpsc::TryRecvError::Disconnected) => {
                    self.has_ended = true;
                    return;
                }
            }
        }
    }

    fn fabric_is_idle(&self) -> bool {
        self.fabric.next_due().is_none()
    }

    /// How long to wait; zero to look without waiting, `None` until something happens.
    fn timeout(&self) -> Option<Duration> {
        if self.vigil.is_held() {
            return Some(Duration::ZERO);
        }
        let due_ns = self.fabric.next_due()?;
        let early_ns = self
            .oversleep_ns
            .min(u64::from(self.spin.before_due_us) * 1000);
        let wait_ns = due_ns.saturating_sub(Clock::now());
        Some(Duration::from_nanos(wait_ns.saturating_sub(early_ns)))
    }

    /// A sleep ended by itself: by how much was it too long? Rises fast, falls slowly.
    fn learn_oversleep(&mut self) {
        let Some(due_ns) = self.fabric.next_due() else {
            return;
        };
        let early_ns = self
            .oversleep_ns
            .min(u64::from(self.spin.before_due_us) * 1000);
        let Some(late_ns) = (Clock::now() + early_ns).checked_sub(due_ns) else {
            // It was somebody with an order who ended it.
            return;
        };
        if late_ns > self.oversleep_ns {
            self.oversleep_ns += (late_ns - self.oversleep_ns) / 4;
        } else {
            self.oversleep_ns -= (self.oversleep_ns - late_ns) / 64;
        }
    }

    /// Takes one batch from an end.
    fn serve(&mut self, id: EndId) {
        let Some(port) = self.ports.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        let clock = self.fabric.needs_stamps(id).then(Clock::read);
        if let Err(error) = port.receive(&mut self.arena, clock) {
            // An error of something sent earlier, which the kernel had already taken.
            let counters = self.fabric.counters(id);
            if let (io::ErrorKind::ConnectionRefused, Some(counters)) = (error.kind(), counters) {
                counters.dropped(Cause::Refused, 1);
            }
            return;
        }
        match self.fabric.route(id) {
            Some(Route::Straight(peer)) => self.send_straight(id, peer),
            // Where somebody looks at them, frames are dropped one by one.
            Some(Route::Blocked(cause)) if clock.is_none() => self.drop_batch(id, cause),
            Some(Route::Blocked(_) | Route::Judged) => self.judge_batch(id),
            None => {}
        }
    }

    fn send_straight(&mut self, id: EndId, peer: EndId) {
        let arena = &self.arena;
        let arrivals = arena.arrivals();
        let frames = arrivals
            .iter()
            .filter(|arrival| arrival.length > 0)
            .map(|arrival| arena.frame(arrival.slot, arrival.length));
        let Some(port) = self.ports.get_mut(peer as usize).and_then(Option::as_mut) else {
            return;
        };
        let report = port.send(frames, &mut self.messages);
        let (Some(from), Some(to)) = (self.fabric.counters(id), self.fabric.counters(peer)) else {
            return;
        };
        let bytes: usize = arrivals.iter().map(|arrival| arrival.length).sum();
        let empty = arrivals
            .iter()
            .filter(|arrival| arrival.length == 0)
            .count();
        from.received(arrivals.len() as u64, bytes as u64);
        from.passed((arrivals.len() - empty) as u64);
        if empty > 0 {
            from.dropped(Cause::Empty, empty as u64);
        }
        count(to, &report);
    }

    fn drop_batch(&mut self, id: EndId, cause: Cause) {
        let Some(counters) = self.fabric.counters(id) else {
            return;
        };
        let arrivals = self.arena.arrivals();
        let bytes: usize = arrivals.iter().map(|arrival| arrival.length).sum();
        counters.received(arrivals.len() as u64, bytes as u64);
        counters.dropped(cause, arrivals.len() as u64);
    }

    fn judge_batch(&mut self, id: EndId) {
        let now_ns = Clock::now();
        self.fabric.release(now_ns, &mut self.departures);
        for index in 0..self.arena.arrivals().len() {
            let arrival = self.arena.arrivals()[index];
            let incoming = Incoming {
                slot: arrival.slot,
                length: arrival.length,
                arrived_ns: arrival.stamp.unwrap_or(now_ns).min(now_ns),
            };
            let Self {
                fabric,
                arena,
                departures,
                ..
            } = self;
            fabric.arrive(id, incoming, now_ns, arena, departures);
        }
        self.send_departures();
    }

    /// Sends what departs, one peer after the other, each peer's frames in their order.
    fn send_departures(&mut self) {
        if self.departures.frames.is_empty() {
            self.fabric.recycle(&mut self.departures);
            return;
        }
        let frames = &mut self.departures.frames;
        if !frames.is_sorted_by_key(|departure| departure.to) {
            frames.sort_by_key(|departure| departure.to);
        }
        let Self {
            fabric,
            ports,
            arena,
            messages,
            departures,
            ..
        } = self;
        for group in departures.frames.chunk_by(|a, b| a.to == b.to) {
            let to = group[0].to;
            let Some(port) = ports.get_mut(to as usize).and_then(Option::as_mut) else {
                continue;
            };
            let frames = group.iter().map(|departure| fabric.bytes(departure, arena));
            let report = port.send(frames, messages);
            if let Some(counters) = fabric.counters(to) {
                count(counters, &report);
            }
        }
        let now_ns = Clock::now();
        for departure in &departures.frames {
            if let Some(counters) = fabric.counters(departure.from) {
                counters.delayed(now_ns.saturating_sub(departure.arrived_ns));
            }
        }
        fabric.recycle(departures);
    }

    fn pass_chunks_on(&mut self) {
        if self.outlets.is_empty() {
            return;
        }
        for (id, chunk) in self.fabric.take_chunks() {
            if let Some(outlet) = self.outlets.get(&id) {
                outlet.put(chunk);
            }
        }
    }
}

fn count(counters: &EndCounters, report: &SendReport) {
    counters.sent(report.frames, report.bytes);
    for (fault, frames) in &report.faults {
        let cause = match fault {
            SendFault::Refused => Cause::Refused,
            SendFault::Unreachable => Cause::Unreachable,
            SendFault::Full => Cause::SendFull,
            SendFault::TooLong => Cause::TooLong,
            SendFault::Other => Cause::SendFailed,
        };
        counters.dropped(cause, *frames);
    }
}
