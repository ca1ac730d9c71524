//! libvirt's errors in our words, and what to do about the known ones.

use crate::driver::{DriverError, Fault, Operation};
use std::path::Path;
use virt::error::Error;

fn fault(error: &Error) -> Fault {
    Fault {
        code: error.code().to_raw(),
        message: error.message().trim().to_owned(),
    }
}

/// An operation that libvirt refused.
pub(super) fn refused(operation: Operation, object: &str, error: &Error) -> DriverError {
    DriverError::Refused {
        operation,
        object: object.to_owned(),
        hint: hint(error.message()),
        fault: fault(error),
    }
}

/// A connection that did not come about.
pub(super) fn no_connection(uri: &str, error: &Error) -> DriverError {
    DriverError::Connect {
        uri: uri.to_owned(),
        hint: connection_hint(uri, error.message()),
        fault: fault(error),
    }
}

fn connection_hint(uri: &str, message: &str) -> Option<String> {
    let unknown = [
        "no connection driver available",
        "unexpected qemu URI path",
        "transport in URL not recognised",
    ];
    if unknown.iter().any(|text| message.contains(text)) || !is_of_qemu(uri) {
        return Some(
            "vnflab runs labs on `qemu:///system`, `qemu:///session` and `qemu+ssh://USER@HOST/system`"
                .to_owned(),
        );
    }
    // Without D-Bus libvirt cannot ask polkit whether this user may.
    let forbidden = ["Permission denied", "authentication", "system bus"];
    if forbidden.iter().any(|text| message.contains(text)) {
        return Some(
            "this libvirt is not yours to use: become root, join the group `libvirt`, or use `--connect qemu:///session`"
                .to_owned(),
        );
    }
    let absent = [
        "Failed to connect socket",
        "No such file",
        "Connection refused",
    ];
    if !absent.iter().any(|text| message.contains(text)) {
        return None;
    }
    let hint = if uri.ends_with("/session") {
        "libvirt's daemon cannot be started: install libvirt-daemon-system or libvirt-daemon"
    } else if Path::new("/run/systemd/system").is_dir() {
        "libvirt does not run: `systemctl start libvirtd`"
    } else {
        "libvirt does not run, and neither does an init system: `virtlogd -d; libvirtd -d`"
    };
    Some(hint.to_owned())
}

/// Whether a URI is for libvirt's QEMU driver, be it here or by one of its transports.
fn is_of_qemu(uri: &str) -> bool {
    let scheme = uri.split("://").next().unwrap_or(uri);
    scheme.split('+').next() == Some("qemu")
}

fn hint(message: &str) -> Option<String> {
    if message.contains("Permission denied") {
        let closed = quoted_path(message).and_then(closed_folder);
        return Some(match closed {
            Some(folder) => format!(
                "QEMU may not pass through `{folder}`: `chmod o+x {folder}`, or `vnflab image add` the image"
            ),
            None => "QEMU may not read a file of this VM: `vnflab image add` takes an image where it can".to_owned(),
        });
    }
    let known = [
        (
            "dnsmasq",
            "install dnsmasq-base, which serves the leases of management networks",
        ),
        (
            "iptables",
            "install iptables, which libvirt's networks need",
        ),
        (
            "firewall",
            "install iptables, which libvirt's networks need",
        ),
        (
            "already in use by interface",
            "another network or interface of this host has that subnet: choose another under `mgmt`",
        ),
        (
            "Cannot allocate memory",
            "this host has too little memory for that VM",
        ),
        (
            "CPU tuning is not available",
            "libvirt limits CPUs on `qemu:///system` alone",
        ),
        (
            "CPU controller is not mounted",
            "this host has no CPU controller of control groups, as in many containers",
        ),
        ("Cannot find any emulator", "install qemu-system-x86"),
        ("Unable to find any emulator", "install qemu-system-x86"),
        (
            "virtlogd",
            "virtlogd does not run: `systemctl start virtlogd.socket`, or without an init system `virtlogd -d`",
        ),
        (
            "Address already in use",
            "another process listens on that port: `vnflab check` tells which",
        ),
    ];
    known
        .into_iter()
        .find(|(text, _)| message.contains(text))
        .map(|(_, hint)| hint.to_owned())
}

/// The first absolute path between quotes in a message.
fn quoted_path(message: &str) -> Option<&Path> {
    message
        .split(['\'', '"', '`'])
        .find(|part| part.starts_with('/'))
        .map(Path::new)
}

/// The uppermost folder above a file of this machine that others may not pass through.
fn closed_folder(path: &Path) -> Option<String> {
    crate::image::first_closed_folder(path).map(|folder| folder.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_closed_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let closed = folder.path().join("closed");
        std::fs::create_dir(&closed).unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o700)).unwrap();
        let message = format!(
            "Cannot access storage file '{}/x.qcow2' (as uid:64055, gid:64055): Permission denied",
            closed.display()
        );
        let hint = hint(&message).unwrap();
        assert!(
            hint.contains(&format!("chmod o+x {}", closed.display())),
            "{hint}"
        );
    }

    #[test]
    fn the_hint_at_a_connection_follows_what_is_wrong_with_it() {
        let hint = |uri: &str, message: &str| connection_hint(uri, message).unwrap_or_default();
        let absent = "Failed to connect socket to '/var/run/libvirt/libvirt-sock': ";
        let gone = hint(
            "qemu:///system",
            &format!("{absent}No such file or directory"),
        );
        assert!(gone.contains("libvirtd"), "{gone}");
        let forbidden = [
            format!("{absent}Permission denied"),
            "authentication unavailable: no polkit agent available".to_owned(),
            "internal error: Unable to get system bus connection: Could not connect: No such file or directory".to_owned(),
        ];
        for message in forbidden {
            let hint = hint("qemu:///system", &message);
            assert!(hint.contains("join the group `libvirt`"), "{hint}");
        }
        let unknown = [
            (
                "foo:///bar",
                "no connection driver available for foo:///bar",
            ),
            (
                "xen:///system",
                "Failed to connect socket: No such file or directory",
            ),
            (
                "qemu:///here",
                "internal error: unexpected qemu URI path '/here', try qemu:///system",
            ),
        ];
        for (uri, message) in unknown {
            let hint = hint(uri, message);
            assert!(hint.contains("qemu:///session"), "{uri}: {hint}");
            assert!(!hint.contains("libvirtd"), "{uri}: {hint}");
        }
        assert_eq!(
            hint("qemu+ssh://host/system", "Host key verification failed."),
            ""
        );
    }

    #[test]
    fn known_faults_have_hints() {
        assert!(
            hint("Cannot check dnsmasq binary dnsmasq")
                .unwrap()
                .contains("dnsmasq-base")
        );
        assert!(hint("something else").is_none());
    }
}
