//! A connection, and the wires beside it, with everything that can be done to labs on them: what the command is built on.
//!
//! # Theory of operation
//!
//! 1. [`Workspace::read`] reads a lab's files and resolves them; libvirt is not asked.
//! 2. [`Workspace::survey`] observes the connection and gathers the facts that the checks and
//!    the allocation need: images, sockets, files that the lab names.
//! 3. [`Workspace::decide`] checks and allocates: out comes a [`Decision`] with the blueprint.
//! 4. [`Workspace::carry_out`] does a plan that was made from it.
//!
//! Nothing is kept between two calls but the connection; what was observed is passed along, so
//! that one command observes once.

mod facts;
mod links;
mod status;

pub use links::{EndInterface, LinkEnd, LinkKind, LinkState, LinkStatus};
pub use status::{NodeStatus, VmStatus};

use crate::driver::{Driver, DriverError};
use crate::executor::{self, Event, Outcome};
use crate::load;
use crate::performer::{PerformError, Performer};
use crate::wire::{WireError, Wires};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use vnflab_model::allocate::{self, AllocateError, Request};
use vnflab_model::blueprint::Blueprint;
use vnflab_model::check::check;
use vnflab_model::diagnostic::Diagnostics;
use vnflab_model::facts::Facts;
use vnflab_model::kind::{Catalogue, Kind};
use vnflab_model::lab::Lab;
use vnflab_model::observed::{Host, Observed};
use vnflab_model::plan::Plan;
use vnflab_model::resolve;
use vnflab_model::span::Sources;

/// A connection, the wires of its labs, and the kinds that are known.
pub struct Workspace {
    driver: Box<dyn Driver>,
    wires: Box<dyn Wires>,
    catalogue: Catalogue,
}

/// A lab's files, read and resolved as far as their mistakes allow.
#[derive(Debug)]
pub struct Reading {
    /// All texts, for messages.
    pub sources: Sources,
    /// The lab, if there is no error so far.
    pub lab: Option<Lab>,
    /// What is left of a lab with errors: to be checked with it, and for nothing else.
    pub remains: Option<Lab>,
    /// What is wrong so far.
    pub diagnostics: Diagnostics,
    /// The lab's folder, absolute.
    pub folder: PathBuf,
    /// The lab file, or the folder of the origin's files: absolute. It tells labs of one name
    /// apart.
    pub origin: PathBuf,
}

impl Reading {
    /// All mistakes and warnings, those of the files beside the lab included; sockets, images and
    /// memory of the host are not looked at.
    pub fn check_without_host(&self) -> Diagnostics {
        self.check(&facts::gather_without_host(self))
    }

    /// All mistakes and warnings: what was found so far, and what the rules say of the lab, or of
    /// what its mistakes have left of it.
    fn check(&self, facts: &Facts) -> Diagnostics {
        let mut found = self.diagnostics.clone();
        if let Some(lab) = self.lab.as_ref().or(self.remains.as_ref()) {
            found.extend(check(lab, facts));
        }
        found.sort();
        found
    }
}

/// What was seen on the connection, and of the files that a lab names.
#[derive(Debug)]
pub struct Survey {
    /// The host.
    pub host: Host,
    /// What exists, of all labs.
    pub observed: Observed,
    /// Images, files and sockets.
    pub facts: Facts,
}

/// A lab, checked and decided.
#[derive(Debug)]
pub struct Decision {
    /// All mistakes and warnings, of the files and of the checks.
    pub diagnostics: Diagnostics,
    /// What shall be; absent when there are errors.
    pub blueprint: Option<Blueprint>,
}

/// A plan to carry out.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What it was made from, if it makes things.
    pub blueprint: Option<&'a Blueprint>,
    /// Most steps at the same time.
    pub workers: usize,
    /// How long guests may take to shut down.
    pub shutdown_patience: Duration,
}

/// Why a lab could not be decided, beyond the mistakes in its files.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// libvirt does not do what was asked.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The wires cannot be looked at.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The lab does not fit.
    #[error("the lab does not fit: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Allocate(Vec<AllocateError>),
    /// The stand-in is not a kind whose image may boot in place of others.
    #[error("`{0}` cannot stand in for other kinds")]
    StandIn(String),
}

impl Workspace {
    /// Works on a driver, be it libvirt or the fake.
    pub fn new(driver: Box<dyn Driver>, wires: Box<dyn Wires>, catalogue: Catalogue) -> Self {
        Self {
            driver,
            wires,
            catalogue,
        }
    }

    /// The driver, for what concerns no lab.
    pub fn driver(&self) -> &dyn Driver {
        self.driver.as_ref()
    }

    /// The wires.
    pub fn wires(&self) -> &dyn Wires {
        self.wires.as_ref()
    }

    /// The kinds.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Reads and resolves the lab at a path.
    pub fn read(&self, path: &Path) -> Reading {
        read(path, &self.catalogue)
    }

