//! `vnflab console`: a node's serial console, its record, or a view of it.

use super::watch;
use crate::cli::{ConsoleArgs, Global};
use crate::context::{self, World};
use crate::error::{CommandError, ErrorKind};
use crate::render::Screen;
use crate::terminal::{RawMode, StopSignals};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};
use vnflab_engine::console::client::{Client, ConnectError};
use vnflab_engine::console::log::{Follower, Piece};
use vnflab_engine::console::session::{End, Input, Session};
use vnflab_model::observed::{DomainState, Locality, ObservedDomain};

/// How much of what was said before a view shows: a screen or two.
const VIEW_TAIL_BYTES: u64 = 8 * 1024;

/// How often a view looks for more.
const VIEW_INTERVAL: Duration = Duration::from_millis(100);

pub(super) fn run(
    global: &Global,
    arguments: &ConsoleArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let world = World::observe(&workspace)?;
    let domain = world.node(&arguments.node)?;
    if workspace.driver().host()?.locality == Locality::Remote {
        let message = format!("the console of `{}` is on another host", domain.name);
        return Err(CommandError::new(ErrorKind::Failed, message)
            .hint("Run `vnflab console` on that host, over SSH."));
    }
    match (arguments.log, arguments.view) {
        (true, _) => print_log(domain, screen),
        (false, true) => view(domain, arguments.time, screen),
        (false, false) => converse(domain, arguments.time, screen),
    }
}

/// Prints all that was recorded since the node started.
fn print_log(domain: &ObservedDomain, screen: &Screen) -> Result<(), CommandError> {
    let path = Path::new(&domain.record.blueprint.console.log_path);
    let mut log = Follower::of_all(path);
    let mut empty = true;
    while let Piece::Bytes(bytes) = log.read().map_err(|error| unreadable(path, &error))? {
        screen.write_bytes(&bytes)?;
        empty = false;
    }
    if empty {
        screen.say(&format!("`{}` has said nothing yet.", domain.name));
    }
    Ok(())
}

/// Shows what is said from now on, beside whoever is on the console.
fn view(
    domain: &ObservedDomain,
    time: Option<Duration>,
    screen: &Screen,
) -> Result<(), CommandError> {
    let path = Path::new(&domain.record.blueprint.console.log_path);
    let end = time.map(|time| Instant::now() + time);
    let stop = StopSignals::listen()?;
    screen.say(&format!("Watching `{}`; Ctrl-C leaves.", domain.name));
    let mut log = Follower::of_current(path).from_last(VIEW_TAIL_BYTES);
    loop {
        match log.read().map_err(|error| unreadable(path, &error))? {
            Piece::Bytes(bytes) => screen.write_bytes(&bytes)?,
            Piece::StartedOver => screen.say("\nThe node starts anew."),
            Piece::Nothing => {
                let over = end.is_some_and(|end| Instant::now() >= end);
                if over || watch::waited_for_stop(&stop, VIEW_INTERVAL) {
                    return Ok(());
                }
            }
        }
    }
}

/// Connects the user, or a script, with the guest.
fn converse(
    domain: &ObservedDomain,
    time: Option<Duration>,
    screen: &Screen,
) -> Result<(), CommandError> {
    let address = domain.record.blueprint.console.listen;
    let mut client = Client::connect(address).map_err(|error| no_console(domain, &error))?;
    let stdin = io::stdin();
    let kind = match stdin.is_terminal() {
        true => Input::Keys,
        false => Input::Lines,
    };
    let stop = StopSignals::listen()?;
    if kind == Input::Keys {
        screen.say(&format!("Connected to `{}`; Ctrl-] leaves.", domain.name));
    }
    let end = {
        let _raw = match kind {
            Input::Keys => Some(RawMode::enter(stdin.as_fd())?),
            Input::Lines => None,
        };
        let session = Session {
            input: stdin.as_fd(),
            kind,
            output: io::stdout().lock(),
            stop: Some(stop.as_fd()),
            time,
        };
        session.run(&mut client)
    };
    match end? {
        End::Left | End::TimeUp => {
            if kind == Input::Keys {
                screen.say("");
            }
            Ok(())
        }
        End::Closed => {
            let message = format!("`{}` closed its console: it is off", domain.name);
            Err(CommandError::new(ErrorKind::Failed, message))
        }
        End::Stopped => Err(CommandError::silent(ErrorKind::Interrupted)),
    }
}

fn no_console(domain: &ObservedDomain, error: &ConnectError) -> CommandError {
    let node = &domain.name;
    match error {
        ConnectError::InUse { occupant } => {
            let message = format!("the console of `{node}` is in use by {occupant}");
            CommandError::new(ErrorKind::Failed, message)
                .hint(format!("`vnflab console {node} --view` watches beside it."))
        }
        ConnectError::Refused { .. } if domain.state != DomainState::Running => {
            let message = format!("`{node}` is {}", domain.state.word());
            CommandError::new(ErrorKind::Failed, message)
                .hint(format!("`vnflab start {node}` starts it."))
                .hint(format!("`vnflab console {node} --log` shows what it said."))
        }
        ConnectError::Refused { .. } | ConnectError::Broken { .. } => {
            let message = format!("no connection to the console of `{node}`");
            CommandError::new(ErrorKind::Failed, message).caused_by(error)
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> CommandError {
    let message = format!("the console's record `{}` cannot be read", path.display());
    let command_error = CommandError::new(ErrorKind::Failed, message).caused_by(error);
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            command_error.hint("The system's libvirt keeps it for root: try it with `sudo`.")
        }
        _ => command_error,
    }
}
