//! First configurations on all media, read by guests that boot.

use super::typed;
use crate::harness::guest;
use crate::harness::host::{self, Host};
use crate::harness::lab::Lab;
use crate::harness::stage::Stage;
use crate::harness::verdict::Verdict;
use libtest_mimic::Trial;
use std::fs;
use std::sync::Arc;

/// One router for each medium that the others do not have: those boot from a CD-ROM.
const ROUTERS: &str = "\
nodes:
  disk: {kind: frr-disk, startup-config: router.conf.j2}
  usb: {kind: frr-usb, startup-config: router.conf.j2}
  drive: {kind: frr-config-drive, startup-config: router.conf.j2}
  typed: {kind: frr-console, memory: 128, startup-config: typed.txt, hostname: by-console}
links:
  - {endpoints: [\"disk:eth1\", \"usb:eth1\"], ipv4: [10.90.1.1/24, 10.90.1.2/24]}
  - {endpoints: [\"usb:eth2\", \"drive:eth1\"], ipv4: [10.90.2.1/24, 10.90.2.2/24]}
  - {endpoints: [\"typed:eth1\", \"disk:eth2\"], ipv4: [10.90.3.2/24, 10.90.3.1/24]}
";

const TEMPLATE: &str = "\
hostname {{ node.hostname }}
{% for interface in node.interfaces if interface.peer %}
interface {{ interface.name }}
 description to {{ interface.peer.node }} from {{ interface.ipv4.cidr }}
 ip ospf area 0
!
{% endfor %}
router ospf
 ospf router-id {{ node.loopback }}
!
";

/// A router and a guest that reads its media by cloud-init.
const CLOUD: &str = "\
nodes:
  r1: {kind: frr}
  cloud: {kind: debian, memory: 512, hostname: cloud1}
links:
  - {endpoints: [\"r1:eth1\", \"cloud:eth1\"], ipv4: [10.91.0.1/24, 10.91.0.2/24]}
";

pub(super) fn stage(host: &Arc<Host>) -> Arc<Stage<Lab>> {
    let host = Arc::clone(host);
    Stage::new("day-0", move || {
        host.with_system()?;
        let kinds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/kinds");
        let lab = Lab::native("day0", ROUTERS).with_arguments(&["--kinds", kinds]);
        fs::write(lab.folder().join("router.conf.j2"), TEMPLATE).unwrap();
        fs::write(lab.folder().join("typed.txt"), typed::CONFIGURATION).unwrap();
        lab.up_and_wait(&[]);
        Ok(lab)
    })
}

pub(super) fn trials(routers: &Arc<Stage<Lab>>, system: &Arc<Stage<Arc<Host>>>) -> Vec<Trial> {
    let mut trials = typed::trials(routers);
    trials.extend([
        routers.trial(
            "disk_stick_and_config_drive_bring_a_rendered_configuration",
            configured,
        ),
        system.trial_that_needs(
            "cloud_init_reads_host_name_key_and_addresses_from_nocloud",
            has_debian,
            |_| cloud(),
        ),
    ]);
    trials
}

fn configured(lab: &Lab) {
    let cases = [
        ("disk", "eth1", "usb", "10.90.1.1/24"),
        ("usb", "eth2", "drive", "10.90.2.1/24"),
        ("drive", "eth1", "usb", "10.90.2.2/24"),
    ];
    for (node, interface, peer, address) in cases {
        assert_eq!(guest::ask(lab, node, "hostname").trim(), node);
        let config = guest::ask(lab, node, "vtysh -c 'show running-config'");
        let description = format!("description to {peer} from {address}");
        assert!(config.contains(&description), "{node}: {config}");
        let addresses = guest::ask(lab, node, &format!("ip -br address show {interface}"));
        assert!(addresses.contains(address), "{node}: {addresses}");
    }
    guest::ask(lab, "disk", "ping -c 1 -W 5 10.90.1.2");
    lab.down_without_a_trace();
}

fn has_debian() -> Verdict {
    host::need_root("builds the image `debian`")?;
    host::need("mmdebstrap", "mmdebstrap")?;
    host::built_image("debian").map(drop)
}

fn cloud() {
    let lab = Lab::native("cloud", CLOUD);
    lab.up_and_wait(&[]);
    // The key that vnflab logs in with came by cloud-init, as did the rest. It goes on for a while
    // behind the login prompt.
    guest::ask(&lab, "cloud", "cloud-init status --wait >/dev/null; true");
    assert_eq!(guest::ask(&lab, "cloud", "hostname").trim(), "cloud1");
    let addresses = guest::ask(&lab, "cloud", "ip -br address show eth1");
    assert!(addresses.contains("10.91.0.2/24"), "{addresses}");
    let source = guest::ask(&lab, "cloud", "cloud-id");
    assert_eq!(source.trim(), "nocloud");
    guest::ask(&lab, "cloud", "ping -c 1 -W 5 10.91.0.1");
    lab.down_without_a_trace();
}
