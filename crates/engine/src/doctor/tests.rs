//! Verdicts on hosts that are healthy but for one thing.

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
