//! The reference of kinds: an overview, and a page for each that is made from its data.
//!
//! A page is a table of sections ([`SECTIONS`]); a section that a kind has nothing to say about is
//! left out. One more section is one more line there.

use crate::render;
use std::fmt::Write;
use vnflab_model::kind::{Catalogue, Hardware, Kind};

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
        heading: "Parts",
        text: parts,
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
        None if !kind.parts.is_empty() => {
            let parts = kind
                .part_names()
                .map(|part| format!("{part}: {part}.qcow2"));
            format!(", image: {{{}}}", parts.collect::<Vec<_>>().join(", "))
        }
        None => format!(", image: {name}.qcow2"),
    };
    let (first, second) = (kind.interfaces.name(1), kind.interfaces.name(2));
    Some(format!(
        "```yaml\nname: try-{name}\nnodes:\n  n1: {{kind: {name}{image}}}\n  n2: {{kind: \
         frr}}\nlinks:\n  - endpoints: [\"n1:{first}\", \"n2:eth1\"]\n```\n\nThe next interface is \
         `{second}`. {}",
        without_image(kind)
    ))
}

/// Which images are taken where the lab names none.
fn without_image(kind: &Kind) -> String {
    let main = kind.default_image.as_ref().unwrap_or(&kind.name);
    if kind.parts.is_empty() {
        return format!(
            "Without `image:` the stored image `{main}` is taken (`vnflab image add`)."
        );
    }
    let parts = kind
        .parts
        .iter()
        .map(|part| (&part.name, &part.default_image));
    let all = kind.main_part.iter().map(|name| (name, main)).chain(parts);
    let all: Vec<String> = all
        .map(|(part, image)| format!("`{image}` for `{part}`"))
        .collect();
    format!(
        "Where `image:` does not name one, these stored images are taken (`vnflab image add`): {}.",
        all.join(", ")
    )
}

/// The VMs of a kind that is several: what each is, and what it boots from.
fn parts(kind: &Kind) -> Option<String> {
    let main = kind.main_part.as_ref()?;
    let mut text = format!(
        "A node is {} VMs, which are started, stopped and shown as one. `vnflab console n1` is the \
         console of `{main}`.\n\n| part | what it is | CPUs | memory | console | image files |\n\
         |---|---|---|---|---|---|\n",
        kind.parts.len() + 1,
    );
    let mut row =
        |name: &str, title: &str, hardware: &Hardware, console: &str, files: &[String]| {
            let files: Vec<String> = files.iter().map(|file| format!("`{file}`")).collect();
            let _ = writeln!(
                text,
                "| `{name}` | {title} | {} | {} MiB | `vnflab console {console}` | {} |",
                hardware.cpus,
                hardware.memory_mib,
                files.join(", ")
            );
        };
    row(
        main,
        "where one logs in",
        &kind.hardware,
        "n1",
        &kind.image_patterns,
    );
    for part in &kind.parts {
        let console = format!("n1:{}", part.name);
        row(
            &part.name,
            &part.title,
            &part.hardware,
            &console,
            &part.image_patterns,
        );
    }
    for part in &kind.parts {
        let (name, internal) = (&part.name, &part.internal);
        let _ = write!(
            text,
            "\n`{}` of `{main}` is joined to `{}` of `{name}`; that link is no link of the lab.",
            internal.main, internal.part
        );
    }
    let owner = kind.data_part().map_or(main, |part| &kind.parts[part].name);
    let _ = write!(
        text,
        " The data interfaces are those of `{owner}`. Where another image stands in \
         (`--stand-in frr`), the node is one VM."
    );
    Some(text)
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

/// The head of a table of NICs.
const NIC_HEAD: &str = "| NIC | in the lab | in the guest |\n|---|---|---|\n";

/// What a NIC is in a lab that the lab cannot use.
const UNUSED: &str = "none: the guest keeps it for itself";

fn nic_row(table: &mut String, nic: &mut u32, lab: &str, guest: &str) {
    let _ = writeln!(table, "| {nic} | {lab} | {guest} |");
    *nic += 1;
}

/// How the guest's NICs follow each other, and what each is called.
fn interfaces(kind: &Kind) -> Option<String> {
    let interfaces = &kind.interfaces;
    let mut table = NIC_HEAD.to_owned();
    let mut nic = 0;
    let mut row = |lab: &str, guest: &str| nic_row(&mut table, &mut nic, lab, guest);
    if let Some(name) = &interfaces.management {
        row("management", &format!("`{name}`"));
    }
    for part in &kind.parts {
        let joined = format!("none: it leads to the part `{}`", part.name);
        row(&joined, &format!("`{}`", part.internal.main));
    }
    for _ in 0..interfaces.dummies {
        row(UNUSED, "");
    }
    if let Some(part) = kind.data_part().map(|part| &kind.parts[part]) {
        table += &format!("\nOf the part `{}`:\n\n", part.name);
        table += NIC_HEAD;
        nic = 0;
        let mut row = |lab: &str, guest: &str| nic_row(&mut table, &mut nic, lab, guest);
        row(UNUSED, "");
        row(
            "none: it leads to the main VM",
            &format!("`{}`", part.internal.part),
        );
        for _ in 0..part.dummies {
            row(UNUSED, "");
        }
    }
    let mut row = |lab: &str, guest: &str| nic_row(&mut table, &mut nic, lab, guest);
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
