//! From lab files to blueprints, XML and plans: the pure half of `vnflab up`.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use support::{
    CATALOGUE, PAIR, blueprint, blueprint_with, built, facts, host, lab_text, native, origin_ring,
    shown, topology,
};
use vnflab_model::allocate::{Request, allocate};
use vnflab_model::blueprint::{Attachment, Blueprint, Carrier, DriveContent, StartLimit};
use vnflab_model::domain_xml::{domain_xml, network_xml};
use vnflab_model::observed::{DomainState, NetworkState, Observed, Scope};
use vnflab_model::plan::{
    Action, Disks, PlanError, Stop, plan_down, plan_restart, plan_start, plan_up,
};
use vnflab_model::record::NodeRecord;
use vnflab_model::resolve::stand_in;

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
        plan_start("pair", &observed, &nodes, StartLimit::NONE).unwrap(),
        plan_restart("pair", &observed, &nodes, Stop::PowerOff, StartLimit::NONE).unwrap(),
    ] {
        let words: Vec<_> = plan.steps.iter().map(|step| step.action.word()).collect();
        assert_eq!(words, ["start-network", "start-domain", "start-domain"]);
        assert_eq!(plan.steps[1].after, [0]);
        assert_eq!(plan.steps[2].after, [0]);
    }
    observed.networks[0].state = NetworkState::Active;
    let plan = plan_start("pair", &observed, &nodes, StartLimit::NONE).unwrap();
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
    let lab = native(&format!("transport: direct\n{PAIR}"));
    let blueprint = blueprint(&lab, Scope::System);
    assert_eq!(blueprint.wire, None);
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
    fn both_ends_of_a_direct_link_point_at_each_other((nodes, links) in topology()) {
        let text = format!("transport: direct\n{}", lab_text(&nodes, &links));
        let blueprint = blueprint(&native(&text), Scope::System);
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
            let concerned = ["r100", "vnflab-random", "random"];
            prop_assert!(concerned.contains(&step.subject.name()), "{step:?}");
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
