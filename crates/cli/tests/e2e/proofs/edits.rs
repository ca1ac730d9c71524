//! What happens to a running lab when its file changes: only what differs is touched.

use crate::harness::guest;
use crate::harness::lab::Lab;
use crate::harness::stage::Stage;
use crate::harness::wait::at_once;
use crate::harness::witness;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::sync::Arc;

/// They play on the first of two labs of one shape, once the second is gone.
pub(super) fn trials(twins: &Arc<Stage<[Lab; 2]>>) -> Vec<Trial> {
    let trial = |name: &str, proof: fn(&Lab)| twins.trial(name, move |[lab, _]| proof(lab));
    vec![
        trial("two_routers_converge", converges),
        trial(
            "edit_of_a_node_makes_that_node_anew_and_no_other",
            edit_touches_one,
        ),
        trial(
            "node_that_is_replaced_has_a_new_disk_and_no_other_is_touched",
            replaced,
        ),
        trial(
            "new_link_touches_no_vm_but_that_of_the_new_node",
            link_touches_no_vm,
        ),
        trial(
            "up_of_one_node_leaves_other_edits_for_later",
            up_of_one_node,
        ),
        trial(
            "node_that_left_the_file_is_removed_with_its_disks",
            node_is_removed,
        ),
        trial(
            "lab_of_the_same_name_from_another_file_is_refused",
            other_file_is_refused,
        ),
        trial("disks_are_kept_and_used_again", disks_are_kept),
    ]
}

/// The lab as it begins: the example with small routers.
const PAIR: &str = "\
defaults: {kind: frr, memory: 160}
nodes: {r1: , r2: }
links:
  - r1:eth1 -- r2:eth1
";

/// The lab with another memory for `r2`.
const EDITED: &str = "\
defaults: {kind: frr, memory: 160}
nodes: {r1: , r2: {memory: 150}}
links:
  - r1:eth1 -- r2:eth1
";

/// The edited lab with a third router behind `r2`.
const CHAIN: &str = "\
defaults: {kind: frr, memory: 160}
nodes: {r1: , r2: {memory: 150}, r3: }
links:
  - r1:eth1 -- r2:eth1
  - r2:eth2 -- r3:eth1
";

/// The chain with another memory for `r3`.
const CHAIN_OF_LESS: &str = "\
defaults: {kind: frr, memory: 160}
nodes: {r1: , r2: {memory: 150}, r3: {memory: 128}}
links:
  - r1:eth1 -- r2:eth1
  - r2:eth2 -- r3:eth1
";

/// That chain with another memory for `r1`, too.
const EDITED_CHAIN: &str = "\
defaults: {kind: frr, memory: 160}
nodes: {r1: {memory: 200}, r2: {memory: 150}, r3: {memory: 128}}
links:
  - r1:eth1 -- r2:eth1
  - r2:eth2 -- r3:eth1
";

/// Brings the lab to where a proof begins. Mostly it is there already.
fn given(lab: &Lab, text: &str) {
    lab.write(text);
    lab.up();
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

/// The boot that a guest lives in.
fn boot_of(lab: &Lab, node: &str) -> String {
    guest::ask(lab, node, "cat /proc/sys/kernel/random/boot_id")
}

/// Leaves something on a guest's disk.
fn leave_note(lab: &Lab, node: &str) {
    guest::ask(lab, node, "echo kept >/root/note && sync");
}

fn edit_touches_one(lab: &Lab) {
    given(lab, PAIR);
    let boot_before = boot_of(lab, "r1");
    leave_note(lab, "r2");
    lab.write(EDITED);
    assert_eq!(planned(lab), BTreeSet::from(["r2".to_owned()]));
    up_touches(lab, &[], &["r2"]);
    let memory = witness::virsh(&["dominfo", &lab.domain("r2")]);
    assert!(memory.contains("153600 KiB"), "{memory}");
    // The other end had no carrier while the node was off, and has it back.
    assert!(lab.plan().is_empty(), "{:?}", lab.plan());
    // What was made anew finds its place in the lab again.
    lab.up_and_wait(&[]);
    converges(lab);
    assert_eq!(boot_of(lab, "r1"), boot_before);
    assert_eq!(guest::ask(lab, "r2", "cat /root/note"), "kept\n");
}

fn replaced(lab: &Lab) {
    given(lab, EDITED);
    let boot_before = boot_of(lab, "r1");
    leave_note(lab, "r2");
    up_touches(lab, &["--replace", "r2"], &["r2"]);
    assert!(lab.plan().is_empty(), "{:?}", lab.plan());
    lab.up_and_wait(&[]);
    guest::ask(lab, "r2", "test ! -e /root/note");
    assert_eq!(boot_of(lab, "r1"), boot_before);
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
    given(lab, CHAIN_OF_LESS);
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
    leave_note(lab, "r1");
    let down = lab.run("down", &[]).expect_success();
    down.expect_said("2 disks").expect_said("--purge");
    let disk = |node| format!("volume vnflab1.{}.{node}.disk.qcow2", lab.name());
    let disks = BTreeSet::from([disk("r1"), disk("r2")]);
    assert_eq!(witness::traces_of(lab.name()), disks);
    let makes_disk = |step: &serde_json::Value| step["action"].as_str().unwrap().contains("disk");
    assert!(!lab.plan().iter().any(makes_disk), "{:?}", lab.plan());
    up_touches(lab, &["r1"], &["r1"]);
    lab.up_and_wait(&["r1"]);
    assert_eq!(guest::ask(lab, "r1", "cat /root/note"), "kept\n");
    lab.down_without_a_trace();
}
