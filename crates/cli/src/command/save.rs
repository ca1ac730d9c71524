//! `vnflab save`: running configurations into the lab's folder, ready to be given again.
//!
//! A file is only ever replaced by a configuration that is complete, in one step; a node that
//! cannot be asked leaves its file as it was, and the others are saved.

use crate::cli::{Global, SaveArgs};
use crate::context::{self, World};
use crate::error::{CommandError, ErrorKind};
use crate::interrupt::Interrupt;
use crate::render::progress::Progress;
use crate::render::save::{Result as Saved, Row};
use crate::render::{self, Screen};
use crate::target;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use vnflab_engine::exec;
use vnflab_engine::ssh::Keyring;
use vnflab_model::kind::Catalogue;
use vnflab_model::observed::{DomainState, Locality, ObservedDomain};

/// Most nodes that are asked at one time.
const WORKERS: usize = 16;

pub(super) fn run(
    global: &Global,
    arguments: &SaveArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let world = World::observe(&workspace)?;
    let domains = chosen(&world, &arguments.lab_and_nodes)?;
    let interrupt = Interrupt::listen()?;
    let job = Job {
        is_local: workspace.driver().host()?.locality == Locality::Local,
        catalogue: workspace.catalogue(),
        keyring: Keyring::open()?,
        arguments,
        interrupt: &interrupt,
    };
    let rows = all(&job, &domains, screen);
    if interrupt.is_set() {
        return Err(CommandError::new(
            ErrorKind::Interrupted,
            "interrupted; files of nodes that had answered are written",
        ));
    }
    render::save::report(screen, &rows, arguments.dry_run, arguments.diff)
}

/// The nodes that are meant: of a lab by its path, of the current folder's lab, or by name.
fn chosen<'a>(
    world: &'a World,
    arguments: &[String],
) -> Result<Vec<&'a ObservedDomain>, CommandError> {
    let (path, names) = match arguments.split_first() {
        Some((first, rest)) if Path::new(first).exists() => (Some(first.as_str()), rest),
        Some(_) => (None, arguments),
        None => (Some("."), arguments),
    };
    let Some(path) = path else {
        return names.iter().map(|name| world.node(name)).collect();
    };
    let folder = fs::canonicalize(path)?;
    let labs = target::labs_made_from(&world.observed, &folder);
    let [lab] = labs.iter().copied().collect::<Vec<_>>()[..] else {
        let message = match labs.len() {
            0 => format!("no lab of `{path}` is up"),
            count => format!("{count} labs of `{path}` are up"),
        };
        return Err(CommandError::new(ErrorKind::NotFound, message)
            .hint("`vnflab ps --all` lists what exists; nodes can be named as LAB.NODE."));
    };
    if names.is_empty() {
        return Ok(world.observed.of_lab(lab).collect());
    }
    let named = names.iter().map(|name| {
        let full = format!("{lab}.{name}");
        target::node(&world.observed, Some(lab), &full)
    });
    named.collect()
}

struct Job<'a> {
    catalogue: &'a Catalogue,
    keyring: Keyring,
    arguments: &'a SaveArgs,
    interrupt: &'a Interrupt,
    is_local: bool,
}

