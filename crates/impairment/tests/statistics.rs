//! Every model against its formula.
//!
//! The seeds are fixed, so that these tests always end alike; where a figure must lie inside of
//! the 99 % interval of what was asked for, it is that of the binomial distribution, widened by
//! what correlation does to the variance.

mod common;

use common::{MS, judge, settings};
use vnflab_impairment::{Cause, Judge, Settings, Verdict};

/// Half the width of the 99 % interval, in standard deviations.
const INTERVAL: f64 = 2.5758;

/// Frames a test looks at.
const FRAMES: usize = 400_000;

/// To which frames it happened.
fn fates(judge: &mut Judge, happened: impl Fn(&Verdict, &[u8]) -> bool) -> Vec<bool> {
    let mut frame = [0_u8; 60];
    let each = (0..FRAMES).map(|_| {
        frame.fill(0);
        let verdict = judge.judge(0, &mut frame);
        happened(&verdict, &frame)
    });
    each.collect()
}

fn lost(entries: &[(&str, &str)], seed: u64) -> Vec<bool> {
    let mut judge = Judge::new(&settings(entries), seed);
    fates(&mut judge, |verdict, _| {
        *verdict == Verdict::Drop(Cause::Loss)
    })
}

fn share(fates: &[bool]) -> f64 {
    fates.iter().filter(|fate| **fate).count() as f64 / fates.len() as f64
}

/// The correlation of one frame's fate with the next one's.
fn correlation(fates: &[f64]) -> f64 {
    let mean = fates.iter().sum::<f64>() / fates.len() as f64;
    let variance: f64 = fates.iter().map(|x| (x - mean) * (x - mean)).sum();
    let both: f64 = fates
        .windows(2)
        .map(|x| (x[0] - mean) * (x[1] - mean))
        .sum();
    both / variance
}

/// Lengths of the runs of losses.
fn bursts(fates: &[bool]) -> Vec<f64> {
    let runs = fates.chunk_by(|one, other| one == other);
    runs.filter(|run| run[0])
        .map(|run| run.len() as f64)
        .collect()
}

/// That a share is inside of its 99 % interval, where each fate is correlated with the next.
fn assert_share(what: &str, fates: &[bool], expected: f64, correlation: f64) {
    let widened = (1.0 + correlation) / (1.0 - correlation);
    let deviation = (expected * (1.0 - expected) * widened / fates.len() as f64).sqrt();
    let found = share(fates);
    assert!(
        (found - expected).abs() <= INTERVAL * deviation,
        "{what}: {found}, not {expected} +- {}",
        INTERVAL * deviation
    );
}

#[test]
fn chances_are_inside_the_interval_of_what_was_asked_for() {
    for (text, expected) in [
        ("0%", 0.0),
        ("0.01%", 0.0001),
        ("1%", 0.01),
        ("50%", 0.5),
        ("99%", 0.99),
        ("100%", 1.0),
    ] {
        let losses = lost(&[("loss", text)], 1);
        assert_share(&format!("loss {text}"), &losses, expected, 0.0);
        let mut doubling = judge(&[("duplicate", text)]);
        let copies = fates(&mut doubling, |verdict, _| {
            matches!(
                verdict,
                Verdict::Deliver {
                    duplicate: Some(_),
                    ..
                }
            )
        });
        assert_share(&format!("duplicate {text}"), &copies, expected, 0.0);
        let mut corrupting = judge(&[("corrupt", text)]);
        let flipped = fates(&mut corrupting, |_, frame| {
            frame.iter().any(|byte| *byte != 0)
        });
        assert_share(&format!("corrupt {text}"), &flipped, expected, 0.0);
        let mut reordering = judge(&[("reorder", text), ("delay", "10ms")]);
        let skipped = fates(&mut reordering, |verdict, _| {
            matches!(verdict, Verdict::Deliver { due_ns: 0, .. })
        });
        assert_share(&format!("reorder {text}"), &skipped, expected, 0.0);
    }
}

