//! In which order nodes start, and how many boot at one time.
//!
//! # Theory of operation
//!
//! Nodes are given to [`Starts::start`] in an order in which every node comes behind those that
//! it is `after` ([`ordered`]). A sliding window holds the nodes that may be booting. A node that
//! does not fit in it any more waits until the oldest are ready; that is a bond of the weaker
//! kind ([`super::Step::behind`]): a node that never gets ready keeps its place until its time is
//! over, and then the others go on. `after` is the stronger bond: what fails takes along what
//! comes after it.
//!
//! Example, with two at a time, of `a`, `b`, `c`, `d`: `c` starts once `a` is ready, and `d` once
//! `b` is ready and `c` was started. Since nobody starts before the node in front of it, the
//! nodes that boot at one time are always within the window. As long as all fit, nobody waits.

use super::{Action, Plan, StepId, Subject};
use crate::blueprint::{NodeBlueprint, StartLimit, Until};
use crate::observed::{DomainState, ObservedDomain};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Why a node that has a limit is limited.
pub(super) const LIMITED: &str = "asked for in the lab file";

/// The starts of a plan so far.
pub(super) struct Starts<'a> {
    limit: StartLimit,
    /// Nodes that may be booting, the oldest first.
    booting: VecDeque<&'a NodeBlueprint>,
    known: BTreeMap<&'a str, Known<'a>>,
    /// The start before, once a node had to wait.
    last: Option<StepId>,
    somebody_waits: bool,
}

/// A node that starts, or that may still boot.
struct Known<'a> {
    node: &'a NodeBlueprint,
    start: Option<StepId>,
    ready: Option<StepId>,
}

impl<'a> Starts<'a> {
    pub(super) fn new(limit: StartLimit) -> Self {
        Self {
            limit,
            booting: VecDeque::new(),
            known: BTreeMap::new(),
            last: None,
            somebody_waits: false,
        }
    }

    /// A node that was found booting and goes on: it takes its place.
    pub(super) fn found(&mut self, domain: &'a ObservedDomain) {
        self.take_place(&domain.record.blueprint, None);
    }

    /// Whether the plan starts a node.
    pub(super) fn starts_node(&self, node: &str) -> bool {
        self.known
            .get(node)
            .is_some_and(|known| known.start.is_some())
    }

    fn take_place(&mut self, node: &'a NodeBlueprint, start: Option<StepId>) {
        self.booting.push_back(node);
        let ready = None;
        self.known.insert(&node.node, Known { node, start, ready });
    }

    /// Appends the step that starts a node.
    pub(super) fn start(
        &mut self,
        plan: &mut Plan,
        node: &'a NodeBlueprint,
        action: Action,
        reason: &str,
        mut after: Vec<StepId>,
    ) -> StepId {
        for other in &node.after {
            // What neither starts nor boots is up, or off by the user's wish.
            let Some(known) = self.known.get(other.node.as_str()) else {
                continue;
            };
            match other.until {
                Until::Started => after.extend(known.start),
                Until::Ready => after.extend(self.ready(plan, &other.node)),
            }
        }
        let mut behind = Vec::new();
        while !self.has_room_for(node) {
            let Some(oldest) = self.booting.pop_front() else {
                break;
            };
            behind.extend(self.ready(plan, &oldest.node));
            self.somebody_waits = true;
        }
        if self.somebody_waits {
            behind.extend(self.last);
        }
        let subject = Subject::Node(node.node.clone());
        let id = plan.push(&subject, action, reason, &after);
        behind.retain(|step| !plan.steps[id].after.contains(step));
        plan.steps[id].behind = behind;
        self.last = Some(id);
        self.take_place(node, Some(id));
        if node.cpu_limit_percent.is_some() {
            self.limit_cpu(plan, node, &[id], LIMITED);
        }
        id
    }

    /// Appends the step that gives a node that starts or runs its CPU limit, or lifts the one that
    /// it has: where it may still be booting, once it is ready or its time is over.
    pub(super) fn limit_cpu(
        &mut self,
        plan: &mut Plan,
        node: &NodeBlueprint,
        after: &[StepId],
        reason: &str,
    ) {
        let ready = match node.cpu_limit_percent {
            Some(_) => self.ready_for(plan, &node.node, "its CPU is limited then"),
            None => None,
        };
        let action = Action::SetCpuLimit {
            domain: node.domain(),
            percent: node.cpu_limit_percent,
        };
        let subject = Subject::Node(node.node.clone());
        let id = plan.push(&subject, action, reason, after);
        plan.steps[id].behind = ready.into_iter().collect();
    }

    /// The step that waits until a node is ready.
    fn ready(&mut self, plan: &mut Plan, node: &str) -> Option<StepId> {
        self.ready_for(plan, node, "others start after it")
    }

    fn ready_for(&mut self, plan: &mut Plan, node: &str, reason: &str) -> Option<StepId> {
        let known = self.known.get_mut(node)?;
        if known.ready.is_none() {
            let subject = Subject::Node(known.node.node.clone());
            let after: Vec<StepId> = known.start.into_iter().collect();
            let action = Action::AwaitReady {
                node: Box::new(known.node.clone()),
            };
            known.ready = Some(plan.push(&subject, action, reason, &after));
        }
        known.ready
    }

    /// Whether a node may boot beside those that do. One that is alone always may.
    fn has_room_for(&self, node: &NodeBlueprint) -> bool {
        if self.booting.is_empty() {
            return true;
        }
        let all = || self.booting.iter().copied().chain([node]);
        let nodes = u32::try_from(all().count()).unwrap_or(u32::MAX);
        let cpus = all().fold(0_u32, |sum, node| sum.saturating_add(node.machine.cpus));
        let memory = all().fold(0_u64, |sum, node| {
            sum.saturating_add(node.machine.memory_mib)
        });
        self.limit.nodes.is_none_or(|most| nodes <= most)
            && self.limit.cpus.is_none_or(|most| cpus <= most)
            && self.limit.memory_mib.is_none_or(|most| memory <= most)
    }
}

/// Whether a node may still be booting, by the time that its kind takes.
pub(super) fn may_boot(domain: &ObservedDomain) -> bool {
    let boot_time = domain.record.blueprint.boot_time();
    domain.state == DomainState::Running && domain.uptime.is_some_and(|uptime| uptime < boot_time)
}

/// The nodes in an order in which each comes behind those that it is `after`, and otherwise as
/// they stand. Where records of different times make a circle, who stands first goes first.
pub(super) fn ordered<'a>(
    nodes: impl IntoIterator<Item = &'a NodeBlueprint>,
) -> Vec<&'a NodeBlueprint> {
    let mut left: Vec<&NodeBlueprint> = nodes.into_iter().collect();
    let mut ordered = Vec::with_capacity(left.len());
    let mut waiting: BTreeSet<&str> = left.iter().map(|node| node.node.as_str()).collect();
    while !left.is_empty() {
        let is_free = |node: &&NodeBlueprint| {
            let mut before = node.after.iter();
            !before.any(|other| other.node != node.node && waiting.contains(other.node.as_str()))
        };
        let (mut free, held): (Vec<_>, Vec<_>) = left.into_iter().partition(is_free);
        left = held;
        if free.is_empty() {
            free.push(left.remove(0));
        }
        for node in &free {
            waiting.remove(node.node.as_str());
        }
        ordered.extend(free);
    }
    ordered
}
