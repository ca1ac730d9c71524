//! Limits of CPUs that the host cannot keep: one warning, since the nodes run all the same.

use super::Rule;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::lab::Lab;

pub(super) const RULE: Rule = Rule {
    title: "limits of CPUs that the host cannot keep",
    check,
};

fn check(lab: &Lab, facts: &Facts, found: &mut Diagnostics) {
    let Some(reason) = &facts.no_cpu_limits else {
        return;
    };
    let limited = || {
        lab.nodes
            .iter()
            .filter(|node| node.cpu_limit_percent.is_some())
    };
    // Of those that share a limit by `defaults` or `kinds`, the first one stands for all.
    let Some(first) = limited().next() else {
        return;
    };
    let message = match limited().count() {
        1 => format!("`{}` runs without its `cpu-limit`", first.name),
        count => format!("{count} nodes run without their `cpu-limit`"),
    };
    found.push(
        Diagnostic::warning(code::CPU_LIMIT, message)
            .at(
                first.cpu_limit_span.unwrap_or(first.span),
                "has no effect here",
            )
            .help(reason.clone()),
    );
}
