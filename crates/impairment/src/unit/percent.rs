//! Percentages, from 0 to 100.

use super::decimal::{self, DecimalError};
use std::fmt;
use std::str::FromStr;

/// A percentage between 0 and 100, exact to seven places behind the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Percent(u32);

/// Why a text is no percentage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PercentError {
    /// Not a figure and a sign.
    #[error("`{0}` is no percentage such as `1%` or `0.01%`")]
    Form(String),
    /// A figure without the sign.
    #[error("`{0}` has no `%`: write `{0}%`, or a hundred times as much if you mean a share of 1")]
    Bare(String),
    /// More than seven places.
    #[error("`{0}` is finer than 0.0000001%")]
    Fine(String),
    /// Past 100 %.
    #[error("`{0}` is more than 100%")]
    Large(String),
}

impl Percent {
    /// Never.
    pub const ZERO: Self = Self(0);

    /// Always.
    pub const FULL: Self = Self(Self::BILLION);

    /// What 100 % is inside.
    const BILLION: u32 = 1_000_000_000;

    /// Units of 1 % inside.
    const ONE: u64 = 10_000_000;

    /// This many billionths, at most all.
    pub const fn from_billionths(parts: u32) -> Self {
        if parts > Self::BILLION {
            Self::FULL
        } else {
            Self(parts)
        }
    }

    /// The share in billionths: 1 % is 10,000,000.
    pub const fn billionths(self) -> u32 {
        self.0
    }

    /// The share between 0 and 1.
    pub fn share(self) -> f64 {
        f64::from(self.0) / f64::from(Self::BILLION)
    }

    /// Whether it is 0 %.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// What is missing to 100 %.
    #[must_use]
    pub const fn rest(self) -> Self {
        Self(Self::BILLION - self.0)
    }
}

impl FromStr for Percent {
    type Err = PercentError;

    /// Reads `1%`, `0.01%`, `100 %`. `0` needs no sign.
    ///
    /// # Errors
    ///
    /// When the sign is missing, or the figure is past 100 or has more than seven places.
    fn from_str(text: &str) -> Result<Self, PercentError> {
        let (number, sign) = decimal::split(text);
        let owned = || text.trim().to_owned();
        let parts = match decimal::scaled(number, Self::ONE) {
            Ok(parts) => parts,
            Err(DecimalError::Form) => return Err(PercentError::Form(owned())),
            Err(_) if sign.is_empty() => return Err(PercentError::Bare(owned())),
            Err(DecimalError::Fine) => return Err(PercentError::Fine(owned())),
            Err(DecimalError::Large) => return Err(PercentError::Large(owned())),
        };
        match sign {
            "%" => {}
            "" if parts == 0 => {}
            "" => return Err(PercentError::Bare(owned())),
            _ => return Err(PercentError::Form(owned())),
        }
        match u32::try_from(parts) {
            Ok(parts) if parts <= Self::BILLION => Ok(Self(parts)),
            _ => Err(PercentError::Large(owned())),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        decimal::write(formatter, u64::from(self.0), Self::ONE)?;
        formatter.write_str("%")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentages_are_read_with_their_sign_only() {
        for (text, billionths, shown) in [
            ("1%", 10_000_000, "1%"),
            ("0.01%", 100_000, "0.01%"),
            ("100 %", 1_000_000_000, "100%"),
            ("0.0000001%", 1, "0.0000001%"),
            ("0", 0, "0%"),
            ("0.0", 0, "0%"),
        ] {
            let percent: Percent = text.parse().unwrap();
            assert_eq!(percent.billionths(), billionths, "{text}");
            assert_eq!(percent.to_string(), shown);
        }
        let error = |text: &str| text.parse::<Percent>().unwrap_err();
        assert!(matches!(error("0.1"), PercentError::Bare(_)));
        assert!(matches!(error("25"), PercentError::Bare(_)));
        assert!(matches!(error("100.0000001%"), PercentError::Large(_)));
        assert!(matches!(error("0.00000001%"), PercentError::Fine(_)));
        assert!(matches!(error("-1%"), PercentError::Form(_)));
        assert!(matches!(error("NaN%"), PercentError::Form(_)));
        assert!(matches!(error("%"), PercentError::Form(_)));
        assert!(matches!(error("1%%"), PercentError::Form(_)));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(parts in 0..=1_000_000_000_u32) {
            let percent = Percent::from_billionths(parts);
            prop_assert_eq!(percent.to_string().parse(), Ok(percent));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Percent>();
        }
    }
}
