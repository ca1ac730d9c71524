//! Fixed ports of tunnels: bound twice, or taken on this host.

use super::Rule;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::lab::Lab;
use crate::span::Span;
use crate::spec::TunnelSpec;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};

pub(super) const RULE: Rule = Rule {
    title: "UDP ports that are bound twice or taken",
    check,
};

fn check(lab: &Lab, facts: &Facts, found: &mut Diagnostics) {
    let mut first: HashMap<u16, (&str, Span)> = HashMap::new();
    for node in &lab.nodes {
        let name = node.name.as_str();
        for tunnel in node.interfaces.iter().filter_map(|one| one.tunnel) {
            let port = tunnel.local_port;
            // Any number of interfaces may say "not connected": no frames are awaited there.
            if port == TunnelSpec::IDLE_LOCAL_PORT {
                continue;
            }
            if let Some((other, place)) = first.get(&port) {
                found.push(
                    Diagnostic::error(
                        code::DUPLICATE_UDP_PORT,
                        format!("UDP port {port} is bound by two interfaces"),
                    )
                    .at(tunnel.span, format!("bound by `{name}` too"))
                    .and_at(*place, format!("bound by `{other}` first"))
                    .help("give each interface a local port of its own, and the other end the same number as its remote port"),
                );
                continue;
            }
            first.insert(port, (name, tunnel.span));
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if Facts::is_taken(&facts.udp_taken, address) {
                found.push(
                    Diagnostic::error(
                        code::PORT_TAKEN,
                        format!("UDP port {port} is taken on this host"),
                    )
                    .at(tunnel.span, format!("{} has it", facts.holder(address)))
                    .help(format!(
                        "`ss -lunp 'sport = :{port}'` shows who has it; stop it or use another port"
                    )),
                );
            }
        }
    }
}
