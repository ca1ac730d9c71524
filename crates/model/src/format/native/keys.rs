//! Every key of the native format.

use super::{check_keys, setting_keys};
use crate::blueprint::{CarrierPolicy, Until};
use crate::format::key::{Form, Key, Table};
use crate::spec::{ManagementMode, Transport};

macro_rules! keys {
    ($($name:ident = $key:literal, $form:expr, $example:literal, $doc:literal;)*) => {
        $(pub(super) static $name: Key = Key { name: $key, form: $form, example: $example, doc: $doc };)*
    };
}

pub(super) use keys;

keys! {
    NAME = "name", Form::Text, "ring",
        "The lab's name: letters, digits and inner hyphens. Without it the file's name (`ring.lab.yaml`) or the folder's (`ring/lab.yaml`) is taken.";
    DEFAULTS = "defaults", Form::Table(&SHARED), "{kind: frr}",
        "What holds for every node that does not say otherwise.";
    KINDS = "kinds", Form::Named(&OF_KIND), "{frr: {memory: 512}}",
        "What holds for every node of a kind; it goes before `defaults`.";
    NODES = "nodes", Form::Named(&NODE), "{r1: {kind: frr}, r2: {kind: frr}}",
        "The nodes by name. A node that only needs the defaults can be left empty.";
    LINKS = "links", Form::Links(&LINK), "[\"r1:eth1 -- r2:eth1\"]",
        "The links: `r1:eth1 -- r2:eth1`, or a mapping with `endpoints`. Interfaces go by the vendor's names (`Gi2`, `Ethernet1`) or by `eth1`, `eth2` and so on, which are the data interfaces in order.";
    SEGMENTS = "segments", Form::Named(&SEGMENT), "{lan: {members: [\"r1:eth2\", \"r2:eth2\", \"host:eth1\"]}}",
        "LANs of any number of interfaces, by name. An interface is in one link or segment only.";
    PROFILES = "profiles", Form::MadeNamed(setting_keys::impairment), "{rural: {profile: dsl, delay: 80ms}}",
        "Impairments of your own by name, for `profile`. One may stand on another that is written before it, or on a built-in one.";
    SEED = "seed", Form::Integer { least: 0, most: i64::MAX }, "42",
        "What all chance on links follows from: the same seed drops the same frames. It follows from the lab's name by default.";
    WIRE = "wire", Form::Table(&WIRE_TABLE), "{metrics: 127.0.0.1:9100}",
        "The process that frames pass through.";
    TRANSPORT = "transport", Form::Words(Transport::WORDS), "wire",
        "`wire`: frames pass through the lab's wire, a process of its own in which every link can be seen, changed and cut while it runs; every interface can be linked anew without its VM noticing. `direct`: from QEMU to QEMU, with nothing in between. `wire` by default.";
    MGMT = "mgmt", Form::Table(&MANAGEMENT), "{mode: user}",
        "How the nodes are managed.";
    ADDRESSING = "addressing", Form::Table(&POOLS), "{loopbacks: 10.255.0.0/16}",
        "Where addresses come from that the lab does not give.";
    CONSOLE_OF_LAB = "console", Form::Table(&CONSOLES), "{address: 127.0.0.1}",
        "Where the consoles listen.";
    CHECKS = "checks", Form::Named(&check_keys::CHECK), "{reachable: {ping: {from: all, to: all}}}",
        "What shall be true of the running lab, by name: `vnflab test` looks. A change of the checks changes nothing that runs.";
    START = "start", Form::Table(&START_TABLE), "{batch: 4}",
        "How the nodes start.";
    TOPOLOGY = "topology", Form::Table(&TOPOLOGY_TABLE), "{nodes: {r1: {kind: frr}}}",
        "Holds `defaults`, `kinds`, `nodes` and `links` for those who are used to writing them so; at the top of the file they mean the same.";

    KIND = "kind", Form::Text, "frr",
        "What the node is; `vnflab kinds` lists the words. Other tools' spellings are known too (`cisco_csr1000v`, `arista_veos`).";
    IMAGE = "image", Form::Image, "frr",
        "The disk image: a path (with a `/` or an ending such as `.qcow2`), or a name in the image store. Without it the kind's default image is taken, else the one that is named like the kind. A kind of several VMs takes a mapping too, `{vcp: a.qcow2, vfp: b.qcow2}`.";
    CPU = "cpu", Form::Integer { least: 1, most: 255 }, "2",
        "Virtual CPUs.";
    CPU_LIMIT = "cpu-limit", Form::Integer { least: 1, most: 100 }, "30",
        "Percent of a CPU of the host that each virtual CPU may take once the node is ready; it boots without a limit. `up` waits for such a node until it is ready. Without it there is no limit.";
    MEMORY = "memory", Form::Memory, "2GiB",
        "Memory, in MiB or with a unit (`MiB`, `GiB`; `MB` and `GB` mean the same).";
    INTERFACES = "interfaces", Form::Integer { least: 0, most: 1024 }, "8",
        "How many data interfaces the node has. Without it: as many as the kind usually has, and more where links need them.";
    STARTUP_CONFIG = "startup-config", Form::Config(&CONFIG), "r1.cfg",
        "The first configuration: a path relative to the lab's folder, the text itself (as a `|` block), or a mapping that says which.";
    CDROM = "cdrom", Form::Path, "tools.iso",
        "An ISO image to insert, relative to the lab's folder.";
    MGMT_BRIDGE = "mgmt-bridge", Form::Text, "br0",
        "The host bridge of the management interface, where it is not the lab's.";
    CONSOLE = "console", Form::Port, "2001",
        "The TCP port of the node's console; chosen by default.";
    MAC = "mac", Form::Mac, "52:54:00:12:34:56",
        "The MAC address of the management interface; chosen by default.";
    MGMT_IPV4 = "mgmt-ipv4", Form::Ipv4, "192.168.10.100",
        "The address of the management interface; chosen by default.";
    MGMT_IPV6 = "mgmt-ipv6", Form::Ipv6, "fd00:10::100",
        "The IPv6 address of the management interface, in the `ipv6-subnet` of `mgmt`; chosen by default. The first configuration gives it to the node.";
    HOSTNAME = "hostname", Form::Text, "edge1",
        "The host name in the guest, where it is not the node's name.";

    MANAGEMENT_CONFIG = "management-config", Form::Boolean, "false",
        "Whether what management needs is added to the configuration: host name, user, SSH key, management address. `true` by default; with `false` the node boots with nothing but the `startup-config`.";
    AFTER = "after", Form::After(Until::WORDS), "{r1: ready}",
        "The nodes that this one starts after: once their VMs were started (`[r1, r2]`), or once they are up (`{r1: ready}`). `up`, `start` and `restart` keep to it among the nodes that they start.";

    VARIABLES = "vars", Form::Variables, "{asn: 65000, vlans: [10, 20]}",
        "Values of your own for templates (`startup-config: r1.cfg.j2`), which know them as `vars`. What a node says goes before what the lab says, name by name.";
    BATCH = "batch", Form::Integer { least: 1, most: 65_000 }, "4",
        "Most nodes that boot at one time; the next one starts when one of them is ready, or its kind's time is over. By default as many as have together at most two virtual CPUs for each CPU of the host, and half of its memory.";

    FILE = "file", Form::Path, "r1.cfg",
        "A file with the configuration, relative to the lab's folder.";
    TEXT = "text", Form::Text, "hostname r1",
        "The configuration itself.";

    ENDPOINTS = "endpoints", Form::Ends(&ENDPOINT), "[\"r1:eth1\", \"r2:eth1\"]",
        "The two ends: `NODE:INTERFACE` each, or mappings. An end can also be an interface of the host (`host:eth1`), a TAP device (`tap:lab0`) or a UDP tunnel to elsewhere (`udp:192.0.2.1:4789`, which is bound to the same port here, or `udp:192.0.2.1:4789@5000`).";
    MTU = "mtu", Form::Integer { least: 68, most: 9216 }, "9000",
        "Largest packet on the link in bytes, without the Ethernet header.";
    LINK_TRANSPORT = "transport", Form::Words(Transport::WORDS), "direct",
        "How this link's frames travel, where it is not the lab's way.";
    STATE = "state", Form::Words(&["up", "down"]), "down",
        "`down`: it begins cut, until `vnflab link up`. `up` by default.";
    IMPAIRMENT = "impairment", Form::MadeTable(setting_keys::impairment), "{profile: lte, delay: 20ms}",
        "What is done to all frames, in every direction.";
    IMPAIRMENT_FROM = "impairment-from", Form::MadeNamed(setting_keys::impairment), "{r1: {loss: 1%}}",
        "What is done to the frames that one end sends (`r1` or `r1:eth1`), laid over `impairment`.";
    RULES = "rules", Form::MadeList(setting_keys::rule), "[{match: ip proto 89, drop: true}]",
        "What is done instead to the frames that a pcap filter matches; the first rule that matches counts.";
    MARKOV = "markov", Form::Table(&MARKOV_TABLE), "{every: 100ms, states: {good: {}, bad: {loss: 30%}}, transitions: {good: {bad: 5%}, bad: {good: 30%}}}",
        "Impairments that follow each other by chance, laid over `impairment`.";
    SCHEDULE = "schedule", Form::Schedule(setting_keys::impairment), "[{at 10s: down}, {at 20s: up}, {at 30s: {delay: 50ms}}, {at 40s: reset}]",
        "What changes at which time after the link was set up: it is cut (`down`), restored (`up`), impaired, or asks for nothing again (`reset`).";
    MATCH = "match", Form::Filter, "ip proto 89",
        "Which frames: a pcap filter expression, as for `tcpdump`.";
    FROM = "from", Form::Text, "r1",
        "Only frames that this end sends (`r1` or `r1:eth1`); those of every end by default.";
    DROP = "drop", Form::Boolean, "true",
        "Whether none of them passes. Without this and without settings they pass as they are.";
    EVERY = "every", Form::Time, "100ms",
        "How often the state may change.";
    STATES = "states", Form::MadeNamed(setting_keys::impairment), "{good: {}, bad: {loss: 30%}}",
        "The states by name; it begins with the first.";
    TRANSITIONS = "transitions", Form::Transitions, "{good: {bad: 5%}, bad: {good: 30%}}",
        "How probable each next state is; what is missing to 100% is that it stays.";
    METRICS = "metrics", Form::Listener, "127.0.0.1:9100",
        "Where Prometheus can read the counters of all links: a loopback address and port, or the path of a socket. Nowhere by default.";
    CARRIER = "carrier", Form::Words(CarrierPolicy::WORDS), "keep",
        "`follow`: an interface loses its carrier when the node at the other end of its link is off. `keep`: it does not. `follow` by default.";
    LINK_IPV4 = "ipv4", Form::Pair(&Form::InterfaceAddress), "[10.0.0.0/31, 10.0.0.1/31]",
        "IPv4 addresses of the two ends.";
    LINK_IPV6 = "ipv6", Form::Pair(&Form::InterfaceAddress), "[\"2001:db8::/127\", \"2001:db8::1/127\"]",
        "IPv6 addresses of the two ends.";

    MEMBERS = "members", Form::Members(&ENDPOINT), "[\"r1:eth2\", \"r2:eth2\"]",
        "The interfaces that are joined, as in `endpoints`.";
    SEGMENT_MODE = "mode", Form::Words(&["switch", "hub"]), "hub",
        "`switch`: learns behind which member an address is, and floods what it does not know. `hub`: gives every frame to all other members. All control frames pass both (STP, LACP, LLDP, 802.1X). `switch` by default.";
    AGEING = "ageing", Form::Seconds { least: 1, most: 1_000_000 }, "300s",
        "How long a switch remembers an address that it does not see again; `300s` by default.";
    ADDRESSES = "addresses", Form::Integer { least: 0, most: 1_000_000 }, "1024",
        "Most addresses that a switch remembers; frames to others are flooded. 8192 by default.";

    END_NODE = "node", Form::Text, "r1", "The node.";
    END_INTERFACE = "interface", Form::Text, "eth1", "The interface.";
    END_MAC = "mac", Form::Mac, "52:54:00:12:34:57", "Its MAC address; chosen by default.";
    END_IPV4 = "ipv4", Form::InterfaceAddress, "10.0.0.1/24", "Its IPv4 address.";
    END_IPV6 = "ipv6", Form::InterfaceAddress, "2001:db8::1/64", "Its IPv6 address.";

    MODE = "mode", Form::Words(ManagementMode::WORDS), "user",
        "`nat` or `route`: a network of the host (needs `qemu:///system`); `user`: a forwarded SSH port for each node, needs no rights; `none`: no management. By default what the connection allows.";
    BRIDGE = "bridge", Form::Text, "br0",
        "A bridge of the host that is used as it is, or the name of the bridge to make.";
    IPV4_SUBNET = "ipv4-subnet", Form::Ipv4Net, "192.168.10.0/24",
        "The subnet; one that is free by default.";
    IPV6_SUBNET = "ipv6-subnet", Form::Ipv6Net, "fd00:10::/64",
        "The IPv6 subnet; without it management has no IPv6. Each node has an address in it by its number, which stays, unless it has a `mgmt-ipv6`.";

    LOOPBACKS = "loopbacks", Form::Ipv4Net, "10.255.0.0/16",
        "One loopback address for each node; `10.255.0.0/16` by default.";
    LINK_POOL = "links", Form::Ipv4Net, "10.128.0.0/10",
        "One /31 for each link; `10.128.0.0/10` by default.";

    CONSOLE_ADDRESS = "address", Form::Address, "127.0.0.1",
        "One address for all consoles. By default each node has a loopback address of its own. Beyond loopback a console is open to everybody who reaches the host.";
}

