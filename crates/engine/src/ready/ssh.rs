//! Looking at a node's SSH port, now and then, without keeping anybody waiting.

use crate::exec::greeting::{self, Greeting};
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// How long one look may take.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// What was seen of a port on which somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// It greets as an SSH server does.
    Greets,
    /// Something else is there; what it does.
    Odd(String),
}

/// A port that is looked at.
pub(super) struct Port {
    address: SocketAddr,
    looking: Option<JoinHandle<Option<Seen>>>,
    next: Duration,
    seen: Option<Seen>,
}

impl Port {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            looking: None,
            next: Duration::ZERO,
            seen: None,
        }
    }

    /// What was seen last; a look begins when it is time for one.
    pub(super) fn look(&mut self, now: Duration) -> Option<Seen> {
        if let Some(thread) = self.looking.take_if(|thread| thread.is_finished()) {
            // A look that panicked saw nothing.
            self.seen = thread.join().unwrap_or_default();
            self.next = now + LOOK_INTERVAL;
        }
        if self.looking.is_none() && now >= self.next {
            let address = self.address;
            self.looking = Some(thread::spawn(move || look(address)));
        }
        self.seen.clone()
    }
}

/// One look. A port on which nobody is yet, or that QEMU forwards to nobody, is nothing odd.
fn look(address: SocketAddr) -> Option<Seen> {
    match greeting::look(address, LOOK_LIMIT) {
        Greeting::Ssh => Some(Seen::Greets),
        Greeting::None(_) | Greeting::HungUp => None,
        Greeting::Silent => Some(Seen::Odd("nobody says anything".to_owned())),
        Greeting::Other(said) => Some(Seen::Odd(format!("is no SSH server: it says `{said}`"))),
    }
}
