//! In which order nodes start, and how many of them boot at one time.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;
use support::{blueprint, built, native};
use vnflab_model::blueprint::{Blueprint, StartLimit};
use vnflab_model::observed::{DomainState, Observed, Scope};
use vnflab_model::plan::{
    Action, Plan, Step, Stop, plan_replace, plan_restart, plan_start, plan_up,
};

/// The blueprint of a lab of `frr` nodes, each with what stands behind its kind.
fn lab(nodes: &[(&str, &str)], batch: Option<u32>) -> Blueprint {
    let mut text = "name: order\nnodes:\n".to_owned();
    for (name, more) in nodes {
        writeln!(text, "  {name}: {{kind: frr{more}}}").unwrap();
    }
    if let Some(batch) = batch {
        writeln!(text, "start: {{batch: {batch}}}").unwrap();
    }
    blueprint(&native(&text), Scope::Session)
}

/// The starts of a plan and what they wait for, as `r2 after start r1 behind ready r3`.
fn starts(plan: &Plan) -> Vec<String> {
    let name = |id: &usize| {
        let step = &plan.steps[*id];
        match step.action {
            Action::StartDomain { .. } => Some(format!("start {}", step.subject.name())),
            Action::AwaitReady { .. } => Some(format!("ready {}", step.subject.name())),
            _ => None,
        }
    };
    let told = |step: &Step| {
        let mut line = step.subject.name().to_owned();
        for (word, steps) in [("after", &step.after), ("behind", &step.behind)] {
            let named: Vec<String> = steps.iter().filter_map(name).collect();
            if !named.is_empty() {
                write!(line, " {word} {}", named.join(", ")).unwrap();
            }
        }
        line
    };
    let steps = plan.steps.iter();
    let starts = steps.filter(|step| matches!(step.action, Action::StartDomain { .. }));
    starts.map(told).collect()
}

fn up(blueprint: &Blueprint) -> Vec<String> {
    starts(&plan_up(blueprint, &Observed::default(), None).unwrap())
}

#[test]
fn nodes_that_fit_start_without_regard_to_each_other() {
    let nodes = [("a", ""), ("b", ""), ("c", ""), ("d", "")];
    // The host of the tests has two CPUs: four may boot.
    assert_eq!(up(&lab(&nodes, None)), ["a", "b", "c", "d"]);
    assert_eq!(up(&lab(&nodes, Some(4))), ["a", "b", "c", "d"]);
}

#[test]
fn a_node_that_does_not_fit_waits_for_the_oldest() {
    let nodes = [("a", ""), ("b", ""), ("c", ""), ("d", "")];
    let two = [
        "a",
        "b",
        "c behind ready a, start b",
        "d behind ready b, start c",
    ];
    assert_eq!(up(&lab(&nodes, Some(2))), two);
}

#[test]
fn a_node_is_counted_by_its_cpus_and_its_memory() {
    let cpus = [("a", ", cpu: 3"), ("b", ""), ("c", ""), ("big", ", cpu: 9")];
    let expected = [
        "a",
        "b",
        "c behind ready a, start b",
        "big behind ready b, ready c, start c",
    ];
    assert_eq!(up(&lab(&cpus, None)), expected);
    // Half of 8 GiB.
    let memory = [("a", ", memory: 3GiB"), ("b", ", memory: 2GiB")];
    assert_eq!(up(&lab(&memory, None)), ["a", "b behind ready a, start a"]);
}

#[test]
fn a_node_starts_after_those_that_it_names_wherever_they_stand() {
    let nodes = [
        ("a", ", after: {c: ready, b: started}"),
        ("b", ", after: c"),
        ("c", ""),
    ];
    let expected = ["c", "b after start c", "a after start b, ready c"];
    assert_eq!(up(&lab(&nodes, None)), expected);
}

#[test]
fn what_is_up_or_not_asked_for_is_not_waited_for() {
    let blueprint = lab(&[("a", ""), ("b", ", after: {a: ready}")], None);
    let mut observed = built(&blueprint);
    observed.domains[1].state = DomainState::Off;
    let plan = plan_up(&blueprint, &observed, None).unwrap();
    assert_eq!(starts(&plan), ["b"]);
    let only_b = BTreeSet::from(["b".to_owned()]);
    observed.domains[0].state = DomainState::Off;
    let plan = plan_up(&blueprint, &observed, Some(&only_b)).unwrap();
    assert_eq!(starts(&plan), ["b"]);
    let plan = plan_start("order", &observed, &only_b, StartLimit::NONE).unwrap();
    assert_eq!(starts(&plan), ["b"]);
}

