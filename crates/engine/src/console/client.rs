//! A connection to a console, from the first byte to the last.
//!
//! Invariant: a [`Client`] exists only where QEMU serves it; while another client is served,
//! [`Client::connect`] says who that is.

use super::occupant::{self, Occupant};
use super::telnet::{self, Decoder};
use super::{CONNECT_LIMIT, GREETING_LIMIT};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Bytes read at once; a serial line never brings more between two polls.
const READ_SIZE: usize = 16 * 1024;

/// How long the kernel may take to hand written bytes over before the guest counts as stuck.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// Why there is no connection to a console.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens: the node is off, or it runs on another host.
    #[error("nobody listens on {address}")]
    Refused {
        /// The console's address.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
    /// Another client is on the console, which serves one at a time.
    #[error("the console is in use by {occupant}")]
    InUse {
        /// The other client.
        occupant: Occupant,
    },
    /// The connection broke while it was being made.
    #[error("the connection to {address} broke")]
    Broken {
        /// The console's address.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A connection that QEMU serves.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    decoder: Decoder,
    /// Output that came along with the greeting.
    early: Vec<u8>,
}

impl Client {
    /// Connects to the console at an address of this host; over loopback where the console
    /// listens on all addresses.
    ///
    /// # Errors
    ///
    /// When nobody listens, when another client is served, or when the connection breaks.
    pub fn connect(address: SocketAddr) -> Result<Self, ConnectError> {
        Self::connect_within(address, GREETING_LIMIT)
    }

    /// As [`Client::connect`], with a limit of one's own for the greeting.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn connect_within(address: SocketAddr, greeting: Duration) -> Result<Self, ConnectError> {
        // A look at the kernel's table fails only where there is no /proc; the greeting then
        // still tells.
        if let Ok(Some(occupant)) = occupant::find(address) {
            return Err(ConnectError::InUse { occupant });
        }
        let stream = TcpStream::connect_timeout(&concrete(address), CONNECT_LIMIT)
            .map_err(|source| ConnectError::Refused { address, source })?;
        let broken = |source| ConnectError::Broken { address, source };
        stream.set_nodelay(true).map_err(broken)?;
        stream
            .set_write_timeout(Some(WRITE_LIMIT))
            .map_err(broken)?;
        let mut client = Self {
            stream,
            decoder: Decoder::default(),
            early: Vec::new(),
        };
        if client.greeted(greeting).map_err(broken)? {
            return Ok(client);
        }
        let occupant = occupant::find_other(address, client.stream.local_addr().ok());
        Err(ConnectError::InUse {
            occupant: occupant.ok().flatten().unwrap_or(Occupant::Unknown),
        })
    }

    /// Waits for the server's first word.
    fn greeted(&mut self, limit: Duration) -> io::Result<bool> {
        match self.receive_within(limit)? {
            Some(data) => {
                self.early = data;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// As [`Client::receive`], for at most this long; `None` once that is over.
    ///
    /// # Errors
    ///
    /// What the kernel says, and that the server has closed.
    pub fn receive_within(&mut self, limit: Duration) -> io::Result<Option<Vec<u8>>> {
        self.stream.set_read_timeout(Some(limit))?;
        let result = self.receive();
        self.stream.set_read_timeout(None)?;
        match result {
            Ok(Some(data)) => Ok(Some(data)),
            Ok(None) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if is_timeout(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Output that came before the first [`Client::receive`].
    pub fn take_early(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.early)
    }

    /// Reads what is there, waiting for the first byte, and answers the server's requests;
    /// `None` once the server has closed. A piece that is negotiation alone is empty.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = [0; READ_SIZE];
        let length = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        if length == 0 {
            return Ok(None);
        }
        let decoded = self.decoder.decode(&buffer[..length]);
        if !decoded.reply.is_empty() {
            self.stream.write_all(&decoded.reply)?;
        }
        Ok(Some(decoded.data))
    }

    /// Sends the user's input.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(&telnet::encode(bytes))
    }
}

/// The kernel's two words for a read that took too long.
fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// The address to connect to for a server's: "all addresses" is none.
fn concrete(server: SocketAddr) -> SocketAddr {
    let ip = match server.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, server.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    const GREETING: &[u8] = &[255, 251, 1, 255, 251, 3, 255, 251, 0, 255, 253, 0];

    /// Serves as QEMU does: one client, greeted at once.
    fn server(script: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
        server_on("127.0.0.1:0", script)
    }

    fn server_on(listen: &str, script: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind(listen).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || script(listener.accept().unwrap().0));
        address
    }

    #[test]
    fn a_client_negotiates_and_passes_every_byte() {
        let address = server(|mut stream| {
            stream.write_all(GREETING).unwrap();
            stream.write_all(b"login: ").unwrap();
            let mut expected = vec![
                255, 253, 1, 255, 253, 3, 255, 253, 0, 255, 251, 0, b'a', 255, 255,
            ];
            let mut got = vec![0; expected.len()];
            stream.read_exact(&mut got).unwrap();
            assert_eq!(got, expected);
            expected.clear();
            stream.write_all(b"done").unwrap();
        });
        let mut client = Client::connect(address).unwrap();
        let mut output = client.take_early();
        client.send(b"a\xff").unwrap();
        while let Some(data) = client.receive().unwrap() {
            output.extend(data);
        }
        assert_eq!(output, b"login: done");
    }

    #[test]
    fn nobody_there_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        assert!(matches!(
            Client::connect(address),
            Err(ConnectError::Refused { .. })
        ));
    }

    #[test]
    fn a_server_that_keeps_silent_serves_another() {
        // The listener accepts nobody: the kernel takes the connection all the same.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let result = Client::connect_within(address, Duration::from_millis(20));
        assert!(
            matches!(
                result,
                Err(ConnectError::InUse {
                    occupant: Occupant::Unknown
                })
            ),
            "{result:?}"
        );
    }

    #[test]
    fn the_client_that_is_served_is_named() {
        for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
            let (hold, held) = std::sync::mpsc::channel::<()>();
            let address = server_on(listen, move |mut stream| {
                stream.write_all(GREETING).unwrap();
                let _ = held.recv();
            });
            let first = Client::connect(address).unwrap();
            let result = Client::connect(address);
            drop(hold);
            let Err(ConnectError::InUse {
                occupant: Occupant::Process { pid, .. },
            }) = result
            else {
                panic!("{listen}: {result:?}");
            };
            assert_eq!(pid, std::process::id());
            drop(first);
        }
    }
}