#[test]
fn seeds_scatter_as_the_binomial_distribution_does() {
    // Of 400 seeds four are expected outside of the 99 % interval; more than 12 would be one case
    // in ten thousand, and none at all one in fifty.
    let frames = 5000_usize;
    for (text, expected) in [("0.01%", 0.0001_f64), ("2%", 0.02), ("50%", 0.5)] {
        let deviation = (expected * (1.0 - expected) / frames as f64).sqrt();
        let mut outside = 0;
        let mut sum = 0.0;
        for seed in 0..400 {
            let mut judge = Judge::new(&settings(&[("loss", text)]), seed);
            let fates = (0..frames).map(|_| common::dropped(&mut judge, 0, 60));
            let found = fates.flatten().count() as f64 / frames as f64;
            sum += found;
            outside += u32::from((found - expected).abs() > INTERVAL * deviation);
        }
        let mean = sum / 400.0;
        assert!(
            (mean - expected).abs() < INTERVAL * deviation / 20.0,
            "{text}: {mean}"
        );
        // With half a loss a seed the interval is none of a whole number.
        if expected > 0.001 {
            assert!((1..=12).contains(&outside), "{text}: {outside}");
        }
    }
}

#[test]
fn correlation_keeps_the_share_and_is_what_was_asked_for() {
    for (text, expected, asked) in [
        ("1% 25%", 0.01, 0.25),
        ("10% 50%", 0.1, 0.5),
        ("50% 75%", 0.5, 0.75),
        ("90% 25%", 0.9, 0.25),
    ] {
        let losses = lost(&[("loss", text)], 1);
        assert_share(text, &losses, expected, asked);
        let figures: Vec<f64> = losses
            .iter()
            .map(|lost| f64::from(u8::from(*lost)))
            .collect();
        let found = correlation(&figures);
        assert!((found - asked).abs() < 0.03, "{text}: {found}");
    }
}

#[test]
fn gilbert_and_elliott_lose_in_bursts() {
    for (text, p, r, bad, good) in [
        ("gilbert-elliott 1% 25%", 0.01, 0.25, 1.0, 0.0),
        ("gilbert-elliott 5% 50%", 0.05, 0.5, 1.0, 0.0),
        ("gilbert-elliott 1% 10% 70% 0.1%", 0.01, 0.1, 0.7, 0.001),
    ] {
        let losses = lost(&[("loss", text)], 7);
        let is_bad = p / (p + r);
        let expected = is_bad * bad + (1.0 - is_bad) * good;
        assert_share(text, &losses, expected, 1.0 - p - r);
        if bad < 1.0 {
            continue;
        }
        let lengths = bursts(&losses);
        let mean = lengths.iter().sum::<f64>() / lengths.len() as f64;
        let deviation = (1.0_f64 - r).sqrt() / r / (lengths.len() as f64).sqrt();
        assert!(
            (mean - 1.0 / r).abs() < INTERVAL * deviation,
            "{text}: {mean}"
        );
    }
}

#[test]
fn the_chain_of_four_states_has_its_balance() {
    for (text, p13, p31, p32, p23, p14) in [
        ("markov 1% 20%", 0.01, 0.2, 0.0, 1.0, 0.0),
        ("markov 1% 20% 5% 50% 0.5%", 0.01, 0.2, 0.05, 0.5, 0.005),
        ("markov 5% 30% 60% 40% 2%", 0.05, 0.3, 0.6, 0.4, 0.02),
    ] {
        let losses = lost(&[("loss", text)], 7);
        // In balance as much flows into each state as out of it.
        let received = 1.0;
        let in_burst = received * p13 / p31;
        let pausing = in_burst * p32 / p23;
        let alone = received * p14;
        let expected = (in_burst + alone) / (received + in_burst + pausing + alone);
        let slowest = 1.0 - p13 - p31;
        assert_share(text, &losses, expected, slowest);
        // A burst ends with p31 + p32; what is lost alone is a burst of one.
        let bursts_begun = received * (p13 + p14) + pausing * p23;
        let mean = bursts(&losses).iter().sum::<f64>() / bursts(&losses).len() as f64;
        let exact = (in_burst + alone) / bursts_begun;
        assert!(
            (mean / exact - 1.0).abs() < 0.05,
            "{text}: {mean}, not {exact}"
        );
    }
}

