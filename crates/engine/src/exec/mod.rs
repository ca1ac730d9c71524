//! Running one command in a node, and taking what it says.
//!
//! # Theory of operation
//!
//! 1. [`run`] takes a [`Request`]: the node as its record has it, the kind whose guest boots there,
//!    the command as one text, and how long all of it may take.
//! 2. A node with a management address is asked over SSH, by the system's client; the user's own
//!    configuration of that client has no part in it.
//!    Where it has none, or where its SSH port is closed, it is asked on its serial console, as far
//!    as its kind says how one works there. A console serves one at a time: requests of this
//!    process wait for each other, somebody else on it is an error that says who.
//! 3. What comes back is [`Output`]: what was said, and with which status the command ended where
//!    the device tells one. Every way in which no command was run is an [`ExecError`] of its own.
//!
//! Requests share nothing, so that any number may run at the same time. What a command says is
//! bounded by [`OUTPUT_LIMIT`], how long it takes by its limit: no node can hold up others.

mod child;
mod console;
pub(crate) mod greeting;
mod password;
mod ssh;

pub use password::Password;

use crate::console::client::ConnectError;
use crate::console::conversation::TalkError;
use crate::ssh::Keyring;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use vnflab_model::blueprint::NodeBlueprint;
use vnflab_model::kind::{Kind, SshLogin};

/// Most that is kept of what a command says, in bytes, on each of its two streams: a full routing
/// table as text. The rest is read and thrown away.
pub const OUTPUT_LIMIT: usize = 16 * 1024 * 1024;

/// One command for one node.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The node.
    pub node: &'a NodeBlueprint,
    /// The kind whose guest boots there, where it is known here: its login and its habits.
    pub kind: Option<&'a Kind>,
    /// What this user logs in with.
    pub keyring: &'a Keyring,
    /// The command, as one would type it.
    pub command: &'a str,
    /// How long all of it may take, logging in included.
    pub limit: Duration,
    /// Ends the command early once it is set.
    pub cancel: &'a AtomicBool,
}

/// What a command said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its output: lines end with `\n` alone, and bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Its messages, where they are told apart.
    pub stderr: String,
    /// The status that it ended with; `None` where the device tells none, as routers often do.
    pub status: Option<i32>,
    /// How the node was asked.
    pub way: Way,
    /// Whether it said more than [`OUTPUT_LIMIT`].
    pub truncated: bool,
}

impl Output {
    /// Whether nothing says that the command failed.
    pub fn is_success(&self) -> bool {
        self.status.is_none_or(|status| status == 0)
    }
}

/// How a node is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Over SSH.
    Ssh,
    /// On its serial console.
    Console,
}

impl Way {
    /// The word for people and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Console => "console",
        }
    }
}

