//! The wire between real sockets on the loopback interface.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod common;

use common::{Node, PATIENCE, Random, eventually, seeds};
use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use vnflab_wire::core::cause::Cause;
use vnflab_wire::core::counters::EndCounts;
use vnflab_wire::wire::WatchRequest;
use vnflab_wire::{Config, JunctionConfig, JunctionKind, LinkState, Wire};

/// A wire with nodes `a`, `b` and so on.
fn wire_of<const N: usize>() -> (Wire, Config, [Node; N]) {
    let nodes: [Node; N] = std::array::from_fn(|_| Node::new());
    let mut config = Config::default();
    for (name, node) in ('a'..).zip(&nodes) {
        config.ends.insert(name.to_string(), node.end());
    }
    (Wire::start().unwrap(), config, nodes)
}

/// The same with links of `a` and `b`, of `c` and `d`, and so on.
fn links_of<const N: usize>() -> (Wire, Config, [Node; N]) {
    let (mut wire, mut config, nodes) = wire_of::<N>();
    let names: Vec<String> = config.ends.keys().cloned().collect();
    for pair in names.chunks_exact(2) {
        let link = JunctionConfig::link(&pair[0], &pair[1]);
        config.junctions.insert(pair.concat(), link);
    }
    wire.apply(&config).unwrap();
    (wire, config, nodes)
}

fn counts(wire: &Wire, end: &str) -> EndCounts {
    // What is asked of the shard is answered between two batches: what was sent is counted.
    wire.facts().unwrap();
    wire.counts().remove(end).unwrap()
}

fn impair(config: &mut Config, junction: &str, settings: &[(&str, &str)]) {
    let junction = config.junctions.get_mut(junction).unwrap();
    for member in junction.members.clone() {
        let asked = junction.impairments.entry(member).or_default();
        for (key, value) in settings {
            asked.settings.set(key, value).unwrap();
        }
    }
}

fn random_frames(random: &mut Random) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut bytes = 0;
    while frames.len() < 60 {
        let length = match random.below(10) {
            0 => 1 + random.below(65_507),
            1 => 9000,
            2..5 => 1500,
            _ => 1 + random.below(1500),
        };
        for _ in 0..=random.below(20) {
            bytes += length + 1000;
            // What fits into the receive buffer of a plain socket.
            if bytes > 90_000 && !frames.is_empty() {
                return frames;
            }
            frames.push((0..length).map(|_| random.next() as u8).collect());
        }
    }
    frames
}

#[test]
fn frames_of_all_lengths_arrive_whole_and_in_order_both_ways() {
    for settings in [&[][..], &[("delay", "1ms")]] {
        let (mut wire, mut config, [a, b]) = links_of();
        impair(&mut config, "ab", settings);
        wire.apply(&config).unwrap();
        for seed in seeds(60) {
            println!("seed {seed}");
            let mut random = Random::new(seed);
            let (there, back) = (random_frames(&mut random), random_frames(&mut random));
            there.iter().for_each(|frame| a.send(frame));
            back.iter().for_each(|frame| b.send(frame));
            assert!(b.receive(there.len()) == there, "from a to b");
            assert!(a.receive(back.len()) == back, "from b to a");
        }
    }
}

#[test]
fn trains_are_cut_apart_before_they_are_received() {
    let (wire, _, [a, b]) = links_of();
    let lengths = [[1500; 40], [60; 40]].concat().into_iter();
    let lengths = lengths.chain([900, 1500, 1, 1, 65_507, 65_507, 9000, 9000, 8999]);
    let frames: Vec<Vec<u8>> = lengths.map(|length| vec![length as u8; length]).collect();
    for part in frames.chunks(30) {
        wire.inject("a", part.to_vec()).unwrap();
        assert!(b.receive(part.len()) == part);
    }
    assert!(a.is_quiet());
    assert_eq!(counts(&wire, "b").sent_frames, frames.len() as u64);
    wire.inject("a", vec![vec![0; 65_537], vec![1; 100]])
        .unwrap();
    assert_eq!(b.receive(1), [[1; 100]]);
    assert_eq!(counts(&wire, "a").dropped(Cause::TooLong), 1);
}

#[test]
fn an_empty_datagram_ends_at_the_wire() {
    let (mut wire, mut config, [a, b]) = links_of();
    for round in 1..=2 {
        a.send(&[]);
        a.send(&vec![7; 65_507]);
        assert_eq!(b.receive(1), [vec![7; 65_507]]);
        let counts = counts(&wire, "a");
        assert_eq!(
            (counts.received_frames, counts.passed_frames),
            (2 * round, round)
        );
        assert_eq!(counts.dropped(Cause::Empty), round);
        impair(&mut config, "ab", &[("delay", "1ms")]);
        wire.apply(&config).unwrap();
    }
    assert!(b.is_quiet());
}