const NOT_OURS: &str = "other tools have this key, here it has no meaning; remove it";
const ONE_NODE: &str = "this belongs to a single node; move it there";

static SHARED_HINTS: &[(&str, &str)] = &[
    ("mac", ONE_NODE),
    ("mgmt-ipv4", ONE_NODE),
    ("mgmt-ipv6", ONE_NODE),
    ("hostname", ONE_NODE),
    ("console", ONE_NODE),
    ("after", ONE_NODE),
];

static NODE_HINTS: &[(&str, &str)] = &[
    ("type", NOT_OURS),
    ("env", NOT_OURS),
    (
        "exec",
        "a lab file cannot run commands; put them into the `startup-config`",
    ),
    ("binds", NOT_OURS),
    ("ports", NOT_OURS),
    ("labels", NOT_OURS),
    ("license", NOT_OURS),
    ("group", NOT_OURS),
    ("vcpu", "the key is `cpu`"),
    ("ram", "the key is `memory`"),
    ("config", "the key is `startup-config`"),
    ("wait-for", "the key is `after`"),
    ("depends-on", "the key is `after`"),
    (
        "startup-delay",
        "say what it waits for: `after: {r1: ready}`",
    ),
];

/// The whole file.
pub(crate) static LAB: Table = Table {
    title: "a lab",
    keys: &[
        &NAME,
        &DEFAULTS,
        &KINDS,
        &NODES,
        &LINKS,
        &SEGMENTS,
        &PROFILES,
        &SEED,
        &WIRE,
        &TRANSPORT,
        &MGMT,
        &VARIABLES,
        &ADDRESSING,
        &CONSOLE_OF_LAB,
        &CHECKS,
        &START,
        &TOPOLOGY,
    ],
    required: &[],
    hints: &[
        ("tests", "the key is `checks`"),
        ("prefix", NOT_OURS),
        ("settings", NOT_OURS),
        ("debug", NOT_OURS),
    ],
};