/// Delays in parts of the jitter, around the middle.
fn jitters(more: &[(&str, &str)]) -> Vec<f64> {
    let mut settings: Settings = settings(&[
        ("delay", "100ms"),
        ("jitter", "10ms"),
        ("reorder", "jitter"),
    ]);
    settings.overlay(&common::settings(more));
    for (key, _) in settings.clone().files() {
        settings
            .attach(key, "8192 -8192 0 0")
            .expect("the table is good");
    }
    let mut judge = Judge::new(&settings, 3);
    let each = (0..FRAMES).map(|_| {
        let delay_ns = common::due(&mut judge, 0, 60);
        (delay_ns as f64 - (100 * MS) as f64) / (10 * MS) as f64
    });
    each.collect()
}

/// The normal distribution's quantiles at 5, 25, 50, 75 and 95 %.
const NORMAL: [f64; 5] = [-1.644_854, -0.674_490, 0.0, 0.674_490, 1.644_854];
const SHARES: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

fn pareto(share: f64) -> f64 {
    ((1.0 - share).powf(-1.0 / 3.0) - 1.5) * 4.0 / 3.0
}

fn mean_and_deviation(figures: &[f64]) -> (f64, f64) {
    let mean = figures.iter().sum::<f64>() / figures.len() as f64;
    let squares: f64 = figures.iter().map(|x| (x - mean) * (x - mean)).sum();
    (mean, (squares / figures.len() as f64).sqrt())
}

fn quantiles(figures: &[f64]) -> [f64; 5] {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    SHARES.map(|share| sorted[(share * sorted.len() as f64) as usize])
}

#[test]
fn jitter_has_the_distribution_that_was_asked_for() {
    let uniform = SHARES.map(|share| 2.0 * share - 1.0);
    let by_pareto = SHARES.map(pareto);
    let mut mixed = [0.0; 5];
    for (index, value) in mixed.iter_mut().enumerate() {
        *value = (NORMAL[index] + 3.0 * by_pareto[index]) / 4.0;
    }
    // Pareto's mean is that of the distribution which is cut off at 4, by integration.
    let cut = 4.5_f64.powi(-3);
    let pareto_mean = 4.0 * cut + 2.0 * (cut - cut.powf(2.0 / 3.0));
    for (name, expected, mean, deviation) in [
        ("uniform", uniform, 0.0, Some(1.0 / 3.0_f64.sqrt())),
        ("normal", NORMAL, 0.0, Some(1.0)),
        ("pareto", by_pareto, pareto_mean, None),
        ("paretonormal", mixed, 0.75 * pareto_mean, None),
    ] {
        // Correlation makes fewer of as many figures: the scatter of quantiles is twice as wide.
        for (correlation, scatter) in [("0%", 0.03), ("60%", 0.06)] {
            let more = [("distribution", name), ("delay-correlation", correlation)];
            let found = jitters(&more);
            for (found, expected) in quantiles(&found).into_iter().zip(expected) {
                let near = (found - expected).abs() < scatter;
                assert!(near, "{name} {correlation}: {found}, not {expected}");
            }
            let (found_mean, found_deviation) = mean_and_deviation(&found);
            assert!(
                (found_mean - mean).abs() < 0.01,
                "{name} {correlation}: {found_mean}"
            );
            if let Some(deviation) = deviation {
                assert!(
                    (found_deviation - deviation).abs() < 0.01,
                    "{name} {correlation}: {found_deviation}"
                );
            }
        }
    }
}

