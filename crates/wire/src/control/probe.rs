//! Proving that the ends of a link are joined, with frames that guests ignore.
//!
//! A probe is a frame of the EtherType for local experiments (0x88B5, IEEE 802), to an address
//! that nobody has. It is let in at one end as if its node had sent it, goes through whatever the
//! link asks for, and is looked for where it is delivered to the others.

use super::protocol::ProbeReport;
use crate::core::cause::Cause;
use crate::sys::Clock;
use crate::wire::{WatchRequest, Wire, WireError};
use std::collections::BTreeMap;
use std::time::Duration;
use vnflab_filter::Filter;

/// Most frames of a probe.
pub(super) const COUNT_LIMIT: u32 = 1000;

/// How long probes may be under way at most: longer than any delay that one would try.
const PATIENCE: Duration = Duration::from_secs(5);

/// To whom: a locally administered address of ours.
const RECEIVER: [u8; 6] = [0x02, 0x76, 0x6e, 0x66, 0x00, 0xff];

/// From whom; the last byte counts.
const SENDER: [u8; 6] = [0x02, 0x76, 0x6e, 0x66, 0x00, 0x00];

const ETHER_TYPE: [u8; 2] = [0x88, 0xb5];

/// Stands behind the header, so that experiments of others are told from ours.
const MARK: &[u8; 8] = b"vnflab-p";

const FRAME_BYTES: usize = 60;

/// A probe under way: the wire is only needed to begin and to end it.
pub(super) struct Probe {
    from: String,
    sent: u32,
    watch: crate::core::watch::WatchId,
    inlet: crate::shard::Inlet,
    others: Vec<String>,
    names: BTreeMap<u32, String>,
    refused: BTreeMap<String, u64>,
}

impl Probe {
    /// Sends frames from one member and watches the others.
    pub(super) fn begin(
        wire: &mut Wire,
        from: &str,
        members: &[String],
        count: u32,
    ) -> Result<Self, WireError> {
        let others: Vec<String> = members.iter().filter(|end| *end != from).cloned().collect();
        let filter = Filter::parse("ether proto 0x88b5").expect("the expression is good");
        let (watch, inlet) = wire.watch(WatchRequest {
            sent_by: Vec::new(),
            received_by: others.clone(),
            filter: Some(filter),
            snap_length: FRAME_BYTES as u32,
        })?;
        let probe = Self {
            from: from.to_owned(),
            sent: count,
            watch,
            inlet,
            names: wire.names(),
            refused: refused(wire, &others),
            others,
        };
        let frames = (0..count).map(|number| frame(number, Clock::now()));
        wire.inject(from, frames.collect())?;
        Ok(probe)
    }

    /// Waits for the frames: until all have come to everybody, or the time is over.
    pub(super) fn collect(&self) -> BTreeMap<String, Vec<u64>> {
        let mut seen: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let end = Clock::now() + PATIENCE.as_nanos() as u64;
        let wanted = self.sent as usize * self.others.len();
        let mut count = 0;
        while count < wanted {
            let left = end.saturating_sub(Clock::now());
            let Ok(Some(chunk)) = self.inlet.next(Duration::from_nanos(left)) else {
                break;
            };
            for (record, bytes) in chunk.frames() {
                let (Some(name), Some(sent_ns)) = (self.names.get(&record.end), sent_at(bytes))
                else {
                    continue;
                };
                let latency = record.stamp_ns.saturating_sub(sent_ns);
                seen.entry(name.clone()).or_default().push(latency);
                count += 1;
            }
        }
        seen
    }

    /// Ends the watch, and says what was seen.
    pub(super) fn end(
        self,
        wire: &Wire,
        mut seen: BTreeMap<String, Vec<u64>>,
    ) -> Result<Vec<ProbeReport>, WireError> {
        wire.unwatch(self.watch)?;
        let refused_now = refused(wire, &self.others);
        let reports = self.others.iter().map(|to| {
            let mut latencies = seen.remove(to).unwrap_or_default();
            latencies.sort_unstable();
            let middle = latencies.get(latencies.len() / 2);
            let all = (latencies.first(), middle, latencies.last());
            ProbeReport {
                from: self.from.clone(),
                to: to.clone(),
                sent: self.sent,
                received: latencies.len() as u32,
                latency_ns: match all {
                    (Some(least), Some(median), Some(most)) => Some([*least, *median, *most]),
                    _ => None,
                },
                listens: refused_now.get(to) == self.refused.get(to),
            }
        });
        Ok(reports.collect())
    }
}

fn refused(wire: &Wire, ends: &[String]) -> BTreeMap<String, u64> {
    let counts = wire.counts();
    let of = |end: &String| {
        let counts = counts.get(end.as_str());
        (
            end.clone(),
            counts.map_or(0, |counts| counts.dropped(Cause::Refused)),
        )
    };
    ends.iter().map(of).collect()
}

fn frame(number: u32, now_ns: u64) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_BYTES);
    frame.extend(RECEIVER);
    frame.extend(SENDER);
    frame.extend(ETHER_TYPE);
    frame.extend(MARK);
    frame.extend(number.to_be_bytes());
    frame.extend(now_ns.to_be_bytes());
    frame.resize(FRAME_BYTES, 0);
    frame
}

/// When a probe was sent; `None` for frames that are no probes, or damaged ones.
fn sent_at(frame: &[u8]) -> Option<u64> {
    let rest = frame.get(12..)?.strip_prefix(&ETHER_TYPE)?;
    let rest = rest.strip_prefix(MARK)?;
    Some(u64::from_be_bytes(rest.get(4..12)?.try_into().ok()?))
}
