//! The native format: one YAML 1.2 file, familiar to users of containerlab.
//!
//! What a key takes and means is said in [`keys`] alone. Environment variables are not expanded
//! and nothing in a file can run a command.

mod after;
mod asked;
mod check_keys;
pub(crate) mod keys;
mod lab_check;
mod link;
mod segment;
mod setting_keys;
mod variables;

use self::keys as key;
use super::fields::{Fields, shown, wrong_type};
use super::key::Key;
use super::{Format, Input, InputFile, name_from, schema};
use crate::blueprint::{CarrierPolicy, Metrics, NoMetrics};
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::kind::Catalogue;
use crate::mac::MacAddress;
use crate::resolve::unknown_kind;
use crate::span::{Sources, Span, Spanned};
use crate::spec::{
    AddressingSpec, CheckSpec, ImagesSpec, LabSpec, LinkSpec, ManagementMode, ManagementSpec,
    NodeSpec, SegmentSpec, StartupConfigSpec, Transport, WireSpec,
};
use crate::yaml::scalar::Schema;
use crate::yaml::{self, Entry, Node, Value};
use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The native format.
pub const FORMAT: Format = Format {
    name: "native",
    reads: |input| input.files.len() == 1,
    read,
};

/// Most bytes that inline configurations may come to when defaults and aliases repeat them for
/// every node.
const INLINE_LIMIT: usize = 64 * 1024 * 1024;

/// The JSON schema of a lab file, for editors.
pub fn json_schema() -> serde_json::Value {
    schema::json_schema(&key::LAB, "vnflab lab file")
}

/// The keys of a lab file as Markdown, one section a mapping.
pub fn reference() -> String {
    schema::markdown(&key::LAB)
}

fn read(sources: &Sources, input: &Input, catalogue: &Catalogue) -> (Option<LabSpec>, Diagnostics) {
    let Some(file) = input.files.first() else {
        return (None, Diagnostics::default());
    };
    let source = sources.source(file.source);
    let (root, found) = yaml::load(file.source, &source.path, &source.text);
    let Some(root) = root else {
        return (None, found);
    };
    let mut reader = Reader {
        catalogue,
        found,
        inline_bytes: 0,
    };
    let spec = reader.lab(&root, input, file);
    (spec, reader.found)
}

struct Reader<'a> {
    catalogue: &'a Catalogue,
    found: Diagnostics,
    inline_bytes: usize,
}

/// What one place says about a node: the node itself, its kind's entry, or the defaults.
#[derive(Clone, Default)]
struct Settings {
    kind: Option<Spanned<String>>,
    image: Option<Spanned<ImagesSpec>>,
    cpus: Option<Spanned<u32>>,
    cpu_limit_percent: Option<Spanned<u32>>,
    memory_mib: Option<Spanned<u64>>,
    interface_count: Option<Spanned<u32>>,
    startup_config: Option<Spanned<StartupConfigSpec>>,
    management_config: Option<Spanned<bool>>,
    cdrom: Option<Spanned<String>>,
    management_bridge: Option<Spanned<String>>,
    hostname: Option<Spanned<String>>,
    console_port: Option<Spanned<u16>>,
    mac: Option<Spanned<MacAddress>>,
    management_ipv4: Option<Spanned<Ipv4Addr>>,
    management_ipv6: Option<Spanned<Ipv6Addr>>,
}

/// The first of several places that says something.
macro_rules! first {
    ($field:ident, $own:expr, $of_kind:expr, $defaults:expr) => {
        $own.$field
            .or_else(|| $of_kind.and_then(|settings| settings.$field.clone()))
            .or_else(|| $defaults.$field.clone())
    };
}

