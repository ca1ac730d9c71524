//! Serving a capture: what is asked for is looked up, watched, and written as pcapng.
//!
//! # Theory of operation
//!
//! The thread of the client's connection does all of it. The shard copies frames into chunks and
//! never waits; the thread takes chunks, encodes them, and writes to the client as soon as no
//! further chunk is there, so that a live view is live. A client that reads slowly blocks only
//! this thread: chunks wait for it up to [`WATCH_BACKLOG_BYTES`](crate::shard::WATCH_BACKLOG_BYTES),
//! what comes beyond that is not copied, and the next frame that is says how many were missed.
//!
//! At each look, every [`LOOK`], it also sees whether the link or segment has other ends by now:
//! those that have joined get an interface of their own, in the middle of the stream.
//!
//! A client that has enough shuts down its sending side and gets the rest of the stream, with the
//! statistics of each interface at its end. One that just leaves is noticed within
//! [`LOOK`] even when no frames come.

use super::pcapng::{
    Direction, Interface, InterfaceId, MAX_SNAPLEN, Packet, PcapngWriter, Statistics,
};
use crate::config::{Config, JunctionConfig, JunctionKind};
use crate::control::change::{ChangeError, find};
use crate::control::protocol::{CaptureRequest, Reply};
use crate::control::server::{Served, answer};
use crate::core::EndId;
use crate::core::watch::{self, Chunk, Record, WatchId};
use crate::shard::Inlet;
use crate::sys::Clock;
use crate::wire::{WatchRequest, Wire};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use vnflab_filter::Filter;

/// Between two looks at whether the client has left and the wire still runs.
const LOOK: Duration = Duration::from_millis(100);

/// Encoded bytes that are written at a time, at least, while more frames are there.
const WRITE_BYTES: usize = 256 << 10;

/// The two clocks are compared anew at every look; a difference below this one, in nanoseconds,
/// is the time that the comparison took and not somebody who set the clock.
const CLOCK_TOLERANCE_NS: u64 = 1_000_000;

/// Answers a request for a capture, and serves it until the client leaves or the wire ends.
pub(crate) fn stream(
    served: &Served,
    stream: &mut UnixStream,
    request: &CaptureRequest,
) -> io::Result<()> {
    let _counted = served.count_capture();
    let (mut capture, header) = match Capture::begin(served, request) {
        Ok(begun) => begun,
        Err(reason) => return answer(stream, &Reply::<()>::Error(reason)),
    };
    answer(stream, &Reply::Ok(()))?;
    stream.set_write_timeout(Some(LOOK))?;
    capture.copy(stream, header)
}

/// What is captured: ends, and what to say of them.
#[derive(Debug, PartialEq, Eq)]
struct Subject {
    sent_by: Vec<String>,
    received_by: Vec<String>,
    description: String,
}

impl Subject {
    /// What a word means: a link or segment, or one end of it.
    fn find(config: &Config, what: &str) -> Result<Self, ChangeError> {
        if config.ends.contains_key(what) && !config.junctions.contains_key(what) {
            let home = config.home_of(what);
            return Ok(Self {
                sent_by: vec![what.to_owned()],
                received_by: vec![what.to_owned()],
                description: home.map_or("in no link".to_owned(), |(name, home)| noun(name, home)),
            });
        }
        let name = find(config, what)?;
        let junction = &config.junctions[&name];
        Ok(Self {
            sent_by: junction.members.clone(),
            received_by: Vec::new(),
            description: noun(&name, junction),
        })
    }
}

impl Subject {
    fn watch_request(&self, filter: Option<&Filter>, snap_length: u32) -> WatchRequest {
        WatchRequest {
            sent_by: self.sent_by.clone(),
            received_by: self.received_by.clone(),
            filter: filter.cloned(),
            snap_length,
        }
    }

    /// The numbers of the ends that it is made of.
    fn ids(&self, wire: &Wire) -> Vec<EndId> {
        let names = self.sent_by.iter();
        names.filter_map(|name| wire.id_of(name).ok()).collect()
    }
}

fn noun(name: &str, junction: &JunctionConfig) -> String {
    match junction.kind {
        JunctionKind::Link => format!("link {name}"),
        JunctionKind::Switch { .. } | JunctionKind::Hub => format!("segment {name}"),
    }
}

