//! What can be asked of the command: arguments and their help, nothing else.

pub(crate) mod access;
pub(crate) mod capture;
mod impairment;
pub(crate) mod power;
pub(crate) mod wire;

use crate::complete;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use clap_complete::env::Shells;
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

const AFTER_HELP: &str = "\
A lab is one file, `lab.yaml`; a LAB argument is that file or its folder, by default the current
folder. A NODE argument is a node of the lab in the current folder, a node name that only one
running lab has, or LAB.NODE.

Begin with `vnflab doctor`, then `vnflab up`.";

/// The variable that names the connection where `--connect` is not given.
pub(crate) const CONNECT_VARIABLE: &str = "VNFLAB_CONNECT";

/// Virtual network labs: from one file to running, interconnected routers.
#[derive(Debug, Parser)]
#[command(name = "vnflab", version, after_help = AFTER_HELP, max_term_width = 100)]
#[command(arg_required_else_help = true)]
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
    /// libvirt connection [default: qemu:///system for root, qemu:///session for others]
    #[arg(long, value_name = "URI", global = true, env = CONNECT_VARIABLE)]
    pub(crate) connect: Option<String>,
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
    /// Check a lab and show every mistake at once
    Check(CheckArgs),
    /// Show what `up` would do, and why
    Plan(PlanArgs),
    /// Make the lab run as its file says: only what differs is touched
    // The hidden aliases of verbs are what containerlab calls them.
    #[command(alias = "deploy")]
    Up(UpArgs),
    /// Remove a lab: its VMs, wire and networks; the disks are kept for the next `up`
    #[command(alias = "destroy")]
    Down(DownArgs),
    /// Start nodes that exist
    Start(power::StartArgs),
    /// Shut nodes down
    Stop(power::StopArgs),
    /// Shut nodes down and start them again
    Restart(power::RestartArgs),
    /// Hold nodes as they are: their CPUs stand still, and their memory stays
    #[command(alias = "pause")]
    Suspend(power::HoldArgs),
    /// Let nodes that are held go on
    #[command(alias = "unpause")]
    Resume(power::HoldArgs),
    /// Limit what nodes that run take of the host's CPUs, until they are off
    CpuLimit(power::CpuLimitArgs),
    /// List nodes and their state
    #[command(alias = "inspect")]
    Ps(PsArgs),
    /// List links with the ports and state of both ends
    Links(LinksArgs),
    /// Impair, cut, move or probe a link while the lab runs
    #[command(subcommand, arg_required_else_help = true)]
    Link(wire::LinkCommand),
    /// Show or write the frames of a link, a segment or an interface
    Capture(capture::CaptureArgs),
    /// Show the links of running labs in Wireshark
    #[command(subcommand, arg_required_else_help = true)]
    Extcap(capture::ExtcapCommand),
    /// Open a node's serial console; Ctrl-] leaves
    Console(ConsoleArgs),
    /// Log in to a node over SSH, or run a command there
    Ssh(SshArgs),
    /// Look whether a running lab is as its checks say
    Test(TestArgs),
    /// Run a command in nodes and show what each says
    Exec(access::ExecArgs),
    /// Print or write a configuration for OpenSSH, so that `ssh NODE` works
    SshConfig(access::SshConfigArgs),
    /// Print lines for /etc/hosts
    Hosts(access::HostsArgs),
    /// List a lab's nodes for Ansible, Nornir, pyATS or containerlab's tools
    Inventory(access::InventoryArgs),
    /// Save running configurations into the lab's folder
    Save(SaveArgs),
    /// Type first configurations on consoles, where no medium brings them
    Provision(ProvisionArgs),
    /// List the kinds of nodes, or show one
    Kinds(KindsArgs),
    /// Manage disk images
    #[command(subcommand, arg_required_else_help = true)]
    Image(ImageCommand),
    /// Say what this host lacks, and the command that mends it
    Doctor,
    /// Explain a code of an error, warning or doctor's check
    Explain(ExplainArgs),
    /// Show a node's first configuration, as it goes onto its day-0 medium
    Config(ConfigArgs),
    /// Show the domain XML that would be defined for a node
    Xml(XmlArgs),
    /// The data plane by itself
    #[command(subcommand, arg_required_else_help = true)]
    Wire(wire::WireCommand),
    /// Print the JSON schema of lab files, for editors
    Schema,
    /// Print a shell's completion script
    #[command(after_help = "\
