//! Labs for tests, from texts to blueprints, and what is observed once they run.

#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;
use vnflab_model::allocate::{Request, allocate};
use vnflab_model::blueprint::{Accelerator, Blueprint, DriveContent};
use vnflab_model::facts::{DiskFormat, Facts, FileFact, ImageDetails, ImageFact, ImageKey};
use vnflab_model::format::{Input, InputFile};
use vnflab_model::kind::Catalogue;
use vnflab_model::lab::{Lab, StartupConfig};
use vnflab_model::observed::{
    DomainState, Host, Locality, NetworkState, Observed, ObservedDomain, ObservedNetwork,
    ObservedVolume, ObservedWire, Scope, VolumeName,
};
use vnflab_model::plan::Plan;
use vnflab_model::record::NodeRecord;
use vnflab_model::resolve::{Resolved, read};
use vnflab_model::span::Sources;

pub(crate) fn host(scope: Scope) -> Host {
    Host {
        uri: "qemu:///test".to_owned(),
        scope,
        locality: Locality::Local,
        accelerator: Accelerator::Tcg,
        accelerator_reason: "a test".to_owned(),
        memory_mib: 8192,
        cpus: 2,
        volume_folder: "/var/lib/vnflab/volumes".to_owned(),
        console_folder: "/var/lib/vnflab/consoles".to_owned(),
        bridges: BTreeSet::new(),
        no_cpu_limits: None,
        subnets: Vec::new(),
    }
}

/// Parsed once: the properties below read hundreds of labs.
pub(crate) static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::embedded);

pub(crate) fn lab_of(sources: &Sources, input: &Input) -> Lab {
    let Resolved { lab, found, .. } = read(sources, input, &CATALOGUE);
    lab.unwrap_or_else(|| panic!("{found:#?}"))
}

/// A lab in the native format.
pub(crate) fn native(text: &str) -> Lab {
    let mut sources = Sources::default();
    let source = sources.add("lab.yaml", text);
    let input = Input::of_file(source, "lab.yaml", "test");
    lab_of(&sources, &input)
}

