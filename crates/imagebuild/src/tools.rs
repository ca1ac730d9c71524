//! The programs of Debian that a build runs, and how they are run.
//!
//! Not here: what they are run for. The invariant: a build starts no program that
//! [`missing_tools`] does not know, so a host that misses some hears of all of them at once,
//! before anything is downloaded.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::BuildError;

/// A program (or a file of one) that the build needs and the Debian package that brings it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Name of the program, or the absolute path of a file that must exist.
    pub program: &'static str,
    /// Debian package to install.
    pub package: &'static str,
}

/// What every build needs to make a disk of files.
const DISK_TOOLS: &[Tool] = &[
    Tool::new("mke2fs", "e2fsprogs"),
    Tool::new("mformat", "mtools"),
    Tool::new("mcopy", "mtools"),
    Tool::new("syslinux", "syslinux"),
    Tool::new(SYSLINUX_MBR, "syslinux-common"),
    Tool::new("qemu-img", "qemu-utils"),
];

/// What a build of the `frr` image runs besides.
pub(crate) const FRR_TOOLS: &[Tool] = &[
    Tool::new("apt-get", "apt"),
    Tool::new("apt-cache", "apt"),
    Tool::new("dpkg-deb", "dpkg"),
    Tool::new("depmod", "kmod"),
    Tool::new("debugfs", "e2fsprogs"),
    Tool::new("e2fsck", "e2fsprogs"),
    Tool::new("lz4", "lz4"),
    Tool::new("xz", "xz-utils"),
];

/// What a build of the `debian` image runs besides.
pub(crate) const DEBIAN_TOOLS: &[Tool] = &[
    Tool::new("mmdebstrap", "mmdebstrap"),
    Tool::new("dpkg-query", "dpkg"),
];

impl Tool {
    const fn new(program: &'static str, package: &'static str) -> Tool {
        Tool { program, package }
    }
}

/// The boot code of the disk's first sector, as `syslinux-common` installs it.
pub(crate) const SYSLINUX_MBR: &str = "/usr/lib/syslinux/mbr/mbr.bin";

/// Folders searched besides `PATH`: an ordinary user's `PATH` on Debian lacks the `sbin` ones.
const EXTRA_FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// The tools for a build of the `frr` image that this host does not have.
pub fn missing_tools() -> Vec<Tool> {
    missing_of(FRR_TOOLS)
}

/// Those of [`DISK_TOOLS`] and of some more that this host does not have.
pub(crate) fn missing_of(tools: &[Tool]) -> Vec<Tool> {
    let needed = DISK_TOOLS.iter().chain(tools);
    needed
        .filter(|tool| locate(tool.program).is_none())
        .cloned()
        .collect()
}

fn locate(program: &str) -> Option<PathBuf> {
    if program.starts_with('/') {
        return Path::new(program).exists().then(|| PathBuf::from(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(EXTRA_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}

/// One run of a tool, with the surroundings that make its output the same on every host.
pub(crate) struct Run {
    program: &'static str,
    command: Command,
}

impl Run {
    pub(crate) fn new(program: &'static str) -> Run {
        let mut command = Command::new(locate(program).unwrap_or_else(|| PathBuf::from(program)));
        let epoch = crate::EPOCH_SECONDS.to_string();
        command
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("SOURCE_DATE_EPOCH", &epoch)
            .env("E2FSPROGS_FAKE_TIME", &epoch)
            .env("MTOOLS_SKIP_CHECK", "1")
            .stdin(Stdio::null());
        Run { program, command }
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Run {
        self.command.arg(argument);
        self
    }

    pub(crate) fn args<I>(mut self, arguments: I) -> Run
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.command.args(arguments);
        self
    }

    pub(crate) fn in_folder(mut self, folder: &Path) -> Run {
        self.command.current_dir(folder);
        self
    }

    /// Runs to the end; the error holds what the program said.
    pub(crate) fn output(mut self) -> Result<RunOutput, BuildError> {
        let program = self.program;
        let output = self
            .command
            .output()
            .map_err(|source| BuildError::ToolNotStarted { program, source })?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() {
            return Err(BuildError::ToolFailed {
                program,
                status: output.status.to_string(),
                said: last_lines(&stderr),
            });
        }
        Ok(RunOutput {
            stdout: output.stdout,
            stderr,
        })
    }

    /// Starts with its standard output piped to the caller, who must reap it by [`Piped::finish`].
    pub(crate) fn piped(mut self) -> Result<Piped, BuildError> {
        let program = self.program;
        self.command.stdout(Stdio::piped()).stderr(Stdio::null());
        let child = self
            .command
            .spawn()
            .map_err(|source| BuildError::ToolNotStarted { program, source })?;
        Ok(Piped { program, child })
    }
}

/// What a finished program printed.
pub(crate) struct RunOutput {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// A program that is running with its output read by us. Killed when dropped unfinished.
pub(crate) struct Piped {
    program: &'static str,
    child: std::process::Child,
}

impl Piped {
    pub(crate) fn stdout(&mut self) -> impl std::io::Read + use<> {
        self.child
            .stdout
            .take()
            .expect("the output was piped and is taken once")
    }

    pub(crate) fn finish(mut self) -> Result<(), BuildError> {
        let program = self.program;
        let status = self
            .child
            .wait()
            .map_err(|source| BuildError::ToolNotStarted { program, source })?;
        if status.success() {
            return Ok(());
        }
        Err(BuildError::ToolFailed {
            program,
            status: status.to_string(),
            said: String::new(),
        })
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        // Both calls only fail when the child is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many lines of a failed program's standard error are kept for the message.
const SAID_LINES: usize = 12;

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SAID_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_quoted_in_the_error() {
        let error = Run::new("dpkg-deb")
            .arg("--no-such-option")
            .output()
            .err()
            .unwrap();
        assert!(error.to_string().contains("no-such-option"), "{error}");
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        let text = (0..40).map(|line| format!("{line}\n")).collect::<String>();
        assert!(last_lines(&text).starts_with("28\n") && last_lines(&text).ends_with("39"));
    }
}
