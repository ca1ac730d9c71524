//! Dialogues with a router on a bad line: whatever is lost, late or mixed in, the configuration
//! arrives as it was meant, or the failure has a name.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod device;

use device::{CHANGED, FIRST, Faults, MS, Router, command, hold, provision};
use proptest::prelude::*;
use std::time::Duration;
use vnflab_dialogue::{Ending, Failure, Timing};

fn config(count: usize) -> Vec<String> {
    (1..=count)
        .map(|number| format!("set interface 1/1/{number} address 10.0.{number}.1/24"))
        .collect()
}

fn done(ending: &Ending) -> (&[String], usize) {
    match ending {
        Ending::Done { output, refused } => (output, refused.len()),
        Ending::Failed(failure) => panic!("{failure}\n{:#?}", failure.last_lines()),
    }
}

fn failure(ending: Ending) -> Failure {
    match ending {
        Ending::Failed(failure) => failure,
        Ending::Done { .. } => panic!("it should have failed"),
    }
}

#[test]
fn on_a_good_line_each_line_is_typed_once() {
    let mut router = Router::new(1, Faults::default());
    let held = hold(provision(&config(20)), &mut router);
    assert_eq!(done(&held.ending), (&[][..], 0));
    assert_eq!(router.saved, Some(config(20)));
    let typed = String::from_utf8(held.open).unwrap();
    assert_eq!(typed.matches("1/1/7 ").count(), 1);
    assert!(held.took < Duration::from_secs(20), "{:?}", held.took);
}

#[test]
fn secrets_are_marked_wherever_they_are_sent() {
    let mut router = Router::new(1, Faults::default());
    let held = hold(provision(&config(1)), &mut router);
    let typed = String::from_utf8(held.open).unwrap();
    assert!(!typed.contains(CHANGED), "{typed}");
    assert_eq!(held.secret, format!("{FIRST}\r{CHANGED}\r").into_bytes());
}

#[test]
fn a_dialogue_that_was_broken_off_goes_on_from_what_the_console_shows() {
    let mut router = Router::new(1, Faults::default()).left_in_config();
    let held = hold(provision(&config(3)), &mut router);
    done(&held.ending);
    assert_eq!(router.saved, Some(config(3)));
    assert!(!held.logged_in);
}

#[test]
fn what_somebody_left_on_the_line_is_not_sent_off() {
    let mut router = Router::new(1, Faults::default())
        .left_in_config()
        .with_typed("reload");
    done(&hold(provision(&config(3)), &mut router).ending);
    assert_eq!(router.garbage, Vec::<String>::new());
}

#[test]
fn a_reload_in_the_middle_begins_the_configuration_again() {
    let faults = Faults {
        late_ms: 300,
        reload_ms: 15_000,
        ..Faults::default()
    };
    let mut router = Router::new(1, faults);
    let held = hold(provision(&config(50)), &mut router);
    done(&held.ending);
    assert!(held.took > Duration::from_secs(55), "it reloaded");
    assert_eq!(router.saved, Some(config(50)));
}

#[test]
fn a_text_over_several_lines_needs_no_prompt() {
    let banner = [
        "banner motd ^",
        "keep out",
        "of here",
        "^",
        "set hostname r1",
    ];
    let banner: Vec<String> = banner.iter().map(|line| (*line).to_owned()).collect();
    let mut router = Router::new(1, Faults::default());
    done(&hold(provision(&banner), &mut router).ending);
    assert_eq!(router.saved, Some(banner));
}

#[test]
fn lines_that_the_router_refuses_are_named_and_the_others_are_taken() {
    let lines = ["set a 1", "sett b 2", "set c 3"].map(str::to_owned);
    let mut router = Router::new(1, Faults::default());
    let Ending::Done { refused, .. } = hold(provision(&lines), &mut router).ending else {
        panic!("it should be done");
    };
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (refused[0].number, refused[0].line.as_str()),
        (2, "sett b 2")
    );
    assert_eq!(refused[0].said, "% Invalid input");
    assert_eq!(router.saved.unwrap().len(), 2);
}

#[test]
fn a_line_wider_than_a_terminal_arrives_whole() {
    let long = format!("set description {}", "x y".repeat(60));
    let faults = Faults {
        dropped: 5,
        ..Faults::default()
    };
    let mut router = Router::new(3, faults);
    done(&hold(provision(std::slice::from_ref(&long)), &mut router).ending);
    assert_eq!(router.saved, Some(vec![long]));
}