Bash:  source <(vnflab completions bash)
Zsh:   source <(vnflab completions zsh)
Fish:  vnflab completions fish | source")]
    Completions(CompletionsArgs),
    /// Write the pages of docs/ that are made from what the program knows
    #[command(hide = true)]
    Docs(DocsArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Lab file or folder
    #[arg(default_value = ".", hide_default_value = true, value_hint = ValueHint::AnyPath)]
    pub(crate) lab: PathBuf,
    #[command(flatten)]
    pub(crate) variation: VariationArgs,
}

/// How a lab is varied without touching its file.
#[derive(Debug, Args)]
pub(crate) struct VariationArgs {
    /// Boot this kind's image in place of every image that is missing
    #[arg(long, value_name = "KIND", add = ArgValueCompleter::new(complete::stand_ins))]
    pub(crate) stand_in: Option<String>,
    /// Let all consoles listen on this address; 0.0.0.0 opens them to everybody, without a password
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) console_address: Option<IpAddr>,
    /// Send all frames through the lab's wire, whatever its file says; fixed ports are kept
    #[arg(long)]
    pub(crate) wire: bool,
    /// Send all frames from QEMU to QEMU, whatever the lab's file says
    #[arg(long, conflicts_with = "wire")]
    pub(crate) direct: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SelectionArgs {
    /// Lab file or folder, then nodes; a first argument that is no path is a node already
    #[arg(
        value_name = "LAB|NODE",
        value_hint = ValueHint::AnyPath,
        add = ArgValueCompleter::new(complete::nodes)
    )]
    pub(crate) lab_and_nodes: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) variation: VariationArgs,
    /// Make the nodes anew from their images: what is on their disks is lost
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) variation: VariationArgs,
    /// Wait until every node says that it is ready
    #[arg(long)]
    pub(crate) wait: bool,
    /// Make the nodes anew from their images: what is on their disks is lost
    #[arg(long)]
    pub(crate) replace: bool,
    /// Most nodes that boot at one time [default: that of the lab file, else what the host bears]
    #[arg(long, value_name = "N")]
    pub(crate) batch: Option<NonZeroU32>,
    /// Most steps at one time
    #[arg(long, value_name = "N")]
    pub(crate) parallel: Option<NonZeroUsize>,
    /// Leave configurations that are typed on consoles to `vnflab provision`
    #[arg(long)]
    pub(crate) no_provision: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DownArgs {
    /// Lab file or folder, there or gone, or the name of a running lab
    #[arg(value_hint = ValueHint::AnyPath, conflicts_with = "name")]
    pub(crate) lab: Option<PathBuf>,
    /// The lab's name, also where a file or folder is called the same
    #[arg(long = "lab", id = "name", value_name = "NAME", add = ArgValueCompleter::new(complete::labs))]
    pub(crate) name: Option<String>,
    /// Delete the nodes' disks too, with everything that was saved on them
    // The hidden alias is what containerlab calls it.
    #[arg(long, alias = "cleanup")]
    pub(crate) purge: bool,
    /// Keep the nodes' disks, as it is done anyhow
    #[arg(long, hide = true, conflicts_with = "purge")]
    pub(crate) keep_disks: bool,
    /// Most steps at one time
    #[arg(long, value_name = "N")]
    pub(crate) parallel: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
pub(crate) struct ScopeArgs {
    /// Only this lab [default: the lab of the current folder, else all]
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(complete::labs))]
    pub(crate) lab: Option<String>,
    /// All labs, wherever one stands
    #[arg(long, conflicts_with = "lab")]
    pub(crate) all: bool,
    /// Show it again and again, until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LinksArgs {
    #[command(flatten)]
    pub(crate) scope: ScopeArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
