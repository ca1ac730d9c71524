//! What runs between the two nodes: the wire, and three relays to measure it by.
//!
//! - `naive`: two threads, each receives a frame and sends it on. So do ubridge and most others.
//! - `batch`: one thread that waits, receives a batch and sends a batch, each frame as a message
//!   of its own: what is saved by fewer system calls alone.
//! - `trains`: the same with trains, and nothing else: the floor of what the wire can be.

use crate::Error;
use crate::stage::{RELAY_CPU, Tunnel, be_undisturbed};
use std::io::BufRead;
use std::net::UdpSocket;
use vnflab_wire::sys::{Arena, Messages, Port, UdpPort, Waiter};
use vnflab_wire::{Config, Wire};

/// Tells a process that it is a relay, and which.
pub(crate) const ROLE: &str = "VNFLAB_BENCH_RELAY";

/// A kind of relay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Naive,
    Batch,
    Trains,
    Wire,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Naive, Self::Batch, Self::Trains, Self::Wire];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::Batch => "batch",
            Self::Trains => "trains",
            Self::Wire => "wire",
        }
    }
}

/// Whether this process is to be a relay.
pub(crate) fn is_wanted() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Relays until the tester is gone.
pub(crate) fn run() -> Result<(), Error> {
    // A session of its own, whose priority is nobody else's.
    rustix::process::setsid()?;
    be_undisturbed(RELAY_CPU);
    let name = std::env::var(ROLE)?;
    let role = Role::ALL.into_iter().find(|role| role.name() == name);
    let mut wire = None;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match role.ok_or("no such relay")? {
            Role::Naive => naive(parse(&line)?)?,
            role @ (Role::Batch | Role::Trains) => batch(parse(&line)?, role)?,
            Role::Wire => {
                let config: Config = serde_json::from_str(&line)?;
                let wire = match &mut wire {
                    Some(wire) => wire,
                    none => none.insert(Wire::start()?),
                };
                wire.apply(&config)?;
            }
        }
        println!("ready");
    }
    Ok(())
}

/// The order for the simple relays.
pub(crate) fn order(a: Tunnel, b: Tunnel) -> String {
    format!("{} {} {} {}", a.relay, a.node, b.relay, b.node)
}

fn parse(line: &str) -> Result<[Tunnel; 2], Error> {
    let addresses: Result<Vec<_>, _> = line.split(' ').map(str::parse).collect();
    match addresses?[..] {
        [a, a_node, b, b_node] => Ok([
            Tunnel {
                relay: a,
                node: a_node,
            },
            Tunnel {
                relay: b,
                node: b_node,
            },
        ]),
        _ => Err("four addresses are needed".into()),
    }
}

fn naive(tunnels: [Tunnel; 2]) -> Result<(), Error> {
    let open = |tunnel: Tunnel| -> std::io::Result<UdpSocket> {
        let socket = UdpSocket::bind(tunnel.relay)?;
        socket.connect(tunnel.node)?;
        Ok(socket)
    };
    let [a, b] = [open(tunnels[0])?, open(tunnels[1])?];
    for (from, to) in [(a.try_clone()?, b.try_clone()?), (b, a)] {
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            loop {
                // A peer that is not there yet is no reason to end.
                if let Ok(length) = from.recv(&mut buffer) {
                    let _ = to.send(&buffer[..length]);
                }
            }
        });
    }
    Ok(())
}

fn batch(tunnels: [Tunnel; 2], role: Role) -> Result<(), Error> {
    let mut ports = Vec::new();
    let mut waiter = Waiter::new()?;
    for (key, tunnel) in (0..).zip(tunnels) {
        let mut port = UdpPort::open(tunnel.relay, tunnel.node)?;
        if role == Role::Batch {
            port.stop_trains();
        }
        waiter.watch(port.descriptor(), key)?;
        ports.push(Port::Udp(port));
    }
    std::thread::spawn(move || {
        let mut arena = Arena::new();
        let mut messages = Messages::default();
        let mut keys = Vec::new();
        while waiter.wait(None, &mut keys).is_ok() {
            for key in &keys {
                let from = *key as usize;
                if ports[from].receive(&mut arena, None).is_ok() {
                    let arrivals = arena.arrivals().iter();
                    let frames = arrivals.map(|one| &arena.slot(one.slot)[..one.length]);
                    ports[1 - from].send(frames, &mut messages);
                }
            }
        }
    });
    Ok(())
}
