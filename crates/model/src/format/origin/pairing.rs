//! Which interfaces are joined, from the ports that cross.
//!
//! Two ends are a link when each sends to the port that the other has bound. An end whose remote
//! port is nobody's local port, or whose owner sends elsewhere, is half open; both ends are
//! shown.

use super::Written;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::kind::Catalogue;
use crate::span::Spanned;
use crate::spec::{AskedSpec, EndSpec, LinkSpec, TunnelSpec};
use std::collections::{HashMap, HashSet};

/// An interface: positions of its node and of its tunnel.
type Place = (usize, usize);

/// How many interfaces are remembered for one port. More than one is a mistake already.
const OWNER_LIMIT: usize = 8;

/// The links among the enabled nodes; reports half-open pairs. With `unread` files a port that
/// nobody has bound may be in one of them, and is not reported.
pub(super) fn links(
    written: &[Written],
    unread: usize,
    catalogue: &Catalogue,
    found: &mut Diagnostics,
) -> Vec<LinkSpec> {
    let pairing = Pairing::new(written);
    let mut links = Vec::new();
    let mut done: HashSet<Place> = HashSet::new();
    for (node, tunnel, spec) in tunnels(written) {
        let own = (node, tunnel);
        if spec.is_idle() || !written[node].enabled || done.contains(&own) {
            continue;
        }
        match pairing.peer(own, spec) {
            Peer::Joined(peer) if peer == own => {
                found.push(self_link(&written[node], spec));
            }
            // Another interface is bound to the same port; a rule tells that.
            Peer::Joined(peer) if done.contains(&peer) => {}
            Peer::Joined(peer) => {
                done.insert(peer);
                links.push(LinkSpec {
                    ends: [own, peer].map(|place| pairing.end(place, catalogue)),
                    transport: None,
                    asked: AskedSpec::default(),
                    mtu: None,
                    span: spec.remote_port.span,
                });
            }
            Peer::SendsElsewhere(owner) => {
                found.push(pairing.sends_elsewhere(own, owner));
                done.insert(owner);
            }
            Peer::Disabled(owner) => found.push(pairing.disabled(own, owner)),
            Peer::Nobody if unread > 0 => {}
            Peer::Nobody => {
                let sender = pairing.sender(own, spec);
                found.push(pairing.nobody(own, sender));
                done.extend(sender);
            }
        }
        done.insert(own);
    }
    links
}

/// What is at the other end.
enum Peer {
    /// An interface that sends back.
    Joined(Place),
    /// An interface that sends to another port.
    SendsElsewhere(Place),
    /// An interface of a node that is not enabled.
    Disabled(Place),
    /// None: the port is not bound.
    Nobody,
}

fn self_link(node: &Written, spec: &TunnelSpec) -> Diagnostic {
    let name = &node.spec.name.value;
    Diagnostic::error(
        code::SELF_LINK,
        format!("an interface of `{name}` sends to itself"),
    )
    .at(spec.remote_port.span, "sent to this port")
    .and_at(spec.local_port.span, "which the interface has bound itself")
    .help("give the two ends of a link different ports")
}

fn tunnels(written: &[Written]) -> impl Iterator<Item = (usize, usize, &TunnelSpec)> {
    written.iter().enumerate().flat_map(|(node, file)| {
        let tunnels = file.spec.tunnels.iter().enumerate();
        tunnels.map(move |(tunnel, spec)| (node, tunnel, &spec.value))
    })
}

/// What the user can write instead of a connection.
const NOT_CONNECTED: &str = "write `d_port: 10000` here, which says \"not connected\"";

fn half_open(what: String) -> Diagnostic {
    Diagnostic::error(code::HALF_OPEN, format!("half-open pair: {what}"))
}

fn places(by_port: &HashMap<u16, Vec<Place>>, port: u16) -> &[Place] {
    by_port.get(&port).map_or(&[], Vec::as_slice)
}

struct Pairing<'a> {
    written: &'a [Written],
    by_local: HashMap<u16, Vec<Place>>,
    by_remote: HashMap<u16, Vec<Place>>,
}

impl<'a> Pairing<'a> {
    fn new(written: &'a [Written]) -> Self {
        let mut by_local: HashMap<u16, Vec<Place>> = HashMap::new();
        let mut by_remote: HashMap<u16, Vec<Place>> = HashMap::new();
        let add = |ports: &mut HashMap<u16, Vec<Place>>, port: u16, place: Place| {
            let places = ports.entry(port).or_default();
            if places.len() < OWNER_LIMIT {
                places.push(place);
            }
        };
        for (node, tunnel, spec) in tunnels(written) {
            let place = (node, tunnel);
            if !spec.is_idle() {
                add(&mut by_local, spec.local_port.value, place);
            }
            add(&mut by_remote, spec.remote_port.value, place);
        }
        Self {
            written,
            by_local,
            by_remote,
        }
    }

