//! What a command says when it fails: one message, its causes, and what to do.
//!
//! Invariant: the kind alone fixes the exit code, and the table of exit codes in the manual page
//! is made from [`ErrorKind::ALL`].

use std::error::Error;
use std::io;
use std::process::ExitCode;
use vnflab_engine::driver::DriverError;
use vnflab_engine::ssh::SshError;
use vnflab_engine::wire::WireError;
use vnflab_engine::workspace::WorkspaceError;
use vnflab_model::plan::PlanError;
use vnflab_wire::control::ClientError;

/// Most causes that are told; a longer chain repeats itself.
const CAUSE_LIMIT: usize = 8;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// Something went wrong while doing what was asked.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// The lab file has mistakes.
    Lab,
    /// This host lacks something.
    Host,
    /// A node, lab, kind, image or code of that name does not exist.
    NotFound,
    /// Nodes were not ready in time.
    NotReady,
    /// Checks of a running lab do not hold.
    ChecksFailed,
    /// The user interrupted the command.
    Interrupted,
    /// Whoever read our output has left.
    BrokenPipe,
}

impl ErrorKind {
    /// All that have an exit code of their own, with their meaning.
    pub(crate) const ALL: &[(Self, &str)] = &[
        (Self::Failed, "something that was asked for failed"),
        (Self::Usage, "the command line makes no sense"),
        (Self::Lab, "the lab has mistakes"),
        (Self::Host, "this host lacks something; see `vnflab doctor`"),
        (
            Self::NotFound,
            "there is no node, lab, kind, image or code of that name",
        ),
        (Self::NotReady, "nodes were not ready in time"),
        (Self::ChecksFailed, "checks of the running lab do not hold"),
        (Self::Interrupted, "interrupted with Ctrl-C"),
    ];

    /// The exit code as a number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::BrokenPipe => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Lab => 3,
            Self::Host => 4,
            Self::NotFound => 5,
            Self::NotReady => 6,
            Self::ChecksFailed => 7,
            Self::Interrupted => 130,
        }
    }

    /// The exit code.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(self.number())
    }
}

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// Fixes the exit code.
    pub(crate) kind: ErrorKind,
    /// In lower case, names in backticks; empty where everything was said already.
    pub(crate) message: String,
    /// What lies behind it, the nearest first.
    pub(crate) causes: Vec<String>,
    /// What to do; each is a sentence.
    pub(crate) hints: Vec<String>,
}

impl CommandError {
    /// A failure with its message.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// A failure of which everything was said already.
    pub(crate) fn silent(kind: ErrorKind) -> Self {
        Self::new(kind, "")
    }

    /// Adds what lies behind it.
    #[must_use]
    pub(crate) fn caused_by(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next.filter(|_| self.causes.len() < CAUSE_LIMIT) {
            self.causes.push(error.to_string());
            next = error.source();
        }
        self
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the known name that is spelt most like this one, if one is.
    pub(crate) fn suggest<'a>(self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match vnflab_model::diagnostic::nearest(name, known) {
            Some(nearest) => self.hint(format!("Did you mean `{nearest}`?")),
            None => self,
        }
    }

    /// Nothing has this name; perhaps one of the known ones is meant.
    pub(crate) fn unknown<'a>(
        noun: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let error = Self::new(ErrorKind::NotFound, format!("there is no {noun} `{name}`"));
        match vnflab_model::diagnostic::nearest(name, known) {
            Some(nearest) => error.hint(format!("Did you mean `{nearest}`?")),
            None => error,
        }
    }
}

/// libvirt, or what lies behind it.
impl From<DriverError> for CommandError {
    fn from(error: DriverError) -> Self {
        let kind = match error {
            DriverError::Connect { .. } => ErrorKind::Host,
            _ => ErrorKind::Failed,
        };
        let new = Self::new(kind, error.to_string());
        let new = match error.hint() {
            Some(hint) => new.hint(hint),
            None => new,
        };
        match kind {
            ErrorKind::Host => new.hint("`vnflab doctor` tells what this host lacks."),
            _ => new,
        }
    }
}

/// The wire of a lab.
impl From<ClientError> for CommandError {
    fn from(error: ClientError) -> Self {
        Self::new(ErrorKind::Failed, error.to_string())
    }
}

impl From<WireError> for CommandError {
    fn from(error: WireError) -> Self {
        let new = Self::new(ErrorKind::Failed, error.to_string());
        match error.hint() {
            Some(hint) => new.hint(hint),
            None => new,
        }
    }
}

/// The workspace: libvirt, or a lab that cannot be.
impl From<WorkspaceError> for CommandError {
    fn from(error: WorkspaceError) -> Self {
        match error {
            WorkspaceError::Driver(error) => error.into(),
            WorkspaceError::Wire(error) => error.into(),
            WorkspaceError::Allocate(errors) => {
                let mut error = Self::new(ErrorKind::Lab, "the lab does not fit");
                error.causes = errors.iter().map(ToString::to_string).collect();
                error
            }
            WorkspaceError::StandIn(_) => Self::new(ErrorKind::NotFound, error.to_string())
                .hint("`vnflab up --stand-in frr` boots our own image."),
        }
    }
}

/// What already exists is in the way.
impl From<Vec<PlanError>> for CommandError {
    fn from(errors: Vec<PlanError>) -> Self {
        let unknown = errors
            .iter()
            .all(|error| matches!(error, PlanError::UnknownNode(_)));
        let kind = match unknown {
            true => ErrorKind::NotFound,
            false => ErrorKind::Failed,
        };
        let mut error = Self::new(kind, "this cannot be done");
        error.causes = errors.iter().map(ToString::to_string).collect();
        error
    }
}

/// There is no key to log in with.
impl From<SshError> for CommandError {
    fn from(error: SshError) -> Self {
        let new = Self::new(ErrorKind::Failed, error.to_string());
        match error.source() {
            Some(source) => new.caused_by(source),
            None => new,
        }
    }
}

/// Writing to stdout failed.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::silent(ErrorKind::BrokenPipe),
            _ => Self::new(ErrorKind::Failed, "the output cannot be written").caused_by(&error),
        }
    }
}
