//! Typed access to a mapping by its [`Table`] of keys.
//!
//! Every mistake becomes a diagnostic and the value counts as not given, so that reading goes on
//! and all mistakes are told at once.

use super::key::{Form, Key, Table, quoted};
use crate::code::{self, Code};
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::mac::MacAddress;
use crate::span::{Span, Spanned};
use crate::spec::{ImageSpec, ImagesSpec};
use crate::yaml::scalar::{self, Schema};
use crate::yaml::{Entry, Node, Scalar, Value};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use vnflab_impairment::SettingKey;
use vnflab_impairment::unit::Duration;

/// Lowest port that ordinary users may bind (`net.ipv4.ip_unprivileged_port_start`'s default).
const LOWEST_PORT: i64 = 1024;

/// Least memory that is taken for a wish rather than a slip, in MiB.
const LEAST_MEMORY_MIB: u64 = 16;

/// Most memory of one node, in MiB: 16 TiB, past every machine that QEMU emulates.
const MOST_MEMORY_MIB: u64 = 16 * 1024 * 1024;

/// Longest text that is taken for a name or a path: the longest path (`PATH_MAX`).
const LONGEST_TEXT: usize = 4096;

/// Endings of the file names of disk images; an image with one of them is a path.
const IMAGE_ENDINGS: &[&str] = &[".qcow2", ".img", ".raw", ".vmdk", ".vdi", ".vhdx", ".iso"];

/// A mapping whose keys are all in its table.
pub(super) struct Fields<'n> {
    /// The mapping itself, or what stands in its place.
    pub(super) span: Span,
    table: &'static Table,
    schema: Schema,
    given: Vec<(&'static Key, &'n Entry)>,
    /// Whether there are keys that the table does not have: those were reported.
    pub(super) has_unknown: bool,
}

impl<'n> Fields<'n> {
    /// Looks a node over: unknown keys and missing ones are reported. Nothing written counts as
    /// an empty mapping; `None` if the node is no mapping at all.
    pub(super) fn read(
        node: &'n Node,
        span: Span,
        table: &'static Table,
        schema: Schema,
        found: &mut Diagnostics,
    ) -> Option<Self> {
        let entries: &[Entry] = match &node.value {
            Value::Mapping(entries) => entries,
            Value::Scalar(_) if node.is_null() => &[],
            Value::Scalar(_) | Value::Sequence(_) => {
                let expected = format!("{} is a mapping of keys and values", table.title);
                found.push(wrong_type(node, &expected));
                return None;
            }
        };
        let mut given = Vec::with_capacity(entries.len());
        let mut has_unknown = false;
        for entry in entries {
            let name = &*entry.key.text;
            match table.keys.iter().find(|key| key.name == name) {
                Some(key) => given.push((*key, entry)),
                None => {
                    has_unknown = true;
                    found.push(unknown_key(table, entry));
                }
            }
        }
        let fields = Self {
            span,
            table,
            schema,
            given,
            has_unknown,
        };
        for key in table.required {
            if fields.entry(key).is_none() {
                found.push(fields.missing(key));
            }
        }
        Some(fields)
    }

    /// Whether the table of this mapping has a key at all.
    pub(super) fn has(&self, key: &'static Key) -> bool {
        self.table
            .keys
            .iter()
            .any(|known| std::ptr::eq(*known, key))
    }

    /// What is written for a key; nothing written counts as not given.
    pub(super) fn entry(&self, key: &'static Key) -> Option<&'n Entry> {
        debug_assert!(
            self.has(key),
            "`{}` is not in the table of {}",
            key.name,
            self.table.title
        );
        self.given
            .iter()
            .find(|(known, _)| std::ptr::eq(*known, key))
            .map(|(_, entry)| *entry)
            .filter(|entry| !entry.value.is_null())
    }

    /// What is written for settings of impairments, in the order of the file.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&'static SettingKey, &'n Node)> + '_ {
        self.given.iter().filter_map(|(key, entry)| match key.form {
            Form::Setting(setting) if !entry.value.is_null() => Some((setting, &entry.value)),
            _ => None,
        })
    }

