//! Folders of this machine that we make, with exact permissions.
//!
//! Invariant: a folder that is made has the permissions that were asked for, whatever the umask;
//! of one that exists, nothing changes but what [`open`] adds.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// Permissions of folders through which QEMU, which has a user of its own, passes to files that
/// it knows by name. Nobody else lists them.
pub(crate) const PASSABLE: u32 = 0o711;

/// Permissions of a folder that is for its owner alone.
pub(crate) const PRIVATE: u32 = 0o700;

/// Makes a folder, with those above it, which are [`PASSABLE`].
pub(crate) fn make(path: &Path, mode: u32) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        make(above, PASSABLE)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        // The process's umask took bits away.
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(mode)),
        // Another process of ours was quicker.
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes a folder of ours [`PASSABLE`] again, where somebody closed it. One that belongs to
/// another user stays as it is.
#[cfg(feature = "libvirt")]
pub(crate) fn open(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let facts = fs::metadata(path)?;
    let mode = facts.mode() & 0o7777;
    let ours = facts.uid() == rustix::process::geteuid().as_raw();
    if !ours || mode & PASSABLE == PASSABLE {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode | PASSABLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_last_folder_is_private() {
        let root = tempfile::tempdir().unwrap();
        let leaf = root.path().join("lib/vnflab/ssh");
        make(&leaf, PRIVATE).unwrap();
        assert_eq!(mode(&leaf), PRIVATE);
        assert_eq!(mode(&root.path().join("lib/vnflab")), PASSABLE);
        assert_eq!(mode(&root.path().join("lib")), PASSABLE);
        // What exists keeps its permissions.
        make(&leaf, PASSABLE).unwrap();
        assert_eq!(mode(&leaf), PRIVATE);
    }

    #[test]
    #[cfg(feature = "libvirt")]
    fn a_closed_folder_is_opened_and_an_open_one_kept() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("vnflab");
        make(&folder, PRIVATE).unwrap();
        open(&folder).unwrap();
        assert_eq!(mode(&folder), PASSABLE);
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        open(&folder).unwrap();
        assert_eq!(mode(&folder), 0o755);
    }
}
