//! The kernel: sockets, batches, waiting, clocks, shared memory. The only unsafe code of the house.
//!
//! Each file wraps one thing of the kernel and lets out only safe functions; nothing here knows
//! what a link is. Every `unsafe` block says which invariant makes it sound.

#![allow(unsafe_code)]

mod arena;
mod clock;
mod limit;
mod map;
mod packet;
mod port;
mod tap;
mod train;
mod udp;
mod wait;

pub use arena::{Arena, Arrival, BATCH};
pub use clock::{Clock, Stamp, cpu_time_of_thread_ns};
pub use limit::{keep_files_from_children, let_open_files, preemptions, sharpen_timers};
pub use map::SharedWords;
pub use packet::PacketPort;
pub use port::{Port, SendFault, SendReport};
pub use tap::TapPort;
pub use train::Messages;
pub use udp::{Stamping, UdpPort};
pub use wait::{Waiter, Waker};

use std::io;

/// Turns the return value of a system call into a result.
fn check(value: libc::c_int) -> io::Result<libc::c_int> {
    match value {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

/// As [`check`], for calls that return a size.
fn check_size(value: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(value).map_err(|_| io::Error::last_os_error())
}
