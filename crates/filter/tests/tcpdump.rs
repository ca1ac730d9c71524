//! Filters decide as `tcpdump` does: thousands of frames, expression by expression.
//!
//! The frames follow from a seed, which is printed; `VNFLAB_SEED` sets it. A test whose tools are
//! not installed says so and is ignored.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "this is a test, its plain functions are too, and a test prints its seed"
)]

mod frames;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use frames::Dice;
use tempfile::TempDir;
use vnflab_filter::Filter;
use vnflab_testkit::{Proof, missing_program};

const FRAMES: u32 = 4000;
/// Expressions that are put together at random, besides those that are written down.
const RANDOM: usize = 60;
const SEED: u64 = 20_261_122;

fn main() {
    let tcpdump = || missing_program(&["tcpdump"]);
    vnflab_testkit::run(vec![
        Proof {
            name: "expressions_match_the_frames_that_tcpdump_matches",
            unmet: tcpdump(),
            test: expressions_match_the_frames_that_tcpdump_matches,
        },
        Proof {
            name: "random_expressions_match_the_frames_that_tcpdump_matches",
            unmet: tcpdump(),
            test: random_expressions_match_the_frames_that_tcpdump_matches,
        },
        Proof {
            name: "what_tcpdump_does_not_understand_is_refused",
            unmet: tcpdump(),
            test: what_tcpdump_does_not_understand_is_refused,
        },
    ]);
}

