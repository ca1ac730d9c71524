//! What the command says, whole: reviewing a snapshot is reviewing the feature.
//!
//! Nothing here needs a daemon: where a connection is needed it is libvirt's `test:///default`,
//! which lives in the process, or one to a socket that does not exist.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use assert_cmd::cargo::cargo_bin;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A connection that nobody answers.
const NOBODY: &str = "qemu+unix:///system?socket=/nonexistent/socket";

/// libvirt's driver for tests, in the process.
const TEST_DRIVER: &str = "test:///default";

/// The command in a world of its own: no configuration, no colours, an empty current folder.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo_bin("vnflab"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            // Wires of labs that happen to run here are none of a test's business.
            .env("XDG_RUNTIME_DIR", self.path())
            .env("PATH", "/usr/bin:/bin");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The command line, what it wrote, and how it ended.
    fn transcript(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.replace(self.path().to_str().unwrap(), "FOLDER")
        };
        let mut transcript = format!("$ vnflab {}\n", arguments.join(" "));
        transcript.push_str(&text(&output.stdout));
        if !output.stderr.is_empty() {
            transcript.push_str(&format!("[stderr]\n{}", text(&output.stderr)));
        }
        transcript.push_str(&format!("[exit {}]\n", output.status.code().unwrap()));
        transcript
    }
}

const VERBS: &[&str] = &[
    "check",
    "plan",
    "up",
    "down",
    "start",
    "stop",
    "restart",
    "suspend",
    "resume",
    "cpu-limit",
    "ps",
    "links",
    "console",
    "ssh",
    "test",
    "exec",
    "ssh-config",
    "hosts",
    "inventory",
    "save",
    "provision",
    "kinds",
    "image",
    "link",
    "link set",
    "link down",
    "link connect",
    "link move",
    "link join",
    "link probe",
    "capture",
    "extcap",
    "extcap install",
    "extcap uninstall",
    "wire",
    "wire relay",
    "image ls",
    "image add",
    "image rm",
    "image build",
    "image verify",
    "doctor",
    "explain",
    "config",
    "xml",
    "schema",
    "completions",
];

#[test]
fn the_help_of_every_command() {
    let world = World::new();
    insta::assert_snapshot!("help", world.transcript(&["--help"]));
    for verb in VERBS {
        let mut arguments: Vec<&str> = verb.split(' ').collect();
        arguments.push("--help");
        let name = format!("help-{}", verb.replace(' ', "-"));
        insta::assert_snapshot!(name, world.transcript(&arguments));
    }
}

#[test]
fn help_is_a_command_too() {
    let world = World::new();
    for verb in ["up", "image add"] {
        let words = || verb.split(' ');
        let asked: Vec<&str> = ["help"].into_iter().chain(words()).collect();
        let optional: Vec<&str> = words().chain(["--help"]).collect();
        assert_eq!(world.run(&asked).stdout, world.run(&optional).stdout);
    }
}

#[test]
fn a_first_configuration_is_shown_without_an_image() {
    let world = World::new();
    let lab = "name: pair\nnodes:\n  r1: {kind: iosv, startup-config: r1.cfg.j2}\n  r2: {kind: sros}\n  \
               r3: {kind: eos, startup-config: missing.cfg}\n  r4: {kind: iosv, startup-config: broken.j2}\n\
               links: [{endpoints: [\"r1:Gi0/1\", \"r2:1/1/1\"], ipv4: [10.0.0.0/31, 10.0.0.1/31]}]\n";
    fs::write(world.path().join("lab.yaml"), lab).unwrap();
    let template = "{% for interface in node.interfaces if interface.peer %}\n\
                    interface {{ interface.name }}\n description to {{ interface.peer.node }}\n \
                    ip address {{ interface.ipv4.address }} {{ interface.ipv4.netmask }}\n{% endfor %}\n";
    fs::write(world.path().join("r1.cfg.j2"), template).unwrap();
    fs::write(world.path().join("broken.j2"), "{{ vars.nothing }}\n").unwrap();
    let cases: &[&[&str]] = &[
        &["config", "r1", "--extract", "out", "--image", "r1.img"],
        &["config", "r1", "--json"],
        &["config", "r2"],
        // The mistakes of others stay theirs.
        &["config", "r4"],
    ];
    let transcripts: Vec<String> = cases
        .iter()
        .map(|case| world.transcript(&[&["--connect", TEST_DRIVER], *case].concat()))
        .collect();
    insta::assert_snapshot!(transcripts.join("\n"));
    let extracted = fs::read_to_string(world.path().join("out/ios_config.txt")).unwrap();
    assert!(
        extracted.contains("ip address 10.0.0.0 255.255.255.254\n"),
        "{extracted}"
    );
    let image = fs::metadata(world.path().join("r1.img")).unwrap();
    assert_eq!(image.len(), 8 * 1024 * 1024);
}

