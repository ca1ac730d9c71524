//! What a machine can be asked for: the rules that hardware and interfaces of a kind keep.

use super::mistake::Mistakes;
use super::{Bus, Hardware, Interfaces, Kind, Machine, MachineSwitch};
use crate::domain_xml::nic_limit;

/// Serial ports of a PC.
const SERIAL_PORT_LIMIT: u32 = 4;

/// Most dummies of a VM: more than any VNF has, and few enough to have ports of their own.
pub(super) const DUMMY_LIMIT: u32 = 100;

/// Hex digits of an MD5 and of a SHA-256.
const DIGEST_DIGITS: [usize; 2] = [32, 64];

/// SMBIOS tables and the fields of each that libvirt writes.
const SMBIOS_FIELDS: &[(&str, &[&str])] = &[
    ("bios", &["vendor", "version", "date", "release"]),
    (
        "system",
        &[
            "manufacturer",
            "product",
            "version",
            "serial",
            "uuid",
            "sku",
            "family",
        ],
    ),
    (
        "baseBoard",
        &[
            "manufacturer",
            "product",
            "version",
            "serial",
            "asset",
            "location",
        ],
    ),
    (
        "chassis",
        &["manufacturer", "version", "serial", "asset", "sku"],
    ),
];

/// Reads switches of machine features.
pub(super) fn machine_features(
    words: Option<Vec<String>>,
    path: &str,
    mistakes: &mut Mistakes,
) -> Vec<MachineSwitch> {
    let words = words.unwrap_or_default().into_iter().enumerate();
    let switches = words.filter_map(|(index, word)| {
        let path = format!("{path}.machine-features.{index}");
        mistakes.keep(&path, MachineSwitch::parse(&word))
    });
    switches.collect()
}

/// Reads checksums of images. `path` leads to whose they are.
pub(super) fn checksums(
    texts: Option<Vec<String>>,
    path: &str,
    mistakes: &mut Mistakes,
) -> Vec<String> {
    let dot = if path.is_empty() { "" } else { "." };
    let texts = texts.unwrap_or_default();
    for (index, text) in texts.iter().enumerate() {
        if !DIGEST_DIGITS.contains(&text.len())
            || !text.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            mistakes.add(
                &format!("{path}{dot}image-checksums.{index}"),
                "an MD5 has 32 hex digits, a SHA-256 has 64".to_owned(),
            );
        }
    }
    texts
}

/// Looks a kind over: its machines, and whether all NICs have room in them.
pub(super) fn check(kind: &Kind, mistakes: &mut Mistakes) {
    machine(&kind.hardware, "hardware", mistakes);
    nics(kind, mistakes);
}

/// Looks a machine over. `path` leads to where it is written.
pub(super) fn machine(hardware: &Hardware, path: &str, mistakes: &mut Mistakes) {
    buses(hardware, path, mistakes);
    if !(1..=SERIAL_PORT_LIMIT).contains(&hardware.serial_ports) {
        mistakes.add(
            &format!("{path}.serial-ports"),
            format!(
                "{} serial ports; a PC has 1 to {SERIAL_PORT_LIMIT}, the first is the console",
                hardware.serial_ports
            ),
        );
    }
    for (index, feature) in hardware.cpu_features.iter().enumerate() {
        let name = feature.trim_start_matches(['+', '-']);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || feature.len() > name.len() + 1 || !name.bytes().all(plain) {
            mistakes.add(
                &format!("{path}.cpu-features.{index}"),
                format!("`{feature}` is not `+` or `-` and the name of a CPU feature"),
            );
        }
    }
    for (index, disk) in hardware.extra_disks.iter().enumerate() {
        if disk.size_mib == 0 {
            mistakes.add(
                &format!("{path}.extra-disks.{index}.size-mib"),
                "a disk has a size",
            );
        }
    }
    if let Some(percent) = hardware.cpu_limit_percent
        && !(1..=100).contains(&percent)
    {
        mistakes.add(
            &format!("{path}.cpu-limit-percent"),
            format!("{percent} is not a percentage from 1 to 100"),
        );
    }
    smbios(hardware, path, mistakes);
}

