//! Facts about this machine, read from `/proc`, `/sys` and `/dev`.
//!
//! Only this machine: what is known of another comes through libvirt. Reading never changes
//! anything, and a file that cannot be read counts as one that says nothing.

use ipnet::Ipv4Net;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use vnflab_model::blueprint::Accelerator;

/// CPU flags of Intel's and AMD's virtualisation.
///
/// A para-virtualised `/dev/kvm` can exist, open and answer without either; a stock guest kernel
/// then hangs in it for ever. So the flags decide, and not the device alone.
pub const VIRTUALISATION_FLAGS: [&str; 2] = ["vmx", "svm"];

/// How guests are executed, and why so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceleratorFinding {
    /// How.
    pub accelerator: Accelerator,
    /// By what evidence.
    pub reason: String,
}

/// How this machine can execute guests.
pub fn accelerator() -> AcceleratorFinding {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let device = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm");
    accelerator_from(&cpuinfo, device.map(drop))
}

fn accelerator_from(cpuinfo: &str, device: std::io::Result<()>) -> AcceleratorFinding {
    let flag = VIRTUALISATION_FLAGS
        .into_iter()
        .find(|flag| has_cpu_flag(cpuinfo, flag));
    let (accelerator, reason) = match (flag, device) {
        (Some(flag), Ok(())) => (
            Accelerator::Kvm,
            format!("the CPU has {flag} and /dev/kvm opens"),
        ),
        (Some(flag), Err(error)) => (
            Accelerator::Tcg,
            format!("the CPU has {flag}, but /dev/kvm does not open: {error}"),
        ),
        (None, Ok(())) => (
            Accelerator::Tcg,
            "/dev/kvm opens, but the CPU has neither vmx nor svm: guests would hang".to_owned(),
        ),
        (None, Err(_)) => (
            Accelerator::Tcg,
            "the CPU has neither vmx nor svm".to_owned(),
        ),
    };
    AcceleratorFinding {
        accelerator,
        reason,
    }
}

fn has_cpu_flag(cpuinfo: &str, flag: &str) -> bool {
    cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(key, _)| key.trim() == "flags")
        .any(|(_, flags)| flags.split_whitespace().any(|word| word == flag))
}

/// The bridges of this machine.
pub fn bridges() -> BTreeSet<String> {
    let entries = std::fs::read_dir("/sys/class/net");
    entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("bridge").is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// The IPv4 subnets that this machine has a route to, the default route aside.
pub fn routed_subnets() -> Vec<(String, Ipv4Net)> {
    parse_routes(&std::fs::read_to_string("/proc/net/route").unwrap_or_default())
}

/// Interface and subnet of each line of `/proc/net/route`: hexadecimal, in the CPU's byte order.
fn parse_routes(text: &str) -> Vec<(String, Ipv4Net)> {
    let address = |field: &str| {
        u32::from_str_radix(field, 16)
            .ok()
            .map(|bits| Ipv4Addr::from(bits.to_ne_bytes()))
    };
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let net = Ipv4Net::with_netmask(address(fields.get(1)?)?, address(fields.get(7)?)?);
            Some(((*fields.first()?).to_owned(), net.ok()?))
        })
        .filter(|(_, net)| net.prefix_len() > 0)
        .collect()
}

/// Addresses to which a UDP socket is bound on this machine.
pub fn bound_udp() -> BTreeSet<SocketAddr> {
    let tables = ["/proc/net/udp", "/proc/net/udp6"];
    tables
        .into_iter()
        .flat_map(|path| sockets(path, None))
        .collect()
}

/// Addresses on which somebody listens for TCP on this machine.
pub fn listening_tcp() -> BTreeSet<SocketAddr> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    tables
        .into_iter()
        .flat_map(|path| sockets(path, Some(TCP_LISTEN)))
        .collect()
}

/// The state of a listening socket in `/proc/net/tcp` (`TCP_LISTEN` of the kernel).
const TCP_LISTEN: &str = "0A";

fn sockets(path: &str, state: Option<&str>) -> BTreeSet<SocketAddr> {
    parse_sockets(&std::fs::read_to_string(path).unwrap_or_default(), state)
}

/// The local addresses in `/proc/net/{udp,tcp}{,6}`.
fn parse_sockets(text: &str, state: Option<&str>) -> BTreeSet<SocketAddr> {
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let local = fields.next()?;
            let its_state = fields.nth(1)?;
            state
                .is_none_or(|state| state == its_state)
                .then(|| parse_socket(local))?
        })
        .collect()
}

/// `0100007F:1F90`: the address in 32-bit words of the CPU's byte order, the port in plain order.
fn parse_socket(field: &str) -> Option<SocketAddr> {
    let (address, port) = field.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if !address.is_ascii() {
        return None;
    }
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok();
    match address.len() {
        8 => Some((Ipv4Addr::from(word(0)?.to_ne_bytes()), port).into()),
        32 => {
            let mut bytes = [0; 16];
            for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(index * 8)?.to_ne_bytes());
            }
            Some((Ipv6Addr::from(bytes), port).into())
        }
        _ => None,
    }
}

/// Memory that can be had without swapping, in MiB.
pub fn available_memory_mib() -> Option<u64> {
    parse_memory(
        &std::fs::read_to_string("/proc/meminfo").ok()?,
        "MemAvailable:",
    )
}

