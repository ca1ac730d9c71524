//! What is left when things go wrong: plans carried out on the fake driver, which fails or takes
//! the process with it at every single call.
//!
//! Whatever happened, a second `up` makes the lab as its blueprint says and a `down` leaves
//! nothing of it; and what belongs to others is never touched.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use proptest::prelude::*;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use support::{Ring, TestLab, TestNode};
use vnflab_engine::driver::Driver;
use vnflab_engine::driver::fake::{FakeDriver, Mishap, Moment};
use vnflab_engine::executor::{Outcome, execute};
use vnflab_engine::media::media_image;
use vnflab_engine::performer::{PerformError, Performer};
use vnflab_engine::ready::{self, Awaited, Readiness};
use vnflab_engine::wire::Wires;
use vnflab_model::blueprint::{
    After, Blueprint, DriveContent, JunctionState, NodeBlueprint, StartLimit, Until, WireChange,
};
use vnflab_model::observed::{DomainState, Observed};
use vnflab_model::plan::{
    Disks, Plan, PlanError, Stop, plan_down, plan_replace, plan_restart, plan_resume, plan_start,
    plan_stop, plan_suspend, plan_up,
};
use vnflab_model::typing::Typing;

const MOMENTS: [Moment; 3] = [Moment::Before, Moment::Midway, Moment::After];

/// More calls than any of the plans here makes.
const CALL_LIMIT: usize = 200;

fn world_with_others() -> FakeDriver {
    let driver = FakeDriver::new();
    driver.add_foreign_domain("somebody", DomainState::Running);
    driver.add_foreign_domain("sim.somebody", DomainState::Off);
    driver.add_foreign_network("default", "virbr0");
    driver.add_foreign_volume("somebody.qcow2", b"precious");
    driver.add_foreign_volume("vnflab0.sim.r1.disk.qcow2", b"of another form");
    driver.add_host_bridge("br-lan");
    driver
}

/// The lab with its ring on a wire; its nodes boot one at a time, the first after the last.
fn wired() -> TestLab {
    let mut wired = TestLab {
        ring: Ring::Wire(1),
        start: StartLimit::of_nodes(1),
        ..lab()
    };
    wired.nodes[0].after = vec![After {
        node: "r3".to_owned(),
        until: Until::Ready,
    }];
    wired
}

/// Guests that are up as soon as their VMs run.
struct AtOnce;

impl Readiness for AtOnce {
    fn await_ready(
        &self,
        _: &Awaited,
        runs: &mut dyn FnMut() -> bool,
        _: &AtomicBool,
    ) -> ready::Outcome {
        match runs() {
            true => ready::Outcome::Ready {
                after: Duration::ZERO,
            },
            false => ready::Outcome::NotReady {
                reason: ready::Reason::Stopped,
                last_lines: Vec::new(),
            },
        }
    }
}

fn lab() -> TestLab {
    let mut lab = TestLab::new("sim", 3);
    lab.network = Some(7);
    lab.nodes[1].extra_disk = true;
    lab
}

fn run(
    driver: &FakeDriver,
    plan: &Plan,
    blueprint: &Blueprint,
    workers: usize,
) -> Outcome<PerformError> {
    let performer = Performer::with_blueprint(driver, driver, blueprint)
        .with_readiness(&AtOnce)
        .with_shutdown_patience(Duration::ZERO);
    let cancel = AtomicBool::new(false);
    execute(plan, &performer, workers, &cancel, &mut |_| {})
}

/// What exists, the wires included.
fn observe(driver: &FakeDriver) -> Observed {
    let mut observed = Driver::observe(driver).expect("the driver is alive");
    observed.wires = Wires::observe(driver).expect("the wires are alive");
    observed
}

fn up(driver: &FakeDriver, blueprint: &Blueprint, workers: usize) -> Outcome<PerformError> {
    let observed = observe(driver);
    let plan = plan_up(blueprint, &observed, None).expect("nothing foreign is in the way");
    run(driver, &plan, blueprint, workers)
}

fn down(driver: &FakeDriver, blueprint: &Blueprint, workers: usize) -> Outcome<PerformError> {
    let observed = observe(driver);
    let plan = plan_down(&blueprint.lab, &observed, Disks::Delete);
    run(driver, &plan, blueprint, workers)
}

