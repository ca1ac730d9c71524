//! What follows a qualifier: addresses, networks, ports and protocol numbers.

use std::net::Ipv6Addr;

use crate::assembler::Fragment;
use crate::cursor::Parser;
use crate::endpoint::Ports;
use crate::error::FilterError;
use crate::layers::sap;
use crate::name::{self, Numbering, Transports};
use crate::parse::{Qualifier, Subject};
use crate::token::{Ip4, Kind, Mark};
use crate::word::{OSI_ISIS, Over, Protocol, Word};

impl Parser<'_> {
    /// One address, number or name.
    pub(crate) fn operand_of(&mut self, qualifier: &Qualifier) -> Result<Fragment, FilterError> {
        match (self.kind(), qualifier.subject) {
            (Some(_), Subject::Port | Subject::PortRange) => self.ports(qualifier),
            (Some(_), Subject::Proto) => self.proto(qualifier),
            (Some(Kind::Ip4(address)), _) => self.ip4(qualifier, address),
            (Some(Kind::Ip6(address)), _) => self.ip6(qualifier, address),
            (Some(Kind::Mac(mac)), Subject::Host) => self.mac(qualifier, mac),
            (Some(Kind::Number(number)), subject) => {
                let mask = match subject {
                    Subject::Net => written_mask(number),
                    _ => u32::MAX,
                };
                // The number of a network is written without its trailing zeros: `net 10`.
                let address = number << mask.trailing_zeros();
                self.advance();
                self.ip4_hosts(qualifier, address, mask)
            }
            _ => Err(self.no_address(qualifier)),
        }
    }

    fn no_address(&self, qualifier: &Qualifier) -> FilterError {
        self.unexpected(match (qualifier.subject, qualifier.protocol) {
            (Subject::Net, _) => "a network such as `10.0.0.0/8`; names are not looked up",
            (_, Some(Protocol::Link)) => {
                "an Ethernet address such as `52:54:00:12:34:56`; names are not looked up"
            }
            _ => "an IPv4 or IPv6 address; names are not looked up",
        })
    }

    fn ip4(&mut self, qualifier: &Qualifier, address: Ip4) -> Result<Fragment, FilterError> {
        let start = self.place().start;
        self.advance();
        let mask = match self.kind() {
            Some(Kind::Mark(Mark::Slash)) => {
                self.advance();
                let Some(Kind::Number(bits @ 0..=32)) = self.kind() else {
                    return Err(self.unexpected("a prefix length of at most 32"));
                };
                u32::MAX.checked_shl(32 - bits).unwrap_or(0)
            }
            Some(Kind::Word(Word::Mask)) => {
                self.advance();
                let Some(Kind::Ip4(mask)) = self.kind() else {
                    return Err(self.unexpected("a mask such as `255.255.255.0`"));
                };
                mask.address
            }
            _ => return self.ip4_hosts(qualifier, address.address, address.written),
        };
        self.advance();
        let place = start..self.last_place().end;
        if qualifier.subject != Subject::Net {
            return Err(self.error(place, "`net` before an address with a mask"));
        }
        if address.address & !mask != 0 {
            let expected = "a network whose bits outside of the mask are zero";
            return Err(self.error(place, expected));
        }
        self.ip4_hosts(qualifier, address.address, mask)
    }

    fn ip4_hosts(
        &mut self,
        qualifier: &Qualifier,
        address: u32,
        mask: u32,
    ) -> Result<Fragment, FilterError> {
        self.refusable(qualifier.place.clone(), |coder| {
            coder.ip_hosts(qualifier.protocol, qualifier.direction, address, mask)
        })
    }

    fn ip6(&mut self, qualifier: &Qualifier, address: Ipv6Addr) -> Result<Fragment, FilterError> {
        let start = self.place().start;
        self.advance();
        let mut prefix = u128::MAX;
        if self.kind() == Some(Kind::Mark(Mark::Slash)) {
            self.advance();
            let Some(Kind::Number(bits @ 0..=128)) = self.kind() else {
                return Err(self.unexpected("a prefix length of at most 128"));
            };
            prefix = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            self.advance();
        }
        let place = start..self.last_place().end;
        if qualifier.subject == Subject::Host && prefix != u128::MAX {
            return Err(self.error(place, "`net` before an address with a mask"));
        }
        if address.to_bits() & !prefix != 0 {
            let expected = "a network whose bits outside of the prefix are zero";
            return Err(self.error(place, expected));
        }
        match qualifier.protocol {
            None | Some(Protocol::Ip6) => {}
            Some(_) => {
                let expected = "`ip6` or nothing before an IPv6 address";
                return Err(self.error(qualifier.place.clone(), expected));
            }
        }
        self.refusable(qualifier.place.clone(), |coder| {
            coder.ip6_hosts(qualifier.direction, address, Ipv6Addr::from_bits(prefix))
        })
    }

    fn mac(&mut self, qualifier: &Qualifier, mac: [u8; 6]) -> Result<Fragment, FilterError> {
        let place = qualifier.place.clone();
        if qualifier.protocol != Some(Protocol::Link) {
            return Err(self.error(place, "`ether` before an Ethernet address"));
        }
        self.advance();
        self.refusable(place, |coder| coder.ether_hosts(qualifier.direction, mac))
    }

    fn ports(&mut self, qualifier: &Qualifier) -> Result<Fragment, FilterError> {
        let transport = match qualifier.protocol {
            None => None,
            Some(Protocol::Transport(number @ (6 | 17 | 132), _)) => Some([number]),
            Some(_) => {
                let expected = "`tcp`, `udp`, `sctp` or nothing before a port";
                return Err(self.error(qualifier.place.clone(), expected));
            }
        };
        let (ports, named) = match (self.kind(), qualifier.subject) {
            (Some(Kind::Number(number)), _) => {
                let port = u16::try_from(number)
                    .map_err(|_| self.unexpected("a port of at most 65535"))?;
                let ports = Ports {
                    low: port,
                    high: port,
                };
                (ports, Transports::All)
            }
            (_, Subject::PortRange) => self.port_range()?,
            _ => {
                let name = self.name();
                let (port, transports) = name::port(name).ok_or_else(|| {
                    self.unexpected("the number or well-known name of a port")
                        .suggest(name::nearest_port(name))
                })?;
                let ports = Ports {
                    low: port,
                    high: port,
                };
                (ports, transports)
            }
        };
        self.advance();
        let numbers = transport.as_ref().map_or(named.numbers(), |one| &one[..]);
        self.refusable(qualifier.place.clone(), |coder| {
            coder.ports(numbers, qualifier.direction, ports)
        })
    }

    /// `8000-8080`, with names where there are names; names may have dashes themselves.
    fn port_range(&self) -> Result<(Ports, Transports), FilterError> {
        let name = self.name();
        let ends = name.match_indices('-').find_map(|(dash, _)| {
            let first = port_or_name(&name[..dash])?;
            let last = port_or_name(&name[dash + 1..])?;
            Some((first, last))
        });
        let Some(((first, first_transports), (last, last_transports))) = ends else {
            return Err(self.unexpected("a range of ports such as `8000-8080`, at most 65535"));
        };
        let ports = Ports {
            low: first.min(last),
            high: first.max(last),
        };
        let transports = if first_transports == last_transports {
            first_transports
        } else {
            Transports::All
        };
        Ok((ports, transports))
    }

    fn proto(&mut self, qualifier: &Qualifier) -> Result<Fragment, FilterError> {
        let numbering = match qualifier.protocol {
            None | Some(Protocol::Ip | Protocol::Ip6) => Some(Numbering::Ip),
            Some(Protocol::Link) => Some(Numbering::Link),
            Some(Protocol::Carried(sap::OSI)) => Some(Numbering::Osi),
            Some(Protocol::Osi(OSI_ISIS)) => None,
            Some(_) => {
                let expected = "`ether`, `ip`, `ip6`, `iso`, `isis` or nothing before `proto`";
                return Err(self.error(qualifier.place.clone(), expected));
            }
        };
        let number = match self.kind() {
            Some(Kind::Number(number)) => number,
            _ => self.proto_name(numbering)?,
        };
        self.advance();
        self.refusable(qualifier.place.clone(), |coder| match qualifier.protocol {
            None => coder.transport(number, Over::Both),
            Some(Protocol::Ip) => coder.transport(number, Over::Ip),
            Some(Protocol::Ip6) => coder.transport(number, Over::Ip6),
            Some(Protocol::Link) => coder.layers.carries(&mut coder.asm, number),
            Some(Protocol::Osi(_)) => coder.isis_pdus(&[number]),
            Some(_) => coder.osi(number),
        })
    }

    /// A name after `proto`. One that is also a word of the language is written with a backslash.
    fn proto_name(&self, numbering: Option<Numbering>) -> Result<u32, FilterError> {
        let Some(numbering) = numbering else {
            return Err(self.unexpected("the number of a type of IS-IS PDU"));
        };
        let name = self.name();
        let found = numbering.find(name);
        if let (Some(number), Some(Kind::Name)) = (found, self.kind()) {
            return Ok(number);
        }
        let expected = numbering.noun();
        let suggestion = match found {
            Some(_) => Some(format!("\\{name}")),
            None => numbering.nearest(name).map(str::to_owned),
        };
        Err(self.unexpected(expected).suggest(suggestion))
    }

    /// The text of the next token, as a name.
    fn name(&self) -> &str {
        let text = self.token_text();
        text.strip_prefix('\\').unwrap_or(text)
    }
}

fn port_or_name(text: &str) -> Option<(u16, Transports)> {
    match text.parse() {
        Ok(port) => Some((port, Transports::All)),
        Err(_) => name::port(text),
    }
}

/// Ones above the leading zero bytes of a network's number, as many as it lacks behind it: 10 is
/// `10.0.0.0/8`. The number zero is the address.
fn written_mask(number: u32) -> u32 {
    match number {
        0 | 0x0100_0000.. => u32::MAX,
        1..=0xff => 0xff00_0000,
        0x100..=0xffff => 0xffff_0000,
        0x1_0000..=0xff_ffff => 0xffff_ff00,
    }
}
