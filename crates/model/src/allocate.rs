//! From a lab to its blueprint: every choice that depends on the host.
//!
//! # Theory of operation
//!
//! Each node gets a loopback address of its own, 127.A.B.C, which follows from the names of lab
//! and node alone. On it listen the node's tunnels (port 10000 + interface index), its console
//! and its forwarded SSH port. So two labs of one shape never meet, no ledger is needed, and a
//! node keeps all its ports when others come and go. MAC addresses follow from the names in the
//! same way.
//!
//! What was allocated before (it stands in the observed records) is kept, so a choice that once
//! had to give way to another lab stays as it is while the lab exists.
//!
//! Where a lab has a wire, its end for data interface n is on the same address at port 20000 + n,
//! and QEMU sends there whatever the interface is linked to. So the VM's side never changes.
//!
//! For example interface 2 of `r1` in the lab `ring` is bound to `127.94.143.31:10002`, whoever
//! else is in the lab; the wire sends there from `127.94.143.31:20002`.

mod address;
mod interfaces;
pub(crate) mod ipv6;
mod listener;
mod management;
mod numbering;
mod part;
mod rehearsal;
mod wire;

use crate::blueprint::{
    Access, Blueprint, Console, Drive, DriveContent, MachineBlueprint, MediaDevice,
    MediaFilesystem, NodeBlueprint, ReadyBlueprint, StartLimit, UserOrigin,
};
use crate::day0::{self, CLOUD_USER, Day0Medium, Day0Request, Startup};
use crate::domain_xml::{drives_fit, nic_limit};
use crate::facts::{Facts, FileFact, ImageFact, ImageKey};
use crate::kind::{Bus, Dialect, Hardware};
use crate::lab::{Lab, Node, StartupConfig};
use crate::observed::{Host, Observed, VolumeName};
use crate::spec::ImageSpec;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

pub(crate) use rehearsal::rehearse;

/// Port of a node's console on its own loopback address, or the first where all consoles share
/// an address; the next one where something else has it on all addresses.
pub const CONSOLE_PORT: u16 = 5000;

/// Port that leads to a node's SSH server, on its own loopback address; the next one where
/// something else has it on all addresses.
pub const SSH_PORT: u16 = 2222;

/// Tunnel of data interface n is bound to this port plus n.
pub const TUNNEL_PORT: u16 = 10000;

/// Drives that fit on a bus; IDE has two channels of two, the others are bounded by their slots.
const DRIVE_LIMIT: usize = 4;

/// Everything that allocation looks at.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The lab.
    pub lab: &'a Lab,
    /// The file or folder that the lab came from, as an absolute path.
    pub source: &'a str,
    /// The host that will run it.
    pub host: &'a Host,
    /// What exists there.
    pub observed: &'a Observed,
    /// Images, files and sockets.
    pub facts: &'a Facts,
    /// Public SSH keys that may log in.
    pub authorized_keys: &'a [String],
}

/// Why a lab does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllocateError {
    /// The checks were not heeded.
    #[error("node `{node}`: its image is not there")]
    Image {
        /// The node.
        node: String,
    },
    /// The checks were not heeded.
    #[error("node `{node}`: `{path}` cannot be read")]
    File {
        /// The node.
        node: String,
        /// The path as written.
        path: String,
    },
    /// The checks were not heeded.
    #[error("`{path}`, which an impairment names, cannot be used")]
    ImpairmentFile {
        /// The path as written.
        path: String,
    },
    /// A pool of addresses is too small.
    #[error("the pool {pool} is too small for this lab")]
    PoolExhausted {
        /// The pool.
        pool: String,
    },
    /// No free subnet was found for the management network.
    #[error("no free subnet for {nodes} nodes; give one as `mgmt: {{ipv4-subnet: ...}}`")]
    NoSubnet {
        /// How many nodes need an address.
        nodes: usize,
    },
    /// More NICs than the machine has room for.
    #[error("node `{node}` has {count} NICs, its machine has room for {limit}")]
    NicLimit {
        /// The node.
        node: String,
        /// How many it would have.
        count: usize,
        /// How many the machine takes.
        limit: usize,
    },
    /// More drives and controllers than the machine has slots for.
    #[error("node `{node}` has more disks and disk controllers than its machine has slots for")]
    DriveSlots {
        /// The node.
        node: String,
    },
    /// More drives on a bus than it takes.
    #[error("node `{node}` has more than {DRIVE_LIMIT} drives on {bus}")]
    DriveLimit {
        /// The node.
        node: String,
        /// The bus.
        bus: &'static str,
    },
    /// A template cannot be rendered.
    #[error("node `{node}`: {source}")]
    Template {
        /// The node.
        node: String,
        /// Why.
        source: day0::TemplateError,
    },
    /// A configuration is not text, where text is needed.
    #[error("node `{node}`: `{path}` is not UTF-8 text")]
    NotText {
        /// The node.
        node: String,
        /// The path as written.
        path: String,
    },
}

