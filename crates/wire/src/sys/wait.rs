//! Waiting for sockets, for a time, and for another thread.

use super::clock::to_timespec;
use super::{check, check_size};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

/// Sockets reported by one call; the others are reported by the next.
const EVENTS: usize = 256;

/// The key under which a [`Waker`] is reported.
const WAKER_KEY: u64 = u64::MAX;

/// An epoll instance with the buffer for its answers.
pub struct Waiter {
    epoll: OwnedFd,
    events: Vec<libc::epoll_event>,
    waker: Waker,
    precise: bool,
}

/// Ends the wait of a [`Waiter`] from another thread.
#[derive(Debug, Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes two integers.
        let raw = check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        // SAFETY: `raw` is a descriptor that nobody else owns.
        Ok(Self(Arc::new(unsafe { OwnedFd::from_raw_fd(raw) })))
    }

    /// Lets the waiter look around.
    pub fn wake(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: `one` is 8 readable bytes. A full counter means that it is awake already.
        let _ =
            check_size(unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) });
    }

    fn clear(&self) {
        let mut count = [0_u8; 8];
        // SAFETY: `count` is 8 writable bytes.
        let _ = check_size(unsafe {
            libc::read(self.0.as_raw_fd(), count.as_mut_ptr().cast(), count.len())
        });
    }
}

impl Waiter {
    /// A waiter for nothing but its own waker.
    ///
    /// # Errors
    ///
    /// When the process has no file descriptors left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: epoll_create1 takes an integer.
        let raw = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: `raw` is a descriptor that nobody else owns.
        let epoll = unsafe { OwnedFd::from_raw_fd(raw) };
        let waiter = Self {
            epoll,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; EVENTS],
            waker: Waker::new()?,
            precise: true,
        };
        waiter.watch(waiter.waker.0.as_raw_fd(), WAKER_KEY)?;
        Ok(waiter)
    }

    /// What other threads end the wait with.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Reports `key` whenever something can be read.
    ///
    /// # Errors
    ///
    /// When the descriptor cannot be watched.
    pub fn watch(&self, descriptor: RawFd, key: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: key,
        };
        // SAFETY: `event` is a valid epoll_event; the kernel checks both descriptors.
        check(unsafe {
            libc::epoll_ctl(
                self.epoll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                descriptor,
                &raw mut event,
            )
        })
        .map(drop)
    }

    /// Reports it no more.
    pub fn forget(&self, descriptor: RawFd) {
        // SAFETY: the kernel checks both descriptors; no event is needed to remove one.
        let _ = check(unsafe {
            libc::epoll_ctl(
                self.epoll.as_raw_fd(),
                libc::EPOLL_CTL_DEL,
                descriptor,
                std::ptr::null_mut(),
            )
        });
    }

    /// Waits until something can be read, the time is over, or somebody wakes us; `None` waits
    /// without a limit. Fills `keys` with what can be read.
    ///
    /// # Errors
    ///
    /// When the kernel refuses to wait, which it has no reason to.
    pub fn wait(&mut self, timeout: Option<Duration>, keys: &mut Vec<u64>) -> io::Result<()> {
        keys.clear();
        let count = match self.wait_once(timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        };
        for event in &self.events[..count] {
            match event.u64 {
                WAKER_KEY => self.waker.clear(),
                key => keys.push(key),
            }
        }
        Ok(())
    }

    fn wait_once(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        if self.precise {
            match self.wait_precisely(timeout) {
                // Before Linux 5.11 there is only the call that counts in milliseconds.
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => self.precise = false,
                other => return other,
            }
        }
        let milliseconds = timeout.map_or(-1, |time| {
            i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
        });
        // SAFETY: `events` has EVENTS writable elements.
        let count = check(unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                EVENTS as libc::c_int,
                milliseconds,
            )
        })?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    fn wait_precisely(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let time = timeout.map(to_timespec);
        let time_pointer = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: `events` has EVENTS writable elements, `time` lives over the call or is null,
        // and no signal mask is given.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                EVENTS,
                time_pointer,
                std::ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        check_size(count as libc::ssize_t)
    }
}
