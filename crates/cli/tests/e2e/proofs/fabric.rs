//! The examples: all are right, and hosts of the leaf-spine fabric talk across it.

use crate::harness::guest;
use crate::harness::host::Host;
use crate::harness::lab::{self, Lab};
use crate::harness::stage::Stage;
use crate::harness::wait::{BOOT_PATIENCE, at_once, until};
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A spine, two leaves and their hosts: half of the fabric, which is what two processors boot in
/// a minute. The other half's links stay without a peer.
const PART: [&str; 5] = ["spine1", "leaf1", "leaf2", "host1", "host2"];

pub(super) fn stage(host: &Arc<Host>) -> Arc<Stage<Lab>> {
    let host = Arc::clone(host);
    Stage::new("fabric", move || {
        host.with_system()?;
        let lab = Lab::example("fabric", "leaf-spine");
        lab.up_and_wait(&PART);
        Ok(lab)
    })
}

pub(super) fn trials(fabric: &Arc<Stage<Lab>>) -> Vec<Trial> {
    vec![
        fabric.trial("up_of_some_nodes_starts_those_alone", part_runs),
        fabric.trial(
            "hosts_of_a_leaf_spine_fabric_ping_each_other_across_it",
            hosts_talk,
        ),
    ]
}

pub(super) fn trials_without_guests(system: &Arc<Stage<Arc<Host>>>) -> Vec<Trial> {
    let name = "every_example_is_right_and_its_plan_makes_each_of_its_nodes";
    vec![system.trial(name, |_| examples_are_right())]
}

fn examples_are_right() {
    let examples = lab::all_examples();
    assert!(examples.len() >= 4, "{examples:?}");
    for example in &examples {
        let lab = Lab::example(&format!("right-{example}"), example)
            .with_arguments(&["--stand-in", "frr"]);
        if lab.folder().join("nodes").is_dir() {
            lab.move_ports_of_the_origin();
        }
        let check = lab.run("check", &["--json"]).json("check");
        let findings = check["diagnostics"].as_array().unwrap();
        let errors: Vec<_> = findings
            .iter()
            .filter(|one| one["severity"] == "error")
            .collect();
        assert!(errors.is_empty(), "{example}: {errors:?}");
        let steps = lab.plan();
        let started = steps.iter().filter(|step| step["action"] == "start-domain");
        let started: BTreeSet<&str> = started.filter_map(|step| step["node"].as_str()).collect();
        let planned: BTreeSet<&str> = steps
            .iter()
            .filter_map(|step| step["node"].as_str())
            .collect();
        assert_eq!(started, planned, "{example}");
        assert!(started.len() >= 2, "{example}: {started:?}");
    }
}

fn part_runs(lab: &Lab) {
    let running: BTreeSet<String> = lab.processes().into_keys().collect();
    assert_eq!(running, PART.iter().map(|node| lab.domain(node)).collect());
}

fn hosts_talk(lab: &Lab) {
    let ways = [("host1", "172.16.2.10"), ("host2", "172.16.1.10")];
    until(
        "hosts ping each other across the fabric",
        BOOT_PATIENCE,
        || {
            let answers = at_once(&ways, |(node, address)| {
                guest::run(lab, node, &format!("ping -q -c 1 -W 2 {address}")).code
            });
            (answers == [Some(0), Some(0)])
                .then_some(())
                .ok_or_else(|| format!("{answers:?}"))
        },
    );
    // Over leaf, spine and leaf: the packet has passed three routers.
    let trace = guest::ask(lab, "host1", "traceroute -n -q 1 -w 3 172.16.2.10");
    assert_eq!(trace.lines().skip(1).count(), 4, "{trace}");
    lab.down_without_a_trace();
}
