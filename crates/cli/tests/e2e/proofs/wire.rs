//! The wire on VMs that run: what is asked of a link the guests see, and when it is changed they
//! go on.
//!
//! All proofs play on one ring of four, in the native format. The interfaces that its file leaves
//! free (`eth3`, `eth4`) are what links are moved to. Whatever a proof has changed it puts back.

use super::traffic::{Pings, bits_received};
use crate::harness::guest;
use crate::harness::host::{Host, need};
use crate::harness::lab::Lab;
use crate::harness::program::{Program, Ran};
use crate::harness::stage::Stage;
use crate::harness::wait::{BOOT_PATIENCE, PATIENCE, at_once, until};
use crate::harness::witness;
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The routers of the ring.
const NODES: [&str; 4] = ["r1", "r2", "r3", "r4"];

/// The interfaces that the ring's file links, on every router.
const LINKED: [&str; 2] = ["eth1", "eth2"];

/// The ring as it begins. Two of its routers have NICs that know their speed: LACP is for such.
const RING: &str = "\
defaults: {kind: frr, image: frr, memory: 160}
nodes: {r1: {kind: frr-e1000}, r2: {kind: frr-e1000}, r3: , r4: }
links:
  - r1:eth1 -- r2:eth2
  - r2:eth1 -- r3:eth2
  - r3:eth1 -- r4:eth2
  - r4:eth1 -- r1:eth2
";

/// The ring with one of its links in other interfaces.
const REWIRED: &str = "\
defaults: {kind: frr, image: frr, memory: 160}
nodes: {r1: {kind: frr-e1000}, r2: {kind: frr-e1000}, r3: , r4: }
links:
  - r1:eth3 -- r2:eth3
  - r2:eth1 -- r3:eth2
  - r3:eth1 -- r4:eth2
  - r4:eth1 -- r1:eth2
";

/// The ring with three of its routers in a LAN as well, in this mode.
fn with_lan(mode: &str) -> String {
    let members = "[\"r1:eth3\", \"r2:eth3\", \"r3:eth3\"]";
    format!("{RING}segments:\n  lan: {{mode: {mode}, members: {members}}}\n")
}

pub(super) fn stage(host: &Arc<Host>) -> Arc<Stage<Lab>> {
    let host = Arc::clone(host);
    Stage::new("wire", move || {
        host.with_system()?;
        let kinds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/kinds");
        let lab = Lab::native("wire", RING).with_arguments(&["--kinds", kinds]);
        lab.up_and_wait(&[]);
        Ok(lab)
    })
}

pub(super) fn trials_without_guests(system: &Arc<Stage<Arc<Host>>>) -> Vec<Trial> {
    let name = "relay_joins_two_udp_ends_with_the_delay_that_it_was_given";
    vec![system.trial(name, |_| relay())]
}

pub(super) fn trials(ring: &Arc<Stage<Lab>>) -> Vec<Trial> {
    vec![
        ring.trial("delay_of_a_link_is_seen_by_ping_and_goes_again", delay),
        ring.trial(
            "rule_for_ospf_drops_the_adjacency_while_ping_goes_on",
            ospf_alone_is_dropped,
        ),
        ring.trial(
            "rate_of_a_link_is_what_iperf3_measures_through_it",
            rate_is_measured,
        ),
        ring.trial_that_needs(
            "capture_of_a_link_shows_tshark_the_hellos_of_both_sides",
            || need("tshark", "tshark"),
            captured,
        ),
        ring.trial(
            "link_that_is_cut_takes_carrier_and_ospf_at_once_and_gives_them_back",
            cut_is_seen,
        ),
        ring.trial(
            "link_that_is_cut_in_silence_leaves_the_carrier_and_ospf_for_its_dead_interval",
            silent_cut,
        ),
        ring.trial(
            "link_moved_by_hand_carries_ospf_and_up_puts_it_back",
            moved_by_hand,
        ),
        ring.trial(
            "edited_file_rewires_the_ring_under_running_vms",
            edited_file_rewires,
        ),
        ring.trial(
            "segment_joins_three_routers_as_a_switch_and_as_a_hub",
            segment_joins,
        ),
        ring.trial(
            "bond_of_two_links_comes_up_by_lacp_and_survives_the_cut_of_one",
            bond_survives,
        ),
        ring.trial(
            "wire_that_is_killed_under_traffic_is_back_and_nobody_notices",
            killed_wire,
        ),
        ring.trial(
            "keeper_that_is_killed_is_replaced_by_its_wire_and_both_by_the_next_up",
            killed_keeper,
        ),
        ring.trial(
            "node_that_crashes_or_stops_takes_its_neighbours_carrier_until_it_is_back",
            lost_node,
        ),
        ring.trial("down_leaves_nothing_of_the_wire", nothing_is_left),
    ]
}

