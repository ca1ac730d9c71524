//! Configurations that were saved: new disks boot with them.

use crate::harness::guest;
use crate::harness::lab::Lab;
use crate::harness::stage::Stage;
use crate::harness::wait::{BOOT_PATIENCE, at_once, until};
use libtest_mimic::Trial;
use std::fs;
use std::sync::Arc;

/// The two routers of the stage, with what was saved of them.
const WITH_SAVED: &str = "\
nodes:
  r1: {kind: frr, startup-config: configs/r1.cfg}
  no: {kind: frr, startup-config: configs/no.cfg}
links:
  - r1:eth1 -- no:eth1
";

const NODES: [&str; 2] = ["r1", "no"];

pub(super) fn trials(two: &Arc<Stage<Lab>>) -> Vec<Trial> {
    let name = "configurations_that_were_saved_boot_again_on_new_disks";
    vec![two.trial(name, boot_again)]
}

/// The addresses of a router's link.
fn addresses(lab: &Lab, node: &str) -> String {
    let text = guest::ask(lab, node, "ip -4 -brief address show eth1");
    assert!(text.contains('/'), "{node}: {text}");
    text
}

fn boot_again(lab: &Lab) {
    let before = at_once(&NODES, |node| {
        let describe = format!(
            "vtysh -c 'configure terminal' -c 'interface eth1' -c 'description by hand on {node}' \
             && echo kept >/root/note && sync"
        );
        guest::ask(lab, node, &describe);
        addresses(lab, node)
    });
    lab.run("save", &[]).expect_success();
    for node in NODES {
        let path = lab.folder().join(format!("configs/{node}.cfg"));
        let saved = fs::read_to_string(path).unwrap();
        let line = format!(" description by hand on {node}\n");
        assert!(saved.contains(&line), "{saved}");
    }
    lab.down_without_a_trace();

    lab.write(WITH_SAVED);
    lab.up_and_wait(&[]);
    let after = at_once(&NODES, |node| {
        let running = guest::ask(lab, node, "vtysh -c 'show running-config'");
        let line = format!(" description by hand on {node}\n");
        assert!(running.contains(&line), "{running}");
        // Nothing of it was on the disk that was there before.
        guest::ask(lab, node, "test ! -e /root/note");
        addresses(lab, node)
    });
    assert_eq!(after, before);
    until("the routers are neighbours again", BOOT_PATIENCE, || {
        let found = at_once(&NODES, |node| guest::ospf_neighbours(lab, node));
        let all = found.iter().all(|found| found.contains_key("eth1"));
        all.then_some(()).ok_or_else(|| format!("{found:?}"))
    });
    lab.down_without_a_trace();
}
