//! The proofs, by what they need of the host.

mod automation;
mod checks;
mod day0;
mod edits;
mod fabric;
mod foreign;
mod frames;
mod input;
mod interruption;
mod parts;
mod ring;
mod saved;
mod session;
mod side_by_side;
mod start;
mod traffic;
mod typed;
mod wire;

use crate::harness::host::Host;
use crate::harness::stage::Stage;
use libtest_mimic::Trial;
use std::sync::Arc;

/// All proofs. The cheap ones come first: they tell soonest, and while they play the first lab
/// boots.
pub(crate) fn all(host: &Arc<Host>) -> Vec<Trial> {
    let system = system(host);
    let ring = ring::stage(host);
    let wire = wire::stage(host);
    let twins = side_by_side::stage(host);
    let checks = checks::stage(host);
    let fabric = fabric::stage(host);
    let automation = automation::stage(host);
    let user = session::stage(host);
    let routers = day0::stage(host);
    system.prepares(&ring);
    ring.prepares(&wire);
    wire.prepares(&twins);
    twins.prepares(&checks);
    checks.prepares(&fabric);
    fabric.prepares(&automation);
    automation.prepares(&user);
    let groups = [
        input::trials(&system),
        fabric::trials_without_guests(&system),
        wire::trials_without_guests(&system),
        foreign::trials(&system),
        interruption::trials(&system),
        start::trials(&system),
        parts::trials(&system),
        ring::trials(&ring),
        wire::trials(&wire),
        side_by_side::trials(&twins),
        edits::trials(&twins),
        checks::trials(&checks),
        fabric::trials(&fabric),
        automation::trials(&automation),
        saved::trials(&automation),
        session::trials(&user),
        day0::trials(&routers, &system),
    ];
    groups.into_iter().flatten().collect()
}

/// The system's libvirt, without a lab.
fn system(host: &Arc<Host>) -> Arc<Stage<Arc<Host>>> {
    let host = Arc::clone(host);
    Stage::new("system", move || {
        host.with_system()?;
        Ok(Arc::clone(&host))
    })
}
