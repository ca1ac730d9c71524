//! What a user can get wrong: each mistake has its exit code and says what is meant.

use crate::harness::host::Host;
use crate::harness::lab::Lab;
use crate::harness::program::{Program, Ran};
use crate::harness::stage::Stage;
use crate::harness::witness::{self, Joined};
use libtest_mimic::Trial;
use std::fs;
use std::net::UdpSocket;
use std::sync::Arc;

pub(super) fn trials(system: &Arc<Stage<Arc<Host>>>) -> Vec<Trial> {
    vec![
        system.trial("unknown_names_are_told_with_exit_code_5", |_| {
            unknown_names()
        }),
        system.trial("links_of_no_lab_are_told_with_exit_code_5", |_| no_links()),
        system.trial("broken_lab_files_are_told_with_exit_code_3", |_| {
            broken_files()
        }),
        system.trial("port_of_another_process_is_avoided_by_a_native_lab", |_| {
            taken_port()
        }),
        system.trial(
            "port_of_another_process_is_found_in_the_origins_files",
            |_| taken_port_of_the_origin(),
        ),
    ]
}

fn unknown_names() {
    let program = Program::new();
    let nowhere = format!("t{}-nowhere", std::process::id());
    let node = format!("{nowhere}.r1");
    let lines: [&[&str]; 9] = [
        &["start", &node],
        &["stop", &node],
        &["console", &node],
        &["ssh", &node, "--", "true"],
        &["down", "--lab", &nowhere],
        &["ps", "--lab", &nowhere],
        &["kinds", "no-such-kind"],
        &["explain", "L9999"],
        &["image", "rm", &nowhere],
    ];
    for line in lines {
        program
            .run(line)
            .expect_code(5)
            .expect_said("error: there is no");
    }
    let lab = Lab::native("known", "nodes:\n  r1: {kind: frr}\n");
    lab.run("up", &["r7"])
        .expect_code(5)
        .expect_said("Did you mean `r1`?");
    lab.run("up", &["--stand-in", "ios"]).expect_code(5);
    assert!(witness::traces_of(lab.name()).is_empty());

    program.run(&["up", "--no-such-option"]).expect_code(2);
    program
        .run(&["ps", "--connect", "qemu+nonsense:///system"])
        .expect_code(4);
}

fn no_links() {
    let program = Program::new();
    let nowhere = format!("t{}-nowhere", std::process::id());
    program
        .run(&["link", "show", "r1:eth1", "--lab", &nowhere])
        .expect_code(5)
        .expect_said("error: there is no");
    // In the folder of a lab that is not up no other lab is meant, and mistakes in values are told
    // before anything is looked for.
    let lab = Lab::native("unlinked", "nodes:\n  r1: {kind: frr}\n");
    let here = |line: &[&str]| {
        let mut command = program.command(line);
        command.current_dir(lab.folder());
        Ran::of(command, "")
    };
    let lines: [&[&str]; 4] = [
        &["link", "show", "r1:eth1"],
        &["link", "set", "r1:eth1", "--delay", "5ms"],
        &["link", "down", "r1:eth1"],
        &["link", "export"],
    ];
    for line in lines {
        here(line).expect_code(5).expect_said("is not up");
    }
    let lines: [&[&str]; 5] = [
        &["link", "set", "r1:eth1"],
        &["link", "set", "r1:eth1", "--delay", "50"],
        &["link", "set", "r1:eth1", "--loss", "101%"],
        &["link", "set", "r1:eth1", "--rate", "-1mbit"],
        &[
            "link",
            "set",
            "r1:eth1",
            "--loss",
            "1%",
            "--match",
            "ip prto 89",
        ],
    ];
    for line in lines {
        here(line).expect_code(2).expect_said("error: ");
    }
}

fn broken_files() {
    let lab = Lab::native("broken", "nodes: {}\n");
    let file = lab.folder().join("lab.yaml");
    let cases: [(&[u8], &str); 6] = [
        (b"nodes: [", "L0101"),
        (b"nodes:\n  r1: {knid: frr}\n", "L0102"),
        (b"nodes:\n  r1: {kind: no-such-kind}\n", "L0204"),
        (
            b"nodes:\n  r1: {kind: frr}\nlinks:\n  - r1:eth1 -- r2:eth1\n",
            "L0203",
        ),
        (
            b"nodes:\n  r1: {kind: frr, image: no-such-image}\n",
            "L0301",
        ),
        (b"\xff\xfe\x00\x01\x02", "L0107"),
    ];
    for (bytes, code) in cases {
        fs::write(&file, bytes).unwrap();
        for verb in ["check", "plan", "up"] {
            let ran = lab.run(verb, &[]).expect_code(3).expect_said(code);
            assert!(ran.stderr.contains("lab.yaml:"), "{}", ran.told());
        }
    }
    fs::remove_file(&file).unwrap();
    lab.run("up", &[]).expect_code(3).expect_said("L0109");
}

fn taken_port() {
    let text = "nodes:\n  r1: {kind: frr}\n  r2: {kind: frr}\nlinks:\n  - r1:eth1 -- r2:eth1\n";
    let lab = Lab::native("taken", text);
    let folder = lab.folder().to_str().unwrap();
    let local = || {
        let xml = lab
            .program()
            .run(&["xml", "r2", "--lab", folder])
            .expect_success();
        let mut nics = witness::nics(&xml.stdout).into_iter();
        let local = nics.find_map(|nic| match nic.joined {
            Joined::Tunnel { local, .. } => Some(local),
            _ => None,
        });
        local.unwrap()
    };
    let usual = local();
    let socket = UdpSocket::bind(&usual).unwrap();
    assert_ne!(local(), usual);
    drop(socket);
    assert_eq!(local(), usual);
}

fn taken_port_of_the_origin() {
    let lab = Lab::example("moved", "ring").with_arguments(&["--stand-in", "frr"]);
    lab.move_ports_of_the_origin();
    let socket = UdpSocket::bind("127.0.0.1:30202").unwrap();
    let up = lab.run("up", &[]).expect_code(3).expect_said("L0215");
    assert!(up.stderr.contains("ios01.yaml:"), "{}", up.told());
    assert!(up.stderr.contains("30202"), "{}", up.told());
    drop(socket);
    lab.run("check", &[]).expect_success();
}
