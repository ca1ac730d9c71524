//! How long reading, resolving and checking take, for labs of 10 to 10,000 nodes with twice as
//! many links, and how much memory: both per node, so that what is not linear shows.
//!
//! `cargo run --release -p vnflab-model --example read_speed`

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};
use vnflab_model::check::check;
use vnflab_model::facts::Facts;
use vnflab_model::format::{Input, InputFile};
use vnflab_model::kind::Catalogue;
use vnflab_model::resolve::read;
use vnflab_model::span::Sources;

/// Each size is read this often; the median counts.
const ROUNDS: usize = 11;

/// A lab in which every node has two neighbours on a ring and two further away.
fn lab_file(nodes: usize) -> String {
    let mut text = "name: large\ndefaults: {kind: frr, memory: 256}\nnodes:\n".to_owned();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes it");
    for node in 0..nodes {
        line(format!("  node{node}: {{cpu: 1, hostname: router{node}}}"));
    }
    line("links:".to_owned());
    for node in 0..nodes {
        let (next, far) = ((node + 1) % nodes, (node + nodes / 2 + 1) % nodes);
        line(format!("  - node{node}:eth1 -- node{next}:eth2"));
        line(format!(
            "  - {{endpoints: [\"node{node}:eth3\", \"node{far}:eth4\"], mtu: 1500}}"
        ));
    }
    text
}

/// The most memory that this process has held, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

fn once(text: &str, catalogue: &Catalogue) -> Duration {
    let start = Instant::now();
    let mut sources = Sources::default();
    let source = sources.add("lab.yaml", text);
    let input = Input {
        files: vec![InputFile {
            source,
            path: "lab.yaml".to_owned(),
        }],
        ..Input::default()
    };
    let (lab, found) = read(&sources, &input, catalogue);
    assert!(found.is_empty(), "{found:?}");
    let lab = lab.expect("there were no mistakes");
    assert!(check(&lab, &Facts::default()).is_empty());
    start.elapsed()
}

fn main() {
    let catalogue = Catalogue::embedded();
    println!(
        "{:>8} {:>12} {:>14} {:>14}",
        "nodes", "median", "ns per node", "peak KiB"
    );
    for nodes in [10, 100, 1000, 10_000] {
        let text = lab_file(nodes);
        let mut times: Vec<Duration> = (0..ROUNDS).map(|_| once(&text, &catalogue)).collect();
        times.sort();
        let median = times[ROUNDS / 2];
        let per_node = median.as_nanos() / nodes as u128;
        let shown = format!("{:.2} ms", median.as_secs_f64() * 1000.0);
        println!("{nodes:>8} {shown:>12} {per_node:>14} {:>14}", peak_kib());
    }
}
