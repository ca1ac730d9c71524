//! What goes on inside VMs, seen over `vnflab ssh` and with the guests' own tools.

use super::lab::Lab;
use super::program::Ran;
use super::wait::{BOOT_PATIENCE, PATIENCE, at_once, until};
use super::witness;
use serde_json::Value;
use std::collections::BTreeMap;

/// Runs a command in a guest, over a connection that is kept for the next one.
pub(crate) fn run(lab: &Lab, node: &str, command: &str) -> Ran {
    let domain = lab.domain(node);
    let mut ssh = lab.program().command(&["ssh", &domain, "--", command]);
    // A VM that is started anew has another process, and is greeted anew.
    let vm = witness::qemu_processes(&domain);
    let vm = vm.into_iter().find(|(_, name)| *name == domain);
    if let (Some((pid, _)), true) = (vm, lab.program().is_of_tester()) {
        let path = std::env::var("PATH").unwrap_or_default();
        let connection = lab.folder().with_file_name(format!("ssh-{pid}"));
        ssh.env("PATH", format!("{KEEPS_CONNECTIONS}:{path}"))
            .env("VNFLAB_TEST_CONNECTION", connection);
    }
    Ran::of(ssh, "")
}

/// The folder with an `ssh` that keeps connections.
const KEEPS_CONNECTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/bin");

/// Exit code of `ssh` when it is `ssh` that failed, not the command.
const NO_CONNECTION: i32 = 255;

/// Runs a command in a guest that has to succeed, and gives what it wrote. A guest's SSH server
/// comes up a moment after its login prompt; it is waited for.
#[track_caller]
pub(crate) fn ask(lab: &Lab, node: &str, command: &str) -> String {
    let ran = until("an SSH connection", PATIENCE, || {
        let ran = run(lab, node, command);
        match ran.code {
            Some(NO_CONNECTION) => Err(ran.told()),
            _ => Ok(ran),
        }
    });
    ran.expect_success().stdout
}

/// The OSPF neighbours in full adjacency: their router identifier and our interface.
pub(crate) fn ospf_neighbours(lab: &Lab, node: &str) -> BTreeMap<String, String> {
    let text = ask(lab, node, "vtysh -c 'show ip ospf neighbor json'");
    let document: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let mut neighbours = BTreeMap::new();
    for (router, entries) in document["neighbors"].as_object().into_iter().flatten() {
        for entry in entries.as_array().into_iter().flatten() {
            let interface = entry["ifaceName"].as_str().unwrap_or_default();
            let interface = interface.split(':').next().unwrap_or_default();
            if entry["converged"] == "Full" {
                neighbours.insert(interface.to_owned(), router.clone());
            }
        }
    }
    neighbours
}

/// The address on a router's loopback that others reach it by.
pub(crate) fn loopback(lab: &Lab, node: &str) -> String {
    let text = ask(lab, node, "ip -4 -oneline address show dev lo scope global");
    let address = text
        .split_whitespace()
        .nth(3)
        .and_then(|word| word.split('/').next());
    address
        .unwrap_or_else(|| panic!("`{node}` has no loopback address: {text}"))
        .to_owned()
}

/// Waits until every node pings every address, and panics with the holes of the table when that
/// does not come.
pub(crate) fn all_ping_all(lab: &Lab, nodes: &[&str], addresses: &[String]) {
    let command = format!(
        "for a in {}; do ping -q -c 1 -W 2 $a >/dev/null || echo $a; done",
        addresses.join(" ")
    );
    let missing = |node: &&str| {
        let ran = run(lab, node, &command);
        match ran.code {
            Some(0) => ran
                .stdout
                .lines()
                .map(|line| format!("{node} to {line}"))
                .collect(),
            _ => vec![ran.told()],
        }
    };
    until("every node pings every address", BOOT_PATIENCE, || {
        let missing = at_once(nodes, missing).concat();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!("no answer: {}", missing.join(", "))),
        }
    });
}
