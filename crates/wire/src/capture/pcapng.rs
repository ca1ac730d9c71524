//! Writing pcapng, the file format of Wireshark, into memory.
//!
//! A stream is a section header, a block for every interface, a block for every frame and, at the
//! end, one of statistics for every interface. [`PcapngWriter`] appends them to a buffer of the
//! caller's: it opens nothing, reads no clock, and allocates nothing for a frame but what the
//! buffer needs to grow.
//!
//! What holds: all numbers are little endian; every block is a multiple of four bytes long and says
//! its length at both ends; times count nanoseconds since 1970-01-01 UTC; the link type is Ethernet.
//!
//! The format is draft-ietf-opsawg-pcapng.

/// A text in an option is cut off behind this many bytes: lengths of options have 16 bits, and the
/// name of an interface or a remark has no use for more.
pub const MAX_TEXT: usize = 4096;

/// Frames are cut off behind this many bytes where no other snaplen is set: more than the longest
/// datagram, and what readers take without suspicion.
pub const MAX_SNAPLEN: u32 = 262_144;

pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
pub(super) const INTERFACE_DESCRIPTION: u32 = 1;
pub(super) const INTERFACE_STATISTICS: u32 = 5;
pub(super) const ENHANCED_PACKET: u32 = 6;

/// Written as it is, it tells readers the order of bytes.
pub(super) const BYTE_ORDER: u32 = 0x1a2b_3c4d;
/// A section whose length is not known before it ends.
const UNKNOWN_LENGTH: u64 = u64::MAX;
const LINKTYPE_ETHERNET: u16 = 1;
/// Units of time are 10^-9 s.
const NANOSECONDS: u8 = 9;
/// A filter that is a text in libpcap's language.
const FILTER_IS_TEXT: u8 = 0;

/// Codes of options. Their meaning depends on the block, but for the end and remarks.
pub(super) mod option {
    pub(in crate::capture) const END: u16 = 0;
    pub(in crate::capture) const COMMENT: u16 = 1;
    pub(in crate::capture) const SECTION_APPLICATION: u16 = 4;
    pub(in crate::capture) const INTERFACE_NAME: u16 = 2;
    pub(in crate::capture) const INTERFACE_DESCRIPTION: u16 = 3;
    pub(in crate::capture) const INTERFACE_RESOLUTION: u16 = 9;
    pub(in crate::capture) const INTERFACE_FILTER: u16 = 11;
    pub(in crate::capture) const PACKET_FLAGS: u16 = 2;
    pub(in crate::capture) const PACKET_DROPS: u16 = 4;
    pub(in crate::capture) const STATISTICS_START: u16 = 2;
    pub(in crate::capture) const STATISTICS_END: u16 = 3;
    pub(in crate::capture) const STATISTICS_RECEIVED: u16 = 4;
    pub(in crate::capture) const STATISTICS_DROPPED: u16 = 5;
    pub(in crate::capture) const STATISTICS_OS_DROPPED: u16 = 7;
}

/// An interface that frames are captured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// How readers show it: `r1:eth1`.
    pub name: String,
    /// What it is, for people.
    pub description: Option<String>,
    /// The filter expression through which its frames came.
    pub filter: Option<String>,
    /// Frames are cut off behind this many bytes. Zero and all above [`MAX_SNAPLEN`] mean that.
    pub snaplen: u32,
}

/// An interface of a [`PcapngWriter`], from [`PcapngWriter::interface`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(u32);

/// Which way a frame went, as its interface sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It came in.
    Inbound,
    /// It went out.
    Outbound,
}

/// A captured frame and what is known about it.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Where it was captured.
    pub interface: InterfaceId,
    /// When, in nanoseconds since 1970-01-01 UTC.
    pub nanoseconds: u64,
    /// Which way it went.
    pub direction: Direction,
    /// Its bytes, or the first of them.
    pub frame: &'a [u8],
    /// How many bytes the whole frame has; at least those of `frame` are assumed.
    pub length: usize,
    /// A remark, such as why it was dropped. An empty one is left out.
    pub comment: &'a str,
    /// How many frames were missed on this interface since the one before.
    pub missed: u64,
}

