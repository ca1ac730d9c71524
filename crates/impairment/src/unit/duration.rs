//! Spans of time, in nanoseconds.

use super::decimal::{self, DecimalError};
use std::fmt;
use std::str::FromStr;

/// A span of time in whole nanoseconds, up to [`Duration::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(u64);

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Not a figure and a unit.
    #[error("`{0}` is no time such as `20ms`, `1.5s`, `100us` or `50ns`")]
    Form(String),
    /// A figure alone.
    #[error("`{0}` has no unit: write `{0}ms`, or `{0}us` if you mean microseconds as tc does")]
    Bare(String),
    /// Finer than a nanosecond.
    #[error("`{0}` is finer than a nanosecond")]
    Fine(String),
    /// Past [`Duration::MAX`].
    #[error("`{0}` is more than {max}", max = Duration::MAX)]
    Large(String),
}

/// Spellings of units, tc's among them, with their nanoseconds.
const UNITS: &[(&[&str], u64)] = &[
    (&["ns", "nsec", "nsecs"], 1),
    (&["us", "µs", "μs", "usec", "usecs"], 1_000),
    (&["ms", "msec", "msecs"], 1_000_000),
    (&["s", "sec", "secs"], 1_000_000_000),
    (&["m", "min"], 60_000_000_000),
    (&["h"], 3_600_000_000_000),
];

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// The longest time that is taken for a wish rather than a slip: 30 days.
    pub const MAX: Self = Self(30 * 24 * 3_600 * 1_000_000_000);

    /// This many nanoseconds, at most [`Duration::MAX`].
    pub const fn from_ns(ns: u64) -> Self {
        if ns > Self::MAX.0 {
            Self::MAX
        } else {
            Self(ns)
        }
    }

    /// This many milliseconds, at most [`Duration::MAX`].
    pub const fn from_ms(ms: u64) -> Self {
        Self::from_ns(ms.saturating_mul(1_000_000))
    }

    /// The nanoseconds.
    pub const fn ns(self) -> u64 {
        self.0
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    /// Reads a figure and its unit: `20ms`, `1.5s`, `100us`, `50ns`, `2min`, `1h`. `0` needs none.
    ///
    /// # Errors
    ///
    /// When the unit is missing or unknown, or the time is finer than a nanosecond or longer than
    /// [`Duration::MAX`].
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let (number, unit) = decimal::split(text);
        let owned = || text.trim().to_owned();
        if unit.is_empty() {
            return match decimal::scaled(number, 1) {
                Ok(0) => Ok(Self::ZERO),
                Err(DecimalError::Form) => Err(DurationError::Form(owned())),
                _ => Err(DurationError::Bare(owned())),
            };
        }
        let Some((_, scale)) = UNITS.iter().find(|(names, _)| names.contains(&unit)) else {
            return Err(DurationError::Form(owned()));
        };
        let ns = decimal::scaled(number, *scale).map_err(|error| match error {
            DecimalError::Form => DurationError::Form(owned()),
            DecimalError::Fine => DurationError::Fine(owned()),
            DecimalError::Large => DurationError::Large(owned()),
        })?;
        if ns > Self::MAX.0 {
            return Err(DurationError::Large(owned()));
        }
        Ok(Self(ns))
    }
}

impl fmt::Display for Duration {
    /// In the largest of s, ms, us and ns of which there is one.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scale, unit) = match self.0 {
            0 => (1_000_000, "ms"),
            1_000_000_000.. => (1_000_000_000, "s"),
            1_000_000.. => (1_000_000, "ms"),
            1_000.. => (1_000, "us"),
            _ => (1, "ns"),
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
    fn times_are_read_with_their_unit_only() {
        for (text, ns, shown) in [
            ("20ms", 20_000_000, "20ms"),
            ("1.5s", 1_500_000_000, "1.5s"),
            ("1500 us", 1_500_000, "1.5ms"),
            ("50ns", 50, "50ns"),
            ("0.1us", 100, "100ns"),
            ("10usecs", 10_000, "10us"),
            ("2min", 120_000_000_000, "120s"),
            ("0", 0, "0ms"),
            ("0s", 0, "0ms"),
        ] {
            let time: Duration = text.parse().unwrap();
            assert_eq!(
                (time.ns(), time.to_string().as_str()),
                (ns, shown),
                "{text}"
            );
        }
        let error = |text: &str| text.parse::<Duration>().unwrap_err();
        assert!(matches!(error("20"), DurationError::Bare(_)));
        assert!(matches!(error("0.5ns"), DurationError::Fine(_)));
        assert!(matches!(error("31h31"), DurationError::Form(_)));
        assert!(matches!(error("99999h"), DurationError::Large(_)));
        assert!(matches!(error("-1ms"), DurationError::Form(_)));
        assert!(matches!(error(""), DurationError::Form(_)));
        assert!(matches!(error("ms"), DurationError::Form(_)));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(ns in 0..=Duration::MAX.ns()) {
            let time = Duration::from_ns(ns);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Duration>();
        }
    }
}
