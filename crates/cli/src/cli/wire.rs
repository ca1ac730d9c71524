//! What can be asked of links and of the wire itself.

use super::impairment::ImpairmentArgs;
use crate::complete;
use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCompleter;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// A link of a running lab.
#[derive(Debug, Args)]
pub(crate) struct LinkArgs {
    /// The link: one of its ends (`r1:eth1`), both (`r1:eth1--r2:eth1`), or a segment's name
    #[arg(value_name = "LINK", add = ArgValueCompleter::new(complete::links))]
    pub(crate) link: String,
    #[command(flatten)]
    pub(crate) lab: LinkLabArgs,
}

/// Which lab a link is of.
#[derive(Debug, Args)]
pub(crate) struct LinkLabArgs {
    /// The lab [default: that of the current folder, else the only one with a wire]
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(complete::labs))]
    pub(crate) lab: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LinkCommand {
    /// Impair frames: delay, loss, rate and so on; what was set before stays
    #[command(after_help = "\
vnflab link set r1:eth1 --delay 20ms --jitter 5ms --loss 1%
vnflab link set r1:eth1 --from r1 --rate 1mbit
vnflab link set r1:eth1 --match 'ip proto 89' --loss 100%
vnflab link set r1:eth1 --profile lte")]
    Set(Box<LinkSetArgs>),
    /// Let frames pass as they are again
    Reset(LinkResetArgs),
    /// Cut a link; the guests see their carrier go
    Down(LinkStateArgs),
    /// Restore a link
    Up(LinkStateArgs),
    /// Join two interfaces that are free
    #[command(after_help = "\
An end may also lead out of the lab: `tap:NAME` (a TAP device), `host:NAME` (an interface of the
host), `udp:ADDRESS:PORT` (a tunnel to another host).")]
    Connect(LinkConnectArgs),
    /// Take a link away; the interfaces are free then
    Disconnect(LinkArgs),
    /// Plug one end of a link into another interface
    Move(LinkMoveArgs),
    /// Plug interfaces into a segment, which is made if it is not there
    Join(LinkJoinArgs),
    /// Unplug interfaces from their segment
    Leave(LinkLeaveArgs),
    /// Prove that the ends are joined, with frames that the guests ignore
    Probe(LinkProbeArgs),
    /// Show what is asked of a link, and what it has carried
    Show(LinkArgs),
    /// Print links and segments as they are now, as a lab file has them
    Export(LinkLabArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LinkSetArgs {
    #[command(flatten)]
    pub(crate) link: LinkArgs,
    /// Only frames that this end sends: a node or NODE:INTERFACE
    #[arg(long, value_name = "END")]
    pub(crate) from: Option<String>,
    /// Only frames that match this pcap filter expression, such as `arp` or `tcp port 179`
    #[arg(long = "match", value_name = "EXPRESSION")]
    pub(crate) matches: Option<String>,
    #[command(flatten)]
    pub(crate) impairment: ImpairmentArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LinkResetArgs {
    #[command(flatten)]
    pub(crate) link: LinkArgs,
    /// Only frames that this end sends: a node or NODE:INTERFACE
    #[arg(long, value_name = "END")]
    pub(crate) from: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LinkStateArgs {
    #[command(flatten)]
    pub(crate) link: LinkArgs,
    /// Leave the guests' carriers as they are: frames vanish, nobody is told
    #[arg(long)]
    pub(crate) silent: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LinkConnectArgs {
    /// One end
    #[arg(value_name = "A", add = ArgValueCompleter::new(complete::ends))]
    pub(crate) a: String,
    /// The other end
    #[arg(value_name = "B", add = ArgValueCompleter::new(complete::ends))]
    pub(crate) b: String,
    #[command(flatten)]
    pub(crate) lab: LinkLabArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LinkMoveArgs {
    /// The end that is unplugged
    #[arg(value_name = "FROM", add = ArgValueCompleter::new(complete::ends))]
    pub(crate) from: String,
    /// The end that is plugged in its place
    #[arg(value_name = "TO", add = ArgValueCompleter::new(complete::ends))]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) lab: LinkLabArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LinkJoinArgs {
    /// The segment
    #[arg(value_name = "SEGMENT")]
    pub(crate) segment: String,
    /// Whom to plug in
    #[arg(required = true, value_name = "END", add = ArgValueCompleter::new(complete::ends))]
    pub(crate) ends: Vec<String>,
    /// A new segment gives every frame to everybody instead of learning
    #[arg(long)]
    pub(crate) hub: bool,
    #[command(flatten)]
    pub(crate) lab: LinkLabArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LinkLeaveArgs {
    /// Whom to unplug
    #[arg(required = true, value_name = "END", add = ArgValueCompleter::new(complete::ends))]
    pub(crate) ends: Vec<String>,
    #[command(flatten)]
    pub(crate) lab: LinkLabArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LinkProbeArgs {
    #[command(flatten)]
    pub(crate) link: LinkArgs,
    /// Frames for each direction
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) count: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WireCommand {
    /// Join two UDP ends in the foreground, without any lab, until Ctrl-C
    #[command(after_help = "\
vnflab wire relay 127.0.0.1:31001=127.0.0.1:30001 127.0.0.1:31002=127.0.0.1:30002 --delay 10ms")]
    Relay(Box<RelayArgs>),
    /// Keep a wire running (started by `up`)
    #[command(hide = true)]
    Serve(WireFolderArgs),
    /// Be a wire (started by `wire serve`)
    #[command(hide = true)]
    Work(WireFolderArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RelayArgs {
    /// One end: where it is bound and where its frames come from and go to
    #[arg(value_name = "LOCAL=REMOTE")]
    pub(crate) a: RelayEnd,
    /// The other end
    #[arg(value_name = "LOCAL=REMOTE")]
    pub(crate) b: RelayEnd,
    /// What all chance follows from
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Stay awake so long after each frame, in microseconds, while nobody else wants the CPU
    #[arg(long, value_name = "US", default_value_t = vnflab_wire::shard::Spin::QUICK_US)]
    pub(crate) spin_us: u32,
    #[command(flatten)]
    pub(crate) impairment: ImpairmentArgs,
}

/// One end of a relay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RelayEnd {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

impl FromStr for RelayEnd {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "expected LOCAL=REMOTE, such as 127.0.0.1:31001=127.0.0.1:30001".to_owned();
        let (local, remote) = text.split_once('=').ok_or_else(form)?;
        let local: SocketAddr = local.parse().map_err(|_| form())?;
        let remote: SocketAddr = remote.parse().map_err(|_| form())?;
        if !local.ip().is_loopback() {
            return Err(format!(
                "{local} is not a loopback address, where it would be safe"
            ));
        }
        Ok(Self { local, remote })
    }
}

#[derive(Debug, Args)]
pub(crate) struct WireFolderArgs {
    /// The wire's folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}
