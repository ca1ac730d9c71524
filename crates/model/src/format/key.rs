//! The keys of a file format as data.
//!
//! One table a mapping says which keys there are, what each takes and what it means. The reader,
//! its hints, the JSON schema and the reference page are all made from it and cannot disagree.

use vnflab_impairment::SettingKey;

/// A key of a mapping.
#[derive(Debug)]
pub struct Key {
    /// How it is written.
    pub name: &'static str,
    /// What it takes.
    pub form: Form,
    /// What it means: sentences for the reference and for editors.
    pub doc: &'static str,
    /// A valid value, as it would be written in a file.
    pub example: &'static str,
}

/// What a key takes.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Any text.
    Text,
    /// One of a few words.
    Words(&'static [&'static str]),
    /// A whole number.
    Integer {
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// `true` or `false`; in YAML 1.1 files `yes` and `no` as well.
    Boolean,
    /// An amount of memory: MiB, or a number with a unit.
    Memory,
    /// A UDP or TCP port.
    Port,
    /// A MAC address.
    Mac,
    /// An IP address without a prefix length.
    Address,
    /// An IPv4 address without a prefix length.
    Ipv4,
    /// An IPv4 network, such as `10.0.0.0/16`.
    Ipv4Net,
    /// An IPv6 address without a prefix length.
    Ipv6,
    /// An IPv6 network, such as `fd00:10::/64`.
    Ipv6Net,
    /// An address with its prefix length, such as `10.0.0.1/24`.
    InterfaceAddress,
    /// An image: a path, or a name in the image store.
    Image,
    /// A path relative to the lab's folder.
    Path,
    /// A text of several lines, a path, or a mapping that says which.
    Config(&'static Table),
    /// A mapping with the keys of a table.
    Table(&'static Table),
    /// A mapping with names of the user's choice, each with the keys of a table or nothing.
    Named(&'static Table),
    /// A list of mappings with the keys of a table.
    List(&'static Table),
    /// A list of links.
    Links(&'static Table),
    /// The two ends of a link.
    Ends(&'static Table),
    /// Ends of links, any number of them.
    Members(&'static Table),
    /// A time in whole seconds, such as `300s` or `5min`.
    Seconds {
        /// The shortest, in seconds.
        least: u32,
        /// The longest, in seconds.
        most: u32,
    },
    /// A setting of an impairment, which reads its values itself.
    Setting(&'static SettingKey),
    /// A mapping with the keys of a table that is made when it is first needed.
    MadeTable(fn() -> &'static Table),
    /// A mapping of names, each with the keys of such a table.
    MadeNamed(fn() -> &'static Table),
    /// A list of mappings with the keys of such a table.
    MadeList(fn() -> &'static Table),
    /// Names of nodes, or a mapping of them to one of a few words.
    After(&'static [&'static str]),
    /// Names of states, each with the names of next ones and their probabilities.
    Transitions,
    /// A time, such as `100ms`.
    Time,
    /// A list of changes in time, with the keys of such a table in those that set something.
    Schedule(fn() -> &'static Table),
    /// A pcap filter expression.
    Filter,
    /// An address and port, or the path of a socket.
    Listener,
    /// A text, or a list of texts.
    Texts,
    /// Names of the user's choice with any values.
    Variables,
    /// A percentage.
    Percent,
    /// A rate in bits a second.
    Rate,
    /// One value for each end of a link.
    Pair(&'static Form),
}

impl Form {
    /// What is expected, in words for messages and for the reference.
    pub fn expected(&self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Words(words) => format!("one of {}", quoted(words)),
            Self::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Self::Boolean => "`true` or `false`".to_owned(),
            Self::Memory => "an amount of memory, such as `512`, `512MiB` or `2GiB`".to_owned(),
            Self::Port => "a port from 1024 to 65535".to_owned(),
            Self::Mac => "a MAC address, such as `52:54:00:12:34:56`".to_owned(),
            Self::Address => "an IP address, such as `127.0.0.1`".to_owned(),
            Self::Ipv4 => "an IPv4 address, such as `192.168.10.100`".to_owned(),
            Self::Ipv4Net => "an IPv4 network, such as `10.0.0.0/16`".to_owned(),
            Self::Ipv6 => "an IPv6 address, such as `fd00:10::100`".to_owned(),
            Self::Ipv6Net => "an IPv6 network, such as `fd00:10::/64`".to_owned(),
            Self::InterfaceAddress => {
                "an address with its prefix length, such as `10.0.0.1/24`".to_owned()
            }
            Self::Image => "a path, or a name in the image store; of a kind of several VMs a mapping of their names, too".to_owned(),
            Self::Path => "a path relative to the lab's folder".to_owned(),
            Self::Config(_) => "a path, or a text of several lines".to_owned(),
            Self::Table(_) => "a mapping".to_owned(),
            Self::Named(_) => "a mapping of names".to_owned(),
            Self::List(_) => "a list of mappings".to_owned(),
            Self::Links(_) => "a list of links".to_owned(),
            Self::Ends(_) => {
                "the two ends of a link, such as `[\"r1:eth1\", \"r2:eth1\"]`".to_owned()
            }
            Self::Members(_) => {
                "a list of interfaces, such as `[\"r1:eth1\", \"r2:eth1\"]`".to_owned()
            }
            Self::Seconds { least, most } => {
                format!("a time from {least}s to {most}s, such as `30s` or `5min`")
            }
            Self::Setting(setting) => format!("{}, or `none`", setting.form),
            Self::MadeTable(_) => "a mapping".to_owned(),
            Self::MadeNamed(_) => "a mapping of names".to_owned(),
            Self::MadeList(_) => "a list of mappings".to_owned(),
            Self::After(words) => format!(
                "a node, a list of nodes, or a mapping of nodes to {}",
                quoted(words).replace(", ", " or ")
            ),
            Self::Transitions => {
                "names of states with the probabilities of others, such as `{good: {bad: 5%}}`"
                    .to_owned()
            }
            Self::Time => "a time, such as `100ms`".to_owned(),
            Self::Schedule(_) => {
                "a list of changes, such as `[{at 10s: down}, {at 20s: up}]`".to_owned()
            }
            Self::Filter => "a pcap filter expression, such as `ip proto 89`".to_owned(),
            Self::Listener => {
                "a loopback address with a port, or the absolute path of a socket".to_owned()
            }
            Self::Texts => "a text, or a list of texts".to_owned(),
            Self::Variables => "names with any values".to_owned(),
            Self::Percent => "a percentage, such as `5%`".to_owned(),
            Self::Rate => "a rate, such as `10mbit`".to_owned(),
            Self::Pair(form) => format!("two values, each {}", form.expected()),
        }
    }
}

/// A mapping of a format.
#[derive(Debug)]
pub struct Table {
    /// What the mapping describes, for messages: `a node`.
    pub title: &'static str,
    /// Its keys, in the order of the reference.
    pub keys: &'static [&'static Key],
    /// Those of the keys without which it means nothing.
    pub required: &'static [&'static Key],
    /// Names that belong elsewhere or to other tools, and what to do instead.
    pub hints: &'static [(&'static str, &'static str)],
}

/// Words in backticks, separated by commas.
pub(in crate::format) fn quoted(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
