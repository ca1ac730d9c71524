//! A tar archive under gzip, as bytes: the one file on the medium of the guests that want one.
//!
//! Entries are in the order of their paths, owned by 0:0, of mode 0644, and dated 1970-01-01; the
//! header of gzip names neither a file, a time nor a system. So the bytes follow from the files.

use crate::MediaFile;
use flate2::{Compression, GzBuilder};
use std::io;
use tar::{Builder, EntryType, Header};

/// Makes a tar.gz of files. Folders are entries of their own, before what is in them.
///
/// # Errors
///
/// When tar cannot hold a path: it is absolute, leads through `..` or is longer than 255 bytes.
pub fn tar_gz(files: &[MediaFile]) -> Result<Vec<u8>, io::Error> {
    let mut files: Vec<&MediaFile> = files.iter().collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let gzip = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    let mut archive = Builder::new(gzip);
    let mut made: Vec<&str> = Vec::new();
    for file in files {
        for (at, _) in file.path.match_indices('/') {
            let folder = &file.path[..=at];
            if !made.contains(&folder) {
                let mut header = header(EntryType::Directory, 0o755, 0);
                archive.append_data(&mut header, folder, io::empty())?;
                made.push(folder);
            }
        }
        let mut header = header(EntryType::Regular, 0o644, file.content.len() as u64);
        archive.append_data(&mut header, &file.path, &file.content[..])?;
    }
    archive.into_inner()?.finish()
}

fn header(kind: EntryType, mode: u32, size_bytes: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size_bytes);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}
