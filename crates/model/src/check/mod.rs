//! What can be wrong with a lab whose every part makes sense: parts that clash with each other,
//! with the host, or with what is on its disks.
//!
//! One rule a file, one line in [`RULES`]. A rule looks at the lab and at the facts, adds what it
//! finds, and goes on; it is linear in the size of the lab.

mod addresses;
mod configuration;
mod consoles;
mod cpu;
mod cpu_limit;
mod day0;
mod images;
mod impairments;
mod macs;
mod paths;
mod recipes;
mod resources;
mod running;
mod transport;
mod udp_ports;

use crate::diagnostic::Diagnostics;
use crate::facts::Facts;
use crate::lab::Lab;

/// A rule: what it looks for, and how.
pub struct Rule {
    /// What it looks for, in a few words.
    pub title: &'static str,
    check: fn(&Lab, &Facts, &mut Diagnostics),
}

/// All rules.
pub const RULES: &[Rule] = &[
    macs::RULE,
    udp_ports::RULE,
    transport::RULE,
    consoles::RULE,
    addresses::RULE,
    paths::RULE,
    configuration::RULE,
    day0::RULE,
    images::RULE,
    impairments::RULE,
    recipes::RULE,
    resources::RULE,
    cpu::RULE,
    cpu_limit::RULE,
    running::RULE,
];

/// Applies all rules. What was found is sorted by place.
pub fn check(lab: &Lab, facts: &Facts) -> Diagnostics {
    let mut found = Diagnostics::default();
    for rule in RULES {
        (rule.check)(lab, facts, &mut found);
    }
    found.sort();
    found
}
