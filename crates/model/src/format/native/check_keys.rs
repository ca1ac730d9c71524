//! The keys of `checks`.

use super::keys::keys;
use super::setting_keys;
use crate::format::key::{Form, Key, Table};
use crate::kind::Protocol;
use crate::lab_check::Expect;

/// Longest time that a check may take to become true, or to look, in seconds: an hour.
const LONGEST: u32 = 3600;

keys! {
    PING = "ping", Form::Table(&PING_TABLE), "{from: r1, to: r3}",
        "Echo requests come back.";
    TRACEROUTE = "traceroute", Form::Table(&TRACEROUTE_TABLE), "{from: r1, to: r3, through: [r2]}",
        "Packets take this way.";
    CONNECT = "connect", Form::Table(&CONNECT_TABLE), "{from: r1, to: r3, port: 179}",
        "A TCP connection can be opened.";
    COMMAND = "command", Form::Table(&COMMAND_TABLE), "{node: r1, run: uname -a, matches: Linux}",
        "A command in the guest says this.";
    NEIGHBORS = "neighbors", Form::Table(&NEIGHBORS_TABLE), "{node: all, protocol: ospf, with: linked}",
        "Neighbours of a routing protocol, of BFD or LLDP are established.";
    LINK = "link", Form::Table(&LINK_TABLE), "{name: \"r1:eth1\", state: up}",
        "A link or segment is up, or down: cut, a node of it off, or an end without a carrier.";
    FRAMES = "frames", Form::Table(&FRAMES_TABLE), "{on: \"r1:eth1\", match: ip proto 89, during: 10s}",
        "Frames are seen on a link or segment, as it is captured.";
    RATE = "rate", Form::Table(&RATE_TABLE), "{on: \"r1:eth1\", from: r1, most: 1mbit}",
        "So much passes a link or segment, as the wire counts it.";
    STEPS = "steps", Form::List(&STEP), "[{ping: {from: r1, to: r3}}, {cut: \"r1:eth1\"}, {ping: {from: r1, to: r3}, within: 3s}]",
        "Several looks, one after the other, with changes of the lab between them. What was changed is put back at the end, also when a step does not hold and when the test is interrupted. A check that changes the lab runs alone.";
    EXPECT = "expect", Form::Words(Expect::WORDS), "fail",
        "`fail`: it shall not be so. What cannot be looked at is neither. `pass` by default.";
    WITHIN = "within", Form::Seconds { least: 1, most: LONGEST }, "30s",
        "How long it may take until it is as expected: it is tried again and again, and a try that begins in time counts. It is tried once by default, or for as long as `vnflab test --wait` says.";

    CUT = "cut", Form::Text, "\"r1:eth1 -- r2:eth1\"",
        "Cuts a link or segment: `r1:eth1`, `r1:eth1 -- r2:eth1`, or the name of a segment. The guests lose their carriers.";
    SILENT = "silent", Form::Boolean, "true",
        "For `cut`: the guests keep their carriers, so that only their protocols can notice.";
    RESTORE = "restore", Form::Text, "\"r1:eth1\"",
        "Restores a link or segment.";
    STOP = "stop", Form::Text, "r2",
        "Takes a node's power at once. It is started again when the check ends.";
    START = "start", Form::Text, "r2",
        "Starts a node and waits until it is ready.";
    IMPAIR = "impair", Form::MadeTable(setting_keys::impair), "{link: \"r1:eth1\", loss: 10%}",
        "Lays an impairment over what holds on a link or segment.";
    PAUSE = "pause", Form::Seconds { least: 1, most: LONGEST }, "5s",
        "Lets time pass.";

    SOURCES = "from", Form::Texts, "[r1, r2]",
        "The nodes that ask: one, several, or `all`.";
    TARGETS = "to", Form::Texts, "[r3, \"r4:eth1\", 192.0.2.1]",
        "Who is asked: nodes (their loopback addresses, else the first on a link), interfaces, addresses, or `all` others.";
    COUNT = "count", Form::Integer { least: 1, most: 1000 }, "20",
        "How many requests; 1 by default, 20 where `loss` is given.";
    SIZE = "size", Form::Integer { least: 68, most: 9216 }, "1500",
        "Length of the IP packets in bytes; they must not be fragmented on their way, so that this finds the MTU.";
    LOSS = "loss", Form::Percent, "5%",
        "How much may be lost at most; `0%` by default. Something has to come back in any case.";
    TARGET = "to", Form::Text, "r3",
        "Where packets go: a node, an interface or an address.";
    THROUGH = "through", Form::Texts, "[r2]",
        "The nodes on the way, all of them and in this order, without the ends; `[]` for none.";
    AVOIDS = "avoids", Form::Texts, "[r4]",
        "Nodes that are not on the way.";
    PORT = "port", Form::Integer { least: 1, most: 65535 }, "22",
        "The TCP port.";

    NODES = "node", Form::Texts, "r1",
        "Where: one node, several, or `all`.";
    RUN = "run", Form::Text, "vtysh -c 'show ip route json'",
        "The command as one would type it there, over SSH or on the console.";
    MATCHES = "matches", Form::Texts, "\"O>\\\\* 10.255\"",
        "Regular expressions, each of which matches the output; `^` and `$` are ends of lines.";
    LACKS = "lacks", Form::Texts, "inactive",
        "Regular expressions, none of which matches the output.";
    JSON = "json", Form::Text, "$..installed",
        "The output has JSON, and this path (RFC 9535) leads to something in it.";
    EQUALS = "equals", Form::Text, "true",
        "All that `json` leads to is this.";

    PROTOCOL = "protocol", Form::Words(Protocol::WORDS), "bgp",
        "The protocol. `vnflab kinds NAME` shows those that a kind has a recipe for.";
    WITH = "with", Form::Texts, "[r2, r4]",
        "Who has to be an established neighbour: nodes, or `linked` for all that the node is linked with. By default there has to be one, and none that is not established.";
    NEIGHBOR_COUNT = "count", Form::Integer { least: 0, most: 10_000 }, "2",
        "How many established neighbours there are, exactly.";

    LINK_NAME = "name", Form::Text, "\"r1:eth1 -- r2:eth1\"",
        "The link by one of its ends or by both, or a segment's name.";
    LINK_STATE = "state", Form::Words(&["up", "down"]), "up",
        "`up` by default.";

    ON = "on", Form::Text, "\"r1:eth1 -- r2:eth1\"",
        "The link by one of its ends or by both, or a segment's name.";
    FILTER = "match", Form::Filter, "ip proto 89",
        "Which frames: a pcap filter expression, as for `tcpdump`. Any by default.";
    FROM = "from", Form::Text, "r1",
        "Only what this end sends (`r1` or `r1:eth1`).";
    FRAME_COUNT = "count", Form::Integer { least: 1, most: 1_000_000 }, "3",
        "How many frames at least; 1 by default.";
    DURING = "during", Form::Seconds { least: 1, most: LONGEST }, "10s",
        "How long it is looked; `5s` by default. Frames are enough as soon as there are enough.";
    LEAST = "least", Form::Rate, "1mbit",
        "At least so much.";
    MOST = "most", Form::Rate, "10mbit",
        "At most so much.";

    IMPAIRED = "link", Form::Text, "\"r1:eth1\"",
        "The link by one of its ends or by both, or a segment's name.";
}

