//! `vnflab completions`: the script with which a shell asks us for completions.
//!
//! The script calls this program back, so names of nodes and labs are those of the moment.

use crate::cli::{self, CompletionsArgs};
use crate::error::CommandError;
use crate::render::Screen;

/// The variable by which the script says that completions are wanted.
const VARIABLE: &str = "COMPLETE";

pub(super) fn run(arguments: &CompletionsArgs, screen: &Screen) -> Result<(), CommandError> {
    let shells = cli::shells();
    let shell = shells
        .completer(&arguments.shell)
        .expect("the argument takes no other values than these shells");
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, "vnflab", "vnflab", "vnflab", &mut script)?;
    screen.write_bytes(&script)
}
