//! The labs under `examples/` are read, resolved and checked without a word.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use vnflab_model::check::check;
use vnflab_model::diagnostic::Diagnostics;
use vnflab_model::facts::Facts;
use vnflab_model::format::{Input, InputFile};
use vnflab_model::kind::Catalogue;
use vnflab_model::lab::Lab;
use vnflab_model::resolve::{Resolved, read, stand_in};
use vnflab_model::span::Sources;
use vnflab_model::spec::ImageSpec;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// Reads the files of a lab in the simplest way; the engine's loader is tested on its own.
fn lab(name: &str, files: &[&str], listing: &[&str]) -> Lab {
    let mut sources = Sources::default();
    let files = files
        .iter()
        .map(|path| InputFile {
            source: sources.add(
                *path,
                fs::read_to_string(examples().join(name).join(path)).expect("an example"),
            ),
            path: (*path).to_owned(),
        })
        .collect();
    let input = Input {
        path: name.to_owned(),
        folder_name: name.to_owned(),
        unread: 0,
        files,
        listing: listing
            .iter()
            .map(|path| (*path).to_owned())
            .collect::<BTreeSet<_>>(),
    };
    let catalogue = Catalogue::embedded();
    let Resolved { lab, found, .. } = read(&sources, &input, &catalogue);
    assert_eq!(found, Diagnostics::default());
    let lab = lab.expect("no errors");
    assert_eq!(check(&lab, &Facts::default()), Diagnostics::default());
    lab
}

/// Each link as `r1:eth1 -- r2:eth1`.
fn links(lab: &Lab) -> Vec<String> {
    lab.links
        .iter()
        .map(|link| {
            let [left, right] = link
                .ends
                .map(|end| format!("{}:{}", lab.nodes[end.node].name, lab.interface(end).name));
            format!("{left} -- {right}")
        })
        .collect()
}

const RING: [&str; 5] = [
    "nodes/ios01.yaml",
    "nodes/ios02.yaml",
    "nodes/veos01.yaml",
    "nodes/veos02.yaml",
    "nodes/vyos01.yaml",
];

#[test]
fn the_origins_ring_has_its_links_ports_and_leases() {
    let lab = lab("ring", &RING, &["files/configs/ios01/iosxe_config.txt"]);
    assert_eq!(
        links(&lab),
        [
            "ios01:GigabitEthernet2 -- veos02:Ethernet2",
            "ios01:GigabitEthernet3 -- ios02:GigabitEthernet3",
            "ios02:GigabitEthernet2 -- veos01:Ethernet2",
            "veos01:Ethernet1 -- veos02:Ethernet1",
        ]
    );
    let facts: Vec<_> = lab
        .nodes
        .iter()
        .map(|node| {
            let ports: Vec<_> = node
                .interfaces
                .iter()
                .map(|one| one.tunnel.unwrap())
                .map(|tunnel| (tunnel.remote_port, tunnel.local_port, tunnel.connected))
                .collect();
            format!(
                "{} {} {} {} {} {:?}",
                node.name,
                node.console_port.unwrap().0,
                node.management_bridge.as_ref().unwrap(),
                node.management_mac.unwrap(),
                node.management_ipv4.unwrap(),
                &ports[..3],
            )
        })
        .collect();
    assert_eq!(
        facts,
        [
            "ios01 2005 br0 52:54:00:cc:cc:01 192.168.10.100 [(10501, 10202, true), (10502, 10602, true), (10503, 10000, false)]",
            "ios02 2006 br2 52:54:00:cc:cc:02 192.168.20.100 [(10601, 10102, true), (10602, 10502, true), (10603, 10000, false)]",
            "veos01 2001 br0 52:54:00:aa:aa:01 192.168.10.200 [(10101, 10201, true), (10102, 10601, true), (10103, 10000, false)]",
            "veos02 2002 br2 52:54:00:aa:aa:02 192.168.20.200 [(10201, 10101, true), (10202, 10501, true), (10203, 10000, false)]",
        ]
    );
    assert_eq!(lab.nodes[2].interfaces.len(), 5);
    assert_eq!(
        lab.nodes[0].image,
        ImageSpec::Path("files/OS/csr1000v-serial.qcow2".to_owned())
    );
    assert_eq!(lab.management.networks.len(), 2);
}

#[test]
fn a_ready_made_medium_goes_before_the_text_that_makes_one() {
    let text = lab("ring", &RING, &["files/configs/ios01/iosxe_config.txt"]);
    let ready = lab(
        "ring",
        &RING,
        &["files/configs/ios01/iosxe_config.txt", "files/OS/ios01.iso"],
    );
    assert!(text.nodes[0].startup_config.is_some() && text.nodes[0].config_medium.is_none());
    assert!(ready.nodes[0].startup_config.is_none());
    assert_eq!(
        ready.nodes[0].config_medium.as_ref().unwrap().0,
        "files/OS/ios01.iso"
    );
}

#[test]
fn a_stand_in_keeps_the_wiring_and_takes_little_memory() {
    let catalogue = Catalogue::embedded();
    let frr = catalogue.find("frr").unwrap();
    let mut ring = lab("ring", &RING, &[]);
    let before = links(&ring);
    stand_in(&mut ring, frr, |node| node.name.as_str() != "ios02");
    assert_eq!(links(&ring), before);
    let [ios01, ios02, veos01, _] = &ring.nodes[..] else {
        panic!("four nodes");
    };
    assert!(ios01.is_stand_in() && !ios02.is_stand_in());
    assert_eq!(veos01.image, ImageSpec::Stored("frr".to_owned()));
    assert_eq!((veos01.memory_mib, veos01.cpus), (256, 1));
    assert_eq!((ios02.memory_mib, ios02.cpus), (4096, 2));
    assert_eq!(veos01.kind.name, "eos");
    assert!(ios01.startup_config.is_none());
}

#[test]
fn the_native_examples_have_the_links_that_they_say() {
    assert_eq!(
        links(&lab("two-routers", &["lab.yaml"], &[])),
        ["r1:eth1 -- r2:eth1"]
    );
    assert_eq!(links(&lab("ring-native", &["lab.yaml"], &[])).len(), 4);
    let office = lab("branch-office", &["lab.yaml"], &[]);
    assert_eq!((office.links.len(), office.segments.len()), (3, 1));
    let fabric = lab("leaf-spine", &["lab.yaml"], &[]);
    assert_eq!((fabric.nodes.len(), fabric.links.len()), (10, 12));
    let host = fabric
        .nodes
        .iter()
        .find(|node| node.name.as_str() == "host3")
        .unwrap();
    assert_eq!(
        host.interfaces[0].addresses[0].to_string(),
        "172.16.3.10/24"
    );
}
