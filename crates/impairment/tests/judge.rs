//! What becomes of frames, by cases that can be checked by hand.

mod common;

use common::{MS, S, US, dropped, due, judge, settings};
use vnflab_impairment::{Backlog, Cause, Judge, Verdict};

#[test]
fn nothing_asked_for_is_nothing_done() {
    let mut judge = judge(&[]);
    let mut frame = [7; 60];
    for arrival_ns in [0, 5, 3, u64::MAX] {
        let expected = Verdict::Deliver {
            due_ns: arrival_ns,
            duplicate: None,
        };
        // Time that goes back does not take order away.
        let expected = match arrival_ns {
            3 => Verdict::Deliver {
                due_ns: 5,
                duplicate: None,
            },
            _ => expected,
        };
        assert_eq!(judge.judge(arrival_ns, &mut frame), expected);
    }
    assert_eq!(frame, [7; 60]);
    assert!(judge.is_ordered() && !judge.needs_bytes());
}

#[test]
fn a_rate_sends_one_frame_after_the_other_exactly() {
    let mut judge = judge(&[("rate", "10mbit"), ("delay", "20ms")]);
    assert_eq!(due(&mut judge, 0, 1250), 21 * MS);
    assert_eq!(due(&mut judge, 200 * US, 1250), 22 * MS);
    let waiting = |judge: &mut Judge, now| {
        let Backlog { frames, bytes } = judge.backlog(now);
        (frames, bytes)
    };
    assert_eq!(waiting(&mut judge, 200 * US), (2, 2500));
    assert_eq!(waiting(&mut judge, MS), (1, 1250));
    assert_eq!(waiting(&mut judge, 2 * MS), (0, 0));
    assert_eq!(due(&mut judge, 10 * MS, 1250), 31 * MS);
}

#[test]
fn a_rate_that_divides_no_nanosecond_is_exact_in_the_long_run() {
    // 60 bytes at 7 bit/s... and at 333,333,333 bit/s: neither is a whole number of nanoseconds.
    for (rate, bits) in [
        ("7bit", 7_u128),
        ("333333333bit", 333_333_333),
        ("3gbit", 3_000_000_000),
    ] {
        let mut judge = judge(&[("rate", rate), ("queue", "none")]);
        let frames = 10_000;
        let mut last = 0;
        for _ in 0..frames {
            last = due(&mut judge, 0, 60);
        }
        let exact = (frames * 60 * 8 * u128::from(S)).div_ceil(bits);
        assert_eq!(u128::from(last), exact, "{rate}");
    }
}

#[test]
fn overhead_and_cells_are_sent_too() {
    let mut ethernet = judge(&[("rate", "8mbit"), ("overhead", "24")]);
    assert_eq!(due(&mut ethernet, 0, 76), 100 * US);
    let mut bare = judge(&[("rate", "8mbit"), ("overhead", "-14")]);
    assert_eq!(due(&mut bare, 0, 114), 100 * US);
    assert_eq!(due(&mut bare, 0, 10), 100 * US);
    // 100 bytes are three cells of 48 in 53.
    let mut atm = judge(&[
        ("rate", "8mbit"),
        ("cell-size", "48"),
        ("cell-overhead", "5"),
    ]);
    assert_eq!(due(&mut atm, 0, 100), 159 * US);
    assert_eq!(due(&mut atm, S, 96), S + 106 * US);
}

#[test]
fn queues_are_full_at_their_limit() {
    let mut frames = judge(&[("rate", "8mbit"), ("queue", "3frames")]);
    let fates: Vec<_> = (0..5).map(|_| dropped(&mut frames, 0, 1000)).collect();
    let queue = Some(Cause::Queue);
    assert_eq!(fates, [None, None, None, queue, queue]);
    assert_eq!(dropped(&mut frames, MS, 1000), None);
    assert_eq!(dropped(&mut frames, MS, 1000), queue);

    let mut bytes = judge(&[("rate", "8mbit"), ("queue", "3000b")]);
    let fates: Vec<_> = (0..4).map(|_| dropped(&mut bytes, 0, 1000)).collect();
    assert_eq!(fates, [None, None, None, queue]);
    assert_eq!(dropped(&mut bytes, 999 * US, 1), queue);
    assert_eq!(dropped(&mut bytes, MS, 1000), None);

    let mut usual = judge(&[("rate", "8mbit")]);
    let passed = (0..2000)
        .filter(|_| dropped(&mut usual, 0, 100).is_none())
        .count();
    assert_eq!(passed, 1000);
}

