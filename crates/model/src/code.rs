//! The table of stable diagnostic codes.
//!
//! A code never changes its meaning and is never used again. One line here, one page section in
//! the generated reference, one bad case in the tests.

/// A stable code such as `L0101`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    /// What is printed.
    pub id: &'static str,
    /// The mistake in a few words.
    pub title: &'static str,
    /// Why it matters and what mends it, in a sentence or two.
    pub explanation: &'static str,
}

macro_rules! codes {
    ($($name:ident = $id:literal, $title:literal, $explanation:literal;)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $title, ".")]
            pub const $name: Code = Code { id: $id, title: $title, explanation: $explanation };
        )*

        /// All codes, by number.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    SYNTAX = "L0101", "the file is not valid YAML",
        "The text could not be read as YAML 1.2. Look at the line shown and the one above it: most often a space of indentation, a quote or a colon is missing.";
    UNKNOWN_KEY = "L0102", "unknown key",
        "A key that means nothing here is refused, so that a slip of the pen is never silently without effect.";
    WRONG_TYPE = "L0103", "wrong type of value",
        "The key is known, yet its value is of another type or form than expected.";
    MISSING_KEY = "L0104", "a required key is missing",
        "Without this key the lab cannot be built.";
    DUPLICATE_KEY = "L0105", "a key is given twice",
        "YAML keeps only one of two equal keys, so one of them would be lost.";
    FILE_LIMIT = "L0106", "the file is larger than any lab",
        "Files are bounded in size, depth and number of values, so that no file can exhaust the machine.";
    ENCODING = "L0107", "the file is not plain UTF-8 text",
        "Lab files are UTF-8 text without NUL bytes.";
    UNREADABLE = "L0108", "a file cannot be read",
        "The file does not exist or its permissions forbid reading it.";
    NO_LAB = "L0109", "no lab file was found",
        "Name a lab file, or a folder with a `lab.yaml` or a `nodes/` folder in it.";
    INVALID_NAME = "L0201", "invalid name",
        "A name becomes a domain name, a host name and a file name: letters, digits and inner hyphens, at most 63.";
    DUPLICATE_NODE = "L0202", "two nodes have one name",
        "Each node needs a name of its own; upper and lower case do not tell names apart.";
    UNKNOWN_NODE = "L0203", "a link names a node that is not in the lab",
        "The node does not exist, or it is disabled.";
    UNKNOWN_KIND = "L0204", "unknown kind",
        "`vnflab kinds` lists the kinds that are known; a folder of your own can add to them.";
    UNKNOWN_INTERFACE = "L0205", "unknown interface name",
        "Use the vendor's own name of the interface, or `eth1`, `eth2` and so on for the data interfaces in order.";
    INTERFACE_LIMIT = "L0206", "an interface beyond the kind's limit",
        "The kind does not have so many interfaces.";
    INTERFACE_IN_USE = "L0207", "an interface is used by two links",
        "An interface is the end of one link only.";
    SELF_LINK = "L0208", "both ends of a link are one interface",
        "A link joins two different interfaces.";
    DUPLICATE_MAC = "L0209", "two interfaces have one MAC address",
        "Frames for one would reach the other, or neither.";
    INVALID_MAC = "L0210", "not a usable MAC address",
        "A MAC address is six pairs of hex digits; that of an interface is neither a group address nor all zeros.";
    DUPLICATE_UDP_PORT = "L0211", "two interfaces are bound to one UDP port",
        "QEMU binds without complaint and the last one silently takes all frames.";
    HALF_OPEN = "L0212", "a half-open pair of tunnels",
        "Both ends must point at each other: the source port of one is the local port of the other.";
    DUPLICATE_CONSOLE = "L0213", "two consoles listen on one port",
        "Each console needs a TCP port of its own.";
    PORT_RANGE = "L0214", "a port out of range",
        "Ports are 1024 to 65535: those below are reserved for the system.";
    PORT_TAKEN = "L0215", "a port is taken on this host",
        "Another process, or another lab, has this port now. QEMU would bind it all the same and frames would vanish.";
    INVALID_ADDRESS = "L0216", "not a usable address",
        "The address does not parse, or does not fit its network.";
    DUPLICATE_ADDRESS = "L0217", "an address is used twice",
        "Two interfaces with one address confuse each other's neighbours.";
    INVALID_LINK = "L0218", "a link is not understood",
        "Write `r1:eth1 -- r2:eth1`, or `endpoints: [r1:eth1, r2:eth1]`.";
    VALUE_RANGE = "L0219", "a value out of range",
        "The value is understood, but too small or too large.";
    UNSAFE_PATH = "L0220", "a path leaves the lab's folder",
        "Files that a lab names lie beside the lab file or below it.";
    RESERVED_NAME = "L0221", "a node has a name that means something else in a link",
        "`host:`, `tap:` and `udp:` are ends of links that are not in the lab.";
    INVALID_END = "L0222", "an end outside of the lab is not understood",
        "Write `host:INTERFACE`, `tap:DEVICE` or `udp:ADDRESS:PORT`.";
    NEEDS_WIRE = "L0223", "only a wire can do this",
        "With `transport: direct` nothing is between the VMs: no segment, no end that is not a VM, and no impairment can be had.";
    INVALID_SETTING = "L0224", "a setting of an impairment is not understood",
        "The value is not of the setting's form. Figures have units: `20ms`, `1%`, `10mbit`, `64KiB`.";
    SETTING_CONFLICT = "L0225", "settings of an impairment exclude each other",
        "Each is understood, but the two cannot be had together.";
    INVALID_FILTER = "L0226", "not a pcap filter expression",
        "`match` takes what `tcpdump` takes, such as `ip proto 89` or `vlan 20 and tcp port 179`.";
    INVALID_STATES = "L0227", "the states of a `markov` cannot follow each other",
        "States have names of their own; each goes to others of them, with 100% in all at most.";
    INVALID_FILE = "L0228", "a file of an impairment is not of its format",
        "A `trace` has one whole number a line, the millisecond at which 1504 bytes can pass, as Mahimahi has it. A `distribution` table has the quantiles of iproute2's `.dist` files.";
    UNKNOWN_MEMBER = "L0229", "an impairment for an end that is not joined",
        "Write the node (`r1`) or the interface (`r1:eth1`) as it stands in the link or segment.";
    UNKNOWN_PART = "L0230", "a node has no part of this name",
        "Some kinds are several VMs, each with a name and an image of its own: `vnflab kinds NAME` tells. All others are one.";
    IMAGE_MISSING = "L0301", "an image is missing",
        "The node's disk image is neither beside the lab nor in the image store. `--stand-in frr` boots our own image in its place.";
    IMAGE_UNREADABLE = "L0302", "an image cannot be read",
        "The file exists, but QEMU would not be able to read it.";
    IMAGE_FORMAT = "L0303", "an image is of another format than its name says",
        "QEMU would boot garbage, or trust a header that somebody wrote into a raw disk.";
    IMAGE_BACKING = "L0304", "an image is backed by a file outside the image store",
        "A backing file elsewhere may change or vanish; flatten the image or add the backing file to the store.";
    HOST_MEMORY = "L0305", "the lab wants more memory than the host has",
        "The VMs will swap or be killed. Lower `memory`, or start fewer nodes.";
    HOST_CPUS = "L0306", "a node wants more CPUs than the host has",
        "It will run, slowly.";
    LAB_RUNNING = "L0307", "a lab of this name runs from another file",
        "Take it down first, or give this one another name.";
    CONSOLE_OPEN = "L0308", "a console listens beyond loopback",
        "Anyone who reaches this host reaches the console, without a password.";
    IGNORED = "L0309", "a setting has no effect here",
        "It is understood, but this connection or kind cannot honour it.";
    CPU_LIMIT = "L0310", "a limit of CPUs cannot be kept here",
        "libvirt limits CPUs by the kernel's control groups, for the system's connection alone. The nodes run without a limit; `vnflab doctor` says what is missing.";
    KIND_VALUE = "L0601", "a value of a kind makes no sense",
        "The file of a kind has the right form, but no machine, or no names, can be made of what it says.";
    KIND_PARENT = "L0602", "the parent of a kind is not known",
        "`parent` names a kind or one of the families `base-...`; `vnflab kinds` lists the kinds.";
    KIND_NAME = "L0603", "two kinds answer to one name",
        "Each name and alias belongs to one kind. A file with the `name` of one of ours takes its place.";
    CPU_FEATURE = "L0604", "a CPU feature cannot be had here",
        "The host emulates the CPU and has not the feature. The node starts, but what needs the feature in its guest does not work.";
    UNKNOWN_AFTER = "L0701", "a node starts after one that is not in the lab",
        "The node does not exist, or it is disabled.";
    AFTER_CIRCLE = "L0702", "nodes start after each other",
        "Each of them would wait for the others, and none would ever start.";
    TEMPLATE = "L0801", "a template of a configuration cannot be rendered",
        "A `startup-config` whose name ends in `.j2` is a Jinja template. It is malformed, or names something that is not there; nothing is taken for empty.";
    CONFIG_TOO_LARGE = "L0802", "a configuration is larger than its medium",
        "The kind reads its configuration from a disk of fixed size. Boot with less, and load the rest when the node is up.";
    CONFIG_FORM = "L0803", "a configuration is in a form that its kind does not read at boot",
        "What a router takes on its command line is not always what it reads from a file.";
    INVALID_CHECK = "L1101", "a check makes no sense",
        "A check looks at one thing, or has `steps`; a step looks at one thing or changes one. `docs/checks.md` shows all of them.";
    UNKNOWN_IN_CHECK = "L1102", "a check names what is not in the lab",
        "Nodes, interfaces, links and segments go by the names that they have in the lab file.";
    INVALID_EXPRESSION = "L1103", "an expression of a check is malformed",
        "`matches` and `lacks` take regular expressions, `json` takes a path as RFC 9535 has it.";
    NO_RECIPE = "L1104", "a kind cannot be asked this",
        "Its data has no recipe for this check, so that the check cannot hold. A `command` with `matches` asks the same by hand; a kind of your own can add the recipe.";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
    }
}
