//! A trace or a table of quantiles is read or refused with a place; what was read goes over the
//! wire as it is, and frames are judged by it.
//!
//! The input is `t` for a trace or anything else for a table, and the file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vnflab_impairment::{Judge, Settings, Verdict};

/// Gaps between frames, in nanoseconds: none, less and more than a trace's unit, and a day.
const GAPS_NS: [u64; 4] = [0, 999_999, 3_000_001, 86_400_000_000_000];

fuzz_target!(|input: &[u8]| {
    let Some((kind, file)) = input.split_first() else {
        return;
    };
    let file = String::from_utf8_lossy(file);
    let (key, entries) = match kind {
        b't' => ("trace", [("trace", "x"), ("queue", "100frames")]),
        _ => (
            "distribution",
            [("distribution", "table x"), ("jitter", "5ms")],
        ),
    };
    let mut settings = Settings::default();
    for (key, value) in entries {
        settings.set(key, value).expect("good settings");
    }
    if let Err(error) = settings.attach(key, &file) {
        assert!(error.to_string().starts_with(&format!("`{key}`: ")));
        return;
    }
    let json = serde_json::to_string(&settings).expect("settings are JSON");
    let again: Settings = serde_json::from_str(&json).expect("our own JSON");
    assert_eq!(again, settings);

    let (mut judge, mut last_ns, mut now_ns) = (Judge::new(&settings, 1), 0, 0);
    for number in 0..64 {
        now_ns += GAPS_NS[number % GAPS_NS.len()];
        if let Verdict::Deliver { due_ns, .. } = judge.judge(now_ns, &mut [0; 1514]) {
            assert!(due_ns >= now_ns && due_ns >= last_ns, "order");
            last_ns = due_ns;
        }
        assert!(judge.backlog(now_ns).frames <= 100);
    }
});
