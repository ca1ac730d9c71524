//! What differs between the record of a node and its blueprint, in words.

use crate::blueprint::{Carrier, Drive, DriveContent, Nic, NodeBlueprint};

/// What differs, each in a few words; empty when nothing does.
pub(super) fn changes(was: &NodeBlueprint, shall: &NodeBlueprint) -> Vec<String> {
    let mut changes = Vec::new();
    let mut compare = |what: &str, old: String, new: String| {
        if old != new {
            changes.push(format!("{what} {old} → {new}"));
        }
    };
    compare("kind", was.kind.clone(), shall.kind.clone());
    compare("guest", was.guest.clone(), shall.guest.clone());
    compare(
        "memory",
        format!("{} MiB", was.machine.memory_mib),
        format!("{} MiB", shall.machine.memory_mib),
    );
    compare(
        "CPUs",
        was.machine.cpus.to_string(),
        shall.machine.cpus.to_string(),
    );
    let limit = |node: &NodeBlueprint| match node.cpu_limit_percent {
        Some(percent) => format!("{percent} %"),
        None => "none".to_owned(),
    };
    compare("CPU limit", limit(was), limit(shall));
    compare(
        "accelerator",
        was.accelerator.word().to_owned(),
        shall.accelerator.word().to_owned(),
    );
    compare(
        "console",
        was.console.listen.to_string(),
        shall.console.listen.to_string(),
    );
    compare(
        "interfaces",
        was.nics.len().to_string(),
        shall.nics.len().to_string(),
    );
    for (old, new) in was.nics.iter().zip(&shall.nics) {
        if old != new {
            changes.push(nic_change(old, new));
        }
    }
    for (index, drive) in shall.drives.iter().enumerate() {
        if !was.drives.get(index).is_some_and(|old| is_kept(old, drive)) {
            changes.push(drive_change(drive).to_owned());
        }
    }
    if was.drives.len() > shall.drives.len() {
        changes.push("a drive is gone".to_owned());
    }
    // Drives were compared by what matters of them.
    let without_drives = |node: &NodeBlueprint| NodeBlueprint {
        drives: Vec::new(),
        ..node.clone()
    };
    if changes.is_empty() && without_drives(was) != without_drives(shall) {
        // Facts that have no words of their own, such as SMBIOS fields of the kind.
        changes.push("facts of its kind changed".to_owned());
    }
    changes
}

/// What a record says once a node has everything that a VM takes while it runs: what the wire's
/// ends of its interfaces are joined to.
///
/// Addresses go with the link that they belong to. Those that change while the link stays are
/// the user's wish, and not settled by this.
pub(super) fn settled(was: &NodeBlueprint, shall: &NodeBlueprint) -> NodeBlueprint {
    let mut settled = was.clone();
    settled.carrier = shall.carrier;
    settled.after.clone_from(&shall.after);
    settled.ready.clone_from(&shall.ready);
    settled.cpu_limit_percent = shall.cpu_limit_percent;
    for (old, new) in settled.nics.iter_mut().zip(&shall.nics) {
        let stays = old.attachment == new.attachment && shall.wire_end(new).is_some();
        if !stays {
            continue;
        }
        old.carrier = new.carrier;
        if (&old.peer, &old.segment) != (&new.peer, &new.segment) {
            old.peer.clone_from(&new.peer);
            old.segment.clone_from(&new.segment);
            old.addresses.clone_from(&new.addresses);
            old.mtu = new.mtu;
        }
    }
    settled
}

/// What the interfaces of a node are linked to now that they were not, each in a few words.
pub(super) fn link_changes(was: &NodeBlueprint, settled: &NodeBlueprint) -> Vec<String> {
    let pairs = was.nics.iter().zip(&settled.nics);
    pairs
        .filter(|(old, new)| old != new)
        .map(|(old, new)| nic_change(old, new))
        .collect()
}

/// Whether a drive can stay in a VM that runs. A medium that differs in what it says of links
/// alone can: the guest read it when it booted.
fn is_kept(old: &Drive, new: &Drive) -> bool {
    let by_links = match (&old.content, &new.content) {
        (
            DriveContent::Media {
                volume: old_volume,
                digest_without_links: Some(old),
                ..
            },
            DriveContent::Media {
                volume,
                digest_without_links: Some(new),
                ..
            },
        ) => old_volume == volume && old == new,
        _ => false,
    };
    old.bus == new.bus && (old.content.is_same_as(&new.content) || by_links)
}

fn nic_change(was: &Nic, shall: &Nic) -> String {
    let name = &shall.name;
    let joined = |nic: &Nic| nic.joined_to().unwrap_or_else(|| "nothing".to_owned());
    if joined(was) != joined(shall) {
        return format!("{name} to {} → {}", joined(was), joined(shall));
    }
    if was.addresses != shall.addresses {
        return format!("addresses of {name}");
    }
    if was.carrier != shall.carrier {
        let carrier = match shall.carrier {
            Carrier::Up => "up",
            Carrier::Down => "down",
        };
        return format!("{name} {carrier}");
    }
    if was.mac != shall.mac {
        return format!("MAC address of {name}");
    }
    if was.attachment != shall.attachment {
        return format!("attachment of {name}");
    }
    format!("{name} changed")
}

fn drive_change(drive: &Drive) -> &'static str {
    match drive.content {
        DriveContent::Overlay { .. } => "image changed",
        DriveContent::Empty { .. } => "an extra disk changed",
        DriveContent::Media { .. } => "day-0 configuration changed",
        DriveContent::HostIso { .. } => "CD-ROM changed",
    }
}
