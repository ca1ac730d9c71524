//! The wire of a lab: where its ends are, and what becomes of it while the lab runs.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use support::{
    PAIR, blueprint, blueprint_with, built, facts, host, lab_text, native, origin_ring, shown,
    topology,
};
use vnflab_impairment::Impairment;
use vnflab_model::allocate::{Request, allocate};
use vnflab_model::blueprint::{
    Attachment, Blueprint, Carrier, DriveContent, Junction, JunctionKind, JunctionState,
    StartLimit, WireBlueprint, WireChange, WireEnd,
};
use vnflab_model::facts::FileFact;
use vnflab_model::observed::{DomainState, Observed, ObservedWire, Scope};
use vnflab_model::plan::{
    Action, Disks, Plan, PlanError, Stop, plan_down, plan_restart, plan_start, plan_up,
};
use vnflab_model::spec::Transport;

/// Does what a plan says to what was observed, as far as the wire and records are concerned.
fn carry_out(plan: &Plan, observed: &mut Observed) {
    for step in &plan.steps {
        match &step.action {
            Action::StartWire { lab, wire } => {
                let config = (**wire.as_ref().expect("a new wire")).clone();
                observed.wires.insert(lab.clone(), running(config));
            }
            Action::ChangeWire { lab, change } => {
                let Some(ObservedWire::Running { config, .. }) = observed.wires.get_mut(lab) else {
                    panic!("the wire does not run: {step:?}")
                };
                config.apply(change);
            }
            Action::StopWire { lab } => drop(observed.wires.remove(lab)),
            Action::RecordNode { record } => {
                let name = record.blueprint.domain();
                let domain = observed.domains.iter_mut().find(|one| one.name == name);
                domain.unwrap().record = (**record).clone();
            }
            Action::SetCarrier {
                domain,
                mac,
                carrier,
                ..
            } => {
                let mut domains = observed.domains.iter_mut();
                let domain = domains.find(|one| one.name == *domain).unwrap();
                domain.carriers.insert(mac.clone(), *carrier);
            }
            other => panic!("a VM is touched: {other:?}"),
        }
    }
}

fn running(config: WireBlueprint) -> ObservedWire {
    ObservedWire::Running {
        version: "1".to_owned(),
        config,
        cut: BTreeSet::new(),
    }
}

fn config_mut<'a>(observed: &'a mut Observed, lab: &str) -> &'a mut WireBlueprint {
    match observed.wires.get_mut(lab) {
        Some(ObservedWire::Running { config, .. }) => config,
        other => panic!("{other:?}"),
    }
}

fn words(plan: &Plan) -> Vec<&'static str> {
    plan.steps.iter().map(|step| step.action.word()).collect()
}

/// Three routers, with the links that are given.
fn three(links: &[&str]) -> String {
    let links: String = links.iter().map(|link| format!("  - {link}\n")).collect();
    format!(
        "name: three\ndefaults: {{kind: frr, interfaces: 3}}\nnodes: {{r1: , r2: , r3: }}\nlinks:\n{links}"
    )
}

#[test]
fn every_data_interface_has_an_end_and_nothing_else_has() {
    let blueprint = blueprint(&native(PAIR), Scope::Session);
    let wire = blueprint.wire.as_ref().unwrap();
    let mut interfaces = 0;
    for node in &blueprint.nodes {
        for nic in node.data_nics() {
            let Attachment::Tunnel { local, remote } = nic.attachment else {
                panic!("{nic:?}")
            };
            assert_eq!(local.port() + 10000, remote.port());
            assert_eq!(remote.ip(), node.address);
            let end = WireEnd::Tunnel {
                local: remote,
                remote: local,
            };
            assert_eq!(wire.ends[&node.end_name(nic)], end);
            interfaces += 1;
        }
    }
    assert_eq!(wire.ends.len(), interfaces);
    let members = &wire.junctions["r1:eth1--r2:eth1"].members;
    assert_eq!(*members, ["r1:eth1", "r2:eth1"]);
}

