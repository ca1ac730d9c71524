//! Checks of the running lab: names are looked up and written as the lab has them.

use super::asked;
use crate::blueprint::link_name;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::format::shown;
use crate::lab::{Lab, Member};
use crate::lab_check::{Assertion, Body, Change, LabCheck, Nodes, Probe, Step, Target, With};
use crate::span::{Span, Spanned};
use crate::spec::{CheckSpec, NodeSpec, Transport};
use std::collections::HashMap;
use vnflab_impairment::Profiles;

/// The checks, with all names as the lab has them. Of a lab with mistakes only the names of nodes
/// are looked up, since its links may be incomplete.
pub(super) fn resolve(
    specs: &[CheckSpec],
    nodes: &[NodeSpec],
    by_name: &HashMap<String, usize>,
    lab: &Lab,
    profiles: &Profiles,
    found: &mut Diagnostics,
) -> Vec<LabCheck> {
    let links = match found.has_errors() {
        true => None,
        false => Some(Link::all(lab)),
    };
    let mut lookup = Lookup {
        nodes,
        by_name,
        lab,
        links,
        found,
    };
    let mut checks = Vec::with_capacity(specs.len());
    for spec in specs {
        super::valid_name(&spec.check.name, "check", lookup.found);
        let mut check = spec.check.clone();
        match &mut check.body {
            Body::Single(one) => lookup.assertion(one),
            Body::Steps(steps) => {
                if !steps.iter().any(|step| matches!(step, Step::Assert(_))) {
                    lookup.found.push(
                        Diagnostic::error(code::INVALID_CHECK, "the steps look at nothing")
                            .at(check.name.span, "cannot fail")
                            .help("add one that does, such as `- ping: {from: r1, to: r3}`"),
                    );
                }
                for (position, step) in steps.iter_mut().enumerate() {
                    lookup.step(step);
                    if let (Step::Change(Change::Impair { settings, .. }), Some(written)) =
                        (step, spec.settings.get(&position))
                    {
                        **settings = asked::settings_of_step(written, profiles, lookup.found);
                    }
                }
            }
        }
        checks.push(check);
    }
    checks
}

/// A link or segment by its names.
struct Link {
    name: String,
    members: Vec<String>,
    transport: Transport,
}

impl Link {
    fn all(lab: &Lab) -> Vec<Self> {
        let links = lab.links.iter().map(|link| {
            let members = link.ends.map(|end| lab.end_name(end));
            Self {
                name: link_name(members.clone()),
                members: members.into(),
                transport: link.transport,
            }
        });
        let segments = lab.segments.iter().map(|segment| {
            let members = segment.members.iter();
            let member = |member: &Member| lab.member_name(member);
            Self {
                name: segment.name.clone(),
                members: members.map(member).collect(),
                transport: segment.transport,
            }
        });
        links.chain(segments).collect()
    }

    fn is_meant(&self, ends: &[String]) -> bool {
        match ends {
            [one] => self.name == *one || self.members.contains(one),
            [a, b] => {
                let both = [a, b];
                self.members.len() == 2 && both.iter().all(|end| self.members.contains(*end))
            }
            _ => false,
        }
    }
}

/// Who needs a wire: whatever is done to frames, or wants to see them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Wire,
    Nothing,
}

struct Lookup<'a> {
    nodes: &'a [NodeSpec],
    by_name: &'a HashMap<String, usize>,
    lab: &'a Lab,
    /// `None` where they are not known.
    links: Option<Vec<Link>>,
    found: &'a mut Diagnostics,
}

