//! Waiting until nodes are up: until the console of each shows one of its kind's texts. Kinds whose
//! console is silent count as up after some time, or once their SSH port greets.
//!
//! # Theory of operation
//!
//! One loop looks at every node each [`TICK`]: it reads on in the console's log file, which
//! records everything from power-on, so a line is never missed and nobody is kept from the
//! console. A guest that waits for a key (`Press RETURN to get started`) would stay silent for
//! ever; where the log has not grown for [`SILENCE`], Enter is pressed, if the console is free.
//! The SSH port of a kind that says so is looked at every second, by a thread.
//! Each second the caller is asked which domains still run.
//!
//! [`Watch`] holds what is known of one node and decides; it has no clock and does no I/O.
//! Invariant: each node has an outcome at the latest when its time is over.

mod ssh;
mod transcript;

use crate::console::client::Client;
use crate::console::log::{Follower, Piece};
use ssh::{Port, Seen};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use transcript::Transcript;
use vnflab_model::blueprint::NodeBlueprint;

/// Time between two looks: short against the second that a person notices, long against the
/// microseconds that a look takes.
const TICK: Duration = Duration::from_millis(100);

/// Time between two questions which domains still run.
const LIVENESS_INTERVAL: Duration = Duration::from_secs(1);

/// Silence after which Enter is pressed. Guests that boot pause for some seconds; a key pressed
/// into a boot loader's menu does no more than end its countdown.
const SILENCE: Duration = Duration::from_secs(10);

/// How long QEMU may take to accept us for pressing Enter. It is tried again later.
const POKE_LIMIT: Duration = Duration::from_millis(500);

/// Most nodes whose Enter is pressed at one time.
const POKES_LIMIT: usize = 8;

/// Lines shown of a node that did not get there.
const LAST_LINES: usize = 5;

/// Most output of one node that is read in one look, so that a flood from one node does not keep
/// the others waiting: 16 pieces of 64 KiB.
const PIECES_LIMIT: usize = 16;

/// A node that shall become ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Its name; `r1:vfp` where a node is several VMs.
    pub node: String,
    /// Texts of which one shows on the console.
    pub patterns: Vec<String>,
    /// How long it may take from now on.
    pub timeout: Duration,
    /// The console's log file, on this host.
    pub log_path: PathBuf,
    /// The console's address, on this host.
    pub console: SocketAddr,
    /// The time from now on after which it counts as up, whatever it shows.
    pub after: Option<Duration>,
    /// The SSH port that greets when it is up, where that counts.
    pub ssh: Option<SocketAddr>,
}

impl Awaited {
    /// What to wait for with a node.
    pub fn of(blueprint: &NodeBlueprint) -> Self {
        Self {
            node: blueprint.shown_name(),
            patterns: blueprint.ready.patterns.clone(),
            timeout: blueprint.boot_time(),
            log_path: PathBuf::from(&blueprint.console.log_path),
            console: blueprint.console.listen,
            after: blueprint.ready_after(),
            ssh: blueprint
                .access
                .as_ref()
                .map(|access| access.ssh)
                .filter(|_| blueprint.ready.ssh),
        }
    }

    /// The same of a node that has run for this long already.
    #[must_use]
    pub fn up_for(mut self, uptime: Duration) -> Self {
        self.after = self.after.map(|after| after.saturating_sub(uptime));
        self
    }
}

/// How the waiting for one node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its console showed one of the texts, or what else its kind takes for a sign.
    Ready {
        /// Time since the waiting began.
        after: Duration,
    },
    /// It did not.
    NotReady {
        /// Why the waiting ended.
        reason: Reason,
        /// The last lines on its console.
        last_lines: Vec<String>,
    },
}

/// Why the waiting for a node ended without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Its time is over.
    #[error("not ready within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// Its time is over, and on its SSH port is something else.
    #[error("not ready within {} s, and on its SSH port {said}", .timeout.as_secs())]
    NoSsh {
        /// The time that it had.
        timeout: Duration,
        /// What the port does.
        said: String,
    },
    /// Its domain does not run any more.
    #[error("it stopped running")]
    Stopped,
    /// What it says cannot be read.
    #[error("its console log cannot be read: {0}")]
    Unreadable(String),
    /// The caller gave up.
    #[error("interrupted")]
    Cancelled,
}

/// How one learns that a guest is up.
pub trait Readiness: Sync {
    /// Waits for one node. `runs` says whether its VM still does.
    fn await_ready(
        &self,
        awaited: &Awaited,
        runs: &mut dyn FnMut() -> bool,
        cancel: &AtomicBool,
    ) -> Outcome;
}

