//! `vnflab man`: writes the manual pages, one for the program and one a verb.

use crate::cli::{Cli, ManArgs};
use crate::error::{CommandError, ErrorKind};
use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use std::fs;
use std::io;
use std::path::Path;

pub(super) fn run(arguments: &ManArgs) -> Result<(), CommandError> {
    write_all(&arguments.folder).map_err(|error| {
        let message = format!("cannot write to `{}`", arguments.folder.display());
        CommandError::new(ErrorKind::Failed, message).caused_by(&error)
    })
}

fn write_all(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut command = Cli::command();
    // Without a date the same program gives the same pages.
    command.build();
    for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let page = Man::new(
            verb.clone()
                .display_name(format!("vnflab {}", verb.get_name())),
        )
        .title(format!("VNFLAB-{}", verb.get_name().to_uppercase()));
        let mut text = Vec::new();
        page.render(&mut text)?;
        fs::write(folder.join(format!("vnflab-{}.1", verb.get_name())), text)?;
    }
    let page = Man::new(command.clone()).title("VNFLAB");
    let mut text = Vec::new();
    page.render(&mut text)?;
    exit_codes().to_writer(&mut text)?;
    fs::write(folder.join("vnflab.1"), text)
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
        roff.text([clap_mangen::roff::bold(number.to_string())]);
        roff.text([roman(meaning)]);
    }
    roff
}
