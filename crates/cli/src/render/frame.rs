//! A frame in a few words: whose it is, for whom, and what it carries.
//!
//! Not a dissector: a handful of protocols of networks labs, as far as one line goes. Whatever is
//! cut off, broken or unknown is called by the number that is there.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What is said of a frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FrameWords {
    /// The address that sent it; empty where the frame is too short to have one.
    pub(super) source: String,
    /// The address that it goes to.
    pub(super) destination: String,
    /// Numbers of the VLANs that it is tagged with, the outermost first.
    pub(super) vlans: Vec<u16>,
    /// The protocol that it carries.
    pub(super) protocol: String,
    /// The rest, in that protocol's words.
    pub(super) summary: String,
}

impl FrameWords {
    /// Of a frame, or of its beginning.
    pub(super) fn of(frame: &[u8]) -> Self {
        let (Some(destination), Some(source)) = (frame.get(..6), frame.get(6..12)) else {
            return Self {
                protocol: "cut off".to_owned(),
                ..Self::default()
            };
        };
        let mut words = Self {
            source: mac(source),
            destination: mac(destination),
            ..Self::default()
        };
        let mut rest = &frame[12..];
        while let (Some(0x8100 | 0x88a8 | 0x9100), Some(tag)) = (u16_at(rest, 0), u16_at(rest, 2)) {
            words.vlans.push(tag & 0xfff);
            rest = &rest[4..];
        }
        let payload = rest.get(2..).unwrap_or_default();
        let (protocol, summary) = match u16_at(rest, 0) {
            None => ("cut off".to_owned(), None),
            Some(length @ 0..=1500) => {
                let end = payload.len().min(usize::from(length));
                llc(&payload[..end])
            }
            Some(ether_type) => carried(ether_type, payload),
        };
        words.protocol = protocol;
        words.summary = summary.unwrap_or_default();
        words
    }
}

/// A name, and what is said where enough of the frame is there.
type Words = (String, Option<String>);

fn named(name: &str, summary: Option<String>) -> Words {
    (name.to_owned(), summary)
}

fn carried(ether_type: u16, payload: &[u8]) -> Words {
    match ether_type {
        0x0800 => named("IPv4", ipv4(payload)),
        0x0806 => named("ARP", arp(payload)),
        0x86dd => named("IPv6", ipv6(payload)),
        0x8809 if payload.first() == Some(&1) => named("LACP", lacp(payload)),
        0x8809 => named("slow protocol", None),
        0x8847 | 0x8848 => {
            let label = u32_at(payload, 0).map(|word| format!("label {}", word >> 12));
            named("MPLS", label)
        }
        0x8863 => named("PPPoE discovery", None),
        0x8864 => named("PPPoE", None),
        0x888e => named("802.1X", None),
        0x88cc => named("LLDP", lldp(payload)),
        0x88b5 if payload.starts_with(b"vnflab-p") => named("probe of vnflab", None),
        0x88f7 => named("PTP", None),
        other => (format!("ethertype {other:#06x}"), None),
    }
}

/// What stands behind a length: IEEE 802.2.
fn llc(payload: &[u8]) -> Words {
    match payload {
        [0x42, 0x42, 3, bpdu @ ..] => named("STP", stp(bpdu)),
        [0xfe, 0xfe, 3, ..] => named("IS-IS", isis(payload)),
        [0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, ..] => named("CDP", None),
        [0xaa, 0xaa, 3, 0, 0, 0x0c, 0x01, 0x0b, bpdu @ ..] => named("PVST", stp(bpdu)),
        [0xaa, 0xaa, 3, 0, 0, 0, high, low, rest @ ..] => {
            carried(u16::from_be_bytes([*high, *low]), rest)
        }
        [to, from, ..] => (format!("LLC {to:#04x} {from:#04x}"), None),
        _ => named("LLC", None),
    }
}

fn arp(payload: &[u8]) -> Option<String> {
    let (sender, target) = (v4_at(payload, 14)?, v4_at(payload, 24)?);
    Some(match u16_at(payload, 6)? {
        1 if sender == target => format!("announces {sender}"),
        1 => format!("who has {target}, tell {sender}"),
        2 => format!("{sender} is at {}", mac(payload.get(8..14)?)),
        other => format!("operation {other}"),
    })
}