impl Reader<'_> {
    fn lab(&mut self, root: &Node, input: &Input, file: &InputFile) -> Option<LabSpec> {
        if root.is_null() {
            self.found.push(
                Diagnostic::error(code::MISSING_KEY, "the file is empty")
                    .at(Span::start_of(file.source), "`nodes` is required here")
                    .help("a lab has at least `nodes: {r1: {kind: frr}}`"),
            );
            return None;
        }
        let place = match &root.value {
            Value::Mapping(entries) => entries.first().map_or(root.span, |entry| entry.key_span),
            Value::Scalar(_) | Value::Sequence(_) => root.span,
        };
        let top = Fields::read(root, place, &key::LAB, Schema::Core, &mut self.found)?;
        let nested = top.table(&key::TOPOLOGY, &mut self.found);
        let topology = |name: &'static Key, found: &mut Diagnostics| {
            let inner = nested.as_ref().filter(|inner| inner.entry(name).is_some());
            if let (Some(first), Some(second)) =
                (top.entry(name), inner.and_then(|inner| inner.entry(name)))
            {
                found.push(given_twice(name, first, second));
            }
            inner.unwrap_or(&top).node(name)
        };

        let defaults = topology(&key::DEFAULTS, &mut self.found);
        let defaults = match defaults {
            Some(node) => {
                Fields::read(node, node.span, &key::SHARED, Schema::Core, &mut self.found)
                    .map(|fields| self.settings(&fields))
                    .unwrap_or_default()
            }
            None => Settings::default(),
        };
        let kinds = topology(&key::KINDS, &mut self.found);
        let kinds = self.kinds(kinds);
        let nodes = topology(&key::NODES, &mut self.found);
        let nodes = match nodes {
            Some(node) => self.nodes(node, &defaults, &kinds),
            None => {
                self.found.push(top.missing(&key::NODES));
                Vec::new()
            }
        };
        let links = topology(&key::LINKS, &mut self.found);
        let links = self.links(links);
        let segments = self.segments(&top);
        let checks = self.checks(&top);

        let name = top.text(&key::NAME, &mut self.found);
        Some(LabSpec {
            name: name.unwrap_or_else(|| Spanned::new(default_name(input, file), place)),
            nodes,
            links,
            segments,
            checks,
            profiles: asked::named(&top, &key::PROFILES, &mut self.found),
            seed: top.large_integer(&key::SEED, &mut self.found),
            wire: self.wire(&top),
            transport: transport(&top, &key::TRANSPORT, &mut self.found)
                .map_or(Transport::Wire, |transport| transport.value),
            management: self.management(&top),
            addressing: self.addressing(&top),
            console_address: top
                .table(&key::CONSOLE_OF_LAB, &mut self.found)
                .and_then(|fields| fields.address(&key::CONSOLE_ADDRESS, &mut self.found)),
            variables: variables::read(&top, &key::VARIABLES, &mut self.found),
            batch: top
                .table(&key::START, &mut self.found)
                .and_then(|fields| fields.integer(&key::BATCH, &mut self.found)),
        })
    }

    /// What `kinds` says, by the kinds' own names.
    fn kinds(&mut self, node: Option<&Node>) -> HashMap<String, Settings> {
        let mut kinds = HashMap::new();
        let mut places: HashMap<String, Span> = HashMap::new();
        for entry in self.mapping(node, &key::KINDS) {
            let word = &*entry.key.text;
            let Some(kind) = self.catalogue.find(word) else {
                self.found
                    .push(unknown_kind(self.catalogue, word, entry.key_span));
                continue;
            };
            if let Some(first) = places.insert(kind.name.clone(), entry.key_span) {
                let message = format!("the kind `{}` is given twice", kind.name);
                self.found.push(
                    Diagnostic::error(code::DUPLICATE_KEY, message)
                        .at(entry.key_span, "given again here")
                        .and_at(first, "first given here")
                        .help("remove one of the two"),
                );
                continue;
            }
            let fields = Fields::read(
                &entry.value,
                entry.key_span,
                &key::OF_KIND,
                Schema::Core,
                &mut self.found,
            );
            if let Some(fields) = fields {
                kinds.insert(kind.name.clone(), self.settings(&fields));
            }
        }
        kinds
    }

    /// The entries of a mapping of names; an error where it is something else.
    fn mapping<'n>(&mut self, node: Option<&'n Node>, key: &'static Key) -> &'n [Entry] {
        match node.map(|node| (node, &node.value)) {
            None => &[],
            Some((_, Value::Mapping(entries))) => entries,
            Some((node, _)) => {
                let expected = format!("`{}` takes {}", key.name, key.form.expected());
                self.found.push(
                    wrong_type(node, &expected)
                        .help(format!("for example `{}: {}`", key.name, key.example)),
                );
                &[]
            }
        }
    }

    fn nodes(
        &mut self,
        node: &Node,
        defaults: &Settings,
        kinds: &HashMap<String, Settings>,
    ) -> Vec<NodeSpec> {
        let entries = self.mapping(Some(node), &key::NODES);
        if entries.is_empty() && matches!(node.value, Value::Mapping(_)) {
            self.found.push(
                Diagnostic::error(code::MISSING_KEY, "a lab without nodes")
                    .at(node.span, "no node is given here")
                    .help("add one, such as `r1: {kind: frr}`"),
            );
        }
        let mut nodes = Vec::with_capacity(entries.len());
        for entry in entries {
            let fields = Fields::read(
                &entry.value,
                entry.key_span,
                &key::NODE,
                Schema::Core,
                &mut self.found,
            );
            let Some(fields) = fields else {
                continue;
            };
            let own = self.settings(&fields);
            let kind = own.kind.clone().or_else(|| defaults.kind.clone());
            // A node without a kind is kept, so that links to it do not become mistakes too.
            let kind = kind.unwrap_or_else(|| {
                if fields.entry(&key::KIND).is_none() {
                    let name = shown(&entry.key.text);
                    self.found.push(
                        Diagnostic::error(
                            code::MISSING_KEY,
                            format!("the node `{name}` has no kind"),
                        )
                        .at(entry.key_span, "`kind` is required here, or in `defaults`")
                        .help("add `kind: frr`; `vnflab kinds` lists the others"),
                    );
                }
                Spanned::new(String::new(), entry.key_span)
            });
            let of_kind = self
                .catalogue
                .find(&kind)
                .and_then(|kind| kinds.get(&kind.name));
            let node = NodeSpec {
                name: Spanned::new(entry.key.text.to_string(), entry.key_span),
                image: first!(image, own, of_kind, defaults),
                cpus: first!(cpus, own, of_kind, defaults),
                cpu_limit_percent: first!(cpu_limit_percent, own, of_kind, defaults),
                memory_mib: first!(memory_mib, own, of_kind, defaults),
                interface_count: first!(interface_count, own, of_kind, defaults),
                startup_config: first!(startup_config, own, of_kind, defaults),
                management_config: first!(management_config, own, of_kind, defaults),
                cdrom: first!(cdrom, own, of_kind, defaults),
                management_bridge: first!(management_bridge, own, of_kind, defaults),
                kind,
                mac: own.mac,
                management_ipv4: own.management_ipv4,
                management_ipv6: own.management_ipv6,
                console_port: own.console_port,
                config_medium: None,
                hostname: own.hostname,
                after: after::read(&fields, &mut self.found),
                variables: variables::read(&fields, &key::VARIABLES, &mut self.found),
                tunnels: Vec::new(),
            };
            if let Some(config) = &node.startup_config
                && let StartupConfigSpec::Inline(text) = &config.value
            {
                self.inline_bytes += text.len();
                if self.inline_bytes > INLINE_LIMIT {
                    self.found.push(
                        Diagnostic::error(
                            code::FILE_LIMIT,
                            "inline configurations come to more than 64 MiB",
                        )
                        .at(config.span, "the limit is reached with this one")
                        .help("put the text into a file and name the file instead"),
                    );
                    return nodes;
                }
            }
            nodes.push(node);
        }
        nodes
    }

    fn settings(&mut self, fields: &Fields<'_>) -> Settings {
        let found = &mut self.found;
        let mut settings = Settings::default();
        if fields.has(&key::KIND) {
            settings.kind = fields.text(&key::KIND, found);
        }
        settings.image = fields.images(&key::IMAGE, found);
        settings.cpus = fields.integer(&key::CPU, found);
        settings.cpu_limit_percent = fields.integer(&key::CPU_LIMIT, found);
        settings.memory_mib = fields.memory(&key::MEMORY, found);
        settings.interface_count = fields.integer(&key::INTERFACES, found);
        settings.startup_config = startup_config(fields, found);
        settings.management_config = fields.boolean(&key::MANAGEMENT_CONFIG, found);
        settings.cdrom = fields.text(&key::CDROM, found);
        settings.management_bridge = fields.text(&key::MGMT_BRIDGE, found);
        if fields.has(&key::HOSTNAME) {
            settings.hostname = fields.text(&key::HOSTNAME, found);
            settings.console_port = fields.port(&key::CONSOLE, found);
            settings.mac = fields.mac(&key::MAC, found);
            settings.management_ipv4 = fields.ipv4(&key::MGMT_IPV4, found);
            settings.management_ipv6 = fields.ipv6(&key::MGMT_IPV6, found);
        }
        settings
    }

    fn links(&mut self, node: Option<&Node>) -> Vec<LinkSpec> {
        let entries: &[Node] = match node.map(|node| (node, &node.value)) {
            None => &[],
            Some((_, Value::Sequence(nodes))) => nodes,
            Some((node, _)) => {
                let expected = format!("`links` takes {}", key::LINKS.form.expected());
                self.found.push(
                    wrong_type(node, &expected).help("write each link as `- r1:eth1 -- r2:eth1`"),
                );
                &[]
            }
        };
        entries
            .iter()
            .filter_map(|entry| link::read(entry, &mut self.found))
            .collect()
    }

    fn segments(&mut self, top: &Fields<'_>) -> Vec<SegmentSpec> {
        let entries = self.mapping(top.node(&key::SEGMENTS), &key::SEGMENTS);
        entries
            .iter()
            .filter_map(|entry| segment::read(entry, &mut self.found))
            .collect()
    }

    fn checks(&mut self, top: &Fields<'_>) -> Vec<CheckSpec> {
        let entries = self.mapping(top.node(&key::CHECKS), &key::CHECKS);
        entries
            .iter()
            .filter_map(|entry| lab_check::read(entry, &mut self.found))
            .collect()
    }

    fn wire(&mut self, top: &Fields<'_>) -> WireSpec {
        let found = &mut self.found;
        let Some(fields) = top.table(&key::WIRE, found) else {
            return WireSpec::default();
        };
        WireSpec {
            metrics: metrics(&fields, found),
            carrier: fields
                .word(&key::CARRIER, found)
                .map(|word| CarrierPolicy::ALL[word.value]),
        }
    }

    fn management(&mut self, top: &Fields<'_>) -> ManagementSpec {
        let found = &mut self.found;
        let Some(fields) = top.table(&key::MGMT, found) else {
            return ManagementSpec::default();
        };
        ManagementSpec {
            mode: fields
                .word(&key::MODE, found)
                .map(|word| word.map(|position| ManagementMode::ALL[position])),
            bridge: fields.text(&key::BRIDGE, found),
            ipv4_subnet: fields.ipv4_net(&key::IPV4_SUBNET, found),
            ipv6_subnet: fields.ipv6_net(&key::IPV6_SUBNET, found),
            networks: Vec::new(),
        }
    }

    fn addressing(&mut self, top: &Fields<'_>) -> AddressingSpec {
        let found = &mut self.found;
        let Some(fields) = top.table(&key::ADDRESSING, found) else {
            return AddressingSpec::default();
        };
        AddressingSpec {
            loopbacks: fields.ipv4_net(&key::LOOPBACKS, found),
            links: fields.ipv4_net(&key::LINK_POOL, found),
        }
    }
}

