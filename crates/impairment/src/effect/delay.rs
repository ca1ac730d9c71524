//! Delay and jitter.
//!
//! A frame is delayed by `delay` plus `jitter` times a figure drawn from the distribution, and
//! never by less than nothing. Jitter alone does not let frames overtake each other.

use super::Word;
use super::distribution::{Quantiles, normal_share};
use crate::error::SettingProblem;
use crate::random::{Purpose, Random};
use crate::settings::Settings;
use crate::unit::{Duration, Percent};

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

/// What decides how long a frame is delayed.
#[derive(Debug, Clone)]
pub(crate) struct Delays {
    delay_ns: u64,
    jitter: Option<Jitter>,
}

#[derive(Debug, Clone)]
struct Jitter {
    width_ns: u64,
    quantiles: Quantiles,
    random: Random,
    correlation: Option<Correlation>,
}

/// Normal numbers of which each is like the one before: an autoregressive process of first order.
/// Its share of the normal distribution then chooses the quantile (a Gaussian copula), so that
/// the distribution of the jitter is the same as without correlation.
#[derive(Debug, Clone)]
struct Correlation {
    last: f64,
    keep: f64,
    fresh: f64,
}

impl Delays {
    /// `None` if no frame is delayed.
    pub(crate) fn new(settings: &Settings, seed: u64) -> Option<Self> {
        let delay_ns = settings.delay.value().map_or(0, |time| time.ns());
        let jitter = settings.jitter.value().filter(|time| time.ns() > 0);
        let jitter = jitter.map(|width| Jitter::new(*width, settings, seed));
        (delay_ns > 0 || jitter.is_some()).then_some(Self { delay_ns, jitter })
    }

    /// Whether frames may be delayed by different times.
    pub(crate) const fn varies(&self) -> bool {
        self.jitter.is_some()
    }

    /// The delay of the next frame.
    pub(crate) fn next(&mut self) -> u64 {
        match &mut self.jitter {
            None => self.delay_ns,
            Some(jitter) => self.delay_ns.saturating_add_signed(jitter.next()),
        }
    }
}

impl Jitter {
    fn new(width: Duration, settings: &Settings, seed: u64) -> Self {
        let mut random = Random::new(seed, Purpose::Jitter);
        let correlation = settings.delay_correlation.value();
        let correlation = correlation.map_or(0.0, |percent: &Percent| percent.share());
        let correlation = (correlation > 0.0).then(|| Correlation {
            last: random.normal(),
            keep: correlation,
            fresh: libm::sqrt(1.0 - correlation * correlation),
        });
        Self {
            width_ns: width.ns(),
            quantiles: Quantiles::new(settings.distribution.value()),
            random,
            correlation,
        }
    }

    /// How far the next frame's delay is from the middle.
    fn next(&mut self) -> i64 {
        let share = match &mut self.correlation {
            None => self.random.bits(),
            Some(correlation) => {
                let share = normal_share(correlation.last);
                correlation.last =
                    correlation.keep * correlation.last + correlation.fresh * self.random.normal();
                // Saturates at the upper end, which is the last quantile.
                (share * 2.0_f64.powi(64)) as u64
            }
        };
        self.quantiles.at(share, self.width_ns)
    }
}
