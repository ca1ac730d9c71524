//! Those who are asked whether `vnflab` tells the truth: `virsh`, `/proc` and the sockets.

use super::program::Ran;
use super::wait::{PATIENCE, until};
use roxmltree::Document;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `virsh` on the system's libvirt; panics when it fails.
#[track_caller]
pub(crate) fn virsh(arguments: &[&str]) -> String {
    try_virsh(arguments).expect_success().stdout
}

/// `virsh` on the system's libvirt.
pub(crate) fn try_virsh(arguments: &[&str]) -> Ran {
    let mut command = Command::new("virsh");
    command.args(["--connect", "qemu:///system", "--quiet"]);
    command.args(arguments);
    Ran::of(command, "")
}

/// Has `virsh` define something (`define`, `net-define`) from its XML.
pub(crate) fn define(verb: &str, xml: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), xml).unwrap();
    virsh(&[verb, file.path().to_str().unwrap()]);
}

/// The folder of a pool.
pub(crate) fn pool_folder(pool: &str) -> PathBuf {
    let xml = virsh(&["pool-dumpxml", pool]);
    let document = Document::parse(&xml).unwrap();
    let path = document
        .descendants()
        .find(|node| node.has_tag_name("path"));
    PathBuf::from(path.and_then(|path| path.text()).unwrap())
}

/// Lines of `virsh`'s lists, which end in blanks and empty lines.
fn names(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// All domains.
pub(crate) fn domains() -> BTreeSet<String> {
    names(&virsh(&["list", "--all", "--name"]))
}

/// All networks.
pub(crate) fn networks() -> BTreeSet<String> {
    names(&virsh(&["net-list", "--all", "--name"]))
}

/// All volumes in one of our pools, by name, as the folder really is.
pub(crate) fn volumes(pool: &str) -> BTreeSet<String> {
    if !names(&virsh(&["pool-list", "--name"])).contains(pool) {
        return BTreeSet::new();
    }
    // Whoever uploads to a pool just now keeps others from looking.
    until("the pool can be looked at", PATIENCE, || {
        let refresh = try_virsh(&["pool-refresh", pool]);
        match refresh.code {
            Some(0) => Ok(()),
            _ => Err(refresh.told()),
        }
    });
    let list = virsh(&["vol-list", pool]);
    let first_words = list
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    first_words.map(str::to_owned).collect()
}

/// Everything of a lab that libvirt, the kernel or the file system knows: nothing, once the lab is down.
pub(crate) fn traces_of(lab: &str) -> BTreeSet<String> {
    let mut traces = BTreeSet::new();
    let domain_prefix = format!("{lab}.");
    let network = format!("vnflab-{lab}");
    let volume_prefix = format!("vnflab1.{lab}.");
    let domains = domains().into_iter();
    traces.extend(
        domains
            .filter(|name| name.starts_with(&domain_prefix))
            .map(|name| format!("domain {name}")),
    );
    let networks = networks().into_iter();
    traces.extend(
        networks
            .filter(|name| *name == network || name.starts_with(&format!("{network}-")))
            .map(|name| format!("network {name}")),
    );
    let volumes = volumes("vnflab").into_iter();
    traces.extend(
        volumes
            .filter(|name| name.starts_with(&volume_prefix))
            .map(|name| format!("volume {name}")),
    );
    let dialogues = fs::read_dir(DIALOGUES).into_iter().flatten().flatten();
    traces.extend(
        dialogues
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with(&domain_prefix))
            .map(|name| format!("dialogue {name}")),
    );
    let logs = records(&domain_prefix).into_iter();
    traces.extend(logs.map(|name| format!("record {name}")));
    traces.extend(
        qemu_processes(&domain_prefix)
            .into_iter()
            .map(|(pid, name)| format!("process {pid} of {name}")),
    );
    let folder = wire_folder(lab);
    traces.extend(
        wire_processes(&folder)
            .into_iter()
            .map(|(role, pid)| format!("process {pid} of the wire ({role})")),
    );
    if folder.exists() {
        traces.insert(format!("folder {}", folder.display()));
    }
    traces
}

/// Where root's dialogues with consoles are kept.
pub(crate) const DIALOGUES: &str = "/var/lib/vnflab/provision";

/// Where the system's wire of a lab has its folder.
pub(crate) fn wire_folder(lab: &str) -> PathBuf {
    Path::new("/run/vnflab/system").join(lab)
}

/// The processes of the wire in a folder, by what they are: `serve` keeps it, `work` is it.
pub(crate) fn wire_processes(folder: &Path) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for (pid, line) in command_lines() {
        let words: Vec<&str> = line.split('\0').collect();
        if let [_, .., "wire", role, of, ""] = words[..]
            && Path::new(of) == folder
        {
            found.insert(role.to_owned(), pid);
        }
    }
    found
}

/// All processes and their command lines, each argument ended by a zero byte.
fn command_lines() -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let pid = entry.file_name().to_string_lossy().parse::<u32>();
        // A process may end while it is looked at.
        if let (Ok(pid), Ok(line)) = (pid, fs::read(entry.path().join("cmdline"))) {
            found.push((pid, String::from_utf8_lossy(&line).into_owned()));
        }
    }
    found
}

