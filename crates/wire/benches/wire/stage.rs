//! Where everything happens: CPUs, the two nodes of a link, and the process between them.

use crate::Error;
use crate::relay::Role;
use rustix::process::{Pid, Signal, kill_process, setpriority_process};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;
use vnflab_wire::Config;
use vnflab_wire::EndConfig;
use vnflab_wire::sys::{Arena, Clock, Messages, Port, Stamp, Stamping, UdpPort};

/// Where the tester runs.
pub(crate) const TESTER_CPU: usize = 0;

/// Where relays run.
pub(crate) const RELAY_CPU: usize = 1;

/// Where the kernel shows and takes the priority of a session.
const SESSION: &str = "/proc/self/autogroup";

/// Takes a CPU for this process and asks for priority, for itself and for its session: the kernel
/// shares CPUs out by sessions first (`sched_autogroup`). Who may not have it does without.
pub(crate) fn be_undisturbed(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    let _ = sched_setaffinity(None, &set);
    let _ = setpriority_process(None, -20);
    set_session_priority("-20");
}

/// The priority of the session that this process belongs to, as the kernel shows it.
pub(crate) fn session_priority() -> String {
    let text = std::fs::read_to_string(SESSION).unwrap_or_default();
    let nice = text.rsplit(' ').next().unwrap_or_default();
    nice.trim().to_owned()
}

/// Sets it, where that is allowed.
pub(crate) fn set_session_priority(nice: &str) {
    let _ = std::fs::write(SESSION, nice);
}

/// What kind of machine this is.
pub(crate) fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let count = cpus.matches("processor\t").count();
    let kind = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name\t: "));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let kind = kind.unwrap_or("unknown");
    format!("{count} x {kind}, Linux {}, load {load}", kernel.trim())
}

/// Addresses of a node and of the tunnel's end at the relay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tunnel {
    pub node: SocketAddr,
    pub relay: SocketAddr,
}

impl Tunnel {
    /// Two ports of the kernel's choice.
    pub(crate) fn new() -> Result<Self, Error> {
        let first = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let second = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self {
            node: first.local_addr()?,
            relay: second.local_addr()?,
        })
    }

    pub(crate) fn end(&self) -> EndConfig {
        EndConfig::Udp {
            local: self.relay,
            remote: self.node,
        }
    }
}

/// The two nodes of a link, as one thread that does not sleep.
pub(crate) struct Nodes {
    sender: Port,
    receiver: Port,
    arena: Arena,
    messages: Messages,
}

impl Nodes {
    pub(crate) fn new(sender: Tunnel, receiver: Tunnel) -> Result<Self, Error> {
        let sender = UdpPort::open(sender.node, sender.relay)?;
        let mut receiver = UdpPort::open(receiver.node, receiver.relay)?;
        receiver.stamp(Stamping::On);
        Ok(Self {
            sender: Port::Udp(sender),
            receiver: Port::Udp(receiver),
            arena: Arena::new(),
            messages: Messages::default(),
        })
    }

    /// Sends copies of a frame, at most so many as the kernel has room for; how many went.
    pub(crate) fn send(&mut self, frame: &[u8], count: usize) -> usize {
        self.sender
            .send(std::iter::repeat_n(frame, count), &mut self.messages)
            .frames as usize
    }

    /// What has come: for each frame, what `look` makes of its bytes and of the time at which the
    /// kernel had it.
    pub(crate) fn receive(&mut self, mut look: impl FnMut(&[u8], Stamp)) -> usize {
        let clock = Clock::read();
        if self.receiver.receive(&mut self.arena, Some(clock)).is_err() {
            return 0;
        }
        for arrival in self.arena.arrivals() {
            let frame = &self.arena.slot(arrival.slot)[..arrival.length];
            look(frame, arrival.stamp.unwrap_or(0));
        }
        self.arena.arrivals().len()
    }

    /// Receives until so many have come or nothing comes for a while; how many came.
    pub(crate) fn receive_all(&mut self, count: usize, patience_ns: u64) -> usize {
        let (mut received, mut last) = (0, Clock::now());
        while received < count {
            let now = Clock::now();
            match self.receive(|_, _| {}) {
                0 if now - last > patience_ns => break,
                0 => {}
                some => {
                    received += some;
                    last = now;
                }
            }
        }
        received
    }
}

/// A relay as a process of its own; it ends with this value.
pub(crate) struct Process {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Process {
    /// Starts it with what it reads first.
    pub(crate) fn start(role: Role, order: &str) -> Result<Self, Error> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(crate::relay::ROLE, role.name())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().ok_or("no stdin")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        let mut process = Self {
            child,
            orders,
            answers,
        };
        process.order(order)?;
        Ok(process)
    }

    /// A wire with a configuration.
    pub(crate) fn wire(config: &Config) -> Result<Self, Error> {
        Self::start(Role::Wire, &serde_json::to_string(config)?)
    }

    /// Gives it another line to follow, and waits until that is done.
    pub(crate) fn order(&mut self, order: &str) -> Result<(), Error> {
        writeln!(self.orders, "{order}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        match answer.trim() {
            "ready" => Ok(()),
            other => Err(format!("the relay says `{other}`").into()),
        }
    }

    /// CPU time of all its threads so far, in nanoseconds.
    pub(crate) fn cpu_ns(&self) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id()));
        let tasks = tasks.into_iter().flatten().flatten();
        let times = tasks.filter_map(|task| {
            let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split(' ').next()?.parse::<u64>().ok()
        });
        times.sum()
    }

    /// Memory that it holds, in bytes.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let figure = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        figure.unwrap_or(0) * 1024
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Lets it stand still while something is done, and gives it a moment to come to rest.
    pub(crate) fn held<T>(&self, meanwhile: impl FnOnce() -> T) -> Result<T, Error> {
        self.signal(Signal::STOP)?;
        std::thread::sleep(Duration::from_micros(300));
        let done = meanwhile();
        self.signal(Signal::CONT)?;
        Ok(done)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
