//! What holds for all settings, frames and times.

mod common;

use common::settings;
use proptest::prelude::*;
use vnflab_impairment::{Judge, KEYS, Settings, Verdict};

/// Values of which any combination is asked for, most of them at their limits.
const VALUES: &[(&str, &[&str])] = &[
    ("profile", &["lte", "wifi-lossy", "satellite", "lan"]),
    ("mtu", &["68", "1500"]),
    (
        "loss",
        &[
            "0%",
            "1% 50%",
            "50%",
            "gilbert-elliott 5% 20% 80% 1%",
            "markov 5% 20% 5% 50% 1%",
            "every 3",
            "none",
        ],
    ),
    (
        "rate",
        &[
            "1bit",
            "56kbit",
            "10mbit",
            "9.999999999gbit",
            "10tbit",
            "none",
        ],
    ),
    ("overhead", &["24", "-65535", "65535"]),
    ("cell-size", &["48", "1", "65535"]),
    ("cell-overhead", &["5", "65535", "-65535"]),
    ("trace", &["t"]),
    (
        "queue",
        &["1frames", "10frames", "3000b", "0b", "64KiB", "none"],
    ),
    (
        "queue-discipline",
        &[
            "red 1KiB 10KiB 10%",
            "red 0b 1b 100%",
            "codel",
            "codel 0ms 1ns",
        ],
    ),
    ("delay", &["20ms", "1ns", "720h"]),
    ("jitter", &["5ms", "720h", "1ns"]),
    ("delay-correlation", &["25%", "100%"]),
    (
        "distribution",
        &["uniform", "normal", "pareto", "paretonormal", "table d"],
    ),
    ("reorder", &["25% 50% gap 5", "100%", "jitter", "0%"]),
    (
        "slot",
        &[
            "5ms",
            "1ms 10ms packets 3 bytes 4KiB",
            "0ms bytes 0b",
            "720h",
        ],
    ),
    ("duplicate", &["10%", "100%", "50% 99%"]),
    ("corrupt", &["10% 20%", "100%"]),
];

/// Any settings.
fn any_settings() -> impl Strategy<Value = Settings> {
    let keys: Vec<_> = VALUES
        .iter()
        .map(|(key, values)| {
            prop_oneof![
                2 => Just(None),
                1 => prop::sample::select(*values).prop_map(|value| Some((*key, value))),
            ]
        })
        .collect();
    keys.prop_map(|entries| {
        let entries: Vec<_> = entries.into_iter().flatten().collect();
        let mut settings = settings(&entries);
        for (key, content) in [
            ("trace", "0\n0\n3\n7\n"),
            ("distribution", "-32768 0 1 32767"),
        ] {
            if settings.files().iter().any(|(named, _)| *named == key) {
                settings.attach(key, content).expect("the files are good");
            }
        }
        settings
    })
}

/// Frames: how long after the last one, and how many bytes.
fn any_frames() -> impl Strategy<Value = Vec<(u64, usize)>> {
    let gap = prop_oneof![
        Just(0),
        0..1_000_u64,
        0..10_000_000_u64,
        Just(3_600_000_000_000),
    ];
    let size = prop_oneof![1..1515_usize, Just(60), Just(1514), Just(0), Just(65_507)];
    prop::collection::vec((gap, size), 1..200)
}

/// Where times begin: at 0, at today's, and close to the end of time.
fn any_start() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(1_790_000_000_000_000_000),
        Just(u64::MAX - 5_000_000)
    ]
}

/// All verdicts, with the arrivals and the frames as they were left.
fn run(judge: &mut Judge, start_ns: u64, frames: &[(u64, usize)]) -> Vec<(u64, Verdict, Vec<u8>)> {
    let mut now_ns = start_ns;
    let each = frames.iter().map(|(gap_ns, bytes)| {
        now_ns = now_ns.saturating_add(*gap_ns);
        let mut frame = vec![0xa5; *bytes];
        (now_ns, judge.judge(now_ns, &mut frame), frame)
    });
    each.collect()
}

#[test]
fn every_key_is_among_what_is_asked_for() {
    let here = VALUES.iter().map(|(key, _)| *key);
    assert!(here.eq(KEYS.iter().map(|key| key.name)));
}

