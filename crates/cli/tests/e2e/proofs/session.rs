//! An ordinary user on a libvirt of its own: no right of root's is needed.
//!
//! Run by root, the proof becomes an ordinary user; everything of that user lies in one folder,
//! and the daemons that libvirt starts for it are ended in the end.

use crate::harness::guest;
use crate::harness::host::{Host, need};
use crate::harness::lab::Lab;
use crate::harness::program::{Program, Ran, User, copy_program};
use crate::harness::stage::Stage;
use crate::harness::verdict::CannotRun;
use crate::harness::wait::{PATIENCE, at_once, until};
use crate::harness::witness;
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// `nobody`: a user of every Debian machine, with no rights and no home.
const NOBODY: u32 = 65534;

/// A lab of an ordinary user's. Fields are dropped in this order.
pub(super) struct OfUser {
    lab: Lab,
    home: Home,
}

impl OfUser {
    /// Where the lab's wire has its folder.
    fn wire_folder(&self) -> PathBuf {
        self.home.path("run/vnflab/session").join(self.lab.name())
    }
}

pub(super) fn stage(host: &Arc<Host>) -> Arc<Stage<OfUser>> {
    let host = Arc::clone(host);
    Stage::new("user", move || boot(&host))
}

pub(super) fn trials(user: &Arc<Stage<OfUser>>) -> Vec<Trial> {
    vec![
        user.trial(
            "ordinary_user_boots_a_lab_in_session_mode_that_converges",
            converges,
        ),
        user.trial(
            "lab_of_an_ordinary_user_is_that_users_alone",
            is_the_users_own,
        ),
        user.trial(
            "ordinary_user_takes_the_lab_down_and_nothing_is_left",
            goes_down,
        ),
    ]
}

/// A home that belongs to the user and goes with this value, as do the user's daemons.
pub(super) struct Home {
    folder: TempDir,
    id: u32,
}

impl Home {
    fn new(id: u32) -> Self {
        // Paths of libvirt's sockets are long enough without a long name here.
        let folder = tempfile::Builder::new().prefix("vnf-").tempdir().unwrap();
        let home = Self { folder, id };
        fs::create_dir(home.path("run")).unwrap();
        home.give(home.folder.path());
        home.give(&home.path("run"));
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn give(&self, path: &Path) {
        chown(path, Some(self.id), Some(self.id)).unwrap();
    }

    /// The daemons that libvirt started for this user: each leaves its number in a file.
    fn daemons(&self) -> Vec<Pid> {
        let Ok(entries) = fs::read_dir(self.path("run/libvirt")) else {
            return Vec::new();
        };
        let files = entries.flatten().map(|entry| entry.path());
        let files = files.filter(|path| path.extension().is_some_and(|name| name == "pid"));
        let numbers = files.filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
        let running = numbers.filter(|number: &i32| {
            let process = fs::metadata(format!("/proc/{number}"));
            process.is_ok_and(|process| process.uid() == self.id)
        });
        running.filter_map(Pid::from_raw).collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for daemon in self.daemons() {
            // It may end by itself just now.
            let _ = kill_process(daemon, Signal::TERM);
        }
        until("the user's daemons end", PATIENCE, || {
            match self.daemons().is_empty() {
                true => Ok(()),
                false => Err(format!("{:?}", self.daemons())),
            }
        });
    }
}

fn boot(host: &Host) -> Result<OfUser, CannotRun> {
    host.with_system()?;
    need("setpriv", "util-linux")?;
    let image = host.image()?;
    let home = Home::new(NOBODY);
    let user = User {
        id: NOBODY,
        home: home.folder.path().to_owned(),
    };
    let program = Program::of_user(copy_program(home.folder.path()), user);

    // The image comes from a copy that the user can read, into a store of the user's own.
    let copy = home.path("frr.qcow2");
    fs::copy(&image, &copy).unwrap();
    home.give(&copy);
    program
        .run(&["image", "add", copy.to_str().unwrap()])
        .expect_success();
    fs::remove_file(&copy).unwrap();

    let lab = Lab::example_of(program, home.folder.path(), "user", "two-routers");
    home.give(lab.folder());
    lab.up_and_wait(&[]);
    Ok(OfUser { lab, home })
}

fn converges(user: &OfUser) {
    let nodes = ["r1", "r2"];
    let loopbacks = at_once(&nodes, |node| guest::loopback(&user.lab, node));
    guest::all_ping_all(&user.lab, &nodes, &loopbacks);
    for node in user.lab.ps() {
        let ssh = node["ssh"].as_str().unwrap();
        assert!(ssh.starts_with("127."), "{ssh}");
    }
}

/// What `virsh` says on the user's own libvirt.
fn virsh(lab: &Lab, arguments: &[&str]) -> String {
    let mut virsh = lab.program().any("virsh");
    virsh.args(["--connect", "qemu:///session", "--quiet"]);
    virsh.args(arguments);
    Ran::of(virsh, "").expect_success().stdout
}

fn is_the_users_own(user: &OfUser) {
    let lab = &user.lab;
    let processes = lab.processes();
    assert_eq!(processes.len(), 2);
    for pid in processes.values() {
        let owner = fs::metadata(format!("/proc/{pid}")).unwrap().uid();
        assert_eq!(owner, NOBODY);
    }
    let domain = lab.domain("r1");
    assert!(!witness::domains().contains(&domain));
    let listed = virsh(lab, &["list", "--name"]);
    assert!(listed.contains(&domain), "{listed}");
    assert!(lab.plan().is_empty());
    // Its wire is the user's as well, in the user's own runtime folder.
    let folder = user.wire_folder();
    let facts = fs::metadata(&folder).unwrap();
    assert_eq!((facts.uid(), facts.mode() & 0o777), (NOBODY, 0o700));
    let wire = witness::wire_processes(&folder);
    assert_eq!(wire.len(), 2, "{wire:?}");
    for pid in wire.values() {
        let owner = fs::metadata(format!("/proc/{pid}")).unwrap().uid();
        assert_eq!(owner, NOBODY);
    }
    assert!(!witness::wire_folder(lab.name()).exists());
    let delayed = ["link", "set", "r1:eth1", "--delay", "100ms"];
    let line = [&delayed[..], &["--lab", lab.name()]].concat();
    lab.program().run(&line).expect_success();
    let peer = guest::loopback(lab, "r2");
    let ping = guest::ask(lab, "r1", &format!("ping -q -c 1 -W 5 {peer}"));
    let round_trip: f64 = ping.split_once("mdev = ").unwrap().1[..5].parse().unwrap();
    assert!(round_trip >= 200.0, "{ping}");
}

fn goes_down(user: &OfUser) {
    let lab = &user.lab;
    lab.run("down", &["--purge"]).expect_success();
    assert!(lab.processes().is_empty());
    assert_eq!(virsh(lab, &["list", "--all", "--name"]).trim(), "");
    assert_eq!(virsh(lab, &["vol-list", "vnflab"]).trim(), "");
    let folder = user.wire_folder();
    assert!(!folder.exists());
    until("the wire's processes are gone", PATIENCE, || {
        let left = witness::wire_processes(&folder);
        left.is_empty()
            .then_some(())
            .ok_or_else(|| format!("{left:?}"))
    });
}
