//! A script, held with a real console.
//!
//! Everything that comes and goes is written down: what the device said as it came, what we sent
//! is there as its echo, and secrets, which have none, as a mark. Invariant: no secret that was
//! sent reaches the record.

use super::client::{Client, ConnectError};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use vnflab_dialogue::{Dialogue, Ending, Failure, Next, Script};

/// Longest wait before it is looked whether anybody still wants it.
const TICK: Duration = Duration::from_millis(100);

/// Shortest wait: time below that is not seen by a serial line.
const MINIMUM: Duration = Duration::from_millis(1);

/// Longest line that is held back.
const PENDING_LIMIT: usize = 16 * 1024;

/// What stands in the record for a secret.
const MASK: &[u8] = b"********";

/// Why a script was not followed to its end.
#[derive(Debug, thiserror::Error)]
pub enum TalkError {
    /// Nobody is at the other end, or somebody else.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection broke, most often because the node was switched off.
    #[error("the console was closed")]
    Closed(#[source] io::Error),
    /// The dialogue failed.
    #[error(transparent)]
    Failed(Failure),
    /// It was told to stop.
    #[error("interrupted")]
    Cancelled,
    /// The record cannot be written.
    #[error("the record of the dialogue cannot be written")]
    Record(#[source] io::Error),
}

impl TalkError {
    /// What went wrong in a few words that quote neither what was typed nor what was heard, for
    /// places that others can read.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::Connect(_) => "nobody serves its console, or somebody else is on it",
            Self::Closed(_) => "the console was closed",
            Self::Failed(failure) => failure.summary(),
            Self::Cancelled => "interrupted",
            Self::Record(_) => "the record of the dialogue cannot be written",
        }
    }
}

/// A connection to a console on which scripts are followed.
pub struct Conversation<'a> {
    client: Client,
    record: Option<&'a mut dyn Write>,
    /// What is not written yet: a secret that is echoed piece by piece is seen in whole lines only.
    pending: Vec<u8>,
    secrets: Vec<Vec<u8>>,
    has_logged_in: bool,
}

impl std::fmt::Debug for Conversation<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Conversation")
            .finish_non_exhaustive()
    }
}

/// What came of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The output that was wanted, line by line.
    pub output: Vec<String>,
    /// The lines that the device refused.
    pub refused: Vec<vnflab_dialogue::Refused>,
}

impl<'a> Conversation<'a> {
    /// Connects to a console.
    ///
    /// # Errors
    ///
    /// When nobody listens, or somebody else is served.
    pub fn connect(
        console: SocketAddr,
        record: Option<&'a mut dyn Write>,
    ) -> Result<Self, ConnectError> {
        Ok(Self::with(Client::connect(console)?, record))
    }

    /// On a connection that there is.
    pub fn with(client: Client, record: Option<&'a mut dyn Write>) -> Self {
        Self {
            client,
            record,
            pending: Vec::new(),
            secrets: Vec::new(),
            has_logged_in: false,
        }
    }

    /// Whether a login was given in any script so far.
    pub fn has_logged_in(&self) -> bool {
        self.has_logged_in
    }

    /// Follows a script to its end. `on_progress` hears how far it has come: steps taken, steps,
    /// lines typed of the current step, lines of it.
    ///
    /// # Errors
    ///
    /// When the dialogue fails, the connection breaks, or nobody wants it any more.
    pub fn follow(
        &mut self,
        script: Script,
        on_progress: &mut dyn FnMut((usize, usize, usize, usize)),
        cancel: &AtomicBool,
    ) -> Result<Heard, TalkError> {
        let began = Instant::now();
        let mut dialogue = Dialogue::new(script);
        let early = self.client.take_early();
        self.hear(&mut dialogue, Duration::ZERO, &early)?;
        let ending = loop {
            if cancel.load(Ordering::Relaxed) {
                return Err(TalkError::Cancelled);
            }
            let now = began.elapsed();
            match dialogue.next(now) {
                Next::Send(sent) => {
                    if sent.is_secret {
                        self.keep_secret(&sent.bytes)?;
                    }
                    self.client.send(&sent.bytes).map_err(TalkError::Closed)?;
                    on_progress(dialogue.progress());
                }
                Next::Wait(until) => {
                    let wait = until.saturating_sub(now).clamp(MINIMUM, TICK);
                    let came = self.client.receive_within(wait);
                    if let Some(bytes) = came.map_err(TalkError::Closed)? {
                        self.hear(&mut dialogue, began.elapsed(), &bytes)?;
                    }
                }
                Next::End(ending) => break ending,
            }
        };
        self.has_logged_in |= dialogue.has_logged_in();
        match ending {
            Ending::Done { output, refused } => Ok(Heard { output, refused }),
            Ending::Failed(failure) => Err(TalkError::Failed(failure)),
        }
    }

    fn keep_secret(&mut self, sent: &[u8]) -> Result<(), TalkError> {
        let secret = sent.trim_ascii_end().to_vec();
        if !secret.is_empty() && !self.secrets.contains(&secret) {
            self.secrets.push(secret);
        }
        self.write(MASK)
    }