fn ipv4(packet: &[u8]) -> Option<String> {
    let header = usize::from(packet.first()? & 0xf) * 4;
    let (source, destination) = (v4_at(packet, 12)?, v4_at(packet, 16)?);
    let fragment = u16_at(packet, 6)? & 0x1fff;
    let protocol = *packet.get(9)?;
    let payload = packet.get(header..).unwrap_or_default();
    if fragment > 0 {
        let offset = u32::from(fragment) * 8;
        return Some(format!(
            "{source} > {destination} protocol {protocol}, fragment from {offset}"
        ));
    }
    let addresses = (source.to_string(), destination.to_string());
    Some(transport(protocol, addresses, payload))
}

fn ipv6(packet: &[u8]) -> Option<String> {
    let address = |at: usize| {
        let bytes: [u8; 16] = *packet.get(at..)?.first_chunk()?;
        Some(Ipv6Addr::from(bytes))
    };
    let addresses = (address(8)?.to_string(), address(24)?.to_string());
    let mut protocol = *packet.get(6)?;
    let mut payload = packet.get(40..).unwrap_or_default();
    // Hop-by-hop, routing and destination options: behind them is what matters.
    while let (0 | 43 | 60, [next, length, ..]) = (protocol, payload) {
        protocol = *next;
        let length = (usize::from(*length) + 1) * 8;
        payload = payload.get(length..).unwrap_or_default();
    }
    Some(transport(protocol, addresses, payload))
}

fn transport(protocol: u8, addresses: (String, String), payload: &[u8]) -> String {
    let (source, destination) = addresses;
    if let (6 | 17 | 132, Some(from), Some(to)) = (protocol, u16_at(payload, 0), u16_at(payload, 2))
    {
        let what = match protocol {
            6 => tcp(payload),
            17 => format!("UDP{}", udp(from, to)),
            _ => "SCTP".to_owned(),
        };
        let port = |address: &str, port: u16| match address.contains(':') {
            true => format!("[{address}]:{port}"),
            false => format!("{address}:{port}"),
        };
        let (source, destination) = (port(&source, from), port(&destination, to));
        return format!("{source} > {destination} {what}");
    }
    let byte = |at: usize| payload.get(at).copied();
    let what = match protocol {
        1 => word("ICMP", byte(0), ICMP),
        2 => word("IGMP", byte(0), IGMP),
        4 => "IPv4 in IP".to_owned(),
        41 => "IPv6 in IP".to_owned(),
        46 => "RSVP".to_owned(),
        47 => "GRE".to_owned(),
        50 => "ESP".to_owned(),
        51 => "AH".to_owned(),
        58 => word("ICMPv6", byte(0), ICMP6),
        88 => "EIGRP".to_owned(),
        89 => word("OSPF", byte(1), OSPF),
        103 => "PIM".to_owned(),
        112 => "VRRP".to_owned(),
        other => format!("protocol {other}"),
    };
    format!("{source} > {destination} {what}")
}

/// Types of messages by number.
type Names = &'static [(u8, &'static str)];

const ICMP: Names = &[
    (0, "echo reply"),
    (3, "unreachable"),
    (5, "redirect"),
    (8, "echo request"),
    (11, "time exceeded"),
];
const ICMP6: Names = &[
    (1, "unreachable"),
    (2, "packet too big"),
    (3, "time exceeded"),
    (128, "echo request"),
    (129, "echo reply"),
    (130, "multicast listener query"),
    (131, "multicast listener report"),
    (133, "router solicitation"),
    (134, "router advertisement"),
    (135, "neighbor solicitation"),
    (136, "neighbor advertisement"),
    (143, "multicast listener report"),
];
const IGMP: Names = &[
    (0x11, "query"),
    (0x16, "report"),
    (0x17, "leave"),
    (0x22, "report"),
];
const OSPF: Names = &[
    (1, "hello"),
    (2, "database description"),
    (3, "request"),
    (4, "update"),
    (5, "acknowledgment"),
];
const ISIS: Names = &[
    (15, "L1 LAN hello"),
    (16, "L2 LAN hello"),
    (17, "hello"),
    (18, "L1 LSP"),
    (20, "L2 LSP"),
    (24, "L1 CSNP"),
    (25, "L2 CSNP"),
    (26, "L1 PSNP"),
    (27, "L2 PSNP"),
];

