//! The verbs, one file each. A verb gathers, asks the engine, and hands the result to
//! [`crate::render`].

mod completions;
pub(crate) mod explain;
mod kinds;
mod man;

use crate::cli::{Cli, Command};
use crate::error::CommandError;
use crate::render::Screen;
use std::process::ExitCode;

/// Does what was asked.
pub(crate) fn run(cli: Cli, screen: &Screen) -> Result<ExitCode, CommandError> {
    let global = &cli.global;
    match cli.command {
        Command::Kinds(arguments) => kinds::run(global, arguments, screen),
        Command::Explain(arguments) => explain::run(arguments, screen),
        Command::Completions(arguments) => completions::run(&arguments, screen),
        Command::Man(arguments) => man::run(&arguments),
    }
    .map(|()| ExitCode::SUCCESS)
}