    /// The value of a key.
    pub(super) fn node(&self, key: &'static Key) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The error that a key is not given.
    pub(super) fn missing(&self, key: &'static Key) -> Diagnostic {
        let message = format!("{} has no `{}`", self.table.title, key.name);
        Diagnostic::error(code::MISSING_KEY, message)
            .at(self.span, format!("`{}` is required here", key.name))
            .help(format!("add `{}: {}`", key.name, key.example))
    }

    /// A table below a key.
    pub(super) fn table(&self, key: &'static Key, found: &mut Diagnostics) -> Option<Self> {
        let entry = self.entry(key)?;
        let (Form::Table(table) | Form::Named(table)) = key.form else {
            return None;
        };
        Self::read(&entry.value, entry.key_span, table, self.schema, found)
    }

    /// A text. Numbers and booleans are taken as they are written: a file may well be named
    /// `7` and a host `no`.
    pub(super) fn text(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<String>> {
        let node = self.node(key)?;
        let text = text_of(node, key, found)?;
        if text.is_empty() || text.len() > LONGEST_TEXT {
            let message = format!("`{}` has {} bytes", key.name, text.len());
            found.push(
                Diagnostic::error(code::VALUE_RANGE, message)
                    .at(node.span, "out of range")
                    .help(format!("give from 1 to {LONGEST_TEXT} bytes")),
            );
            return None;
        }
        Some(Spanned::new(text.to_owned(), node.span))
    }

    /// A text or several; an empty list is a mistake.
    pub(super) fn some_texts(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Vec<Spanned<String>>> {
        let texts = self.texts(key, found)?;
        if let ([], Some(node)) = (&texts[..], self.node(key)) {
            let message = format!("`{}` is an empty list", key.name);
            found.push(
                Diagnostic::error(code::VALUE_RANGE, message)
                    .at(node.span, "nothing is in it")
                    .help(format!("for example `{}: {}`", key.name, key.example)),
            );
            return None;
        }
        Some(texts)
    }

    /// A text, several or none.
    pub(super) fn texts(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Vec<Spanned<String>>> {
        let node = self.node(key)?;
        let Value::Sequence(nodes) = &node.value else {
            return self.text(key, found).map(|one| vec![one]);
        };
        let mut texts = Vec::with_capacity(nodes.len());
        for node in nodes.iter() {
            texts.push(Spanned::new(
                text_of(node, key, found)?.to_owned(),
                node.span,
            ));
        }
        Some(texts)
    }

    /// A value that has a text form of its own, such as a percentage.
    pub(super) fn parsed_text<T: FromStr<Err: std::fmt::Display>>(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<T>> {
        let node = self.node(key)?;
        match text_of(node, key, found)?.parse() {
            Ok(value) => Some(Spanned::new(value, node.span)),
            Err(error) => {
                found.push(
                    Diagnostic::error(code::WRONG_TYPE, expectation(key.name, key.form))
                        .at(node.span, printable(&error.to_string())),
                );
                None
            }
        }
    }

    /// One of a few words; the answer is its position in the key's list.
    pub(super) fn word(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<usize>> {
        let Form::Words(words) = key.form else {
            return None;
        };
        let node = self.node(key)?;
        let text = text_of(node, key, found)?;
        if let Some(position) = words.iter().position(|word| *word == text) {
            return Some(Spanned::new(position, node.span));
        }
        let mut diagnostic = Diagnostic::error(
            code::WRONG_TYPE,
            format!("`{}` cannot be `{}`", key.name, shown(text)),
        )
        .at(node.span, "not one of the known words");
        diagnostic = match nearest(text, words.iter().copied()) {
            Some(word) => diagnostic.help(format!("did you mean `{word}`?")),
            None => diagnostic.help(format!("use one of {}", quoted(words))),
        };
        found.push(diagnostic);
        None
    }

    /// A boolean.
    pub(super) fn boolean(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<bool>> {
        let node = self.node(key)?;
        let value = node
            .scalar()
            .and_then(|scalar| scalar::boolean(scalar, self.schema));
        if value.is_none() {
            found.push(wrong_type(node, &expectation(key.name, key.form)));
        }
        value.map(|value| Spanned::new(value, node.span))
    }

    /// A whole number within its range.
    pub(super) fn integer(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<u32>> {
        let Form::Integer { least, most } = key.form else {
            return None;
        };
        let node = self.node(key)?;
        let value = self.whole_number(node, key, found)?;
        if (least..=most).contains(&value) {
            return u32::try_from(value)
                .ok()
                .map(|value| Spanned::new(value, node.span));
        }
        found.push(range(
            node,
            key.name,
            &value.to_string(),
            &least.to_string(),
            &most.to_string(),
        ));
        None
    }

    /// A port.
    pub(super) fn port(&self, key: &'static Key, found: &mut Diagnostics) -> Option<Spanned<u16>> {
        let node = self.node(key)?;
        let value = self.whole_number(node, key, found)?;
        let port = u16::try_from(value)
            .ok()
            .filter(|port| i64::from(*port) >= LOWEST_PORT);
        if port.is_none() {
            let label = match value {
                0..LOWEST_PORT => "reserved for the system",
                _ => "no such port",
            };
            found.push(
                Diagnostic::error(
                    code::PORT_RANGE,
                    format!("`{}: {value}` is not a port that a lab can use", key.name),
                )
                .at(node.span, label)
                .help(format!("use a port from {LOWEST_PORT} to 65535")),
            );
        }
        port.map(|port| Spanned::new(port, node.span))
    }

    fn whole_number(&self, node: &Node, key: &Key, found: &mut Diagnostics) -> Option<i64> {
        let value = node
            .scalar()
            .and_then(|scalar| scalar::integer(scalar, self.schema));
        if value.is_none() {
            let mut diagnostic = wrong_type(node, &expectation(key.name, key.form));
            let unquoted = node.scalar().is_some_and(|scalar| {
                !scalar.text.is_empty() && scalar.text.bytes().all(|byte| byte.is_ascii_digit())
            });
            if unquoted {
                diagnostic = diagnostic.help("remove the quotes: in quotes it is a text");
            }
            found.push(diagnostic);
        }
        value
    }

    /// A whole number that may be large.
    pub(super) fn large_integer(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<u64>> {
        let node = self.node(key)?;
        let value = self.whole_number(node, key, found)?;
        let number = u64::try_from(value).ok();
        if number.is_none() {
            let most = i64::MAX.to_string();
            found.push(range(node, key.name, &value.to_string(), "0", &most));
        }
        number.map(|number| Spanned::new(number, node.span))
    }

    /// A time in whole seconds.
    pub(super) fn seconds(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<u32>> {
        const NS: u64 = 1_000_000_000;
        let Form::Seconds { least, most } = key.form else {
            return None;
        };
        let node = self.node(key)?;
        let text = text_of(node, key, found)?;
        let time = match text.parse::<Duration>() {
            Ok(time) => time,
            Err(error) => {
                found.push(
                    Diagnostic::error(code::WRONG_TYPE, expectation(key.name, key.form))
                        .at(node.span, printable(&error.to_string())),
                );
                return None;
            }
        };
        let seconds = u32::try_from(time.ns() / NS).ok();
        let seconds = seconds.filter(|seconds| time.ns() % NS == 0 && *seconds >= least);
        match seconds.filter(|seconds| *seconds <= most) {
            Some(seconds) => Some(Spanned::new(seconds, node.span)),
            None => {
                let (least, most) = (format!("{least}s"), format!("{most}s, in whole seconds"));
                found.push(range(node, key.name, &shown(text), &least, &most));
                None
            }
        }
    }

    /// An amount of memory in MiB.
    pub(super) fn memory(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<u64>> {
        let node = self.node(key)?;
        let Some(scalar) = node.scalar() else {
            found.push(wrong_type(node, &expectation(key.name, key.form)));
            return None;
        };
        match memory_mib(&scalar.text) {
            Some(mib) if (LEAST_MEMORY_MIB..=MOST_MEMORY_MIB).contains(&mib) => {
                Some(Spanned::new(mib, node.span))
            }
            Some(_) => {
                let written = shown(&scalar.text);
                found.push(range(node, key.name, &written, "16 MiB", "16 TiB"));
                None
            }
            None => {
                found.push(wrong_type(node, &expectation(key.name, key.form)));
                None
            }
        }
    }

    /// A MAC address.
    pub(super) fn mac(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<MacAddress>> {
        let node = self.node(key)?;
        let text = text_of(node, key, found)?;
        match text.parse::<MacAddress>() {
            Ok(mac) => Some(Spanned::new(mac, node.span)),
            Err(error) => {
                found.push(
                    Diagnostic::error(
                        code::INVALID_MAC,
                        format!("`{}` is not a MAC address that an interface can have", shown(text)),
                    )
                    .at(node.span, printable(&error.to_string()))
                    .help("write six pairs of hex digits, the second digit even, such as `52:54:00:12:34:56`"),
                );
                None
            }
        }
    }

    /// A value that has a text form of its own, such as an address.
    fn parsed<T: FromStr>(&self, key: &'static Key, found: &mut Diagnostics) -> Option<Spanned<T>> {
        let node = self.node(key)?;
        parse_address(node, key.name, key.form, found)
    }

    /// An IP address.
    pub(super) fn address(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<IpAddr>> {
        self.parsed(key, found)
    }

    /// An IPv4 address.
    pub(super) fn ipv4(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<Ipv4Addr>> {
        self.parsed(key, found)
    }

    /// An IPv4 network; bits behind the prefix length are an error.
    pub(super) fn ipv4_net(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<Ipv4Net>> {
        let net: Spanned<Ipv4Net> = self.parsed(key, found)?;
        is_network(IpNet::V4(net.value), net.span, found).then_some(net)
    }

    /// An IPv6 address.
    pub(super) fn ipv6(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<Ipv6Addr>> {
        self.parsed(key, found)
    }

    /// An IPv6 network; bits behind the prefix length are an error.
    pub(super) fn ipv6_net(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<Ipv6Net>> {
        let net: Spanned<Ipv6Net> = self.parsed(key, found)?;
        is_network(IpNet::V6(net.value), net.span, found).then_some(net)
    }

    /// An address with its prefix length, of the family that the caller asks for.
    pub(super) fn interface_address(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<IpNet>> {
        self.parsed(key, found)
    }

    /// An image, or a mapping of parts to images.
    pub(super) fn images(
        &self,
        key: &'static Key,
        found: &mut Diagnostics,
    ) -> Option<Spanned<ImagesSpec>> {
        let node = self.node(key)?;
        let Value::Mapping(entries) = &node.value else {
            let text = self.text(key, found)?;
            return Some(text.map(|text| ImagesSpec::Main(image(text))));
        };
        let mut images = Vec::with_capacity(entries.len());
        for entry in entries.iter() {
            let text = text_of(&entry.value, key, found)?;
            let part = Spanned::new(entry.key.text.to_string(), entry.key_span);
            images.push((part, Spanned::new(image(text.to_owned()), entry.value.span)));
        }
        Some(Spanned::new(ImagesSpec::OfParts(images), node.span))
    }
}

/// An image by its name: one in the store has neither a folder nor an ending.
fn image(text: String) -> ImageSpec {
    let lower = text.to_ascii_lowercase();
    match lower.contains('/') || IMAGE_ENDINGS.iter().any(|end| lower.ends_with(end)) {
        true => ImageSpec::Path(text),
        false => ImageSpec::Stored(text),
    }
}

/// Whether no bit behind the prefix length is set; tells if one is.
fn is_network(net: IpNet, span: Span, found: &mut Diagnostics) -> bool {
    let network = net.trunc();
    if network != net {
        found.push(
            Diagnostic::error(
                code::INVALID_ADDRESS,
                format!("`{net}` is an address in a network, not a network"),
            )
            .at(span, "bits behind the prefix length are set")
            .help(format!("the network is `{network}`")),
        );
    }
    network == net
}

/// Reads an address from a scalar.
pub(super) fn parse_address<T: FromStr>(
    node: &Node,
    name: &str,
    form: Form,
    found: &mut Diagnostics,
) -> Option<Spanned<T>> {
    let Some(scalar) = node.scalar() else {
        found.push(wrong_type(node, &expectation(name, form)));
        return None;
    };
    match scalar.text.parse() {
        Ok(value) => Some(Spanned::new(value, node.span)),
        Err(_) => {
            let message = format!("`{}` is not {}", shown(&scalar.text), article(form));
            let mut diagnostic =
                Diagnostic::error(code::INVALID_ADDRESS, message).at(node.span, "not understood");
            diagnostic = diagnostic.help(format!("write {}", form.expected()));
            found.push(diagnostic);
            None
        }
    }
}

fn article(form: Form) -> &'static str {
    match form {
        Form::Ipv4 => "an IPv4 address",
        Form::Ipv4Net => "an IPv4 network",
        Form::Ipv6 => "an IPv6 address",
        Form::Ipv6Net => "an IPv6 network",
        Form::InterfaceAddress => "an address with a prefix length",
        _ => "an IP address",
    }
}

/// The text of a scalar, whatever its style.
pub(super) fn text_of<'n>(
    node: &'n Node,
    key: &'static Key,
    found: &mut Diagnostics,
) -> Option<&'n str> {
    match node.scalar() {
        Some(Scalar { text, .. }) => Some(text),
        None => {
            found.push(wrong_type(node, &expectation(key.name, key.form)));
            None
        }
    }
}

fn expectation(name: &str, form: Form) -> String {
    format!("`{name}` takes {}", form.expected())
}

/// The error that a value is of another type than expected.
pub(super) fn wrong_type(node: &Node, expectation: &str) -> Diagnostic {
    let is = node.describe();
    let written = node.scalar().filter(|_| !node.is_null());
    let label = match written {
        Some(scalar) if scalar.text.len() <= 40 => format!("`{}` is {is}", shown(&scalar.text)),
        _ => format!("this is {is}"),
    };
    Diagnostic::error(code::WRONG_TYPE, expectation.to_owned()).at(node.span, label)
}

fn range(node: &Node, name: &str, written: &str, least: &str, most: &str) -> Diagnostic {
    let message = format!("`{name}: {written}` is out of range");
    Diagnostic::error(code::VALUE_RANGE, message)
        .at(node.span, "out of range")
        .help(format!("`{name}` goes from {least} to {most}"))
}

fn unknown_key(table: &Table, entry: &Entry) -> Diagnostic {
    let name = &*entry.key.text;
    let message = format!("unknown key `{}` in {}", shown(name), table.title);
    unknown(
        code::UNKNOWN_KEY,
        message,
        entry.key_span,
        name,
        &mut table.keys.iter().map(|key| key.name),
        table.hints,
    )
}

fn unknown(
    code: Code,
    message: String,
    span: Span,
    name: &str,
    known: &mut dyn Iterator<Item = &'static str>,
    hints: &[(&str, &str)],
) -> Diagnostic {
    let known: Vec<_> = known.collect();
    let diagnostic = Diagnostic::error(code, message).at(span, "not known here");
    if let Some((_, hint)) = hints.iter().find(|(hinted, _)| *hinted == name) {
        return diagnostic.help(*hint);
    }
    match nearest(name, known.iter().copied()) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
        None => diagnostic.help(format!("the keys here are {}", quoted(&known))),
    }
}

/// A text of the user for a message: one short line without control characters.
pub(crate) fn shown(text: &str) -> String {
    const LIMIT: usize = 60;
    let clean = printable(text);
    match clean.char_indices().nth(LIMIT) {
        None => clean,
        Some((at, _)) => format!("{}...", &clean[..at]),
    }
}

/// A text without control characters; it may repeat what the user wrote.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| {
            if letter.is_control() {
                '\u{fffd}'
            } else {
                letter
            }
        })
        .collect()
}

/// MiB from `512`, `512MiB`, `2GiB`, `4Gb`, `4 G`. Units are binary, however they are spelt:
/// nobody buys memory in powers of ten.
fn memory_mib(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "m" | "mb" | "mib" => 1,
        "g" | "gb" | "gib" => 1024,
        "t" | "tb" | "tib" => 1024 * 1024,
        _ => return None,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_with_and_without_a_unit() {
        for (text, mib) in [
            ("512", Some(512)),
            ("512MiB", Some(512)),
            ("2GiB", Some(2048)),
            ("4Gb", Some(4096)),
            ("4 g", Some(4096)),
            ("1TiB", Some(1_048_576)),
            ("1.5G", None),
            ("4 potatoes", None),
            ("", None),
            ("G", None),
            ("-1", None),
            ("99999999999999999999", None),
            ("9999999999999999T", None),
        ] {
            assert_eq!(memory_mib(text), mib, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        assert_eq!(shown("a\u{1b}[31mb"), "a\u{fffd}[31mb");
        assert!(shown(&"ä".repeat(100)).ends_with("..."));
    }
}
