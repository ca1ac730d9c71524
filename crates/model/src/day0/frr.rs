//! A sensible frr.conf where the lab gives none: a loopback, and OSPF on all linked interfaces.
//!
//! The links' addresses themselves are in the network configuration of the medium, together
//! with those of guests that run no routing daemon.

use super::Day0Request;
use crate::blueprint::NicRole;
use ipnet::IpNet;
use std::fmt::{self, Write as _};

/// Seconds between OSPF hellos. The protocol's ten are for wide areas; a lab should be up at
/// once, and still not lose a neighbour to a moment of load.
const HELLO_SECONDS: u32 = 2;

/// Seconds without a hello after which a neighbour is gone.
const DEAD_SECONDS: u32 = 12;

pub(super) fn config(request: &Day0Request<'_>) -> String {
    let mut text = String::new();
    let mut line = |line: fmt::Arguments<'_>| {
        writeln!(text, "{line}").expect("writing to a string does not fail");
    };
    let loopback = request.loopback;
    line(format_args!("frr defaults datacenter"));
    line(format_args!("hostname {}", request.node.hostname));
    line(format_args!("service integrated-vtysh-config"));
    line(format_args!("!"));
    line(format_args!("interface lo"));
    line(format_args!(" ip address {loopback}/32"));
    line(format_args!(" ip ospf area 0"));
    line(format_args!("!"));
    for nic in request.nics {
        let NicRole::Data { index } = nic.role else {
            continue;
        };
        let Some(peer) = nic.joined_to() else {
            continue;
        };
        line(format_args!("interface eth{index}"));
        line(format_args!(" description {} to {peer}", nic.name));
        let first = nic
            .addresses
            .iter()
            .find_map(|address| match address.parse::<IpNet>() {
                Ok(IpNet::V4(address)) => Some(address),
                _ => None,
            });
        if let Some(address) = first {
            line(format_args!(" ip ospf area 0"));
            line(format_args!(" ip ospf hello-interval {HELLO_SECONDS}"));
            line(format_args!(" ip ospf dead-interval {DEAD_SECONDS}"));
            if address.prefix_len() >= 30 {
                line(format_args!(" ip ospf network point-to-point"));
            }
        }
        line(format_args!("!"));
    }
    line(format_args!("router ospf"));
    line(format_args!(" ospf router-id {loopback}"));
    line(format_args!("!"));
    text
}
