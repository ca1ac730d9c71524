//! Why the store does not do as it is asked.

use super::super::probe::ProbeError;
use super::MAX_NAME_CHARS;
use crate::driver::DriverError;

/// Why the store did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// libvirt, or the copying.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The name would not do as a file name.
    #[error(
        "`{0}` is no name for an image: letters, digits, `_`, `-` and `.`, at most {MAX_NAME_CHARS}, the first a letter or digit"
    )]
    Name(String),
    /// There is one of that name.
    #[error("the store has an image `{0}` already")]
    Exists(String),
    /// There is a file in the way that the store did not make.
    #[error("the store's folder has a file `{0}` that vnflab did not put there")]
    Foreign(String),
    /// There is none.
    #[error("the store has no image `{0}`")]
    Missing(String),
    /// Another process is adding or removing it, or was broken off on another machine.
    #[error("`{0}` is being added or removed by another process")]
    Busy(String),
    /// The source cannot be read or is no image.
    #[error("cannot add `{path}`: {source}")]
    Source {
        /// The file.
        path: String,
        /// Why.
        source: ProbeError,
    },
    /// The source lies on another file, which would have to be added with it.
    #[error(
        "`{path}` is only what differs from `{backing}`: convert it with `qemu-img convert` first"
    )]
    Backing {
        /// The file.
        path: String,
        /// What it lies on.
        backing: String,
    },
    /// Disks lie on it.
    #[error("the image `{name}` is in use by {}", users.join(", "))]
    InUse {
        /// The image.
        name: String,
        /// What uses it.
        users: Vec<String>,
    },
}

impl StoreError {
    /// What to do about it, where something is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Driver(error) => error.hint().map(str::to_owned),
            Self::Exists(name) => Some(format!("`vnflab image rm {name}` removes it")),
            Self::Busy(name) => Some(format!(
                "if nobody does any more, `vnflab image rm {name}` clears what is left"
            )),
            Self::InUse { .. } => Some("`vnflab down` the labs that use it".to_owned()),
            _ => None,
        }
    }
}
