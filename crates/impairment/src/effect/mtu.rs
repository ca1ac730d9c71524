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

/// Bytes in front of the payload: two addresses and a type.
const HEADER: usize = 14;

/// Bytes of a VLAN tag.
const TAG: usize = 4;

/// Types that stand for a VLAN tag: 802.1Q, 802.1ad, and what was used before that.
const TAG_TYPES: [[u8; 2]; 3] = [[0x81, 0x00], [0x88, 0xa8], [0x91, 0x00]];

impl Mtu {
    /// Whether a frame is not too long.
    pub(crate) fn fits(self, frame: &[u8]) -> bool {
        let room = usize::from(self.0) + HEADER;
        if frame.len() <= room {
            return true;
        }
        let tags = frame[HEADER - 2..]
            .chunks(TAG)
            .take_while(|chunk| TAG_TYPES.iter().any(|tag| chunk.starts_with(tag)))
            .count();
        frame.len() <= room + tags * TAG
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_makes_room_for_itself() {
        let mtu = Mtu(1500);
        let mut frame = vec![0; 1515];
        assert!(mtu.fits(&frame[..1514]));
        assert!(!mtu.fits(&frame));
        frame[12..14].copy_from_slice(&[0x81, 0x00]);
        frame.resize(1518, 0);
        assert!(mtu.fits(&frame));
        frame.resize(1519, 0);
        assert!(!mtu.fits(&frame));
        frame[12..14].copy_from_slice(&[0x88, 0xa8]);
        frame[16..18].copy_from_slice(&[0x81, 0x00]);
        frame.resize(1522, 0);
        assert!(mtu.fits(&frame));
        assert!(!Mtu(68).fits(&[0x81; 83]));
        assert!(mtu.fits(&[]));
    }
}
