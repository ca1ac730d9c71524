//! What a proof needs of this host, looked at once, when the first proof asks.

use super::program::{Program, Ran};
use super::verdict::CannotRun;
use super::witness;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Name of the image that the labs boot.
const IMAGE: &str = "frr";

/// The host.
#[derive(Default)]
pub(crate) struct Host {
    system: OnceLock<Result<(), CannotRun>>,
    image: OnceLock<Result<PathBuf, CannotRun>>,
}

impl Host {
    /// The system's libvirt as root, with a bootable image in its store, and without what earlier
    /// runs left behind.
    pub(crate) fn with_system(&self) -> Result<(), CannotRun> {
        let system = self.system.get_or_init(|| {
            need_root("has qemu:///system")?;
            need("virsh", "libvirt-clients")?;
            need("ssh", "openssh-client")?;
            libvirt_answers()?;
            take_leftovers_down();
            Ok(())
        });
        system.clone()?;
        self.image().map(drop)
    }

    /// The file of the bootable image; it is built when the store lacks it.
    pub(crate) fn image(&self) -> Result<PathBuf, CannotRun> {
        self.image.get_or_init(|| built_image(IMAGE)).clone()
    }
}

/// The file of an image that we build; it is built when the store lacks it.
pub(crate) fn built_image(name: &str) -> Result<PathBuf, CannotRun> {
    let path = stored_image(name).or_else(|| {
        let program = Program::new();
        program.run(&["image", "build", name]).expect_success();
        stored_image(name)
    });
    path.ok_or_else(|| CannotRun::Missing(format!("the store has no image `{name}`")))
}

/// Fails unless this is root, who alone does something.
pub(crate) fn need_root(does: &str) -> Result<(), CannotRun> {
    match rustix::process::geteuid().is_root() {
        true => Ok(()),
        false => Err(CannotRun::Missing(format!("only root {does}"))),
    }
}

/// Fails unless a program is installed.
pub(crate) fn need(program: &str, package: &str) -> Result<(), CannotRun> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    match folders
        .map(|folder| folder.join(program))
        .any(|file| file.is_file())
    {
        true => Ok(()),
        false => {
            let reason = format!("`{program}` is not installed: apt-get install {package}");
            Err(CannotRun::Missing(reason))
        }
    }
}

/// Fails while any of these UDP or TCP ports is taken.
pub(crate) fn need_free_ports(udp: &[u16], tcp: &[u16]) -> Result<(), CannotRun> {
    let taken = |sockets: Vec<String>, ports: &[u16]| {
        let mut ports = ports.iter();
        ports
            .find(|port| {
                let ending = format!(":{port}");
                sockets.iter().any(|socket| socket.ends_with(&ending))
            })
            .copied()
    };
    let udp = taken(witness::bound_udp(), udp).map(|port| format!("UDP port {port}"));
    let tcp = taken(witness::listening_tcp(), tcp).map(|port| format!("TCP port {port}"));
    match udp.or(tcp) {
        Some(port) => Err(CannotRun::Occupied(format!(
            "{port} is in use on this host"
        ))),
        None => Ok(()),
    }
}

/// Fails while a network device of that name exists.
pub(crate) fn need_no_device(name: &str) -> Result<(), CannotRun> {
    match Path::new("/sys/class/net").join(name).exists() {
        true => Err(CannotRun::Occupied(format!(
            "there is a `{name}` on this host"
        ))),
        false => Ok(()),
    }
}

fn libvirt_answers() -> Result<(), CannotRun> {
    let mut command = Command::new("virsh");
    command.args(["--connect", "qemu:///system", "uri"]);
    let ran = Ran::of(command, "");
    match ran.code {
        Some(0) => Ok(()),
        _ => {
            let reason = "libvirt does not answer on qemu:///system; scripts/setup starts it";
            Err(CannotRun::Missing(reason.to_owned()))
        }
    }
}

fn stored_image(name: &str) -> Option<PathBuf> {
    let list = Program::new()
        .run(&["image", "ls", "--json"])
        .json("images");
    let images = list["images"].as_array().unwrap();
    let image = images.iter().find(|image| image["name"] == name)?;
    Some(PathBuf::from(image["path"].as_str().unwrap()))
}

/// Takes down what runs of this test left behind that were killed.
fn take_leftovers_down() {
    let nodes = Program::new().run(&["ps", "--all", "--json"]).json("ps");
    let nodes = nodes["nodes"].as_array().unwrap();
    let labs: std::collections::BTreeSet<&str> = nodes
        .iter()
        .filter_map(|node| node["lab"].as_str())
        .collect();
    for lab in labs.into_iter().filter(|lab| is_leftover(lab)) {
        Program::new()
            .run(&["down", "--purge", "--lab", lab])
            .expect_success();
    }
    // What is left are VMs of an ordinary user, whose libvirt nobody can ask any more.
    for (pid, domain) in witness::qemu_processes("t") {
        let lab = domain.split('.').next().unwrap_or_default();
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        if let (true, Some(pid)) = (is_leftover(lab), pid) {
            // It may end by itself just now.
            let _ = kill_process(pid, Signal::TERM);
        }
    }
}

/// Whether a lab's name is `t<pid>-...` of a process that is no run of this test (any more).
fn is_leftover(lab: &str) -> bool {
    let pid = lab
        .strip_prefix('t')
        .and_then(|rest| rest.split_once('-'))
        .and_then(|(pid, _)| pid.parse::<u32>().ok());
    let Some(pid) = pid else { return false };
    let theirs = fs::read_to_string(format!("/proc/{pid}/comm"));
    // Cargo names it `e2e-` and a number that is another one in every checkout.
    !theirs.is_ok_and(|name| name.starts_with("e2e-"))
}
