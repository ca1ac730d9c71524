//! Checks of a lab that is made up, on a clock that is made up.

use super::*;
use std::collections::{BTreeMap, BTreeSet};
use vnflab_model::format::Input;
use vnflab_model::kind::Catalogue;
use vnflab_model::resolve::{Resolved, read};
use vnflab_model::span::Sources;

/// What a made-up lab is like at a time.
type Script = Box<dyn Fn(&World, &str, &str) -> Result<Said, String> + Sync + Send>;

/// A lab whose nodes answer by a script.
struct World {
    time: Mutex<Duration>,
    script: Script,
    cut: Mutex<BTreeSet<String>>,
    done: Mutex<Vec<String>>,
    cancel: AtomicBool,
    /// Ends the test after so many commands, as Ctrl-C would.
    cancel_after: Option<usize>,
}

impl World {
    fn new(
        script: impl Fn(&Self, &str, &str) -> Result<Said, String> + Sync + Send + 'static,
    ) -> Self {
        Self {
            time: Mutex::default(),
            script: Box::new(script),
            cut: Mutex::default(),
            done: Mutex::default(),
            cancel: AtomicBool::new(false),
            cancel_after: None,
        }
    }

    fn note(&self, what: String) {
        self.done.lock().unwrap().push(what);
    }

    fn is_cut(&self, link: &str) -> bool {
        self.cut.lock().unwrap().contains(link)
    }

    fn seconds(&self) -> u64 {
        self.time.lock().unwrap().as_secs()
    }
}

fn said(text: &str) -> Result<Said, String> {
    Ok(Said {
        stdout: text.to_owned(),
        stderr: String::new(),
        status: Some(0),
    })
}

impl Hands for World {
    fn questions(&self, probe: &Probe) -> Result<Vec<Question>, String> {
        let places = vnflab_model::lab_check::Places::new([]);
        match probe {
            // Commands need no addresses; each name is a node.
            Probe::Command { node, .. } if node.to_string() == "r9" => {
                vnflab_model::lab_check::questions(probe, &places, &|_| None)
            }
            _ => {
                let blueprints: Vec<_> = ["r1", "r2"].into_iter().map(blueprint).collect();
                let places = vnflab_model::lab_check::Places::new(&blueprints);
                vnflab_model::lab_check::questions(probe, &places, &|_| None)
            }
        }
    }

    fn ask(&self, node: &str, command: &str) -> Result<Said, String> {
        self.note(format!("{node}: {command}"));
        let count = self.done.lock().unwrap().len();
        if self.cancel_after == Some(count) {
            self.cancel.store(true, Ordering::Relaxed);
        }
        *self.time.lock().unwrap() += Duration::from_millis(200);
        (self.script)(self, node, command)
    }

    fn link(&self, name: &str) -> Result<(JunctionState, String), String> {
        Ok(match self.is_cut(name) {
            true => (JunctionState::Down, "it is cut".to_owned()),
            false => (JunctionState::Up, String::new()),
        })
    }

    fn frames(&self, look: &FrameLook<'_>) -> Result<u64, String> {
        *self.time.lock().unwrap() += look.during;
        Ok(u64::from(look.filter == Some("arp")))
    }

    fn bytes(&self, _on: &str, _from: Option<&str>) -> Result<u64, String> {
        // A megabit a second.
        Ok(self.time.lock().unwrap().as_millis() as u64 * 125)
    }

    fn change(&self, change: &Change) -> Result<(), String> {
        self.note(change.describe());
        let mut cut = self.cut.lock().unwrap();
        match change {
            Change::Cut { link, .. } => drop(cut.insert(link.value.clone())),
            Change::Restore { link } => drop(cut.remove(&link.value)),
            Change::Stop { .. } | Change::Start { .. } => {}
            Change::Impair { .. } => return Err("the wire does not run".to_owned()),
        }
        Ok(())
    }

    fn put_back(&self) -> Result<(), String> {
        self.note("put back".to_owned());
        self.cut.lock().unwrap().clear();
        Ok(())
    }

    fn now(&self) -> Duration {
        *self.time.lock().unwrap()
    }

    fn sleep(&self, time: Duration) {
        *self.time.lock().unwrap() += time;
    }
}

fn blueprint(name: &str) -> vnflab_model::blueprint::NodeBlueprint {
    let number = u32::from(name.as_bytes()[1] - b'0');
    serde_json::from_value(serde_json::json!({
        "lab": "ring", "node": name, "number": number, "kind": "frr", "guest": "frr",
        "hostname": name, "address": "127.1.1.1", "accelerator": "tcg",
        "machine": {
            "machine": "pc", "firmware": "bios", "cpus": 1, "memory-mib": 256, "cpu-model": null,
            "cpu-features": [], "smbios": [], "serial-ports": 1, "video": "none",
        },
        "volume-folder": "/", "drives": [], "nics": [],
        "console": {"listen": "127.1.1.1:5000", "log-path": "/log"},
        "ready": {"patterns": [], "timeout-seconds": 1},
        "access": null,
    }))
    .unwrap()
}

