//! Names that a shell completes: nodes and labs that exist, kinds, codes.
//!
//! Asked at every press of the tab key, so it must be quick and say nothing: whatever fails
//! gives no candidates.

use crate::command::explain;
use clap_complete::engine::CompletionCandidate;
use std::ffi::OsStr;
use vnflab_model::kind::Catalogue;

/// Kinds by name and alias.
pub(crate) fn kinds(current: &OsStr) -> Vec<CompletionCandidate> {
    let catalogue = Catalogue::embedded();
    candidates(
        current,
        catalogue
            .kinds()
            .map(|kind| (kind.name.clone(), Some(kind.title.clone()))),
    )
}

/// Codes that can be explained.
pub(crate) fn codes(current: &OsStr) -> Vec<CompletionCandidate> {
    let codes = explain::all().into_iter();
    candidates(
        current,
        codes.map(|code| (code.code.to_owned(), Some(code.title.to_owned()))),
    )
}

fn candidates(
    current: &OsStr,
    names: impl Iterator<Item = (String, Option<String>)>,
) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else {
        return Vec::new();
    };
    let matching = names.filter(|(name, _)| {
        name.get(..current.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(current))
    });
    matching
        .map(|(name, help)| CompletionCandidate::new(name).help(help.map(Into::into)))
        .collect()
}
