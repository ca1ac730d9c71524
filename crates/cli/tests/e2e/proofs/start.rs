//! Twenty nodes start: in batches, in the order that the lab file wants, and on from an interrupt.

use crate::harness::host::Host;
use crate::harness::lab::Lab;
use crate::harness::program::Program;
use crate::harness::stage::Stage;
use crate::harness::wait::{BOOT_PATIENCE, PATIENCE, until};
use crate::harness::witness;
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;

const NODES: usize = 20;

/// Nodes that may boot at one time.
const BATCH: usize = 4;

pub(super) fn trials(system: &Arc<Stage<Arc<Host>>>) -> Vec<Trial> {
    vec![system.trial(
        "twenty_nodes_start_in_batches_and_in_order_and_go_on_after_an_interrupt",
        |_| starts_in_batches(),
    )]
}

/// A chain of small routers. The first of the file starts last of all, once its neighbour is up.
fn lab_text() -> String {
    let mut text = format!(
        "start: {{batch: {BATCH}}}\ndefaults: {{kind: frr, memory: 128, interfaces: 2}}\nnodes:\n"
    );
    for node in 1..=NODES {
        let after = match node {
            1 => "{after: {r2: ready, r20: started}}",
            _ => "",
        };
        text += &format!("  r{node}: {after}\n");
    }
    text += "links:\n";
    for node in 1..NODES {
        text += &format!("  - r{node}:eth2 -- r{}:eth1\n", node + 1);
    }
    text
}

fn starts_in_batches() {
    let lab = Lab::native("many", &lab_text());
    let mut watch = Watch::new(&lab);

    // Some of it runs, and much is left to do.
    let mut first = start_up(&lab);
    until("some nodes run", PATIENCE, || {
        let count = watch.look();
        assert!(first.try_wait().unwrap().is_none(), "`up` has ended");
        match count > BATCH {
            true => Ok(()),
            false => Err(format!("{count} run")),
        }
    });
    let pid = Pid::from_raw(i32::try_from(first.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = first.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("goes on from there"), "{said}");
    assert!(lab.processes().len() < NODES, "nothing was interrupted");

    let mut second = start_up(&lab);
    until("`up` has started all", BOOT_PATIENCE, || {
        let count = watch.look();
        let ended = second.try_wait().unwrap();
        ended.map(drop).ok_or_else(|| format!("{count} run"))
    });
    let output = second.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains(": ready after "), "{said}");
    assert_eq!(lab.processes().len(), NODES);
    assert!(lab.plan().is_empty(), "{:?}", lab.plan());

    let most = watch.most;
    assert!(
        (2..=BATCH).contains(&most),
        "{most} nodes booted at one time"
    );
    let order = &watch.started;
    assert_eq!(order.last().map(String::as_str), Some("r1"), "{order:?}");
    assert!(watch.ready_when_r1_started, "r1 did not wait for r2");
    until("the last ones are up", PATIENCE, || match watch.booting() {
        0 => Ok(()),
        left => Err(format!("{left} boot")),
    });
    lab.down_without_a_trace();
}

fn start_up(lab: &Lab) -> Child {
    let mut command = Program::new().command(&["up", lab.folder().to_str().unwrap()]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// What `/proc` and the consoles say while the lab comes up.
struct Watch {
    lab: String,
    consoles: PathBuf,
    /// Nodes in the order in which their VMs appeared.
    started: Vec<String>,
    /// Most nodes that ran at one look without a prompt on their console.
    most: usize,
    ready_when_r1_started: bool,
}

impl Watch {
    fn new(lab: &Lab) -> Self {
        Self {
            lab: lab.name().to_owned(),
            consoles: witness::pool_folder("vnflab-consoles"),
            started: Vec::new(),
            most: 0,
            ready_when_r1_started: false,
        }
    }

    fn is_ready(&self, node: &str) -> bool {
        let log = self.consoles.join(format!("{}.{node}.log", self.lab));
        let said = fs::read(log).unwrap_or_default();
        String::from_utf8_lossy(&said).contains("login:")
    }

    /// Nodes that run without a prompt on their console.
    fn booting(&self) -> usize {
        let nodes = self.started.iter();
        nodes.filter(|node| !self.is_ready(node)).count()
    }

    /// Looks around; how many VMs there are.
    fn look(&mut self) -> usize {
        let prefix = format!("{}.", self.lab);
        for (_, domain) in witness::qemu_processes(&prefix) {
            let node = domain[prefix.len()..].to_owned();
            if !self.started.contains(&node) {
                if node == "r1" {
                    self.ready_when_r1_started = self.is_ready("r2");
                }
                self.started.push(node);
            }
        }
        self.most = self.most.max(self.booting());
        self.started.len()
    }
}
