//! Configurations that cannot go onto their medium: templates that do not render, texts that do
//! not fit or that the kind cannot read.

use super::Rule;
use crate::allocate::rehearse;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::{Facts, FileFact};
use crate::format::shown;
use crate::kind::{MediaForm, MediumDevice};
use crate::lab::{Lab, Node, StartupConfig};
use crate::span::Span;
use std::collections::BTreeSet;

pub(super) const RULE: Rule = Rule {
    title: "configurations that cannot go onto their medium",
    check,
};

/// Of a FAT disk this share is for its tables at most, as one in so many bytes, and these bytes
/// besides: two tables of 16 bits a cluster of 1 KiB, a root folder, reserved sectors.
const TABLES_SHARE: u64 = 128;
const TABLES_BYTES: u64 = 48 * 1024;

fn check(lab: &Lab, facts: &Facts, found: &mut Diagnostics) {
    let mut told = BTreeSet::new();
    for (position, error) in rehearse(lab, facts) {
        // What it names may be in a part that a mistake has hidden.
        if error.is_undefined && !lab.is_whole {
            continue;
        }
        let node = &lab.nodes[position];
        if !told.insert((error.origin.clone(), error.line, error.message.clone())) {
            continue;
        }
        let label = match &error.excerpt {
            Some(excerpt) => format!("rendered for `{}`: {excerpt}", node.name),
            None => format!("rendered for `{}`", node.name),
        };
        found.push(
            Diagnostic::error(code::TEMPLATE, error.to_string())
                .at(span(node), label)
                .help("templates know `lab`, `node`, `management`, `login`, `ssh_keys` and your `vars`; docs/day0.md says what is in each"),
        );
    }
    for node in &lab.nodes {
        let Some(text) = text(node, facts) else {
            continue;
        };
        too_large(node, text, found);
        refused(node, text, found);
    }
}

fn span(node: &Node) -> Span {
    node.startup_config_span.unwrap_or(node.span)
}

/// The text of a node's configuration, as it stands in the lab or its file.
fn text<'a>(node: &'a Node, facts: &'a Facts) -> Option<&'a str> {
    match node.startup_config.as_ref()? {
        StartupConfig::Inline(text) => Some(text),
        StartupConfig::File(path, _) => match facts.files.get(path)? {
            FileFact::Present {
                content: Some(content),
                ..
            } => std::str::from_utf8(content).ok(),
            _ => None,
        },
    }
}

fn too_large(node: &Node, text: &str, found: &mut Diagnostics) {
    let day0 = &node.guest.day0;
    // What is packed takes less than it is long.
    let is_disk = day0.device != MediumDevice::Cdrom && day0.archive.is_none();
    let size = u64::from(day0.size_mib) * 1024 * 1024;
    let room = (size - size / TABLES_SHARE).saturating_sub(TABLES_BYTES);
    let length = text.len() as u64;
    if !is_disk || day0.form == MediaForm::None || length <= room {
        return;
    }
    found.push(
        Diagnostic::error(
            code::CONFIG_TOO_LARGE,
            format!(
                "the configuration of `{}` is larger than its medium",
                node.name
            ),
        )
        .at(span(node), format!("{length} bytes"))
        .help(format!(
            "the kind `{}` reads it from a disk of {} MiB, where {room} bytes are free",
            node.guest.name, day0.size_mib
        )),
    );
}

fn refused(node: &Node, text: &str, found: &mut Diagnostics) {
    let is_comment = |line: &&str| line.is_empty() || line.starts_with(['#', '!']);
    let mut lines = text.lines().map(str::trim);
    let Some(first) = lines.find(|line| !is_comment(line)) else {
        return;
    };
    let mut refusals = node.guest.day0.refuses.iter();
    let Some(refusal) = refusals.find(|refusal| first.starts_with(&refusal.begins)) else {
        return;
    };
    found.push(
        Diagnostic::error(
            code::CONFIG_FORM,
            format!(
                "the configuration of `{}` is in a form that `{}` does not read at boot",
                node.name, node.guest.name
            ),
        )
        .at(
            span(node),
            format!("begins with `{}`", shown(refusal.begins.trim())),
        )
        .help(refusal.help.clone()),
    );
}
