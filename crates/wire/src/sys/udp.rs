//! One end of a UDP tunnel.

use super::arena::Arena;
use super::clock::Clock;
use super::port::{SendFault, SendReport};
use super::train::{Messages, Trains};
use super::{check, check_size};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// What is asked for as receive and send buffer. The kernel grants what `net.core.rmem_max` and
/// `wmem_max` allow, and this much to who may go beyond. It holds some 1,800 full frames.
const BUFFER_BYTES: libc::c_int = 4 * 1024 * 1024;

/// Position of the count of dropped frames in the answer to `SO_MEMINFO`.
const MEMINFO_DROPS: usize = 8;

/// Whether the kernel stamps what arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamping {
    /// It does; that costs every socket of the host a clock read a frame.
    On,
    /// It does not.
    Off,
}

/// A socket that is bound here and connected there, so that frames of nobody else come in.
pub struct UdpPort {
    socket: OwnedFd,
    trains: Trains,
    stamping: Stamping,
}

impl UdpPort {
    /// Binds and connects.
    ///
    /// # Errors
    ///
    /// When the local address is taken or not of this host, or the two are of different families.
    pub fn open(local: SocketAddr, remote: SocketAddr) -> io::Result<Self> {
        // The standard library sets close-on-exec and knows both address families.
        let socket = UdpSocket::bind(local)?;
        socket.connect(remote)?;
        socket.set_nonblocking(true)?;
        let port = Self {
            socket: socket.into(),
            trains: Trains::On,
            stamping: Stamping::Off,
        };
        for (beyond, within) in [
            (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
            (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
        ] {
            if port.set_option(beyond, BUFFER_BYTES).is_err() {
                port.set_option(within, BUFFER_BYTES)?;
            }
        }
        Ok(port)
    }

    fn set_option(&self, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
        // SAFETY: `value` is a readable integer of the given size.
        check(unsafe {
            libc::setsockopt(
                self.descriptor(),
                libc::SOL_SOCKET,
                option,
                (&raw const value).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        })
        .map(drop)
    }

    /// Lets the kernel stamp arrivals, or no more. A kernel that cannot leaves them unstamped.
    pub fn stamp(&mut self, stamping: Stamping) {
        let on = libc::c_int::from(stamping == Stamping::On);
        if self.stamping != stamping && self.set_option(libc::SO_TIMESTAMPNS, on).is_ok() {
            self.stamping = stamping;
        }
    }

    /// The file descriptor, to wait for.
    pub fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Whether frames to this peer travel in trains.
    pub fn sends_trains(&self) -> bool {
        self.trains == Trains::On
    }

    /// Sends every frame as a message of its own from now on.
    pub fn stop_trains(&mut self) {
        self.trains = Trains::Off;
    }

    pub(super) fn receive(&mut self, arena: &mut Arena, clock: Option<Clock>) -> io::Result<()> {
        let clock = clock.filter(|_| self.stamping == Stamping::On);
        arena.receive_messages(self.descriptor(), clock)
    }

    pub(super) fn send<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a [u8]> + Clone,
        messages: &mut Messages,
    ) -> SendReport {
        let mut report = SendReport::default();
        let mut settled = 0;
        let mut was_told = false;
        loop {
            let result = messages.send(
                self.socket.as_raw_fd(),
                frames.clone(),
                self.trains,
                settled,
            );
            let runs = messages.runs();
            match result {
                Ok(0) => return report,
                Ok(count) => {
                    for run in &runs[settled..settled + count] {
                        report.frames += run.frames as u64;
                        report.bytes += run.bytes as u64;
                    }
                    settled += count;
                }
                Err(error) => {
                    let run = runs[settled];
                    if run.frames > 1 && refuses_trains(&error) {
                        // Runs are cut anew, one a frame: go on at the first frame that is left.
                        settled = runs[..settled].iter().map(|run| run.frames).sum();
                        self.trains = Trains::Off;
                        continue;
                    }
                    let fault = SendFault::of(&error);
                    if fault == SendFault::Refused && !was_told {
                        // What was refused was sent before; this was not tried yet.
                        report.fail(fault, 1);
                        was_told = true;
                        continue;
                    }
                    report.fail(fault, run.frames as u64);
                    settled += 1;
                }
            }
            if settled >= messages.runs().len() {
                return report;
            }
        }
    }

    pub(super) fn overruns(&self) -> u64 {
        let mut facts = [0_u32; MEMINFO_DROPS + 1];
        let mut bytes = size_of_val(&facts) as libc::socklen_t;
        // SAFETY: `facts` is writable for `bytes` bytes.
        let answer = check(unsafe {
            libc::getsockopt(
                self.descriptor(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                facts.as_mut_ptr().cast(),
                &raw mut bytes,
            )
        });
        answer.map_or(0, |_| u64::from(facts[MEMINFO_DROPS]))
    }

    /// The same socket under another descriptor.
    ///
    /// # Errors
    ///
    /// When the process has no file descriptors left.
    pub fn duplicate(&self) -> io::Result<OwnedFd> {
        self.socket.try_clone()
    }
}

/// Whether an error says that this way to the peer takes no trains.
fn refuses_trains(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP)
    )
}

/// Receives one frame with a plain call: for ports without batches.
pub(super) fn receive_one(socket: RawFd, slot: &mut [u8]) -> io::Result<usize> {
    // SAFETY: `slot` is writable for its length.
    check_size(unsafe {
        libc::recv(
            socket,
            slot.as_mut_ptr().cast(),
            slot.len(),
            libc::MSG_DONTWAIT,
        )
    })
}

/// A descriptor that a call has just returned.
pub(super) fn own(raw: RawFd) -> OwnedFd {
    // SAFETY: the callers pass what socket() or open() gave them a moment ago.
    unsafe { OwnedFd::from_raw_fd(raw) }
}
