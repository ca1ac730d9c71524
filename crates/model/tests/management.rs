//! The management of a lab: addresses in both families, names, and what stays when nodes come and go.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod support;

use support::{CATALOGUE, blueprint_with, native};
use vnflab_model::blueprint::{Blueprint, NodeBlueprint};
use vnflab_model::domain_xml::network_xml;
use vnflab_model::kind::MediaForm;
use vnflab_model::observed::{
    DomainState, NetworkState, Observed, ObservedDomain, ObservedNetwork, Scope,
};
use vnflab_model::record::NodeRecord;

const SUBNETS: &str = "mgmt: {ipv4-subnet: 10.9.0.0/24, ipv6-subnet: \"fd00:9::/64\"}\n";

fn blueprint(text: &str, scope: Scope, observed: &Observed) -> Blueprint {
    blueprint_with(&native(&format!("name: one\n{text}")), scope, observed)
}

/// All that runs once a blueprint was carried out.
fn running(blueprint: &Blueprint) -> Observed {
    let domains = blueprint.nodes.iter().map(|node| ObservedDomain {
        name: node.domain(),
        record: NodeRecord {
            blueprint: node.clone(),
            source: blueprint.source.clone(),
        },
        state: DomainState::Running,
        process: None,
        cpu_limit_percent: None,
        typing: None,
        carriers: std::collections::BTreeMap::new(),
        uptime: None,
    });
    let networks = blueprint.networks.iter().map(|network| ObservedNetwork {
        blueprint: network.clone(),
        state: NetworkState::Active,
    });
    Observed {
        domains: domains.collect(),
        networks: networks.collect(),
        ..Observed::default()
    }
}

fn addresses(node: &NodeBlueprint) -> (String, String) {
    let access = node.access.as_ref().unwrap();
    let ipv6 = access.ipv6.map(|address| address.to_string());
    (access.address.to_string(), ipv6.unwrap_or_default())
}

#[test]
fn a_network_has_both_families_with_names() {
    let nodes = "nodes: {r1: {kind: frr}, r2: {kind: frr, mgmt-ipv6: \"fd00:9::99\"}}\n";
    let blueprint = blueprint(
        &format!("{nodes}{SUBNETS}"),
        Scope::System,
        &Observed::default(),
    );
    insta::assert_snapshot!("network", network_xml(&blueprint.networks[0]));
}

#[test]
fn addresses_stay_when_a_node_is_added_before() {
    let two = "nodes: {r1: {kind: frr}, r2: {kind: frr}}\n";
    let before = blueprint(
        &format!("{two}{SUBNETS}"),
        Scope::System,
        &Observed::default(),
    );
    let three = "nodes: {r0: {kind: frr}, r1: {kind: frr}, r2: {kind: frr}}\n";
    let after = blueprint(
        &format!("{three}{SUBNETS}"),
        Scope::System,
        &running(&before),
    );
    for node in &before.nodes {
        let same = after.node(&node.node).unwrap();
        assert_eq!(addresses(same), addresses(node));
    }
    let new = addresses(after.node("r0").unwrap());
    assert_eq!(new, ("10.9.0.13".to_owned(), "fd00:9::d".to_owned()));
}

#[test]
fn forwarded_ports_follow_from_the_names_alone() {
    let one = "nodes: {r1: {kind: frr}}\n";
    let before = blueprint(one, Scope::Session, &Observed::default());
    let more = "nodes: {r0: {kind: frr}, r1: {kind: frr, memory: 300}}\n";
    // Nothing is left of the lab: it was taken down, and its host has started anew.
    let after = blueprint(more, Scope::Session, &Observed::default());
    let port = |blueprint: &Blueprint| blueprint.node("r1").unwrap().access.as_ref().unwrap().ssh;
    assert_eq!(port(&after), port(&before));
    assert!(port(&before).ip().is_loopback());
}

#[test]
fn kinds_that_can_be_given_an_ipv6_address_are_given_it() {
    let mut given = Vec::new();
    for kind in CATALOGUE.kinds() {
        let name = &kind.name;
        let text = format!("nodes: {{r1: {{kind: {name}}}}}\n{SUBNETS}");
        let blueprint = blueprint(&text, Scope::System, &Observed::default());
        let node = &blueprint.nodes[0];
        let files = blueprint.media.values().flat_map(|medium| &medium.files);
        let mut said = files.map(|(_, text)| String::from_utf8_lossy(text).into_owned());
        let smbios = node
            .machine
            .smbios
            .iter()
            .map(|(_, _, value)| value.clone());
        let typed = blueprint.typed.get("r1").cloned();
        let is_said = said.any(|text| text.contains("fd00:9::b"))
            || smbios
                .chain(typed)
                .any(|text| text.contains("fd00:9::b/64"));
        let Some(access) = &node.access else { continue };
        assert_eq!(access.ipv6.is_some(), is_said, "{name}");
        if is_said {
            given.push(name.as_str());
        }
    }
    for expected in [
        "frr", "debian", "iosv", "c8000v", "xrv9k", "nxos", "eos", "vyos", "vsrx", "sros",
    ] {
        assert!(given.contains(&expected), "{expected}: {given:?}");
    }
    let none = CATALOGUE.find("windows").unwrap();
    assert!(none.day0.form == MediaForm::None && !given.contains(&"windows"));
}

#[test]
fn sr_os_takes_a_startup_config_from_its_second_disk() {
    let text =
        "nodes: {r1: {kind: sros, startup-config: {text: \"exit all\\n\"}}, r2: {kind: sros}}\n";
    let blueprint = blueprint(text, Scope::Session, &Observed::default());
    let product = |node: &str| {
        let node = blueprint.node(node).unwrap();
        node.machine.smbios[0].2.clone()
    };
    assert!(
        product("r1").contains(" primary-config=cf1:config.cfg "),
        "{}",
        product("r1")
    );
    assert!(
        !product("r2").contains("primary-config"),
        "{}",
        product("r2")
    );
    let (volume, medium) = blueprint.media.iter().next().unwrap();
    assert_eq!(blueprint.media.len(), 1);
    assert_eq!(volume, "vnflab1.one.r1.day0.img");
    assert_eq!(
        medium.files,
        [("config.cfg".to_owned(), b"exit all\n".to_vec())]
    );
}

#[test]
fn the_user_of_the_image_has_its_own_password() {
    for (settings, password) in [("", Some("admin")), (", management-config: false", None)] {
        let text = format!("nodes: {{r1: {{kind: eos{settings}}}}}\n");
        let blueprint = blueprint(&text, Scope::System, &Observed::default());
        let kind = CATALOGUE.find("eos").unwrap();
        let access = blueprint.nodes[0].access.as_ref().unwrap();
        assert_eq!(kind.password_of(access), password, "{access:?}");
    }
}
