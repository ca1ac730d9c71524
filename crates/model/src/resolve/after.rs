//! Which nodes a node starts after: every name is looked up, and nobody waits for himself.

use crate::blueprint::{After, Until};
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::format::shown;
use crate::span::Span;
use crate::spec::NodeSpec;
use std::collections::{BTreeMap, HashMap};

/// What one node starts after: the position of the other, how far it must be, and where it is
/// said.
type Edge = (usize, Until, Span);

/// For each node the nodes that it starts after, each once, by their names as they are written
/// where they are nodes.
pub(super) fn resolve(
    nodes: &[NodeSpec],
    by_name: &HashMap<String, usize>,
    found: &mut Diagnostics,
) -> Vec<Vec<After>> {
    let edges: Vec<Vec<Edge>> = nodes
        .iter()
        .map(|node| edges(node, nodes, by_name, found))
        .collect();
    for circle in circles(&edges) {
        found.push(told(&circle, nodes));
    }
    edges
        .iter()
        .map(|edges| {
            let mut after: BTreeMap<usize, Until> = BTreeMap::new();
            for (other, until, _) in edges {
                let before = after.entry(*other).or_insert(*until);
                *before = (*before).max(*until);
            }
            let after = after.into_iter();
            after
                .map(|(other, until)| After {
                    node: nodes[other].name.value.clone(),
                    until,
                })
                .collect()
        })
        .collect()
}

fn edges(
    node: &NodeSpec,
    nodes: &[NodeSpec],
    by_name: &HashMap<String, usize>,
    found: &mut Diagnostics,
) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (name, until) in &node.after {
        match by_name.get(&name.to_lowercase()) {
            Some(other) => edges.push((*other, *until, name.span)),
            None => {
                let message = format!(
                    "`{}` starts after `{}`, which is not in the lab",
                    shown(&node.name.value),
                    shown(&name.value)
                );
                let diagnostic = Diagnostic::error(code::UNKNOWN_AFTER, message)
                    .at(name.span, "no node has this name");
                let names = nodes.iter().map(|node| node.name.value.as_str());
                found.push(match nearest(&name.value, names) {
                    Some(name) => diagnostic.help(format!("did you mean `{name}`?")),
                    None => diagnostic.help("name a node of this lab, or remove it"),
                });
            }
        }
    }
    edges
}

/// Nodes that wait for each other: each circle once, as positions with the place where the next
/// one is named.
fn circles(edges: &[Vec<Edge>]) -> Vec<Vec<(usize, Span)>> {
    /// What is known of a node while the graph is walked through.
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnPath,
        Done,
    }
    let mut marks = vec![Mark::New; edges.len()];
    let mut circles = Vec::new();
    for root in 0..edges.len() {
        if marks[root] != Mark::New {
            continue;
        }
        // The path from the root, with the number of the next edge to take at each node.
        let mut path: Vec<(usize, usize)> = vec![(root, 0)];
        marks[root] = Mark::OnPath;
        while let Some((node, next)) = path.last_mut() {
            let Some((other, ..)) = edges[*node].get(*next) else {
                marks[*node] = Mark::Done;
                path.pop();
                continue;
            };
            *next += 1;
            match marks[*other] {
                Mark::Done => {}
                Mark::New => {
                    marks[*other] = Mark::OnPath;
                    path.push((*other, 0));
                }
                Mark::OnPath => {
                    let from = path.iter().position(|(node, _)| node == other);
                    let circle = path[from.unwrap_or(0)..].iter();
                    let places = circle.map(|(node, next)| {
                        // The edge that was taken last is the one before the next.
                        (*node, edges[*node][next - 1].2)
                    });
                    circles.push(places.collect());
                }
            }
        }
    }
    circles
}

fn told(circle: &[(usize, Span)], nodes: &[NodeSpec]) -> Diagnostic {
    let name = |position: usize| shown(&nodes[position].name.value);
    let (first, place) = circle[0];
    if circle.len() == 1 {
        let message = format!("`{}` starts after itself", name(first));
        return Diagnostic::error(code::AFTER_CIRCLE, message)
            .at(place, "it would wait for ever")
            .help("remove it");
    }
    let names: Vec<String> = circle
        .iter()
        .map(|(node, _)| *node)
        .chain([first])
        .map(|node| format!("`{}`", name(node)))
        .collect();
    let message = format!("nodes start after each other: {}", names.join(" after "));
    let mut diagnostic = Diagnostic::error(code::AFTER_CIRCLE, message)
        .at(place, "all of them would wait for ever")
        .help("remove one of them");
    for (node, place) in &circle[1..] {
        diagnostic = diagnostic.and_at(*place, format!("what `{}` waits for", name(*node)));
    }
    diagnostic
}
