//! The origin's ring of four, from its own files, with our image on its hardware.
//!
//! Its ports, MACs, bridges and addresses are the origin's and fixed, so that only one such ring
//! can run on a host; where something of it is taken, these proofs cannot be tried.

use super::frames;
use crate::harness::guest;
use crate::harness::host::{Host, need_free_ports, need_no_device};
use crate::harness::lab::Lab;
use crate::harness::program::{Program, Ran};
use crate::harness::stage::Stage;
use crate::harness::terminal::{CTRL_RIGHT_BRACKET, Terminal};
use crate::harness::verdict::CannotRun;
use crate::harness::wait::{BOOT_PATIENCE, PATIENCE, at_once, until};
use crate::harness::witness::{self, Joined, Nic};
use libtest_mimic::Trial;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the origin's files and templates say of one of its routers.
struct Router {
    name: &'static str,
    console: u16,
    bridge: &'static str,
    mac: &'static str,
    model: &'static str,
    /// Of the guest's kernel.
    driver: &'static str,
    /// Bound and sent-to UDP ports of the data NICs, in order.
    tunnels: &'static [(u16, u16)],
}

const ROUTERS: [Router; 4] = [
    Router {
        name: "ios01",
        console: 2005,
        bridge: "br0",
        mac: "52:54:00:cc:cc:01",
        model: "virtio",
        driver: "virtio_net",
        tunnels: &[
            (10202, 10501),
            (10602, 10502),
            (10000, 10503),
            (10000, 10504),
        ],
    },
    Router {
        name: "ios02",
        console: 2006,
        bridge: "br2",
        mac: "52:54:00:cc:cc:02",
        model: "virtio",
        driver: "virtio_net",
        tunnels: &[
            (10102, 10601),
            (10502, 10602),
            (10000, 10603),
            (10000, 10604),
        ],
    },
    Router {
        name: "veos01",
        console: 2001,
        bridge: "br0",
        mac: "52:54:00:aa:aa:01",
        model: "e1000",
        driver: "e1000",
        tunnels: &[
            (10201, 10101),
            (10601, 10102),
            (10000, 10103),
            (10000, 10104),
            (10000, 10105),
        ],
    },
    Router {
        name: "veos02",
        console: 2002,
        bridge: "br2",
        mac: "52:54:00:aa:aa:02",
        model: "e1000",
        driver: "e1000",
        tunnels: &[
            (10101, 10201),
            (10501, 10202),
            (10000, 10203),
            (10000, 10204),
            (10000, 10205),
        ],
    },
];

/// The four links, by guests' interface names: the n-th data NIC is `ethN`.
pub(super) const LINKS: [[(&str, &str); 2]; 4] = [
    [("veos01", "eth1"), ("veos02", "eth1")],
    [("veos01", "eth2"), ("ios02", "eth1")],
    [("veos02", "eth2"), ("ios01", "eth1")],
    [("ios01", "eth2"), ("ios02", "eth2")],
];

/// The names of the four.
pub(super) fn names() -> Vec<&'static str> {
    ROUTERS.iter().map(|router| router.name).collect()
}

pub(super) fn stage(host: &Arc<Host>) -> Arc<Stage<Lab>> {
    let host = Arc::clone(host);
    Stage::new("ring", move || boot(&host))
}

