//! FAT file systems of a few files, as bytes: the disks and USB sticks of day 0.
//!
//! # Theory of operation
//!
//! [`build`] checks the request, lays an empty file system over zeros of the size that is asked
//! for, and copies the files into it. The width of its table follows from the size, as everywhere:
//! FAT12 below 4 MiB, FAT16 below 512 MiB. Names are stored as they are, with the long names of
//! VFAT where eight and three characters of upper case do not do.
//!
//! For example `ios_config.txt` on a disk of 1 MiB is what `mformat` and `mcopy` would have made of
//! it, and `mtype` reads it again.
//!
//! The `fatfs` crate does the layout; it is named nowhere else. Its clock
//! is ours and stands still: all files are dated 1980-01-01, the first day that FAT knows.

use crate::MediaFile;
use fatfs::{Date, DateTime, Dir, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider};
use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

/// The least size: below it nothing is left beside the tables.
pub const MIN_SIZE_BYTES: u64 = 64 * 1024;

/// The greatest size: images are built in memory.
pub const MAX_SIZE_BYTES: u64 = 256 * 1024 * 1024;

/// The most bytes in a volume label: the field has eleven.
pub const MAX_LABEL_BYTES: usize = 11;

/// The most files on one image, as on an ISO image.
pub const MAX_FILES: usize = crate::iso9660::MAX_FILES;

/// FAT counts in sectors of this size.
const SECTOR_BYTES: u64 = 512;

/// Where the partition begins on a partitioned disk: at 1 MiB, where every tool of today puts it.
const PARTITION_SECTOR: u32 = 2048;

/// Serial number of every volume: nobody looks at it, and it must not be the clock.
const VOLUME_ID: u32 = 0x564e_464c;

/// Whether there is a table of partitions before the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Partitioning {
    /// The file system is all there is on the disk, as on a floppy.
    None,
    /// A master boot record with one partition, which begins at 1 MiB.
    Mbr,
}

/// What to put on an image.
#[derive(Debug, Clone, Copy)]
pub struct FatRequest<'a> {
    /// The volume label, 1 to [`MAX_LABEL_BYTES`] printable ASCII characters. It is stored as it
    /// is, in lower case too.
    pub volume_label: &'a str,
    /// The files, in any order: the order does not change the image.
    pub files: &'a [MediaFile],
    /// The whole disk's size in bytes, from [`MIN_SIZE_BYTES`] to [`MAX_SIZE_BYTES`]; rounded
    /// down to whole sectors.
    pub size_bytes: u64,
    /// What is before the file system.
    pub partitioning: Partitioning,
}

/// Why an image could not be made. Nothing here depends on the host.
#[derive(Debug, thiserror::Error)]
pub enum FatError {
    /// The volume label is empty, too long, or has characters that FAT does not store.
    #[error(
        "volume label `{label}` is not 1 to {MAX_LABEL_BYTES} letters, digits, spaces, `-` and `_`"
    )]
    Label {
        /// The label as given.
        label: String,
    },
    /// The disk is smaller than [`MIN_SIZE_BYTES`] or larger than [`MAX_SIZE_BYTES`].
    #[error("a FAT disk of {size_bytes} bytes, expected {MIN_SIZE_BYTES} to {MAX_SIZE_BYTES}")]
    Size {
        /// The size that was asked for.
        size_bytes: u64,
    },
    /// There are more than [`MAX_FILES`] files.
    #[error("{count} files, the most on one image is {MAX_FILES}")]
    TooManyFiles {
        /// How many were given.
        count: usize,
    },
    /// The files do not fit.
    #[error("the files take {needed_bytes} bytes, and the disk has room for {free_bytes}")]
    Full {
        /// What they take, in whole clusters.
        needed_bytes: u64,
        /// What is free on an empty disk of this size.
        free_bytes: u64,
    },
    /// Two files, or a file and a folder, have one path; upper and lower case are the same.
    #[error("`{first}` and `{second}` have one path")]
    DuplicateName {
        /// The one that came first.
        first: String,
        /// The one that came after.
        second: String,
    },
    /// A path that FAT cannot store.
    #[error("`{path}` cannot be stored: {source}")]
    Name {
        /// The path as given.
        path: String,
        /// What the layout says.
        source: std::io::Error,
    },
    /// The image could not be laid out; no input is known that leads here.
    #[error("the image could not be laid out: {0}")]
    Layout(#[source] std::io::Error),
}

/// Makes the image that `request` describes.
///
/// # Errors
///
/// Every limit has its own [`FatError`]; the first that is broken is returned.
pub fn build(request: &FatRequest<'_>) -> Result<Vec<u8>, FatError> {
    let label = label_field(request.volume_label)?;
    if !(MIN_SIZE_BYTES..=MAX_SIZE_BYTES).contains(&request.size_bytes) {
        return Err(FatError::Size {
            size_bytes: request.size_bytes,
        });
    }
    let sectors = u32::try_from(request.size_bytes / SECTOR_BYTES).expect("bounded above");
    match request.partitioning {
        Partitioning::None => volume(request, label, sectors),
        Partitioning::Mbr => {
            let within = sectors.saturating_sub(PARTITION_SECTOR);
            if u64::from(within) * SECTOR_BYTES < MIN_SIZE_BYTES {
                return Err(FatError::Size {
                    size_bytes: request.size_bytes,
                });
            }
            let mut volume = volume(request, label, within)?;
            // The boot sector says how many sectors lie before it.
            volume[28..32].copy_from_slice(&PARTITION_SECTOR.to_le_bytes());
            let mut disk = boot_record(within);
            disk.resize(PARTITION_SECTOR as usize * SECTOR_BYTES as usize, 0);
            disk.append(&mut volume);
            Ok(disk)
        }
    }
}

