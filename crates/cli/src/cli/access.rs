//! What can be asked of nodes over their management: running commands, and lists for other
//! programs.

use super::parse_time;
use crate::complete;
use clap::{Args, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(
    override_usage = "\
vnflab exec [OPTIONS] <NODE>... <COMMAND>
       vnflab exec [OPTIONS] --all <COMMAND>",
    after_help = "\
The command is one argument, as one would type it:

    vnflab exec r1 r2 'show version'
    vnflab exec --all 'show ip ospf neighbor'

Exit code 0: it was run everywhere, and succeeded as far as the devices tell."
)]
pub(crate) struct ExecArgs {
    /// Nodes, and the command as the last argument
    #[arg(value_name = "NODE|COMMAND", required = true, add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) nodes_and_command: Vec<String>,
    /// All running nodes of the lab
    #[arg(long)]
    pub(crate) all: bool,
    /// The lab whose nodes `--all` means [default: the lab of the current folder]
    #[arg(long, value_name = "NAME", requires = "all", add = ArgValueCompleter::new(complete::labs))]
    pub(crate) lab: Option<String>,
    /// How long it may take in each node, logging in included
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
    pub(crate) timeout: Duration,
}

impl ExecArgs {
    /// The command, and the nodes before it.
    pub(crate) fn command_and_nodes(&self) -> (&str, &[String]) {
        let words = self.nodes_and_command.split_last();
        let (command, nodes) = words.expect("clap asks for one at least");
        (command, nodes)
    }
}

#[derive(Debug, Args)]
pub(crate) struct LabsArgs {
    /// A running lab, by its name, file or folder [default: the lab of the current folder, else all]
    #[arg(
        value_name = "LAB",
        value_hint = ValueHint::AnyPath,
        add = ArgValueCompleter::new(complete::labs)
    )]
    pub(crate) lab: Option<String>,
    /// All labs, wherever one stands
    #[arg(long, conflicts_with = "lab")]
    pub(crate) all: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
To have `ssh NODE` work everywhere:

    vnflab ssh-config -o ~/.ssh/vnflab.conf

with the line `Include vnflab.conf` at the head of ~/.ssh/config. Nodes are known as LAB.NODE, and
as NODE where one lab is written.")]
pub(crate) struct SshConfigArgs {
    #[command(flatten)]
    pub(crate) labs: LabsArgs,
    /// Write to this file instead of stdout
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct HostsArgs {
    #[command(flatten)]
    pub(crate) labs: LabsArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Ansible, for example:

    vnflab inventory --format ansible -o inventory.yaml
    ansible-playbook -i inventory.yaml site.yaml")]
pub(crate) struct InventoryArgs {
    /// A running lab, by its name, file or folder [default: the lab of the current folder]
    #[arg(
        value_name = "LAB",
        value_hint = ValueHint::AnyPath,
        add = ArgValueCompleter::new(complete::labs)
    )]
    pub(crate) lab: Option<String>,
    /// For which program; `--json` without it is a form of our own
    #[arg(
        long,
        value_name = "FORMAT",
        required_unless_present = "json",
        value_parser = ["ansible", "nornir", "pyats", "containerlab"]
    )]
    pub(crate) format: Option<String>,
    /// Write to this file, which only you can read, instead of stdout
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
}
