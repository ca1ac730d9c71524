//! Reading, resolving, checking, allocating and planning large labs in this process: time, and
//! the most memory that it took.
//!
//! The most memory that a process held never goes down again, so each size has a process of its
//! own: this program once more, with the size as its argument.

use crate::measure::{Error, Times, timed};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::time::Duration;
use vnflab_model::allocate::{Request, allocate};
use vnflab_model::blueprint::Accelerator;
use vnflab_model::check::check;
use vnflab_model::facts::{DiskFormat, Facts, ImageDetails, ImageFact, ImageKey};
use vnflab_model::format::Input;
use vnflab_model::kind::Catalogue;
use vnflab_model::observed::{Host, Locality, Observed, Scope};
use vnflab_model::plan::plan_up;
use vnflab_model::resolve::{Resolved, read};
use vnflab_model::span::Sources;

/// Numbers of nodes; there are twice as many links.
pub(crate) const SIZES: [usize; 4] = [10, 100, 1000, 10_000];

/// The argument that makes this program measure one size.
pub(crate) const ARGUMENT: &str = "--pipeline";

/// Each size is done this often; the median counts.
const ROUNDS: usize = 11;

/// What one size takes.
pub(crate) struct Measured {
    /// All of it, from text to plan.
    pub(crate) total: Times,
    /// Of that, reading, resolving and checking: the median.
    pub(crate) check: Duration,
    /// Time on the CPU of all of it, the median: without the time in which others had the CPU.
    /// The kernel counts it by its tick of some milliseconds.
    pub(crate) on_cpu: Duration,
    /// What it added to the most memory that the process held, in KiB.
    pub(crate) added_kib: u64,
}

/// Measures a size in a process of its own.
pub(crate) fn measure(nodes: usize) -> Result<Measured, Error> {
    let output = Command::new(std::env::current_exe()?)
        .args([ARGUMENT, &nodes.to_string()])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    let numbers: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
    match numbers?[..] {
        [median, best, check, on_cpu, added_kib] => Ok(Measured {
            total: Times {
                median: Duration::from_nanos(median),
                best: Duration::from_nanos(best),
            },
            check: Duration::from_nanos(check),
            on_cpu: Duration::from_nanos(on_cpu),
            added_kib,
        }),
        _ => Err(String::from_utf8_lossy(&output.stderr).into()),
    }
}

/// What that process prints: nanoseconds of the whole (median and best), of its first half and
/// on the CPU, and KiB.
pub(crate) fn measure_here(nodes: usize) -> Result<String, Error> {
    let catalogue = Catalogue::embedded();
    let text = lab_file(nodes)?;
    let before = peak_kib();
    let first = once(&text, &catalogue)?;
    let added_kib = peak_kib().saturating_sub(before);
    let mut rounds = vec![first];
    for _ in 1..ROUNDS {
        rounds.push(once(&text, &catalogue)?);
    }
    let times_of = |of: fn(&Round) -> Duration| Times::of(rounds.iter().map(of).collect());
    let total = times_of(|round| round.check + round.plan);
    Ok(format!(
        "{} {} {} {} {added_kib}",
        total.median.as_nanos(),
        total.best.as_nanos(),
        times_of(|round| round.check).median.as_nanos(),
        times_of(|round| round.on_cpu).median.as_nanos(),
    ))
}

/// A lab in which every node has two neighbours on a ring and two further away.
pub(crate) fn lab_file(nodes: usize) -> Result<String, Error> {
    let mut text = "name: large\ndefaults: {kind: frr, memory: 256}\nnodes:\n".to_owned();
    for node in 0..nodes {
        writeln!(text, "  node{node}: {{cpu: 1, hostname: router{node}}}")?;
    }
    writeln!(text, "links:")?;
    for node in 0..nodes {
        let (next, far) = ((node + 1) % nodes, (node + nodes / 2 + 1) % nodes);
        writeln!(text, "  - node{node}:eth1 -- node{next}:eth2")?;
        writeln!(
            text,
            "  - {{endpoints: [\"node{node}:eth3\", \"node{far}:eth4\"], mtu: 1500}}"
        )?;
    }
    Ok(text)
}

/// The times of one round.
struct Round {
    check: Duration,
    plan: Duration,
    on_cpu: Duration,
}

/// Once from text to plan.
fn once(text: &str, catalogue: &Catalogue) -> Result<Round, Error> {
    let facts = facts();
    let cpu_before = time_on_cpu();
    let (check_time, lab) = timed(|| {
        let mut sources = Sources::default();
        let source = sources.add("lab.yaml", text);
        let input = Input::of_file(source, "lab.yaml", "lab");
        let Resolved { lab, mut found, .. } = read(&sources, &input, catalogue);
        let lab = lab.ok_or("the lab cannot be read")?;
        found.extend(check(&lab, &facts));
        match found.is_empty() {
            true => Ok(lab),
            false => Err(format!("the lab has mistakes: {found:?}").into()),
        }
    })?;
    let observed = Observed::default();
    let host = host();
    let (plan_time, plan) = timed(|| {
        let request = Request {
            lab: &lab,
            source: "/lab.yaml",
            host: &host,
            observed: &observed,
            facts: &facts,
            authorized_keys: &[],
        };
        let blueprint = allocate(request).map_err(|errors| format!("{errors:?}"))?;
        let plan = plan_up(&blueprint, &observed, None).map_err(|errors| format!("{errors:?}"))?;
        Ok((blueprint, plan))
    })?;
    let on_cpu = time_on_cpu().saturating_sub(cpu_before);
    drop(plan);
    Ok(Round {
        check: check_time,
        plan: plan_time,
        on_cpu,
    })
}

fn facts() -> Facts {
    let image = ImageDetails {
        path: "/images/frr.qcow2".to_owned(),
        format: DiskFormat::Qcow2,
        named_format: Some(DiskFormat::Qcow2),
        virtual_size_bytes: 1 << 30,
        backing: None,
    };
    Facts {
        images: [(
            ImageKey::Stored("frr".to_owned()),
            ImageFact::Present(image),
        )]
        .into(),
        ..Facts::default()
    }
}

/// A host without limits, on which nothing exists.
fn host() -> Host {
    Host {
        uri: "qemu:///system".to_owned(),
        scope: Scope::System,
        locality: Locality::Local,
        accelerator: Accelerator::Tcg,
        accelerator_reason: String::new(),
        memory_mib: u64::MAX,
        cpus: u32::MAX,
        volume_folder: "/volumes".to_owned(),
        console_folder: "/consoles".to_owned(),
        bridges: BTreeSet::new(),
        no_cpu_limits: None,
        subnets: Vec::new(),
    }
}

/// How long this thread was on a CPU so far: the first number of the kernel's `schedstat`.
fn time_on_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

/// The most memory that this process has held, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