fn assert_complete(outcome: &Outcome<PerformError>, context: &str) {
    assert!(outcome.is_complete(), "{context}: {outcome:?}");
}

/// The lab is as its blueprint says, down to the bytes of its media.
fn assert_converged(driver: &FakeDriver, blueprint: &Blueprint, context: &str) {
    let observed = observe(driver);
    let plan = plan_up(blueprint, &observed, None).unwrap();
    assert!(plan.is_empty(), "{context}: {plan:#?}");
    for node in &blueprint.nodes {
        let domain = observed.domain(&blueprint.lab, &node.node).unwrap();
        let (was, shall) = (without_links(&domain.record.blueprint), without_links(node));
        assert_eq!(was, shall, "{context}");
        assert_eq!(domain.state, DomainState::Running, "{context}");
        for nic in &node.nics {
            assert_eq!(domain.carriers[&nic.mac], nic.carrier, "{context}: {nic:?}");
        }
    }
    let wire = observed.wires.get(&blueprint.lab);
    let wire = wire.map(|wire| wire.config().expect("it runs"));
    assert_eq!(wire, blueprint.wire.as_ref(), "{context}");
    for (volume, content) in &blueprint.media {
        let written = driver.volume_bytes(volume);
        assert!(
            written == Some(media_image(content).unwrap()),
            "{context}: the medium {volume} is not what it shall be"
        );
    }
}

/// A node whose media are told apart without regard to links: those wait for the next start.
fn without_links(node: &NodeBlueprint) -> NodeBlueprint {
    let mut node = node.clone();
    for drive in &mut node.drives {
        if let DriveContent::Media { digest, .. } = &mut drive.content {
            digest.clear();
        }
    }
    node
}

fn assert_gone(driver: &FakeDriver, context: &str) {
    let observed = observe(driver);
    assert!(observed.labs().is_empty(), "{context}: {observed:#?}");
}

/// Every way in which a sequence of calls can go wrong, until one is never reached.
fn every_mishap(mut attempt: impl FnMut(Mishap) -> bool) {
    for call in 0..CALL_LIMIT {
        let mut reached = attempt(Mishap::Fail(call));
        for moment in MOMENTS {
            reached |= attempt(Mishap::Crash(call, moment));
        }
        if !reached {
            assert!(call > 0, "no call was made at all");
            return;
        }
    }
    panic!("more than {CALL_LIMIT} calls: raise the limit");
}

/// Carries out `begin` with a mishap, and tells whether it came to that.
fn with_mishap(
    driver: &FakeDriver,
    mishap: Mishap,
    begin: impl FnOnce() -> Outcome<PerformError>,
) -> bool {
    driver.expect_mishap(mishap);
    let reached = !begin().is_complete();
    driver.revive();
    reached
}

#[test]
fn up_after_a_mishap_in_up_converges() {
    for (lab, workers) in [(lab(), 1), (lab(), 4), (wired(), 1), (wired(), 4)] {
        let blueprint = lab.blueprint();
        every_mishap(|mishap| {
            let driver = world_with_others();
            let others = driver.foreign_state();
            let reached = with_mishap(&driver, mishap, || up(&driver, &blueprint, workers));
            let context = format!("{mishap:?}, {workers} workers");
            assert_complete(&up(&driver, &blueprint, workers), &context);
            assert_converged(&driver, &blueprint, &context);
            assert_eq!(driver.foreign_state(), others, "{context}");
            reached
        });
    }
}

#[test]
fn down_after_a_mishap_in_up_leaves_nothing() {
    let blueprint = wired().blueprint();
    every_mishap(|mishap| {
        let driver = world_with_others();
        let others = driver.foreign_state();
        let reached = with_mishap(&driver, mishap, || up(&driver, &blueprint, 4));
        let context = format!("{mishap:?}");
        assert_complete(&down(&driver, &blueprint, 4), &context);
        assert_gone(&driver, &context);
        assert_eq!(driver.foreign_state(), others, "{context}");
        reached
    });
}