/// From what it says on its console.
#[derive(Debug, Clone, Copy)]
pub struct Consoles;

impl Readiness for Consoles {
    fn await_ready(
        &self,
        awaited: &Awaited,
        runs: &mut dyn FnMut() -> bool,
        cancel: &AtomicBool,
    ) -> Outcome {
        let mut stopped = || match runs() {
            true => BTreeSet::new(),
            false => BTreeSet::from([awaited.node.clone()]),
        };
        let mut ended = None;
        let mut on_outcome = |_: &str, outcome: &Outcome| ended = Some(outcome.clone());
        let nodes = std::slice::from_ref(awaited);
        wait_ready(nodes, &mut stopped, &mut on_outcome, cancel);
        ended.expect("each node has its outcome when the waiting ends")
    }
}

/// Waits for all nodes and tells each outcome as it comes.
///
/// `stopped` names the nodes whose domains do not run (any more). Returns when every node has
/// its outcome, at the latest after the longest time of a node; `cancel` ends it within a tick.
pub fn wait_ready(
    awaited: &[Awaited],
    stopped: &mut dyn FnMut() -> BTreeSet<String>,
    on_outcome: &mut dyn FnMut(&str, &Outcome),
    cancel: &AtomicBool,
) {
    let began = Instant::now();
    let mut nodes: Vec<Node> = awaited.iter().map(Node::new).collect();
    let mut next_liveness = Duration::ZERO;
    while !nodes.is_empty() {
        let now = began.elapsed();
        let mut stopped_now = None;
        if now >= next_liveness {
            stopped_now = Some(stopped());
            next_liveness = now + LIVENESS_INTERVAL;
        }
        let cancelled = cancel.load(Ordering::Relaxed);
        nodes.retain_mut(|node| {
            node.read(now);
            node.look(now);
            if cancelled {
                node.watch.cancel();
            } else if stopped_now
                .as_ref()
                .is_some_and(|stopped| stopped.contains(&node.awaited.node))
            {
                node.watch.stop();
            }
            let outcome = node.watch.outcome(now);
            if let Some(outcome) = &outcome {
                on_outcome(&node.awaited.node, outcome);
            }
            outcome.is_none()
        });
        press_enter(&mut nodes, now);
        if !nodes.is_empty() {
            thread::sleep(TICK);
        }
    }
}

/// Presses Enter where the guest may be waiting for it.
fn press_enter(nodes: &mut [Node], now: Duration) {
    let mut pressing = nodes.iter().filter(|node| node.is_pressing()).count();
    for node in nodes {
        if pressing < POKES_LIMIT && !node.is_pressing() && node.watch.wants_enter(now) {
            node.watch.enter_pressed(now);
            let console = node.awaited.console;
            node.pressing = Some(thread::spawn(move || poke(console)));
            pressing += 1;
        }
    }
}

/// Presses Enter on a console if it is free, and stays until the guest answers, so that QEMU
/// does not throw the key away with the connection.
fn poke(console: SocketAddr) {
    let Ok(mut client) = Client::connect_within(console, POKE_LIMIT) else {
        return;
    };
    if client.send(b"\r").is_ok() {
        // Whatever comes, or nothing: the log tells.
        let _ = client.receive_within(POKE_LIMIT);
    }
}

/// A node, with the world around it.
struct Node<'a> {
    awaited: &'a Awaited,
    watch: Watch,
    log: Follower,
    pressing: Option<JoinHandle<()>>,
    port: Option<Port>,
}

impl<'a> Node<'a> {
    fn new(awaited: &'a Awaited) -> Self {
        Self {
            awaited,
            watch: Watch::new(&awaited.patterns, awaited.timeout, awaited.after),
            log: Follower::of_current(&awaited.log_path),
            pressing: None,
            port: awaited.ssh.map(Port::new),
        }
    }

    fn look(&mut self, now: Duration) {
        if let Some(port) = &mut self.port {
            self.watch.port = port.look(now);
        }
    }

    fn read(&mut self, now: Duration) {
        for _ in 0..PIECES_LIMIT {
            match self.log.read() {
                Ok(Piece::Bytes(bytes)) => self.watch.heard(now, &bytes),
                Ok(Piece::StartedOver) => self.watch.start_over(),
                Ok(Piece::Nothing) => return,
                Err(error) => return self.watch.unreadable(error.to_string()),
            }
        }
    }

    fn is_pressing(&self) -> bool {
        self.pressing
            .as_ref()
            .is_some_and(|thread| !thread.is_finished())
    }
}

