//! What a frame costs: CPU with full batches, and frames a second.

use crate::relay::{Role, order};
use crate::report::{Report, median, quantile};
use crate::stage::{Nodes, Process, Tunnel};
use crate::{Effort, Error};
use vnflab_impairment::Impairment;
use vnflab_wire::Config;
use vnflab_wire::sys::Clock;

/// Frames that lie ready when the relay goes on: a full batch.
pub(crate) const QUEUED: usize = 64;

/// Frames in flight when as many as possible are sent. A plain socket has room for them.
const WINDOW: usize = 64;

/// A relay between two nodes.
pub(crate) struct Stand {
    pub role: Role,
    pub process: Process,
    pub nodes: Nodes,
}

impl Stand {
    pub(crate) fn new(role: Role, change: impl FnOnce(&mut Config)) -> Result<Self, Error> {
        let (a, b) = (Tunnel::new()?, Tunnel::new()?);
        let process = match role {
            Role::Wire => {
                let ends = [(a.relay, a.node), (b.relay, b.node)];
                let mut config = Config::relay(ends, &Impairment::default());
                change(&mut config);
                Process::wire(&config)?
            }
            _ => Process::start(role, &order(a, b))?,
        };
        let mut nodes = Nodes::new(a, b)?;
        nodes.send(&[0; 60], 1);
        nodes.receive_all(1, 100_000_000);
        Ok(Self {
            role,
            process,
            nodes,
        })
    }

    /// CPU of one full batch, in nanoseconds a frame; `None` if frames were lost.
    fn batch_ns(&mut self, frame: &[u8]) -> Result<Option<f64>, Error> {
        let Self { process, nodes, .. } = self;
        nodes.receive(|_, _| {});
        let mut before = 0;
        process.held(|| {
            let sent = nodes.send(frame, QUEUED);
            before = process.cpu_ns();
            sent
        })?;
        let received = nodes.receive_all(QUEUED, 20_000_000);
        std::thread::sleep(std::time::Duration::from_micros(300));
        let used = process.cpu_ns() - before;
        Ok((received == QUEUED).then(|| used as f64 / QUEUED as f64))
    }

    /// As many frames as possible for a while: frames a second, and CPU a frame in nanoseconds.
    pub(crate) fn flood(&mut self, frame: &[u8], window: usize, seconds: f64) -> (f64, f64) {
        let mut begin = (Clock::now(), self.process.cpu_ns());
        let (mut in_flight, mut total, mut last) = (0, 0_usize, begin.0);
        // A burst of all at once would find no room in the sockets: more and more, before the
        // time begins to count.
        let mut allowed = window.min(WINDOW);
        loop {
            if in_flight < allowed {
                in_flight += self.nodes.send(frame, (allowed - in_flight).min(32));
            }
            let now = Clock::now();
            match self.nodes.receive(|_, _| {}) {
                0 if now - last > 100_000_000 => (in_flight, last) = (0, now),
                0 => {}
                some => {
                    total += some;
                    in_flight = in_flight.saturating_sub(some);
                    last = now;
                    if allowed < window {
                        allowed = window.min(allowed + some.div_ceil(2));
                        begin = (now, self.process.cpu_ns());
                        total = 0;
                    }
                }
            }
            if now as f64 > begin.0 as f64 + seconds * 1e9 {
                break;
            }
        }
        let seconds = (Clock::now() - begin.0) as f64 / 1e9;
        let cpu = self.process.cpu_ns() - begin.1;
        self.nodes.receive_all(in_flight, 50_000_000);
        (total as f64 / seconds, cpu as f64 / total as f64)
    }
}

pub(crate) fn measure(effort: Effort, report: &mut Report) -> Result<(), Error> {
    let mut stands = Vec::new();
    for role in Role::ALL {
        stands.push(Stand::new(role, |_| {})?);
    }
    for bytes in [64, 1500] {
        let frame = vec![0; bytes];
        let mut costs = vec![Vec::new(); stands.len()];
        for _ in 0..effort.of(200) {
            for (stand, costs) in stands.iter_mut().zip(&mut costs) {
                costs.extend(stand.batch_ns(&frame)?);
            }
        }
        // Neighbours only add, so the quiet rounds say what the relay itself needs.
        for (part, rounds) in [(0.5, "median"), (0.1, "quiet rounds")] {
            let at = |costs: &mut Vec<f64>| quantile(costs, part).unwrap_or(f64::NAN);
            let base = at(&mut costs[0]);
            for (stand, costs) in stands.iter().zip(&mut costs) {
                let name = stand.role.name();
                let what = format!("CPU a frame of {bytes} B, full batches, {name}, {rounds}");
                report.beside(what, at(costs), "ns", base);
            }
        }
    }
    for bytes in [64, 1500] {
        let frame = vec![0; bytes];
        let mut rates = vec![Vec::new(); stands.len()];
        for _ in 0..effort.of(8) {
            for (stand, rates) in stands.iter_mut().zip(&mut rates) {
                rates.push(stand.flood(&frame, WINDOW, 0.2).0);
            }
        }
        let base = median(&mut rates[0]);
        for (stand, rates) in stands.iter().zip(&mut rates) {
            let what = format!("frames of {bytes} B a second, {}", stand.role.name());
            report.beside(what, median(rates), "/s", base);
        }
    }
    Ok(())
}
