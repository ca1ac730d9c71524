//! What several tests need.
#![allow(dead_code, reason = "no test file needs all of it")]

use vnflab_impairment::{Cause, Judge, Settings, Verdict};

/// Settings from keys and values.
pub(crate) fn settings(entries: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    for (key, value) in entries {
        settings.set(key, value).expect("the test has good values");
    }
    settings
}

/// A judge of these settings, with the seed 1.
pub(crate) fn judge(entries: &[(&str, &str)]) -> Judge {
    Judge::new(&settings(entries), 1)
}

/// When a frame of so many bytes is due.
pub(crate) fn due(judge: &mut Judge, arrival_ns: u64, bytes: usize) -> u64 {
    match judge.judge(arrival_ns, &mut vec![0; bytes]) {
        Verdict::Deliver { due_ns, .. } => due_ns,
        Verdict::Drop(cause) => panic!("dropped: {cause}"),
    }
}

/// Why a frame of so many bytes is dropped, if it is.
pub(crate) fn dropped(judge: &mut Judge, arrival_ns: u64, bytes: usize) -> Option<Cause> {
    match judge.judge(arrival_ns, &mut vec![0; bytes]) {
        Verdict::Deliver { .. } => None,
        Verdict::Drop(cause) => Some(cause),
    }
}

/// Nanoseconds of a microsecond, a millisecond and a second.
pub(crate) const US: u64 = 1_000;
pub(crate) const MS: u64 = 1_000_000;
pub(crate) const S: u64 = 1_000_000_000;