/// Decides everything.
///
/// # Errors
///
/// All reasons why the lab does not fit, of all nodes at once.
pub fn allocate(request: Request<'_>) -> Result<Blueprint, Vec<AllocateError>> {
    let lab = request.lab;
    let numbers = numbering::number_nodes(lab, request.observed);
    let addresses = address::allocate(&request);
    let mut errors = Vec::new();
    let management = match management::allocate(&request, &numbers) {
        Ok(management) => management,
        Err(error) => return Err(vec![error]),
    };
    let listeners = listener::allocate(&request, &addresses, &numbers);
    let plans = match interfaces::allocate(&request, &addresses, &management, &listeners) {
        Ok(plans) => plans,
        Err(error) => return Err(vec![error]),
    };
    let loopbacks = match numbering::loopbacks(lab, &numbers) {
        Ok(loopbacks) => loopbacks,
        Err(error) => return Err(vec![error]),
    };
    let mut media = BTreeMap::new();
    let mut typed = BTreeMap::new();
    let mut nodes = Vec::with_capacity(lab.nodes.len());
    let mut parts = Vec::new();
    for (position, (node, nics)) in lab.nodes.iter().zip(plans).enumerate() {
        let config = match startup_config(&request, node) {
            Ok(config) => config,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let whole = nics.whole();
        let day0_request = Day0Request {
            lab: lab.name.as_str(),
            variables: &lab.variables,
            node,
            number: numbers[position],
            startup_config: config.as_ref(),
            nics: &whole,
            loopback: loopbacks[position],
            management: management.addresses(position),
            authorized_keys: request.authorized_keys,
        };
        let day0 = day0::medium(&day0_request)
            .and_then(|medium| Ok((medium, day0::smbios(&day0_request)?)))
            .and_then(|(medium, smbios)| Ok((medium, smbios, day0::typed(&day0_request)?)));
        let (day0, smbios, text) = match day0 {
            Ok(day0) => day0,
            Err(source) => {
                errors.push(AllocateError::Template {
                    node: node.name.to_string(),
                    source,
                });
                continue;
            }
        };
        if let Some(text) = text {
            typed.insert(node.name.to_string(), text);
        }
        let address = addresses[position];
        let number = numbers[position];
        let listeners = &listeners[position];
        match drives(&request, node, day0, &mut media) {
            Ok(drives) => nodes.push(NodeBlueprint {
                part: None,
                lab: lab.name.to_string(),
                node: node.name.to_string(),
                number,
                kind: node.kind.name.clone(),
                guest: node.guest.name.clone(),
                hostname: node.hostname.clone(),
                address,
                loopback: (node.dialect() != Dialect::None && config.is_none())
                    .then_some(loopbacks[position]),
                accelerator: request.host.accelerator,
                machine: machine(&node.kind.hardware, (node.cpus, node.memory_mib), smbios),
                volume_folder: request.host.volume_folder.clone(),
                drives,
                access: access(node, &management.nodes[position], listeners.ssh),
                nics: nics.main,
                carrier: lab.wire.carrier.unwrap_or(node.kind.interfaces.carrier),
                console: Console {
                    listen: listeners.console,
                    log_path: console_log(&request, node, None),
                },
                // What the host cannot do is no wish of the blueprint: the checks have told.
                cpu_limit_percent: node
                    .cpu_limit_percent
                    .filter(|_| request.host.no_cpu_limits.is_none()),
                ready: ReadyBlueprint::of(&node.guest.ready),
                after: node.after.clone(),
            }),
            Err(found) => {
                errors.extend(found);
                continue;
            }
        }
        let main = &nodes[nodes.len() - 1];
        match part::allocate(&request, node, main, nics.parts, &listeners.part_consoles) {
            Ok(found) => parts.extend(found),
            Err(error) => errors.push(error),
        }
    }
    for node in nodes.iter().chain(&parts) {
        let machine = node.machine.machine;
        let limit = nic_limit(machine);
        if node.nics.len() > limit {
            errors.push(AllocateError::NicLimit {
                node: node.node.clone(),
                count: node.nics.len(),
                limit,
            });
        }
        if !drives_fit(machine, &node.drives) {
            errors.push(AllocateError::DriveSlots {
                node: node.node.clone(),
            });
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let vms = nodes.iter().chain(&parts);
    let wire = wire::allocate(lab, vms, request.facts).map_err(|error| vec![error])?;
    Ok(Blueprint {
        lab: lab.name.to_string(),
        source: request.source.to_owned(),
        networks: management.networks,
        wire,
        nodes,
        parts,
        media,
        start: match lab.batch {
            Some(nodes) => StartLimit::of_nodes(nodes),
            None => StartLimit::of_host(request.host),
        },
        typed,
    })
}

fn machine(
    hardware: &Hardware,
    (cpus, memory_mib): (u32, u64),
    smbios: Vec<(String, String, String)>,
) -> MachineBlueprint {
    MachineBlueprint {
        machine: hardware.machine,
        machine_features: hardware.machine_features.clone(),
        firmware: hardware.firmware,
        cpus,
        memory_mib,
        cpu_model: hardware.cpu_model.clone(),
        cpu_features: hardware.cpu_features.clone(),
        smbios,
        serial_ports: hardware.serial_ports,
        video: hardware.video,
        disk_cache: hardware.disk_cache,
    }
}

fn console_log(request: &Request<'_>, node: &Node, part: Option<&str>) -> String {
    let (folder, lab, name) = (&request.host.console_folder, &request.lab.name, &node.name);
    let part = part.map_or_else(String::new, |part| format!(".{part}"));
    format!("{folder}/{lab}.{name}{part}.log")
}

fn access(
    node: &Node,
    management: &management::NodeManagement,
    forwarded: SocketAddr,
) -> Option<Access> {
    use management::NodeManagement;
    let login = node.login_after_day0().map(|login| login.user.clone());
    let user = login.or_else(|| day0::makes_user(node).then(|| CLOUD_USER.to_owned()));
    let user_origin = match node.guest.day0.login {
        Some(_) if !node.has_management_config() => UserOrigin::Shipped,
        _ => UserOrigin::Made,
    };
    match management {
        NodeManagement::User => Some(Access {
            ssh: forwarded,
            address: IpAddr::V4(management::USER_NETWORK_GUEST),
            ipv6: None,
            user,
            user_origin,
        }),
        NodeManagement::Bridge {
            address: Some(address),
            ipv6,
            ..
        } => {
            let address = IpAddr::V4(*address);
            Some(Access {
                ssh: SocketAddr::new(address, 22),
                address,
                ipv6: *ipv6,
                user,
                user_origin,
            })
        }
        NodeManagement::Bridge { address: None, .. } | NodeManagement::Unconnected => None,
    }
}

/// The text of a node's configuration, if it has one.
fn startup_config(request: &Request<'_>, node: &Node) -> Result<Option<Startup>, AllocateError> {
    let path = match &node.startup_config {
        None => return Ok(None),
        Some(StartupConfig::Inline(text)) => return Ok(Some(Startup::plain(text.as_str()))),
        Some(StartupConfig::File(path, _)) => path,
    };
    let unreadable = || AllocateError::File {
        node: node.name.to_string(),
        path: path.clone(),
    };
    let Some(FileFact::Present {
        content: Some(content),
        ..
    }) = request.facts.files.get(path)
    else {
        return Err(unreadable());
    };
    String::from_utf8(content.clone())
        .map(|text| Some(Startup::from_file(path, text)))
        .map_err(|_| AllocateError::NotText {
            node: node.name.to_string(),
            path: path.clone(),
        })
}

fn drives(
    request: &Request<'_>,
    node: &Node,
    day0: Option<Day0Medium>,
    media: &mut BTreeMap<String, crate::blueprint::MediaContent>,
) -> Result<Vec<Drive>, Vec<AllocateError>> {
    let mut errors = Vec::new();
    let hardware = &node.kind.hardware;
    let volume = |part: &str, extension: &str| {
        let (lab, node) = (request.lab.name.as_str(), node.name.as_str());
        VolumeName::new(lab, node, part, extension).to_string()
    };
    let mut drives = match disks(request, node, (&node.image, hardware), &volume) {
        Ok(disks) => disks,
        Err(error) => {
            errors.push(error);
            Vec::new()
        }
    };
    let bus = hardware.cdrom_bus;
    if let Some(medium) = day0 {
        let (device, ending) = match medium.content.filesystem {
            MediaFilesystem::Iso { .. } => (MediaDevice::Cdrom, "iso"),
            MediaFilesystem::Fat { .. } => (MediaDevice::Disk, "img"),
        };
        let name = volume("day0", ending);
        let content = DriveContent::Media {
            volume: name.clone(),
            digest: medium.digest,
            digest_without_links: Some(medium.digest_without_links),
            device,
        };
        // A guest that is a stand-in reads from where its own kind has it.
        let bus = node.guest.day0.bus;
        drives.push(Drive { bus, content });
        media.insert(name, medium.content);
    }
    for (path, _) in node.config_medium.iter().chain(&node.cdrom) {
        match request.facts.files.get(path) {
            Some(FileFact::Present { path, .. }) => {
                drives.push(Drive {
                    bus,
                    content: DriveContent::HostIso { path: path.clone() },
                });
            }
            _ => errors.push(AllocateError::File {
                node: node.name.to_string(),
                path: path.clone(),
            }),
        }
    }
    for bus in [Bus::Ide, Bus::Sata, Bus::Scsi, Bus::Virtio, Bus::Usb] {
        let count = drives.iter().filter(|drive| drive.bus == bus).count();
        if count > DRIVE_LIMIT {
            errors.push(AllocateError::DriveLimit {
                node: node.name.to_string(),
                bus: bus.word(),
            });
        }
    }
    if errors.is_empty() {
        Ok(drives)
    } else {
        Err(errors)
    }
}

/// The disks of a VM: an overlay of its image, and those that its hardware has besides.
fn disks(
    request: &Request<'_>,
    node: &Node,
    (image, hardware): (&ImageSpec, &Hardware),
    volume: &dyn Fn(&str, &str) -> String,
) -> Result<Vec<Drive>, AllocateError> {
    let Some(ImageFact::Present(image)) = request.facts.images.get(&ImageKey::from(image)) else {
        return Err(AllocateError::Image {
            node: node.name.to_string(),
        });
    };
    let boot = Drive {
        bus: hardware.disk_bus,
        content: DriveContent::Overlay {
            volume: volume("disk", "qcow2"),
            image_path: image.path.clone(),
            image_format: image.format.word().to_owned(),
            size_bytes: image.virtual_size_bytes,
        },
    };
    let extra = hardware
        .extra_disks
        .iter()
        .zip(1..)
        .map(|(disk, number)| Drive {
            bus: disk.bus,
            content: DriveContent::Empty {
                volume: volume(&format!("extra{number}"), "qcow2"),
                size_bytes: disk.size_mib.saturating_mul(1024 * 1024),
            },
        });
    Ok(std::iter::once(boot).chain(extra).collect())
}
