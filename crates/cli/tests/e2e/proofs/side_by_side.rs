//! Two labs of the same shape on one host. One of them stays, for the proofs of [`super::edits`].

use crate::harness::guest;
use crate::harness::host::Host;
use crate::harness::lab::Lab;
use crate::harness::program::Program;
use crate::harness::stage::Stage;
use crate::harness::wait::{BOOT_PATIENCE, PATIENCE, at_once, until};
use crate::harness::witness;
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) fn stage(host: &Arc<Host>) -> Arc<Stage<[Lab; 2]>> {
    let host = Arc::clone(host);
    Stage::new("twins", move || {
        host.with_system()?;
        let labs = ["twin-a", "twin-b"].map(|tag| Lab::small_example(tag, "two-routers"));
        at_once(&labs, |lab| lab.up_and_wait(&[]));
        Ok(labs)
    })
}

pub(super) fn trials(twins: &Arc<Stage<[Lab; 2]>>) -> Vec<Trial> {
    let name = "two_labs_of_one_shape_run_side_by_side_and_do_not_meet";
    vec![twins.trial(name, do_not_meet)]
}

fn do_not_meet(labs: &[Lab; 2]) {
    let nics = labs.iter().flat_map(|lab| {
        let nodes = ["r1", "r2"].into_iter();
        nodes.flat_map(|node| witness::nics(&witness::domain_xml(&lab.domain(node))))
    });
    let macs: Vec<String> = nics.map(|nic| nic.mac).collect();
    let distinct: BTreeSet<&String> = macs.iter().collect();
    assert_eq!(distinct.len(), macs.len(), "{macs:?}");
    let sockets = labs.iter().flat_map(Lab::links).flat_map(|link| {
        let ends = link["ends"].as_array().unwrap().clone();
        ends.into_iter()
            .map(|end| end["local"].as_str().unwrap().to_owned())
    });
    let sockets: Vec<String> = sockets.collect();
    let distinct: BTreeSet<&String> = sockets.iter().collect();
    assert_eq!((sockets.len(), distinct.len()), (4, 4), "{sockets:?}");

    let neighbours = |lab: &Lab| guest::ospf_neighbours(lab, "r1").len();
    until("both labs converge", BOOT_PATIENCE, || {
        let found = at_once(labs, neighbours);
        (found == [1, 1])
            .then_some(())
            .ok_or_else(|| format!("{found:?}"))
    });
    // Whoever is heard is the lab's own: when one lab's router goes, only that lab misses it.
    let stop = Program::new().run(&["stop", "--hard", &labs[1].domain("r2")]);
    stop.expect_success();
    until("the one lab misses its router", PATIENCE, || {
        let found = neighbours(&labs[1]);
        (found == 0)
            .then_some(())
            .ok_or_else(|| format!("{found} neighbours"))
    });
    assert_eq!(neighbours(&labs[0]), 1);

    // `down` of the one leaves the other alone.
    let before = labs[0].processes();
    labs[1].down_without_a_trace();
    assert_eq!(labs[0].processes(), before);
}