pub(super) static TOPOLOGY_TABLE: Table = Table {
    title: "a topology",
    keys: &[&DEFAULTS, &KINDS, &NODES, &LINKS],
    required: &[],
    hints: &[("groups", NOT_OURS)],
};

pub(super) static SHARED: Table = Table {
    title: "`defaults`",
    keys: &[
        &KIND,
        &IMAGE,
        &CPU,
        &CPU_LIMIT,
        &MEMORY,
        &INTERFACES,
        &STARTUP_CONFIG,
        &MANAGEMENT_CONFIG,
        &CDROM,
        &MGMT_BRIDGE,
    ],
    required: &[],
    hints: SHARED_HINTS,
};

pub(super) static OF_KIND: Table = Table {
    title: "an entry of `kinds`",
    keys: &[
        &IMAGE,
        &CPU,
        &CPU_LIMIT,
        &MEMORY,
        &INTERFACES,
        &STARTUP_CONFIG,
        &MANAGEMENT_CONFIG,
        &CDROM,
        &MGMT_BRIDGE,
    ],
    required: &[],
    hints: SHARED_HINTS,
};

pub(super) static NODE: Table = Table {
    title: "a node",
    keys: &[
        &KIND,
        &IMAGE,
        &CPU,
        &CPU_LIMIT,
        &MEMORY,
        &INTERFACES,
        &STARTUP_CONFIG,
        &MANAGEMENT_CONFIG,
        &HOSTNAME,
        &CONSOLE,
        &MAC,
        &MGMT_IPV4,
        &MGMT_IPV6,
        &MGMT_BRIDGE,
        &CDROM,
        &AFTER,
        &VARIABLES,
    ],
    required: &[],
    hints: NODE_HINTS,
};