#[test]
fn in_the_folder_of_a_lab_that_is_not_up_no_others_are_listed() {
    let world = World::new();
    let lab = "name: pair\nnodes: {r1: {kind: frr}, r2: {kind: frr}}\n";
    fs::write(world.path().join("lab.yaml"), lab).unwrap();
    let cases: &[&[&str]] = &[&["ps"], &["links"], &["ps", "--all"]];
    let transcripts: Vec<String> = cases
        .iter()
        .map(|case| world.transcript(&[&["--connect", TEST_DRIVER], *case].concat()))
        .collect();
    insta::assert_snapshot!("not-up", transcripts.join("\n"));
}

#[test]
fn checks_are_read_before_a_lab_is_looked_at() {
    let world = World::new();
    let write = |checks: &str| {
        let lab = format!("name: pair\nnodes: {{r1: {{kind: frr}}, r2: {{kind: frr}}}}\n{checks}");
        fs::write(world.path().join("lab.yaml"), lab).unwrap();
    };
    let test = |arguments: &[&str]| {
        world.transcript(&[&["--connect", TEST_DRIVER, "test"], arguments].concat())
    };
    write("");
    let mut transcripts = vec![test(&[])];
    write("checks: {reachable: {ping: {from: r1, to: r2}}}\n");
    transcripts.extend([test(&["reachabel"]), test(&[".", "reachable"])]);
    write("checks: {reachable: {ping: {from: r1, to: r3}}}\n");
    transcripts.push(test(&["--wait", "10s"]));
    insta::assert_snapshot!("test", transcripts.join("\n"));
}

#[test]
fn where_no_lab_is_up_nodes_are_neither_asked_nor_listed() {
    let world = World::new();
    let cases: &[&[&str]] = &[
        &["exec", "--all", "show version"],
        &["exec", "show version"],
        &["exec", "r1", "show version"],
        &["exec", "--all", "show", "version"],
        &["inventory", "--format", "ansible"],
        &["inventory", "--format", "puppet"],
        &["inventory", "ring", "--json"],
        &["ssh-config"],
        &["hosts", "--json"],
    ];
    let transcripts: Vec<String> = cases
        .iter()
        .map(|case| world.transcript(&[&["--connect", TEST_DRIVER], *case].concat()))
        .collect();
    insta::assert_snapshot!("nobody-to-ask", transcripts.join("\n"));
}

