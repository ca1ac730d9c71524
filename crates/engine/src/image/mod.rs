//! Disk images: what their headers say, whether QEMU reaches them, and the store that keeps them.

pub mod probe;
pub mod store;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use vnflab_model::observed::Scope;

/// The permission bit by which everybody may pass through a folder.
const OTHERS_MAY_PASS: u32 = 0o001;

/// The permission bit by which everybody may read a file.
const OTHERS_MAY_READ: u32 = 0o004;

/// Why QEMU does not get at a file of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileTrouble {
    /// It is a folder, a device or the like.
    NoFile,
    /// The system's QEMU, which has a user of its own, may not pass through this folder.
    ClosedFolder(PathBuf),
    /// The system's QEMU may not read the file.
    ClosedFile,
}

impl FileTrouble {
    /// What is wrong with the file, and what to do.
    pub fn remedy(&self, path: &Path) -> String {
        match self {
            Self::ClosedFolder(folder) => format!(
                "QEMU may not pass through `{0}`: `chmod o+x {0}`",
                folder.display()
            ),
            Self::ClosedFile => format!("QEMU may not read it: `chmod o+r {}`", path.display()),
            Self::NoFile => "not a regular file".to_owned(),
        }
    }
}

/// Why QEMU does not get at a file of this machine, if it does not. A user's own QEMU gets at
/// whatever the user gets at.
pub fn file_trouble(path: &Path, scope: Scope) -> Option<FileTrouble> {
    let facts = std::fs::metadata(path).ok()?;
    if !facts.is_file() {
        return Some(FileTrouble::NoFile);
    }
    if scope == Scope::Session {
        return None;
    }
    if let Some(folder) = first_closed_folder(path) {
        return Some(FileTrouble::ClosedFolder(folder));
    }
    (facts.permissions().mode() & OTHERS_MAY_READ == 0).then_some(FileTrouble::ClosedFile)
}

/// The uppermost folder above a file of this machine that others may not pass through.
pub fn first_closed_folder(path: &Path) -> Option<PathBuf> {
    let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
    above.reverse();
    above
        .into_iter()
        .find(|folder| {
            let mode = std::fs::metadata(folder).map(|facts| facts.permissions().mode());
            mode.is_ok_and(|mode| mode & OTHERS_MAY_PASS == 0)
        })
        .map(Path::to_path_buf)
}