/// The label in the form of its field: padded with spaces.
fn label_field(label: &str) -> Result<[u8; MAX_LABEL_BYTES], FatError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'_');
    let bytes = label.as_bytes();
    let fits = !label.trim().is_empty() && bytes.len() <= MAX_LABEL_BYTES;
    if !fits || !bytes.iter().copied().all(allowed) {
        return Err(FatError::Label {
            label: label.to_owned(),
        });
    }
    let mut field = [b' '; MAX_LABEL_BYTES];
    field[..bytes.len()].copy_from_slice(bytes);
    Ok(field)
}

/// One sector that says where the only partition is.
fn boot_record(sectors: u32) -> Vec<u8> {
    /// FAT16, addressed by sectors.
    const FAT16_LBA: u8 = 0x0e;
    /// What a cylinder is where nobody counts in cylinders any more.
    const BEYOND: [u8; 3] = [0xfe, 0xff, 0xff];
    let mut sector = vec![0; SECTOR_BYTES as usize];
    let entry = &mut sector[446..462];
    entry[1..4].copy_from_slice(&BEYOND);
    entry[4] = FAT16_LBA;
    entry[5..8].copy_from_slice(&BEYOND);
    entry[8..12].copy_from_slice(&PARTITION_SECTOR.to_le_bytes());
    entry[12..16].copy_from_slice(&sectors.to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

/// The file system alone.
fn volume(
    request: &FatRequest<'_>,
    label: [u8; MAX_LABEL_BYTES],
    sectors: u32,
) -> Result<Vec<u8>, FatError> {
    let files = sorted(request.files)?;
    let mut image = vec![0; sectors as usize * SECTOR_BYTES as usize];
    let options = FormatVolumeOptions::new()
        .total_sectors(sectors)
        .volume_id(VOLUME_ID)
        .volume_label(label);
    fatfs::format_volume(Cursor::new(&mut image), options).map_err(FatError::Layout)?;
    let system = FileSystem::new(
        Cursor::new(&mut image),
        FsOptions::new().time_provider(&FIRST_DAY),
    );
    let system = system.map_err(FatError::Layout)?;
    let stats = system.stats().map_err(FatError::Layout)?;
    let cluster = u64::from(stats.cluster_size());
    let free_bytes = u64::from(stats.free_clusters()) * cluster;
    let folders = folders(&files);
    let sizes = files.values().map(|file| file.content.len() as u64);
    // A folder takes a cluster; one that is longer fails below.
    let clusters: u64 = sizes.map(|size| size.div_ceil(cluster)).sum();
    let needed_bytes = (clusters + folders.len() as u64) * cluster;
    if needed_bytes > free_bytes {
        return Err(FatError::Full {
            needed_bytes,
            free_bytes,
        });
    }
    let root = system.root_dir();
    for folder in folders {
        let name = |source| FatError::Name {
            path: folder.to_owned(),
            source,
        };
        root.create_dir(folder).map_err(name)?;
    }
    for file in files.values() {
        write(&root, file).map_err(|source| FatError::Name {
            path: file.path.clone(),
            source,
        })?;
    }
    drop(root);
    system.unmount().map_err(FatError::Layout)?;
    Ok(image)
}

/// The files by their path without case, so that their order does not count.
fn sorted(files: &[MediaFile]) -> Result<BTreeMap<String, &MediaFile>, FatError> {
    if files.len() > MAX_FILES {
        return Err(FatError::TooManyFiles { count: files.len() });
    }
    let mut by_path: BTreeMap<String, &MediaFile> = BTreeMap::new();
    for file in files {
        let parts: Vec<&str> = file.path.split('/').collect();
        if parts
            .iter()
            .any(|part| part.is_empty() || *part == "." || *part == "..")
        {
            return Err(FatError::Name {
                path: file.path.clone(),
                source: std::io::ErrorKind::InvalidInput.into(),
            });
        }
        if let Some(other) = by_path.insert(file.path.to_lowercase(), file) {
            return Err(FatError::DuplicateName {
                first: other.path.clone(),
                second: file.path.clone(),
            });
        }
    }
    // A file cannot be a folder too.
    for (path, file) in &by_path {
        for (at, _) in path.match_indices('/') {
            if let Some(other) = by_path.get(&path[..at]) {
                return Err(FatError::DuplicateName {
                    first: other.path.clone(),
                    second: file.path.clone(),
                });
            }
        }
    }
    Ok(by_path)
}

/// The folders above the files, each before what is in it; as the first file spells them.
fn folders<'a>(files: &BTreeMap<String, &'a MediaFile>) -> Vec<&'a str> {
    let mut folders: BTreeMap<String, &str> = BTreeMap::new();
    for file in files.values() {
        for (at, _) in file.path.match_indices('/') {
            let folder = &file.path[..at];
            folders.entry(folder.to_lowercase()).or_insert(folder);
        }
    }
    folders.into_values().collect()
}

fn write(root: &Dir<'_, Cursor<&mut Vec<u8>>>, file: &MediaFile) -> Result<(), std::io::Error> {
    let mut entry = root.create_file(&file.path)?;
    entry.write_all(&file.content)?;
    entry.flush()
}

/// A clock that stands still.
#[derive(Debug)]
struct FirstDay;

static FIRST_DAY: FirstDay = FirstDay;

impl TimeProvider for FirstDay {
    fn get_current_date(&self) -> Date {
        Date {
            year: 1980,
            month: 1,
            day: 1,
        }
    }

    fn get_current_date_time(&self) -> DateTime {
        DateTime {
            date: self.get_current_date(),
            time: Time {
                hour: 0,
                min: 0,
                sec: 0,
                millis: 0,
            },
        }
    }
}
