//! Links of the native format: `r1:eth1 -- r2:eth1`, or a mapping with `endpoints`.

use super::asked;
use super::keys as key;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::format::fields::{Fields, parse_address, shown, wrong_type};
use crate::format::key::{Form, Key};
use crate::span::Spanned;
use crate::spec::{AskedSpec, EndSpec, LinkSpec};
use crate::yaml::scalar::Schema;
use crate::yaml::{Node, Value};
use ipnet::IpNet;

/// What stands between the ends of a short link.
const SEPARATOR: &str = "--";

/// Reads one entry of `links`.
pub(super) fn read(node: &Node, found: &mut Diagnostics) -> Option<LinkSpec> {
    match &node.value {
        Value::Scalar(scalar) if !node.is_null() => short(node, &scalar.text, found),
        Value::Mapping(_) => long(node, found),
        Value::Scalar(_) | Value::Sequence(_) => {
            found.push(invalid(node, "a link is a text or a mapping"));
            None
        }
    }
}

fn invalid(node: &Node, label: &str) -> Diagnostic {
    let message = match node.scalar().filter(|_| !node.is_null()) {
        Some(scalar) => format!("`{}` is not a link", shown(&scalar.text)),
        None => "this is not a link".to_owned(),
    };
    Diagnostic::error(code::INVALID_LINK, message)
        .at(node.span, label)
        .help("write `r1:eth1 -- r2:eth1`, or `endpoints: [\"r1:eth1\", \"r2:eth1\"]`")
}

fn short(node: &Node, text: &str, found: &mut Diagnostics) -> Option<LinkSpec> {
    let mut parts = text.split(SEPARATOR);
    let (Some(left), Some(right), None) = (parts.next(), parts.next(), parts.next()) else {
        let label = match text.contains(SEPARATOR) {
            true => "a link has two ends; `--` stands between them once",
            false => "`--` is missing between the two ends",
        };
        found.push(invalid(node, label));
        return None;
    };
    let ends = [
        end(node, 0, left, found),
        end(node, left.len() + SEPARATOR.len(), right, found),
    ];
    let [Some(left), Some(right)] = ends else {
        return None;
    };
    Some(LinkSpec {
        ends: [left, right],
        transport: None,
        asked: AskedSpec::default(),
        mtu: None,
        span: node.span,
    })
}

/// Reads `NODE:INTERFACE`, which stands `at` in the node's text. The first colon separates; the
/// interface may contain more, and slashes and spaces.
fn end(node: &Node, at: usize, text: &str, found: &mut Diagnostics) -> Option<EndSpec> {
    let spanned = |part: &str, start: usize| {
        let lead = part.len() - part.trim_start().len();
        let trimmed = part.trim();
        let begin = start + lead;
        Spanned::new(trimmed.to_owned(), node.part(begin, begin + trimmed.len()))
    };
    let whole = spanned(text, at);
    let parts = text
        .split_once(':')
        .map(|(name, interface)| (spanned(name, at), spanned(interface, at + name.len() + 1)));
    match parts {
        Some((name, interface)) if !name.is_empty() && !interface.is_empty() => Some(EndSpec {
            node: name,
            interface,
            addresses: Vec::new(),
            mac: None,
        }),
        _ => {
            let message = format!("`{}` is not an end of a link", shown(&whole));
            found.push(
                Diagnostic::error(code::INVALID_LINK, message)
                    .at(whole.span, "this is not `NODE:INTERFACE`")
                    .help("write the node and its interface, such as `r1:eth1`"),
            );
            None
        }
    }
}