/// What became of the frames of an interface, in numbers of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// When the capture began, in nanoseconds since 1970-01-01 UTC.
    pub started_nanoseconds: u64,
    /// When it ended.
    pub ended_nanoseconds: u64,
    /// Frames that the interface received.
    pub received: u64,
    /// Frames that the interface dropped.
    pub dropped: u64,
    /// Frames that got lost on their way into the capture.
    pub missed: u64,
}

/// Appends the blocks of a pcapng stream to a buffer.
///
/// ```
/// use vnflab_wire::capture::pcapng::{Direction, Interface, Packet, PcapngWriter};
///
/// let mut writer = PcapngWriter::new("vnflab");
/// let mut stream = Vec::new();
/// writer.begin(&mut stream);
/// let r1 = writer.interface(
///     Interface { name: "r1:eth1".into(), description: None, filter: None, snaplen: 0 },
///     &mut stream,
/// );
/// writer.packet(
///     &Packet {
///         interface: r1,
///         nanoseconds: 1_700_000_000_123_456_789,
///         direction: Direction::Inbound,
///         frame: &[0xff; 60],
///         length: 60,
///         comment: "",
///         missed: 0,
///     },
///     &mut stream,
/// );
/// assert!(stream.len().is_multiple_of(4));
/// ```
#[derive(Debug, Clone)]
pub struct PcapngWriter {
    application: String,
    interfaces: Vec<Interface>,
}

impl PcapngWriter {
    /// A writer that names this application in its streams.
    pub fn new(application: impl Into<String>) -> Self {
        Self {
            application: application.into(),
            interfaces: Vec::new(),
        }
    }

    /// Begins a stream: a section header and the interfaces known so far. Beginning again, for the
    /// next of several files, keeps the interfaces' numbers.
    pub fn begin(&self, stream: &mut Vec<u8>) {
        let mut block = Block::begin(stream, SECTION_HEADER);
        block.put(&BYTE_ORDER.to_le_bytes());
        block.put(&1_u16.to_le_bytes());
        block.put(&0_u16.to_le_bytes());
        block.put(&UNKNOWN_LENGTH.to_le_bytes());
        block.text(option::SECTION_APPLICATION, &self.application);
        block.end();
        for interface in &self.interfaces {
            describe(interface, stream);
        }
    }

    /// Makes an interface known, in a stream that has begun.
    pub fn interface(&mut self, interface: Interface, stream: &mut Vec<u8>) -> InterfaceId {
        describe(&interface, stream);
        let id = InterfaceId(narrow(self.interfaces.len()));
        self.interfaces.push(interface);
        id
    }

    /// Appends a frame, cut off at the snaplen of its interface.
    pub fn packet(&self, packet: &Packet<'_>, stream: &mut Vec<u8>) {
        let snaplen = self
            .interfaces
            .get(packet.interface.0 as usize)
            .map_or(MAX_SNAPLEN, snaplen);
        let captured = &packet.frame[..packet.frame.len().min(snaplen as usize)];
        let length = packet.length.max(packet.frame.len());
        let mut block = Block::begin(stream, ENHANCED_PACKET);
        block.put(&packet.interface.0.to_le_bytes());
        block.time(packet.nanoseconds);
        block.put(&narrow(captured.len()).to_le_bytes());
        block.put(&narrow(length).to_le_bytes());
        block.put(captured);
        block.pad();
        block.option(option::PACKET_FLAGS, &flags(packet.direction).to_le_bytes());
        if packet.missed > 0 {
            block.option(option::PACKET_DROPS, &packet.missed.to_le_bytes());
        }
        block.text(option::COMMENT, packet.comment);
        block.end();
    }

