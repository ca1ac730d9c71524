//! The words of the language and what they mean.

use crate::layers::{ethertype, sap};

/// Over which versions of IP a transport protocol is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Ip,
    Ip6,
    Both,
}

/// A protocol that has a word of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// The link layer itself.
    Link,
    Ip,
    Ip6,
    Arp,
    Rarp,
    /// Carried by the link layer, by EtherType or LLC service access point.
    Carried(u32),
    /// Carried by IP, by protocol number.
    Transport(u32, Over),
    /// Carried by the OSI network service, by protocol identifier (ISO 9577).
    Osi(u32),
    /// Some of the PDU types of IS-IS (ISO 10589).
    IsisPdus(&'static [u32]),
}

/// A word that is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Protocol(Protocol),
    Source,
    Destination,
    Host,
    Net,
    Mask,
    Port,
    PortRange,
    Proto,
    Less,
    Greater,
    Broadcast,
    Multicast,
    Vlan,
    Mpls,
    Pppoes,
    Pppoed,
    Llc,
    Length,
    And,
    Or,
    Not,
    /// A word of the language that has no place in filters of Ethernet frames without an interface.
    Foreign,
}

/// The protocol identifier of IS-IS in an OSI network header.
pub(crate) const OSI_ISIS: u32 = 0x83;
/// The protocol number of fragments in IPv6.
pub(crate) const IP6_FRAGMENT: u32 = 44;

const TCP: Protocol = Protocol::Transport(6, Over::Both);
const UDP: Protocol = Protocol::Transport(17, Over::Both);
const SCTP: Protocol = Protocol::Transport(132, Over::Both);

const WORDS: &[(&str, Word)] = &[
    ("ether", Word::Protocol(Protocol::Link)),
    ("link", Word::Protocol(Protocol::Link)),
    ("ip", Word::Protocol(Protocol::Ip)),
    ("ip6", Word::Protocol(Protocol::Ip6)),
    ("arp", Word::Protocol(Protocol::Arp)),
    ("rarp", Word::Protocol(Protocol::Rarp)),
    ("tcp", Word::Protocol(TCP)),
    ("udp", Word::Protocol(UDP)),
    ("sctp", Word::Protocol(SCTP)),
    ("icmp", Word::Protocol(Protocol::Transport(1, Over::Ip))),
    ("icmp6", Word::Protocol(Protocol::Transport(58, Over::Ip6))),
    ("igmp", Word::Protocol(Protocol::Transport(2, Over::Ip))),
    ("igrp", Word::Protocol(Protocol::Transport(9, Over::Ip))),
    ("pim", Word::Protocol(Protocol::Transport(103, Over::Both))),
    ("vrrp", Word::Protocol(Protocol::Transport(112, Over::Ip))),
    ("carp", Word::Protocol(Protocol::Transport(112, Over::Ip))),
    ("ah", Word::Protocol(Protocol::Transport(51, Over::Both))),
    ("esp", Word::Protocol(Protocol::Transport(50, Over::Both))),
    ("iso", Word::Protocol(Protocol::Carried(sap::OSI))),
    ("clnp", Word::Protocol(Protocol::Osi(0x81))),
    ("esis", Word::Protocol(Protocol::Osi(0x82))),
    ("es-is", Word::Protocol(Protocol::Osi(0x82))),
    ("isis", Word::Protocol(Protocol::Osi(OSI_ISIS))),
    ("is-is", Word::Protocol(Protocol::Osi(OSI_ISIS))),
    (
        "l1",
        Word::Protocol(Protocol::IsisPdus(&[26, 24, 18, 15, 17])),
    ),
    (
        "l2",
        Word::Protocol(Protocol::IsisPdus(&[27, 25, 20, 16, 17])),
    ),
    ("iih", Word::Protocol(Protocol::IsisPdus(&[17, 15, 16]))),
    ("lsp", Word::Protocol(Protocol::IsisPdus(&[18, 20]))),
    ("snp", Word::Protocol(Protocol::IsisPdus(&[27, 26, 24, 25]))),
    ("csnp", Word::Protocol(Protocol::IsisPdus(&[24, 25]))),
    ("psnp", Word::Protocol(Protocol::IsisPdus(&[26, 27]))),
    ("stp", Word::Protocol(Protocol::Carried(sap::STP))),
    ("ipx", Word::Protocol(Protocol::Carried(sap::IPX))),
    ("netbeui", Word::Protocol(Protocol::Carried(sap::NETBEUI))),
    ("atalk", Word::Protocol(Protocol::Carried(ethertype::ATALK))),
    ("aarp", Word::Protocol(Protocol::Carried(ethertype::AARP))),
    (
        "decnet",
        Word::Protocol(Protocol::Carried(ethertype::DECNET)),
    ),
    ("lat", Word::Protocol(Protocol::Carried(0x6004))),
    ("sca", Word::Protocol(Protocol::Carried(0x6007))),
    ("mopdl", Word::Protocol(Protocol::Carried(0x6001))),
    ("moprc", Word::Protocol(Protocol::Carried(0x6002))),
    ("src", Word::Source),
    ("dst", Word::Destination),
    ("host", Word::Host),
    ("net", Word::Net),
    ("mask", Word::Mask),
    ("port", Word::Port),
    ("portrange", Word::PortRange),
    ("proto", Word::Proto),
    ("less", Word::Less),
    ("greater", Word::Greater),
    ("broadcast", Word::Broadcast),
    ("multicast", Word::Multicast),
    ("vlan", Word::Vlan),
    ("mpls", Word::Mpls),
    ("pppoes", Word::Pppoes),
    ("pppoed", Word::Pppoed),
    ("llc", Word::Llc),
    ("len", Word::Length),
    ("length", Word::Length),
    ("and", Word::And),
    ("or", Word::Or),
    ("not", Word::Not),
    ("gateway", Word::Foreign),
    ("protochain", Word::Foreign),
    ("inbound", Word::Foreign),
    ("outbound", Word::Foreign),
    ("ifindex", Word::Foreign),
    ("ifname", Word::Foreign),
    ("on", Word::Foreign),
    ("byte", Word::Foreign),
    ("geneve", Word::Foreign),
    ("wlan", Word::Foreign),
    ("fddi", Word::Foreign),
    ("tr", Word::Foreign),
    ("ppp", Word::Foreign),
    ("slip", Word::Foreign),
    ("radio", Word::Foreign),
    ("type", Word::Foreign),
    ("subtype", Word::Foreign),
    ("dir", Word::Foreign),
    ("direction", Word::Foreign),
    ("vpi", Word::Foreign),
    ("vci", Word::Foreign),
    ("lane", Word::Foreign),
];

