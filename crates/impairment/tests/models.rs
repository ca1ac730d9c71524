//! A table of all models: what a seed means must not change from version to version.

mod common;

use std::fmt::Write;
use vnflab_impairment::{Judge, PROFILES, Settings, Verdict};

const MODELS: &[&[(&str, &str)]] = &[
    &[],
    &[("delay", "20ms")],
    &[("delay", "20ms"), ("jitter", "5ms")],
    &[
        ("delay", "20ms"),
        ("jitter", "5ms"),
        ("distribution", "normal"),
    ],
    &[
        ("delay", "20ms"),
        ("jitter", "5ms"),
        ("distribution", "pareto"),
    ],
    &[
        ("delay", "20ms"),
        ("jitter", "5ms"),
        ("distribution", "paretonormal"),
    ],
    &[
        ("delay", "20ms"),
        ("jitter", "5ms"),
        ("distribution", "table d"),
    ],
    &[
        ("delay", "20ms"),
        ("jitter", "5ms"),
        ("delay-correlation", "50%"),
    ],
    &[("delay", "20ms"), ("jitter", "5ms"), ("reorder", "jitter")],
    &[("delay", "20ms"), ("reorder", "25%")],
    &[("delay", "20ms"), ("reorder", "25% 50% gap 3")],
    &[("loss", "10%")],
    &[("loss", "10% 50%")],
    &[("loss", "gilbert-elliott 5% 30%")],
    &[("loss", "gilbert-elliott 5% 30% 60% 1%")],
    &[("loss", "markov 5% 30% 20% 50% 2%")],
    &[("loss", "every 4")],
    &[("duplicate", "10%")],
    &[("duplicate", "10% 50%")],
    &[("corrupt", "10%")],
    &[("corrupt", "10% 50%")],
    &[("rate", "50mbit")],
    &[("rate", "50mbit"), ("overhead", "24")],
    &[
        ("rate", "50mbit"),
        ("cell-size", "48"),
        ("cell-overhead", "5"),
    ],
    &[("rate", "50mbit"), ("queue", "16KiB")],
    &[("rate", "50mbit"), ("queue", "10frames")],
    &[
        ("rate", "50mbit"),
        ("queue-discipline", "red 20KiB 100KiB 10%"),
    ],
    &[("rate", "50mbit"), ("queue-discipline", "codel")],
    &[("trace", "t")],
    &[("mtu", "500")],
    &[("slot", "2ms 4ms packets 20")],
];

/// A frame of 1000 bytes every 100 µs: 80 Mbit/s.
const FRAMES: u64 = 10_000;

/// What is shown of a frame: its delay in microseconds, or the first letter of why it was
/// dropped; `+` for a copy, `~` for a flipped bit.
fn shown(arrival_ns: u64, verdict: Verdict, frame: &[u8]) -> String {
    match verdict {
        Verdict::Deliver { due_ns, duplicate } => {
            let copy = if duplicate.is_some() { "+" } else { "" };
            let flip = if frame.iter().any(|byte| *byte != 0) {
                "~"
            } else {
                ""
            };
            format!("{}{copy}{flip}", (due_ns - arrival_ns) / 1000)
        }
        Verdict::Drop(cause) => cause.word()[..1].to_uppercase(),
    }
}

fn row(name: &str, settings: &Settings) -> String {
    let mut judge = Judge::new(settings, 2026);
    let (mut first, mut dropped, mut copies, mut flips) = (Vec::new(), 0, 0, 0);
    let (mut sum_us, mut most_us, mut hash) = (0_u64, 0_u64, 0_u64);
    for n in 0..FRAMES {
        let arrival_ns = n * 100_000;
        let mut frame = [0; 1000];
        let verdict = judge.judge(arrival_ns, &mut frame);
        if n < 12 {
            first.push(shown(arrival_ns, verdict, &frame));
        }
        flips += u32::from(frame.iter().any(|byte| *byte != 0));
        let fate = match verdict {
            Verdict::Deliver { due_ns, duplicate } => {
                copies += u32::from(duplicate.is_some());
                sum_us += (due_ns - arrival_ns) / 1000;
                most_us = most_us.max((due_ns - arrival_ns) / 1000);
                due_ns
            }
            Verdict::Drop(_) => {
                dropped += 1;
                u64::MAX
            }
        };
        hash = (hash ^ fate).wrapping_mul(0x0100_0000_01b3).rotate_left(5);
    }
    let mean_us = sum_us.checked_div(FRAMES - dropped).unwrap_or_default();
    format!(
        "{name:<60} dropped {dropped:>5}  copies {copies:>4}  flips {flips:>4}  \
         us {mean_us:>6} mean {most_us:>7} most  {hash:016x}  {}",
        first.join(" ")
    )
}

#[test]
fn a_seed_means_the_same_in_every_version() {
    let mut table = String::new();
    for entries in MODELS {
        let mut settings = common::settings(entries);
        for (key, content) in [
            ("trace", "0\n1\n1\n2\n4\n"),
            ("distribution", "-8192 0 4096"),
        ] {
            if settings.files().iter().any(|(named, _)| *named == key) {
                settings.attach(key, content).expect("the files are good");
            }
        }
        let words: Vec<String> = entries
            .iter()
            .map(|(key, value)| format!("{key} {value}"))
            .collect();
        writeln!(table, "{}", row(&words.join(", "), &settings)).expect("text takes all");
    }
    for profile in PROFILES {
        let name = format!("profile {}", profile.name);
        writeln!(table, "{}", row(&name, &profile.settings())).expect("text takes all");
    }
    insta::assert_snapshot!(table);
}