    /// Appends what became of an interface's frames.
    pub fn statistics(
        &self,
        interface: InterfaceId,
        statistics: &Statistics,
        stream: &mut Vec<u8>,
    ) {
        let mut block = Block::begin(stream, INTERFACE_STATISTICS);
        block.put(&interface.0.to_le_bytes());
        block.time(statistics.ended_nanoseconds);
        block.time_option(option::STATISTICS_START, statistics.started_nanoseconds);
        block.time_option(option::STATISTICS_END, statistics.ended_nanoseconds);
        let counts = [
            (option::STATISTICS_RECEIVED, statistics.received),
            (option::STATISTICS_DROPPED, statistics.dropped),
            (option::STATISTICS_OS_DROPPED, statistics.missed),
        ];
        for (code, count) in counts {
            block.option(code, &count.to_le_bytes());
        }
        block.end();
    }
}

fn describe(interface: &Interface, stream: &mut Vec<u8>) {
    let mut block = Block::begin(stream, INTERFACE_DESCRIPTION);
    block.put(&LINKTYPE_ETHERNET.to_le_bytes());
    block.put(&0_u16.to_le_bytes());
    block.put(&snaplen(interface).to_le_bytes());
    block.text(option::INTERFACE_NAME, &interface.name);
    if let Some(description) = &interface.description {
        block.text(option::INTERFACE_DESCRIPTION, description);
    }
    block.option(option::INTERFACE_RESOLUTION, &[NANOSECONDS]);
    if let Some(filter) = &interface.filter {
        block.marked_text(option::INTERFACE_FILTER, &[FILTER_IS_TEXT], filter);
    }
    block.end();
}

fn snaplen(interface: &Interface) -> u32 {
    match interface.snaplen {
        0 => MAX_SNAPLEN,
        snaplen => snaplen.min(MAX_SNAPLEN),
    }
}

/// The first two bits are the direction: 1 is in, 2 is out.
fn flags(direction: Direction) -> u32 {
    match direction {
        Direction::Inbound => 1,
        Direction::Outbound => 2,
    }
}

/// Frames and blocks are far below 4 GiB; a length that is not is written as the most there is.
fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The longest beginning of a text that fits and ends with a whole character.
fn cut(text: &str) -> &str {
    let longest = text.len().min(MAX_TEXT);
    let end = (0..=longest).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// A block that is being appended.
struct Block<'a> {
    stream: &'a mut Vec<u8>,
    start: usize,
    has_options: bool,
}

impl<'a> Block<'a> {
    fn begin(stream: &'a mut Vec<u8>, kind: u32) -> Self {
        let start = stream.len();
        stream.extend_from_slice(&kind.to_le_bytes());
        // The length, which `end` fills in.
        stream.extend_from_slice(&[0; 4]);
        Self {
            stream,
            start,
            has_options: false,
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.stream.extend_from_slice(bytes);
    }

    /// Fills up to the next multiple of four bytes.
    fn pad(&mut self) {
        let written = self.stream.len() - self.start;
        self.put(&[0; 3][..written.next_multiple_of(4) - written]);
    }

    /// A time is two words, the high one first, whatever the order of bytes.
    fn time(&mut self, nanoseconds: u64) {
        self.put(&time(nanoseconds));
    }

    fn time_option(&mut self, code: u16, nanoseconds: u64) {
        self.option(code, &time(nanoseconds));
    }

    fn option(&mut self, code: u16, value: &[u8]) {
        self.has_options = true;
        self.put(&code.to_le_bytes());
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        self.put(&length.to_le_bytes());
        self.put(&value[..usize::from(length)]);
        self.pad();
    }

    /// A text; an empty one is left out.
    fn text(&mut self, code: u16, text: &str) {
        if !text.is_empty() {
            self.option(code, cut(text).as_bytes());
        }
    }

    /// A text behind some bytes.
    fn marked_text(&mut self, code: u16, mark: &[u8], text: &str) {
        let value = [mark, cut(text).as_bytes()].concat();
        self.option(code, &value);
    }

    fn end(mut self) {
        if self.has_options {
            self.option(option::END, &[]);
        }
        let length = narrow(self.stream.len() - self.start + 4).to_le_bytes();
        self.put(&length);
        self.stream[self.start + 4..self.start + 8].copy_from_slice(&length);
    }
}

fn time(nanoseconds: u64) -> [u8; 8] {
    nanoseconds.rotate_left(32).to_le_bytes()
}
