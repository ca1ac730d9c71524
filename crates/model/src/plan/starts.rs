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
use crate::blueprint::{NodeBlueprint, StartLimit, Until, Vm};
use crate::observed::{DomainState, ObservedDomain};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Why a node that has a limit is limited.
pub(super) const LIMITED: &str = "asked for in the lab file";

/// The starts of a plan so far.
pub(super) struct Starts<'a> {
    limit: StartLimit,
    /// What each node needs, all its VMs together.
    needs: BTreeMap<&'a str, Need>,
    /// VMs that may be booting, the oldest first.
    booting: VecDeque<&'a NodeBlueprint>,
    known: Vec<Known<'a>>,
    /// Positions in `known`.
    by_vm: BTreeMap<Vm<'a>, usize>,
    /// The start before, once a node had to wait.
    last: Option<StepId>,
    somebody_waits: bool,
}

/// What a node needs while it boots.
#[derive(Debug, Clone, Copy, Default)]
struct Need {
    cpus: u32,
    memory_mib: u64,
}

/// A VM that starts, or that may still boot.
struct Known<'a> {
    node: &'a NodeBlueprint,
    start: Option<StepId>,
    ready: Option<StepId>,
}

impl<'a> Starts<'a> {
    /// `vms` are all that may be started or found booting. A node of several VMs takes the place of
    /// all of them at once, so that none waits for another of the same node.
    pub(super) fn new(limit: StartLimit, vms: impl IntoIterator<Item = &'a NodeBlueprint>) -> Self {
        let mut needs: BTreeMap<&str, Need> = BTreeMap::new();
        for vm in vms {
            let need = needs.entry(&vm.node).or_default();
            need.cpus = need.cpus.saturating_add(vm.machine.cpus);
            need.memory_mib = need.memory_mib.saturating_add(vm.machine.memory_mib);
        }
        Self {
            limit,
            needs,
            booting: VecDeque::new(),
            known: Vec::new(),
            by_vm: BTreeMap::new(),
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
        let mut vms = self.vms_of(node);
        vms.any(|known| known.start.is_some())
    }

    fn take_place(&mut self, node: &'a NodeBlueprint, start: Option<StepId>) {
        self.booting.push_back(node);
        let ready = None;
        self.by_vm.insert(node.vm(), self.known.len());
        self.known.push(Known { node, start, ready });
    }

    fn vms_of<'s>(&'s self, node: &'s str) -> impl Iterator<Item = &'s Known<'a>> {
        let first = Vm { node, part: None };
        let vms = self.by_vm.range(first..);
        vms.take_while(move |(vm, _)| vm.node == node)
            .map(|(_, position)| &self.known[*position])
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
            let vms: Vec<_> = self
                .vms_of(&other.node)
                .map(|known| (known.node.vm(), known.start))
                .collect();
            for (vm, start) in vms {
                match other.until {
                    Until::Started => after.extend(start),
                    Until::Ready => after.extend(self.ready(plan, vm)),
                }
            }
        }
        let mut behind = Vec::new();
        while !self.has_room_for(node) {
            let Some(oldest) = self.booting.pop_front() else {
                break;
            };
            behind.extend(self.ready(plan, oldest.vm()));
            self.somebody_waits = true;
        }
        if self.somebody_waits {
            behind.extend(self.last);
        }
        let subject = Subject::of(node.vm());
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
            Some(_) => self.ready_for(plan, node.vm(), "its CPU is limited then"),
            None => None,
        };
        let action = Action::SetCpuLimit {
            domain: node.domain(),
            percent: node.cpu_limit_percent,
        };
        let subject = Subject::of(node.vm());
        let id = plan.push(&subject, action, reason, after);
        plan.steps[id].behind = ready.into_iter().collect();
    }

    /// The step that waits until a VM is ready. One that does not say when it is, is ready at once.
    fn ready(&mut self, plan: &mut Plan, vm: Vm<'_>) -> Option<StepId> {
        self.ready_for(plan, vm, "others start after it")
    }

    fn ready_for(&mut self, plan: &mut Plan, vm: Vm<'_>, reason: &str) -> Option<StepId> {
        let position = *self.by_vm.get(&vm)?;
        let known = &mut self.known[position];
        if known.node.ready.is_untold() {
            return known.start;
        }
        if known.ready.is_none() {
            let subject = Subject::of(vm);
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
        let is_of_last = |last: &NodeBlueprint| last.node == node.node;
        if self.limit == StartLimit::NONE || self.booting.back().is_none_or(|last| is_of_last(last))
        {
            return true;
        }
        let booting = self.booting.iter().map(|other| other.node.as_str());
        let all: BTreeSet<&str> = booting.chain([node.node.as_str()]).collect();
        let nodes = u32::try_from(all.len()).unwrap_or(u32::MAX);
        let needs = || all.iter().filter_map(|node| self.needs.get(node));
        let cpus = needs().fold(0_u32, |sum, need| sum.saturating_add(need.cpus));
        let memory = needs().fold(0_u64, |sum, need| sum.saturating_add(need.memory_mib));
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
