//! The lab's wire: started before the first VM, then changed link by link while all runs.
//!
//! # Theory of operation
//!
//! A wire that does not run is started with everything that the blueprint says. One that runs is
//! compared with the blueprint, wherever the difference comes from, an edit of the file or a
//! change by hand, and the steps lead from the one to the other:
//!
//! 1. [`WirePlan::begin`]: ends are closed and opened; VMs start after that.
//! 2. [`WirePlan::finish`]: junctions are disconnected, connected, moved, cut and restored.
//!
//! Carriers belong to the nodes, and so do the records of what their interfaces are linked to;
//! both are seen where they are, so a plan that was broken off is made again without a gap.
//!
//! For example a link that moves from `r1:eth1` to `r1:eth2` becomes another junction; besides,
//! the first interface loses its carrier and the second gets one. No VM is touched.

use crate::blueprint::{Blueprint, Junction, JunctionState, WireBlueprint, WireChange};
use crate::observed::{Observed, ObservedWire};
use crate::plan::{Action, Plan, StepId, Subject};
use std::collections::{BTreeMap, BTreeSet};
use vnflab_impairment::Impairment;

/// The steps for a wire, as far as they are planned.
pub(super) struct WirePlan<'a> {
    lab: &'a str,
    /// What it shall be.
    shall: Option<&'a WireBlueprint>,
    /// What it is now, if it runs.
    is: Option<&'a WireBlueprint>,
    /// Whether anything of it exists.
    exists: bool,
    /// The step after which all ends are open, if any has to be opened.
    pub(super) ready: Option<StepId>,
    /// Steps that open and close ends.
    ends: Vec<StepId>,
}

impl<'a> WirePlan<'a> {
    /// Starts the wire, or opens and closes its ends.
    pub(super) fn begin(plan: &mut Plan, blueprint: &'a Blueprint, observed: &'a Observed) -> Self {
        let lab = blueprint.lab.as_str();
        let seen = observed.wires.get(lab);
        let mut wire = Self {
            lab,
            shall: blueprint.wire.as_ref(),
            is: seen.and_then(ObservedWire::config),
            exists: seen.is_some(),
            ready: None,
            ends: Vec::new(),
        };
        match (wire.shall, wire.is) {
            (None, _) => {}
            (Some(shall), None) => {
                let action = Action::StartWire {
                    lab: lab.to_owned(),
                    wire: Some(Box::new(shall.clone())),
                };
                let subject = Subject::Wire(lab.to_owned());
                wire.ready = Some(plan.push(&subject, action, "does not run", &[]));
            }
            (Some(shall), Some(is)) => wire.ends(plan, shall, is),
        }
        wire
    }

    fn ends(&mut self, plan: &mut Plan, shall: &WireBlueprint, is: &WireBlueprint) {
        if is.seed != shall.seed {
            let reason = format!("{} → {}", is.seed, shall.seed);
            self.change(plan, WireChange::Seed { seed: shall.seed }, &reason, &[]);
        }
        if is.metrics != shall.metrics {
            let metrics = shall.metrics.clone();
            let was = is.metrics.as_ref().map(ToString::to_string);
            let reason = format!(
                "served {}",
                was.map_or("nowhere".to_owned(), |at| format!("at {at}"))
            );
            self.change(plan, WireChange::Serve { metrics }, &reason, &[]);
        }
        let gone = is
            .ends
            .keys()
            .filter(|name| !shall.ends.contains_key(*name));
        let names: BTreeSet<String> = gone.cloned().collect();
        if !names.is_empty() {
            let change = WireChange::CloseEnds { names };
            let closed = self.change(plan, change, "no longer in the lab file", &[]);
            self.ends.push(closed);
        }
        let new = shall
            .ends
            .iter()
            .filter(|(name, end)| is.ends.get(*name) != Some(end));
        let ends: BTreeMap<_, _> = new.map(|(name, end)| (name.clone(), end.clone())).collect();
        if !ends.is_empty() {
            let after = self.ends.clone();
            let opened = self.change(
                plan,
                WireChange::OpenEnds { ends },
                "new in the lab file",
                &after,
            );
            self.ends.push(opened);
            self.ready = Some(opened);
        }
    }

    /// Changes the junctions of a wire that runs.
    pub(super) fn finish(&self, plan: &mut Plan) {
        let (Some(shall), Some(is)) = (self.shall, self.is) else {
            return;
        };
        let mut released: BTreeMap<&str, StepId> = BTreeMap::new();
        let gone = is
            .junctions
            .iter()
            .filter(|(name, _)| !shall.junctions.contains_key(*name));
        for (name, junction) in gone {
            let change = WireChange::Disconnect { name: name.clone() };
            let step = self.change(plan, change, "not in the lab file", &[]);
            let members = junction.members.iter();
            released.extend(members.map(|member| (member.as_str(), step)));
        }
        for (name, junction) in &shall.junctions {
            let members = junction.members.iter();
            let freed = members.filter_map(|member| released.get(member.as_str()));
            let mut after: Vec<StepId> = freed.chain(&self.ends).copied().collect();
            after.sort_unstable();
            after.dedup();
            for (change, reason) in changes(name, is.junctions.get(name), junction) {
                let step = self.change(plan, change, &reason, &after);
                after = vec![step];
            }
        }
    }