#[test]
fn a_link_may_go_around_the_wire() {
    let text = three(&[
        "{endpoints: [\"r1:eth1\", \"r2:eth1\"], transport: direct}",
        "r2:eth2 -- r3:eth1",
    ]);
    let blueprint = blueprint(&native(&text), Scope::Session);
    let wire = blueprint.wire.as_ref().unwrap();
    assert!(!wire.ends.contains_key("r1:eth1") && wire.ends.contains_key("r1:eth2"));
    let names: Vec<_> = wire.junctions.keys().collect();
    assert_eq!(names, ["r2:eth2--r3:eth1"]);
    let tunnel = |node: &str| {
        let nic = blueprint.node(node).unwrap().data_nics().next().unwrap();
        match nic.attachment {
            Attachment::Tunnel { local, remote } => (local, remote),
            _ => panic!("{nic:?}"),
        }
    };
    let ((one, to_other), (other, to_one)) = (tunnel("r1"), tunnel("r2"));
    assert_eq!((to_other, to_one), (other, one));
}

#[test]
fn the_origins_files_are_direct_and_keep_their_local_ports_on_the_wire() {
    let direct = blueprint(&origin_ring(), Scope::System);
    assert_eq!(direct.wire, None);
    let mut lab = origin_ring();
    lab.override_transport(Transport::Wire);
    let wired = blueprint(&lab, Scope::System);
    let wire = wired.wire.as_ref().unwrap();
    assert_eq!(wire.junctions.len(), lab.links.len());
    let mut ports = BTreeSet::new();
    for (before, after) in direct.nodes.iter().zip(&wired.nodes) {
        for (before, after_nic) in before.data_nics().zip(after.data_nics()) {
            let local = |attachment: &Attachment| match attachment {
                Attachment::Tunnel { local, .. } => *local,
                other => panic!("{other:?}"),
            };
            let port = local(&before.attachment);
            assert!(after.wire_end(after_nic).is_some());
            // The port of all that is not connected cannot be told apart.
            if port.port() != 10000 {
                assert_eq!(port, local(&after_nic.attachment));
            }
            assert!(ports.insert(local(&after_nic.attachment)));
        }
    }
    lab.override_transport(Transport::Direct);
    assert_eq!(blueprint(&lab, Scope::System), direct);
}

/// Three routers on a LAN that reaches beyond the lab.
const LAN: &str = "\
name: lan
defaults: {kind: frr}
nodes: {r1: , r2: , r3: }
links:
  - r1:eth1 -- tap:lab0
