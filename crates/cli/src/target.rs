//! Which node or lab an argument means: `NODE` or `LAB.NODE` among those that exist.
//!
//! Pure: what exists and where the user stands are arguments. The order is: `LAB.NODE`; then a
//! node of the lab of the current folder; then a node name that only one lab has.

use crate::error::{CommandError, ErrorKind};
use std::collections::BTreeSet;
use std::path::Path;
use vnflab_model::blueprint::{NodeBlueprint, domain_name};
use vnflab_model::diagnostic::nearest;
use vnflab_model::kind::Kind;
use vnflab_model::observed::{Observed, ObservedDomain};

/// The lab whose file lies in a folder, if one exists. `folder` is absolute and without symbolic
/// links, as the recorded sources are.
pub(crate) fn lab_of_folder<'a>(observed: &'a Observed, folder: &Path) -> Option<&'a str> {
    let labs = labs_made_from(observed, folder);
    match labs.len() {
        1 => labs.first().copied(),
        _ => None,
    }
}

/// The labs that were made from a file, or from a file in a folder. `path` is absolute and without
/// symbolic links; it need not exist any more.
pub(crate) fn labs_made_from<'a>(observed: &'a Observed, path: &Path) -> BTreeSet<&'a str> {
    observed
        .domains
        .iter()
        .filter(|domain| {
            let source = Path::new(&domain.record.source);
            // A lab file lies in the folder; the origin's labs are the folder's `nodes/`.
            source == path || source.parent() == Some(path)
        })
        .map(|domain| domain.record.blueprint.lab.as_str())
        .collect()
}

/// The node that an argument means.
pub(crate) fn node<'a>(
    observed: &'a Observed,
    current_lab: Option<&str>,
    argument: &str,
) -> Result<&'a ObservedDomain, CommandError> {
    if let Some((lab, node)) = argument.split_once('.') {
        return observed
            .domain(lab, node)
            .ok_or_else(|| unknown_node(observed, argument));
    }
    if let Some(found) = current_lab.and_then(|lab| observed.domain(lab, argument)) {
        return Ok(found);
    }
    let found: Vec<&ObservedDomain> = observed
        .domains
        .iter()
        .filter(|domain| domain.record.blueprint.node == argument)
        .filter(|domain| domain.record.blueprint.part.is_none())
        .collect();
    match found[..] {
        [one] => Ok(one),
        [] => Err(unknown_node(observed, argument)),
        [..] => {
            let names: Vec<String> = found
                .iter()
                .map(|domain| format!("`{}`", domain.name))
                .collect();
            let message = format!("`{argument}` is a node of {} labs", found.len());
            Err(CommandError::new(ErrorKind::NotFound, message)
                .hint(format!("Write one of {}.", names.join(", "))))
        }
    }
}

/// A node, and which of its VMs is meant where that is said: `r1:vfp`.
pub(crate) fn part_of(argument: &str) -> (&str, Option<&str>) {
    match argument.split_once(':') {
        Some((node, part)) => (node, Some(part)),
        None => (argument, None),
    }
}

/// The VM of a node that a part's name means. The main VM has a name too, which its kind knows.
pub(crate) fn vm<'a>(
    vms: &[&'a NodeBlueprint],
    kind: Option<&Kind>,
    part: &str,
) -> Result<&'a NodeBlueprint, CommandError> {
    let main = kind.and_then(|kind| kind.main_part.as_deref());
    // A stand-in is one VM, whatever its kind is.
    let main = main.filter(|_| vms.len() > 1);
    let name = |vm: &NodeBlueprint| vm.part.clone().or_else(|| main.map(str::to_owned));
    let mut named = vms.iter().filter_map(|vm| Some((name(vm)?, *vm)));
    if let Some((_, vm)) = named.find(|(name, _)| name.eq_ignore_ascii_case(part)) {
        return Ok(vm);
    }
    let names: Vec<String> = vms.iter().filter_map(|vm| name(vm)).collect();
    let node = vms.first().map_or("", |vm| vm.node.as_str());
    let error = CommandError::new(
        ErrorKind::NotFound,
        format!("`{node}` has no part `{part}`"),
    );
    match (nearest(part, names.iter().map(String::as_str)), &names[..]) {
        (Some(near), _) => Err(error.hint(format!("Did you mean `{node}:{near}`?"))),
        (None, []) => Err(error.hint("It is one VM.")),
        (None, names) => Err(error.hint(format!("Its parts are {}.", names.join(", ")))),
    }
}

/// The lab of that name, provided that something of it exists.
pub(crate) fn lab<'a>(observed: &'a Observed, name: &str) -> Result<&'a str, CommandError> {
    let labs = observed.labs();
    match labs.get(name) {
        Some(lab) => Ok(lab),
        None => Err(CommandError::unknown("lab", name, labs.iter().copied())
            .hint("`vnflab ps --all` lists what exists.")),
    }
}

