//! What the doctor sees of this host. Looking changes nothing and judges nothing.

use crate::host::{self, VIRTUALISATION_FLAGS};
use crate::image::first_closed_folder;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use vnflab_model::observed::Host;

/// Where programs lie that are not in an ordinary user's search path.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The socket on which the system's virtlogd listens.
const VIRTLOGD_SOCKET: &str = "/run/libvirt/virtlogd-sock";

/// Where descriptions of firmware lie (QEMU's `docs/interop/firmware.json`).
const FIRMWARE_FOLDERS: [&str; 2] = ["/usr/share/qemu/firmware", "/etc/qemu/firmware"];

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

/// Everything that [`super::examine`] judges.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The connection that was asked for.
    pub uri: String,
    /// What libvirt said of the host, or why it said nothing.
    pub host: Result<Host, String>,
    /// Whether this process is root's.
    pub is_root: bool,
    /// The user's name, as far as the environment tells.
    pub user: String,
    /// What starts daemons.
    pub init: Init,
    /// The program `libvirtd`.
    pub libvirtd: Presence,
    /// The system's virtlogd, listening.
    pub virtlogd: Presence,
    /// The program `qemu-system-x86_64`.
    pub qemu: Presence,
    /// The program `qemu-img`.
    pub qemu_img: Presence,
    /// The program `dnsmasq`.
    pub dnsmasq: Presence,
    /// The program `iptables`, which libvirt of Debian 12 uses.
    pub firewall: Presence,
    /// The program `ssh`.
    pub ssh: Presence,
    /// The device `/dev/kvm`.
    pub kvm: Kvm,
    /// The uppermost folder above the volumes that others may not pass through.
    pub closed_folder: Option<String>,
    /// Room for volumes, in MiB.
    pub free_disk_mib: Option<u64>,
    /// Memory that can be had without swapping, in MiB.
    pub available_memory_mib: Option<u64>,
    /// The kernel's `run` of KSM: 1 where it shares equal pages of VMs; `None` where it cannot.
    pub page_sharing: Option<u64>,
    /// Receive buffer of a socket that asks for nothing, in bytes.
    pub receive_buffer_bytes: Option<u64>,
    /// Most that a socket may ask for, in bytes.
    pub receive_buffer_limit_bytes: Option<u64>,
    /// Our own image in the store; `None` when the store cannot be looked at.
    pub own_image: Option<Presence>,
    /// UEFI's firmware for guests, described so that libvirt finds it.
    pub firmware: Presence,
}

/// What the caller learned from the connection.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The connection that was asked for.
    pub uri: String,
    /// What libvirt said of the host, or why it said nothing.
    pub host: Result<Host, String>,
    /// Our own image in the store; `None` when the store cannot be looked at.
    pub own_image: Option<Presence>,
}

impl Facts {
    /// Looks at this host.
    pub fn observe(connection: Connection) -> Self {
        let volume_folder = connection
            .host
            .as_ref()
            .map_or("/var/lib/libvirt", |host| host.volume_folder.as_str());
        let volume_folder = Path::new(volume_folder);
        Self {
            is_root: rustix::process::geteuid().is_root(),
            user: std::env::var("USER").unwrap_or_else(|_| "$USER".to_owned()),
            init: init(),
            libvirtd: program("libvirtd"),
            virtlogd: presence(Path::new(VIRTLOGD_SOCKET).exists()),
            qemu: program("qemu-system-x86_64"),
            qemu_img: program("qemu-img"),
            dnsmasq: program("dnsmasq"),
            firewall: program("iptables"),
            ssh: program("ssh"),
            kvm: kvm(Path::new("/dev/kvm")),
            closed_folder: first_closed_folder(&volume_folder.join("volume"))
                .map(|folder| folder.display().to_string()),
            free_disk_mib: free_disk_mib(volume_folder),
            available_memory_mib: host::available_memory_mib(),
            page_sharing: number("/sys/kernel/mm/ksm/run"),
            receive_buffer_bytes: number("/proc/sys/net/core/rmem_default"),
            receive_buffer_limit_bytes: number("/proc/sys/net/core/rmem_max"),
            own_image: connection.own_image,
            firmware: firmware(&FIRMWARE_FOLDERS.map(Path::new)),
            uri: connection.uri,
            host: connection.host,
        }
    }
}

