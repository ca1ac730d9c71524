//! libvirt's XML for a node. Pure text, from a [`NodeBlueprint`] alone.
//!
//! Every PCI device has an explicit address, so that guests find their NICs in the order of the
//! blueprint whatever else the machine has:
//!
//! | slot on bus 0 | device |
//! | --- | --- |
//! | 0x02 | graphics |
//! | 0x03 to 0x18 | the first [`NICS_ON_ROOT`] NICs, in order |
//! | 0x19 to 0x1a | PCI bridges for further NICs, [`NICS_ON_BRIDGE`] each |
//! | 0x1b to 0x1e | virtio disks, and the SATA, SCSI and USB controllers |
//!
//! The management NIC in user mode is the one device that this libvirt cannot express with a
//! forwarded port (its passt backend is not built in), so it is given to QEMU directly.

use std::fmt::Write as _;

use crate::blueprint::{
    Accelerator, Attachment, Carrier, Drive, DriveContent, Forward, MachineBlueprint,
    NetworkBlueprint, Nic, NodeBlueprint,
};
use crate::hash;
use crate::kind::{Bus, Firmware, Machine, NicModel, Video};
use crate::observed::Scope;
use crate::record::{NodeRecord, network_to_xml};
use quick_xml::escape::escape;

/// NICs that fit on the root bus beside everything else.
pub const NICS_ON_ROOT: usize = 22;

/// NICs behind each PCI bridge: slots 1 to 31.
pub const NICS_ON_BRIDGE: usize = 31;

/// PCI bridges that have a slot.
const BRIDGES: usize = 2;

/// Most NICs of a machine.
pub const NIC_LIMIT: usize = NICS_ON_ROOT + BRIDGES * NICS_ON_BRIDGE;

/// First slot of the NICs on the root bus.
const FIRST_NIC_SLOT: usize = 0x03;

/// First slot of the PCI bridges.
const FIRST_BRIDGE_SLOT: usize = 0x19;

/// Slots for virtio disks and disk controllers, in order of need.
const DISK_SLOTS: [usize; 4] = [0x1b, 0x1c, 0x1d, 0x1e];

/// Slot of the graphics adapter: where QEMU's own default is.
const VIDEO_SLOT: usize = 0x02;

/// Namespace in which libvirt passes arguments on to QEMU.
const QEMU_NAMESPACE: &str = "http://libvirt.org/schemas/domain/qemu/1.0";

/// The XML that defines a node's domain. `source` is recorded in the metadata.
pub fn domain_xml(node: &NodeBlueprint, source: &str, scope: Scope) -> String {
    let machine = &node.machine;
    let domain_type = match node.accelerator {
        Accelerator::Kvm => "kvm",
        Accelerator::Tcg => "qemu",
    };
    let record = NodeRecord {
        source: source.to_owned(),
        blueprint: node.clone(),
    };
    let mut xml = Text::default();
    xml.open(&format!(
        "<domain type='{domain_type}' xmlns:qemu='{QEMU_NAMESPACE}'>"
    ));
    xml.line(&format!("<name>{}</name>", node.domain()));
    xml.line(&format!("<uuid>{}</uuid>", uuid(&node.domain())));
    xml.line(&format!(
        "<title>{} of lab {} ({})</title>",
        node.node,
        node.lab,
        escape(&node.kind)
    ));
    xml.open("<metadata>");
    xml.line(&record.to_xml());
    xml.close("</metadata>");
    xml.line(&format!(
        "<memory unit='MiB'>{}</memory>",
        machine.memory_mib
    ));
    xml.line(&format!("<vcpu>{}</vcpu>", machine.cpus));
    if !machine.smbios.is_empty() {
        smbios(&mut xml, machine);
    }
    operating_system(&mut xml, machine);
    features(&mut xml, node.accelerator);
    cpu(&mut xml, node);
    xml.line("<clock offset='utc'/>");
    xml.line("<on_poweroff>destroy</on_poweroff>");
    xml.line("<on_reboot>restart</on_reboot>");
    xml.line("<on_crash>destroy</on_crash>");
    devices(&mut xml, node, scope);
    user_networking(&mut xml, node);
    xml.close("</domain>");
    xml.text
}

