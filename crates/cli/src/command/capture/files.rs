//! Captures in files: one, or one after the other, each complete in itself.

use super::pump::Sink;
use crate::error::{CommandError, ErrorKind};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vnflab_wire::capture::blocks::{Block, Body};

/// When another file is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rotation {
    /// Never: there is one file, of the name that was given.
    Never,
    /// Before a file has more bytes than this, unless one frame alone has more.
    Bytes(u64),
    /// After this time.
    Time(Duration),
}

/// A file that is written, and those before it.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    rotation: Rotation,
    keep: usize,
    /// What every file begins with: the section and its interfaces.
    head: Vec<u8>,
    current: Current,
    /// All that are there, the newest last.
    paths: Vec<PathBuf>,
    begun: u64,
}

#[derive(Debug)]
struct Current {
    file: BufWriter<File>,
    bytes: u64,
    frames: u64,
    since: Instant,
}

impl Files {
    /// Opens the first file.
    pub(super) fn new(
        path: &Path,
        rotation: Rotation,
        keep: Option<NonZeroUsize>,
    ) -> Result<Self, CommandError> {
        let first = name(path, rotation, 1);
        Ok(Self {
            path: path.to_owned(),
            rotation,
            keep: keep.map_or(usize::MAX, NonZeroUsize::get),
            head: Vec::new(),
            current: Current::open(&first)?,
            paths: vec![first],
            begun: 1,
        })
    }

    /// The files that are there, the newest last.
    pub(super) fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    fn failed(&self, error: &io::Error) -> CommandError {
        let path = self.paths.last().unwrap_or(&self.path);
        unwritable(path, error)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        let written = self.current.file.write_all(bytes);
        written.map_err(|error| self.failed(&error))?;
        self.current.bytes += bytes.len() as u64;
        Ok(())
    }

    fn is_full(&self, more: usize) -> bool {
        match self.rotation {
            Rotation::Never => false,
            Rotation::Bytes(most) => {
                self.current.frames > 0 && self.current.bytes + more as u64 > most
            }
            Rotation::Time(most) => self.current.since.elapsed() >= most,
        }
    }

    fn begin_next(&mut self) -> Result<(), CommandError> {
        self.flush()?;
        self.begun += 1;
        let next = name(&self.path, self.rotation, self.begun);
        self.current = Current::open(&next)?;
        self.paths.push(next);
        while self.paths.len() > self.keep {
            let oldest = self.paths.remove(0);
            // Somebody may have taken it away already.
            let _ = std::fs::remove_file(oldest);
        }
        let head = std::mem::take(&mut self.head);
        self.write(&head)?;
        self.head = head;
        Ok(())
    }
}

impl Sink for Files {
    fn take(&mut self, block: &Block<'_>) -> Result<(), CommandError> {
        match block.body {
            Body::Section => self.head = block.bytes.to_vec(),
            Body::Interface { .. } => self.head.extend_from_slice(block.bytes),
            Body::Packet(_) => {
                if self.is_full(block.bytes.len()) {
                    self.begin_next()?;
                }
                self.current.frames += 1;
            }
            Body::Statistics { .. } | Body::Other => {}
        }
        self.write(block.bytes)
    }

    fn flush(&mut self) -> Result<(), CommandError> {
        let flushed = self.current.file.flush();
        flushed.map_err(|error| self.failed(&error))
    }

    fn reader(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Current {
    fn open(path: &Path) -> Result<Self, CommandError> {
        Ok(Self {
            file: BufWriter::new(File::create(path).map_err(|error| unwritable(path, &error))?),
            bytes: 0,
            frames: 0,
            since: Instant::now(),
        })
    }
}

fn unwritable(path: &Path, error: &io::Error) -> CommandError {
    let message = format!("`{}` cannot be written", path.display());
    CommandError::new(ErrorKind::Failed, message).caused_by(error)
}

/// `cap.pcapng`, or `cap-00001.pcapng` where others follow.
fn name(path: &Path, rotation: Rotation, number: u64) -> PathBuf {
    if rotation == Rotation::Never {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number:05}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vnflab_wire::capture::blocks::BlockReader;
    use vnflab_wire::capture::pcapng::{Direction, Interface, Packet, PcapngWriter};

    /// A stream of frames, each of which takes 200 bytes and some.
    fn stream(frames: u8) -> Vec<u8> {
        let mut writer = PcapngWriter::new("test");
        let mut stream = Vec::new();
        writer.begin(&mut stream);
        let interface = Interface {
            name: "r1:eth1".to_owned(),
            description: None,
            filter: None,
            snaplen: 0,
        };
        let r1 = writer.interface(interface, &mut stream);
        for number in 0..frames {
            let packet = Packet {
                interface: r1,
                nanoseconds: 0,
                direction: Direction::Outbound,
                frame: &[number; 200],
                length: 200,
                comment: "",
                missed: 0,
            };
            writer.packet(&packet, &mut stream);
        }
        stream
    }

    fn feed(files: &mut Files, stream: &[u8]) {
        let mut reader = BlockReader::default();
        reader.push(stream);
        while let Some(block) = reader.next_block().unwrap() {
            files.take(&block).unwrap();
        }
        files.flush().unwrap();
    }

    /// The numbers of the frames in a file, which begins as every stream does.
    fn numbers(path: &Path) -> Vec<u8> {
        let bytes = std::fs::read(path).unwrap();
        let mut reader = BlockReader::default();
        reader.push(&bytes);
        assert_eq!(reader.next_block().unwrap().unwrap().body, Body::Section);
        let second = reader.next_block().unwrap().unwrap().body;
        assert!(matches!(second, Body::Interface { .. }), "{second:?}");
        let mut found = Vec::new();
        while let Some(block) = reader.next_block().unwrap() {
            let Body::Packet(packet) = block.body else {
                panic!("{block:?}");
            };
            found.push(packet.frame[0]);
        }
        found
    }

    #[test]
    fn files_are_parted_by_size_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cap.pcapng");
        let mut files = Files::new(&path, Rotation::Bytes(700), NonZeroUsize::new(2)).unwrap();
        feed(&mut files, &stream(7));
        let names: Vec<_> = files
            .paths()
            .iter()
            .map(|path| path.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(names, ["cap-00003.pcapng", "cap-00004.pcapng"]);
        assert_eq!(numbers(&files.paths()[0]), [4, 5]);
        assert_eq!(numbers(&files.paths()[1]), [6]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        let large = |path: &PathBuf| path.metadata().unwrap().len() > 700;
        assert!(!files.paths().iter().any(large));
    }

    #[test]
    fn a_frame_that_is_larger_than_a_file_has_one_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cap");
        let mut files = Files::new(&path, Rotation::Bytes(1), None).unwrap();
        feed(&mut files, &stream(3));
        let found: Vec<_> = files.paths().iter().map(|path| numbers(path)).collect();
        assert_eq!(found, [[0], [1], [2]]);
    }

    #[test]
    fn a_full_disk_is_told_with_its_file() {
        let mut files = Files::new(Path::new("/dev/full"), Rotation::Never, None).unwrap();
        let mut reader = BlockReader::default();
        reader.push(&stream(1));
        while let Some(block) = reader.next_block().unwrap() {
            files.take(&block).unwrap();
        }
        let error = files.flush().unwrap_err();
        assert_eq!(error.message, "`/dev/full` cannot be written");
        assert!(error.causes[0].contains("No space left"), "{error:?}");
    }
}
