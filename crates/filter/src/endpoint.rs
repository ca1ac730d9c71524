//! Tests of addresses and ports: what a frame says about its two ends.

use std::net::Ipv6Addr;

use crate::assembler::Fragment;
use crate::layers::{Refusal, ethertype};
use crate::name::Transports;
use crate::primitive::{Coded, Coder, IP6_HEADER};
use crate::program::{Base, Field, Relation, Width};
use crate::word::Protocol;

/// Which of the two addresses or ports of a frame are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Source,
    Destination,
    Either,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Destination,
}

/// Two offsets, of what belongs to the source and to the destination.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sides {
    pub(crate) source: u32,
    pub(crate) destination: u32,
}

impl Sides {
    fn of(self, side: Side) -> u32 {
        match side {
            Side::Source => self.source,
            Side::Destination => self.destination,
        }
    }
}

pub(crate) const ETHERNET: Sides = Sides {
    source: 6,
    destination: 0,
};
pub(crate) const IP: Sides = Sides {
    source: 12,
    destination: 16,
};
pub(crate) const IP6: Sides = Sides {
    source: 8,
    destination: 24,
};
const ARP: Sides = Sides {
    source: 14,
    destination: 24,
};
const PORTS: Sides = Sides {
    source: 0,
    destination: 2,
};

/// Some ports that stand side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) low: u16,
    pub(crate) high: u16,
}

impl Coder {
    /// IPv4 addresses in IPv4, ARP and RARP, or in one of them.
    pub(crate) fn ip_hosts(
        &mut self,
        protocol: Option<Protocol>,
        direction: Direction,
        address: u32,
        mask: u32,
    ) -> Coded {
        let all = [Protocol::Ip, Protocol::Arp, Protocol::Rarp];
        let protocols = match &protocol {
            Some(protocol) => std::slice::from_ref(protocol),
            None if self.layers.is_labelled() => &all[..1],
            None => &all[..],
        };
        let mut whole: Option<Fragment> = None;
        for protocol in protocols {
            let sides = match protocol {
                Protocol::Ip => IP,
                Protocol::Arp | Protocol::Rarp => ARP,
                _ => {
                    return Err(Refusal::new(
                        "`ip`, `arp`, `rarp` or nothing before an IPv4 address",
                    ));
                }
            };
            let carried = self.protocol(*protocol)?;
            let base = self.layers.network();
            let hosts = self.directed(direction, |coder, side| {
                coder.masked(base + sides.of(side), &[address], &[mask])
            });
            let one = match hosts {
                Some(hosts) => self.asm.both(carried, hosts),
                None => carried,
            };
            whole = Some(match whole {
                Some(whole) => self.asm.either(whole, one),
                None => one,
            });
        }
        whole.ok_or_else(|| Refusal::new("a protocol that has addresses"))
    }

    /// IPv6 addresses whose first bits are these.
    pub(crate) fn ip6_hosts(
        &mut self,
        direction: Direction,
        address: Ipv6Addr,
        prefix: Ipv6Addr,
    ) -> Coded {
        let carried = self.carries(ethertype::IPV6)?;
        let base = self.layers.network();
        let (values, masks) = (words(address), words(prefix));
        let hosts = self.directed(direction, |coder, side| {
            coder.masked(base + IP6.of(side), &values, &masks)
        });
        Ok(match hosts {
            Some(hosts) => self.asm.both(carried, hosts),
            None => carried,
        })
    }

    /// Ethernet addresses.
    pub(crate) fn ether_hosts(&mut self, direction: Direction, mac: [u8; 6]) -> Coded {
        self.layers.require_ethernet()?;
        let hosts = self.directed(direction, |coder, side| {
            Some(coder.ether_host(ETHERNET.of(side), mac))
        });
        hosts.ok_or_else(|| Refusal::new("an Ethernet address"))
    }

    /// The last four bytes are asked first.
    pub(crate) fn ether_host(&mut self, offset: u32, mac: [u8; 6]) -> Fragment {
        let [a, b, c, d, e, f] = mac;
        let base = self.layers.link() + offset;
        let tail = self.layers.at(base + 2, Width::Word);
        let value = u32::from_be_bytes([c, d, e, f]);
        let tail = self.asm.field(tail, u32::MAX, Relation::Equal, value);
        let head = self.layers.at(base, Width::Half);
        let value = u32::from(u16::from_be_bytes([a, b]));
        let head = self.asm.field(head, u32::MAX, Relation::Equal, value);
        self.asm.both(tail, head)
    }

