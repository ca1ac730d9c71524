//! No wires at all: over a connection to another host, whose tunnels cannot end here.

use super::{WireError, WireLook, Wires};
use std::collections::BTreeMap;
use vnflab_model::blueprint::{WireBlueprint, WireChange};
use vnflab_model::observed::ObservedWire;

/// Wires that cannot be: none exists, and none can be started.
#[derive(Debug, Clone, Copy, Default)]
pub struct AbsentWires;

impl Wires for AbsentWires {
    fn observe(&self) -> Result<BTreeMap<String, ObservedWire>, WireError> {
        Ok(BTreeMap::new())
    }

    fn look(&self, _: &str) -> Result<Option<WireLook>, WireError> {
        Ok(None)
    }

    fn start(&self, lab: &str, _: Option<&WireBlueprint>) -> Result<(), WireError> {
        Err(WireError::Refused {
            operation: "start",
            lab: lab.to_owned(),
            reason: "it would have to run where the VMs do".to_owned(),
            hint: Some(
                "write `transport: direct` at the top of the lab file, or pass `--direct`"
                    .to_owned(),
            ),
        })
    }

    fn change(&self, lab: &str, _: &WireChange) -> Result<(), WireError> {
        Err(WireError::Missing(lab.to_owned()))
    }

    fn stop(&self, _: &str) -> Result<(), WireError> {
        Ok(())
    }
}