pub(super) static START_TABLE: Table = Table {
    title: "the lab's `start`",
    keys: &[&BATCH],
    required: &[],
    hints: &[("after", ONE_NODE)],
};

pub(super) static CONFIG: Table = Table {
    title: "a startup-config",
    keys: &[&FILE, &TEXT],
    required: &[],
    hints: &[],
};

pub(super) static LINK: Table = Table {
    title: "a link",
    keys: &[
        &ENDPOINTS,
        &MTU,
        &LINK_TRANSPORT,
        &STATE,
        &IMPAIRMENT,
        &IMPAIRMENT_FROM,
        &RULES,
        &MARKOV,
        &SCHEDULE,
        &LINK_IPV4,
        &LINK_IPV6,
    ],
    required: &[&ENDPOINTS],
    hints: &[("type", NOT_OURS), ("vars", NOT_OURS), ("labels", NOT_OURS)],
};

pub(super) static SEGMENT: Table = Table {
    title: "a segment",
    keys: &[
        &MEMBERS,
        &SEGMENT_MODE,
        &AGEING,
        &ADDRESSES,
        &STATE,
        &IMPAIRMENT,
        &IMPAIRMENT_FROM,
        &RULES,
        &MARKOV,
        &SCHEDULE,
    ],
    required: &[&MEMBERS],
    hints: &[("endpoints", "the key is `members`")],
};

