//! Where devices stand on a machine's PCI buses.
//!
//! Every device has a place of its own that follows from the blueprint alone, so that guests find
//! their NICs in its order whatever else the machine has. Both layouts put the first NICs directly
//! on the root bus, where the oldest guests look; the rest stand behind bridges that are numbered
//! in the order in which firmware and guests walk the bus.
//!
//! | slot on bus 0 | `pc` (conventional PCI) | `q35` (PCI Express) |
//! | --- | --- | --- |
//! | 0x02 | graphics | graphics |
//! | from 0x03 | 22 NICs | 16 NICs |
//! | up to 0x1a | 4 bridges of 31 NICs each, two to a slot | 64 root ports of one NIC each, eight to a slot |
//! | 0x1b to 0x1e | virtio disks and disk controllers | the same |
//!
//! For example NIC 60 (from 0) of a `pc` is in slot 8 behind the second bridge, which is function
//! 1 of slot 0x19.

use crate::blueprint::Drive;
use crate::kind::{Bus, Machine};
use std::fmt;

/// Slot of the graphics adapter: where QEMU's own default is.
pub(super) const VIDEO: Place = Place::on_root(0x02, 0);

/// First slot of the NICs on the root bus.
const FIRST_NIC_SLOT: usize = 0x03;

/// Slots for virtio disks and disk controllers, in order of need.
const DISK_SLOTS: [usize; 4] = [0x1b, 0x1c, 0x1d, 0x1e];

/// What stands between the root bus and the NICs that have no place there.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// NICs on the root bus.
    nics_on_root: usize,
    /// libvirt's model of what the others stand behind.
    bridge_model: &'static str,
    /// First slot of the bridges.
    first_bridge_slot: usize,
    /// Bridges in each slot.
    bridges_in_slot: usize,
    /// Bridges in all.
    bridges: usize,
    /// NICs behind each bridge.
    nics_behind: usize,
    /// The slot of the first NIC behind a bridge.
    first_slot_behind: usize,
}

/// A PCI bridge has slots 1 to 31: slot 0 may be its hot-plug controller's.
const PC: Layout = Layout {
    nics_on_root: 22,
    bridge_model: "pci-bridge",
    first_bridge_slot: 0x19,
    bridges_in_slot: 2,
    bridges: 4,
    nics_behind: 31,
    first_slot_behind: 1,
};

/// A root port is one link to one device.
const Q35: Layout = Layout {
    nics_on_root: 16,
    bridge_model: "pcie-root-port",
    first_bridge_slot: 0x13,
    bridges_in_slot: 8,
    bridges: 64,
    nics_behind: 1,
    first_slot_behind: 0,
};

impl Layout {
    const fn of(machine: Machine) -> Self {
        match machine {
            Machine::Pc => PC,
            Machine::Q35 => Q35,
        }
    }
}

/// Most NICs that a machine has room for.
pub const fn nic_limit(machine: Machine) -> usize {
    let layout = Layout::of(machine);
    layout.nics_on_root + layout.bridges * layout.nics_behind
}

/// A place on a PCI bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The bus: 0 is the root, the others are behind the bridge of that number.
    pub(super) bus: usize,
    /// The slot.
    pub(super) slot: usize,
    /// The function.
    pub(super) function: usize,
    /// Whether other functions of the slot are there too; said at function 0.
    has_siblings: bool,
}

impl Place {
    const fn on_root(slot: usize, function: usize) -> Self {
        Self {
            bus: 0,
            slot,
            function,
            has_siblings: false,
        }
    }
}

impl fmt::Display for Place {
    /// libvirt's address element.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bus,
            slot,
            function,
            has_siblings,
        } = self;
        let multifunction = match has_siblings {
            true => " multifunction='on'",
            false => "",
        };
        write!(
            formatter,
            "<address type='pci' domain='0x0000' bus='0x{bus:02x}' slot='0x{slot:02x}' \
             function='0x{function:x}'{multifunction}/>"
        )
    }
}

