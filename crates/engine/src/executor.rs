//! Carries out a plan.
//!
//! # Theory of operation
//!
//! The calling thread coordinates: it knows which steps are done, hands out those whose
//! predecessors have all succeeded (lowest number first), and passes on what happens as
//! [`Event`]s. At most [`MAX_WORKERS`] threads do the steps. So events come in one order, on one
//! thread, and no lock is held while a step is done. A step that only waits for a guest
//! ([`Work::Wait`]) has a thread of its own, and keeps nobody from working.
//!
//! A step that fails takes those with it that come `after` it, directly or not; those that are
//! only `behind` it, and all others, go on, so
//! that as much as possible is done and every error is seen at once. When the cancel flag goes
//! up, what runs ends and nothing new begins: steps are idempotent, so a plan that was broken
//! off is simply made again.
//!
//! Example: `0 overlay`, `1 medium`, `2 define after 0, 1`, `3 start after 2`, `4 start another`.
//! 0, 1 and 4 begin at once; if 1 fails, 2 and 3 are skipped, and 0 and 4 end as ever.
//!
//! No choice is made here that a plan could make.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};
use vnflab_model::plan::{Plan, Step, StepId};

/// Steps done at the same time.
///
/// Starting a VM is mostly waiting for libvirt and QEMU, so there are more than a small host has
/// CPUs. libvirt takes at most five requests of a connection at a time (`max_client_requests` in its
/// daemon's configuration), the one that it is about to read included, and stops reading beyond
/// that. A daemon of version 9.0 was seen never to answer two requests again after that, all its
/// workers idle; with four under way it never has to stop.
pub const MAX_WORKERS: usize = 4;

/// Steps that wait at the same time. Each is a thread that sleeps most of the time.
pub const MAX_WAITS: usize = 128;

/// What a step does while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// It asks something of libvirt or of a wire.
    Request,
    /// It waits for a guest, and only looks now and then. All that wait look one at a time.
    Wait,
}

/// What does a step.
pub trait Perform: Sync {
    /// Why a step failed.
    type Error: Send;

    /// What a step does while it lasts.
    fn work(&self, _step: &Step) -> Work {
        Work::Request
    }

    /// Does one step.
    ///
    /// # Errors
    ///
    /// When it cannot be done; then what waits for it is skipped.
    fn perform(&self, step: &Step) -> Result<(), Self::Error>;
}

/// What happens while a plan is carried out. Every step has either a `Started` and then a `Done`
/// or `Failed`, or a `Skipped`.
#[derive(Debug)]
pub enum Event<'a, E> {
    /// A step begins.
    Started {
        /// Its number.
        id: StepId,
        /// The step.
        step: &'a Step,
    },
    /// A step succeeded.
    Done {
        /// Its number.
        id: StepId,
        /// The step.
        step: &'a Step,
        /// How long it took.
        elapsed: Duration,
    },
    /// A step failed.
    Failed {
        /// Its number.
        id: StepId,
        /// The step.
        step: &'a Step,
        /// Why.
        error: &'a E,
    },
    /// A step was not begun.
    Skipped {
        /// Its number.
        id: StepId,
        /// The step.
        step: &'a Step,
        /// Why.
        reason: SkipReason,
    },
}

/// Why a step was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// An earlier step, which it waits for, failed or was skipped.
    After(StepId),
    /// The plan was cancelled.
    Cancelled,
}

/// How a plan ended.
#[derive(Debug)]
pub struct Outcome<E> {
    /// Steps that succeeded.
    pub done: usize,
    /// Steps that failed, in the order in which they did.
    pub failures: Vec<Failure<E>>,
    /// Steps that were not begun.
    pub skipped: Vec<(StepId, SkipReason)>,
}

impl<E> Outcome<E> {
    /// Whether every step succeeded.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.skipped.is_empty()
    }
}

/// A step that failed.
#[derive(Debug)]
pub struct Failure<E> {
    /// Its number.
    pub id: StepId,
    /// Why.
    pub error: E,
}

