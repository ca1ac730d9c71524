//! What this host lacks for running labs, and the command that mends it.
//!
//! [`facts`] looks at the host; [`examine`] judges and is pure, so that every verdict can be
//! tested without a broken host. A check here concerns the host; what is wrong with a lab has its
//! codes in [`vnflab_model::code`]. Invariant: every check of [`ALL`] gives exactly one finding.

mod check;
pub mod facts;
mod finding;
mod guests;

pub use check::*;
pub use facts::{Init, Kvm, Presence};
pub use finding::{Finding, Verdict};

use facts::Facts;
use vnflab_model::blueprint::Accelerator;
use vnflab_model::observed::{Host, Locality, Scope};

/// Below this much room in MiB, a lab of vendors' images fills the disk soon.
const SPACE_WARNING_MIB: u64 = 4096;

/// Below this much room in MiB, not even our own image can be built.
const SPACE_FAILURE_MIB: u64 = 512;

/// Below this much memory in MiB, the smallest lab of ours (two nodes) does not fit with ease.
const MEMORY_WARNING_MIB: u64 = 1024;

/// What the kernel's `run` of KSM says while it shares pages.
const SHARES_PAGES: u64 = 1;

/// Below this many bytes a buffer overruns at bursts that TCP sends as a matter of course: it holds
/// some 450 full frames.
const BUFFER_WARNING_BYTES: u64 = 1024 * 1024;

/// What is recommended for both buffers, in bytes: what the wire asks for.
const BUFFER_BYTES: u64 = 4 * 1024 * 1024;

/// Judges what was seen: one finding a check, in the order of [`ALL`].
pub fn examine(facts: &Facts) -> Vec<Finding> {
    vec![
        libvirt(facts),
        program(facts, QEMU, facts.qemu, Verdict::Failure),
        program(facts, QEMU_IMG, facts.qemu_img, Verdict::Failure),
        acceleration(facts),
        console_log(facts),
        management(facts),
        storage(facts),
        disk_space(facts),
        memory(facts),
        own_image(facts),
        program(facts, SSH, facts.ssh, Verdict::Warning),
        buffers(facts),
        guests::firmware(facts),
        guests::cpu_limits(facts),
    ]
}

/// Whether one of them keeps labs from running.
pub fn has_failures(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Failure)
}

fn elsewhere(check: Check) -> Finding {
    Finding::new(
        check,
        Verdict::NotNeeded,
        "the connection leads to another host",
    )
}

fn libvirt(facts: &Facts) -> Finding {
    match &facts.host {
        Ok(host) => Finding::new(LIBVIRT, Verdict::Good, format!("{} answers", host.uri)),
        Err(reason) => {
            let finding = Finding::new(LIBVIRT, Verdict::Failure, reason);
            if !is_local_uri(&facts.uri) {
                return finding;
            }
            let finding = match facts.libvirtd {
                Presence::Present => finding,
                Presence::Absent => finding.mend(as_root(
                    facts,
                    "apt-get install libvirt-daemon-system libvirt-clients",
                )),
            };
            match (is_system_uri(&facts.uri), facts.init) {
                (true, Init::Systemd) => {
                    finding.mend(as_root(facts, "systemctl enable --now libvirtd"))
                }
                (true, Init::None) => {
                    finding.mend(as_root(facts, "sh -c 'virtlogd -d; libvirtd -d'"))
                }
                (false, _) => finding,
            }
        }
    }
}

fn program(facts: &Facts, check: Check, presence: Presence, absent: Verdict) -> Finding {
    let (name, package) = match check.id {
        "D02" => ("qemu-system-x86_64", "qemu-system-x86"),
        "D03" => ("qemu-img", "qemu-utils"),
        _ => ("ssh", "openssh-client"),
    };
    // SSH runs here whatever the connection is; the others run where the VMs do.
    if check != SSH && !is_local(facts) {
        return elsewhere(check);
    }
    match presence {
        Presence::Present => Finding::new(check, Verdict::Good, format!("`{name}` is installed")),
        Presence::Absent => Finding::new(check, absent, format!("`{name}` is not installed"))
            .mend(as_root(facts, &format!("apt-get install {package}"))),
    }
}

