//! The verbs, one file each. A verb gathers, asks the engine, and hands the result to
//! [`crate::render`].

pub(crate) mod capture;
pub(crate) mod carry_out;
mod check;
mod completions;
mod config;
mod console;
mod docs;
mod doctor;
mod down;
mod exec;
pub(crate) mod explain;
mod extcap;
mod image;
mod inventory;
mod kinds;
mod lab;
mod link;
mod link_end;
mod links;
mod plan;
mod power;
pub(crate) mod provision;
mod ps;
mod save;
mod settle;
mod ssh;
mod test;
mod up;
mod wait;
mod watch;
mod wire;
mod xml;

use crate::cli::{Cli, Command};
use crate::error::CommandError;
use crate::render::{self, Screen};
use std::process::ExitCode;
use vnflab_model::format::native;

/// Does what was asked.
pub(crate) fn run(cli: &Cli, screen: &Screen) -> Result<ExitCode, CommandError> {
    let global = &cli.global;
    match &cli.command {
        Command::Check(arguments) => check::run(global, arguments, screen),
        Command::Plan(arguments) => plan::run(global, arguments, screen),
        Command::Up(arguments) => up::run(global, arguments, screen),
        Command::Down(arguments) => down::run(global, arguments, screen),
        Command::Start(arguments) => power::start(global, arguments, screen),
        Command::Stop(arguments) => power::stop(global, arguments, screen),
        Command::Restart(arguments) => power::restart(global, arguments, screen),
        Command::Suspend(arguments) => power::suspend(global, arguments, screen),
        Command::Resume(arguments) => power::resume(global, arguments, screen),
        Command::CpuLimit(arguments) => power::cpu_limit(global, arguments, screen),
        Command::Ps(arguments) => ps::run(global, arguments, screen),
        Command::Links(arguments) => links::run(global, arguments, screen),
        Command::Link(command) => link::run(global, command, screen),
        Command::Capture(arguments) => capture::run(global, arguments, screen),
        Command::Extcap(command) => extcap::run(command, screen),
        Command::Wire(command) => wire::run(global, command, screen),
        Command::Console(arguments) => console::run(global, arguments, screen),
        Command::Test(arguments) => test::run(global, arguments, screen),
        Command::Ssh(arguments) => return ssh::run(global, arguments),
        Command::Exec(arguments) => exec::run(global, arguments, screen),
        Command::SshConfig(arguments) => inventory::ssh_config(global, arguments, screen),
        Command::Hosts(arguments) => inventory::hosts(global, arguments, screen),
        Command::Inventory(arguments) => inventory::inventory(global, arguments, screen),
        Command::Save(arguments) => save::run(global, arguments, screen),
        Command::Provision(arguments) => provision::run(global, arguments, screen),
        Command::Kinds(arguments) => kinds::run(global, arguments, screen),
        Command::Image(arguments) => image::run(global, arguments, screen),
        Command::Doctor => doctor::run(global, screen),
        Command::Explain(arguments) => explain::run(arguments, screen),
        Command::Config(arguments) => config::run(global, arguments, screen),
        Command::Xml(arguments) => xml::run(global, arguments, screen),
        Command::Schema => render::schema(screen, &native::json_schema()),
        Command::Completions(arguments) => completions::run(arguments, screen),
        Command::Docs(arguments) => docs::run(arguments),
    }
    .map(|()| ExitCode::SUCCESS)
}
