//! The origin's ring under another name, with ports and bridges of its own, so that a ring that
//! runs here is not in the way.

use crate::measure::Error;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Name of the lab: that of its folder.
pub(crate) const LAB: &str = "vnflab-bench";

/// What is written instead of what, in the node files. The ports keep their pattern, and 10000
/// goes on to mean "not connected".
const REPLACED: [(&str, &str); 4] = [
    ("s_port: 10", "s_port: 27"),
    ("d_port: 10", "d_port: 27"),
    ("d_port: 27000", "d_port: 10000"),
    ("console_port: 20", "console_port: 284"),
];

/// The copy.
pub(crate) struct Ring {
    pub(crate) folder: PathBuf,
    _parent: TempDir,
}

/// Copies `examples/ring`.
pub(crate) fn copy() -> Result<Ring, Error> {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/ring");
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join(LAB);
    copy_folder(&example, &folder)?;
    for entry in fs::read_dir(folder.join("nodes"))? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let text = REPLACED
            .iter()
            .fold(text, |text, (old, new)| text.replace(old, new));
        fs::write(&path, text.replace("bridge: br", "bridge: vnfbench"))?;
    }
    Ok(Ring {
        folder,
        _parent: parent,
    })
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Error> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &target)?,
            false => fs::copy(entry.path(), target).map(drop)?,
        }
    }
    Ok(())
}
