//! The VMs of a node beside its main one.

use super::{AllocateError, Request, console_log, disks, machine};
use crate::blueprint::{Console, Nic, NodeBlueprint, ReadyBlueprint};
use crate::lab::Node;
use crate::observed::VolumeName;
use std::net::SocketAddr;

/// The parts of a node in the order of its kind. What the VMs of a node have in common is that of
/// the main one.
pub(super) fn allocate(
    request: &Request<'_>,
    node: &Node,
    main: &NodeBlueprint,
    nics: Vec<Vec<Nic>>,
    consoles: &[SocketAddr],
) -> Result<Vec<NodeBlueprint>, AllocateError> {
    let parts = node.parts.iter().zip(nics).zip(consoles);
    let parts = parts.map(|((part, nics), console)| {
        let of_kind = &part.of_kind;
        let hardware = &of_kind.hardware;
        let volume = |volume: &str, extension: &str| {
            let name = format!("{}-{volume}", of_kind.name);
            VolumeName::new(&main.lab, &main.node, &name, extension).to_string()
        };
        let smbios = hardware.smbios.iter();
        let smbios = smbios.map(|field| {
            let (table, name) = (field.table.clone(), field.field.clone());
            (table, name, field.value.clone())
        });
        let size = (hardware.cpus, hardware.memory_mib);
        Ok(NodeBlueprint {
            part: Some(of_kind.name.clone()),
            loopback: None,
            machine: machine(hardware, size, smbios.collect()),
            drives: disks(request, node, (&part.image, hardware), &volume)?,
            nics,
            console: Console {
                listen: *console,
                log_path: console_log(request, node, Some(&of_kind.name)),
            },
            ready: ReadyBlueprint::of(&of_kind.ready),
            access: None,
            ..main.clone()
        })
    });
    parts.collect()
}