impl Lookup<'_> {
    fn step(&mut self, step: &mut Step) {
        match step {
            Step::Assert(one) => self.assertion(one),
            Step::Pause(_) => {}
            Step::Change(Change::Cut { link, .. } | Change::Restore { link }) => {
                self.link(link, None, Needs::Wire);
            }
            Step::Change(Change::Stop { node } | Change::Start { node }) => self.node(node),
            Step::Change(Change::Impair { link, from, .. }) => {
                self.link(link, from.as_mut(), Needs::Wire);
            }
        }
    }

    fn assertion(&mut self, assertion: &mut Assertion) {
        match &mut assertion.probe {
            Probe::Ping { from, to, .. } | Probe::Connect { from, to, .. } => {
                self.nodes(from);
                to.iter_mut().for_each(|target| self.target(target));
            }
            Probe::Traceroute {
                from,
                to,
                through,
                avoids,
            } => {
                self.nodes(from);
                self.target(to);
                let names = through.iter_mut().flatten().chain(avoids);
                names.for_each(|name| self.node(name));
            }
            Probe::Command { node, .. } => self.nodes(node),
            Probe::Neighbors { node, with, .. } => {
                self.nodes(node);
                if let With::Named(names) = with {
                    names.iter_mut().for_each(|name| self.node(name));
                }
            }
            Probe::Link { name, .. } => self.link(name, None, Needs::Nothing),
            Probe::Frames { on, from, .. } => self.link(on, from.as_mut(), Needs::Wire),
            Probe::Rate {
                on,
                from,
                least,
                most,
                ..
            } => {
                if let (Some(least), Some(most)) = (least, most)
                    && least > most
                {
                    let (least, most) = (least.to_string(), most.to_string());
                    self.found.push(
                        Diagnostic::error(
                            code::INVALID_CHECK,
                            format!("no rate is {least} or more and {most} at most"),
                        )
                        .at(assertion.span, "cannot hold")
                        .help("exchange `least` and `most`"),
                    );
                }
                self.link(on, from.as_mut(), Needs::Wire);
            }
        }
    }

    fn nodes(&mut self, nodes: &mut Nodes) {
        if let Nodes::Named(names) = nodes {
            names.iter_mut().for_each(|name| self.node(name));
        }
    }

    fn target(&mut self, target: &mut Target) {
        match target {
            Target::All | Target::Address(_) => {}
            Target::Node(name) => self.node(name),
            Target::Interface(end) => {
                if let Some(name) = self.end(end) {
                    end.value = name;
                }
            }
        }
    }

    fn known(&self, name: &str) -> Option<&Spanned<String>> {
        let position = self.by_name.get(&name.to_lowercase())?;
        Some(&self.nodes[*position].name)
    }

    fn node(&mut self, name: &mut Spanned<String>) {
        match self.known(name) {
            Some(known) => name.value = known.value.clone(),
            None => self.unknown_node(&name.value, name.span),
        }
    }

    fn unknown_node(&mut self, name: &str, span: Span) {
        let message = format!(
            "a check names `{}`, which is not a node of the lab",
            shown(name)
        );
        let diagnostic =
            Diagnostic::error(code::UNKNOWN_IN_CHECK, message).at(span, "no such node");
        let known = self.nodes.iter().map(|node| node.name.as_str());
        self.found.push(match nearest(name, known) {
            Some(known) => diagnostic.help(format!("did you mean `{}`?", shown(known))),
            None => diagnostic.help("write a node's name, or `all`"),
        });
    }

    /// The full name of an interface, `r1:Ethernet1`; tells where there is none.
    fn end(&mut self, written: &Spanned<String>) -> Option<String> {
        let (node, interface) = written.value.split_once(':')?;
        let Some(known) = self.known(node.trim()) else {
            self.unknown_node(node.trim(), written.span);
            return None;
        };
        let lab = self.lab;
        self.links.as_ref()?;
        let position = lab
            .nodes
            .iter()
            .position(|one| one.name.as_str() == known.value)?;
        let node = &lab.nodes[position];
        let index = node.kind.interfaces.index(interface.trim());
        let known = index.and_then(|index| node.interfaces.iter().find(|one| one.index == index));
        if let Some(known) = known {
            return Some(crate::blueprint::end_name(node.name.as_str(), &known.name));
        }
        let message = format!("`{}` has no interface `{}`", node.name, shown(interface));
        let names = node.interfaces.iter().map(|one| one.name.as_str());
        let diagnostic = Diagnostic::error(code::UNKNOWN_IN_CHECK, message)
            .at(written.span, "no such interface");
        let nearest = nearest(interface, names).map(str::to_owned);
        self.found.push(match nearest {
            Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
            None => diagnostic.help(format!(
                "its data interfaces are `{}` and so on",
                node.kind.interfaces.name(1)
            )),
        });
        None
    }

    /// Looks a link or segment up, and the end of it whose frames are meant.
    fn link(
        &mut self,
        written: &mut Spanned<String>,
        from: Option<&mut Spanned<String>>,
        needs: Needs,
    ) {
        let mut ends = Vec::new();
        for part in written.value.clone().split("--") {
            let part = Spanned::new(part.trim().to_owned(), written.span);
            let outside = ["host:", "tap:", "udp:"];
            let is_outside = outside.iter().any(|word| part.value.starts_with(word));
            if is_outside || !part.value.contains(':') {
                ends.push(part.value);
                continue;
            }
            match self.end(&part) {
                Some(name) => ends.push(name),
                None => return,
            }
        }
        let Some(links) = &self.links else {
            return;
        };
        let Some(link) = links.iter().find(|link| link.is_meant(&ends)) else {
            let message = format!(
                "`{}` is no link or segment of the lab",
                shown(&written.value)
            );
            let diagnostic =
                Diagnostic::error(code::UNKNOWN_IN_CHECK, message).at(written.span, "not joined");
            let names = links.iter().map(|link| link.name.as_str());
            self.found.push(match nearest(&ends.join("--"), names) {
                Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
                None => {
                    diagnostic.help("write `r1:eth1`, `r1:eth1 -- r2:eth1`, or a segment's name")
                }
            });
            return;
        };
        if needs == Needs::Wire && link.transport == Transport::Direct {
            self.found.push(
                Diagnostic::error(
                    code::NEEDS_WIRE,
                    format!(
                        "nothing can be seen of `{}`, and nothing be done to it",
                        link.name
                    ),
                )
                .at(written.span, "its frames go directly")
                .help("remove `transport: direct`"),
            );
        }
        written.value.clone_from(&link.name);
        let Some(from) = from else {
            return;
        };
        let of_node = format!("{}:", from.value.trim()).to_lowercase();
        let full = format!("{}:", from.value.trim());
        let members = link.members.clone();
        let by_node: Vec<&String> = members
            .iter()
            .filter(|member| {
                member.to_lowercase().starts_with(&of_node) || format!("{member}:") == full
            })
            .collect();
        if let [one] = by_node[..] {
            from.value.clone_from(one);
            return;
        }
        let by_end = match from.value.contains(':') {
            true => self.end(from),
            false => None,
        };
        if let Some(name) = by_end.filter(|name| members.contains(name)) {
            from.value = name;
            return;
        }
        let members: Vec<String> = members.iter().map(|name| format!("`{name}`")).collect();
        let message = match by_node.len() {
            0 => format!("`{}` is not an end of it", shown(&from.value)),
            _ => format!("`{}` has several ends of it", shown(&from.value)),
        };
        self.found.push(
            Diagnostic::error(code::UNKNOWN_IN_CHECK, message)
                .at(from.span, "which end is meant?")
                .help(format!("the ends are {}", members.join(", "))),
        );
    }
}
