//! What the pcapng writer writes, read back by a parser that is not ours.

use pcap_parser::pcapng::{Block, OptionCode, PcapNGOption, parse_block_le};
use proptest::prelude::*;
use vnflab_wire::capture::pcapng::{
    Direction, Interface, MAX_SNAPLEN, MAX_TEXT, Packet, PcapngWriter, Statistics,
};

/// 2023-11-14 22:13:20.123456789 UTC.
const TIME: u64 = 1_700_000_000_123_456_789;

fn interface(name: &str) -> Interface {
    Interface {
        name: name.to_owned(),
        description: None,
        filter: None,
        snaplen: 0,
    }
}

fn blocks(mut stream: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    while !stream.is_empty() {
        let (rest, block) = parse_block_le(stream).expect("a whole block");
        blocks.push(block);
        stream = rest;
    }
    blocks
}

fn value<'a>(options: &'a [PcapNGOption<'_>], code: u16) -> Option<&'a [u8]> {
    let option = options.iter().find(|option| option.code.0 == code)?;
    Some(&option.value[..usize::from(option.len)])
}

#[test]
fn a_stream_has_a_section_its_interfaces_its_frames_and_statistics() {
    let mut writer = PcapngWriter::new("vnflab 0.1.0");
    let mut stream = Vec::new();
    writer.begin(&mut stream);
    let r1 = writer.interface(
        Interface {
            name: "r1:eth1".to_owned(),
            description: Some("end of core".to_owned()),
            filter: Some("ip proto 89".to_owned()),
            snaplen: 96,
        },
        &mut stream,
    );
    let packet = Packet {
        interface: r1,
        nanoseconds: TIME,
        direction: Direction::Outbound,
        frame: &[0xab; 61],
        length: 1500,
        comment: "dropped: loss, between r1:eth1 and r2:eth1",
        missed: 3,
    };
    writer.packet(&packet, &mut stream);
    let statistics = Statistics {
        started_nanoseconds: TIME - 1,
        ended_nanoseconds: TIME + 1,
        received: 10,
        dropped: 2,
        missed: u64::MAX,
    };
    writer.statistics(r1, &statistics, &mut stream);

    let blocks = blocks(&stream);
    let [
        Block::SectionHeader(section),
        Block::InterfaceDescription(described),
        Block::EnhancedPacket(enhanced),
        Block::InterfaceStatistics(counted),
    ] = blocks.as_slice()
    else {
        panic!("{blocks:?}");
    };
    assert_eq!((section.major_version, section.minor_version), (1, 0));
    assert_eq!(section.section_len, -1);
    assert_eq!(value(&section.options, 4), Some(&b"vnflab 0.1.0"[..]));

    assert_eq!(described.linktype.0, 1);
    assert_eq!(described.snaplen, 96);
    assert_eq!(value(&described.options, 2), Some(&b"r1:eth1"[..]));
    assert_eq!(value(&described.options, 3), Some(&b"end of core"[..]));
    assert_eq!(value(&described.options, 9), Some(&[9][..]));
    assert_eq!(value(&described.options, 11), Some(&b"\0ip proto 89"[..]));

    assert_eq!(enhanced.if_id, 0);
    assert_eq!(joined(enhanced.ts_high, enhanced.ts_low), TIME);
    assert_eq!((enhanced.caplen, enhanced.origlen), (61, 1500));
    assert_eq!(&enhanced.data[..61], &[0xab; 61]);
    assert_eq!(value(&enhanced.options, 2), Some(&2_u32.to_le_bytes()[..]));
    assert_eq!(value(&enhanced.options, 4), Some(&3_u64.to_le_bytes()[..]));
    let comment = value(&enhanced.options, OptionCode::Comment.0);
    assert_eq!(comment, Some(packet.comment.as_bytes()));

    assert_eq!(joined(counted.ts_high, counted.ts_low), TIME + 1);
    assert_eq!(value(&counted.options, 4), Some(&10_u64.to_le_bytes()[..]));
    assert_eq!(value(&counted.options, 5), Some(&2_u64.to_le_bytes()[..]));
    assert_eq!(value(&counted.options, 7), Some(&[0xff; 8][..]));
}

fn joined(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

#[test]
fn beginning_again_keeps_the_numbers_of_interfaces() {
    let mut writer = PcapngWriter::new("");
    let mut first = Vec::new();
    writer.begin(&mut first);
    writer.interface(interface("a"), &mut first);
    let b = writer.interface(interface("b"), &mut first);
    let mut second = Vec::new();
    writer.begin(&mut second);
    writer.statistics(b, &Statistics::default(), &mut second);
    let blocks = blocks(&second);
    let [
        Block::SectionHeader(section),
        Block::InterfaceDescription(_),
        Block::InterfaceDescription(described),
        Block::InterfaceStatistics(counted),
    ] = blocks.as_slice()
    else {
        panic!("{blocks:?}");
    };
    assert!(section.options.is_empty(), "an empty name is left out");
    assert_eq!(value(&described.options, 2), Some(&b"b"[..]));
    assert_eq!(counted.if_id, 1);
}

#[test]
fn what_nobody_said_is_left_out() {
    let mut writer = PcapngWriter::new("vnflab");
    let mut stream = Vec::new();
    writer.begin(&mut stream);
    let end = writer.interface(interface("r1:eth1"), &mut stream);
    let packet = Packet {
        interface: end,
        nanoseconds: 0,
        direction: Direction::Inbound,
        frame: &[],
        length: 0,
        comment: "",
        missed: 0,
    };
    writer.packet(&packet, &mut stream);
    let blocks = blocks(&stream);
    let Some(Block::EnhancedPacket(enhanced)) = blocks.last() else {
        panic!("{blocks:?}");
    };
    assert_eq!((enhanced.caplen, enhanced.origlen), (0, 0));
    let codes: Vec<u16> = enhanced
        .options
        .iter()
        .map(|option| option.code.0)
        .collect();
    assert_eq!(codes, [2, 0], "flags and the end");
}

#[test]
fn long_texts_are_cut_off_at_a_whole_character() {
    let mut writer = PcapngWriter::new("é".repeat(MAX_TEXT));
    let mut stream = Vec::new();
    writer.begin(&mut stream);
    writer.interface(
        interface(&format!("x{}", "é".repeat(MAX_TEXT))),
        &mut stream,
    );
    let blocks = blocks(&stream);
    let [
        Block::SectionHeader(section),
        Block::InterfaceDescription(described),
    ] = blocks.as_slice()
    else {
        panic!("{blocks:?}");
    };
    let application = value(&section.options, 4).expect("a name");
    assert_eq!(application.len(), MAX_TEXT);
    let name = value(&described.options, 2).expect("a name");
    assert_eq!(name.len(), MAX_TEXT - 1);
    assert!(std::str::from_utf8(name).is_ok());
}

proptest! {
    /// Every length of frame and text is read back as it was, up to the snaplen.
    #[test]
    fn frames_and_texts_of_every_length_are_read_back(
        frames in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..70), 0_usize..3000, any::<u64>(), ".{0,9}"), 0..6),
        name in ".{1,9}",
        snaplen in prop::sample::select(vec![0_u32, 1, 14, 63, 64, MAX_SNAPLEN, u32::MAX]),
    ) {
        let mut writer = PcapngWriter::new(name.clone());
        let mut stream = Vec::new();
        writer.begin(&mut stream);
        let id = writer.interface(Interface { snaplen, ..interface(&name) }, &mut stream);
        for (frame, length, nanoseconds, comment) in &frames {
            let packet = Packet {
                interface: id,
                nanoseconds: *nanoseconds,
                direction: Direction::Inbound,
                frame,
                length: *length,
                comment,
                missed: *nanoseconds,
            };
            writer.packet(&packet, &mut stream);
            prop_assert_eq!(stream.len() % 4, 0);
        }
        let limit = if snaplen == 0 { MAX_SNAPLEN } else { snaplen.min(MAX_SNAPLEN) };
        let blocks = blocks(&stream);
        prop_assert_eq!(blocks.len(), 2 + frames.len());
        for (block, (frame, length, nanoseconds, comment)) in blocks[2..].iter().zip(&frames) {
            let Block::EnhancedPacket(read) = block else {
                panic!("{block:?}");
            };
            let kept = frame.len().min(limit as usize);
            prop_assert_eq!(read.caplen as usize, kept);
            prop_assert_eq!(read.origlen as usize, *length.max(&frame.len()));
            prop_assert_eq!(&read.data[..kept], &frame[..kept]);
            prop_assert_eq!(joined(read.ts_high, read.ts_low), *nanoseconds);
            let said = value(&read.options, 1).unwrap_or_default();
            prop_assert_eq!(said, comment.as_bytes());
        }
    }
}
