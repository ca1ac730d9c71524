//! What is said over the control socket.
//!
//! | request | answer |
//! | --- | --- |
//! | `{"do":"hello"}` | who serves: [`Hello`] |
//! | `{"do":"config"}` | the [`Config`] as it is now |
//! | `{"do":"apply","config":{..}}` | becomes as the configuration says |
//! | `{"do":"change","change":{..}}` | one [`Change`]; the configuration as it is then |
//! | `{"do":"counts"}` | [`Status`]: state and counts of every end |
//! | `{"do":"probe","junction":"..","count":10}` | [`ProbeReport`]s, one a direction |
//! | `{"do":"capture",..}` | an empty answer, and then a pcapng stream until the reader leaves |
//! | `{"do":"stop"}` | ends the wire for good |
//!
//! Each answer is `{"ok":..}` or `{"error":"why"}`. A line that is no request is answered with an
//! error too, and the connection stays.

use super::change::Change;
use crate::config::Config;
use crate::core::cause::Cause;
use crate::core::counters::EndCounts;
use crate::core::junction::LinkState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of this language. A client that speaks a later one is told.
pub const VERSION: u32 = 1;

/// Longest request in bytes: a configuration of tens of thousands of links.
pub const REQUEST_LIMIT: usize = 64 << 20;

/// Connections served at a time; further ones are told to come back.
pub const CONNECTION_LIMIT: usize = 64;

/// What a client may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Who is there?
    Hello,
    /// The configuration as it is.
    Config,
    /// Become so.
    Apply {
        /// What the wire shall be.
        config: Box<Config>,
    },
    /// Change one thing.
    Change {
        /// Which.
        change: Change,
    },
    /// States and counts.
    Counts,
    /// Prove that the ends of a link or segment are joined.
    Probe {
        /// The link or segment.
        junction: String,
        /// Frames sent from each member, 1 to [`super::probe::COUNT_LIMIT`].
        count: u32,
    },
    /// Copy frames; the answer is followed by a pcapng stream. It ends with statistics when the
    /// client shuts down its sending side.
    Capture {
        /// What.
        capture: CaptureRequest,
    },
    /// End for good.
    Stop,
}

/// What to capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CaptureRequest {
    /// A link or segment: what each member sends. Or one end: what it sends and receives.
    pub what: String,
    /// Only frames that this pcap filter expression matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Bytes kept of each frame; 0 keeps all.
    pub snap_length: u32,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply<T> {
    /// It was done.
    Ok(T),
    /// It was not, for this reason, and nothing has changed.
    Error(String),
}

/// Who serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hello {
    /// Version of the language.
    pub version: u32,
    /// Version of the program.
    pub program: String,
    /// Process that moves the frames.
    pub process: u32,
    /// Since when, in nanoseconds since 1970.
    pub started_ns: u64,
}

/// How everything is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// The time of day at which the counts were read, in nanoseconds since 1970.
    pub time_ns: u64,
    /// Bytes of memory that waiting frames hold.
    pub waiting_bytes: u64,
    /// Each end by name.
    pub ends: BTreeMap<String, EndStatus>,
}

/// How an end is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EndStatus {
    /// Whether its frames may pass now, schedules included.
    pub state: LinkState,
    /// Frames that came in from this end.
    pub received_frames: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Frames that were sent out to this end.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames that came through its lane.
    pub passed_frames: u64,
    /// Copies that the lane made.
    pub duplicates: u64,
    /// Frames that wait in its lane.
    pub held_frames: u64,
    /// Frames dropped, by cause.
    pub drops: BTreeMap<Cause, u64>,
    /// Frames of this end that spent less than 2^n microseconds in the wire, for each n; only of
    /// links that ask for something or are captured.
    pub latency: Vec<u64>,
    /// Frames that the kernel dropped because the wire did not take them in time, since the wire
    /// was started.
    pub overruns: u64,
}

impl EndStatus {
    /// From the counts.
    pub(crate) fn new(state: LinkState, counts: &EndCounts, overruns: u64) -> Self {
        Self {
            state,
            received_frames: counts.received_frames,
            received_bytes: counts.received_bytes,
            sent_frames: counts.sent_frames,
            sent_bytes: counts.sent_bytes,
            passed_frames: counts.passed_frames,
            duplicates: counts.duplicates,
            held_frames: counts.held_frames,
            drops: counts.drops.iter().copied().collect(),
            latency: counts.latency.to_vec(),
            overruns,
        }
    }

    /// Frames dropped, whatever the cause.
    pub fn dropped(&self) -> u64 {
        self.drops.values().sum()
    }
}

/// What became of the frames that were sent to probe one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProbeReport {
    /// Whose frames.
    pub from: String,
    /// Where they were looked for.
    pub to: String,
    /// Frames sent.
    pub sent: u32,
    /// Frames that came out there.
    pub received: u32,
    /// Time through the wire in nanoseconds: least, median and most; absent if none came.
    pub latency_ns: Option<[u64; 3]>,
    /// Whether somebody listens at the end of the tunnel: no frame was refused there.
    pub listens: bool,
}
