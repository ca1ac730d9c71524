//! What this host lacks for running labs, and the command that mends it.
//!
//! [`facts`] looks at the host; [`examine`] judges and is pure, so that every verdict can be
//! tested without a broken host. A check here concerns the host; what is wrong with a lab has its
//! codes in [`vnflab_model::code`]. Invariant: every check of [`ALL`] gives exactly one finding.

pub mod facts;
mod guests;

use facts::Facts;
use vnflab_model::blueprint::Accelerator;
use vnflab_model::observed::{Host, Locality, Scope};

/// A stable check, such as `D01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// What is printed. It never changes its meaning and is never used again.
    pub id: &'static str,
    /// What is looked at.
    pub title: &'static str,
    /// What it is needed for and how it is mended, in a sentence or two.
    pub explanation: &'static str,
}

macro_rules! checks {
    ($($name:ident = $id:literal, $title:literal, $explanation:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $title, ".")]
            pub const $name: Check = Check { id: $id, title: $title, explanation: $explanation };
        )*

        /// All checks, in the order of examination.
        pub const ALL: &[Check] = &[$($name),*];
    };
}

checks! {
    LIBVIRT = "D01", "libvirt",
        "Every VM, network and disk is made by libvirt. Root uses qemu:///system, whose daemons an init system starts, or `virtlogd -d; libvirtd -d` by hand where there is none. Other users have qemu:///session, which starts its own daemon and needs the program `libvirtd` only.";
    QEMU = "D02", "QEMU",
        "The program `qemu-system-x86_64` runs the VMs. Debian has it in the package qemu-system-x86.";
    QEMU_IMG = "D03", "qemu-img",
        "libvirt makes disk overlays with `qemu-img`. Debian has it in the package qemu-utils.";
    ACCELERATION = "D04", "hardware acceleration",
        "With KVM, guests run at nearly the speed of the host. Without it QEMU translates their code, which is about ten times slower, yet everything works. KVM needs a CPU with vmx or svm, /dev/kvm, and membership in the group that owns it.";
    CONSOLE_LOG = "D05", "console recording",
        "virtlogd records what guests say on their consoles. The system's libvirt cannot start a VM with a recorded console while virtlogd does not run.";
    MANAGEMENT = "D06", "management networks",
        "A management network of the system's libvirt is a bridge whose addresses `dnsmasq` leases and whose traffic `iptables` or `nft` forwards. A user's session has no bridges: there QEMU forwards a port to each guest's SSH server, and nothing has to be installed.";
    STORAGE = "D07", "folder for disks",
        "The overlays of the nodes' disks lie in this folder. The system's libvirt runs QEMU as a user of its own, who must be able to pass through every folder above.";
    DISK_SPACE = "D08", "disk space",
        "An overlay is empty at first and grows with what the guest writes, from a few MiB for our own image to some GiB for a vendor's.";
    MEMORY = "D09", "memory",
        "A guest takes as much memory as its kind asks for: 256 MiB for our own image, 4 GiB and more for vendors' images. `--stand-in frr` rehearses a lab with the small one. The kernel can share the equal pages of VMs of one image (KSM), for a little of a CPU; it finds them some minutes after the guests booted.";
    OWN_IMAGE = "D10", "image `frr`",
        "Our own router image, for nodes of the kind `frr` and for `--stand-in frr`. `vnflab image build frr` makes it from Debian's packages in a minute or two.";
    SSH = "D11", "SSH client",
        "`vnflab ssh` runs the system's `ssh`. Debian has it in the package openssh-client.";
    BUFFERS = "D12", "socket buffers",
        "A frame that finds the buffer of its socket full is lost. QEMU takes the default, and 212,992 bytes hold 92 frames of 1500 bytes or 12 jumbo frames: a burst of a fast guest overruns a slow one. The wire asks for more, up to the kernel's limit; `vnflab link show` counts what it could not take as overruns.";
    FIRMWARE = "D13", "UEFI firmware",
        "Kinds that boot by UEFI need OVMF, with the descriptions in /usr/share/qemu/firmware by which libvirt finds it. Debian has it in the package ovmf. Kinds that boot by BIOS need nothing.";
    CPU_LIMITS = "D14", "CPU limits",
        "`cpu-limit` in a lab file and `vnflab cpu-limit` need the CPU controller of the kernel's control groups, which many containers lack, and the system's libvirt: a user's session cannot limit CPUs. Without it nodes run without a limit.";
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// All is well.
    Good,
    /// It does not matter on this connection.
    NotNeeded,
    /// Labs run, but something is slower or missing.
    Warning,
    /// Labs do not run.
    Failure,
}

