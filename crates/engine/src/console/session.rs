//! A person or a script on a console: bytes carried both ways until one of the ends is done.
//!
//! Works on any pair of descriptors, a terminal or pipes alike; putting a terminal into raw mode
//! is the caller's affair. Invariant: the loop sleeps in `poll` only, and wakes for input,
//! output, the stop descriptor and its own limits.

use super::client::Client;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Bytes of input taken at once.
const READ_SIZE: usize = 4096;

/// Silence of the guest after the end of input that counts as the end of its answer. A serial
/// line echoes and answers well within it; who needs longer says how long.
pub const QUIET_LIMIT: Duration = Duration::from_secs(1);

/// The key that leaves a session: Ctrl-], as in telnet.
pub const ESCAPE: u8 = 0x1d;

/// What kind of input feeds a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A terminal in raw mode: every byte is a key, and [`ESCAPE`] leaves.
    Keys,
    /// A script: a line end is the Enter key. The session ends when the input has ended and the
    /// guest is silent.
    Lines,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The user pressed the escape key, or the script and the answers to it are over.
    Left,
    /// QEMU closed the connection: the node is off.
    Closed,
    /// The time that the caller gave is over.
    TimeUp,
    /// The stop descriptor became readable.
    Stopped,
}

/// The two ends and the bounds of a session.
#[derive(Debug)]
pub struct Session<'a, W> {
    /// The user's input.
    pub input: BorrowedFd<'a>,
    /// What kind of input it is.
    pub kind: Input,
    /// Where the guest's output goes.
    pub output: W,
    /// Ends the session when it becomes readable, such as a pipe that signals write to.
    pub stop: Option<BorrowedFd<'a>>,
    /// Ends the session, and keeps one of [`Input::Lines`] open until then.
    pub time: Option<Duration>,
}

impl<W: Write> Session<'_, W> {
    /// Carries bytes until one end is done.
    ///
    /// # Errors
    ///
    /// What the kernel says of either end.
    pub fn run(mut self, client: &mut Client) -> io::Result<End> {
        let deadline = self.time.map(|time| Instant::now() + time);
        self.show(&client.take_early())?;
        let mut input_open = true;
        let mut last_output = Instant::now();
        loop {
            let quiet_end = (!input_open && deadline.is_none()).then(|| last_output + QUIET_LIMIT);
            let ready = self.wait(client, input_open, deadline.or(quiet_end))?;
            if ready.stop {
                return Ok(End::Stopped);
            }
            if ready.output {
                match client.receive() {
                    Ok(Some(data)) => self.show(&data)?,
                    Ok(None) => return Ok(End::Closed),
                    Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                        return Ok(End::Closed);
                    }
                    Err(error) => return Err(error),
                }
                last_output = Instant::now();
            }
            if ready.input {
                match self.take_input()? {
                    Taken::Bytes(bytes) => client.send(&bytes)?,
                    Taken::Escape(before) => {
                        client.send(&before)?;
                        return Ok(End::Left);
                    }
                    Taken::End => input_open = false,
                }
            }
            let passed = |moment: Option<Instant>| moment.is_some_and(|end| Instant::now() >= end);
            if passed(deadline) {
                return Ok(End::TimeUp);
            }
            if !ready.output && passed(quiet_end) {
                return Ok(End::Left);
            }
        }
    }

    fn show(&mut self, data: &[u8]) -> io::Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        self.output.write_all(data)?;
        self.output.flush()
    }

    fn wait(&self, client: &Client, input_open: bool, until: Option<Instant>) -> io::Result<Ready> {
        let mut descriptors = vec![PollFd::new(client, PollFlags::IN)];
        let stop = self.stop.map(|stop| {
            descriptors.push(PollFd::from_borrowed_fd(stop, PollFlags::IN));
            descriptors.len() - 1
        });
        let input = input_open.then(|| {
            descriptors.push(PollFd::from_borrowed_fd(self.input, PollFlags::IN));
            descriptors.len() - 1
        });
        let timeout = until.map(|until| {
            let left = until.saturating_duration_since(Instant::now());
            Timespec::try_from(left).unwrap_or(Timespec {
                tv_sec: i64::MAX,
                tv_nsec: 0,
            })
        });
        match poll(&mut descriptors, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Ready::default()),
            Err(error) => return Err(error.into()),
        }
        let is_ready = |index: usize| !descriptors[index].revents().is_empty();
        Ok(Ready {
            output: is_ready(0),
            stop: stop.is_some_and(is_ready),
            input: input.is_some_and(is_ready),
        })
    }

    fn take_input(&mut self) -> io::Result<Taken> {
        let mut buffer = [0; READ_SIZE];
        let length = match rustix::io::read(self.input.as_fd(), &mut buffer) {
            Ok(length) => length,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {
                return Ok(Taken::Bytes(Vec::new()));
            }
            // A terminal that went away.
            Err(rustix::io::Errno::IO) => 0,
            Err(error) => return Err(error.into()),
        };
        let bytes = &buffer[..length];
        Ok(match self.kind {
            _ if bytes.is_empty() => Taken::End,
            Input::Lines => Taken::Bytes(
                bytes
                    .iter()
                    .map(|byte| if *byte == b'\n' { b'\r' } else { *byte })
                    .collect(),
            ),
            Input::Keys => match bytes.iter().position(|byte| *byte == ESCAPE) {
                Some(position) => Taken::Escape(bytes[..position].to_vec()),
                None => Taken::Bytes(bytes.to_vec()),
            },
        })
    }
}

