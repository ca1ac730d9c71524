//! What becomes of a proof: it holds, it does not (a panic says why), or it cannot be tried here.

use super::times::Stretch;
use libtest_mimic::{Completion, Failed, Trial};

/// Why a proof cannot be tried on this host.
#[derive(Debug, Clone)]
pub(crate) enum CannotRun {
    /// Something is not installed, not started or not permitted: a failure where the tools are
    /// required.
    Missing(String),
    /// Somebody else uses what the proof needs now, such as the origin's fixed ports.
    Occupied(String),
}

/// A proof's end, where it did not panic.
pub(crate) type Verdict = Result<(), CannotRun>;

/// A proof as the test harness wants it.
pub(crate) fn trial(
    name: impl Into<String>,
    proof: impl FnOnce() -> Verdict + Send + 'static,
) -> Trial {
    let name = name.into();
    Trial::ignorable_test(name.clone(), move || {
        let _stretch = Stretch::begin(name);
        match proof() {
            Ok(()) => Ok(Completion::Completed),
            Err(CannotRun::Missing(reason)) if tools_are_required() => Err(Failed::from(reason)),
            Err(CannotRun::Missing(reason) | CannotRun::Occupied(reason)) => {
                Ok(Completion::ignored_with(reason))
            }
        }
    })
}

fn tools_are_required() -> bool {
    let asked = std::env::var_os("VNFLAB_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    asked && rustix::process::geteuid().is_root()
}