fn acceleration(facts: &Facts) -> Finding {
    let Ok(host) = &facts.host else {
        return Finding::new(
            ACCELERATION,
            Verdict::Warning,
            "unknown while libvirt does not answer",
        );
    };
    match host.accelerator {
        Accelerator::Kvm => Finding::new(
            ACCELERATION,
            Verdict::Good,
            format!("KVM: {}", host.accelerator_reason),
        ),
        Accelerator::Tcg => {
            let detail = format!("none, guests run slowly: {}", host.accelerator_reason);
            let finding = Finding::new(ACCELERATION, Verdict::Warning, detail);
            match facts.kvm {
                Kvm::Forbidden => finding.mend(as_root(
                    facts,
                    &format!("usermod -aG kvm {}   # then log in anew", facts.user),
                )),
                Kvm::Absent | Kvm::Open | Kvm::Useless => finding,
            }
        }
    }
}

fn console_log(facts: &Facts) -> Finding {
    if !is_local(facts) {
        return elsewhere(CONSOLE_LOG);
    }
    if !is_system(facts) {
        let detail = "a session's libvirt starts virtlogd by itself";
        return Finding::new(CONSOLE_LOG, Verdict::Good, detail);
    }
    if facts.virtlogd == Presence::Present {
        return Finding::new(CONSOLE_LOG, Verdict::Good, "virtlogd is there");
    }
    let finding = Finding::new(CONSOLE_LOG, Verdict::Failure, "virtlogd does not run");
    match facts.init {
        Init::Systemd => finding.mend(as_root(facts, "systemctl enable --now virtlogd.socket")),
        Init::None => finding.mend(as_root(facts, "virtlogd -d")),
    }
}

fn management(facts: &Facts) -> Finding {
    if !is_local(facts) {
        return elsewhere(MANAGEMENT);
    }
    if !is_system(facts) {
        let detail = "a session forwards a port to each guest";
        return Finding::new(MANAGEMENT, Verdict::Good, detail);
    }
    let missing: Vec<(&str, &str)> = [
        (facts.dnsmasq, "`dnsmasq`", "dnsmasq-base"),
        (facts.firewall, "`iptables`", "iptables"),
    ]
    .into_iter()
    .filter(|(presence, _, _)| *presence == Presence::Absent)
    .map(|(_, name, package)| (name, package))
    .collect();
    if missing.is_empty() {
        let detail = "`dnsmasq` and `iptables` are installed";
        return Finding::new(MANAGEMENT, Verdict::Good, detail);
    }
    let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    Finding::new(
        MANAGEMENT,
        Verdict::Failure,
        format!("not installed: {}", names.join(", ")),
    )
    .mend(as_root(
        facts,
        &format!("apt-get install {}", packages.join(" ")),
    ))
}

fn storage(facts: &Facts) -> Finding {
    let host = match &facts.host {
        Ok(host) if host.locality == Locality::Local => host,
        Ok(_) => return elsewhere(STORAGE),
        Err(_) => {
            let detail = "unknown while libvirt does not answer";
            return Finding::new(STORAGE, Verdict::Warning, detail);
        }
    };
    match &facts.closed_folder {
        Some(folder) if host.scope == Scope::System => Finding::new(
            STORAGE,
            Verdict::Failure,
            format!(
                "{}: libvirt's QEMU user cannot pass through {folder}",
                host.volume_folder
            ),
        )
        .mend(as_root(facts, &format!("chmod o+x {folder}"))),
        _ => Finding::new(STORAGE, Verdict::Good, host.volume_folder.clone()),
    }
}

