//! Leads a capture from the wire to wherever it goes, block by block.
//!
//! # Theory of operation
//!
//! It waits for the wire, for a signal, for the time that was set, and for the reader of what it
//! writes to leave, whichever comes first. When it is enough the wire is told so; then the rest
//! of the stream still comes, with its statistics, and the wire ends it. A second signal ends the
//! process, should the writing hang.

use crate::error::{CommandError, ErrorKind};
use crate::interrupt::Interrupt;
use crate::terminal::StopSignals;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};
use vnflab_wire::capture::blocks::{Block, BlockReader, Body};
use vnflab_wire::control::CaptureStream;

/// Bytes that are read at a time.
const READ_BYTES: usize = 256 << 10;

/// Where captured frames go.
pub(crate) trait Sink {
    /// Takes the next block.
    fn take(&mut self, block: &Block<'_>) -> Result<(), CommandError>;

    /// Makes what was taken visible to others.
    fn flush(&mut self) -> Result<(), CommandError>;

    /// Where somebody reads what is written, who may leave.
    fn reader(&self) -> Option<BorrowedFd<'_>>;
}

/// Blocks as they are, one after the other.
#[derive(Debug)]
pub(crate) struct StreamSink<W: Write> {
    writer: io::BufWriter<W>,
}

impl<W: Write> StreamSink<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self {
            writer: io::BufWriter::new(writer),
        }
    }
}

impl<W: Write + AsFd> Sink for StreamSink<W> {
    fn take(&mut self, block: &Block<'_>) -> Result<(), CommandError> {
        Ok(self.writer.write_all(block.bytes)?)
    }

    fn flush(&mut self) -> Result<(), CommandError> {
        Ok(self.writer.flush()?)
    }

    fn reader(&self) -> Option<BorrowedFd<'_>> {
        Some(self.writer.get_ref().as_fd())
    }
}

/// When it is enough.
#[derive(Debug)]
pub(crate) struct Limits {
    frames: Option<u64>,
    end: Option<Instant>,
    signals: StopSignals,
    _second_signal: Interrupt,
}

impl Limits {
    /// After some frames, some time, or Ctrl-C, which is listened to from now on.
    pub(crate) fn listen(frames: Option<u64>, time: Option<Duration>) -> io::Result<Self> {
        let second_signal = Interrupt::listen()?;
        Ok(Self {
            frames,
            end: time.map(|time| Instant::now() + time),
            signals: StopSignals::listen()?,
            _second_signal: second_signal,
        })
    }
}

/// What was captured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Frames.
    pub(crate) frames: u64,
    /// Frames that were missed because they were not taken in time.
    pub(crate) missed: u64,
}

/// Why a capture has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It was enough.
    Asked,
    /// The wire was told to stop.
    WireStopped,
    /// The wire broke off.
    WireBroke,
}

/// What there is to do next.
enum Event {
    Bytes,
    Enough,
    ReaderLeft,
    Nothing,
}

/// Leads blocks from the wire to a sink until it is enough or the wire ends. The totals are right
/// however it ends.
pub(crate) fn pump(
    stream: &mut CaptureStream,
    limits: &Limits,
    sink: &mut dyn Sink,
    totals: &mut Totals,
) -> Result<End, CommandError> {
    let mut blocks = BlockReader::default();
    let mut bytes = vec![0; READ_BYTES];
    let mut asked = false;
    let mut statistics: Option<u64> = None;
    loop {
        match wait(stream, limits, sink, asked) {
            Event::Bytes => {}
            Event::Enough => {
                asked = true;
                // A wire that has gone is noticed by the next read.
                let _ = stream.finish();
                continue;
            }
            Event::ReaderLeft => return Err(CommandError::silent(ErrorKind::BrokenPipe)),
            Event::Nothing => {
                sink.flush()?;
                continue;
            }
        }
        let length = match stream.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A wire that was killed.
            Err(_) | Ok(0) => break,
            Ok(length) => length,
        };
        blocks.push(&bytes[..length]);
        while let Some(block) = blocks.next_block().map_err(unreadable)? {
            match block.body {
                Body::Packet(packet) => {
                    if limits.frames.is_some_and(|most| totals.frames >= most) {
                        continue;
                    }
                    totals.frames += 1;
                    totals.missed += packet.missed;
                }
                Body::Statistics { missed, .. } => {
                    statistics = Some(statistics.unwrap_or_default() + missed);
                }
                Body::Section | Body::Interface { .. } | Body::Other => {}
            }
            sink.take(&block)?;
        }
        sink.flush()?;
        if !asked && limits.frames.is_some_and(|most| totals.frames >= most) {
            asked = true;
            let _ = stream.finish();
        }
    }
    let was_counted = limits.frames.is_some_and(|most| totals.frames >= most);
    if let Some(missed) = statistics.filter(|_| !was_counted) {
        totals.missed = missed;
    }
    Ok(match (asked, statistics) {
        (true, _) => End::Asked,
        (false, Some(_)) => End::WireStopped,
        (false, None) => End::WireBroke,
    })
}

fn unreadable(error: vnflab_wire::capture::blocks::BlockError) -> CommandError {
    CommandError::new(ErrorKind::Failed, "the wire's capture cannot be read").caused_by(&error)
}

/// How long to wait when nothing has a time: files are rotated by the clock too.
const LOOK: Duration = Duration::from_secs(1);

fn wait(stream: &CaptureStream, limits: &Limits, sink: &dyn Sink, asked: bool) -> Event {
    let left = match limits.end.filter(|_| !asked) {
        Some(end) => end.saturating_duration_since(Instant::now()),
        None => LOOK,
    };
    if left.is_zero() {
        return Event::Enough;
    }
    if stream.is_buffered() {
        return Event::Bytes;
    }
    let timeout = Timespec::try_from(left.min(LOOK)).expect("a second or less fits");
    let mut descriptors = vec![PollFd::new(stream, PollFlags::IN)];
    if !asked {
        descriptors.push(PollFd::new(&limits.signals, PollFlags::IN));
    }
    let reader = sink.reader();
    if let Some(reader) = &reader {
        // Errors are reported without being asked for.
        descriptors.push(PollFd::new(reader, PollFlags::empty()));
    }
    // A signal that interrupts the wait has been written to its descriptor by then.
    let _ = poll(&mut descriptors, Some(&timeout));
    let has_left = |descriptor: &PollFd<'_>| descriptor.revents().contains(PollFlags::ERR);
    if reader.is_some() && descriptors.last().is_some_and(has_left) {
        return Event::ReaderLeft;
    }
    if !asked && !descriptors[1].revents().is_empty() {
        return Event::Enough;
    }
    match descriptors[0].revents().is_empty() {
        true => Event::Nothing,
        false => Event::Bytes,
    }
}
