//! Console ports: given twice, taken on this host, or open to everybody.

use super::Rule;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::lab::Lab;
use crate::span::Span;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(super) const RULE: Rule = Rule {
    title: "console ports that clash, are taken, or are open to everybody",
    check,
};

fn check(lab: &Lab, facts: &Facts, found: &mut Diagnostics) {
    open(lab, found);
    // A fixed port listens on the address of all consoles, else on 127.0.0.1.
    let address = lab
        .console_address
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let mut first: HashMap<u16, (&str, Span)> = HashMap::new();
    for node in &lab.nodes {
        let Some((port, span)) = node.console_port else {
            continue;
        };
        let name = node.name.as_str();
        if let Some((other, place)) = first.get(&port) {
            found.push(
                Diagnostic::error(
                    code::DUPLICATE_CONSOLE,
                    format!("the consoles of `{other}` and `{name}` listen on one port"),
                )
                .at(span, format!("{port} again"))
                .and_at(*place, format!("`{other}` has it first"))
                .help("give each console a port of its own, or leave it out: then one is chosen"),
            );
            continue;
        }
        first.insert(port, (name, span));
        let listen = SocketAddr::new(address, port);
        if Facts::is_taken(&facts.tcp_taken, listen) {
            found.push(
                Diagnostic::error(
                    code::PORT_TAKEN,
                    format!("TCP port {port} is taken on this host"),
                )
                .at(span, format!("{} listens here", facts.holder(listen)))
                .help(format!(
                    "`ss -ltnp 'sport = :{port}'` shows who has it; stop it or use another port"
                )),
            );
        }
    }
}

fn open(lab: &Lab, found: &mut Diagnostics) {
    let Some(address) = lab.console_address.filter(|address| !address.is_loopback()) else {
        return;
    };
    found.push(
        Diagnostic::warning(
            code::CONSOLE_OPEN,
            format!("the consoles listen on {address}, without a password"),
        )
        .at(lab.console_span.unwrap_or(lab.name_span), "beyond loopback")
        .help("whoever reaches this host reaches the consoles; `127.0.0.1` keeps them to it"),
    );
}
