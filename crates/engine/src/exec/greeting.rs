//! What a port says where an SSH server is expected.
//!
//! An SSH server begins with a line `SSH-2.0-...`; other lines may come before it (RFC 4253,
//! section 4.2). The client is the judge of a connection; this looks once more after it failed, so
//! that the reason can be told without reading its mind.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What the line of a server begins with.
const MARK: &[u8] = b"SSH-";

/// How much is read before it counts as garbage: OpenSSH's client gives up after 1024 lines, too.
const READ_LIMIT: usize = 16 * 1024;

/// How much of garbage is shown.
const SHOWN: usize = 60;

/// What a port does.
#[derive(Debug)]
pub(crate) enum Greeting {
    /// It greets as an SSH server does.
    Ssh,
    /// There is no connection.
    None(io::Error),
    /// It ends the connection without a word.
    HungUp,
    /// It says nothing in time.
    Silent,
    /// It says something else, which begins like this.
    Other(String),
}

/// Looks at a port, for at most this long.
pub(crate) fn look(server: SocketAddr, limit: Duration) -> Greeting {
    let deadline = Instant::now() + limit;
    let mut stream = match TcpStream::connect_timeout(&server, limit) {
        Ok(stream) => stream,
        Err(error) => return Greeting::None(error),
    };
    let mut heard = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        if is_greeting(&heard) {
            return Greeting::Ssh;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if heard.len() >= READ_LIMIT || left.is_zero() {
            break;
        }
        // A zero time-out would mean none.
        if stream
            .set_read_timeout(Some(left.max(Duration::from_millis(1))))
            .is_err()
        {
            break;
        }
        match stream.read(&mut buffer) {
            Ok(0) if heard.is_empty() => return Greeting::HungUp,
            Ok(0) => break,
            Ok(length) => heard.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && heard.is_empty() => {
                return Greeting::HungUp;
            }
            Err(_) => break,
        }
    }
    match heard.is_empty() {
        true => Greeting::Silent,
        false => Greeting::Other(printable(&heard)),
    }
}

/// Whether one of the lines is that of an SSH server.
fn is_greeting(heard: &[u8]) -> bool {
    heard
        .split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(MARK))
}

/// How bytes begin, on one line.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    text.trim()
        .chars()
        .map(|character| match character.is_control() {
            true => '.',
            false => character,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_before_the_greeting_are_no_garbage() {
        assert!(is_greeting(b"Welcome\r\nSSH-2.0-OpenSSH_9.2\r\n"));
        assert!(!is_greeting(b"I speak SSH-2.0"));
        assert!(!is_greeting(b"HTTP/1.1 400 Bad Request\r\n"));
    }

    #[test]
    fn garbage_is_shown_without_control_characters() {
        assert_eq!(printable(b"\x1b[2J\xff\0go\r\n"), ".[2J\u{fffd}.go");
    }
}
