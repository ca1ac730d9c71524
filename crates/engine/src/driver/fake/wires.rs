//! The fake's wires: configurations in memory, which go wrong together with the rest.

use super::world::World;
use super::{Extent, FakeDriver};
use crate::driver::DriverError;
use crate::wire::{WireError, WireLook, Wires, words};
use std::collections::{BTreeMap, BTreeSet};
use vnflab_model::blueprint::{NodeBlueprint, WireBlueprint, WireChange, WireEnd};
use vnflab_model::observed::ObservedWire;
use vnflab_wire::control::protocol::Status;

impl FakeDriver {
    /// Lets a wire's process die; what it was is known when it is started again.
    pub fn kill_wire(&self, lab: &str) {
        self.world().running_wires.remove(lab);
    }

    /// Changes a wire by hand, beside all plans and without a mishap.
    pub fn change_wire_by_hand(&self, lab: &str, change: &WireChange) {
        if let Some(wire) = self.world().wires.get_mut(lab) {
            wire.apply(change);
        }
    }

    fn change_wires(
        &self,
        action: impl FnOnce(&mut World, Extent) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let mut outcome = Ok(());
        let done = self.change(|world, extent| {
            outcome = action(world, extent);
            Ok(())
        });
        match done {
            Ok(()) => outcome,
            Err(DriverError::Injected(call)) => Err(WireError::Injected(call)),
            Err(other) => unreachable!("the action returned no driver's error: {other}"),
        }
    }
}

impl World {
    /// The interface of a node that sends to a wire which does not listen, if there is one.
    pub(super) fn unheard_interface(&self, node: &NodeBlueprint) -> Option<String> {
        let listening: BTreeSet<_> = self
            .wires
            .get(&node.lab)
            .filter(|_| self.running_wires.contains(&node.lab))
            .into_iter()
            .flat_map(|wire| wire.ends.values())
            .filter_map(WireEnd::local)
            .collect();
        let mut nics = node.nics.iter();
        let unheard = nics.find(|nic| {
            node.wire_end(nic)
                .is_some_and(|end| !listening.contains(&end))
        });
        unheard.map(|nic| nic.name.clone())
    }

    fn running_wire(&mut self, lab: &str) -> Result<&mut WireBlueprint, WireError> {
        match self.wires.get_mut(lab) {
            Some(wire) if self.running_wires.contains(lab) => Ok(wire),
            _ => Err(WireError::Missing(lab.to_owned())),
        }
    }
}

impl Wires for FakeDriver {
    fn observe(&self) -> Result<BTreeMap<String, ObservedWire>, WireError> {
        let world = self.world();
        if world.dead {
            return Err(WireError::Injected(world.calls));
        }
        let observed = world.wires.iter().map(|(lab, config)| {
            let wire = match world.running_wires.contains(lab) {
                true => ObservedWire::Running {
                    version: "fake".to_owned(),
                    config: config.clone(),
                    cut: BTreeSet::new(),
                },
                false => ObservedWire::Stopped,
            };
            (lab.clone(), wire)
        });
        Ok(observed.collect())
    }

    fn look(&self, lab: &str) -> Result<Option<WireLook>, WireError> {
        let world = self.observe()?;
        let config = world
            .get(lab)
            .and_then(ObservedWire::config)
            .map(words::config);
        Ok(config.map(|config| WireLook {
            config,
            status: Status::default(),
        }))
    }

    fn start(&self, lab: &str, wire: Option<&WireBlueprint>) -> Result<(), WireError> {
        self.change_wires(|world, extent| {
            let config = match (wire, world.wires.get(lab)) {
                (Some(wire), _) => wire.clone(),
                (None, Some(known)) => known.clone(),
                (None, None) => return Err(WireError::Missing(lab.to_owned())),
            };
            // It runs before it is told what to be.
            let config = match extent {
                Extent::Whole => config,
                Extent::Half => WireBlueprint::new(lab, 0),
            };
            world.running_wires.insert(lab.to_owned());
            world.wires.insert(lab.to_owned(), config);
            Ok(())
        })
    }

    fn change(&self, lab: &str, change: &WireChange) -> Result<(), WireError> {
        self.change_wires(|world, extent| {
            let wire = world.running_wire(lab)?;
            let mut changed = wire.clone();
            changed.apply(change);
            let stranger = changed
                .junctions
                .values()
                .flat_map(|junction| &junction.members)
                .find(|member| !changed.ends.contains_key(*member));
            if let Some(stranger) = stranger {
                return Err(WireError::Refused {
                    operation: "change",
                    lab: lab.to_owned(),
                    reason: format!("there is no end `{stranger}`"),
                    hint: None,
                });
            }
            if extent == Extent::Whole {
                *wire = changed;
            }
            Ok(())
        })
    }

    fn stop(&self, lab: &str) -> Result<(), WireError> {
        self.change_wires(|world, extent| {
            world.running_wires.remove(lab);
            if extent == Extent::Whole {
                world.wires.remove(lab);
            }
            Ok(())
        })
    }
}
