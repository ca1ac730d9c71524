//! From a lab as written to a lab that makes sense.
//!
//! Every word is looked up here and everything is counted; after this a wrong lab cannot be
//! expressed. What depends on the host, and what two correct parts do to each other, is left to
//! [`crate::check`]. A lab comes out only if there is no error, since nothing behind it could
//! trust it otherwise; what is left of one with errors comes out beside it, to be checked too, so
//! that all mistakes are told at once. [`read`] does it all, from texts to a lab.

mod after;
mod asked;
mod images;
mod lab_check;
mod link;
mod management;
mod outside;
mod stand_in;

use self::images::Images;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::format::{self, Input, shown};
use crate::kind::{Catalogue, Kind};
use crate::lab::{FixedTunnel, Interface, Lab, Node, StartupConfig};
use crate::name::Name;
use crate::span::{Sources, Span, Spanned};
use crate::spec::{AddressingSpec, LabSpec, NodeSpec, StartupConfigSpec};
use ipnet::Ipv4Net;
use std::collections::HashMap;
use std::sync::Arc;

pub use stand_in::stand_in;

/// Most nodes of one lab: their loopback addresses come from a /16 by default.
const NODE_LIMIT: usize = 65_000;

/// A lab, or what its mistakes have left of it.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The lab, if there is no error.
    pub lab: Option<Lab>,
    /// What is left of a lab with errors: to be checked, and for nothing else.
    pub remains: Option<Lab>,
    /// What is wrong, or could be.
    pub found: Diagnostics,
}

/// Makes a lab of what was written, or says all that prevents it.
fn resolve(spec: &LabSpec, catalogue: &Catalogue) -> (Option<Lab>, Diagnostics) {
    let mut found = Diagnostics::default();
    let name = valid_name(&spec.name, "lab", &mut found);
    if spec.nodes.len() > NODE_LIMIT {
        let extra = &spec.nodes[NODE_LIMIT];
        found.push(
            Diagnostic::error(code::FILE_LIMIT, format!("more than {NODE_LIMIT} nodes"))
                .at(extra.name.span, "the limit is reached here")
                .help("split the lab"),
        );
        return (None, found);
    }
    let by_name = names(&spec.nodes, &mut found);
    let kinds: Vec<Option<&Arc<Kind>>> = spec
        .nodes
        .iter()
        .map(|node| kind_of(node, catalogue, &mut found))
        .collect();
    outside::check_names(&spec.nodes, &mut found);
    for segment in &spec.segments {
        valid_name(&segment.name, "segment", &mut found);
    }
    let mut after = after::resolve(&spec.nodes, &by_name, &mut found).into_iter();
    let links = link::resolve(spec, &by_name, &kinds, &mut found);
    let resolved: Vec<Option<Node>> = spec
        .nodes
        .iter()
        .zip(&kinds)
        .zip(&links.highest)
        .map(|((node, kind), highest)| {
            let after = after.next().unwrap_or_default();
            let node = resolve_node(node, (*kind)?, *highest, &mut found)?;
            Some(Node { after, ..node })
        })
        .collect();
    let pools = pools(
        &spec.addressing,
        spec.nodes.len(),
        spec.links.len(),
        &mut found,
    );
    let (loopback_pool, link_pool) = pools.unwrap_or_else(default_pools);
    let name = name.unwrap_or_else(|| Name::new("lab").expect("three letters"));
    let management = management::management(spec, &mut found);
    let (profiles, profile_files) = asked::profiles(spec, &mut found);
    let mut lab = Lab {
        is_whole: true,
        name,
        name_span: spec.name.span,
        nodes: Vec::with_capacity(spec.nodes.len()),
        links: Vec::with_capacity(spec.links.len()),
        segments: Vec::with_capacity(spec.segments.len()),
        transport: spec.transport,
        seed: spec.seed.as_ref().map(|seed| seed.value),
        wire: spec.wire.clone(),
        checks: Vec::new(),
        profile_files,
        management,
        loopback_pool,
        link_pool,
        console_address: spec.console_address.as_ref().map(|address| address.value),
        console_span: spec.console_address.as_ref().map(|address| address.span),
        batch: spec.batch.as_ref().map(|batch| batch.value),
        variables: spec.variables.clone(),
    };
    links.apply(spec, resolved, &profiles, &mut lab, &mut found);
    let (checks, nodes) = (&spec.checks, &spec.nodes);
    lab.checks = lab_check::resolve(checks, nodes, &by_name, &lab, &profiles, &mut found);
    (Some(lab), found)
}

