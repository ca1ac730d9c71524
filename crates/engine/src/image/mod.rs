//! Disk images: what their headers say, and the store that keeps them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The uppermost folder above a file of this machine that others may not pass through, so that
/// a QEMU of another user does not reach the file.
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

/// The permission bit by which everybody may pass through a folder.
const OTHERS_MAY_PASS: u32 = 0o001;
