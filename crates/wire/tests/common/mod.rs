//! What the tests of the wire share.
#![allow(dead_code, reason = "no test file needs all of it")]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use vnflab_wire::EndConfig;

/// Randomness that can be had again: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The same seed gives the same numbers.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number less than `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// Whether something happens that does so once in `bound` times.
    pub(crate) fn once_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    /// One of them.
    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// The seeds to try: the one in `VNFLAB_SEED`, or so many that follow from the time.
pub(crate) fn seeds(count: u64) -> Vec<u64> {
    if let Some(seed) = std::env::var("VNFLAB_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
    {
        return vec![seed];
    }
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let first = since.map_or(0, |time| time.as_nanos() as u64);
    (0..count)
        .map(|number| first.wrapping_add(number))
        .collect()
}

/// How long anything may take that should come at once; a loaded machine is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a node has: the socket that QEMU would have, and where the wire listens for it.
pub(crate) struct Node {
    pub(crate) socket: UdpSocket,
    pub(crate) tunnel: SocketAddr,
}

impl Node {
    /// At ports of the kernel's choice.
    pub(crate) fn new() -> Self {
        // Held until both ports are known, so that they differ; the wire binds its own a moment
        // later, on an address that is this test's.
        let wire = UdpSocket::bind((address(), 0)).unwrap();
        let tunnel = wire.local_addr().unwrap();
        let socket = UdpSocket::bind((tunnel.ip(), 0)).unwrap();
        Self::with(socket, tunnel)
    }

    /// At an address that is known.
    pub(crate) fn at(address: SocketAddr, tunnel: SocketAddr) -> Self {
        Self::with(UdpSocket::bind(address).unwrap(), tunnel)
    }

    fn with(socket: UdpSocket, tunnel: SocketAddr) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, tunnel }
    }

    /// The wire's side.
    pub(crate) fn end(&self) -> EndConfig {
        EndConfig::Udp {
            local: self.tunnel,
            remote: self.socket.local_addr().unwrap(),
        }
    }

    /// Sends a frame; the kernel may have no room for it.
    pub(crate) fn send(&self, frame: &[u8]) {
        match self.socket.send_to(frame, self.tunnel) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionRefused => {
                panic!("cannot send {} bytes: {error}", frame.len())
            }
            _ => {}
        }
    }

    /// Waits for so many frames.
    pub(crate) fn receive(&self, count: usize) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut buffer = vec![0; 65_536];
        while frames.len() < count {
            match self.socket.recv(&mut buffer) {
                Ok(length) => frames.push(buffer[..length].to_vec()),
                Err(error) => panic!("{} of {count} frames came: {error}", frames.len()),
            }
        }
        frames
    }

    /// What has come already.
    pub(crate) fn drain(&self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut buffer = vec![0; 65_536];
        self.socket.set_nonblocking(true).unwrap();
        while let Ok(length) = self.socket.recv(&mut buffer) {
            frames.push(buffer[..length].to_vec());
        }
        self.socket.set_nonblocking(false).unwrap();
        frames
    }

    /// Whether nothing has come.
    pub(crate) fn is_quiet(&self) -> bool {
        self.drain().is_empty()
    }
}

/// An address on the loopback interface for a node: another for each, and for each run.
fn address() -> Ipv4Addr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let run = std::process::id().wrapping_mul(0x9e37_79b1) >> 18;
    let [_, high, low, _] = (run << 8).to_be_bytes();
    Ipv4Addr::new(127, 128 | high, low, 1 + (number % 250) as u8)
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "not in {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