With input from a pipe, each line is typed with Enter at its end, and the session ends when the
input is over and the guest has been silent for a second:

    printf 'show version\\n' | vnflab console r1")]
pub(crate) struct ConsoleArgs {
    /// The node, or NODE:PART where it is several VMs
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) node: String,
    /// Print everything that was recorded since the node started, and leave
    #[arg(long, conflicts_with_all = ["view", "time"])]
    pub(crate) log: bool,
    /// Watch without typing, beside whoever is on the console; Ctrl-] or Ctrl-C leaves
    #[arg(long)]
    pub(crate) view: bool,
    /// Leave after this time, such as `5s`, `500ms` or `2m`
    #[arg(long = "for", id = "time", value_name = "TIME", value_parser = parse_time)]
    pub(crate) time: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct SshArgs {
    /// The node
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) node: String,
    /// User to log in as [default: that of the kind]
    #[arg(long, short, value_name = "USER")]
    pub(crate) login: Option<String>,
    /// By its IPv6 address
    #[arg(long = "ipv6", short = '6')]
    pub(crate) over_ipv6: bool,
    /// Command to run there, with its options
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What is checked stands in the lab file, under `checks`: docs/checks.md shows all of it. What a check
has changed is put back when it ends, and on Ctrl-C.

    vnflab up --wait && vnflab test --wait 60s --junit report.xml")]
pub(crate) struct TestArgs {
    /// Lab file or folder, then checks; a first argument that is no path is a check already
    #[arg(value_name = "LAB|CHECK", value_hint = ValueHint::AnyPath)]
    pub(crate) lab_and_checks: Vec<String>,
    /// How long each look is tried until it holds, such as `60s`; steps behind a change have
    /// their own `within` alone [default: once, or the check's own `within`]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) wait: Option<Duration>,
    /// Write the results to this file as JUnit's XML, for CI
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) junit: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A node boots with what was saved once the lab file says so of it:

    nodes:
      r1: {kind: frr, startup-config: configs/r1.cfg}")]
pub(crate) struct SaveArgs {
    /// Lab file or folder, then nodes; a first argument that is no path is a node already
    #[arg(
        value_name = "LAB|NODE",
        value_hint = ValueHint::AnyPath,
        add = ArgValueCompleter::new(complete::nodes)
    )]
    pub(crate) lab_and_nodes: Vec<String>,
    /// Folder for the files, from the lab's own; each is called NODE.cfg
    #[arg(long, value_name = "DIR", default_value = "configs", value_hint = ValueHint::DirPath)]
    pub(crate) to: PathBuf,
    /// Say what would be saved, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Show what differs from the files that are there
    #[arg(long)]
    pub(crate) diff: bool,
    /// Ask on the serial console, also where SSH would do
    #[arg(long)]
    pub(crate) console: bool,
    /// How long a node may take to answer, such as `30s` [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct ProvisionArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) variation: VariationArgs,
    /// Also where all of it was typed before
    #[arg(long)]
    pub(crate) again: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct KindsArgs {
    /// A kind or one of its aliases
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(complete::kinds))]
    pub(crate) name: Option<String>,
    /// Print the JSON schema of kind files
    #[arg(long, conflicts_with = "name")]
    pub(crate) schema: bool,
    /// What to do instead
    #[command(subcommand)]
    pub(crate) command: Option<KindsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KindsCommand {
    /// Tell every mistake of a kind's file at once, and try to make a machine of it
    Check(KindsCheckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KindsCheckArgs {
    /// The file of a kind
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Print the domain XML that a node of the kind would have
    #[arg(long)]
    pub(crate) xml: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// List the images of the store
    Ls,
    /// Copy an image into the store; the file itself stays as it is
    Add(ImageAddArgs),
    /// Remove images that no node uses
    Rm(ImageNamesArgs),
    /// Build one of our own images
    Build(ImageBuildArgs),
    /// Compare images with their checksums
    Verify(ImageVerifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ImageAddArgs {
    /// Disk image: qcow2, raw, vmdk, vdi or vhdx
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Name in the store [default: the file's own]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Kind that it is of [default: what its checksum or its file's name says]
    #[arg(long, value_name = "KIND", add = ArgValueCompleter::new(complete::kinds))]
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ImageNamesArgs {
    /// Images of the store
    #[arg(required = true, value_name = "NAME", add = ArgValueCompleter::new(complete::images))]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ImageBuildArgs {
    /// The image
    #[arg(value_name = "NAME", value_parser = ["frr", "debian"])]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct ImageVerifyArgs {
    /// Images of the store [default: all]
    #[arg(value_name = "NAME", add = ArgValueCompleter::new(complete::images))]
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A code such as L0101; without one, all are listed
    #[arg(value_name = "CODE", add = ArgValueCompleter::new(complete::codes))]
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The node
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) node: String,
    /// Lab file or folder
    #[arg(long, value_name = "LAB", default_value = ".", hide_default_value = true, value_hint = ValueHint::AnyPath)]
    pub(crate) lab: PathBuf,
    /// Write the files below this folder too
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) extract: Option<PathBuf>,
    /// Write the medium itself to this file too
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) image: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) variation: VariationArgs,
}

#[derive(Debug, Args)]
pub(crate) struct XmlArgs {
    /// The node, or NODE:PART where it is several VMs
    #[arg(value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub(crate) node: String,
    /// Lab file or folder
    #[arg(long, value_name = "LAB", default_value = ".", hide_default_value = true, value_hint = ValueHint::AnyPath)]
    pub(crate) lab: PathBuf,
    #[command(flatten)]
    pub(crate) variation: VariationArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_parser = ["bash", "zsh", "fish"])]
    pub(crate) shell: String,
}

