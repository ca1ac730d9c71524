//! The wires of labs on this machine: what runs, and how it is told what to be.
//!
//! [`Wires`] is the one door to them, as [`crate::driver::Driver`] is to libvirt; which step comes
//! when is the plan's business. In tests [`crate::driver::fake::FakeDriver`] is both.
//!
//! Invariants, kept by everything behind the door:
//! - Every method is idempotent: done twice, it does the same as done once.
//! - Methods take `&self` and may be called from many threads at once; changes of one wire come
//!   one after the other.
//! - A wire whose process dies comes back as it was.

mod absent;
mod carrier;
mod exposition;
pub mod keeper;
mod local;
mod metrics;
mod place;
pub(crate) mod words;

pub use absent::AbsentWires;
pub use local::{KeeperCommand, LocalWires};
pub use place::Place;

use std::collections::BTreeMap;
use vnflab_model::blueprint::{WireBlueprint, WireChange};
use vnflab_model::observed::ObservedWire;
use vnflab_wire::Config;
use vnflab_wire::control::protocol::Status;

/// What can be done to the wires of labs.
pub trait Wires: Send + Sync {
    /// What exists, by lab: wires that run, and those of which something is left.
    ///
    /// # Errors
    ///
    /// When it cannot be known. A wire that vanishes while it is looked at is left out.
    fn observe(&self) -> Result<BTreeMap<String, ObservedWire>, WireError>;

    /// How the wire of a lab is, with all that it has counted; `None` if it does not run.
    ///
    /// # Errors
    ///
    /// When it breaks off in the middle of its answer.
    fn look(&self, lab: &str) -> Result<Option<WireLook>, WireError>;

    /// Starts the wire of a lab where it does not run, and makes it what is given: all ends and
    /// junctions, those of the running one that are not named removed. Without anything given it
    /// is what it was when it last ran.
    ///
    /// # Errors
    ///
    /// When it does not start, an end cannot be opened, or nothing is known of it.
    fn start(&self, lab: &str, wire: Option<&WireBlueprint>) -> Result<(), WireError>;

    /// Changes the wire of a lab, which runs.
    ///
    /// # Errors
    ///
    /// When it does not run or refuses.
    fn change(&self, lab: &str, change: &WireChange) -> Result<(), WireError>;

    /// Stops the wire of a lab and forgets it. None of that lab is no error.
    ///
    /// # Errors
    ///
    /// When it does not end.
    fn stop(&self, lab: &str) -> Result<(), WireError>;
}

/// How a wire is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireLook {
    /// What it is now, in its own words.
    pub config: Config,
    /// States and counts.
    pub status: Status,
}

/// Why something could not be done to a wire.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It does not run, or nothing is known of it.
    #[error("the wire of lab `{0}` does not run")]
    Missing(String),
    /// It refused or failed.
    #[error("cannot {operation} the wire of lab `{lab}`: {reason}")]
    Refused {
        /// What was tried, such as `start`.
        operation: &'static str,
        /// The lab.
        lab: String,
        /// Why not.
        reason: String,
        /// What to do, where something is known.
        hint: Option<String>,
    },
    /// The fake was told to fail here.
    #[error("the fake wire failed at operation {0}, as told")]
    Injected(usize),
}

impl WireError {
    /// What to do about it, where something is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Missing(_) => Some("`vnflab up` starts it"),
            Self::Refused { hint, .. } => hint.as_deref(),
            Self::Injected(_) => None,
        }
    }
}
