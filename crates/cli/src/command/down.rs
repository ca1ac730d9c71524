//! `vnflab down`: removes a lab, be its file still there or not.

use super::carry_out::{Job, carry_out};
use crate::cli::{DownArgs, Global};
use crate::context::{self, World};
use crate::error::{CommandError, ErrorKind};
use crate::interrupt::Interrupt;
use crate::render::{self, Screen};
use crate::target;
use std::fs;
use std::path::{Path, PathBuf};
use vnflab_engine::executor::MAX_WORKERS;
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
    let lab = match &arguments.name {
        Some(name) => target::lab(&world.observed, name)?.to_owned(),
        None => {
            let path = arguments.lab.clone().unwrap_or_else(|| PathBuf::from("."));
            lab_of(&workspace, &world.observed, &path, screen)?
        }
    };
    let disks = match arguments.keep_disks {
        true => Disks::Keep,
        false => Disks::Delete,
    };
    let job = Job {
        lab: &lab,
        plan: plan_down(&lab, &world.observed, disks),
        blueprint: None,
        workers: arguments.parallel.map_or(MAX_WORKERS, usize::from),
    };
    let run = carry_out(&workspace, job, &interrupt, screen)?;
    if run.is_complete() && disks == Disks::Delete {
        forget_hosts(&lab);
    }
    render::run::report(screen, "down", &[run])
}

/// The name of the lab at a path: what was made from there, whatever its file says by now; else
/// what the file says.
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
        render::diagnostic::show(screen, &reading.sources, &reading.diagnostics);
        return Err(CommandError::new(
            ErrorKind::Lab,
            "the file does not say which lab it is, and nothing was made from it",
        )
        .hint("`vnflab down --lab NAME` takes down a lab by its name."));
    };
    let name = lab.name.as_str();
    match observed.of_lab(name).next() {
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

/// Host keys of guests that are gone.
fn forget_hosts(lab: &str) {
    if let Ok(folder) = ssh::folder() {
        // A file that does not exist, or cannot be removed, is in nobody's way.
        let _ = fs::remove_file(ssh::known_hosts(&folder, lab));
    }
}