/// A capture that is under way. The watch ends with it.
struct Capture<'a> {
    served: &'a Served,
    request: CaptureRequest,
    filter: Option<Filter>,
    snaplen: u32,
    watch: WatchId,
    inlet: Inlet,
    writer: PcapngWriter,
    /// The numbers of the ends that are watched now.
    watched: Vec<EndId>,
    /// All ends that are or were.
    ends: HashMap<EndId, End>,
    /// Where a frame was seen last: what is missed behind it counts there.
    last: Option<EndId>,
    clock: Clock,
    started_ns: u64,
}

struct End {
    name: String,
    interface: InterfaceId,
    frames: u64,
    missed: u64,
}

impl<'a> Capture<'a> {
    /// Begins to watch, and gives the beginning of the stream.
    fn begin(served: &'a Served, request: &CaptureRequest) -> Result<(Self, Vec<u8>), String> {
        let filter = request.filter.as_deref().map(Filter::parse).transpose();
        let filter = filter.map_err(|error| error.to_string())?;
        let snaplen = match request.snap_length {
            0 => MAX_SNAPLEN,
            length => length.min(MAX_SNAPLEN),
        };
        let mut wire = served.wire();
        let subject = Subject::find(wire.config(), &request.what);
        let subject = subject.map_err(|error| error.to_string())?;
        let begun = wire.watch(subject.watch_request(filter.as_ref(), snaplen));
        let (watch, inlet) = begun.map_err(|error| error.to_string())?;
        let mut header = Vec::new();
        let writer = PcapngWriter::new(concat!("vnflab ", env!("CARGO_PKG_VERSION")));
        writer.begin(&mut header);
        let mut capture = Self {
            served,
            request: request.clone(),
            filter,
            snaplen,
            watch,
            inlet,
            writer,
            watched: subject.ids(&wire),
            ends: HashMap::new(),
            last: None,
            clock: Clock::read(),
            started_ns: Clock::time_of_day(),
        };
        capture.name_ends(&subject, &mut header);
        drop(wire);
        Ok((capture, header))
    }

    /// Gives each end that is watched an interface; one that was opened anew has one already.
    fn name_ends(&mut self, subject: &Subject, bytes: &mut Vec<u8>) {
        for (id, name) in self.watched.iter().zip(&subject.sent_by) {
            let known = self.ends.iter().find(|(_, end)| end.name == *name);
            if let Some(known) = known.map(|(known, _)| *known) {
                if let Some(end) = self.ends.remove(&known) {
                    self.ends.insert(*id, end);
                }
                continue;
            }
            let interface = Interface {
                name: name.clone(),
                description: Some(format!(
                    "{}, lab {}",
                    subject.description,
                    self.served.lab()
                )),
                filter: self.request.filter.clone(),
                snaplen: self.snaplen,
            };
            let end = End {
                name: name.clone(),
                interface: self.writer.interface(interface, bytes),
                frames: 0,
                missed: 0,
            };
            self.ends.insert(*id, end);
        }
    }

    /// Looks at the ends that the link or segment has now. Of one that is gone those are left
    /// that it had.
    fn follow(&mut self, bytes: &mut Vec<u8>) {
        let wire = self.served.wire();
        let Ok(subject) = Subject::find(wire.config(), &self.request.what) else {
            return;
        };
        let ids = subject.ids(&wire);
        if ids == self.watched {
            return;
        }
        let request = subject.watch_request(self.filter.as_ref(), self.snaplen);
        if wire.rewatch(self.watch, request).is_ok() {
            drop(wire);
            self.watched = ids;
            // What was copied before is of the ends by their old numbers.
            while let Ok(Some(chunk)) = self.inlet.next(Duration::ZERO) {
                self.encode(&chunk, bytes);
            }
            self.name_ends(&subject, bytes);
        }
    }

    /// Copies until the client has enough or the wire ends.
    fn copy(&mut self, stream: &mut UnixStream, header: Vec<u8>) -> io::Result<()> {
        let mut bytes = header;
        let mut looked = Instant::now();
        loop {
            self.write(stream, &mut bytes)?;
            if looked.elapsed() >= LOOK {
                if self.served.has_ended() || has_enough(stream) {
                    break;
                }
                self.set_clock();
                self.follow(&mut bytes);
                looked = Instant::now();
            }
            match self.inlet.next(LOOK) {
                Ok(Some(chunk)) => self.encode(&chunk, &mut bytes),
                Ok(None) => {}
                Err(_) => break,
            }
            while bytes.len() < WRITE_BYTES
                && let Ok(Some(chunk)) = self.inlet.next(Duration::ZERO)
            {
                self.encode(&chunk, &mut bytes);
            }
        }
        self.unwatch();
        while let Ok(Some(chunk)) = self.inlet.next(Duration::ZERO) {
            self.encode(&chunk, &mut bytes);
            if bytes.len() >= WRITE_BYTES {
                self.write(stream, &mut bytes)?;
            }
        }
        self.end(&mut bytes);
        self.write(stream, &mut bytes)
    }