fn checks(text: &str) -> Vec<LabCheck> {
    let text = format!(
        "name: ring\nnodes: {{r1: {{kind: frr}}, r2: {{kind: frr}}, r9: {{kind: frr}}}}\nlinks: [\"r1:eth1 -- r2:eth1\"]\nchecks:\n{text}"
    );
    let mut sources = Sources::default();
    let source = sources.add("lab.yaml", &text);
    let input = Input::of_file(source, "lab.yaml", "lab");
    let catalogue = Catalogue::embedded();
    let Resolved { lab, found, .. } = read(&sources, &input, &catalogue);
    assert!(found.is_empty(), "{found:?}");
    lab.unwrap().checks
}

fn outcomes(world: &World, text: &str, wait: Duration) -> Vec<CheckOutcome> {
    let checks = checks(text);
    let all: Vec<&LabCheck> = checks.iter().collect();
    let patience = Patience {
        wait,
        cancel: &world.cancel,
    };
    run(&all, world, patience, &mut |_| {})
}

/// How a single check goes.
fn outcome(world: &World, text: &str) -> CheckOutcome {
    outcomes(world, text, Duration::ZERO).remove(0)
}

const LINK: &str = "r1:eth1--r2:eth1";

#[test]
fn a_look_is_tried_until_it_holds_or_its_time_is_over() {
    let slow = || {
        World::new(|world, _, _| match world.seconds() >= 3 {
            true => said("up"),
            false => said("booting"),
        })
    };
    let text = |within: &str| {
        format!("  x: {{command: {{node: r1, run: state, matches: up}}, within: {within}}}\n")
    };
    let patient = outcome(&slow(), &text("10s"));
    assert_eq!(
        patient.verdict,
        Verdict::Holds("r1: as expected".to_owned())
    );
    assert!(patient.steps[0].tries > 3);
    let hasty = outcome(&slow(), &text("2s"));
    assert_eq!(hasty.verdict.text(), "r1: `up` does not match: booting");
    assert!(
        hasty.elapsed <= Duration::from_millis(2200),
        "{:?}",
        hasty.elapsed
    );
    let once = outcome(
        &slow(),
        "  x: {command: {node: r1, run: state, matches: up}}\n",
    );
    assert_eq!(once.steps[0].tries, 1);
    let waited = outcomes(
        &slow(),
        "  x: {command: {node: r1, run: state, matches: up}}\n",
        Duration::from_secs(9),
    );
    assert!(waited[0].verdict.holds());
}

#[test]
fn only_what_did_not_hold_is_asked_again() {
    let world = World::new(
        |world, node, _| match node == "r1" || world.seconds() >= 2 {
            true => said("up"),
            false => said("down"),
        },
    );
    let text = "  x: {command: {node: [r1, r2], run: state, matches: up}, within: 9s}\n";
    assert!(outcome(&world, text).verdict.holds());
    let done = world.done.lock().unwrap();
    assert_eq!(done.iter().filter(|one| **one == "r1: state").count(), 1);
    assert!(done.iter().filter(|one| **one == "r2: state").count() > 1);
}

#[test]
fn what_is_expected_to_fail_fails_and_a_node_that_is_not_there_satisfies_nobody() {
    let world = || World::new(|_, _, _| said("down"));
    let text = "  x: {command: {node: r1, run: state, matches: up}, expect: fail}\n";
    assert!(outcome(&world(), text).verdict.holds());
    let text = "  x: {command: {node: r1, run: state, matches: down}, expect: fail}\n";
    let wrong = outcome(&world(), text);
    assert_eq!(
        wrong.verdict,
        Verdict::Not("expected to fail, yet: r1: as expected".to_owned())
    );
    let text = "  x: {command: {node: r9, run: state, matches: up}, expect: fail}\n";
    assert_eq!(
        outcome(&world(), text).verdict,
        Verdict::Unknown("`r9` is not up".to_owned())
    );
    let mute = World::new(|_, _, _| Err("its SSH port is closed".to_owned()));
    let text = "  x: {command: {node: r1, run: state}, expect: fail}\n";
    assert_eq!(
        outcome(&mute, text).verdict,
        Verdict::Unknown("r1: its SSH port is closed".to_owned())
    );
}

const FAILOVER: &str = "
  failover:
    steps:
      - command: {node: r1, run: ping, matches: came}
      - cut: r1:eth1
      - link: {name: r1:eth1, state: down}
      - command: {node: r1, run: ping, matches: came}
        within: 3s
";

/// Pings come back, also when the link is cut, after so many seconds.
fn ring(seconds: u64) -> World {
    World::new(move |world, _, _| {
        let time = world.seconds();
        match world.is_cut(LINK) && time < seconds {
            true => said("lost"),
            false => said("came"),
        }
    })
}

#[test]
fn steps_change_the_lab_and_it_is_put_back_when_they_hold() {
    let world = ring(2);
    let outcome = outcome(&world, FAILOVER);
    assert_eq!(outcome.verdict, Verdict::Holds("4 steps".to_owned()));
    let done = world.done.lock().unwrap();
    assert_eq!(done[1], "cut r1:eth1--r2:eth1");
    assert_eq!(done.last().unwrap(), "put back");
    assert_eq!(outcome.steps[1].what, "cut r1:eth1--r2:eth1");
    assert!(outcome.steps[3].tries > 1);
}