#[test]
fn a_command_gives_its_output_without_prompt() {
    let mut router = Router::new(1, Faults::default()).left_in_config();
    done(&hold(provision(&config(30)), &mut router).ending);
    let held = hold(command("show running-config", &[CHANGED]), &mut router);
    assert_eq!(done(&held.ending).0, config(30));
}

#[test]
fn a_wrong_password_is_told_as_such_after_a_few_tries() {
    let mut router = Router::new(1, Faults::default());
    let failure = failure(hold(command("x", &["wrong"]), &mut router).ending);
    assert_eq!(
        failure.to_string(),
        "the device refuses the login: Login incorrect"
    );
    assert_eq!(router.wrong_logins, 3);
}

#[test]
fn a_line_that_the_device_never_echoes_so_is_told_soon() {
    let mut router = Router::new(1, Faults::default()).left_in_config();
    let line = "set tab\there".to_owned();
    let held = hold(provision(&[line]), &mut router);
    assert!(held.took < Duration::from_secs(60), "{:?}", held.took);
    let failure = failure(held.ending);
    assert!(matches!(failure, Failure::NotEchoed { .. }), "{failure}");
    assert!(router.config.is_empty());
}

#[test]
fn a_console_that_floods_ends_with_the_time() {
    let faults = Faults {
        noise_ms: 1,
        is_mute: true,
        ..Faults::default()
    };
    let mut script = command("x", &[FIRST]);
    script.timing.limit = Duration::from_secs(60);
    let mut router = Router::new(1, faults);
    let held = hold(script, &mut router);
    assert!(held.took <= Duration::from_secs(60) + MS);
    let failure = failure(held.ending);
    assert!(matches!(failure, Failure::Flooded { .. }), "{failure}");
}

#[test]
fn a_guest_that_says_nothing_ends_with_the_time_and_the_step_that_was_expected() {
    let faults = Faults {
        is_mute: true,
        ..Faults::default()
    };
    let mut script = provision(&config(1));
    script.timing.limit = Duration::from_secs(60);
    let failure = failure(hold(script, &mut Router::new(1, faults)).ending);
    assert!(
        failure
            .to_string()
            .starts_with("nothing that is known showed within 60 s; expected: enter"),
        "{failure}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// No line that was mangled is ever taken for a part of the configuration, and all lines
    /// arrive, whatever is lost on the way there or is late, mixed with a reload and log lines.
    #[test]
    fn a_configuration_arrives_whole_over_a_bad_line(
        seed in any::<u64>(),
        dropped in 0..25_u64,
        late_ms in 0..250_u64,
        noise_ms in prop_oneof![Just(0_u64), 4000..20_000_u64],
        reload_ms in prop_oneof![Just(0_u64), 1000..60_000_u64],
    ) {
        let faults = Faults { dropped, late_ms, noise_ms, reload_ms, ..Faults::default() };
        let mut router = Router::new(seed, faults);
        let mut script = provision(&config(12));
        script.timing = Timing { limit: Duration::from_secs(4 * 3600), ..script.timing };
        let held = hold(script, &mut router);
        prop_assert!(matches!(held.ending, Ending::Done { .. }), "{:?}", held.ending);
        prop_assert_eq!(&router.garbage, &Vec::<String>::new());
        let mut saved = router.saved.unwrap();
        saved.sort();
        let mut expected = config(12);
        expected.sort();
        prop_assert_eq!(saved, expected);
    }

    /// Also where characters get lost on the way back.
    #[test]
    fn a_configuration_arrives_whole_though_its_echo_is_damaged(
        seed in any::<u64>(),
        dropped in 0..10_u64,
        unheard in 0..15_u64,
    ) {
        let faults = Faults { dropped, unheard, ..Faults::default() };
        let mut router = Router::new(seed, faults);
        let held = hold(provision(&config(6)), &mut router);
        prop_assert!(matches!(held.ending, Ending::Done { .. }), "{:?}", held.ending);
        prop_assert_eq!(router.garbage, Vec::<String>::new());
        prop_assert_eq!(router.saved, Some(config(6)));
    }
}
