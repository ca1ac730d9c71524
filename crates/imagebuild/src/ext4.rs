//! Writes a file tree as an ext4 file system into a file, without mounting anything.
//!
//! `mke2fs` makes the empty file system and `debugfs` puts every entry in its place by a script
//! that we write in the tree's order. Times, UUID and hash seed are fixed, so equal trees give
//! equal bytes. `e2fsck` has the last word.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::tools::Run;
use crate::tree::{Content, FileTree, ROOT};
use crate::{BuildError, io_error};

/// How a file system is made.
pub(crate) struct Ext4Format<'a> {
    pub(crate) label: &'a str,
    pub(crate) uuid: &'a str,
    pub(crate) size_bytes: u64,
    pub(crate) inodes: u32,
    pub(crate) journal_mib: u32,
}

/// What every kernel since 4.x mounts; no resizing and no orphan file, which only cost space.
const FEATURES: &str = "none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,\
    sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum";

/// Writes the tree into a new file system in `image`; `work` takes files for a short while.
pub(crate) fn write(
    image: &Path,
    format: &Ext4Format<'_>,
    tree: &FileTree,
    work: &Path,
) -> Result<(), BuildError> {
    fs::File::create(image)
        .and_then(|file| file.set_len(format.size_bytes))
        .map_err(io_error(image))?;
    Run::new("mke2fs")
        .args([
            "-q",
            "-F",
            "-t",
            "ext4",
            "-b",
            "4096",
            "-m",
            "0",
            "-L",
            format.label,
        ])
        .args(["-U", format.uuid, "-N", &format.inodes.to_string()])
        .args(["-J", &format!("size={}", format.journal_mib)])
        // The features are spelled out: hosts differ in their defaults.
        .args(["-O", FEATURES])
        // Lazy initialisation would make every guest write these tables into its own overlay.
        .args([
            "-E",
            &format!(
                "hash_seed={},lazy_itable_init=0,lazy_journal_init=0,nodiscard",
                format.uuid
            ),
        ])
        .arg(image)
        .output()?;

    let folder = tempfile::Builder::new()
        .prefix("files-")
        .tempdir_in(work)
        .map_err(io_error(work))?;
    let script = folder.path().join("script");
    fs::write(&script, placement_script(tree, folder.path())?).map_err(io_error(&script))?;
    let run = Run::new("debugfs")
        .arg("-w")
        .arg("-f")
        .arg(&script)
        .arg(image)
        .output()?;
    // debugfs reports a failed command on standard error and goes on with exit code 0.
    if let Some(complaint) = run
        .stderr
        .lines()
        .find(|line| !line.starts_with("debugfs 1."))
    {
        return Err(BuildError::ToolFailed {
            program: "debugfs",
            status: "a command of the script failed".to_owned(),
            said: complaint.to_owned(),
        });
    }
    Run::new("e2fsck").args(["-f", "-n"]).arg(image).output()?;
    Ok(())
}

/// debugfs commands that place every entry; file contents are written below `folder` for it.
fn placement_script(tree: &FileTree, folder: &Path) -> Result<String, BuildError> {
    let mut script = String::new();
    for (index, (path, entry)) in tree.iter().enumerate() {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let kind = match &entry.content {
            Content::Directory => {
                let _ = writeln!(script, "cd \"/{parent}\"\nmkdir \"{name}\"");
                0o040_000
            }
            Content::File(bytes) => {
                let file = folder.join(index.to_string());
                fs::write(&file, bytes).map_err(io_error(&file))?;
                let _ = writeln!(
                    script,
                    "cd \"/{parent}\"\nwrite \"{}\" \"{name}\"",
                    file.display()
                );
                0o100_000
            }
            Content::Symlink(target) => {
                let _ = writeln!(script, "cd \"/{parent}\"\nsymlink \"{name}\" \"{target}\"");
                continue;
            }
        };
        let _ = writeln!(script, "sif \"/{path}\" mode 0{:o}", kind | entry.mode);
        if entry.owner != ROOT {
            let _ = writeln!(script, "sif \"/{path}\" uid {}", entry.owner.uid);
            let _ = writeln!(script, "sif \"/{path}\" gid {}", entry.owner.gid);
        }
    }
    Ok(script)
}
