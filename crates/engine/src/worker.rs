//! Who is at work: whether a process that left its name somewhere is still there.

use crate::host;
use vnflab_model::worker::Worker;

/// This process.
pub fn this_process() -> Worker {
    let process = std::process::id();
    Worker {
        boot: boot_id(),
        process,
        started_ticks: host::process_start_ticks(process).unwrap_or_default(),
    }
}

/// Whether it is at work on this machine. One of another machine, or of a boot before, is not.
pub fn is_here(worker: &Worker) -> bool {
    worker.boot == boot_id()
        && host::process_start_ticks(worker.process) == Some(worker.started_ticks)
}

/// Whether it is gone for sure: of other machines nothing is known.
pub fn is_gone(worker: &Worker) -> bool {
    worker.boot == boot_id()
        && host::process_start_ticks(worker.process) != Some(worker.started_ticks)
}

/// Names this machine since its boot.
fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_here_until_it_or_its_machine_is_gone() {
        let this = this_process();
        assert!(is_here(&this) && !is_gone(&this));
        // Its id is another's by now.
        let earlier = Worker {
            started_ticks: this.started_ticks + 1,
            ..this.clone()
        };
        assert!(!is_here(&earlier) && is_gone(&earlier));
        let elsewhere = Worker {
            boot: "another".to_owned(),
            ..this
        };
        assert!(!is_here(&elsewhere) && !is_gone(&elsewhere));
    }
}
