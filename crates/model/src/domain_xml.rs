//! libvirt's XML for a node. Pure text, from a [`NodeBlueprint`] alone.
//!
//! Every PCI device has an explicit address (see [`pci`]), so that guests find their NICs in the
//! order of the blueprint whatever else the machine has.
//!
//! The management NIC in user mode is the one device that this libvirt cannot express with a
//! forwarded port (its passt backend is not built in), so it is given to QEMU directly.

mod pci;

use std::fmt::Write as _;

use crate::blueprint::{
    Accelerator, Attachment, Carrier, Drive, DriveContent, Forward, MachineBlueprint,
    NetworkBlueprint, Nic, NodeBlueprint,
};
use crate::hash;
use crate::kind::{Bus, Firmware, Machine, MachineFeature, NicModel, Switch, Video};
use crate::observed::Scope;
use crate::record::{NodeRecord, network_to_xml};
use pci::Place;
pub(crate) use pci::drives_fit;
pub use pci::nic_limit;
use quick_xml::escape::escape;

/// Drives of an IDE controller: two channels of two.
const IDE_DRIVES: usize = 4;

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
        node.shown_name(),
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
    smbios(&mut xml, machine);
    operating_system(&mut xml, machine);
    features(&mut xml, node);
    cpu(&mut xml, node);
    clock(&mut xml, machine);
    xml.line("<on_poweroff>destroy</on_poweroff>");
    xml.line("<on_reboot>restart</on_reboot>");
    xml.line("<on_crash>destroy</on_crash>");
    devices(&mut xml, node, scope);
    arguments(&mut xml, node);
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
    let names: Vec<String> = network.leases.iter().filter_map(name_xml).collect();
    if !names.is_empty() {
        xml.open("<dns>");
        names.iter().for_each(|name| xml.line(name));
        xml.close("</dns>");
    }
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
    if let Some(ipv6) = &network.ipv6 {
        let crate::blueprint::NetworkIpv6 {
            gateway,
            prefix_length,
        } = ipv6;
        xml.line(&format!(
            "<ip family='ipv6' address='{gateway}' prefix='{prefix_length}'/>"
        ));
    }
    xml.close("</network>");
    xml.text
}

/// libvirt's element for a lease, as its network update call takes it.
pub fn lease_xml(lease: &crate::blueprint::Lease) -> String {
    let crate::blueprint::Lease {
        mac, address, name, ..
    } = lease;
    format!("<host mac='{mac}' name='{name}' ip='{address}'/>")
}

