//! The folder of a running wire: its socket, its counters, and what it knows again after a
//! restart.

use crate::config::Config;
use crate::sys::SharedWords;
use crate::wire::{COUNTER_WORDS, Memory};
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A wire's folder. It belongs to its user alone.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// What is written down after each change.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct State {
    pub(super) config: Config,
    pub(super) memory: Memory,
}

impl Folder {
    /// The folder at a path, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.0.join("control")
    }

    fn state_path(&self) -> PathBuf {
        self.0.join("state.json")
    }

    /// Makes the folder where it is not there, for its user alone.
    ///
    /// # Errors
    ///
    /// When it cannot be made, or is not a folder.
    pub fn ensure(&self) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)?;
        fs::set_permissions(&self.0, fs::Permissions::from_mode(0o700))
    }

    /// Takes everything away that a wire leaves.
    ///
    /// # Errors
    ///
    /// When something is left.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.0.join(name))
    }

    /// The lock that one wire at a time holds; `None` while another has it.
    ///
    /// # Errors
    ///
    /// When the lock's file cannot be opened.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        let file = self.open("lock")?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether a wire runs here. Nothing is made by asking, so that a wire which takes its folder
    /// away meanwhile is not disturbed.
    pub fn is_served(&self) -> bool {
        match File::open(self.0.join("lock")) {
            Ok(file) => matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)),
            Err(_) => false,
        }
    }

    pub(super) fn counters(&self) -> io::Result<SharedWords> {
        SharedWords::map(&self.open("counters")?, COUNTER_WORDS)
    }

    /// What the wire knew; the default if it knew nothing.
    pub(super) fn read_state(&self) -> io::Result<State> {
        match fs::read(self.state_path()) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes down what the wire knows: whole or not at all.
    pub(super) fn write_state(&self, state: &State) -> io::Result<()> {
        let draft = self.0.join("state.json.new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(&serde_json::to_vec(state)?)?;
        fs::rename(draft, self.state_path())
    }
}
