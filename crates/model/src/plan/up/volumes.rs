//! The volumes of a node: what is there and right is kept.

use super::node::{REPLACED, World};
use super::{Renewal, Seen};
use crate::blueprint::{Drive, DriveContent, NodeBlueprint};
use crate::plan::{Action, Plan, StepId, Subject};
use std::collections::BTreeSet;

/// The unit of a disk's size.
const SECTOR_BYTES: u64 = 512;

/// The volumes of a node. A medium is written again unless the domain that was defined after it
/// says that it is complete: an upload that was broken off leaves a volume with half its bytes.
pub(super) fn plan_volumes(
    plan: &mut Plan,
    subject: &Subject,
    node: &NodeBlueprint,
    was: Option<&NodeBlueprint>,
    world: &World<'_>,
    reason: &str,
    after: &[StepId],
) -> Vec<StepId> {
    let seen = world.seen;
    let is_replaced = world.renewal == Renewal::Always;
    let mut steps = Vec::new();
    for drive in &node.drives {
        match &drive.content {
            DriveContent::Overlay {
                volume,
                image_path,
                image_format,
                size_bytes,
            } => {
                let wrong = match seen.volumes.get(volume) {
                    None => None,
                    Some(_) if is_replaced => Some(REPLACED),
                    Some(there) if there.backing_path.as_deref() != Some(image_path) => {
                        Some("lies on another image")
                    }
                    // An image that was replaced in its place: what the disk holds are the
                    // differences from one that is gone.
                    Some(there) if !same_capacity(there.capacity_bytes, *size_bytes) => {
                        Some("its image has another size now")
                    }
                    Some(_) => continue,
                };
                let mut wait = after.to_vec();
                if let Some(wrong) = wrong {
                    let action = Action::DeleteVolume {
                        volume: volume.clone(),
                    };
                    wait.push(plan.push(subject, action, wrong, after));
                }
                let action = Action::CreateOverlay {
                    volume: volume.clone(),
                    image_path: image_path.clone(),
                    image_format: image_format.clone(),
                    size_bytes: *size_bytes,
                };
                steps.push(plan.push(subject, action, reason, &wait));
            }
            DriveContent::Empty { volume, size_bytes } => {
                let is_there = seen.volumes.contains_key(volume);
                if is_there && !is_replaced {
                    continue;
                }
                let mut wait = after.to_vec();
                if is_there {
                    let action = Action::DeleteVolume {
                        volume: volume.clone(),
                    };
                    wait.push(plan.push(subject, action, REPLACED, after));
                }
                let action = Action::CreateDisk {
                    volume: volume.clone(),
                    size_bytes: *size_bytes,
                };
                steps.push(plan.push(subject, action, reason, &wait));
            }
            DriveContent::Media { volume, .. } => {
                if !is_complete(drive, was, seen) {
                    let action = Action::WriteMedia {
                        volume: volume.clone(),
                    };
                    steps.push(plan.push(subject, action, reason, after));
                }
            }
            DriveContent::HostIso { .. } => {}
        }
    }
    let wanted: BTreeSet<&str> = node.drives.iter().filter_map(Drive::volume).collect();
    let dropped = was
        .into_iter()
        .flat_map(|was| &was.drives)
        .filter_map(Drive::volume);
    for volume in dropped.filter(|volume| !wanted.contains(volume)) {
        if seen.volumes.contains_key(volume) {
            let action = Action::DeleteVolume {
                volume: volume.to_owned(),
            };
            steps.push(plan.push(subject, action, "the node no longer has it", after));
        }
    }
    steps
}

/// Whether a disk that was made with a size has it: qcow2 rounds up to whole sectors.
fn same_capacity(capacity_bytes: u64, wanted_bytes: u64) -> bool {
    capacity_bytes.div_ceil(SECTOR_BYTES) == wanted_bytes.div_ceil(SECTOR_BYTES)
}

/// Whether a medium is there and the domain's record vouches for its content.
pub(super) fn is_complete(drive: &Drive, was: Option<&NodeBlueprint>, seen: &Seen<'_>) -> bool {
    let there = drive
        .volume()
        .is_some_and(|volume| seen.volumes.contains_key(volume));
    let vouched = was.is_some_and(|was| {
        let mut drives = was.drives.iter();
        drives.any(|old| old.content.is_same_as(&drive.content))
    });
    there && vouched
}