/// Carries out a plan, with at most `workers` steps at the same time (at least one, at most
/// [`MAX_WORKERS`]) besides those that only wait, and tells `on_event` what happens, on the
/// calling thread.
pub fn execute<P: Perform>(
    plan: &Plan,
    performer: &P,
    workers: usize,
    cancel: &AtomicBool,
    on_event: &mut dyn FnMut(&Event<'_, P::Error>),
) -> Outcome<P::Error> {
    let works: Vec<Work> = plan.steps.iter().map(|step| performer.work(step)).collect();
    // One of the requests that libvirt takes at a time is left to those that wait.
    let most = match works.contains(&Work::Wait) {
        true => MAX_WORKERS - 1,
        false => MAX_WORKERS,
    };
    let workers = workers.clamp(1, most).min(plan.steps.len().max(1));
    let (order, orders) = mpsc::channel::<StepId>();
    let orders = Mutex::new(orders);
    let (report, reports) = mpsc::channel();
    let perform = |id: StepId| {
        let begun = Instant::now();
        // A panic must reach the coordinator, which would otherwise wait for ever.
        let perform = AssertUnwindSafe(|| performer.perform(&plan.steps[id]));
        (id, catch_unwind(perform), begun.elapsed())
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let report = report.clone();
            let (orders, perform) = (&orders, &perform);
            scope.spawn(move || {
                while let Some(id) = next_order(orders) {
                    if report.send(perform(id)).is_err() {
                        return;
                    }
                }
            });
        }
        let mut progress = Progress::new(plan, &works, on_event);
        loop {
            while progress.working < workers && !cancel.load(Ordering::Relaxed) {
                let Some(id) = progress.begin_next(Work::Request) else {
                    break;
                };
                order.send(id).expect("the receiver outlives this scope");
            }
            while progress.waiting < MAX_WAITS && !cancel.load(Ordering::Relaxed) {
                let Some(id) = progress.begin_next(Work::Wait) else {
                    break;
                };
                let (report, perform) = (report.clone(), &perform);
                // Where nobody listens any more, another step has panicked.
                scope.spawn(move || drop(report.send(perform(id))));
            }
            if progress.working + progress.waiting == 0 {
                break;
            }
            let (id, result, elapsed) = reports
                .recv()
                .expect("a running step's worker holds a sender");
            let result = result.unwrap_or_else(|panic| resume_unwind(panic));
            progress.end(id, result, elapsed);
        }
        drop(order);
        progress.finish()
    })
}

fn next_order(orders: &Mutex<mpsc::Receiver<StepId>>) -> Option<StepId> {
    orders.lock().ok()?.recv().ok()
}

/// What the coordinator knows.
struct Progress<'a, 'b, E> {
    plan: &'a Plan,
    works: &'a [Work],
    on_event: &'b mut dyn FnMut(&Event<'_, E>),
    /// Steps that come after a step, by its number.
    followers: Vec<Vec<StepId>>,
    /// Steps that are behind a step alone, by its number.
    behind: Vec<Vec<StepId>>,
    /// Number of steps that a step still waits for.
    waiting_for: Vec<usize>,
    ready: BTreeSet<StepId>,
    ready_to_wait: BTreeSet<StepId>,
    /// Steps under way that work, and that wait.
    working: usize,
    waiting: usize,
    settled: Vec<bool>,
    outcome: Outcome<E>,
}