    fn tunnel(&self, (node, tunnel): Place) -> &TunnelSpec {
        &self.written[node].spec.tunnels[tunnel]
    }

    fn name(&self, (node, _): Place) -> &str {
        &self.written[node].spec.name
    }

    fn is_enabled(&self, (node, _): Place) -> bool {
        self.written[node].enabled
    }

    fn peer(&self, own: Place, spec: &TunnelSpec) -> Peer {
        let owners = places(&self.by_local, spec.remote_port.value);
        let local = spec.local_port.value;
        let enabled = || owners.iter().filter(|place| self.is_enabled(**place));
        let sends_back = |place: &&Place| self.tunnel(**place).remote_port.value == local;
        // Itself only if there is nobody else.
        let joined = enabled().filter(|place| **place != own).find(sends_back);
        match joined.or_else(|| enabled().find(sends_back)) {
            Some(peer) => Peer::Joined(*peer),
            None => match (enabled().next(), owners.first()) {
                (Some(owner), _) => Peer::SendsElsewhere(*owner),
                (None, Some(owner)) => Peer::Disabled(*owner),
                (None, None) => Peer::Nobody,
            },
        }
    }

    /// An interface that sends to this one, whether or not it listens.
    fn sender(&self, own: Place, spec: &TunnelSpec) -> Option<Place> {
        places(&self.by_remote, spec.local_port.value)
            .iter()
            .copied()
            .find(|place| *place != own && self.is_enabled(*place))
    }

    fn sends_elsewhere(&self, own: Place, owner: Place) -> Diagnostic {
        let (spec, other) = (self.tunnel(own), self.tunnel(owner));
        let (name, peer) = (self.name(own), self.name(owner));
        let (remote, local) = (spec.remote_port.value, spec.local_port.value);
        let elsewhere = other.remote_port.value;
        half_open(format!("`{name}` sends to `{peer}`, which sends elsewhere"))
            .at(
                spec.remote_port.span,
                format!("sends to port {remote}, bound by `{peer}`"),
            )
            .and_at(
                other.remote_port.span,
                format!("`{peer}` sends to port {elsewhere}, not back to {local}"),
            )
            .help(format!(
                "each end's `s_port` is the other's `d_port`: write `s_port: {local}` in `{peer}`"
            ))
    }

    fn disabled(&self, own: Place, owner: Place) -> Diagnostic {
        let spec = self.tunnel(own);
        let (name, peer) = (self.name(own), self.name(owner));
        half_open(format!("`{name}` sends to `{peer}`, which is not enabled"))
            .at(
                spec.remote_port.span,
                format!("sends to port {}", spec.remote_port.value),
            )
            .and_at(
                self.tunnel(owner).local_port.span,
                "bound here, but the node is not enabled",
            )
            .help(format!("enable `{peer}`, or {NOT_CONNECTED}"))
    }

    fn nobody(&self, own: Place, sender: Option<Place>) -> Diagnostic {
        let spec = self.tunnel(own);
        let name = self.name(own);
        let remote = spec.remote_port.value;
        let diagnostic = half_open(format!(
            "`{name}` sends to port {remote}, which nobody has bound"
        ))
        .at(spec.remote_port.span, "nobody's `d_port`");
        let Some(sender) = sender else {
            return diagnostic.help(format!(
                "give the other end `d_port: {remote}`, or {NOT_CONNECTED}"
            ));
        };
        let (other, peer) = (self.tunnel(sender), self.name(sender));
        let bound = other.local_port.value;
        let label = format!("`{peer}` sends here, but has bound port {bound}");
        let diagnostic = diagnostic.and_at(other.local_port.span, label);
        match other.is_idle() {
            true => diagnostic.help(format!("write `d_port: {remote}` in `{peer}`")),
            false => diagnostic.help(format!(
                "write `s_port: {bound}` here, or `d_port: {remote}` in `{peer}`"
            )),
        }
    }

    fn end(&self, place: Place, catalogue: &Catalogue) -> EndSpec {
        let (node, tunnel) = place;
        let spec = &self.written[node].spec;
        let span = self.tunnel(place).remote_port.span;
        let index = u32::try_from(tunnel).unwrap_or(u32::MAX).saturating_add(1);
        let interface = match catalogue.find(&spec.kind) {
            Some(kind) => kind.interfaces.name(index),
            None => format!("eth{index}"),
        };
        EndSpec {
            node: Spanned::new(spec.name.value.clone(), span),
            interface: Spanned::new(interface, span),
            addresses: Vec::new(),
            mac: None,
        }
    }
}