fn word(protocol: &str, number: Option<u8>, names: Names) -> String {
    let Some(number) = number else {
        return protocol.to_owned();
    };
    match names.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => format!("{protocol} {name}"),
        None => format!("{protocol} type {number}"),
    }
}

fn tcp(segment: &[u8]) -> String {
    const FLAGS: [(u8, &str); 5] = [
        (0x02, "SYN"),
        (0x01, "FIN"),
        (0x04, "RST"),
        (0x08, "PSH"),
        (0x10, "ACK"),
    ];
    let flags = segment.get(13).copied().unwrap_or_default();
    let set: Vec<&str> = FLAGS
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    let mut text = "TCP".to_owned();
    if !set.is_empty() {
        write!(text, " {}", set.join(",")).expect("a string takes it");
    }
    text
}

/// What is usual on a UDP port, with a blank before it.
fn udp(from: u16, to: u16) -> &'static str {
    let usual = |port| match port {
        53 => " DNS",
        67 | 68 => " DHCP",
        69 => " TFTP",
        123 => " NTP",
        161 | 162 => " SNMP",
        514 => " syslog",
        520 => " RIP",
        546 | 547 => " DHCPv6",
        646 => " LDP",
        1985 => " HSRP",
        3784 => " BFD",
        3785 => " BFD echo",
        4789 => " VXLAN",
        _ => "",
    };
    match usual(to) {
        "" => usual(from),
        name => name,
    }
}

fn lacp(pdu: &[u8]) -> Option<String> {
    const ACTOR: usize = 2;
    let system = mac(pdu.get(ACTOR + 4..ACTOR + 10)?);
    let (key, port) = (u16_at(pdu, ACTOR + 10)?, u16_at(pdu, ACTOR + 14)?);
    Some(format!("system {system} key {key} port {port}"))
}

/// The name of the sender, or else its chassis.
fn lldp(pdu: &[u8]) -> Option<String> {
    const SYSTEM_NAME: u16 = 5;
    let mut rest = pdu;
    loop {
        let head = u16_at(rest, 0)?;
        let value = rest.get(2..)?.get(..usize::from(head & 0x1ff))?;
        match head >> 9 {
            0 => return None,
            SYSTEM_NAME => {
                let name = String::from_utf8_lossy(value);
                return Some(format!("from {}", super::clean(&name).replace('\n', " ")));
            }
            _ => rest = &rest[2 + value.len()..],
        }
    }
}

fn stp(bpdu: &[u8]) -> Option<String> {
    if bpdu.get(3) == Some(&0x80) {
        return Some("topology change".to_owned());
    }
    let priority = u16_at(bpdu, 5)?;
    let root = mac(bpdu.get(7..13)?);
    Some(format!("root {priority}/{root} cost {}", u32_at(bpdu, 13)?))
}

fn isis(payload: &[u8]) -> Option<String> {
    // Behind the LLC header: discriminator, length, version, length of IDs, type.
    let number = *payload.get(7)? & 0x1f;
    let name = ISIS.iter().find(|(known, _)| *known == number);
    Some(name.map_or(format!("type {number}"), |(_, name)| (*name).to_owned()))
}

