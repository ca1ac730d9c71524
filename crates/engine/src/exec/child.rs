//! A child process whose output, time and end are bounded.
//!
//! Invariant: when [`run`] returns, the child is no more.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a wait lasts before it is looked whether it is still wanted: nobody notices a tenth of
/// a second.
const TICK: Duration = Duration::from_millis(100);

/// Bytes read at once: what a pipe holds.
const READ_SIZE: usize = 64 * 1024;

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By itself.
    Exited(ExitStatus),
    /// It was killed, because time was up.
    TimeUp,
    /// It was killed, because nobody wants it any more.
    Cancelled,
}

/// What a child said and how it ended.
#[derive(Debug)]
pub(super) struct Caught {
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
    pub(super) end: End,
}

/// What was said on one stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stream {
    /// How it begins, at most as much as was asked for.
    pub(super) bytes: Vec<u8>,
    /// Whether there was more.
    pub(super) truncated: bool,
}

/// Runs a command without input until it ends, time is up, or it is cancelled; at most `limit`
/// bytes are kept of each stream.
pub(super) fn run(
    command: &mut Command,
    limit: usize,
    deadline: Instant,
    cancel: &AtomicBool,
) -> io::Result<Caught> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let caught = attend(&mut child, limit, deadline, cancel);
    // Whatever happened, it does not stay; a child that has ended is not harmed.
    let _ = child.kill();
    let waited = child.wait();
    let (stdout, stderr, early) = caught?;
    let end = match early {
        Some(end) => end,
        None => End::Exited(waited?),
    };
    Ok(Caught {
        stdout,
        stderr,
        end,
    })
}

/// Reads until the child has ended (`None`) or was not waited for any longer.
fn attend(
    child: &mut Child,
    limit: usize,
    deadline: Instant,
    cancel: &AtomicBool,
) -> io::Result<(Stream, Stream, Option<End>)> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let pipe = "asked for above";
    let mut stdout = Tap::new(child.stdout.take().expect(pipe).into())?;
    let mut stderr = Tap::new(child.stderr.take().expect(pipe).into())?;
    let end = loop {
        let now = Instant::now();
        if cancel.load(Ordering::Relaxed) {
            break Some(End::Cancelled);
        }
        if now >= deadline {
            break Some(End::TimeUp);
        }
        let wait = Timespec::try_from(TICK.min(deadline - now)).expect("a second or less fits");
        let mut watched = vec![PollFd::new(&process, PollFlags::IN)];
        for tap in [&stdout, &stderr] {
            watched.extend(
                tap.pipe
                    .as_ref()
                    .map(|pipe| PollFd::new(pipe, PollFlags::IN)),
            );
        }
        match poll(&mut watched, Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let has_ended = !watched[0].revents().is_empty();
        drop(watched);
        stdout.read(limit)?;
        stderr.read(limit)?;
        if has_ended {
            // What it left in its pipes has just been read; nobody else is waited for.
            stdout.read(limit)?;
            stderr.read(limit)?;
            break None;
        }
    };
    Ok((stdout.stream, stderr.stream, end))
}

/// A pipe that is read without waiting.
struct Tap {
    pipe: Option<std::fs::File>,
    stream: Stream,
}

impl Tap {
    fn new(pipe: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(pipe.as_fd(), true)?;
        Ok(Self {
            pipe: Some(pipe.into()),
            stream: Stream::default(),
        })
    }

    /// Reads all that is there.
    fn read(&mut self, limit: usize) -> io::Result<()> {
        let mut buffer = vec![0; READ_SIZE];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(length) => {
                    let room = limit - self.stream.bytes.len();
                    let kept = length.min(room);
                    self.stream.bytes.extend_from_slice(&buffer[..kept]);
                    self.stream.truncated |= kept < length;
                    if length < buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static NEVER: AtomicBool = AtomicBool::new(false);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[test]
    fn both_streams_and_the_status_are_caught() {
        let mut command = shell("echo out; echo err >&2; exit 3");
        let caught = run(&mut command, 100, soon(), &NEVER).unwrap();
        assert_eq!(caught.stdout.bytes, b"out\n");
        assert_eq!(caught.stderr.bytes, b"err\n");
        let End::Exited(status) = caught.end else {
            panic!("{:?}", caught.end);
        };
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn more_output_than_is_kept_neither_stops_the_child_nor_fills_the_memory() {
        let mut command = shell("head -c 3000000 /dev/zero; echo end >&2");
        let caught = run(&mut command, 1000, soon(), &NEVER).unwrap();
        assert_eq!(caught.stdout.bytes.len(), 1000);
        assert!(caught.stdout.truncated);
        assert_eq!(caught.stderr.bytes, b"end\n");
        assert!(!caught.stderr.truncated);
    }

    #[test]
    fn a_child_that_floods_without_end_is_ended_by_its_time() {
        let mut command = shell("exec yes");
        let deadline = Instant::now() + Duration::from_millis(300);
        let caught = run(&mut command, 1000, deadline, &NEVER).unwrap();
        assert_eq!(caught.end, End::TimeUp);
        assert_eq!(caught.stdout.bytes.len(), 1000);
    }

    #[test]
    fn a_cancelled_child_is_ended() {
        let cancel = AtomicBool::new(true);
        let caught = run(&mut shell("exec sleep 60"), 1000, soon(), &cancel).unwrap();
        assert_eq!(caught.end, End::Cancelled);
    }

    #[test]
    fn one_who_keeps_the_pipes_is_not_waited_for() {
        let start = Instant::now();
        let caught = run(&mut shell("sleep 30 & echo $!"), 1000, soon(), &NEVER).unwrap();
        assert!(start.elapsed() < Duration::from_secs(15));
        let pid = String::from_utf8(caught.stdout.bytes).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
}