/// Numbers that have a word: offsets into headers, and what is found there.
const NUMBERS: &[(&str, u32)] = &[
    ("icmptype", 0),
    ("icmpcode", 1),
    ("icmp-echoreply", 0),
    ("icmp-unreach", 3),
    ("icmp-sourcequench", 4),
    ("icmp-redirect", 5),
    ("icmp-echo", 8),
    ("icmp-routeradvert", 9),
    ("icmp-routersolicit", 10),
    ("icmp-timxceed", 11),
    ("icmp-paramprob", 12),
    ("icmp-tstamp", 13),
    ("icmp-tstampreply", 14),
    ("icmp-ireq", 15),
    ("icmp-ireqreply", 16),
    ("icmp-maskreq", 17),
    ("icmp-maskreply", 18),
    ("icmp6type", 0),
    ("icmp6code", 1),
    ("icmp6-destinationunreach", 1),
    ("icmp6-packettoobig", 2),
    ("icmp6-timeexceeded", 3),
    ("icmp6-parameterproblem", 4),
    ("icmp6-echo", 128),
    ("icmp6-echoreply", 129),
    ("icmp6-multicastlistenerquery", 130),
    ("icmp6-multicastlistenerreportv1", 131),
    ("icmp6-multicastlistenerdone", 132),
    ("icmp6-routersolicit", 133),
    ("icmp6-routeradvert", 134),
    ("icmp6-neighborsolicit", 135),
    ("icmp6-neighboradvert", 136),
    ("icmp6-redirect", 137),
    ("icmp6-routerrenum", 138),
    ("icmp6-nodeinformationquery", 139),
    ("icmp6-nodeinformationresponse", 140),
    ("icmp6-ineighbordiscoverysolicit", 141),
    ("icmp6-ineighbordiscoveryadvert", 142),
    ("icmp6-multicastlistenerreportv2", 143),
    ("icmp6-homeagentdiscoveryrequest", 144),
    ("icmp6-homeagentdiscoveryreply", 145),
    ("icmp6-mobileprefixsolicit", 146),
    ("icmp6-mobileprefixadvert", 147),
    ("icmp6-certpathsolicit", 148),
    ("icmp6-certpathadvert", 149),
    ("icmp6-multicastrouteradvert", 151),
    ("icmp6-multicastroutersolicit", 152),
    ("icmp6-multicastrouterterm", 153),
    ("tcpflags", 13),
    ("tcp-fin", 0x01),
    ("tcp-syn", 0x02),
    ("tcp-rst", 0x04),
    ("tcp-push", 0x08),
    ("tcp-ack", 0x10),
    ("tcp-urg", 0x20),
    ("tcp-ece", 0x40),
    ("tcp-cwr", 0x80),
];

/// The word, if the language has it. Words are written in lower case.
pub(crate) fn word(text: &str) -> Option<Word> {
    WORDS
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, word)| *word)
}

/// The number that a word stands for.
pub(crate) fn number(text: &str) -> Option<u32> {
    NUMBERS
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, number)| *number)
}

/// The usable word that is most like this one, if one is like it at all.
pub(crate) fn nearest(text: &str) -> Option<&'static str> {
    let words = WORDS
        .iter()
        .filter(|(_, word)| *word != Word::Foreign)
        .map(|(name, _)| *name);
    let numbers = NUMBERS.iter().map(|(name, _)| *name);
    nearest_of(text, words.chain(numbers))
}

/// The name that is most like this text. A third of its letters may differ.
pub(crate) fn nearest_of(
    text: &str,
    names: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let folded = text.to_ascii_lowercase();
    let allowed = folded.len() / 3;
    names
        .map(|name| (strsim::osa_distance(&folded, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
