//! Keeps a lab's wire running, and its interfaces' carriers true.
//!
//! # Theory of operation
//!
//! The keeper is a small process beside each wire. It starts the wire's process and waits for its
//! end. A wire that ends by itself was told to; one that dies is started anew at once, in the same
//! folder, and is then what it was. When the folder is gone the keeper ends too.
//!
//! A keeper that dies is replaced by its wire (see the command `wire work`): the two hold each
//! other up. The new one finds the wire running, and waits for it to end.
//!
//! Once a second it looks which nodes run. When one stops, by whatever cause, its neighbours lose
//! the carrier of their links to it, as they would if a cable's other end lost its power; when it
//! runs again they get it back. Schedules that cut links are followed in the same way. What a
//! carrier was before it began to look it leaves alone.
//!
//! Where the lab wants its counters served, the keeper does it (see [`super::metrics`]).

use super::carrier::{Cause, Scene, changes};
use super::metrics::Service;
use crate::driver::Driver;
use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use vnflab_model::blueprint::CarrierPolicy;
use vnflab_wire::control::{Client, Folder};

/// Between two looks at the nodes. A wire that died is noticed sooner: see [`CHILD_LOOK`].
const NODES_LOOK: Duration = Duration::from_secs(1);

/// Between two looks at whether the wire's process is alive.
const CHILD_LOOK: Duration = Duration::from_millis(100);

/// A wire that dies again and again is started anew no more often than this.
const RESTART_PAUSE: Duration = Duration::from_millis(500);

/// Why a keeper ends before its wire does.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Another keeper is there.
    #[error("this wire is kept already")]
    Busy,
    /// The folder or the process cannot be used.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Keeps the wire of a folder until it is told to end. `worker` starts the wire's process;
/// `connect` gives a driver, again and again where libvirt went away.
///
/// # Errors
///
/// When another keeper is there, or no process can be started.
pub fn keep(
    folder: &Folder,
    mut worker: impl FnMut() -> Command,
    mut connect: impl FnMut() -> Option<Box<dyn Driver>>,
) -> Result<(), KeepError> {
    let lock = std::fs::File::create(folder.path().join("keeper.lock"))?;
    if lock.try_lock().is_err() {
        return Err(KeepError::Busy);
    }
    let lab = folder.path().file_name().unwrap_or_default();
    let mut watcher = Watcher::new(&lab.to_string_lossy());
    let mut metrics = Service::new(folder, &lab.to_string_lossy());
    loop {
        // A keeper before us may have died, and its wire lives on.
        while folder.is_served() {
            watcher.look_now_and_then(folder, &mut connect, &mut metrics);
            std::thread::sleep(CHILD_LOOK);
        }
        if !folder.path().exists() {
            return Ok(());
        }
        let began = Instant::now();
        let mut child = worker()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let look = || watcher.look_now_and_then(folder, &mut connect, &mut metrics);
        let status = wait(&mut child, folder, look)?;
        if status.success() || !folder.path().exists() {
            return Ok(());
        }
        let rest = RESTART_PAUSE.saturating_sub(began.elapsed());
        std::thread::sleep(rest);
    }
}

/// Waits for the end of the wire's process, and looks at the nodes meanwhile.
fn wait(child: &mut Child, folder: &Folder, mut look: impl FnMut()) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if !folder.path().exists() {
            // Somebody took the folder away: nobody can reach this wire any more.
            child.kill()?;
            return child.wait();
        }
        look();
        std::thread::sleep(CHILD_LOOK);
    }
}

/// Looks at the nodes of a lab, and sets carriers.
struct Watcher {
    lab: String,
    driver: Option<Box<dyn Driver>>,
    scene: Option<Scene>,
    /// When the wire's configuration was last written, to read it only when it has changed.
    written: Option<std::time::SystemTime>,
    schedules: bool,
    looked: Instant,
}

impl Watcher {
    fn new(lab: &str) -> Self {
        Self {
            lab: lab.to_owned(),
            driver: None,
            scene: None,
            written: None,
            schedules: false,
            looked: Instant::now(),
        }
    }

    /// A look once a second, however often it is called. What goes wrong is tried again at the
    /// next.
    fn look_now_and_then(
        &mut self,
        folder: &Folder,
        connect: &mut impl FnMut() -> Option<Box<dyn Driver>>,
        metrics: &mut Service,
    ) {
        if self.looked.elapsed() < NODES_LOOK {
            return;
        }
        self.looked = Instant::now();
        metrics.look();
        if self.driver.is_none() {
            self.driver = connect();
        }
        if self.try_look(folder).is_none() {
            self.driver = None;
        }
    }

    fn try_look(&mut self, folder: &Folder) -> Option<()> {
        let driver = self.driver.as_ref()?;
        let running = driver.running_domains().ok()?;
        let mut now = self.scene.clone().unwrap_or_default();
        now.running = running;
        let written = std::fs::metadata(folder.path().join("state.json"));
        let written = written.and_then(|facts| facts.modified()).ok();
        if written != self.written || self.schedules {
            let mut client = Client::connect(folder).ok()?;
            let config = client.config().ok()?;
            self.schedules = config.junctions.values().any(|junction| {
                let mut asked = junction.impairments.values();
                asked.any(|impairment| !impairment.schedule.is_empty())
            });
            now.states = match self.schedules {
                true => client
                    .status()
                    .ok()?
                    .ends
                    .into_iter()
                    .map(|(name, end)| (name, end.state))
                    .collect(),
                false => Default::default(),
            };
            now.junctions = config.junctions;
            self.written = written;
        }
        let before = self.scene.replace(now.clone());
        let changes = changes(&self.lab, &before?, &now);
        if changes.is_empty() {
            return Some(());
        }
        let observed = driver.observe().ok()?;
        for change in changes {
            let Some((domain, nic)) = observed.nic(&self.lab, &change.end) else {
                continue;
            };
            let policy = domain.record.blueprint.carrier;
            if (policy, change.cause) == (CarrierPolicy::Keep, Cause::Node) {
                continue;
            }
            // A domain that ends meanwhile needs no carrier.
            let _ = driver.set_carrier(&domain.name, &nic.mac, change.carrier);
        }
        Some(())
    }
}
