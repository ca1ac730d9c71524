//! `up` that is killed or interrupted: what is left, `up` goes on from and `down` removes.

use crate::harness::host::Host;
use crate::harness::lab::Lab;
use crate::harness::program::Program;
use crate::harness::stage::Stage;
use crate::harness::wait::{PATIENCE, until};
use crate::harness::witness;
use libtest_mimic::Trial;
use rustix::process::{Pid, Signal, kill_process};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// How often `up` is killed.
const ROUNDS: u32 = 4;

/// The number that all random moments are made from; it is printed, and can be given again.
const SEED_VARIABLE: &str = "VNFLAB_SEED";

pub(super) fn trials(system: &Arc<Stage<Arc<Host>>>) -> Vec<Trial> {
    vec![
        system.trial(
            "up_that_is_killed_at_any_moment_can_be_gone_on_with_and_taken_back",
            |_| survives_kills(),
        ),
        system.trial(
            "up_that_is_interrupted_says_so_and_can_be_gone_on_with",
            |_| survives_an_interrupt(),
        ),
    ]
}

fn start_up(lab: &Lab, more: &[&str]) -> Child {
    let line = [&["up", lab.folder().to_str().unwrap()], more].concat();
    let mut command = Program::new().command(&line);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn survives_kills() {
    let seed = seed();
    eprintln!("{SEED_VARIABLE}={seed} plays the same moments again");
    let mut random = seed;
    let lab = Lab::example("killed", "ring-native");
    // How long it takes when nobody kills it; guests are not waited for.
    let began = Instant::now();
    lab.up();
    let whole = began.elapsed();
    lab.down_without_a_trace();

    for round in 0..ROUNDS {
        let mut up = start_up(&lab, &[]);
        // Some way into it: the moment itself is what is tried.
        let moment = whole.mul_f64(f64::from(next(&mut random) % 1000) / 1000.0);
        std::thread::sleep(moment);
        up.kill().unwrap();
        up.wait().unwrap();
        let told = format!("round {round}, killed after {moment:?} of {whole:?}");
        if round % 2 == 0 {
            lab.up();
            assert!(lab.plan().is_empty(), "{told}");
            assert_eq!(lab.processes().len(), 4, "{told}");
        }
        let down = Program::new().run(&["down", "--purge", "--lab", lab.name()]);
        // Where it was killed at once there is no lab of that name.
        assert!(matches!(down.code, Some(0 | 5)), "{told}\n{}", down.told());
        until(&told, PATIENCE, || {
            let traces = witness::traces_of(lab.name());
            traces
                .is_empty()
                .then_some(())
                .ok_or_else(|| format!("{traces:?}"))
        });
    }
}

fn survives_an_interrupt() {
    let lab = Lab::example("stopped", "ring-native");
    // One step after the other: there is much left to do when the first VM is there.
    let up = start_up(&lab, &["--parallel", "1"]);
    until("the first VM runs", PATIENCE, || {
        let count = lab.processes().len();
        (count > 0).then_some(()).ok_or_else(|| "none".to_owned())
    });
    let pid = Pid::from_raw(i32::try_from(up.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let output = up.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("interrupted") && said.contains("goes on from there"),
        "{said}"
    );
    assert!(lab.processes().len() < 4, "nothing was interrupted");

    lab.up();
    assert_eq!(lab.processes().len(), 4);
    assert!(lab.plan().is_empty());
    lab.down_without_a_trace();
}

/// The seed that was asked for, or one of the clock.
fn seed() -> u32 {
    let asked = std::env::var(SEED_VARIABLE).ok();
    asked.map_or_else(
        || {
            SystemTime::UNIX_EPOCH
                .elapsed()
                .unwrap_or(Duration::ZERO)
                .subsec_nanos()
                | 1
        },
        |text| text.parse().unwrap(),
    )
}

/// The next of a row of random numbers (xorshift, which never gets stuck but at zero).
fn next(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}
