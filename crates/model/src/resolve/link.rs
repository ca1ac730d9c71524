//! The ends of links and the members of segments: from names to positions.

use super::{asked, outside};
use crate::blueprint::{JunctionKind, link_name};
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::format::shown;
use crate::kind::{InterfacePattern, Kind};
use crate::lab::{End, Lab, Link, Member, Node, Segment};
use crate::span::Span;
use crate::spec::{EndSpec, LabSpec};
use std::collections::HashMap;
use std::sync::Arc;
use vnflab_impairment::Profiles;

/// For how many unknown nodes and interfaces the nearest name is looked up: each look compares
/// with all that there are.
const SUGGESTION_LIMIT: usize = 100;

/// The links and segments of a lab, and what they ask of its nodes.
pub(super) struct Links {
    /// Each with its position in the spec.
    links: Vec<(usize, [Member; 2])>,
    /// The members each with their position among those that are written.
    segments: Vec<(usize, Vec<(usize, Member)>)>,
    /// The highest data interface that they use, by node, with the place.
    pub(super) highest: Vec<Option<(u32, Span)>>,
}

/// Resolves all links and segments; whatever is wrong with one is reported and the link, or the
/// member, left out.
pub(super) fn resolve(
    spec: &LabSpec,
    by_name: &HashMap<String, usize>,
    kinds: &[Option<&Arc<Kind>>],
    found: &mut Diagnostics,
) -> Links {
    let mut lookup = Lookup {
        spec,
        by_name,
        kinds,
        suggestions: SUGGESTION_LIMIT,
        indexes: HashMap::new(),
    };
    let mut used = Used {
        first: HashMap::with_capacity(spec.links.len() * 2),
        highest: vec![None; spec.nodes.len()],
    };
    let mut links = Vec::with_capacity(spec.links.len());
    for (position, link) in spec.links.iter().enumerate() {
        let ends = [0, 1].map(|side| lookup.member(&link.ends[side], found));
        if let [Some(left), Some(right)] = &ends
            && left == right
        {
            found.push(self_link(&link.ends));
            continue;
        }
        let mut free = true;
        for (end, written) in ends.iter().zip(&link.ends) {
            free &= end
                .as_ref()
                .is_none_or(|end| used.take(end, written, found));
        }
        if let ([Some(left), Some(right)], true) = (ends, free) {
            links.push((position, [left, right]));
        }
    }
    let mut segments = Vec::with_capacity(spec.segments.len());
    for (position, segment) in spec.segments.iter().enumerate() {
        let mut members = Vec::with_capacity(segment.members.len());
        for (at, written) in segment.members.iter().enumerate() {
            let member = lookup.member(written, found);
            let member = member.filter(|member| used.take(member, written, found));
            members.extend(member.map(|member| (at, member)));
        }
        segments.push((position, members));
    }
    Links {
        links,
        segments,
        highest: used.highest,
    }
}

/// What is used by links and segments.
struct Used {
    first: HashMap<Member, Span>,
    highest: Vec<Option<(u32, Span)>>,
}

impl Used {
    /// Whether a member is free until now; it is taken then, else that is reported.
    fn take(&mut self, member: &Member, written: &EndSpec, found: &mut Diagnostics) -> bool {
        let span = written.interface.span;
        if let Some(first) = self.first.get(member) {
            found.push(in_use(written, *first));
            return false;
        }
        self.first.insert(member.clone(), span);
        if let Member::Interface(end) = member {
            let index = end.interface as u32 + 1;
            let highest = &mut self.highest[end.node];
            if highest.is_none_or(|(known, _)| index > known) {
                *highest = Some((index, span));
            }
        }
        true
    }
}

fn self_link([first, second]: &[EndSpec; 2]) -> Diagnostic {
    Diagnostic::error(
        code::SELF_LINK,
        format!(
            "both ends of a link are `{}` of `{}`",
            shown(&first.interface.value),
            shown(&first.node.value)
        ),
    )
    .at(second.interface.span, "the same interface")
    .and_at(first.interface.span, "one end")
    .help("join two different interfaces")
}

fn in_use(end: &EndSpec, first: Span) -> Diagnostic {
    let (node, interface) = (shown(&end.node.value), shown(&end.interface.value));
    Diagnostic::error(
        code::INTERFACE_IN_USE,
        format!("`{interface}` of `{node}` is used twice"),
    )
    .at(end.interface.span, "used again here")
    .and_at(first, "first used here")
    .help("an interface is in one link or segment only; use another one")
}

