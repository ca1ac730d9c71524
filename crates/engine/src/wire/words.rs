//! The blueprint's words for a wire and the wire's own, each from the other.

use std::collections::BTreeSet;
use vnflab_model::blueprint::{Junction, JunctionKind, JunctionState, WireBlueprint, WireEnd};
use vnflab_wire::control::protocol::Status;
use vnflab_wire::shard::Spin;
use vnflab_wire::{Config, EndConfig, JunctionConfig, LinkState};

/// What a wire shall be, in its own words.
pub(crate) fn config(wire: &WireBlueprint) -> Config {
    let ends = wire.ends.iter();
    let junctions = wire.junctions.iter();
    Config {
        seed: wire.seed,
        spin: Spin {
            after_frames_us: Spin::QUICK_US,
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
        .map(|(name, end)| (name.clone(), wire_end(name, end)))
        .collect();
    let junctions = config.junctions.iter();
    wire.junctions = junctions
        .map(|(name, junction)| (name.clone(), wire_junction(junction)))
        .collect();
    wire
}

/// Whether anything changes by itself with time.
pub(super) fn has_schedules(config: &Config) -> bool {
    let junctions = config.junctions.values();
    let mut asked = junctions.flat_map(|junction| junction.impairments.values());
    asked.any(|impairment| !impairment.schedule.is_empty())
}

/// The ends whose frames do not pass now by a schedule: their links are up.
pub(super) fn cut(config: &Config, status: &Status) -> BTreeSet<String> {
    let junctions = config.junctions.values();
    let up = junctions.filter(|junction| junction.state == LinkState::Up);
    let is_cut = |end: &&String| {
        let status = status.ends.get(*end);
        status.is_some_and(|status| status.state == LinkState::Down)
    };
    let members = up.flat_map(|junction| &junction.members);
    members.filter(is_cut).cloned().collect()
}

fn end_config(end: &WireEnd) -> EndConfig {
    match end {
        WireEnd::Tunnel { local, remote } | WireEnd::Udp { local, remote } => EndConfig::Udp {
            local: *local,
            remote: *remote,
        },
        WireEnd::Tap { device } => EndConfig::Tap {
            device: device.clone(),
        },
        WireEnd::Host { interface } => EndConfig::Host {
            interface: interface.clone(),
        },
    }
}

fn wire_end(name: &str, end: &EndConfig) -> WireEnd {
    match end {
        EndConfig::Udp { local, remote } => {
            let (local, remote) = (*local, *remote);
            // The wire makes no difference between a node's tunnel and one that leads outside;
            // the names do.
            match EndConfig::from_name(name) {
                Some(_) => WireEnd::Udp { local, remote },
                None => WireEnd::Tunnel { local, remote },
            }
        }
        EndConfig::Tap { device } => WireEnd::Tap {
            device: device.clone(),
        },
        EndConfig::Host { interface } => WireEnd::Host {
            interface: interface.clone(),
        },
    }
}

fn junction_config(junction: &Junction) -> JunctionConfig {
    JunctionConfig {
        kind: match junction.kind {
            JunctionKind::Link => vnflab_wire::JunctionKind::Link,
            JunctionKind::Switch {
                ageing_seconds,
                addresses,
            } => vnflab_wire::JunctionKind::Switch {
                ageing_seconds,
                addresses,
            },
            JunctionKind::Hub => vnflab_wire::JunctionKind::Hub,
        },
        members: junction.members.clone(),
        state: match junction.state {
            JunctionState::Up => LinkState::Up,
            JunctionState::Down => LinkState::Down,
        },
        impairments: junction.impairments.clone(),
    }
}

fn wire_junction(junction: &JunctionConfig) -> Junction {
    Junction {
        kind: match junction.kind {
            vnflab_wire::JunctionKind::Link => JunctionKind::Link,
            vnflab_wire::JunctionKind::Switch {
                ageing_seconds,
                addresses,
            } => JunctionKind::Switch {
                ageing_seconds,
                addresses,
            },
            vnflab_wire::JunctionKind::Hub => JunctionKind::Hub,
        },
        members: junction.members.clone(),
        state: match junction.state {
            LinkState::Up => JunctionState::Up,
            LinkState::Down => JunctionState::Down,
        },
        impairments: junction.impairments.clone(),
    }
}
