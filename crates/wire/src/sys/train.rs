//! Sending many frames with one call, as trains where the kernel cuts them apart again.
//!
//! # Theory of operation
//!
//! What a datagram costs is its way through the kernel's stack, not the system call. With
//! `UDP_SEGMENT` a *train* of datagrams of one length goes that way once, and is cut where it is
//! received; whoever reads there sees single datagrams. The last one of a train may be shorter.
//!
//! Frames to one peer are cut into runs of one length; each run becomes one message, and all
//! messages go with one `sendmmsg`. Nothing is copied: a message is a list of pointers to where
//! the frames lie. No frame is held back so that a train gets longer: a train is what lies there.
//!
//! Example: lengths 1500 1500 1500 900 60 60 become two messages, [1500 1500 1500 900] and
//! [60 60].

use std::io;
use std::os::fd::RawFd;

/// Most datagrams in a train: the kernel's own limit since `UDP_SEGMENT` exists.
const TRAIN_FRAMES: usize = 64;

/// Most bytes in a train: an IPv4 packet with its headers, with room to spare.
const TRAIN_BYTES: usize = 65_000;

/// A control message with one `u16`, aligned as the kernel wants it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct SegmentControl {
    header: libc::cmsghdr,
    length: u16,
    _padding: [u8; 6],
}

/// Whether frames travel in trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trains {
    /// They do.
    On,
    /// The kernel refused; each frame is a message of its own.
    Off,
}

/// The messages of one call, in memory that is used again and again. One is enough for all ports:
/// it keeps nothing from one call to the next.
#[derive(Default)]
pub struct Messages {
    vectors: Vec<libc::iovec>,
    /// For each message: its first vector, their number, and its bytes.
    runs: Vec<Run>,
    controls: Vec<SegmentControl>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the raw pointers are only followed by `send`, which writes them all anew from what it
// borrows.
unsafe impl Send for Messages {}

/// Frames that travel as one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    first: usize,
    pub(super) frames: usize,
    pub(super) bytes: usize,
    /// Length of each frame but the last, which may be shorter.
    segment_bytes: usize,
}

impl Messages {
    /// The runs of the last call.
    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Cuts frames into runs and sends those from `skip` on, without waiting; returns how many
    /// messages went.
    ///
    /// # Errors
    ///
    /// When not even the first of them went.
    pub(super) fn send<'a>(
        &mut self,
        socket: RawFd,
        frames: impl Iterator<Item = &'a [u8]>,
        trains: Trains,
        skip: usize,
    ) -> io::Result<usize> {
        self.vectors.clear();
        for frame in frames {
            self.vectors.push(libc::iovec {
                iov_base: frame.as_ptr().cast_mut().cast(),
                iov_len: frame.len(),
            });
        }
        self.cut(trains);
        self.point_headers();
        if self.headers.len() <= skip {
            return Ok(0);
        }
        // SAFETY: headers, vectors and controls are ours and were just written; the vectors lead
        // to frames that are borrowed until this function returns. The kernel only reads them.
        let count = unsafe {
            libc::sendmmsg(
                socket,
                self.headers[skip..].as_mut_ptr(),
                (self.headers.len() - skip) as libc::c_uint,
                libc::MSG_DONTWAIT,
            )
        };
        super::check_size(count as libc::ssize_t)
    }

    fn cut(&mut self, trains: Trains) {
        self.runs.clear();
        for (index, vector) in self.vectors.iter().enumerate() {
            let bytes = vector.iov_len;
            if trains == Trains::On
                && let Some(run) = self.runs.last_mut()
                && run.takes(bytes)
            {
                run.frames += 1;
                run.bytes += bytes;
                continue;
            }
            self.runs.push(Run {
                first: index,
                frames: 1,
                bytes,
                segment_bytes: bytes,
            });
        }
    }

    fn point_headers(&mut self) {
        self.controls.clear();
        self.controls
            .extend(self.runs.iter().map(|run| SegmentControl {
                header: libc::cmsghdr {
                    cmsg_len: (size_of::<libc::cmsghdr>() + size_of::<u16>()) as _,
                    cmsg_level: libc::SOL_UDP,
                    cmsg_type: libc::UDP_SEGMENT,
                },
                length: u16::try_from(run.segment_bytes).unwrap_or(u16::MAX),
                _padding: [0; 6],
            }));
        self.headers.clear();
        let vectors = self.vectors.as_mut_ptr();
        let controls = self.controls.as_mut_ptr();
        for (index, run) in self.runs.iter().enumerate() {
            // SAFETY: all zeros is a valid mmsghdr: null pointers and lengths of 0.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            let header = &mut message.msg_hdr;
            // SAFETY: the run lies within the vectors, and there is one control a run.
            unsafe {
                header.msg_iov = vectors.add(run.first);
                if run.frames > 1 {
                    header.msg_control = controls.add(index).cast();
                    header.msg_controllen = size_of::<SegmentControl>() as _;
                }
            }
            header.msg_iovlen = run.frames as _;
            self.headers.push(message);
        }
    }
}

impl Run {
    /// Whether a frame may follow: all before it have one length, and it is not longer.
    fn takes(&self, bytes: usize) -> bool {
        let full = self.bytes == self.frames * self.segment_bytes;
        full && bytes <= self.segment_bytes
            && self.frames < TRAIN_FRAMES
            && self.bytes + bytes <= TRAIN_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(lengths: &[usize], trains: Trains) -> Vec<(usize, usize)> {
        let vector = |length: &usize| libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: *length,
        };
        let mut messages = Messages {
            vectors: lengths.iter().map(vector).collect(),
            ..Messages::default()
        };
        messages.cut(trains);
        messages
            .runs
            .iter()
            .map(|run| (run.frames, run.bytes))
            .collect()
    }

    #[test]
    fn a_train_has_one_length_and_a_shorter_last_one() {
        let lengths = [1500, 1500, 1500, 900, 60, 60, 1500];
        assert_eq!(cut(&lengths, Trains::On), [(4, 5400), (2, 120), (1, 1500)]);
        assert_eq!(cut(&lengths, Trains::Off).len(), lengths.len());
    }

    #[test]
    fn nothing_follows_the_shorter_one() {
        assert_eq!(cut(&[100, 50, 50], Trains::On), [(2, 150), (1, 50)]);
    }

    #[test]
    fn trains_have_limits_of_the_kernel() {
        assert_eq!(cut(&[1; 130], Trains::On), [(64, 64), (64, 64), (2, 2)]);
        let jumbo = cut(&[9000; 16], Trains::On);
        assert!(
            jumbo.iter().all(|(_, bytes)| *bytes <= TRAIN_BYTES),
            "{jumbo:?}"
        );
        assert_eq!(cut(&[65_507, 65_507], Trains::On).len(), 2);
    }
}
