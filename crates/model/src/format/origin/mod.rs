//! The origin's format: a folder `nodes/` with one YAML 1.1 file a VM, beside `files/`.
//!
//! Links are not written down; they follow from ports that cross ([`pairing`]). Management
//! addresses are not written down either; they follow from the origin's tables of networks and
//! leases ([`lease`]).

pub(crate) mod keys;
mod lease;
mod pairing;

use self::keys as key;
use super::fields::{Fields, wrong_type};
use super::{Format, Input, InputFile, first_place, name_from, schema};
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::kind::{Catalogue, Kind, MediaForm};
use crate::span::{Sources, Span, Spanned};
use crate::spec::{
    AddressingSpec, ImageSpec, ImagesSpec, LabSpec, ManagementMode, ManagementSpec, NodeSpec,
    StartupConfigSpec, Transport, TunnelSpec, WireSpec,
};
use crate::yaml::scalar::Schema;
use crate::yaml::{self, Node, Value};
use std::net::{IpAddr, Ipv4Addr};

/// The origin's format.
pub const FORMAT: Format = Format {
    name: "origin",
    reads: |input| {
        let files = &input.files;
        !files.is_empty() && files.iter().all(|file| file.path.starts_with("nodes/"))
    },
    read,
};

/// The keys of a node file as Markdown, one section a mapping.
pub fn reference() -> String {
    schema::markdown(&key::NODE)
}

/// Where `vm_disk` is looked up.
const DISK_FOLDER: &str = "files/OS";

/// Where a ready-made `vm_config` is looked up; the host name stands for `HOSTNAME`.
const CONFIG_FOLDERS: [&str; 4] = [
    "files/configs",
    "files/configs/HOSTNAME",
    "files/OS",
    "files",
];

/// Where `cdrom` is looked up.
const CDROM_FOLDERS: [&str; 3] = ["files/OS", "files", "files/configs"];

/// A node file with what only this format knows.
struct Written {
    spec: NodeSpec,
    enabled: bool,
}

fn read(sources: &Sources, input: &Input, catalogue: &Catalogue) -> (Option<LabSpec>, Diagnostics) {
    let mut found = Diagnostics::default();
    let mut files: Vec<&InputFile> = input.files.iter().collect();
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let mut written: Vec<Written> = files
        .into_iter()
        .filter_map(|file| node_file(sources, input, file, catalogue, &mut found))
        .collect();
    let unread = input.unread + (input.files.len() - written.len());
    lease::assign(&mut written, catalogue);

    let place = first_place(input);
    let links = pairing::links(&written, unread, catalogue, &mut found);
    let nodes: Vec<NodeSpec> = written
        .into_iter()
        .filter(|node| node.enabled)
        .map(|node| node.spec)
        .collect();
    let Some(place) = place else {
        return (None, found);
    };
    if nodes.is_empty() && !found.has_errors() {
        found.push(
            Diagnostic::error(code::MISSING_KEY, "a lab without nodes")
                .at(place, "no node is enabled")
                .help("write `enabled: yes` in the files of `nodes/` that are part of the lab"),
        );
    }
    let networks = lease::networks(&nodes);
    let spec = LabSpec {
        name: Spanned::new(name_from(&input.folder_name), place),
        nodes,
        links,
        segments: Vec::new(),
        checks: Vec::new(),
        profiles: Vec::new(),
        seed: None,
        wire: WireSpec::default(),
        // The origin joined QEMU to QEMU.
        transport: Transport::Direct,
        management: ManagementSpec {
            mode: Some(Spanned::new(ManagementMode::Route, place)),
            bridge: None,
            ipv4_subnet: None,
            ipv6_subnet: None,
            networks,
        },
        addressing: AddressingSpec::default(),
        // The origin let its consoles listen everywhere; its ports stay, loopback is ours.
        console_address: Some(Spanned::new(IpAddr::V4(Ipv4Addr::LOCALHOST), place)),
        batch: None,
        variables: serde_json::Map::new(),
    };
    (Some(spec), found)
}