/// Records of consoles whose domain's name begins so.
fn records(prefix: &str) -> Vec<String> {
    let all = volumes("vnflab-consoles").into_iter();
    all.filter(|name| name.starts_with(prefix)).collect()
}

/// A domain's XML: that of the running VM, where it runs.
pub(crate) fn domain_xml(domain: &str) -> String {
    virsh(&["dumpxml", domain])
}

/// A domain's state in libvirt's words.
pub(crate) fn state(domain: &str) -> String {
    virsh(&["domstate", domain]).trim().to_owned()
}

/// Process numbers and domain names of QEMU processes whose domain's name begins so.
pub(crate) fn qemu_processes(prefix: &str) -> BTreeSet<(u32, String)> {
    let mut found = BTreeSet::new();
    for (pid, line) in command_lines() {
        let mut arguments = line.split('\0');
        let is_qemu = arguments
            .next()
            .is_some_and(|program| program.contains("qemu-system"));
        let guest = arguments.find_map(|argument| argument.strip_prefix("guest="));
        if let (true, Some(guest)) = (is_qemu, guest) {
            let name = guest.split(',').next().unwrap_or_default();
            if name.starts_with(prefix) {
                found.insert((pid, name.to_owned()));
            }
        }
    }
    found
}

/// The process of a domain that runs.
#[track_caller]
pub(crate) fn qemu_process(domain: &str) -> u32 {
    let found = qemu_processes(domain);
    let exact = found.iter().find(|(_, name)| name == domain);
    exact
        .unwrap_or_else(|| panic!("`{domain}` has no process"))
        .0
}

/// UDP sockets that are bound now, as `address:port`.
pub(crate) fn bound_udp() -> Vec<String> {
    sockets(&["--udp"])
}

/// TCP sockets that listen now, as `address:port`.
pub(crate) fn listening_tcp() -> Vec<String> {
    sockets(&["--tcp", "--listening"])
}

fn sockets(which: &[&str]) -> Vec<String> {
    let mut command = Command::new("ss");
    command
        .args(["--no-header", "--numeric", "--all"])
        .args(which);
    let text = Ran::of(command, "").expect_success().stdout;
    let lines = text.lines();
    lines
        .filter_map(|line| line.split_whitespace().nth(3))
        .map(str::to_owned)
        .collect()
}

/// One NIC as libvirt has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Nic {
    /// Its MAC address.
    pub(crate) mac: String,
    /// Its model.
    pub(crate) model: String,
    /// What it is joined to.
    pub(crate) joined: Joined,
}

/// What a NIC is joined to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Joined {
    /// A host bridge.
    Bridge(String),
    /// A tunnel: the UDP port that is bound and the one that is sent to.
    Tunnel {
        /// Bound here.
        local: String,
        /// Sent to.
        remote: String,
    },
    /// Something else, by libvirt's word.
    Other(String),
}

/// The NICs of a domain, in order.
pub(crate) fn nics(xml: &str) -> Vec<Nic> {
    let document = Document::parse(xml).unwrap();
    let interfaces = document
        .descendants()
        .filter(|node| node.has_tag_name("interface"));
    interfaces
        .map(|interface| {
            let attribute = |tag: &str, name: &str| {
                let found = interface.descendants().find(|node| node.has_tag_name(tag));
                found.and_then(|node| node.attribute(name)).unwrap_or("")
            };
            let end =
                |tag: &str| format!("{}:{}", attribute(tag, "address"), attribute(tag, "port"));
            let joined = match interface.attribute("type").unwrap_or("") {
                "bridge" => Joined::Bridge(attribute("source", "bridge").to_owned()),
                "udp" => Joined::Tunnel {
                    local: end("local"),
                    remote: end("source"),
                },
                other => Joined::Other(other.to_owned()),
            };
            Nic {
                mac: attribute("mac", "address").to_owned(),
                model: attribute("model", "type").to_owned(),
                joined,
            }
        })
        .collect()
}

/// A domain's disks and CD-ROMs as `device bus`, in order.
pub(crate) fn drives(xml: &str) -> Vec<String> {
    let document = Document::parse(xml).unwrap();
    let disks = document
        .descendants()
        .filter(|node| node.has_tag_name("disk"));
    disks
        .map(|disk| {
            let device = disk.attribute("device").unwrap_or("disk");
            let target = disk.children().find(|node| node.has_tag_name("target"));
            let bus = target.and_then(|target| target.attribute("bus"));
            format!("{device} {}", bus.unwrap_or("?"))
        })
        .collect()
}

/// SHA-256 of a file's bytes, with its owner, mode and time of its last change: what must stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    sha256: String,
    owner: (u32, u32),
    mode: u32,
    modified: (i64, i64),
}

impl Fingerprint {
    /// Takes it.
    pub(crate) fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        let metadata = fs::metadata(path).unwrap();
        let mut command = Command::new("sha256sum");
        command.arg(path);
        let sum = Ran::of(command, "").expect_success().stdout;
        Self {
            sha256: sum.split(' ').next().unwrap().to_owned(),
            owner: (metadata.uid(), metadata.gid()),
            mode: metadata.mode(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}
