//! The reference of kinds, a section each.

use crate::render;
use std::fmt::Write;
use vnflab_model::kind::{Catalogue, Kind};

const HEAD: &str = "\
# Kinds

<!-- Made by `vnflab docs docs` from kinds/*.yaml. -->

What a node is made of follows from its kind. `vnflab kinds NAME` shows the same on your machine,
with the kinds of your own folder. \"Tried\" tells how far the facts were tried: some kinds were
booted by this project's tests, others are written down from public facts.

";

/// The whole page.
pub(super) fn page(catalogue: &Catalogue) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| Kind | What it is | CPUs | Memory | NICs | First interface |\n");
    page.push_str("|---|---|---|---|---|---|\n");
    for kind in catalogue.kinds() {
        let hardware = &kind.hardware;
        let _ = writeln!(
            page,
            "| [`{name}`](#{name}) | {} | {} | {} MiB | {} | `{}` |",
            kind.title,
            hardware.cpus,
            hardware.memory_mib,
            hardware.nic_model.word(),
            kind.interfaces.name(1),
            name = kind.name,
        );
    }
    for kind in catalogue.kinds() {
        page.push_str(&section(kind));
    }
    page
}

fn section(kind: &Kind) -> String {
    let mut section = format!(
        "\n## {}\n\n{}.\n\n| | |\n|---|---|\n",
        kind.name, kind.title
    );
    for (name, value) in render::kinds::facts(kind) {
        let _ = writeln!(section, "| {name} | {} |", value.replace('|', "\\|"));
    }
    for caveat in &kind.caveats {
        let _ = write!(section, "\n{caveat}\n");
    }
    section
}