/// The XML that defines a management network.
///
/// The upper quarter of the subnet is handed out to whoever has no lease of its own.
pub fn network_xml(network: &NetworkBlueprint) -> String {
    let NetworkBlueprint {
        gateway,
        prefix_length,
        ..
    } = network;
    let subnet = ipnet::Ipv4Net::new(*gateway, *prefix_length)
        .expect("the allocator takes prefixes of at most 32 bits")
        .trunc();
    let forward = match network.forward {
        Forward::Nat => "nat",
        Forward::Route => "route",
    };
    let mut xml = Text::default();
    xml.open("<network>");
    xml.line(&format!("<name>{}</name>", escape(&network.name)));
    xml.line(&format!(
        "<uuid>{}</uuid>",
        uuid(&format!("network {}", network.name))
    ));
    xml.open("<metadata>");
    // Leases change while the network runs; libvirt's own list of them is the one that holds.
    xml.line(&network_to_xml(&NetworkBlueprint {
        leases: Vec::new(),
        ..network.clone()
    }));
    xml.close("</metadata>");
    xml.line(&format!("<forward mode='{forward}'/>"));
    xml.line(&format!(
        "<bridge name='{}' stp='off' delay='0'/>",
        escape(&network.bridge)
    ));
    xml.line(&format!("<domain name='{}' localOnly='yes'/>", network.lab));
    xml.open(&format!(
        "<ip address='{gateway}' netmask='{}'>",
        subnet.netmask()
    ));
    xml.open("<dhcp>");
    let (first, last) = dynamic_range(subnet);
    xml.line(&format!("<range start='{first}' end='{last}'/>"));
    for lease in &network.leases {
        xml.line(&lease_xml(lease));
    }
    xml.close("</dhcp>");
    xml.close("</ip>");
    xml.close("</network>");
    xml.text
}

/// libvirt's element for a lease, as its network update call takes it.
pub fn lease_xml(lease: &crate::blueprint::Lease) -> String {
    let crate::blueprint::Lease { mac, address, name } = lease;
    format!("<host mac='{mac}' name='{name}' ip='{address}'/>")
}

/// First and last address of the upper quarter of a subnet, without the broadcast address.
fn dynamic_range(subnet: ipnet::Ipv4Net) -> (std::net::Ipv4Addr, std::net::Ipv4Addr) {
    let size = 1_u64 << (32 - subnet.prefix_len());
    let start = u64::from(u32::from(subnet.network()));
    let address = |offset: u64| {
        let value = u32::try_from(start + offset).expect("inside the subnet");
        std::net::Ipv4Addr::from(value)
    };
    (address(size - size / 4), address(size - 2))
}

