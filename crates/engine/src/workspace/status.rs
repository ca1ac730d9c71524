//! How nodes are, told from libvirt alone.

use crate::driver::{Driver, DriverError};
use std::time::Duration;
use vnflab_model::blueprint::NodeBlueprint;
use vnflab_model::observed::{DomainState, Observed, ObservedDomain};
use vnflab_model::typing::Typing;

/// How a node is.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeStatus {
    /// What it was made from.
    pub blueprint: NodeBlueprint,
    /// The file or folder that its lab came from.
    pub source: String,
    /// Whether it runs.
    pub state: DomainState,
    /// Percent of a CPU of the host that each virtual CPU may take now; `None` for no limit.
    pub cpu_limit_percent: Option<u32>,
    /// How far the typing on its console is; `None` where nothing was typed.
    pub typing: Option<Typing>,
    /// Time since its start, where it can be known.
    pub uptime: Option<Duration>,
    /// Memory that its QEMU takes up, in MiB, where it can be known.
    pub resident_mib: Option<u64>,
}

pub(super) fn nodes(
    driver: &dyn Driver,
    observed: &Observed,
    lab: Option<&str>,
) -> Result<Vec<NodeStatus>, DriverError> {
    let mut nodes = Vec::new();
    for domain in of(observed, lab) {
        let usage = match domain.state {
            DomainState::Off | DomainState::Crashed => None,
            DomainState::Running | DomainState::Paused => driver.domain_usage(&domain.name)?,
        };
        nodes.push(NodeStatus {
            blueprint: domain.record.blueprint.clone(),
            source: domain.record.source.clone(),
            state: domain.state,
            cpu_limit_percent: domain.cpu_limit_percent,
            typing: domain.typing.clone(),
            uptime: usage.and_then(|usage| usage.uptime),
            resident_mib: usage
                .and_then(|usage| usage.resident_kib)
                .map(|kib| kib / 1024),
        });
    }
    nodes.sort_by(|a, b| order(&a.blueprint).cmp(&order(&b.blueprint)));
    Ok(nodes)
}

/// Nodes are shown lab by lab, in the order of their numbers.
fn order(node: &NodeBlueprint) -> (&str, u32) {
    (node.lab.as_str(), node.number)
}

/// The domains of a lab, or of all.
pub(super) fn of<'a>(
    observed: &'a Observed,
    lab: Option<&'a str>,
) -> impl Iterator<Item = &'a ObservedDomain> {
    let matches =
        move |domain: &&ObservedDomain| lab.is_none_or(|lab| domain.record.blueprint.lab == lab);
    observed.domains.iter().filter(matches)
}