/// Reads and resolves: a lab without any error, or what is left of it and all that is wrong,
/// sorted by place.
pub fn read(sources: &Sources, input: &Input, catalogue: &Catalogue) -> Resolved {
    let (spec, mut found) = format::read(sources, input, catalogue);
    let lab = spec.and_then(|spec| {
        let (lab, mistakes) = resolve(&spec, catalogue);
        found.extend(mistakes);
        lab
    });
    found.sort();
    let (lab, remains) = match (lab, found.has_errors()) {
        (Some(lab), true) => (
            None,
            Some(Lab {
                is_whole: false,
                ..lab
            }),
        ),
        (lab, _) => (lab, None),
    };
    Resolved {
        lab,
        remains,
        found,
    }
}

/// The error for a kind that no catalogue entry answers to.
pub(crate) fn unknown_kind(catalogue: &Catalogue, word: &str, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        code::UNKNOWN_KIND,
        format!("unknown kind `{}`", shown(word)),
    )
    .at(span, "not known");
    match nearest(word, catalogue.names()) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
        None => diagnostic.help("`vnflab kinds` lists the kinds that are known"),
    }
}

fn valid_name(name: &Spanned<String>, of: &str, found: &mut Diagnostics) -> Option<Name> {
    match Name::new(name.value.clone()) {
        Ok(name) => Some(name),
        Err(error) => {
            found.push(
                Diagnostic::error(
                    code::INVALID_NAME,
                    format!("`{}` cannot be the name of a {of}", shown(&name.value)),
                )
                .at(name.span, error.to_string())
                .help("it becomes a host name and a file name: use letters, digits and inner hyphens, at most 63"),
            );
            None
        }
    }
}

/// The positions of the nodes by name; names that differ in case only are one.
fn names(nodes: &[NodeSpec], found: &mut Diagnostics) -> HashMap<String, usize> {
    let mut by_name: HashMap<String, usize> = HashMap::with_capacity(nodes.len());
    for (position, node) in nodes.iter().enumerate() {
        valid_name(&node.name, "node", found);
        let lower = node.name.to_lowercase();
        match by_name.get(&lower) {
            Some(first) => {
                let first = &nodes[*first].name;
                found.push(
                    Diagnostic::error(
                        code::DUPLICATE_NODE,
                        format!("two nodes are named `{}`", shown(&node.name.value)),
                    )
                    .at(node.name.span, "named again here")
                    .and_at(
                        first.span,
                        format!("`{}` is first named here", shown(&first.value)),
                    )
                    .help("rename one of the two; upper and lower case do not tell names apart"),
                );
            }
            None => {
                by_name.insert(lower, position);
            }
        }
    }
    by_name
}

/// The kind of a node. An empty word means that its absence was reported already.
fn kind_of<'c>(
    node: &NodeSpec,
    catalogue: &'c Catalogue,
    found: &mut Diagnostics,
) -> Option<&'c Arc<Kind>> {
    let kind = catalogue.find(&node.kind);
    if kind.is_none() && !node.kind.is_empty() {
        found.push(unknown_kind(catalogue, &node.kind, node.kind.span));
    }
    kind
}

