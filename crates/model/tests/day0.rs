//! What every kind boots with: snapshots to be read, kind by kind.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::fmt::Write as _;
use support::{CATALOGUE, blueprint_with, facts, host, native};
use vnflab_model::allocate::{AllocateError, Request, allocate};
use vnflab_model::blueprint::{Blueprint, MediaFilesystem};
use vnflab_model::facts::FileFact;
use vnflab_model::kind::MediaForm;
use vnflab_model::lab::{Lab, StartupConfig};
use vnflab_model::observed::{Observed, Scope};

/// The blueprint of a lab whose configuration files all hold one text.
fn with_config(lab: &Lab, text: &str) -> Result<Blueprint, Vec<AllocateError>> {
    let mut facts = facts(lab);
    for node in &lab.nodes {
        if let Some(StartupConfig::File(path, _)) = &node.startup_config {
            let fact = FileFact::Present {
                path: format!("/lab/{path}"),
                content: Some(text.as_bytes().to_vec()),
            };
            facts.files.insert(path.clone(), fact);
        }
    }
    allocate(Request {
        lab,
        source: "/lab/lab.yaml",
        host: &host(Scope::System),
        observed: &Observed::default(),
        facts: &facts,
        authorized_keys: &["ssh-ed25519 AAAA vnflab".to_owned()],
    })
}

/// The media of a blueprint, as text.
fn media(blueprint: &Blueprint) -> String {
    let mut text = String::new();
    for (volume, medium) in &blueprint.media {
        let form = match medium.filesystem {
            MediaFilesystem::Iso { naming } => format!("ISO 9660, {naming:?} names"),
            MediaFilesystem::Fat {
                size_bytes,
                partitioned,
            } => format!("FAT, {size_bytes} bytes, partitioned {partitioned}"),
        };
        writeln!(text, "=== {volume}: {form}, label {}", medium.label).unwrap();
        if let Some(archive) = &medium.archive {
            writeln!(text, "in {archive}:").unwrap();
        }
        for (path, content) in &medium.files {
            writeln!(text, "--- {path}\n{}", String::from_utf8_lossy(content)).unwrap();
        }
    }
    text
}

#[test]
fn every_kind_with_a_medium_boots_with_what_management_needs() {
    let takes = |form| form != MediaForm::None;
    let kinds = CATALOGUE.kinds().filter(|kind| takes(kind.day0.form));
    for kind in kinds {
        let name = &kind.name;
        let lab = native(&format!("name: one\nnodes:\n  r1: {{kind: {name}}}\n"));
        let blueprint = blueprint_with(&lab, Scope::System, &Observed::default());
        insta::assert_snapshot!(format!("generated-{name}"), media(&blueprint));
    }
}

#[test]
fn what_the_user_writes_has_the_last_word() {
    let kinds = [
        "ios",
        "iosv",
        "nxos",
        "eos",
        "xrv",
        "vjunos-router",
        "vyos",
        "fortigate",
        "panos",
        "linux",
        "cumulus",
    ];
    let nodes: String = kinds
        .iter()
        .map(|kind| {
            format!(
                "  {kind}: {{kind: {kind}, startup-config: {{text: \"own it's 1\\nown 2\\n\"}}}}\n"
            )
        })
        .collect();
    let lab = native(&format!("name: own\nnodes:\n{nodes}"));
    let blueprint = blueprint_with(&lab, Scope::Session, &Observed::default());
    insta::assert_snapshot!(media(&blueprint));
}

#[test]
fn without_management_config_the_text_stays_as_it_is() {
    let lab = native(
        "name: own\ndefaults: {management-config: false}\nnodes:\n  \
         r1: {kind: ios, startup-config: {text: \"own\"}}\n  r2: {kind: ios}\n  \
         r3: {kind: linux}\n  r4: {kind: vjunos-router, startup-config: {text: \"system { }\\n\"}}\n",
    );
    let blueprint = blueprint_with(&lab, Scope::Session, &Observed::default());
    insta::assert_snapshot!(media(&blueprint));
    let user = |node: &str| {
        blueprint
            .node(node)
            .unwrap()
            .access
            .as_ref()
            .unwrap()
            .user
            .clone()
    };
    assert_eq!(
        (user("r1"), user("r3")),
        (None, None),
        "nobody made these users"
    );
}

