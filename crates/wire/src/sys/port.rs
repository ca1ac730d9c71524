//! What frames come out of and go into: one face for all kinds of it.

use super::arena::Arena;
use super::clock::Clock;
use super::train::Messages;
use super::{PacketPort, TapPort, UdpPort};
use std::io;
use std::os::fd::RawFd;

/// A door to the world outside.
pub enum Port {
    /// A UDP tunnel: one datagram is one frame.
    Udp(UdpPort),
    /// A TAP device.
    Tap(TapPort),
    /// An interface of the host.
    Packet(PacketPort),
}

/// Why frames were not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendFault {
    /// Nobody listens at the peer.
    Refused,
    /// The peer's host or network cannot be reached.
    Unreachable,
    /// The kernel's queue is full.
    Full,
    /// The frame is longer than what can be sent there.
    TooLong,
    /// Anything else.
    Other,
}

impl SendFault {
    /// What an error of the kernel means.
    pub(super) fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => Self::Refused,
            Some(
                libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::ENETDOWN
                | libc::EHOSTDOWN
                | libc::EADDRNOTAVAIL
                | libc::EPERM
                | libc::ENODEV
                | libc::ENXIO,
            ) => Self::Unreachable,
            Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => Self::Full,
            Some(libc::EMSGSIZE) => Self::TooLong,
            _ => Self::Other,
        }
    }
}

/// What became of the frames of one call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendReport {
    /// Frames that the kernel took.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that it did not take, with the reason.
    pub faults: Vec<(SendFault, u64)>,
}

impl SendReport {
    /// Counts frames that were not sent.
    pub(super) fn fail(&mut self, fault: SendFault, frames: u64) {
        match self.faults.iter_mut().find(|(known, _)| *known == fault) {
            Some((_, count)) => *count += frames,
            None => self.faults.push((fault, frames)),
        }
    }
}

impl Port {
    /// The file descriptor, to wait for.
    pub fn descriptor(&self) -> RawFd {
        match self {
            Self::Udp(port) => port.descriptor(),
            Self::Tap(port) => port.descriptor(),
            Self::Packet(port) => port.descriptor(),
        }
    }

    /// Receives up to a batch of frames without waiting. With a clock, arrivals are stamped.
    ///
    /// # Errors
    ///
    /// When there is nothing, or the kernel reports that something sent earlier met nobody.
    pub fn receive(&mut self, arena: &mut Arena, clock: Option<Clock>) -> io::Result<()> {
        match self {
            Self::Udp(port) => port.receive(arena, clock),
            Self::Tap(port) => port.receive(arena, clock),
            Self::Packet(port) => port.receive(arena, clock),
        }
    }

    /// Sends frames in their order without waiting.
    pub fn send<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a [u8]> + Clone,
        messages: &mut Messages,
    ) -> SendReport {
        match self {
            Self::Udp(port) => port.send(frames, messages),
            Self::Tap(port) => port.send(frames),
            Self::Packet(port) => port.send(frames),
        }
    }

    /// Frames that the kernel dropped because nobody received them in time, since the port was
    /// opened; 0 where the kernel does not count.
    pub fn overruns(&self) -> u64 {
        match self {
            Self::Udp(port) => port.overruns(),
            Self::Tap(_) | Self::Packet(_) => 0,
        }
    }
}

/// Sends frames one by one, for ports where one call is one frame.
pub(super) fn send_singly<'a>(
    frames: impl Iterator<Item = &'a [u8]>,
    mut write: impl FnMut(&[u8]) -> io::Result<usize>,
) -> SendReport {
    let mut report = SendReport::default();
    for frame in frames {
        match write(frame) {
            Ok(_) => {
                report.frames += 1;
                report.bytes += frame.len() as u64;
            }
            Err(error) => report.fail(SendFault::of(&error), 1),
        }
    }
    report
}
