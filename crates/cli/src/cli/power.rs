//! What can be asked of the power of nodes that exist.

use super::parse_time;
use crate::complete;
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use std::num::NonZeroU32;
use std::time::Duration;

/// Which nodes.
#[derive(Debug, Args)]
pub(crate) struct NodesArgs {
    /// Nodes
    #[arg(
        required_unless_present = "all",
        conflicts_with = "all",
        value_name = "NODE",
        add = ArgValueCompleter::new(complete::nodes)
    )]
    pub(crate) nodes: Vec<String>,
    /// All nodes of the lab
    #[arg(long)]
    pub(crate) all: bool,
    /// The lab whose nodes `--all` means [default: the lab of the current folder]
    #[arg(long, value_name = "NAME", requires = "all", add = ArgValueCompleter::new(complete::labs))]
    pub(crate) lab: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) nodes: NodesArgs,
    /// Most nodes that boot at one time [default: what the host bears]
    #[arg(long, value_name = "N")]
    pub(crate) batch: Option<NonZeroU32>,
}

#[derive(Debug, Args)]
pub(crate) struct RestartArgs {
    #[command(flatten)]
    pub(crate) stop: StopArgs,
    /// Most nodes that boot at one time [default: what the host bears]
    #[arg(long, value_name = "N")]
    pub(crate) batch: Option<NonZeroU32>,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    #[command(flatten)]
    pub(crate) nodes: NodesArgs,
    /// Take the power away instead of asking the guest
    #[arg(long)]
    pub(crate) hard: bool,
    /// How long a guest may take before it loses its power, such as `30s` or `5m` [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "hard")]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    pub(crate) nodes: NodesArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each virtual CPU of a node may take so much of a CPU of the host, and QEMU as much beside them.
`cpu-limit` in the lab file does it at every start, once the node is ready:

    vnflab cpu-limit 30 r1 r2
    vnflab cpu-limit off --all")]
pub(crate) struct CpuLimitArgs {
    /// Percent of a CPU of the host for each virtual CPU, from 1 to 100, or `off`
    #[arg(value_name = "PERCENT|off", value_parser = parse_cpu_limit)]
    pub(crate) limit: CpuLimit,
    #[command(flatten)]
    pub(crate) nodes: NodesArgs,
}

/// A limit that can be asked for; `None` lifts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CpuLimit(pub(crate) Option<u32>);

/// Reads `30`, `30%` or `off`.
fn parse_cpu_limit(text: &str) -> Result<CpuLimit, String> {
    if text == "off" {
        return Ok(CpuLimit(None));
    }
    let number = text.strip_suffix('%').unwrap_or(text);
    match number.parse() {
        Ok(percent @ 1..=100) => Ok(CpuLimit(Some(percent))),
        _ => Err("expected a percentage from 1 to 100, or `off`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_limit_is_a_percentage_or_off() {
        assert_eq!(parse_cpu_limit("30"), Ok(CpuLimit(Some(30))));
        assert_eq!(parse_cpu_limit("100%"), Ok(CpuLimit(Some(100))));
        assert_eq!(parse_cpu_limit("off"), Ok(CpuLimit(None)));
        for bad in ["", "0", "101", "-1", "0.5", "%", "r1"] {
            assert!(parse_cpu_limit(bad).is_err(), "{bad}");
        }
    }
}
