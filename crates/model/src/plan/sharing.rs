//! Bridges that labs share: whose VMs are on a bridge beside the lab's own.

use crate::blueprint::{Attachment, NodeBlueprint};
use crate::observed::{DomainState, Observed};

/// Another lab with a VM on a bridge that is not off; the first by the order of domains.
///
/// A bridge must not go or change under such a VM: it would lose its network without notice.
pub(super) fn other_lab_on<'a>(bridge: &str, lab: &str, observed: &'a Observed) -> Option<&'a str> {
    observed
        .domains
        .iter()
        .filter(|domain| domain.state != DomainState::Off)
        .map(|domain| &domain.record.blueprint)
        .find(|node| node.lab != lab && is_on(node, bridge))
        .map(|node| node.lab.as_str())
}

/// Whether one of a node's NICs is on a bridge.
pub(super) fn is_on(node: &NodeBlueprint, bridge: &str) -> bool {
    node.nics
        .iter()
        .any(|nic| matches!(&nic.attachment, Attachment::Bridge { bridge: used } if used == bridge))
}
