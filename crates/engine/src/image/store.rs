//! The image store: base images in a pool of libvirt's, on this host or another.
//!
//! # Theory of operation
//!
//! An image `NAME` is two files of the pool [`IMAGE_POOL`](crate::driver::IMAGE_POOL): the image
//! itself, `NAME.FORMAT`, and its record, `NAME.json`, with SHA-256, format and sizes. **The
//! record makes it an image**: it is written last when an image is added and goes first when one
//! is removed. While either is under way there is a third file, `NAME.changing`, which says whose
//! work it is and which file it is about; it is written before everything and goes after
//! everything. So at whatever point the work is broken off:
//!
//! - a record without or with `.changing` is a whole image (with it, the latter is cleared);
//! - `.changing` without a readable record is a leftover: the file that it names is ours to
//!   delete;
//! - a file with neither was put there by somebody else, and is never touched.
//!
//! Leftovers are cleared at the next listing or adding, unless the process that they belong to
//! is still alive; whose process cannot be known (another machine's) are cleared by `rm`.
//!
//! A base image is never written again, and never removed while a disk lies on it.

mod digest;
mod error;
mod fact;

use super::probe::{named_format, probe};
use crate::driver::{Driver, DriverError};
use crate::worker;
use digest::{Digests, Hashing, HashingSink};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::SystemTime;
use vnflab_model::facts::DiskFormat;
use vnflab_model::worker::Worker;

pub use error::StoreError;

/// Version of the record's form. A record of a later version is not read.
const RECORD_VERSION: u32 = 1;

/// A record or a note on work under way is a few hundred bytes; more is none of ours.
const MAX_RECORD_BYTES: u64 = 64 * 1024;

/// The longest name of an image: it becomes a file name with an extension.
pub const MAX_NAME_CHARS: usize = 64;

const RECORD_EXTENSION: &str = "json";
const CHANGING_EXTENSION: &str = "changing";

/// The image store of a connection.
pub struct ImageStore<'a> {
    driver: &'a dyn Driver,
    worker: Worker,
}

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// Its name, without an extension.
    pub name: String,
    /// Absolute path on the host.
    pub path: String,
    /// Its format.
    pub format: DiskFormat,
    /// Size of the disk that the guest sees, in bytes.
    pub virtual_size_bytes: u64,
    /// Size of the file, in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// MD5 of the file, in hex; absent where an older version added it.
    pub md5: Option<String>,
    /// When it was added, in seconds since 1970.
    pub added_at_seconds: u64,
    /// Of which kind it was said or thought to be when it was added.
    pub kind: Option<String>,
}

impl StoredImage {
    /// All its checksums that are known.
    pub fn checksums(&self) -> Vec<&str> {
        let md5 = self.md5.as_deref();
        md5.into_iter().chain([self.sha256.as_str()]).collect()
    }
}

/// Whether an image is what it was when it was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// It is.
    Intact,
    /// It is not; the SHA-256 that it has now.
    Changed(String),
}

/// The record of an image, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Record {
    version: u32,
    file: String,
    format: String,
    virtual_size_bytes: u64,
    size_bytes: u64,
    sha256: String,
    #[serde(default)]
    md5: Option<String>,
    added_at_seconds: u64,
    /// Older records have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
}

/// A note on work under way, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Changing {
    file: String,
    worker: Worker,
}

/// The files of the pool, by name.
type Files = BTreeMap<String, String>;

impl<'a> ImageStore<'a> {
    /// The store of a connection.
    pub fn new(driver: &'a dyn Driver) -> Self {
        Self::of_worker(driver, worker::this_process())
    }

    /// The same, working in the name of another process; for tests of what it leaves behind.
    pub fn of_worker(driver: &'a dyn Driver, worker: Worker) -> Self {
        Self { driver, worker }
    }

    /// All images, by name.
    ///
    /// # Errors
    ///
    /// When libvirt does not answer.
    pub fn list(&self) -> Result<Vec<StoredImage>, StoreError> {
        let files = self.files()?;
        self.clear_leftovers(&files)?;
        let mut images = Vec::new();
        for name in files.keys().filter_map(|file| stem(file, RECORD_EXTENSION)) {
            images.extend(self.image(&files, name)?);
        }
        Ok(images)
    }