#[test]
fn down_after_a_mishap_in_down_leaves_nothing() {
    let blueprint = wired().blueprint();
    every_mishap(|mishap| {
        let driver = world_with_others();
        let others = driver.foreign_state();
        assert_complete(&up(&driver, &blueprint, 4), "up");
        let reached = with_mishap(&driver, mishap, || down(&driver, &blueprint, 4));
        let context = format!("{mishap:?}");
        assert_complete(&down(&driver, &blueprint, 4), &context);
        assert_gone(&driver, &context);
        assert_eq!(driver.foreign_state(), others, "{context}");
        reached
    });
}

/// One of every kind of edit: memory, configuration, disks, a node gone, a node new, the network.
fn edited() -> TestLab {
    let mut edited = lab();
    edited.nodes[0].memory_mib += 1;
    edited.nodes[0].configuration = "hostname edited\n".to_owned();
    edited.nodes[1].extra_disk = false;
    edited.nodes.remove(2);
    edited.nodes.push(TestNode::new("new"));
    edited
}

#[test]
fn up_after_a_mishap_in_an_edit_converges_forwards_and_back() {
    let before = lab().blueprint();
    let mut moved = edited();
    moved.network = Some(8);
    for after in [edited().blueprint(), moved.blueprint()] {
        for target in [&after, &before] {
            every_mishap(|mishap| {
                let driver = world_with_others();
                let others = driver.foreign_state();
                assert_complete(&up(&driver, &before, 1), "before the edit");
                let reached = with_mishap(&driver, mishap, || up(&driver, &after, 1));
                let context = format!("{mishap:?}");
                assert_complete(&up(&driver, target, 1), &context);
                assert_converged(&driver, target, &context);
                assert_eq!(driver.foreign_state(), others, "{context}");
                reached
            });
        }
    }
}

#[test]
fn up_after_a_mishap_in_rewiring_converges_and_restarts_nobody() {
    let before = wired().blueprint();
    let mut moved = wired();
    moved.ring = Ring::Wire(2);
    let mut unlinked = wired();
    unlinked.ring = Ring::Wire(0);
    for after in [moved.blueprint(), unlinked.blueprint()] {
        for target in [&after, &before] {
            every_mishap(|mishap| {
                let driver = world_with_others();
                assert_complete(&up(&driver, &before, 1), "before the edit");
                let running = driver.starts();
                let reached = with_mishap(&driver, mishap, || up(&driver, &after, 1));
                let context = format!("{mishap:?}");
                assert_complete(&up(&driver, target, 1), &context);
                assert_converged(&driver, target, &context);
                assert_eq!(driver.starts(), running, "{context}");
                reached
            });
        }
    }
}

#[test]
fn a_ring_goes_onto_the_wire_and_off_again() {
    for (before, after) in [(lab(), wired()), (wired(), lab())] {
        let (before, after) = (before.blueprint(), after.blueprint());
        every_mishap(|mishap| {
            let driver = world_with_others();
            assert_complete(&up(&driver, &before, 1), "before");
            let reached = with_mishap(&driver, mishap, || up(&driver, &after, 1));
            let context = format!("{mishap:?}");
            assert_complete(&up(&driver, &after, 1), &context);
            assert_converged(&driver, &after, &context);
            reached
        });
    }
}

#[test]
fn a_wire_that_died_or_was_changed_by_hand_is_put_right_under_running_vms() {
    let blueprint = wired().blueprint();
    let name = || "r1:eth2--r2:eth1".to_owned();
    every_mishap(|mishap| {
        let driver = world_with_others();
        assert_complete(&up(&driver, &blueprint, 1), "up");
        let running = driver.starts();
        let state = JunctionState::Down;
        let cut = WireChange::SetState {
            name: name(),
            state,
        };
        driver.change_wire_by_hand("sim", &cut);
        let gone = WireChange::Disconnect {
            name: "r2:eth2--r3:eth1".to_owned(),
        };
        driver.change_wire_by_hand("sim", &gone);
        let reached = with_mishap(&driver, mishap, || up(&driver, &blueprint, 1));
        driver.kill_wire("sim");
        let context = format!("{mishap:?}");
        assert_complete(&up(&driver, &blueprint, 1), &context);
        assert_converged(&driver, &blueprint, &context);
        assert_eq!(driver.starts(), running, "{context}");
        reached
    });
}

