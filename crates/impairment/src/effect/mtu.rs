//! Frames that are too long.

use super::Word;
use crate::value::{Value, ValueError, number};
use std::fmt;
use std::str::FromStr;

pub(crate) const MTU: Word = Word {
    name: "mtu",
    form: "BYTES",
    example: "1500",
    doc: "Longest payload of a frame. Longer frames are dropped: those of more than 14 bytes beyond it, and 4 more for each VLAN tag.",
};

/// Least MTU: what IPv4 needs of every link (RFC 791).
const LEAST: i64 = 68;

/// The longest payload of a frame, in bytes: 68 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mtu(u16);

impl Mtu {
    /// The bytes.
    pub const fn bytes(self) -> u16 {
        self.0
    }
}

impl FromStr for Mtu {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let bytes = number(text.trim(), "the MTU", LEAST, i64::from(u16::MAX))?;
        Ok(Self(u16::try_from(bytes).unwrap_or(u16::MAX)))
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Value for Mtu {}