const EXPRESSIONS: &[&str] = &[
    "",
    "ip",
    "ip6",
    "arp",
    "rarp",
    "tcp",
    "udp",
    "icmp",
    "icmp6",
    "igmp",
    "igrp",
    "sctp",
    "esp",
    "ah",
    "pim",
    "vrrp",
    "carp",
    "stp",
    "iso",
    "isis",
    "clnp",
    "esis",
    "l1",
    "l2",
    "iih",
    "lsp",
    "snp",
    "csnp",
    "psnp",
    "llc",
    "ipx",
    "netbeui",
    "atalk",
    "aarp",
    "decnet",
    "lat",
    "not ip",
    "not tcp",
    "not llc",
    "not iso",
    "ip proto 89",
    "ip proto ospf",
    "proto ospf",
    "ip6 proto 89",
    "proto 6",
    r"ip proto \tcp or \udp",
    r"ether proto \arp",
    "ether proto 0x88cc",
    "ether proto 0x8809",
    "ether proto 0x809b",
    "ether proto 0x42",
    "ether proto 6",
    "ether proto 0xf0 or 0xfe",
    "ether proto 1500",
    "iso proto 0x83",
    r"iso proto \esis",
    "isis proto 15",
    "host 10.0.0.1",
    "src host 10.0.0.1",
    "dst 10.0.0.1 or 10.0.0.2",
    "src and dst host 10.0.0.1",
    "ip host 10.0.0.1",
    "arp host 10.0.0.1",
    "rarp src host 10.0.0.1",
    "not host 10.0.0.1",
    "net 10",
    "net 10.0.0.0/8",
    "net 10.0",
    "net 10.0.0 mask 255.255.255.0",
    "net 0.0.0.0/0",
    "src net 192.168.0.0/16 and not dst net 10.0.0.0/30",
    "host 2001:db8::1",
    "ip6 src host 2001:db8::1 or fe80::2",
    "net 2001:db8::/32",
    "net fe80::/10",
    "dst net ff00::/8",
    "net ::/0",
    "src and dst net 2001:db8::/33",
    "port 80",
    "tcp port 179",
    "udp port 53",
    "sctp port 179",
    "src port 53 or dst port 179",
    "src and dst port 80",
    "tcp port 80 or 443",
    "tcp port (80 or 443) and not host 10.0.0.1",
    "portrange 8000-8080",
    "udp portrange 8080-8000",
    "tcp src portrange 22-80",
    "port domain",
    "port ssh or http",
    "tcp dst port https",
    "portrange ssh-http",
    "not port 80",
    "ether host 52:54:00:00:00:01",
    "ether src 52-54-0-0-0-2",
    "ether dst 5254.0000.0001",
    "ether src and dst host 525400000001",
    "not ether dst 01:80:c2:00:00:0e",
    "broadcast",
    "ether broadcast or ip broadcast",
    "ip broadcast",
    "multicast",
    "not ether multicast",
    "ip multicast",
    "ip6 multicast",
    "vlan",
    "vlan 20",
    "not vlan 20",
    "vlan and ip",
    "vlan 20 and tcp port 80",
    "vlan and vlan 7",
    "vlan and vlan and ip6",
    "ip or vlan or ip",
    "vlan and (iso or llc or stp)",
    "vlan and isis",
    "vlan and ether host 52:54:00:00:00:01",
    "not vlan and arp",
    "mpls",
    "mpls 100",
    "mpls and ip",
    "mpls and ip6",
    "mpls and mpls 16",
    "mpls and mpls and host 10.0.0.1",
    "mpls and tcp port 80",
    "mpls 100 and net 10.0.0.0/8 and udp",
    "mpls and ip[8] = 64",
    "vlan and mpls and port 53",
    "pppoes",
    "pppoed",
    "pppoes 7",
    "pppoes and ip",
    "pppoes and ip6 or arp",
    "pppoes 7 and tcp port 80",
    "pppoes and isis",
    "pppoes and mpls 100 and ip",
    "vlan and pppoes and host 10.0.0.1",
    "pppoes and ether[0] = 0",
    "less 60",
    "greater 80",
    "len > 60 and len <= 100",
    "len = 60 or len != 61",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "tcp[tcpflags] & tcp-syn != 0 and tcp[13] & tcp-ack = 0",
    "tcp[13] == 2",
    "icmp[icmptype] = icmp-echo",
    "icmp[icmptype] != icmp-echo and icmp[icmpcode] < 1",
    "icmp6[icmp6type] == icmp6-echo",
    "icmp6[0] > 130",
    "ip[8] < 2",
    "ip[6:2] & 0x1fff != 0",
    "ip[0] & 0xf > 5",
    "ip[2:2] - ((ip[0] & 0xf) << 2) >= 64",
    "ip[ip[0] & 0xf] = 64",
    "tcp[(tcp[12] >> 2) & 0x3c : 4] = 0x47455420",
    "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420",
    "udp[0:2] = 53 or udp[2:2] = 53",
    "udp[4] & 1 = 1",
    "sctp[0:2] = 80",
    "igmp[0] & 1 = 1",
    "vrrp[0] != 0",
    "arp[6:2] = 1",
    "arp[7] = 2 and not broadcast",
    "ether[0] & 1 = 1",
    "ether[12:2] = 0x88cc",
    "ether[20:4] > 0x10000000",
    "link[6:4] = 0x52540000",
    "ip6[6] = 6",
    "ip6[7] = 64 and ip6[40] != 0",
    "ip[8] + ip[9] = 70",
    "ip[8] * ip[9] - 1 > 383",
    "ip[8] / 2 = 32",
    "ip[10:2] % 7 = 3",
    "ip[9] / ip[1] = 0",
    "ip[12:4] ^ ip[16:4] = 3",
    "len % 8 + 1 = 3",
    "len ^ 3 & 1 = 61",
    "len - 5 - 3 > 60",
    "1 + tcp[13] = 3",
    "ip[0] + tcp[0] > 69",
    "- ip[8] = 0xffffffc0",
    "ip[0] | 0xf = 0x4f",
    "len << 2 > 300",
    "1 << ip[8] = 2",
    "ip[3000] = 1 or arp",
    "not ip[3000] = 1",
    "arp or not ip[60] = 1",
    "ip and (tcp or udp) and not (port 80 or port 443)",
    "tcp and port 80 or arp and host 10.0.0.1",
    "! arp && ! ip || vlan",
    "not not tcp",
    "not (tcp or not ip)",
    "tcp port 80 or (udp port 53) or 443",
    "port not 80 and ip",
];

