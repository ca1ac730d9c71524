//! From a LAB argument to a blueprint: reading, checking, deciding, with all mistakes shown.

use crate::cli::{SelectionArgs, VariationArgs};
use crate::error::{CommandError, ErrorKind};
use crate::render::{self, Screen};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use vnflab_engine::ssh;
use vnflab_engine::workspace::{Reading, Survey, Workspace};
use vnflab_model::blueprint::Blueprint;
use vnflab_model::diagnostic::nearest;
use vnflab_model::spec::Transport;

/// A lab without mistakes, decided.
pub(super) struct Decided {
    /// What was seen.
    pub(super) survey: Survey,
    /// What shall be.
    pub(super) blueprint: Blueprint,
}

/// Reads, checks and decides. Mistakes and warnings are shown; with mistakes it fails.
pub(super) fn decide(
    workspace: &Workspace,
    path: &Path,
    variation: &VariationArgs,
    screen: &Screen,
) -> Result<Decided, CommandError> {
    let mut reading = workspace.read(path);
    let survey = survey(workspace, &mut reading, variation)?;
    let key = ssh::ensure_key(&ssh::folder()?)?;
    let decision = workspace.decide(&reading, &survey, &[key.authorized])?;
    render::diagnostic::show(screen, &reading.sources, &decision.diagnostics);
    match decision.blueprint {
        Some(blueprint) => Ok(Decided { survey, blueprint }),
        None => Err(CommandError::silent(ErrorKind::Lab)),
    }
}

/// Varies the lab as the command line says, and looks at everything that it names.
pub(super) fn survey(
    workspace: &Workspace,
    reading: &mut Reading,
    variation: &VariationArgs,
) -> Result<Survey, CommandError> {
    let name = variation.stand_in.as_ref();
    let stand_in = name.map(|name| workspace.stand_in(name)).transpose()?;
    if let (Some(lab), Some(address)) = (&mut reading.lab, variation.console_address) {
        lab.console_address = Some(address);
        lab.console_span = None;
    }
    let transport = match (variation.wire, variation.direct) {
        (true, _) => Some(Transport::Wire),
        (_, true) => Some(Transport::Direct),
        (false, false) => None,
    };
    if let (Some(lab), Some(transport)) = (&mut reading.lab, transport) {
        lab.override_transport(transport);
    }
    Ok(workspace.survey(reading, stand_in.as_ref())?)
}

/// Which lab, and which of its nodes (`None` for all).
pub(super) struct Selection {
    pub(super) lab: PathBuf,
    pub(super) nodes: Option<BTreeSet<String>>,
}

/// A first argument that names a file or folder, or is written like one, is the lab; all others
/// are nodes.
pub(super) fn selection(arguments: &SelectionArgs) -> Selection {
    let all = &arguments.lab_and_nodes;
    let (lab, nodes) = match all.split_first() {
        Some((first, rest)) if is_path(first) => (PathBuf::from(first), rest),
        _ => (PathBuf::from("."), all.as_slice()),
    };
    Selection {
        lab,
        nodes: (!nodes.is_empty()).then(|| nodes.iter().cloned().collect()),
    }
}

/// Node names have neither dots nor slashes.
fn is_path(argument: &str) -> bool {
    argument.contains(['/', '.']) || Path::new(argument).exists()
}

/// Fails when a selected node is not in the lab.
pub(super) fn check_nodes(
    blueprint: &Blueprint,
    nodes: Option<&BTreeSet<String>>,
) -> Result<(), CommandError> {
    let unknown = nodes
        .into_iter()
        .flatten()
        .find(|name| blueprint.node(name).is_none());
    match unknown {
        None => Ok(()),
        Some(name) => Err(unknown_node(blueprint, name)),
    }
}

/// The lab has no node of that name.
pub(super) fn unknown_node(blueprint: &Blueprint, name: &str) -> CommandError {
    let message = format!("`{}` has no node `{name}`", blueprint.lab);
    let error = CommandError::new(ErrorKind::NotFound, message);
    let known = blueprint.nodes.iter().map(|node| node.node.as_str());
    match nearest(name, known) {
        Some(nearest) => error.hint(format!("Did you mean `{nearest}`?")),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(arguments: &[&str]) -> (String, Vec<String>) {
        let selection = selection(&SelectionArgs {
            lab_and_nodes: arguments.iter().map(|one| (*one).to_owned()).collect(),
        });
        let nodes = selection.nodes.unwrap_or_default();
        (
            selection.lab.display().to_string(),
            nodes.into_iter().collect(),
        )
    }

    #[test]
    fn a_first_argument_that_is_written_like_a_path_is_the_lab() {
        let all = Vec::<String>::new();
        assert_eq!(select(&[]), (".".to_owned(), all.clone()));
        assert_eq!(
            select(&["x/lab.yaml"]),
            ("x/lab.yaml".to_owned(), all.clone())
        );
        assert_eq!(select(&["my.lab.yaml"]), ("my.lab.yaml".to_owned(), all));
        let nodes = vec!["r1".to_owned(), "r2".to_owned()];
        assert_eq!(select(&["r2", "r1"]), (".".to_owned(), nodes.clone()));
        assert_eq!(select(&["x/", "r1", "r2"]), ("x/".to_owned(), nodes));
    }
}
