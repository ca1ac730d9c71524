//! What other programs get of a lab, whole: reviewing a snapshot is reviewing the form.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::path::Path;
use support::{CATALOGUE, blueprint, native};
use vnflab_model::blueprint::Blueprint;
use vnflab_model::inventory::{FORMATS, Inventory, Member, Names, hosts, ssh_config};
use vnflab_model::observed::Scope;

/// A router with a key, one with a password, one with old algorithms, one without SSH, and one
/// whose name is a word of YAML.
const MIXED: &str = "
name: mixed-lab
nodes:
  r1: {kind: frr}
  sw-1: {kind: sonic}
  xr: {kind: xrv9k, image: xrv9k}
  no: {kind: linux, image: debian}
  pc: {kind: windows, image: windows}
images: {}
links:
  - r1:eth1 -- sw-1:Ethernet0
  - r1:eth2 -- no:eth1
";

fn mixed(scope: Scope) -> Blueprint {
    let text = MIXED
        .replace("images: {}\n", "")
        .replace("kind: sonic", "kind: sonic, image: sonic");
    blueprint(&native(&text), scope)
}

fn inventory(blueprint: &Blueprint) -> Inventory<'_> {
    let members = blueprint.nodes.iter().map(|node| Member {
        node,
        kind: CATALOGUE.find(&node.guest).map(AsRef::as_ref),
    });
    Inventory {
        lab: &blueprint.lab,
        members: members.collect(),
        key: Path::new("/home/me 100%/ssh/id_ed25519"),
        known_hosts: Path::new("/home/me 100%/ssh/mixed-lab.known_hosts"),
    }
}

#[test]
fn every_form_of_a_mixed_lab() {
    let blueprint = mixed(Scope::Session);
    for format in FORMATS {
        let text = (format.write)(&inventory(&blueprint));
        insta::assert_snapshot!(format!("inventory-{}", format.name), text);
    }
}

#[test]
fn ssh_and_hosts_know_nodes_by_short_names_only_where_they_are_alone() {
    let blueprint = mixed(Scope::System);
    let inventory = inventory(&blueprint);
    insta::assert_snapshot!("ssh-config", ssh_config(&inventory, Names::Short));
    insta::assert_snapshot!("hosts", hosts(&inventory, Names::Short));
    let full = ssh_config(&inventory, Names::Full) + &hosts(&inventory, Names::Full);
    assert!(full.contains("Host mixed-lab.r1\n"));
    assert!(full.lines().all(|line| !line.ends_with(" r1")), "{full}");
}

#[test]
fn a_password_stands_only_where_nothing_else_opens() {
    let blueprint = mixed(Scope::Session);
    for format in FORMATS {
        let text = (format.write)(&inventory(&blueprint));
        let has = |word: &str| text.contains(word);
        match format.name {
            // Unicon types it on the console.
            "pyats" => assert!(has("YourPaSsWoRd") && has("password: admin")),
            "containerlab" => assert!(!has("YourPaSsWoRd") && !has("password")),
            _ => assert!(has("YourPaSsWoRd") && !has("password: admin"), "{text}"),
        }
    }
}
