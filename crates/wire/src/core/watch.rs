//! Captures as the data plane sees them: what to copy, and where it is collected.
//!
//! A watch copies frames into a chunk; when a batch is done, whoever owns the fabric takes the
//! chunk away. How many chunks may wait for a slow reader is decided there, and frames that find
//! no room are counted here, so that the reader can be told.

use super::EndId;
use super::cause::Cause;
use vnflab_filter::Filter;

/// Names a watch.
pub type WatchId = u64;

/// Which way a frame went, as its node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The node sent it.
    Sent,
    /// It was delivered to the node.
    Received,
}

/// A frame in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The end it was seen at.
    pub end: EndId,
    /// When: the kernel's time of arrival, or the time of sending. Monotonic, in nanoseconds.
    pub stamp_ns: u64,
    /// Length of the whole frame.
    pub original_length: u32,
    /// Bytes of it that were kept.
    pub kept_length: u32,
    /// Which way it went.
    pub direction: Direction,
    /// Why it got no further.
    pub dropped: Option<Cause>,
}

/// Frames that were copied together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// One for each frame, in the order in which they were seen.
    pub records: Vec<Record>,
    /// The kept bytes of all of them, one after the other.
    pub bytes: Vec<u8>,
    /// Frames before these that found no room on their way to the reader.
    pub missed_before: u64,
}

impl Chunk {
    /// The records with their bytes.
    pub fn frames(&self) -> impl Iterator<Item = (&Record, &[u8])> {
        let mut rest = &self.bytes[..];
        self.records.iter().map(move |record| {
            let (bytes, behind) = rest.split_at(record.kept_length as usize);
            rest = behind;
            (record, bytes)
        })
    }
}

/// What a watch looks at.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchSpec {
    /// Ends whose sent frames are copied.
    pub sent_by: Vec<EndId>,
    /// Ends to which frames are delivered that are copied.
    pub received_by: Vec<EndId>,
    /// Only frames that match.
    pub filter: Option<Filter>,
    /// Bytes kept of each frame.
    pub snap_length: u32,
}

/// A running watch.
#[derive(Debug)]
pub struct Watch {
    /// Its name.
    pub id: WatchId,
    /// What it looks at.
    pub spec: WatchSpec,
    /// What it has copied since it was last asked.
    pub chunk: Chunk,
}

impl Watch {
    /// Copies a frame if it is one to copy.
    pub fn look(&mut self, record: Record, frame: &[u8]) {
        let ends = match record.direction {
            Direction::Sent => &self.spec.sent_by,
            Direction::Received => &self.spec.received_by,
        };
        let matches = |filter: &Filter| filter.matches(frame);
        if !ends.contains(&record.end) || !self.spec.filter.as_ref().is_none_or(matches) {
            return;
        }
        let kept = frame.len().min(self.spec.snap_length as usize);
        self.chunk.bytes.extend_from_slice(&frame[..kept]);
        self.chunk.records.push(Record {
            kept_length: kept as u32,
            ..record
        });
    }
}
