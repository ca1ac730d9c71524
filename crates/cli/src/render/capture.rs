//! Frames as they are captured: one line each.

use super::frame::FrameWords;
use super::{Format, Screen, counted};
use crate::command::capture::pump::{Sink, Totals};
use crate::error::CommandError;
use serde::Serialize;
use std::fmt::Write as _;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use vnflab_wire::capture::blocks::{Block, Body, CapturedPacket};
use vnflab_wire::capture::pcapng::Direction;

const NANOSECONDS: u64 = 1_000_000_000;
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// What the wire writes before the reason why a frame got no further.
const DROPPED: &str = "dropped: ";

/// Shows each frame as a line of text or of JSON on stdout.
pub(crate) struct Lines {
    screen: Screen,
    stdout: std::io::Stdout,
    ends: Vec<String>,
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct FrameJson<'a> {
    time_ns: u64,
    end: &'a str,
    direction: &'static str,
    length: u32,
    captured_length: usize,
    source: &'a str,
    destination: &'a str,
    vlans: &'a [u16],
    protocol: &'a str,
    summary: &'a str,
    dropped: Option<&'a str>,
    missed_before: u64,
}

impl Lines {
    pub(crate) fn new(screen: &Screen) -> Self {
        Self {
            screen: screen.repeating(),
            stdout: std::io::stdout(),
            ends: Vec::new(),
            text: String::new(),
        }
    }

    fn end(&self, packet: &CapturedPacket<'_>) -> &str {
        self.ends
            .get(packet.interface as usize)
            .map_or("?", String::as_str)
    }

    fn json(&self, packet: &CapturedPacket<'_>) -> Result<(), CommandError> {
        let words = FrameWords::of(packet.frame);
        let body = FrameJson {
            time_ns: packet.nanoseconds,
            end: self.end(packet),
            direction: match packet.direction {
                Some(Direction::Inbound) => "received",
                Some(Direction::Outbound) | None => "sent",
            },
            length: packet.length,
            captured_length: packet.frame.len(),
            source: &words.source,
            destination: &words.destination,
            vlans: &words.vlans,
            protocol: &words.protocol,
            summary: &words.summary,
            dropped: packet.comment.strip_prefix(DROPPED),
            missed_before: packet.missed,
        };
        self.screen.json("frame", body)
    }

    fn line(&self, packet: &CapturedPacket<'_>) -> String {
        let words = FrameWords::of(packet.frame);
        let (end, is_in) = (
            self.end(packet),
            packet.direction == Some(Direction::Inbound),
        );
        let way = match (&self.ends[..], is_in) {
            // A link: what the one sends the other gets.
            ([a, b], false) => format!("{end} > {}", if a == end { b } else { a }),
            (_, false) => format!("{end} >"),
            (_, true) => format!("{end} <"),
        };
        let mut line = format!("{} {way}  ", time_of_day(packet.nanoseconds));
        if !words.source.is_empty() {
            write!(line, "{} > {}  ", words.source, words.destination).expect("a string takes it");
        }
        for vlan in &words.vlans {
            write!(line, "VLAN {vlan} ").expect("a string takes it");
        }
        line.push_str(&words.protocol);
        if !words.summary.is_empty() {
            write!(line, " {}", words.summary).expect("a string takes it");
        }
        write!(line, ", {} bytes", packet.length).expect("a string takes it");
        if !packet.comment.is_empty() {
            let comment = super::clean(packet.comment).replace('\n', " ");
            write!(line, ", {}", self.screen.out.warning(&comment)).expect("a string takes it");
        }
        line.push('\n');
        line
    }
}

impl Sink for Lines {
    fn take(&mut self, block: &Block<'_>) -> Result<(), CommandError> {
        match (block.body, self.screen.format()) {
            (Body::Section, _) => self.ends.clear(),
            (Body::Interface { name }, _) => {
                let name = super::clean(name.unwrap_or("?")).replace('\n', " ");
                self.ends.push(name);
            }
            (Body::Packet(packet), Format::Json) => self.json(&packet)?,
            (Body::Packet(packet), Format::Text) => self.text.push_str(&self.line(&packet)),
            (Body::Statistics { .. } | Body::Other, _) => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), CommandError> {
        let text = std::mem::take(&mut self.text);
        match text.is_empty() {
            true => Ok(()),
            false => self.screen.write(&text),
        }
    }

    fn reader(&self) -> Option<BorrowedFd<'_>> {
        Some(self.stdout.as_fd())
    }
}

/// Hours to nanoseconds of the day, UTC.
fn time_of_day(nanoseconds: u64) -> String {
    let seconds = nanoseconds / NANOSECONDS % DAY_SECONDS;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let (seconds, fraction) = (seconds % 60, nanoseconds % NANOSECONDS);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{fraction:09}")
}

/// Says in the end how much there was, and how much of it was missed.
pub(crate) fn summary(screen: &Screen, totals: &Totals, files: &[PathBuf]) {
    let frames = number(totals.frames, "frame");
    let place = match files {
        [] => String::new(),
        [file] => format!(" in `{}`", file.display()),
        [.., last] => {
            let count = counted(files.len(), "file");
            format!(" in {count}, the last of which is `{}`", last.display())
        }
    };
    screen.say(&format!("{frames} captured{place}."));
    if totals.missed > 0 {
        let missed = number(totals.missed, "frame");
        screen.warn(&format!(
            "{missed} came faster than they were taken, and are missing"
        ));
    }
}

#[derive(Serialize)]
struct WrittenJson<'a> {
    frames: u64,
    missed: u64,
    files: &'a [PathBuf],
}

/// What was written to files, for programs.
pub(crate) fn written(
    screen: &Screen,
    totals: &Totals,
    files: &[PathBuf],
) -> Result<(), CommandError> {
    let Totals { frames, missed } = *totals;
    match screen.format() {
        Format::Text => Ok(()),
        Format::Json => screen.json(
            "capture",
            WrittenJson {
                frames,
                missed,
                files,
            },
        ),
    }
}

fn number(count: u64, noun: &str) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), noun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_have_nanoseconds() {
        assert_eq!(time_of_day(0), "00:00:00.000000000");
        let time = (DAY_SECONDS + 3 * 3600 + 4 * 60 + 5) * NANOSECONDS + 6;
        assert_eq!(time_of_day(time), "03:04:05.000000006");
    }
}
