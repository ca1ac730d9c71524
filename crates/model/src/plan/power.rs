//! Power of nodes that exist: start, stop, restart.

use super::{Action, Plan, PlanError, Subject};
use crate::observed::{DomainState, Observed, ObservedDomain};
use std::collections::BTreeSet;

/// What has to be done so that the nodes run. They must exist; `up` makes them.
///
/// # Errors
///
/// Every name that no node of the lab has.
pub fn plan_start(
    lab: &str,
    observed: &Observed,
    nodes: &BTreeSet<String>,
) -> Result<Plan, Vec<PlanError>> {
    let mut plan = Plan::default();
    for domain in named(lab, observed, nodes)? {
        let name = domain.name.clone();
        let action = match domain.state {
            DomainState::Running => continue,
            DomainState::Paused => Action::ResumeDomain { domain: name },
            DomainState::Off | DomainState::Crashed => Action::StartDomain { domain: name },
        };
        plan.push(&subject(domain), action, "asked for", &[]);
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
/// Every name that no node of the lab has.
pub fn plan_restart(
    lab: &str,
    observed: &Observed,
    nodes: &BTreeSet<String>,
    how: Stop,
) -> Result<Plan, Vec<PlanError>> {
    let mut plan = Plan::default();
    for domain in named(lab, observed, nodes)? {
        let after = match domain.state {
            DomainState::Off => Vec::new(),
            _ => vec![push_stop(&mut plan, domain, how)],
        };
        let action = Action::StartDomain {
            domain: domain.name.clone(),
        };
        plan.push(&subject(domain), action, "asked for", &after);
    }
    Ok(plan)
}

/// How a node is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The guest is asked, and has a bounded time to follow.
    Shutdown,
    /// The power is taken away at once.
    PowerOff,
}

fn push_stop(plan: &mut Plan, domain: &ObservedDomain, how: Stop) -> super::StepId {
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
    Subject::Node(domain.record.blueprint.node.clone())
}

fn named<'a>(
    lab: &str,
    observed: &'a Observed,
    nodes: &BTreeSet<String>,
) -> Result<Vec<&'a ObservedDomain>, Vec<PlanError>> {
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for node in nodes {
        match observed.domain(lab, node) {
            Some(domain) => found.push(domain),
            None => errors.push(PlanError::UnknownNode(node.clone())),
        }
    }
    if errors.is_empty() {
        Ok(found)
    } else {
        Err(errors)
    }
}