fn transport(
    fields: &Fields<'_>,
    key: &'static Key,
    found: &mut Diagnostics,
) -> Option<Spanned<Transport>> {
    let word = fields.word(key, found)?;
    Some(word.map(|position| Transport::ALL[position]))
}

/// Where the counters can be read. A lab file opens nothing beyond this host.
fn metrics(fields: &Fields<'_>, found: &mut Diagnostics) -> Option<Metrics> {
    let text = fields.text(&key::METRICS, found)?;
    match text.parse() {
        Ok(metrics) => Some(metrics),
        Err(error @ NoMetrics) => {
            found.push(
                Diagnostic::error(
                    code::INVALID_ADDRESS,
                    format!("the counters cannot be had at `{}`", shown(&text)),
                )
                .at(text.span, error.to_string())
                .help("write `127.0.0.1:9100`, or `/run/user/1000/lab.metrics`"),
            );
            None
        }
    }
}

/// A configuration is inline if it has more than one line, else it is a path.
fn startup_config(
    fields: &Fields<'_>,
    found: &mut Diagnostics,
) -> Option<Spanned<StartupConfigSpec>> {
    let node = fields.node(&key::STARTUP_CONFIG)?;
    match &node.value {
        Value::Scalar(scalar) if scalar.text.contains('\n') => Some(Spanned::new(
            StartupConfigSpec::Inline(scalar.text.to_string()),
            node.span,
        )),
        Value::Scalar(_) => fields
            .text(&key::STARTUP_CONFIG, found)
            .map(|path| path.map(StartupConfigSpec::File)),
        Value::Mapping(_) => {
            let inner = Fields::read(node, node.span, &key::CONFIG, Schema::Core, found)?;
            let text = inner.node(&key::TEXT).and_then(|node| {
                let scalar = node.scalar();
                if scalar.is_none() {
                    found.push(wrong_type(node, "`text` takes a text"));
                }
                scalar.map(|scalar| {
                    let text = StartupConfigSpec::Inline(scalar.text.to_string());
                    Spanned::new(text, node.span)
                })
            });
            let file = inner
                .text(&key::FILE, found)
                .map(|path| path.map(StartupConfigSpec::File));
            match (file, text) {
                (Some(file), Some(text)) => {
                    found.push(
                        Diagnostic::error(
                            code::WRONG_TYPE,
                            "a startup-config is a file or a text, not both",
                        )
                        .at(text.span, "a text")
                        .and_at(file.span, "and a file")
                        .help("remove one of the two"),
                    );
                    None
                }
                (None, None) => {
                    found.push(wrong_type(
                        node,
                        "`startup-config` takes `file: PATH` or `text: TEXT`",
                    ));
                    None
                }
                (file, text) => file.or(text),
            }
        }
        Value::Sequence(_) => {
            let expected = key::STARTUP_CONFIG.form.expected();
            found.push(wrong_type(
                node,
                &format!("`startup-config` takes {expected}"),
            ));
            None
        }
    }
}

