//! More memory or CPUs than the host has: warnings, since it may be meant.

use super::Rule;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::lab::Lab;

pub(super) const RULE: Rule = Rule {
    title: "more memory or CPUs than the host has",
    check,
};

fn check(lab: &Lab, facts: &Facts, found: &mut Diagnostics) {
    let wanted: u64 = lab
        .nodes
        .iter()
        .fold(0, |sum, node| sum.saturating_add(node.whole_memory_mib()));
    if let Some(available) = facts
        .memory_available_mib
        .filter(|available| wanted > *available)
    {
        found.push(
            Diagnostic::warning(
                code::HOST_MEMORY,
                format!("the lab wants {wanted} MiB of memory, the host has {available} MiB to give"),
            )
            .at(lab.name_span, format!("{} nodes", lab.nodes.len()))
            .help("lower `memory`, start fewer nodes, or let smaller images stand in (`--stand-in frr`)")
            .help("the kernel can share equal pages of VMs of one image: `echo 1 | sudo tee /sys/kernel/mm/ksm/run`; `vnflab doctor` says whether it does"),
        );
    }
    let Some(cpus) = facts.cpus else {
        return;
    };
    for node in lab.nodes.iter().filter(|node| node.whole_cpus() > cpus) {
        found.push(
            Diagnostic::warning(
                code::HOST_CPUS,
                format!(
                    "`{}` wants {} CPUs, the host has {cpus}",
                    node.name,
                    node.whole_cpus()
                ),
            )
            .at(node.cpus_span.unwrap_or(node.span), "more than there are")
            .help("it will run, slowly; lower `cpu` if the VNF allows it"),
        );
    }
}
