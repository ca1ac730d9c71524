//! What passes a link: frames of any protocol and size, to its other end and nowhere else.
//!
//! These proofs play on the booted ring; see [`super::ring`].

use super::ring::{LINKS, names};
use crate::harness::guest;
use crate::harness::lab::Lab;
use crate::harness::wait::{PATIENCE, at_once, until};
use std::collections::BTreeSet;

/// A frame to send: what it is, its destination address and its EtherType.
const PROTOCOLS: [(&str, &str); 3] = [
    // Slow protocols: LACP. A bridge would keep it.
    ("LACP", "0180c20000028809"),
    // Spanning tree's address with a length for an EtherType: LLC. A bridge would keep it, too.
    ("BPDU", "0180c20000000026"),
    // An experimental EtherType to everybody.
    ("broadcast", "ffffffffffff88b5"),
];

/// Begins the payload of all our frames, so that nothing else is taken for one; no text has such
/// bytes.
const MARK: &str = "f5a1c40e9d87";

/// What one end of the ring's links sent or received: its number and the protocol's.
type Token = (usize, usize);

/// Both ends of all links, in order: end `n` faces end `n ^ 1`.
fn ends() -> Vec<(&'static str, &'static str)> {
    LINKS.iter().flatten().copied().collect()
}

pub(super) fn stay_on_their_link(ring: &Lab) {
    at_once(&names(), |node| listen(ring, node));
    at_once(&names(), |node| send(ring, node));
    let expected: Vec<BTreeSet<Token>> = (0..ends().len())
        .map(|end| {
            (0..PROTOCOLS.len())
                .map(|protocol| (end ^ 1, protocol))
                .collect()
        })
        .collect();
    until(
        "each frame arrives at the other end of its link, and there alone",
        PATIENCE,
        || {
            let heard: Vec<BTreeSet<Token>> = at_once(&names(), |node| heard(ring, node))
                .into_iter()
                .flatten()
                .collect::<std::collections::BTreeMap<usize, BTreeSet<Token>>>()
                .into_values()
                .collect();
            // What is in the wrong place can only become more.
            for (heard, expected) in heard.iter().zip(&expected) {
                assert!(heard.is_subset(expected), "{heard:?} beside {expected:?}");
            }
            (heard == expected)
                .then_some(())
                .ok_or_else(|| format!("{heard:?}"))
        },
    );
    at_once(&names(), |node| {
        guest::ask(
            ring,
            node,
            "kill $(cat /tmp/listen.*.pid); rm /tmp/listen.*",
        )
    });
}

fn ends_of(node: &str) -> Vec<(usize, &'static str)> {
    let ends = ends().into_iter().enumerate();
    ends.filter(|(_, (name, _))| *name == node)
        .map(|(number, (_, interface))| (number, interface))
        .collect()
}

/// Starts a listener on each linked interface, and waits until it listens.
fn listen(ring: &Lab, node: &str) {
    let mut script = String::new();
    for (_, interface) in ends_of(node) {
        script.push_str(&format!(
            "tcpdump -Q in -l -n -xx -i {interface} >/tmp/listen.{interface} \
             2>/tmp/listen.{interface}.err </dev/null & echo $! >/tmp/listen.{interface}.pid\n"
        ));
    }
    for (_, interface) in ends_of(node) {
        script.push_str(&format!(
            "until grep -q '^listening' /tmp/listen.{interface}.err; do usleep 50000; done\n"
        ));
    }
    guest::ask(ring, node, &script);
}

/// Sends every protocol's frame from each linked interface, each with its token in it.
fn send(ring: &Lab, node: &str) {
    let mut script = "set -e\n".to_owned();
    for (end, interface) in ends_of(node) {
        for (protocol, (_, header)) in PROTOCOLS.iter().enumerate() {
            let (destination, kind) = header.split_at(12);
            script.push_str(&format!(
                "send-frame {interface} \
                 {destination}525400abcdef{kind}{MARK}{end:02x}{protocol:02x} 124\n"
            ));
        }
    }
    guest::ask(ring, node, &script);
}

