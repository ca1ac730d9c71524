//! What commands share: the kinds that are known here, the connection, and what exists on it.

use crate::cli::{Global, ScopeArgs};
use crate::error::{CommandError, ErrorKind};
use crate::target;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use vnflab_engine::driver::Driver;
use vnflab_engine::driver::libvirt::LibvirtDriver;
use vnflab_engine::wire::{AbsentWires, KeeperCommand, LocalWires, Place, Wires};
use vnflab_engine::workspace::Workspace;
use vnflab_model::kind::Catalogue;
use vnflab_model::observed::{Locality, Observed, ObservedDomain, Scope};
use vnflab_wire::control::Client;

/// Largest kind file in bytes; ours have a thousand.
const KIND_FILE_LIMIT: u64 = 256 * 1024;

/// Most kind files in the user's folder.
const KIND_COUNT_LIMIT: usize = 1000;

/// Our kinds, overlaid by those of the user's folder.
pub(crate) fn catalogue(global: &Global) -> Result<Catalogue, CommandError> {
    Catalogue::with_overlay(&overlay(global)?).map_err(|errors| {
        let mut error = CommandError::new(ErrorKind::Failed, "the kinds cannot be read");
        error.causes = errors.iter().map(ToString::to_string).collect();
        error
            .hint("`vnflab kinds check FILE` shows where; `vnflab kinds --schema` prints the form.")
    })
}

/// The user's own files of kinds: names and texts.
pub(crate) fn overlay(global: &Global) -> Result<Vec<(String, String)>, CommandError> {
    let overlay = match (&global.kinds, default_folder()) {
        (Some(folder), _) => read_folder(folder).map_err(|error| unreadable(folder, &error))?,
        (None, None) => Vec::new(),
        (None, Some(folder)) => match read_folder(&folder) {
            Ok(overlay) => overlay,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unreadable(&folder, &error)),
        },
    };
    Ok(overlay)
}

fn unreadable(folder: &Path, error: &io::Error) -> CommandError {
    let message = format!("the folder of kinds `{}` cannot be read", folder.display());
    CommandError::new(ErrorKind::Failed, message).caused_by(error)
}

fn default_folder() -> Option<PathBuf> {
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let config = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")))?;
    Some(config.join("vnflab").join("kinds"))
}

/// The names and texts of a folder's `.yaml` files, by name.
fn read_folder(folder: &Path) -> io::Result<Vec<(String, String)>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_kind = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_kind {
            paths.push(path);
        }
        if paths.len() > KIND_COUNT_LIMIT {
            let message = format!("more than {KIND_COUNT_LIMIT} kind files");
            return Err(io::Error::other(message));
        }
    }
    paths.sort();
    paths.iter().map(|path| read_kind(path)).collect()
}

/// The name and the text of a kind's file.
pub(crate) fn read_kind(path: &Path) -> io::Result<(String, String)> {
    let named = |error: io::Error| {
        let message = format!("{}: {error}", path.display());
        io::Error::new(error.kind(), message)
    };
    let size = fs::metadata(path).map_err(named)?.len();
    if size > KIND_FILE_LIMIT {
        let message = format!("larger than {KIND_FILE_LIMIT} bytes");
        return Err(named(io::Error::other(message)));
    }
    let text = fs::read_to_string(path).map_err(named)?;
    Ok((path.display().to_string(), text))
}

/// The connection that was asked for, the wires beside it, and the kinds.
pub(crate) fn workspace(global: &Global) -> Result<Workspace, CommandError> {
    let catalogue = catalogue(global)?;
    let driver = LibvirtDriver::connect(global.connect.as_deref())?;
    let wires: Box<dyn Wires> = match driver.locality() {
        Locality::Local => Box::new(wires_of(global, driver.scope())?),
        Locality::Remote => Box::new(AbsentWires),
    };
    Ok(Workspace::new(Box::new(driver), wires, catalogue))
}

