//! Delay and jitter.
//!
//! A frame is delayed by `delay` plus `jitter` times a figure drawn from the distribution, and
//! never by less than nothing. Jitter alone does not let frames overtake each other.

use super::Word;
use crate::error::SettingProblem;
use crate::settings::Settings;

pub(crate) const DELAY: Word = Word {
    name: "delay",
    form: "TIME",
    example: "20ms",
    doc: "How much later every frame arrives.",
};

pub(crate) const JITTER: Word = Word {
    name: "jitter",
    form: "TIME",
    example: "5ms",
    doc: "How far the delay varies: half the width of `uniform`, the standard deviation of the other distributions. Frames stay in order unless `reorder` says otherwise.",
};

pub(crate) const CORRELATION: Word = Word {
    name: "delay-correlation",
    form: "PERCENT",
    example: "25%",
    doc: "How alike the jitter of one frame and the next is. The distribution stays what was asked for.",
};

pub(crate) fn check(settings: &Settings, found: &mut Vec<SettingProblem>) {
    let jitter = settings.jitter.value().is_some_and(|time| time.ns() > 0);
    if jitter && settings.delay.value().is_none_or(|time| time.ns() == 0) {
        found.push(SettingProblem::no_effect(
            JITTER.name,
            "jitter without `delay` is cut off at 0, so that half of it is lost: give a delay too",
        ));
    }
    let correlated = settings.delay_correlation.value();
    if correlated.is_some_and(|percent| !percent.is_zero()) && !jitter {
        found.push(SettingProblem::no_effect(
            CORRELATION.name,
            "a correlation without `jitter` has no effect",
        ));
    }
}
