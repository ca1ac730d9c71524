//! What happens to a running lab when its file changes: only what differs is touched.

use crate::harness::guest;
use crate::harness::host::Host;
use crate::harness::lab::Lab;
use crate::harness::stage::Stage;
use crate::harness::verdict::CannotRun;
use crate::harness::wait::at_once;
use crate::harness::witness;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn stage(host: &Arc<Host>) -> Arc<Stage<Lab>> {
    let host = Arc::clone(host);
    Stage::new("pair", move || boot(&host))
}

pub(super) fn trials(pair: &Arc<Stage<Lab>>) -> Vec<Trial> {
    vec![
        pair.trial("two_routers_converge", converges),
        pair.trial(
            "edit_of_a_node_makes_that_node_anew_and_no_other",
            edit_touches_one,
        ),
        pair.trial(
            "new_link_touches_no_vm_but_that_of_the_new_node",
            link_touches_no_vm,
        ),
        pair.trial(
            "up_of_one_node_leaves_other_edits_for_later",
            up_of_one_node,
        ),
        pair.trial(
            "node_that_left_the_file_is_removed_with_its_disks",
            node_is_removed,
        ),
        pair.trial(
            "lab_of_the_same_name_from_another_file_is_refused",
            other_file_is_refused,
        ),
        pair.trial("disks_are_kept_and_used_again", disks_are_kept),
    ]
}

/// The lab as it begins.
const PAIR: &str = "\
nodes:
  r1: {kind: frr}
  r2: {kind: frr}
links:
  - r1:eth1 -- r2:eth1
";

/// The lab with another memory for `r2`.
const EDITED: &str = "\
nodes:
  r1: {kind: frr}
  r2: {kind: frr, memory: 300}
links:
  - r1:eth1 -- r2:eth1
";

/// The edited lab with a third router behind `r2`.
const CHAIN: &str = "\
nodes:
  r1: {kind: frr}
  r2: {kind: frr, memory: 300}
  r3: {kind: frr}
links:
  - r1:eth1 -- r2:eth1
  - r2:eth2 -- r3:eth1
";

/// The chain with another memory for `r1` and `r3`.
const EDITED_CHAIN: &str = "\
nodes:
  r1: {kind: frr, memory: 200}
  r2: {kind: frr, memory: 300}
  r3: {kind: frr, memory: 200}
links:
  - r1:eth1 -- r2:eth1
  - r2:eth2 -- r3:eth1
";

/// Brings the lab to where a proof begins. Mostly it is there already.
fn given(lab: &Lab, text: &str) {
    lab.write(text);
    lab.up();
}

fn boot(host: &Host) -> Result<Lab, CannotRun> {
    host.with_system()?;
    let lab = Lab::example("pair", "two-routers");
    lab.up_and_wait(&[]);
    Ok(lab)
}

fn converges(lab: &Lab) {
    let nodes = ["r1", "r2"];
    let loopbacks = at_once(&nodes, |node| guest::loopback(lab, node));
    guest::all_ping_all(lab, &nodes, &loopbacks);
}

/// The nodes that a plan has steps for.
fn planned(lab: &Lab) -> BTreeSet<String> {
    let steps = lab.plan();
    let nodes = steps.iter().filter_map(|step| step["node"].as_str());
    nodes.map(str::to_owned).collect()
}

/// Runs `up` with these arguments and panics unless exactly the VMs of these nodes are others
/// than before, or gone, or new.
#[track_caller]
fn up_touches(lab: &Lab, arguments: &[&str], nodes: &[&str]) {
    let before = lab.processes();
    lab.run("up", arguments).expect_success();
    let after = lab.processes();
    let all: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let touched = all
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    let expected: BTreeSet<String> = nodes.iter().map(|node| lab.domain(node)).collect();
    assert_eq!(touched.cloned().collect::<BTreeSet<_>>(), expected);
}

fn edit_touches_one(lab: &Lab) {
    given(lab, PAIR);
    let boot = |node| guest::ask(lab, node, "cat /proc/sys/kernel/random/boot_id");
    let boot_before = boot("r1");
    lab.write(EDITED);
    assert_eq!(planned(lab), BTreeSet::from(["r2".to_owned()]));
    up_touches(lab, &[], &["r2"]);
    let memory = witness::virsh(&["dominfo", &lab.domain("r2")]);
    assert!(memory.contains("307200 KiB"), "{memory}");
    // The other end had no carrier while the node was off, and has it back.
    assert!(lab.plan().is_empty(), "{:?}", lab.plan());
    // What was made anew finds its place in the lab again.
    lab.up_and_wait(&[]);
    converges(lab);
    assert_eq!(boot("r1"), boot_before);
}

fn link_touches_no_vm(lab: &Lab) {
    given(lab, EDITED);
    lab.write(CHAIN);
    // The old end gets a carrier, nothing more.
    let expected = ["r2".to_owned(), "r3".to_owned()];
    assert_eq!(planned(lab), BTreeSet::from(expected));
    up_touches(lab, &[], &["r3"]);
    assert!(lab.plan().is_empty(), "{:?}", lab.plan());
}

fn up_of_one_node(lab: &Lab) {
    given(lab, CHAIN);
    lab.write(EDITED_CHAIN);
    up_touches(lab, &["r3"], &["r3"]);
    assert_eq!(planned(lab), BTreeSet::from(["r1".to_owned()]));
}

fn node_is_removed(lab: &Lab) {
    given(lab, CHAIN);
    let of_r3 = format!("vnflab1.{}.r3.", lab.name());
    let left = || -> Vec<String> {
        let volumes = witness::volumes("vnflab").into_iter();
        volumes.filter(|name| name.starts_with(&of_r3)).collect()
    };
    assert_eq!(left().len(), 2, "a disk and a day-0 medium: {:?}", left());
    lab.write(EDITED);
    up_touches(lab, &[], &["r3"]);
    assert!(!witness::domains().contains(&lab.domain("r3")));
    assert_eq!(left(), Vec::<String>::new());
}

fn other_file_is_refused(lab: &Lab) {
    given(lab, EDITED);
    let before = lab.processes();
    let other = lab.folder().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::copy(lab.folder().join("lab.yaml"), other.join("lab.yaml")).unwrap();
    let program = crate::harness::program::Program::new();
    let up = program.run(&["up", other.to_str().unwrap()]);
    up.expect_code(3).expect_said("L0307");
    // Nor does `down` there take down what was made from here.
    let down = program.run(&["down", other.to_str().unwrap()]);
    down.expect_code(1).expect_said("not from here");
    assert_eq!(lab.processes(), before);
}

fn disks_are_kept(lab: &Lab) {
    given(lab, EDITED);
    let down = lab.run("down", &[]).expect_success();
    down.expect_said("2 disks").expect_said("--purge");
    let disk = |node| format!("volume vnflab1.{}.{node}.disk.qcow2", lab.name());
    let disks = BTreeSet::from([disk("r1"), disk("r2")]);
    assert_eq!(witness::traces_of(lab.name()), disks);
    let makes_disk = |step: &serde_json::Value| step["action"].as_str().unwrap().contains("disk");
    assert!(!lab.plan().iter().any(makes_disk), "{:?}", lab.plan());
    up_touches(lab, &[], &["r1", "r2"]);
    lab.down_without_a_trace();
}