#[test]
fn frames_of_strangers_do_not_get_in() {
    let (wire, _, [a, b]) = links_of();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..10 {
        // The kernel may answer that nobody listens: for a stranger that is so.
        let _ = stranger.send_to(b"let me in", a.tunnel);
    }
    a.send(b"hello");
    assert_eq!(b.receive(1), [b"hello"]);
    assert_eq!(counts(&wire, "a").received_frames, 1);
}

#[test]
fn a_dead_peer_is_counted_and_gets_frames_as_soon_as_it_is_back() {
    let (wire, _, [a, b]) = links_of();
    let address = b.socket.local_addr().unwrap();
    let tunnel = b.tunnel;
    drop(b);
    eventually("refused frames are counted", || {
        a.send(b"is anybody there?");
        counts(&wire, "b").dropped(Cause::Refused) > 0
    });
    let before = counts(&wire, "a");
    a.send(b"nobody yet");
    eventually("the wire has taken it", || {
        counts(&wire, "a").received_frames > before.received_frames
    });
    let b = Node::at(address, tunnel);
    let frames: Vec<Vec<u8>> = (0..20_u8).map(|number| vec![number; 100]).collect();
    frames.iter().for_each(|frame| a.send(frame));
    assert_eq!(b.receive(frames.len()), frames);
    b.send(b"back");
    assert_eq!(a.receive(1), [b"back"]);
}

#[test]
fn a_flood_on_one_link_stalls_no_other() {
    let (mut wire, mut config, [a, b, c, d]) = links_of();
    impair(
        &mut config,
        "ab",
        &[("rate", "10mbit"), ("queue", "none"), ("duplicate", "50%")],
    );
    wire.apply(&config).unwrap();
    let has_ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !has_ended.load(Ordering::Relaxed) {
                a.send(&[0; 1500]);
                b.send(&[0; 65_507]);
            }
        });
        for number in 0..500_u32 {
            c.send(&number.to_be_bytes());
            assert_eq!(d.receive(1), [number.to_be_bytes()]);
        }
        has_ended.store(true, Ordering::Relaxed);
    });
    assert!(counts(&wire, "a").received_frames > 0);
}

#[test]
fn a_delay_holds_back_for_at_least_as_long() {
    let (mut wire, mut config, [a, b]) = links_of();
    impair(&mut config, "ab", &[("delay", "20ms")]);
    wire.apply(&config).unwrap();
    for number in 0..20_u8 {
        let sent = Instant::now();
        a.send(&[number]);
        assert_eq!(b.receive(1), [[number]]);
        assert!(
            sent.elapsed() >= Duration::from_millis(20),
            "{:?}",
            sent.elapsed()
        );
    }
    eventually(
        "20 ms is in bucket 15 or, on a busy machine, in a later one",
        || {
            let latency = counts(&wire, "a").latency;
            assert_eq!(latency[..15].iter().sum::<u64>(), 0, "{latency:?}");
            latency.iter().sum::<u64>() == 20
        },
    );
}

/// Lets numbered frames flow from a node until it is dropped.
struct Flow<'a> {
    sent: &'a AtomicU64,
    has_ended: &'a AtomicBool,
}

impl Flow<'_> {
    fn run(&self, node: &Node) {
        while !self.has_ended.load(Ordering::Relaxed) {
            let number = self.sent.fetch_add(1, Ordering::Relaxed);
            node.send(&number.to_be_bytes().repeat(8));
            thread::sleep(Duration::from_micros(200));
        }
    }
}

/// The first frame that a node receives whose number is at least this.
fn first_from(node: &Node, least: u64) -> u64 {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        for frame in node.receive(1) {
            let number = u64::from_be_bytes(frame[..8].try_into().unwrap());
            if number >= least {
                return number;
            }
        }
    }
    panic!("nothing from {least} on came in {PATIENCE:?}");
}

