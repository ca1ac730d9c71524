//! Delay and jitter.
//!
//! A frame is delayed by `delay` plus `jitter` times a figure drawn from the distribution, and
//! never by less than nothing.
//!
//! # Theory of operation
//!
//! Where frames may overtake each other, every frame draws for itself. Where they may not, that
//! would not do: each frame would have to wait for the latest before it, and the faster frames
//! come, the nearer all delays would be to the upper end (`20ms` with `jitter 5ms` of the normal
//! distribution would be 24.5 ms at a thousand frames a second). So the delay of ordered frames
//! moves in waves ([`Wave`]): it is the same figure for frames that come together, another one for
//! frames that are far apart, and falls so slowly in between that hardly a frame has to wait for
//! the one before it. Its distribution is the one asked for at every rate of frames.

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

/// Whether frames may overtake each other by their jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Kept,
    Free,
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
    course: Course,
}

/// How the jitter of one frame follows that of the last.
#[derive(Debug, Clone)]
enum Course {
    /// Each frame draws for itself.
    Apart,
    /// Each frame's figure is like the last one's.
    Alike(Correlation),
    /// The figure depends on the time.
    Wave(Wave),
}

/// Normal numbers of which each is like the one before: an autoregressive process of first order.
/// A number's share of the normal distribution then chooses the quantile (a Gaussian copula), so
/// that the distribution of the jitter is the same as without correlation.
#[derive(Debug, Clone)]
struct Correlation {
    keep: f64,
    fresh: f64,
    last: f64,
}

/// Normal numbers that change gently with time.
///
/// In each stretch of time the number goes from one random number towards another, along an arc:
/// `from * cos + aside * sin` has the same distribution at every angle. After a stretch without
/// frames it begins anew, correlated with its last value as frames are asked to be.
#[derive(Debug, Clone)]
struct Wave {
    stretch_ns: u64,
    turn: f64,
    begun_ns: Option<u64>,
    from: f64,
    aside: f64,
    correlation: Correlation,
}

/// How long a stretch is, in jitters. With four the delay falls faster than time passes in so few
/// moments that mean and deviation are within 2 % of the jitter asked for; with two it would be 10 %.
const STRETCH: u64 = 4;

impl Delays {
    /// `None` if no frame is delayed.
    pub(crate) fn new(settings: &Settings, seed: u64, order: Order) -> Option<Self> {
        let delay_ns = settings.delay.value().map_or(0, |time| time.ns());
        let jitter = settings.jitter.value().filter(|time| time.ns() > 0);
        let jitter = jitter.map(|width| Jitter::new(*width, settings, seed, order));
        (delay_ns > 0 || jitter.is_some()).then_some(Self { delay_ns, jitter })
    }

    /// The delay of the next frame, which comes at this time.
    pub(crate) fn next(&mut self, now_ns: u64) -> u64 {
        match &mut self.jitter {
            None => self.delay_ns,
            Some(jitter) => self.delay_ns.saturating_add_signed(jitter.next(now_ns)),
        }
    }
}

impl Jitter {
    fn new(width: Duration, settings: &Settings, seed: u64, order: Order) -> Self {
        let mut random = Random::new(seed, Purpose::Jitter);
        let asked = settings.delay_correlation.value();
        let asked = asked.copied().unwrap_or_default();
        let course = match order {
            Order::Free if asked.is_zero() => Course::Apart,
            Order::Free => Course::Alike(Correlation::new(asked, &mut random)),
            Order::Kept => Course::Wave(Wave {
                stretch_ns: width.ns().saturating_mul(STRETCH),
                turn: libm::acos(asked.share()),
                begun_ns: None,
                from: 0.0,
                aside: 0.0,
                correlation: Correlation::new(asked, &mut random),
            }),
        };
        Self {
            width_ns: width.ns(),
            quantiles: Quantiles::new(settings.distribution.value()),
            random,
            course,
        }
    }

    /// How far the next frame's delay is from the middle.
    fn next(&mut self, now_ns: u64) -> i64 {
        let normal = match &mut self.course {
            Course::Apart => return self.quantiles.at(self.random.bits(), self.width_ns),
            Course::Alike(correlation) => correlation.next(&mut self.random),
            Course::Wave(wave) => wave.at(now_ns, &mut self.random),
        };
        // Saturates at the upper end, which is the last quantile.
        let share = (normal_share(normal) * 2.0_f64.powi(64)) as u64;
        self.quantiles.at(share, self.width_ns)
    }
}

impl Correlation {
    fn new(percent: Percent, random: &mut Random) -> Self {
        let keep = percent.share();
        Self {
            keep,
            fresh: libm::sqrt(1.0 - keep * keep),
            last: random.normal(),
        }
    }

    fn next(&mut self, random: &mut Random) -> f64 {
        self.last = self.keep * self.last + self.fresh * random.normal();
        self.last
    }
}

impl Wave {
    fn at(&mut self, now_ns: u64, random: &mut Random) -> f64 {
        let begun_ns = self.begun_ns.unwrap_or(now_ns);
        let since_ns = now_ns.saturating_sub(begun_ns);
        if self.begun_ns.is_none() || since_ns / 2 >= self.stretch_ns {
            self.begin(now_ns, self.correlation.clone().next(random), random);
        } else if since_ns >= self.stretch_ns {
            let end = self.angle(self.turn);
            self.begin(begun_ns + self.stretch_ns, end, random);
        }
        let since_ns = now_ns.saturating_sub(self.begun_ns.unwrap_or(now_ns));
        let part = since_ns as f64 / self.stretch_ns as f64;
        self.correlation.last = self.angle(part * self.turn);
        self.correlation.last
    }

    fn begin(&mut self, begun_ns: u64, from: f64, random: &mut Random) {
        self.begun_ns = Some(begun_ns);
        self.from = from;
        self.aside = random.normal();
    }

    fn angle(&self, angle: f64) -> f64 {
        self.from * libm::cos(angle) + self.aside * libm::sin(angle)
    }
}
