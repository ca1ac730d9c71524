//! A wire with its control socket: what runs as a process of its own.
//!
//! # Theory of operation
//!
//! One thread accepts connections and gives each a thread; the frames have theirs and never wait
//! for any of them. The wire itself is behind a lock that is held while one request is carried
//! out, not while a client is slow. After each change the state is written down, so that a wire
//! that was killed comes back as it was: same links, same settings, same counters.

use super::folder::{Folder, State};
use super::probe::{COUNT_LIMIT, Probe};
use super::protocol::{
    CONNECTION_LIMIT, EndStatus, Hello, ProbeReport, REQUEST_LIMIT, Reply, Request, Status, VERSION,
};
use crate::capture;
use crate::sys::Clock;
use crate::wire::{Wire, WireError};
use serde::Serialize;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long an answer may wait for a client that does not read.
const CLIENT_PATIENCE: Duration = Duration::from_secs(30);

/// How long captures may take to write the end of their streams when the wire ends.
const CAPTURE_PATIENCE: Duration = Duration::from_secs(1);

/// Between two looks at whether they have.
const CAPTURE_LOOK: Duration = Duration::from_millis(5);

/// Why a wire cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another process serves this folder.
    #[error("a wire runs in this folder already")]
    Busy,
    /// The folder or the socket cannot be used.
    #[error("cannot use the wire's folder: {0}")]
    Folder(#[from] io::Error),
    /// The wire that was there before cannot be had again.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// What the threads share.
pub(crate) struct Served {
    wire: Mutex<Wire>,
    folder: Folder,
    started_ns: u64,
    connections: AtomicUsize,
    captures: AtomicUsize,
    has_ended: AtomicBool,
}

/// A capture that is under way, as long as this lives.
pub(crate) struct CountedCapture<'a>(&'a AtomicUsize);

