//! Rates, in bits a second.

use super::decimal::{self, DecimalError};
use std::fmt;
use std::str::FromStr;

/// A rate of at least one bit a second, and at most [`Rate::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(u64);

/// Why a text is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Not a figure and a unit.
    #[error("`{0}` is no rate such as `10mbit`, `1.5gbit`, `64kbit` or `800bit`")]
    Form(String),
    /// A figure alone.
    #[error("`{0}` has no unit: write `{0}mbit`, or `{0}bit` if you mean bits a second as tc does")]
    Bare(String),
    /// `bps` and its multiples.
    #[error(
        "`{0}` could be bits, or bytes as tc has it: write `10mbit`, or eight times as much for bytes"
    )]
    Ambiguous(String),
    /// Not a whole number of bits a second.
    #[error("`{0}` is no whole number of bits a second")]
    Fine(String),
    /// Nothing would ever pass.
    #[error("`{0}` lets nothing pass: write `none` for no limit, or cut the link with `loss 100%`")]
    Zero(String),
    /// Past [`Rate::MAX`].
    #[error("`{0}` is more than {max}", max = Rate::MAX)]
    Large(String),
}

/// Spellings of units (in lower case, `/s` removed) with their bits.
const UNITS: &[(&str, u64)] = &[
    ("bit", 1),
    ("kbit", 1_000),
    ("mbit", 1_000_000),
    ("gbit", 1_000_000_000),
    ("tbit", 1_000_000_000_000),
    ("kibit", 1 << 10),
    ("mibit", 1 << 20),
    ("gibit", 1 << 30),
    ("tibit", 1 << 40),
];

impl Rate {
    /// Ten times the fastest Ethernet there is (IEEE 802.3df, 800 Gbit/s), rounded up.
    pub const MAX: Self = Self(10_000_000_000_000);

    /// This many bits a second, at least 1 and at most [`Rate::MAX`].
    pub const fn from_bits(bits: u64) -> Self {
        match bits {
            0 => Self(1),
            bits if bits > Self::MAX.0 => Self::MAX,
            bits => Self(bits),
        }
    }

    /// Bits a second.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = RateError;

    /// Reads a figure and its unit, in any case: `10mbit`, `1.5Gbit/s`, `64kbit`, `800bit`,
    /// `1mibit`. `mbps` is refused: to tc it is bytes, to nearly everybody else bits.
    ///
    /// # Errors
    ///
    /// When the unit is missing, unknown or ambiguous, or the rate is 0, past [`Rate::MAX`] or no
    /// whole number of bits a second.
    fn from_str(text: &str) -> Result<Self, RateError> {
        let (number, unit) = decimal::split(text);
        let owned = || text.trim().to_owned();
        let unit = unit.to_ascii_lowercase();
        if unit.is_empty() {
            return Err(match decimal::scaled(number, 1) {
                Err(DecimalError::Form) => RateError::Form(owned()),
                _ => RateError::Bare(owned()),
            });
        }
        if unit.ends_with("bps") {
            return Err(RateError::Ambiguous(owned()));
        }
        let unit = unit.strip_suffix("/s").unwrap_or(&unit);
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(RateError::Form(owned()));
        };
        match decimal::scaled(number, *scale) {
            Ok(0) => Err(RateError::Zero(owned())),
            Ok(bits) if bits <= Self::MAX.0 => Ok(Self(bits)),
            Ok(_) | Err(DecimalError::Large) => Err(RateError::Large(owned())),
            Err(DecimalError::Fine) => Err(RateError::Fine(owned())),
            Err(DecimalError::Form) => Err(RateError::Form(owned())),
        }
    }
}

impl fmt::Display for Rate {
    /// In the largest of gbit, mbit, kbit and bit of which there is one.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scale, unit) = match self.0 {
            1_000_000_000.. => (1_000_000_000, "gbit"),
            1_000_000.. => (1_000_000, "mbit"),
            1_000.. => (1_000, "kbit"),
            _ => (1, "bit"),
        };
        decimal::write(formatter, self.0, scale)?;
        formatter.write_str(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_are_read_with_a_unit_that_means_one_thing() {
        for (text, bits, shown) in [
            ("10mbit", 10_000_000, "10mbit"),
            ("1.5Gbit/s", 1_500_000_000, "1.5gbit"),
            ("64 kbit", 64_000, "64kbit"),
            ("800bit", 800, "800bit"),
            ("1mibit", 1_048_576, "1.048576mbit"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.bits(), rate.to_string().as_str()), (bits, shown));
        }
        let error = |text: &str| text.parse::<Rate>().unwrap_err();
        assert!(matches!(error("10"), RateError::Bare(_)));
        assert!(matches!(error("10mbps"), RateError::Ambiguous(_)));
        assert!(matches!(error("10kBps"), RateError::Ambiguous(_)));
        assert!(matches!(error("0.5bit"), RateError::Fine(_)));
        assert!(matches!(error("0mbit"), RateError::Zero(_)));
        assert!(matches!(error("11tbit"), RateError::Large(_)));
        assert!(matches!(error("fast"), RateError::Form(_)));
        assert!(matches!(error("-1mbit"), RateError::Form(_)));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bits in 1..=Rate::MAX.bits()) {
            let rate = Rate::from_bits(bits);
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Rate>();
        }
    }
}