const REFUSED: &[&str] = &[
    "(",
    "()",
    "tcp)",
    "tcp or",
    "and tcp",
    "not",
    "80",
    "10.0.0.1",
    "tcp and 80",
    "not 80",
    "tcp 80",
    "host",
    "host 256.1.1.1",
    "host 1.2.3.4/32",
    "net 10.0.0.1/8",
    "net 10.0.0.0/33",
    "net ::/129",
    "net 2001:db8::1/64",
    "host 1:2:3:4:5:6",
    "ether host 10.0.0.1",
    "ether",
    "tcp host 10.0.0.1",
    "ip6 host 10.0.0.1",
    "ip host ::1",
    "port 65536",
    "port 08",
    "port 10.0.0.1",
    "portrange 1-65536",
    "ip port 80",
    "port nosuchport",
    "host no.such.host.invalid",
    "ip proto tcp",
    "ip proto nosuch",
    "ether proto nosuch",
    "tcp proto 6",
    "arp proto 6",
    "isis proto lsp",
    "arp broadcast",
    "arp multicast",
    "vlan 4096",
    "mpls 1048576",
    "pppoes 65536",
    "mpls and arp",
    "mpls and vlan",
    "pppoes and vlan",
    "pppoes and ether host 1:2:3:4:5:6",
    "pppoes and multicast",
    "ip[0:3] = 1",
    "ip[0] = 4294967296",
    "ip[0",
    "ip[0]",
    "ip and len",
    "len / 0 = 1",
    "len << 32 = 1",
    "stp[0] = 1",
    "esp[0] = 1",
    "TCP",
    "gateway 10.0.0.1",
    "inbound",
    "tcp port 80 or (443 or udp)",
    "ip[0] = @",
    "len-1 > 5",
];