proptest! {
    #[test]
    fn frames_arrive_after_they_were_sent_and_in_order(
        asked in any_settings(),
        frames in any_frames(),
        start_ns in any_start(),
        seed: u64,
    ) {
        let mut judge = Judge::new(&asked, seed);
        let ordered = judge.is_ordered();
        let writes = judge.needs_bytes();
        let mut last_ns = 0;
        for (arrival_ns, verdict, frame) in run(&mut judge, start_ns, &frames) {
            let flipped: u32 = frame.iter().map(|byte| (byte ^ 0xa5).count_ones()).sum();
            let Verdict::Deliver { due_ns, duplicate } = verdict else {
                prop_assert_eq!(flipped, 0);
                continue;
            };
            prop_assert!(flipped <= u32::from(writes));
            prop_assert!(due_ns >= arrival_ns);
            prop_assert!(duplicate.is_none_or(|due_ns| due_ns >= arrival_ns));
            if ordered {
                prop_assert!(due_ns >= last_ns);
                last_ns = due_ns;
                if let Some(due_ns) = duplicate {
                    prop_assert!(due_ns >= last_ns);
                    last_ns = due_ns;
                }
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_verdicts_whatever_comes_later(
        asked in any_settings(),
        frames in any_frames(),
        start_ns in any_start(),
        seed: u64,
        prefix in 0..200_usize,
    ) {
        let all = run(&mut Judge::new(&asked, seed), start_ns, &frames);
        let some = &frames[..prefix.min(frames.len())];
        let again = run(&mut Judge::new(&asked.resolved(), seed), start_ns, some);
        prop_assert_eq!(&all[..some.len()], &again[..]);
    }

    #[test]
    fn order_is_kept_over_changes(
        asked in prop::collection::vec(any_settings(), 1..5),
        frames in any_frames(),
        seed: u64,
    ) {
        let mut judge = Judge::new(&Settings::default(), seed);
        let mut last_ns = 0;
        let mut now_ns = 0;
        for asked in &asked {
            judge.change(asked);
            let ordered = judge.is_ordered();
            for (arrival_ns, verdict, _) in run(&mut judge, now_ns, &frames) {
                now_ns = arrival_ns;
                if let Verdict::Deliver { due_ns, duplicate } = verdict {
                    prop_assert!(due_ns >= arrival_ns);
                    let latest_ns = duplicate.unwrap_or(due_ns).max(due_ns);
                    if ordered {
                        prop_assert!(due_ns >= last_ns);
                        last_ns = latest_ns;
                    }
                }
            }
            if !ordered {
                return Ok(());
            }
        }
    }

    #[test]
    fn the_rate_is_never_exceeded_over_any_window(
        rate in prop::sample::select(vec![7_u64, 64_000, 333_333_333, 1_000_000_000, 9_999_999_999]),
        burst in prop::collection::vec((0..2_000_000_u64, 1..1515_usize), 2..120),
    ) {
        let rate_text = format!("{rate}bit");
        let mut judge = Judge::new(&settings(&[("rate", &rate_text), ("queue", "none")]), 1);
        let mut sent = Vec::new();
        for (arrival_ns, verdict, frame) in run(&mut judge, 0, &burst) {
            let Verdict::Deliver { due_ns, .. } = verdict else {
                panic!("nothing is dropped here");
            };
            prop_assert!(due_ns > arrival_ns || rate > 8_000_000_000);
            sent.push((due_ns, frame.len() as u128 * 8));
        }
        for first in 0..sent.len() {
            let mut bits = 0;
            for (due_ns, frame_bits) in &sent[first + 1..] {
                bits += frame_bits;
                // One nanosecond for times that are rounded up.
                let window_ns = u128::from(due_ns - sent[first].0) + 1;
                prop_assert!(bits * 1_000_000_000 <= window_ns * u128::from(rate));
            }
        }
    }

    #[test]
    fn a_line_that_has_work_never_rests(
        sizes in prop::collection::vec(1..1515_usize, 1..200),
        rate in 1_000..10_000_000_000_u64,
    ) {
        let rate_text = format!("{rate}bit");
        let mut judge = Judge::new(&settings(&[("rate", &rate_text)]), 1);
        let frames: Vec<(u64, usize)> = sizes.iter().map(|bytes| (0, *bytes)).collect();
        let all = run(&mut judge, 0, &frames);
        let bits: usize = sizes.iter().map(|bytes| bytes * 8).sum();
        let exact = (bits as u128 * 1_000_000_000).div_ceil(u128::from(rate));
        let Some((_, Verdict::Deliver { due_ns, .. }, _)) = all.last() else {
            panic!("nothing is dropped here");
        };
        prop_assert_eq!(u128::from(*due_ns), exact);
    }

    #[test]
    fn what_waits_is_never_more_than_the_limit(
        asked in any_settings(),
        limit in prop::sample::select(vec!["1frames", "7frames", "1514b", "4000b"]),
        frames in any_frames(),
        seed: u64,
    ) {
        let mut asked = asked;
        asked.set("queue", limit).unwrap();
        let mut judge = Judge::new(&asked, seed);
        let mut now_ns = 0;
        for (gap_ns, bytes) in frames {
            now_ns += gap_ns;
            judge.judge(now_ns, &mut vec![0; bytes]);
            let backlog = judge.backlog(now_ns);
            match limit {
                "1frames" => prop_assert!(backlog.frames <= 1),
                "7frames" => prop_assert!(backlog.frames <= 7),
                "1514b" => prop_assert!(backlog.bytes <= 1514),
                _ => prop_assert!(backlog.bytes <= 4000),
            }
        }
    }

    #[test]
    fn plain_settings_change_nothing(asked in any_settings(), frames in any_frames(), seed: u64) {
        if !asked.is_plain() {
            return Ok(());
        }
        for (arrival_ns, verdict, frame) in run(&mut Judge::new(&asked, seed), 0, &frames) {
            let expected = Verdict::Deliver { due_ns: arrival_ns, duplicate: None };
            prop_assert_eq!(verdict, expected);
            prop_assert!(frame.iter().all(|byte| *byte == 0xa5));
        }
    }
}