pub(super) fn trials(ring: &Arc<Stage<Lab>>) -> Vec<Trial> {
    vec![
        ring.trial(
            "ring_of_stand_ins_converges_and_every_router_pings_every_loopback",
            converges,
        ),
        ring.trial(
            "ring_has_the_origins_ports_macs_bridges_buses_and_models",
            has_the_origins_wiring,
        ),
        ring.trial(
            "ring_boots_from_ide_and_drives_e1000_where_the_origin_does",
            has_the_origins_hardware,
        ),
        ring.trial(
            "daemons_of_the_routers_all_run_since_boot",
            daemons_run_since_boot,
        ),
        ring.trial("second_up_of_the_ring_does_nothing", second_up_does_nothing),
        ring.trial(
            "ps_and_links_of_the_ring_agree_with_virsh",
            is_as_virsh_says,
        ),
        ring.trial(
            "ssh_logs_in_by_key_and_passes_the_exit_code_on",
            ssh_logs_in,
        ),
        ring.trial(
            "lldp_of_every_router_sees_the_ring_as_it_is_wired",
            frames::lldp_sees_the_wiring,
        ),
        ring.trial(
            "frames_of_any_protocol_reach_the_other_end_of_their_link_alone",
            frames::stay_on_their_link,
        ),
        ring.trial("frames_of_9000_bytes_pass", frames::jumbo_frames_pass),
        ring.trial(
            "console_log_holds_everything_since_boot",
            console_log_is_whole,
        ),
        ring.trial(
            "console_logs_in_tells_others_who_is_on_it_and_can_be_viewed",
            console_is_shared,
        ),
        ring.trial(
            "stopping_a_router_takes_exactly_its_own_links_away",
            stopping_takes_its_links,
        ),
        ring.trial(
            "down_of_a_ring_whose_files_are_lost_leaves_nothing",
            down_without_files,
        ),
    ]
}

fn boot(host: &Host) -> Result<Lab, CannotRun> {
    host.with_system()?;
    let tunnels = ROUTERS.iter().flat_map(|router| router.tunnels);
    let udp: Vec<u16> = tunnels.map(|(local, _)| *local).collect();
    let tcp: Vec<u16> = ROUTERS.iter().map(|router| router.console).collect();
    need_free_ports(&udp, &tcp)?;
    for bridge in ["br0", "br2"] {
        need_no_device(bridge)?;
    }
    let lab = Lab::example("ring", "ring").with_arguments(&["--stand-in", "frr"]);
    lab.up_and_wait(&[]);
    Ok(lab)
}

fn converges(ring: &Lab) {
    let loopbacks = at_once(&names(), |node| guest::loopback(ring, node));
    let distinct: BTreeSet<&String> = loopbacks.iter().collect();
    assert_eq!(distinct.len(), 4, "{loopbacks:?}");
    guest::all_ping_all(ring, &names(), &loopbacks);
}

fn has_the_origins_wiring(ring: &Lab) {
    for router in &ROUTERS {
        let xml = witness::domain_xml(&ring.domain(router.name));
        let nics = witness::nics(&xml);
        let [management, data @ ..] = nics.as_slice() else {
            panic!("`{}` has no NIC", router.name);
        };
        let expected = Nic {
            mac: router.mac.to_owned(),
            model: router.model.to_owned(),
            joined: Joined::Bridge(router.bridge.to_owned()),
        };
        assert_eq!(*management, expected);
        let joined: Vec<Joined> = data.iter().map(|nic| nic.joined.clone()).collect();
        let tunnels = router.tunnels.iter().map(|(local, remote)| Joined::Tunnel {
            local: format!("127.0.0.1:{local}"),
            remote: format!("127.0.0.1:{remote}"),
        });
        assert_eq!(joined, tunnels.collect::<Vec<_>>());
        assert!(data.iter().all(|nic| nic.model == router.model));
        assert_eq!(witness::drives(&xml), ["disk ide", "cdrom ide"]);
        let console = format!("127.0.0.1:{}", router.console);
        assert!(witness::listening_tcp().contains(&console), "{console}");
    }
    let macs: Vec<String> = ROUTERS
        .iter()
        .flat_map(|router| witness::nics(&witness::domain_xml(&ring.domain(router.name))))
        .map(|nic| nic.mac)
        .collect();
    let distinct: BTreeSet<&String> = macs.iter().collect();
    assert_eq!(distinct.len(), macs.len(), "{macs:?}");
}

fn has_the_origins_hardware(ring: &Lab) {
    at_once(&ROUTERS, |router| {
        let command = "ethtool -i eth0; ethtool -i eth1; readlink -f /sys/block/sda; hostname";
        let text = guest::ask(ring, router.name, command);
        let driver = format!("driver: {}\n", router.driver);
        assert_eq!(text.matches(&driver).count(), 2, "{text}");
        assert!(text.contains("/ata1/"), "the disk is not on IDE: {text}");
        assert!(text.ends_with(&format!("{}\n", router.name)), "{text}");
    });
}