/// The lab that an argument means: its name, or the file or folder that it was made from. Without
/// one, it is the lab of the current folder, or the only one that exists.
pub(crate) fn lab_or_only<'a>(
    observed: &'a Observed,
    folder: &Path,
    argument: Option<&str>,
) -> Result<&'a str, CommandError> {
    let labs = observed.labs();
    if let Some(argument) = argument {
        if let Some(lab) = labs.get(argument) {
            return Ok(lab);
        }
        let path = folder.join(argument);
        // A file that is gone is compared as it is written.
        let path = path.canonicalize().unwrap_or(path);
        return match labs_made_from(observed, &path).first() {
            Some(lab) => Ok(lab),
            None => lab(observed, argument),
        };
    }
    if let Some(lab) = lab_of_folder(observed, folder) {
        return Ok(lab);
    }
    let names: Vec<&str> = labs.into_iter().collect();
    match names[..] {
        [lab] => Ok(lab),
        [] => Err(CommandError::new(ErrorKind::NotFound, "no lab is up")
            .hint("`vnflab up` makes one run.")),
        [..] => Err(CommandError::new(ErrorKind::Usage, "which lab is meant?")
            .hint(format!("Name one of: {}.", names.join(", ")))),
    }
}

fn unknown_node(observed: &Observed, argument: &str) -> CommandError {
    let full: Vec<String> = observed
        .domains
        .iter()
        .map(|domain| {
            let blueprint = &domain.record.blueprint;
            domain_name(&blueprint.lab, &blueprint.node)
        })
        .collect();
    let short = observed
        .domains
        .iter()
        .map(|domain| domain.record.blueprint.node.as_str());
    let error = match argument.contains('.') {
        true => CommandError::unknown("node", argument, full.iter().map(String::as_str)),
        false => CommandError::unknown("node", argument, short),
    };
    match observed.domains.is_empty() {
        true => error.hint("No lab is up; `vnflab up` makes one run."),
        false => error.hint("`vnflab ps --all` lists what exists."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_lab_is_found_by_name_file_and_folder_and_alone() {
        let two = sample::observed(&[("a", "r1"), ("b", "r1")]);
        let find = |folder: &str, argument| lab_or_only(&two, Path::new(folder), argument);
        assert_eq!(find("/", Some("b")).unwrap(), "b");
        assert_eq!(find("/", Some("/labs/b")).unwrap(), "b");
        assert_eq!(find("/labs/b", Some("lab.yaml")).unwrap(), "b");
        assert_eq!(find("/labs/a", None).unwrap(), "a");
        assert_eq!(find("/", None).unwrap_err().kind, ErrorKind::Usage);
        assert_eq!(find("/", Some("c")).unwrap_err().kind, ErrorKind::NotFound);
        let one = sample::observed(&[("a", "r1")]);
        assert_eq!(lab_or_only(&one, Path::new("/"), None).unwrap(), "a");
        let none = sample::observed(&[]);
        assert!(lab_or_only(&none, Path::new("/"), None).is_err());
    }

    #[test]
    fn a_node_is_found_by_full_name_by_folder_and_alone() {
        let observed = sample::observed(&[("a", "r1"), ("a", "r2"), ("b", "r1")]);
        let name = |lab, argument| node(&observed, lab, argument).map(|found| found.name.as_str());
        assert_eq!(name(None, "b.r1").unwrap(), "b.r1");
        assert_eq!(name(Some("b"), "r1").unwrap(), "b.r1");
        assert_eq!(name(Some("b"), "r2").unwrap(), "a.r2");
        let ambiguous = name(None, "r1").unwrap_err();
        assert_eq!(ambiguous.hints, ["Write one of `a.r1`, `b.r1`."]);
        let unknown = name(None, "r3").unwrap_err();
        assert_eq!(unknown.kind, ErrorKind::NotFound);
        assert!(unknown.hints[0].contains("Did you mean"));
        assert!(name(None, "a.r9").is_err());
    }

    #[test]
    fn the_lab_of_a_folder_is_known_by_its_source() {
        let observed = sample::observed(&[("a", "r1"), ("b", "r1")]);
        let lab = |folder| lab_of_folder(&observed, Path::new(folder));
        assert_eq!(lab("/labs/a"), Some("a"));
        assert_eq!(lab("/labs/b"), Some("b"));
        assert_eq!(lab("/labs"), None);
        // The file may be gone; the record is what counts.
        let made_from = labs_made_from(&observed, Path::new("/labs/a/lab.yaml"));
        assert_eq!(made_from, BTreeSet::from(["a"]));
        let mut moved = sample::observed(&[("a", "r1"), ("b", "r1")]);
        moved.domains[1].record.source = "/labs/a/other.yaml".to_owned();
        assert_eq!(labs_made_from(&moved, Path::new("/labs/a")).len(), 2);
        assert_eq!(lab_of_folder(&moved, Path::new("/labs/a")), None);
    }
}