    /// The kind that may stand in for others under a name.
    ///
    /// # Errors
    ///
    /// When there is no such kind, or its image cannot boot in place of others.
    pub fn stand_in(&self, name: &str) -> Result<Arc<Kind>, WorkspaceError> {
        let kind = self.catalogue.find(name).filter(|kind| kind.stand_in);
        kind.cloned()
            .ok_or_else(|| WorkspaceError::StandIn(name.to_owned()))
    }

    /// What exists on the connection, and the wires.
    ///
    /// # Errors
    ///
    /// When libvirt does not answer, or the wires cannot be looked at.
    pub fn observe(&self) -> Result<Observed, WorkspaceError> {
        let mut observed = self.driver.observe()?;
        observed.wires = self.wires.observe()?;
        Ok(observed)
    }

    /// Observes, and looks at everything that the lab names. Where a stand-in is given, it takes
    /// the place of each image that is missing.
    ///
    /// # Errors
    ///
    /// When libvirt does not answer.
    pub fn survey(
        &self,
        reading: &mut Reading,
        stand_in: Option<&Arc<Kind>>,
    ) -> Result<Survey, WorkspaceError> {
        let host = self.driver.host()?;
        let observed = self.observe()?;
        let facts = facts::gather(self.driver(), reading, &host, &observed, stand_in)?;
        Ok(Survey {
            host,
            observed,
            facts,
        })
    }

    /// Checks the lab against what was seen, and decides everything that is left open.
    ///
    /// # Errors
    ///
    /// When the lab does not fit although the checks had nothing to say. Mistakes in the files
    /// are no error here: they are in the decision.
    pub fn decide(
        &self,
        reading: &Reading,
        survey: &Survey,
        authorized_keys: &[String],
    ) -> Result<Decision, WorkspaceError> {
        let diagnostics = reading.check(&survey.facts);
        let (Some(lab), false) = (&reading.lab, diagnostics.has_errors()) else {
            return Ok(Decision {
                diagnostics,
                blueprint: None,
            });
        };
        let request = Request {
            lab,
            source: &reading.origin.display().to_string(),
            host: &survey.host,
            observed: &survey.observed,
            facts: &survey.facts,
            authorized_keys,
        };
        let blueprint = allocate::allocate(request).map_err(WorkspaceError::Allocate)?;
        Ok(Decision {
            diagnostics,
            blueprint: Some(blueprint),
        })
    }

    /// Does what a plan says. A flag that goes up ends it as soon as may be.
    ///
    /// # Errors
    ///
    /// When not even the storage pools can be made; failures of steps are in the outcome.
    pub fn carry_out(
        &self,
        order: &Order<'_>,
        cancel: &AtomicBool,
        on_event: &mut dyn FnMut(&Event<'_, PerformError>),
    ) -> Result<Outcome<PerformError>, WorkspaceError> {
        let plan = order.plan;
        let performer = match order.blueprint {
            Some(blueprint) => {
                if !plan.is_empty() {
                    self.driver.ensure_pools()?;
                }
                Performer::with_blueprint(self.driver(), self.wires(), blueprint)
            }
            None => Performer::without_blueprint(self.driver(), self.wires()),
        };
        let performer = performer
            .cancelled_by(cancel)
            .with_shutdown_patience(order.shutdown_patience);
        let workers = order.workers;
        Ok(executor::execute(
            plan, &performer, workers, cancel, on_event,
        ))
    }

    /// How the nodes of a lab are, or those of all labs.
    ///
    /// # Errors
    ///
    /// When libvirt does not answer.
    pub fn nodes(
        &self,
        observed: &Observed,
        lab: Option<&str>,
    ) -> Result<Vec<NodeStatus>, WorkspaceError> {
        Ok(status::nodes(self.driver(), observed, lab)?)
    }

    /// How the links and segments of a lab are, or those of all labs.
    ///
    /// # Errors
    ///
    /// When a wire does not answer.
    pub fn links(
        &self,
        observed: &Observed,
        lab: Option<&str>,
    ) -> Result<Vec<LinkStatus>, WorkspaceError> {
        let labs = observed.wires.keys().map(String::as_str);
        let mut looks = BTreeMap::new();
        for name in labs.filter(|name| lab.is_none_or(|lab| lab == *name)) {
            if let Some(look) = self.wires.look(name)? {
                looks.insert(name, look);
            }
        }
        Ok(links::links(observed, &looks, lab))
    }
}

/// Reads and resolves the lab at a path; libvirt is not asked.
pub fn read(path: &Path, catalogue: &Catalogue) -> Reading {
    let loaded = load::load(path);
    let mut diagnostics = loaded.diagnostics;
    let read = |input| resolve::read(&loaded.sources, &input, catalogue);
    let resolved = loaded.input.map(read).unwrap_or_default();
    diagnostics.extend(resolved.found);
    diagnostics.sort();
    Reading {
        lab: resolved.lab,
        remains: resolved.remains,
        sources: loaded.sources,
        diagnostics,
        folder: loaded.folder,
        origin: loaded.origin,
    }
}
