//! Decimal figures, read exactly into integers of a smaller unit.

use std::fmt;

/// Why a text is no figure that can be taken exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecimalError {
    /// Not digits with at most one point.
    Form,
    /// More places behind the point than the unit can hold.
    Fine,
    /// Past 64 bits.
    Large,
}

/// Most places behind the point that are looked at: 10^18 is the largest power of ten in 64 bits
/// with room to spare, and finer than every unit we have.
const PLACES_LIMIT: usize = 18;

/// Splits `20ms` into `20` and `ms`. Blanks around either are dropped.
pub(super) fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start())
}

/// The figure times `scale`, which must come out as a whole number.
pub(super) fn scaled(number: &str, scale: u64) -> Result<u64, DecimalError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return Err(DecimalError::Form);
    }
    let whole: u64 = match whole {
        "" => 0,
        whole => whole.parse().map_err(|_| DecimalError::Large)?,
    };
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > PLACES_LIMIT {
        return Err(DecimalError::Fine);
    }
    let mut parts = 0_u128;
    let mut power = 1_u128;
    for digit in fraction.bytes() {
        parts = parts * 10 + u128::from(digit - b'0');
        power *= 10;
    }
    parts *= u128::from(scale);
    if !parts.is_multiple_of(power) {
        return Err(DecimalError::Fine);
    }
    u64::try_from(u128::from(whole) * u128::from(scale) + parts / power)
        .map_err(|_| DecimalError::Large)
}

/// Writes `value` in a unit that is `scale` (a power of ten) times as large, without loss.
pub(super) fn write(to: &mut fmt::Formatter<'_>, value: u64, scale: u64) -> fmt::Result {
    write!(to, "{}", value / scale)?;
    let fraction = value % scale;
    if fraction == 0 {
        return Ok(());
    }
    let places = scale.ilog10() as usize;
    let digits = format!("{fraction:0places$}");
    write!(to, ".{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_exact_or_refused() {
        assert_eq!(scaled("1.5", 1000), Ok(1500));
        assert_eq!(scaled(".5", 10), Ok(5));
        assert_eq!(scaled("5.", 10), Ok(50));
        assert_eq!(scaled("1.50000000000000000000000", 10), Ok(15));
        assert_eq!(scaled("0.0001", 1000), Err(DecimalError::Fine));
        assert_eq!(scaled("1.5", 1), Err(DecimalError::Fine));
        for text in ["", ".", "1.2.3", "-1", "+1", "1e3", "NaN", "inf", "٣"] {
            assert_eq!(scaled(text, 1000), Err(DecimalError::Form), "{text}");
        }
        let huge = "9".repeat(50);
        assert_eq!(scaled(&huge, 1), Err(DecimalError::Large));
        assert_eq!(scaled("18446744073709551615", 10), Err(DecimalError::Large));
    }
}