/// Whether one of the descriptions is of UEFI for our guests, and its file is there.
fn firmware(folders: &[&Path]) -> Presence {
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten();
    let described = entries.flatten().any(|entry| {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let description: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let has = |list: &serde_json::Value, wanted: &dyn Fn(&serde_json::Value) -> bool| {
            list.as_array().is_some_and(|all| all.iter().any(wanted))
        };
        let file = description.pointer("/mapping/executable/filename");
        has(&description["interface-types"], &|word| word == "uefi")
            && has(&description["targets"], &|target| {
                target["architecture"] == "x86_64"
            })
            && file
                .and_then(|file| file.as_str())
                .is_some_and(|file| Path::new(file).exists())
    });
    presence(described)
}

/// The number that a file of the kernel holds.
fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn presence(present: bool) -> Presence {
    if present {
        Presence::Present
    } else {
        Presence::Absent
    }
}

/// Whether a program is in the search path or in a folder of the system's own programs.
fn program(name: &str) -> Presence {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.map(Into::into))
        .any(|folder| {
            fs::metadata(folder.join(name))
                .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        });
    presence(found)
}

/// systemd says itself that it runs (sd_booted(3)).
fn init() -> Init {
    if Path::new("/run/systemd/system").is_dir() {
        Init::Systemd
    } else {
        Init::None
    }
}

fn kvm(device: &Path) -> Kvm {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    if !virtualises(&cpuinfo) {
        return Kvm::Useless;
    }
    match File::options().read(true).write(true).open(device) {
        Ok(_) => Kvm::Open,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Kvm::Forbidden,
        Err(_) => Kvm::Absent,
    }
}

/// Whether the CPU's flags name virtualisation. A CPU without it is not helped by the device.
fn virtualises(cpuinfo: &str) -> bool {
    cpuinfo
        .lines()
        .filter(|line| line.starts_with("flags"))
        .flat_map(str::split_whitespace)
        .any(|word| VIRTUALISATION_FLAGS.contains(&word))
}

/// Room on the file system that holds the folder, or will.
fn free_disk_mib(folder: &Path) -> Option<u64> {
    let existing = folder.ancestors().find(|ancestor| ancestor.exists())?;
    let usage = rustix::fs::statvfs(existing).ok()?;
    Some(usage.f_bavail.saturating_mul(usage.f_frsize) / (1024 * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_measured_where_the_folder_will_be() {
        let root = tempfile::tempdir().unwrap();
        assert!(free_disk_mib(&root.path().join("a/b")).is_some());
    }

    #[test]
    fn firmware_counts_when_it_is_described_and_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let found = || firmware(&[Path::new("/nowhere"), path]);
        let describe = |interface: &str, file: &Path| {
            let text = format!(
                r#"{{"interface-types": ["{interface}"], "targets": [{{"architecture": "x86_64"}}],
                     "mapping": {{"executable": {{"filename": "{}"}}}}}}"#,
                file.display()
            );
            fs::write(path.join("60-edk2.json"), text).unwrap();
        };
        assert_eq!(found(), Presence::Absent);
        let code = path.join("code.fd");
        describe("uefi", &code);
        assert_eq!(found(), Presence::Absent);
        fs::write(&code, "x").unwrap();
        assert_eq!(found(), Presence::Present);
        describe("bios", &code);
        assert_eq!(found(), Presence::Absent);
        fs::write(path.join("60-edk2.json"), "{").unwrap();
        assert_eq!(found(), Presence::Absent);
    }

    #[test]
    fn a_program_is_an_executable_file() {
        assert_eq!(program("sh"), Presence::Present);
        assert_eq!(program("no-such-program-anywhere"), Presence::Absent);
    }

    #[test]
    fn a_cpu_virtualises_when_its_flags_say_so() {
        assert!(virtualises("model\t: x\nflags\t\t: fpu svm sse\n"));
        assert!(!virtualises("vmx flags\t: vnmi\nflags\t\t: fpu svm_lock\n"));
        assert!(!virtualises(""));
    }
}