/// Every protocol can be configured at once, and the supervisor had nothing to start again.
fn daemons_run_since_boot(ring: &Lab) {
    at_once(&names(), |node| {
        until("all daemons run", PATIENCE, || {
            let text = guest::ask(ring, node, "frr-daemons status");
            match text.contains("zebra runs") && !text.contains("does not run") {
                true => Ok(()),
                false => Err(text),
            }
        });
        let log = guest::ask(ring, node, "logread");
        assert!(!log.contains("Forked background command"), "{node}: {log}");
    });
}

fn second_up_does_nothing(ring: &Lab) {
    let before = ring.processes();
    assert_eq!(before.len(), 4);
    assert_eq!(ring.plan(), Vec::<serde_json::Value>::new());
    ring.up().expect_said("nothing to do");
    assert_eq!(ring.processes(), before);
}

fn is_as_virsh_says(ring: &Lab) {
    let ps = ring.ps();
    assert_eq!(ps.len(), 4);
    for (node, router) in ps.iter().zip(&ROUTERS) {
        assert_eq!(node["node"], router.name);
        let domain = node["domain"].as_str().unwrap();
        assert_eq!(node["state"], witness::state(domain));
        let info = witness::virsh(&["dominfo", domain]);
        let value = |name: &str| {
            let line = info.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap().trim().to_owned()
        };
        assert_eq!(value("CPU(s):"), node["cpus"].to_string());
        let memory_kib = node["memory-mib"].as_u64().unwrap() * 1024;
        assert_eq!(value("Max memory:"), format!("{memory_kib} KiB"));
        let leases = witness::virsh(&["net-dhcp-leases", &network(ring, router.bridge)]);
        let lease = leases.lines().find(|line| line.contains(router.mac));
        let address = format!("{}/", node["address"].as_str().unwrap());
        assert!(
            lease.is_some_and(|line| line.contains(&address)),
            "{leases}"
        );
    }
    let mut shown = BTreeSet::new();
    for link in ring.links() {
        assert_eq!(link["state"], "up");
        let port = |end: &serde_json::Value, side: &str| end[side].as_str().unwrap().to_owned();
        let [a, b] = [&link["ends"][0], &link["ends"][1]];
        assert_eq!(port(a, "local"), port(b, "remote"));
        assert_eq!(port(a, "remote"), port(b, "local"));
        shown.insert(port(a, "local"));
        shown.insert(port(b, "local"));
    }
    let bound: BTreeSet<String> = witness::bound_udp().into_iter().collect();
    assert_eq!(shown.len(), 8);
    assert!(shown.is_subset(&bound), "{shown:?} but {bound:?}");
}

fn network(ring: &Lab, bridge: &str) -> String {
    format!("vnflab-{}-{bridge}", ring.name())
}

fn ssh_logs_in(ring: &Lab) {
    // Without a terminal and with nothing to read there is nobody to give a password.
    assert_eq!(guest::ask(ring, "ios02", "hostname"), "ios02\n");
    guest::run(ring, "ios02", "exit 7").expect_code(7);
}

fn console_log_is_whole(ring: &Lab) {
    let log = Program::new().run(&["console", &ring.domain("veos01"), "--log"]);
    let log = log.expect_success().stdout;
    for text in ["vnflab-frr ready in", "veos01 login:"] {
        assert!(log.contains(text), "no `{text}` in\n{log}");
    }
}

fn console_is_shared(ring: &Lab) {
    let domain = ring.domain("ios01");
    let program = Program::new();
    let mut user = Terminal::run(program.command(&["console", &domain]));
    let connected = user.wait_for("Ctrl-] leaves", 0);
    user.type_keys("\r");
    let asked = user.wait_for("login: ", connected);

    // A second one is told who is there, and how to watch.
    let second = program.run(&["console", &domain]).expect_code(1);
    let second = second.expect_said("is in use by").expect_said("--view");
    assert!(second.stderr.contains("vnflab"), "{}", second.told());

    user.type_keys("admin\r");
    let asked = user.wait_for("Password: ", asked);
    user.type_keys("admin\r");
    let entered = user.wait_for("@ios01:~#", asked);

    let viewer = Terminal::run(program.command(&["console", &domain, "--view"]));
    viewer.wait_for("Ctrl-C leaves", 0);
    user.type_keys("echo seen-by-$((40 + 2))\r");
    user.wait_for("seen-by-42", entered);
    viewer.wait_for("seen-by-42", 0);
    drop(viewer);

    user.type_keys("exit\r");
    user.wait_for("login: ", entered);
    user.type_keys(CTRL_RIGHT_BRACKET);
    assert!(user.wait_for_end().success());

    // It is free again, for a pipe too.
    let piped = program.run_with_input(&["console", &domain, "--for", "60s"], "\n");
    assert!(piped.expect_success().stdout.contains("ios01"));
    let log = program.run(&["console", &domain, "--log"]).expect_success();
    assert!(log.stdout.contains("seen-by-42"));
}

