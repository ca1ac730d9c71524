//! The manual pages: one for the program, one a verb.

use crate::cli::Cli;
use crate::error::ErrorKind;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::fs;
use std::io;
use std::path::Path;

/// Writes all pages.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // `help` has no page: it repeats what the others say.
    let mut command = Cli::command()
        .disable_help_subcommand(true)
        .mut_subcommands(|verb| verb.disable_help_subcommand(true));
    command.build();
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        write_verb(folder, "vnflab", verb)?;
    }
    let mut text = Vec::new();
    Man::new(command).title("VNFLAB").render(&mut text)?;
    exit_codes().to_writer(&mut text)?;
    fs::write(folder.join("vnflab.1"), text)
}

/// A verb's page, and those of its own verbs.
fn write_verb(folder: &Path, parent: &str, verb: &Command) -> io::Result<()> {
    let name = format!("{parent}-{}", verb.get_name());
    let mut text = Vec::new();
    Man::new(verb.clone())
        .title(name.to_uppercase())
        .render(&mut text)?;
    fs::write(folder.join(format!("{name}.1")), text)?;
    verb.get_subcommands()
        .filter(|inner| !inner.is_hide_set())
        .try_for_each(|inner| write_verb(folder, &name, inner))
}

fn exit_codes() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    let success = [(0, "all that was asked for is done")].into_iter();
    let failures = ErrorKind::ALL
        .iter()
        .map(|(kind, meaning)| (kind.number(), *meaning));
    for (number, meaning) in success.chain(failures) {
        roff.control("TP", []);
        roff.text([bold(number.to_string())]);
        roff.text([roman(meaning)]);
    }
    roff
}
