//! Where the time goes: how long each proof and each stage took, and how busy the processors were.
//!
//! A proof during which they were idle waits for something; one during which they were not shares
//! them with a stage that boots.

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What was timed so far.
static TIMED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A stretch of time that ends when this value does.
pub(crate) struct Stretch {
    what: String,
    began: Instant,
    processors: Processors,
}

impl Stretch {
    /// It begins now.
    pub(crate) fn begin(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            began: Instant::now(),
            processors: Processors::look(),
        }
    }
}

impl Drop for Stretch {
    fn drop(&mut self) {
        let seconds = self.began.elapsed().as_secs_f64();
        let busy = Processors::look().percent_since(&self.processors);
        let line = format!("{seconds:7.1} s  {busy:3} %  {}", self.what);
        let mut timed = TIMED.lock().unwrap_or_else(PoisonError::into_inner);
        timed.push(line);
    }
}

/// Tells of all stretches that have ended, in the order in which they did.
pub(crate) fn tell() {
    let timed = TIMED.lock().unwrap_or_else(PoisonError::into_inner);
    if timed.is_empty() {
        return;
    }
    eprintln!("\n     time  busy  proof or stage");
    for line in timed.iter() {
        eprintln!("{line}");
    }
}

/// Ticks of all processors together since the host started, by `/proc/stat`.
#[derive(Default)]
struct Processors {
    idle: u64,
    all: u64,
}

impl Processors {
    fn look() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        // user, nice, system, idle, iowait, ...; steal is somebody else's work, guest is in user.
        let ticks: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .take(8)
            .filter_map(|word| word.parse().ok())
            .collect();
        Self {
            idle: ticks.iter().skip(3).take(2).sum(),
            all: ticks.iter().sum(),
        }
    }

    fn percent_since(&self, before: &Self) -> u64 {
        let all = self.all.saturating_sub(before.all).max(1);
        let idle = self.idle.saturating_sub(before.idle).min(all);
        100 * (all - idle) / all
    }
}