/// libvirt's element for the name of a lease's IPv6 address, if it has one.
pub fn name_xml(lease: &crate::blueprint::Lease) -> Option<String> {
    let (ipv6, name) = (lease.ipv6?, &lease.name);
    Some(format!(
        "<host ip='{ipv6}'><hostname>{name}</hostname></host>"
    ))
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

/// The field of the SMBIOS tables that libvirt refuses unless it is the domain's own UUID, which
/// no two domains share; see [`shared_uuid`].
const SMBIOS_UUID: (&str, &str) = ("system", "uuid");

/// What the sysinfo element can say of the SMBIOS tables.
fn smbios_fields(machine: &MachineBlueprint) -> impl Iterator<Item = (&str, &str, &str)> {
    let fields = machine.smbios.iter();
    fields
        .map(|(table, field, text)| (table.as_str(), field.as_str(), text.as_str()))
        .filter(|(table, field, _)| (*table, *field) != SMBIOS_UUID)
}

fn smbios(xml: &mut Text, machine: &MachineBlueprint) {
    let mut tables: Vec<&str> = smbios_fields(machine).map(|(table, ..)| table).collect();
    tables.dedup();
    if tables.is_empty() {
        return;
    }
    xml.open("<sysinfo type='smbios'>");
    for table in tables {
        xml.open(&format!("<{table}>"));
        for (_, field, text) in smbios_fields(machine).filter(|(of, ..)| *of == table) {
            let (field, text) = (escape(field), escape(text));
            xml.line(&format!("<entry name='{field}'>{text}</entry>"));
        }
        xml.close(&format!("</{table}>"));
    }
    xml.close("</sysinfo>");
}

fn operating_system(xml: &mut Text, machine: &MachineBlueprint) {
    let opening = match machine.firmware {
        Firmware::Bios => "<os>",
        Firmware::Uefi => "<os firmware='efi'>",
    };
    xml.open(opening);
    xml.line(&format!(
        "<type arch='x86_64' machine='{}'>hvm</type>",
        machine.machine.word()
    ));
    // No VNF's boot loader is signed by a key that the firmware has.
    if machine.firmware == Firmware::Uefi {
        xml.open("<firmware>");
        xml.line("<feature enabled='no' name='enrolled-keys'/>");
        xml.line("<feature enabled='no' name='secure-boot'/>");
        xml.close("</firmware>");
    }
    if smbios_fields(machine).next().is_some() {
        xml.line("<smbios mode='sysinfo'/>");
    }
    xml.line("<boot dev='hd'/>");
    xml.line("<boot dev='cdrom'/>");
    xml.close("</os>");
}

/// Memory for translated code of a guest without hardware acceleration. QEMU would take up to
/// 1 GiB, several times what a small router has itself.
const TRANSLATION_CACHE_MIB: u32 = 128;

fn features(xml: &mut Text, node: &NodeBlueprint) {
    let machine = &node.machine;
    xml.open("<features>");
    for (feature, element) in [
        (MachineFeature::Acpi, "<acpi/>"),
        (MachineFeature::Apic, "<apic/>"),
    ] {
        if switch(machine, feature) != Some(Switch::Off) {
            xml.line(element);
        }
    }
    if switch(machine, MachineFeature::Pae) == Some(Switch::On) {
        xml.line("<pae/>");
    }
    if let Some(state) = switch(machine, MachineFeature::Vmport) {
        xml.line(&format!("<vmport state='{}'/>", state.word()));
    }
    match node.accelerator {
        Accelerator::Kvm => {}
        Accelerator::Tcg => xml.line(&format!(
            "<tcg><tb-cache unit='MiB'>{TRANSLATION_CACHE_MIB}</tb-cache></tcg>"
        )),
    }
    xml.close("</features>");
}

/// How a feature of the machine was switched, if it was.
fn switch(machine: &MachineBlueprint, feature: MachineFeature) -> Option<Switch> {
    let mut switches = machine.machine_features.iter().rev();
    let last = switches.find(|switch| switch.feature == feature);
    last.map(|switch| switch.switch)
}

fn clock(xml: &mut Text, machine: &MachineBlueprint) {
    let Some(hpet) = switch(machine, MachineFeature::Hpet) else {
        xml.line("<clock offset='utc'/>");
        return;
    };
    let present = match hpet {
        Switch::On => "yes",
        Switch::Off => "no",
    };
    xml.open("<clock offset='utc'>");
    xml.line(&format!("<timer name='hpet' present='{present}'/>"));
    xml.close("</clock>");
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
    let machine = node.machine.machine;
    let mut disk_places = pci::disk_places();
    let on = |bus: Bus| node.drives.iter().any(|drive| drive.bus == bus);
    for (bus, element) in [
        (Bus::Sata, "<controller type='sata' index='0'>"),
        (
            Bus::Scsi,
            "<controller type='scsi' index='0' model='virtio-scsi'>",
        ),
        (
            Bus::Usb,
            "<controller type='usb' index='0' model='qemu-xhci'>",
        ),
    ] {
        if on(bus) && pci::needs_controller(machine, bus) {
            controller(xml, element, disk_place(&mut disk_places));
        }
    }
    if !on(Bus::Usb) {
        xml.line("<controller type='usb' model='none'/>");
    }
    drives(xml, node, scope, &mut disk_places);
    for bridge in pci::bridges(machine, node.nics.len()) {
        let (index, model) = (bridge.index, bridge.model);
        let element = format!("<controller type='pci' index='{index}' model='{model}'>");
        controller(xml, &element, bridge.place);
    }
    for (position, nic) in node.nics.iter().enumerate() {
        interface(xml, nic, pci::nic(machine, position));
    }
    serial_ports(xml, node);
    match node.machine.video {
        Video::None => xml.line("<video><model type='none'/></video>"),
        Video::Vga => {
            xml.open("<video>");
            xml.line("<model type='vga'/>");
            xml.line(&pci::VIDEO.to_string());
            xml.close("</video>");
        }
    }
    xml.line("<memballoon model='none'/>");
    xml.close("</devices>");
}

fn controller(xml: &mut Text, element: &str, place: Place) {
    xml.open(element);
    xml.line(&place.to_string());
    xml.close("</controller>");
}

fn disk_place(places: &mut impl Iterator<Item = Place>) -> Place {
    let place = places.next();
    place.expect("the allocator takes no more drives than have a slot")
}

fn drives(
    xml: &mut Text,
    node: &NodeBlueprint,
    scope: Scope,
    disk_places: &mut impl Iterator<Item = Place>,
) {
    // Disks take the first places of a bus, CD-ROMs the last of the IDE bus, where boot loaders
    // and guests look for them.
    let mut taken: Vec<(&str, usize)> = Vec::new();
    for drive in &node.drives {
        let prefix = device_prefix(drive.bus);
        let first = match drive.is_cdrom() && drive.bus == Bus::Ide {
            true => 2,
            false => 0,
        };
        let place = (first..first + 26)
            .map(|place| match drive.bus {
                Bus::Ide => place % IDE_DRIVES,
                _ => place,
            })
            .find(|place| !taken.contains(&(prefix, *place)))
            .expect("the allocator bounds the drives of a bus");
        taken.push((prefix, place));
        disk(xml, node, drive, place, scope, disk_places);
    }
}

/// How libvirt's names for the drives of a bus begin. No two drives have one name.
fn device_prefix(bus: Bus) -> &'static str {
    match bus {
        Bus::Ide => "hd",
        Bus::Sata | Bus::Scsi | Bus::Usb => "sd",
        Bus::Virtio => "vd",
    }
}

