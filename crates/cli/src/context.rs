//! What commands share: the kinds that are known here.

use crate::cli::Global;
use crate::error::{CommandError, ErrorKind};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use vnflab_model::kind::Catalogue;

/// Largest kind file in bytes; ours have a thousand.
const KIND_FILE_LIMIT: u64 = 256 * 1024;

/// Most kind files in the user's folder.
const KIND_COUNT_LIMIT: usize = 1000;

/// Our kinds, overlaid by those of the user's folder.
pub(crate) fn catalogue(global: &Global) -> Result<Catalogue, CommandError> {
    let overlay = match (&global.kinds, default_folder()) {
        (Some(folder), _) => read_folder(folder).map_err(|error| unreadable(folder, &error))?,
        (None, None) => Vec::new(),
        (None, Some(folder)) => match read_folder(&folder) {
            Ok(overlay) => overlay,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unreadable(&folder, &error)),
        },
    };
    Catalogue::with_overlay(&overlay).map_err(|errors| {
        let mut error = CommandError::new(ErrorKind::Failed, "the kinds cannot be read");
        error.causes = errors.iter().map(ToString::to_string).collect();
        error.hint("`vnflab kinds --schema` prints the form of a kind file.")
    })
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

fn read_kind(path: &Path) -> io::Result<(String, String)> {
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
