//! Power of nodes that exist: start, stop, restart, suspend, resume.

use super::starts::{Starts, may_boot, ordered};
use super::{Action, Plan, PlanError, StepId, Subject};
use crate::blueprint::{Attachment, Carrier, StartLimit, Vm, WireBlueprint};
use crate::observed::{DomainState, NetworkState, Observed, ObservedDomain, ObservedWire};
use std::collections::{BTreeMap, BTreeSet};

/// What has to be done so that the nodes run, with the networks and the wire under them. They
/// must exist; `up` makes them.
///
/// # Errors
///
/// Every name that no node of the lab has; a wire of which nothing is left.
pub fn plan_start(
    lab: &str,
    observed: &Observed,
    nodes: &BTreeSet<String>,
    limit: StartLimit,
) -> Result<Plan, Vec<PlanError>> {
    let mut plan = Plan::default();
    let domains = named(lab, observed, nodes)?;
    let mut networks = Networks::new(observed);
    let wire = start_wire(lab, observed, &domains, &mut plan)?;
    let mut starts = starts(lab, observed, nodes, limit);
    for domain in in_order(domains) {
        let name = domain.name.clone();
        let action = match domain.state {
            DomainState::Running => continue,
            DomainState::Paused => Action::ResumeDomain { domain: name },
            DomainState::Off | DomainState::Crashed => Action::StartDomain { domain: name },
        };
        let mut ready = networks.start_under(domain, &mut plan);
        ready.extend(wire);
        if domain.state == DomainState::Paused {
            plan.push(&subject(domain), action, "asked for", &ready);
            continue;
        }
        ready.extend(set_carriers(domain, lab, observed, nodes, &mut plan));
        let node = &domain.record.blueprint;
        starts.start(&mut plan, node, action, "asked for", ready);
    }
    Ok(plan)
}

/// What has to be done so that the nodes are off: the guests are asked first, and what does not
/// follow in time loses its power.
///
/// # Errors
///
/// Every name that no node of the lab has.
pub fn plan_stop(
    lab: &str,
    observed: &Observed,
    nodes: &BTreeSet<String>,
    how: Stop,
) -> Result<Plan, Vec<PlanError>> {
    let mut plan = Plan::default();
    for domain in named(lab, observed, nodes)? {
        if domain.state != DomainState::Off {
            push_stop(&mut plan, domain, how);
        }
    }
    Ok(plan)
}

/// What has to be done so that the nodes boot afresh.
///
/// # Errors
///
/// Every name that no node of the lab has; a wire of which nothing is left.
pub fn plan_restart(
    lab: &str,
    observed: &Observed,
    nodes: &BTreeSet<String>,
    how: Stop,
    limit: StartLimit,
) -> Result<Plan, Vec<PlanError>> {
    let mut plan = Plan::default();
    let domains = named(lab, observed, nodes)?;
    let mut networks = Networks::new(observed);
    let wire = start_wire(lab, observed, &domains, &mut plan)?;
    let mut starts = starts(lab, observed, nodes, limit);
    for domain in in_order(domains) {
        let mut after = networks.start_under(domain, &mut plan);
        after.extend(wire);
        after.extend(set_carriers(domain, lab, observed, nodes, &mut plan));
        if domain.state != DomainState::Off {
            after.push(push_stop(&mut plan, domain, how));
        }
        let action = Action::StartDomain {
            domain: domain.name.clone(),
        };
        let node = &domain.record.blueprint;
        starts.start(&mut plan, node, action, "asked for", after);
    }
    Ok(plan)
}

/// What has to be done so that the nodes are held: their CPUs stand still, and their memory stays.
///
/// # Errors
///
/// Every name that no node of the lab has, and every node that is off.
pub fn plan_suspend(
    lab: &str,
    observed: &Observed,
    nodes: &BTreeSet<String>,
) -> Result<Plan, Vec<PlanError>> {
    let mut plan = Plan::default();
    for domain in active(named(lab, observed, nodes)?)? {
        if domain.state == DomainState::Running {
            let action = Action::SuspendDomain {
                domain: domain.name.clone(),
            };
            plan.push(&subject(domain), action, "asked for", &[]);
        }
    }
    Ok(plan)
}

