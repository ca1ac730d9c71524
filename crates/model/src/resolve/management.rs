//! The management network: a bridge that Linux can have, a subnet that hosts fit into.

use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::lab::Management;
use crate::span::Spanned;
use crate::spec::LabSpec;
use ipnet::{Ipv4Net, Ipv6Net};

/// Longest name of a network interface on Linux, in bytes (`IFNAMSIZ` less the final NUL).
const BRIDGE_NAME_LIMIT: usize = 15;

/// Prefix lengths of a management network. A longer one has no room for a gateway, the dynamic
/// quarter and a node; a shorter one would cover whole continents.
const PREFIX_LENGTHS: std::ops::RangeInclusive<u8> = 8..=28;

/// The same in IPv6: a longer one has no room for as many nodes as an IPv4 network can have.
const IPV6_PREFIX_LENGTHS: std::ops::RangeInclusive<u8> = 32..=112;

/// Takes the management settings over, and tells what is wrong with them.
pub(super) fn management(spec: &LabSpec, found: &mut Diagnostics) -> Management {
    let given = &spec.management;
    let of_nodes = spec
        .nodes
        .iter()
        .filter_map(|node| node.management_bridge.as_ref());
    for bridge in given.bridge.iter().chain(of_nodes) {
        check_bridge(bridge, found);
    }
    if let Some(subnet) = &given.ipv4_subnet {
        check_subnet(subnet, found);
    }
    if let Some(subnet) = &given.ipv6_subnet {
        check_ipv6_subnet(subnet, found);
    }
    let spans = [
        ("`bridge`", given.bridge.as_ref().map(|one| one.span)),
        (
            "`ipv4-subnet`",
            given.ipv4_subnet.as_ref().map(|one| one.span),
        ),
        (
            "`ipv6-subnet`",
            given.ipv6_subnet.as_ref().map(|one| one.span),
        ),
    ];
    Management {
        mode: given.mode.as_ref().map(|mode| mode.value),
        bridge: given.bridge.as_ref().map(|bridge| bridge.value.clone()),
        ipv4_subnet: given.ipv4_subnet.as_ref().map(|subnet| subnet.value),
        ipv6_subnet: given.ipv6_subnet.as_ref().map(|subnet| subnet.value),
        network_spans: spans
            .into_iter()
            .filter_map(|(what, span)| Some((what, span?)))
            .collect(),
        networks: given.networks.clone(),
    }
}

fn check_bridge(bridge: &Spanned<String>, found: &mut Diagnostics) {
    let name = &bridge.value;
    let usual = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let reason = if name.is_empty() {
        "a bridge needs a name".to_owned()
    } else if name.len() > BRIDGE_NAME_LIMIT {
        format!("{} characters; Linux takes {BRIDGE_NAME_LIMIT}", name.len())
    } else if let Some(letter) = name.chars().find(|letter| !usual(*letter)) {
        format!("`{}` cannot be in it", letter.escape_debug())
    } else if name.chars().all(|letter| letter == '.') {
        "dots alone are no name".to_owned()
    } else {
        return;
    };
    found.push(
        Diagnostic::error(code::INVALID_NAME, "not a usable name of a bridge")
            .at(bridge.span, reason)
            .help(format!(
                "letters, digits, `-`, `_` and `.`, at most {BRIDGE_NAME_LIMIT}"
            )),
    );
}

fn check_subnet(subnet: &Spanned<Ipv4Net>, found: &mut Diagnostics) {
    let (shortest, longest) = (PREFIX_LENGTHS.start(), PREFIX_LENGTHS.end());
    if !PREFIX_LENGTHS.contains(&subnet.prefix_len()) {
        found.push(
            Diagnostic::error(
                code::VALUE_RANGE,
                format!("`{}` cannot be a management network", subnet.value),
            )
            .at(subnet.span, format!("expected /{shortest} to /{longest}"))
            .help("leave `ipv4-subnet` out, and a free one is chosen"),
        );
    }
}

fn check_ipv6_subnet(subnet: &Spanned<Ipv6Net>, found: &mut Diagnostics) {
    let (shortest, longest) = (IPV6_PREFIX_LENGTHS.start(), IPV6_PREFIX_LENGTHS.end());
    let network = subnet.network();
    if !IPV6_PREFIX_LENGTHS.contains(&subnet.prefix_len()) {
        found.push(
            Diagnostic::error(
                code::VALUE_RANGE,
                format!("`{}` cannot be a management network", subnet.value),
            )
            .at(subnet.span, format!("expected /{shortest} to /{longest}"))
            .help("use a /64, such as `fd00:10::/64`"),
        );
    } else if network.is_unspecified()
        || network.is_loopback()
        || network.is_multicast()
        || network.is_unicast_link_local()
    {
        found.push(
            Diagnostic::error(
                code::INVALID_ADDRESS,
                format!("`{}` cannot be a management network", subnet.value),
            )
            .at(subnet.span, "not a network of addresses for hosts")
            .help("use a private network, such as `fd00:10::/64` (RFC 4193)"),
        );
    }
}
