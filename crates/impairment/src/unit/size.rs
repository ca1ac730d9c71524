//! Sizes, in bytes.

use super::decimal::{self, DecimalError};
use std::fmt;
use std::str::FromStr;

/// A number of bytes, up to [`Size::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(u64);

/// Why a text is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// Not a figure and a unit.
    #[error("`{0}` is no size such as `1500`, `64KiB` or `1MiB`")]
    Form(String),
    /// Not a whole number of bytes.
    #[error("`{0}` is no whole number of bytes")]
    Fine(String),
    /// Past [`Size::MAX`].
    #[error("`{0}` is more than {max}", max = Size::MAX)]
    Large(String),
}

/// Spellings of units in lower case. `k` and `kb` are 1024 bytes, as they are to tc.
const UNITS: &[(&[&str], u64)] = &[
    (&["", "b", "byte", "bytes"], 1),
    (&["k", "kb", "kib"], 1 << 10),
    (&["m", "mb", "mib"], 1 << 20),
    (&["g", "gb", "gib"], 1 << 30),
];

impl Size {
    /// More than any queue of a network device: 16 GiB.
    pub const MAX: Self = Self(16 << 30);

    /// This many bytes, at most [`Size::MAX`].
    pub const fn from_bytes(bytes: u64) -> Self {
        if bytes > Self::MAX.0 {
            Self::MAX
        } else {
            Self(bytes)
        }
    }

    /// The bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = SizeError;

    /// Reads `1500`, `1500b`, `64KiB`, `32kb`, `1.5M`, in any case; the multiples are of 1024.
    ///
    /// # Errors
    ///
    /// When the unit is unknown, or the size no whole number of bytes or past [`Size::MAX`].
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let (number, unit) = decimal::split(text);
        let owned = || text.trim().to_owned();
        let unit = unit.to_ascii_lowercase();
        let Some((_, scale)) = UNITS
            .iter()
            .find(|(names, _)| names.contains(&unit.as_str()))
        else {
            return Err(SizeError::Form(owned()));
        };
        match decimal::scaled(number, *scale) {
            Ok(bytes) if bytes <= Self::MAX.0 => Ok(Self(bytes)),
            Ok(_) | Err(DecimalError::Large) => Err(SizeError::Large(owned())),
            Err(DecimalError::Fine) => Err(SizeError::Fine(owned())),
            Err(DecimalError::Form) => Err(SizeError::Form(owned())),
        }
    }
}

impl fmt::Display for Size {
    /// In GiB, MiB or KiB where that is a whole number, else in bytes: `64KiB`, `1500b`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        let (unit, scale) = units
            .into_iter()
            .find(|(_, scale)| self.0 >= *scale && self.0.is_multiple_of(*scale))
            .unwrap_or(("b", 1));
        write!(formatter, "{}{unit}", self.0 / scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_multiples_of_1024() {
        for (text, bytes, shown) in [
            ("1500", 1500, "1500b"),
            ("64KiB", 65_536, "64KiB"),
            ("32kb", 32_768, "32KiB"),
            ("1.5M", 1_572_864, "1536KiB"),
            ("0", 0, "0b"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, shown));
        }
        let error = |text: &str| text.parse::<Size>().unwrap_err();
        assert!(matches!(error("1.5"), SizeError::Fine(_)));
        assert!(matches!(error("100gb"), SizeError::Large(_)));
        assert!(matches!(error("64 kilo"), SizeError::Form(_)));
        assert!(matches!(error(""), SizeError::Form(_)));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bytes in 0..=Size::MAX.bytes()) {
            let size = Size::from_bytes(bytes);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Size>();
        }
    }
}
