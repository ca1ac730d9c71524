//! Which carriers follow from what has changed: pure.

use std::collections::{BTreeMap, BTreeSet};
use vnflab_model::blueprint::{Carrier, domain_name};
use vnflab_wire::{JunctionConfig, JunctionKind, LinkState};

/// What a keeper looks at.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Scene {
    /// Names of the domains that run.
    pub(super) running: BTreeSet<String>,
    /// Links and segments of the wire.
    pub(super) junctions: BTreeMap<String, JunctionConfig>,
    /// Whether the frames of each end may pass; of wires with schedules only.
    pub(super) states: BTreeMap<String, LinkState>,
}

/// An end whose carrier changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The end.
    pub(super) end: String,
    /// What it has now.
    pub(super) carrier: Carrier,
    /// What brought it about.
    pub(super) cause: Cause,
}

/// What changes a carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The node at the other end stopped or started.
    Node,
    /// The link's schedule.
    Schedule,
}

/// The ends whose carrier changes between two looks.
pub(super) fn changes(lab: &str, before: &Scene, now: &Scene) -> Vec<Change> {
    let mut found = Vec::new();
    for (name, junction) in &now.junctions {
        let known = before.junctions.get(name);
        let same = known.is_some_and(|known| known.members == junction.members);
        if junction.kind != JunctionKind::Link || junction.state == LinkState::Down || !same {
            continue;
        }
        let [a, b] = &junction.members[..] else {
            continue;
        };
        for (end, peer) in [(a, b), (b, a)] {
            let is = now.carries(lab, end, peer);
            // A node that was off when the first look was taken has not stopped.
            if before.carries(lab, end, peer) != is {
                let by_node = before.is_there(lab, peer) != now.is_there(lab, peer);
                found.push(Change {
                    end: end.clone(),
                    carrier: if is { Carrier::Up } else { Carrier::Down },
                    cause: if by_node {
                        Cause::Node
                    } else {
                        Cause::Schedule
                    },
                });
            }
        }
    }
    found
}

impl Scene {
    /// Whether an end of a link that is up has a carrier: its peer is there, and no schedule has
    /// cut either direction.
    fn carries(&self, lab: &str, end: &str, peer: &str) -> bool {
        let up = |end: &str| self.states.get(end) != Some(&LinkState::Down);
        up(end) && up(peer) && self.is_there(lab, peer)
    }

    /// Whether the node behind an end runs; ends that belong to no node are always there.
    fn is_there(&self, lab: &str, end: &str) -> bool {
        if vnflab_wire::EndConfig::from_name(end).is_some() {
            return true;
        }
        let node = end.split_once(':').map_or(end, |(node, _)| node);
        self.running.contains(&domain_name(lab, node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(running: &[&str]) -> Scene {
        let link = JunctionConfig::link("r1:eth1", "r2:eth1");
        Scene {
            running: running
                .iter()
                .map(|node| domain_name("lab", node))
                .collect(),
            junctions: BTreeMap::from([("r1:eth1--r2:eth1".to_owned(), link)]),
            states: BTreeMap::new(),
        }
    }

    fn found(before: &Scene, now: &Scene) -> Vec<(String, Carrier, Cause)> {
        let found = changes("lab", before, now).into_iter();
        found
            .map(|change| (change.end, change.carrier, change.cause))
            .collect()
    }

    #[test]
    fn a_node_that_stops_takes_its_neighbours_carrier_and_gives_it_back() {
        let (both, one) = (scene(&["r1", "r2"]), scene(&["r1"]));
        let end = || "r1:eth1".to_owned();
        assert_eq!(found(&both, &one), [(end(), Carrier::Down, Cause::Node)]);
        assert_eq!(found(&one, &both), [(end(), Carrier::Up, Cause::Node)]);
        assert_eq!(found(&both, &both), []);
    }

    #[test]
    fn a_link_that_is_cut_or_new_is_somebody_elses_business() {
        let (mut both, mut one) = (scene(&["r1", "r2"]), scene(&["r1"]));
        for scene in [&mut both, &mut one] {
            for junction in scene.junctions.values_mut() {
                junction.state = LinkState::Down;
            }
        }
        assert_eq!(found(&both, &one), []);
        assert_eq!(found(&Scene::default(), &scene(&["r1"])), []);
    }

    #[test]
    fn a_schedule_cuts_both_ends() {
        let both = scene(&["r1", "r2"]);
        let mut cut = both.clone();
        cut.states.insert("r2:eth1".to_owned(), LinkState::Down);
        let ends = ["r1:eth1", "r2:eth1"];
        let expected = ends.map(|end| (end.to_owned(), Carrier::Down, Cause::Schedule));
        assert_eq!(found(&both, &cut), expected);
    }

    #[test]
    fn what_is_no_node_is_always_there() {
        let mut scene = scene(&["r1"]);
        let link = JunctionConfig::link("r1:eth1", "tap:lab0");
        scene.junctions = BTreeMap::from([("x".to_owned(), link)]);
        assert!(scene.carries("lab", "r1:eth1", "tap:lab0"));
    }
}
