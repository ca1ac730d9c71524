//! Taking nodes' power for the time of a check, and giving it back.

use crate::executor::{Event, MAX_WORKERS};
use crate::performer::PerformError;
use crate::ready::{Awaited, Consoles, Outcome, Readiness, Reason};
use crate::workspace::{Order, Workspace};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use vnflab_model::blueprint::StartLimit;
use vnflab_model::observed::{Locality, Observed};
use vnflab_model::plan::{Plan, PlanError, Stop, plan_start, plan_stop};

/// The power of a lab's nodes.
pub(super) struct Power<'a> {
    workspace: &'a Workspace,
    lab: &'a str,
    /// Nodes that a check has stopped and not started again.
    stopped: Mutex<BTreeSet<String>>,
}

impl<'a> Power<'a> {
    pub(super) fn new(workspace: &'a Workspace, lab: &'a str) -> Self {
        Self {
            workspace,
            lab,
            stopped: Mutex::default(),
        }
    }

    /// Takes a node's power at once, as where a cable is pulled.
    pub(super) fn stop(&self, node: &str, cancel: &AtomicBool) -> Result<(), String> {
        let observed = self.observe()?;
        let runs = observed
            .domain(self.lab, node)
            .is_some_and(|domain| domain.state.is_active());
        let plan = plan_stop(self.lab, &observed, &only(node), Stop::PowerOff);
        if runs {
            self.stopped().insert(node.to_owned());
        }
        self.carry_out(plan, cancel)
    }

    /// Starts a node and waits until it is ready.
    pub(super) fn start(&self, node: &str, cancel: &AtomicBool) -> Result<(), String> {
        let observed = self.observe()?;
        let plan = plan_start(self.lab, &observed, &only(node), StartLimit::NONE);
        self.carry_out(plan, cancel)?;
        self.stopped().remove(node);
        self.await_ready(&observed, node, cancel)
    }

    /// Starts what was stopped. Those who break off are not kept waiting until it is ready.
    pub(super) fn put_back(&self, cancel: &AtomicBool) -> Result<(), String> {
        let stopped = std::mem::take(&mut *self.stopped());
        if stopped.is_empty() {
            return Ok(());
        }
        let observed = self.observe()?;
        let plan = plan_start(self.lab, &observed, &stopped, StartLimit::NONE);
        // Whatever is broken off, the lab is as it was.
        self.carry_out(plan, &AtomicBool::new(false))?;
        for node in &stopped {
            match self.await_ready(&observed, node, cancel) {
                Err(reason) if reason != Reason::Cancelled.to_string() => {
                    return Err(format!("{node}: {reason}"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn await_ready(
        &self,
        observed: &Observed,
        node: &str,
        cancel: &AtomicBool,
    ) -> Result<(), String> {
        let host = self.workspace.driver().host();
        // The consoles of another host cannot be read here; whoever looks next says `within`.
        if host.map_err(|error| error.to_string())?.locality == Locality::Remote {
            return Ok(());
        }
        let domain = observed.domain(self.lab, node);
        let domain = domain.ok_or_else(|| format!("there is no node `{node}`"))?;
        let awaited = Awaited::of(&domain.record.blueprint);
        let mut runs = || {
            let running = self.workspace.driver().running_domains();
            // While libvirt does not answer, its time ends the waiting.
            running.map_or(true, |running| running.contains(&domain.name))
        };
        match Consoles.await_ready(&awaited, &mut runs, cancel) {
            Outcome::Ready { .. } => Ok(()),
            Outcome::NotReady { reason, .. } => Err(reason.to_string()),
        }
    }

    fn carry_out(
        &self,
        plan: Result<Plan, Vec<PlanError>>,
        cancel: &AtomicBool,
    ) -> Result<(), String> {
        let plan = plan.map_err(|errors| joined(&errors))?;
        let order = Order {
            plan: &plan,
            blueprint: None,
            workers: MAX_WORKERS,
            shutdown_patience: Duration::ZERO,
        };
        let mut on_event = |_: &Event<'_, PerformError>| {};
        let outcome = self.workspace.carry_out(&order, cancel, &mut on_event);
        let outcome = outcome.map_err(|error| error.to_string())?;
        match outcome.is_complete() {
            true => Ok(()),
            false => {
                let failures = outcome.failures.iter().map(|failure| &failure.error);
                Err(joined(&failures.collect::<Vec<_>>()))
            }
        }
    }

    fn observe(&self) -> Result<Observed, String> {
        let observed = self.workspace.observe();
        observed.map_err(|error| error.to_string())
    }

    fn stopped(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn only(node: &str) -> BTreeSet<String> {
    BTreeSet::from([node.to_owned()])
}

fn joined(errors: &[impl ToString]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("; ")
}
