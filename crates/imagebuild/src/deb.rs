//! Reads the files of a Debian package into memory, or some of them into a folder.
//!
//! `dpkg-deb` undoes the outer archive and its compression; the tar stream inside is read here,
//! so no owner or mode of the host's file system plays a part and no root is needed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::tools::Run;
use crate::tree::{Content, canonical};
use crate::{BuildError, io_error};

/// A file of a package: its permission bits and what it is.
#[derive(Debug, Clone)]
pub(crate) struct PackedFile {
    pub(crate) mode: u32,
    pub(crate) content: Content,
}

/// Documentation is most of many packages and never goes into an image.
const LEFT_OUT: [&str; 4] = [
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/locale/",
    "usr/share/lintian/",
];

/// Largest file read into memory; the largest wanted one (Unicode data) has 30 MiB.
const FILE_LIMIT_BYTES: u64 = 256 << 20;

/// Every file and link of the package by its canonical path.
pub(crate) fn read(package: &Path) -> Result<BTreeMap<String, PackedFile>, BuildError> {
    let mut files = BTreeMap::new();
    for_each_entry(package, |path, entry| {
        if LEFT_OUT.iter().any(|folder| path.starts_with(folder)) {
            return Ok(());
        }
        let mode = entry.header().mode()? & 0o7777;
        let content = match entry.header().entry_type() {
            tar::EntryType::Symlink => {
                let target = entry.link_name()?.unwrap_or_default();
                Content::Symlink(target.to_string_lossy().into_owned())
            }
            tar::EntryType::Link => {
                // A hard link names an earlier member of the same archive.
                let target = entry.link_name()?.unwrap_or_default();
                let earlier = canonical(&target.to_string_lossy());
                match files.get(&earlier) {
                    Some(PackedFile { content, .. }) => Content::clone(content),
                    None => return Ok(()),
                }
            }
            tar::EntryType::Regular => {
                let mut bytes = Vec::new();
                entry.take(FILE_LIMIT_BYTES).read_to_end(&mut bytes)?;
                Content::File(bytes)
            }
            _ => return Ok(()),
        };
        files.insert(path, PackedFile { mode, content });
        Ok(())
    })?;
    Ok(files)
}

/// Unpacks the regular files that `wanted` says yes to into `folder`, flat names forbidden:
/// each keeps its canonical path below the folder.
pub(crate) fn unpack(
    package: &Path,
    folder: &Path,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<String>, BuildError> {
    let mut unpacked = Vec::new();
    for_each_entry(package, |path, entry| {
        if entry.header().entry_type() != tar::EntryType::Regular || !wanted(&path) {
            return Ok(());
        }
        // A package comes from a signed archive; a path that climbs out is still not followed.
        if Path::new(&path)
            .components()
            .any(|part| !matches!(part, std::path::Component::Normal(_)))
        {
            return Ok(());
        }
        let place: PathBuf = folder.join(&path);
        fs::create_dir_all(place.parent().unwrap_or(folder))?;
        std::io::copy(entry, &mut fs::File::create(&place)?)?;
        unpacked.push(path);
        Ok(())
    })?;
    Ok(unpacked)
}

type TarEntry<'a, R> = tar::Entry<'a, R>;

fn for_each_entry(
    package: &Path,
    mut each: impl FnMut(String, &mut TarEntry<'_, Box<dyn Read>>) -> std::io::Result<()>,
) -> Result<(), BuildError> {
    let mut unpacker = Run::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .piped()?;
    let stdout: Box<dyn Read> = Box::new(unpacker.stdout());
    let mut archive = tar::Archive::new(stdout);
    for entry in archive.entries().map_err(io_error(package))? {
        let mut entry = entry.map_err(io_error(package))?;
        let path = canonical(&entry.path().map_err(io_error(package))?.to_string_lossy());
        each(path, &mut entry).map_err(io_error(package))?;
    }
    // Drain what follows the end mark, or dpkg-deb would die of a closed pipe.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(io_error(package))?;
    unpacker.finish()
}
