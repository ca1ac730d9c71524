//! `vnflab test`: whether the running lab is as its checks say.

use crate::cli::{Global, TestArgs};
use crate::context;
use crate::error::{CommandError, ErrorKind};
use crate::interrupt::Interrupt;
use crate::render::progress::Progress;
use crate::render::test::Tested;
use crate::render::{self, Screen};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vnflab_engine::lab_check::live::LiveLab;
use vnflab_engine::lab_check::{self, Event, Patience};
use vnflab_engine::ssh::Keyring;
use vnflab_model::lab_check::LabCheck;
use vnflab_model::observed::Locality;
use vnflab_wire::control::Client;

pub(super) fn run(
    global: &Global,
    arguments: &TestArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let (path, names) = selection(&arguments.lab_and_checks);
    let reading = workspace.read(&path);
    let found = reading.check_without_host();
    render::diagnostic::show(screen, &reading.sources, &found);
    let Some(lab) = reading.lab.filter(|_| !found.has_errors()) else {
        return Err(CommandError::silent(ErrorKind::Lab));
    };
    let checks = selected(&lab.checks, names, lab.name.as_str())?;
    let observed = workspace.observe()?;
    if observed.of_lab(lab.name.as_str()).next().is_none() {
        let message = format!("`{}` is not up", lab.name);
        return Err(CommandError::new(ErrorKind::NotFound, message)
            .hint("`vnflab up --wait` makes it run."));
    }
    if workspace.driver().host()?.locality == Locality::Remote {
        let message = "nodes and links of another host cannot be looked at from here";
        return Err(
            CommandError::new(ErrorKind::Failed, message).hint("Run `vnflab test` on that host.")
        );
    }
    let interrupt = Interrupt::listen()?;
    let wires = context::wires_of(global, workspace.driver().scope())?;
    let name = lab.name.as_str();
    let connect = || Client::connect(&wires.folder(name));
    let live = LiveLab::new(
        &workspace,
        &observed,
        name,
        Keyring::open()?,
        &connect,
        interrupt.flag(),
    );
    let mut progress = Progress::new(screen);
    let began = Instant::now();
    let patience = Patience {
        wait: arguments.wait.unwrap_or(Duration::ZERO),
        cancel: interrupt.flag(),
    };
    let outcomes = lab_check::run(&checks, &live, patience, &mut |event| match event {
        Event::Doing { check, what } => progress.begin(check, what),
        Event::Done(outcome) => {
            match outcome.verdict.holds() {
                true => progress.done(&outcome.name, "holds", outcome.elapsed),
                false => progress.failed(&outcome.name, "is checked"),
            }
            progress.end(&outcome.name);
        }
    });
    progress.clear();
    let tested = Tested {
        lab: name,
        outcomes,
        elapsed: began.elapsed(),
        interrupted: interrupt.is_set(),
    };
    if let Some(file) = &arguments.junit {
        std::fs::write(file, render::test::junit(&tested)).map_err(|error| {
            let message = format!("`{}` cannot be written", file.display());
            CommandError::new(ErrorKind::Failed, message).caused_by(&error)
        })?;
    }
    render::test::report(screen, &tested)
}

/// A first argument that names a file or folder, or is written like one, is the lab; all others
/// are checks.
fn selection(arguments: &[String]) -> (PathBuf, &[String]) {
    match arguments.split_first() {
        Some((first, rest)) if first.contains(['/', '.']) || Path::new(first).exists() => {
            (PathBuf::from(first), rest)
        }
        _ => (PathBuf::from("."), arguments),
    }
}

/// The checks of these names, in the order of the file; all where none is named.
fn selected<'a>(
    checks: &'a [LabCheck],
    names: &[String],
    lab: &str,
) -> Result<Vec<&'a LabCheck>, CommandError> {
    let is_known = |name: &&String| checks.iter().any(|check| check.name.value == **name);
    if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
        let known = checks.iter().map(|check| check.name.value.as_str());
        return Err(CommandError::unknown("check", unknown, known));
    }
    if checks.is_empty() {
        let message = format!("`{lab}` has no checks");
        return Err(CommandError::new(ErrorKind::NotFound, message)
            .hint("Add some to the lab file, such as `checks: {reachable: {ping: {from: all, to: all}}}`."));
    }
    let is_meant = |check: &&LabCheck| names.is_empty() || names.contains(&check.name.value);
    Ok(checks.iter().filter(is_meant).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(arguments: &[&str]) -> (String, Vec<String>) {
        let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
        let (lab, checks) = selection(&arguments);
        (lab.display().to_string(), checks.to_vec())
    }

    #[test]
    fn a_first_argument_that_is_written_like_a_path_is_the_lab() {
        let ospf = || vec!["ospf".to_owned()];
        assert_eq!(select(&[]), (".".to_owned(), vec![]));
        assert_eq!(select(&["ospf"]), (".".to_owned(), ospf()));
        assert_eq!(select(&["ring/", "ospf"]), ("ring/".to_owned(), ospf()));
        assert_eq!(select(&["my.lab.yaml"]), ("my.lab.yaml".to_owned(), vec![]));
    }

    #[test]
    fn a_lab_without_checks_never_passes() {
        let error = selected(&[], &[], "ring").unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(error.message, "`ring` has no checks");
    }
}
