//! The recipes of kinds, on outputs of real guests: `outputs/KIND/` has them as they were said.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::path::Path;
use std::sync::Arc;
use support::{CATALOGUE, blueprint, native};
use vnflab_model::blueprint::{Blueprint, NodeBlueprint};
use vnflab_model::kind::{Kind, Protocol};
use vnflab_model::lab::Lab;
use vnflab_model::lab_check::judge::{Answer, neighbors};
use vnflab_model::lab_check::{Body, Places, Probe, Question, Verdict, questions};
use vnflab_model::observed::Scope;

fn output(kind: &str, name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outputs");
    std::fs::read_to_string(folder.join(kind).join(name)).unwrap()
}

fn answer(text: &str) -> Answer<'_> {
    Answer {
        stdout: text,
        stderr: "",
        status: Some(0),
    }
}

/// The lab in which the outputs were said.
fn lab(checks: &str) -> (Lab, Blueprint) {
    let text = format!(
        "name: chk
nodes: {{r1: {{kind: frr}}, r2: {{kind: frr}}}}
links:
  - endpoints: [r1:eth1, r2:eth1]
    ipv4: [10.0.12.1/24, 10.0.12.2/24]
    ipv6: [\"2001:db8::1/64\", \"2001:db8::2/64\"]
checks:
{checks}"
    );
    let lab = native(&text);
    let mut blueprint = blueprint(&lab, Scope::System);
    for node in &mut blueprint.nodes {
        let address = format!("10.255.0.{}", node.number);
        node.loopback = Some(address.parse().unwrap());
    }
    (lab, blueprint)
}

fn kind(node: &NodeBlueprint) -> Option<Arc<Kind>> {
    CATALOGUE.find(&node.guest).cloned()
}

fn asked(checks: &str) -> Result<Vec<Question>, String> {
    let (lab, blueprint) = lab(checks);
    let Body::Single(assertion) = &lab.checks[0].body else {
        panic!("one look");
    };
    questions(&assertion.probe, &Places::new(&blueprint.nodes), &|node| {
        kind(node)
    })
}

/// What a check says of an output of the frr kind, and what was asked for it.
fn judged(check: &str, name: &str) -> (String, Verdict) {
    let question = asked(&format!("  x: {check}\n")).unwrap().remove(0);
    let verdict = question.judge(&answer(&output("frr", name)));
    (question.command.clone(), verdict)
}

fn holds(text: &str) -> Verdict {
    Verdict::Holds(text.to_owned())
}

fn not(text: &str) -> Verdict {
    Verdict::Not(text.to_owned())
}

#[test]
fn echo_requests_of_frr() {
    let (command, verdict) = judged("{ping: {from: r1, to: r2, count: 2}}", "ping.txt");
    assert_eq!(command, "ping -n -c 2 -i 0.2 -W 2 10.255.0.2");
    assert_eq!(verdict, holds("r1 → r2: 2 of 2 came back"));
    let (_, verdict) = judged("{ping: {from: r1, to: 10.9.9.9}}", "ping-unreachable.txt");
    let told =
        "r1 → 10.9.9.9: 0 of 2 came back (From 10.0.2.2 icmp_seq=1 Destination Port Unreachable)";
    assert_eq!(verdict, not(told));
    let (command, verdict) = judged(
        "{ping: {from: r1, to: \"r2:eth1\", size: 3028}}",
        "ping-too-long.txt",
    );
    assert_eq!(command, "ping -n -c 1 -i 0.2 -W 2 -M do -s 3000 10.0.12.2");
    let told = "r1 → r2:eth1: 0 of 1 came back (ping: local error: message too long, mtu=1500)";
    assert_eq!(verdict, not(told));
    let (command, verdict) = judged(
        "{ping: {from: r1, to: \"2001:db8::2\", size: 1500}}",
        "ping-ipv6.txt",
    );
    assert!(command.contains("-s 1452 2001:db8::2"), "{command}");
    assert!(verdict.holds());
}

#[test]
fn the_way_of_packets_of_frr() {
    let (command, verdict) = judged(
        "{traceroute: {from: r1, to: r2, through: [r1]}}",
        "traceroute.txt",
    );
    assert_eq!(command, "traceroute -n -q 1 -w 2 -m 30 10.255.0.2");
    assert_eq!(verdict, not("r1 → r2: r2; expected r1 on the way"));
    let (_, verdict) = judged(
        "{traceroute: {from: r1, to: r2, avoids: r1}}",
        "traceroute.txt",
    );
    assert_eq!(verdict, holds("r1 → r2: r2"));
    let (_, verdict) = judged(
        "{traceroute: {from: r1, to: 10.0.12.77}}",
        "traceroute-lost.txt",
    );
    assert_eq!(verdict, not("r1 → 10.0.12.77: *, *, *, and never arrives"));
}

#[test]
fn connections_of_frr() {
    let check = "{connect: {from: r1, to: r2, port: 22}}";
    assert_eq!(
        judged(check, "connect-open.txt").1,
        holds("r1 → r2, port 22: open")
    );
    let (_, refused) = judged(check, "connect-refused.txt");
    assert_eq!(
        refused,
        not("r1 → r2, port 22: bash: connect: Connection refused")
    );
    let (_, unreachable) = judged(check, "connect-unreachable.txt");
    assert!(unreachable.text().ends_with("No route to host"));
}

#[test]
fn neighbours_of_frr_in_every_protocol() {
    for (protocol, established) in [
        ("ospf", "r2"),
        ("ospfv3", "r2"),
        ("bgp", "r2"),
        ("isis", "r2"),
        ("bfd", "r2"),
        ("lldp", "r2"),
    ] {
        let check = |more: &str| format!("{{neighbors: {{node: r1, protocol: {protocol}{more}}}}}");
        let name = format!("{protocol}.json");
        for more in [", with: r2", ", with: linked", ", count: 1"] {
            let (_, verdict) = judged(&check(more), &name);
            let told = format!("{protocol} of r1: {established}");
            assert_eq!(verdict, holds(&told), "{protocol}{more}");
        }
        let (_, two) = judged(&check(", count: 2"), &name);
        assert!(matches!(two, Verdict::Not(_)), "{two:?}");
    }
    // A peer that is not established shows where nobody says who has to be there.
    let (_, any) = judged("{neighbors: {node: r1, protocol: bgp}}", "bgp.json");
    assert_eq!(any, not("bgp of r1: r2 (10.0.12.99 is Active)"));
    let (_, other) = judged("{neighbors: {node: r1, protocol: isis}}", "isis.json");
    assert!(other.holds());
}

#[test]
fn outputs_that_are_no_lists_are_not_understood() {
    for text in ["", "% Unknown command", "{", "[1", "{\"a\": \"\u{0}"] {
        let question = asked("  x: {neighbors: {node: r1, protocol: bgp}}\n").unwrap();
        let verdict = question[0].judge(&answer(text));
        assert!(
            matches!(verdict, Verdict::Unknown(_)),
            "{text}: {verdict:?}"
        );
        let question = asked("  x: {ping: {from: r1, to: r2}}\n").unwrap();
        let verdict = question[0].judge(&answer(text));
        assert!(
            matches!(verdict, Verdict::Unknown(_)),
            "{text}: {verdict:?}"
        );
    }
    // No neighbour at all is an answer.
    let question = asked("  x: {neighbors: {node: r1, protocol: ospf}}\n").unwrap();
    let verdict = question[0].judge(&answer("{\"neighbors\":{}}"));
    assert_eq!(verdict, not("ospf of r1: nobody"));
}

#[test]
fn all_to_all_asks_each_pair_once_and_nobody_himself() {
    let questions = asked("  x: {ping: {from: all, to: all}}\n").unwrap();
    let asked: Vec<(&str, bool)> = questions
        .iter()
        .map(|one| (one.node.as_str(), one.command.ends_with("10.255.0.2")))
        .collect();
    assert_eq!(asked, [("r1", true), ("r2", false)]);
}

#[test]
fn what_a_command_says_is_judged_by_its_conditions() {
    let judge = |conditions: &str, said: &Answer<'_>| {
        let check = format!("  x: {{command: {{node: r1, run: x{conditions}}}}}\n");
        asked(&check).unwrap()[0].judge(said)
    };
    let version = answer("FRRouting 8.4.4 (r1)\n");
    assert!(judge("", &version).holds());
    assert!(judge(", matches: '^FRRouting 8'", &version).holds());
    assert_eq!(
        judge(", lacks: '8\\.\\d'", &version),
        not("r1: `8\\.\\d` matches `8.4`")
    );
    let failed = Answer {
        status: Some(2),
        stderr: "no such file\n",
        ..answer("")
    };
    assert_eq!(
        judge("", &failed),
        not("r1: ended with status 2: no such file")
    );
    let json =
        answer("r1# show\n{\"peers\": [{\"up\": true, \"as\": 65001}, {\"up\": false}]}\nr1#");
    assert!(judge(", json: '$.peers[0].as', equals: 65001", &json).holds());
    assert_eq!(
        judge(", json: '$.peers[*].up', equals: true", &json),
        not("r1: `$.peers[*].up` is `false`, expected `true`")
    );
    assert_eq!(
        judge(", json: $.routes", &json),
        not("r1: `$.routes` leads to nothing")
    );
    assert_eq!(
        judge(", json: $.a", &version),
        not("r1: no JSON: FRRouting 8.4.4 (r1)")
    );
}

