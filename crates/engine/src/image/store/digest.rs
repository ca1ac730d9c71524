//! Digests of image files: SHA-256, which says whether a file is what it was, and MD5, by which
//! vendors' images are listed in public. Only the first is ever relied on.

use md5::Md5;
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

/// Digests of a file, in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) sha256: String,
    pub(super) md5: String,
}

/// Hashes what is read through it.
pub(super) struct Hashing<R> {
    inner: R,
    sha256: Sha256,
    md5: Md5,
}

impl<R> Hashing<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            sha256: Sha256::new(),
            md5: Md5::new(),
        }
    }

    pub(super) fn digests(self) -> Digests {
        Digests {
            sha256: hex(&self.sha256.finalize()),
            md5: hex(&self.md5.finalize()),
        }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.sha256.update(&buffer[..count]);
        self.md5.update(&buffer[..count]);
        Ok(count)
    }
}

/// Hashes what is written to it.
pub(super) struct HashingSink<'a> {
    sha256: Sha256,
    done: u64,
    on_progress: &'a mut dyn FnMut(u64),
}

impl<'a> HashingSink<'a> {
    pub(super) fn new(on_progress: &'a mut dyn FnMut(u64)) -> Self {
        Self {
            sha256: Sha256::new(),
            done: 0,
            on_progress,
        }
    }

    /// The SHA-256 of all that was written, in hex.
    pub(super) fn sha256(self) -> String {
        hex(&self.sha256.finalize())
    }
}

impl Write for HashingSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sha256.update(bytes);
        self.done += bytes.len() as u64;
        (self.on_progress)(self.done);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_has_the_digests_of_the_standards() {
        // RFC 1321, A.5; FIPS 180-2, B.1.
        let mut hashing = Hashing::new(&b"abc"[..]);
        io::copy(&mut hashing, &mut io::sink()).unwrap();
        let digests = hashing.digests();
        assert_eq!(digests.md5, "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            digests.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let mut done = 0;
        let mut on_progress = |bytes| done = bytes;
        let mut sink = HashingSink::new(&mut on_progress);
        sink.write_all(b"abc").unwrap();
        assert_eq!(sink.sha256(), digests.sha256);
        assert_eq!(done, 3);
    }
}