#[test]
fn what_still_boots_keeps_its_place_and_is_waited_for() {
    let nodes = [("a", ""), ("b", ""), ("c", ", after: {a: ready}")];
    let blueprint = lab(&nodes, Some(2));
    let mut observed = built(&blueprint);
    observed.domains[0].uptime = Some(Duration::from_secs(1));
    observed.domains[1].uptime = Some(Duration::from_secs(3600));
    observed.domains[2].state = DomainState::Off;
    let again = plan_up(&blueprint, &built(&blueprint), None).unwrap();
    assert!(again.is_empty());
    let plan = plan_up(&blueprint, &observed, None).unwrap();
    assert_eq!(starts(&plan), ["c after ready a"]);
    // With one at a time the place is taken as well.
    let only_c = BTreeSet::from(["c".to_owned()]);
    let plan = plan_start("order", &observed, &only_c, StartLimit::of_nodes(1)).unwrap();
    assert_eq!(starts(&plan), ["c after ready a"]);
}

#[test]
fn what_boots_and_is_made_anew_is_not_waited_for_before() {
    let blueprint = lab(&[("a", ""), ("b", "")], Some(1));
    let mut observed = built(&blueprint);
    for domain in &mut observed.domains {
        domain.uptime = Some(Duration::from_secs(1));
        domain.record.blueprint.machine.memory_mib += 1;
    }
    let plan = plan_up(&blueprint, &observed, None).unwrap();
    assert_eq!(starts(&plan), ["a", "b behind ready a, start a"]);
}

#[test]
fn a_restart_keeps_the_order_too() {
    let nodes = [("a", ", after: {b: ready}"), ("b", "")];
    let observed = built(&lab(&nodes, None));
    let all = BTreeSet::from(["a", "b"].map(str::to_owned));
    let plan = plan_restart("order", &observed, &all, Stop::PowerOff, StartLimit::NONE).unwrap();
    assert_eq!(starts(&plan), ["b", "a after ready b"]);
}

#[test]
fn a_new_order_is_recorded_without_touching_the_nodes() {
    let before = lab(&[("a", ""), ("b", "")], None);
    let after = lab(&[("a", ""), ("b", ", after: {a: ready}")], Some(1));
    let plan = plan_up(&after, &built(&before), None).unwrap();
    let words: Vec<&str> = plan.steps.iter().map(|step| step.action.word()).collect();
    assert_eq!(words, ["record-node"]);
    assert_eq!(plan.steps[0].reason, "it starts after others now");
}

/// Carries a plan out in some order that it allows, and looks how many nodes boot at one time: a
/// node boots from its start until a step that waits for it is over, and for ever where no such
/// step is.
fn most_at_once(plan: &Plan, mut pick: impl FnMut(usize) -> usize) -> Result<usize, String> {
    let mut over: BTreeSet<usize> = BTreeSet::new();
    let mut booting: BTreeMap<&str, ()> = BTreeMap::new();
    let mut most = 0;
    while over.len() < plan.steps.len() {
        let can = |id: &usize| {
            let step = &plan.steps[*id];
            let mut before = step.after.iter().chain(&step.behind);
            !over.contains(id) && before.all(|before| over.contains(before))
        };
        let ready: Vec<usize> = (0..plan.steps.len()).filter(can).collect();
        if ready.is_empty() {
            return Err("nothing can go on".to_owned());
        }
        let id = ready[pick(ready.len())];
        let name = plan.steps[id].subject.name();
        match plan.steps[id].action {
            Action::StartDomain { .. } => drop(booting.insert(name, ())),
            Action::AwaitReady { .. } => drop(booting.remove(name)),
            _ => {}
        }
        most = most.max(booting.len());
        over.insert(id);
    }
    Ok(most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn never_do_more_nodes_boot_than_may_and_nobody_waits_for_ever(
        after in prop::collection::vec(prop::collection::vec((0_usize..12, any::<bool>()), 0..3), 1..12),
        batch in 1_u32..5,
        mut seed in any::<u64>(),
    ) {
        let names: Vec<String> = (0..after.len()).map(|number| format!("n{number}")).collect();
        let nodes: Vec<(&str, String)> = after.iter().enumerate().map(|(number, others)| {
            // Only nodes behind it, so that there is no circle and the order is not that of the file.
            let others = others.iter().filter(|(other, _)| *other > number && *other < names.len());
            let others: BTreeMap<usize, bool> = others.copied().collect();
            let others: Vec<String> = others.iter().map(|(other, ready)| {
                format!("n{other}: {}", if *ready { "ready" } else { "started" })
            }).collect();
            (names[number].as_str(), format!(", after: {{{}}}", others.join(", ")))
        }).collect();
        let nodes: Vec<(&str, &str)> = nodes.iter().map(|(name, more)| (*name, more.as_str())).collect();
        let blueprint = lab(&nodes, Some(batch));
        let plan = plan_up(&blueprint, &Observed::default(), None).unwrap();
        for (id, step) in plan.steps.iter().enumerate() {
            prop_assert!(step.after.iter().chain(&step.behind).all(|before| *before < id));
        }
        let pick = |count: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap() % count
        };
        let most = most_at_once(&plan, pick).map_err(TestCaseError::fail)?;
        prop_assert!(most <= batch as usize, "{} booted at one time", most);
    }
}

