//! `vnflab wire`: the wire without a lab, and its processes.

use crate::cli::Global;
use crate::cli::wire::{RelayArgs, WireCommand};
use crate::command::link::attach_files;
use crate::error::{CommandError, ErrorKind};
use crate::interrupt::Interrupt;
use crate::render::Screen;
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
        WireCommand::Work(arguments) => work(&arguments.folder),
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
    let uri = global.connect.clone();
    let connect = || -> Option<Box<dyn Driver>> {
        let driver = LibvirtDriver::connect(uri.as_deref()).ok()?;
        Some(Box::new(driver))
    };
    let worker = || {
        // The program's file may be replaced while the wire runs; this one is still there.
        let mut command = Command::new("/proc/self/exe");
        command.args(["wire", "work"]).arg(folder);
        command
    };
    let kept = keeper::keep(&Folder::new(folder), worker, connect);
    kept.map_err(|error| {
        CommandError::new(ErrorKind::Failed, "the wire cannot be kept").caused_by(&error)
    })
}

fn work(folder: &Path) -> Result<(), CommandError> {
    serve(&Folder::new(folder), || {}).map_err(|error| {
        CommandError::new(ErrorKind::Failed, "the wire cannot run").caused_by(&error)
    })
}