#[test]
fn links_change_while_frames_flow_and_every_frame_is_counted() {
    let (mut wire, mut config, [a, b, c, d]) = wire_of();
    let (sent, has_ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let now = || sent.load(Ordering::Relaxed);
    let flow = Flow {
        sent: &sent,
        has_ended: &has_ended,
    };
    let mut total = BTreeMap::new();
    wire.apply(&config).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| flow.run(&a));
        let mut apply = |config: &Config| wire.apply(config).unwrap();
        let link = |with: &str| JunctionConfig::link("a", with);

        config.junctions.insert("ab".to_owned(), link("b"));
        apply(&config);
        first_from(&b, now());

        // Moved: what is sent from now on goes to c alone.
        config.junctions = BTreeMap::from([("ac".to_owned(), link("c"))]);
        apply(&config);
        let moved = now() + 1;
        first_from(&c, moved);
        assert!(
            b.drain()
                .iter()
                .all(|frame| frame[..8] < moved.to_be_bytes()[..])
        );

        // Taken away, and put back.
        config.junctions.clear();
        apply(&config);
        let gone = now() + 1;
        thread::sleep(Duration::from_millis(20));
        assert!(
            c.drain()
                .iter()
                .all(|frame| frame[..8] < gone.to_be_bytes()[..])
        );
        config.junctions.insert("ab".to_owned(), link("b"));
        apply(&config);
        first_from(&b, now());

        // Cut, and restored.
        config.junctions.get_mut("ab").unwrap().state = LinkState::Down;
        apply(&config);
        let cut = now() + 1;
        thread::sleep(Duration::from_millis(20));
        assert!(
            b.drain()
                .iter()
                .all(|frame| frame[..8] < cut.to_be_bytes()[..])
        );
        config.junctions.get_mut("ab").unwrap().state = LinkState::Up;
        apply(&config);
        first_from(&b, now());

        // Delayed, with frames that wait while the delay goes, and in another segment.
        impair(
            &mut config,
            "ab",
            &[("delay", "10ms"), ("duplicate", "20%")],
        );
        apply(&config);
        first_from(&b, now());
        config.junctions.get_mut("ab").unwrap().impairments.clear();
        apply(&config);
        first_from(&b, now());
        impair(
            &mut config,
            "ab",
            &[("delay", "10ms"), ("jitter", "9ms"), ("reorder", "jitter")],
        );
        apply(&config);
        first_from(&b, now());
        config.junctions.clear();
        let hub = JunctionConfig {
            kind: JunctionKind::Hub,
            members: ["a", "c", "d"].map(str::to_owned).to_vec(),
            ..link("c")
        };
        config.junctions.insert("hub".to_owned(), hub);
        apply(&config);
        let joined = now();
        first_from(&c, joined);
        first_from(&d, joined);
        has_ended.store(true, Ordering::Relaxed);
    });
    eventually("all that was sent is counted", || {
        let counts = counts(&wire, "a");
        total = counts.drops.iter().copied().collect();
        let dropped: u64 = total.values().sum();
        assert_eq!(wire.facts().unwrap().ends["a"].overruns, 0);
        counts.received_frames == sent.load(Ordering::Relaxed)
            && counts.held_frames == 0
            && counts.received_frames + counts.duplicates == counts.passed_frames + dropped
    });
    assert!(
        total[&Cause::Down] > 0 && total[&Cause::Unconnected] > 0,
        "{total:?}"
    );
}

#[test]
fn an_end_that_leads_elsewhere_stays_in_its_link_with_all_that_was_asked() {
    let (mut wire, mut config, [a, b]) = links_of();
    let elsewhere = Node::new();
    impair(&mut config, "ab", &[("mtu", "100")]);
    wire.apply(&config).unwrap();
    a.send(b"one");
    assert_eq!(b.receive(1), [b"one"]);
    config.ends.insert("b".to_owned(), elsewhere.end());
    wire.apply(&config).unwrap();
    a.send(b"two");
    assert_eq!(elsewhere.receive(1), [b"two"]);
    elsewhere.send(&[0; 1000]);
    elsewhere.send(b"three");
    assert_eq!(a.receive(1), [b"three"]);
    assert_eq!(counts(&wire, "b").dropped(Cause::Mtu), 1);
    assert!(b.is_quiet());
}

#[test]
fn what_cannot_be_opened_changes_nothing() {
    let (mut wire, config, [a, b]) = links_of();
    let taken = Node::new();
    let _holder = UdpSocket::bind(taken.tunnel).unwrap();
    let mut wanted = config.clone();
    wanted.ends.insert("b".to_owned(), taken.end());
    wanted.junctions.get_mut("ab").unwrap().state = LinkState::Down;
    let error = wire.apply(&wanted).unwrap_err().to_string();
    assert!(error.contains("`b` cannot be opened"), "{error}");
    assert_eq!(wire.config(), &config);
    a.send(b"still here");
    assert_eq!(b.receive(1), [b"still here"]);
}

#[test]
fn a_capture_that_nobody_reads_does_not_hold_up_the_link() {
    let (mut wire, _, [a, b]) = links_of();
    let request = WatchRequest {
        sent_by: vec!["a".to_owned()],
        received_by: vec!["b".to_owned()],
        filter: None,
        snap_length: 65_535,
    };
    let (id, inlet) = wire.watch(request).unwrap();
    let frames = 600;
    for number in 0..frames {
        let frame = vec![number as u8; 60_000];
        a.send(&frame);
        assert!(b.receive(1) == [frame]);
    }
    wire.unwatch(id).unwrap();
    let mut read = 0;
    while let Ok(Some(chunk)) = inlet.next(Duration::ZERO) {
        read += chunk.records.len() as u64;
    }
    let missed = inlet.take_missed();
    assert!(missed > 0 && read > 0, "{read} read, {missed} missed");
    assert_eq!(read + missed, 2 * frames, "each frame is seen at both ends");
}