#[test]
fn a_kind_without_the_recipe_and_a_node_without_an_address_are_told() {
    let (lab, blueprint) = lab("  x: {connect: {from: r1, to: r2, port: 22}}\n");
    let Body::Single(assertion) = &lab.checks[0].body else {
        panic!("one look");
    };
    let places = Places::new(&blueprint.nodes);
    let bare = questions(&assertion.probe, &places, &|_| {
        CATALOGUE.find("windows").cloned()
    });
    assert_eq!(
        bare.unwrap_err(),
        "the kind `frr` has no recipe for `connect`"
    );
    let mut without = blueprint.clone();
    let r2 = &mut without.nodes[1];
    r2.loopback = None;
    r2.nics.iter_mut().for_each(|nic| nic.addresses.clear());
    let error = questions(&assertion.probe, &Places::new(&without.nodes), &kind).unwrap_err();
    assert!(error.starts_with("no address of `r2` is known"), "{error}");
}

#[test]
fn a_change_of_checks_alone_plans_nothing() {
    let (_, before) = lab("  x: {ping: {from: r1, to: r2}}\n");
    let (_, after) = lab("  y: {steps: [{cut: \"r1:eth1\"}, {ping: {from: r1, to: r2}}]}\n");
    assert_eq!(before, after);
}

