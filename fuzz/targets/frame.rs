//! Frames of any bytes go through a switch and through a link that looks at them, corrupts,
//! delays and doubles them, while both change: every frame is counted once.
//!
//! The input is steps of an end, a time since the last step in microseconds (two bytes), a length,
//! and that many bytes of a frame. Ends from 0x80 on are changes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vnflab_filter::Filter;
use vnflab_impairment::{Impairment, Rule, Settings};
use vnflab_wire::LinkState;
use vnflab_wire::core::counters::EndCounters;
use vnflab_wire::core::fabric::{Departures, Fabric, Incoming, Limits, Slots};
use vnflab_wire::core::junction::Forwarding;
use vnflab_wire::core::policy::Policy;
use vnflab_wire::core::watch::WatchSpec;

const ENDS: u32 = 5;
const SWITCH: u32 = 0;
const LINK: u32 = 1;

/// One slot: the frame that comes in.
struct Slot(Vec<u8>);

impl Slots for Slot {
    fn frame(&self, _: u16, length: usize) -> &[u8] {
        &self.0[..length]
    }

    fn frame_mut(&mut self, _: u16, length: usize) -> &mut [u8] {
        &mut self.0[..length]
    }
}

fuzz_target!(|input: &[u8]| {
    let limits = Limits {
        total_bytes: 8192,
        lane_bytes: 4096,
    };
    let mut fabric = Fabric::new(limits);
    let mut out = Departures::default();
    let mut now_ns = 1_000_000_000;
    for end in 0..ENDS {
        let counters = EndCounters::unshared().expect("there is memory");
        fabric.add_end(end, counters);
    }
    let switch = Forwarding::Switch {
        ageing_ns: 10_000_000,
        addresses: 3,
    };
    fabric.put_junction(SWITCH, switch, LinkState::Up, vec![0, 1, 2]);
    fabric.put_junction(LINK, Forwarding::Link, LinkState::Up, vec![3, 4]);
    fabric.set_policy(3, Some(policy(now_ns)), &mut out);
    fabric.watch(
        0,
        WatchSpec {
            sent_by: (0..ENDS).collect(),
            received_by: vec![4, 0],
            filter: Some(Filter::parse("not ip or udp").expect("the expression is good")),
            snap_length: 40,
        },
    );
    let mut rest = input;
    while let [end, high, low, length, behind @ ..] = rest {
        let (frame, behind) = behind.split_at(behind.len().min(usize::from(*length)));
        rest = behind;
        now_ns += u64::from(u16::from_be_bytes([*high, *low])) * 1000;
        fabric.release(now_ns, &mut out);
        match end {
            0x80.. => change(&mut fabric, *end, now_ns, &mut out),
            _ => {
                let incoming = Incoming {
                    slot: 0,
                    length: frame.len(),
                    arrived_ns: now_ns,
                };
                let mut slot = Slot(frame.to_vec());
                let from = u32::from(*end) % ENDS;
                fabric.arrive(from, incoming, now_ns, &mut slot, &mut out);
                for departure in &out.frames {
                    assert_ne!(departure.to, departure.from, "a frame came back");
                    assert_eq!(fabric.bytes(departure, &slot).len(), departure.length);
                }
            }
        }
        fabric.recycle(&mut out);
        look(&mut fabric);
    }
});

/// Delays some, drops some, corrupts and doubles some.
fn policy(now_ns: u64) -> Box<Policy> {
    let mut asked = Impairment::default();
    for (key, value) in [
        ("delay", "3ms"),
        ("jitter", "2ms"),
        ("corrupt", "30%"),
        ("duplicate", "30%"),
        ("mtu", "200"),
    ] {
        asked.settings.set(key, value).expect("the words are good");
    }
    for (matches, key, value) in [("arp", "loss", "50%"), ("udp", "delay", "9ms")] {
        let mut settings = Settings::default();
        settings.set(key, value).expect("the words are good");
        asked.rules.push(Rule {
            matches: matches.to_owned(),
            settings,
        });
    }
    let policy = Policy::new(&asked, 1, now_ns).expect("the impairment is good");
    policy.expect("something is asked")
}

fn change(fabric: &mut Fabric, number: u8, now_ns: u64, out: &mut Departures) {
    match number % 8 {
        0 => fabric.put_junction(LINK, Forwarding::Link, LinkState::Down, vec![3, 4]),
        1 => fabric.put_junction(LINK, Forwarding::Link, LinkState::Up, vec![4, 3]),
        2 => fabric.put_junction(SWITCH, Forwarding::Hub, LinkState::Up, vec![0, 1, 2, 4]),
        3 => fabric.remove_junction(LINK),
        4 => fabric.set_policy(3, None, out),
        5 => fabric.set_policy(3, Some(policy(now_ns)), out),
        6 => fabric.set_policy(0, Some(policy(now_ns)), out),
        _ => fabric.unwatch(0),
    }
}

/// Each frame that came in has passed, was dropped, or waits; and what was copied is whole.
fn look(fabric: &mut Fabric) {
    for end in 0..ENDS {
        let counts = fabric.counters(end).expect("the end is there").read();
        let dropped: u64 = counts.drops.iter().map(|(_, count)| count).sum();
        assert_eq!(
            counts.received_frames + counts.duplicates,
            counts.passed_frames + dropped + counts.held_frames,
            "end {end}: {counts:?}"
        );
    }
    let chunks: Vec<_> = fabric.take_chunks().collect();
    for (_, chunk) in chunks {
        let bytes: usize = chunk.frames().map(|(_, frame)| frame.len()).sum();
        assert_eq!(bytes, chunk.bytes.len());
    }
}