fn buses(hardware: &Hardware, path: &str, mistakes: &mut Mistakes) {
    if hardware.machine != Machine::Q35 {
        return;
    }
    let extra = hardware.extra_disks.iter().enumerate();
    let extra = extra.map(|(index, disk)| (format!("extra-disks.{index}.bus"), disk.bus));
    let buses = [
        ("disk-bus".to_owned(), hardware.disk_bus),
        ("cdrom-bus".to_owned(), hardware.cdrom_bus),
    ];
    for (key, _) in buses
        .into_iter()
        .chain(extra)
        .filter(|(_, bus)| *bus == Bus::Ide)
    {
        mistakes.advise(
            &format!("{path}.{key}"),
            "the machine `q35` has no IDE",
            format!("write `{}: sata`", key.rsplit('.').next().unwrap_or(&key)),
        );
    }
}

fn smbios(hardware: &Hardware, path: &str, mistakes: &mut Mistakes) {
    for field in &hardware.smbios {
        let (table, name) = (&field.table, &field.field);
        let known = SMBIOS_FIELDS.iter().find(|(known, _)| known == table);
        match known {
            None => {
                let names: Vec<_> = SMBIOS_FIELDS.iter().map(|(known, _)| *known).collect();
                mistakes.add(
                    &format!("{path}.smbios.{table}"),
                    format!("the SMBIOS tables are {}", names.join(", ")),
                );
            }
            Some((_, fields)) if !fields.contains(&name.as_str()) => mistakes.add(
                &format!("{path}.smbios.{table}.{name}"),
                format!("the fields of `{table}` are {}", fields.join(", ")),
            ),
            Some(_) if name == "uuid" && !is_uuid(&field.value) => mistakes.add(
                &format!("{path}.smbios.{table}.{name}"),
                format!("`{}` is not a UUID", field.value),
            ),
            Some(_) => {}
        }
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    let digits = text.bytes().filter(|byte| *byte != b'-');
    lengths.eq([8, 4, 4, 4, 12]) && digits.into_iter().all(|byte| byte.is_ascii_hexdigit())
}

fn nics(kind: &Kind, mistakes: &mut Mistakes) {
    let Interfaces {
        minimum_count,
        limit,
        ..
    } = kind.interfaces;
    if minimum_count > limit {
        mistakes.add(
            "interfaces.minimum-count",
            format!("at least {minimum_count} interfaces, yet at most {limit}"),
        );
    }
    // Those of the VM that has the data interfaces, which are most of all.
    let (machine, others) = match kind.data_part() {
        Some(part) => {
            let part = &kind.parts[part];
            (part.hardware.machine, 2 + u64::from(part.dummies))
        }
        None => {
            let internal = kind.parts.len() as u64;
            let first = u64::from(kind.interfaces.management.is_some());
            let dummies = u64::from(kind.interfaces.dummies);
            (kind.hardware.machine, first + internal + dummies)
        }
    };
    let room = nic_limit(machine);
    let most = others + u64::from(limit);
    if u64::try_from(room).is_ok_and(|room| most > room) {
        mistakes.add(
            "interfaces.limit",
            format!(
                "{limit} data interfaces make {most} NICs; the machine `{}` has room for {room}",
                machine.word()
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::is_uuid;

    #[test]
    fn a_uuid_is_told_from_other_texts() {
        assert!(is_uuid("aaaaaaaa-77c6-4420-8ac7-0123456789AB"));
        for text in ["", "aaaaaaaa", "gaaaaaaa-77c6-4420-8ac7-0123456789ab"] {
            assert!(!is_uuid(text), "{text}");
        }
    }
}
