//! How late frames are: latency, delay, rate; and how many are lost when some shall be.

use crate::cost::Stand;
use crate::relay::Role;
use crate::report::{Report, median, quantile};
use crate::stage::{Nodes, Tunnel};
use crate::{Effort, Error};
use vnflab_wire::Config;
use vnflab_wire::shard::Spin;
use vnflab_wire::sys::{Clock, Stamp};

/// Awake after a frame, and before something is due: what a wire on a machine of its own has.
const SPIN: Spin = Spin {
    after_frames_us: 100,
    before_due_us: 200,
};

fn ask(config: &mut Config, settings: &[(&str, &str)]) {
    for junction in config.junctions.values_mut() {
        for impairment in junction.impairments.values_mut() {
            for (key, value) in settings {
                let set = impairment.settings.set(key, value);
                set.expect("the bench knows the keys");
            }
        }
    }
}

/// One frame at a time: how long each is under way, in microseconds.
fn one_by_one(stand: &mut Stand, count: usize, gap_ns: u64) -> Vec<f64> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let begin = Clock::now();
        stand.nodes.send(&[0; 64], 1);
        if stand.nodes.receive_all(1, 100_000_000) == 1 {
            times.push((Clock::now() - begin) as f64 / 1e3);
        }
        let next = Clock::now() + gap_ns;
        while Clock::now() < next {
            std::hint::spin_loop();
        }
    }
    times
}

pub(crate) fn latency(effort: Effort, report: &mut Report) -> Result<(), Error> {
    let mut stands = Vec::new();
    for role in Role::ALL {
        stands.push((role.name(), 200_000, Stand::new(role, |_| {})?));
    }
    let mut times = vec![Vec::new(); stands.len()];
    for _ in 0..5 {
        for ((_, gap_ns, stand), times) in stands.iter_mut().zip(&mut times) {
            times.extend(one_by_one(stand, effort.of(400), *gap_ns));
        }
    }
    let base = median(&mut times[0]);
    for ((name, ..), times) in stands.iter().zip(&mut times) {
        report.beside(
            format!("latency, idle, {name}, p50"),
            median(times),
            "us",
            base,
        );
        let late = quantile(times, 0.99).unwrap_or(f64::NAN);
        report.figure(format!("latency, idle, {name}, p99"), late, "us");
    }
    drop(stands);
    let mut stand = Stand::new(Role::Wire, |config| config.spin = SPIN)?;
    let mut times = one_by_one(&mut stand, effort.of(8000), 20_000);
    report.beside(
        "latency, busy, wire that stays awake, p50",
        median(&mut times),
        "us",
        base,
    );
    let late = quantile(&mut times, 0.99).unwrap_or(f64::NAN);
    report.figure("latency, busy, wire that stays awake, p99", late, "us");
    Ok(())
}

/// Frames at even times: the difference between when each came and when it was sent, in
/// microseconds, by the kernel's stamp of its arrival.
fn paced(nodes: &mut Nodes, rate: u64, count: usize) -> Vec<f64> {
    let mut times = Vec::with_capacity(count);
    let mut frame = [0; 64];
    let begin = Clock::now() + 1_000_000;
    let (mut sent, mut last) = (0, begin);
    while times.len() < count {
        let now = Clock::now();
        if sent < count as u64 && now >= begin + sent * 1_000_000_000 / rate {
            frame[..8].copy_from_slice(&now.to_ne_bytes());
            nodes.send(&frame, 1);
            sent += 1;
        }
        let received = nodes.receive(|bytes, stamp| {
            let sent = bytes
                .first_chunk()
                .map_or(0, |bytes| Stamp::from_ne_bytes(*bytes));
            times.push((stamp as f64 - sent as f64) / 1e3);
        });
        if received > 0 {
            last = now;
        } else if now > last + 200_000_000 {
            break;
        }
    }
    times
}

pub(crate) fn delay(effort: Effort, report: &mut Report) -> Result<(), Error> {
    // From one node to the other without anything between: what a frame needs for one way. It
    // needs that once to the wire, whose stamp begins the delay, and once from it.
    let (a, b) = (Tunnel::new()?, Tunnel::new()?);
    let straight = |from: Tunnel, to: Tunnel| Tunnel {
        node: from.node,
        relay: to.node,
    };
    let mut direct = Nodes::new(straight(a, b), straight(b, a))?;
    for rate in [1000, 20_000] {
        let mut times = paced(&mut direct, rate, effort.of(rate as usize));
        report.figure(
            format!("one way without the wire at {rate}/s, p50"),
            median(&mut times),
            "us",
        );
    }
    for (name, spin) in [("asleep", Spin::default()), ("awake in time", SPIN)] {
        let mut stand = Stand::new(Role::Wire, |config| {
            config.spin = Spin {
                after_frames_us: 0,
                ..spin
            };
            ask(config, &[("delay", "10ms")]);
        })?;
        paced(&mut stand.nodes, 1000, 100);
        for rate in [1000, 20_000] {
            let count = effort.of(2 * rate as usize);
            let cpu = stand.process.cpu_ns();
            let mut late = paced(&mut stand.nodes, rate, count);
            let cpu = (stand.process.cpu_ns() - cpu) as f64 / late.len() as f64;
            late.iter_mut().for_each(|time| *time -= 10_000.0);
            let note = format!("{} of {count} came; CPU a frame {cpu:.0} ns", late.len());
            let mut at = |part| quantile(&mut late, part).unwrap_or(f64::NAN);
            let what = format!("error of 10 ms at {rate}/s, {name}");
            report.noted(format!("{what}, p50"), at(0.5), "us", note);
            report.figure(format!("{what}, p99"), at(0.99), "us");
            report.figure(format!("{what}, max"), at(1.0), "us");
            report.figure(format!("{what}, min"), at(0.0), "us");
        }
    }
    let mut plain = Stand::new(Role::Wire, |_| {})?;
    let mut delayed = Stand::new(Role::Wire, |config| ask(config, &[("delay", "10ms")]))?;
    for (bytes, in_flight) in IN_FLIGHT {
        let frame = vec![0; bytes];
        let (mut without, mut with) = (Vec::new(), Vec::new());
        // Short turns: the machine changes from one second to the next.
        for _ in 0..effort.of(8) {
            without.push(plain.flood(&frame, IN_SOCKETS, TURN_SECONDS));
            with.push(delayed.flood(&frame, in_flight, TURN_SECONDS));
        }
        let rate =
            |all: &[(f64, f64)]| median(&mut all.iter().map(|one| one.0).collect::<Vec<_>>());
        let cpu = |all: &[(f64, f64)]| median(&mut all.iter().map(|one| one.1).collect::<Vec<_>>());
        let (base_rate, base_cpu) = (rate(&without), cpu(&without));
        for (all, name) in [(&without, "without a delay"), (&with, "through 10 ms")] {
            let what = format!("of {bytes} B {name}");
            report.beside(
                format!("frames a second {what}"),
                rate(all),
                "/s",
                base_rate,
            );
            report.beside(format!("CPU a frame {what}"), cpu(all), "ns", base_cpu);
        }
    }
    Ok(())
}