/// Runs `vnflab link WORDS... --lab LAB`.
fn link(ring: &Lab, words: &[&str]) -> Ran {
    let line = [&["link"], words, &["--lab", ring.name()]].concat();
    ring.program().run(&line)
}

/// The address of a guest's interface.
fn address(ring: &Lab, node: &str, interface: &str) -> String {
    let text = guest::ask(ring, node, &format!("ip -4 -o address show {interface}"));
    let word = text.split_whitespace().nth(3);
    let address = word.and_then(|word| word.split('/').next());
    address
        .unwrap_or_else(|| panic!("{node}:{interface} has no address: {text}"))
        .to_owned()
}

/// Whether a guest sees a carrier on an interface, which is up.
fn carrier(ring: &Lab, node: &str, interface: &str) -> bool {
    let text = guest::ask(
        ring,
        node,
        &format!("cat /sys/class/net/{interface}/carrier"),
    );
    text.trim() == "1"
}

fn wait_for_carrier(ring: &Lab, ends: &[(&str, &str)], wanted: bool) {
    until(&format!("carrier {wanted} at {ends:?}"), PATIENCE, || {
        let found = at_once(ends, |(node, interface)| carrier(ring, node, interface));
        let all = found.iter().all(|&found| found == wanted);
        all.then_some(()).ok_or_else(|| format!("{found:?}"))
    });
}

/// Waits until a router has, or has not, a neighbour behind an interface.
fn wait_for_neighbour(ring: &Lab, node: &str, interface: &str, wanted: bool) {
    let what = format!("neighbour {wanted} behind {node}:{interface}");
    until(&what, PATIENCE, || {
        let found = guest::ospf_neighbours(ring, node);
        (found.contains_key(interface) == wanted)
            .then_some(())
            .ok_or_else(|| format!("{found:?}"))
    });
}

/// Brings the ring to where a proof begins. Mostly it is there already.
fn begin(ring: &Lab) {
    ring.write(RING);
    ring.up();
    assert!(ring.plan().is_empty(), "{:?}", ring.plan());
    wait_for_ring(ring);
}

/// Waits until all of the ring's routers are neighbours as its file says.
fn wait_for_ring(ring: &Lab) {
    until("the ring has converged", BOOT_PATIENCE, || {
        let found = at_once(&NODES, |node| guest::ospf_neighbours(ring, node));
        let all = found
            .iter()
            .all(|found| found.keys().map(String::as_str).eq(LINKED));
        all.then_some(()).ok_or_else(|| format!("{found:?}"))
    });
}

/// What must stay while links change: each VM's process and boot.
fn lives(ring: &Lab) -> (BTreeMap<String, u32>, Vec<String>) {
    let boot = |node: &&str| guest::ask(ring, node, "cat /proc/sys/kernel/random/boot_id");
    (ring.processes(), at_once(&NODES, boot))
}

/// Sees that frames of each end of a link arrive at the other.
#[track_caller]
fn probe(ring: &Lab, end: &str) {
    let probe = link(ring, &["probe", end, "--json"]).json("link-probe");
    let directions = probe["directions"].as_array().unwrap();
    assert_eq!(directions.len(), 2, "{probe}");
    for direction in directions {
        assert_eq!(direction["sent"], direction["received"], "{probe}");
    }
}

