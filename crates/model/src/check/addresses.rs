//! Addresses that clash or do not fit their network.

use super::Rule;
use crate::allocate::ipv6;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::lab::{Interface, Lab, Link, Node};
use crate::span::Span;
use ipnet::{IpNet, Ipv4Net};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

pub(super) const RULE: Rule = Rule {
    title: "addresses that clash or do not fit their network",
    check,
};

fn check(lab: &Lab, _: &Facts, found: &mut Diagnostics) {
    interfaces(lab, found);
    for link in &lab.links {
        ends(lab, link, found);
    }
    management(lab, found);
}

fn spanned<'a>(
    node: &'a Node,
    interface: &'a Interface,
) -> impl Iterator<Item = (IpNet, Span)> + 'a {
    let spans = interface.address_spans.iter().copied();
    let spans = spans.chain(std::iter::repeat(node.span));
    interface.addresses.iter().copied().zip(spans)
}

fn interfaces(lab: &Lab, found: &mut Diagnostics) {
    let mut first: HashMap<IpAddr, (&str, Span)> = HashMap::new();
    for node in &lab.nodes {
        let name = node.name.as_str();
        let addresses = node.interfaces.iter().flat_map(|one| spanned(node, one));
        for (net, span) in addresses {
            if let Some(reason) = unusable(net) {
                found.push(
                    Diagnostic::error(
                        code::INVALID_ADDRESS,
                        format!("`{net}` cannot be the address of an interface"),
                    )
                    .at(span, reason)
                    .help("use an address of a host in the network"),
                );
            }
            // An address that never leaves its link may be used on many.
            if matches!(net.addr(), IpAddr::V6(address) if address.is_unicast_link_local()) {
                continue;
            }
            let Some((other, place)) = first.get(&net.addr()) else {
                first.insert(net.addr(), (name, span));
                continue;
            };
            found.push(
                Diagnostic::error(
                    code::DUPLICATE_ADDRESS,
                    format!("the address {} is given twice", net.addr()),
                )
                .at(span, format!("given to `{name}`"))
                .and_at(*place, format!("given to `{other}` first"))
                .help("change one of the two; what is meant to be equal belongs into a startup-config"),
            );
        }
    }
}

/// Why no interface can have this address, if none can.
fn unusable(net: IpNet) -> Option<&'static str> {
    let address = net.addr();
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() {
        return Some("not an address of a host");
    }
    match net {
        // Networks of one or two addresses have no address for the network (RFC 3021).
        IpNet::V4(net) if net.prefix_len() < 31 => host_part(net, net.addr()),
        IpNet::V4(_) | IpNet::V6(_) => None,
    }
}

fn host_part(net: Ipv4Net, address: Ipv4Addr) -> Option<&'static str> {
    match address {
        address if address == net.network() => Some("this is the network itself"),
        address if address == net.broadcast() => Some("this is the broadcast address"),
        _ => None,
    }
}

/// Warns where both ends of a link have addresses of a family and none of them share a network.
fn ends(lab: &Lab, link: &Link, found: &mut Diagnostics) {
    let [left, right] = link.ends.map(|end| {
        let (node, interface) = (&lab.nodes[end.node], lab.interface(end));
        spanned(node, interface).collect::<Vec<_>>()
    });
    for v4 in [true, false] {
        let of_family = |ends: &[(IpNet, Span)]| -> Vec<(IpNet, Span)> {
            let same = |net: &IpNet| matches!(net, IpNet::V4(_)) == v4;
            ends.iter().copied().filter(|(net, _)| same(net)).collect()
        };
        let (left, right) = (of_family(&left), of_family(&right));
        let (Some((one, place)), Some((other, span))) = (left.first(), right.first()) else {
            continue;
        };
        let meet = left
            .iter()
            .any(|(one, _)| right.iter().any(|(other, _)| one.trunc() == other.trunc()));
        if meet {
            continue;
        }
        found.push(
            Diagnostic::warning(
                code::INVALID_ADDRESS,
                "the ends of a link are in different networks".to_owned(),
            )
            .at(*span, format!("in {}", other.trunc()))
            .and_at(*place, format!("in {}", one.trunc()))
            .help("give both ends addresses of one network, with the same prefix length"),
        );
    }
}