const TEMPLATE: &str = "\
hostname {{ node.hostname }} ! {{ lab.name }} {{ node.kind }} {{ node.number }}
router-id {{ node.loopback }}
{% for interface in node.interfaces if interface.peer %}
interface {{ interface.name }}
 description to {{ interface.peer.node }} {{ interface.peer.interface }}
 {% if interface.ipv4 %}
 ip address {{ interface.ipv4.address }} {{ interface.ipv4.netmask }} ! {{ interface.ipv4.cidr }}
 {% endif %}
{% endfor %}
management {{ management.interface }} {{ management.ipv4.address }}/{{ management.ipv4.prefix_length }} via {{ management.gateway }}
login {{ login.user }}/{{ login.password }}, {{ ssh_keys[0].type }} {{ ssh_keys[0].data }}
";

const TEMPLATED: &str = "\
name: pair
nodes:
  r1: {kind: ios, startup-config: router.j2, hostname: edge1, management-config: true}
  r2: {kind: iosv, startup-config: router.j2}
links:
  - {endpoints: [\"r1:Gi2\", \"r2:Gi0/1\"], ipv4: [10.0.0.0/31, 10.0.0.1/31]}
  - r1:Gi3 -- r2:Gi0/2
";

#[test]
fn templates_know_the_node_its_links_and_its_management() {
    let blueprint = with_config(&native(TEMPLATED), TEMPLATE).unwrap();
    insta::assert_snapshot!(media(&blueprint));
}

#[test]
fn a_template_that_names_nothing_is_told_with_its_line() {
    let errors = with_config(&native(TEMPLATED), "a\n{{ node.loopbak }}\n").unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "node `r1`: `router.j2` line 2: `node.loopbak` is not defined",
            "node `r2`: `router.j2` line 2: `node.loopbak` is not defined",
        ]
    );
}

#[test]
fn smbios_carries_what_has_no_medium() {
    let lab = native("name: one\nnodes:\n  r1: {kind: sros}\n");
    let blueprint = blueprint_with(&lab, Scope::Session, &Observed::default());
    let smbios = &blueprint.node("r1").unwrap().machine.smbios;
    let product = smbios
        .iter()
        .find(|(table, field, _)| (&**table, &**field) == ("system", "product"));
    assert_eq!(
        product.unwrap().2,
        "TIMOS: address=10.0.2.15/24@active slot=A chassis=SR-1 card=cpm-1 mda/1=me6-100gb-qsfp28"
    );
}

#[test]
fn the_templates_of_all_kinds_are_well_formed() {
    for kind in CATALOGUE.kinds() {
        for (key, text) in kind.day0.templates() {
            assert_eq!(
                vnflab_model::day0::template_mistake(&key, text),
                None,
                "{}",
                kind.name
            );
        }
    }
}

#[test]
fn values_of_the_users_own_are_known_to_templates() {
    let lab = native(
        "name: one\nvars: {asn: 65000, site: north, ratio: 1.5, flags: [true, ~, '7'], at: 1.2.3, serial: 12345678901234567890}\nnodes:\n  \
         r1: {kind: iosv, management-config: false, startup-config: r.j2, vars: {asn: 65001, peer: {asn: 65000}}}\n  \
         r2: {kind: iosv, management-config: false, startup-config: r.j2}\n",
    );
    let template = "{{ vars.asn + 1 }} {{ vars.site }} {{ vars.ratio * 2 }} {{ vars.flags }} {{ vars.at }} \
                    {{ vars.peer.asn if vars.peer is defined else '-' }} {{ vars.serial }}\n";
    let blueprint = with_config(&lab, template).unwrap();
    let text = |node: &str| {
        let medium = &blueprint.media[&format!("vnflab1.one.{node}.day0.img")];
        String::from_utf8_lossy(&medium.files[0].1).into_owned()
    };
    assert_eq!(
        text("r1"),
        "65002 north 3.0 [True, None, '7'] 1.2.3 65000 12345678901234567890\n"
    );
    assert_eq!(
        text("r2"),
        "65001 north 3.0 [True, None, '7'] 1.2.3 - 12345678901234567890\n"
    );
    let error = with_config(&lab, "a\n{{ vars.nothing }}\n").unwrap_err();
    let told = "node `r1`: `r.j2` line 2: `vars.nothing` is not defined";
    assert_eq!(error[0].to_string(), told);
}