/// Memory of this machine in MiB.
///
/// libvirt's own figure is that of the NUMA nodes at boot, which leaves out memory that a virtual
/// machine was given later.
pub fn total_memory_mib() -> Option<u64> {
    parse_memory(&std::fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

fn parse_memory(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024)
}

/// Whether the kernel shares its CPUs out by control groups: those of version 1 where a hierarchy
/// with `cpu` is mounted, those of version 2 where the root has that controller.
pub fn has_cpu_controller() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let controllers = |folder: &str| {
        let file = std::path::Path::new(folder).join("cgroup.controllers");
        std::fs::read_to_string(file).unwrap_or_default()
    };
    cpu_controller_in(&mounts, &controllers)
}

fn cpu_controller_in(mounts: &str, controllers: &dyn Fn(&str) -> String) -> bool {
    mounts.lines().any(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        match fields[..] {
            [_, _, "cgroup", options, ..] => options.split(',').any(|option| option == "cpu"),
            [_, folder, "cgroup2", ..] => {
                let controllers = controllers(folder);
                controllers.split_whitespace().any(|name| name == "cpu")
            }
            _ => false,
        }
    })
}

/// What `/proc` tells of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessFacts {
    /// Time since its start.
    pub age: Duration,
    /// Memory that it takes up, in KiB.
    pub resident_kib: u64,
}

/// What is known of a process of this machine; `None` when it is gone.
pub fn process(id: u32) -> Option<ProcessFacts> {
    let folder = Path::new("/proc").join(id.to_string());
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    let memory = std::fs::read_to_string(folder.join("statm")).ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let page_kib = rustix::param::page_size() as u64 / 1024;
    let resident_pages: u64 = memory.split_whitespace().nth(1)?.parse().ok()?;
    Some(ProcessFacts {
        age: process_age(&stat, &uptime, rustix::param::clock_ticks_per_second())?,
        resident_kib: resident_pages * page_kib,
    })
}

/// When a process started, in clock ticks since boot: with its id, that names it for good.
pub fn process_start_ticks(id: u32) -> Option<u64> {
    parse_start_ticks(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// The 22nd field. The second, the command in parentheses, may itself hold blanks.
fn parse_start_ticks(stat: &str) -> Option<u64> {
    let (_, after_command) = stat.rsplit_once(')')?;
    after_command.split_whitespace().nth(19)?.parse().ok()
}

fn process_age(stat: &str, uptime: &str, ticks_per_second: u64) -> Option<Duration> {
    let started = parse_start_ticks(stat)? as f64 / ticks_per_second as f64;
    let now: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64((now - started).max(0.0)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    const FLAGS: &str = "processor\t: 0\nvmx flags\t: vnmi\nflags\t\t: fpu vme svm_lock";

    #[test]
    fn a_cpu_controller_is_found_in_both_versions_of_control_groups() {
        let none = |_: &str| String::new();
        let first = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu,cpuacct 0 0\n";
        assert!(cpu_controller_in(first, &none));
        assert!(!cpu_controller_in(&first.replace("rw,cpu,", "rw,"), &none));
        let second = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n";
        assert!(!cpu_controller_in(second, &none));
        let asked = |folder: &str| {
            assert_eq!(folder, "/sys/fs/cgroup");
            "cpuset cpu io\n".to_owned()
        };
        assert!(cpu_controller_in(second, &asked));
        assert!(!cpu_controller_in("", &asked));
    }

    #[test]
    fn kvm_needs_the_cpu_flag_and_the_device() {
        let with_flag = format!("{FLAGS} vmx sse");
        let missing = || Err(Error::from(ErrorKind::NotFound));
        let cases = [
            (with_flag.as_str(), Ok(()), Accelerator::Kvm),
            (with_flag.as_str(), missing(), Accelerator::Tcg),
            (FLAGS, Ok(()), Accelerator::Tcg),
            (FLAGS, missing(), Accelerator::Tcg),
        ];
        for (cpuinfo, device, expected) in cases {
            let finding = accelerator_from(cpuinfo, device);
            assert_eq!(finding.accelerator, expected, "{}", finding.reason);
        }
    }

    #[test]
    fn routes_are_read_without_the_default_route() {
        let text = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
            eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            virbr0\t007AA8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let expected = "192.168.122.0/24".parse().unwrap();
        assert_eq!(parse_routes(text), [("virbr0".to_owned(), expected)]);
    }

    #[test]
    fn sockets_are_read_by_state() {
        let text = "  sl  local_address rem_address   st\n\
            0: 0100007F:1F90 00000000:0000 0A 0:0\n\
            1: 0100007F:0016 0200007F:1234 01 0:0\n\
            2: garbage\n";
        let all = parse_sockets(text, None);
        let listening = parse_sockets(text, Some(TCP_LISTEN));
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(
            all,
            BTreeSet::from([address("127.0.0.1:8080"), address("127.0.0.1:22")])
        );
        assert_eq!(listening, BTreeSet::from([address("127.0.0.1:8080")]));
        let six = "h\n0: 00000000000000000000000001000000:0035 x 07\n";
        assert_eq!(
            parse_sockets(six, None),
            BTreeSet::from([address("[::1]:53")])
        );
    }

    #[test]
    fn a_bound_socket_of_our_own_is_seen() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(bound_udp().contains(&socket.local_addr().unwrap()));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(listening_tcp().contains(&listener.local_addr().unwrap()));
    }

    #[test]
    fn the_age_of_a_process_survives_a_strange_command_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 500 1000 30";
        assert_eq!(
            process_age(stat, "65.00 1.0", 100),
            Some(Duration::from_secs(60))
        );
        let own = process(std::process::id()).unwrap();
        assert!(own.resident_kib > 0);
    }

    #[test]
    fn memory_is_in_mib() {
        let text = "MemTotal: 4096 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(parse_memory(text, "MemAvailable:"), Some(2));
        assert_eq!(parse_memory(text, "MemTotal:"), Some(4));
        assert_eq!(parse_memory("", "MemTotal:"), None);
    }
}