pub(super) static MARKOV_TABLE: Table = Table {
    title: "`markov`",
    keys: &[&EVERY, &STATES, &TRANSITIONS],
    required: &[&EVERY, &STATES],
    hints: &[],
};

pub(super) static WIRE_TABLE: Table = Table {
    title: "the lab's `wire`",
    keys: &[&METRICS, &CARRIER],
    required: &[],
    hints: &[],
};

pub(super) static ENDPOINT: Table = Table {
    title: "an endpoint",
    keys: &[&END_NODE, &END_INTERFACE, &END_MAC, &END_IPV4, &END_IPV6],
    required: &[&END_NODE, &END_INTERFACE],
    hints: &[],
};

pub(super) static MANAGEMENT: Table = Table {
    title: "`mgmt`",
    keys: &[&MODE, &BRIDGE, &IPV4_SUBNET, &IPV6_SUBNET],
    required: &[],
    hints: &[("network", "the network is named after the lab; remove it")],
};

pub(super) static POOLS: Table = Table {
    title: "`addressing`",
    keys: &[&LOOPBACKS, &LINK_POOL],
    required: &[],
    hints: &[],
};

pub(super) static CONSOLES: Table = Table {
    title: "the lab's `console`",
    keys: &[&CONSOLE_ADDRESS],
    required: &[],
    hints: &[],
};