    /// Stops a wire that is no longer wanted.
    pub(super) fn stop(&self, plan: &mut Plan) {
        if self.shall.is_none() && self.exists {
            let action = Action::StopWire {
                lab: self.lab.to_owned(),
            };
            let subject = Subject::Wire(self.lab.to_owned());
            plan.push(&subject, action, "all links are direct", &[]);
        }
    }

    fn change(
        &self,
        plan: &mut Plan,
        change: WireChange,
        reason: &str,
        after: &[StepId],
    ) -> StepId {
        let subject = match change.junction() {
            Some(name) => Subject::Link(name.to_owned()),
            None => Subject::Wire(self.lab.to_owned()),
        };
        let lab = self.lab.to_owned();
        plan.push(&subject, Action::ChangeWire { lab, change }, reason, after)
    }
}

/// The changes that make one junction of another, each with a reason.
fn changes(name: &str, is: Option<&Junction>, shall: &Junction) -> Vec<(WireChange, String)> {
    let connect = || WireChange::Connect {
        name: name.to_owned(),
        junction: shall.clone(),
    };
    let Some(is) = is else {
        return vec![(connect(), "is not connected".to_owned())];
    };
    if is.kind != shall.kind {
        let reason = format!("{} → {}", is.kind.word(), shall.kind.word());
        return vec![(connect(), reason)];
    }
    let mut changes = Vec::new();
    let members = |junction: &Junction| junction.members.iter().cloned().collect::<BTreeSet<_>>();
    let (has, wants) = (members(is), members(shall));
    if has != wants {
        let change = WireChange::Move {
            name: name.to_owned(),
            members: shall.members.clone(),
        };
        let part = |word: &str, names: Vec<&str>| match names.is_empty() {
            true => None,
            false => Some(format!("{word} {}", names.join(", "))),
        };
        let gains = part(
            "gains",
            wants.difference(&has).map(String::as_str).collect(),
        );
        let loses = part(
            "loses",
            has.difference(&wants).map(String::as_str).collect(),
        );
        let reason: Vec<String> = gains.into_iter().chain(loses).collect();
        changes.push((change, reason.join(", ")));
    }
    for member in &shall.members {
        let nothing = Impairment::default();
        let of = |junction: &Junction| junction.impairments.get(member).cloned();
        let (old, new) = (of(is).unwrap_or_default(), of(shall).unwrap_or(nothing));
        if old != new {
            let reason = impairment_changes(&old, &new).join(", ");
            let change = WireChange::Impair {
                name: name.to_owned(),
                member: member.clone(),
                impairment: Box::new(new),
            };
            changes.push((change, reason));
        }
    }
    if is.state != shall.state {
        let change = WireChange::SetState {
            name: name.to_owned(),
            state: shall.state,
        };
        let reason = match shall.state {
            JunctionState::Up => "is down",
            JunctionState::Down => "is up, and begins cut in the lab file",
        };
        changes.push((change, reason.to_owned()));
    }
    changes
}

/// What differs between two impairments, each in a few words, such as `delay 20ms → 50ms`.
fn impairment_changes(old: &Impairment, new: &Impairment) -> Vec<String> {
    let nothing = || "nothing".to_owned();
    let entries = |impairment: &Impairment| {
        let entries = impairment.settings.entries().into_iter();
        entries.collect::<BTreeMap<&str, String>>()
    };
    let (was, shall) = (entries(old), entries(new));
    let keys: BTreeSet<&str> = was.keys().chain(shall.keys()).copied().collect();
    let mut changes = Vec::new();
    for key in keys {
        let (was, shall) = (was.get(key).cloned(), shall.get(key).cloned());
        if was != shall {
            let (was, shall) = (was.unwrap_or_else(nothing), shall.unwrap_or_else(nothing));
            changes.push(format!("{key} {was} → {shall}"));
        }
    }
    let others = [
        ("rules", old.rules != new.rules),
        ("states", old.markov != new.markov),
        ("schedule", old.schedule != new.schedule),
    ];
    let others = others.iter().filter(|(_, differ)| *differ);
    changes.extend(others.map(|(what, _)| format!("{what} changed")));
    if changes.is_empty() {
        changes.push("a file of it changed".to_owned());
    }
    changes
}