fn delay(ring: &Lab) {
    begin(ring);
    let peer = address(ring, "r2", "eth2");
    let shortest = || {
        let text = guest::ask(ring, "r1", &format!("ping -q -c 5 -i 0.2 {peer}"));
        shortest_round_trip(&text)
    };
    let before = shortest();
    link(ring, &["set", "r1:eth1", "--delay", "50ms"]).expect_success();
    let delayed = shortest();
    assert!(
        (100.0..100.0 + before + SLACK_MS).contains(&delayed),
        "{delayed} ms, before {before} ms"
    );
    // What was asked for by hand is a difference from the file.
    assert!(!ring.plan().is_empty());
    // Of one direction alone it is half of that.
    link(ring, &["reset", "r1:eth1"]).expect_success();
    let line = ["set", "r2:eth2--r1:eth1", "--from", "r1", "--delay", "50ms"];
    link(ring, &line).expect_success();
    let delayed = shortest();
    assert!(
        (50.0..50.0 + before + SLACK_MS).contains(&delayed),
        "{delayed} ms, before {before} ms"
    );
    link(ring, &["reset", "r1:eth1"]).expect_success();
    let after = shortest();
    assert!(after < 50.0, "{after} ms, before {before} ms");
}

/// What the shortest of some round trips may take longer in guests that are emulated on a busy
/// machine, in milliseconds.
const SLACK_MS: f64 = 30.0;