fn disk_space(facts: &Facts) -> Finding {
    if !is_local(facts) {
        return elsewhere(DISK_SPACE);
    }
    let Some(free) = facts.free_disk_mib else {
        return Finding::new(DISK_SPACE, Verdict::Warning, "cannot be measured");
    };
    let detail = format!("{free} MiB free");
    let verdict = match free {
        0..SPACE_FAILURE_MIB => Verdict::Failure,
        SPACE_FAILURE_MIB..SPACE_WARNING_MIB => Verdict::Warning,
        _ => Verdict::Good,
    };
    Finding::new(DISK_SPACE, verdict, detail)
}

fn memory(facts: &Facts) -> Finding {
    if !is_local(facts) {
        return elsewhere(MEMORY);
    }
    let Some(available) = facts.available_memory_mib else {
        return Finding::new(MEMORY, Verdict::Warning, "cannot be measured");
    };
    let sharing = match facts.page_sharing {
        Some(SHARES_PAGES) => ", and equal pages of VMs are shared",
        Some(_) => "; equal pages of VMs are not shared, KSM is off",
        None => "",
    };
    let detail = format!("{available} MiB available{sharing}");
    if available >= MEMORY_WARNING_MIB {
        return Finding::new(MEMORY, Verdict::Good, detail);
    }
    let finding = Finding::new(MEMORY, Verdict::Warning, detail);
    match facts.page_sharing {
        Some(SHARES_PAGES) | None => finding,
        Some(_) => finding.mend("echo 1 | sudo tee /sys/kernel/mm/ksm/run"),
    }
}

fn own_image(facts: &Facts) -> Finding {
    match facts.own_image {
        Some(Presence::Present) => Finding::new(OWN_IMAGE, Verdict::Good, "in the image store"),
        Some(Presence::Absent) => {
            Finding::new(OWN_IMAGE, Verdict::Warning, "not in the image store")
                .mend("vnflab image build frr")
        }
        None => {
            let detail = "unknown while libvirt does not answer";
            Finding::new(OWN_IMAGE, Verdict::Warning, detail)
        }
    }
}

fn buffers(facts: &Facts) -> Finding {
    if !is_local(facts) {
        return elsewhere(BUFFERS);
    }
    let (Some(default), Some(most)) =
        (facts.receive_buffer_bytes, facts.receive_buffer_limit_bytes)
    else {
        return Finding::new(BUFFERS, Verdict::Warning, "cannot be measured");
    };
    let detail = format!(
        "{} KiB for QEMU, at most {} KiB for the wire",
        default / 1024,
        most / 1024
    );
    if default.min(most) >= BUFFER_WARNING_BYTES {
        return Finding::new(BUFFERS, Verdict::Good, detail);
    }
    let settings: Vec<String> = [("rmem_default", default), ("rmem_max", most)]
        .into_iter()
        .filter(|(_, bytes)| *bytes < BUFFER_WARNING_BYTES)
        .map(|(name, _)| format!("net.core.{name}={BUFFER_BYTES}"))
        .collect();
    Finding::new(
        BUFFERS,
        Verdict::Warning,
        format!("bursts are lost: {detail}"),
    )
    .mend(as_root(facts, &format!("sysctl {}", settings.join(" "))))
}

fn is_local(facts: &Facts) -> bool {
    match &facts.host {
        Ok(Host { locality, .. }) => *locality == Locality::Local,
        Err(_) => is_local_uri(&facts.uri),
    }
}

fn is_system(facts: &Facts) -> bool {
    match &facts.host {
        Ok(Host { scope, .. }) => *scope == Scope::System,
        Err(_) => is_system_uri(&facts.uri),
    }
}

/// A local URI names no host: `qemu:///system`.
fn is_local_uri(uri: &str) -> bool {
    uri.split_once("://")
        .is_some_and(|(_, rest)| rest.starts_with('/'))
}

fn is_system_uri(uri: &str) -> bool {
    let path = uri.split(['?', '#']).next().unwrap_or(uri);
    path.ends_with("/system")
}

/// A command as the user has to type it to run it as root.
fn as_root(facts: &Facts, command: &str) -> String {
    if facts.is_root {
        command.to_owned()
    } else {
        format!("sudo {command}")
    }
}

#[cfg(test)]
mod tests;
