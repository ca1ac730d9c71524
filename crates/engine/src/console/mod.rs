//! Serial consoles: talking to QEMU's telnet server, seeing who is on it, reading what it recorded.
//!
//! Not here: what the output means ([`crate::ready`]) and how a terminal is set up (the front
//! end's affair). Invariant: nothing in this module waits without a bound, except a session that
//! the user ends.
//!
//! # Theory of operation
//!
//! QEMU listens on a TCP port and serves one client. A further client is taken by the kernel into
//! the backlog and hears nothing. So a client that connects looks at `/proc/net/tcp` first
//! ([`occupant`]), and then still waits at most [`GREETING_LIMIT`] for the option requests with
//! which QEMU greets whoever it serves ([`client`]). Everything that the guest says is in the
//! console's log file too ([`log`]), whoever is on the console; a viewer reads that. Scripts are
//! followed by a [`conversation`].

pub mod client;
pub mod conversation;
pub mod log;
pub mod occupant;
pub mod session;
pub mod telnet;

use std::time::Duration;

/// How long QEMU may take to greet a client before it counts as busy with another. It greets in
/// its main loop, which a heavy host can hold up for a while.
pub const GREETING_LIMIT: Duration = Duration::from_secs(3);

/// How long a connection may take to be made. Loopback takes microseconds; a remote host in
/// trouble should not look like a hang.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(5);