#[test]
fn steps_that_do_not_hold_end_there_and_the_lab_is_put_back() {
    let world = ring(60);
    // How long is waited before a change says nothing of how long may be waited behind it.
    let outcome = outcomes(&world, FAILOVER, Duration::from_secs(40)).remove(0);
    assert_eq!(
        outcome.verdict.text(),
        "step 4, r1: ping: r1: `came` does not match: lost"
    );
    assert!(matches!(outcome.verdict, Verdict::Not(_)));
    assert_eq!(world.done.lock().unwrap().last().unwrap(), "put back");
    let text =
        "  x: {steps: [{impair: {link: r1:eth1, loss: 1%}}, {command: {node: r1, run: ping}}]}\n";
    let refused = super::tests::outcome(&ring(0), text);
    assert_eq!(
        refused.verdict,
        Verdict::Unknown(
            "step 1, impair r1:eth1--r2:eth1: loss 1%: the wire does not run".to_owned()
        )
    );
    assert_eq!(refused.steps.len(), 1);
}

#[test]
fn an_interruption_ends_everything_and_the_lab_is_put_back() {
    let world = World {
        cancel_after: Some(5),
        ..ring(60)
    };
    let text =
        format!("{FAILOVER}  later: {{steps: [{{cut: r1:eth1}}, {{link: {{name: r1:eth1}}}}]}}\n");
    let outcomes = outcomes(&world, &text, Duration::ZERO);
    assert_eq!(outcomes.len(), 2);
    for outcome in &outcomes {
        assert!(
            matches!(outcome.verdict, Verdict::Unknown(_)),
            "{outcome:?}"
        );
        assert!(outcome.verdict.text().ends_with("interrupted"));
    }
    let done = world.done.lock().unwrap();
    let cuts = done.iter().filter(|one| one.starts_with("cut")).count();
    assert_eq!(cuts, 1, "{done:?}");
    assert!(world.cut.lock().unwrap().is_empty());
}

#[test]
fn a_panic_leaves_nothing_changed() {
    let world = World::new(|_, _, _| panic!("on purpose"));
    let text = "  x: {steps: [{cut: r1:eth1}, {command: {node: r1, run: ping}}]}\n";
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| outcome(&world, text)));
    assert!(caught.is_err());
    assert!(world.cut.lock().unwrap().is_empty());
}

#[test]
fn checks_that_change_the_lab_run_alone_and_all_keep_their_order() {
    let world = ring(0);
    let text = "
  first: {steps: [{cut: r1:eth1}, {command: {node: r1, run: one}}, {command: {node: r1, run: two}}]}
  second: {command: {node: r1, run: three}}
  third: {steps: [{cut: r1:eth1}, {command: {node: r1, run: four}}]}
";
    let outcomes = outcomes(&world, text, Duration::ZERO);
    let names: Vec<&str> = outcomes.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["first", "second", "third"]);
    let done = world.done.lock().unwrap();
    let cut = "cut r1:eth1--r2:eth1";
    let expected = [
        "r1: three",
        cut,
        "r1: one",
        "r1: two",
        "put back",
        cut,
        "r1: four",
        "put back",
    ];
    assert_eq!(*done, expected);
}

#[test]
fn frames_rates_and_links_are_seen_without_asking_a_guest() {
    let world = ring(0);
    let text = "
  arp: {frames: {on: r1:eth1, match: arp}}
  ospf: {frames: {on: r1:eth1, match: ip proto 89, during: 2s}}
  quick: {rate: {on: r1:eth1, least: 500kbit, most: 2mbit, during: 4s}}
  slow: {rate: {on: r1:eth1, least: 2mbit}}
  up: {link: {name: r2:eth1}}
  down: {link: {name: r2:eth1, state: down}}
";
    let seen: BTreeMap<String, String> = outcomes(&world, text, Duration::ZERO)
        .into_iter()
        .map(|one| {
            (
                one.name,
                format!("{}: {}", one.verdict.holds(), one.verdict.text()),
            )
        })
        .collect();
    assert_eq!(
        seen["arp"],
        "true: frames `arp` on r1:eth1--r2:eth1: 1 frame"
    );
    assert!(
        seen["ospf"].starts_with("false: frames `ip proto 89` on r1:eth1--r2:eth1: 0 frames in")
    );
    // The clock is real, so the last digits are not always the same.
    assert!(
        seen["quick"].starts_with("true: rate on r1:eth1--r2:eth1: "),
        "{}",
        seen["quick"]
    );
    assert!(seen["slow"].starts_with("false:") && seen["slow"].contains("expected 2mbit or more"));
    assert_eq!(seen["up"], "true: r1:eth1--r2:eth1 is up");
    assert_eq!(seen["down"], "false: r1:eth1--r2:eth1 is up");
    assert!(world.done.lock().unwrap().is_empty());
}