/// What has to be done so that nodes that are held go on, with the networks and the wire under
/// them.
///
/// # Errors
///
/// Every name that no node of the lab has, and every node that is off; a wire of which nothing
/// is left.
pub fn plan_resume(
    lab: &str,
    observed: &Observed,
    nodes: &BTreeSet<String>,
) -> Result<Plan, Vec<PlanError>> {
    active(named(lab, observed, nodes)?)?;
    // Nothing boots, so there is nothing to limit.
    plan_start(lab, observed, nodes, StartLimit::NONE)
}

/// What has to be done so that nodes that run take at most so much of the host's CPUs, from now
/// until they are off.
///
/// # Errors
///
/// Every name that no node of the lab has, and every node that is off.
pub fn plan_cpu_limit(
    lab: &str,
    observed: &Observed,
    nodes: &BTreeSet<String>,
    percent: Option<u32>,
) -> Result<Plan, Vec<PlanError>> {
    let mut plan = Plan::default();
    for domain in active(named(lab, observed, nodes)?)? {
        if domain.cpu_limit_percent != percent {
            let domain_name = domain.name.clone();
            let action = Action::SetCpuLimit {
                domain: domain_name,
                percent,
            };
            plan.push(&subject(domain), action, "asked for", &[]);
        }
    }
    Ok(plan)
}

/// The domains, all of which run or are held.
fn active(domains: Vec<&ObservedDomain>) -> Result<Vec<&ObservedDomain>, Vec<PlanError>> {
    let is_off = |domain: &&&ObservedDomain| !domain.state.is_active();
    let off = domains.iter().filter(is_off);
    let off: Vec<PlanError> = off
        .map(|domain| PlanError::NotRunning(domain.record.blueprint.node.clone()))
        .collect();
    match off.is_empty() {
        true => Ok(domains),
        false => Err(off),
    }
}

/// The starts of a plan, with the places that the lab's nodes take that may still be booting.
fn starts<'a>(
    lab: &'a str,
    observed: &'a Observed,
    starting: &BTreeSet<String>,
    limit: StartLimit,
) -> Starts<'a> {
    let vms = observed.vms_of_lab(lab);
    let mut starts = Starts::new(limit, vms.map(|domain| &domain.record.blueprint));
    let others = observed.vms_of_lab(lab);
    let others = others.filter(|domain| !starting.contains(&domain.record.blueprint.node));
    for domain in others.filter(|domain| may_boot(domain)) {
        starts.found(domain);
    }
    starts
}

/// The domains in the order in which they start.
fn in_order(domains: Vec<&ObservedDomain>) -> Vec<&ObservedDomain> {
    let ordered = ordered(domains.iter().map(|domain| &domain.record.blueprint));
    let named = domains
        .iter()
        .map(|domain| (domain.record.blueprint.vm(), *domain));
    let by_name: BTreeMap<Vm<'_>, &ObservedDomain> = named.collect();
    let found = ordered.iter().filter_map(|node| by_name.get(&node.vm()));
    found.copied().collect()
}

/// How a node is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The guest is asked, and has a bounded time to follow.
    Shutdown,
    /// The power is taken away at once.
    PowerOff,
}

/// Our networks that do not run, as after a start of the host: they wait for the first VM.
struct Networks<'a> {
    /// Names by bridge.
    inactive: BTreeMap<&'a str, &'a str>,
    /// The step that starts a network, by bridge.
    started: BTreeMap<&'a str, StepId>,
}

impl<'a> Networks<'a> {
    fn new(observed: &'a Observed) -> Self {
        let inactive = observed
            .networks
            .iter()
            .filter(|network| network.state == NetworkState::Inactive)
            .map(|network| {
                let network = &network.blueprint;
                (network.bridge.as_str(), network.name.as_str())
            });
        Self {
            inactive: inactive.collect(),
            started: BTreeMap::new(),
        }
    }

    /// Starts every network that a domain is on and that does not run yet; returns the steps.
    fn start_under(&mut self, domain: &ObservedDomain, plan: &mut Plan) -> Vec<StepId> {
        let mut steps = Vec::new();
        for nic in &domain.record.blueprint.nics {
            let Attachment::Bridge { bridge } = &nic.attachment else {
                continue;
            };
            let Some((bridge, network)) = self.inactive.get_key_value(bridge.as_str()) else {
                continue;
            };
            let step = self.started.entry(*bridge).or_insert_with(|| {
                let network = (*network).to_owned();
                let subject = Subject::Network(network.clone());
                let action = Action::StartNetwork { network };
                plan.push(&subject, action, "does not run", &[])
            });
            steps.push(*step);
        }
        steps
    }
}

