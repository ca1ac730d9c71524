//! Our own files of the `frr` guest, embedded from `frr/`, and where they go.
//!
//! Nothing is written here in Rust that could stand in a file: this is the table of places.

use crate::tree::{FileTree, Owner};

/// Packages and what is taken from them.
pub(crate) const CONTENTS: &str = include_str!("../frr/contents.txt");

/// Kernel modules.
pub(crate) const MODULES: &str = include_str!("../frr/modules.txt");

/// The boot loader's configuration.
pub(crate) const SYSLINUX_CONFIGURATION: &str = include_str!("../frr/guest/syslinux.cfg");

const APPLETS: &str = include_str!("../frr/applets.txt");

const INIT: &str = include_str!("../frr/guest/init");

/// Numbers of the user and group that FRR's files belong to; `frr/guest/etc/passwd` has them.
const FRR_OWNER: Owner = Owner { uid: 100, gid: 100 };

struct GuestFile {
    path: &'static str,
    mode: u32,
    text: &'static str,
}

macro_rules! guest_file {
    ($path:literal, $mode:literal, $source:literal) => {
        GuestFile {
            path: $path,
            mode: $mode,
            text: include_str!(concat!("../frr/guest/", $source)),
        }
    };
}

const FILES: &[GuestFile] = &[
    guest_file!("/etc/acpi/PWRF/00000080", 0o755, "etc/acpid-power"),
    guest_file!("/etc/frr/daemons", 0o644, "etc/daemons"),
    guest_file!("/etc/frr/frr.conf", 0o640, "etc/frr.conf"),
    guest_file!("/etc/frr/vtysh.conf", 0o640, "etc/vtysh.conf"),
    guest_file!("/etc/group", 0o644, "etc/group"),
    guest_file!("/etc/hostname", 0o644, "etc/hostname"),
    guest_file!("/etc/hosts", 0o644, "etc/hosts"),
    guest_file!("/etc/inputrc", 0o644, "etc/inputrc"),
    guest_file!("/etc/inittab", 0o644, "etc/inittab"),
    guest_file!("/etc/modprobe.d/vnflab.conf", 0o644, "etc/modprobe.conf"),
    guest_file!("/etc/motd", 0o644, "etc/motd"),
    guest_file!("/etc/nsswitch.conf", 0o644, "etc/nsswitch.conf"),
    guest_file!("/etc/pam.d/frr", 0o644, "etc/pam-frr"),
    guest_file!("/etc/os-release", 0o644, "etc/os-release"),
    guest_file!("/etc/passwd", 0o644, "etc/passwd"),
    guest_file!("/etc/profile", 0o644, "etc/profile"),
    guest_file!("/etc/shadow", 0o600, "etc/shadow"),
    guest_file!("/etc/shells", 0o644, "etc/shells"),
    guest_file!("/etc/sysctl.conf", 0o644, "etc/sysctl.conf"),
    guest_file!("/usr/bin/send-frame", 0o755, "vnflab/send-frame"),
    guest_file!(
        "/usr/lib/vnflab/daemons-needed.awk",
        0o644,
        "vnflab/daemons-needed.awk"
    ),
    guest_file!("/usr/lib/vnflab/day0", 0o755, "vnflab/day0"),
    guest_file!("/usr/lib/vnflab/dhcp", 0o755, "vnflab/dhcp"),
    guest_file!("/usr/lib/vnflab/network", 0o755, "vnflab/network"),
    guest_file!("/usr/lib/vnflab/network.awk", 0o644, "vnflab/network.awk"),
    guest_file!("/usr/lib/vnflab/nic-names", 0o755, "vnflab/nic-names"),
    guest_file!("/usr/lib/vnflab/run-commands", 0o755, "vnflab/run-commands"),
    guest_file!("/usr/lib/vnflab/say", 0o644, "vnflab/say"),
    guest_file!("/usr/lib/vnflab/start", 0o755, "vnflab/start"),
    guest_file!("/usr/lib/vnflab/stop", 0o755, "vnflab/stop"),
    guest_file!("/usr/lib/vnflab/yaml.awk", 0o644, "vnflab/yaml.awk"),
    guest_file!("/usr/sbin/frr-daemons", 0o755, "vnflab/frr-daemons"),
];

/// Folders that exist though no file is in them, with their modes.
const FOLDERS: &[(&str, u32)] = &[
    ("/dev", 0o755),
    ("/etc/dropbear", 0o700),
    ("/home/admin", 0o700),
    ("/mnt", 0o755),
    ("/proc", 0o755),
    ("/root", 0o700),
    ("/run", 0o755),
    ("/sys", 0o755),
    ("/tmp", 0o1777),
    ("/usr/local/bin", 0o755),
    ("/usr/local/sbin", 0o755),
    ("/var/lib/vnflab", 0o755),
    ("/var/log", 0o755),
    ("/var/tmp", 0o1777),
];

/// Puts our files into the root file system, beside those of the packages.
pub(crate) fn install_system(root: &mut FileTree) {
    for (path, mode) in FOLDERS {
        root.add_directory(path, *mode);
    }
    root.add_symlink("/var/run", "/run");
    root.add_symlink("/etc/mtab", "/proc/mounts");
    root.add_symlink("/sbin/init", "../bin/busybox");
    // The kernel and many scripts look for these below /sbin.
    root.add_symlink("/sbin/modprobe", "../bin/busybox");
    root.add_symlink("/sbin/getty", "../bin/busybox");
    root.add_symlink("/sbin/reboot", "../bin/busybox");
    root.add_symlink("/sbin/poweroff", "../bin/busybox");
    root.add_symlink("/sbin/udhcpc", "../bin/busybox");
    for applet in applets() {
        let path = format!("/usr/bin/{applet}");
        if !root.holds(&path) && !root.holds(&format!("/usr/sbin/{applet}")) {
            root.add_symlink(&path, "busybox");
        }
    }
    for file in FILES {
        root.add_file(file.path, file.mode, file.text.as_bytes().to_vec());
    }
    for path in [
        "/etc/frr",
        "/etc/frr/daemons",
        "/etc/frr/frr.conf",
        "/etc/frr/vtysh.conf",
    ] {
        root.set_owner(path, FRR_OWNER);
    }
}

/// Puts the first program and the busybox of `root` into an initramfs.
pub(crate) fn install_initramfs(initramfs: &mut FileTree, root: &FileTree) {
    for path in ["/dev", "/proc", "/sys", "/root", "/run", "/tmp"] {
        initramfs.add_directory(path, 0o755);
    }
    initramfs.copy_from(root, "/bin/busybox");
    for path in ["/bin/sh", "/sbin/modprobe"] {
        initramfs.add_symlink(path, "../bin/busybox");
    }
    initramfs.add_file("/init", 0o755, INIT.as_bytes().to_vec());
}

fn applets() -> impl Iterator<Item = &'static str> {
    APPLETS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(str::split_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_scripts_call_by_path_are_in_the_tree() {
        let mut root = FileTree::merged();
        install_system(&mut root);
        for path in [
            "/usr/bin/sh",
            "/usr/sbin/init",
            "/usr/bin/awk",
            "/usr/lib/vnflab/start",
        ] {
            assert!(root.holds(path), "{path}");
        }
        assert!(
            !root.holds("/usr/bin/ip"),
            "busybox's ip would hide iproute2's"
        );
    }

    #[test]
    fn our_scripts_name_an_interpreter_and_our_lists_do_not_run() {
        for file in FILES {
            let is_script = file.text.starts_with("#!/bin/busybox sh\n");
            assert_eq!(file.mode & 0o111 != 0, is_script, "{}", file.path);
        }
    }
}
