//! The reference of kinds: an overview, and a page for each that is made from its data.
//!
//! A page is a table of sections ([`SECTIONS`]); a section that a kind has nothing to say about is
//! left out. One more section is one more line there.

use crate::render;
use std::fmt::Write;
use vnflab_model::kind::{Catalogue, Kind};

const HEAD: &str = "\
# Kinds

<!-- Made by `vnflab docs docs` from kinds/*.yaml. -->

What a node is made of follows from its kind. `vnflab kinds NAME` shows the same on your machine,
with the kinds of your own folder; [adding a kind](adding-a-kind.md) says how to write one. \"Tried\"
tells how far the facts were tried: some kinds were booted by this project's tests, others are
written down from public facts. Every machine here is one that QEMU takes: a test boots a stand-in
of a few instructions from its disk.

";

/// The page that lists all.
pub(super) fn overview(catalogue: &Catalogue) -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| Kind | What it is | CPUs | Memory | NICs | First interface | Tried |\n");
    page.push_str("|---|---|---|---|---|---|---|\n");
    for kind in catalogue.kinds() {
        let hardware = &kind.hardware;
        let _ = writeln!(
            page,
            "| [`{name}`](kinds/{name}.md) | {} | {} | {} MiB | {} | `{}` | {} |",
            kind.title,
            hardware.cpus,
            hardware.memory_mib,
            hardware.nic_model.word(),
            kind.interfaces.name(1),
            render::kinds::support(kind.support),
            name = kind.name,
        );
    }
    page
}

/// A section: its heading, and its text where the kind has one.
struct Section {
    heading: &'static str,
    text: fn(&Kind) -> Option<String>,
}

/// The sections of a kind's page, in order.
const SECTIONS: &[Section] = &[
    Section {
        heading: "In a lab",
        text: in_a_lab,
    },
    Section {
        heading: "Facts",
        text: facts,
    },
    Section {
        heading: "What to know",
        text: caveats,
    },
    Section {
        heading: "Interfaces",
        text: interfaces,
    },
    Section {
        heading: "Image",
        text: image,
    },
];

/// The page of a kind.
pub(super) fn page(kind: &Kind) -> String {
    let mut page = format!(
        "# {}\n\n<!-- Made by `vnflab docs docs` from kinds/{name}.yaml. -->\n\nThe kind `{name}`, \
         {}. [All kinds](../kinds.md).\n",
        kind.title,
        render::kinds::support(kind.support),
        name = kind.name,
    );
    for section in SECTIONS {
        if let Some(text) = (section.text)(kind) {
            let _ = write!(page, "\n## {}\n\n{}\n", section.heading, text.trim_end());
        }
    }
    page
}

fn in_a_lab(kind: &Kind) -> Option<String> {
    let name = &kind.name;
    let image = match &kind.default_image {
        Some(_) => String::new(),
        None => format!(", image: {name}.qcow2"),
    };
    let (first, second) = (kind.interfaces.name(1), kind.interfaces.name(2));
    Some(format!(
        "```yaml\nname: try-{name}\nnodes:\n  n1: {{kind: {name}{image}}}\n  n2: {{kind: \
         frr}}\nlinks:\n  - endpoints: [\"n1:{first}\", \"n2:eth1\"]\n```\n\nThe next interface is \
         `{second}`. Without `image:` the stored image `{}` is taken (`vnflab image add`).",
        kind.default_image.as_ref().unwrap_or(name)
    ))
}

fn facts(kind: &Kind) -> Option<String> {
    let mut table = "| | |\n|---|---|\n".to_owned();
    for (name, value) in render::kinds::facts(kind) {
        let _ = writeln!(table, "| {name} | {} |", value.replace('|', "\\|"));
    }
    Some(table)
}

fn caveats(kind: &Kind) -> Option<String> {
    let items: Vec<_> = kind
        .caveats
        .iter()
        .map(|text| format!("- {text}"))
        .collect();
    (!items.is_empty()).then(|| items.join("\n"))
}

/// How the guest's NICs follow each other, and what each is called.
fn interfaces(kind: &Kind) -> Option<String> {
    let interfaces = &kind.interfaces;
    let mut table = "| NIC | in the lab | in the guest |\n|---|---|---|\n".to_owned();
    let mut nic = 0;
    let mut row = |lab: &str, guest: &str| {
        let _ = writeln!(table, "| {nic} | {lab} | {guest} |");
        nic += 1;
    };
    if let Some(name) = &interfaces.management {
        row("management", &format!("`{name}`"));
    }
    for _ in 0..interfaces.dummies {
        row("none: the guest keeps it for itself", "");
    }
    for number in 1..=3_u32.min(interfaces.limit) {
        let names = interfaces.patterns.iter();
        let names: Vec<_> = names
            .map(|name| format!("`{}`", name.name(number)))
            .collect();
        row(&format!("`eth{number}`"), &names.join(", "));
    }
    let minimum = match interfaces.minimum_count {
        0 => String::new(),
        count => format!(" It boots with {count} or more, and has so many always."),
    };
    let _ = write!(
        table,
        "\nA node has {} data interfaces unless its lab says or links more, at most {}.{minimum}",
        interfaces.default_count.max(interfaces.minimum_count),
        interfaces.limit
    );
    Some(table)
}

fn image(kind: &Kind) -> Option<String> {
    let patterns = kind.image_patterns.iter();
    let patterns: Vec<_> = patterns.map(|pattern| format!("`{pattern}`")).collect();
    if patterns.is_empty() {
        return None;
    }
    Some(format!(
        "`vnflab image add FILE` takes a file for an image of this kind when its name is like {}.",
        patterns.join(", ")
    ))
}