/// One node without what links give to its interfaces. `highest` is the highest index that a
/// link uses, with the place.
fn resolve_node(
    spec: &NodeSpec,
    kind: &Arc<Kind>,
    highest: Option<(u32, Span)>,
    found: &mut Diagnostics,
) -> Option<Node> {
    let hardware = &kind.hardware;
    let count = interface_count(spec, kind, highest, found)?;
    let cpus = least(
        spec.cpus.as_ref(),
        "cpu",
        u64::from(hardware.minimum_cpus),
        "",
        kind,
        found,
    );
    let memory = least(
        spec.memory_mib.as_ref(),
        "memory",
        hardware.minimum_memory_mib,
        " MiB",
        kind,
        found,
    );
    cpus.and(memory)?;
    let hostname = spec.hostname.as_ref().unwrap_or(&spec.name);
    if spec.hostname.is_some() && !is_host_name(hostname) {
        found.push(
            Diagnostic::error(
                code::INVALID_NAME,
                format!("`{}` cannot be a host name", shown(&hostname.value)),
            )
            .at(hostname.span, "not a host name")
            .help("use letters, digits, inner hyphens, and dots between labels of at most 63"),
        );
    }
    let Images {
        image,
        image_span,
        parts,
    } = images::resolve(spec, kind, found)?;
    Some(Node {
        name: Name::new(spec.name.value.clone()).ok()?,
        span: spec.name.span,
        guest: Arc::clone(kind),
        image,
        image_span,
        parts,
        cpus: spec.cpus.as_ref().map_or(hardware.cpus, |cpus| cpus.value),
        cpus_span: spec.cpus.as_ref().map(|cpus| cpus.span),
        cpu_limit_percent: spec
            .cpu_limit_percent
            .as_ref()
            .map_or(hardware.cpu_limit_percent, |limit| Some(limit.value)),
        cpu_limit_span: spec.cpu_limit_percent.as_ref().map(|limit| limit.span),
        memory_mib: spec
            .memory_mib
            .as_ref()
            .map_or(hardware.memory_mib, |memory| memory.value),
        hostname: hostname.value.clone(),
        interfaces: interfaces(spec, kind, count),
        management_mac: spec.mac.as_ref().map(|mac| mac.value),
        management_mac_span: spec.mac.as_ref().map(|mac| mac.span),
        management_ipv4: spec.management_ipv4.as_ref().map(|address| address.value),
        management_ipv4_span: spec.management_ipv4.as_ref().map(|address| address.span),
        management_ipv6: spec.management_ipv6.as_ref().map(|address| address.value),
        management_ipv6_span: spec.management_ipv6.as_ref().map(|address| address.span),
        management_bridge: spec
            .management_bridge
            .as_ref()
            .map(|bridge| bridge.value.clone()),
        console_port: spec
            .console_port
            .as_ref()
            .map(|port| (port.value, port.span)),
        startup_config: spec
            .startup_config
            .as_ref()
            .map(|config| match &config.value {
                StartupConfigSpec::Inline(text) => StartupConfig::Inline(text.clone()),
                StartupConfigSpec::File(path) => StartupConfig::File(path.clone(), config.span),
            }),
        startup_config_span: spec.startup_config.as_ref().map(|config| config.span),
        management_config: spec
            .management_config
            .as_ref()
            .is_none_or(|wanted| wanted.value),
        config_medium: spec
            .config_medium
            .as_ref()
            .map(|file| (file.value.clone(), file.span)),
        cdrom: spec
            .cdrom
            .as_ref()
            .map(|file| (file.value.clone(), file.span)),
        after: Vec::new(),
        variables: spec.variables.clone(),
        kind: Arc::clone(kind),
    })
}

/// How many data interfaces a node has; an error where its kind cannot have them.
fn interface_count(
    spec: &NodeSpec,
    kind: &Kind,
    highest: Option<(u32, Span)>,
    found: &mut Diagnostics,
) -> Option<u32> {
    let interfaces = &kind.interfaces;
    let Some(wanted) = &spec.interface_count else {
        let used = highest.map_or(0, |(index, _)| index);
        return Some(
            used.max(interfaces.default_count)
                .max(interfaces.minimum_count),
        );
    };
    let count = wanted.value;
    if count > interfaces.limit {
        found.push(
            Diagnostic::error(
                code::INTERFACE_LIMIT,
                format!(
                    "`{}` has {count} interfaces, past the limit of its kind",
                    shown(&spec.name.value)
                ),
            )
            .at(wanted.span, "too many")
            .help(format!(
                "the kind `{}` has at most {} data interfaces",
                kind.name, interfaces.limit
            )),
        );
        return None;
    }
    // A tunnel with fixed ports is an interface; what lies below the minimum is filled up with
    // interfaces that are not connected.
    if count < interfaces.minimum_count && spec.tunnels.is_empty() {
        found.push(
            Diagnostic::error(
                code::VALUE_RANGE,
                format!("`interfaces: {count}` is too few"),
            )
            .at(wanted.span, "out of range")
            .help(format!(
                "the kind `{}` boots with {} data interfaces or more",
                kind.name, interfaces.minimum_count
            )),
        );
        return None;
    }
    if let Some((index, place)) = highest.filter(|(index, _)| *index > count) {
        let name = interfaces.name(index);
        found.push(
            Diagnostic::error(
                code::INTERFACE_LIMIT,
                format!(
                    "`{}` has {count} interfaces, yet a link uses `{name}`",
                    shown(&spec.name.value)
                ),
            )
            .at(place, format!("this is data interface {index}"))
            .and_at(wanted.span, "the count is given here")
            .help(format!(
                "write `interfaces: {index}` or more, or leave it out"
            )),
        );
        return None;
    }
    Some(count.max(interfaces.minimum_count))
}

