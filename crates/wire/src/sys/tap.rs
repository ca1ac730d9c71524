//! A TAP device as an end.

use super::arena::Arena;
use super::check;
use super::clock::{Clock, Stamp};
use super::port::{SendReport, send_singly};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

/// Longest name of an interface, without the zero at its end (`IFNAMSIZ` less 1).
pub(super) const NAME_LIMIT: usize = 15;

/// A TAP device, made if it is not there; it goes when the port is closed, unless it was made to
/// stay by somebody else (`ip tuntap add`).
pub struct TapPort {
    device: File,
}

impl TapPort {
    /// Opens a device.
    ///
    /// # Errors
    ///
    /// When the name is empty or longer than 15 bytes, the device is in use, or the right to
    /// make it (`CAP_NET_ADMIN`) is missing.
    pub fn open(name: &str) -> io::Result<Self> {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open("/dev/net/tun")?;
        // SAFETY: all zeros is a valid ifreq.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        write_name(&mut request, name)?;
        request.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
        // SAFETY: `request` is a valid ifreq for the kernel to read and write.
        check(unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) })?;
        Ok(Self { device })
    }

    /// The file descriptor, to wait for.
    pub fn descriptor(&self) -> RawFd {
        self.device.as_raw_fd()
    }

    pub(super) fn receive(&mut self, arena: &mut Arena, clock: Option<Clock>) -> io::Result<()> {
        let stamp: Option<Stamp> = clock.map(|_| Clock::now());
        let device = &mut self.device;
        arena.receive_singly(|slot| device.read(slot), stamp)
    }

    pub(super) fn send<'a>(&mut self, frames: impl Iterator<Item = &'a [u8]>) -> SendReport {
        let device = &mut self.device;
        send_singly(frames, |frame| device.write(frame))
    }
}

/// Puts an interface's name into a request.
pub(super) fn write_name(request: &mut libc::ifreq, name: &str) -> io::Result<()> {
    if name.is_empty() || name.len() > NAME_LIMIT || name.contains(['\0', '/', ' ']) {
        let message = format!("`{name}` is no name of an interface: 1 to {NAME_LIMIT} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(())
}
