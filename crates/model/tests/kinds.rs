//! Every kind that comes with the program: its machine as libvirt gets it, reviewed as a snapshot.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use support::{CATALOGUE, blueprint, native};
use vnflab_model::domain_xml::domain_xml;
use vnflab_model::kind::Kind;
use vnflab_model::observed::Scope;

/// A lab of one node of a kind, as it is without wishes.
fn one_node(kind: &Kind) -> String {
    let name = &kind.name;
    format!("name: kinds\nnodes: {{r1: {{kind: {name}, image: {name}.qcow2}}}}\n")
}

/// The domain of a node without its record, whose form is not the matter here.
fn without_record(xml: &str) -> String {
    let begin = xml.find("  <metadata>").unwrap();
    let end = xml.find("  </metadata>\n").unwrap() + "  </metadata>\n".len();
    format!("{}{}", &xml[..begin], &xml[end..])
}

#[test]
fn every_kind_has_a_machine_that_was_looked_at() {
    for kind in CATALOGUE.kinds() {
        let blueprint = blueprint(&native(&one_node(kind)), Scope::Session);
        let all: Vec<String> = blueprint
            .vms()
            .map(|node| domain_xml(node, &blueprint.source, Scope::Session))
            .map(|xml| without_record(&xml))
            .collect();
        insta::with_settings!({
            snapshot_path => "kinds",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(kind.name.as_str(), all.concat());
        });
    }
}

#[test]
fn every_kind_tells_what_a_user_has_to_know() {
    for kind in CATALOGUE.kinds() {
        let name = &kind.name;
        assert!(
            !kind.title.is_empty() && kind.title != *name,
            "{name}: title"
        );
        assert!(!kind.source.is_empty(), "{name}: source");
        assert!(!kind.ready.patterns.is_empty(), "{name}: ready");
        assert!(!kind.image_patterns.is_empty(), "{name}: images");
        assert!(kind.hardware.minimum_memory_mib <= kind.hardware.memory_mib);
    }
}

#[test]
fn the_names_of_interfaces_lead_back_to_their_numbers() {
    for kind in CATALOGUE.kinds() {
        for number in 1..=kind.interfaces.limit {
            for pattern in &kind.interfaces.patterns {
                let name = pattern.name(number);
                let found = kind.interfaces.index(&name);
                assert_eq!(found, Some(number), "{}: {name}", kind.name);
            }
        }
        let management = kind.interfaces.management.as_deref();
        let number = management.and_then(|name| kind.interfaces.index(name));
        let is_data = number.is_some_and(|number| (1..=kind.interfaces.limit).contains(&number));
        assert!(!is_data, "{}: management is a data interface", kind.name);
    }
}

/// The spellings of other tools, each for what it is there.
#[test]
fn kinds_answer_to_the_names_of_other_tools() {
    for (names, kind) in [
        ("cisco_csr1000v csr vr-csr csr1000v csr1000vng", "ios"),
        ("cisco_c8000v vr-c8000v cat8000v", "c8000v"),
        (
            "cisco_cat9kv vr-cat9kv cat9000v-q200 cat9000v-uadp",
            "cat9kv",
        ),
        ("cisco_vios vios iosv", "iosv"),
        ("viosl2 iosvl2", "iosvl2"),
        ("cisco_xrv vr-xrv iosxr iosxrv xrv", "xrv"),
        ("cisco_xrv9k vr-xrv9k iosxrv9000 xrv9k", "xrv9k"),
        ("cisco_n9kv vr-n9kv nxos nxosv9000 nxosv9k", "nxos"),
        ("cisco_asav vr-asav asav", "asav"),
        ("cisco_ftdv vr-ftdv ftdv firepower6", "ftdv"),
        ("arista_veos vr-veos eos veos", "eos"),
        ("juniper_vmx vr-vmx vmx vmxvcp jnpr-vmx-vcp", "vmx"),
        ("juniper_vqfx vr-vqfx vqfxre jnpr-vqfx-re", "vqfx"),
        (
            "juniper_vjunosrouter vr-vjunosrouter vjunos-router",
            "vjunos-router",
        ),
        (
            "juniper_vjunosswitch vr-vjunosswitch vjunos-switch",
            "vjunos-switch",
        ),
        ("juniper_vjunosevolved vptx vjunosevo", "vjunos-evolved"),
        ("juniper_vsrx vr-vsrx vsrxng jnpr-vsrx", "vsrx"),
        ("nokia_sros vr-sros sros timos", "sros"),
        ("vyosnetworks_vyos vyos", "vyos"),
        ("nvidia_cumulusvx cumulus cumulus_nvue cumulusvx", "cumulus"),
        ("sonic-vm sonic sonicv", "sonic"),
        ("openwrt", "openwrt"),
        ("mikrotik_ros vr-ros routeros routeros7 mikrotik chr", "chr"),
        ("fortinet_fortigate fortios fortinet", "fortigate"),
        ("paloalto_panos vr-pan paloalto", "panos"),
        ("aruba_aoscx vr-aoscx arubacx", "aoscx"),
        ("dell_ftosv vr-ftosv dellos10", "os10"),
        ("generic_vm linux", "linux"),
        ("openbsd", "openbsd"),
        ("freebsd", "freebsd"),
        ("win winserver", "windows"),
        ("frr", "frr"),
    ] {
        for name in names.split(' ') {
            let found = CATALOGUE.find(name).map(|kind| kind.name.as_str());
            assert_eq!(found, Some(kind), "{name}");
        }
    }
}
