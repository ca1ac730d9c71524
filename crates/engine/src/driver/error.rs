//! Why something could not be done on a connection.

use std::fmt;

/// Why something could not be done on a connection.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// There is no connection.
    #[error("cannot connect to `{uri}`: {fault}")]
    Connect {
        /// Where to.
        uri: String,
        /// What libvirt said.
        fault: Fault,
        /// What to do.
        hint: Option<String>,
    },
    /// libvirt refused or failed.
    #[error("cannot {operation} `{object}`: {fault}")]
    Refused {
        /// What was tried.
        operation: Operation,
        /// On what.
        object: String,
        /// What libvirt said.
        fault: Fault,
        /// What to do.
        hint: Option<String>,
    },
    /// It was not made by us, so we do not touch it.
    #[error("{kind} `{name}` was not made by vnflab and stays as it is")]
    Foreign {
        /// What it is.
        kind: ObjectKind,
        /// Its name.
        name: String,
    },
    /// It is ours, but its record cannot be read (of a later version, or damaged), so we do not
    /// know what we would touch.
    #[error("the record of {kind} `{name}` cannot be read: {reason}")]
    Record {
        /// What it is.
        kind: ObjectKind,
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// It does not exist.
    #[error("there is no {kind} `{name}`")]
    Missing {
        /// What it is.
        kind: ObjectKind,
        /// Its name.
        name: String,
    },
    /// There is one of that name already, and it is another.
    #[error("{kind} `{name}` exists already: {difference}")]
    Exists {
        /// What it is.
        kind: ObjectKind,
        /// Its name.
        name: String,
        /// In what it differs.
        difference: String,
    },
    /// XML without the facts that we need, ours or libvirt's.
    #[error("the description of {kind} cannot be used: {reason}")]
    Description {
        /// What it describes.
        kind: ObjectKind,
        /// Why.
        reason: String,
    },
    /// A pool of our name that is no folder, or whose folder is unknown.
    #[error("the storage pool `{pool}` cannot be used: {reason}")]
    Pool {
        /// The pool.
        pool: String,
        /// Why.
        reason: String,
    },
    /// A file or folder of this host, or the other side of a copy.
    #[error("cannot {operation} `{path}`: {source}")]
    File {
        /// What was tried.
        operation: Operation,
        /// On which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It cannot be done over this connection.
    #[error("cannot {operation} `{object}` over this connection: {reason}")]
    Unsupported {
        /// What was tried.
        operation: Operation,
        /// On what.
        object: String,
        /// Why.
        reason: String,
    },
    /// The fake driver was told to fail here.
    #[error("the fake driver failed at operation {0}, as told")]
    Injected(usize),
}

impl DriverError {
    /// What to do about it, where something is known.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Connect { hint, .. } | Self::Refused { hint, .. } => hint.as_deref(),
            Self::Pool { .. } => {
                Some("define a storage pool of type `dir` with that name, or undefine this one")
            }
            Self::Record { .. } => Some("use the version of vnflab that made it"),
            _ => None,
        }
    }

    /// libvirt's error number, where the error is libvirt's.
    pub fn code(&self) -> Option<u32> {
        match self {
            Self::Connect { fault, .. } | Self::Refused { fault, .. } => Some(fault.code),
            _ => None,
        }
    }
}

/// What libvirt said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its error number (`virErrorNumber`).
    pub code: u32,
    /// Its message, as it is.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (libvirt error {})", self.message, self.code)
    }
}

/// What an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A VM.
    Domain,
    /// A network.
    Network,
    /// A volume of our pool.
    Volume,
    /// A file of the image store.
    Image,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Domain => "the VM",
            Self::Network => "the network",
            Self::Volume => "the volume",
            Self::Image => "the image",
        })
    }
}

/// What was tried; reads well after "cannot".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// List or look up.
    Look,
    /// Make.
    Create,
    /// Define.
    Define,
    /// Start.
    Start,
    /// Hold.
    Suspend,
    /// Let go on.
    Resume,
    /// Ask to shut down.
    ShutDown,
    /// Power off or stop.
    Stop,
    /// Undefine.
    Undefine,
    /// Delete.
    Delete,
    /// Write to.
    Write,
    /// Read.
    Read,
    /// Change the leases of.
    Lease,
    /// Limit the CPUs of.
    LimitCpu,
    /// Change a carrier of.
    Carrier,
    /// Write the record of.
    Record,
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Look => "look at",
            Self::Create => "create",
            Self::Define => "define",
            Self::Start => "start",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::ShutDown => "shut down",
            Self::Stop => "stop",
            Self::Undefine => "undefine",
            Self::Delete => "delete",
            Self::Write => "write",
            Self::Read => "read",
            Self::Lease => "change the leases of",
            Self::LimitCpu => "limit the CPUs of",
            Self::Carrier => "change a carrier of",
            Self::Record => "write the record of",
        })
    }
}
