//! A lab of this name that runs from another file.

use super::Rule;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::Facts;
use crate::format::shown;
use crate::lab::Lab;

pub(super) const RULE: Rule = Rule {
    title: "a lab of this name from another file",
    check,
};

fn check(lab: &Lab, facts: &Facts, found: &mut Diagnostics) {
    let name = lab.name.as_str();
    let Some(other) = facts
        .labs
        .get(name)
        .filter(|file| **file != facts.this_source)
    else {
        return;
    };
    found.push(
        Diagnostic::error(
            code::LAB_RUNNING,
            format!("a lab named `{name}` exists already, from another file"),
        )
        .at(
            lab.name_span,
            format!("the other is from `{}`", shown(other)),
        )
        .help(format!(
            "take it down with `vnflab down --lab {name}`, or give this lab another `name`"
        )),
    );
}