    /// Ports of some transports, over IPv6 and IPv4. Fragments but the first have none.
    pub(crate) fn ports(
        &mut self,
        transports: &[u32],
        direction: Direction,
        ports: Ports,
    ) -> Coded {
        let ip6 = self.carries(ethertype::IPV6)?;
        let header = self.layers.network();
        let inside = self.any(transports, |coder, transport| {
            let protocol = coder.network(6, Width::Byte, Relation::Equal, *transport);
            coder.transport_ports(protocol, direction, ports, Base::Frame, header + IP6_HEADER)
        });
        let ip6 = self.joined(ip6, inside);
        let ip = self.carries(ethertype::IPV4)?;
        let inside = self.any(transports, |coder, transport| {
            let protocol = coder.network(9, Width::Byte, Relation::Equal, *transport);
            let first = coder.is_first_fragment();
            let protocol = coder.asm.both(protocol, first);
            let base = Base::AfterIpv4 { header };
            coder.transport_ports(protocol, direction, ports, base, header)
        });
        let ip = self.joined(ip, inside);
        Ok(self.asm.either(ip6, ip))
    }

    fn transport_ports(
        &mut self,
        protocol: Fragment,
        direction: Direction,
        ports: Ports,
        base: Base,
        offset: u32,
    ) -> Fragment {
        let inside = self.directed(direction, |coder, side| {
            let field = Field {
                base,
                offset: offset + PORTS.of(side),
                width: Width::Half,
            };
            Some(coder.is_port(field, ports))
        });
        self.joined(protocol, inside)
    }

    fn is_port(&mut self, field: Field, ports: Ports) -> Fragment {
        let (low, high) = (u32::from(ports.low), u32::from(ports.high));
        if low == high {
            return self.asm.field(field, u32::MAX, Relation::Equal, low);
        }
        let above = self.asm.field(field, u32::MAX, Relation::AtLeast, low);
        let beyond = self.asm.field(field, u32::MAX, Relation::Greater, high);
        self.asm.both(above, beyond.negated())
    }

    /// Compares words under masks. A word of which no bit counts is not loaded; without any other
    /// there is nothing to ask.
    fn masked(&mut self, offset: u32, values: &[u32], masks: &[u32]) -> Option<Fragment> {
        let mut whole: Option<Fragment> = None;
        let mut at = offset;
        for (value, mask) in values.iter().zip(masks) {
            if *mask != 0 {
                let field = self.layers.at(at, Width::Word);
                let one = self.asm.field(field, *mask, Relation::Equal, *value);
                whole = Some(match whole {
                    Some(whole) => self.asm.both(whole, one),
                    None => one,
                });
            }
            at += 4;
        }
        whole
    }

    fn directed(
        &mut self,
        direction: Direction,
        mut ask: impl FnMut(&mut Coder, Side) -> Option<Fragment>,
    ) -> Option<Fragment> {
        match direction {
            Direction::Source => ask(self, Side::Source),
            Direction::Destination => ask(self, Side::Destination),
            Direction::Either => {
                let source = ask(self, Side::Source)?;
                let destination = ask(self, Side::Destination)?;
                Some(self.asm.either(source, destination))
            }
            Direction::Both => {
                let source = ask(self, Side::Source)?;
                let destination = ask(self, Side::Destination)?;
                Some(self.asm.both(source, destination))
            }
        }
    }
}

impl Transports {
    /// The protocol numbers, in the order in which they are asked.
    pub(crate) fn numbers(self) -> &'static [u32] {
        match self {
            Transports::Tcp => &[6],
            Transports::Udp => &[17],
            Transports::All => &[132, 6, 17],
        }
    }
}

fn words(address: Ipv6Addr) -> [u32; 4] {
    let bits = address.to_bits();
    [
        (bits >> 96) as u32,
        (bits >> 64) as u32,
        (bits >> 32) as u32,
        bits as u32,
    ]
}
