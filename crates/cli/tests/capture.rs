//! Captures of a wire that runs without any VM, as people, files and tshark see them.
//!
//! A test whose tools are not installed says so and is ignored.

#![expect(
    clippy::unwrap_used,
    reason = "this is a test, and its plain functions are too"
)]

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use vnflab_impairment::{Impairment, Rule, Settings};
use vnflab_testkit::{Proof, missing_program};
use vnflab_wire::control::{Client, Folder, serve};
use vnflab_wire::{Config, EndConfig, JunctionConfig};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

const LINK: &str = "r1:eth1--r2:eth1";

fn main() {
    vnflab_testkit::run(vec![
        Proof {
            name: "tshark_lists_the_links_of_running_labs_and_captures_them",
            unmet: missing_program(&["tshark"]),
            test: tshark_lists_the_links_of_running_labs_and_captures_them,
        },
        Proof {
            name: "tshark_reads_names_directions_remarks_and_nanoseconds_from_a_pipe",
            unmet: missing_program(&["tshark"]),
            test: tshark_reads_names_directions_remarks_and_nanoseconds_from_a_pipe,
        },
        Proof {
            name: "a_frame_is_a_line_and_ctrl_c_ends_with_a_summary",
            unmet: missing_program(&["kill"]),
            test: a_frame_is_a_line_and_ctrl_c_ends_with_a_summary,
        },
        Proof {
            name: "a_full_disk_ends_the_capture_and_nothing_else",
            unmet: None,
            test: a_full_disk_ends_the_capture_and_nothing_else,
        },
        Proof {
            name: "files_are_parted_and_each_is_whole",
            unmet: None,
            test: files_are_parted_and_each_is_whole,
        },
        Proof {
            name: "wireshark_is_told_when_a_filter_is_wrong_and_of_nothing_when_no_lab_runs",
            unmet: None,
            test: wireshark_is_told_when_a_filter_is_wrong_and_of_nothing_when_no_lab_runs,
        },
    ]);
}

/// A user of their own, whose lab `ring` has a wire with a link of two ends, and frames on it:
/// from `r1` ARP, which a rule drops, and from `r2` OSPF hellos.
struct Stage {
    home: TempDir,
    folder: Folder,
    wire: Option<JoinHandle<()>>,
    traffic: Option<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
}

