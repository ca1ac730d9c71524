//! The memory that frames are received into, a batch at a time.

use super::clock::{Clock, Stamp, to_ns};
use std::io;
use std::os::fd::RawFd;

/// Frames received by one call. More make the kernel's work no cheaper, and let others wait.
pub const BATCH: usize = 64;

/// The largest UDP datagram (65,535 less the headers of IPv4 and UDP) and a little more, so that
/// a longer one would be seen as truncated.
const SLOT_BYTES: usize = 65_536;

/// Distance between two slots. Not a power of two: the first lines of all frames would fall into
/// the same few sets of the cache.
const STRIDE_BYTES: usize = SLOT_BYTES + 4096 + 1600;

/// Room for one control message with a timestamp.
const CONTROL_BYTES: usize = 64;

/// A frame that came in: its slot, its length, and when it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The slot of the arena that it is in.
    pub slot: u16,
    /// Its length in bytes; 0 is an empty datagram.
    pub length: usize,
    /// When the kernel got it, on the monotonic clock; `None` where nobody asked for stamps.
    pub stamp: Option<Stamp>,
}

/// Slots for one batch, with the headers that the kernel fills.
pub struct Arena {
    memory: Box<[u8]>,
    controls: Box<[[u8; CONTROL_BYTES]]>,
    vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    arrivals: Vec<Arrival>,
}

// SAFETY: the raw pointers in headers and vectors are only followed by the call before which
// they are all written anew.
unsafe impl Send for Arena {}

impl Default for Arena {
    fn default() -> Self {
        Self::new()
    }
}

impl Arena {
    /// Slots for [`BATCH`] frames. The memory is only taken when frames are written to it.
    pub fn new() -> Self {
        let empty = libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        };
        // SAFETY: all zeros is a valid mmsghdr: null pointers and lengths of 0.
        let header: libc::mmsghdr = unsafe { std::mem::zeroed() };
        Self {
            memory: vec![0_u8; STRIDE_BYTES * BATCH].into_boxed_slice(),
            controls: vec![[0_u8; CONTROL_BYTES]; BATCH].into_boxed_slice(),
            vectors: vec![empty; BATCH].into_boxed_slice(),
            headers: vec![header; BATCH].into_boxed_slice(),
            arrivals: Vec::with_capacity(BATCH),
        }
    }

    /// Points every header at its slot and its room for control messages.
    fn point_headers(&mut self, control_bytes: usize) {
        let memory = self.memory.as_mut_ptr();
        for slot in 0..BATCH {
            let vector = &mut self.vectors[slot];
            // SAFETY: slot `slot` begins inside the memory, which has BATCH strides.
            vector.iov_base = unsafe { memory.add(slot * STRIDE_BYTES) }.cast();
            vector.iov_len = SLOT_BYTES;
            let header = &mut self.headers[slot].msg_hdr;
            header.msg_iov = std::ptr::from_mut(vector);
            header.msg_iovlen = 1;
            header.msg_control = self.controls[slot].as_mut_ptr().cast();
            header.msg_controllen = control_bytes as _;
            header.msg_flags = 0;
        }
    }

    /// What the last call received.
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// The whole slot, of which a frame fills the beginning.
    pub fn slot(&self, slot: u16) -> &[u8] {
        let start = usize::from(slot) * STRIDE_BYTES;
        &self.memory[start..start + SLOT_BYTES]
    }

    /// As [`Self::slot`], to be changed.
    pub fn slot_mut(&mut self, slot: u16) -> &mut [u8] {
        let start = usize::from(slot) * STRIDE_BYTES;
        &mut self.memory[start..start + SLOT_BYTES]
    }

    /// Receives up to a batch from a socket without waiting.
    pub(super) fn receive_messages(
        &mut self,
        socket: RawFd,
        clock: Option<Clock>,
    ) -> io::Result<()> {
        self.arrivals.clear();
        self.point_headers(if clock.is_some() { CONTROL_BYTES } else { 0 });
        // SAFETY: the headers were just pointed at vectors, slots and controls of the arena, each
        // writable for the length that stands with it.
        let count = unsafe {
            libc::recvmmsg(
                socket,
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = super::check_size(count as libc::ssize_t)?;
        for slot in 0..count {
            let header = &self.headers[slot];
            let stamp = clock.and_then(|clock| {
                stamp_in(&self.controls[slot][..header.msg_hdr.msg_controllen])
                    .map(|time_of_day_ns| clock.to_monotonic(time_of_day_ns))
            });
            self.arrivals.push(Arrival {
                slot: slot as u16,
                length: header.msg_len as usize,
                stamp,
            });
        }
        Ok(())
    }

    /// Receives up to a batch by reading one frame after the other.
    pub(super) fn receive_singly(
        &mut self,
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
        stamp: Option<Stamp>,
    ) -> io::Result<()> {
        self.arrivals.clear();
        for slot in 0..BATCH as u16 {
            match read(self.slot_mut(slot)) {
                Ok(length) => self.arrivals.push(Arrival {
                    slot,
                    length,
                    stamp,
                }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // What came before the fault is still good.
                Err(_) if slot > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The time of day in a control message of type `SCM_TIMESTAMPNS`, in nanoseconds.
fn stamp_in(control: &[u8]) -> Option<u64> {
    const HEADER: usize = size_of::<libc::cmsghdr>();
    const TIME: usize = size_of::<libc::timespec>();
    if control.len() < HEADER + TIME {
        return None;
    }
    // SAFETY: the bytes are there (checked), any bytes make a cmsghdr, and the read is unaligned.
    let header: libc::cmsghdr = unsafe { std::ptr::read_unaligned(control.as_ptr().cast()) };
    let is_stamp =
        header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_TIMESTAMPNS;
    // SAFETY: as above, for the timespec behind the header, whose size is aligned already.
    let time: libc::timespec =
        unsafe { std::ptr::read_unaligned(control[HEADER..].as_ptr().cast()) };
    is_stamp.then(|| to_ns(&time))
}
