//! The user's terminal in raw mode, so that every key reaches the guest.
//!
//! Invariant: the terminal is as it was before when a [`RawMode`] is dropped, on every way out:
//! return, error and panic. Signals that end the process are turned into a readable descriptor
//! by [`StopSignals`], so that they lead to a drop too.

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// A terminal that is changed as long as this lives.
#[derive(Debug)]
pub(crate) struct RawMode<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> RawMode<'a> {
    /// Makes a terminal raw.
    pub(crate) fn enter(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        Self::change(terminal, Termios::make_raw)
    }

    /// Makes a terminal hand over each key at once and show none, while its output and the keys
    /// that send signals stay as they are.
    pub(crate) fn enter_silent(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        Self::change(terminal, |modes| {
            modes
                .local_modes
                .remove(LocalModes::ECHO | LocalModes::ICANON);
        })
    }

    fn change(terminal: BorrowedFd<'a>, change: impl FnOnce(&mut Termios)) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut after = before.clone();
        change(&mut after);
        tcsetattr(terminal, OptionalActions::Drain, &after)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for RawMode<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
    }
}

/// A descriptor that becomes readable when the process shall end.
#[derive(Debug)]
pub(crate) struct StopSignals {
    receiver: UnixStream,
}

impl StopSignals {
    /// From now on these signals do nothing but make the descriptor readable.
    pub(crate) fn listen() -> io::Result<Self> {
        let (receiver, sender) = UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Self { receiver })
    }
}

impl AsFd for StopSignals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use std::os::fd::OwnedFd;

    /// Both ends of a new pseudo-terminal; the first has to live as long as the second.
    fn terminal() -> (OwnedFd, OwnedFd) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let terminal =
            rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        (master, terminal)
    }

    fn echoes(terminal: &OwnedFd) -> bool {
        let modes = tcgetattr(terminal).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    #[test]
    fn the_terminal_is_restored_on_every_way_out() {
        let (_master, terminal) = terminal();
        assert!(echoes(&terminal));
        let raw = RawMode::enter(terminal.as_fd()).unwrap();
        assert!(!echoes(&terminal));
        drop(raw);
        assert!(echoes(&terminal));
        let panicked = std::panic::catch_unwind(|| {
            let _raw = RawMode::enter(terminal.as_fd()).unwrap();
            assert!(!echoes(&terminal));
            panic!("on purpose");
        });
        assert!(panicked.is_err());
        assert!(echoes(&terminal));
    }

    #[test]
    fn a_silent_terminal_hides_keys_and_still_sends_signals() {
        let (_master, terminal) = terminal();
        let silent = RawMode::enter_silent(terminal.as_fd()).unwrap();
        let modes = tcgetattr(&terminal).unwrap();
        assert!(
            !modes
                .local_modes
                .intersects(LocalModes::ECHO | LocalModes::ICANON)
        );
        assert!(modes.local_modes.contains(LocalModes::ISIG));
        assert!(
            modes
                .output_modes
                .contains(rustix::termios::OutputModes::OPOST)
        );
        drop(silent);
        assert!(echoes(&terminal));
    }

    #[test]
    fn what_is_no_terminal_is_refused() {
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        assert!(RawMode::enter(reader.as_fd()).is_err());
    }
}
