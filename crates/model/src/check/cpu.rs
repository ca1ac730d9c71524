//! CPU features that emulation does not have: a warning, since the node starts all the same.

use super::Rule;
use crate::blueprint::Accelerator;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::lab::Lab;

pub(super) const RULE: Rule = Rule {
    title: "CPU features that emulation does not have",
    check,
};

/// Features that QEMU's emulation leaves out, with a line in its log (QEMU 7.2, TCG).
const NOT_EMULATED: &[&str] = &["vmx", "x2apic", "tsc-deadline", "invtsc"];

fn check(lab: &Lab, facts: &Facts, found: &mut Diagnostics) {
    if facts.accelerator != Some(Accelerator::Tcg) {
        return;
    }
    for node in &lab.nodes {
        // What stands in needs nothing of the kind in whose place it boots.
        if node.guest.name != node.kind.name {
            continue;
        }
        let features = node.kind.hardware.cpu_features.iter();
        let missing = features
            .filter(|feature| !feature.starts_with('-'))
            .map(|feature| feature.trim_start_matches('+'))
            .find(|feature| NOT_EMULATED.contains(feature));
        if let Some(feature) = missing {
            found.push(
                Diagnostic::warning(
                    code::CPU_FEATURE,
                    format!(
                        "`{}` wants the CPU feature `{feature}`, which emulation does not have",
                        node.name
                    ),
                )
                .at(node.span, format!("of the kind `{}`", node.kind.name))
                .help("it starts, but its guest may not come up; run it where KVM and nested virtualisation are, or let the frr image stand in (`--stand-in frr`)"),
            );
        }
    }
}