#[test]
fn power_follows_the_plan() {
    let blueprint = wired().blueprint();
    let driver = world_with_others();
    assert_complete(&up(&driver, &blueprint, 4), "up");
    let node = std::collections::BTreeSet::from(["r1".to_owned()]);
    let state = || {
        let observed = observe(&driver);
        observed.domain("sim", "r1").unwrap().state
    };
    driver.set_deaf("sim.r1");
    for how in [Stop::Shutdown, Stop::PowerOff] {
        let plan = plan_stop("sim", &observe(&driver), &node, how).unwrap();
        assert_complete(&run(&driver, &plan, &blueprint, 4), "stop");
        assert_eq!(state(), DomainState::Off);
        let plan = plan_start("sim", &observe(&driver), &node, StartLimit::NONE).unwrap();
        assert_complete(&run(&driver, &plan, &blueprint, 4), "start");
        assert_eq!(state(), DomainState::Running);
    }
    driver.set_state("sim.r1", DomainState::Paused);
    let plan = plan_start("sim", &observe(&driver), &node, StartLimit::NONE).unwrap();
    assert_complete(&run(&driver, &plan, &blueprint, 4), "resume");
    assert_eq!(state(), DomainState::Running);
    let plan = plan_suspend("sim", &observe(&driver), &node).unwrap();
    assert_complete(&run(&driver, &plan, &blueprint, 4), "suspend");
    assert_eq!(state(), DomainState::Paused);
    assert!(
        plan_suspend("sim", &observe(&driver), &node)
            .unwrap()
            .is_empty()
    );
    // `up` lets a node that is held go on, as `resume` does.
    assert_complete(&up(&driver, &blueprint, 4), "up of a held node");
    assert_eq!(state(), DomainState::Running);
    driver.set_state("sim.r1", DomainState::Paused);
    let plan = plan_resume("sim", &observe(&driver), &node).unwrap();
    assert_complete(&run(&driver, &plan, &blueprint, 4), "resume");
    assert_eq!(state(), DomainState::Running);
    assert!(
        plan_resume("sim", &observe(&driver), &node)
            .unwrap()
            .is_empty()
    );
    driver.set_state("sim.r1", DomainState::Off);
    let off = vec![PlanError::NotRunning("r1".to_owned())];
    assert_eq!(
        plan_suspend("sim", &observe(&driver), &node),
        Err(off.clone())
    );
    assert_eq!(plan_resume("sim", &observe(&driver), &node), Err(off));
    assert_complete(&up(&driver, &blueprint, 4), "up");
    let observed = observe(&driver);
    let plan = plan_restart("sim", &observed, &node, Stop::Shutdown, StartLimit::NONE).unwrap();
    assert_complete(&run(&driver, &plan, &blueprint, 4), "restart");
    assert_eq!(state(), DomainState::Running);
    assert_converged(&driver, &blueprint, "after all of it");
}

