//! `vnflab console`: a node's serial console, its record, or a view of it.

use crate::cli::{ConsoleArgs, Global};
use crate::context::{self, World};
use crate::error::{CommandError, ErrorKind};
use crate::render::Screen;
use crate::target;
use crate::terminal::{RawMode, StopSignals};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};
use vnflab_engine::console::client::{Client, ConnectError};
use vnflab_engine::console::log::{Follower, Piece};
use vnflab_engine::console::session::{ESCAPE, End, Input, Session};
use vnflab_model::blueprint::NodeBlueprint;
use vnflab_model::observed::{DomainState, Locality, ObservedDomain};

/// How much of what was said before a view shows: a screen or two.
const VIEW_TAIL_BYTES: u64 = 8 * 1024;

/// How often a view looks for more.
const VIEW_INTERVAL: Duration = Duration::from_millis(100);

/// How many keys a view takes at once; more come with its next look.
const KEYS_SIZE: usize = 256;

pub(super) fn run(
    global: &Global,
    arguments: &ConsoleArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let world = World::observe(&workspace)?;
    let (node, part) = target::part_of(&arguments.node);
    let mut domain = world.node(node)?;
    if let Some(part) = part {
        let NodeBlueprint {
            lab, node, kind, ..
        } = &domain.record.blueprint;
        let all: Vec<_> = world.observed.vms_of_node(lab, node).collect();
        let vms: Vec<_> = all.iter().map(|vm| &vm.record.blueprint).collect();
        let kind = workspace.catalogue().find(kind).map(AsRef::as_ref);
        let vm = target::vm(&vms, kind, part)?.vm();
        let found = all.iter().find(|one| one.record.blueprint.vm() == vm);
        domain = found.expect("it is one of them");
    }
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
    let stdin = io::stdin();
    // A process in the background may not touch the terminal, and gets no keys.
    let has_keys = stdin.is_terminal() && tcgetpgrp(&stdin) == Ok(getpgrp());
    let keys = has_keys.then(|| stdin.as_fd());
    let leave = match has_keys {
        true => "Ctrl-] or Ctrl-C leaves",
        false => "Ctrl-C leaves",
    };
    screen.say(&format!("Watching `{}`; {leave}.", domain.name));
    let _silent = keys.map(RawMode::enter_silent).transpose()?;
    let mut log = Follower::of_current(path).from_last(VIEW_TAIL_BYTES);
    let mut patience = Duration::ZERO;
    loop {
        match log.read().map_err(|error| unreadable(path, &error))? {
            Piece::Bytes(bytes) => {
                screen.write_bytes(&bytes)?;
                patience = Duration::ZERO;
            }
            Piece::StartedOver => screen.say("\nThe node starts anew."),
            Piece::Nothing => patience = VIEW_INTERVAL,
        }
        let over = end.is_some_and(|end| Instant::now() >= end);
        if over || wants_to_leave(&stop, keys, patience)? {
            screen.say("");
            return Ok(());
        }
    }
}

/// Whether a signal or the key that leaves came within the time; other keys are thrown away.
fn wants_to_leave(
    stop: &StopSignals,
    keys: Option<BorrowedFd<'_>>,
    time: Duration,
) -> io::Result<bool> {
    let timeout = Timespec::try_from(time).expect("a second or less fits");
    let mut descriptors = vec![PollFd::new(stop, PollFlags::IN)];
    descriptors.extend(keys.map(|keys| PollFd::from_borrowed_fd(keys, PollFlags::IN)));
    // A signal that interrupts the wait has been written to the descriptor by then.
    let _ = poll(&mut descriptors, Some(&timeout));
    let is_ready = |index: usize| {
        descriptors
            .get(index)
            .is_some_and(|descriptor| !descriptor.revents().is_empty())
    };
    if is_ready(0) {
        return Ok(true);
    }
    let Some(keys) = keys.filter(|_| is_ready(1)) else {
        return Ok(false);
    };
    let mut buffer = [0; KEYS_SIZE];
    let length = rustix::io::read(keys, &mut buffer)?;
    // A terminal that is gone reads as the end.
    Ok(length == 0 || buffer[..length].contains(&ESCAPE))
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
    let blueprint = &domain.record.blueprint;
    let whole = format!("{}.{}", blueprint.lab, blueprint.node);
    let node = format!("{}.{}", blueprint.lab, blueprint.vm().shown_name());
    match error {
        ConnectError::InUse { occupant } => {
            let message = format!("the console of `{node}` is in use by {occupant}");
            CommandError::new(ErrorKind::Failed, message)
                .hint(format!("`vnflab console {node} --view` watches beside it."))
        }
        ConnectError::Refused { .. } if domain.state != DomainState::Running => {
            let message = format!("`{node}` is {}", domain.state.word());
            CommandError::new(ErrorKind::Failed, message)
                .hint(format!("`vnflab start {whole}` starts it."))
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
