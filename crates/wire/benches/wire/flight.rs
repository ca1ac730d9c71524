//! What a frame costs that waits, with few or very many others: the core alone, without sockets.

use crate::report::Report;
use crate::{Effort, Error};
use std::hint::black_box;
use vnflab_impairment::Impairment;
use vnflab_wire::LinkState;
use vnflab_wire::core::counters::EndCounters;
use vnflab_wire::core::fabric::{Departures, Fabric, Incoming, Limits, Slots};
use vnflab_wire::core::junction::Forwarding;
use vnflab_wire::core::policy::Policy;
use vnflab_wire::core::wheel::Wheel;
use vnflab_wire::sys::Clock;

/// Length of all frames: those that wait take the smallest blocks.
const BYTES: usize = 64;

/// How long frames wait, about.
const WAIT_NS: u64 = 10_000_000;

struct Slot([u8; BYTES]);

impl Slots for Slot {
    fn frame(&self, _: u16, length: usize) -> &[u8] {
        &self.0[..length]
    }

    fn frame_mut(&mut self, _: u16, length: usize) -> &mut [u8] {
        &mut self.0[..length]
    }
}

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<(), Error> {
    for waiting in [1000, 100_000, 1_000_000] {
        let rounds = effort.of(4_000_000).max(2 * waiting);
        report.figure(
            format!("timer, {waiting} waiting"),
            timer_ns(waiting, rounds),
            "ns a frame",
        );
    }
    let forms: [(&str, &[(&str, &str)]); 3] = [
        ("without a delay", &[("mtu", "1500")]),
        ("delay", &[("delay", "10ms")]),
        (
            "delay that reorders",
            &[("delay", "10ms"), ("jitter", "9ms"), ("reorder", "jitter")],
        ),
    ];
    for (name, settings) in forms {
        for waiting in [1000, 100_000, 1_000_000] {
            let rounds = effort.of(4_000_000).max(2 * waiting);
            let cost = fabric_ns(settings, waiting, rounds)?;
            report.figure(
                format!("whole core, {name}, {waiting} waiting"),
                cost,
                "ns a frame",
            );
            if name == "without a delay" {
                break;
            }
        }
    }
    Ok(())
}

/// Puts entries into the wheel and takes them out, so that always about as many wait.
fn timer_ns(waiting: usize, rounds: usize) -> f64 {
    let mut wheel = Wheel::default();
    let mut state = 1_u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state >> 33
    };
    let mut now = 0;
    for number in 0..waiting as u64 {
        wheel.insert(random() % (2 * WAIT_NS), number);
    }
    let mut due = Vec::new();
    let mut turn = |count: usize| {
        let mut done = 0;
        while done < count {
            now += 10_000;
            wheel.take_due(now, &mut due);
            for number in due.drain(..) {
                done += 1;
                wheel.insert(now + random() % (2 * WAIT_NS), black_box(number));
            }
        }
        done
    };
    turn(waiting);
    let begin = Clock::now();
    let done = turn(rounds);
    (Clock::now() - begin) as f64 / done as f64
}

/// Lets frames through a link on a clock of its own, so that about as many wait at any time.
fn fabric_ns(settings: &[(&str, &str)], waiting: usize, rounds: usize) -> Result<f64, Error> {
    let mut fabric = Fabric::new(Limits {
        total_bytes: usize::MAX,
        lane_bytes: usize::MAX,
    });
    let mut out = Departures::default();
    fabric.add_end(0, EndCounters::unshared()?);
    fabric.add_end(1, EndCounters::unshared()?);
    fabric.put_junction(0, Forwarding::Link, LinkState::Up, vec![0, 1]);
    let mut asked = Impairment::default();
    for (key, value) in settings {
        asked.settings.set(key, value)?;
    }
    fabric.set_policy(0, Policy::new(&asked, 1, 0)?, &mut out);
    let step_ns = (WAIT_NS / waiting as u64).max(1) as f64;
    let mut slot = Slot([0; BYTES]);
    let mut time = 0.0;
    let mut batch = |fabric: &mut Fabric, out: &mut Departures| {
        let now_ns = time as u64;
        fabric.release(now_ns, out);
        for _ in 0..32 {
            time += step_ns;
            let incoming = Incoming {
                slot: 0,
                length: BYTES,
                arrived_ns: now_ns,
            };
            fabric.arrive(0, incoming, now_ns, &mut slot, out);
        }
        black_box(&out.frames);
        fabric.recycle(out);
        black_box(fabric.next_due());
    };
    for _ in 0..2 * waiting / 32 {
        batch(&mut fabric, &mut out);
    }
    let begin = Clock::now();
    for _ in 0..rounds / 32 {
        batch(&mut fabric, &mut out);
    }
    Ok((Clock::now() - begin) as f64 / (rounds / 32 * 32) as f64)
}