#[test]
fn what_was_typed_goes_with_the_disk_and_no_sooner() {
    let mut lab = wired();
    let driver = world_with_others();
    let typed = Typing::Done {
        digest: "ab01".to_owned(),
    };
    let noted = || {
        let observed = observe(&driver);
        observed.domain("sim", "r1").unwrap().typing.clone()
    };
    let go = |plan: Plan, blueprint: &Blueprint| {
        assert_complete(&run(&driver, &plan, blueprint, 4), "a plan");
    };
    assert_complete(&up(&driver, &lab.blueprint(), 4), "up");
    driver.note_typing("sim.r1", Some(&typed)).unwrap();
    // Made anew on its disk.
    lab.nodes[0].memory_mib += 1;
    let blueprint = lab.blueprint();
    assert_complete(&up(&driver, &blueprint, 4), "up");
    assert_eq!(noted(), Some(typed.clone()));
    // Down and up again, on the disk that was kept.
    for _ in 0..2 {
        go(plan_down("sim", &observe(&driver), Disks::Keep), &blueprint);
        assert!(plan_down("sim", &observe(&driver), Disks::Keep).is_empty());
        assert_complete(&up(&driver, &blueprint, 4), "up");
        assert_eq!(noted(), Some(typed.clone()));
        assert_converged(&driver, &blueprint, "after down and up");
    }
    // An `up` that was broken off before it deleted the volume that remembered.
    let domain = observe(&driver).domain("sim", "r1").unwrap().clone();
    let memory = typed.memory(&domain.record.blueprint).unwrap().to_string();
    driver.write_volume(&memory, b" ").unwrap();
    assert_complete(&up(&driver, &blueprint, 4), "up");
    assert!(
        !observe(&driver)
            .volumes
            .iter()
            .any(|volume| volume.name.to_string() == memory)
    );
    // A new disk.
    let plan = plan_replace(&blueprint, &observe(&driver), None).unwrap();
    go(plan, &blueprint);
    assert_eq!(noted(), None);
    driver.note_typing("sim.r1", Some(&typed)).unwrap();
    go(
        plan_down("sim", &observe(&driver), Disks::Delete),
        &blueprint,
    );
    assert_complete(&up(&driver, &blueprint, 4), "up");
    assert_eq!(noted(), None);
}

#[test]
fn two_labs_do_not_notice_each_other() {
    let driver = world_with_others();
    let one = lab().blueprint();
    let mut other = TestLab::new("other", 2);
    other.network = Some(9);
    other.loopback = 202;
    let other = other.blueprint();
    assert_complete(&up(&driver, &one, 4), "one");
    assert_complete(&up(&driver, &other, 4), "other");
    assert_converged(&driver, &one, "one");
    assert_complete(&down(&driver, &one, 4), "one");
    assert_converged(&driver, &other, "other");
    assert_complete(&down(&driver, &other, 4), "other");
    assert_gone(&driver, "both");
}

fn any_lab() -> impl Strategy<Value = TestLab> {
    let node = (0_u64..2, 0_u8..2, any::<bool>(), 0_u8..6);
    let nodes = proptest::collection::btree_map(0_u8..6, node, 0..5);
    let network = proptest::option::of(7_u8..9);
    let ring = prop_oneof![
        Just(Ring::Direct),
        (0_usize..4).prop_map(Ring::Wire),
        (0_usize..4).prop_map(Ring::Wire),
    ];
    (nodes, network, ring).prop_map(|(nodes, network, ring)| {
        let mut lab = TestLab::new("sim", 0);
        lab.network = network;
        lab.ring = ring;
        lab.nodes = nodes
            .into_iter()
            .map(|(name, (memory, configuration, extra_disk, _))| TestNode {
                memory_mib: 64 + memory,
                configuration: format!("configuration {configuration}\n"),
                extra_disk,
                ..TestNode::new(format!("n{name}"))
            })
            .collect();
        lab
    })
}

fn any_mishap() -> impl Strategy<Value = Mishap> {
    let moment = proptest::sample::select(MOMENTS.to_vec());
    prop_oneof![
        (0_usize..40).prop_map(Mishap::Fail),
        (0_usize..40, moment).prop_map(|(call, moment)| Mishap::Crash(call, moment)),
    ]
}

proptest! {
    // proptest prints the seed and the smallest case of a failure, and keeps it.
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn any_history_of_edits_and_mishaps_converges(
        history in proptest::collection::vec((any_lab(), any_mishap()), 0..5),
        last in any_lab(),
        workers in 1_usize..5,
    ) {
        let driver = world_with_others();
        let others = driver.foreign_state();
        for (lab, mishap) in &history {
            let blueprint = lab.blueprint();
            with_mishap(&driver, *mishap, || up(&driver, &blueprint, workers));
        }
        let blueprint = last.blueprint();
        assert_complete(&up(&driver, &blueprint, workers), "the last up");
        assert_converged(&driver, &blueprint, "after the last up");
        prop_assert_eq!(driver.foreign_state(), others.clone());
        assert_complete(&down(&driver, &blueprint, workers), "down");
        assert_gone(&driver, "after down");
        prop_assert_eq!(driver.foreign_state(), others);
    }
}
