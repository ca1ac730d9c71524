//! What can be asked of the command: arguments and their help, nothing else.

use crate::complete;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use clap_complete::env::Shells;
use std::path::PathBuf;

const AFTER_HELP: &str = "\
A lab is one file, `lab.yaml`; a LAB argument is that file or its folder, by default the current
folder. A NODE argument is a node of the lab in the current folder, a node name that only one
running lab has, or LAB.NODE.";

/// Virtual network labs: from one file to running, interconnected routers.
#[derive(Debug, Parser)]
#[command(name = "vnflab", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Folder whose kinds are added to ours [default: $XDG_CONFIG_HOME/vnflab/kinds]
    #[arg(long, value_name = "DIR", global = true, value_hint = ValueHint::DirPath)]
    pub(crate) kinds: Option<PathBuf>,
    /// Write JSON to stdout; docs/json.md describes each shape
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but errors and what was asked for
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// When to colour; NO_COLOR is respected
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub(crate) color: ColorChoice,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the kinds of nodes, or show one
    Kinds(KindsArgs),
    /// Explain a code of an error, warning or doctor's check
    Explain(ExplainArgs),
    /// Print a shell's completion script
    #[command(after_help = "\
Bash:  source <(vnflab completions bash)
Zsh:   source <(vnflab completions zsh)
Fish:  vnflab completions fish | source")]
    Completions(CompletionsArgs),
    /// Write the manual pages
    #[command(hide = true)]
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KindsArgs {
    /// A kind or one of its aliases
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(complete::kinds))]
    pub(crate) name: Option<String>,
    /// Print the JSON schema of kind files
    #[arg(long, conflicts_with = "name")]
    pub(crate) schema: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A code such as L0101; without one, all are listed
    #[arg(value_name = "CODE", add = ArgValueCompleter::new(complete::codes))]
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_parser = ["bash", "zsh", "fish"])]
    pub(crate) shell: String,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Folder to write to
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
}

/// The shells that completions can be made for.
pub(crate) fn shells() -> Shells<'static> {
    Shells::builtins()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
