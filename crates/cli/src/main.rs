//! The `vnflab` command.
//!
//! [`cli`] says what can be asked, [`command`] does it (one file a verb), and [`render`] shows
//! it: the only place that prints. stdout carries what was asked for, stderr all else.

mod cli;
mod command;
mod complete;
mod context;
mod error;
mod interrupt;
mod render;
#[cfg(test)]
mod sample;
mod target;
mod terminal;

use clap::{CommandFactory, Parser};
use std::process::ExitCode;

fn main() -> ExitCode {
    // The shell asks for completions by an environment variable; then this ends the process.
    clap_complete::CompleteEnv::with_factory(cli::Cli::command).complete();
    let cli = cli::Cli::parse();
    let screen = render::Screen::new(&cli.global);
    match command::run(&cli, &screen) {
        Ok(code) => code,
        Err(error) => {
            screen.error(&error);
            error.kind.exit_code()
        }
    }
}
