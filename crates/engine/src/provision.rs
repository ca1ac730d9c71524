//! Typing first configurations on serial consoles.
//!
//! How far a node is stands in its domain's metadata ([`Typing`]), for whoever looks: so it quotes
//! neither the configuration nor the guest. A state that is lost means that the configuration is
//! typed again, which does no harm. The record of the last dialogue, in which secrets are masked,
//! is a file in a folder that is the user's alone.
//!
//! Invariants: a state that says "done" was written after the last step of the script; only who has
//! the console writes state and record.

use crate::console::client::Client;
use crate::console::conversation::{Conversation, TalkError};
use crate::driver::{Driver, DriverError};
use crate::folder;
use crate::ssh::SshError;
use crate::worker;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use vnflab_dialogue::Refused;
use vnflab_model::blueprint::NodeBlueprint;
use vnflab_model::kind::Kind;
use vnflab_model::script::{self, Words};
use vnflab_model::typing::Typing;

/// How long it is tried to get onto a console that nobody serves yet, or that somebody is on, as
/// whoever waits for readiness is for a moment.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);

/// Time between two attempts.
const CONNECT_INTERVAL: Duration = Duration::from_millis(500);

/// Where the records of a user's dialogues lie.
#[derive(Debug, Clone)]
pub struct Place {
    folder: PathBuf,
}

/// How far a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing was typed yet, or it was broken off.
    Pending,
    /// A process types now.
    Typing,
    /// All of it was typed.
    Done {
        /// What was typed, by its digest.
        digest: String,
    },
    /// It was tried, and failed.
    Failed {
        /// Why.
        reason: String,
    },
}

impl State {
    /// What a domain says of itself. Who types and is gone has broken it off.
    pub fn of(typing: Option<&Typing>) -> Self {
        match typing {
            Some(Typing::Done { digest }) => Self::Done {
                digest: digest.clone(),
            },
            Some(Typing::Failed { reason }) => Self::Failed {
                reason: reason.clone(),
            },
            Some(Typing::Typing { worker }) if worker::is_here(worker) => Self::Typing,
            Some(Typing::Typing { .. }) | None => Self::Pending,
        }
    }

    /// The word for people and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Typing => "typing",
            Self::Done { .. } => "done",
            Self::Failed { .. } => "failed",
        }
    }
}

impl Place {
    /// The user's own.
    ///
    /// # Errors
    ///
    /// When the user has no home.
    pub fn of_user() -> Result<Self, SshError> {
        // Beside the keys: both are what this user knows of guests.
        let keys = crate::ssh::folder()?;
        let above = keys.parent().map(Path::to_owned).unwrap_or(keys);
        Ok(Self::at(above.join("provision")))
    }

    /// A folder of one's own.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The record of the last dialogue with a node.
    pub fn record(&self, node: &NodeBlueprint) -> PathBuf {
        self.folder.join(format!("{}.log", node.domain()))
    }

    /// Removes the records of the dialogues with a lab's nodes.
    ///
    /// # Errors
    ///
    /// What the kernel says; where nothing was ever typed there is nothing to remove.
    pub fn forget_lab(&self, lab: &str) -> io::Result<()> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        // No lab has a dot in its name.
        let prefix = format!("{lab}.");
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// What tells one configuration from another.
pub fn digest(configuration: &str) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(configuration) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A node to provision.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The node.
    pub node: &'a NodeBlueprint,
    /// The kind whose guest boots there.
    pub kind: &'a Kind,
    /// What to type.
    pub configuration: &'a str,
    /// Ends it early once it is set.
    pub cancel: &'a AtomicBool,
}

/// Why a node was not provisioned.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// Its kind takes no configuration on the console.
    #[error("the kind `{0}` takes no configuration on its console")]
    NoScript(String),
    /// The dialogue was not held to its end.
    #[error(transparent)]
    Talk(#[from] TalkError),
    /// How far it is cannot be noted.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The record cannot be written.
    #[error("cannot write `{}`", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl ProvisionError {
    /// Whether it was told to stop.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Talk(TalkError::Cancelled))
    }

    /// The last lines of the console, where they help.
    pub fn last_lines(&self) -> &[String] {
        match self {
            Self::Talk(TalkError::Failed(failure)) => failure.last_lines(),
            _ => &[],
        }
    }
}

