//! Who is at work on an image: a process that can be told from all others, also when it is gone.

use crate::host;
use serde::{Deserialize, Serialize};

/// A process, named for good: a machine since its boot, a number, and when it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Worker {
    boot: String,
    process: u32,
    started_ticks: u64,
}

impl Worker {
    /// This process.
    pub fn this_process() -> Self {
        let process = std::process::id();
        Self {
            boot: boot_id(),
            process,
            started_ticks: host::process_start_ticks(process).unwrap_or_default(),
        }
    }

    /// Whether it is gone for sure.
    pub(super) fn is_gone(&self) -> bool {
        self.boot == boot_id()
            && host::process_start_ticks(self.process) != Some(self.started_ticks)
    }
}

/// Names this machine since its boot.
fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}
