//! The file in which everything a guest said on its console is recorded.
//!
//! The file is written by QEMU or by libvirt's virtlogd, which moves a full file aside (`log`
//! becomes `log.0`, that becomes `log.1`) and begins a new one. A [`Follower`] reads on across
//! both that and a file that starts over at a new boot. Invariant: it holds no more than one
//! piece of the file in memory.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most bytes handed over at once.
const PIECE_SIZE: usize = 64 * 1024;

/// Files moved aside that are looked for; virtlogd keeps 3 unless told otherwise.
const BACKUP_LIMIT: u32 = 16;

/// Reads a log from its beginning and on as it grows.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    open: Option<Open>,
    /// Files moved aside before we came, the oldest last.
    backups: Vec<PathBuf>,
    skip: Skip,
}

/// What is left out of the file that is opened first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    Nothing,
    AllBut(u64),
}

#[derive(Debug)]
struct Open {
    file: File,
    inode: u64,
    offset: u64,
    /// Nothing more will be written to it.
    complete: bool,
}

/// What there was to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Bytes that follow the last ones.
    Bytes(Vec<u8>),
    /// Nothing new.
    Nothing,
    /// The log began anew; what was read before belongs to an earlier boot.
    StartedOver,
}

impl Follower {
    /// Begins with the file as it is now, without those moved aside.
    pub fn of_current(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            open: None,
            backups: Vec::new(),
            skip: Skip::Nothing,
        }
    }

    /// Leaves out what is there already, but for the last bytes.
    #[must_use]
    pub fn from_last(mut self, bytes: u64) -> Self {
        self.skip = Skip::AllBut(bytes);
        self
    }

    /// Begins with the oldest file moved aside: all that is recorded.
    pub fn of_all(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let backups = (0..BACKUP_LIMIT)
            .map(|number| backup(&path, number))
            .take_while(|backup| backup.exists())
            .collect();
        Self {
            path,
            open: None,
            backups,
            skip: Skip::Nothing,
        }
    }

    /// The next piece, without waiting. A log that does not exist yet has nothing to read.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn read(&mut self) -> io::Result<Piece> {
        if self.open.is_none() && !self.open_next()? {
            return Ok(Piece::Nothing);
        }
        let open = self.open.as_mut().expect("opened just above");
        let size = open.file.metadata()?.size();
        if size < open.offset {
            open.offset = open.file.seek(SeekFrom::Start(0))?;
            return Ok(Piece::StartedOver);
        }
        let mut bytes =
            vec![0; PIECE_SIZE.min(usize::try_from(size - open.offset).unwrap_or(PIECE_SIZE))];
        let length = open.file.read(&mut bytes)?;
        if length > 0 {
            open.offset += length as u64;
            bytes.truncate(length);
            return Ok(Piece::Bytes(bytes));
        }
        self.after_the_end()
    }

    /// At the end of a file: is it still the one at the path?
    fn after_the_end(&mut self) -> io::Result<Piece> {
        let open = self.open.as_mut().expect("the caller read from it");
        if open.complete {
            self.open = None;
            return self.read();
        }
        let now = match std::fs::metadata(&self.path) {
            Ok(now) => now,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Piece::Nothing),
            Err(error) => return Err(error),
        };
        if now.ino() == open.inode {
            return Ok(Piece::Nothing);
        }
        // Moved aside, or deleted at a new boot. Only in the first case is it still there.
        let moved =
            std::fs::metadata(backup(&self.path, 0)).is_ok_and(|backup| backup.ino() == open.inode);
        if moved {
            // What was written between our last read and the move is still to come.
            open.complete = true;
            return self.read();
        }
        self.open = None;
        Ok(Piece::StartedOver)
    }

    fn open_next(&mut self) -> io::Result<bool> {
        while let Some(path) = self.backups.pop() {
            // One that was moved on meanwhile is missed rather than read twice.
            if let Ok(file) = File::open(path) {
                self.open = Some(Open::new(file, true)?);
                return Ok(true);
            }
        }
        match File::open(&self.path) {
            Ok(file) => {
                let mut open = Open::new(file, false)?;
                if let Skip::AllBut(bytes) = self.skip {
                    let size = open.file.metadata()?.size();
                    let start = SeekFrom::Start(size.saturating_sub(bytes));
                    open.offset = open.file.seek(start)?;
                    self.skip = Skip::Nothing;
                }
                self.open = Some(open);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Open {
    fn new(file: File, complete: bool) -> io::Result<Self> {
        let inode = file.metadata()?.ino();
        Ok(Self {
            file,
            inode,
            offset: 0,
            complete,
        })
    }
}

fn backup(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write;

    fn bytes(text: &str) -> Piece {
        Piece::Bytes(text.as_bytes().to_vec())
    }

    fn append(path: &Path, text: &str) {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_log_is_followed_from_before_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut follower = Follower::of_current(&path);
        assert_eq!(follower.read().unwrap(), Piece::Nothing);
        append(&path, "one");
        assert_eq!(follower.read().unwrap(), bytes("one"));
        assert_eq!(follower.read().unwrap(), Piece::Nothing);
        append(&path, "two");
        assert_eq!(follower.read().unwrap(), bytes("two"));
    }

    #[test]
    fn a_log_that_is_moved_aside_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "one");
        let mut follower = Follower::of_current(&path);
        assert_eq!(follower.read().unwrap(), bytes("one"));
        append(&path, "two");
        fs::rename(&path, backup(&path, 0)).unwrap();
        append(&path, "three");
        assert_eq!(follower.read().unwrap(), bytes("two"));
        assert_eq!(follower.read().unwrap(), bytes("three"));
        assert_eq!(follower.read().unwrap(), Piece::Nothing);
    }

    #[test]
    fn a_new_boot_is_told_from_more_output() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "old boot");
        let mut follower = Follower::of_current(&path);
        assert_eq!(follower.read().unwrap(), bytes("old boot"));
        fs::write(&path, "new").unwrap();
        assert_eq!(follower.read().unwrap(), Piece::StartedOver);
        assert_eq!(follower.read().unwrap(), bytes("new"));
        // Kept open elsewhere, so that the new file cannot get the old one's inode.
        let _held = File::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        append(&path, "newer");
        assert_eq!(follower.read().unwrap(), Piece::StartedOver);
        assert_eq!(follower.read().unwrap(), bytes("newer"));
    }

    #[test]
    fn a_view_begins_with_the_last_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&path, "long ago, just now");
        let mut follower = Follower::of_current(&path).from_last(8);
        assert_eq!(follower.read().unwrap(), bytes("just now"));
        append(&path, "!");
        assert_eq!(follower.read().unwrap(), bytes("!"));
    }

    #[test]
    fn all_that_is_recorded_comes_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        append(&backup(&path, 1), "one ");
        append(&backup(&path, 0), "two ");
        append(&path, "three");
        let mut follower = Follower::of_all(&path);
        let mut all = Vec::new();
        while let Piece::Bytes(bytes) = follower.read().unwrap() {
            all.extend(bytes);
        }
        assert_eq!(all, b"one two three");
    }
}
