//! A terminal with `vnflab` on it: what a user types, and what appears.

use super::wait::{PATIENCE, until};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

/// The key that leaves a console.
pub(crate) const CTRL_RIGHT_BRACKET: &str = "\x1d";

/// A program on a pseudo terminal; it is ended when this value is dropped.
pub(crate) struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    child: Child,
}

impl Terminal {
    /// Runs a command on a terminal of its own.
    pub(crate) fn run(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let slave = File::from(rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap());
        let end = || Stdio::from(slave.try_clone().unwrap());
        let child = command
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let keyboard = File::from(master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, shown) = (keyboard.try_clone().unwrap(), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It ends with an error when the last program on the terminal is gone.
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                shown.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self {
            keyboard,
            screen,
            child,
        }
    }

    /// Types.
    pub(crate) fn type_keys(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Everything that has appeared so far.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    /// Waits until a text appears behind a place, and gives the place behind it.
    pub(crate) fn wait_for(&self, text: &str, from: usize) -> usize {
        until(&format!("`{text}` on the terminal"), PATIENCE, || {
            let shown = self.shown();
            let rest = shown.get(from..).unwrap_or_default();
            match rest.find(text) {
                Some(at) => Ok(from + at + text.len()),
                None => Err(shown),
            }
        })
    }

    /// Waits until the program ends by itself.
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        until("the end of the program", PATIENCE, || {
            let status = self.child.try_wait().map_err(|error| error.to_string())?;
            status.ok_or_else(|| "it still runs".to_owned())
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
