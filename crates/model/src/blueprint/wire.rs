//! What the wire of a lab shall be: its ends, and the junctions that join them.
//!
//! The wire is the process that frames pass through. Every data interface has an [`WireEnd`] of
//! its own from the start, whether or not anything is joined to it; a [`Junction`] joins ends and
//! can be changed while everything runs. Nothing here knows how frames are moved: the engine
//! translates this into the wire's own words.
//!
//! Invariants: a member of a junction is one of the ends, an end is a member of one junction at
//! most, and only members are impaired.

use super::Carrier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use vnflab_impairment::Impairment;

/// The wire of a lab, decided.
#[derive(Debug, Clone, PartialEq)]
pub struct WireBlueprint {
    /// The lab's name.
    pub lab: String,
    /// What all chance follows from: the same seed treats the same frames alike.
    pub seed: u64,
    /// The ends by name, `r1:eth1`.
    pub ends: BTreeMap<String, WireEnd>,
    /// Links and segments by name: `r1:eth1--r2:eth1`, or the name that the lab gives a segment.
    pub junctions: BTreeMap<String, Junction>,
    /// Where the counters can be read, if anywhere.
    pub metrics: Option<Metrics>,
}

/// Where a wire's counters can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metrics {
    /// Over HTTP, at a loopback address.
    Address(SocketAddr),
    /// Over HTTP, at a unix socket of this path.
    Socket(String),
}

impl std::fmt::Display for Metrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(formatter),
            Self::Socket(path) => path.fmt(formatter),
        }
    }
}

impl std::str::FromStr for Metrics {
    type Err = NoMetrics;

    /// Reads `127.0.0.1:9100` or `/run/user/1000/lab.metrics`.
    ///
    /// # Errors
    ///
    /// When it is neither a loopback address with a port nor an absolute path.
    fn from_str(text: &str) -> Result<Self, NoMetrics> {
        if text.starts_with('/') && !text.contains('\0') {
            return Ok(Self::Socket(text.to_owned()));
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() && address.port() != 0 => {
                Ok(Self::Address(address))
            }
            _ => Err(NoMetrics),
        }
    }
}

/// A text that is no place for counters: they are not for others than this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a loopback address with a port, nor an absolute path")]
pub struct NoMetrics;

/// Whether an interface loses its carrier when the node at the other end of its link is off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CarrierPolicy {
    /// It does.
    #[default]
    Follow,
    /// It does not.
    Keep,
}

impl CarrierPolicy {
    /// All of them, in the order of [`Self::WORDS`].
    pub const ALL: [Self; 2] = [Self::Follow, Self::Keep];

    /// How they are written.
    pub const WORDS: &'static [&'static str] = &["follow", "keep"];

    /// Whether it is the usual one.
    pub fn is_follow(&self) -> bool {
        *self == Self::Follow
    }
}

/// An end of the wire: where frames come in and go out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WireEnd {
    /// The tunnel of a node's interface: one datagram is one frame.
    Tunnel {
        /// Bound by the wire.
        local: SocketAddr,
        /// Bound by QEMU; frames are accepted from here only.
        remote: SocketAddr,
    },
    /// A tunnel to somewhere else, one datagram a frame too.
    Udp {
        /// Bound by the wire.
        local: SocketAddr,
        /// Frames are sent there and accepted from there only.
        remote: SocketAddr,
    },
    /// A TAP device of the host.
    Tap {
        /// Its name.
        device: String,
    },
    /// An interface of the host.
    Host {
        /// Its name.
        interface: String,
    },
}

impl WireEnd {
    /// Where the wire binds it, if it is a socket.
    pub fn local(&self) -> Option<SocketAddr> {
        match self {
            Self::Tunnel { local, .. } | Self::Udp { local, .. } => Some(*local),
            Self::Tap { .. } | Self::Host { .. } => None,
        }
    }
}

/// What joins ends: a link, or a segment of many.
#[derive(Debug, Clone, PartialEq)]
pub struct Junction {
    /// What it does with a frame.
    pub kind: JunctionKind,
    /// The ends that it joins; a link has two, in the order in which they are written.
    pub members: Vec<String>,
    /// Whether frames pass.
    pub state: JunctionState,
    /// What is done to the frames that members send, by member; nothing for others.
    pub impairments: BTreeMap<String, Impairment>,
}

/// What a junction does with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JunctionKind {
    /// Gives it to the other of two ends.
    Link,
    /// Gives it to the end behind which its address was seen, else to all others.
    Switch {
        /// An address that was not seen for so long is forgotten, in seconds.
        ageing_seconds: u32,
        /// Most addresses that are remembered.
        addresses: u32,
    },
    /// Gives it to all others.
    Hub,
}

/// The ageing time that IEEE 802.1Q recommends (table 8-6), in seconds.
pub const AGEING_SECONDS: u32 = 300;

/// As many addresses as a small switch has room for.
pub const ADDRESS_LIMIT: u32 = 8192;

impl JunctionKind {
    /// The word for people and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Switch { .. } => "switch",
            Self::Hub => "hub",
        }
    }
}

/// Whether frames pass a junction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum JunctionState {
    /// They do.
    #[default]
    Up,
    /// They do not: it is cut.
    Down,
}

impl JunctionState {
    /// The word for people and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl WireBlueprint {
    /// A wire without ends.
    pub fn new(lab: impl Into<String>, seed: u64) -> Self {
        Self {
            lab: lab.into(),
            seed,
            ends: BTreeMap::new(),
            junctions: BTreeMap::new(),
            metrics: None,
        }
    }

    /// Whether the guest behind each end sees a carrier: it does when its end is joined to
    /// something that is not cut.
    pub fn carriers(&self) -> BTreeMap<&str, Carrier> {
        let mut carriers: BTreeMap<&str, Carrier> = self
            .ends
            .keys()
            .map(|name| (name.as_str(), Carrier::Down))
            .collect();
        for junction in self.junctions.values() {
            if junction.state == JunctionState::Up {
                let members = junction.members.iter();
                carriers.extend(members.map(|member| (member.as_str(), Carrier::Up)));
            }
        }
        carriers
    }
}
