//! Which interfaces are joined, from the ports that cross.
//!
//! Two ends are a link when each sends to the port that the other has bound. An end whose remote
//! port is nobody's local port, or whose owner sends elsewhere, is half open; both ends are
//! shown.

use super::Written;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::kind::Catalogue;
use crate::span::{Span, Spanned};
use crate::spec::{EndSpec, LinkSpec, TunnelSpec};
use std::collections::{HashMap, HashSet};

/// An interface: positions of its node and of its tunnel.
type Place = (usize, usize);

/// The links among the enabled nodes; reports half-open pairs.
pub(super) fn links(
    written: &[Written],
    catalogue: &Catalogue,
    found: &mut Diagnostics,
) -> Vec<LinkSpec> {
    let mut by_local: HashMap<u16, Vec<Place>> = HashMap::new();
    let mut by_remote: HashMap<u16, Vec<Place>> = HashMap::new();
    for (node, tunnel, spec) in tunnels(written) {
        let place = (node, tunnel);
        if !spec.is_idle() {
            by_local
                .entry(spec.local_port.value)
                .or_default()
                .push(place);
        }
        by_remote
            .entry(spec.remote_port.value)
            .or_default()
            .push(place);
    }
    let pairing = Pairing {
        written,
        by_local,
        by_remote,
    };
    let mut links = Vec::new();
    let mut joined: HashSet<Place> = HashSet::new();
    for (node, tunnel, spec) in tunnels(written) {
        let own = (node, tunnel);
        if spec.is_idle() || !written[node].enabled || joined.contains(&own) {
            continue;
        }
        match pairing.peer(own, spec) {
            Ok(peer) => {
                if joined.contains(&peer) {
                    // Another interface is bound to the same port; that is told as such.
                    continue;
                }
                joined.extend([own, peer]);
                links.push(LinkSpec {
                    ends: [own, peer].map(|place| pairing.end(place, catalogue)),
                    mtu: None,
                    span: spec.remote_port.span,
                });
            }
            Err(mistake) => found.push(*mistake),
        }
    }
    links
}

fn tunnels(written: &[Written]) -> impl Iterator<Item = (usize, usize, &TunnelSpec)> {
    written.iter().enumerate().flat_map(|(node, file)| {
        let tunnels = file.spec.tunnels.iter().enumerate();
        tunnels.map(move |(tunnel, spec)| (node, tunnel, &spec.value))
    })
}

struct Pairing<'a> {
    written: &'a [Written],
    by_local: HashMap<u16, Vec<Place>>,
    by_remote: HashMap<u16, Vec<Place>>,
}

impl Pairing<'_> {
    fn tunnel(&self, (node, tunnel): Place) -> &TunnelSpec {
        &self.written[node].spec.tunnels[tunnel]
    }

    fn name(&self, (node, _): Place) -> &str {
        &self.written[node].spec.name
    }

    fn is_enabled(&self, (node, _): Place) -> bool {
        self.written[node].enabled
    }

    /// The interface at the other end, which sends here.
    fn peer(&self, own: Place, spec: &TunnelSpec) -> Result<Place, Box<Diagnostic>> {
        let (remote, local) = (spec.remote_port.value, spec.local_port.value);
        let owners: &[Place] = self.by_local.get(&remote).map_or(&[], Vec::as_slice);
        let points_back = |place: &&Place| self.tunnel(**place).remote_port.value == local;
        let enabled = |place: &&Place| self.is_enabled(**place);
        if let Some(peer) = owners.iter().filter(enabled).find(points_back) {
            return Ok(*peer);
        }
        let name = self.name(own);
        let span = spec.remote_port.span;
        let half_open = |message: String, label: String| {
            Diagnostic::error(code::HALF_OPEN, message).at(span, label)
        };
        if let Some(owner) = owners.iter().find(enabled) {
            let other = self.tunnel(*owner);
            let sends = other.remote_port.value;
            let peer = self.name(*owner);
            let mistake = half_open(
                format!("half-open pair: `{name}` sends to `{peer}`, which sends elsewhere"),
                format!("sends to port {remote}, bound by `{peer}`"),
            );
            return Err(Box::new(
                mistake
                    .and_at(
                        other.remote_port.span,
                        format!("`{peer}` sends to port {sends}, not back to {local}"),
                    )
                    .help(format!(
                        "cross the ports: each end's `s_port` is the other's `d_port`; here `s_port: {local}` in `{peer}`"
                    )),
            ));
        }
        if let Some(owner) = owners.first() {
            let peer = self.name(*owner);
            let mistake = half_open(
                format!("half-open pair: `{name}` sends to `{peer}`, which is not enabled"),
                format!("sends to port {remote}"),
            );
            return Err(Box::new(
                mistake
                    .and_at(
                        self.tunnel(*owner).local_port.span,
                        "bound here, but the node is not enabled",
                    )
                    .help(format!(
                        "enable `{peer}`, or write `d_port: {}` here, which says \"not connected\"",
                        TunnelSpec::IDLE_LOCAL_PORT
                    )),
            ));
        }
        let message =
            format!("half-open pair: `{name}` sends to port {remote}, which nobody has bound");
        let mut mistake = half_open(message, "nobody's `d_port`".to_owned());
        let senders: &[Place] = self.by_remote.get(&local).map_or(&[], Vec::as_slice);
        if let Some(sender) = senders
            .iter()
            .find(|place| **place != own && self.is_enabled(**place))
        {
            let (other, bound): (_, Span) = {
                let tunnel = self.tunnel(*sender);
                (tunnel.local_port.value, tunnel.local_port.span)
            };
            let peer = self.name(*sender);
            mistake = mistake
                .and_at(
                    bound,
                    format!("`{peer}` sends here, but has bound port {other}"),
                )
                .help(format!(
                    "cross the ports: here `s_port: {other}`, or `d_port: {remote}` in `{peer}`"
                ));
        }
        Err(Box::new(mistake.help(format!(
            "`d_port: {}` says \"not connected\"",
            TunnelSpec::IDLE_LOCAL_PORT
        ))))
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