/// What is known of one node. Times count from the beginning of the waiting.
#[derive(Debug, Clone)]
struct Watch {
    transcript: Transcript,
    timeout: Duration,
    after: Option<Duration>,
    /// What was last seen of its SSH port.
    port: Option<Seen>,
    /// When something was heard or Enter was pressed last.
    last_sign: Duration,
    ended: Option<Reason>,
}

impl Watch {
    fn new(patterns: &[String], timeout: Duration, after: Option<Duration>) -> Self {
        Self {
            transcript: Transcript::new(patterns.iter().map(String::as_str)),
            timeout,
            after,
            port: None,
            last_sign: Duration::ZERO,
            ended: None,
        }
    }

    fn heard(&mut self, now: Duration, bytes: &[u8]) {
        self.transcript.read(bytes);
        self.last_sign = now;
    }

    fn start_over(&mut self) {
        self.transcript.start_over();
    }

    fn unreadable(&mut self, reason: String) {
        self.ended = Some(Reason::Unreadable(reason));
    }

    fn stop(&mut self) {
        self.ended = Some(Reason::Stopped);
    }

    fn cancel(&mut self) {
        self.ended = Some(Reason::Cancelled);
    }

    fn wants_enter(&self, now: Duration) -> bool {
        now.saturating_sub(self.last_sign) >= SILENCE
    }

    fn enter_pressed(&mut self, now: Duration) {
        self.last_sign = now;
    }

    fn outcome(&self, now: Duration) -> Option<Outcome> {
        // A node that stopped is not ready, whatever it showed before.
        let stopped = self.ended == Some(Reason::Stopped);
        let is_time = self.after.is_some_and(|after| now >= after);
        let greeted = self.port == Some(Seen::Greets);
        if (self.transcript.matched() || greeted || is_time && self.ended.is_none()) && !stopped {
            return Some(Outcome::Ready { after: now });
        }
        let timed_out = (now >= self.timeout).then(|| self.timed_out());
        let reason = self.ended.clone().or(timed_out)?;
        Some(Outcome::NotReady {
            reason,
            last_lines: self.transcript.last_lines(LAST_LINES),
        })
    }
}

