//! Reading a pcapng stream block by block, as far as those need who pass it on: where a block
//! ends, which are frames, and what is said of them.
//!
//! It is not a reader of all that the format allows: only streams with little endian numbers are
//! understood, as [`super::pcapng`] writes them. Nothing of what it reads makes it panic.

use super::pcapng::{
    BYTE_ORDER, Direction, ENHANCED_PACKET, INTERFACE_DESCRIPTION, INTERFACE_STATISTICS,
    MAX_SNAPLEN, SECTION_HEADER, option,
};

/// Longest block in bytes: a whole frame, with more options than we write.
pub const BLOCK_LIMIT: usize = MAX_SNAPLEN as usize + (64 << 10);

/// Type and length before a block's body, and the length behind it.
const FRAMING: usize = 12;

/// Why a stream cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// A length that no block has.
    #[error("a block is 12 to {BLOCK_LIMIT} bytes long and a multiple of 4, this one says {0}")]
    Length(u32),
    /// The length behind a block is not that before it.
    #[error("a block says that it is {0} bytes long, and at its end {1}")]
    Lengths(u32, u32),
    /// The numbers of a section have the other order of bytes, or it is no pcapng at all.
    #[error("expected a section with little endian numbers, found {0:#010x}")]
    Order(u32),
}

/// Takes bytes as they come, and gives whole blocks.
#[derive(Debug, Clone, Default)]
pub struct BlockReader {
    bytes: Vec<u8>,
    start: usize,
}

/// A whole block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// Everything, to be passed on.
    pub bytes: &'a [u8],
    /// What it says.
    pub body: Body<'a>,
}

/// What a block says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// A section begins.
    Section,
    /// An interface; they are numbered in the order of their blocks.
    Interface {
        /// Its name, if it has one that is a text.
        name: Option<&'a str>,
    },
    /// A frame.
    Packet(CapturedPacket<'a>),
    /// What became of the frames of an interface.
    Statistics {
        /// The interface.
        interface: u32,
        /// Frames that got lost on their way into the capture.
        missed: u64,
    },
    /// Something else.
    Other,
}

/// A frame as a block has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapturedPacket<'a> {
    /// The number of its interface.
    pub interface: u32,
    /// When, in nanoseconds since 1970-01-01 UTC.
    pub nanoseconds: u64,
    /// Which way it went, as its interface sees it; `None` if that is not said.
    pub direction: Option<Direction>,
    /// Its bytes, or the first of them.
    pub frame: &'a [u8],
    /// How many bytes the whole frame had.
    pub length: u32,
    /// A remark, or nothing.
    pub comment: &'a str,
    /// How many frames were missed before this one.
    pub missed: u64,
}

impl BlockReader {
    /// Takes the next bytes of a stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole block; `None` until more bytes come.
    ///
    /// # Errors
    ///
    /// When the stream is no pcapng that we can read; it gives no further blocks then.
    pub fn next_block(&mut self) -> Result<Option<Block<'_>>, BlockError> {
        let rest = &self.bytes[self.start..];
        let (Some(kind), Some(length)) = (word(rest, 0), word(rest, 4)) else {
            return Ok(None);
        };
        let size = length as usize;
        if !(FRAMING..=BLOCK_LIMIT).contains(&size) || !size.is_multiple_of(4) {
            return Err(BlockError::Length(length));
        }
        let Some(bytes) = rest.get(..size) else {
            return Ok(None);
        };
        let behind = word(bytes, size - 4).unwrap_or_default();
        if behind != length {
            return Err(BlockError::Lengths(length, behind));
        }
        let inner = &bytes[8..size - 4];
        let body = match kind {
            SECTION_HEADER => {
                let order = word(inner, 0).unwrap_or_default();
                if order != BYTE_ORDER {
                    return Err(BlockError::Order(order));
                }
                Body::Section
            }
            INTERFACE_DESCRIPTION => Body::Interface {
                name: find(inner.get(8..), option::INTERFACE_NAME)
                    .and_then(|name| std::str::from_utf8(name).ok()),
            },
            ENHANCED_PACKET => packet(inner).map_or(Body::Other, Body::Packet),
            INTERFACE_STATISTICS => statistics(inner).unwrap_or(Body::Other),
            _ => Body::Other,
        };
        self.start += size;
        Ok(Some(Block { bytes, body }))
    }
}

fn packet(body: &[u8]) -> Option<CapturedPacket<'_>> {
    let kept = word(body, 12)? as usize;
    let frame = body.get(20..)?.get(..kept)?;
    let options = body.get((20 + kept).next_multiple_of(4)..);
    let flags = find(options, option::PACKET_FLAGS).and_then(|flags| word(flags, 0));
    let comment = find(options, option::COMMENT).and_then(|text| std::str::from_utf8(text).ok());
    Some(CapturedPacket {
        interface: word(body, 0)?,
        nanoseconds: u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?),
        direction: match flags.unwrap_or_default() & 3 {
            1 => Some(Direction::Inbound),
            2 => Some(Direction::Outbound),
            _ => None,
        },
        frame,
        length: word(body, 16)?,
        comment: comment.unwrap_or_default(),
        missed: find(options, option::PACKET_DROPS).map_or(0, number),
    })
}

