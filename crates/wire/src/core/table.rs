//! The addresses that a switch has learned.

use super::EndId;
use std::collections::HashMap;

/// An Ethernet address.
pub type Address = [u8; 6];

/// How often, at most, a full table is searched for addresses that are too old.
const SWEEP_NS: u64 = 1_000_000_000;

/// Which member an address was last seen at.
///
/// An address that was not seen for the ageing time is forgotten. A full table learns nothing
/// new until something ages: frames to addresses it does not know are flooded, and nothing is
/// lost. The addresses of one table are all VLANs' together.
#[derive(Debug)]
pub struct AddressTable {
    places: HashMap<Address, Place>,
    ageing_ns: u64,
    limit: usize,
    swept_ns: u64,
    refused: u64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    end: EndId,
    seen_ns: u64,
}

impl AddressTable {
    /// An empty table.
    pub fn new(ageing_ns: u64, limit: usize) -> Self {
        Self {
            places: HashMap::new(),
            ageing_ns,
            limit,
            swept_ns: 0,
            refused: 0,
        }
    }

    /// Remembers where a frame came from. Group addresses are no senders.
    pub fn learn(&mut self, address: Address, end: EndId, now_ns: u64) {
        if is_group(address) {
            return;
        }
        let place = Place {
            end,
            seen_ns: now_ns,
        };
        if let Some(known) = self.places.get_mut(&address) {
            *known = place;
            return;
        }
        if self.places.len() >= self.limit {
            self.sweep(now_ns);
        }
        if self.places.len() < self.limit {
            self.places.insert(address, place);
        } else {
            self.refused += 1;
        }
    }

    fn sweep(&mut self, now_ns: u64) {
        if now_ns < self.swept_ns + SWEEP_NS && self.swept_ns != 0 {
            return;
        }
        self.swept_ns = now_ns;
        let ageing_ns = self.ageing_ns;
        self.places
            .retain(|_, place| now_ns.saturating_sub(place.seen_ns) < ageing_ns);
    }

    /// Where frames to an address go; `None` for groups and for whoever is not known.
    pub fn find(&self, address: Address, now_ns: u64) -> Option<EndId> {
        let place = self.places.get(&address)?;
        let fresh = now_ns.saturating_sub(place.seen_ns) < self.ageing_ns;
        fresh.then_some(place.end)
    }

    /// Forgets all addresses behind a member that has left.
    pub fn forget(&mut self, end: EndId) {
        self.places.retain(|_, place| place.end != end);
    }

    /// Number of addresses known.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How often an address was not learned because the table was full.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

/// Whether an address is a group's: broadcast or multicast.
fn is_group(address: Address) -> bool {
    address[0] & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Address = [2, 0, 0, 0, 0, 1];
    const B: Address = [2, 0, 0, 0, 0, 2];
    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn an_address_ages_unless_it_is_seen_again() {
        let mut table = AddressTable::new(10 * SECOND, 100);
        table.learn(A, 1, SECOND);
        table.learn(B, 2, SECOND);
        table.learn(A, 3, 9 * SECOND);
        assert_eq!(
            table.find(A, 12 * SECOND),
            Some(3),
            "it moved, and was seen later"
        );
        assert_eq!(table.find(B, 12 * SECOND), None);
    }

    #[test]
    fn a_full_table_learns_nothing_until_something_ages() {
        let mut table = AddressTable::new(10 * SECOND, 1);
        table.learn(A, 1, SECOND);
        table.learn(B, 2, 2 * SECOND);
        assert_eq!((table.find(B, 2 * SECOND), table.refused()), (None, 1));
        table.learn(B, 2, 20 * SECOND);
        assert_eq!(table.find(B, 20 * SECOND), Some(2));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn groups_are_no_senders() {
        let mut table = AddressTable::new(SECOND, 10);
        table.learn([0xff; 6], 1, 0);
        table.learn([1, 0x80, 0xc2, 0, 0, 2], 1, 0);
        assert!(table.is_empty());
    }

    #[test]
    fn whoever_leaves_takes_his_addresses_along() {
        let mut table = AddressTable::new(SECOND, 10);
        table.learn(A, 1, 0);
        table.learn(B, 2, 0);
        table.forget(1);
        assert_eq!((table.find(A, 0), table.find(B, 0)), (None, Some(2)));
    }
}