fn management(lab: &Lab, found: &mut Diagnostics) {
    let by_bridge: HashMap<&str, Ipv4Net> = lab
        .management
        .networks
        .iter()
        .map(|network| (network.bridge.as_str(), network.ipv4_subnet))
        .collect();
    let mut first: HashMap<IpAddr, (&str, Span)> = HashMap::new();
    for node in &lab.nodes {
        let subnet = match &node.management_bridge {
            Some(bridge) => by_bridge.get(bridge.as_str()).copied(),
            None => lab.management.ipv4_subnet,
        };
        let ipv6_subnet = lab.management.ipv6_subnet;
        // A bridge of the node's own has no subnet; the lab's, named again, is the lab's.
        let own = node.management_bridge.as_ref();
        let is_on_labs = own.is_none() || own == lab.management.bridge.as_ref();
        let ipv6_subnet = ipv6_subnet.filter(|_| is_on_labs);
        let ipv4 = (
            node.management_ipv4.map(IpAddr::V4),
            node.management_ipv4_span,
        );
        let ipv6 = (
            node.management_ipv6.map(IpAddr::V6),
            node.management_ipv6_span,
        );
        for ((address, span), subnet) in [
            (ipv4, subnet.map(IpNet::V4)),
            (ipv6, ipv6_subnet.map(IpNet::V6)),
        ] {
            let Some(address) = address else { continue };
            let span = span.unwrap_or(node.span);
            managed(node, address, span, subnet, &mut first, found);
        }
    }
}

fn managed<'a>(
    node: &'a Node,
    address: IpAddr,
    span: Span,
    subnet: Option<IpNet>,
    first: &mut HashMap<IpAddr, (&'a str, Span)>,
    found: &mut Diagnostics,
) {
    let name = node.name.as_str();
    match first.get(&address) {
        None => {
            first.insert(address, (name, span));
        }
        Some((other, place)) => found.push(
            Diagnostic::error(
                code::DUPLICATE_ADDRESS,
                format!("the management address {address} is given twice"),
            )
            .at(span, format!("given to `{name}` too"))
            .and_at(*place, format!("given to `{other}` first"))
            .help("change one of the two, or leave it out: then one is chosen"),
        ),
    }
    if let Some((subnet, reason)) = subnet.and_then(|net| Some((net, misfit(net, address)?))) {
        found.push(
            Diagnostic::error(
                code::INVALID_ADDRESS,
                format!("the management address {address} does not fit {subnet}"),
            )
            .at(span, reason)
            .help(format!(
                "use an address of a host in {subnet}; the first one is the gateway"
            )),
        );
    }
}

fn misfit(subnet: IpNet, address: IpAddr) -> Option<&'static str> {
    if !subnet.contains(&address) {
        return Some("not in the management subnet");
    }
    match (subnet, address) {
        (IpNet::V4(subnet), IpAddr::V4(address)) => {
            let gateway = u32::from(subnet.network()).checked_add(1);
            match gateway.map(Ipv4Addr::from) == Some(address) {
                true => Some("this is the gateway"),
                false => host_part(subnet, address),
            }
        }
        (IpNet::V6(subnet), IpAddr::V6(address)) => match address {
            // The address of all routers of a subnet (RFC 4291, section 2.6.1).
            address if address == subnet.network() => Some("this is the network itself"),
            address if address == ipv6::gateway(subnet) => Some("this is the gateway"),
            _ => None,
        },
        (IpNet::V4(_), IpAddr::V6(_)) | (IpNet::V6(_), IpAddr::V4(_)) => None,
    }
}
