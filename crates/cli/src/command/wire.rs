//! `vnflab wire`: the wire without a lab, and its processes.

use crate::cli::Global;
use crate::cli::wire::{RelayArgs, WireCommand};
use crate::command::link::attach_files;
use crate::error::{CommandError, ErrorKind};
use crate::interrupt::Interrupt;
use crate::render::Screen;
use rustix::process::Pid;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use vnflab_engine::driver::Driver;
use vnflab_engine::driver::libvirt::LibvirtDriver;
use vnflab_engine::wire::keeper;
use vnflab_impairment::Impairment;
use vnflab_wire::control::{Folder, serve};
use vnflab_wire::shard::Spin;
use vnflab_wire::{Config, Wire};

/// Between two looks at whether the keeper is alive.
const KEEPER_LOOK: Duration = Duration::from_millis(500);

/// Between two looks at whether Ctrl-C came.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(
    global: &Global,
    command: &WireCommand,
    screen: &Screen,
) -> Result<(), CommandError> {
    match command {
        WireCommand::Relay(arguments) => relay(arguments, screen),
        WireCommand::Serve(arguments) => keep(global, &arguments.folder),
        WireCommand::Work(arguments) => work(global, &arguments.folder),
    }
}

fn relay(arguments: &RelayArgs, screen: &Screen) -> Result<(), CommandError> {
    let interrupt = Interrupt::listen()?;
    let mut settings = arguments.impairment.settings.clone();
    attach_files(&mut settings)?;
    let impairment = Impairment {
        settings,
        ..Impairment::default()
    };
    let ends = [arguments.a, arguments.b].map(|end| (end.local, end.remote));
    let config = Config {
        seed: arguments.seed,
        spin: Spin {
            after_frames_us: arguments.spin_us,
            before_due_us: Spin::TIMELY_US,
        },
        ..Config::relay(ends, &impairment)
    };
    let failed = |error: &dyn std::error::Error| {
        CommandError::new(ErrorKind::Failed, "the relay cannot run").caused_by(error)
    };
    let mut wire = Wire::start()?;
    wire.apply(&config).map_err(|error| failed(&error))?;
    screen.say(&format!(
        "Relaying; the seed is {}. Ctrl-C ends it.",
        arguments.seed
    ));
    while !interrupt.is_set() {
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Leaves the session of whoever called `up`, and keeps the wire.
fn keep(global: &Global, folder: &Path) -> Result<(), CommandError> {
    // A process that leads a group already is out of reach of the terminal's signals, too.
    let _ = rustix::process::setsid();
    let connect = || -> Option<Box<dyn Driver>> {
        let driver = LibvirtDriver::connect(global.connect.as_deref()).ok()?;
        Some(Box::new(driver))
    };
    let worker = || myself(global, "work", folder);
    let kept = keeper::keep(&Folder::new(folder), worker, connect);
    kept.map_err(|error| {
        CommandError::new(ErrorKind::Failed, "the wire cannot be kept").caused_by(&error)
    })
}

/// This very program with another part to play. Its file may be replaced while the wire runs; what
/// runs is still there.
fn myself(global: &Global, part: &str, folder: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    if let Some(uri) = &global.connect {
        command.args(["--connect", uri]);
    }
    command.args(["wire", part]).arg(folder);
    command
}

fn work(global: &Global, folder: &Path) -> Result<(), CommandError> {
    // The lab may have been taken down while this process was being started.
    if !folder.exists() {
        return Ok(());
    }
    let (keeper, again) = (rustix::process::getppid(), global.clone());
    let place = folder.to_owned();
    std::thread::spawn(move || replace_keeper(keeper, &again, &place));
    serve(&Folder::new(folder), || {}).map_err(|error| {
        CommandError::new(ErrorKind::Failed, "the wire cannot run").caused_by(&error)
    })
}

/// Waits until the keeper has died, and starts another; and again, as long as the wire runs.
fn replace_keeper(keeper: Option<Pid>, global: &Global, folder: &Path) {
    while rustix::process::getppid() == keeper {
        std::thread::sleep(KEEPER_LOOK);
    }
    // The folder is gone when the wire is being stopped; a keeper has nothing to do then.
    while folder.exists() {
        let null = std::process::Stdio::null;
        let mut command = myself(global, "serve", folder);
        // Where none can be started now, the wire runs on without one and tries again.
        if let Ok(mut child) = command.stdin(null()).stdout(null()).spawn() {
            let _ = child.wait();
        }
        std::thread::sleep(KEEPER_LOOK);
    }
}
