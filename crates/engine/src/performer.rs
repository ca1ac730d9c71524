//! What each action of a plan means to a driver, or to the wires.
//!
//! One action is one or two calls, with contents taken from the blueprint. No choices: those are
//! the plan's.

use crate::driver::{Driver, DriverError, Overlay};
use crate::executor::Perform;
use crate::media::{MediaError, media_image};
use crate::wire::{WireError, Wires};
use std::time::Duration;
use vnflab_model::blueprint::Blueprint;
use vnflab_model::domain_xml::{domain_xml, network_xml};
use vnflab_model::plan::{Action, Step};

/// How long a guest may take to shut down when asked: what a router with a clean shutdown takes
/// under translation. The step that follows takes the power away.
pub const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(60);

/// Does the steps of a plan.
pub struct Performer<'a> {
    driver: &'a dyn Driver,
    wires: &'a dyn Wires,
    blueprint: Option<&'a Blueprint>,
    shutdown_patience: Duration,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum PerformError {
    /// libvirt, or what lies behind it.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// A wire.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A day-0 medium cannot be made.
    #[error("cannot make the day-0 medium `{volume}`: {source}")]
    Media {
        /// The medium.
        volume: String,
        /// Why.
        source: MediaError,
    },
    /// The plan names something that its blueprint does not have: it was made from another.
    #[error("the plan names `{0}`, which the blueprint does not have")]
    NotInBlueprint(String),
}

impl PerformError {
    /// What to do about it, where something is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Driver(error) => error.hint(),
            Self::Wire(error) => error.hint(),
            Self::Media { .. } | Self::NotInBlueprint(_) => None,
        }
    }
}

impl<'a> Performer<'a> {
    /// For plans that make things: contents come from the blueprint.
    pub fn with_blueprint(
        driver: &'a dyn Driver,
        wires: &'a dyn Wires,
        blueprint: &'a Blueprint,
    ) -> Self {
        Self {
            driver,
            wires,
            blueprint: Some(blueprint),
            shutdown_patience: SHUTDOWN_PATIENCE,
        }
    }

    /// For plans that only start, stop and remove.
    pub fn without_blueprint(driver: &'a dyn Driver, wires: &'a dyn Wires) -> Self {
        Self {
            driver,
            wires,
            blueprint: None,
            shutdown_patience: SHUTDOWN_PATIENCE,
        }
    }

    /// With another time for guests to shut down.
    #[must_use]
    pub fn with_shutdown_patience(self, shutdown_patience: Duration) -> Self {
        Self {
            shutdown_patience,
            ..self
        }
    }

    fn define_domain(&self, node: &str) -> Result<(), PerformError> {
        let unknown = || PerformError::NotInBlueprint(node.to_owned());
        let blueprint = self.blueprint.ok_or_else(unknown)?;
        let node = blueprint.node(node).ok_or_else(unknown)?;
        let xml = domain_xml(node, &blueprint.source, self.driver.scope());
        Ok(self.driver.define_domain(&xml)?)
    }

    fn write_media(&self, volume: &str) -> Result<(), PerformError> {
        let content = self
            .blueprint
            .and_then(|blueprint| blueprint.media.get(volume))
            .ok_or_else(|| PerformError::NotInBlueprint(volume.to_owned()))?;
        let image = media_image(content).map_err(|source| PerformError::Media {
            volume: volume.to_owned(),
            source,
        })?;
        Ok(self.driver.write_volume(volume, &image)?)
    }
}

impl Perform for Performer<'_> {
    type Error = PerformError;

    fn perform(&self, step: &Step) -> Result<(), PerformError> {
        let (driver, wires) = (self.driver, self.wires);
        match &step.action {
            Action::DefineNetwork { network } => driver.define_network(&network_xml(network))?,
            Action::StartNetwork { network } => driver.start_network(network)?,
            Action::AddLease { network, lease } => driver.add_lease(network, lease)?,
            Action::RemoveLease { network, lease } => driver.remove_lease(network, lease)?,
            Action::RemoveNetwork { network } => driver.remove_network(network)?,
            Action::CreateOverlay {
                volume,
                image_path,
                image_format,
                size_bytes,
            } => driver.create_overlay(&Overlay {
                volume: volume.clone(),
                image_path: image_path.clone(),
                image_format: image_format.clone(),
                size_bytes: *size_bytes,
            })?,
            Action::CreateDisk { volume, size_bytes } => driver.create_disk(volume, *size_bytes)?,
            Action::WriteMedia { volume } => self.write_media(volume)?,
            Action::DeleteVolume { volume } => driver.delete_volume(volume)?,
            Action::DefineDomain { node, .. } => self.define_domain(node)?,
            Action::StartDomain { domain } => driver.start_domain(domain)?,
            Action::ResumeDomain { domain } => driver.resume_domain(domain)?,
            Action::ShutdownDomain { domain } => {
                // A guest that does not follow loses its power in the next step.
                driver.shutdown_domain(domain, self.shutdown_patience)?;
            }
            Action::DestroyDomain { domain } => driver.destroy_domain(domain)?,
            Action::UndefineDomain { domain } => driver.undefine_domain(domain)?,
            Action::SetCarrier {
                domain,
                mac,
                carrier,
                ..
            } => driver.set_carrier(domain, mac, *carrier)?,
            Action::RecordNode { record } => driver.record_node(record)?,
            Action::StartWire { lab, wire } => wires.start(lab, wire.as_deref())?,
            Action::ChangeWire { lab, change } => wires.change(lab, change)?,
            Action::StopWire { lab } => wires.stop(lab)?,
        }
        Ok(())
    }
}
