//! Two interfaces with one MAC address.

use super::Rule;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::lab::Lab;
use crate::mac::MacAddress;
use crate::span::Span;
use std::collections::HashMap;

pub(super) const RULE: Rule = Rule {
    title: "two interfaces with one MAC address",
    check,
};

fn check(lab: &Lab, _: &Facts, found: &mut Diagnostics) {
    let mut first: HashMap<MacAddress, (&str, Span)> = HashMap::new();
    for node in &lab.nodes {
        let name = node.name.as_str();
        let management = node
            .management_mac
            .map(|mac| (mac, node.management_mac_span.unwrap_or(node.span)));
        let data = node
            .interfaces
            .iter()
            .filter_map(|one| Some((one.mac?, one.mac_span.unwrap_or(node.span))));
        for (mac, span) in management.into_iter().chain(data) {
            let Some((other, place)) = first.get(&mac) else {
                first.insert(mac, (name, span));
                continue;
            };
            found.push(
                Diagnostic::error(
                    code::DUPLICATE_MAC,
                    format!("the MAC address `{mac}` is given to two interfaces"),
                )
                .at(span, format!("given to `{name}` too"))
                .and_at(*place, format!("given to `{other}` first"))
                .help("change one of the two, or leave it out: then one is chosen"),
            );
        }
    }
}
