//! A node of two VMs: shown, started and stopped as one, with a link of its own between them.

use crate::harness::guest;
use crate::harness::host::Host;
use crate::harness::lab::Lab;
use crate::harness::program::{Program, Ran};
use crate::harness::stage::Stage;
use crate::harness::wait::{PATIENCE, until};
use crate::harness::witness;
use libtest_mimic::Trial;
use std::sync::Arc;

/// The node's interfaces are joined to each other: no third VM has to boot.
const ONE_NODE: &str = "\
nodes:
  r1: {kind: frr-parts, interfaces: 2}
links:
  - r1:eth1 -- r1:eth2
";

pub(super) fn trials(system: &Arc<Stage<Arc<Host>>>) -> Vec<Trial> {
    let name = "a_node_of_two_vms_is_one_node_with_a_link_between_its_vms";
    vec![system.trial(name, |_| two_vms_are_one_node())]
}

fn two_vms_are_one_node() {
    let kinds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/kinds");
    let lab = Lab::native("parts", ONE_NODE).with_arguments(&["--kinds", kinds]);
    lab.up_and_wait(&[]);
    let domains = [lab.domain("r1"), lab.domain("r1.forward")];
    let running = || lab.processes().into_keys().collect::<Vec<_>>();
    assert_eq!(running(), domains);
    assert!(lab.plan().is_empty(), "{:?}", lab.plan());
    let nodes = lab.ps();
    assert_eq!(nodes.len(), 1, "{nodes:?}");
    assert_eq!(
        (&nodes[0]["state"], &nodes[0]["memory-mib"]),
        (&"running".into(), &256.into())
    );
    assert_eq!(nodes[0]["vms"].as_array().map(Vec::len), Some(2));
    assert_eq!(lab.links().len(), 1, "{:?}", lab.links());

    // Each guest hears the other: the neighbour on the control plane's eth1 is the other's NIC.
    let forward = witness::nics(&witness::domain_xml(&domains[1]));
    let internal = &forward[1].mac;
    until(
        "the other VM answers on the internal link",
        PATIENCE,
        || {
            let ping =
                "ip link set eth1 up; ping -6 -c 2 -I eth1 ff02::1; ip -6 neigh show dev eth1";
            let said = guest::ask(&lab, "r1", ping);
            said.contains(internal.as_str()).then_some(()).ok_or(said)
        },
    );

    // A cut of a link is seen by the VM that has the interface.
    let run = |words: &[&str]| -> Ran { Program::new().run(words).expect_success() };
    let is_up = |index: usize| {
        let state = witness::virsh(&["domif-getlink", &domains[1], &forward[index].mac]);
        state.trim_end().ends_with(" up")
    };
    assert!(is_up(2) && is_up(3));
    run(&["link", "down", "r1:eth1--r1:eth2", "--lab", lab.name()]);
    assert!(!is_up(2) && !is_up(3) && is_up(1));
    run(&["link", "up", "r1:eth1--r1:eth2", "--lab", lab.name()]);

    let said = run(&["console", "--log", &format!("{}:forward", domains[0])]);
    assert!(said.stdout.contains("login:"), "{}", said.told());

    run(&["stop", "--hard", &domains[0]]);
    assert!(running().is_empty());
    assert_eq!(lab.ps()[0]["state"], "off");
    run(&["start", &domains[0]]);
    assert_eq!(running(), domains);
    lab.down_without_a_trace();
}