    fn hear(
        &mut self,
        dialogue: &mut Dialogue,
        now: Duration,
        bytes: &[u8],
    ) -> Result<(), TalkError> {
        if bytes.is_empty() {
            return Ok(());
        }
        dialogue.heard(now, bytes);
        self.write(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), TalkError> {
        self.pending.extend_from_slice(bytes);
        let end = match self.pending.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if self.pending.len() >= PENDING_LIMIT => self.pending.len(),
            None => return Ok(()),
        };
        let complete: Vec<u8> = self.pending.drain(..end).collect();
        match &mut self.record {
            Some(record) => record
                .write_all(&mask(&complete, &self.secrets))
                .map_err(TalkError::Record),
            None => Ok(()),
        }
    }
}

impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        if let Some(record) = &mut self.record {
            // The last line is worth less than an end without complaint.
            let _ = record.write_all(&mask(&self.pending, &self.secrets));
        }
    }
}

/// What came, without the secrets that a device may echo all the same.
fn mask(bytes: &[u8], secrets: &[Vec<u8>]) -> Vec<u8> {
    let mut masked = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        match secrets.iter().find(|secret| rest.starts_with(secret)) {
            // A short one would be found in every other word.
            Some(secret) if secret.len() >= 4 => {
                masked.extend_from_slice(MASK);
                rest = &rest[secret.len()..];
            }
            _ => {
                masked.push(*first);
                rest = &rest[1..];
            }
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread;
    use vnflab_model::kind::Catalogue;
    use vnflab_model::script::{self, Words};

    const WORDS: Words<'_> = Words {
        lab: "lab",
        node: "r1",
        hostname: "r1",
    };

    #[test]
    fn a_secret_that_is_echoed_is_not_in_the_record() {
        let secrets = [b"admin123".to_vec(), b"a".to_vec()];
        assert_eq!(mask(b"x admin123 admin", &secrets), b"x ******** admin");
    }

    /// A guest that knows a login and echoes what is typed; `reaction` says what a line does.
    fn guest(
        prompt: &'static str,
        mut reaction: impl FnMut(&str) -> (&'static str, &'static str) + Send + 'static,
    ) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&[255, 251, 1]).unwrap();
            let (mut line, mut prompt) = (Vec::new(), prompt);
            let mut byte = [0];
            while stream.read_exact(&mut byte).is_ok() {
                match byte[0] {
                    // The client's answer to the greeting.
                    255 => drop(stream.read_exact(&mut [0; 2])),
                    0x15 => line.clear(),
                    b'\r' => {
                        let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
                        let (said, next) = match text.is_empty() {
                            true => ("", prompt),
                            false => reaction(&text),
                        };
                        prompt = next;
                        let _ = stream.write_all(format!("\r\n{said}{prompt}").as_bytes());
                    }
                    key => {
                        line.push(key);
                        if !prompt.starts_with("Password") {
                            let _ = stream.write_all(&[key]);
                        }
                    }
                }
            }
        });
        address
    }

    fn router(line: &str) -> (&'static str, &'static str) {
        match line {
            "admin" => ("", "Password: "),
            "uptime" => ("up 3 days\r\nload 0.00\r\n", "root@r1:~# "),
            _ => ("", "root@r1:~# "),
        }
    }

    #[test]
    fn a_command_is_run_on_a_console_where_nobody_is_logged_in() {
        let kind = Catalogue::embedded().find("frr").unwrap().clone();
        // The user and the password are the same word.
        let mut passwords = 0;
        let console = guest("r1 login: ", move |line| {
            if line == "admin" {
                passwords += 1;
                return match passwords {
                    1 => ("", "Password: "),
                    _ => ("", "root@r1:~# "),
                };
            }
            router(line)
        });
        let mut record = Vec::new();
        let mut conversation = Conversation::connect(console, Some(&mut record)).unwrap();
        let script = script::command(&kind, WORDS, "uptime", Duration::from_secs(20)).unwrap();
        let heard = conversation
            .follow(script, &mut |_| {}, &AtomicBool::new(false))
            .unwrap();
        assert_eq!(heard.output, ["up 3 days", "load 0.00"]);
        assert!(conversation.has_logged_in());
        drop(conversation);
        let record = String::from_utf8(record).unwrap();
        assert!(record.contains("Password: ********"), "{record}");
    }

    #[test]
    fn a_console_that_is_closed_in_the_middle_is_told() {
        let kind = Catalogue::embedded().find("frr").unwrap().clone();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let console = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.write_all(&[255, 251, 1]).unwrap();
        });
        let mut conversation = Conversation::connect(console, None).unwrap();
        server.join().unwrap();
        let script = script::command(&kind, WORDS, "x", Duration::from_secs(20)).unwrap();
        let error = conversation
            .follow(script, &mut |_| {}, &AtomicBool::new(false))
            .unwrap_err();
        assert!(matches!(error, TalkError::Closed(_)), "{error}");
    }
}
