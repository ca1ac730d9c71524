//! From lab files to blueprints, XML and plans: the pure half of `vnflab up`.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;
use vnflab_model::allocate::{Request, allocate};
use vnflab_model::blueprint::{Accelerator, Attachment, Blueprint, Carrier, DriveContent};
use vnflab_model::domain_xml::{domain_xml, network_xml};
use vnflab_model::facts::{DiskFormat, Facts, FileFact, ImageDetails, ImageFact, ImageKey};
use vnflab_model::format::{self, Input, InputFile};
use vnflab_model::kind::Catalogue;
use vnflab_model::lab::{Lab, StartupConfig};
use vnflab_model::observed::{
    DomainState, Host, Locality, NetworkState, Observed, ObservedDomain, ObservedNetwork,
    ObservedVolume, Scope, VolumeName,
};
use vnflab_model::plan::{
    Action, Disks, Plan, PlanError, Stop, plan_down, plan_restart, plan_start, plan_up,
};
use vnflab_model::record::NodeRecord;
use vnflab_model::resolve::{resolve, stand_in};
use vnflab_model::span::Sources;

fn host(scope: Scope) -> Host {
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
        subnets: Vec::new(),
    }
}

/// Parsed once: the properties below read hundreds of labs.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::embedded);

fn lab_of(sources: &Sources, input: &Input) -> Lab {
    let (spec, mut found) = format::read(sources, input, &CATALOGUE);
    let (lab, more) = resolve(&spec.expect("the lab can be read"), &CATALOGUE);
    found.extend(more);
    assert!(!found.has_errors(), "{found:#?}");
    lab.expect("a lab without errors")
}

/// A lab in the native format.
fn native(text: &str) -> Lab {
    let mut sources = Sources::default();
    let source = sources.add("lab.yaml", text);
    let input = Input {
        path: "lab.yaml".to_owned(),
        folder_name: "test".to_owned(),
        files: vec![InputFile {
            source,
            path: "lab.yaml".to_owned(),
        }],
        listing: BTreeSet::new(),
        unread: 0,
    };
    lab_of(&sources, &input)
}