#[derive(Default)]
struct Ready {
    output: bool,
    stop: bool,
    input: bool,
}

enum Taken {
    Bytes(Vec<u8>),
    /// The escape key, and what was typed before it.
    Escape(Vec<u8>),
    End,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::thread;

    const GREETING: &[u8] = &[255, 251, 1, 255, 251, 3, 255, 251, 0, 255, 253, 0];
    const ANSWER_LENGTH: usize = 12;

    fn server(script: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.write_all(GREETING).unwrap();
            stream.read_exact(&mut [0; ANSWER_LENGTH]).unwrap();
            script(stream);
        });
        address
    }

    /// Runs a session whose input is these bytes, and tells how it ended and what was shown.
    fn run(
        address: SocketAddr,
        kind: Input,
        typed: &[u8],
        time: Option<Duration>,
    ) -> (End, Vec<u8>) {
        let (input, writer) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&writer, typed).unwrap();
        // Keys come from a terminal, which stays open; a script ends.
        let writer = (kind == Input::Keys).then_some(writer);
        let mut output = Vec::new();
        let mut client = Client::connect(address).unwrap();
        let session = Session {
            input: input.as_fd(),
            kind,
            output: &mut output,
            stop: None,
            time,
        };
        let end = session.run(&mut client).unwrap();
        drop(writer);
        (end, output)
    }

    #[test]
    fn the_escape_key_leaves_and_what_came_before_it_is_sent() {
        let (tell, told) = std::sync::mpsc::channel();
        let address = server(move |mut stream| {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).unwrap();
            tell.send(all).unwrap();
        });
        let (end, _) = run(address, Input::Keys, b"ab\n\x1dcd", None);
        assert_eq!(end, End::Left);
        assert_eq!(told.recv().unwrap(), b"ab\n");
    }

    #[test]
    fn a_script_sends_enter_for_a_line_end_and_hears_the_answer() {
        let address = server(|mut stream| {
            let mut command = [0; 5];
            stream.read_exact(&mut command).unwrap();
            assert_eq!(&command, b"show\r");
            stream.write_all(b"answer\r\n").unwrap();
            // The other side leaves when it has heard enough.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let (end, output) = run(address, Input::Lines, b"show\n", None);
        assert_eq!((end, output.as_slice()), (End::Left, &b"answer\r\n"[..]));
    }

    #[test]
    fn a_session_ends_with_its_time_and_with_the_server() {
        let stays = server(|mut stream| {
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let time = Some(Duration::from_millis(10));
        assert_eq!(run(stays, Input::Keys, b"", time).0, End::TimeUp);
        let leaves = server(drop);
        assert_eq!(run(leaves, Input::Keys, b"", None).0, End::Closed);
    }
}