impl Links {
    /// Hands what links and segments say about their ends over to the interfaces. Nodes that
    /// could not be resolved are left out, and so are the links to them.
    pub(super) fn apply(
        self,
        spec: &LabSpec,
        resolved: Vec<Option<Node>>,
        profiles: &Profiles,
        lab: &mut Lab,
        found: &mut Diagnostics,
    ) {
        let mut positions = Vec::with_capacity(resolved.len());
        for node in resolved {
            positions.push(node.is_some().then_some(lab.nodes.len()));
            lab.nodes.extend(node);
        }
        let place = |nodes: &[Node], member: Member| match member {
            Member::Interface(end) => {
                let node = positions[end.node]?;
                let exists = end.interface < nodes[node].interfaces.len();
                exists.then_some(Member::Interface(End { node, ..end }))
            }
            outside => Some(outside),
        };
        for (written, ends) in self.links {
            let written = &spec.links[written];
            let [Some(left), Some(right)] = ends.map(|end| place(&lab.nodes, end)) else {
                continue;
            };
            let transport = written.transport.as_ref();
            let transport = transport.map_or(spec.transport, |transport| transport.value);
            let mtu = written.mtu.as_ref().map(|mtu| mtu.value);
            for (member, from) in [&left, &right].into_iter().zip(&written.ends) {
                describe(&mut lab.nodes, member, from, mtu);
            }
            let names = [(&left, &written.ends[0]), (&right, &written.ends[1])];
            let names = names.map(|(member, from)| names_of(lab, member, from));
            let asked = asked::resolve(&written.asked, &names, profiles, found);
            match (left, right) {
                (Member::Interface(left), Member::Interface(right)) => lab.links.push(Link {
                    ends: [left, right],
                    transport,
                    asked,
                    span: written.span,
                }),
                (left, right) => {
                    let name = link_name([&left, &right].map(|end| lab.member_name(end)));
                    lab.segments.push(Segment {
                        name,
                        kind: JunctionKind::Link,
                        members: vec![left, right],
                        transport,
                        asked,
                        span: written.span,
                    });
                }
            }
        }
        for (written, members) in self.segments {
            let written = &spec.segments[written];
            let mut placed = Vec::with_capacity(members.len());
            let mut names = Vec::with_capacity(members.len());
            for (at, member) in members {
                let Some(member) = place(&lab.nodes, member) else {
                    continue;
                };
                describe(&mut lab.nodes, &member, &written.members[at], None);
                names.push(names_of(lab, &member, &written.members[at]));
                placed.push(member);
            }
            lab.segments.push(Segment {
                name: written.name.value.clone(),
                kind: written.kind,
                members: placed,
                transport: spec.transport,
                asked: asked::resolve(&written.asked, &names, profiles, found),
                span: written.name.span,
            });
        }
    }
}

/// What a member goes by: its full name, that which is written, and the name of its node.
fn names_of(lab: &Lab, member: &Member, written: &EndSpec) -> Vec<String> {
    let (node, interface) = (&written.node.value, &written.interface.value);
    vec![
        lab.member_name(member),
        format!("{node}:{interface}"),
        node.clone(),
    ]
}

/// Gives an interface what its link says of it.
fn describe(nodes: &mut [Node], member: &Member, from: &EndSpec, mtu: Option<u32>) {
    let Member::Interface(end) = member else {
        return;
    };
    let interface = &mut nodes[end.node].interfaces[end.interface];
    interface.mac = from.mac.as_ref().map(|mac| mac.value);
    interface.mac_span = from.mac.as_ref().map(|mac| mac.span);
    interface.addresses = from.addresses.iter().map(|one| one.value).collect();
    interface.address_spans = from.addresses.iter().map(|one| one.span).collect();
    interface.mtu = mtu;
    if let Some(tunnel) = &mut interface.tunnel {
        tunnel.connected = true;
    }
}

struct Lookup<'a> {
    spec: &'a LabSpec,
    by_name: &'a HashMap<String, usize>,
    kinds: &'a [Option<&'a Arc<Kind>>],
    /// How many unknown names still get a suggestion.
    suggestions: usize,
    /// Names of interfaces that were looked up before, by kind.
    indexes: HashMap<(*const Kind, &'a str), Option<u32>>,
}

impl<'a> Lookup<'a> {
    fn member(&mut self, end: &'a EndSpec, found: &mut Diagnostics) -> Option<Member> {
        match outside::is_outside(end) {
            true => outside::resolve(end, found),
            false => self.end(end, found).map(Member::Interface),
        }
    }