/// The wires of this machine, kept by this very program.
pub(crate) fn wires_of(global: &Global, scope: Scope) -> Result<LocalWires, CommandError> {
    let mut arguments: Vec<OsString> = Vec::new();
    if let Some(uri) = &global.connect {
        arguments.extend(["--connect".into(), uri.into()]);
    }
    arguments.extend(["wire".into(), "serve".into()]);
    let keeper = KeeperCommand {
        program: std::env::current_exe()?,
        arguments,
    };
    Ok(LocalWires::new(Place::of_user(scope)?, keeper))
}

/// The wires of this machine that run, by lab; libvirt is not asked. Where a lab of one name runs
/// on both kinds of connection, it is the one of the kind that the user has by default.
pub(crate) fn running_wires() -> Vec<(String, Client)> {
    let scopes = match rustix::process::geteuid().is_root() {
        true => [Scope::System, Scope::Session],
        false => [Scope::Session, Scope::System],
    };
    let places = scopes
        .into_iter()
        .filter_map(|scope| Place::of_user(scope).ok());
    let mut found: Vec<(String, Client)> = Vec::new();
    for place in places {
        for lab in place.labs().unwrap_or_default() {
            let is_new = found.iter().all(|(known, _)| *known != lab);
            if let Some(client) = is_new
                .then(|| Client::connect(&place.folder(&lab)).ok())
                .flatten()
            {
                found.push((lab, client));
            }
        }
    }
    found
}

/// The current folder, absolute and without symbolic links, as labs record theirs. A folder that
/// is gone holds no lab.
pub(crate) fn current_folder() -> PathBuf {
    fs::canonicalize(".").unwrap_or_default()
}

/// What to list.
#[derive(Debug)]
pub(crate) enum Listed {
    /// All labs.
    All,
    /// This lab.
    Lab(String),
    /// The lab of the current folder, of which nothing exists.
    NotUp(String),
}

impl Listed {
    /// The lab; `None` for all.
    pub(crate) fn lab(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Lab(name) | Self::NotUp(name) => Some(name),
        }
    }
}

/// What exists, and which of it an argument means.
pub(crate) struct World {
    /// What exists.
    pub(crate) observed: Observed,
    folder: PathBuf,
}

impl World {
    /// Looks.
    pub(crate) fn observe(workspace: &Workspace) -> Result<Self, CommandError> {
        Ok(Self {
            observed: workspace.observe()?,
            folder: current_folder(),
        })
    }

    /// The node that an argument means.
    pub(crate) fn node(&self, argument: &str) -> Result<&ObservedDomain, CommandError> {
        target::node(&self.observed, self.current_lab(), argument)
    }

    /// What to list: a lab by name, that of the current folder, or all.
    pub(crate) fn listed(
        &self,
        workspace: &Workspace,
        scope: &ScopeArgs,
    ) -> Result<Listed, CommandError> {
        if let Some(name) = &scope.lab {
            return target::lab(&self.observed, name).map(|name| Listed::Lab(name.to_owned()));
        }
        if scope.all {
            return Ok(Listed::All);
        }
        if let Some(name) = self.current_lab() {
            return Ok(Listed::Lab(name.to_owned()));
        }
        // A file with mistakes is a matter for `check`; what runs can be listed all the same.
        let Some(lab) = workspace.read(Path::new(".")).lab else {
            return Ok(Listed::All);
        };
        let name = lab.name.to_string();
        let is_up = self.observed.of_lab(&name).next().is_some();
        Ok(match is_up {
            true => Listed::Lab(name),
            false => Listed::NotUp(name),
        })
    }

    /// The lab that an argument means, by its name, file or folder: that of the current folder, or
    /// the only one, where none is given.
    pub(crate) fn lab(&self, argument: Option<&str>) -> Result<&str, CommandError> {
        target::lab_or_only(&self.observed, &self.folder, argument)
    }

    /// The lab of the current folder, if something of it exists.
    pub(crate) fn current_lab(&self) -> Option<&str> {
        target::lab_of_folder(&self.observed, &self.folder)
    }
}
