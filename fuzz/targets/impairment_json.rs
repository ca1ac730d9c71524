//! What a lane is asked, as the wire is told it: read, checked, written again, and done to frames.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vnflab_impairment::{Action, Impairment, Judge, MarkovSwitch, Timeline, Verdict};

/// How often states may change while frames are judged: ten seconds of the least step.
const PAST_NS: u64 = 10_000_000_000;

fuzz_target!(|input: &[u8]| {
    let Ok(asked) = serde_json::from_slice::<Impairment>(input) else {
        return;
    };
    let json = serde_json::to_string(&asked).expect("an impairment is JSON");
    let again: Impairment = serde_json::from_str(&json).expect("our own JSON");
    assert_eq!(again, asked);
    let problems = asked.settings.check();
    assert!(problems.iter().all(|problem| !problem.text.is_empty()));

    let mut judge = Judge::new(&asked.settings, 7);
    frames(&mut judge, asked.settings.is_plain());
    for rule in &asked.rules {
        frames(&mut Judge::new(&rule.settings, 8), rule.settings.is_plain());
    }
    if let Some(spec) = &asked.markov {
        let made = MarkovSwitch::new(spec, &asked.settings, 9, 0);
        assert_eq!(made.is_ok(), spec.check().is_empty());
        if let Ok(mut states) = made {
            states.advance(PAST_NS);
            assert!(states.due_ns().is_none_or(|due_ns| due_ns > PAST_NS));
            judge.change(states.settings());
        }
    }
    let mut timeline = Timeline::new(&asked.schedule, 0);
    while let Some(action) = timeline.take_due(u64::MAX) {
        if let Action::Set(settings) = action {
            judge.change(settings);
        }
    }
    assert_eq!(timeline.left(), 0);
    frames(&mut judge, false);
});

/// Judges frames of several lengths that come in bursts.
fn frames(judge: &mut Judge, plain: bool) {
    let ordered = judge.is_ordered();
    let mut last_ns = 0;
    for number in 0..48_u64 {
        let arrival_ns = number / 8 * 1_000_000;
        let mut frame = vec![0; [0, 60, 1514, 9000][number as usize % 4]];
        let verdict = judge.judge(arrival_ns, &mut frame);
        if plain {
            let due_ns = arrival_ns;
            assert_eq!(
                verdict,
                Verdict::Deliver {
                    due_ns,
                    duplicate: None
                }
            );
        }
        if let Verdict::Deliver { due_ns, duplicate } = verdict {
            let copy_ns = duplicate.unwrap_or(due_ns);
            assert!(due_ns >= arrival_ns && copy_ns >= arrival_ns);
            assert!(!ordered || due_ns >= last_ns && copy_ns >= due_ns);
            last_ns = copy_ns;
        }
    }
}
