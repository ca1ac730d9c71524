//! What each action of a plan means to a driver, or to the wires.
//!
//! One action is one or two calls, with contents taken from the blueprint. No choices: those are
//! the plan's. Steps that wait for guests ask libvirt through [`Liveness`], one at a time.

mod liveness;

use self::liveness::Liveness;
use crate::driver::{Driver, DriverError, Overlay, Shutdown};
use crate::executor::{Perform, Work};
use crate::media::{MediaError, media_image};
use crate::ready::{Awaited, Consoles, Outcome, Readiness, Reason};
use crate::wire::{WireError, Wires};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use vnflab_model::blueprint::{Blueprint, NodeBlueprint};
use vnflab_model::domain_xml::{domain_xml, network_xml};
use vnflab_model::observed::Locality;
use vnflab_model::plan::{Action, Step};
use vnflab_model::typing::{Typing, with_typing};

/// How long a guest may take to shut down when asked: what a router with a clean shutdown takes
/// under translation. The step that follows takes the power away.
pub const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(60);

/// A guest that ignored a request to shut down is asked again this often: one that still boots
/// loses the first.
const SHUTDOWN_REPEAT: Duration = Duration::from_secs(5);

/// Time between two looks whether a guest that shuts down is off.
const SHUTDOWN_LOOK: Duration = Duration::from_millis(200);

/// What is in a volume whose name says everything: storage has no empty ones.
const MEMORY: &[u8] = b"typed\n";

/// Nobody cancels.
static NEVER: AtomicBool = AtomicBool::new(false);

/// Does the steps of a plan.
pub struct Performer<'a> {
    driver: &'a dyn Driver,
    wires: &'a dyn Wires,
    blueprint: Option<&'a Blueprint>,
    shutdown_patience: Duration,
    readiness: &'a dyn Readiness,
    cancel: &'a AtomicBool,
    liveness: Liveness<'a>,
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
    /// A node was waited for in vain.
    #[error("{reason}")]
    NotReady {
        /// Why the waiting ended.
        reason: Reason,
        /// The last lines on its console.
        last_lines: Vec<String>,
    },
    /// The user wants us to stop.
    #[error("interrupted")]
    Interrupted,
    /// A node that others wait for runs on another host.
    #[error("the consoles are on another host, so readiness cannot be seen from here")]
    ConsolesElsewhere,
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
            Self::ConsolesElsewhere => {
                Some("run vnflab on that host, or write `after: [NODE]` without `ready`")
            }
            Self::Media { .. }
            | Self::NotReady { .. }
            | Self::Interrupted
            | Self::NotInBlueprint(_) => None,
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
            blueprint: Some(blueprint),
            ..Self::without_blueprint(driver, wires)
        }
    }

    /// For plans that only start, stop and remove.
    pub fn without_blueprint(driver: &'a dyn Driver, wires: &'a dyn Wires) -> Self {
        Self {
            driver,
            wires,
            blueprint: None,
            shutdown_patience: SHUTDOWN_PATIENCE,
            readiness: &Consoles,
            cancel: &NEVER,
            liveness: Liveness::new(driver),
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

    /// With another way to learn that a guest is up than its console.
    #[must_use]
    pub fn with_readiness(self, readiness: &'a dyn Readiness) -> Self {
        Self { readiness, ..self }
    }

    /// With a flag that ends all waiting when it goes up.
    #[must_use]
    pub fn cancelled_by(self, cancel: &'a AtomicBool) -> Self {
        Self { cancel, ..self }
    }

    fn await_ready(&self, node: &NodeBlueprint) -> Result<(), PerformError> {
        if self.liveness.asking(|driver| driver.host())?.locality == Locality::Remote {
            return Err(PerformError::ConsolesElsewhere);
        }
        let domain = node.domain();
        // While libvirt does not answer, a node does not count as stopped: its time ends the
        // waiting.
        let begun = Instant::now();
        let mut runs = || self.liveness.runs(&domain, begun).unwrap_or(true);
        let mut awaited = Awaited::of(node);
        if awaited.after.is_some() {
            let usage = self
                .liveness
                .asking(|driver| driver.domain_usage(&domain))?;
            let uptime = usage.and_then(|usage| usage.uptime);
            awaited = awaited.up_for(uptime.unwrap_or_default());
        }
        match self.readiness.await_ready(&awaited, &mut runs, self.cancel) {
            Outcome::Ready { .. } => Ok(()),
            Outcome::NotReady {
                reason: Reason::Cancelled,
                ..
            } => Err(PerformError::Interrupted),
            Outcome::NotReady { reason, last_lines } => {
                Err(PerformError::NotReady { reason, last_lines })
            }
        }
    }

    /// Asks a guest to shut down until it is off or its time is over. One that does not follow is
    /// no error: it loses its power in the next step.
    fn shut_down(&self, domain: &str) -> Result<(), PerformError> {
        let begun = Instant::now();
        loop {
            let ask = |driver: &dyn Driver| driver.shutdown_domain(domain, Duration::ZERO);
            if self.liveness.asking(ask)? == Shutdown::Off {
                return Ok(());
            }
            let asked = Instant::now();
            while asked.elapsed() < SHUTDOWN_REPEAT {
                if begun.elapsed() >= self.shutdown_patience {
                    return Ok(());
                }
                if self.cancel.load(Ordering::Relaxed) {
                    return Err(PerformError::Interrupted);
                }
                std::thread::sleep(SHUTDOWN_LOOK);
                if !self.liveness.runs(domain, begun)? {
                    return Ok(());
                }
            }
        }
    }

    fn define_domain(&self, domain: &str, typing: Option<&Typing>) -> Result<(), PerformError> {
        let unknown = || PerformError::NotInBlueprint(domain.to_owned());
        let blueprint = self.blueprint.ok_or_else(unknown)?;
        let mut vms = blueprint.vms();
        let vm = vms.find(|vm| vm.domain() == domain).ok_or_else(unknown)?;
        let xml = domain_xml(vm, &blueprint.source, self.driver.scope());
        let xml = match typing {
            Some(typing) => with_typing(&xml, typing),
            None => xml,
        };
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

    fn work(&self, step: &Step) -> Work {
        match step.action {
            Action::AwaitReady { .. } | Action::ShutdownDomain { .. } => Work::Wait,
            _ => Work::Request,
        }
    }

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
            Action::DefineDomain { domain, typing } => {
                self.define_domain(domain, typing.as_ref())?;
            }
            Action::RememberTyping { volume } => driver.write_volume(volume, MEMORY)?,
            Action::StartDomain { domain } => driver.start_domain(domain)?,
            Action::SuspendDomain { domain } => driver.suspend_domain(domain)?,
            Action::ResumeDomain { domain } => driver.resume_domain(domain)?,
            Action::AwaitReady { node } => self.await_ready(node)?,
            Action::ShutdownDomain { domain } => self.shut_down(domain)?,
            Action::DestroyDomain { domain } => driver.destroy_domain(domain)?,
            Action::UndefineDomain { domain } => driver.undefine_domain(domain)?,
            Action::SetCpuLimit { domain, percent } => driver.set_cpu_limit(domain, *percent)?,
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