/// Why no command was run, or why its end is not known.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The node has no management address.
    #[error("it has no management address, so SSH cannot reach it")]
    NoAddress,
    /// Its kind has no SSH server.
    #[error("its kind has no SSH server")]
    NoServer,
    /// There is no SSH client on this machine.
    #[error("there is no `ssh` on this machine")]
    NoClient,
    /// Nobody listens there.
    #[error("its SSH port {server} is closed")]
    PortClosed {
        /// The SSH server as seen from here.
        server: SocketAddr,
    },
    /// No way leads there.
    #[error("its SSH server {server} cannot be reached")]
    Unreachable {
        /// The SSH server as seen from here.
        server: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// The connection is taken and ended without a word: so a forwarded port behaves while the
    /// guest's own is closed.
    #[error("{server} takes connections and ends them at once: no SSH server runs in the guest")]
    HungUp {
        /// The SSH server as seen from here.
        server: SocketAddr,
    },
    /// The connection is taken, and nothing is said.
    #[error("{server} takes connections and says nothing")]
    Silent {
        /// The SSH server as seen from here.
        server: SocketAddr,
    },
    /// Something else than SSH is spoken there.
    #[error("{server} does not speak SSH; it says `{said}`")]
    NotSsh {
        /// The SSH server as seen from here.
        server: SocketAddr,
        /// How its answer begins, printable.
        said: String,
    },
    /// The node lets nobody in with this key and password.
    #[error("it refuses the login of `{user}` with {tried}{}", accepted(.accepts))]
    Denied {
        /// Who logged in.
        user: String,
        /// What was tried, in words.
        tried: &'static str,
        /// What the server accepts, as it says it.
        accepts: Option<String>,
    },
    /// The host key is not the one that the node had.
    #[error("its host key is not the one that it had")]
    HostKeyChanged {
        /// The file that has the old one.
        known_hosts: PathBuf,
        /// The name under which it is known.
        alias: String,
    },
    /// Client and server know no algorithm in common.
    #[error("its SSH server is too old or too new: {said}")]
    NoAgreement {
        /// What the client said.
        said: String,
    },
    /// Time is up.
    #[error("no answer within {}", seconds(.limit))]
    TimedOut {
        /// The time.
        limit: Duration,
    },
    /// Time is up and the command runs on.
    #[error("the command did not end within {}", seconds(.limit))]
    Endless {
        /// The time.
        limit: Duration,
    },
    /// The connection broke while the command ran.
    #[error("the connection broke: {said}")]
    Lost {
        /// What the client said.
        said: String,
    },
    /// The client failed otherwise.
    #[error("`ssh` failed: {said}")]
    Failed {
        /// What the client said.
        said: String,
    },
    /// The kind does not say how one works on its console.
    #[error(
        "it has no management address, and the kind `{kind}` does not say how its prompt looks"
    )]
    NoPrompt {
        /// The kind.
        kind: String,
    },
    /// The console cannot be had.
    #[error(transparent)]
    NoConsole(#[from] ConnectError),
    /// What was tried on the console failed.
    #[error("on its console: {0}")]
    Console(TalkError),
    /// It was told to stop.
    #[error("interrupted")]
    Cancelled,
    /// The client cannot be run.
    #[error("`ssh` cannot be run")]
    Client(#[from] io::Error),
}

impl ExecError {
    /// What to do about it, as a sentence; `node` is its name for commands.
    pub fn hint(&self, node: &str) -> Option<String> {
        match self {
            Self::NoAddress | Self::NoServer => {
                Some(format!("`vnflab console {node}` needs none."))
            }
            Self::NoClient => Some("`apt-get install openssh-client` installs it.".to_owned()),
            Self::PortClosed { .. }
            | Self::Unreachable { .. }
            | Self::HungUp { .. }
            | Self::Silent { .. }
            | Self::TimedOut { .. } => Some(format!(
                "It may still be booting: `vnflab console {node} --view` shows what it does."
            )),
            Self::NotSsh { .. } => Some(format!("`vnflab console {node}` shows what runs there.")),
            Self::Denied { .. } => Some(format!(
                "`vnflab ssh -l USER {node}` tries another user, `vnflab console {node}` needs no key."
            )),
            Self::HostKeyChanged { known_hosts, alias } => Some(format!(
                "If the node was installed anew by hand, `ssh-keygen -R {alias} -f '{}'` forgets the old one.",
                known_hosts.display()
            )),
            Self::Endless { .. } => Some("A longer `--timeout` gives it more time.".to_owned()),
            Self::NoConsole(ConnectError::InUse { .. }) => {
                Some(format!("`vnflab console {node} --view` watches beside it."))
            }
            Self::NoConsole(_) | Self::Console(_) => Some(format!(
                "`vnflab console {node} --log` shows what was said there."
            )),
            Self::NoPrompt { .. } => Some(format!("`vnflab console {node}` needs neither.")),
            Self::NoAgreement { .. }
            | Self::Lost { .. }
            | Self::Failed { .. }
            | Self::Cancelled
            | Self::Client(_) => None,
        }
    }

    /// Whether the node may answer later by itself: it boots, or it is busy.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::PortClosed { .. }
                | Self::Unreachable { .. }
                | Self::HungUp { .. }
                | Self::Silent { .. }
                | Self::TimedOut { .. }
                | Self::Lost { .. }
        )
    }
}

fn accepted(methods: &Option<String>) -> String {
    methods
        .as_ref()
        .map_or_else(String::new, |methods| format!("; it accepts {methods}"))
}

fn seconds(limit: &Duration) -> String {
    format!("{} s", limit.as_secs_f64())
}

/// Runs a command in a node.
///
/// # Errors
///
/// When no command was run, or when its end is not known. A command that fails is no error: its
/// status tells.
pub fn run(request: &Request<'_>) -> Result<Output, ExecError> {
    let is_served = request
        .kind
        .is_none_or(|kind| kind.automation.ssh != SshLogin::None);
    let Some(access) = request.node.access.as_ref().filter(|_| is_served) else {
        return console::run(request).map_err(|error| match error {
            ExecError::NoPrompt { .. } if request.node.access.is_some() => ExecError::NoServer,
            ExecError::NoPrompt { .. } => ExecError::NoAddress,
            error => error,
        });
    };
    let began = Instant::now();
    match ssh::run(request, access) {
        Err(closed @ (ExecError::PortClosed { .. } | ExecError::HungUp { .. })) => {
            let request = Request {
                limit: request.limit.saturating_sub(began.elapsed()),
                ..*request
            };
            // A node that has neither is most of all one whose SSH server does not answer.
            console::run(&request).map_err(|error| match error {
                ExecError::Cancelled => error,
                _ => closed,
            })
        }
        result => result,
    }
}

/// Runs a command on a node's serial console, whether SSH would reach it or not.
///
/// # Errors
///
/// As [`run`].
pub fn run_on_console(request: &Request<'_>) -> Result<Output, ExecError> {
    console::run(request)
}
