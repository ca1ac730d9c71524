//! Where the headers of a frame begin, as far as the expression has told so far.
//!
//! `vlan`, `mpls` and `pppoes` do not only ask: whatever stands to their right looks behind the
//! tag, the label or the session. The effect lasts to the end of the expression, also across `or`,
//! `not` and parentheses, as it does in libpcap.

use crate::assembler::{Assembler, Fragment};
use crate::program::{Base, Field, Relation, Width};

/// EtherTypes that have a meaning here (IEEE 802 numbers).
pub(crate) mod ethertype {
    pub(crate) const IPV4: u32 = 0x0800;
    pub(crate) const ARP: u32 = 0x0806;
    pub(crate) const RARP: u32 = 0x8035;
    pub(crate) const IPV6: u32 = 0x86dd;
    pub(crate) const ATALK: u32 = 0x809b;
    pub(crate) const AARP: u32 = 0x80f3;
    pub(crate) const IPX: u32 = 0x8137;
    pub(crate) const MPLS: u32 = 0x8847;
    pub(crate) const PPPOE_DISCOVERY: u32 = 0x8863;
    pub(crate) const PPPOE_SESSION: u32 = 0x8864;
    pub(crate) const DECNET: u32 = 0x6003;
    pub(crate) const NS: u32 = 0x0600;
    /// 802.1Q, 802.1ad, and the number that was used for stacked tags before 802.1ad.
    pub(crate) const TAGS: [u32; 3] = [0x8100, 0x88a8, 0x9100];
}

/// LLC service access points, which stand for a protocol where no EtherType does.
pub(crate) mod sap {
    pub(crate) const IP: u32 = 0x06;
    pub(crate) const STP: u32 = 0x42;
    pub(crate) const IPX: u32 = 0xe0;
    pub(crate) const NETBEUI: u32 = 0xf0;
    pub(crate) const OSI: u32 = 0xfe;
}

/// The largest number in an Ethernet header that is a length and no type, in bytes.
pub(crate) const MAX_LENGTH: u32 = 1500;

/// The PPP protocol number of MPLS unicast (RFC 3032).
const PPP_MPLS: u32 = 0x0281;

/// What an expression asked for and cannot have, as what there is instead.
pub(crate) struct Refusal(pub(crate) String);

impl Refusal {
    pub(crate) fn new(expected: impl Into<String>) -> Refusal {
        Refusal(expected.into())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Ethernet,
    Ppp,
}

/// Offsets of the headers, in bytes after the first of the frame.
#[derive(Debug, Clone)]
pub(crate) struct Layers {
    framing: Framing,
    /// Where the link layer's header begins.
    link: u32,
    /// Where the number stands that tells what the link layer carries.
    kind: u32,
    /// Where what it carries begins.
    payload: u32,
    /// How many MPLS labels were passed.
    labels: u32,
}

impl Default for Layers {
    fn default() -> Self {
        Layers {
            framing: Framing::Ethernet,
            link: 0,
            kind: 12,
            payload: 14,
            labels: 0,
        }
    }
}

impl Layers {
    /// Where the link layer's header begins.
    pub(crate) fn link(&self) -> u32 {
        self.link
    }

    /// Where the network layer's header begins.
    pub(crate) fn network(&self) -> u32 {
        self.payload + 4 * self.labels
    }

    /// Where an OSI network layer's header begins: behind the three bytes of an LLC header, which
    /// PPP has not.
    pub(crate) fn osi(&self) -> u32 {
        match self.framing {
            Framing::Ethernet => self.network() + 3,
            Framing::Ppp => self.network(),
        }
    }

    /// Whether labels were passed, behind which only IP is known.
    pub(crate) fn is_labelled(&self) -> bool {
        self.labels > 0
    }

    /// Refuses what looks at Ethernet addresses where there are none.
    pub(crate) fn require_ethernet(&self) -> Result<(), Refusal> {
        match self.framing {
            Framing::Ethernet => Ok(()),
            Framing::Ppp => Err(Refusal::new(
                "a test that does not look at Ethernet addresses, which are not there behind \
                 `pppoes`",
            )),
        }
    }

