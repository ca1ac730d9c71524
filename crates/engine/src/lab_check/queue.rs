//! Work that some threads share: each takes the next piece until there is none.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::thread::Scope;

/// What is left to be done, in order.
pub(super) struct Queue<T>(Mutex<VecDeque<T>>);

impl<T: Send> Queue<T> {
    pub(super) fn new(pieces: Vec<T>) -> Self {
        Self(Mutex::new(pieces.into()))
    }

    /// Does all pieces on at most so many threads of `scope`. Each thread has its own `work`,
    /// which is dropped with it.
    pub(super) fn work<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        most: usize,
        work: impl Fn(T) + Clone + Send + 'scope,
    ) {
        let pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        for _ in 0..most.min(pieces) {
            let work = work.clone();
            scope.spawn(move || {
                while let Some(piece) = self.next() {
                    work(piece);
                }
            });
        }
    }

    fn next(&self) -> Option<T> {
        // A piece is taken whole, so a panic elsewhere leaves nothing half done.
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }
}