/// Types a node's configuration; the lines that the device refused come back. `on_progress` hears
/// how many lines of the current step are typed, of how many.
///
/// # Errors
///
/// When not all of it was typed. The next call begins from what the console shows then.
pub fn provision(
    driver: &dyn Driver,
    place: &Place,
    request: &Request<'_>,
    on_progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Refused>, ProvisionError> {
    let node = request.node;
    let words = Words {
        lab: &node.lab,
        node: &node.node,
        hostname: &node.hostname,
    };
    let no_script = || ProvisionError::NoScript(request.kind.name.clone());
    let timeout = request
        .kind
        .provision
        .as_ref()
        .ok_or_else(no_script)?
        .timeout
        + request.kind.ready.timeout;
    let limit = node.accelerated(timeout);
    let script = script::provision(request.kind, words, request.configuration, limit);
    let script = script.ok_or_else(no_script)?;
    let path = place.record(node);
    let file_error = |source| ProvisionError::File {
        path: path.clone(),
        source,
    };
    folder::make(&place.folder, folder::PRIVATE).map_err(file_error)?;
    let client = connect(node.console.listen, request.cancel)?;
    let mut record = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .map_err(file_error)?;
    let note = |typing: Option<&Typing>| driver.note_typing(&node.domain(), typing);
    note(Some(&Typing::Typing {
        worker: worker::this_process(),
    }))?;
    let mut progress = |(_, _, typed, lines)| on_progress(typed, lines);
    let mut conversation = Conversation::with(client, Some(&mut record));
    let outcome = conversation.follow(script, &mut progress, request.cancel);
    drop(conversation);
    let _ = record.flush();
    let state = match &outcome {
        Ok(_) => Typing::Done {
            digest: digest(request.configuration),
        },
        Err(TalkError::Cancelled) => {
            note(None)?;
            return Err(TalkError::Cancelled.into());
        }
        Err(error) => Typing::Failed {
            reason: error.summary().to_owned(),
        },
    };
    note(Some(&state))?;
    Ok(outcome?.refused)
}

/// Gets onto a console. Who does not has said nothing there, and notes nothing.
fn connect(console: SocketAddr, cancel: &AtomicBool) -> Result<Client, TalkError> {
    let end = Instant::now() + CONNECT_PATIENCE;
    loop {
        match Client::connect(console) {
            Ok(client) => return Ok(client),
            Err(_) if cancel.load(Ordering::Relaxed) => return Err(TalkError::Cancelled),
            Err(error) if Instant::now() >= end => return Err(error.into()),
            Err(_) => thread::sleep(CONNECT_INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vnflab_model::worker::Worker;

    #[test]
    fn a_state_of_a_process_that_is_gone_is_pending() {
        let of = |worker| State::of(Some(&Typing::Typing { worker }));
        let this = worker::this_process();
        assert_eq!(of(this.clone()), State::Typing);
        let before_a_reboot = Worker {
            boot: String::new(),
            ..this
        };
        assert_eq!(of(before_a_reboot), State::Pending);
        assert_eq!(State::of(None), State::Pending);
    }

    #[test]
    fn a_lab_that_is_forgotten_leaves_those_of_other_labs() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::at(folder.path().join("none"));
        place.forget_lab("a").unwrap();
        let place = Place::at(folder.path().to_owned());
        for name in ["a.r1.log", "a.r2.log", "ab.r1.log"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        place.forget_lab("a").unwrap();
        let left = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
        let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["ab.r1.log"]);
    }

    #[test]
    fn configurations_are_told_apart_by_their_digests() {
        assert_ne!(digest("hostname r1"), digest("hostname r2"));
        assert_eq!(digest("").len(), 64);
    }
}
