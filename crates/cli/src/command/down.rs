//! `vnflab down`: removes a lab, be its file still there or not.
//!
//! The nodes' disks stay unless they are purged: what was configured and saved in a guest is the
//! user's work, and the next `up` boots from it again.

use super::carry_out::{Job, carry_out};
use crate::cli::{DownArgs, Global};
use crate::context::{self, World};
use crate::error::{CommandError, ErrorKind};
use crate::interrupt::Interrupt;
use crate::render::{self, Screen};
use crate::target;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use vnflab_engine::executor::MAX_WORKERS;
use vnflab_engine::performer::SHUTDOWN_PATIENCE;
use vnflab_engine::provision::Place;
use vnflab_engine::ssh;
use vnflab_engine::workspace::Workspace;
use vnflab_model::observed::Observed;
use vnflab_model::plan::{Disks, plan_down};

pub(super) fn run(
    global: &Global,
    arguments: &DownArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let interrupt = Interrupt::listen()?;
    let world = World::observe(&workspace)?;
    let observed = &world.observed;
    let lab = match (&arguments.name, &arguments.lab) {
        (Some(name), _) => target::lab(observed, name)?.to_owned(),
        (None, Some(argument)) => match running_lab(observed, argument)? {
            Some(name) => name.to_owned(),
            None => lab_of(&workspace, observed, argument, screen)?,
        },
        (None, None) => lab_of(&workspace, observed, Path::new("."), screen)?,
    };
    let disks = match arguments.purge {
        true => Disks::Delete,
        false => Disks::Keep,
    };
    let job = Job {
        lab: &lab,
        plan: plan_down(&lab, &world.observed, disks),
        blueprint: None,
        workers: arguments.parallel.map_or(MAX_WORKERS, usize::from),
        shutdown_patience: SHUTDOWN_PATIENCE,
    };
    let run = carry_out(&workspace, job, &interrupt, screen)?;
    if run.is_complete() && disks == Disks::Delete {
        forget(&lab);
    }
    render::run::report(screen, "down", &[run])?;
    if disks == Disks::Keep {
        render::run::kept_disks(screen, &lab, &kept_disks(observed, &lab));
    }
    Ok(())
}

/// The sizes in bytes of the disks that stay.
fn kept_disks(observed: &Observed, lab: &str) -> Vec<u64> {
    let disks = observed.volumes.iter();
    let disks = disks.filter(|volume| volume.name.lab == lab && volume.name.is_disk());
    disks.map(|volume| volume.allocation_bytes).collect()
}

/// The lab that an argument names, where nothing on disk is called so and the lab was not made
/// from there; fails where it is one word and nothing is called so at all.
fn running_lab<'a>(
    observed: &'a Observed,
    argument: &Path,
) -> Result<Option<&'a str>, CommandError> {
    let word = argument.to_str().filter(|text| !text.contains('/'));
    let Some(word) = word.filter(|_| !argument.exists()) else {
        return Ok(None);
    };
    let labs = observed.labs();
    match labs.get(word) {
        Some(lab) => Ok(Some(lab)),
        None if !target::labs_made_from(observed, &resolved(argument)).is_empty() => Ok(None),
        None => {
            Err(
                CommandError::unknown("lab file and no running lab", word, labs.iter().copied())
                    .hint("`vnflab ps --all` lists what exists."),
            )
        }
    }
}

/// A path without symbolic links, as recorded sources are, though its end may be gone.
fn resolved(path: &Path) -> PathBuf {
    let Ok(path) = std::path::absolute(path) else {
        return path.to_owned();
    };
    path.ancestors()
        .find_map(|above| {
            let gone = path.strip_prefix(above).ok()?;
            // Joining nothing would add a slash.
            let above = fs::canonicalize(above).ok()?;
            Some(above.components().chain(gone.components()).collect())
        })
        .unwrap_or(path)
}

/// The name of the lab at a path: what was made from there, whatever its file says by now or be
/// it gone; else what the file says.
fn lab_of(
    workspace: &Workspace,
    observed: &Observed,
    path: &Path,
    screen: &Screen,
) -> Result<String, CommandError> {
    let reading = workspace.read(path);
    let origin = reading.origin.display().to_string();
    let made_from_here = observed
        .domains
        .iter()
        .find(|domain| domain.record.source == origin);
    if let Some(domain) = made_from_here {
        return Ok(domain.record.blueprint.lab.clone());
    }
    let Some(lab) = &reading.lab else {
        let path = resolved(path);
        let labs = target::labs_made_from(observed, &path);
        return match labs.iter().copied().collect::<Vec<_>>()[..] {
            [lab] => {
                screen.say(&format!(
                    "The file of `{lab}` is gone; it was made from here."
                ));
                Ok(lab.to_owned())
            }
            [] => {
                render::diagnostic::show(screen, &reading.sources, &reading.check_without_host());
                let message = "no lab file says which lab it is, and no lab was made from there";
                Err(CommandError::new(ErrorKind::Lab, message)
                    .hint("`vnflab ps --all` lists what exists; `vnflab down NAME` takes a lab down by its name."))
            }
            [..] => Err(several(&path, &labs)),
        };
    };
    let name = lab.name.as_str();
    match observed.of_lab(name).next() {
        // Its file was moved here, or is a copy of one that is gone.
        Some(other) if !Path::new(&other.record.source).exists() => Ok(name.to_owned()),
        Some(other) => {
            let source = &other.record.source;
            let message = format!("the lab `{name}` was made from `{source}`, not from here");
            Err(CommandError::new(ErrorKind::Failed, message).hint(format!(
                "`vnflab down --lab {name}` takes it down all the same."
            )))
        }
        None => Ok(name.to_owned()),
    }
}

fn several(path: &Path, labs: &BTreeSet<&str>) -> CommandError {
    let names: Vec<String> = labs.iter().map(|lab| format!("`{lab}`")).collect();
    let message = format!(
        "{} labs were made from `{}`: {}",
        labs.len(),
        path.display(),
        names.join(", ")
    );
    CommandError::new(ErrorKind::NotFound, message)
        .hint("`vnflab down NAME` takes down one of them.")
}

/// What is known of guests that are gone: their host keys, and the dialogues on their consoles.
fn forget(lab: &str) {
    if let Ok(folder) = ssh::folder() {
        // A file that does not exist, or cannot be removed, is in nobody's way.
        let _ = fs::remove_file(ssh::known_hosts(&folder, lab));
    }
    if let Ok(place) = Place::of_user() {
        // What is left of them is overwritten by the next dialogue with a node of that name.
        let _ = place.forget_lab(lab);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_path_is_resolved_though_its_end_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let real = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir(real.join("labs")).unwrap();
        std::os::unix::fs::symlink(real.join("labs"), real.join("link")).unwrap();
        assert_eq!(
            resolved(&real.join("link/ring/lab.yaml")),
            real.join("labs/ring/lab.yaml")
        );
        assert_eq!(resolved(&real.join("link")), real.join("labs"));
    }

    #[test]
    fn a_word_that_is_no_path_is_a_running_lab() {
        let observed = sample::observed(&[("ring", "r1"), ("pair", "r1")]);
        let lab = |argument| running_lab(&observed, Path::new(argument));
        assert_eq!(lab("ring").unwrap(), Some("ring"));
        // What exists, and what is written like a path, is a path.
        assert_eq!(lab("src").unwrap(), None);
        assert_eq!(lab("/labs/ring").unwrap(), None);
        let error = lab("rign").unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(error.hints[0], "Did you mean `ring`?");
    }
}
