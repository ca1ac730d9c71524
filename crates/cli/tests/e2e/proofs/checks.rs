//! Checks of a running lab: the ring of the examples, its failover included.

use crate::harness::host::Host;
use crate::harness::lab::Lab;
use crate::harness::program::Ran;
use crate::harness::stage::Stage;
use crate::harness::wait::{PATIENCE, until};
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;

/// Exit code of `test` when checks do not hold.
const DOES_NOT_HOLD: i32 = 7;

/// Exit code of commands that were interrupted.
const INTERRUPTED: i32 = 130;

/// The ring without its checks.
const RING: &str = "\
defaults: {kind: frr}
nodes: {r1: , r2: , r3: , r4: }
links:
  - r1:eth1 -- r2:eth2
  - r2:eth1 -- r3:eth2
  - r3:eth1 -- r4:eth2
  - r4:eth1 -- r1:eth2
";

/// Things that are so, and things that are not.
const MIXED: &str = "\
checks:
  ospf-frames: {frames: {on: r1:eth1, match: ip proto 89, from: r1, during: 20s}}
  no-tftp-frames: {frames: {on: r1:eth1, match: udp port 69, during: 2s}, expect: fail}
  quiet: {rate: {on: r1:eth1, most: 1mbit, during: 2s}}
  ssh: {connect: {from: r1, to: r3, port: 22}, within: 60s}
  no-telnet: {connect: {from: r1, to: r3, port: 23}, expect: fail}
  version: {command: {node: all, run: vtysh -c 'show version', matches: ^FRRouting, lacks: Cisco}}
  router-id: {command: {node: r1, run: vtysh -c 'show ip ospf json', json: $.routerId, matches: '10\\.255'}}
  mtu: {ping: {from: r1, to: \"r2:eth2\", size: 1500}, within: 60s}
  too-large: {ping: {from: r1, to: \"r2:eth2\", size: 1501}}
  nobody: {ping: {from: r1, to: 10.255.99.99}}
  somebody: {ping: {from: r1, to: \"r2:eth2\"}, expect: fail}
  far: {neighbors: {node: r1, protocol: ospf, with: r3}}
  down: {link: {name: r1:eth1, state: down}}
  alone:
    steps:
      - {cut: r1:eth1, silent: true}
      - {cut: r1:eth2, silent: true}
      - link: {name: r1:eth2, state: down}
      - {ping: {from: r1, to: r3}, within: 2s}
";

pub(super) fn stage(host: &Arc<Host>) -> Arc<Stage<Lab>> {
    let host = Arc::clone(host);
    Stage::new("checks", move || {
        host.with_system()?;
        let lab = Lab::example("checks", "ring-native");
        lab.up_and_wait(&[]);
        Ok(lab)
    })
}

pub(super) fn trials(ring: &Arc<Stage<Lab>>) -> Vec<Trial> {
    vec![
        ring.trial(
            "checks_of_the_ring_hold_with_its_failover_and_junit_tells",
            checks_of_the_example_hold,
        ),
        ring.trial(
            "checks_that_do_not_hold_are_told_with_the_reason_and_an_exit_code",
            reasons_are_told,
        ),
        ring.trial(
            "checks_that_are_interrupted_put_the_lab_back",
            interrupted_checks_put_back,
        ),
    ]
}

fn is_whole(ring: &Lab) {
    let links = ring.links();
    assert!(links.iter().all(|link| link["state"] == "up"), "{links:?}");
    assert_eq!(ring.plan(), Vec::<Value>::new());
}

/// How many cases a report has, and those that failed and erred.
fn report(ring: &Lab) -> (String, [String; 3]) {
    let text = std::fs::read_to_string(ring.folder().join("report.xml")).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let suite = document.root_element().first_element_child().unwrap();
    let numbers = ["tests", "failures", "errors"];
    let numbers = numbers.map(|name| suite.attribute(name).unwrap().to_owned());
    (text, numbers)
}

fn test(ring: &Lab, more: &[&str]) -> Ran {
    let junit = ring.folder().join("report.xml");
    let junit = junit.to_str().unwrap();
    ring.run(
        "test",
        &[&["--wait", "180s", "--junit", junit], more].concat(),
    )
}

fn checks_of_the_example_hold(ring: &Lab) {
    let ran = test(ring, &[]).expect_success();
    for check in ["wiring", "ospf", "reachable", "failover"] {
        let line = ran.stdout.lines().find(|line| line.starts_with(check));
        assert!(
            line.is_some_and(|line| line.contains("pass")),
            "{}",
            ran.told()
        );
    }
    let (text, numbers) = report(ring);
    assert_eq!(numbers, ["4", "0", "0"], "{text}");
    assert!(text.contains("cut r1:eth1--r2:eth2"), "{text}");
    assert!(text.contains("r1 → r2: r4, r3, r2"), "{text}");
    is_whole(ring);
}

fn reasons_are_told(ring: &Lab) {
    ring.write(&format!("{RING}{MIXED}"));
    // Other checks are nothing that `up` would have to do.
    assert_eq!(ring.plan(), Vec::<Value>::new());
    let junit = ring.folder().join("report.xml");
    let ran = ring.run("test", &["--json", "--junit", junit.to_str().unwrap()]);
    let ran = ran.expect_code(DOES_NOT_HOLD);
    let document: Value = serde_json::from_str(&ran.stdout).unwrap();
    let seen: BTreeMap<&str, (&str, &str)> = document["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| {
            let field = |name: &str| check[name].as_str().unwrap();
            (field("check"), (field("result"), field("seen")))
        })
        .collect();
    for (check, told) in [
        ("too-large", "message too long, mtu=1500"),
        ("nobody", "r1 → 10.255.99.99: 0 of 1 came back"),
        ("somebody", "expected to fail, yet: r1 → r2:eth2: 1 of 1"),
        ("far", "ospf of r1: r3 missing, there is"),
        ("down", "r1:eth1--r2:eth2 is up"),
        ("alone", "step 4, ping r1 → r3: r1 → r3: 0 of 1 came back"),
    ] {
        let (result, reason) = seen[check];
        assert_eq!(result, "fail", "{check}: {reason}");
        assert!(reason.contains(told), "{check}: {reason}");
    }
    let passed: Vec<&str> = seen
        .iter()
        .filter(|(_, (result, _))| *result == "pass")
        .map(|(check, _)| *check)
        .collect();
    let expected = [
        "mtu",
        "no-telnet",
        "no-tftp-frames",
        "ospf-frames",
        "quiet",
        "router-id",
        "ssh",
        "version",
    ];
    assert_eq!(passed, expected, "{seen:#?}");
    let (text, numbers) = report(ring);
    assert_eq!(numbers, ["14", "6", "0"], "{text}");
    is_whole(ring);
}

fn interrupted_checks_put_back(ring: &Lab) {
    ring.write(&format!(
        "{RING}checks: {{x: {{steps: [{{cut: r1:eth1}}, {{impair: {{link: r3:eth1, delay: 50ms}}}}, {{pause: 600s}}, {{link: {{name: r1:eth1}}}}]}}}}\n"
    ));
    let mut command = ring
        .program()
        .command(&["test", ring.folder().to_str().unwrap()]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let running = command.spawn().unwrap();
    until("a link is cut and another impaired", PATIENCE, || {
        let links = ring.links();
        let is_cut = links.iter().any(|link| link["state"] == "down");
        let is_impaired = !ring.plan().iter().all(|step| step["action"] != "impair");
        match is_cut && is_impaired {
            true => Ok(()),
            false => Err(format!("{links:?}")),
        }
    });
    let pid = Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(INTERRUPTED), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    is_whole(ring);
}