impl Verdict {
    /// The word for people and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::NotNeeded => "not-needed",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
    /// Commands that mend it, in order.
    pub remedy: Vec<String>,
}

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

impl Finding {
    fn new(check: Check, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            check,
            verdict,
            detail: detail.into(),
            remedy: Vec::new(),
        }
    }

    fn mend(mut self, command: impl Into<String>) -> Self {
        self.remedy.push(command.into());
        self
    }
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

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Present,
    /// It is not.
    Absent,
}

/// What starts daemons here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// systemd.
    Systemd,
    /// Nothing, as in many containers and small VMs.
    None,
}

/// What `/dev/kvm` is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kvm {
    /// It opens.
    Open,
    /// It exists, but this user may not open it.
    Forbidden,
    /// It does not exist.
    Absent,
    /// The CPU has neither vmx nor svm, so it would not help.
    Useless,
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
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn host(uri: &str, scope: Scope, locality: Locality) -> Host {
        Host {
            uri: uri.to_owned(),
            scope,
            locality,
            accelerator: Accelerator::Kvm,
            accelerator_reason: "the CPU has vmx".to_owned(),
            memory_mib: 16_384,
            cpus: 8,
            volume_folder: "/var/lib/libvirt/vnflab".to_owned(),
            console_folder: "/var/log/libvirt/vnflab".to_owned(),
            bridges: BTreeSet::new(),
            no_cpu_limits: None,
            subnets: Vec::new(),
        }
    }

    fn healthy() -> Facts {
        let uri = "qemu:///system";
        Facts {
            uri: uri.to_owned(),
            host: Ok(host(uri, Scope::System, Locality::Local)),
            is_root: true,
            user: "root".to_owned(),
            init: Init::Systemd,
            libvirtd: Presence::Present,
            virtlogd: Presence::Present,
            qemu: Presence::Present,
            qemu_img: Presence::Present,
            dnsmasq: Presence::Present,
            firewall: Presence::Present,
            ssh: Presence::Present,
            kvm: Kvm::Open,
            closed_folder: None,
            free_disk_mib: Some(100_000),
            available_memory_mib: Some(8192),
            page_sharing: Some(SHARES_PAGES),
            receive_buffer_bytes: Some(BUFFER_BYTES),
            receive_buffer_limit_bytes: Some(BUFFER_BYTES),
            own_image: Some(Presence::Present),
            firmware: Presence::Present,
        }
    }

    fn finding(facts: &Facts, check: Check) -> Finding {
        examine(facts)
            .into_iter()
            .find(|finding| finding.check == check)
            .unwrap()
    }

    #[test]
    fn where_memory_is_short_the_kernel_is_told_to_share_it() {
        let short = Facts {
            available_memory_mib: Some(512),
            page_sharing: Some(0),
            ..healthy()
        };
        let found = finding(&short, MEMORY);
        assert_eq!(found.verdict, Verdict::Warning);
        assert!(found.detail.contains("KSM is off"), "{}", found.detail);
        assert_eq!(found.remedy.len(), 1);
        let shared = Facts {
            page_sharing: Some(SHARES_PAGES),
            ..short
        };
        assert!(finding(&shared, MEMORY).remedy.is_empty());
    }

    #[test]
    fn every_check_gives_one_finding_in_order() {
        let findings = examine(&healthy());
        let ids: Vec<_> = findings.iter().map(|finding| finding.check.id).collect();
        let all: Vec<_> = ALL.iter().map(|check| check.id).collect();
        assert_eq!(ids, all);
        assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert!(
            findings
                .iter()
                .all(|finding| finding.verdict == Verdict::Good)
        );
        assert!(!has_failures(&findings));
    }

    #[test]
    fn without_an_init_system_the_daemons_are_started_by_hand() {
        let facts = Facts {
            host: Err("no socket".to_owned()),
            init: Init::None,
            virtlogd: Presence::Absent,
            ..healthy()
        };
        let libvirt = finding(&facts, LIBVIRT);
        assert_eq!(libvirt.verdict, Verdict::Failure);
        assert_eq!(libvirt.remedy, ["sh -c 'virtlogd -d; libvirtd -d'"]);
        assert_eq!(finding(&facts, CONSOLE_LOG).remedy, ["virtlogd -d"]);
        assert!(has_failures(&examine(&facts)));
    }

    #[test]
    fn a_user_is_told_to_use_sudo_and_needs_no_bridges() {
        let uri = "qemu:///session";
        let facts = Facts {
            uri: uri.to_owned(),
            host: Ok(host(uri, Scope::Session, Locality::Local)),
            is_root: false,
            user: "ada".to_owned(),
            dnsmasq: Presence::Absent,
            virtlogd: Presence::Absent,
            qemu: Presence::Absent,
            ..healthy()
        };
        assert_eq!(
            finding(&facts, QEMU).remedy,
            ["sudo apt-get install qemu-system-x86"]
        );
        assert_eq!(finding(&facts, MANAGEMENT).verdict, Verdict::Good);
        assert_eq!(finding(&facts, CONSOLE_LOG).verdict, Verdict::Good);
    }

    #[test]
    fn a_device_that_the_user_may_not_open_is_mended_by_its_group() {
        let mut facts = Facts {
            is_root: false,
            user: "ada".to_owned(),
            kvm: Kvm::Forbidden,
            ..healthy()
        };
        let host = facts.host.as_mut().unwrap();
        host.accelerator = Accelerator::Tcg;
        let forbidden = finding(&facts, ACCELERATION);
        assert_eq!(forbidden.verdict, Verdict::Warning);
        assert!(forbidden.remedy[0].starts_with("sudo usermod -aG kvm ada"));
        facts.kvm = Kvm::Useless;
        assert!(finding(&facts, ACCELERATION).remedy.is_empty());
    }

    #[test]
    fn another_host_is_not_judged_by_this_one() {
        let uri = "qemu+ssh://lab1/system";
        let facts = Facts {
            uri: uri.to_owned(),
            host: Ok(host(uri, Scope::System, Locality::Remote)),
            qemu: Presence::Absent,
            dnsmasq: Presence::Absent,
            free_disk_mib: Some(1),
            ..healthy()
        };
        for check in [QEMU, QEMU_IMG, MANAGEMENT, STORAGE, DISK_SPACE, MEMORY] {
            assert_eq!(finding(&facts, check).verdict, Verdict::NotNeeded);
        }
        assert!(!has_failures(&examine(&facts)));
    }

    #[test]
    fn a_closed_folder_above_the_disks_is_named() {
        let facts = Facts {
            closed_folder: Some("/srv/private".to_owned()),
            ..healthy()
        };
        let finding = finding(&facts, STORAGE);
        assert_eq!(finding.verdict, Verdict::Failure);
        assert_eq!(finding.remedy, ["chmod o+x /srv/private"]);
    }

    #[test]
    fn small_buffers_are_told_with_the_command_that_mends_them() {
        let facts = Facts {
            receive_buffer_bytes: Some(212_992),
            ..healthy()
        };
        let found = finding(&facts, BUFFERS);
        assert_eq!(found.verdict, Verdict::Warning);
        assert_eq!(found.remedy, ["sysctl net.core.rmem_default=4194304"]);
        assert_eq!(finding(&healthy(), BUFFERS).verdict, Verdict::Good);
    }

    #[test]
    fn what_only_some_guests_need_is_no_failure() {
        let mut facts = Facts {
            firmware: Presence::Absent,
            ..healthy()
        };
        facts.host.as_mut().unwrap().no_cpu_limits = Some("no controller".to_owned());
        let firmware = finding(&facts, FIRMWARE);
        assert_eq!(firmware.verdict, Verdict::Warning);
        assert_eq!(firmware.remedy, ["apt-get install ovmf"]);
        let limits = finding(&facts, CPU_LIMITS);
        assert_eq!(limits.verdict, Verdict::NotNeeded);
        assert!(limits.detail.contains("no controller"), "{}", limits.detail);
        assert!(!has_failures(&examine(&facts)));
    }

    #[test]
    fn room_is_judged_at_its_bounds() {
        let verdict = |free| {
            let facts = Facts {
                free_disk_mib: Some(free),
                ..healthy()
            };
            finding(&facts, DISK_SPACE).verdict
        };
        assert_eq!(verdict(SPACE_FAILURE_MIB - 1), Verdict::Failure);
        assert_eq!(verdict(SPACE_FAILURE_MIB), Verdict::Warning);
        assert_eq!(verdict(SPACE_WARNING_MIB), Verdict::Good);
    }
}