/// The shortest time in what `ping` writes at its end: `rtt min/avg/max/mdev = 1.6/2.3/3.4/0.7 ms`.
fn shortest_round_trip(text: &str) -> f64 {
    let numbers = text.split_once("mdev = ").map(|(_, rest)| rest);
    let number = numbers.and_then(|rest| rest.split('/').next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no round trip in {text}"))
}

fn ospf_alone_is_dropped(ring: &Lab) {
    begin(ring);
    let peer = address(ring, "r2", "eth2");
    let line = ["set", "r1:eth1", "--match", "ip proto 89", "--loss", "100%"];
    link(ring, &line).expect_success();
    let pings = Pings::start(ring, "r1", &peer);
    wait_for_neighbour(ring, "r1", "eth1", false);
    wait_for_neighbour(ring, "r2", "eth2", false);
    let missed = pings.stop();
    assert!(missed.answered >= 10 && missed.lost() == 0, "{missed:?}");
    assert!(carrier(ring, "r1", "eth1"));
    link(ring, &["reset", "r1:eth1"]).expect_success();
    wait_for_ring(ring);
}

fn rate_is_measured(ring: &Lab) {
    // Of 1514 bytes of a full frame 1448 are TCP's: Ethernet takes 14, IPv4 20, TCP 32.
    const EXPECTED: f64 = 10e6 * 1448.0 / 1514.0;
    begin(ring);
    let peer = address(ring, "r2", "eth2");
    link(ring, &["set", "r1:eth1", "--rate", "10mbit"]).expect_success();
    until("the rate that was asked for", PATIENCE, || {
        let measured = bits_received(ring, "r1", "r2", &peer);
        let ratio = measured / EXPECTED;
        assert!(ratio < 1.02, "{measured} bit/s, {ratio} of {EXPECTED}");
        // A guest that does not get to run for a while fills its queues, and TCP slows down.
        (ratio > 0.95)
            .then_some(())
            .ok_or_else(|| format!("{measured} bit/s, {ratio} of {EXPECTED}"))
    });
    link(ring, &["reset", "r1:eth1"]).expect_success();
}

fn captured(ring: &Lab) {
    begin(ring);
    let file = ring.folder().join("hellos.pcapng");
    let path = file.to_str().unwrap();
    let capture = ring.program().run(&[
        "capture",
        "r1:eth1--r2:eth2",
        "--filter",
        "ip proto 89",
        "--count",
        "8",
        "--duration",
        "60s",
        "-w",
        path,
        "--lab",
        ring.name(),
    ]);
    capture.expect_success();
    let mut tshark = Command::new("tshark");
    tshark.args(["-r", path, "-T", "fields", "-e", "ospf.srcrouter"]);
    tshark.args(["-e", "frame.interface_name", "-Y", "ospf.hello"]);
    let hellos = Ran::of(tshark, "").expect_success().stdout;
    let senders: BTreeSet<&str> = hellos.lines().collect();
    let router = |node: &str, end: &str| format!("{}\t{end}", guest::loopback(ring, node));
    let expected = [router("r1", "r1:eth1"), router("r2", "r2:eth2")];
    assert!(
        expected
            .iter()
            .all(|sender| senders.contains(sender.as_str())),
        "{senders:?}, not {expected:?}"
    );
}

fn cut_is_seen(ring: &Lab) {
    begin(ring);
    let before = lives(ring);
    let ends = [("r1", "eth1"), ("r2", "eth2")];
    link(ring, &["down", "r1:eth1"]).expect_success();
    let cut = Instant::now();
    wait_for_carrier(ring, &ends, false);
    wait_for_neighbour(ring, "r1", "eth1", false);
    wait_for_neighbour(ring, "r2", "eth2", false);
    // Without a carrier nobody waits for hellos.
    assert!(cut.elapsed() < DEAD_INTERVAL, "{:?}", cut.elapsed());
    assert!(carrier(ring, "r1", "eth2") && carrier(ring, "r2", "eth1"));
    let state = |links: Vec<serde_json::Value>| links[0]["state"].clone();
    assert_eq!(state(ring.links()), "down");
    let plan = ring.plan();
    assert!(!plan.is_empty(), "a link that is cut differs from the file");
    let traces = guest::ask(ring, "r1", "vtysh -c 'show interface eth1'");
    assert!(traces.contains("down"), "{traces}");

    link(ring, &["up", "r1:eth1"]).expect_success();
    wait_for_carrier(ring, &ends, true);
    wait_for_ring(ring);
    assert_eq!(state(ring.links()), "up");
    assert!(ring.plan().is_empty());
    assert_eq!(lives(ring), before);
}

/// How long a router waits for hellos of a neighbour, by the day-0 configuration.
const DEAD_INTERVAL: Duration = Duration::from_secs(12);

/// Time between two hellos, by the day-0 configuration.
const HELLO_INTERVAL: Duration = Duration::from_secs(2);

fn silent_cut(ring: &Lab) {
    begin(ring);
    let ends = [("r1", "eth1"), ("r2", "eth2")];
    link(ring, &["down", "r1:eth1", "--silent"]).expect_success();
    let cut = Instant::now();
    wait_for_neighbour(ring, "r1", "eth1", false);
    // The last hello may have come an interval ago; the guest's clock runs at its own pace.
    let least = DEAD_INTERVAL - HELLO_INTERVAL - Duration::from_secs(1);
    assert!(cut.elapsed() >= least, "{:?}", cut.elapsed());
    wait_for_carrier(ring, &ends, true);
    link(ring, &["up", "r1:eth1"]).expect_success();
    wait_for_ring(ring);
    assert!(ring.plan().is_empty());
}

/// Gives the address and the OSPF of one interface of a router to another one: what is generated
/// for guests waits for their next boot.
fn move_configuration(ring: &Lab, node: &str, from: &str, to: &str) {
    let script = format!(
        "set -e; address=$(ip -4 -o address show {from} | awk '{{ print $4 }}'); \
         ip address del $address dev {from}; ip address add $address dev {to}; \
         vtysh -c 'configure terminal' -c 'interface {to}' -c 'ip ospf area 0' \
         -c 'ip ospf hello-interval 2' -c 'ip ospf dead-interval 12' \
         -c 'ip ospf network point-to-point'"
    );
    guest::ask(ring, node, &script);
}

fn moved_by_hand(ring: &Lab) {
    begin(ring);
    let before = lives(ring);
    let ends = [("r1", "eth1"), ("r1", "eth3")];
    link(ring, &["move", "r1:eth1", "r1:eth3"]).expect_success();
    wait_for_carrier(ring, &ends[..1], false);
    wait_for_carrier(ring, &ends[1..], true);
    probe(ring, "r1:eth3");
    move_configuration(ring, "r1", "eth1", "eth3");
    wait_for_neighbour(ring, "r1", "eth3", true);
    wait_for_neighbour(ring, "r2", "eth2", true);

    // It shows as a difference, and can be written back.
    let plan = ring.plan();
    assert!(
        plan.iter().any(|step| step["link"] == "r1:eth3--r2:eth2"),
        "{plan:?}"
    );
    let exported = link(ring, &["export"]).expect_success().stdout;
    assert!(exported.contains("r1:eth3 -- r2:eth2"), "{exported}");
    let kept = RING.split("links:").next().unwrap();
    ring.write(&format!("{kept}{exported}"));
    ring.run("check", &[]).expect_success();
    // The wire is so already; what is left is what the router's next boot is generated from.
    let plan = ring.plan();
    assert!(
        plan.iter().all(|step| step["action"] == "record-node"),
        "{plan:?}"
    );

    // `up` with the file as it was puts it back.
    ring.write(RING);
    ring.up();
    assert!(ring.plan().is_empty());
    wait_for_carrier(ring, &ends[..1], true);
    wait_for_carrier(ring, &ends[1..], false);
    probe(ring, "r1:eth1");
    move_configuration(ring, "r1", "eth3", "eth1");
    wait_for_ring(ring);
    assert_eq!(lives(ring), before);
}

fn edited_file_rewires(ring: &Lab) {
    begin(ring);
    let before = lives(ring);
    ring.write(REWIRED);
    let plan = ring.plan();
    let touches_a_vm = |step: &&serde_json::Value| {
        let action = step["action"].as_str().unwrap();
        action.contains("domain")
    };
    assert_eq!(plan.iter().find(touches_a_vm), None);
    assert!(!plan.is_empty());
    ring.up();
    assert!(ring.plan().is_empty());
    probe(ring, "r1:eth3");
    at_once(&[("r1", "eth1"), ("r2", "eth2")], |(node, from)| {
        move_configuration(ring, node, from, "eth3");
    });
    wait_for_neighbour(ring, "r1", "eth3", true);
    wait_for_neighbour(ring, "r2", "eth3", true);
    wait_for_carrier(ring, &[("r1", "eth1"), ("r2", "eth2")], false);
    // All still reach each other.
    let loopbacks = at_once(&NODES, |node| guest::loopback(ring, node));
    guest::all_ping_all(ring, &NODES, &loopbacks);

    ring.write(RING);
    ring.up();
    at_once(&[("r1", "eth1"), ("r2", "eth2")], |(node, to)| {
        move_configuration(ring, node, "eth3", to);
    });
    wait_for_ring(ring);
    assert_eq!(lives(ring), before);
}

fn segment_joins(ring: &Lab) {
    const MEMBERS: [(&str, &str); 3] = [
        ("r1", "192.0.2.1"),
        ("r2", "192.0.2.2"),
        ("r3", "192.0.2.3"),
    ];
    begin(ring);
    let before = lives(ring);
    let nodes = MEMBERS.map(|(node, _)| node);
    let addresses = MEMBERS.map(|(_, address)| address.to_owned());
    for mode in ["switch", "hub"] {
        ring.write(&with_lan(mode));
        ring.up();
        wait_for_carrier(ring, &nodes.map(|node| (node, "eth3")), true);
        at_once(&MEMBERS, |(node, address)| {
            guest::ask(
                ring,
                node,
                &format!("ip address replace {address}/24 dev eth3"),
            );
        });
        guest::all_ping_all(ring, &nodes, &addresses);
        // LLDP's address is one that no bridge would pass on.
        until("LLDP meets all of the segment", PATIENCE, || {
            let seen = at_once(&nodes, |node| lldp_names(ring, node, "eth3"));
            let others = nodes.map(|node| {
                let others = nodes.iter().filter(|other| **other != node);
                others.map(|&other| other.to_owned()).collect::<Vec<_>>()
            });
            (seen == others)
                .then_some(())
                .ok_or_else(|| format!("{seen:?}"))
        });
    }
    at_once(&MEMBERS, |(node, _)| {
        guest::ask(ring, node, "ip address flush dev eth3 scope global");
    });
    ring.write(RING);
    ring.up();
    wait_for_carrier(ring, &nodes.map(|node| (node, "eth3")), false);
    assert_eq!(lives(ring), before);
}

/// The names of those whom LLDP hears at an interface, sorted.
fn lldp_names(ring: &Lab, node: &str, interface: &str) -> Vec<String> {
    let command = format!(
        "lldpcli update >/dev/null; lldpcli -f keyvalue show neighbors ports {interface} | \
         sed -n 's/^lldp[.]{interface}[.]chassis[.]name=//p'"
    );
    let text = guest::run(ring, node, &command).stdout;
    let mut names: Vec<String> = text.lines().map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

fn bond_survives(ring: &Lab) {
    const ENDS: [(&str, &str); 2] = [("r1", "198.51.100.1"), ("r2", "198.51.100.2")];
    begin(ring);
    let before = lives(ring);
    link(ring, &["connect", "r1:eth3", "r2:eth3"]).expect_success();
    link(ring, &["connect", "r1:eth4", "r2:eth4"]).expect_success();
    at_once(&ENDS, |(node, address)| {
        let script = format!(
            "set -e; ip link set eth3 down; ip link set eth4 down; \
             ip link add bond0 type bond mode 802.3ad miimon 100 lacp_rate fast; \
             ip link set eth3 master bond0; ip link set eth4 master bond0; \
             ip link set bond0 up; ip address add {address}/24 dev bond0"
        );
        guest::ask(ring, node, &script);
    });
    let links = |wanted: usize| {
        until(&format!("{wanted} links in both bonds"), PATIENCE, || {
            let found = at_once(&ENDS, |(node, _)| {
                guest::ask(ring, node, "cat /proc/net/bonding/bond0")
            });
            let all = found.iter().all(|text| active_links(text) == wanted);
            all.then_some(()).ok_or_else(|| found.concat())
        });
    };
    let ping = || {
        until("a ping over the bond", PATIENCE, || {
            let ran = guest::run(
                ring,
                "r1",
                &format!("ping -q -c 2 -i 0.2 -W 2 {}", ENDS[1].1),
            );
            (ran.code == Some(0))
                .then_some(())
                .ok_or_else(|| ran.told())
        });
    };
    links(2);
    ping();
    // By their carriers, and by LACP alone.
    link(ring, &["down", "r1:eth3"]).expect_success();
    links(1);
    ping();
    link(ring, &["up", "r1:eth3"]).expect_success();
    links(2);
    link(ring, &["down", "r1:eth4", "--silent"]).expect_success();
    links(1);
    ping();
    at_once(&ENDS, |(node, _)| {
        guest::ask(
            ring,
            node,
            "ip link delete bond0; ip link set eth3 up; ip link set eth4 up",
        );
    });
    link(ring, &["disconnect", "r1:eth3"]).expect_success();
    link(ring, &["disconnect", "r1:eth4"]).expect_success();
    wait_for_carrier(ring, &[("r1", "eth3"), ("r2", "eth4")], false);
    assert!(ring.plan().is_empty(), "{:?}", ring.plan());
    assert_eq!(lives(ring), before);
}

/// How many links a bond sends over, by what its kernel tells: `Number of ports: 2` of the active
/// aggregator, whose partner has been heard.
fn active_links(text: &str) -> usize {
    let partner = text.lines().find_map(|line| {
        let line = line.trim();
        line.strip_prefix("Partner Mac Address: ")
    });
    let ports = text.lines().find_map(|line| {
        let line = line.trim();
        line.strip_prefix("Number of ports: ")?.trim().parse().ok()
    });
    match partner {
        Some(mac) if mac != "00:00:00:00:00:00" => ports.unwrap_or(0),
        _ => 0,
    }
}

/// Kills a process of the ring's wire.
fn kill(ring: &Lab, role: &str) -> u32 {
    let processes = witness::wire_processes(&witness::wire_folder(ring.name()));
    let pid = *processes
        .get(role)
        .unwrap_or_else(|| panic!("no `{role}` in {processes:?}"));
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
    kill_process(process, Signal::KILL).unwrap();
    pid
}

/// Frames that the end of a link has sent so far, and what is asked of the link.
fn of_link(ring: &Lab, end: &str) -> (u64, serde_json::Value) {
    let shown = link(ring, &["show", end, "--json"]).json("link");
    let frames = shown["ends"][end]["received-frames"].as_u64().unwrap();
    (frames, shown["junction"]["impairments"].clone())
}

fn killed_wire(ring: &Lab) {
    begin(ring);
    let before = lives(ring);
    let peer = address(ring, "r2", "eth2");
    link(ring, &["set", "r1:eth1", "--delay", "5ms"]).expect_success();
    let (frames, asked) = of_link(ring, "r1:eth1");
    let folder = witness::wire_folder(ring.name());
    let adjacency = || guest::ask(ring, "r1", "vtysh -c 'show ip ospf neighbor detail json'");
    let progress = |text: &str| -> Vec<u64> {
        // How often the state of each neighbour has changed.
        let counts = text.split("\"stateChangeCounter\":").skip(1);
        counts
            .filter_map(|rest| {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                digits.parse().ok()
            })
            .collect()
    };
    let changes = progress(&adjacency());
    assert_eq!(changes.len(), 2, "{}", adjacency());
    let pings = Pings::start(ring, "r1", &peer);
    pings.wait_for(5);

    let killed = kill(ring, "work");
    let began = Instant::now();
    until("the wire is back", PATIENCE, || {
        let now = witness::wire_processes(&folder).get("work").copied();
        let is_back = now.is_some_and(|pid| pid != killed);
        (is_back && link(ring, &["show", "r1:eth1"]).code == Some(0))
            .then_some(())
            .ok_or_else(|| format!("{now:?}"))
    });
    let took = began.elapsed();
    eprintln!("the wire was back within {took:?}");

    let (frames_after, asked_after) = of_link(ring, "r1:eth1");
    assert!(frames_after >= frames, "{frames_after} after {frames}");
    assert!(asked.is_object(), "{asked}");
    assert_eq!(asked_after, asked);
    pings.wait_for(10);
    let missed = pings.stop();
    eprintln!("{missed:?}");
    // Five a second: a second's worth at most, and what a busy machine adds.
    assert!(missed.lost() <= 10, "{missed:?}");
    assert_eq!(progress(&adjacency()), changes);
    assert_eq!(lives(ring), before);
    link(ring, &["reset", "r1:eth1"]).expect_success();
    assert!(ring.plan().is_empty());
}

fn killed_keeper(ring: &Lab) {
    begin(ring);
    let peer = address(ring, "r2", "eth2");
    let folder = witness::wire_folder(ring.name());
    let process = |role| witness::wire_processes(&folder).get(role).copied();
    let other_than = |role: &'static str, before: u32| {
        until(&format!("another `{role}`"), PATIENCE, || {
            let now = process(role);
            now.filter(|&pid| pid != before)
                .ok_or_else(|| format!("{now:?}, {before} before"))
        })
    };
    let wire = process("work").unwrap();
    let pings = Pings::start(ring, "r1", &peer);
    // Twice: the second one has another parent than the first.
    for _ in 0..2 {
        let keeper = kill(ring, "serve");
        other_than("serve", keeper);
        pings.wait_for(3);
    }
    assert_eq!(process("work"), Some(wire));
    let answers = pings.stop();
    assert_eq!(answers.lost(), 0, "{answers:?}");
    assert!(ring.plan().is_empty());
    // The new one keeps a wire that it did not start.
    kill(ring, "work");
    other_than("work", wire);

    // Where nobody is left, the plan says so.
    kill(ring, "serve");
    kill(ring, "work");
    let plan = ring.plan();
    let words: Vec<_> = plan.iter().map(|step| &step["action"]).collect();
    assert_eq!(words, ["start-wire"], "{plan:?}");
    ring.up();
    assert!(ring.plan().is_empty());
    probe(ring, "r1:eth1");
    wait_for_ring(ring);
}

fn lost_node(ring: &Lab) {
    begin(ring);
    let neighbours = [("r2", "eth1"), ("r4", "eth2")];
    let others = [("r2", "eth2"), ("r4", "eth1"), ("r1", "eth1")];
    let domain = ring.domain("r3");
    let pid = i32::try_from(witness::qemu_process(&domain)).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    wait_for_carrier(ring, &neighbours, false);
    wait_for_carrier(ring, &others, true);
    ring.up();
    wait_for_carrier(ring, &neighbours, true);
    let program = ring.program();
    program.run(&["stop", "--hard", &domain]).expect_success();
    wait_for_carrier(ring, &neighbours, false);
    wait_for_carrier(ring, &others, true);
    program.run(&["start", &domain]).expect_success();
    wait_for_carrier(ring, &neighbours, true);
    assert!(ring.plan().is_empty(), "{:?}", ring.plan());
    wait_for_ring(ring);
}

fn relay() {
    const DELAY: Duration = Duration::from_millis(50);
    let socket = || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    };
    let (ends, sides) = ([socket(), socket()], [socket(), socket()]);
    let addresses = sides.each_ref().map(|side| side.local_addr().unwrap());
    // The relay takes the ports of the two that are dropped.
    drop(sides);
    let words = [0, 1].map(|one| format!("{}={}", addresses[one], ends[one].local_addr().unwrap()));
    let line = ["wire", "relay", &words[0], &words[1], "--delay", "50ms"];
    let mut command = Program::new().command(&line);
    let mut relay = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(relay.stderr.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    assert!(first.starts_with("Relaying"), "{first}");
    let frame: Vec<u8> = (0..=255).cycle().take(9014).collect();
    for (from, to) in [(0, 1), (1, 0)] {
        // QEMU would take an empty datagram for the end of all things: it never arrives.
        ends[from].send_to(&[], addresses[from]).unwrap();
        let sent = Instant::now();
        ends[from].send_to(&frame, addresses[from]).unwrap();
        let mut arrived = vec![0; 65536];
        let (length, by) = ends[to].recv_from(&mut arrived).unwrap();
        assert!(sent.elapsed() >= DELAY, "{:?}", sent.elapsed());
        assert_eq!((&arrived[..length], by), (&frame[..], addresses[to]));
    }
    let pid = Pid::from_raw(i32::try_from(relay.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    assert!(relay.wait().unwrap().success());
}

fn nothing_is_left(ring: &Lab) {
    let traces = witness::traces_of(ring.name());
    let is_wires = |trace: &&String| trace.contains("of the wire") || trace.starts_with("folder");
    let wire = traces.iter().filter(is_wires).count();
    assert_eq!(wire, 3, "a folder and two processes: {traces:?}");
    let links = ring.links();
    let ends = links
        .iter()
        .flat_map(|link| link["ends"].as_array().unwrap());
    let sockets: BTreeSet<&str> = ends.filter_map(|end| end["remote"].as_str()).collect();
    let bound = || -> Vec<String> {
        let bound = witness::bound_udp().into_iter();
        bound
            .filter(|socket| sockets.contains(socket.as_str()))
            .collect()
    };
    assert_eq!((sockets.len(), bound().len()), (8, 8), "{sockets:?}");
    ring.down_without_a_trace();
    assert_eq!(bound(), Vec::<String>::new());
    link(ring, &["show", "r1:eth1"]).expect_code(5);
}
