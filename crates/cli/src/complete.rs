//! Names that a shell completes: nodes and labs that exist, kinds, codes.
//!
//! Asked at every press of the tab key, so it must be quick and say nothing: whatever fails
//! gives no candidates.

use crate::cli::CONNECT_VARIABLE;
use crate::command::explain;
use clap_complete::engine::CompletionCandidate;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use vnflab_engine::driver::Driver;
use vnflab_engine::driver::libvirt::{LibvirtDriver, default_uri};
use vnflab_engine::image::store::ImageStore;
use vnflab_engine::wire::{KeeperCommand, LocalWires, Place, Wires};
use vnflab_model::blueprint::WireBlueprint;
use vnflab_model::kind::Catalogue;
use vnflab_model::observed::{Observed, Scope};

/// Nodes that exist: by name, and as LAB.NODE once a dot is written or two labs share the name.
pub(crate) fn nodes(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(observed) = observe() else {
        return Vec::new();
    };
    let full = current
        .to_str()
        .is_some_and(|current| current.contains('.'));
    let blueprints = observed
        .domains
        .iter()
        .map(|domain| &domain.record.blueprint)
        .filter(|blueprint| blueprint.part.is_none());
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for blueprint in blueprints {
        let help = format!("{} of {}", blueprint.kind, blueprint.lab);
        let name = match full || names.contains_key(&blueprint.node) {
            true => blueprint.domain(),
            false => blueprint.node.clone(),
        };
        names.insert(name, help);
    }
    candidates(
        current,
        names.into_iter().map(|(name, help)| (name, Some(help))),
    )
}

/// Labs that exist.
pub(crate) fn labs(current: &OsStr) -> Vec<CompletionCandidate> {
    let observed = observe().unwrap_or_default();
    let labs: Vec<String> = observed.labs().into_iter().map(str::to_owned).collect();
    candidates(current, labs.into_iter().map(|lab| (lab, None)))
}

/// Links and segments of running wires, by name and by their ends.
pub(crate) fn links(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = wires().into_iter().flat_map(|wire| {
        let joined = wire.junctions.into_iter();
        joined.flat_map(|(name, junction)| {
            let ends = junction.members.into_iter();
            let of_link = name.clone();
            ends.map(move |end| (end, Some(of_link.clone())))
                .chain([(name, None)])
        })
    });
    candidates(current, names)
}

/// Ends of running wires.
pub(crate) fn ends(current: &OsStr) -> Vec<CompletionCandidate> {
    let ends = wires().into_iter().flat_map(|wire| wire.ends);
    candidates(current, ends.map(|(name, _)| (name, None)))
}

/// What runs as this user.
fn wires() -> Vec<WireBlueprint> {
    let scopes = [Scope::System, Scope::Session];
    let places = scopes
        .into_iter()
        .filter_map(|scope| Place::of_user(scope).ok());
    let nobody = KeeperCommand {
        program: PathBuf::new(),
        arguments: Vec::new(),
    };
    let wires = places.filter_map(|place| LocalWires::new(place, nobody.clone()).observe().ok());
    wires
        .flat_map(|wires| wires.into_values())
        .filter_map(|wire| wire.config().cloned())
        .collect()
}

/// What can be captured: links, segments and ends of running wires.
pub(crate) fn captured(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = wires().into_iter().flat_map(|wire| {
        let joined = wire.junctions.into_keys();
        joined.chain(wire.ends.into_keys())
    });
    candidates(current, names.map(|name| (name, None)))
}

/// Images of the store.
pub(crate) fn images(current: &OsStr) -> Vec<CompletionCandidate> {
    let images = connect().and_then(|driver| ImageStore::new(&driver).list().ok());
    let images = images.unwrap_or_default().into_iter();
    candidates(current, images.map(|image| (image.name, None)))
}

/// What exists.
fn observe() -> Option<Observed> {
    connect()?.observe().ok()
}

/// A connection that costs nothing: a session's libvirt that does not run has no nodes that run,
/// and asking would start it.
fn connect() -> Option<LibvirtDriver> {
    let connect = std::env::var(CONNECT_VARIABLE).ok();
    let is_session = connect.as_deref().unwrap_or_else(|| default_uri()) == "qemu:///session";
    if is_session && !session_listens() {
        return None;
    }
    LibvirtDriver::connect(connect.as_deref()).ok()
}

fn session_listens() -> bool {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let cache = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    runtime.into_iter().chain(cache).any(|folder| {
        let folder = folder.join("libvirt");
        folder.join("libvirt-sock").exists() || folder.join("virtqemud-sock").exists()
    })
}

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

/// Kinds whose image may stand in for another.
pub(crate) fn stand_ins(current: &OsStr) -> Vec<CompletionCandidate> {
    let catalogue = Catalogue::embedded();
    let stand_ins = catalogue.kinds().filter(|kind| kind.stand_in);
    candidates(
        current,
        stand_ins.map(|kind| (kind.name.clone(), Some(kind.title.clone()))),
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