#[test]
fn a_node_that_is_replaced_gets_new_disks_and_nobody_else_is_touched() {
    let blueprint = lab(&[("a", ""), ("b", "")], None);
    let only_a = BTreeSet::from(["a".to_owned()]);
    let plan = plan_replace(&blueprint, &built(&blueprint), Some(&only_a)).unwrap();
    let steps: Vec<(&str, &str)> = plan
        .steps
        .iter()
        .map(|step| (step.subject.name(), step.action.word()))
        .collect();
    let expected = [
        "destroy-domain",
        "undefine-domain",
        "delete-volume",
        "create-overlay",
        "define-domain",
        "start-domain",
    ];
    assert_eq!(steps, expected.map(|word| ("a", word)));
    // A lab that is down has only its disks.
    let mut down = built(&blueprint);
    down.domains.clear();
    let plan = plan_replace(&blueprint, &down, Some(&only_a)).unwrap();
    let deleted = plan.steps.iter().find_map(|step| match &step.action {
        Action::DeleteVolume { volume } => Some(volume.as_str()),
        _ => None,
    });
    assert_eq!(deleted, Some("vnflab1.order.a.disk.qcow2"));
}

/// What a plan does to a node, and what each step waits for.
fn told(plan: &Plan, node: &str) -> Vec<String> {
    let steps = plan.steps.iter().enumerate();
    let own = steps.filter(|(_, step)| step.subject.name() == node);
    let shown = |(id, step): (usize, &Step)| {
        let (after, behind) = (&step.after, &step.behind);
        format!(
            "{id} {} after {after:?} behind {behind:?}",
            step.action.describe()
        )
    };
    own.map(shown).collect()
}

#[test]
fn another_sign_of_readiness_makes_nobody_anew() {
    let blueprint = lab(&[("a", "")], None);
    let mut observed = built(&blueprint);
    let record = &mut observed.domains[0].record;
    record.blueprint.ready.patterns = vec!["ready".to_owned()];
    let told = told(&plan_up(&blueprint, &observed, None).unwrap(), "a");
    assert!(told.len() == 1 && told[0].contains("record"), "{told:?}");
}

#[test]
fn a_cpu_is_limited_once_its_node_is_ready_and_only_then() {
    let limited = |limit: &str| lab(&[("a", limit), ("b", "")], None);
    let thirty = limited(", cpu-limit: 30");
    let plan = plan_up(&thirty, &Observed::default(), None).unwrap();
    let of_a = told(&plan, "a");
    let [.., start, ready, limit] = &of_a[..] else {
        panic!("{of_a:?}")
    };
    assert!(start.contains("start the VM"), "{start}");
    let id = |line: &str| line.split(' ').next().unwrap().to_owned();
    let started = id(start);
    assert!(
        ready.ends_with(&format!("after [{started}] behind []")),
        "{ready}"
    );
    // A node that never gets ready is limited all the same.
    let waits = format!("after [{started}] behind [{}]", id(ready));
    assert_eq!(
        *limit,
        format!("{} limit its CPU to 30 % {waits}", id(limit))
    );
    assert!(told(&plan, "b").iter().all(|line| !line.contains("CPU")));

    let mut observed = built(&thirty);
    let again = plan_up(&thirty, &observed, None).unwrap();
    assert_eq!(told(&again, "a").len(), 1, "it lost its limit: {again:#?}");
    observed.domains[0].cpu_limit_percent = Some(30);
    assert!(plan_up(&thirty, &observed, None).unwrap().is_empty());
    // What runs takes another limit, or none, without being made anew.
    for (other, action) in [
        (", cpu-limit: 60", "limit its CPU to 60 %"),
        ("", "lift the limit"),
    ] {
        let told = told(&plan_up(&limited(other), &observed, None).unwrap(), "a");
        let [record, limit] = &told[..] else {
            panic!("{told:?}")
        };
        assert!(record.contains("record"), "{record}");
        assert!(limit.contains(action), "{limit}");
        assert!(limit.ends_with("after [] behind []"), "{limit}");
    }
    // Those that may still be booting are waited for.
    observed.domains[0].uptime = Some(Duration::from_secs(1));
    observed.domains[0].cpu_limit_percent = None;
    let told = told(&plan_up(&thirty, &observed, None).unwrap(), "a");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].ends_with("after [] behind [0]"), "{told:?}");
}

#[test]
fn a_restart_limits_the_cpu_again() {
    let lab = lab(&[("a", ", cpu-limit: 30")], None);
    let observed = built(&lab);
    let nodes = BTreeSet::from(["a".to_owned()]);
    let plan = plan_restart("order", &observed, &nodes, Stop::PowerOff, StartLimit::NONE).unwrap();
    let last = plan.steps.last().unwrap();
    assert_eq!(last.action.describe(), "limit its CPU to 30 %");
}