#[test]
fn recipes_of_all_kinds_read_nothing_from_nothing() {
    for kind in CATALOGUE.kinds() {
        for protocol in Protocol::ALL {
            if let Some(recipe) = kind.recipes.neighbors.get(&protocol) {
                let found = neighbors(recipe, &answer(""));
                assert!(found.is_none_or(|found| found.is_empty()), "{}", kind.name);
            }
        }
    }
}

#[test]
fn descriptions_name_what_is_looked_at() {
    let (lab, _) = lab("  a: {ping: {from: all, to: [r2, 10.0.0.1], size: 1500}}
  b: {frames: {on: \"R2:eth1\", from: r1, match: arp}}
  c: {neighbors: {node: r1, protocol: ospf}}
");
    let told: Vec<String> = lab
        .checks
        .iter()
        .flat_map(|check| check.assertions())
        .map(|one| Probe::describe(&one.probe))
        .collect();
    let expected = [
        "ping all → r2, 10.0.0.1, 1500 bytes",
        "frames `arp` from r1:eth1 on r1:eth1--r2:eth1",
        "ospf of r1",
    ];
    assert_eq!(told, expected);
}

/// Lists as the vendors' documents show them, written anew for the lab above: no device said them.
const FROM_PUBLIC_FACTS: &[(&str, Protocol, &str)] = &[
    (
        "ios",
        Protocol::Ospf,
        "Neighbor ID     Pri   State           Dead Time   Address         Interface
10.255.0.2        0   FULL/  -        00:00:35    10.0.12.2       GigabitEthernet2
10.255.0.9        1   INIT/DROTHER    00:00:31    10.0.19.9       GigabitEthernet3
",
    ),
    (
        "iosv",
        Protocol::Bgp,
        "BGP router identifier 10.255.0.1, local AS number 65001
Neighbor        V           AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd
10.0.12.2       4        65002      14      15        3    0    0 00:09:12        1
10.0.19.9       4        65009       0       0        1    0    0 never    Idle (Admin)
",
    ),
    (
        "ios",
        Protocol::Isis,
        "System Id      Type Interface     IP Address      State Holdtime Circuit Id
r2             L2   Gi2           10.0.12.2       UP    24       01
r9             L2   Gi3           10.0.19.9       INIT  24       01
",
    ),
    (
        "ios",
        Protocol::Bfd,
        "NeighAddr                              LD/RD         RH/RS     State     Int
10.0.12.2                               1/1          Up        Up        Gi2
10.0.19.9                               2/0          Down      Down      Gi3
",
    ),
    (
        "ios",
        Protocol::Lldp,
        "Device ID           Local Intf     Hold-time  Capability      Port ID
r2                  Gi2            120        R               Gi2

Total entries displayed: 1
",
    ),
    (
        "xrv9k",
        Protocol::Ospf,
        "Neighbor ID     Pri   State           Dead Time   Address         Interface
10.255.0.2      1     FULL/  -        00:00:37    10.0.12.2       GigabitEthernet0/0/0/0
    Neighbor is up for 00:01:11
",
    ),
    (
        "xrv9k",
        Protocol::Bgp,
        "Neighbor        Spk    AS MsgRcvd MsgSent   TblVer  InQ OutQ  Up/Down  St/PfxRcd
10.0.12.2         0 65002      12      13        5    0    0 00:08:01          1
10.0.19.9         0 65009       0       0        0    0    0 00:00:00 Idle
",
    ),
    (
        "xrv9k",
        Protocol::Isis,
        "System Id      Interface        SNPA           State Holdtime Type IETF-NSF
r2             Gi0/0/0/0        *PtoP*         Up    27       L2   Capable
",
    ),
    (
        "nxos",
        Protocol::Ospf,
        " OSPF Process ID 1 VRF default
 Neighbor ID     Pri State            Up Time  Address         Interface
 10.255.0.2        1 FULL/ -          00:05:01 10.0.12.2       Eth1/1
",
    ),
    (
        "nxos",
        Protocol::Bgp,
        "Neighbor        V    AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd
10.0.12.2       4 65002      12      12        6    0    0 00:06:50 1
10.0.19.9       4 65009       0       0        0    0    0 00:00:10 Idle
",
    ),
    (
        "nxos",
        Protocol::Lldp,
        "Device ID            Local Intf      Hold-time  Capability  Port ID
r2                   Eth1/1          120        BR          Ethernet1/1
",
    ),
    (
        "eos",
        Protocol::Ospf,
        r#"{"vrfs": {"default": {"instList": {"1": {"ospfNeighborEntries": [
{"routerId": "10.255.0.2", "interfaceAddress": "10.0.12.2", "adjacencyState": "full"},
{"routerId": "10.255.0.9", "interfaceAddress": "10.0.19.9", "adjacencyState": "init"}]}}}}}"#,
    ),
    (
        "eos",
        Protocol::Bgp,
        r#"{"vrfs": {"default": {"peers": {"10.0.12.2": {"peerState": "Established"},
"10.0.19.9": {"peerState": "Idle"}}}}}"#,
    ),
    (
        "eos",
        Protocol::Isis,
        "Instance  VRF      System Id        Type Interface          SNPA              State Hold time   Circuit Id
X         default  r2               L2   Ethernet1          P2P               UP    27          0D
",
    ),
    (
        "eos",
        Protocol::Lldp,
        r#"{"lldpNeighbors": [{"port": "Ethernet1", "neighborDevice": "r2", "neighborPort": "Ethernet1"}]}"#,
    ),
    (
        "vsrx",
        Protocol::Ospf,
        "Address          Interface              State           ID               Pri  Dead
10.0.12.2        ge-0/0/0.0             Full            10.255.0.2       128    36
10.0.19.9        ge-0/0/1.0             Init            10.255.0.9       128    31
",
    ),
    (
        "vmx",
        Protocol::Bgp,
        "Peer                     AS      InPkt     OutPkt    OutQ   Flaps Last Up/Dwn State|#Active/Received/Accepted/Damped...
10.0.12.2             65002         20         19       0       0        8:01 1/1/1/0              0/0/0/0
10.0.19.9             65009          0          0       0       0     2d 3:04:05 Idle
",
    ),
    (
        "vjunos-router",
        Protocol::Isis,
        "Interface             System         L State         Hold (secs) SNPA
ge-0/0/0.0            r2             2  Up                    22
",
    ),
    (
        "vsrx",
        Protocol::Bfd,
        "                                                  Detect   Transmit
Address                  State     Interface      Time     Interval  Multiplier
10.0.12.2                Up        ge-0/0/0.0     0.900     0.300        3
",
    ),
    (
        "vsrx",
        Protocol::Lldp,
        "Local Interface    Parent Interface    Chassis Id          Port info          System Name
ge-0/0/0           -                   52:54:00:12:34:56   ge-0/0/0           r2
",
    ),
    (
        "sros",
        Protocol::Ospf,
        "===============================================================================
Interface-Name                   Rtr Id          State      Pri  RetxQ   TTL
to-r2                            10.255.0.2      Full       1    0       35
",
    ),
];