/// The place of the NIC at a position, from 0.
pub(super) fn nic(machine: Machine, position: usize) -> Place {
    let layout = Layout::of(machine);
    match position.checked_sub(layout.nics_on_root) {
        None => Place::on_root(FIRST_NIC_SLOT + position, 0),
        Some(further) => Place {
            bus: further / layout.nics_behind + 1,
            slot: further % layout.nics_behind + layout.first_slot_behind,
            function: 0,
            has_siblings: false,
        },
    }
}

/// A bridge: the number of the bus behind it, libvirt's model, and its own place.
pub(super) struct Bridge {
    pub(super) index: usize,
    pub(super) model: &'static str,
    pub(super) place: Place,
}

/// The bridges that so many NICs need.
pub(super) fn bridges(machine: Machine, nics: usize) -> impl Iterator<Item = Bridge> {
    let layout = Layout::of(machine);
    let further = nics.saturating_sub(layout.nics_on_root);
    let count = further.div_ceil(layout.nics_behind);
    (0..count).map(move |number| {
        let (slot, function) = (
            number / layout.bridges_in_slot,
            number % layout.bridges_in_slot,
        );
        Bridge {
            index: number + 1,
            model: layout.bridge_model,
            place: Place {
                has_siblings: function == 0 && number + 1 < count,
                ..Place::on_root(layout.first_bridge_slot + slot, function)
            },
        }
    })
}

/// The slots for disks and their controllers, in order of need.
pub(super) fn disk_places() -> impl Iterator<Item = Place> {
    DISK_SLOTS.into_iter().map(|slot| Place::on_root(slot, 0))
}

/// Whether the machine needs a controller for a bus of drives, beyond those that it has anyway.
///
/// Q35 has a SATA controller of its own, at an address that cannot be chosen; `pc` has an IDE one.
pub(super) fn needs_controller(machine: Machine, bus: Bus) -> bool {
    match bus {
        Bus::Ide | Bus::Virtio => false,
        Bus::Sata => machine == Machine::Pc,
        Bus::Scsi | Bus::Usb => true,
    }
}

/// Whether all the drives and their controllers have a slot.
pub(crate) fn drives_fit(machine: Machine, drives: &[Drive]) -> bool {
    let on = |bus: Bus| drives.iter().filter(|drive| drive.bus == bus).count();
    let buses = [Bus::Sata, Bus::Scsi, Bus::Usb].into_iter();
    let controllers = buses.filter(|bus| on(*bus) > 0 && needs_controller(machine, *bus));
    on(Bus::Virtio) + controllers.count() <= DISK_SLOTS.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_devices_have_one_place() {
        for machine in [Machine::Pc, Machine::Q35] {
            let most = nic_limit(machine);
            for count in [1, 16, 17, 22, 23, 54, 60, most] {
                let own = |place: Place| (place.bus, place.slot, place.function);
                let mut seen = BTreeSet::from([own(VIDEO)]);
                let bridges: Vec<_> = bridges(machine, count).collect();
                let places = (0..count)
                    .map(|position| nic(machine, position))
                    .chain(bridges.iter().map(|bridge| bridge.place))
                    .chain(disk_places());
                for place in places {
                    assert!(seen.insert(own(place)), "{machine:?} {count}: {place}");
                    assert!(place.slot <= 0x1e || place.bus > 0, "{place}");
                    assert!(place.bus <= bridges.len(), "{place}");
                }
            }
        }
    }

    #[test]
    fn guests_that_walk_the_bus_find_the_nics_in_order() {
        for machine in [Machine::Pc, Machine::Q35] {
            let most = nic_limit(machine);
            let bridges: Vec<_> = bridges(machine, most).collect();
            assert!(bridges.windows(2).all(|pair| pair[0].place < pair[1].place));
            assert!(bridges.windows(2).all(|pair| pair[0].index < pair[1].index));
            let places: Vec<_> = (0..most).map(|position| nic(machine, position)).collect();
            assert!(places.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn the_places_of_nics_do_not_depend_on_how_many_there_are() {
        let bridge = |count| {
            let mut bridges = bridges(Machine::Pc, count);
            bridges
                .next()
                .map(|bridge| (bridge.place.slot, bridge.place.function))
        };
        assert_eq!(bridge(23), bridge(146));
    }
}