    /// Ends the watch; what it has copied is still in the inlet.
    fn unwatch(&self) {
        // A wire that has ended watches nothing.
        let _ = self.served.wire().unwatch(self.watch);
    }

    /// Follows the time of day when somebody sets it.
    fn set_clock(&mut self) {
        let (now, now_ns) = (Clock::read(), Clock::now());
        let (is, was) = (
            now.to_time_of_day(now_ns),
            self.clock.to_time_of_day(now_ns),
        );
        if is.abs_diff(was) > CLOCK_TOLERANCE_NS {
            self.clock = now;
        }
    }

    fn encode(&mut self, chunk: &Chunk, bytes: &mut Vec<u8>) {
        let mut missed = chunk.missed_before;
        for (record, frame) in chunk.frames() {
            let Some(end) = self.ends.get_mut(&record.end) else {
                continue;
            };
            end.frames += 1;
            end.missed += missed;
            self.last = Some(record.end);
            let packet = Packet {
                interface: end.interface,
                nanoseconds: self.clock.to_time_of_day(record.stamp_ns),
                direction: match record.direction {
                    watch::Direction::Sent => Direction::Outbound,
                    watch::Direction::Received => Direction::Inbound,
                },
                frame,
                length: record.original_length as usize,
                comment: &remark(record, &end.name),
                missed,
            };
            self.writer.packet(&packet, bytes);
            missed = 0;
        }
    }

    /// The statistics of each interface, in the order of the interfaces.
    fn end(&mut self, bytes: &mut Vec<u8>) {
        let rest = self.inlet.take_missed();
        let last = self.last.or_else(|| self.ends.keys().min().copied());
        if let Some(end) = last.and_then(|last| self.ends.get_mut(&last)) {
            end.missed += rest;
        }
        let mut ends: Vec<&End> = self.ends.values().collect();
        ends.sort_by_key(|end| end.interface);
        for end in ends {
            let statistics = Statistics {
                started_nanoseconds: self.started_ns,
                ended_nanoseconds: Clock::time_of_day(),
                received: end.frames + end.missed,
                dropped: 0,
                missed: end.missed,
            };
            self.writer.statistics(end.interface, &statistics, bytes);
        }
    }

    /// Writes everything, however long the client takes, unless the wire ends meanwhile.
    fn write(&self, stream: &mut UnixStream, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.served.has_ended() {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        bytes.clear();
        Ok(())
    }
}

impl Drop for Capture<'_> {
    fn drop(&mut self) {
        self.unwatch();
    }
}

/// What is said of a frame that got no further.
fn remark(record: &Record, end: &str) -> String {
    record.dropped.map_or(String::new(), |cause| {
        format!("dropped: {} at {end}", cause.word())
    })
}

/// Whether the client has shut down its sending side, or left.
fn has_enough(stream: &mut UnixStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let mut said = [0; 64];
    let read = stream.read(&mut said);
    let is_blocking = stream.set_nonblocking(false).is_ok();
    match read {
        // What it says during a capture has no meaning.
        Ok(length) => length == 0 || !is_blocking,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock || !is_blocking,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EndConfig;
    use std::net::{Ipv4Addr, SocketAddr};

    fn config() -> Config {
        let address = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let ends = [(address(1), address(2)), (address(3), address(4))];
        let mut config = Config::relay(ends, &vnflab_impairment::Impairment::default());
        let free = EndConfig::Udp {
            local: address(5),
            remote: address(6),
        };
        config.ends.insert("c".to_owned(), free);
        config
    }

    #[test]
    fn a_link_is_what_its_members_send_and_an_end_both_ways() {
        let find = |what: &str| Subject::find(&config(), what);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        for link in ["a--b", "b--a"] {
            let expected = Subject {
                sent_by: names(&["a", "b"]),
                received_by: Vec::new(),
                description: "link a--b".to_owned(),
            };
            assert_eq!(find(link), Ok(expected));
        }
        for (end, description) in [("b", "link a--b"), ("c", "in no link")] {
            let expected = Subject {
                sent_by: names(&[end]),
                received_by: names(&[end]),
                description: description.to_owned(),
            };
            assert_eq!(find(end), Ok(expected));
        }
        assert_eq!(find("d"), Err(ChangeError::Unknown("d".to_owned())));
    }
}