    /// A field of the frame.
    pub(crate) fn at(&self, offset: u32, width: Width) -> Field {
        Field {
            base: Base::Frame,
            offset,
            width,
        }
    }

    /// Asks whether the link layer carries this EtherType or, up to 1500, this LLC service access
    /// point.
    pub(crate) fn carries(&self, asm: &mut Assembler, kind: u32) -> Result<Fragment, Refusal> {
        if self.is_labelled() {
            return self.label_carries(asm, kind);
        }
        Ok(match self.framing {
            Framing::Ethernet => self.ethernet_carries(asm, kind),
            Framing::Ppp => self.kind_is(asm, ppp_number(kind)),
        })
    }

    /// A label says whether it is the last, not what it carries: IP is told by its version.
    fn label_carries(&self, asm: &mut Assembler, kind: u32) -> Result<Fragment, Refusal> {
        let version = match kind {
            ethertype::IPV4 => 0x40,
            ethertype::IPV6 => 0x60,
            _ => {
                return Err(Refusal::new(
                    "`ip` or `ip6`, the only protocols that can be told behind `mpls`",
                ));
            }
        };
        let last = self.label_ends(asm, Last::Yes);
        let first = self.at(self.network(), Width::Byte);
        let ip = asm.field(first, 0xf0, Relation::Equal, version);
        Ok(asm.both(last, ip))
    }

    fn label_ends(&self, asm: &mut Assembler, last: Last) -> Fragment {
        let bottom = self.at(self.network() - 2, Width::Byte);
        let value = match last {
            Last::Yes => 1,
            Last::No => 0,
        };
        asm.field(bottom, 1, Relation::Equal, value)
    }

    fn ethernet_carries(&self, asm: &mut Assembler, kind: u32) -> Fragment {
        match kind {
            sap::OSI | sap::IP | sap::NETBEUI => {
                let length = self.is_length(asm);
                let both = self.at(self.payload, Width::Half);
                let saps = asm.field(both, u32::MAX, Relation::Equal, kind << 8 | kind);
                asm.both(length, saps)
            }
            sap::IPX => self.carries_ipx(asm),
            ethertype::ATALK => self.carries_snap(asm, kind, 0x0008_0007),
            ethertype::AARP => self.carries_snap(asm, kind, 0),
            0..=MAX_LENGTH => {
                let length = self.is_length(asm);
                let dsap = self.at(self.payload, Width::Byte);
                let dsap = asm.field(dsap, u32::MAX, Relation::Equal, kind);
                asm.both(length, dsap)
            }
            _ => self.kind_is(asm, kind),
        }
    }

    /// Novell's four framings: Ethernet II, SNAP, LLC and raw 802.3.
    fn carries_ipx(&self, asm: &mut Assembler) -> Fragment {
        let plain = self.kind_is(asm, ethertype::IPX);
        let length = self.is_length(asm);
        let snap = self.snap_is(asm, ethertype::IPX, 0);
        let dsap = self.at(self.payload, Width::Byte);
        let dsap = asm.field(dsap, u32::MAX, Relation::Equal, sap::IPX);
        let raw = self.at(self.payload, Width::Half);
        let raw = asm.field(raw, u32::MAX, Relation::Equal, 0xffff);
        let inner = asm.either(snap, dsap);
        let inner = asm.either(inner, raw);
        let framed = asm.both(length, inner);
        asm.either(plain, framed)
    }

    fn carries_snap(&self, asm: &mut Assembler, kind: u32, organisation: u32) -> Fragment {
        let plain = self.kind_is(asm, kind);
        let length = self.is_length(asm);
        let snap = self.snap_is(asm, kind, organisation);
        let framed = asm.both(length, snap);
        asm.either(plain, framed)
    }

    /// A SNAP header of this organisation (its 24 bits stand in two words) and protocol.
    fn snap_is(&self, asm: &mut Assembler, kind: u32, organisation: u32) -> Fragment {
        let low = self.at(self.payload + 4, Width::Word);
        let value = (organisation & 0xffff) << 16 | kind;
        let low = asm.field(low, u32::MAX, Relation::Equal, value);
        let high = self.at(self.payload, Width::Word);
        let value = 0xaaaa_0300 | organisation >> 16;
        let high = asm.field(high, u32::MAX, Relation::Equal, value);
        asm.both(low, high)
    }