/// What each linked interface of a node has heard of ours, by the end's number.
fn heard(ring: &Lab, node: &str) -> Vec<(usize, BTreeSet<Token>)> {
    let ends = ends_of(node);
    ends.into_iter()
        .map(|(end, interface)| {
            let text = guest::ask(ring, node, &format!("cat /tmp/listen.{interface}"));
            (end, tokens(&text))
        })
        .collect()
}

/// Tokens in a listener's hexadecimal lines such as `0x0010:  f5a1 c40e 9d87 0302`.
fn tokens(text: &str) -> BTreeSet<Token> {
    let mut digits = String::new();
    for line in text.lines() {
        match line.trim().strip_prefix("0x") {
            Some(line) => {
                let bytes = line.split_once(':').map_or("", |(_, bytes)| bytes);
                digits.extend(bytes.chars().filter(char::is_ascii_hexdigit));
            }
            None => digits.push('\n'),
        }
    }
    let marked = digits.split(MARK).skip(1);
    marked
        .filter_map(|rest| {
            let end = usize::from_str_radix(rest.get(..2)?, 16).ok()?;
            let protocol = usize::from_str_radix(rest.get(2..4)?, 16).ok()?;
            Some((end, protocol))
        })
        .collect()
}

pub(super) fn lldp_sees_the_wiring(ring: &Lab) {
    let expected: BTreeSet<String> = LINKS
        .iter()
        .flat_map(|[a, b]| [(a, b), (b, a)])
        .map(|((node, interface), (peer, port))| format!("{node} {interface} {peer} {port}"))
        .collect();
    until("LLDP has met everybody", PATIENCE, || {
        // The routers' management interfaces share bridges, where they meet as well.
        let command = "lldpcli update >/dev/null; lldpcli -f keyvalue show neighbors | \
             grep -E '^lldp[.]eth[1-9][.](chassis[.]name|port[.]descr)='";
        let seen = at_once(&names(), |node| {
            let text = guest::run(ring, node, command).stdout;
            neighbours(node, &text)
        });
        let seen: BTreeSet<String> = seen.into_iter().flatten().collect();
        (seen == expected)
            .then_some(())
            .ok_or_else(|| format!("{seen:?}"))
    });
}

/// `NODE INTERFACE PEER PORT` of what `lldpcli` wrote as keys and values.
fn neighbours(node: &str, text: &str) -> Vec<String> {
    let value = |key: String| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(key.as_str()).map(str::to_owned))
    };
    let interfaces = (1..=9).map(|number| format!("eth{number}"));
    interfaces
        .filter_map(|interface| {
            let peer = value(format!("lldp.{interface}.chassis.name="))?;
            let port = value(format!("lldp.{interface}.port.descr="))?;
            Some(format!("{node} {interface} {peer} {port}"))
        })
        .collect()
}

pub(super) fn jumbo_frames_pass(ring: &Lab) {
    // The largest payload of an IPv4 echo in 9000 bytes, which must not be cut up.
    const PING: &str = "ping -q -c 1 -W 5 -M do -s 8972";
    // One link of virtio at both ends, one of e1000.
    for [(a, a_interface), (b, b_interface)] in [LINKS[3], LINKS[0]] {
        let set_mtu = |mtu: u32| {
            guest::ask(ring, a, &format!("ip link set {a_interface} mtu {mtu}"));
            guest::ask(ring, b, &format!("ip link set {b_interface} mtu {mtu}"));
        };
        let address = guest::ask(ring, b, &format!("ip -4 -o address show {b_interface}"));
        let address = address.split_whitespace().nth(3).unwrap();
        let address = address.split('/').next().unwrap().to_owned();
        guest::run(ring, a, &format!("{PING} {address}")).expect_code(1);
        set_mtu(9000);
        until("a frame of 9000 bytes is answered", PATIENCE, || {
            let ran = guest::run(ring, a, &format!("{PING} {address}"));
            (ran.code == Some(0))
                .then_some(())
                .ok_or_else(|| ran.told())
        });
        set_mtu(1500);
    }
}
