//! How much a link carries: differences of two looks at its counters, in words.

use std::collections::BTreeMap;
use std::time::Instant;
use vnflab_engine::workspace::{LinkEnd, LinkStatus};

/// What was carried between two looks, by lab and end.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    before: Option<(Instant, Counts)>,
    now: BTreeMap<(String, String), Rate>,
}

type Counts = BTreeMap<(String, String), Count>;

/// What an end had sent at a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    frames: u64,
    bytes: u64,
}

/// What an end sends in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Rate {
    pub(crate) frames: f64,
    pub(crate) bits: f64,
}

impl Rates {
    /// Looks again.
    pub(crate) fn look(&mut self, links: &[LinkStatus]) {
        let now = Instant::now();
        let mut counts = Counts::new();
        for link in links {
            for end in &link.ends {
                if let Some(status) = &end.counts {
                    let count = Count {
                        frames: status.received_frames,
                        bytes: status.received_bytes,
                    };
                    counts.insert((link.lab.clone(), end.name.clone()), count);
                }
            }
        }
        if let Some((then, before)) = &self.before {
            let seconds = now.duration_since(*then).as_secs_f64().max(f64::EPSILON);
            let rate = |(key, count): (&(String, String), &Count)| {
                let was = before.get(key).copied().unwrap_or(*count);
                let rate = Rate {
                    frames: count.frames.saturating_sub(was.frames) as f64 / seconds,
                    bits: count.bytes.saturating_sub(was.bytes) as f64 * 8.0 / seconds,
                };
                (key.clone(), rate)
            };
            self.now = counts.iter().map(rate).collect();
        }
        self.before = Some((now, counts));
    }

    /// What an end sends; `None` before the second look.
    pub(crate) fn of(&self, lab: &str, end: &LinkEnd) -> Option<Rate> {
        let key = (lab.to_owned(), end.name.clone());
        self.now.get(&key).copied()
    }
}

impl Rate {
    /// `1.2 Mbit/s 104/s`, or `-` for nothing.
    pub(crate) fn words(self) -> String {
        if self.frames == 0.0 {
            return "-".to_owned();
        }
        format!("{} {}/s", bits(self.bits), scaled(self.frames))
    }
}

fn bits(bits: f64) -> String {
    match bits {
        ..1e3 => format!("{bits:.0} bit/s"),
        1e3..1e6 => format!("{:.1} kbit/s", bits / 1e3),
        1e6..1e9 => format!("{:.1} Mbit/s", bits / 1e6),
        _ => format!("{:.2} Gbit/s", bits / 1e9),
    }
}

fn scaled(count: f64) -> String {
    match count {
        ..10.0 => format!("{count:.1}"),
        10.0..1e4 => format!("{count:.0}"),
        _ => format!("{:.0}k", count / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_units_that_fit() {
        let words = |frames, bits| Rate { frames, bits }.words();
        assert_eq!(words(0.0, 0.0), "-");
        assert_eq!(words(2.0, 960.0), "960 bit/s 2.0/s");
        assert_eq!(words(833.0, 1e7), "10.0 Mbit/s 833/s");
        assert_eq!(words(2e5, 2.4e9), "2.40 Gbit/s 200k/s");
    }
}