#[test]
fn lists_of_other_kinds_as_their_vendors_document_them() {
    for (kind, protocol, text) in FROM_PUBLIC_FACTS {
        let word = protocol.word();
        let kind = CATALOGUE.find(kind).unwrap();
        let recipe = kind.recipes.neighbors.get(protocol);
        let recipe = recipe.unwrap_or_else(|| panic!("{} {word}", kind.name));
        let found = neighbors(recipe, &answer(text)).unwrap();
        let known = ["r2", "10.255.0.2", "10.0.12.2"];
        let is_r2 = |peers: &[String]| peers.iter().any(|peer| known.contains(&peer.as_str()));
        let up: Vec<_> = found.iter().filter(|one| one.established).collect();
        assert!(
            matches!(up[..], [one] if is_r2(&one.peers)),
            "{} {word}: {found:?}",
            kind.name
        );
    }
}

#[test]
fn echo_requests_of_other_kinds_as_their_vendors_document_them() {
    for (kind, said) in [
        (
            "ios",
            "!!!!.\nSuccess rate is 80 percent (4/5), round-trip min/avg/max = 1/2/4 ms\n",
        ),
        (
            "xrv9k",
            "Success rate is 80 percent (4/5), round-trip min/avg/max = 1/2/4 ms\n",
        ),
        (
            "asav",
            "Success rate is 80 percent (4/5), round-trip min/avg/max = 1/1/1 ms\n",
        ),
        (
            "nxos",
            "5 packets transmitted, 4 packets received, 20.00% packet loss\n",
        ),
        (
            "eos",
            "5 packets transmitted, 4 received, 20% packet loss, time 40ms\n",
        ),
        (
            "vsrx",
            "5 packets transmitted, 4 packets received, 20% packet loss\n",
        ),
        (
            "sros",
            "5 packets transmitted, 4 packets received, 20.0% packet loss\n",
        ),
        (
            "chr",
            "    sent=5 received=4 packet-loss=20% min-rtt=1ms avg-rtt=2ms max-rtt=4ms\n",
        ),
        (
            "freebsd",
            "5 packets transmitted, 4 packets received, 20.0% packet loss\n",
        ),
        (
            "openwrt",
            "5 packets transmitted, 4 packets received, 20% packet loss\n",
        ),
        (
            "debian",
            "5 packets transmitted, 4 received, 20% packet loss, time 4ms\n",
        ),
        (
            "vyos",
            "5 packets transmitted, 4 received, 20% packet loss, time 4ms\n",
        ),
    ] {
        let (lab, mut blueprint) = lab("  x: {ping: {from: r1, to: r2, count: 5, loss: 10%}}\n");
        blueprint.nodes[0].guest = kind.to_owned();
        let Body::Single(assertion) = &lab.checks[0].body else {
            panic!("one look");
        };
        let places = Places::new(&blueprint.nodes);
        let asked = questions(&assertion.probe, &places, &|node| self::kind(node)).unwrap();
        let verdict = asked[0].judge(&answer(said));
        assert_eq!(verdict, not("r1 → r2: 4 of 5 came back"), "{kind}");
    }
}
