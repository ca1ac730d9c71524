//! Where frames go that came through their lane: links, switches and hubs.

use super::EndId;
use super::table::{Address, AddressTable};

/// Whether frames may pass, by the link's own state or by a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// They may.
    #[default]
    Up,
    /// They are dropped.
    Down,
}

/// How a junction forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    /// A link: to the other of two members.
    Link,
    /// A learning switch.
    Switch {
        /// An address that was not seen for so long is forgotten, in nanoseconds.
        ageing_ns: u64,
        /// Most addresses that are learned.
        addresses: usize,
    },
    /// To everybody else.
    Hub,
}

/// A link or a segment.
#[derive(Debug)]
pub struct Junction {
    /// Whether frames may pass at all.
    pub state: LinkState,
    members: Vec<EndId>,
    forwarding: Forwarding,
    table: AddressTable,
}

/// Where a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To one end.
    To(EndId),
    /// To all members but the sender.
    Everybody,
    /// Nowhere: the other member is not there, or the switch knows that the receiver is where the
    /// frame came from.
    Nowhere,
    /// It has no Ethernet header.
    TooShort,
}

impl Junction {
    /// A junction of some members.
    pub fn new(forwarding: Forwarding, state: LinkState, members: Vec<EndId>) -> Self {
        let table = match forwarding {
            Forwarding::Switch {
                ageing_ns,
                addresses,
            } => AddressTable::new(ageing_ns, addresses),
            Forwarding::Link | Forwarding::Hub => AddressTable::new(0, 0),
        };
        Self {
            state,
            members,
            forwarding,
            table,
        }
    }

    /// Those who are joined.
    pub fn members(&self) -> &[EndId] {
        &self.members
    }

    /// How it forwards.
    pub fn forwarding(&self) -> Forwarding {
        self.forwarding
    }

    /// Changes who is joined; addresses behind those who stay are kept.
    pub fn set_members(&mut self, members: Vec<EndId>) {
        for gone in self.members.iter().filter(|end| !members.contains(end)) {
            self.table.forget(*gone);
        }
        self.members = members;
    }

    /// The other end of a link of two.
    pub fn peer(&self, end: EndId) -> Option<EndId> {
        match (self.forwarding, &self.members[..]) {
            (Forwarding::Link, [a, b]) if *a == end => Some(*b),
            (Forwarding::Link, [a, b]) if *b == end => Some(*a),
            _ => None,
        }
    }

    /// Decides where a frame of a member goes, and learns from it.
    pub fn way(&mut self, from: EndId, frame: &[u8], now_ns: u64) -> Way {
        match self.forwarding {
            Forwarding::Link => self.peer(from).map_or(Way::Nowhere, Way::To),
            Forwarding::Hub => Way::Everybody,
            Forwarding::Switch { .. } => self.switch(from, frame, now_ns),
        }
    }

    fn switch(&mut self, from: EndId, frame: &[u8], now_ns: u64) -> Way {
        let (Some(receiver), Some(sender)) = (address(frame, 0), address(frame, 6)) else {
            return Way::TooShort;
        };
        self.table.learn(sender, from, now_ns);
        match self.table.find(receiver, now_ns) {
            Some(end) if end == from => Way::Nowhere,
            Some(end) => Way::To(end),
            None => Way::Everybody,
        }
    }

    /// What the switch has learned.
    pub fn table(&self) -> &AddressTable {
        &self.table
    }
}

fn address(frame: &[u8], at: usize) -> Option<Address> {
    frame.get(at..at + 6)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(receiver: u8, sender: u8) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, receiver, 2, 0, 0, 0, 0, sender];
        frame.extend([0x88, 0xb5, 0, 0]);
        frame
    }

    fn switch() -> Junction {
        let forwarding = Forwarding::Switch {
            ageing_ns: u64::MAX,
            addresses: 100,
        };
        Junction::new(forwarding, LinkState::Up, vec![1, 2, 3])
    }

    #[test]
    fn a_switch_floods_until_it_knows() {
        let mut switch = switch();
        assert_eq!(switch.way(1, &frame(0xb, 0xa), 0), Way::Everybody);
        assert_eq!(switch.way(2, &frame(0xa, 0xb), 0), Way::To(1));
        assert_eq!(switch.way(1, &frame(0xb, 0xa), 0), Way::To(2));
        assert_eq!(
            switch.way(2, &frame(0xb, 0xb), 0),
            Way::Nowhere,
            "it is there already"
        );
    }

    #[test]
    fn control_frames_pass_a_switch() {
        let mut switch = switch();
        for last in [0x00, 0x02, 0x03, 0x0e] {
            let mut frame = vec![0x01, 0x80, 0xc2, 0, 0, last];
            frame.extend([2, 0, 0, 0, 0, 1, 0x88, 0x09]);
            assert_eq!(switch.way(1, &frame, 0), Way::Everybody);
        }
    }

    #[test]
    fn a_link_of_one_leads_nowhere_and_a_link_needs_no_header() {
        let mut half = Junction::new(Forwarding::Link, LinkState::Up, vec![1]);
        assert_eq!(half.way(1, &[], 0), Way::Nowhere);
        half.set_members(vec![1, 7]);
        assert_eq!(half.way(1, &[0], 0), Way::To(7));
        assert_eq!(half.way(7, &[0], 0), Way::To(1));
        assert_eq!(switch().way(1, &[0; 11], 0), Way::TooShort);
    }

    #[test]
    fn a_member_that_leaves_is_forgotten() {
        let mut switch = switch();
        switch.way(1, &frame(0xb, 0xa), 0);
        switch.set_members(vec![2, 3]);
        assert_eq!(switch.way(2, &frame(0xa, 0xb), 0), Way::Everybody);
        assert_eq!(switch.table().len(), 1);
    }
}
