//! The tests behind a primitive: which fields of which headers are looked at, in which order.
//!
//! The order matters: a field beyond the end of the frame rejects it, so what is asked first
//! decides about short frames. It is libpcap's order.

use crate::assembler::{Assembler, Fragment};
use crate::endpoint::{ETHERNET, IP, IP6};
use crate::layers::{Layers, Refusal, ethertype};
use crate::program::{Base, Op, Relation, Width};
use crate::word::{IP6_FRAGMENT, OSI_ISIS, Over, Protocol};

/// Length of the fixed IPv6 header in bytes.
pub(crate) const IP6_HEADER: u32 = 40;
/// The bits of an IPv4 header's sixth byte pair that are not zero in all but the first fragment.
const FRAGMENT_OFFSET: u32 = 0x1fff;

/// Writes the tests of primitives, knowing where the headers are.
#[derive(Debug, Default)]
pub(crate) struct Coder {
    pub(crate) asm: Assembler,
    pub(crate) layers: Layers,
}

pub(crate) type Coded = Result<Fragment, Refusal>;

impl Coder {
    /// A protocol's own word: `tcp`.
    pub(crate) fn protocol(&mut self, protocol: Protocol) -> Coded {
        match protocol {
            Protocol::Link => Err(Refusal::new(
                "`host`, `src`, `dst`, `proto`, `broadcast`, `multicast` or `[` after it",
            )),
            Protocol::Ip => self.carries(ethertype::IPV4),
            Protocol::Ip6 => self.carries(ethertype::IPV6),
            Protocol::Arp => self.carries(ethertype::ARP),
            Protocol::Rarp => self.carries(ethertype::RARP),
            Protocol::Carried(kind) => self.carries(kind),
            Protocol::Transport(number, over) => self.transport(number, over),
            Protocol::Osi(number) => self.osi(number),
            Protocol::IsisPdus(pdus) => self.isis_pdus(pdus),
        }
    }

    pub(crate) fn carries(&mut self, kind: u32) -> Coded {
        self.layers.carries(&mut self.asm, kind)
    }

    /// An IP protocol by its number.
    pub(crate) fn transport(&mut self, number: u32, over: Over) -> Coded {
        match over {
            Over::Ip => self.ip_transport(number),
            Over::Ip6 => self.ip6_transport(number),
            Over::Both => {
                let ip = self.ip_transport(number)?;
                let ip6 = self.ip6_transport(number)?;
                Ok(self.asm.either(ip, ip6))
            }
        }
    }

    fn ip_transport(&mut self, number: u32) -> Coded {
        let ip = self.carries(ethertype::IPV4)?;
        let protocol = self.network(9, Width::Byte, Relation::Equal, number);
        Ok(self.asm.both(ip, protocol))
    }

    /// Looks behind a fragment header, but behind no other extension header.
    fn ip6_transport(&mut self, number: u32) -> Coded {
        let ip6 = self.carries(ethertype::IPV6)?;
        let next = self.network(6, Width::Byte, Relation::Equal, number);
        let fragment = self.network(6, Width::Byte, Relation::Equal, IP6_FRAGMENT);
        let behind = self.network(IP6_HEADER, Width::Byte, Relation::Equal, number);
        let behind = self.asm.both(fragment, behind);
        let either = self.asm.either(next, behind);
        Ok(self.asm.both(ip6, either))
    }

    /// An OSI protocol by its identifier.
    pub(crate) fn osi(&mut self, number: u32) -> Coded {
        let carried = self.carries(crate::layers::sap::OSI)?;
        let field = self.layers.at(self.layers.osi(), Width::Byte);
        let protocol = self.asm.field(field, u32::MAX, Relation::Equal, number);
        Ok(self.asm.both(carried, protocol))
    }

    /// Some types of IS-IS PDU.
    pub(crate) fn isis_pdus(&mut self, pdus: &[u32]) -> Coded {
        let isis = self.osi(OSI_ISIS)?;
        let field = self.layers.at(self.layers.osi() + 4, Width::Byte);
        let types = self.any(pdus, |coder, pdu| {
            coder.asm.field(field, u32::MAX, Relation::Equal, *pdu)
        });
        Ok(match types {
            Some(types) => self.asm.both(isis, types),
            None => isis,
        })
    }

    pub(crate) fn is_first_fragment(&mut self) -> Fragment {
        let field = self.layers.at(self.layers.network() + 6, Width::Half);
        self.asm.field(field, FRAGMENT_OFFSET, Relation::Equal, 0)
    }