    fn end(&mut self, end: &'a EndSpec, found: &mut Diagnostics) -> Option<End> {
        let Some(node) = self.node(&end.node) else {
            found.push(self.unknown_node(end));
            return None;
        };
        // Without a kind there are no interfaces; the kind was reported.
        let kind = self.kinds[node]?;
        let name: &str = &end.interface.value;
        let key = (Arc::as_ptr(kind), name);
        let index = *self
            .indexes
            .entry(key)
            .or_insert_with(|| kind.interfaces.index(name));
        match index {
            None => {
                let looks = spend(&mut self.suggestions);
                found.push(unknown_interface(end, kind, looks));
                None
            }
            Some(index) if index > kind.interfaces.limit => {
                found.push(past_limit(end, kind));
                None
            }
            Some(index) => Some(End {
                node,
                interface: index.checked_sub(1)? as usize,
            }),
        }
    }

    fn node(&self, name: &str) -> Option<usize> {
        match self.by_name.get(name) {
            Some(position) => Some(*position),
            None => self.by_name.get(&name.to_lowercase()).copied(),
        }
    }

    fn unknown_node(&mut self, end: &EndSpec) -> Diagnostic {
        let name = &end.node.value;
        let diagnostic = Diagnostic::error(
            code::UNKNOWN_NODE,
            format!(
                "a link names `{}`, which is not a node of the lab",
                shown(name)
            ),
        )
        .at(end.node.span, "no such node");
        let known = self.spec.nodes.iter().map(|node| node.name.as_str());
        let looks = spend(&mut self.suggestions);
        match nearest(name, known.filter(|_| looks)) {
            Some(known) => diagnostic.help(format!("did you mean `{}`?", shown(known))),
            None => diagnostic.help(format!(
                "add it to `nodes`: `{}: {{kind: frr}}`",
                shown(name)
            )),
        }
    }
}

/// Takes one from a budget, if there is one left.
fn spend(budget: &mut usize) -> bool {
    let some = *budget > 0;
    *budget = budget.saturating_sub(1);
    some
}

fn unknown_interface(end: &EndSpec, kind: &Kind, looks: bool) -> Diagnostic {
    let interfaces = &kind.interfaces;
    let written = &end.interface.value;
    let diagnostic = Diagnostic::error(
        code::UNKNOWN_INTERFACE,
        format!(
            "`{}` has no interface `{}`",
            shown(&end.node.value),
            shown(written)
        ),
    );
    if is_management(written, kind) {
        return diagnostic
            .at(end.interface.span, "this is the management interface")
            .help(format!(
                "data interfaces begin with `{}`",
                interfaces.name(1)
            ));
    }
    let mut internal = kind.parts.iter();
    if let Some(part) = internal.find(|part| part.internal.main.eq_ignore_ascii_case(written)) {
        return diagnostic
            .at(
                end.interface.span,
                format!("this leads to its own part `{}`", part.name),
            )
            .help(format!(
                "it is joined already; data interfaces begin with `{}`",
                interfaces.name(1)
            ));
    }
    let names: Vec<String> = (1..=interfaces.limit)
        .filter(|_| looks)
        .map(|index| interfaces.name(index))
        .collect();
    let diagnostic = diagnostic.at(
        end.interface.span,
        format!("not an interface of the kind `{}`", kind.name),
    );
    match nearest(written, names.iter().map(String::as_str)) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
        None => diagnostic.help(format!(
            "its data interfaces are `{}` to `{}`, or `eth1` and so on",
            interfaces.name(1),
            interfaces.name(interfaces.limit)
        )),
    }
}

/// Whether a name means the management interface: its own name, `eth0`, or a short form of a
/// name that counts on from it (`Gi1` before `Gi2`).
fn is_management(written: &str, kind: &Kind) -> bool {
    let interfaces = &kind.interfaces;
    let Some(management) = &interfaces.management else {
        return false;
    };
    let before_first = |pattern: &InterfacePattern| pattern.name(0);
    let counted = interfaces.patterns.first().map(before_first).as_ref() == Some(management);
    written == "eth0"
        || management.eq_ignore_ascii_case(written)
        || counted
            && interfaces
                .patterns
                .iter()
                .any(|pattern| before_first(pattern).eq_ignore_ascii_case(written))
}

fn past_limit(end: &EndSpec, kind: &Kind) -> Diagnostic {
    let limit = kind.interfaces.limit;
    Diagnostic::error(
        code::INTERFACE_LIMIT,
        format!(
            "`{}` of `{}` is past the limit of its kind",
            shown(&end.interface.value),
            shown(&end.node.value)
        ),
    )
    .at(end.interface.span, "too many interfaces")
    .help(format!(
        "the kind `{}` has {limit} data interfaces, the last is `{}`",
        kind.name,
        kind.interfaces.name(limit)
    ))
}
