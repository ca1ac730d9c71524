//! Where the wires of labs have their folders.
//!
//! A folder of the host's running state, which a reboot empties, as it ends the VMs: one for each
//! lab, apart by the kind of connection, since a lab of one name may run on both.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use vnflab_model::observed::Scope;
use vnflab_wire::control::Folder;

/// Where root's wires are.
const ROOT_FOLDER: &str = "/run/vnflab";

/// What a wire's folder has in it from the start: the log of whoever keeps it, and the lock of
/// whoever serves it.
const FIRST_FILES: [&str; 2] = ["log", "lock"];

/// The folders of the wires of one kind of connection.
#[derive(Debug, Clone)]
pub struct Place(PathBuf);

impl Place {
    /// The place of this user's wires.
    ///
    /// # Errors
    ///
    /// When the folder that the session gives belongs to somebody else.
    pub fn of_user(scope: Scope) -> io::Result<Self> {
        let user = rustix::process::geteuid();
        let root = match runtime_folder(user.as_raw())? {
            Some(folder) => folder.join("vnflab"),
            None if user.is_root() => PathBuf::from(ROOT_FOLDER),
            None => std::env::temp_dir().join(format!("vnflab-{}", user.as_raw())),
        };
        if let Ok(facts) = root.symlink_metadata()
            && (facts.uid() != user.as_raw() || !facts.is_dir())
        {
            let message = format!("`{}` is not a folder of ours", root.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        let scope = match scope {
            Scope::System => "system",
            Scope::Session => "session",
        };
        Ok(Self(root.join(scope)))
    }

    /// A place of one's own, for tests.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder of a lab's wire.
    pub fn folder(&self, lab: &str) -> Folder {
        Folder::new(self.0.join(lab))
    }

    /// The labs that have a wire's folder, by name. What else lies here is somebody else's.
    pub fn labs(&self) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut labs = Vec::new();
        for entry in entries {
            let entry = entry?;
            if is_wires(&entry.path()) {
                labs.extend(entry.file_name().into_string());
            }
        }
        labs.sort();
        Ok(labs)
    }
}

/// Whether a folder is a wire's: it has what a wire writes first, or nothing yet.
fn is_wires(folder: &Path) -> bool {
    let Ok(mut entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.next().is_none() || FIRST_FILES.iter().any(|name| folder.join(name).exists())
}

/// The folder that the user's session has for running state, unless it is somebody else's.
fn runtime_folder(user: u32) -> io::Result<Option<PathBuf>> {
    let named = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let usual = PathBuf::from(format!("/run/user/{user}"));
    let is_ours = |path: &Path| {
        path.is_absolute()
            && path
                .metadata()
                .is_ok_and(|facts| facts.uid() == user && facts.is_dir())
    };
    Ok(named.into_iter().chain([usual]).find(|path| is_ours(path)))
}