impl Stage {
    fn build() -> Self {
        let home = tempfile::tempdir().unwrap();
        let runtime = home.path().join("run");
        fs::create_dir(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
        let folder = Folder::new(runtime.join("vnflab/system/ring"));
        let (ready, is_ready) = std::sync::mpsc::channel();
        let of_wire = folder.clone();
        let wire = move || serve(&of_wire, || ready.send(()).unwrap()).unwrap();
        let mut stage = Self {
            home,
            wire: Some(std::thread::spawn(wire)),
            folder,
            traffic: None,
            is_over: Arc::default(),
        };
        is_ready.recv_timeout(PATIENCE).unwrap();
        let mut client = Client::connect(&stage.folder).unwrap();
        let (config, sockets) = link();
        client.apply(&config).unwrap();
        let is_over = Arc::clone(&stage.is_over);
        stage.traffic = Some(std::thread::spawn(move || send(&sockets, &is_over)));
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A program in this user's world.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LC_ALL", "C.UTF-8")
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    fn vnflab(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_vnflab"));
        command
            .args(["--connect", "test:///default"])
            .args(arguments);
        command
    }

    fn capture(&self, arguments: &[&str]) -> Command {
        self.vnflab(&[&["capture", "--lab", "ring"], arguments].concat())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(traffic) = self.traffic.take() {
            let _ = traffic.join();
        }
        let stopped = Client::connect(&self.folder).and_then(Client::stop);
        if let Some(wire) = self.wire.take().filter(|_| stopped.is_ok()) {
            let _ = wire.join();
        }
    }
}

fn link() -> (Config, [UdpSocket; 2]) {
    let open = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let nodes = [open(), open()];
    let locals: [SocketAddr; 2] = {
        let free = [open(), open()];
        free.map(|one| one.local_addr().unwrap())
    };
    let mut config = Config::default();
    for ((name, node), local) in ["r1:eth1", "r2:eth1"].iter().zip(&nodes).zip(locals) {
        node.connect(local).unwrap();
        let remote = node.local_addr().unwrap();
        let end = EndConfig::Udp { local, remote };
        config.ends.insert((*name).to_owned(), end);
    }
    let mut settings = Settings::default();
    settings.set("loss", "100%").unwrap();
    let rule = Rule {
        matches: "arp".to_owned(),
        settings,
    };
    let asked = Impairment {
        rules: vec![rule],
        ..Impairment::default()
    };
    let mut link = JunctionConfig::link("r1:eth1", "r2:eth1");
    link.impairments.insert("r1:eth1".to_owned(), asked);
    config.junctions.insert(LINK.to_owned(), link);
    (config, nodes)
}

fn send(sockets: &[UdpSocket; 2], is_over: &AtomicBool) {
    let mut arp = vec![0xff; 6];
    arp.extend([0x52, 0x54, 0, 0, 0, 1, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.extend([
        0x52, 0x54, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2,
    ]);
    arp.resize(60, 0);
    let mut hello = vec![1, 0, 0x5e, 0, 0, 5, 0x52, 0x54, 0, 0, 0, 2, 0x08, 0];
    hello.extend([
        0x45, 0xc0, 0, 64, 0, 0, 0, 0, 1, 89, 0, 0, 10, 0, 0, 2, 224, 0, 0, 5,
    ]);
    hello.extend([2, 1, 0, 44]);
    hello.resize(14 + 64, 0);
    while !is_over.load(Ordering::Relaxed) {
        sockets[0].send(&arp).unwrap();
        sockets[1].send(&hello).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn good(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

const FIELDS: [&str; 6] = [
    "frame.interface_name",
    "frame.interface_description",
    "frame.packet_flags_direction",
    "frame.time_epoch",
    "frame.comment",
    "frame.protocols",
];

/// What tshark says of frames: a list of fields for each.
fn frames_of(tshark: &mut Command) -> Vec<Vec<String>> {
    tshark.args(["-n", "-T", "fields"]);
    for field in FIELDS {
        tshark.args(["-e", field]);
    }
    let output = good(tshark);
    let fields = |line: &str| line.split('\t').map(str::to_owned).collect();
    text(&output.stdout).lines().map(fields).collect()
}

/// Frames of `r1` were dropped by a rule, those of `r2` are hellos, and both have been sent.
fn assert_both_directions(frames: &[Vec<String>]) {
    for [name, description, direction, time, comment, protocols] in frames
        .iter()
        .map(|frame| <&[String; 6]>::try_from(&frame[..]).unwrap())
    {
        let (of_r1, of_r2) = (name == "r1:eth1", name == "r2:eth1");
        assert!(of_r1 || of_r2, "{frames:?}");
        assert_eq!(description, &format!("link {LINK}, lab ring"));
        assert_eq!(direction, "0x00000002");
        assert_eq!(time.split_once('.').unwrap().1.len(), 9, "{time}");
        match of_r1 {
            true => assert_eq!(comment, "dropped: rule at r1:eth1"),
            false => assert_eq!(comment, ""),
        }
        assert_eq!(protocols.ends_with("arp"), of_r1, "{protocols}");
        assert_eq!(protocols.contains(":ospf"), of_r2, "{protocols}");
    }
    // A time whose nanoseconds are always 0 is no time in nanoseconds.
    assert!(frames.iter().any(|frame| !frame[3].ends_with("000")));
}

fn tshark_lists_the_links_of_running_labs_and_captures_them() {
    let stage = Stage::build();
    good(&mut stage.vnflab(&["extcap", "install"]));
    let listed = text(&good(stage.command("tshark").arg("-D")).stdout);
    for (name, shown) in [
        (format!("ring.{LINK}"), format!("link {LINK} of lab ring")),
        (
            "ring.r2:eth1".to_owned(),
            "end r2:eth1 of lab ring".to_owned(),
        ),
    ] {
        let line = format!(" {name} ({shown})");
        assert!(listed.lines().any(|one| one.ends_with(&line)), "{listed}");
    }
    let interface = format!("ring.{LINK}");
    let frames = frames_of(stage.command("tshark").args(["-i", &interface, "-c", "6"]));
    assert_eq!(frames.len(), 6);
    assert_both_directions(&frames);
    let mut filtered = stage.command("tshark");
    filtered.args(["-i", "ring.r2:eth1", "-f", "ip proto 89", "-c", "3"]);
    let frames = frames_of(&mut filtered);
    assert!(frames.iter().all(|frame| frame[5].contains(":ospf")));
    good(&mut stage.vnflab(&["extcap", "uninstall"]));
    let listed = text(&good(stage.command("tshark").arg("-D")).stdout);
    assert!(!listed.contains("ring."), "{listed}");
}

fn tshark_reads_names_directions_remarks_and_nanoseconds_from_a_pipe() {
    let stage = Stage::build();
    let mut capture = stage
        .capture(&["r2:eth1--r1:eth1", "--count", "20", "-w", "-"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pipe = capture.stdout.take().unwrap();
    let frames = frames_of(stage.command("tshark").args(["-r", "-"]).stdin(pipe));
    assert!(capture.wait().unwrap().success());
    assert_eq!(frames.len(), 20);
    assert_both_directions(&frames);
}

fn a_frame_is_a_line_and_ctrl_c_ends_with_a_summary() {
    let stage = Stage::build();
    let lines = good(&mut stage.capture(&["r1:eth1", "--count", "10"]));
    let lines = text(&lines.stdout);
    assert_eq!(lines.lines().count(), 10, "{lines}");
    let arp = " r1:eth1 >  52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff  ARP who has 10.0.0.2, tell \
               10.0.0.1, 60 bytes, dropped: rule at r1:eth1";
    let hello = " r1:eth1 <  52:54:00:00:00:02 > 01:00:5e:00:00:05  IPv4 10.0.0.2 > 224.0.0.5 \
                 OSPF hello, 78 bytes";
    let is_known = |line: &str| line.ends_with(arp) || line.ends_with(hello);
    assert!(lines.lines().all(is_known), "{lines}");

    let mut running = stage
        .capture(&[LINK, "--filter", "arp", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    let mut stdout = running.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    let id = running.id().to_string();
    good(Command::new("kill").args(["-INT", &id]));
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let documents = text(&[&first[..], &rest].concat());
    for line in documents.lines() {
        let frame: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(frame["format"], "vnflab/frame");
        assert_eq!(frame["end"], "r1:eth1");
        assert_eq!(frame["direction"], "sent");
        assert_eq!(frame["dropped"], "rule at r1:eth1");
    }
    let frames = documents.lines().count();
    let told = text(&output.stderr);
    assert!(told.starts_with(&format!("{frames} frame")), "{told}");
}

fn a_full_disk_ends_the_capture_and_nothing_else() {
    let stage = Stage::build();
    let output = stage.capture(&[LINK, "-w", "/dev/full"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.contains("error: `/dev/full` cannot be written"),
        "{told}"
    );
    assert!(told.contains("No space left"), "{told}");
    // The wire goes on, and so do others' captures.
    good(&mut stage.capture(&[LINK, "--count", "4"]));
}

fn files_are_parted_and_each_is_whole() {
    let stage = Stage::build();
    let path = stage.path("cap.pcapng");
    let path = path.to_str().unwrap();
    let capture = [
        LINK,
        "--count",
        "30",
        "-w",
        path,
        "--rotate-size",
        "1kB",
        "--files",
        "3",
    ];
    let output = good(&mut stage.capture(&[&capture[..], &["--json"]].concat()));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["format"], "vnflab/capture");
    assert_eq!(
        (&document["frames"], &document["missed"]),
        (&30.into(), &0.into())
    );
    let files = document["files"].as_array().unwrap();
    assert_eq!(files.len(), 3);
    for file in files {
        let bytes = fs::read(Path::new(file.as_str().unwrap())).unwrap();
        assert_eq!(bytes[..4], [0x0a, 0x0d, 0x0d, 0x0a], "{file}");
    }
    let left = fs::read_dir(stage.home.path()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_str().unwrap().ends_with(".pcapng")
    });
    assert_eq!(left.count(), 3);
}

fn wireshark_is_told_when_a_filter_is_wrong_and_of_nothing_when_no_lab_runs() {
    let stage = Stage::build();
    let checked = |filter: &str| {
        let interface = format!("ring.{LINK}");
        let asked = [
            "extcap",
            "run",
            "--extcap-interface",
            &interface,
            "--extcap-capture-filter",
            filter,
        ];
        text(&good(&mut stage.vnflab(&asked)).stdout)
    };
    assert_eq!(checked("arp or vlan 20"), "");
    assert!(checked("arp or").starts_with("expected "));
    let other = tempfile::tempdir().unwrap();
    let mut alone = stage.vnflab(&["extcap", "run", "--extcap-interfaces"]);
    alone.env("XDG_RUNTIME_DIR", other.path());
    let listed = text(&good(&mut alone).stdout);
    assert!(listed.starts_with("extcap {version="), "{listed}");
    assert_eq!(listed.lines().count(), 1);
}