impl Drop for CountedCapture<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs the wire of a folder until it is told to stop. A wire that ran there before comes back as
/// it was. `ready` is called when requests are answered.
///
/// # Errors
///
/// When another process serves it, or it cannot be had as it was.
pub fn serve(folder: &Folder, ready: impl FnOnce()) -> Result<(), ServeError> {
    folder.ensure()?;
    let _lock = folder.lock()?.ok_or(ServeError::Busy)?;
    let State { config, memory } = folder.read_state()?;
    let mut wire = Wire::start_with(folder.counters()?, memory)?;
    wire.apply(&config)?;
    match std::fs::remove_file(folder.socket()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let listener = UnixListener::bind(folder.socket())?;
    std::fs::set_permissions(folder.socket(), std::fs::Permissions::from_mode(0o600))?;
    let served = Arc::new(Served {
        wire: Mutex::new(wire),
        folder: folder.clone(),
        started_ns: Clock::time_of_day(),
        connections: AtomicUsize::new(0),
        captures: AtomicUsize::new(0),
        has_ended: AtomicBool::new(false),
    });
    ready();
    for stream in listener.incoming() {
        if served.has_ended.load(Ordering::Relaxed) {
            break;
        }
        let Ok(stream) = stream else {
            // Out of file descriptors, most likely: let others finish.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let served = Arc::clone(&served);
        let begun = thread::Builder::new()
            .name("wire-control".to_owned())
            .spawn(move || served.welcome(stream));
        // A connection that finds no thread is closed, which is an answer too.
        drop(begun);
    }
    served.let_captures_end();
    folder.remove()?;
    Ok(())
}

impl Served {
    /// The wire; a request that panicked has left it as it was or half changed, and the next
    /// `apply` puts that right.
    pub(crate) fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn welcome(&self, mut stream: UnixStream) {
        let place = ConnectionPlace::take(&self.connections);
        // A client that breaks off needs no answer.
        let _ = if place.number >= CONNECTION_LIMIT {
            answer(
                &mut stream,
                &Reply::<()>::Error("too many connections; try again".to_owned()),
            )
        } else {
            self.talk(stream)
        };
    }

    fn talk(&self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_write_timeout(Some(CLIENT_PATIENCE))?;
        let mut lines = BufReader::new(stream.try_clone()?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let limit = REQUEST_LIMIT as u64 + 1;
            let length = lines.by_ref().take(limit).read_until(b'\n', &mut line)?;
            if length == 0 {
                return Ok(());
            }
            if length > REQUEST_LIMIT {
                let text = format!("a request is at most {REQUEST_LIMIT} bytes");
                return answer(&mut stream, &Reply::<()>::Error(text));
            }
            match serde_json::from_slice(&line) {
                Ok(Request::Stop) => return self.stop(&mut stream),
                Ok(Request::Capture { capture }) => {
                    return capture::stream(self, &mut stream, &capture);
                }
                Ok(request) => self.serve(&mut stream, request)?,
                Err(error) => answer(&mut stream, &Reply::<()>::Error(error.to_string()))?,
            }
        }
    }

    fn serve(&self, stream: &mut UnixStream, request: Request) -> io::Result<()> {
        match request {
            Request::Hello => answer(
                stream,
                &Reply::Ok(Hello {
                    version: VERSION,
                    program: env!("CARGO_PKG_VERSION").to_owned(),
                    process: std::process::id(),
                    started_ns: self.started_ns,
                }),
            ),
            Request::Config => {
                let config = self.wire().config().clone();
                answer(stream, &Reply::Ok(config))
            }
            Request::Apply { config } => {
                let done = self.apply(|_| Ok(*config));
                answer(stream, &reply(done.map(drop)))
            }
            Request::Change { change } => {
                let done = self.apply(|wire| {
                    let changed = change.make(wire.config());
                    changed.map_err(|error| error.to_string())
                });
                answer(stream, &reply(done))
            }
            Request::Counts => answer(stream, &reply(self.status())),
            Request::Probe { junction, count } => {
                answer(stream, &reply(self.probe(&junction, count)))
            }
            Request::Stop | Request::Capture { .. } => Ok(()),
        }
    }

    /// Makes a change and writes it down.
    fn apply(
        &self,
        wanted: impl FnOnce(&Wire) -> Result<crate::Config, String>,
    ) -> Result<crate::Config, String> {
        let mut wire = self.wire();
        let config = wanted(&wire)?;
        wire.apply(&config).map_err(|error| error.to_string())?;
        let state = State {
            config,
            memory: wire.memory().clone(),
        };
        let written = self.folder.write_state(&state);
        written.map_err(|error| {
            format!("it is done, but cannot be written down for a restart: {error}")
        })?;
        Ok(state.config)
    }

    fn status(&self) -> Result<Status, String> {
        let wire = self.wire();
        let facts = wire.facts().map_err(|error| error.to_string())?;
        let counts = wire.counts();
        let ends = counts.iter().filter_map(|(name, counts)| {
            let facts = facts.ends.get(*name)?;
            let status = EndStatus::new(facts.state, counts, facts.overruns);
            Some(((*name).to_owned(), status))
        });
        Ok(Status {
            time_ns: Clock::time_of_day(),
            waiting_bytes: facts.waiting_bytes,
            ends: ends.collect(),
        })
    }

    fn probe(&self, junction: &str, count: u32) -> Result<Vec<ProbeReport>, String> {
        if count == 0 || count > COUNT_LIMIT {
            return Err(format!(
                "1 to {COUNT_LIMIT} frames can be sent, not {count}"
            ));
        }
        let name = super::change::find(self.wire().config(), junction);
        let name = name.map_err(|error| error.to_string())?;
        let members = self.wire().config().junctions[&name].members.clone();
        let mut reports = Vec::new();
        for from in &members {
            let probe = Probe::begin(&mut self.wire(), from, &members, count);
            let probe = probe.map_err(|error| error.to_string())?;
            // Others may use the wire meanwhile.
            let seen = probe.collect();
            let found = probe.end(&self.wire(), seen);
            reports.extend(found.map_err(|error| error.to_string())?);
        }
        Ok(reports)
    }

    fn stop(&self, stream: &mut UnixStream) -> io::Result<()> {
        self.has_ended.store(true, Ordering::Relaxed);
        answer(stream, &Reply::Ok(()))?;
        // The thread that accepts is waiting for somebody to come.
        UnixStream::connect(self.folder.socket()).map(drop)
    }

    /// The lab whose wire it is: what its folder is called.
    pub(crate) fn lab(&self) -> String {
        let name = self.folder.path().file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Counts a capture, so that the end of the wire waits for that of its stream.
    pub(crate) fn count_capture(&self) -> CountedCapture<'_> {
        self.captures.fetch_add(1, Ordering::Relaxed);
        CountedCapture(&self.captures)
    }

    fn let_captures_end(&self) {
        let began = Instant::now();
        while self.captures.load(Ordering::Relaxed) > 0 && began.elapsed() < CAPTURE_PATIENCE {
            thread::sleep(CAPTURE_LOOK);
        }
    }

    /// Whether the wire is being stopped.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }
}

/// One of the connections that are served, until it is dropped: by a panic, too.
struct ConnectionPlace<'a> {
    connections: &'a AtomicUsize,
    number: usize,
}

impl<'a> ConnectionPlace<'a> {
    fn take(connections: &'a AtomicUsize) -> Self {
        Self {
            connections,
            number: connections.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Drop for ConnectionPlace<'_> {
    fn drop(&mut self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

fn reply<T>(result: Result<T, String>) -> Reply<T> {
    match result {
        Ok(value) => Reply::Ok(value),
        Err(error) => Reply::Error(error),
    }
}

/// Writes one answer.
pub(crate) fn answer<T: Serialize>(stream: &mut UnixStream, reply: &Reply<T>) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    stream.write_all(&line)
}
