//! Ends that are not in the lab: `host:eth1`, `tap:lab0`, `udp:192.0.2.1:4789`.

use crate::blueprint::WireEnd;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::format::shown;
use crate::lab::Member;
use crate::span::Spanned;
use crate::spec::{EndSpec, NodeSpec};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What stands before the colon of such an end, and what has to follow it.
const WORDS: [(&str, &str); 3] = [
    ("host", "host:eth1"),
    ("tap", "tap:lab0"),
    ("udp", "udp:192.0.2.1:4789"),
];

/// Longest name of a network interface on Linux, in bytes (`IFNAMSIZ` less the final NUL).
const DEVICE_NAME_LIMIT: usize = 15;

/// Whether an end is not in the lab.
pub(super) fn is_outside(end: &EndSpec) -> bool {
    is_word(&end.node)
}

fn is_word(name: &str) -> bool {
    WORDS
        .iter()
        .any(|(word, _)| word.eq_ignore_ascii_case(name))
}

/// Refuses nodes that are named like what is not in the lab: links could not tell them apart.
pub(super) fn check_names(nodes: &[NodeSpec], found: &mut Diagnostics) {
    for node in nodes.iter().filter(|node| is_word(&node.name)) {
        let name = shown(&node.name);
        found.push(
            Diagnostic::error(
                code::RESERVED_NAME,
                format!("a node cannot be named `{name}`"),
            )
            .at(node.name.span, "means an end outside of the lab")
            .help(format!("name it otherwise, such as `{name}1`")),
        );
    }
}

/// The member that an end outside of the lab is.
pub(super) fn resolve(end: &EndSpec, found: &mut Diagnostics) -> Option<Member> {
    let word = end.node.to_lowercase();
    let what = &end.interface;
    let resolved = match word.as_str() {
        "udp" => udp(what),
        "tap" => device(what).map(|device| WireEnd::Tap { device }),
        _ => device(what).map(|interface| WireEnd::Host { interface }),
    };
    let resolved = match resolved {
        Ok(resolved) => resolved,
        Err(reason) => {
            let example = WORDS.iter().find(|(known, _)| *known == word);
            let example = example.map_or(WORDS[0].1, |(_, example)| *example);
            let text = format!("`{}:{}` is not an end", shown(&word), shown(what));
            found.push(
                Diagnostic::error(code::INVALID_END, text)
                    .at(what.span, reason)
                    .help(format!("write it as in `{example}`")),
            );
            return None;
        }
    };
    let addresses = end.addresses.first().map(|address| address.span);
    if let Some(span) = addresses.or(end.mac.as_ref().map(|mac| mac.span)) {
        found.push(
            Diagnostic::error(
                code::INVALID_END,
                format!("`{}:{}` has its own addresses", word, shown(what)),
            )
            .at(span, "not the lab's to give")
            .help("remove it"),
        );
    }
    Some(Member::Outside {
        name: format!("{word}:{}", what.value),
        end: resolved,
    })
}

fn device(name: &Spanned<String>) -> Result<String, String> {
    let usual = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let name = name.as_str();
    if name.is_empty() || name.len() > DEVICE_NAME_LIMIT {
        return Err(format!(
            "an interface's name has 1 to {DEVICE_NAME_LIMIT} characters"
        ));
    }
    match name.chars().find(|letter| !usual(*letter)) {
        Some(letter) => Err(format!("`{}` cannot be in it", letter.escape_debug())),
        None if name.chars().all(|letter| letter == '.') => {
            Err("dots alone are no name".to_owned())
        }
        None => Ok(name.to_owned()),
    }
}

/// `ADDRESS:PORT`, bound to the same port here, or `ADDRESS:PORT@LOCAL-PORT`.
fn udp(text: &Spanned<String>) -> Result<WireEnd, String> {
    let (remote, local_port) = match text.split_once('@') {
        Some((remote, port)) => (remote, Some(port)),
        None => (text.as_str(), None),
    };
    let port_of = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0);
    let remote: SocketAddr = remote
        .parse()
        .map_err(|_| "not an address and a port".to_owned())?;
    let local_port = match local_port {
        Some(port) => port_of(port).ok_or_else(|| "no local port".to_owned())?,
        None => remote.port(),
    };
    if remote.port() == 0 || remote.ip().is_unspecified() || remote.ip().is_multicast() {
        return Err("not an address that frames can be sent to".to_owned());
    }
    let everywhere: IpAddr = match remote {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    Ok(WireEnd::Udp {
        local: SocketAddr::new(everywhere, local_port),
        remote,
    })
}
