//! What a check of a lab found.

use super::diagnostic::{self, DiagnosticJson};
use super::{Format, Screen, counted};
use crate::error::CommandError;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use vnflab_engine::workspace::Reading;
use vnflab_model::diagnostic::{Diagnostics, Severity};
use vnflab_model::kind::Kind;
use vnflab_model::lab::Lab;

/// A lab that was checked.
pub(crate) struct Checked {
    /// The lab's files.
    pub(crate) reading: Reading,
    /// All mistakes and warnings.
    pub(crate) diagnostics: Diagnostics,
    /// Whether the host was looked at too.
    pub(crate) host: HostChecks,
}

/// Whether images, ports and memory of the host were looked at.
pub(crate) enum HostChecks {
    /// They were.
    Made,
    /// They were not, because libvirt does not answer; what it said.
    LeftOut(String),
}

/// What was found.
pub(crate) fn checked(screen: &Screen, checked: &Checked) -> Result<(), CommandError> {
    let sources = &checked.reading.sources;
    let found = &checked.diagnostics;
    let lab = checked.reading.lab.as_ref();
    if screen.format() == Format::Json {
        let count = |severity| found.iter().filter(|one| one.severity == severity).count();
        return screen.json(
            "check",
            CheckJson {
                lab: lab.map(|lab| lab.name.as_str()),
                nodes: lab.map(|lab| lab.nodes.len()),
                links: lab.map(|lab| lab.links.len()),
                errors: count(Severity::Error),
                warnings: count(Severity::Warning),
                host_checked: matches!(checked.host, HostChecks::Made),
                diagnostics: diagnostic::to_json(sources, found),
                notes: lab.map(notes).unwrap_or_default(),
            },
        );
    }
    diagnostic::show(screen, sources, found);
    if let Some(lab) = lab {
        super::kinds::notes(screen, kinds_of(lab).into_values().map(|kind| &**kind));
    }
    if let HostChecks::LeftOut(reason) = &checked.host {
        screen.say(&format!(
            "Images, ports and memory of the host were not looked at: {reason}"
        ));
    }
    if let Some(lab) = lab.filter(|_| !found.has_errors()) {
        screen.say(&format!(
            "`{}`: {}, {}, no mistakes.",
            lab.name,
            counted(lab.nodes.len(), "node"),
            counted(lab.links.len(), "link")
        ));
    }
    Ok(())
}

fn notes(lab: &Lab) -> Vec<NoteJson<'_>> {
    let kinds = kinds_of(lab).into_iter();
    kinds
        .filter(|(_, kind)| !kind.caveats.is_empty())
        .map(|(name, kind)| NoteJson {
            kind: name,
            caveats: &kind.caveats,
        })
        .collect()
}

/// The kinds whose guests boot in a lab, by name.
pub(crate) fn kinds_of(lab: &Lab) -> BTreeMap<&str, &Arc<Kind>> {
    let guests = lab.nodes.iter().map(|node| &node.guest);
    guests.map(|kind| (kind.name.as_str(), kind)).collect()
}

#[derive(Serialize)]
struct NoteJson<'a> {
    kind: &'a str,
    caveats: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct CheckJson<'a> {
    lab: Option<&'a str>,
    nodes: Option<usize>,
    links: Option<usize>,
    errors: usize,
    warnings: usize,
    host_checked: bool,
    diagnostics: Vec<DiagnosticJson<'a>>,
    notes: Vec<NoteJson<'a>>,
}