#[test]
fn ordered_jitter_has_its_distribution_however_fast_frames_come() {
    for (name, mean, deviation) in [
        ("uniform", 0.0, 1.0 / 3.0_f64.sqrt()),
        ("normal", 0.0, 1.0),
        ("paretonormal", -0.025, 0.83),
    ] {
        for gap_us in [100_000_u64, 20_000, 10_000, 1000, 100] {
            for correlation in ["0%", "50%"] {
                let mut judge = judge(&[
                    ("delay", "20ms"),
                    ("jitter", "2ms"),
                    ("distribution", name),
                    ("delay-correlation", correlation),
                ]);
                assert!(judge.is_ordered());
                // As many as there are in a minute, but no more than are needed.
                let frames = (60_000_000 / gap_us).clamp(20_000, FRAMES as u64);
                let delays: Vec<f64> = (0..frames)
                    .map(|n| {
                        let arrival_ns = n * gap_us * 1000;
                        let delay_ns = common::due(&mut judge, arrival_ns, 60) - arrival_ns;
                        (delay_ns as f64 - (20 * MS) as f64) / (2 * MS) as f64
                    })
                    .collect();
                let (found_mean, found_deviation) = mean_and_deviation(&delays);
                let what = format!("{name} {correlation} every {gap_us} us");
                assert!((found_mean - mean).abs() < 0.05, "{what}: {found_mean}");
                let near = (found_deviation / deviation - 1.0).abs() < 0.05;
                assert!(near, "{what}: {found_deviation}");
            }
        }
    }
}

#[test]
fn ordered_frames_far_apart_are_as_correlated_as_was_asked_for() {
    for (text, asked) in [("0%", 0.0), ("60%", 0.6)] {
        let mut judge = judge(&[
            ("delay", "20ms"),
            ("jitter", "2ms"),
            ("distribution", "normal"),
            ("delay-correlation", text),
        ]);
        let each =
            (0..FRAMES as u64).map(|n| common::due(&mut judge, n * 100 * MS, 60) % (100 * MS));
        let found = correlation(&each.map(|delay| delay as f64).collect::<Vec<_>>());
        assert!((found - asked).abs() < 0.01, "{text}: {found}");
    }
}

#[test]
fn jitter_is_as_correlated_as_was_asked_for() {
    for (text, asked) in [("0%", 0.0), ("25%", 0.25), ("60%", 0.6), ("95%", 0.95)] {
        let found = jitters(&[("distribution", "normal"), ("delay-correlation", text)]);
        let found = correlation(&found);
        assert!((found - asked).abs() < 0.01, "{text}: {found}");
    }
}

#[test]
fn a_table_gives_its_figures_as_often_as_it_has_them() {
    let found = jitters(&[("distribution", "table x")]);
    for (figure, expected) in [(-1.0, 0.25), (0.0, 0.5), (1.0, 0.25)] {
        let fates: Vec<bool> = found.iter().map(|found| *found == figure).collect();
        assert_share(&format!("{figure}"), &fates, expected, 0.0);
    }
}

#[test]
fn delays_are_cut_off_at_nothing() {
    let mut judge = judge(&[
        ("delay", "1ms"),
        ("jitter", "10ms"),
        ("distribution", "normal"),
        ("reorder", "jitter"),
    ]);
    let at_once = fates(&mut judge, |verdict, _| {
        matches!(verdict, Verdict::Deliver { due_ns: 0, .. })
    });
    // The normal distribution's share below -0.1.
    assert_share("at once", &at_once, 0.460_172, 0.0);
}

#[test]
fn slots_are_as_far_apart_as_was_asked_for() {
    let mut judge = judge(&[("slot", "5ms 15ms packets 1")]);
    let dues: Vec<u64> = (0..FRAMES / 10)
        .map(|_| common::due(&mut judge, 0, 60))
        .collect();
    let gaps: Vec<f64> = dues
        .windows(2)
        .map(|x| (x[1] - x[0]) as f64 / MS as f64)
        .collect();
    let (mean, deviation) = mean_and_deviation(&gaps);
    assert!(gaps.iter().all(|gap| (5.0..=15.0).contains(gap)));
    assert!((mean - 10.0).abs() < 0.05, "{mean}");
    assert!(
        (deviation - 10.0 / 12.0_f64.sqrt()).abs() < 0.05,
        "{deviation}"
    );
}
