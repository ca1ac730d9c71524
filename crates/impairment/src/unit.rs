//! Quantities as users write them.
//!
//! Every quantity is an integer inside, is read from text without rounding, and is shown in a form
//! that is read back as the same value. A figure without its unit is refused where it could mean
//! two things: `20` is microseconds to tc and milliseconds to ping.

mod decimal;
mod duration;
mod percent;
mod rate;
mod size;

pub use duration::{Duration, DurationError};
pub use percent::{Percent, PercentError};
pub use rate::{Rate, RateError};
pub use size::{Size, SizeError};

/// Serializes a unit as its text, and reads it back from there.
macro_rules! serde_as_text {
    ($type:ty, $expected:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(
                        &self,
                        formatter: &mut std::fmt::Formatter<'_>,
                    ) -> std::fmt::Result {
                        formatter.write_str($expected)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                from.deserialize_str(Text)
            }
        }
    };
}

serde_as_text!(Duration, "a time such as \"20ms\"");
serde_as_text!(Percent, "a percentage such as \"1%\"");
serde_as_text!(Rate, "a rate such as \"10mbit\"");
serde_as_text!(Size, "a size such as \"64KiB\"");
