//! What only a wire can do, in a lab or on a link that goes around it.

use super::Rule;
use crate::blueprint::JunctionKind;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::lab::Lab;
use crate::span::Span;
use crate::spec::Transport;

pub(super) const RULE: Rule = Rule {
    title: "what only a wire can do, on direct links",
    check,
};

fn check(lab: &Lab, _: &Facts, found: &mut Diagnostics) {
    let direct = |transport| transport == Transport::Direct;
    for link in lab.links.iter().filter(|one| direct(one.transport)) {
        if let Some(place) = link.asked.place {
            found.push(needs_wire("what is asked of a link", place));
        }
    }
    for segment in lab.segments.iter().filter(|one| direct(one.transport)) {
        let what = match segment.kind {
            JunctionKind::Link => "a link to what is not in the lab",
            JunctionKind::Switch { .. } | JunctionKind::Hub => "a segment",
        };
        found.push(needs_wire(what, segment.span));
    }
}

fn needs_wire(what: &str, span: Span) -> Diagnostic {
    Diagnostic::error(code::NEEDS_WIRE, format!("{what} needs the lab's wire"))
        .at(span, "its frames shall go directly from VM to VM")
        .help("write `transport: wire`, or pass `--wire`")
}
