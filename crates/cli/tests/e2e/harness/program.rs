//! Running the `vnflab` that was just built, as root or as an ordinary user, with a time limit.

use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// Longest run of the command: that of `up --wait` for the largest lab on a busy machine.
const TIME_LIMIT: Duration = Duration::from_secs(900);

/// The program, and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    path: PathBuf,
    user: Option<User>,
}

/// An ordinary user whose everything lies in one folder.
#[derive(Debug, Clone)]
pub(crate) struct User {
    /// Its user and group number.
    pub(crate) id: u32,
    /// Its home, which it owns.
    pub(crate) home: PathBuf,
}

impl Program {
    /// As whoever runs the tests.
    pub(crate) fn new() -> Self {
        Self {
            path: PathBuf::from(env!("CARGO_BIN_EXE_vnflab")),
            user: None,
        }
    }

    /// As an ordinary user, from a copy of the program that this user can read.
    pub(crate) fn of_user(path: PathBuf, user: User) -> Self {
        Self {
            path,
            user: Some(user),
        }
    }

    /// Whether it runs as whoever runs the tests.
    pub(crate) fn is_of_tester(&self) -> bool {
        self.user.is_none()
    }

    /// A command line that begins here and goes on at will.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.any(&self.path);
        command.args(arguments);
        command
    }

    /// Any program, as this one's user.
    pub(crate) fn any(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match &self.user {
            None => Command::new(program),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={}", user.id))
                    .arg(format!("--regid={}", user.id))
                    .args(["--clear-groups", "--no-new-privs", "--"])
                    .arg(program)
                    .env_clear()
                    .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
                    .env("HOME", &user.home)
                    .env("XDG_RUNTIME_DIR", user.home.join("run"))
                    .current_dir(&user.home);
                command
            }
        };
        // What the tester's own environment asks for must not change what is proven.
        for variable in ["VNFLAB_CONNECT", "LIBVIRT_DEFAULT_URI"] {
            command.env_remove(variable);
        }
        command.env("NO_COLOR", "1");
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    /// Runs to the end with this on its standard input.
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        Ran::of(self.command(arguments), input)
    }
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    line: String,
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote.
    pub(crate) stdout: String,
    /// What it said.
    pub(crate) stderr: String,
}

impl Ran {
    /// Runs a command to its end.
    pub(crate) fn of(command: Command, input: &str) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let line = words
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ");
        let output: Output = assert_cmd::Command::from_std(command)
            .timeout(TIME_LIMIT)
            .write_stdin(input)
            .output()
            .unwrap_or_else(|error| panic!("`{line}` cannot be run: {error}"));
        Self {
            line,
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Panics unless it ended with this exit code.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.told());
        self
    }

    /// Panics unless it succeeded.
    #[track_caller]
    pub(crate) fn expect_success(self) -> Self {
        self.expect_code(0)
    }

    /// Panics unless standard error has this in it.
    #[track_caller]
    pub(crate) fn expect_said(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "`{text}` was not said\n{}",
            self.told()
        );
        self
    }

    /// Panics unless it succeeded and wrote a JSON document of that format.
    #[track_caller]
    pub(crate) fn json(self, format: &str) -> Value {
        let ran = self.expect_success();
        let document: Value = serde_json::from_str(&ran.stdout)
            .unwrap_or_else(|error| panic!("no JSON: {error}\n{}", ran.told()));
        assert_eq!(document["format"], format!("vnflab/{format}"));
        document
    }

    /// All that is known of it.
    pub(crate) fn told(&self) -> String {
        format!(
            "$ {}\nexit code {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.line, self.code, self.stdout, self.stderr
        )
    }
}

/// Copies the program to where any user can run it.
pub(crate) fn copy_program(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let copy = folder.join("vnflab");
    std::fs::copy(env!("CARGO_BIN_EXE_vnflab"), &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    copy
}
