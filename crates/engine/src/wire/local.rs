//! Wires that run on this machine: each a process of its own, spoken to over its socket.
//!
//! # Theory of operation
//!
//! A wire has a folder. [`LocalWires::start`] makes it and starts a keeper there (see
//! [`super::keeper`]), which starts the wire's own process, and starts it anew when it dies. From
//! then on everything is asked of the wire over the socket in the folder. [`LocalWires::stop`]
//! asks the wire to end; it takes its folder along, and the keeper ends when it sees that.
//!
//! What a wire is, it says itself. Of one that does not run only that something is left of it is
//! known: the folder.

use super::place::Place;
use super::{WireError, WireLook, Wires, metrics, words};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use vnflab_model::blueprint::{Metrics, WireBlueprint, WireChange};
use vnflab_model::observed::ObservedWire;
use vnflab_wire::control::{Client, ClientError, Folder};
use vnflab_wire::sys;

/// How long a wire may take to answer after its start.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// How long a wire that was told to end may take.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at whether it answers yet, or still.
const LOOK: Duration = Duration::from_millis(5);

/// How a keeper is started; the wire's folder is added as the last argument.
#[derive(Debug, Clone)]
pub struct KeeperCommand {
    /// The program.
    pub program: PathBuf,
    /// What stands before the folder.
    pub arguments: Vec<OsString>,
}

/// The wires of this machine.
#[derive(Debug, Clone)]
pub struct LocalWires {
    place: Place,
    keeper: KeeperCommand,
    /// Held from reading what a wire is to telling it what to be: steps of a plan are done at the
    /// same time.
    change: Arc<Mutex<()>>,
}

impl LocalWires {
    /// Wires with their folders at a place.
    pub fn new(place: Place, keeper: KeeperCommand) -> Self {
        Self {
            place,
            keeper,
            change: Arc::default(),
        }
    }

    /// The folder of a lab's wire.
    pub fn folder(&self, lab: &str) -> Folder {
        self.place.folder(lab)
    }

    fn launch(&self, lab: &str, folder: &Folder) -> Result<(), WireError> {
        let failed = |error: &io::Error| refused("start", lab, error.to_string());
        folder.ensure().map_err(|error| failed(&error))?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(folder.path().join("log"))
            .map_err(|error| failed(&error))?;
        sys::keep_files_from_children();
        let child = Command::new(&self.keeper.program)
            .args(&self.keeper.arguments)
            .arg(folder.path())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        // It leaves this process's session and outlives it; nobody waits for its end.
        child.map(drop).map_err(|error| failed(&error))
    }

    /// Waits until the wire answers.
    fn connect(&self, lab: &str, folder: &Folder) -> Result<Client, WireError> {
        let began = Instant::now();
        loop {
            match Client::connect(folder) {
                Ok(client) => return Ok(client),
                Err(ClientError::NotRunning) if began.elapsed() < START_PATIENCE => {
                    std::thread::sleep(LOOK);
                }
                Err(error) => return Err(refused("start", lab, last_words(folder, &error))),
            }
        }
    }
}

/// Why a wire did not answer: the last line of its log says more than we know.
fn last_words(folder: &Folder, error: &ClientError) -> String {
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    match log.lines().last() {
        Some(line) => line.to_owned(),
        None => error.to_string(),
    }
}

fn refused(operation: &'static str, lab: &str, reason: String) -> WireError {
    WireError::Refused {
        operation,
        lab: lab.to_owned(),
        reason,
        hint: None,
    }
}

/// Lets the keeper serve the counters somewhere else, or nowhere.
fn serve_metrics(lab: &str, folder: &Folder, at: Option<&Metrics>) -> Result<(), WireError> {
    metrics::write(folder, at).map_err(|error| {
        let place = at.map_or_else(String::new, |at| format!(" at {at}"));
        WireError::Refused {
            operation: "serve the metrics of",
            lab: lab.to_owned(),
            reason: format!("{error}{place}"),
            hint: Some("choose another place for `metrics` in the lab file".to_owned()),
        }
    })
}

fn unanswered(operation: &'static str, lab: &str) -> impl Fn(ClientError) -> WireError {
    move |error| match error {
        ClientError::NotRunning => WireError::Missing(lab.to_owned()),
        error => refused(operation, lab, error.to_string()),
    }
}

impl Wires for LocalWires {
    fn observe(&self) -> Result<BTreeMap<String, ObservedWire>, WireError> {
        let labs = self.place.labs();
        let labs = labs.map_err(|error| refused("look at", "*", error.to_string()))?;
        let mut wires = BTreeMap::new();
        for lab in labs {
            let seen = Client::connect(&self.place.folder(&lab)).and_then(|mut client| {
                let config = client.config()?;
                let cut = match words::has_schedules(&config) {
                    true => words::cut(&config, &client.status()?),
                    false => BTreeSet::new(),
                };
                let mut blueprint = words::blueprint(&lab, &config);
                blueprint.metrics = metrics::read(&self.place.folder(&lab));
                Ok(ObservedWire::Running {
                    version: client.hello()?.program,
                    config: blueprint,
                    cut,
                })
            });
            // One that breaks off in mid-sentence is about to be started anew.
            wires.insert(lab, seen.unwrap_or(ObservedWire::Stopped));
        }
        Ok(wires)
    }

    fn look(&self, lab: &str) -> Result<Option<WireLook>, WireError> {
        let look = Client::connect(&self.place.folder(lab)).and_then(|mut client| {
            Ok(WireLook {
                config: client.config()?,
                status: client.status()?,
            })
        });
        match look {
            Ok(look) => Ok(Some(look)),
            Err(ClientError::NotRunning) => Ok(None),
            Err(error) => Err(refused("look at", lab, error.to_string())),
        }
    }

    fn start(&self, lab: &str, wire: Option<&WireBlueprint>) -> Result<(), WireError> {
        let folder = self.place.folder(lab);
        if let Err(ClientError::NotRunning) = Client::connect(&folder) {
            if wire.is_none() && !folder.path().exists() {
                return Err(WireError::Missing(lab.to_owned()));
            }
            self.launch(lab, &folder)?;
        }
        let mut client = self.connect(lab, &folder)?;
        let Some(wire) = wire else {
            return Ok(());
        };
        let applied = client.apply(&words::config(wire));
        applied.map_err(unanswered("set up", lab))?;
        serve_metrics(lab, &folder, wire.metrics.as_ref())
    }

    fn change(&self, lab: &str, change: &WireChange) -> Result<(), WireError> {
        // A step that panicked has told the wire nothing by halves.
        let _one = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = self.place.folder(lab);
        if let WireChange::Serve { metrics } = change {
            return serve_metrics(lab, &folder, metrics.as_ref());
        }
        let failed = unanswered("change", lab);
        let mut client = Client::connect(&folder).map_err(&failed)?;
        let mut wire = words::blueprint(lab, &client.config().map_err(&failed)?);
        wire.apply(change);
        client.apply(&words::config(&wire)).map_err(&failed)
    }

    fn stop(&self, lab: &str) -> Result<(), WireError> {
        let folder = self.place.folder(lab);
        let began = Instant::now();
        while folder.path().exists() {
            match Client::connect(&folder).and_then(Client::stop) {
                Ok(()) => {}
                // Nobody is there: what is left is the folder, and a keeper that looks for it.
                Err(ClientError::NotRunning) => {
                    let removed = folder.remove();
                    removed.map_err(|error| refused("stop", lab, error.to_string()))?;
                }
                Err(error) if began.elapsed() > STOP_PATIENCE => {
                    return Err(refused("stop", lab, error.to_string()));
                }
                Err(_) => {}
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}
