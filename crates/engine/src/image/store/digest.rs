//! Checksums of images, made while they are copied and read.

use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hashes what is read through it.
pub(super) struct Hashing<R> {
    inner: R,
    hasher: Sha256,
}

impl<R> Hashing<R> {
    pub(super) fn new(inner: R) -> Self {
        let hasher = Sha256::new();
        Self { inner, hasher }
    }

    pub(super) fn digest(self) -> String {
        hex(&self.hasher.finalize())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

/// Hashes what is written to it.
pub(super) struct HashingSink<'a> {
    hasher: Sha256,
    done: u64,
    on_progress: &'a mut dyn FnMut(u64),
}

impl<'a> HashingSink<'a> {
    /// `on_progress` is given the bytes that have been written.
    pub(super) fn new(on_progress: &'a mut dyn FnMut(u64)) -> Self {
        Self {
            hasher: Sha256::new(),
            done: 0,
            on_progress,
        }
    }

    pub(super) fn digest(self) -> String {
        hex(&self.hasher.finalize())
    }
}

impl Write for HashingSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        self.done += bytes.len() as u64;
        (self.on_progress)(self.done);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