    /// The image of a name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn find(&self, name: &str) -> Result<StoredImage, StoreError> {
        self.image(&self.files()?, name)?
            .ok_or_else(|| StoreError::Missing(name.to_owned()))
    }

    /// Copies an image into the store; the source stays as it is. Without a name it gets that of
    /// the file. `progress` is given the bytes that are done and the bytes of all.
    ///
    /// # Errors
    ///
    /// When there is one of that name, or the file is no image that stands on its own.
    pub fn add(
        &self,
        source: &Path,
        name: Option<&str>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<StoredImage, StoreError> {
        self.add_of_kind(source, name, &|_| None, progress)
    }

    /// As [`Self::add`], with the kind that `kind_of` makes of the file's checksums in the record.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn add_of_kind(
        &self,
        source: &Path,
        name: Option<&str>,
        kind_of: &dyn Fn(&[&str]) -> Option<String>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<StoredImage, StoreError> {
        let path = || source.display().to_string();
        let unreadable = |error: io::Error| StoreError::Source {
            path: path(),
            source: error.into(),
        };
        let stem_of_source = source.file_stem().and_then(|stem| stem.to_str());
        let name = name.or(stem_of_source).unwrap_or_default();
        require_name(name)?;
        let mut file = File::open(source).map_err(unreadable)?;
        let header = probe(&mut file).map_err(|source| StoreError::Source {
            path: path(),
            source,
        })?;
        if let Some(backing) = header.backing {
            return Err(StoreError::Backing {
                path: path(),
                backing,
            });
        }
        io::Seek::rewind(&mut file).map_err(unreadable)?;
        let size_bytes = file.metadata().map_err(unreadable)?.len();

        self.driver.ensure_pools()?;
        self.clear_leftovers(&self.files()?)?;
        let target = format!("{name}.{}", header.format.word());
        self.require_free(name)?;
        self.begin(name, &target)?;
        let mut hashed = Hashing::new(file);
        self.driver
            .store_file(&target, size_bytes, &mut hashed, &mut |done| {
                progress(done, size_bytes);
            })?;
        let Digests { sha256, md5 } = hashed.digests();
        let record = Record {
            version: RECORD_VERSION,
            file: target,
            format: header.format.word().to_owned(),
            virtual_size_bytes: header.virtual_size_bytes,
            size_bytes,
            kind: kind_of(&[&sha256, &md5]),
            sha256,
            md5: Some(md5),
            added_at_seconds: seconds_now(),
        };
        self.write_json(&format!("{name}.{RECORD_EXTENSION}"), &record)?;
        self.end(name)?;
        self.find(name)
    }

    /// Removes an image, or what a broken `add` or `remove` of that name left.
    ///
    /// # Errors
    ///
    /// When there is nothing of that name, or a disk lies on it.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        require_name(name)?;
        let files = self.files()?;
        let changing = self.changing(&files, name)?;
        let Some(image) = self.image(&files, name)? else {
            return match changing {
                Some(changing) => self.clear(name, changing.as_ref()),
                None => Err(StoreError::Missing(name.to_owned())),
            };
        };
        let users: Vec<String> = self
            .driver
            .image_users()?
            .into_iter()
            .filter(|user| user.image_path == image.path)
            .map(|user| user.user)
            .collect();
        if !users.is_empty() {
            return Err(StoreError::InUse {
                name: name.to_owned(),
                users,
            });
        }
        let file = format!("{name}.{}", image.format.word());
        if changing.is_some() {
            self.end(name)?;
        }
        self.begin(name, &file)?;
        self.driver
            .delete_stored_file(&format!("{name}.{RECORD_EXTENSION}"))?;
        self.driver.delete_stored_file(&file)?;
        self.end(name)
    }

    /// Reads a whole image and compares its SHA-256 with the recorded one. `progress` is given
    /// the bytes that are done and the bytes of all.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read.
    pub fn verify(
        &self,
        name: &str,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Verification, StoreError> {
        let image = self.find(name)?;
        let file = format!("{name}.{}", image.format.word());
        let mut on_progress = |done| progress(done, image.size_bytes);
        let mut sink = HashingSink::new(&mut on_progress);
        self.driver.read_stored_file(&file, None, &mut sink)?;
        let found = sink.sha256();
        Ok(match found == image.sha256 {
            true => Verification::Intact,
            false => Verification::Changed(found),
        })
    }

    fn files(&self) -> Result<Files, DriverError> {
        let files = self.driver.stored_files()?;
        Ok(files
            .into_iter()
            .map(|file| (file.name, file.path))
            .collect())
    }

    /// The image of a name, if its record can be read and its file is there.
    fn image(&self, files: &Files, name: &str) -> Result<Option<StoredImage>, DriverError> {
        let record = format!("{name}.{RECORD_EXTENSION}");
        let Some(record) = self.read_json::<Record>(files, &record)?.flatten() else {
            return Ok(None);
        };
        let format = super::probe::FORMATS
            .into_iter()
            .find(|format| format.word() == record.format);
        let (Some(format), Some(path)) = (format, files.get(&record.file)) else {
            return Ok(None);
        };
        if record.version != RECORD_VERSION || record.file != format!("{name}.{}", format.word()) {
            return Ok(None);
        }
        Ok(Some(StoredImage {
            name: name.to_owned(),
            path: path.clone(),
            format,
            virtual_size_bytes: record.virtual_size_bytes,
            size_bytes: record.size_bytes,
            sha256: record.sha256,
            md5: record.md5,
            added_at_seconds: record.added_at_seconds,
            kind: record.kind,
        }))
    }

    /// The note on work under way: `None` without one, `Some(None)` for one that cannot be read.
    fn changing(&self, files: &Files, name: &str) -> Result<Option<Option<Changing>>, DriverError> {
        self.read_json(files, &format!("{name}.{CHANGING_EXTENSION}"))
    }

    fn clear_leftovers(&self, files: &Files) -> Result<(), StoreError> {
        for name in files
            .keys()
            .filter_map(|file| stem(file, CHANGING_EXTENSION))
        {
            let Some(changing) = self.changing(files, name)? else {
                continue;
            };
            // A note that is half written says of nobody that he is gone; `remove` clears it.
            let Some(changing) = changing.filter(|changing| worker::is_gone(&changing.worker))
            else {
                continue;
            };
            match self.image(files, name)? {
                Some(_) => self.end(name)?,
                None => self.clear(name, Some(&changing))?,
            }
        }
        Ok(())
    }

    /// Deletes what is left of a name that has no record that can be read.
    fn clear(&self, name: &str, changing: Option<&Changing>) -> Result<(), StoreError> {
        self.driver
            .delete_stored_file(&format!("{name}.{RECORD_EXTENSION}"))?;
        let file = changing.map(|changing| changing.file.as_str());
        // Whatever the note says, only a file of this name's own is deleted.
        let own = |file: &&str| {
            named_format(file).is_some_and(|format| stem(file, format.word()) == Some(name))
        };
        if let Some(file) = file.filter(own) {
            self.driver.delete_stored_file(file)?;
        }
        self.end(name)
    }

    fn require_free(&self, name: &str) -> Result<(), StoreError> {
        let files = self.files()?;
        if self.changing(&files, name)?.is_some() {
            return Err(StoreError::Busy(name.to_owned()));
        }
        if self.image(&files, name)?.is_some() {
            return Err(StoreError::Exists(name.to_owned()));
        }
        let extensions = super::probe::FORMATS.map(DiskFormat::word);
        let in_the_way = extensions
            .into_iter()
            .chain([RECORD_EXTENSION])
            .map(|extension| format!("{name}.{extension}"))
            .find(|file| files.contains_key(file));
        match in_the_way {
            Some(file) => Err(StoreError::Foreign(file)),
            None => Ok(()),
        }
    }

    fn begin(&self, name: &str, file: &str) -> Result<(), StoreError> {
        let changing = Changing {
            file: file.to_owned(),
            worker: self.worker.clone(),
        };
        match self.write_json(&format!("{name}.{CHANGING_EXTENSION}"), &changing) {
            Err(DriverError::Exists { .. }) => Err(StoreError::Busy(name.to_owned())),
            other => Ok(other?),
        }
    }

    fn end(&self, name: &str) -> Result<(), StoreError> {
        let file = format!("{name}.{CHANGING_EXTENSION}");
        Ok(self.driver.delete_stored_file(&file)?)
    }

    /// A JSON file of ours: `None` when there is none, `Some(None)` when it cannot be read.
    fn read_json<T: serde::de::DeserializeOwned>(
        &self,
        files: &Files,
        file: &str,
    ) -> Result<Option<Option<T>>, DriverError> {
        if !files.contains_key(file) {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        match self
            .driver
            .read_stored_file(file, Some(MAX_RECORD_BYTES), &mut bytes)
        {
            Ok(()) => Ok(Some(serde_json::from_slice(&bytes).ok())),
            // It went in the meantime.
            Err(DriverError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write_json(&self, file: &str, value: &impl Serialize) -> Result<(), DriverError> {
        let bytes = serde_json::to_vec(value).expect("string keys, no foreign types");
        let size = bytes.len() as u64;
        self.driver
            .store_file(file, size, &mut bytes.as_slice(), &mut |_| {})
    }
}

/// `frr` of `frr.qcow2`.
fn stem<'f>(file: &'f str, extension: &str) -> Option<&'f str> {
    file.strip_suffix(extension)?.strip_suffix('.')
}

fn require_name(name: &str) -> Result<(), StoreError> {
    let first_is_plain = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    let all_are_plain = name
        .chars()
        .all(|one| one.is_ascii_alphanumeric() || "_-.".contains(one));
    match first_is_plain && all_are_plain && name.len() <= MAX_NAME_CHARS {
        true => Ok(()),
        false => Err(StoreError::Name(name.to_owned())),
    }
}

fn seconds_now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map(|since| since.as_secs()).unwrap_or_default()
}
