//! When nodes start: what each comes after, and how much may boot at one time.

use crate::observed::{Host, Locality};
use serde::{Deserialize, Serialize};

/// Booting CPUs for each CPU of the host. A guest that boots keeps a CPU busy most of the time
/// under translation, and waits for its disk half of the time in hardware; with much more than
/// this, guests run into their own time-outs and fail at random.
const CPUS_FOR_EACH: u32 = 2;

/// The part of the host's memory that may be booting at one time: what has booted has had time
/// to share its pages (KSM) or to show that the host is too small.
const MEMORY_DIVISOR: u64 = 2;

/// Another node that a node comes after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct After {
    /// The other node.
    pub node: String,
    /// How far it must be.
    pub until: Until,
}

/// How far a node must be before others start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Until {
    /// Its VM was started.
    Started,
    /// Its console showed that it is up.
    Ready,
}

impl Until {
    /// All of them, in the order of [`Self::WORDS`].
    pub const ALL: [Self; 2] = [Self::Started, Self::Ready];

    /// How they are written.
    pub const WORDS: &'static [&'static str] = &["started", "ready"];
}

/// How much may boot at one time. What exceeds it alone boots alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StartLimit {
    /// Most nodes.
    pub nodes: Option<u32>,
    /// Most virtual CPUs.
    pub cpus: Option<u32>,
    /// Most memory in MiB.
    pub memory_mib: Option<u64>,
}

impl StartLimit {
    /// Everything at once.
    pub const NONE: Self = Self {
        nodes: None,
        cpus: None,
        memory_mib: None,
    };

    /// So many nodes, whatever they need.
    pub fn of_nodes(nodes: u32) -> Self {
        Self {
            nodes: Some(nodes),
            ..Self::NONE
        }
    }

    /// What a host bears. On another machine everything starts at once: its consoles cannot be
    /// read from here, so nobody would see when a node is up.
    pub fn of_host(host: &Host) -> Self {
        match host.locality {
            Locality::Remote => Self::NONE,
            Locality::Local => Self {
                nodes: None,
                cpus: Some(host.cpus.max(1).saturating_mul(CPUS_FOR_EACH)),
                memory_mib: Some(host.memory_mib / MEMORY_DIVISOR),
            },
        }
    }
}