#[derive(Debug, Args)]
pub(crate) struct DocsArgs {
    /// Folder to write to
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
}

/// The shells that completions can be made for.
pub(crate) fn shells() -> Shells<'static> {
    Shells::builtins()
}

/// Longest time that can be asked for: a day. More would be a slip of the unit.
const TIME_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `500ms`, `5s` (or `5`), `2m`.
fn parse_time(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number
        .parse()
        .map_err(|_| "expected a time such as `5s`, `500ms` or `2m`".to_owned())?;
    let time = match unit {
        "ms" => Duration::from_millis(number),
        "s" | "" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => return Err(format!("unknown unit `{unit}`: expected `ms`, `s` or `m`")),
    };
    if time > TIME_LIMIT {
        return Err("at most 24 hours".to_owned());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_over_ssh_keeps_its_options_with_and_without_dashes() {
        let parse = |line: &str| {
            let all = ["vnflab", "ssh"].into_iter().chain(line.split(' '));
            match Cli::try_parse_from(all).unwrap().command {
                Command::Ssh(arguments) => (arguments.login, arguments.command.join(" ")),
                other => panic!("{other:?}"),
            }
        };
        let me = || Some("me".to_owned());
        assert_eq!(parse("r1 ls -l --json"), (None, "ls -l --json".to_owned()));
        assert_eq!(parse("r1 -- ls -l"), (None, "ls -l".to_owned()));
        assert_eq!(parse("r1 -l me ls -l"), (me(), "ls -l".to_owned()));
        assert_eq!(parse("-l me r1"), (me(), String::new()));
    }

    #[test]
    fn verbs_of_containerlab_are_understood() {
        for (theirs, ours) in [("deploy", "up"), ("destroy", "down"), ("inspect", "ps")] {
            let command = Cli::command();
            let found = command.find_subcommand(theirs).unwrap();
            assert_eq!(found.get_name(), ours);
            assert_eq!(found.get_visible_aliases().count(), 0);
        }
    }

    #[test]
    fn times_have_a_unit_and_a_limit() {
        assert_eq!(parse_time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_time("5"), Ok(Duration::from_secs(5)));
        assert_eq!(parse_time("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "s", "5h", "-1s", "1441m", "99999999999999999999s"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