/// A UUID (version 8: of our own making) that follows from a name.
fn uuid(name: &str) -> String {
    let mut bytes = hash::spread_wide(&["uuid", name]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// Indented lines.
#[derive(Default)]
struct Text {
    text: String,
    depth: usize,
}

impl Text {
    fn line(&mut self, line: &str) {
        writeln!(self.text, "{:indent$}{line}", "", indent = self.depth * 2)
            .expect("writing to a string does not fail");
    }

    fn open(&mut self, line: &str) {
        self.line(line);
        self.depth += 1;
    }

    fn close(&mut self, line: &str) {
        self.depth -= 1;
        self.line(line);
    }
}

fn smbios(xml: &mut Text, machine: &MachineBlueprint) {
    xml.open("<sysinfo type='smbios'>");
    let mut tables: Vec<&str> = machine
        .smbios
        .iter()
        .map(|(table, ..)| table.as_str())
        .collect();
    tables.dedup();
    for table in tables {
        xml.open(&format!("<{table}>"));
        for (_, field, value) in machine.smbios.iter().filter(|(of, ..)| of == table) {
            xml.line(&format!(
                "<entry name='{}'>{}</entry>",
                escape(field),
                escape(value)
            ));
        }
        xml.close(&format!("</{table}>"));
    }
    xml.close("</sysinfo>");
}

fn operating_system(xml: &mut Text, machine: &MachineBlueprint) {
    let firmware = match machine.firmware {
        Firmware::Bios => "",
        Firmware::Uefi => " firmware='efi'",
    };
    xml.open(&format!("<os{firmware}>"));
    xml.line(&format!(
        "<type arch='x86_64' machine='{}'>hvm</type>",
        machine.machine.word()
    ));
    if !machine.smbios.is_empty() {
        xml.line("<smbios mode='sysinfo'/>");
    }
    xml.line("<boot dev='hd'/>");
    xml.line("<boot dev='cdrom'/>");
    xml.close("</os>");
}

/// Memory for translated code of a guest without hardware acceleration. QEMU would take up to
/// 1 GiB, several times what a small router has itself.
const TRANSLATION_CACHE_MIB: u32 = 128;

fn features(xml: &mut Text, accelerator: Accelerator) {
    xml.open("<features>");
    xml.line("<acpi/>");
    xml.line("<apic/>");
    match accelerator {
        Accelerator::Kvm => {}
        Accelerator::Tcg => xml.line(&format!(
            "<tcg><tb-cache unit='MiB'>{TRANSLATION_CACHE_MIB}</tb-cache></tcg>"
        )),
    }
    xml.close("</features>");
}

fn cpu(xml: &mut Text, node: &NodeBlueprint) {
    let opening = match (node.machine.cpu_model.as_deref(), node.accelerator) {
        (None | Some("host"), Accelerator::Kvm) => "<cpu mode='host-passthrough'>".to_owned(),
        // QEMU's own default: the quickest to emulate.
        (None, Accelerator::Tcg) => return,
        (Some("host"), Accelerator::Tcg) | (Some("max"), _) => "<cpu mode='maximum'>".to_owned(),
        (Some(_), _) => "<cpu mode='custom' match='exact' check='none'>".to_owned(),
    };
    xml.open(&opening);
    if let Some(model) = node.machine.cpu_model.as_deref()
        && !matches!(model, "host" | "max")
    {
        xml.line(&format!(
            "<model fallback='allow'>{}</model>",
            escape(model)
        ));
    }
    for feature in &node.machine.cpu_features {
        let (policy, name) = match feature.strip_prefix('-') {
            Some(name) => ("disable", name),
            None => ("require", feature.trim_start_matches('+')),
        };
        xml.line(&format!(
            "<feature policy='{policy}' name='{}'/>",
            escape(name)
        ));
    }
    xml.close("</cpu>");
}

fn devices(xml: &mut Text, node: &NodeBlueprint, scope: Scope) {
    xml.open("<devices>");
    let mut disk_slots = DISK_SLOTS.into_iter();
    let on = |bus: Bus| node.drives.iter().any(|drive| drive.bus == bus);
    // Q35 has a SATA controller of its own, at an address that cannot be chosen.
    if on(Bus::Sata) && node.machine.machine == Machine::Pc {
        let element = "<controller type='sata' index='0'>";
        controller(xml, element, disk_slots.next().unwrap_or(0));
    }
    if on(Bus::Scsi) {
        let element = "<controller type='scsi' index='0' model='virtio-scsi'>";
        controller(xml, element, disk_slots.next().unwrap_or(0));
    }
    if on(Bus::Usb) {
        let element = "<controller type='usb' index='0' model='qemu-xhci'>";
        controller(xml, element, disk_slots.next().unwrap_or(0));
    } else {
        xml.line("<controller type='usb' model='none'/>");
    }
    drives(xml, node, scope, &mut disk_slots);
    let bridges = node
        .nics
        .len()
        .saturating_sub(NICS_ON_ROOT)
        .div_ceil(NICS_ON_BRIDGE);
    for bridge in 0..bridges {
        let element = format!(
            "<controller type='pci' index='{}' model='pci-bridge'>",
            bridge + 1
        );
        controller(xml, &element, FIRST_BRIDGE_SLOT + bridge);
    }
    for (position, nic) in node.nics.iter().enumerate() {
        interface(xml, nic, position);
    }
    serial_ports(xml, node);
    match node.machine.video {
        Video::None => xml.line("<video><model type='none'/></video>"),
        Video::Vga => {
            xml.open("<video>");
            xml.line("<model type='vga'/>");
            xml.line(&pci_address(0, VIDEO_SLOT));
            xml.close("</video>");
        }
    }
    xml.line("<memballoon model='none'/>");
    xml.close("</devices>");
}

fn controller(xml: &mut Text, element: &str, slot: usize) {
    xml.open(element);
    xml.line(&pci_address(0, slot));
    xml.close("</controller>");
}

fn pci_address(bus: usize, slot: usize) -> String {
    format!(
        "<address type='pci' domain='0x0000' bus='0x{bus:02x}' slot='0x{slot:02x}' function='0x0'/>"
    )
}

/// Bus and slot of the NIC at a position.
fn nic_slot(position: usize) -> (usize, usize) {
    match position.checked_sub(NICS_ON_ROOT) {
        None => (0, FIRST_NIC_SLOT + position),
        Some(further) => (further / NICS_ON_BRIDGE + 1, further % NICS_ON_BRIDGE + 1),
    }
}

fn drives(
    xml: &mut Text,
    node: &NodeBlueprint,
    scope: Scope,
    disk_slots: &mut impl Iterator<Item = usize>,
) {
    // Disks take the first places of a bus, CD-ROMs the last of the IDE bus, where boot loaders
    // and guests look for them.
    let mut taken: Vec<(Bus, usize)> = Vec::new();
    for drive in &node.drives {
        let wanted = if drive.is_cdrom() && drive.bus == Bus::Ide {
            2
        } else {
            0
        };
        let place = (wanted..wanted + 26)
            .find(|place| !taken.contains(&(drive.bus, *place)))
            .expect("the allocator bounds the drives of a bus");
        taken.push((drive.bus, place));
        disk(xml, &node.volume_folder, drive, place, scope, disk_slots);
    }
}

fn disk(
    xml: &mut Text,
    folder: &str,
    drive: &Drive,
    place: usize,
    scope: Scope,
    disk_slots: &mut impl Iterator<Item = usize>,
) {
    let device = if drive.is_cdrom() { "cdrom" } else { "disk" };
    let prefix = match drive.bus {
        Bus::Ide => "hd",
        Bus::Sata | Bus::Scsi | Bus::Usb => "sd",
        Bus::Virtio => "vd",
    };
    let letter = char::from(b'a' + u8::try_from(place).expect("fewer than 26 drives"));
    xml.open(&format!("<disk type='file' device='{device}'>"));
    let format = match drive.content {
        DriveContent::Overlay { .. } | DriveContent::Empty { .. } => "qcow2' discard='unmap",
        DriveContent::Media { .. } | DriveContent::HostIso { .. } => "raw",
    };
    xml.line(&format!("<driver name='qemu' type='{format}'/>"));
    let path = match &drive.content {
        DriveContent::HostIso { path } => path.clone(),
        DriveContent::Overlay { volume, .. }
        | DriveContent::Empty { volume, .. }
        | DriveContent::Media { volume, .. } => format!("{folder}/{volume}"),
    };
    match drive.content {
        DriveContent::HostIso { .. } => foreign_source(xml, &path, scope),
        _ => xml.line(&format!("<source file='{}'/>", escape(&path))),
    }
    if let DriveContent::Overlay {
        image_path,
        image_format,
        ..
    } = &drive.content
    {
        xml.open("<backingStore type='file'>");
        xml.line(&format!("<format type='{}'/>", escape(image_format)));
        foreign_source(xml, image_path, scope);
        xml.close("</backingStore>");
    }
    xml.line(&format!(
        "<target dev='{prefix}{letter}' bus='{}'/>",
        drive.bus.word()
    ));
    if drive.is_cdrom() {
        xml.line("<readonly/>");
    }
    match drive.bus {
        Bus::Ide => {
            let (bus, unit) = (place / 2, place % 2);
            xml.line(&format!(
                "<address type='drive' controller='0' bus='{bus}' target='0' unit='{unit}'/>"
            ));
        }
        Bus::Virtio => xml.line(&pci_address(0, disk_slots.next().unwrap_or(0))),
        Bus::Sata | Bus::Scsi | Bus::Usb => {}
    }
    xml.close("</disk>");
}

/// A file that is not ours and is only read: an image, an ISO of the user. The system's libvirt
/// would make it its own user's; it stays as its owner has it. A user's libvirt changes no owners
/// and does not know the element.
fn foreign_source(xml: &mut Text, path: &str, scope: Scope) {
    match scope {
        Scope::Session => xml.line(&format!("<source file='{}'/>", escape(path))),
        Scope::System => {
            xml.open(&format!("<source file='{}'>", escape(path)));
            xml.line("<seclabel model='dac' relabel='no'/>");
            xml.close("</source>");
        }
    }
}

fn interface(xml: &mut Text, nic: &Nic, position: usize) {
    let (bus, slot) = nic_slot(position);
    match &nic.attachment {
        Attachment::Tunnel { local, remote } => {
            xml.open("<interface type='udp'>");
            xml.line(&format!("<mac address='{}'/>", nic.mac));
            // libvirt's `source` is the far end; the end that QEMU binds is `local` inside it.
            xml.open(&format!(
                "<source address='{}' port='{}'>",
                remote.ip(),
                remote.port()
            ));
            xml.line(&format!(
                "<local address='{}' port='{}'/>",
                local.ip(),
                local.port()
            ));
            xml.close("</source>");
        }
        Attachment::Bridge { bridge } => {
            xml.open("<interface type='bridge'>");
            xml.line(&format!("<mac address='{}'/>", nic.mac));
            xml.line(&format!("<source bridge='{}'/>", escape(bridge)));
        }
        // See `user_networking`.
        Attachment::User { .. } => return,
    }
    xml.line(&format!("<model type='{}'/>", nic.model.word()));
    if nic.carrier == Carrier::Down {
        xml.line("<link state='down'/>");
    }
    xml.line(&pci_address(bus, slot));
    xml.close("</interface>");
}

fn serial_ports(xml: &mut Text, node: &NodeBlueprint) {
    let listen = node.console.listen;
    xml.open("<serial type='tcp'>");
    xml.line(&format!(
        "<source mode='bind' host='{}' service='{}'/>",
        listen.ip(),
        listen.port()
    ));
    xml.line("<protocol type='telnet'/>");
    xml.line(&format!(
        "<log file='{}' append='off'/>",
        escape(&node.console.log_path)
    ));
    xml.line("<target type='isa-serial' port='0'/>");
    xml.close("</serial>");
    for port in 1..node.machine.serial_ports {
        xml.line(&format!(
            "<serial type='null'><target type='isa-serial' port='{port}'/></serial>"
        ));
    }
}

fn user_networking(xml: &mut Text, node: &NodeBlueprint) {
    let mut arguments = Vec::new();
    for (position, nic) in node.nics.iter().enumerate() {
        let Attachment::User { ssh } = &nic.attachment else {
            continue;
        };
        let (bus, slot) = nic_slot(position);
        let model = match nic.model {
            NicModel::Virtio => "virtio-net-pci",
            other => other.word(),
        };
        let bus = match (bus, node.machine.machine) {
            (0, Machine::Q35) => "pcie.0".to_owned(),
            _ => format!("pci.{bus}"),
        };
        arguments.push("-netdev".to_owned());
        arguments.push(format!("user,id=user{position},hostfwd=tcp:{ssh}-:22"));
        arguments.push("-device".to_owned());
        arguments.push(format!(
            "{model},netdev=user{position},id=usernic{position},mac={},bus={bus},addr=0x{slot:x}",
            nic.mac
        ));
    }
    if arguments.is_empty() {
        return;
    }
    xml.open("<qemu:commandline>");
    for argument in arguments {
        xml.line(&format!("<qemu:arg value='{}'/>", escape(&argument)));
    }
    xml.close("</qemu:commandline>");
}