/// Starts the wire where a node needs it and it does not run; returns the step.
fn start_wire(
    lab: &str,
    observed: &Observed,
    domains: &[&ObservedDomain],
    plan: &mut Plan,
) -> Result<Option<StepId>, Vec<PlanError>> {
    let is_on_wire = |domain: &&ObservedDomain| {
        let node = &domain.record.blueprint;
        node.nics.iter().any(|nic| node.wire_end(nic).is_some())
    };
    if !domains.iter().any(is_on_wire) {
        return Ok(None);
    }
    match observed.wires.get(lab) {
        Some(ObservedWire::Running { .. }) => Ok(None),
        Some(ObservedWire::Stopped) => {
            let subject = Subject::Wire(lab.to_owned());
            let lab = lab.to_owned();
            let action = Action::StartWire { lab, wire: None };
            Ok(Some(plan.push(&subject, action, "does not run", &[])))
        }
        None => Err(vec![PlanError::NoWire(lab.to_owned())]),
    }
}

/// Gives a node that starts the carriers that its links have now: what it was left with may be
/// out of date.
fn set_carriers(
    domain: &ObservedDomain,
    lab: &str,
    observed: &Observed,
    starting: &BTreeSet<String>,
    plan: &mut Plan,
) -> Vec<StepId> {
    let node = &domain.record.blueprint;
    let by_wire = observed.wires.get(lab).and_then(ObservedWire::config);
    let by_wire = by_wire.map(WireBlueprint::carriers).unwrap_or_default();
    // What is no node of the lab is always there.
    let is_off = |peer: &str| observed.runs(lab, peer) == Some(false) && !starting.contains(peer);
    let mut steps = Vec::new();
    for nic in node.nics.iter().filter(|nic| node.wire_end(nic).is_some()) {
        let end = node.end_name(nic);
        let of_link = by_wire.get(end.as_str()).copied().unwrap_or(nic.carrier);
        let peer = nic.peer.as_deref().and_then(|peer| peer.split_once(':'));
        let cut = |wire: &ObservedWire| wire.is_cut(&end, nic.peer.as_deref());
        let is_cut = observed.wires.get(lab).is_some_and(cut);
        let follows = node.carrier.is_follow() && peer.is_some_and(|(peer, _)| is_off(peer));
        let carrier = match follows || is_cut {
            true => Carrier::Down,
            false => of_link,
        };
        if domain
            .carriers
            .get(&nic.mac)
            .is_some_and(|has| *has != carrier)
        {
            let action = Action::SetCarrier {
                domain: domain.name.clone(),
                interface: nic.name.clone(),
                mac: nic.mac.clone(),
                carrier,
            };
            let reason = match (carrier, nic.joined_to()) {
                (_, None) => "linked to nothing".to_owned(),
                (Carrier::Up, Some(joined)) => format!("linked to {joined}"),
                (Carrier::Down, Some(joined)) => format!("the link to {joined} is down"),
            };
            steps.push(plan.push(&subject(domain), action, reason, &[]));
        }
    }
    steps
}

fn push_stop(plan: &mut Plan, domain: &ObservedDomain, how: Stop) -> StepId {
    let subject = subject(domain);
    let name = || domain.name.clone();
    let after = match (how, domain.state) {
        (Stop::Shutdown, DomainState::Running) => {
            vec![plan.push(
                &subject,
                Action::ShutdownDomain { domain: name() },
                "asked for",
                &[],
            )]
        }
        _ => Vec::new(),
    };
    plan.push(
        &subject,
        Action::DestroyDomain { domain: name() },
        "asked for",
        &after,
    )
}

fn subject(domain: &ObservedDomain) -> Subject {
    Subject::of(domain.record.blueprint.vm())
}

fn named<'a>(
    lab: &str,
    observed: &'a Observed,
    nodes: &BTreeSet<String>,
) -> Result<Vec<&'a ObservedDomain>, Vec<PlanError>> {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for node in nodes {
        let before = found.len();
        found.extend(observed.vms_of_node(lab, node));
        if found.len() == before {
            errors.push(PlanError::UnknownNode(node.clone()));
        }
    }
    if errors.is_empty() {
        Ok(found)
    } else {
        Err(errors)
    }
}