#[test]
fn every_command_that_help_lists_is_among_those_tested() {
    let output = World::new().run(&["--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let listed = text
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next());
    for verb in listed.filter(|verb| *verb != "help") {
        assert!(VERBS.contains(&verb), "{verb}");
    }
}

#[test]
fn kinds_are_listed_and_shown() {
    let world = World::new();
    insta::assert_snapshot!("kinds", world.transcript(&["kinds"]));
    insta::assert_snapshot!("kinds-ios", world.transcript(&["kinds", "CSR1000v"]));
    insta::assert_snapshot!(
        "kinds-frr-json",
        world.transcript(&["kinds", "frr", "--json"])
    );
    insta::assert_snapshot!("kinds-unknown", world.transcript(&["kinds", "veoss"]));
}

#[test]
fn kinds_of_the_user_are_added_and_their_mistakes_told() {
    let world = World::new();
    let folder = world.path().join(".config/vnflab/kinds");
    fs::create_dir_all(&folder).unwrap();
    let mine = "name: mine\nparent: eos\ntitle: My switch\nhardware: {memory-mib: 2048}\n";
    fs::write(folder.join("mine.yaml"), mine).unwrap();
    let output = world.run(&["kinds"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("My switch"), "{text}");
    fs::write(folder.join("a.yaml"), "name: a\ncolour: red\n").unwrap();
    fs::write(folder.join("b.yaml"), "name: b\nparent: nobody\n").unwrap();
    insta::assert_snapshot!("kinds-broken", world.transcript(&["kinds"]));
    let missing = world.run(&["--kinds", "/nonexistent", "kinds"]);
    assert_eq!(missing.status.code(), Some(1));
}

#[test]
fn codes_are_explained() {
    let world = World::new();
    insta::assert_snapshot!("explain", world.transcript(&["explain"]));
    insta::assert_snapshot!("explain-l0212", world.transcript(&["explain", "l0212"]));
    insta::assert_snapshot!("explain-unknown", world.transcript(&["explain", "L9999"]));
}

#[test]
fn mistakes_on_the_command_line_are_told() {
    let world = World::new();
    let cases: &[&[&str]] = &[
        &["upp"],
        &["console"],
        &["ps", "--all", "--lab", "x"],
        &["console", "r1", "--for", "5h"],
        &["up", "--parallel", "0"],
        &["suspend"],
        &["suspend", "r1", "--all"],
        &["cpu-limit", "101", "r1"],
    ];
    let transcripts: Vec<String> = cases.iter().map(|case| world.transcript(case)).collect();
    insta::assert_snapshot!("usage", transcripts.join("\n"));
}

#[test]
fn names_that_do_not_exist_are_told() {
    let world = World::new();
    let cases: &[&[&str]] = &[
        &["console", "r1"],
        &["ssh", "lab.r1"],
        &["start", "r1"],
        &["down", "--lab", "ring"],
        &["links", "--lab", "ring"],
        &["down", "nowhere"],
        &["down", "./nowhere"],
        &["up", "--stand-in", "ios"],
    ];
    let transcripts: Vec<String> = cases
        .iter()
        .map(|case| world.transcript(&[&["--connect", TEST_DRIVER], *case].concat()))
        .collect();
    insta::assert_snapshot!("unknown-names", transcripts.join("\n"));
}

#[test]
fn nothing_to_show_is_said_and_is_an_empty_list_in_json() {
    let world = World::new();
    let cases: &[&[&str]] = &[
        &["ps"],
        &["ps", "--json"],
        &["links"],
        &["links", "--json"],
        &["ps", "--quiet"],
    ];
    let transcripts: Vec<String> = cases
        .iter()
        .map(|case| world.transcript(&[&["--connect", TEST_DRIVER], *case].concat()))
        .collect();
    insta::assert_snapshot!("nothing", transcripts.join("\n"));
}

#[test]
fn a_lab_is_checked_without_libvirt() {
    let world = World::new();
    let good =
        "name: pair\nnodes: {r1: {kind: frr}, r2: {kind: frr}}\nlinks: [r1:eth1 -- r2:eth1]\n";
    fs::write(world.path().join("lab.yaml"), good).unwrap();
    let output = world.run(&["--connect", NOBODY, "check"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("were not looked at"), "{told}");
    assert!(
        told.ends_with("`pair`: 2 nodes, 1 link, no mistakes.\n"),
        "{told}"
    );

    let bad = good
        .replace("-- r2:eth1", "-- r3:eth1")
        .replace("kind: frr}, ", "kind: ffr}, ");
    fs::write(world.path().join("lab.yaml"), bad).unwrap();
    insta::assert_snapshot!(
        "check-json",
        world.transcript(&["--connect", NOBODY, "check", "--json"])
    );
    // Errors are told however quiet it shall be.
    let quiet = world.run(&["--connect", NOBODY, "check", "--quiet"]);
    assert_eq!(quiet.status.code(), Some(3));
    assert!(String::from_utf8(quiet.stderr).unwrap().contains("L0203"));
}

#[test]
fn without_libvirt_the_host_is_to_blame() {
    let world = World::new();
    for verb in ["ps", "up", "down", "links"] {
        let output = world.run(&["--connect", NOBODY, verb]);
        assert_eq!(output.status.code(), Some(4), "{verb}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.starts_with("error: cannot connect to"), "{told}");
        assert!(told.contains("`vnflab doctor`"), "{told}");
    }
    let doctor = world.run(&["--connect", NOBODY, "doctor", "--json"]);
    assert_eq!(doctor.status.code(), Some(4));
    let document: serde_json::Value = serde_json::from_slice(&doctor.stdout).unwrap();
    assert_eq!(document["findings"][0]["code"], "D01");
    assert_eq!(document["findings"][0]["verdict"], "failure");
}

#[test]
fn every_json_document_names_its_format_and_version() {
    let world = World::new();
    let cases: &[(&str, &[&str])] = &[
        ("vnflab/kinds", &["kinds"]),
        ("vnflab/kind", &["kinds", "eos"]),
        ("vnflab/codes", &["explain"]),
        ("vnflab/code", &["explain", "D01"]),
        ("vnflab/ps", &["ps"]),
        ("vnflab/links", &["links"]),
        ("vnflab/doctor", &["doctor"]),
        ("vnflab/images", &["image", "ls"]),
        ("vnflab/check", &["check"]),
    ];
    for (format, arguments) in cases {
        let all = [&["--connect", TEST_DRIVER, "--json"], *arguments].concat();
        let output = world.run(&all);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        assert_eq!(document["format"], *format);
        assert_eq!(document["version"], 1, "{format}");
    }
}

#[test]
fn a_watch_in_json_is_a_document_a_line_and_ends_with_the_signal() {
    let world = World::new();
    let mut child = world
        .command(&["--connect", TEST_DRIVER, "ps", "--watch", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line = lines.next().unwrap().unwrap();
        let document: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(document["format"], "vnflab/ps");
    }
    let pid = child.id().to_string();
    let killed = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn schemas_are_json() {
    let world = World::new();
    for arguments in [&["schema"][..], &["kinds", "--schema"]] {
        let output = world.run(arguments);
        let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(schema["properties"].is_object(), "{arguments:?}");
    }
}

#[test]
fn colours_follow_the_option_and_the_environment() {
    let world = World::new();
    let painted = |command: &mut Command| command.output().unwrap().stderr.contains(&0x1b);
    assert!(!painted(&mut world.command(&["kinds", "x"])));
    assert!(painted(
        &mut world.command(&["kinds", "x", "--color", "always"])
    ));
    let mut forbidden = world.command(&["kinds", "x", "--color", "auto"]);
    assert!(!painted(forbidden.env("NO_COLOR", "1")));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let world = World::new();
    let mut child = world
        .command(&["kinds", "--schema"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The reader is gone before anything is written, or soon after: both must be silent.
    drop(child.stdout.take());
    let mut told = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut told).unwrap();
    assert_eq!((child.wait().unwrap().code(), told.as_str()), (Some(0), ""));
}

#[test]
fn completions_call_the_program_back() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = world.run(&["completions", shell]);
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("COMPLETE"), "{shell}: {script}");
    }
    let complete = |words: &[&str]| {
        let mut command = world.command(&[&["--", "vnflab"], words].concat());
        let output = command.env("COMPLETE", "fish").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let names = text.lines().filter_map(|line| line.split('\t').next());
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete(&["kinds", "vy"]), ["vyos"]);
    assert_eq!(complete(&["up", "--stand-in", ""]), ["frr"]);
    assert_eq!(complete(&["explain", "D0"]).len(), 9);
    assert_eq!(complete(&["rest"]), ["restart"]);
}
