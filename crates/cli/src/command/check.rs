//! `vnflab check`: every mistake of a lab at once.

use super::lab;
use crate::cli::{CheckArgs, Global};
use crate::context;
use crate::error::{CommandError, ErrorKind};
use crate::render::check::{Checked, HostChecks};
use crate::render::{self, Screen};
use vnflab_engine::workspace;

pub(super) fn run(
    global: &Global,
    arguments: &CheckArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let checked = match context::workspace(global) {
        Ok(workspace) => {
            let mut reading = workspace.read(&arguments.lab);
            let survey = lab::survey(&workspace, &mut reading, &arguments.variation)?;
            let decision = workspace.decide(&reading, &survey, &[])?;
            Checked {
                reading,
                diagnostics: decision.diagnostics,
                host: HostChecks::Made,
            }
        }
        // The files can be checked without a host that could run them.
        Err(error) if error.kind == ErrorKind::Host => {
            let reading = workspace::read(&arguments.lab, &context::catalogue(global)?);
            Checked {
                diagnostics: reading.check_without_host(),
                reading,
                host: HostChecks::LeftOut(error.message),
            }
        }
        Err(error) => return Err(error),
    };
    render::check::checked(screen, &checked)?;
    match checked.diagnostics.has_errors() {
        true => Err(CommandError::silent(ErrorKind::Lab)),
        false => Ok(()),
    }
}