/// The origin's ring, as it stands in the examples.
fn origin_ring() -> Lab {
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
fn facts(lab: &Lab) -> Facts {
    let mut facts = Facts::default();
    for node in &lab.nodes {
        let key = ImageKey::from(&node.image);
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

fn blueprint_with(lab: &Lab, scope: Scope, observed: &Observed) -> Blueprint {
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

fn blueprint(lab: &Lab, scope: Scope) -> Blueprint {
    blueprint_with(lab, scope, &Observed::default())
}

/// What is observed once everything in a blueprint exists and runs.
fn built(blueprint: &Blueprint) -> Observed {
    let mut observed = Observed::default();
    for node in &blueprint.nodes {
        observed.domains.push(ObservedDomain {
            name: node.domain(),
            record: NodeRecord {
                source: blueprint.source.clone(),
                blueprint: node.clone(),
            },
            state: DomainState::Running,
            process: None,
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
    observed
}

fn shown(plan: &Plan) -> String {
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

const PAIR: &str = "\
name: pair
nodes:
  r1: {kind: frr}
  r2: {kind: frr}
links:
  - r1:eth1 -- r2:eth1
";

#[test]
fn the_origins_ring_keeps_its_ports_macs_bridges_buses_and_models() {
    let lab = origin_ring();
    let blueprint = blueprint(&lab, Scope::System);
    let all: String = blueprint
        .networks
        .iter()
        .map(network_xml)
        .chain(
            blueprint
                .nodes
                .iter()
                .map(|node| domain_xml(node, &blueprint.source, Scope::System)),
        )
        .map(without_record)
        .collect();
    insta::assert_snapshot!(all);
}

#[test]
fn a_stand_in_keeps_the_hardware_and_the_wiring_of_its_kind() {
    let mut lab = origin_ring();
    let frr = CATALOGUE.find("frr").unwrap().clone();
    stand_in(&mut lab, &frr, |_| true);
    let stand_ins = blueprint(&lab, Scope::System);
    let own = blueprint(&origin_ring(), Scope::System);
    for (stand_in, own) in stand_ins.nodes.iter().zip(&own.nodes) {
        assert_eq!(stand_in.machine.memory_mib, 256);
        assert_eq!(stand_in.machine.machine, own.machine.machine);
        assert_eq!(stand_in.drives[0].bus, own.drives[0].bus);
        let wiring = |node: &vnflab_model::blueprint::NodeBlueprint| {
            let nics = node.nics.iter();
            nics.map(|nic| {
                (
                    nic.name.clone(),
                    nic.model,
                    nic.mac.clone(),
                    nic.attachment.clone(),
                )
            })
            .collect::<Vec<_>>()
        };
        assert_eq!(wiring(stand_in), wiring(own));
    }
    let config = media_text(&stand_ins, "vnflab1.ring.ios01.day0.iso", "user-data");
    insta::assert_snapshot!(config);
}

#[test]
fn a_pair_of_routers_gets_addresses_and_ospf() {
    let blueprint = blueprint(&native(PAIR), Scope::Session);
    let xml = domain_xml(&blueprint.nodes[0], &blueprint.source, Scope::Session);
    let volume = "vnflab1.pair.r1.day0.iso";
    let files = ["meta-data", "network-config", "user-data"]
        .map(|file| format!("--- {file}\n{}", media_text(&blueprint, volume, file)));
    insta::assert_snapshot!(format!("{}{}", without_record(xml), files.concat()));
}

fn media_text(blueprint: &Blueprint, volume: &str, file: &str) -> String {
    let (_, content) = blueprint.media[volume]
        .files
        .iter()
        .find(|(path, _)| path == file)
        .unwrap();
    String::from_utf8(content.clone()).unwrap()
}

/// The record repeats the blueprint; the rest of the XML shows what became of it.
fn without_record(xml: String) -> String {
    let lines = xml
        .lines()
        .filter(|line| !line.trim_start().starts_with("<vnflab:"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_record_is_read_back_as_it_was_written() {
    let lab = native("name: x\nnodes:\n  r1: {kind: frr, startup-config: \"! <&>'\\\"\\n\"}\n");
    let blueprint = blueprint(&lab, Scope::System);
    let node = blueprint.nodes[0].clone();
    let record = NodeRecord {
        source: "/a <b> & 'c'".to_owned(),
        blueprint: node,
    };
    let xml = domain_xml(&record.blueprint, &record.source, Scope::System);
    assert_eq!(NodeRecord::from_xml(&xml), Ok(record.clone()));
    assert_eq!(NodeRecord::from_xml(&record.to_xml()), Ok(record));
}

#[test]
fn the_plan_for_a_new_lab_makes_everything_and_the_second_plan_nothing() {
    let blueprint = blueprint(&native(PAIR), Scope::System);
    let plan = plan_up(&blueprint, &Observed::default(), None).unwrap();
    insta::assert_snapshot!(shown(&plan));
    let again = plan_up(&blueprint, &built(&blueprint), None).unwrap();
    assert!(again.is_empty(), "{}", shown(&again));
}

#[test]
fn an_edit_touches_only_the_nodes_at_its_ends() {
    let before = blueprint(&native(PAIR), Scope::System);
    let observed = built(&before);
    let edited = "\
name: pair
nodes:
  r0: {kind: frr}
  r1: {kind: frr}
  r2: {kind: frr}
links:
  - r0:eth1 -- r1:eth2
  - r1:eth1 -- r2:eth1
";
    let after = blueprint_with(&native(edited), Scope::System, &observed);
    assert_eq!(after.node("r2"), before.node("r2"));
    let plan = plan_up(&after, &observed, None).unwrap();
    insta::assert_snapshot!(shown(&plan));
}

/// The pair as it runs on another subnet than the blueprint's: its network has to be made anew.
fn pair_on_another_subnet(blueprint: &Blueprint) -> Observed {
    let mut observed = built(blueprint);
    let network = &mut observed.networks[0].blueprint;
    network.gateway = "10.254.0.1".parse().unwrap();
    observed
}

fn names(nodes: &[&str]) -> BTreeSet<String> {
    nodes.iter().map(|&node| node.to_owned()).collect()
}

#[test]
fn naming_nodes_never_takes_the_power_of_others() {
    let blueprint = blueprint(&native(PAIR), Scope::System);
    let selection = names(&["r1"]);
    let network = blueprint.networks[0].name.clone();
    let observed = pair_on_another_subnet(&blueprint);
    assert_eq!(
        plan_up(&blueprint, &observed, Some(&selection)),
        Err(vec![PlanError::NetworkChanges(network)])
    );
    assert!(plan_up(&blueprint, &observed, None).is_ok());

    let mut without_network = blueprint.clone();
    without_network.networks.clear();
    let plan = plan_up(&without_network, &built(&blueprint), Some(&selection)).unwrap();
    assert!(plan.is_empty(), "{}", shown(&plan));
    let whole = plan_up(&without_network, &built(&blueprint), None).unwrap();
    assert!(!whole.is_empty());
}

#[test]
fn a_network_that_another_lab_is_on_stays_as_it_is() {
    let blueprint = blueprint(&native(PAIR), Scope::System);
    let with_another_lab = |mut observed: Observed, state| {
        let mut domain = observed.domains[0].clone();
        domain.name = "vnflab-other-r1".to_owned();
        domain.record.blueprint.lab = "other".to_owned();
        domain.state = state;
        observed.domains.push(domain);
        observed
    };
    let changed = pair_on_another_subnet(&blueprint);
    let running = with_another_lab(changed.clone(), DomainState::Running);
    assert_eq!(
        plan_up(&blueprint, &running, None),
        Err(vec![PlanError::NetworkInUse {
            network: blueprint.networks[0].name.clone(),
            lab: "other".to_owned(),
        }])
    );
    let off = with_another_lab(changed, DomainState::Off);
    assert!(plan_up(&blueprint, &off, None).is_ok());

    let mut without_network = blueprint.clone();
    without_network.networks.clear();
    let observed = with_another_lab(built(&blueprint), DomainState::Running);
    let plan = plan_up(&without_network, &observed, None).unwrap();
    assert!(plan.is_empty(), "{}", shown(&plan));
}

#[test]
fn starting_a_node_starts_its_network_first() {
    let blueprint = blueprint(&native(PAIR), Scope::System);
    let mut observed = built(&blueprint);
    observed.networks[0].state = NetworkState::Inactive;
    for domain in &mut observed.domains {
        domain.state = DomainState::Off;
    }
    let nodes = names(&["r1", "r2"]);
    for plan in [
        plan_start("pair", &observed, &nodes).unwrap(),
        plan_restart("pair", &observed, &nodes, Stop::PowerOff).unwrap(),
    ] {
        let words: Vec<_> = plan.steps.iter().map(|step| step.action.word()).collect();
        assert_eq!(words, ["start-network", "start-domain", "start-domain"]);
        assert_eq!(plan.steps[1].after, [0]);
        assert_eq!(plan.steps[2].after, [0]);
    }
    observed.networks[0].state = NetworkState::Active;
    let plan = plan_start("pair", &observed, &nodes).unwrap();
    assert_eq!(plan.steps.len(), 2, "{}", shown(&plan));
}

#[test]
fn a_disk_of_another_size_than_its_image_is_made_anew() {
    let before = blueprint(&native(PAIR), Scope::System);
    let observed = built(&before);
    let mut after = before.clone();
    let DriveContent::Overlay { size_bytes, .. } = &mut after.nodes[0].drives[0].content else {
        panic!("the first drive is an overlay")
    };
    *size_bytes *= 2;
    let plan = plan_up(&after, &observed, None).unwrap();
    let words: Vec<_> = plan.steps.iter().map(|step| step.action.word()).collect();
    let expected = [
        "destroy-domain",
        "delete-volume",
        "create-overlay",
        "define-domain",
        "start-domain",
    ];
    assert_eq!(words, expected, "{}", shown(&plan));
}

#[test]
fn going_down_removes_everything_but_kept_disks() {
    let blueprint = blueprint(&native(PAIR), Scope::System);
    let observed = built(&blueprint);
    insta::assert_snapshot!(shown(&plan_down("pair", &observed, Disks::Delete)));
    let kept = plan_down("pair", &observed, Disks::Keep);
    let deletes_disk = |action: &Action| matches!(action, Action::DeleteVolume { volume } if volume.ends_with(".qcow2"));
    assert!(!kept.steps.iter().any(|step| deletes_disk(&step.action)));
}

#[test]
fn an_interface_without_a_link_has_no_carrier_and_sends_nowhere() {
    let blueprint = blueprint(&native(PAIR), Scope::System);
    let node = blueprint.node("r1").unwrap();
    for nic in node.data_nics().skip(1) {
        assert_eq!(nic.carrier, Carrier::Down);
        let Attachment::Tunnel { local, remote } = nic.attachment else {
            panic!("{nic:?}")
        };
        assert_eq!((remote.ip(), remote.port()), (local.ip(), 9));
    }
}

fn consoles(blueprint: &Blueprint) -> Vec<String> {
    let nodes = blueprint.nodes.iter();
    nodes.map(|node| node.console.listen.to_string()).collect()
}

#[test]
fn a_port_that_a_server_has_on_all_addresses_is_left_to_it() {
    let lab = native(PAIR);
    let mut facts = facts(&lab);
    facts.tcp_taken = ["0.0.0.0:5000", "[::]:2222"]
        .map(|text| text.parse().unwrap())
        .into();
    let blueprint = allocate(Request {
        lab: &lab,
        source: "/lab/lab.yaml",
        host: &host(Scope::Session),
        observed: &Observed::default(),
        facts: &facts,
        authorized_keys: &[],
    })
    .unwrap();
    for node in &blueprint.nodes {
        assert_eq!(node.console.listen.port(), 5001);
        assert_eq!(node.access.as_ref().unwrap().ssh.port(), 2223);
    }
}

#[test]
fn consoles_on_one_address_have_different_ports_and_keep_them() {
    let text = "\
name: shared
console: {address: 127.0.0.1}
defaults: {kind: frr}
nodes:
  r1: {console: 5002}
  r2:
  r3:
";
    let before = blueprint(&native(text), Scope::Session);
    assert_eq!(
        consoles(&before),
        ["127.0.0.1:5002", "127.0.0.1:5003", "127.0.0.1:5004"]
    );
    let without_r1 = native(&text.replace("  r1: {console: 5002}\n", ""));
    let after = blueprint_with(&without_r1, Scope::Session, &built(&before));
    assert_eq!(consoles(&after), ["127.0.0.1:5003", "127.0.0.1:5004"]);
}

#[test]
fn an_address_that_the_lab_gives_is_not_given_again() {
    let text = "\
name: mixed
defaults: {kind: frr}
nodes: {r1: , r2: , r3: }
links:
  - {endpoints: [r1:eth1, r2:eth1], ipv4: [10.128.0.0/31, 10.128.0.1/31]}
  - r2:eth2 -- r3:eth1
";
    let blueprint = blueprint(&native(text), Scope::Session);
    let mut addresses = BTreeSet::new();
    for nic in blueprint.nodes.iter().flat_map(|node| &node.nics) {
        for address in &nic.addresses {
            assert!(addresses.insert(address.clone()), "{address} twice");
        }
    }
    assert_eq!(addresses.len(), 4);
}

/// A lab with the given nodes and links; what it means is a lab of frr routers.
fn lab_text(nodes: &BTreeSet<u8>, links: &BTreeMap<(u8, u8), ()>) -> String {
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
    fn topology()(nodes in prop::collection::btree_set(0_u8..12, 2..8))
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn allocation_is_unique_and_a_built_lab_leaves_nothing_to_plan((nodes, links) in topology()) {
        let blueprint = blueprint(&native(&lab_text(&nodes, &links)), Scope::System);
        let mut bound = BTreeSet::new();
        let mut macs = BTreeSet::new();
        for nic in blueprint.nodes.iter().flat_map(|node| &node.nics) {
            prop_assert!(macs.insert(nic.mac.clone()));
            if let Attachment::Tunnel { local, .. } = nic.attachment {
                prop_assert!(bound.insert(local));
            }
        }
        for node in &blueprint.nodes {
            prop_assert!(bound.insert(node.console.listen));
        }
        prop_assert!(plan_up(&blueprint, &built(&blueprint), None).unwrap().is_empty());
    }

    #[test]
    fn both_ends_of_a_link_point_at_each_other((nodes, links) in topology()) {
        let blueprint = blueprint(&native(&lab_text(&nodes, &links)), Scope::System);
        let ends: BTreeMap<_, _> = blueprint
            .nodes
            .iter()
            .flat_map(|node| &node.nics)
            .filter_map(|nic| match nic.attachment {
                Attachment::Tunnel { local, remote } => Some((local, (remote, nic.peer.clone()))),
                _ => None,
            })
            .collect();
        let connected = ends.values().filter(|(_, peer)| peer.is_some()).count();
        prop_assert_eq!(connected, links.len() * 2);
        for (local, (remote, peer)) in &ends {
            if peer.is_some() {
                prop_assert_eq!(ends[remote].0, *local);
            }
        }
    }

    #[test]
    fn a_new_node_changes_nobody_else((nodes, links) in topology()) {
        let observed = built(&blueprint(&native(&lab_text(&nodes, &links)), Scope::System));
        let mut more = nodes.clone();
        more.insert(100);
        let after = blueprint_with(&native(&lab_text(&more, &links)), Scope::System, &observed);
        let plan = plan_up(&after, &observed, None).unwrap();
        for step in &plan.steps {
            prop_assert!(["r100", "vnflab-random"].contains(&step.subject.name()), "{step:?}");
        }
    }

    #[test]
    fn a_plan_waits_only_for_earlier_steps((nodes, links) in topology()) {
        let blueprint = blueprint(&native(&lab_text(&nodes, &links)), Scope::System);
        let observed = built(&blueprint);
        for plan in [
            plan_up(&blueprint, &Observed::default(), None).unwrap(),
            plan_down("random", &observed, Disks::Delete),
        ] {
            for (id, step) in plan.steps.iter().enumerate() {
                prop_assert!(step.after.iter().all(|earlier| *earlier < id));
            }
        }
    }
}