fn long(node: &Node, found: &mut Diagnostics) -> Option<LinkSpec> {
    let fields = Fields::read(node, node.span, &key::LINK, Schema::Core, found)?;
    let mtu = fields.integer(&key::MTU, found);
    let transport = super::transport(&fields, &key::LINK_TRANSPORT, found);
    let asked = asked::read(&fields, found);
    let mut addresses = [Vec::new(), Vec::new()];
    for key in [&key::LINK_IPV4, &key::LINK_IPV6] {
        pair(&fields, key, &mut addresses, found);
    }
    let endpoints = fields.node(&key::ENDPOINTS)?;
    let Value::Sequence(ends) = &endpoints.value else {
        let expected = format!("`endpoints` takes {}", key::ENDPOINTS.form.expected());
        found.push(wrong_type(endpoints, &expected));
        return None;
    };
    let [left, right] = &**ends else {
        let message = format!("a link has two ends, this one has {}", ends.len());
        found.push(
            Diagnostic::error(code::INVALID_LINK, message)
                .at(endpoints.span, "not two ends")
                .help("a segment of many stands below `segments`, with a name of its own"),
        );
        return None;
    };
    let (left, right) = (long_end(left, found), long_end(right, found));
    let (mut left, mut right) = (left?, right?);
    let [of_left, of_right] = addresses;
    left.addresses.extend(of_left);
    right.addresses.extend(of_right);
    Some(LinkSpec {
        ends: [left, right],
        transport,
        asked,
        mtu,
        span: endpoints.span,
    })
}

pub(super) fn long_end(node: &Node, found: &mut Diagnostics) -> Option<EndSpec> {
    match &node.value {
        Value::Scalar(scalar) => end(node, 0, &scalar.text, found),
        Value::Sequence(_) => {
            found.push(wrong_type(
                node,
                "an endpoint is `NODE:INTERFACE` or a mapping",
            ));
            None
        }
        Value::Mapping(_) => {
            let fields = Fields::read(node, node.span, &key::ENDPOINT, Schema::Core, found)?;
            let name = fields.text(&key::END_NODE, found);
            let interface = fields.text(&key::END_INTERFACE, found);
            let mac = fields.mac(&key::END_MAC, found);
            let mut addresses = Vec::new();
            for key in [&key::END_IPV4, &key::END_IPV6] {
                let address = fields.interface_address(key, found);
                addresses.extend(address.and_then(|address| of_family(address, key, found)));
            }
            Some(EndSpec {
                node: name?,
                interface: interface?,
                addresses,
                mac,
            })
        }
    }
}

/// Adds what `ipv4:` or `ipv6:` of a link gives to its two ends; either may be left empty.
fn pair(
    fields: &Fields<'_>,
    key: &'static Key,
    addresses: &mut [Vec<Spanned<IpNet>>; 2],
    found: &mut Diagnostics,
) {
    let Some(node) = fields.node(key) else {
        return;
    };
    let (Form::Pair(form), Value::Sequence(values)) = (key.form, &node.value) else {
        found.push(wrong_type(
            node,
            &format!("`{}` takes {}", key.name, key.form.expected()),
        ));
        return;
    };
    if values.len() != addresses.len() {
        let count = match values.len() {
            1 => "1 address".to_owned(),
            count => format!("{count} addresses"),
        };
        let message = format!("`{}` gives {count} to two ends", key.name);
        found.push(
            Diagnostic::error(code::INVALID_LINK, message)
                .at(node.span, "one address for each end")
                .help("give the address of the first end, then that of the second, and `\"\"` for an end without one"),
        );
        return;
    }
    for (value, of_end) in values.iter().zip(addresses) {
        let empty = value.scalar().is_some_and(|scalar| scalar.text.is_empty());
        if value.is_null() || empty {
            continue;
        }
        let address = parse_address(value, key.name, *form, found);
        of_end.extend(address.and_then(|address| of_family(address, key, found)));
    }
}

/// Keeps the address if it is of the family that the key is named after.
fn of_family(
    address: Spanned<IpNet>,
    key: &'static Key,
    found: &mut Diagnostics,
) -> Option<Spanned<IpNet>> {
    let family = match address.value {
        IpNet::V4(_) => "ipv4",
        IpNet::V6(_) => "ipv6",
    };
    if family == key.name {
        return Some(address);
    }
    found.push(
        Diagnostic::error(
            code::INVALID_ADDRESS,
            format!("`{}` is of the other address family", address.value),
        )
        .at(address.span, format!("not an address for `{}`", key.name))
        .help(format!("give it under `{family}`")),
    );
    None
}