/// Refuses what is less than the kind boots with.
fn least<T: Copy + Into<u64>>(
    given: Option<&Spanned<T>>,
    key: &str,
    minimum: u64,
    unit: &str,
    kind: &Kind,
    found: &mut Diagnostics,
) -> Option<()> {
    match given.filter(|given| given.value.into() < minimum) {
        None => Some(()),
        Some(given) => {
            let value: u64 = given.value.into();
            found.push(
                Diagnostic::error(
                    code::VALUE_RANGE,
                    format!("`{key}: {value}` is too little for its kind"),
                )
                .at(given.span, "out of range")
                .help(format!(
                    "the kind `{}` boots with {minimum}{unit} or more",
                    kind.name
                )),
            );
            None
        }
    }
}

fn interfaces(spec: &NodeSpec, kind: &Kind, count: u32) -> Vec<Interface> {
    let tunnels = spec.tunnels.iter().map(Some).chain(std::iter::repeat(None));
    (1..=count)
        .zip(tunnels)
        .map(|(index, tunnel)| Interface {
            index,
            name: kind.interfaces.name(index),
            mac: None,
            mac_span: None,
            addresses: Vec::new(),
            address_spans: Vec::new(),
            mtu: None,
            tunnel: tunnel.map(|tunnel| FixedTunnel {
                remote_port: tunnel.remote_port.value,
                local_port: tunnel.local_port.value,
                connected: false,
                span: tunnel.local_port.span,
            }),
        })
        .collect()
}

/// Whether a text is a host name, possibly with a domain (RFC 1123).
fn is_host_name(text: &str) -> bool {
    const LONGEST: usize = 253;
    text.len() <= LONGEST && text.split('.').all(|label| Name::new(label).is_ok())
}

fn default_pools() -> (Ipv4Net, Ipv4Net) {
    let parse = |pool: &str| pool.parse().expect("a test reads the default pools");
    (parse(Lab::LOOPBACK_POOL), parse(Lab::LINK_POOL))
}

/// The pools of loopbacks and links, large enough for the lab.
fn pools(
    spec: &AddressingSpec,
    nodes: usize,
    links: usize,
    found: &mut Diagnostics,
) -> Option<(Ipv4Net, Ipv4Net)> {
    let (default_loopbacks, default_links) = default_pools();
    let loopbacks = spec
        .loopbacks
        .as_ref()
        .map_or(default_loopbacks, |pool| pool.value);
    let link_pool = spec.links.as_ref().map_or(default_links, |pool| pool.value);
    let mut fits = true;
    // The network's own address stays free; a link takes two.
    let wanted = [
        (&spec.loopbacks, loopbacks, nodes as u64 + 1, "nodes"),
        (&spec.links, link_pool, links as u64 * 2, "links"),
    ];
    for (given, pool, addresses, what) in wanted {
        let size = 1_u64 << (32 - pool.prefix_len());
        if addresses > size {
            let span = given.as_ref().map(|pool| pool.span);
            let mut diagnostic = Diagnostic::error(
                code::VALUE_RANGE,
                format!("the pool {pool} is too small for the lab's {what}"),
            )
            .help(format!(
                "addresses in the pool: {size}; needed: {addresses}"
            ));
            if let Some(span) = span {
                diagnostic = diagnostic.at(span, "too small");
            }
            found.push(diagnostic);
            fits = false;
        }
    }
    let overlap = loopbacks.contains(&link_pool) || link_pool.contains(&loopbacks);
    if let (true, Some(given)) = (overlap, spec.links.as_ref().or(spec.loopbacks.as_ref())) {
        found.push(
            Diagnostic::error(
                code::INVALID_ADDRESS,
                format!("the pools {loopbacks} of loopbacks and {link_pool} of links overlap"),
            )
            .at(given.span, "one address could be given twice")
            .help("use networks that have no address in common"),
        );
        fits = false;
    }
    fits.then_some((loopbacks, link_pool))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_pools_are_networks_apart() {
        let loopbacks: Ipv4Net = Lab::LOOPBACK_POOL.parse().unwrap();
        let links: Ipv4Net = Lab::LINK_POOL.parse().unwrap();
        assert!(!loopbacks.contains(&links) && !links.contains(&loopbacks));
        assert_eq!((loopbacks.trunc(), links.trunc()), (loopbacks, links));
    }

    #[test]
    fn host_names_may_have_a_domain() {
        assert!(is_host_name("r1.example.net"));
        assert!(!is_host_name("r1..net") && !is_host_name("r_1") && !is_host_name(""));
    }
}
