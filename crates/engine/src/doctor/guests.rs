//! What only some guests need: UEFI's firmware, and limits of CPUs. Labs without them run, so
//! nothing here is a failure.

use super::facts::Facts;
use super::{CPU_LIMITS, FIRMWARE, Finding, Presence, Verdict, as_root, elsewhere, is_local};

pub(super) fn firmware(facts: &Facts) -> Finding {
    if !is_local(facts) {
        return elsewhere(FIRMWARE);
    }
    match facts.firmware {
        Presence::Present => Finding::new(FIRMWARE, Verdict::Good, "OVMF is installed"),
        Presence::Absent => Finding::new(
            FIRMWARE,
            Verdict::Warning,
            "OVMF is not installed; kinds that boot by UEFI do not start",
        )
        .mend(as_root(facts, "apt-get install ovmf")),
    }
}

pub(super) fn cpu_limits(facts: &Facts) -> Finding {
    match &facts.host {
        Err(_) => Finding::new(
            CPU_LIMITS,
            Verdict::Warning,
            "unknown while libvirt does not answer",
        ),
        Ok(host) => match &host.no_cpu_limits {
            None => Finding::new(CPU_LIMITS, Verdict::Good, "the kernel keeps them"),
            // Few labs ask for them, and those are told by `check` and `up`.
            Some(reason) => Finding::new(
                CPU_LIMITS,
                Verdict::NotNeeded,
                format!("cannot be had: {reason}"),
            ),
        },
    }
}