    /// Frames to everybody. Of IPv4 it is the two addresses that need no mask to be known.
    pub(crate) fn broadcast(&mut self, protocol: Option<Protocol>) -> Coded {
        match protocol {
            None | Some(Protocol::Link) => {
                self.layers.require_ethernet()?;
                Ok(self.ether_host(ETHERNET.destination, [0xff; 6]))
            }
            Some(Protocol::Ip) => {
                let ip = self.carries(ethertype::IPV4)?;
                let none = self.network(IP.destination, Width::Word, Relation::Equal, 0);
                let all = self.network(IP.destination, Width::Word, Relation::Equal, u32::MAX);
                let either = self.asm.either(none, all);
                Ok(self.asm.both(ip, either))
            }
            Some(_) => Err(Refusal::new("`ether`, `ip` or nothing before `broadcast`")),
        }
    }

    /// Frames to a group.
    pub(crate) fn multicast(&mut self, protocol: Option<Protocol>) -> Coded {
        match protocol {
            None | Some(Protocol::Link) => {
                self.layers.require_ethernet()?;
                let field = self.layers.at(self.layers.link(), Width::Byte);
                Ok(self.asm.field(field, 1, Relation::Equal, 1))
            }
            Some(Protocol::Ip) => {
                let ip = self.carries(ethertype::IPV4)?;
                let group = self.network(IP.destination, Width::Byte, Relation::AtLeast, 224);
                Ok(self.asm.both(ip, group))
            }
            Some(Protocol::Ip6) => {
                let ip6 = self.carries(ethertype::IPV6)?;
                let group = self.network(IP6.destination, Width::Byte, Relation::Equal, 0xff);
                Ok(self.asm.both(ip6, group))
            }
            Some(_) => Err(Refusal::new(
                "`ether`, `ip`, `ip6` or nothing before `multicast`",
            )),
        }
    }

    /// What must hold before a field of this protocol can be read, if anything must.
    pub(crate) fn field_guard(&mut self, protocol: Protocol) -> Result<Option<Fragment>, Refusal> {
        Ok(match protocol {
            Protocol::Link => None,
            Protocol::Transport(number, Over::Ip6) => {
                let ip6 = self.carries(ethertype::IPV6)?;
                let next = self.network(6, Width::Byte, Relation::Equal, number);
                Some(self.asm.both(ip6, next))
            }
            Protocol::Transport(..) => {
                let ip = self.carries(ethertype::IPV4)?;
                let protocol = self.protocol(protocol)?;
                let first = self.is_first_fragment();
                let rest = self.asm.both(protocol, first);
                Some(self.asm.both(ip, rest))
            }
            _ => Some(self.protocol(protocol)?),
        })
    }

    /// Where the fields of a protocol count from, if it has fields that can be read.
    pub(crate) fn field_base(&self, protocol: Protocol) -> Option<(Base, u32)> {
        let network = self.layers.network();
        match protocol {
            Protocol::Link => Some((Base::Frame, self.layers.link())),
            Protocol::Ip | Protocol::Ip6 | Protocol::Arp | Protocol::Rarp => {
                Some((Base::Frame, network))
            }
            Protocol::Carried(ethertype::ATALK | ethertype::DECNET | 0x6001..=0x6007) => {
                Some((Base::Frame, network))
            }
            Protocol::Transport(_, Over::Ip6) => Some((Base::Frame, network + IP6_HEADER)),
            Protocol::Transport(50 | 51, _) => None,
            Protocol::Transport(..) => Some((Base::AfterIpv4 { header: network }, network)),
            Protocol::Carried(_) | Protocol::Osi(_) | Protocol::IsisPdus(_) => None,
        }
    }

    /// Compares the frame's length, in bytes.
    pub(crate) fn length(&mut self, relation: Relation, length: u32) -> Fragment {
        self.asm
            .values(&[Op::Length], relation, &[Op::Constant(length)])
    }

    pub(crate) fn network(
        &mut self,
        offset: u32,
        width: Width,
        relation: Relation,
        value: u32,
    ) -> Fragment {
        let field = self.layers.at(self.layers.network() + offset, width);
        self.asm.field(field, u32::MAX, relation, value)
    }

    pub(crate) fn any<T>(
        &mut self,
        items: &[T],
        mut ask: impl FnMut(&mut Coder, &T) -> Fragment,
    ) -> Option<Fragment> {
        let mut whole: Option<Fragment> = None;
        for item in items {
            let one = ask(self, item);
            whole = Some(match whole {
                Some(whole) => self.asm.either(whole, one),
                None => one,
            });
        }
        whole
    }

    /// Both, or the first alone when there is no second.
    pub(crate) fn joined(&mut self, first: Fragment, second: Option<Fragment>) -> Fragment {
        match second {
            Some(second) => self.asm.both(first, second),
            None => first,
        }
    }
}
