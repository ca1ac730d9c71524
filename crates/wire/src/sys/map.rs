//! Words of a file in memory, which outlive the process that counts in them.

use super::check;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

/// A file, mapped as 64-bit words that several processes and threads may read and add to.
///
/// A process that is killed loses nothing of what it counted: the kernel keeps the pages.
#[derive(Debug)]
pub struct SharedWords {
    start: NonNull<AtomicU64>,
    count: usize,
}

// SAFETY: the memory is only reached as atomics, and the mapping lives as long as the value.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Maps `count` words of a file, and makes it that long where it is shorter.
    ///
    /// # Errors
    ///
    /// When the file cannot be lengthened or mapped.
    pub fn map(file: &File, count: usize) -> io::Result<Self> {
        let bytes = count * size_of::<AtomicU64>();
        if file.metadata()?.len() < bytes as u64 {
            file.set_len(bytes as u64)?;
        }
        Self::map_with(bytes, count, libc::MAP_SHARED, file.as_raw_fd())
    }

    /// Words that belong to no file.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub fn anonymous(count: usize) -> io::Result<Self> {
        let bytes = count * size_of::<AtomicU64>();
        Self::map_with(bytes, count, libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1)
    }

    fn map_with(bytes: usize, count: usize, flags: i32, file: i32) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice, of a length that is not 0,
        // on an open file or none.
        let address = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes.max(1),
                libc::PROT_READ | libc::PROT_WRITE,
                flags,
                file,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mapped at 0"))?;
        Ok(Self { start, count })
    }

    /// The words.
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping has `count` words, is aligned to a page, holds zeros or what other
        // atomics wrote, and lives as long as `self`. A file that somebody else truncates would
        // raise SIGBUS; it lies in a folder that only its owner may write.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.count) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        let bytes = (self.count * size_of::<AtomicU64>()).max(1);
        // SAFETY: the mapping was made with this length and nobody borrows it any more.
        let _ = check(unsafe { libc::munmap(self.start.as_ptr().cast(), bytes) });
    }
}
