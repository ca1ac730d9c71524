//! The lab's wire: an end for every interface that is on it, a junction for every link and
//! segment.

use crate::blueprint::{
    Attachment, Junction, JunctionKind, JunctionState, NodeBlueprint, WireBlueprint, WireEnd,
    link_name,
};
use crate::hash;
use crate::lab::{Lab, Member};
use crate::spec::Transport;

/// The wire; `None` where no interface is on it.
pub(super) fn allocate(lab: &Lab, nodes: &[NodeBlueprint]) -> Option<WireBlueprint> {
    let name = lab.name.as_str();
    let mut wire = WireBlueprint::new(name, hash::spread(&["seed", name]));
    for node in nodes {
        for nic in node.data_nics() {
            let (Some(local), Attachment::Tunnel { local: remote, .. }) =
                (node.wire_end(nic), &nic.attachment)
            else {
                continue;
            };
            let remote = *remote;
            let end = WireEnd::Tunnel { local, remote };
            wire.ends.insert(node.end_name(nic), end);
        }
    }
    for link in lab
        .links
        .iter()
        .filter(|link| link.transport == Transport::Wire)
    {
        let members = link.ends.map(|end| lab.end_name(end));
        let junction = Junction {
            kind: JunctionKind::Link,
            members: members.to_vec(),
            state: JunctionState::Up,
        };
        wire.junctions.insert(link_name(members), junction);
    }
    for segment in &lab.segments {
        for member in &segment.members {
            if let Member::Outside { name, end } = member {
                wire.ends.insert(name.clone(), end.clone());
            }
        }
        let junction = Junction {
            kind: segment.kind,
            members: segment
                .members
                .iter()
                .map(|member| lab.member_name(member))
                .collect(),
            state: JunctionState::Up,
        };
        wire.junctions.insert(segment.name.clone(), junction);
    }
    (!wire.ends.is_empty()).then_some(wire)
}