fn expressions_match_the_frames_that_tcpdump_matches() {
    let scene = Scene::new();
    let mut differences = Vec::new();
    for expression in EXPRESSIONS {
        let ours = scene.ours(expression);
        let plain = scene.tcpdump(expression, Optimizer::Off).unwrap();
        let optimized = scene.tcpdump(expression, Optimizer::On).unwrap();
        differences.extend(scene.first("missed", expression, plain.difference(&ours)));
        differences.extend(scene.first("matched", expression, ours.difference(&optimized)));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn random_expressions_match_the_frames_that_tcpdump_matches() {
    let mut scene = Scene::new();
    let mut differences = Vec::new();
    for _ in 0..RANDOM {
        let expression = random_expression(&mut scene.dice, 3);
        let ours = scene.ours(&expression);
        let plain = scene.tcpdump(&expression, Optimizer::Off).unwrap();
        differences.extend(scene.first("missed", &expression, plain.difference(&ours)));
        differences.extend(scene.first("matched", &expression, ours.difference(&plain)));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn what_tcpdump_does_not_understand_is_refused() {
    let scene = Scene::new();
    for expression in REFUSED {
        assert!(
            scene.tcpdump(expression, Optimizer::On).is_err(),
            "tcpdump understands `{expression}`"
        );
        assert!(
            Filter::parse(expression).is_err(),
            "`{expression}` is understood"
        );
    }
}

/// libpcap's optimizer drops loads whose value cannot matter any more, and with them the rejection
/// of frames that are too short for them. So it matches a few short frames more; a filter may match
/// them or not. Expressions that are thrown together ask for so much that cannot matter that they
/// are only compared with what libpcap means before it optimizes.
#[derive(Clone, Copy)]
enum Optimizer {
    On,
    Off,
}

impl Optimizer {
    fn options(self) -> &'static [&'static str] {
        match self {
            Optimizer::On => &[],
            Optimizer::Off => &["-O"],
        }
    }
}

/// Expressions of some depth, of the parts that do not change what stands to their right.
fn random_expression(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 {
        return random_primitive(dice);
    }
    let first = random_expression(dice, depth - 1);
    let second = random_expression(dice, depth - 1);
    match dice.roll(6) {
        0 => format!("not ({first})"),
        1 => format!("not {first}"),
        2 => format!("({first}) or ({second})"),
        3 => format!("{first} and {second}"),
        4 => format!("{first} or {second}"),
        _ => format!("({first}) and not ({second})"),
    }
}

fn random_primitive(dice: &mut Dice) -> String {
    let plain = [
        "ip",
        "ip6",
        "tcp",
        "udp",
        "arp",
        "port 80",
        "host 10.0.0.1",
        "iso",
        "multicast",
        "icmp",
        "net 10.0.0.0/8",
        "isis",
        "tcp port 179",
        "less 70",
        "ether proto 0x88cc",
        "icmp6",
    ];
    let protocol = dice.pick(&["ip", "tcp", "udp", "ether", "ip6", "arp", "icmp", "icmp6"]);
    let offset = dice.roll(40);
    let size = dice.pick(&[1, 2, 4]);
    let operator = dice.pick(&["+", "-", "*", "&", "|", "^", "%", "<<", ">>", "/"]);
    let operand = 1 + dice.roll(30);
    let relation = dice.pick(&["=", "!=", "<", "<=", ">", ">="]);
    let value = dice.roll(300);
    match dice.roll(4) {
        0 => format!("{protocol}[{offset}:{size}] {operator} {operand} {relation} {value}"),
        1 => format!("{protocol}[{offset}] {relation} {value}"),
        _ => dice.pick(&plain).to_owned(),
    }
}

/// The frames of one test, in memory and in a file.
struct Scene {
    dice: Dice,
    frames: Vec<Vec<u8>>,
    folder: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let seed = std::env::var("VNFLAB_SEED").map_or(SEED, |seed| seed.parse().unwrap());
        println!("VNFLAB_SEED={seed}");
        let mut dice = Dice::new(seed);
        let frames: Vec<Vec<u8>> = (0..FRAMES).map(|_| frames::frame(&mut dice)).collect();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("frames.pcap"), pcap(&frames)).unwrap();
        Scene {
            dice,
            frames,
            folder,
        }
    }

    /// The numbers of the frames that the filter matches.
    fn ours(&self, expression: &str) -> BTreeSet<u32> {
        let filter = Filter::parse(expression).unwrap_or_else(|e| panic!("`{expression}`: {e}"));
        (0..FRAMES)
            .filter(|index| filter.matches(&self.frames[*index as usize]))
            .collect()
    }

    /// The first of the frames about which there is no agreement.
    fn first<'a>(
        &self,
        what: &str,
        expression: &str,
        mut frames: impl Iterator<Item = &'a u32>,
    ) -> Option<String> {
        let frame = &self.frames[*frames.next()? as usize];
        let more = frames.count();
        Some(format!(
            "`{expression}` {what} {frame:02x?} and {more} more"
        ))
    }

    /// The numbers of the frames that tcpdump lets through.
    fn tcpdump(&self, expression: &str, optimizer: Optimizer) -> Result<BTreeSet<u32>, String> {
        let file: &Path = &self.folder.path().join("frames.pcap");
        let output = Command::new("tcpdump")
            .arg("-r")
            .arg(file)
            .args(optimizer.options())
            .args(["-w", "-", "--", expression])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("expression rejects all packets") {
            return Ok(BTreeSet::new());
        }
        if !output.status.success() {
            return Err(said.into_owned());
        }
        Ok(numbers(&output.stdout))
    }
}

/// A pcap file in which a frame's second is its number.
fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.extend(word.to_le_bytes());
    }
    for (number, frame) in (0_u32..).zip(frames) {
        let length = frame.len() as u32;
        for word in [number, 0, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

/// The frames' seconds in a pcap file.
fn numbers(file: &[u8]) -> BTreeSet<u32> {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let mut numbers = BTreeSet::new();
    let mut at = 24;
    while at < file.len() {
        numbers.insert(word(at));
        at += 16 + word(at + 8) as usize;
    }
    numbers
}
