//! Tests that need more than a compiler: tools, libvirt, root.
//!
//! Rust's own test harness knows no "cannot run here": such a test would have to pass or fail.
//! A target with `harness = false` lists its tests as [`Proof`]s and hands them to [`run`]; one
//! whose need is not met says why and is counted as ignored. With `VNFLAB_REQUIRE_TOOLS=1`, as
//! where everything was installed on purpose, it is a failure.

use libtest_mimic::{Arguments, Trial};

/// Turns unmet needs into failures when it is `1`.
const REQUIRE: &str = "VNFLAB_REQUIRE_TOOLS";

/// A test and what it lacks.
pub struct Proof {
    /// What it proves, as a statement.
    pub name: &'static str,
    /// Why it cannot run here, if it cannot.
    pub unmet: Option<String>,
    /// The test; it panics to fail.
    pub test: fn(),
}

/// Runs the proofs as the command line asks and ends the process.
pub fn run(proofs: Vec<Proof>) -> ! {
    let arguments = Arguments::from_args();
    let is_required = std::env::var_os(REQUIRE).is_some_and(|value| value == "1");
    let trials = proofs
        .into_iter()
        .map(|proof| trial(proof, is_required))
        .collect();
    libtest_mimic::run(&arguments, trials).exit()
}

#[expect(clippy::print_stderr, reason = "a test that is ignored says why")]
fn trial(proof: Proof, is_required: bool) -> Trial {
    let Proof { name, unmet, test } = proof;
    match unmet {
        None => Trial::test(name, move || {
            test();
            Ok(())
        }),
        Some(reason) if is_required => Trial::test(name, move || Err(reason.into())),
        Some(reason) => {
            eprintln!("ignored: {name}: {reason}");
            Trial::test(name, || Ok(())).with_ignored_flag(true)
        }
    }
}

/// The first of some programs that does not start, as a reason not to run.
pub fn missing_program(programs: &[&str]) -> Option<String> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| {
        std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
    };
    let absent = programs.iter().find(|program| !is_there(program))?;
    Some(format!("`{absent}` is not installed"))
}