pub(super) static CHECK: Table = Table {
    title: "a check",
    keys: &[
        &PING,
        &TRACEROUTE,
        &CONNECT,
        &COMMAND,
        &NEIGHBORS,
        &LINK,
        &FRAMES,
        &RATE,
        &STEPS,
        &EXPECT,
        &WITHIN,
    ],
    required: &[],
    hints: &[
        ("not", "write `expect: fail`"),
        ("wait", "the key is `within`"),
        ("neighbours", "the key is `neighbors`"),
        ("exec", "the key is `command`"),
    ],
};

pub(super) static STEP: Table = Table {
    title: "a step",
    keys: &[
        &PING,
        &TRACEROUTE,
        &CONNECT,
        &COMMAND,
        &NEIGHBORS,
        &LINK,
        &FRAMES,
        &RATE,
        &EXPECT,
        &WITHIN,
        &CUT,
        &SILENT,
        &RESTORE,
        &STOP,
        &START,
        &IMPAIR,
        &PAUSE,
    ],
    required: &[],
    hints: &[
        ("not", "write `expect: fail`"),
        ("wait", "the keys are `pause` and `within`"),
        ("down", "the key is `cut`"),
        ("up", "the key is `restore`"),
    ],
};

pub(super) static PING_TABLE: Table = Table {
    title: "`ping`",
    keys: &[&SOURCES, &TARGETS, &COUNT, &SIZE, &LOSS],
    required: &[&SOURCES, &TARGETS],
    hints: &[("mtu", "the key is `size`")],
};

pub(super) static TRACEROUTE_TABLE: Table = Table {
    title: "`traceroute`",
    keys: &[&SOURCES, &TARGET, &THROUGH, &AVOIDS],
    required: &[&SOURCES, &TARGET],
    hints: &[("via", "the key is `through`")],
};

pub(super) static CONNECT_TABLE: Table = Table {
    title: "`connect`",
    keys: &[&SOURCES, &TARGETS, &PORT],
    required: &[&SOURCES, &TARGETS, &PORT],
    hints: &[],
};

pub(super) static COMMAND_TABLE: Table = Table {
    title: "`command`",
    keys: &[&NODES, &RUN, &MATCHES, &LACKS, &JSON, &EQUALS],
    required: &[&NODES, &RUN],
    hints: &[("command", "the key is `run`")],
};

pub(super) static NEIGHBORS_TABLE: Table = Table {
    title: "`neighbors`",
    keys: &[&NODES, &PROTOCOL, &WITH, &NEIGHBOR_COUNT],
    required: &[&NODES, &PROTOCOL],
    hints: &[],
};

pub(super) static LINK_TABLE: Table = Table {
    title: "the `link` of a check",
    keys: &[&LINK_NAME, &LINK_STATE],
    required: &[&LINK_NAME],
    hints: &[],
};

pub(super) static FRAMES_TABLE: Table = Table {
    title: "`frames`",
    keys: &[&ON, &FILTER, &FROM, &FRAME_COUNT, &DURING],
    required: &[&ON],
    hints: &[("filter", "the key is `match`")],
};

pub(super) static RATE_TABLE: Table = Table {
    title: "`rate`",
    keys: &[&ON, &FROM, &LEAST, &MOST, &DURING],
    required: &[&ON],
    hints: &[],
};