fn mac(address: &[u8]) -> String {
    let bytes: Vec<String> = address.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn v4_at(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    Some(Ipv4Addr::from(u32_at(bytes, at)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "01005e000005 525400000001 ";

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
        digits.chunks(2).map(|two| pair(two).unwrap()).collect()
    }

    fn said(behind_the_addresses: &str) -> String {
        let words = FrameWords::of(&bytes(&format!("{HEADER}{behind_the_addresses}")));
        assert_eq!(words.source, "52:54:00:00:00:01");
        assert_eq!(words.destination, "01:00:5e:00:00:05");
        format!("{:?} {} {}", words.vlans, words.protocol, words.summary)
    }

    #[test]
    fn the_protocols_of_labs_are_told_apart() {
        let ip = "4500 0040 0000 0000 01";
        let hosts = "0000 0a000001 e0000005";
        let arp = "0806 0001 0800 0604";
        let cases = [
            (
                format!("0800 {ip}59 {hosts} 0201"),
                "[] IPv4 10.0.0.1 > 224.0.0.5 OSPF hello",
            ),
            (
                format!("0800 {ip}01 {hosts} 0800"),
                "[] IPv4 10.0.0.1 > 224.0.0.5 ICMP echo request",
            ),
            (
                format!("0800 {ip}11 {hosts} c000 0ec8 0000 0000"),
                "[] IPv4 10.0.0.1:49152 > 224.0.0.5:3784 UDP BFD",
            ),
            (
                format!("8100 0014 0800 {ip}06 {hosts} 00b3 c001 00000000 00000000 5012"),
                "[20] IPv4 10.0.0.1:179 > 224.0.0.5:49153 TCP SYN,ACK",
            ),
            (
                format!(
                    "88a8 0064 8100 2014 {arp} 0001 525400000001 0a000001 000000000000 0a000002"
                ),
                "[100, 20] ARP who has 10.0.0.2, tell 10.0.0.1",
            ),
            (
                format!("{arp} 0002 525400000001 0a000001 525400000002 0a000002"),
                "[] ARP 10.0.0.1 is at 52:54:00:00:00:01",
            ),
            (
                "86dd 60000000 0024 00 01 fe800000000000000000000000000001 \
                 ff020000000000000000000000000005 5900 0502 0000 0100 0301"
                    .to_owned(),
                "[] IPv6 fe80::1 > ff02::5 OSPF hello",
            ),
            (
                "86dd 60000000 0024 11 01 fe800000000000000000000000000001 \
                 ff020000000000000000000000000005 0222 0223"
                    .to_owned(),
                "[] IPv6 [fe80::1]:546 > [ff02::5]:547 UDP DHCPv6",
            ),
            (
                "8809 01 01 01 14 ffff 525400000009 0011 00ff 0002 3d".to_owned(),
                "[] LACP system 52:54:00:00:00:09 key 17 port 2",
            ),
            (
                "88cc 0207 04 525400000001 0a02 7231 0000".to_owned(),
                "[] LLDP from r1",
            ),
            (
                "0026 424203 0000 00 00 00 8000 525400000007 00000004 8000".to_owned(),
                "[] STP root 32768/52:54:00:00:00:07 cost 4",
            ),
            ("0100 fefe03 83 1b 01 00 11 01".to_owned(), "[] IS-IS hello"),
            ("8847 00064100".to_owned(), "[] MPLS label 100"),
            ("88b5 766e666c61622d70".to_owned(), "[] probe of vnflab "),
            ("1234".to_owned(), "[] ethertype 0x1234 "),
            (
                format!("0800 4500 0040 0000 2001 01 11 {hosts} c000"),
                "[] IPv4 10.0.0.1 > 224.0.0.5 protocol 17, fragment from 8",
            ),
        ];
        for (frame, expected) in cases {
            assert_eq!(said(&frame), expected, "{frame}");
        }
    }

    #[test]
    fn whatever_is_cut_off_or_broken_is_still_a_line() {
        assert_eq!(FrameWords::of(&[]).protocol, "cut off");
        assert_eq!(FrameWords::of(&[0; 12]).protocol, "cut off");
        let whole = bytes(&format!(
            "{HEADER} 8100 0001 86dd 60000000 0024 00 01 fe800000000000000000000000000001 \
             ff020000000000000000000000000005 00ff 0502 0000 0100"
        ));
        for end in 0..=whole.len() {
            FrameWords::of(&whole[..end]);
        }
        // Every ethertype, and every byte behind it.
        for high in 0..=255 {
            for fill in [0, 1, 0x42, 0xaa, 0xfe, 0xff] {
                let mut frame = vec![fill; 60];
                frame[12] = high;
                FrameWords::of(&frame);
            }
        }
    }
}