fn given_twice(key: &Key, first: &Entry, second: &Entry) -> Diagnostic {
    let message = format!("`{}` is given both at the top and in `topology`", key.name);
    Diagnostic::error(code::DUPLICATE_KEY, message)
        .at(second.key_span, "given again here")
        .and_at(first.key_span, "first given here")
        .help("write all of it in one place")
}

/// `ring.lab.yaml` is the lab `ring`; `ring/lab.yaml` too.
fn default_name(input: &Input, file: &InputFile) -> String {
    match file.stem() {
        "lab" => name_from(&input.folder_name),
        stem => name_from(stem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::key::Table;

    /// Each table, and a lab with one of its mappings at `@`.
    fn places() -> Vec<(&'static Table, &'static str)> {
        vec![
            (&key::LAB, "@\n"),
            (&key::TOPOLOGY_TABLE, "topology: {@}\n"),
            (&key::SHARED, "defaults: {@}\n"),
            (&key::OF_KIND, "kinds: {frr: {@}}\n"),
            (&key::NODE, "nodes: {r3: {@}}\n"),
            (
                &key::CONFIG,
                "nodes: {r3: {kind: frr, startup-config: {@}}}\n",
            ),
            (&key::LINK, "links: [{@}]\n"),
            (&key::ENDPOINT, "links: [{endpoints: [{@}, \"r2:eth1\"]}]\n"),
            (&key::SEGMENT, "segments: {lan: {@}}\n"),
            (setting_keys::impairment(), "profiles: {mine: {@}}\n"),
            (
                setting_keys::rule(),
                "links: [{endpoints: [\"r1:eth1\", \"r2:eth1\"], rules: [{@}]}]\n",
            ),
            (
                &key::MARKOV_TABLE,
                "links: [{endpoints: [\"r1:eth1\", \"r2:eth1\"], markov: {@}}]\n",
            ),
            (&key::WIRE_TABLE, "wire: {@}\n"),
            (&key::MANAGEMENT, "mgmt: {@}\n"),
            (&key::POOLS, "addressing: {@}\n"),
            (&key::CONSOLES, "console: {@}\n"),
            (&check_keys::CHECK, "checks: {x: {@}}\n"),
            (&check_keys::STEP, "checks: {x: {steps: [{@}]}}\n"),
            (&check_keys::PING_TABLE, "checks: {x: {ping: {@}}}\n"),
            (
                &check_keys::TRACEROUTE_TABLE,
                "checks: {x: {traceroute: {@}}}\n",
            ),
            (&check_keys::CONNECT_TABLE, "checks: {x: {connect: {@}}}\n"),
            (&check_keys::COMMAND_TABLE, "checks: {x: {command: {@}}}\n"),
            (
                &check_keys::NEIGHBORS_TABLE,
                "checks: {x: {neighbors: {@}}}\n",
            ),
            (&check_keys::LINK_TABLE, "checks: {x: {link: {@}}}\n"),
            (&check_keys::FRAMES_TABLE, "checks: {x: {frames: {@}}}\n"),
            (&check_keys::RATE_TABLE, "checks: {x: {rate: {@}}}\n"),
            (
                setting_keys::impair(),
                "checks: {x: {steps: [{impair: {@}}]}}\n",
            ),
            (&key::START_TABLE, "start: {@}\n"),
        ]
    }

    fn mistakes(text: &str) -> Diagnostics {
        let mut sources = Sources::default();
        let source = sources.add("lab.yaml", text);
        let input = Input::of_file(source, "lab.yaml", "lab");
        read(&sources, &input, &Catalogue::embedded()).1
    }

    /// The mistakes that concern the value of the key at `@`.
    fn mistakes_of(template: &str, key: &Key, value: &str) -> usize {
        let before = template.find('@').unwrap() + key.name.len() + 2;
        let text = template.replace('@', &format!("{}: {value}", key.name));
        let range = before..before + value.len();
        mistakes(&text)
            .iter()
            .filter_map(|one| one.primary.as_ref())
            .filter(|label| range.contains(&(label.span.start as usize)))
            .count()
    }

    #[test]
    fn every_key_takes_its_example_and_is_looked_at() {
        for (table, template) in places() {
            for key in table.keys {
                assert_eq!(
                    mistakes_of(template, key, key.example),
                    0,
                    "{}: {}",
                    table.title,
                    key.name
                );
                let wrong = match key.form {
                    crate::format::key::Form::Links(_) => "{x: [y]}",
                    _ => "[[x]]",
                };
                assert_ne!(
                    mistakes_of(template, key, wrong),
                    0,
                    "{}: {}",
                    table.title,
                    key.name
                );
            }
        }
    }

    #[test]
    fn every_table_is_tried() {
        let schema = json_schema();
        let tables = schema["$defs"].as_object().unwrap().len() + 1;
        assert_eq!(tables, places().len());
    }
}