    fn kind_is(&self, asm: &mut Assembler, kind: u32) -> Fragment {
        let field = self.at(self.kind, Width::Half);
        asm.field(field, u32::MAX, Relation::Equal, kind)
    }

    /// Asks whether the Ethernet header has a length in the place of a type.
    fn is_length(&self, asm: &mut Assembler) -> Fragment {
        let field = self.at(self.kind, Width::Half);
        asm.field(field, u32::MAX, Relation::Greater, MAX_LENGTH)
            .negated()
    }

    /// Asks for an LLC header, whatever it carries.
    pub(crate) fn llc(&self, asm: &mut Assembler) -> Result<Fragment, Refusal> {
        if self.framing == Framing::Ppp {
            return Err(Refusal::new("no `llc`, which is not there behind `pppoes`"));
        }
        let length = self.is_length(asm);
        let raw = self.at(self.payload, Width::Half);
        let framed = asm.field(raw, u32::MAX, Relation::Equal, 0xffff).negated();
        Ok(asm.both(length, framed))
    }

    /// Asks for a VLAN tag and looks behind it from now on.
    pub(crate) fn vlan(
        &mut self,
        asm: &mut Assembler,
        id: Option<u32>,
    ) -> Result<Fragment, Refusal> {
        if self.is_labelled() || self.framing == Framing::Ppp {
            return Err(Refusal::new(
                "`vlan` before `mpls` and `pppoes`, behind which there are no tags",
            ));
        }
        let [first, others @ ..] = ethertype::TAGS;
        let mut whole = self.kind_is(asm, first);
        for tag in others {
            let other = self.kind_is(asm, tag);
            whole = asm.either(whole, other);
        }
        if let Some(id) = id {
            let tag = self.at(self.payload, Width::Half);
            let tag = asm.field(tag, 0x0fff, Relation::Equal, id);
            whole = asm.both(whole, tag);
        }
        self.kind += 4;
        self.payload += 4;
        Ok(whole)
    }

    /// Asks for an MPLS label and looks behind it from now on.
    pub(crate) fn mpls(&mut self, asm: &mut Assembler, label: Option<u32>) -> Fragment {
        let mut whole = match (self.labels, self.framing) {
            (0, Framing::Ethernet) => self.kind_is(asm, ethertype::MPLS),
            (0, Framing::Ppp) => self.kind_is(asm, PPP_MPLS),
            _ => self.label_ends(asm, Last::No),
        };
        if let Some(label) = label {
            let field = self.at(self.network(), Width::Word);
            let field = asm.field(field, 0xffff_f000, Relation::Equal, label << 12);
            whole = asm.both(whole, field);
        }
        self.labels += 1;
        whole
    }

    /// Asks for a PPPoE session and looks behind its PPP header from now on.
    pub(crate) fn pppoes(
        &mut self,
        asm: &mut Assembler,
        session: Option<u32>,
    ) -> Result<Fragment, Refusal> {
        let mut whole = self.carries(asm, ethertype::PPPOE_SESSION)?;
        if let Some(session) = session {
            let field = self.at(self.payload, Width::Word);
            let field = asm.field(field, 0xffff, Relation::Equal, session);
            whole = asm.both(whole, field);
        }
        self.framing = Framing::Ppp;
        self.link = self.payload + 6;
        self.kind = self.payload + 6;
        self.payload += 8;
        Ok(whole)
    }
}

/// Whether a label is the last of its stack.
#[derive(Clone, Copy)]
enum Last {
    Yes,
    No,
}

/// The PPP protocol number of what an EtherType or a service access point stands for (RFC 1661's
/// assigned numbers).
fn ppp_number(kind: u32) -> u32 {
    match kind {
        ethertype::IPV4 => 0x0021,
        ethertype::IPV6 => 0x0057,
        ethertype::DECNET => 0x0027,
        ethertype::ATALK => 0x0029,
        ethertype::NS => 0x0025,
        sap::OSI => 0x0023,
        sap::STP => 0x0031,
        sap::IPX => 0x002b,
        other => other,
    }
}