/// How long frames flow before it is the turn of the other.
const TURN_SECONDS: f64 = 0.2;

/// Frames in flight without a delay: sockets have room for them.
const IN_SOCKETS: usize = 512;

/// Lengths of frames, and how many of them are in flight through a delay: those for which the
/// sockets have room when all come at once. Through 10 ms that is a hundred times as many a second.
const IN_FLIGHT: [(usize, usize); 2] = [(64, 8000), (1500, 3500)];

pub(crate) fn rate(effort: Effort, report: &mut Report) -> Result<(), Error> {
    for (rate, bits, bytes) in [
        ("1mbit", 1e6, 1000),
        ("10mbit", 1e7, 1000),
        ("100mbit", 1e8, 1000),
        ("1gbit", 1e9, 1500),
    ] {
        let mut stand = Stand::new(Role::Wire, |config| {
            config.spin = SPIN;
            ask(config, &[("rate", rate), ("queue", "none")]);
        })?;
        let seconds = effort.of(8) as f64 / 4.0;
        let wanted = (seconds * bits / 8.0 / bytes as f64).min(200_000.0) as usize;
        let window = (wanted / 4).clamp(8, 500);
        let frame = vec![0; bytes];
        let mut stamps: Vec<Stamp> = Vec::with_capacity(wanted);
        let (mut sent, mut last) = (0, Clock::now());
        while stamps.len() < wanted {
            if sent < wanted && sent - stamps.len() < window {
                sent += stand.nodes.send(&frame, 16.min(wanted - sent));
            }
            let now = Clock::now();
            match stand.nodes.receive(|_, stamp| stamps.push(stamp)) {
                0 if now - last > 500_000_000 => break,
                0 => {}
                _ => last = now,
            }
        }
        let (Some(first), Some(end)) = (stamps.first(), stamps.last()) else {
            return Err("nothing came".into());
        };
        let measured = (stamps.len() - 1) as f64 * bytes as f64 * 8e9 / (end - first) as f64;
        let note = format!("{} of {wanted} frames of {bytes} B", stamps.len());
        let error = (measured / bits - 1.0) * 100.0;
        report.noted(format!("error of {rate}"), error, "%", note);
        let ideal = bytes as f64 * 8e9 / bits;
        let gaps = stamps.windows(2).map(|pair| (pair[1] - pair[0]) as f64);
        let mut gaps: Vec<f64> = gaps.collect();
        let near = gaps
            .iter()
            .filter(|gap| (*gap / ideal - 1.0).abs() <= 0.05)
            .count();
        let near = near as f64 * 100.0 / gaps.len() as f64;
        let ideal = format!(
            "ideal {:.0} us; {near:.1} % of gaps within 5 % of it",
            ideal / 1e3
        );
        report.noted(
            format!("gap at {rate}, p50"),
            median(&mut gaps) / 1e3,
            "us",
            ideal,
        );
        let late = quantile(&mut gaps, 0.99).unwrap_or(f64::NAN) / 1e3;
        report.figure(format!("gap at {rate}, p99"), late, "us");
    }
    Ok(())
}

pub(crate) fn loss(effort: Effort, report: &mut Report) -> Result<(), Error> {
    for (word, part) in [("0.01%", 1e-4), ("1%", 0.01), ("50%", 0.5)] {
        let mut stand = Stand::new(Role::Wire, |config| ask(config, &[("loss", word)]))?;
        let count = effort.of(60_000);
        let (mut sent, mut received) = (0, 0);
        while sent < count {
            let some = stand.nodes.send(&[0; 64], 64);
            sent += some;
            received += stand.nodes.receive_all(some, 1_000_000);
        }
        received += stand.nodes.receive_all(usize::MAX, 50_000_000);
        let lost = 1.0 - received as f64 / sent as f64;
        // The 99 % interval of a binomial distribution that is near a normal one.
        let around = 2.576 * (part * (1.0 - part) / sent as f64).sqrt();
        let verdict = match (lost - part).abs() <= around {
            true => "inside",
            false => "outside",
        };
        let note = format!(
            "of {sent}; {verdict} the 99 % interval of +-{:.3}",
            around * 100.0
        );
        report.noted(format!("lost of {word}"), lost * 100.0, "%", note);
    }
    Ok(())
}