fn node_file(
    sources: &Sources,
    input: &Input,
    file: &InputFile,
    catalogue: &Catalogue,
    found: &mut Diagnostics,
) -> Option<Written> {
    let source = sources.source(file.source);
    let (root, mistakes) = yaml::load(file.source, &source.path, &source.text);
    found.extend(mistakes);
    let root = root?;
    let place = match &root.value {
        Value::Mapping(entries) => entries.first().map_or(root.span, |entry| entry.key_span),
        Value::Scalar(_) | Value::Sequence(_) => Span::start_of(file.source),
    };
    let fields = Fields::read(&root, place, &key::NODE, Schema::Yaml11, found)?;
    let name = Spanned::new(file.stem().to_owned(), place);
    let kind_word = fields.text(&key::OS, found);
    let kind = kind_word.as_deref().and_then(|word| catalogue.find(word));
    let hostname = fields.text(&key::HOSTNAME, found);
    let folder = hostname.as_deref().unwrap_or(&name.value).clone();
    let vm_config = fields.text(&key::CONFIG, found);
    let (config_medium, startup_config) = match vm_config {
        Some(config) => day0(config, kind.map(|kind| &**kind), &folder, input),
        None => (None, None),
    };
    let tunnels = connections(&fields, found);
    let count = u32::try_from(tunnels.len()).ok();
    let spec = NodeSpec {
        image: fields
            .text(&key::DISK, found)
            .map(|disk| disk.map(|disk| ImageSpec::Path(format!("{DISK_FOLDER}/{disk}"))))
            .map(|image| image.map(ImagesSpec::Main)),
        cpus: None,
        cpu_limit_percent: None,
        memory_mib: None,
        interface_count: count.map(|count| Spanned::new(count, place)),
        mac: fields.mac(&key::MAC, found),
        management_ipv4: None,
        management_ipv6: None,
        management_bridge: fields.text(&key::BRIDGE, found),
        console_port: fields.port(&key::CONSOLE, found),
        startup_config,
        management_config: None,
        config_medium,
        cdrom: fields
            .text(&key::CDROM, found)
            .map(|file| file.map(|file| look_up(&file, &CDROM_FOLDERS, "", input))),
        hostname,
        kind: kind_word.unwrap_or_else(|| Spanned::new(String::new(), place)),
        after: Vec::new(),
        variables: serde_json::Map::new(),
        tunnels,
        name,
    };
    let enabled = fields
        .boolean(&key::ENABLED, found)
        .is_none_or(|enabled| enabled.value);
    Some(Written { spec, enabled })
}

/// A ready-made medium if there is one, else the text that the medium is made from.
fn day0(
    config: Spanned<String>,
    kind: Option<&Kind>,
    hostname: &str,
    input: &Input,
) -> (Option<Spanned<String>>, Option<Spanned<StartupConfigSpec>>) {
    let medium = look_up(&config, &CONFIG_FOLDERS, hostname, input);
    let text = kind
        .filter(|kind| kind.day0.form == MediaForm::Iso)
        .and_then(|kind| kind.day0.file.as_deref());
    match text {
        Some(file) if !input.listing.contains(&medium) => {
            let path = format!("files/configs/{hostname}/{file}");
            (None, Some(config.map(|_| StartupConfigSpec::File(path))))
        }
        _ => (Some(config.map(|_| medium)), None),
    }
}

/// The first of the folders that has the file; the first of all where none has.
fn look_up(file: &str, folders: &[&str], hostname: &str, input: &Input) -> String {
    let path = |folder: &&str| format!("{}/{file}", folder.replace("HOSTNAME", hostname));
    folders
        .iter()
        .map(path)
        .find(|path| input.listing.contains(path))
        .unwrap_or_else(|| path(&folders[0]))
}

fn connections(fields: &Fields<'_>, found: &mut Diagnostics) -> Vec<Spanned<TunnelSpec>> {
    let Some(node) = fields.node(&key::CONNECTIONS) else {
        return Vec::new();
    };
    let Value::Sequence(entries) = &node.value else {
        found.push(
            wrong_type(node, "`connections` takes a list of mappings")
                .help("write each as `- {type: udp, s_port: 10501, d_port: 10202}`"),
        );
        return Vec::new();
    };
    entries
        .iter()
        .filter_map(|entry| connection(entry, found))
        .collect()
}

fn connection(node: &Node, found: &mut Diagnostics) -> Option<Spanned<TunnelSpec>> {
    let fields = Fields::read(node, node.span, &key::CONNECTION, Schema::Yaml11, found)?;
    // There is one type; the word is only checked.
    fields.word(&key::TYPE, found);
    let remote_port = fields.port(&key::REMOTE, found);
    let local_port = fields.port(&key::LOCAL, found);
    Some(Spanned::new(
        TunnelSpec {
            remote_port: remote_port?,
            local_port: local_port?,
        },
        node.span,
    ))
}
