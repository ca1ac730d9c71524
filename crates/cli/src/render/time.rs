//! Times for people.

use std::time::Duration;

/// How long something took: `0.34 s`, `12.3 s`, `2 min 5 s`.
pub(crate) fn fine(time: Duration) -> String {
    match time.as_secs() {
        0..=9 => format!("{:.2} s", time.as_secs_f64()),
        10..=59 => format!("{:.1} s", time.as_secs_f64()),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// How long something has been: `5s`, `12m`, `3h 4m`, `2d 3h`.
pub(crate) fn coarse(time: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let seconds = time.as_secs();
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m", seconds / MINUTE),
        HOUR..DAY => format!("{}h {}m", seconds / HOUR, seconds % HOUR / MINUTE),
        _ => format!("{}d {}h", seconds / DAY, seconds % DAY / HOUR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_change_their_unit_at_the_bounds() {
        let fine = |millis| fine(Duration::from_millis(millis));
        assert_eq!(fine(340), "0.34 s");
        assert_eq!(fine(12_340), "12.3 s");
        assert_eq!(fine(125_000), "2 min 5 s");
        let coarse = |seconds| coarse(Duration::from_secs(seconds));
        assert_eq!(coarse(59), "59s");
        assert_eq!(coarse(60), "1m");
        assert_eq!(coarse(3 * 3600 + 240), "3h 4m");
        assert_eq!(coarse(51 * 3600), "2d 3h");
    }
}
