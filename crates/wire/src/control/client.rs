//! Asking a running wire.

use super::change::Change;
use super::folder::Folder;
use super::protocol::{CaptureRequest, Hello, ProbeReport, Reply, Request, Status};
use crate::config::Config;
use serde::de::DeserializeOwned;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long an answer may take: opening tens of thousands of sockets takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to a wire.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    answers: BufReader<UnixStream>,
}

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No wire runs there.
    #[error("the wire does not run")]
    NotRunning,
    /// The connection broke off, or took too long.
    #[error("the wire does not answer: {0}")]
    Connection(#[from] io::Error),
    /// The wire says why not.
    #[error("{0}")]
    Refused(String),
    /// An answer of another form: the wire is of another version.
    #[error("the wire's answer cannot be read: {0}")]
    Form(#[from] serde_json::Error),
}

impl Client {
    /// Connects to the wire of a folder.
    ///
    /// # Errors
    ///
    /// [`ClientError::NotRunning`] when nobody listens there.
    pub fn connect(folder: &Folder) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(folder.socket()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning,
            _ => ClientError::Connection(error),
        })?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            answers: BufReader::new(stream.try_clone()?),
            stream,
        })
    }

    fn ask<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, ClientError> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.stream.write_all(&line)?;
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        match serde_json::from_str(&answer)? {
            Reply::Ok(value) => Ok(value),
            Reply::Error(text) => Err(ClientError::Refused(text)),
        }
    }

    /// Who serves.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub fn hello(&mut self) -> Result<Hello, ClientError> {
        self.ask(&Request::Hello)
    }

    /// The configuration as it is now.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub fn config(&mut self) -> Result<Config, ClientError> {
        self.ask(&Request::Config)
    }

    /// Lets the wire become as a configuration says.
    ///
    /// # Errors
    ///
    /// When it is refused; then nothing has changed.
    pub fn apply(&mut self, config: &Config) -> Result<(), ClientError> {
        self.ask(&Request::Apply {
            config: Box::new(config.clone()),
        })
    }

    /// Makes one change; the configuration as it is then.
    ///
    /// # Errors
    ///
    /// When it is refused; then nothing has changed.
    pub fn change(&mut self, change: Change) -> Result<Config, ClientError> {
        self.ask(&Request::Change { change })
    }

    /// States and counts of all ends.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub fn status(&mut self) -> Result<Status, ClientError> {
        self.ask(&Request::Counts)
    }

    /// Proves that the ends of a link or segment are joined.
    ///
    /// # Errors
    ///
    /// When there is no such link. Frames that do not arrive are no error: see the reports.
    pub fn probe(&mut self, junction: &str, count: u32) -> Result<Vec<ProbeReport>, ClientError> {
        self.ask(&Request::Probe {
            junction: junction.to_owned(),
            count,
        })
    }

    /// Begins a capture: what is read from the answer is a pcapng stream. It ends when the reader
    /// is dropped, and in good order behind [`CaptureStream::finish`].
    ///
    /// # Errors
    ///
    /// When there is nothing of that name, or the filter is wrong.
    pub fn capture(mut self, capture: CaptureRequest) -> Result<CaptureStream, ClientError> {
        self.ask::<()>(&Request::Capture { capture })?;
        self.stream.set_read_timeout(None)?;
        Ok(CaptureStream {
            bytes: self.answers,
        })
    }

    /// Ends the wire for good.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub fn stop(mut self) -> Result<(), ClientError> {
        self.ask(&Request::Stop)
    }
}

/// A pcapng stream as it comes from a wire.
#[derive(Debug)]
pub struct CaptureStream {
    bytes: BufReader<UnixStream>,
}

impl CaptureStream {
    /// Whether bytes are here already, of which the descriptor knows nothing any more.
    pub fn is_buffered(&self) -> bool {
        !self.bytes.buffer().is_empty()
    }

    /// Says that it is enough: what was captured so far still comes, then statistics, and then
    /// the stream ends.
    ///
    /// # Errors
    ///
    /// When the wire has gone.
    pub fn finish(&self) -> io::Result<()> {
        self.bytes.get_ref().shutdown(Shutdown::Write)
    }
}

impl Read for CaptureStream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(bytes)
    }
}

impl AsFd for CaptureStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bytes.get_ref().as_fd()
    }
}