segments:
  office:
    members:
      - {node: r1, interface: eth2, ipv4: 192.0.2.1/24}
      - {node: r2, interface: eth2, ipv4: 192.0.2.2/24}
      - r3:eth1
      - host:eth1
      - udp:198.51.100.7:4789
    ageing: 5min
    addresses: 100
  repeater: {members: [\"r2:eth3\", \"r3:eth3\"], mode: hub}
";

#[test]
fn a_segment_joins_many_and_reaches_beyond_the_lab() {
    let blueprint = blueprint(&native(LAN), Scope::Session);
    let wire = blueprint.wire.as_ref().unwrap();
    insta::assert_debug_snapshot!(wire.junctions);
    let outside: Vec<_> = wire
        .ends
        .iter()
        .filter(|(_, end)| !matches!(end, WireEnd::Tunnel { .. }))
        .collect();
    insta::assert_debug_snapshot!("ends_outside_of_the_lab", outside);
    let nics: Vec<_> = blueprint.node("r1").unwrap().data_nics().collect();
    assert_eq!(nics[0].peer.as_deref(), Some("tap:lab0"));
    assert_eq!(nics[1].segment.as_deref(), Some("office"));
    assert_eq!(
        (nics[0].carrier, nics[1].carrier),
        (Carrier::Up, Carrier::Up)
    );
    let config = &blueprint.media["vnflab1.lan.r1.day0.iso"].files;
    let config: String = config
        .iter()
        .map(|(_, text)| String::from_utf8_lossy(text))
        .collect();
    assert!(
        config.contains("description eth2 to segment office"),
        "{config}"
    );
}

#[test]
fn a_segment_changes_under_running_vms() {
    let before = blueprint(&native(LAN), Scope::Session);
    let mut observed = built(&before);
    let edited = native(
        &LAN.replace("      - r3:eth1\n", "")
            .replace("mode: hub", "mode: switch")
            .replace("host:eth1", "host:eth7"),
    );
    let after = blueprint_with(&edited, Scope::Session, &observed);
    let plan = plan_up(&after, &observed, None).unwrap();
    insta::assert_snapshot!(shown(&plan));
    carry_out(&plan, &mut observed);
    assert_eq!(observed.wires["lan"].config(), after.wire.as_ref());
}

/// A pair whose link asks for everything that can be asked for.
const IMPAIRED: &str = "\
name: impaired
seed: 42
wire: {metrics: 127.0.0.1:9100}
profiles:
  rural: {profile: dsl, delay: 80ms}
  rural-up: {profile: rural, rate: 100kbit}
defaults: {kind: frr}
nodes: {r1: , r2: , r3: }
links:
  - endpoints: [\"r1:eth1\", \"r2:eth1\"]
    impairment: {profile: rural, loss: 1%}
    impairment-from: {r1: {profile: rural-up}, \"r2:eth1\": {jitter: 5ms}}
    rules:
      - {match: ip proto 89, from: r1, drop: true}
      - {match: arp}
    markov:
      every: 100ms
      states: {good: , bad: {loss: 30%}}
      transitions: {good: {bad: 5%}, bad: {good: 30%}}
    schedule: [{at 10s: down}, {at 20s: up}, {at 30s: {profile: lte}}, {at 40s: reset}]
  - {endpoints: [\"r1:eth2\", \"r2:eth2\"], state: down}
segments:
  lan: {members: [\"r2:eth3\", \"r3:eth3\"], impairment-from: {r3: {trace: lte.up}}}
";

/// The facts of a lab in which every trace is a short one.
fn blueprint_with_traces(text: &str, observed: &Observed) -> Blueprint {
    let lab = native(text);
    let mut facts = facts(&lab);
    for file in lab.impairment_files() {
        let fact = FileFact::Present {
            path: format!("/lab/{}", file.path),
            content: Some(b"1\n5\n".to_vec()),
        };
        facts.files.insert(file.path.clone(), fact);
    }
    let request = Request {
        lab: &lab,
        source: "/lab/lab.yaml",
        host: &host(Scope::Session),
        observed,
        facts: &facts,
        authorized_keys: &[],
    };
    allocate(request).unwrap()
}

#[test]
fn impairments_are_overlaid_and_their_files_attached() {
    let blueprint = blueprint_with_traces(IMPAIRED, &Observed::default());
    let wire = blueprint.wire.as_ref().unwrap();
    assert_eq!(wire.seed, 42);
    insta::assert_json_snapshot!(
        wire.junctions
            .iter()
            .map(|(name, junction)| (name, (junction.state.word(), &junction.impairments)))
            .collect::<BTreeMap<_, _>>()
    );
    // A link that begins cut gives no carrier.
    let nics: Vec<_> = blueprint.node("r1").unwrap().data_nics().collect();
    assert_eq!(
        (nics[0].carrier, nics[1].carrier),
        (Carrier::Up, Carrier::Down)
    );
}

#[test]
fn impairments_change_under_running_vms() {
    let before = blueprint_with_traces(IMPAIRED, &Observed::default());
    let mut observed = built(&before);
    let edited = IMPAIRED
        .replace("delay: 80ms", "delay: 90ms")
        .replace("{match: arp}", "{match: arp, delay: 1ms}")
        .replace("lte.up", "other.up")
        .replace("{loss: 30%}", "{loss: 40%}")
        .replace("seed: 42", "seed: 43")
        .replace("9100", "9200")
        .replace(", state: down", "");
    let after = blueprint_with_traces(&edited, &observed);
    let plan = plan_up(&after, &observed, None).unwrap();
    insta::assert_snapshot!(shown(&plan));
    carry_out(&plan, &mut observed);
    assert_eq!(observed.wires["impaired"].config(), after.wire.as_ref());
    let rest = plan_up(&after, &observed, None).unwrap();
    assert!(rest.is_empty(), "{}", shown(&rest));
    // By hand, everything can be different.
    let config = config_mut(&mut observed, "impaired");
    config.apply(&WireChange::Impair {
        name: "r1:eth1--r2:eth1".to_owned(),
        member: "r1:eth1".to_owned(),
        impairment: Box::default(),
    });
    config.apply(&WireChange::Impair {
        name: "r1:eth2--r2:eth2".to_owned(),
        member: "r1:eth2".to_owned(),
        impairment: config.junctions["lan"].impairments["r3:eth3"]
            .clone()
            .into(),
    });
    let plan = plan_up(&after, &observed, None).unwrap();
    insta::assert_snapshot!("impairments_that_were_changed_by_hand", shown(&plan));
    carry_out(&plan, &mut observed);
    assert_eq!(observed.wires["impaired"].config(), after.wire.as_ref());
}

#[test]
fn a_link_that_moves_touches_no_vm() {
    let before = blueprint(&native(&three(&["r1:eth1 -- r2:eth1"])), Scope::Session);
    let mut observed = built(&before);
    let moved = native(&three(&["r1:eth2 -- r3:eth1"]));
    let after = blueprint_with(&moved, Scope::Session, &observed);
    let plan = plan_up(&after, &observed, None).unwrap();
    insta::assert_snapshot!(shown(&plan));
    carry_out(&plan, &mut observed);
    assert_eq!(observed.wires["three"].config(), after.wire.as_ref());
    // The links of the generated configuration wait; nothing else does.
    let again = blueprint_with(&moved, Scope::Session, &observed);
    let rest = plan_up(&again, &observed, None).unwrap();
    assert!(rest.is_empty(), "{}", shown(&rest));
    // They wait until the node boots anew.
    observed.domains[0].state = DomainState::Off;
    let plan = plan_up(&again, &observed, None).unwrap();
    assert!(words(&plan).contains(&"write-media"), "{}", shown(&plan));
}

#[test]
fn addresses_that_the_user_changes_make_the_nodes_anew() {
    let link = |low: &str, high: &str| {
        let ends = "endpoints: [\"r1:eth1\", \"r2:eth1\"]";
        native(&three(&[&format!("{{{ends}, ipv4: [{low}, {high}]}}")]))
    };
    let before = blueprint(&link("10.1.0.0/31", "10.1.0.1/31"), Scope::Session);
    let observed = built(&before);
    let edited = link("10.2.0.0/31", "10.2.0.1/31");
    let after = blueprint_with(&edited, Scope::Session, &observed);
    let plan = plan_up(&after, &observed, None).unwrap();
    let anew = words(&plan)
        .iter()
        .filter(|word| **word == "start-domain")
        .count();
    assert_eq!(anew, 2, "{}", shown(&plan));
}

#[test]
fn going_to_direct_and_back_makes_the_nodes_anew() {
    let wired = native(&three(&["r1:eth1 -- r2:eth1"]));
    let mut direct = wired.clone();
    direct.override_transport(Transport::Direct);
    for (from, to) in [(&wired, &direct), (&direct, &wired)] {
        let observed = built(&blueprint(from, Scope::Session));
        let after = blueprint_with(to, Scope::Session, &observed);
        let plan = plan_up(&after, &observed, None).unwrap();
        let words = words(&plan);
        assert_eq!(
            words.iter().filter(|word| **word == "start-domain").count(),
            3
        );
        let wire = if after.wire.is_some() {
            "start-wire"
        } else {
            "stop-wire"
        };
        assert!(words.contains(&wire), "{}", shown(&plan));
    }
}

#[test]
fn what_was_changed_by_hand_is_put_back() {
    let lab = native(&three(&["r1:eth1 -- r2:eth1", "r2:eth2 -- r3:eth2"]));
    let blueprint = blueprint(&lab, Scope::Session);
    let (first, second) = ("r1:eth1--r2:eth1", "r2:eth2--r3:eth2");
    let by_hand = |changes: &[WireChange]| {
        let mut observed = built(&blueprint);
        let config = config_mut(&mut observed, "three");
        for change in changes {
            config.apply(change);
        }
        let config = config.clone();
        let carriers = config.carriers();
        for domain in &mut observed.domains {
            let node = &domain.record.blueprint;
            for nic in node.data_nics() {
                let carrier = carriers[node.end_name(nic).as_str()];
                domain.carriers.insert(nic.mac.clone(), carrier);
            }
        }
        let plan = plan_up(&blueprint, &observed, None).unwrap();
        carry_out(&plan, &mut observed);
        assert_eq!(observed.wires["three"].config(), blueprint.wire.as_ref());
        shown(&plan)
    };
    let cut = by_hand(&[WireChange::SetState {
        name: first.to_owned(),
        state: JunctionState::Down,
    }]);
    insta::assert_snapshot!("a_link_that_was_cut_by_hand", cut);
    let swapped = by_hand(&[
        WireChange::Disconnect {
            name: second.to_owned(),
        },
        WireChange::Move {
            name: first.to_owned(),
            members: vec!["r1:eth1".to_owned(), "r3:eth2".to_owned()],
        },
    ]);
    insta::assert_snapshot!("links_that_were_moved_by_hand", swapped);
}

#[test]
fn a_selection_sets_the_wire_up_as_a_whole() {
    let before = blueprint(&native(&three(&["r1:eth1 -- r2:eth1"])), Scope::Session);
    let observed = built(&before);
    let text =
        three(&["r2:eth1 -- r3:eth1"]).replace("interfaces: 3", "interfaces: 3, memory: 300");
    let after = blueprint_with(&native(&text), Scope::Session, &observed);
    let only_r1 = BTreeSet::from(["r1".to_owned()]);
    let plan = plan_up(&after, &observed, Some(&only_r1)).unwrap();
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn the_wire_is_started_before_the_vms_and_stopped_after_them() {
    let blueprint = blueprint(&native(PAIR), Scope::Session);
    let plan = plan_up(&blueprint, &Observed::default(), None).unwrap();
    let started = position(&plan, "start-wire");
    for step in &plan.steps {
        if let Action::StartDomain { .. } = step.action {
            assert!(step.after.contains(&started));
        }
    }
    let observed = built(&blueprint);
    let plan = plan_down("pair", &observed, Disks::Delete);
    assert_eq!(plan.steps[position(&plan, "stop-wire")].after.len(), 2);
    // A wire may be all that is left.
    let left = Observed {
        wires: observed.wires.clone(),
        ..Observed::default()
    };
    assert_eq!(left.labs(), BTreeSet::from(["pair"]));
    assert_eq!(
        words(&plan_down("pair", &left, Disks::Delete)),
        ["stop-wire"]
    );
}

fn position(plan: &Plan, word: &str) -> usize {
    words(plan).iter().position(|one| *one == word).unwrap()
}

#[test]
fn starting_a_node_starts_its_wire_first() {
    let blueprint = blueprint(&native(PAIR), Scope::Session);
    let mut observed = built(&blueprint);
    for domain in &mut observed.domains {
        domain.state = DomainState::Off;
    }
    let nodes = BTreeSet::from(["r1".to_owned(), "r2".to_owned()]);
    observed
        .wires
        .insert("pair".to_owned(), ObservedWire::Stopped);
    for plan in [
        plan_start("pair", &observed, &nodes, StartLimit::NONE).unwrap(),
        plan_restart("pair", &observed, &nodes, Stop::PowerOff, StartLimit::NONE).unwrap(),
    ] {
        assert_eq!(words(&plan), ["start-wire", "start-domain", "start-domain"]);
        assert_eq!(
            (&plan.steps[1].after, &plan.steps[2].after),
            (&vec![0], &vec![0])
        );
    }
    observed.wires.clear();
    let gone = Err(vec![PlanError::NoWire("pair".to_owned())]);
    assert_eq!(
        plan_start("pair", &observed, &nodes, StartLimit::NONE),
        gone
    );
}

#[test]
fn a_node_that_is_off_takes_its_peers_carrier_unless_they_keep_it() {
    for (policy, steps) in [("follow", &["set-carrier"][..]), ("keep", &[])] {
        let lab = native(&format!("wire: {{carrier: {policy}}}\n{PAIR}"));
        let blueprint = blueprint(&lab, Scope::Session);
        let mut observed = built(&blueprint);
        observed.domains[1].state = DomainState::Off;
        let only_r1 = BTreeSet::from(["r1".to_owned()]);
        let plan = plan_up(&blueprint, &observed, Some(&only_r1)).unwrap();
        assert_eq!(words(&plan), steps, "{}", shown(&plan));
        carry_out(&plan, &mut observed);
        let again = plan_up(&blueprint, &observed, Some(&only_r1)).unwrap();
        assert!(again.is_empty(), "{}", shown(&again));
        // Once the other is to run again, the carrier comes back.
        let plan = plan_up(&blueprint, &observed, None).unwrap();
        let expected: Vec<_> = steps.iter().copied().chain(["start-domain"]).collect();
        assert_eq!(words(&plan), expected, "{}", shown(&plan));
    }
}

#[test]
fn a_carrier_that_a_schedule_took_is_no_difference() {
    let blueprint = blueprint(&native(PAIR), Scope::Session);
    let mut observed = built(&blueprint);
    for domain in &mut observed.domains {
        for carrier in domain.carriers.values_mut() {
            *carrier = Carrier::Down;
        }
    }
    let Some(ObservedWire::Running { cut, .. }) = observed.wires.get_mut("pair") else {
        panic!("it runs")
    };
    // Either direction is enough: both ends lose it.
    cut.insert("r2:eth1".to_owned());
    let plan = plan_up(&blueprint, &observed, None).unwrap();
    assert!(plan.is_empty(), "{}", shown(&plan));
}

#[test]
fn a_node_that_starts_has_the_carriers_of_now() {
    let blueprint = blueprint(&native(PAIR), Scope::Session);
    let mut observed = built(&blueprint);
    let r1 = &mut observed.domains[0];
    r1.state = DomainState::Off;
    for carrier in r1.carriers.values_mut() {
        *carrier = Carrier::Down;
    }
    let only_r1 = BTreeSet::from(["r1".to_owned()]);
    for plan in [
        plan_up(&blueprint, &observed, None).unwrap(),
        plan_start("pair", &observed, &only_r1, StartLimit::NONE).unwrap(),
    ] {
        assert_eq!(words(&plan), ["set-carrier", "start-domain"]);
        assert_eq!(plan.steps[1].after, [0]);
    }
    observed.domains[1].state = DomainState::Off;
    let plan = plan_start("pair", &observed, &only_r1, StartLimit::NONE).unwrap();
    assert_eq!(words(&plan), ["start-domain"], "{}", shown(&plan));
}

#[test]
fn an_upgrade_leaves_direct_labs_alone() {
    let direct = native(&format!("transport: direct\n{PAIR}"));
    let blueprint = blueprint(&direct, Scope::Session);
    let mut observed = built(&blueprint);
    for domain in &mut observed.domains {
        for drive in &mut domain.record.blueprint.drives {
            if let DriveContent::Media {
                digest_without_links,
                ..
            } = &mut drive.content
            {
                *digest_without_links = None;
            }
        }
    }
    let plan = plan_up(&blueprint, &observed, None).unwrap();
    assert!(plan.is_empty(), "{}", shown(&plan));
}

/// The same nodes with other links between them.
fn two_labs() -> impl Strategy<Value = (Blueprint, Observed)> {
    (
        topology(),
        prop::collection::btree_set((0_usize..8, 0_usize..8), 0..8),
    )
        .prop_map(|((nodes, links), pairs)| {
            let before = blueprint(&native(&lab_text(&nodes, &links)), Scope::System);
            let observed = built(&before);
            let list: Vec<u8> = nodes.iter().copied().collect();
            let pairs = pairs
                .into_iter()
                .map(|(a, b)| (list[a % list.len()], list[b % list.len()]));
            let links: BTreeMap<_, _> = pairs
                .filter(|(a, b)| a < b)
                .map(|pair| (pair, ()))
                .collect();
            let after = native(&lab_text(&nodes, &links));
            let after = blueprint_with(&after, Scope::System, &observed);
            (after, observed)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn new_links_touch_no_vm_and_a_plan_that_was_done_leaves_nothing(
        (after, mut observed) in two_labs(),
    ) {
        let plan = plan_up(&after, &observed, None).unwrap();
        for (id, step) in plan.steps.iter().enumerate() {
            prop_assert!(step.after.iter().all(|earlier| *earlier < id));
        }
        // Panics at a step on a VM's power, disks or definition.
        carry_out(&plan, &mut observed);
        prop_assert_eq!(observed.wires["random"].config(), after.wire.as_ref());
        let rest = plan_up(&after, &observed, None).unwrap();
        prop_assert!(rest.is_empty(), "{}", shown(&rest));
    }

    #[test]
    fn carriers_follow_the_wire((after, mut observed) in two_labs()) {
        let plan = plan_up(&after, &observed, None).unwrap();
        carry_out(&plan, &mut observed);
        let wanted = after.wire.as_ref().unwrap().carriers();
        for (node, domain) in after.nodes.iter().zip(&observed.domains) {
            for nic in node.data_nics() {
                let end = node.end_name(nic);
                prop_assert_eq!(domain.carriers[&nic.mac], wanted[end.as_str()]);
            }
        }
    }

    #[test]
    fn whatever_was_done_by_hand_is_put_back(
        (after, mut observed) in two_labs(),
        changes in prop::collection::vec(change(), 0..8),
    ) {
        let first = plan_up(&after, &observed, None).unwrap();
        carry_out(&first, &mut observed);
        let config = config_mut(&mut observed, "random");
        for change in &changes {
            change.apply(config);
        }
        let plan = plan_up(&after, &observed, None).unwrap();
        for (id, step) in plan.steps.iter().enumerate() {
            prop_assert!(step.after.iter().all(|earlier| *earlier < id));
        }
        carry_out(&plan, &mut observed);
        prop_assert_eq!(observed.wires["random"].config(), after.wire.as_ref());
        let rest = plan_up(&after, &observed, None).unwrap();
        prop_assert!(rest.is_empty(), "{}", shown(&rest));
    }
}

/// Something that a hand does to a wire, to ends and junctions that it happens to have.
#[derive(Debug, Clone)]
enum ByHand {
    Close(prop::sample::Index),
    Connect(prop::sample::Index, prop::sample::Index),
    Disconnect(prop::sample::Index),
    Cut(prop::sample::Index),
    Impair(prop::sample::Index, &'static str),
    Seed(u64),
}

impl ByHand {
    fn apply(&self, wire: &mut WireBlueprint) {
        let ends: Vec<String> = wire.ends.keys().cloned().collect();
        let names: Vec<String> = wire.junctions.keys().cloned().collect();
        let end = |index: &prop::sample::Index| ends[index.index(ends.len())].clone();
        let name = |index: &prop::sample::Index| names[index.index(names.len())].clone();
        let change = match self {
            Self::Close(at) if !ends.is_empty() => WireChange::CloseEnds {
                names: BTreeSet::from([end(at)]),
            },
            Self::Connect(one, other) if !ends.is_empty() && end(one) != end(other) => {
                let junction = Junction {
                    kind: JunctionKind::Link,
                    members: vec![end(one), end(other)],
                    state: JunctionState::Up,
                    impairments: BTreeMap::new(),
                };
                let name = format!("{}--{}", end(one), end(other));
                WireChange::Connect { name, junction }
            }
            Self::Disconnect(at) if !names.is_empty() => WireChange::Disconnect { name: name(at) },
            Self::Cut(at) if !names.is_empty() => WireChange::SetState {
                name: name(at),
                state: JunctionState::Down,
            },
            Self::Impair(at, delay) if !names.is_empty() => {
                let Some(member) = wire.junctions[&name(at)].members.first().cloned() else {
                    return;
                };
                let mut impairment = Impairment::default();
                impairment.settings.set("delay", delay).unwrap();
                WireChange::Impair {
                    name: name(at),
                    member,
                    impairment: Box::new(impairment),
                }
            }
            Self::Seed(seed) => WireChange::Seed { seed: *seed },
            _ => return,
        };
        wire.apply(&change);
    }
}

fn change() -> impl Strategy<Value = ByHand> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        at().prop_map(ByHand::Close),
        (at(), at()).prop_map(|(one, other)| ByHand::Connect(one, other)),
        at().prop_map(ByHand::Disconnect),
        at().prop_map(ByHand::Cut),
        (at(), prop::sample::select(vec!["1ms", "2ms"]))
            .prop_map(|(at, delay)| ByHand::Impair(at, delay)),
        any::<u64>().prop_map(ByHand::Seed),
    ]
}