impl<'a, 'b, E> Progress<'a, 'b, E> {
    fn new(plan: &'a Plan, works: &'a [Work], on_event: &'b mut dyn FnMut(&Event<'_, E>)) -> Self {
        let count = plan.steps.len();
        let mut followers = vec![Vec::new(); count];
        let mut behind = vec![Vec::new(); count];
        let mut waiting_for = vec![0; count];
        for (id, step) in plan.steps.iter().enumerate() {
            let earlier: BTreeSet<StepId> = step.after.iter().copied().collect();
            let over: BTreeSet<StepId> = step.behind.iter().copied().collect();
            let over: BTreeSet<StepId> = over.difference(&earlier).copied().collect();
            waiting_for[id] = earlier.len() + over.len();
            for before in earlier {
                followers[before].push(id);
            }
            for before in over {
                behind[before].push(id);
            }
        }
        let mut progress = Self {
            plan,
            works,
            on_event,
            followers,
            behind,
            waiting_for,
            ready: BTreeSet::new(),
            ready_to_wait: BTreeSet::new(),
            working: 0,
            waiting: 0,
            settled: vec![false; count],
            outcome: Outcome {
                done: 0,
                failures: Vec::new(),
                skipped: Vec::new(),
            },
        };
        for id in (0..count)
            .filter(|id| progress.waiting_for[*id] == 0)
            .collect::<Vec<_>>()
        {
            progress.is_ready(id);
        }
        progress
    }

    fn is_ready(&mut self, id: StepId) {
        match self.works[id] {
            Work::Request => self.ready.insert(id),
            Work::Wait => self.ready_to_wait.insert(id),
        };
    }

    fn begin_next(&mut self, work: Work) -> Option<StepId> {
        let (ready, running) = match work {
            Work::Request => (&mut self.ready, &mut self.working),
            Work::Wait => (&mut self.ready_to_wait, &mut self.waiting),
        };
        let id = ready.pop_first()?;
        *running += 1;
        (self.on_event)(&Event::Started {
            id,
            step: &self.plan.steps[id],
        });
        Some(id)
    }

    fn end(&mut self, id: StepId, result: Result<(), E>, elapsed: Duration) {
        match self.works[id] {
            Work::Request => self.working -= 1,
            Work::Wait => self.waiting -= 1,
        }
        self.settled[id] = true;
        let step = &self.plan.steps[id];
        match result {
            Ok(()) => {
                self.outcome.done += 1;
                (self.on_event)(&Event::Done { id, step, elapsed });
                let followers = std::mem::take(&mut self.followers[id]);
                self.let_go_on(followers);
                let behind = std::mem::take(&mut self.behind[id]);
                self.let_go_on(behind);
            }
            Err(error) => {
                (self.on_event)(&Event::Failed {
                    id,
                    step,
                    error: &error,
                });
                self.outcome.failures.push(Failure { id, error });
                self.skip_followers(id);
            }
        }
    }

    /// Each of these waits for one step less.
    fn let_go_on(&mut self, steps: Vec<StepId>) {
        for id in steps {
            self.waiting_for[id] -= 1;
            if self.waiting_for[id] == 0 && !self.settled[id] {
                self.is_ready(id);
            }
        }
    }

    fn skip_followers(&mut self, failed: StepId) {
        let mut causes = vec![failed];
        while let Some(cause) = causes.pop() {
            for follower in std::mem::take(&mut self.followers[cause]) {
                if !self.settled[follower] {
                    self.skip(follower, SkipReason::After(cause));
                    causes.push(follower);
                }
            }
            let behind = std::mem::take(&mut self.behind[cause]);
            self.let_go_on(behind);
        }
    }

    fn skip(&mut self, id: StepId, reason: SkipReason) {
        self.settled[id] = true;
        self.outcome.skipped.push((id, reason));
        (self.on_event)(&Event::Skipped {
            id,
            step: &self.plan.steps[id],
            reason,
        });
    }

    fn finish(mut self) -> Outcome<E> {
        for id in 0..self.plan.steps.len() {
            if !self.settled[id] {
                self.skip(id, SkipReason::Cancelled);
            }
        }
        self.outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Barrier, Condvar};
    use vnflab_model::plan::{Action, Subject};

    /// A plan whose steps wait for the given ones; the step's number is its domain's name.
    fn plan(after: &[&[StepId]]) -> Plan {
        let step = |(id, after): (usize, &&[StepId])| Step {
            subject: Subject::Node(format!("n{id}")),
            action: Action::StartDomain {
                domain: id.to_string(),
            },
            reason: "test".to_owned(),
            after: after.to_vec(),
            behind: Vec::new(),
        };
        Plan {
            steps: after.iter().enumerate().map(step).collect(),
        }
    }

    fn number(step: &Step) -> StepId {
        match &step.action {
            Action::StartDomain { domain } => domain.parse().unwrap(),
            _ => unreachable!(),
        }
    }

    struct With<F>(F);

    impl<F: Fn(StepId) -> Result<(), String> + Sync> Perform for With<F> {
        type Error = String;

        fn perform(&self, step: &Step) -> Result<(), String> {
            self.0(number(step))
        }
    }

    fn run<F: Fn(StepId) -> Result<(), String> + Sync>(
        plan: &Plan,
        workers: usize,
        action: F,
    ) -> (Outcome<String>, Vec<String>) {
        let mut events = Vec::new();
        let outcome = execute(
            plan,
            &With(action),
            workers,
            &AtomicBool::new(false),
            &mut |event| {
                events.push(match event {
                    Event::Started { id, .. } => format!("start {id}"),
                    Event::Done { id, .. } => format!("done {id}"),
                    Event::Failed { id, error, .. } => format!("fail {id} {error}"),
                    Event::Skipped { id, reason, .. } => format!("skip {id} {reason:?}"),
                });
            },
        );
        (outcome, events)
    }

    #[test]
    fn an_empty_plan_is_complete() {
        let (outcome, events) = run(&plan(&[]), 4, |_| Ok(()));
        assert!(outcome.is_complete());
        assert!(events.is_empty());
    }

    #[test]
    fn no_step_begins_before_those_it_waits_for() {
        let plan = plan(&[&[], &[0], &[0], &[1, 2], &[3, 3]]);
        let done = Mutex::new(Vec::new());
        let (outcome, _) = run(&plan, 4, |id| {
            let mut done = done.lock().unwrap();
            let after = &plan.steps[id].after;
            assert!(after.iter().all(|before| done.contains(before)));
            done.push(id);
            Ok(())
        });
        assert!(outcome.is_complete());
        assert_eq!(outcome.done, 5);
    }

    #[test]
    fn independent_steps_run_at_the_same_time() {
        // Each waits for all the others: with fewer at a time this would never end.
        let barrier = Barrier::new(4);
        let (outcome, _) = run(&plan(&[&[], &[], &[], &[]]), 4, |_| {
            barrier.wait();
            Ok(())
        });
        assert!(outcome.is_complete());
    }

    #[test]
    fn no_more_than_the_limit_run_at_the_same_time() {
        let running = AtomicUsize::new(0);
        let most = AtomicUsize::new(0);
        let independent: Vec<&[StepId]> = vec![&[]; 50];
        run(&plan(&independent), 3, |_| {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            std::thread::yield_now();
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        });
        assert!(most.load(Ordering::SeqCst) <= 3);
    }

    #[test]
    fn a_failure_skips_what_waits_for_it_and_nothing_else() {
        let plan = plan(&[&[], &[0], &[1], &[], &[3]]);
        let fail_first = |id| match id {
            0 => Err("broken".to_owned()),
            _ => Ok(()),
        };
        let (outcome, events) = run(&plan, 1, fail_first);
        assert_eq!(outcome.done, 2);
        assert_eq!(outcome.failures.len(), 1);
        assert_eq!(
            outcome.skipped,
            [(1, SkipReason::After(0)), (2, SkipReason::After(1))]
        );
        assert_eq!(
            events,
            [
                "start 0",
                "fail 0 broken",
                "skip 1 After(0)",
                "skip 2 After(1)",
                "start 3",
                "done 3",
                "start 4",
                "done 4"
            ]
        );
    }

    #[test]
    fn what_is_only_behind_a_failed_or_skipped_step_goes_on_once_that_is_over() {
        let mut plan = plan(&[&[], &[0], &[], &[]]);
        plan.steps[2].behind = vec![0];
        plan.steps[3].behind = vec![1, 2];
        let (outcome, events) = run(&plan, 4, |id| match id {
            0 => Err("broken".to_owned()),
            _ => Ok(()),
        });
        assert_eq!(outcome.done, 2);
        let expected = [
            "start 0",
            "fail 0 broken",
            "skip 1 After(0)",
            "start 2",
            "done 2",
            "start 3",
            "done 3",
        ];
        assert_eq!(events, expected);
    }

    /// Even steps wait until every odd one, which works, is done.
    struct Waiting {
        left: Mutex<usize>,
        changed: Condvar,
    }

    impl Perform for Waiting {
        type Error = String;

        fn work(&self, step: &Step) -> Work {
            match number(step) % 2 {
                0 => Work::Wait,
                _ => Work::Request,
            }
        }

        fn perform(&self, step: &Step) -> Result<(), String> {
            let mut left = self.left.lock().unwrap();
            if self.work(step) == Work::Request {
                *left -= 1;
                self.changed.notify_all();
            }
            while self.work(step) == Work::Wait && *left > 0 {
                left = self.changed.wait(left).unwrap();
            }
            Ok(())
        }
    }

    #[test]
    fn steps_that_wait_keep_nobody_from_working() {
        let independent: Vec<&[StepId]> = vec![&[]; 100];
        let waiting = Waiting {
            left: Mutex::new(50),
            changed: Condvar::new(),
        };
        let cancel = AtomicBool::new(false);
        let outcome = execute(&plan(&independent), &waiting, 1, &cancel, &mut |_| {});
        assert_eq!(outcome.done, 100);
    }

    #[test]
    fn all_errors_are_collected() {
        let (outcome, _) = run(&plan(&[&[], &[], &[]]), 3, |id| Err(id.to_string()));
        assert_eq!(outcome.failures.len(), 3);
    }

    #[test]
    #[should_panic(expected = "a bug in a step")]
    fn a_panic_in_a_step_is_passed_on() {
        run(&plan(&[&[], &[]]), 2, |id| match id {
            0 => panic!("a bug in a step"),
            _ => Ok(()),
        });
    }

    #[test]
    fn cancelling_lets_running_steps_end_and_begins_no_more() {
        let cancel = AtomicBool::new(false);
        let begun = (Mutex::new(0), Condvar::new());
        let action = |_| {
            let (count, changed) = &begun;
            let mut count = count.lock().unwrap();
            *count += 1;
            changed.notify_all();
            // Both are under way before the flag goes up.
            while *count < 2 {
                count = changed.wait(count).unwrap();
            }
            cancel.store(true, Ordering::SeqCst);
            Ok(())
        };
        let outcome = execute(
            &plan(&[&[], &[], &[], &[0]]),
            &With(action),
            2,
            &cancel,
            &mut |_: &Event<'_, String>| {},
        );
        assert_eq!(outcome.done, 2);
        let cancelled = SkipReason::Cancelled;
        assert_eq!(outcome.skipped, [(2, cancelled), (3, cancelled)]);
    }
}
