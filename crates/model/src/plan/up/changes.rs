//! What differs between the record of a node and its blueprint, in words.

use crate::blueprint::{Drive, DriveContent, Nic, NodeBlueprint};

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
        if was.drives.get(index) != Some(drive) {
            changes.push(drive_change(drive).to_owned());
        }
    }
    if was.drives.len() > shall.drives.len() {
        changes.push("a drive is gone".to_owned());
    }
    if changes.is_empty() && was != shall {
        // Facts that have no words of their own, such as SMBIOS fields of the kind.
        changes.push("facts of its kind changed".to_owned());
    }
    changes
}

fn nic_change(was: &Nic, shall: &Nic) -> String {
    let unlinked = "nothing".to_owned();
    let name = &shall.name;
    if was.peer != shall.peer {
        let old = was.peer.as_ref().unwrap_or(&unlinked);
        let new = shall.peer.as_ref().unwrap_or(&unlinked);
        return format!("{name} to {old} → {new}");
    }
    if was.addresses != shall.addresses {
        return format!("addresses of {name}");
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
