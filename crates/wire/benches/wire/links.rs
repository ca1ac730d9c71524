//! What many links cost: memory, CPU while nothing happens, and CPU a frame.

use crate::cost::QUEUED;
use crate::report::{Report, median};
use crate::stage::{Nodes, Process, Tunnel};
use crate::{Effort, Error};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use vnflab_wire::{Config, JunctionConfig};

/// Links that frames are sent over.
const BUSY: usize = 16;

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<(), Error> {
    for links in [1, 100, 1000, 10_000] {
        let links = links.min(most_links());
        measure_links(links, effort, report)?;
    }
    Ok(())
}

/// As many as files may be open, some left for all else.
fn most_links() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let files = limit.maximum.unwrap_or(u64::MAX);
    usize::try_from(files / 2)
        .unwrap_or(usize::MAX)
        .saturating_sub(50)
}

/// Addresses for many tunnels: links differ in their address, so that ports do not run out.
fn tunnel(number: usize, side: u16) -> Tunnel {
    let [high, low] = ((number / 100) as u16).to_be_bytes();
    let ip = Ipv4Addr::new(127, 40 + high, low, 1);
    let port = 20_000 + (number % 100) as u16 * 4 + side * 2;
    Tunnel {
        node: SocketAddr::from((ip, port)),
        relay: SocketAddr::from((ip, port + 1)),
    }
}

fn measure_links(links: usize, effort: Effort, report: &mut Report) -> Result<(), Error> {
    let mut config = Config::default();
    for number in 0..links {
        let names = [0, 1].map(|side| format!("r{number}:eth{side}"));
        for (side, name) in (0..).zip(&names) {
            config.ends.insert(name.clone(), tunnel(number, side).end());
        }
        let link = JunctionConfig::link(&names[0], &names[1]);
        config.junctions.insert(names.join("--"), link);
    }
    let mut process = Process::wire(&Config::default())?;
    let before = process.memory_bytes();
    let begin = Instant::now();
    process.order(&serde_json::to_string(&config)?)?;
    let seconds = begin.elapsed().as_secs_f64();
    report.figure(format!("{links} links, seconds to set up"), seconds, "s");
    let memory = (process.memory_bytes() - before) as f64 / links as f64;
    report.figure(
        format!("{links} links, memory a link"),
        memory / 1024.0,
        "KiB",
    );

    let busy: Vec<usize> = (0..links.min(BUSY))
        .map(|at| at * links / links.min(BUSY))
        .collect();
    let nodes = busy
        .iter()
        .map(|at| Nodes::new(tunnel(*at, 0), tunnel(*at, 1)));
    let mut nodes: Vec<Nodes> = nodes.collect::<Result<_, _>>()?;
    let mut costs = Vec::new();
    for _ in 0..effort.of(60) {
        let each = QUEUED / nodes.len();
        let mut before = 0;
        process.held(|| {
            nodes.iter_mut().for_each(|nodes| {
                nodes.send(&[0; 1500], each);
            });
            before = process.cpu_ns();
        })?;
        let received = nodes
            .iter_mut()
            .map(|nodes| nodes.receive_all(each, 20_000_000));
        let received: usize = received.sum();
        std::thread::sleep(Duration::from_micros(300));
        if received == each * nodes.len() {
            costs.push((process.cpu_ns() - before) as f64 / received as f64);
        }
    }
    let each = QUEUED / nodes.len();
    let what = format!(
        "{links} links, CPU a frame of 1500 B, {each} on each of {}",
        nodes.len()
    );
    report.figure(what, median(&mut costs), "ns");
    let memory = (process.memory_bytes() - before) as f64 / links as f64;
    report.figure(
        format!("{links} links, memory a link after that"),
        memory / 1024.0,
        "KiB",
    );

    let seconds = match effort {
        Effort::Whole => 5,
        Effort::Quick => 1,
    };
    let before = process.cpu_ns();
    std::thread::sleep(Duration::from_secs(seconds));
    let idle = (process.cpu_ns() - before) as f64 / (seconds as f64 * 1e9) * 100.0;
    report.figure(
        format!("{links} links, CPU while idle for {seconds} s"),
        idle,
        "%",
    );
    Ok(())
}
