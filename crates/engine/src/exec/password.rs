//! A password for the system's `ssh`, over a channel of its own.
//!
//! # Theory of operation
//!
//! `ssh` asks a program for passwords where it is told to. Ours is two lines of shell beside the
//! user's key that print the file which the environment names. That file is a piece of this
//! process's memory, which the kernel shows under `/proc/PID/fd` to processes of this user alone.
//! So a password stands in no argument, no environment and no file, and it is gone with us.

use crate::folder;
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Name of the program in the folder of keys.
const PROGRAM: &str = "askpass";

/// What it is. `ssh` gives the question as an argument, which says nothing new.
const SCRIPT: &str = "#!/bin/sh\nexec cat -- \"$VNFLAB_ASKPASS\"\n";

/// Names the file with the password to the program.
const VARIABLE: &str = "VNFLAB_ASKPASS";

/// A password that `ssh` can ask for while this value lives.
#[derive(Debug)]
pub struct Password {
    memory: File,
    program: PathBuf,
}

impl Password {
    /// Takes a password; the program that hands it out is in a folder.
    ///
    /// # Errors
    ///
    /// When the program cannot be written, or no memory is to be had.
    pub fn new(folder: &Path, password: &str) -> io::Result<Self> {
        let program = ensure_program(folder)?;
        let mut memory = File::from(memfd_create("password", MemfdFlags::CLOEXEC)?);
        memory.write_all(password.as_bytes())?;
        memory.write_all(b"\n")?;
        Ok(Self { memory, program })
    }

    /// Lets `ssh` ask for it, however its own terminal is.
    pub fn offer(&self, command: &mut Command) {
        command
            .env("SSH_ASKPASS", &self.program)
            .env("SSH_ASKPASS_REQUIRE", "force")
            .env(VARIABLE, in_memory(&self.memory));
    }
}

/// The path under which other processes of this user can open a descriptor of ours.
pub(super) fn in_memory(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

/// Writes the program, unless it is there.
fn ensure_program(folder: &Path) -> io::Result<PathBuf> {
    let path = folder.join(PROGRAM);
    if fs::read_to_string(&path).is_ok_and(|text| text == SCRIPT) {
        return Ok(path);
    }
    folder::make(folder, folder::PRIVATE)?;
    // Another thread may be doing the same: each writes its own draft, and the last one stays.
    let draft = tempfile_beside(&path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o700)
        .open(&draft)?;
    file.write_all(SCRIPT.as_bytes())?;
    drop(file);
    fs::rename(&draft, &path)?;
    Ok(path)
}

/// A name that no other thread or process uses.
fn tempfile_beside(path: &Path) -> PathBuf {
    let thread = rustix::thread::gettid().as_raw_nonzero();
    path.with_extension(format!("{}-{thread}.new", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_program_says_the_password_and_nothing_else_knows_it() {
        let folder = tempfile::tempdir().unwrap();
        let password = Password::new(folder.path(), "s3cret word").unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "\"$SSH_ASKPASS\" 'the question'"]);
        password.offer(&mut command);
        for (name, value) in command.get_envs() {
            assert!(
                !value.unwrap().to_string_lossy().contains("s3cret"),
                "{name:?}"
            );
        }
        assert_eq!(command.output().unwrap().stdout, b"s3cret word\n");
        let mode = fs::metadata(&password.program)
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_password_is_gone_with_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let password = Password::new(folder.path(), "once").unwrap();
        let path = in_memory(&password.memory);
        assert_eq!(fs::read_to_string(&path).unwrap(), "once\n");
        drop(password);
        // The descriptor may be somebody else's by now, who does not say this.
        assert_ne!(fs::read_to_string(&path).ok().as_deref(), Some("once\n"));
    }
}
