//! Names for numbers that stand on the wire: ports, IP protocols, EtherTypes.
//!
//! The tables are short and our own, so that an expression means the same on every host. Names and
//! numbers are IANA's.

use crate::layers::{ethertype, sap};
use crate::word::{OSI_ISIS, nearest_of};

/// Which transports a port's name stands for when the expression does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transports {
    Tcp,
    Udp,
    /// TCP, UDP and, as a port that is a number, SCTP.
    All,
}

use Transports::{All, Tcp, Udp};

const PORTS: &[(&str, u16, Transports)] = &[
    ("bfd", 3784, Udp),
    ("bfd-control", 3784, Udp),
    ("bfd-echo", 3785, Udp),
    ("bgp", 179, Tcp),
    ("bootpc", 68, Udp),
    ("bootps", 67, Udp),
    ("dhcpv6-client", 546, Udp),
    ("dhcpv6-server", 547, Udp),
    ("domain", 53, All),
    ("ftp", 21, Tcp),
    ("ftp-data", 20, Tcp),
    ("hsrp", 1985, Udp),
    ("http", 80, Tcp),
    ("http-alt", 8080, Tcp),
    ("https", 443, All),
    ("imap", 143, Tcp),
    ("ipsec-nat-t", 4500, Udp),
    ("isakmp", 500, Udp),
    ("kerberos", 88, All),
    ("ldap", 389, All),
    ("ldaps", 636, All),
    ("ldp", 646, All),
    ("mdns", 5353, Udp),
    ("netconf", 830, Tcp),
    ("nfs", 2049, All),
    ("ntp", 123, Udp),
    ("openvpn", 1194, All),
    ("pop3", 110, Tcp),
    ("radius", 1812, All),
    ("radius-acct", 1813, All),
    ("rip", 520, Udp),
    ("ripng", 521, Udp),
    ("sip", 5060, All),
    ("smtp", 25, Tcp),
    ("snmp", 161, All),
    ("snmp-trap", 162, All),
    ("snmptrap", 162, All),
    ("ssh", 22, Tcp),
    ("sunrpc", 111, All),
    ("syslog", 514, Udp),
    ("tacacs", 49, All),
    ("telnet", 23, Tcp),
    ("tftp", 69, Udp),
    ("vxlan", 4789, Udp),
];

const IP_PROTOCOLS: &[(&str, u32)] = &[
    ("ip", 0),
    ("hopopt", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ipencap", 4),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("eigrp", 88),
    ("ospf", 89),
    ("ipip", 94),
    ("etherip", 97),
    ("encap", 98),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("isis", 124),
    ("sctp", 132),
    ("udplite", 136),
    ("mpls-in-ip", 137),
];

const LINK_PROTOCOLS: &[(&str, u32)] = &[
    ("ip", ethertype::IPV4),
    ("ip6", ethertype::IPV6),
    ("arp", ethertype::ARP),
    ("rarp", ethertype::RARP),
    ("atalk", ethertype::ATALK),
    ("aarp", ethertype::AARP),
    ("decnet", ethertype::DECNET),
    ("sca", 0x6007),
    ("lat", 0x6004),
    ("mopdl", 0x6001),
    ("moprc", 0x6002),
    ("iso", sap::OSI),
    ("stp", sap::STP),
    ("ipx", sap::IPX),
    ("netbeui", sap::NETBEUI),
    ("loopback", 0x9000),
];

const OSI_PROTOCOLS: &[(&str, u32)] = &[("clnp", 0x81), ("esis", 0x82), ("isis", OSI_ISIS)];

/// A table of names for the number after `proto`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Numbering {
    Ip,
    Link,
    Osi,
}

impl Numbering {
    fn table(self) -> &'static [(&'static str, u32)] {
        match self {
            Numbering::Ip => IP_PROTOCOLS,
            Numbering::Link => LINK_PROTOCOLS,
            Numbering::Osi => OSI_PROTOCOLS,
        }
    }

    /// What it numbers, for people.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Numbering::Ip => "the number or name of an IP protocol",
            Numbering::Link => "the number or name of an EtherType",
            Numbering::Osi => "the number or name of an OSI protocol",
        }
    }

    pub(crate) fn find(self, name: &str) -> Option<u32> {
        let (_, number) = self.table().iter().find(|(known, _)| *known == name)?;
        Some(*number)
    }

    pub(crate) fn nearest(self, name: &str) -> Option<&'static str> {
        nearest_of(name, self.table().iter().map(|(known, _)| *known))
    }
}

/// The port of this name.
pub(crate) fn port(name: &str) -> Option<(u16, Transports)> {
    let (_, port, transports) = PORTS.iter().find(|(known, ..)| *known == name)?;
    Some((*port, *transports))
}

/// The port's name that is most like this one.
pub(crate) fn nearest_port(name: &str) -> Option<&'static str> {
    nearest_of(name, PORTS.iter().map(|(known, ..)| *known))
}
