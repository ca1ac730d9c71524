//! What several proofs play on, one after the other: most often booted VMs.
//!
//! Booting takes processor time and the proofs mostly wait for guests, so the next stage is set up
//! behind the scenes while the proofs of this one play.

use super::times::Stretch;
use super::verdict::{CannotRun, Verdict, trial};
use libtest_mimic::Trial;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;

/// What is set up when the first proof needs it or earlier, and gone when the last proof is.
pub(crate) struct Stage<T> {
    name: &'static str,
    set: Mutex<Set<T>>,
    set_up: Box<dyn Fn() -> Result<T, CannotRun> + Send + Sync>,
    next: Mutex<Option<Weak<dyn Prepare>>>,
}

enum Set<T> {
    NotYet,
    Ready(T),
    CannotBe(CannotRun),
    Broken,
}

/// A stage of whatever kind, to be set up behind the scenes.
pub(crate) trait Prepare: Send + Sync {
    /// Sets it up, unless it is.
    fn prepare(&self);
}

impl<T: Send + 'static> Stage<T> {
    /// A stage that is not set up yet, and what it is called where times are told.
    pub(crate) fn new(
        name: &'static str,
        set_up: impl Fn() -> Result<T, CannotRun> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            name,
            set: Mutex::new(Set::NotYet),
            set_up: Box::new(set_up),
            next: Mutex::new(None),
        })
    }

    /// A proof that plays on this stage.
    pub(crate) fn trial(
        self: &Arc<Self>,
        name: &str,
        proof: impl FnOnce(&T) + Send + 'static,
    ) -> Trial {
        let stage = Arc::clone(self);
        trial(name, move || stage.play(proof))
    }

    /// The same for a proof that needs more of this host than the stage does.
    pub(crate) fn trial_that_needs(
        self: &Arc<Self>,
        name: &str,
        need: impl FnOnce() -> Verdict + Send + 'static,
        proof: impl FnOnce(&T) + Send + 'static,
    ) -> Trial {
        let stage = Arc::clone(self);
        trial(name, move || need().and_then(|()| stage.play(proof)))
    }

    /// Has another stage set up while the proofs of this one play. Where no proof of the other
    /// one was asked for it is gone by then, and nothing happens.
    pub(crate) fn prepares<U: Send + 'static>(self: &Arc<Self>, next: &Arc<Stage<U>>) {
        let next = Arc::downgrade(next) as Weak<dyn Prepare>;
        *self.next.lock().unwrap() = Some(next);
    }

    fn play(&self, proof: impl FnOnce(&T)) -> Verdict {
        let set = self.ready();
        let next = self.next.lock().unwrap().take();
        if let Some(next) = next.and_then(|next| next.upgrade()) {
            thread::spawn(move || next.prepare());
        }
        match &*set {
            Set::Ready(ready) => {
                proof(ready);
                Ok(())
            }
            Set::CannotBe(reason) => Err(reason.clone()),
            Set::NotYet | Set::Broken => panic!("it could not be set up; the reason is above"),
        }
    }

    fn ready(&self) -> std::sync::MutexGuard<'_, Set<T>> {
        // A proof that fails on the stage does not spoil it for the next one.
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        if let Set::NotYet = *set {
            // Should setting up panic, this is what the next proof finds.
            *set = Set::Broken;
            let _stretch = Stretch::begin(format!("the stage `{}` is set", self.name));
            *set = match (self.set_up)() {
                Ok(ready) => Set::Ready(ready),
                Err(reason) => Set::CannotBe(reason),
            };
        }
        set
    }
}

impl<T: Send + 'static> Prepare for Stage<T> {
    fn prepare(&self) {
        drop(self.ready());
    }
}
