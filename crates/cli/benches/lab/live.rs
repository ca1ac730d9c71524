//! The origin's ring on real libvirt: `up` and `down` beside their floors.
//!
//! Rounds alternate between the command and the floor, and who is first changes from round to
//! round, so that both meet the same machine. Each floor's lab is shown to `up`, which must find
//! nothing to do: the floor made the very same lab.

use crate::floor::Floor;
use crate::measure::{Error, Times, run, timed};
use crate::ring::{self, Ring};
use crate::vnflab;
use std::process::Command;
use vnflab_engine::driver::Driver;
use vnflab_engine::driver::libvirt::LibvirtDriver;
use vnflab_engine::ssh;
use vnflab_engine::wire::AbsentWires;
use vnflab_engine::workspace::Workspace;
use vnflab_model::kind::Catalogue;
use vnflab_model::observed::Scope;

/// Pairs of rounds; the medians count.
const PAIRS: usize = 7;

/// What boots in place of the vendors' images.
const STAND_IN: &str = "frr";

/// What all rounds gave.
pub(crate) struct Measured {
    pub(crate) up: Times,
    pub(crate) up_floor: Times,
    pub(crate) up_again: Times,
    pub(crate) down: Times,
    pub(crate) down_floor: Times,
    pub(crate) disk_bytes_per_node: u64,
}

/// Whether it could be measured here.
pub(crate) enum Outcome {
    Measured(Measured),
    Impossible(String),
}

/// Takes the lab down however the bench ends.
struct Cleanup;

impl Drop for Cleanup {
    fn drop(&mut self) {
        // Where nothing is left there is no such lab, which is an error of `down` and none here.
        let _ = run(&mut down());
    }
}

pub(crate) fn measure() -> Result<Outcome, Error> {
    let driver = match LibvirtDriver::connect(None) {
        Ok(driver) if driver.scope() == Scope::System => driver,
        Ok(_) => return Ok(Outcome::Impossible("only root has bridges".to_owned())),
        Err(error) => return Ok(Outcome::Impossible(error.to_string())),
    };
    let ring = ring::copy()?;
    let cleanup = Cleanup;
    // What a bench that was broken off may have left.
    let _ = run(&mut down());
    let floor = floor(driver, &ring)?;
    let disk_bytes_per_node = floor.disk_bytes_per_node()?;
    let (mut ups, mut up_floors, mut agains) = (Vec::new(), Vec::new(), Vec::new());
    let (mut downs, mut down_floors) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        for is_floor in [pair % 2 == 0, pair % 2 != 0] {
            let (up_time, ()) = match is_floor {
                true => timed(|| floor.up())?,
                false => timed(|| run(&mut up(&ring)))?,
            };
            require_nothing_to_do(&ring)?;
            agains.push(timed(|| run(&mut up(&ring)))?.0);
            let (down_time, ()) = match is_floor {
                true => timed(|| floor.down())?,
                false => timed(|| run(&mut down()))?,
            };
            match is_floor {
                true => (up_floors.push(up_time), down_floors.push(down_time)),
                false => (ups.push(up_time), downs.push(down_time)),
            };
        }
    }
    drop(cleanup);
    Ok(Outcome::Measured(Measured {
        up: Times::of(ups),
        up_floor: Times::of(up_floors),
        up_again: Times::of(agains),
        down: Times::of(downs),
        down_floor: Times::of(down_floors),
        disk_bytes_per_node,
    }))
}

fn up(ring: &Ring) -> Command {
    let mut command = vnflab();
    command.arg("up").arg(&ring.folder);
    command.args(["--stand-in", STAND_IN]);
    command
}

fn down() -> Command {
    let mut command = vnflab();
    command.args(["down", "--purge", "--lab", ring::LAB]);
    command
}

fn require_nothing_to_do(ring: &Ring) -> Result<(), Error> {
    let mut command = vnflab();
    command.args(["plan", "--json"]).arg(&ring.folder);
    let output = command.args(["--stand-in", STAND_IN]).output()?;
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    match plan["steps"].as_array() {
        Some(steps) if steps.is_empty() => Ok(()),
        _ => Err(format!("the lab is not as `up` makes it: {plan}").into()),
    }
}

/// The floor of the lab as `up` would make it.
fn floor(driver: LibvirtDriver, ring: &Ring) -> Result<Floor, Error> {
    let workspace = Workspace::new(
        Box::new(driver),
        Box::new(AbsentWires),
        Catalogue::embedded(),
    );
    workspace.driver().ensure_pools()?;
    let stand_in = workspace.stand_in(STAND_IN)?;
    let mut reading = workspace.read(&ring.folder);
    let survey = workspace.survey(&mut reading, Some(&stand_in))?;
    let key = ssh::ensure_key(&ssh::folder()?)?;
    let decision = workspace.decide(&reading, &survey, &[key.authorized])?;
    let blueprint = decision
        .blueprint
        .ok_or_else(|| format!("the ring has mistakes here: {:?}", decision.diagnostics))?;
    Floor::new(&blueprint, workspace.driver().scope())
}
