//! Which VMs run, for those who wait: asked once for all of them, one request at a time.
//!
//! Any number of steps may wait at the same time; whatever they ask of libvirt, they ask through
//! here, so that together they never have more than one request under way.

use crate::driver::{Driver, DriverError};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer is good for.
const FRESH: Duration = Duration::from_millis(150);

pub(super) struct Liveness<'a> {
    driver: &'a dyn Driver,
    /// The VMs that ran when it was last asked.
    known: Mutex<Option<(Instant, BTreeSet<String>)>>,
}

impl<'a> Liveness<'a> {
    pub(super) fn new(driver: &'a dyn Driver) -> Self {
        Self {
            driver,
            known: Mutex::new(None),
        }
    }

    /// Asks something of the driver when nobody else here does.
    pub(super) fn asking<T>(&self, ask: impl FnOnce(&dyn Driver) -> T) -> T {
        let _turn = self.turn();
        ask(self.driver)
    }

    /// Whether a VM runs, as of a moment ago, yet not before `since`: what was known before it
    /// was started says nothing of it.
    pub(super) fn runs(&self, domain: &str, since: Instant) -> Result<bool, DriverError> {
        let mut known = self.turn();
        match &*known {
            Some((at, running)) if *at >= since && at.elapsed() < FRESH => {
                Ok(running.contains(domain))
            }
            _ => {
                let asked = Instant::now();
                let running = self.driver.running_domains()?;
                let runs = running.contains(domain);
                *known = Some((asked, running));
                Ok(runs)
            }
        }
    }

    fn turn(&self) -> MutexGuard<'_, Option<(Instant, BTreeSet<String>)>> {
        // What is kept is replaced whole, so a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
