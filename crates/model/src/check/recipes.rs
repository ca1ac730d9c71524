//! Checks of the running lab that a node's kind cannot be asked for.

use super::Rule;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::kind::Kind;
use crate::lab::{Lab, Node};
use crate::lab_check::{Nodes, Probe};
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule {
    title: "checks that a kind has no recipe for",
    check,
};

fn check(lab: &Lab, _facts: &Facts, found: &mut Diagnostics) {
    for check in &lab.checks {
        for assertion in check.assertions() {
            let Some((nodes, what, has)) = need(&assertion.probe) else {
                continue;
            };
            let lacking = asked(lab, nodes).filter(|node| !has(&node.guest));
            let lacking: BTreeSet<&str> = lacking.map(|node| node.guest.name.as_str()).collect();
            for kind in lacking {
                found.push(
                    Diagnostic::warning(
                        code::NO_RECIPE,
                        format!("the kind `{kind}` has no recipe for `{what}`"),
                    )
                    .at(assertion.span, "cannot hold")
                    .help("ask by hand with `command` and `matches`, or add the recipe to a kind of your own"),
                );
            }
        }
    }
}

/// Whether a kind can be asked something.
type Has = Box<dyn Fn(&Kind) -> bool>;

/// Who is asked, and for what.
fn need(probe: &Probe) -> Option<(&Nodes, String, Has)> {
    match probe {
        Probe::Ping { from, size, .. } => {
            let sized = size.is_some();
            let what = if sized { "ping with a size" } else { "ping" };
            let has = move |kind: &Kind| {
                let recipe = kind.recipes.ping.as_ref();
                recipe.is_some_and(|recipe| !sized || recipe.sized_command.is_some())
            };
            Some((from, what.to_owned(), Box::new(has)))
        }
        Probe::Traceroute { from, .. } => Some((
            from,
            "traceroute".to_owned(),
            Box::new(|kind| kind.recipes.traceroute.is_some()),
        )),
        Probe::Connect { from, .. } => Some((
            from,
            "connect".to_owned(),
            Box::new(|kind| kind.recipes.connect.is_some()),
        )),
        Probe::Neighbors { node, protocol, .. } => {
            let protocol = *protocol;
            Some((
                node,
                format!("neighbors of {}", protocol.word()),
                Box::new(move |kind| kind.recipes.neighbors.contains_key(&protocol)),
            ))
        }
        Probe::Command { .. } | Probe::Link { .. } | Probe::Frames { .. } | Probe::Rate { .. } => {
            None
        }
    }
}

fn asked<'a>(lab: &'a Lab, nodes: &'a Nodes) -> impl Iterator<Item = &'a Node> {
    lab.nodes.iter().filter(move |node| match nodes {
        Nodes::All => true,
        Nodes::Named(names) => names.iter().any(|name| name.value == node.name.as_str()),
    })
}