fn stopping_takes_its_links(ring: &Lab) {
    let neighbours = |node: &&'static str| guest::ospf_neighbours(ring, node);
    let interfaces = |node: &str| -> BTreeSet<&str> {
        let ends = LINKS.iter().flatten();
        ends.filter(|(name, _)| *name == node)
            .map(|(_, interface)| *interface)
            .collect()
    };
    let has =
        |found: &BTreeMap<String, String>| -> BTreeSet<String> { found.keys().cloned().collect() };
    until("all neighbours are there", BOOT_PATIENCE, || {
        let found = at_once(&names(), neighbours);
        let all = names().iter().zip(&found).all(|(node, found)| {
            found.keys().map(String::as_str).collect::<BTreeSet<_>>() == interfaces(node)
        });
        all.then_some(()).ok_or_else(|| format!("{found:?}"))
    });

    let stop = Program::new().run(&["stop", "--hard", &ring.domain("veos02")]);
    stop.expect_success();
    assert_eq!(witness::state(&ring.domain("veos02")), "shut off");
    let expected: BTreeMap<&str, BTreeSet<String>> = [
        ("ios01", BTreeSet::from(["eth2".to_owned()])),
        (
            "ios02",
            BTreeSet::from(["eth1".to_owned(), "eth2".to_owned()]),
        ),
        ("veos01", BTreeSet::from(["eth2".to_owned()])),
    ]
    .into();
    let rest: Vec<&'static str> = names()
        .into_iter()
        .filter(|name| *name != "veos02")
        .collect();
    until("exactly its neighbours have lost it", PATIENCE, || {
        let found = at_once(&rest, neighbours);
        let left = rest
            .iter()
            .zip(&found)
            .map(|(node, found)| (*node, has(found)));
        let left: BTreeMap<&str, BTreeSet<String>> = left.collect();
        (left == expected)
            .then_some(())
            .ok_or_else(|| format!("{left:?}"))
    });
    let down = ring
        .links()
        .into_iter()
        .filter(|link| link["state"] == "down");
    assert_eq!(down.count(), 2);
    let loopbacks = at_once(&rest, |node| guest::loopback(ring, node));
    guest::all_ping_all(ring, &rest, &loopbacks);

    // The next `up` starts it again, and nothing else.
    let plan = ring.plan();
    let words: Vec<_> = plan
        .iter()
        .map(|step| (&step["node"], &step["action"]))
        .collect();
    assert_eq!(words.len(), 1, "{words:?}");
    assert_eq!(words[0].0, "veos02");
    let before = ring.processes();
    ring.up();
    let after = ring.processes();
    assert_eq!(after.len(), 4);
    assert!(
        before
            .iter()
            .all(|(name, pid)| after.get(name) == Some(pid))
    );
}

fn down_without_files(ring: &Lab) {
    std::fs::remove_dir_all(ring.folder()).unwrap();
    ring.down_without_a_trace();
    let bound = witness::bound_udp();
    for (local, _) in ROUTERS.iter().flat_map(|router| router.tunnels) {
        assert!(!bound.contains(&format!("127.0.0.1:{local}")), "{local}");
    }
    let mut links = std::process::Command::new("ip");
    links.args(["-oneline", "link"]);
    let links = Ran::of(links, "").expect_success().stdout;
    assert!(
        !links.contains(" br0:") && !links.contains(" br2:"),
        "{links}"
    );
    let again = Program::new().run(&["down", "--lab", ring.name()]);
    again.expect_code(5).expect_said("there is no lab");
}