impl Watch {
    fn timed_out(&self) -> Reason {
        let timeout = self.timeout;
        match &self.port {
            Some(Seen::Odd(said)) => Reason::NoSsh {
                timeout,
                said: said.clone(),
            },
            Some(Seen::Greets) | None => Reason::TimedOut(timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    const SECOND: Duration = Duration::from_secs(1);

    fn watch() -> Watch {
        Watch::new(
            &["login:".to_owned(), "RETURN".to_owned()],
            30 * SECOND,
            None,
        )
    }

    fn reason(outcome: Option<Outcome>) -> Reason {
        match outcome {
            Some(Outcome::NotReady { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn any_of_the_texts_makes_a_node_ready() {
        let mut watch = watch();
        watch.heard(SECOND, b"booting\npress RET");
        assert_eq!(watch.outcome(SECOND), None);
        watch.heard(2 * SECOND, b"URN");
        let ready = Outcome::Ready { after: 2 * SECOND };
        assert_eq!(watch.outcome(2 * SECOND), Some(ready));
    }

    #[test]
    fn time_over_tells_the_last_lines() {
        let mut watch = watch();
        watch.heard(SECOND, b"one\ntwo\n");
        assert_eq!(watch.outcome(30 * SECOND - TICK), None);
        let Some(Outcome::NotReady { reason, last_lines }) = watch.outcome(30 * SECOND) else {
            panic!("it should be over");
        };
        assert_eq!(reason, Reason::TimedOut(30 * SECOND));
        assert_eq!(last_lines, ["one", "two"]);
    }

    #[test]
    fn a_node_that_died_is_not_ready_whatever_it_showed() {
        let mut watch = watch();
        watch.heard(SECOND, b"login:");
        watch.stop();
        assert_eq!(reason(watch.outcome(SECOND)), Reason::Stopped);
    }

    #[test]
    fn what_an_earlier_boot_showed_does_not_count() {
        let mut watch = watch();
        watch.heard(SECOND, b"login:");
        watch.start_over();
        assert_eq!(watch.outcome(SECOND), None);
    }

    #[test]
    fn enter_is_pressed_after_silence_and_not_again_at_once() {
        let mut watch = watch();
        assert!(!watch.wants_enter(SILENCE - TICK));
        assert!(watch.wants_enter(SILENCE));
        watch.enter_pressed(SILENCE);
        assert!(!watch.wants_enter(SILENCE + SECOND));
        watch.heard(2 * SILENCE, b".");
        assert!(!watch.wants_enter(2 * SILENCE + SECOND));
        assert!(watch.wants_enter(3 * SILENCE));
    }

    fn awaited(node: &str, log_path: PathBuf, timeout: Duration) -> Awaited {
        Awaited {
            node: node.to_owned(),
            patterns: vec!["login:".to_owned()],
            timeout,
            log_path,
            console: "127.0.0.1:9".parse().unwrap(),
            after: None,
            ssh: None,
        }
    }

    /// The outcome of one node that runs.
    fn wait_for(node: &Awaited) -> Outcome {
        let mut outcome = None;
        let mut on_outcome = |_: &str, ended: &Outcome| outcome = Some(ended.clone());
        let nodes = std::slice::from_ref(node);
        let cancel = AtomicBool::new(false);
        wait_ready(nodes, &mut BTreeSet::new, &mut on_outcome, &cancel);
        outcome.unwrap()
    }

    /// A port that says this to whoever connects.
    fn port_that_says(said: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = stream.unwrap().write_all(said);
            }
        });
        address
    }

    #[test]
    fn a_silent_node_is_ready_when_its_time_has_come_since_its_start() {
        let mut watch = Watch::new(&[], 30 * SECOND, Some(20 * SECOND));
        assert_eq!(watch.outcome(19 * SECOND), None);
        let ready = Outcome::Ready { after: 20 * SECOND };
        assert_eq!(watch.outcome(20 * SECOND), Some(ready));
        watch.stop();
        assert_eq!(reason(watch.outcome(20 * SECOND)), Reason::Stopped);
        let node = Awaited {
            after: Some(20 * SECOND),
            ..awaited("r1", PathBuf::new(), 30 * SECOND)
        };
        assert_eq!(node.clone().up_for(5 * SECOND).after, Some(15 * SECOND));
        assert_eq!(node.up_for(50 * SECOND).after, Some(Duration::ZERO));
    }

    #[test]
    fn a_node_is_ready_once_its_ssh_port_greets() {
        let folder = tempfile::tempdir().unwrap();
        let node = Awaited {
            ssh: Some(port_that_says(b"SSH-2.0-x\r\n")),
            ..awaited("r1", folder.path().join("none"), 60 * SECOND)
        };
        assert!(matches!(wait_for(&node), Outcome::Ready { .. }));
    }

    #[test]
    fn garbage_on_an_ssh_port_is_told_when_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let node = Awaited {
            ssh: Some(port_that_says(b"HTTP/1.1 400 no\r\n")),
            ..awaited("r1", folder.path().join("none"), 2 * SECOND)
        };
        let said = reason(Some(wait_for(&node))).to_string();
        assert!(said.contains("HTTP/1.1 400 no"), "{said}");
    }

    #[test]
    fn every_node_gets_its_outcome() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("up"), "r1 login: ").unwrap();
        fs::write(path("slow"), "still booting\n").unwrap();
        fs::create_dir(path("odd")).unwrap();
        let nodes = [
            awaited("up", path("up"), 60 * SECOND),
            awaited("slow", path("slow"), TICK),
            awaited("dead", path("dead"), 60 * SECOND),
            awaited("odd", path("odd"), 60 * SECOND),
        ];
        let mut outcomes = BTreeMap::new();
        wait_ready(
            &nodes,
            &mut || BTreeSet::from(["dead".to_owned()]),
            &mut |node, outcome| {
                outcomes.insert(node.to_owned(), outcome.clone());
            },
            &AtomicBool::new(false),
        );
        assert!(matches!(outcomes["up"], Outcome::Ready { .. }));
        let of = |node: &str| reason(outcomes.get(node).cloned());
        assert_eq!(of("slow"), Reason::TimedOut(TICK));
        assert_eq!(of("dead"), Reason::Stopped);
        assert!(matches!(of("odd"), Reason::Unreadable(_)));
    }

    #[test]
    fn cancelling_ends_the_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let nodes = [awaited("r1", folder.path().join("none"), 600 * SECOND)];
        let mut outcomes = Vec::new();
        wait_ready(
            &nodes,
            &mut BTreeSet::new,
            &mut |_, outcome| outcomes.push(outcome.clone()),
            &AtomicBool::new(true),
        );
        assert_eq!(reason(outcomes.pop()), Reason::Cancelled);
    }

    #[test]
    fn enter_reaches_a_free_console() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let console = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&[255, 251, 1]).unwrap();
            let mut got = Vec::new();
            stream.read_to_end(&mut got).unwrap();
            got
        });
        poke(console);
        assert_eq!(server.join().unwrap(), [255, 253, 1, b'\r']);
    }
}