fn all(job: &Job<'_>, domains: &[&ObservedDomain], screen: &Screen) -> Vec<Row> {
    let mut progress = Progress::new(screen);
    let left = Mutex::new(domains.iter().enumerate());
    let (tell, told) = mpsc::channel();
    let mut rows: Vec<(usize, Row)> = Vec::new();
    thread::scope(|scope| {
        for _ in 0..WORKERS.min(domains.len()) {
            let (tell, left) = (tell.clone(), &left);
            scope.spawn(move || {
                loop {
                    let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((index, domain)) = next else {
                        return;
                    };
                    let began = Instant::now();
                    let _ = tell.send((index, domain.name.clone(), None));
                    let row = one(job, domain);
                    let _ = tell.send((index, domain.name.clone(), Some((row, began.elapsed()))));
                }
            });
        }
        drop(tell);
        for (index, name, done) in told {
            match done {
                None => progress.begin(&name, "asks for the configuration"),
                Some((row, elapsed)) => {
                    match &row.result {
                        Saved::Failed(_) => progress.failed(&name, "asks for the configuration"),
                        _ => progress.done(&name, "configuration", elapsed),
                    }
                    progress.end(&name);
                    rows.push((index, row));
                }
            }
        }
    });
    progress.clear();
    rows.sort_by_key(|(index, _)| *index);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn one(job: &Job<'_>, domain: &ObservedDomain) -> Row {
    let blueprint = &domain.record.blueprint;
    // The lab's folder: its file lies there, as does the folder of the origin's files.
    let folder = Path::new(&domain.record.source).parent();
    let folder = folder.unwrap_or(Path::new(".")).join(&job.arguments.to);
    let path = folder.join(format!("{}.cfg", blueprint.node));
    let mut row = Row {
        lab: blueprint.lab.clone(),
        node: blueprint.node.clone(),
        path: path.clone(),
        way: None,
        lines: 0,
        before: String::new(),
        after: String::new(),
        result: Saved::Unchanged,
    };
    match fetch(job, domain) {
        Err(reason) => row.result = Saved::Failed(reason),
        Ok((text, way)) => {
            row.way = Some(way);
            row.lines = text.lines().count();
            match put(&path, &text, job.arguments.dry_run) {
                Ok(None) => row.result = Saved::New,
                Ok(Some(before)) if before == text => row.result = Saved::Unchanged,
                Ok(Some(before)) => {
                    row.result = Saved::Changed;
                    row.before = before;
                }
                Err(error) => {
                    let reason = format!("`{}` cannot be written: {error}", path.display());
                    row.result = Saved::Failed(reason);
                }
            }
            row.after = text;
        }
    }
    row
}

/// A node's configuration, as it can be given again, and how it was asked.
fn fetch(job: &Job<'_>, domain: &ObservedDomain) -> Result<(String, &'static str), String> {
    let node = &domain.record.blueprint;
    if domain.state != DomainState::Running {
        return Err(format!("it is {}", domain.state.word()));
    }
    let loopback = node
        .access
        .as_ref()
        .is_none_or(|access| access.ssh.ip().is_loopback());
    if !job.is_local && (loopback || job.arguments.console) {
        return Err("its ports are on another host's loopback".to_owned());
    }
    let kind = job.catalogue.find(&node.guest);
    let save = kind.and_then(|kind| kind.commands.save.as_ref());
    let (Some(kind), Some(save)) = (kind, save) else {
        return Err(format!(
            "the kind `{}` does not say how its configuration is fetched",
            node.guest
        ));
    };
    let request = exec::Request {
        node,
        kind: Some(kind),
        keyring: &job.keyring,
        command: &save.run,
        limit: job.arguments.timeout.unwrap_or(Duration::from_secs(60)),
        cancel: job.interrupt.flag(),
    };
    let output = match job.arguments.console {
        true => exec::run_on_console(&request),
        false => exec::run(&request),
    };
    let output = output.map_err(|error| error.to_string())?;
    if !output.is_success() {
        let said = format!("{}{}", output.stdout, output.stderr);
        let last = said.trim_end().lines().last().unwrap_or("nothing");
        return Err(format!("`{}` failed: {last}", save.run));
    }
    if output.truncated {
        return Err("its configuration is larger than any".to_owned());
    }
    match save.configuration(&output.stdout) {
        Some(text) => Ok((text, output.way.word())),
        None => Err(format!("`{}` gave no whole configuration", save.run)),
    }
}

/// Puts a file in place whole, and gives what was there. Configurations hold hashes of passwords
/// and keys, so a new file is its owner's alone; one that is there keeps its permissions.
fn put(path: &Path, text: &str, dry_run: bool) -> io::Result<Option<String>> {
    let before = match fs::read_to_string(path) {
        Ok(before) => Some(before),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if dry_run || before.as_deref() == Some(text) {
        return Ok(before);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft: PathBuf = path.with_extension(format!("{}.new", std::process::id()));
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(text.as_bytes())?;
        if let Ok(metadata) = fs::metadata(path) {
            file.set_permissions(metadata.permissions())?;
        }
        fs::rename(&draft, path)
    };
    let written = write();
    if written.is_err() {
        // What is left of it is of no use.
        let _ = fs::remove_file(&draft);
    }
    written.map(|()| before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_replaced_whole_and_only_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("configs/r1.cfg");
        assert_eq!(put(&path, "a\n", true).unwrap(), None);
        assert!(!path.exists());
        assert_eq!(put(&path, "a\n", false).unwrap(), None);
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(put(&path, "b\n", true).unwrap(), Some("a\n".to_owned()));
        assert_eq!(put(&path, "b\n", false).unwrap(), Some("a\n".to_owned()));
        assert_eq!(fs::read_to_string(&path).unwrap(), "b\n");
        assert_eq!(mode(), 0o640);
        let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, 1);
    }
}