#[test]
fn jitter_keeps_order_unless_told_otherwise() {
    let asked = [("delay", "10ms"), ("jitter", "9ms")];
    let mut kept = judge(&asked);
    assert!(kept.is_ordered());
    let dues: Vec<u64> = (0..1000)
        .map(|n| due(&mut kept, n * 100 * US, 60))
        .collect();
    assert!(dues.is_sorted());

    let mut free = Judge::new(&settings(&[asked[0], asked[1], ("reorder", "jitter")]), 1);
    assert!(!free.is_ordered());
    let dues: Vec<u64> = (0..1000)
        .map(|n| due(&mut free, n * 100 * US, 60))
        .collect();
    assert!(!dues.is_sorted());
    for (n, due_ns) in (0..).zip(dues) {
        let delay = due_ns - n * 100 * US;
        assert!((MS..=19 * MS).contains(&delay), "{delay}");
    }
}

#[test]
fn reordered_frames_skip_the_delay_and_the_others_stay_in_order() {
    let mut judge = judge(&[("delay", "10ms"), ("reorder", "100% gap 5")]);
    assert!(!judge.is_ordered());
    let delays: Vec<u64> = (0..10)
        .map(|n| due(&mut judge, n * MS, 60) - n * MS)
        .collect();
    let d = 10 * MS;
    assert_eq!(delays, [d, d, d, d, 0, d, d, d, d, 0]);
}

#[test]
fn slots_deliver_in_bursts() {
    let mut judge = judge(&[("slot", "10ms packets 2")]);
    let dues: Vec<u64> = [0, 1, 2, 3, 25]
        .map(|ms| due(&mut judge, ms * MS, 60) / MS)
        .to_vec();
    assert_eq!(dues, [10, 10, 20, 20, 35]);
    assert!(judge.is_ordered());
}

#[test]
fn a_trace_takes_what_fits_at_each_opportunity() {
    let mut settings = settings(&[("trace", "x")]);
    settings.attach("trace", "2\n2\n5\n10\n").unwrap();
    let mut judge = Judge::new(&settings, 1);
    // It begins with the first frame, at 100 ms.
    let dues: Vec<u64> = [
        (100, 1504),
        (100, 1504),
        (100, 752),
        (100, 752),
        (100, 100),
        (100, 1504),
    ]
    .map(|(ms, bytes)| due(&mut judge, ms * MS, bytes) / MS)
    .to_vec();
    assert_eq!(dues, [102, 102, 105, 105, 110, 112]);
    // What nobody uses is lost; after the last line it begins anew, and again later.
    assert_eq!(due(&mut judge, 113 * MS, 60) / MS, 115);
    assert_eq!(due(&mut judge, 120 * MS, 60) / MS, 120);
    assert_eq!(due(&mut judge, 120 * MS + 1, 60) / MS, 122);
    assert_eq!(due(&mut judge, 1_000_003 * MS, 60) / MS, 1_000_005);
    assert_eq!(due(&mut judge, 1_000_003 * MS, 65_535) / MS, 1_000_112);
}

#[test]
fn a_frame_that_is_too_long_is_dropped() {
    let mut judge = judge(&[("mtu", "1500")]);
    assert_eq!(dropped(&mut judge, 0, 1514), None);
    assert_eq!(dropped(&mut judge, 0, 1515), Some(Cause::Mtu));
}

#[test]
fn corruption_flips_one_bit() {
    let mut judge = judge(&[("corrupt", "100%")]);
    assert!(judge.needs_bytes());
    let mut places = std::collections::BTreeSet::new();
    for _ in 0..5000 {
        let mut frame = [0_u8; 8];
        judge.judge(0, &mut frame);
        let number = u64::from_le_bytes(frame);
        assert_eq!(number.count_ones(), 1);
        places.insert(number);
    }
    assert_eq!(places.len(), 64);
    assert_eq!(judge.judge(0, &mut []), judge.judge(0, &mut []));
}

#[test]
fn copies_go_through_the_queue_behind_their_original() {
    let mut doubled = judge(&[
        ("duplicate", "100%"),
        ("rate", "8mbit"),
        ("queue", "3frames"),
    ]);
    let mut verdict = || doubled.judge(0, &mut [0; 1000]);
    let deliver = |due_ns, duplicate| Verdict::Deliver { due_ns, duplicate };
    assert_eq!(verdict(), deliver(MS, Some(2 * MS)));
    assert_eq!(verdict(), deliver(3 * MS, None));
    assert_eq!(verdict(), Verdict::Drop(Cause::Queue));
}

#[test]
fn every_nth_frame_is_lost() {
    let mut judge = judge(&[("loss", "every 3")]);
    let fates: Vec<bool> = (0..7)
        .map(|_| dropped(&mut judge, 0, 60).is_some())
        .collect();
    assert_eq!(fates, [false, false, true, false, false, true, false]);
}

