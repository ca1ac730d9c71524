//! Day-0 disks made in memory: ISO 9660 images, FAT disks, archives and NoCloud contents.
//!
//! Many network systems read their first configuration from a disk that is attached at first
//! boot: IOS-XE looks for `iosxe_config.txt` on a CD-ROM, cloud-init for `user-data` and
//! `meta-data` on a volume named `cidata`. This crate turns such files into the bytes of that
//! disk.
//!
//! - [`iso9660`] lays files out as an ISO 9660 image, with or without Rock Ridge and Joliet.
//! - [`fat`] lays them out as a FAT disk or USB stick, with or without a partition.
//! - [`archive`] packs them into a tar.gz, for guests that unpack one from such a disk.
//! - [`nocloud`] names the files of cloud-init's NoCloud source and puts them on such an image.
//!
//! ```
//! use vnflab_media::MediaFile;
//! use vnflab_media::iso9660::{self, IsoRequest, NameRules};
//!
//! let files = [MediaFile::new("iosxe_config.txt", "hostname r1\n")];
//! let image = iso9660::build(&IsoRequest {
//!     volume_label: "config",
//!     files: &files,
//!     names: NameRules::LongPlain,
//! })?;
//! assert_eq!(image.len() % 2048, 0);
//! # Ok::<(), iso9660::IsoError>(())
//! ```
//!
//! It is not where a kind's choice of file names and volume label lives, and it neither reads nor
//! writes the host's files. Invariant: every function here is pure. The same input gives the same
//! bytes, on every host and at any time, so a medium may be compared with the one made before.

pub mod archive;
pub mod fat;
pub mod iso9660;
pub mod nocloud;

/// A file to be put on a medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// The path on the medium, relative to its root, with `/` between folders:
    /// `iosxe_config.txt`, `openstack/latest/user_data`. Folders are made as needed.
    pub path: String,
    /// The content, which may be empty.
    pub content: Vec<u8>,
}

impl MediaFile {
    /// A file at `path` that holds `content`.
    pub fn new(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            content: content.into(),
        }
    }
}
