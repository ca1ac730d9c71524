//! Labs for tests, made up.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use vnflab_model::blueprint::{
    Accelerator, Access, CarrierPolicy, Console, MachineBlueprint, NodeBlueprint, ReadyBlueprint,
    UserOrigin, domain_name,
};
use vnflab_model::kind::{Firmware, Machine, Video};
use vnflab_model::observed::{DomainState, Observed, ObservedDomain};
use vnflab_model::record::NodeRecord;

/// Running nodes, each a pair of lab and node.
pub(crate) fn observed(nodes: &[(&str, &str)]) -> Observed {
    let domains = nodes
        .iter()
        .enumerate()
        .map(|(index, (lab, node))| ObservedDomain {
            name: domain_name(lab, node),
            record: NodeRecord {
                source: format!("/labs/{lab}/lab.yaml"),
                blueprint: blueprint(lab, node, index),
            },
            state: DomainState::Running,
            process: None,
            cpu_limit_percent: None,
            typing: None,
            uptime: None,
            carriers: BTreeMap::new(),
        });
    Observed {
        domains: domains.collect(),
        ..Observed::default()
    }
}

fn address(index: usize, port: u16) -> SocketAddr {
    let last = u8::try_from(index + 1).expect("tests have few nodes");
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 1, 1, last)), port)
}

fn blueprint(lab: &str, node: &str, index: usize) -> NodeBlueprint {
    NodeBlueprint {
        lab: lab.to_owned(),
        node: node.to_owned(),
        part: None,
        number: u32::try_from(index).expect("tests have few nodes") + 1,
        kind: "frr".to_owned(),
        guest: "frr".to_owned(),
        hostname: node.to_owned(),
        address: Ipv4Addr::LOCALHOST,
        loopback: None,
        volume_folder: "/var/lib/libvirt/vnflab".to_owned(),
        accelerator: Accelerator::Tcg,
        machine: MachineBlueprint {
            machine: Machine::Pc,
            firmware: Firmware::Bios,
            cpus: 1,
            memory_mib: 256,
            cpu_model: None,
            cpu_features: Vec::new(),
            smbios: Vec::new(),
            serial_ports: 1,
            video: Video::Vga,
            disk_cache: None,
            machine_features: Vec::new(),
        },
        drives: Vec::new(),
        nics: Vec::new(),
        carrier: CarrierPolicy::Follow,
        cpu_limit_percent: None,
        console: Console {
            listen: address(index, 5000),
            log_path: format!("/var/log/{lab}.{node}.log"),
        },
        ready: ReadyBlueprint {
            patterns: vec!["login:".to_owned()],
            after_seconds: None,
            ssh: false,
            timeout_seconds: 120,
        },
        access: Some(Access {
            ssh: address(index, 2200),
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 2, 15)),
            ipv6: None,
            user: Some("admin".to_owned()),
            user_origin: UserOrigin::Made,
        }),
        after: Vec::new(),
    }
}
