//! Management networks: made, started, given their leases, removed.

use super::{PlanError, Seen};
use crate::blueprint::{Attachment, Blueprint, NetworkBlueprint, Nic, NodeBlueprint, Vm};
use crate::observed::{DomainState, NetworkState, Observed};
use crate::plan::sharing::other_lab_on;
use crate::plan::{Action, Plan, StepId, Subject};
use std::collections::{BTreeMap, BTreeSet};

/// The networks that have to be made anew and cannot be.
pub(super) fn network_conflicts(
    blueprint: &Blueprint,
    observed: &Observed,
    seen: &Seen<'_>,
    is_selection: bool,
) -> Vec<PlanError> {
    let mut errors = Vec::new();
    for network in &blueprint.networks {
        let Some(was) = seen.networks.get(network.name.as_str()) else {
            continue;
        };
        if same_network(&was.blueprint, network) {
            continue;
        }
        let name = network.name.clone();
        if let Some(other) = other_lab_on(&was.blueprint.bridge, &blueprint.lab, observed) {
            errors.push(PlanError::NetworkInUse {
                network: name,
                lab: other.to_owned(),
            });
        } else if is_selection {
            errors.push(PlanError::NetworkChanges(name));
        }
    }
    errors
}

/// The outcome of planning the networks.
#[derive(Default)]
pub(super) struct Networks {
    /// The step after which a bridge can be used.
    pub(super) ready: BTreeMap<String, StepId>,
    /// Domains that lose their power because their network is made anew, with the steps that take
    /// it.
    pub(super) powered_off: BTreeMap<String, Vec<StepId>>,
}

/// Removes the lab's networks that have no place in the blueprint.
pub(super) fn remove_networks(
    plan: &mut Plan,
    outcome: &mut Networks,
    blueprint: &Blueprint,
    observed: &Observed,
    seen: &Seen<'_>,
    freed: &[StepId],
) {
    let wanted: BTreeSet<&str> = blueprint
        .networks
        .iter()
        .map(|network| network.name.as_str())
        .collect();
    for name in seen.networks.keys().filter(|name| !wanted.contains(*name)) {
        let subject = Subject::Network((*name).to_owned());
        let network = &seen.networks[name].blueprint;
        if other_lab_on(&network.bridge, &blueprint.lab, observed).is_some() {
            continue;
        }
        let mut off = freed.to_vec();
        for (domain, step) in power_off_all_on(plan, network, blueprint, seen) {
            off.push(step);
            outcome.powered_off.entry(domain).or_default().push(step);
        }
        let action = Action::RemoveNetwork {
            network: (*name).to_owned(),
        };
        plan.push(&subject, action, "no longer in the lab file", &off);
    }
}

pub(super) fn plan_networks(
    plan: &mut Plan,
    outcome: &mut Networks,
    blueprint: &Blueprint,
    seen: &Seen<'_>,
    freed: &[StepId],
) {
    for network in &blueprint.networks {
        let subject = Subject::Network(network.name.clone());
        let observed = seen.networks.get(network.name.as_str());
        let defined = match observed {
            None => Some(define_network(
                plan,
                &subject,
                network,
                "does not exist",
                &[],
            )),
            Some(observed) if same_network(&observed.blueprint, network) => {
                plan_leases(plan, &subject, &observed.blueprint, network);
                None
            }
            Some(observed) => {
                // Whoever is on it must go first: a bridge cannot change under its VMs.
                let off = power_off_all_on(plan, &observed.blueprint, blueprint, seen);
                let action = Action::RemoveNetwork {
                    network: network.name.clone(),
                };
                let steps: Vec<StepId> = off
                    .iter()
                    .map(|(_, step)| *step)
                    .chain(freed.iter().copied())
                    .collect();
                let removed = plan.push(&subject, action, "its subnet or bridge changed", &steps);
                for (domain, step) in off {
                    outcome.powered_off.entry(domain).or_default().push(step);
                }
                Some(define_network(
                    plan,
                    &subject,
                    network,
                    "made anew",
                    &[removed],
                ))
            }
        };
        let active = observed.is_some_and(|network| network.state == NetworkState::Active);
        if defined.is_some() || !active {
            let after: Vec<StepId> = defined.into_iter().collect();
            let action = Action::StartNetwork {
                network: network.name.clone(),
            };
            let started = plan.push(&subject, action, "does not run", &after);
            outcome.ready.insert(network.bridge.clone(), started);
        }
    }
}

fn define_network(
    plan: &mut Plan,
    subject: &Subject,
    network: &NetworkBlueprint,
    reason: &str,
    after: &[StepId],
) -> StepId {
    plan.push(
        subject,
        Action::DefineNetwork {
            network: network.clone(),
        },
        reason,
        after,
    )
}

/// Takes the power from every VM of the blueprint that is on a network; returns each domain with
/// its step.
fn power_off_all_on(
    plan: &mut Plan,
    network: &NetworkBlueprint,
    blueprint: &Blueprint,
    seen: &Seen<'_>,
) -> Vec<(String, StepId)> {
    let on_it = |nic: &Nic| matches!(&nic.attachment, Attachment::Bridge { bridge } if *bridge == network.bridge);
    let mut off = Vec::new();
    let stay: BTreeSet<Vm<'_>> = blueprint.vms().map(NodeBlueprint::vm).collect();
    for (vm, domain) in &seen.domains {
        let stays = stay.contains(vm);
        let attached = domain.record.blueprint.nics.iter().any(on_it);
        if stays && attached && domain.state != DomainState::Off {
            let subject = Subject::of(*vm);
            let action = Action::DestroyDomain {
                domain: domain.name.clone(),
            };
            let step = plan.push(&subject, action, "its management network changes", &[]);
            off.push((domain.name.clone(), step));
        }
    }
    off
}

/// Whether only leases differ, which can be changed while the network runs.
fn same_network(observed: &NetworkBlueprint, wanted: &NetworkBlueprint) -> bool {
    let without_leases = |network: &NetworkBlueprint| NetworkBlueprint {
        leases: Vec::new(),
        ..network.clone()
    };
    without_leases(observed) == without_leases(wanted)
}

fn plan_leases(
    plan: &mut Plan,
    subject: &Subject,
    observed: &NetworkBlueprint,
    wanted: &NetworkBlueprint,
) {
    let had: BTreeSet<_> = observed.leases.iter().collect();
    let wants: BTreeSet<_> = wanted.leases.iter().collect();
    let network = || wanted.name.clone();
    let removed: Vec<StepId> = had
        .difference(&wants)
        .map(|lease| {
            let action = Action::RemoveLease {
                network: network(),
                lease: (*lease).clone(),
            };
            plan.push(subject, action, "no longer in the lab file", &[])
        })
        .collect();
    for lease in wants.difference(&had) {
        let action = Action::AddLease {
            network: network(),
            lease: (*lease).clone(),
        };
        plan.push(subject, action, "new in the lab file", &removed);
    }
}