fn disk(
    xml: &mut Text,
    node: &NodeBlueprint,
    drive: &Drive,
    place: usize,
    scope: Scope,
    disk_places: &mut impl Iterator<Item = Place>,
) {
    let folder = &node.volume_folder;
    let prefix = device_prefix(drive.bus);
    let device = if drive.is_cdrom() { "cdrom" } else { "disk" };
    let letter = char::from(b'a' + u8::try_from(place).expect("fewer than 26 drives"));
    xml.open(&format!("<disk type='file' device='{device}'>"));
    let format = match drive.content {
        DriveContent::Overlay { .. } | DriveContent::Empty { .. } => "qcow2' discard='unmap",
        DriveContent::Media { .. } | DriveContent::HostIso { .. } => "raw",
    };
    let cache = match (node.machine.disk_cache, drive.is_cdrom()) {
        (Some(cache), false) => format!(" cache='{}'", cache.word()),
        _ => String::new(),
    };
    xml.line(&format!("<driver name='qemu' type='{format}'{cache}/>"));
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
        Bus::Virtio => xml.line(&disk_place(disk_places).to_string()),
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

fn interface(xml: &mut Text, nic: &Nic, place: Place) {
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
    xml.line(&place.to_string());
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

/// What this libvirt cannot say, as arguments for QEMU itself.
fn arguments(xml: &mut Text, node: &NodeBlueprint) {
    let all: Vec<String> = user_networking(node)
        .into_iter()
        .chain(management_mode(&node.machine))
        .chain(shared_uuid(&node.machine))
        .collect();
    if all.is_empty() {
        return;
    }
    xml.open("<qemu:commandline>");
    for argument in all {
        xml.line(&format!("<qemu:arg value='{}'/>", escape(&argument)));
    }
    xml.close("</qemu:commandline>");
}

/// libvirt switches system management mode for q35 alone.
fn management_mode(machine: &MachineBlueprint) -> Vec<String> {
    match switch(machine, MachineFeature::Smm) {
        Some(state) => vec!["-machine".to_owned(), format!("smm={}", state.word())],
        None => Vec::new(),
    }
}

/// The UUID that licences are bound to. libvirt wants it to be the domain's, which it keeps
/// different; several nodes may well have one licence.
fn shared_uuid(machine: &MachineBlueprint) -> Vec<String> {
    let mut fields = machine.smbios.iter();
    let uuid = fields.find(|(table, field, _)| (table.as_str(), field.as_str()) == SMBIOS_UUID);
    match uuid {
        Some((.., uuid)) => vec!["-smbios".to_owned(), format!("type=1,uuid={uuid}")],
        None => Vec::new(),
    }
}

/// NICs in user mode with a forwarded port.
fn user_networking(node: &NodeBlueprint) -> Vec<String> {
    let mut arguments = Vec::new();
    for (position, nic) in node.nics.iter().enumerate() {
        let Attachment::User { ssh } = &nic.attachment else {
            continue;
        };
        let Place { bus, slot, .. } = pci::nic(node.machine.machine, position);
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
    arguments
}