fn statistics(body: &[u8]) -> Option<Body<'_>> {
    Some(Body::Statistics {
        interface: word(body, 0)?,
        missed: find(body.get(12..), option::STATISTICS_OS_DROPPED).map_or(0, number),
    })
}

/// The value of the first option of a code.
fn find(options: Option<&[u8]>, wanted: u16) -> Option<&[u8]> {
    let mut rest = options?;
    loop {
        let head = word(rest, 0)?;
        let (code, length) = (head as u16, (head >> 16) as usize);
        let value = rest.get(4..)?.get(..length)?;
        if code == option::END {
            return None;
        }
        if code == wanted {
            return Some(value);
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*four))
}

fn number(value: &[u8]) -> u64 {
    value
        .first_chunk()
        .map_or(0, |eight| u64::from_le_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use super::super::pcapng::{Interface, Packet, PcapngWriter, Statistics};
    use super::*;
    use proptest::prelude::*;

    /// What is written: a frame of some length, how much of it, a remark, and what was missed.
    type Written = (Vec<u8>, u32, String, u64);

    fn stream(packets: &[Written]) -> Vec<u8> {
        let mut writer = PcapngWriter::new("test");
        let mut stream = Vec::new();
        writer.begin(&mut stream);
        let interface = Interface {
            name: "r1:eth1".to_owned(),
            description: None,
            filter: Some("arp".to_owned()),
            snaplen: 0,
        };
        let r1 = writer.interface(interface, &mut stream);
        for (number, (frame, more, comment, missed)) in (0..).zip(packets) {
            let packet = Packet {
                interface: r1,
                nanoseconds: u64::MAX / 2 + number,
                direction: Direction::Outbound,
                frame,
                length: frame.len() + *more as usize,
                comment,
                missed: *missed,
            };
            writer.packet(&packet, &mut stream);
        }
        let statistics = Statistics {
            missed: 7,
            ..Statistics::default()
        };
        writer.statistics(r1, &statistics, &mut stream);
        stream
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_however_it_is_cut(
            packets in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..300), 0_u32..2000, "[a-z]{0,9}", 0_u64..9),
                0..8,
            ),
            piece in 1_usize..200,
        ) {
            let stream = stream(&packets);
            let mut reader = BlockReader::default();
            let mut copied = Vec::new();
            let mut found = Vec::new();
            let mut others = Vec::new();
            for bytes in stream.chunks(piece) {
                reader.push(bytes);
                while let Some(block) = reader.next_block().unwrap() {
                    copied.extend_from_slice(block.bytes);
                    match block.body {
                        Body::Packet(packet) => {
                            prop_assert_eq!(packet.direction, Some(Direction::Outbound));
                            prop_assert_eq!(packet.nanoseconds, u64::MAX / 2 + found.len() as u64);
                            let more = packet.length - packet.frame.len() as u32;
                            let comment = packet.comment.to_owned();
                            found.push((packet.frame.to_vec(), more, comment, packet.missed));
                        }
                        Body::Interface { name } => others.push(format!("interface {name:?}")),
                        Body::Statistics { interface, missed } => {
                            others.push(format!("statistics {interface} {missed}"));
                        }
                        Body::Section => others.push("section".to_owned()),
                        Body::Other => others.push("other".to_owned()),
                    }
                }
            }
            prop_assert_eq!(copied, stream);
            prop_assert_eq!(found, packets);
            let expected = ["section", "interface Some(\"r1:eth1\")", "statistics 0 7"];
            prop_assert_eq!(others, expected);
        }

        #[test]
        fn nonsense_is_refused_or_waited_for(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200),
            kind in prop::sample::select(vec![1_u32, 5, 6, 0x0a0d_0d0a]),
            length in (3_u32..40).prop_map(|words| words * 4),
        ) {
            bytes.splice(..0, [kind.to_le_bytes(), length.to_le_bytes()].concat());
            let end = length as usize - 4;
            if let Some(behind) = bytes.get_mut(end..end + 4) {
                behind.copy_from_slice(&length.to_le_bytes());
            }
            let mut reader = BlockReader::default();
            reader.push(&bytes);
            while let Ok(Some(_)) = reader.next_block() {}
        }
    }

    #[test]
    fn what_is_no_pcapng_is_refused() {
        let refused = |bytes: &[u8]| {
            let mut reader = BlockReader::default();
            reader.push(bytes);
            reader.next_block().unwrap_err()
        };
        assert_eq!(refused(&[0; 8]), BlockError::Length(0));
        assert_eq!(refused(&[0xff; 8]), BlockError::Length(u32::MAX));
        let mut turned = stream(&[]);
        turned[8..12].reverse();
        assert_eq!(refused(&turned), BlockError::Order(BYTE_ORDER.swap_bytes()));
        let mut torn = stream(&[]);
        let length = torn[4];
        torn[usize::from(length) - 4] = 0;
        assert!(matches!(refused(&torn), BlockError::Lengths(..)));
    }
}
