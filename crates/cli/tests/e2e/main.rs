//! The real `vnflab` on the real libvirt, with VMs that boot: what its users rely on, proven.
//!
//! # Theory of operation
//!
//! A *proof* is a named statement and the function that tries it. Proofs that need the same
//! booted VMs share a [`Stage`](harness::stage::Stage) and play on it in the order in which they
//! are told: the first of them boots the lab, and the last one takes it down. `virsh`, `/proc` and
//! the guests' own tools are the witnesses; `vnflab` is believed only when they agree.
//!
//! What makes a test cheap or dear here is the booting of a VM without hardware acceleration: some
//! ten seconds of a processor each. So labs are booted once, the next one while the proofs of the
//! last one play, and where no guest is needed nothing waits for one. Guests are asked over SSH
//! connections that are kept, and what is waited for is looked at no more than half of the time.
//! In the end it is told how long each proof and each stage took, and how busy the processors were:
//! whoever makes the suite faster begins there.
//!
//! A proof that this host cannot try is *ignored* and says why. Where `VNFLAB_REQUIRE_TOOLS=1` and
//! the user is root, what is missing is a failure instead; `scripts/test` sets it.
//!
//! Labs are named `t<pid>-...`: what an earlier run left behind when it was killed is recognised
//! by that prefix and taken down first. Nothing else is ever touched.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "these are tests")]

mod harness;
mod proofs;

use harness::host::Host;
use libtest_mimic::Arguments;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Proofs of one stage build on each other, in the order in which they are told.
    arguments.test_threads = Some(1);
    let host = Arc::new(Host::default());
    let trials = proofs::all(&host);
    let conclusion = libtest_mimic::run(&arguments, trials);
    harness::times::tell();
    conclusion.exit_code()
}