#[test]
fn the_same_frames_are_lost_whatever_else_is_asked_for() {
    let lost = |others: &[(&str, &str)]| -> Vec<usize> {
        let mut settings = settings(others);
        settings.set("loss", "gilbert-elliott 5% 30%").unwrap();
        let mut judge = Judge::new(&settings, 99);
        let frames = 0..500;
        frames
            .filter(|n| dropped(&mut judge, *n as u64 * MS, 60) == Some(Cause::Loss))
            .collect()
    };
    let alone = lost(&[]);
    assert!(alone.len() > 10);
    assert_eq!(
        alone,
        lost(&[
            ("delay", "10ms"),
            ("jitter", "5ms"),
            ("delay-correlation", "50%")
        ])
    );
    assert_eq!(
        alone,
        lost(&[
            ("rate", "1mbit"),
            ("queue", "2frames"),
            ("duplicate", "20%")
        ])
    );
    assert_eq!(
        alone,
        lost(&[("mtu", "68"), ("corrupt", "50%"), ("slot", "1ms 3ms")])
    );
}

#[test]
fn order_and_the_queue_outlive_a_change() {
    let mut judge = judge(&[("rate", "8mbit"), ("delay", "50ms")]);
    assert_eq!(due(&mut judge, 0, 1000), 51 * MS);
    assert_eq!(due(&mut judge, 0, 1000), 52 * MS);
    judge.change(&settings(&[("rate", "80mbit")]));
    assert_eq!(judge.backlog(0).frames, 2);
    // The line is busy until 2 ms, and the delayed frames are still ahead.
    assert_eq!(due(&mut judge, 0, 1000), 52 * MS);
    assert_eq!(due(&mut judge, 60 * MS, 1000), 60 * MS + 100 * US);
    judge.change(&settings(&[]));
    assert_eq!(due(&mut judge, 60 * MS, 1000), 60 * MS + 100 * US);
    assert_eq!(due(&mut judge, 61 * MS, 1000), 61 * MS);

    // Unless nothing is left of what was before.
    judge.change(&settings(&[("rate", "8kbit"), ("delay", "1s")]));
    assert_eq!(due(&mut judge, 61 * MS, 1000), 2061 * MS);
    judge.restart(&settings(&[("rate", "8mbit")]));
    assert_eq!(judge.backlog(61 * MS).frames, 0);
    assert_eq!(due(&mut judge, 61 * MS, 1000), 62 * MS);
}

#[test]
fn a_change_does_not_repeat_the_fates_of_the_one_before() {
    let half = settings(&[("loss", "50%")]);
    let mut judge = Judge::new(&half, 5);
    let fates = |judge: &mut Judge| -> Vec<bool> {
        (0..64).map(|_| dropped(judge, 0, 60).is_some()).collect()
    };
    let first = fates(&mut judge);
    judge.change(&half);
    assert_ne!(first, fates(&mut judge));
}

#[test]
fn red_drops_some_before_the_queue_is_full() {
    let mut judge = judge(&[
        ("rate", "8mbit"),
        ("queue", "200KiB"),
        ("queue-discipline", "red 20KiB 60KiB 10%"),
    ]);
    // Frames come 10 % faster than they leave.
    let mut causes = std::collections::BTreeMap::new();
    let mut longest = 0;
    for n in 0..20_000_u64 {
        let arrival_ns = n * 900 * US;
        *causes
            .entry(dropped(&mut judge, arrival_ns, 1000))
            .or_insert(0_u32) += 1;
        longest = longest.max(judge.backlog(arrival_ns).bytes);
    }
    assert_eq!(causes.get(&Some(Cause::Queue)), None, "{causes:?}");
    let red = causes[&Some(Cause::Red)];
    // A tenth has to go; RED needs the queue to settle where it drops as many.
    assert!((1500..2500).contains(&red), "{causes:?}");
    assert!(longest < 100 * 1024, "{longest}");
}

#[test]
fn codel_holds_the_wait_near_its_target() {
    let mut judge = judge(&[
        ("rate", "8mbit"),
        ("queue", "1MiB"),
        ("queue-discipline", "codel"),
    ]);
    // Frames come 5 % faster than they leave: without drops the wait would grow to a second.
    let mut waits = Vec::new();
    let mut drops = 0;
    for n in 0..20_000_u64 {
        let arrival_ns = n * 950 * US;
        match judge.judge(arrival_ns, &mut [0; 1000]) {
            Verdict::Deliver { due_ns, .. } => waits.push(due_ns - arrival_ns),
            Verdict::Drop(cause) => {
                assert_eq!(cause, Cause::Codel);
                drops += 1;
            }
        }
    }
    let late = &waits[waits.len() / 2..];
    let mean = late.iter().sum::<u64>() / late.len() as u64;
    assert!((500..1500).contains(&drops), "{drops}");
    assert!(mean < 60 * MS, "{mean}");

    // Below the target nothing is dropped.
    let mut judge = common::judge(&[("rate", "8mbit"), ("queue-discipline", "codel")]);
    assert!((0..1000).all(|n| dropped(&mut judge, n * MS, 1000).is_none()));
}

#[test]
fn a_judge_is_small_while_nothing_waits() {
    assert!(size_of::<Judge>() <= 512, "{}", size_of::<Judge>());
}
