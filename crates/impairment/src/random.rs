//! Random numbers that are the same for the same seed, on every platform and in every version.
//!
//! The generator is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators", 2014): eight bytes of state, a few operations a number. Every purpose has a stream
//! of its own, so that the frames that are lost do not depend on whether there is jitter too.

use crate::unit::Percent;

/// One stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

/// What a stream is for. The numbers are part of what a seed means: they are never changed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Loss = 1,
    Duplicate = 2,
    Corrupt = 3,
    CorruptBit = 4,
    Jitter = 5,
    Reorder = 6,
    Queue = 7,
    Slot = 8,
    Markov = 9,
}

/// 2^64 divided by the golden ratio, made odd.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads the bits of a number over all of it.
const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Random {
    /// The stream of a purpose.
    pub(crate) const fn new(seed: u64, purpose: Purpose) -> Self {
        Self(mix(
            mix(seed).wrapping_add((purpose as u64).wrapping_mul(STEP))
        ))
    }

    /// 64 random bits.
    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// A number below `limit`, all alike but for one part in 2^64 / limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        let wide = (u128::from(self.bits()) * u128::from(limit)) >> 64;
        u64::try_from(wide).unwrap_or_default()
    }

    /// A number between 0 and 1, neither included.
    pub(crate) fn unit(&mut self) -> f64 {
        let parts = (self.bits() >> 12) as f64;
        (parts + 0.5) / f64::from(2_u32).powi(52)
    }

    /// Whether something of this probability happens.
    pub(crate) fn happens(&mut self, percent: Percent) -> bool {
        self.below(u64::from(Percent::FULL.billionths())) < u64::from(percent.billionths())
    }

    /// How often something of this probability does not happen before it does.
    pub(crate) fn misses(&mut self, percent: Percent) -> u64 {
        match percent {
            Percent::ZERO => u64::MAX,
            Percent::FULL => 0,
            percent => {
                let misses = libm::log(self.unit()) / libm::log1p(-percent.share());
                misses as u64
            }
        }
    }

    /// A number of the standard normal distribution (Box and Muller, 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.unit()));
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        let mut random = Random(1_234_567);
        for expected in [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ] {
            assert_eq!(random.bits(), expected);
        }
    }

    #[test]
    fn bounds_hold_at_both_ends() {
        let mut random = Random::new(1, Purpose::Loss);
        for _ in 0..10_000 {
            let unit = random.unit();
            assert!(unit > 0.0 && unit < 1.0);
            assert!(random.below(3) < 3);
            assert!(!random.happens(Percent::ZERO));
            assert!(random.happens(Percent::FULL));
        }
        assert_eq!(random.misses(Percent::ZERO), u64::MAX);
        assert_eq!(random.misses(Percent::FULL), 0);
    }
}
