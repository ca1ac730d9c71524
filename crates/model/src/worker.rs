//! A process that is at work on something that others can see.

use serde::{Deserialize, Serialize};

/// A process, named for good: it can be told from all others, also when it is gone and its id is
/// another's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Worker {
    /// A machine since its boot, by the kernel's boot id.
    pub boot: String,
    /// The process's id there.
    pub process: u32,
    /// When it started, in clock ticks since that boot.
    pub started_ticks: u64,
}
