//! The blueprint's words for a wire and the wire's own, each from the other.

use std::collections::BTreeMap;
use vnflab_model::blueprint::{Junction, JunctionKind, JunctionState, WireBlueprint, WireEnd};
use vnflab_wire::shard::Spin;
use vnflab_wire::{Config, EndConfig, JunctionConfig, LinkState};

/// What a wire shall be, in its own words.
pub(super) fn config(wire: &WireBlueprint) -> Config {
    let ends = wire.ends.iter();
    let junctions = wire.junctions.iter();
    Config {
        seed: wire.seed,
        spin: Spin {
            after_frames_us: 0,
            before_due_us: Spin::TIMELY_US,
        },
        ends: ends
            .map(|(name, end)| (name.clone(), end_config(end)))
            .collect(),
        junctions: junctions
            .map(|(name, junction)| (name.clone(), junction_config(junction)))
            .collect(),
        ..Config::default()
    }
}

/// What a wire is, in the blueprint's words.
pub(super) fn blueprint(lab: &str, config: &Config) -> WireBlueprint {
    let mut wire = WireBlueprint::new(lab, config.seed);
    let ends = config.ends.iter();
    wire.ends = ends
        .filter_map(|(name, end)| Some((name.clone(), wire_end(end)?)))
        .collect();
    let junctions = config.junctions.iter();
    wire.junctions = junctions
        .filter_map(|(name, junction)| Some((name.clone(), wire_junction(junction)?)))
        .collect();
    wire
}

fn end_config(end: &WireEnd) -> EndConfig {
    match end {
        WireEnd::Tunnel { local, remote } => EndConfig::Udp {
            local: *local,
            remote: *remote,
        },
    }
}

fn wire_end(end: &EndConfig) -> Option<WireEnd> {
    match end {
        EndConfig::Udp { local, remote } => Some(WireEnd::Tunnel {
            local: *local,
            remote: *remote,
        }),
        EndConfig::Tap { .. } | EndConfig::Host { .. } => None,
    }
}

fn junction_config(junction: &Junction) -> JunctionConfig {
    JunctionConfig {
        kind: match junction.kind {
            JunctionKind::Link => vnflab_wire::JunctionKind::Link,
        },
        members: junction.members.clone(),
        state: match junction.state {
            JunctionState::Up => LinkState::Up,
            JunctionState::Down => LinkState::Down,
        },
        impairments: BTreeMap::new(),
    }
}

fn wire_junction(junction: &JunctionConfig) -> Option<Junction> {
    Some(Junction {
        kind: match junction.kind {
            vnflab_wire::JunctionKind::Link => JunctionKind::Link,
            _ => return None,
        },
        members: junction.members.clone(),
        state: match junction.state {
            LinkState::Up => JunctionState::Up,
            LinkState::Down => JunctionState::Down,
        },
    })
}
