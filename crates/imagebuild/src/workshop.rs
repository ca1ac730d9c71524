//! The place where a build of any image works, and the way in which all of them end.
//!
//! It is not about what is on a disk: the recipes (`frr`, `debian`) bring the boot files and the
//! root file system. What it keeps true: one build at a time uses a cache folder, nothing of a
//! build stays there, and the output is replaced by one rename of a file that is whole and on
//! the disk.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::apt;
use crate::disk::{self, BootPartition};
use crate::tools::{self, Tool};
use crate::{BuildError, BuiltImage, ImageBuild, PackageVersion, Step, io_error};

/// Name prefix of work folders in the cache.
const WORK_PREFIX: &str = "work-";

/// A cache folder that is ours until this is dropped, with a folder to work in.
pub(crate) struct Workshop<'a> {
    request: &'a ImageBuild,
    progress: &'a dyn Fn(Step),
    cache_dir: PathBuf,
    output: PathBuf,
    work: tempfile::TempDir,
    /// The lock of the cache folder; it goes last, after the work folder.
    _turn: fs::File,
}

/// The disk that a recipe wants.
pub(crate) struct Disk<'a> {
    /// Its size, as a guest sees it.
    pub(crate) size_bytes: u64,
    /// A larger image file fails the build.
    pub(crate) limit_bytes: u64,
    /// Its first partition; the root partition takes the rest.
    pub(crate) boot: BootPartition<'a>,
}

/// What an image is made of.
pub(crate) struct Ingredients {
    pub(crate) kernel_version: String,
    pub(crate) packages: Vec<PackageVersion>,
}

impl<'a> Workshop<'a> {
    /// Checks for what is run besides [`tools::DISK_TOOLS`], waits for its turn and clears up.
    pub(crate) fn open(
        request: &'a ImageBuild,
        tools: &[Tool],
        progress: &'a dyn Fn(Step),
    ) -> Result<Workshop<'a>, BuildError> {
        let missing = tools::missing_of(tools);
        if !missing.is_empty() {
            return Err(BuildError::ToolsMissing { missing });
        }
        // The tools run in folders of their own, so relative paths would go astray.
        let cache_dir = absolute(&request.cache_dir)?;
        let output = absolute(&request.output)?;
        fs::create_dir_all(&cache_dir).map_err(io_error(&cache_dir))?;
        let turn = take_turn(&cache_dir, progress)?;
        remove_leftovers(&cache_dir);
        let work = tempfile::Builder::new()
            .prefix(WORK_PREFIX)
            .tempdir_in(&cache_dir)
            .map_err(io_error(&cache_dir))?;
        Ok(Workshop {
            request,
            progress,
            cache_dir,
            output,
            work,
            _turn: turn,
        })
    }

    pub(crate) fn cache_dir(&self) -> &Path {
        &self.cache_dir
    }

    /// Folder for work files; it ends with the workshop.
    pub(crate) fn folder(&self) -> &Path {
        self.work.path()
    }

    /// Writes the disk, compresses it and puts it into its place.
    ///
    /// `write_root` makes the root file system in a file, which shall have that many bytes.
    pub(crate) fn finish(
        &self,
        disk: &Disk<'_>,
        write_root: impl FnOnce(&Path, u64) -> Result<(), BuildError>,
        ingredients: Ingredients,
    ) -> Result<BuiltImage, BuildError> {
        (self.progress)(Step::Disk);
        let boot_image = self.folder().join("boot.fat");
        disk::write_boot_partition(&boot_image, &disk.boot, self.folder())?;
        let root_image = self.folder().join("root.ext4");
        let root_bytes = disk::root_size_bytes(disk.size_bytes, disk.boot.size_bytes);
        write_root(&root_image, root_bytes)?;
        let raw = self.folder().join("disk.raw");
        disk::assemble(&raw, disk.size_bytes, &boot_image, &root_image)?;

        (self.progress)(Step::Compress);
        let qcow2 = self.folder().join("disk.qcow2");
        disk::convert_to_qcow2(&raw, &qcow2)?;
        let file_size_bytes = fs::metadata(&qcow2).map_err(io_error(&qcow2))?.len();
        if file_size_bytes > disk.limit_bytes {
            return Err(BuildError::ImageTooLarge {
                size_bytes: file_size_bytes,
                limit_bytes: disk.limit_bytes,
            });
        }
        let sha256 = apt::file_sha256(&qcow2)?;
        publish(&qcow2, &self.output)?;
        Ok(BuiltImage {
            path: self.request.output.clone(),
            sha256,
            file_size_bytes,
            virtual_size_bytes: disk.size_bytes,
            kernel_version: ingredients.kernel_version,
            packages: ingredients.packages,
        })
    }
}

fn absolute(path: &Path) -> Result<PathBuf, BuildError> {
    std::path::absolute(path).map_err(io_error(path))
}

/// Waits until no other build uses the cache. The lock ends with the returned file.
fn take_turn(cache_dir: &Path, progress: &dyn Fn(Step)) -> Result<fs::File, BuildError> {
    let path = cache_dir.join("lock");
    let file = fs::File::create(&path).map_err(io_error(&path))?;
    if file.try_lock().is_err() {
        progress(Step::WaitForOtherBuild);
        file.lock().map_err(io_error(&path))?;
    }
    Ok(file)
}

/// Removes what killed builds left in the cache; we hold the lock, so nobody uses it.
fn remove_leftovers(cache_dir: &Path) {
    let Ok(entries) = fs::read_dir(cache_dir) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(WORK_PREFIX) || name.starts_with(apt::DOWNLOAD_PREFIX) {
            // What cannot be removed now only takes space; the next build tries again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Moves the finished image to its place in one step.
///
/// The cache may lie on another file system than the output, so the image is copied beside its
/// place first; a copy that is cut short is never seen by its name.
fn publish(qcow2: &Path, output: &Path) -> Result<(), BuildError> {
    let folder = output.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::Builder::new()
        .prefix(".vnflab-image-")
        .suffix(".partial")
        .tempfile_in(folder)
        .map_err(io_error(folder))?;
    let mut reader = fs::File::open(qcow2).map_err(io_error(qcow2))?;
    std::io::copy(&mut reader, file.as_file_mut()).map_err(io_error(output))?;
    file.as_file_mut().flush().map_err(io_error(output))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A temporary file is private; an image must be readable by QEMU's own user.
        let readable = fs::Permissions::from_mode(0o644);
        file.as_file()
            .set_permissions(readable)
            .map_err(io_error(output))?;
    }
    file.as_file().sync_all().map_err(io_error(output))?;
    file.persist(output)
        .map_err(|error| io_error(output)(error.error))?;
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io_error(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publication_that_fails_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.qcow2");
        fs::write(&output, "before").unwrap();
        // A folder opens like a file and fails at the first read.
        assert!(publish(folder.path(), &output).is_err());
        assert_eq!(fs::read_to_string(&output).unwrap(), "before");
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "a half copy was left behind");
    }

    #[test]
    fn a_published_image_can_be_read_by_other_users() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (whole, output) = (folder.path().join("whole"), folder.path().join("out"));
        fs::write(&whole, "image").unwrap();
        publish(&whole, &output).unwrap();
        assert_eq!(fs::read_to_string(&output).unwrap(), "image");
        let mode = fs::metadata(&output).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }

    #[test]
    fn what_a_killed_build_left_is_removed_when_the_next_one_begins() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join("work-killed");
        fs::create_dir(&left).unwrap();
        fs::write(folder.path().join("kept"), "").unwrap();
        remove_leftovers(folder.path());
        assert!(!left.exists() && folder.path().join("kept").exists());
    }
}