/// The origin's ring, as it stands in the examples.
pub(crate) fn origin_ring() -> Lab {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/ring");
    let mut sources = Sources::default();
    let mut names: Vec<_> = std::fs::read_dir(folder.join("nodes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let files = names
        .into_iter()
        .map(|name| {
            let path = format!("nodes/{name}");
            let text = std::fs::read_to_string(folder.join(&path)).unwrap();
            InputFile {
                source: sources.add(&path, text),
                path,
            }
        })
        .collect();
    let listing = ["files/configs/ios01/iosxe_config.txt".to_owned()].into();
    let input = Input {
        path: "examples/ring".to_owned(),
        folder_name: "ring".to_owned(),
        files,
        listing,
        unread: 0,
    };
    lab_of(&sources, &input)
}

/// Facts in which every image and file that the lab names exists.
pub(crate) fn facts(lab: &Lab) -> Facts {
    let mut facts = Facts::default();
    let images = lab.nodes.iter().flat_map(|node| node.images());
    for (image, _) in images {
        let key = ImageKey::from(image);
        let name = match &key {
            ImageKey::Path(path) => path.clone(),
            ImageKey::Stored(name) => format!("{name}.qcow2"),
        };
        let details = ImageDetails {
            path: format!("/images/{name}"),
            format: DiskFormat::Qcow2,
            named_format: Some(DiskFormat::Qcow2),
            virtual_size_bytes: 1 << 30,
            backing: None,
        };
        facts.images.insert(key, ImageFact::Present(details));
    }
    for node in &lab.nodes {
        if let Some(StartupConfig::File(path, _)) = &node.startup_config {
            let content = Some(b"hostname test\n".to_vec());
            let fact = FileFact::Present {
                path: format!("/lab/{path}"),
                content,
            };
            facts.files.insert(path.clone(), fact);
        }
    }
    facts
}

pub(crate) fn blueprint_with(lab: &Lab, scope: Scope, observed: &Observed) -> Blueprint {
    allocate(Request {
        lab,
        source: "/lab/lab.yaml",
        host: &host(scope),
        observed,
        facts: &facts(lab),
        authorized_keys: &["ssh-ed25519 AAAA vnflab".to_owned()],
    })
    .unwrap()
}

pub(crate) fn blueprint(lab: &Lab, scope: Scope) -> Blueprint {
    blueprint_with(lab, scope, &Observed::default())
}

/// What is observed once everything in a blueprint exists and runs.
pub(crate) fn built(blueprint: &Blueprint) -> Observed {
    let mut observed = Observed::default();
    for node in blueprint.vms() {
        observed.domains.push(ObservedDomain {
            name: node.domain(),
            record: NodeRecord {
                source: blueprint.source.clone(),
                blueprint: node.clone(),
            },
            state: DomainState::Running,
            process: None,
            cpu_limit_percent: None,
            typing: None,
            uptime: None,
            carriers: node
                .nics
                .iter()
                .map(|nic| (nic.mac.clone(), nic.carrier))
                .collect(),
        });
        for drive in &node.drives {
            let (backing_path, capacity_bytes) = match &drive.content {
                DriveContent::Overlay {
                    image_path,
                    size_bytes,
                    ..
                } => (Some(image_path.clone()), *size_bytes),
                DriveContent::Empty { size_bytes, .. } => (None, *size_bytes),
                _ => (None, 0),
            };
            if let Some(volume) = drive.volume() {
                observed.volumes.push(ObservedVolume {
                    name: VolumeName::parse(volume).unwrap(),
                    backing_path,
                    capacity_bytes,
                    allocation_bytes: 0,
                });
            }
        }
    }
    for network in &blueprint.networks {
        observed.networks.push(ObservedNetwork {
            blueprint: network.clone(),
            state: NetworkState::Active,
        });
    }
    if let Some(wire) = &blueprint.wire {
        observed.wires.insert(
            blueprint.lab.clone(),
            ObservedWire::Running {
                version: "1".to_owned(),
                config: wire.clone(),
                cut: BTreeSet::new(),
            },
        );
    }
    observed
}

pub(crate) fn shown(plan: &Plan) -> String {
    plan.steps
        .iter()
        .enumerate()
        .map(|(id, step)| {
            let (subject, action) = (step.subject.name(), step.action.describe());
            format!(
                "{id} {subject}: {action} ({}) after {:?}\n",
                step.reason, step.after
            )
        })
        .collect()
}

pub(crate) const PAIR: &str = "\
name: pair
nodes:
  r1: {kind: frr}
  r2: {kind: frr}
links:
  - r1:eth1 -- r2:eth1
";

/// A lab with the given nodes and links; what it means is a lab of frr routers.
pub(crate) fn lab_text(nodes: &BTreeSet<u8>, links: &BTreeMap<(u8, u8), ()>) -> String {
    let mut text = "name: random\ndefaults: {kind: frr, interfaces: 8}\nnodes:\n".to_owned();
    for node in nodes {
        text += &format!("  r{node}:\n");
    }
    text += "links:\n";
    let mut used: BTreeMap<u8, u32> = BTreeMap::new();
    for (a, b) in links.keys() {
        let mut next = |node: &u8| {
            let count = used.entry(*node).or_default();
            *count += 1;
            *count
        };
        let (first, second) = (next(a), next(b));
        text += &format!("  - r{a}:eth{first} -- r{b}:eth{second}\n");
    }
    text
}

prop_compose! {
    pub(crate) fn topology()(nodes in prop::collection::btree_set(0_u8..12, 2..8))
        (pairs in prop::collection::btree_set((0_usize..8, 0_usize..8), 0..8), nodes in Just(nodes))
        -> (BTreeSet<u8>, BTreeMap<(u8, u8), ()>) {
        let list: Vec<u8> = nodes.iter().copied().collect();
        let links = pairs
            .into_iter()
            .map(|(a, b)| (list[a % list.len()], list[b % list.len()]))
            .filter(|(a, b)| a < b)
            .map(|pair| (pair, ()))
            .collect();
        (nodes, links)
    }
}
