//! The lab's wire: an end for every interface that is on it, a junction for every link and
//! segment.

use super::AllocateError;
use crate::blueprint::{
    Attachment, Junction, JunctionKind, NodeBlueprint, WireBlueprint, WireEnd, link_name,
};
use crate::facts::{Facts, FileFact};
use crate::hash;
use crate::lab::{Asked, Lab, Member};
use crate::spec::Transport;
use std::collections::BTreeMap;
use vnflab_impairment::{Action, Impairment};

/// The wire; `None` where no interface is on it.
///
/// # Errors
///
/// When a file that an impairment names cannot be used, which the checks tell beforehand.
pub(super) fn allocate<'b>(
    lab: &Lab,
    vms: impl Iterator<Item = &'b NodeBlueprint>,
    facts: &Facts,
) -> Result<Option<WireBlueprint>, AllocateError> {
    let name = lab.name.as_str();
    let seed = lab.seed.unwrap_or_else(|| hash::spread(&["seed", name]));
    let mut wire = WireBlueprint::new(name, seed);
    wire.metrics.clone_from(&lab.wire.metrics);
    for node in vms {
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
    let on_wire = |transport| transport == Transport::Wire;
    for link in lab.links.iter().filter(|link| on_wire(link.transport)) {
        let members = link.ends.map(|end| lab.end_name(end));
        let junction = junction(JunctionKind::Link, members.to_vec(), &link.asked, facts)?;
        wire.junctions.insert(link_name(members), junction);
    }
    for segment in &lab.segments {
        for member in &segment.members {
            if let Member::Outside { name, end } = member {
                wire.ends.insert(name.clone(), end.clone());
            }
        }
        let members = segment.members.iter();
        let members = members.map(|member| lab.member_name(member)).collect();
        let junction = junction(segment.kind, members, &segment.asked, facts)?;
        wire.junctions.insert(segment.name.clone(), junction);
    }
    Ok((!wire.ends.is_empty()).then_some(wire))
}

fn junction(
    kind: JunctionKind,
    members: Vec<String>,
    asked: &Asked,
    facts: &Facts,
) -> Result<Junction, AllocateError> {
    let mut impairments = BTreeMap::new();
    for (member, impairment) in members.iter().zip(&asked.impairments) {
        if *impairment != Impairment::default() {
            let mut impairment = impairment.clone();
            attach_files(&mut impairment, facts)?;
            impairments.insert(member.clone(), impairment);
        }
    }
    Ok(Junction {
        kind,
        members,
        state: asked.state,
        impairments,
    })
}

/// Gives all settings the contents of the files that they name.
fn attach_files(impairment: &mut Impairment, facts: &Facts) -> Result<(), AllocateError> {
    let rules = impairment.rules.iter_mut().map(|rule| &mut rule.settings);
    let states = impairment
        .markov
        .iter_mut()
        .flat_map(|chain| &mut chain.states);
    let states = states.map(|state| &mut state.settings);
    let changes = impairment.schedule.iter_mut();
    let changes = changes.filter_map(|change| match &mut change.action {
        Action::Set(settings) => Some(&mut **settings),
        Action::Reset | Action::Down | Action::Up => None,
    });
    let lane = std::iter::once(&mut impairment.settings);
    for settings in lane.chain(rules).chain(states).chain(changes) {
        let files = settings.files().into_iter();
        let files: Vec<_> = files.map(|(key, path)| (key, path.to_owned())).collect();
        for (key, path) in files {
            let content = match facts.files.get(&path) {
                Some(FileFact::Present {
                    content: Some(content),
                    ..
                }) => std::str::from_utf8(content).ok(),
                _ => None,
            };
            let attached = content.and_then(|content| settings.attach(key, content).ok());
            if attached.is_none() {
                return Err(AllocateError::ImpairmentFile { path });
            }
        }
    }
    Ok(())
}
