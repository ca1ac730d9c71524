//! Counting the frames of a capture.

use super::FrameLook;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use vnflab_wire::capture::blocks::{BlockReader, Body};
use vnflab_wire::control::CaptureStream;

/// Bytes that are read at a time.
const READ_BYTES: usize = 64 << 10;

/// How long is waited at a time, so that an interruption is noticed.
const LOOK: Duration = Duration::from_millis(100);

/// Counts until there are enough or time is up.
pub(super) fn count(stream: &mut CaptureStream, look: &FrameLook<'_>) -> Result<u64, String> {
    let end = Instant::now() + look.during;
    let mut blocks = BlockReader::default();
    let mut bytes = vec![0; READ_BYTES];
    // Whether the frames of each interface of the capture are meant.
    let mut meant: Vec<bool> = Vec::new();
    let mut seen = 0;
    while seen < look.enough && !look.cancel.load(Ordering::Relaxed) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        if !stream.is_buffered() {
            let timeout = Timespec::try_from(left.min(LOOK)).expect("a moment fits");
            let mut descriptors = [PollFd::new(&*stream, PollFlags::IN)];
            let ready = poll(&mut descriptors, Some(&timeout));
            if !matches!(ready, Ok(count) if count > 0) {
                continue;
            }
        }
        let length = match stream.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("the capture broke off: {error}")),
            Ok(0) => return Err("the capture broke off".to_owned()),
            Ok(length) => length,
        };
        blocks.push(&bytes[..length]);
        while let Some(block) = blocks.next_block().map_err(|error| error.to_string())? {
            match block.body {
                Body::Section => meant.clear(),
                Body::Interface { name } => {
                    let is_meant = look.from.is_none_or(|from| name == Some(from));
                    meant.push(is_meant);
                }
                Body::Packet(packet) => {
                    let interface = packet.interface as usize;
                    seen += u64::from(meant.get(interface).copied().unwrap_or(false));
                }
                Body::Statistics { .. } | Body::Other => {}
            }
        }
    }
    Ok(seen)
}
