//! Reading a lab's files from disk: the only place where lab files are opened.
//!
//! What a path means is decided here (a file, a folder with a lab file, the origin's folder);
//! what the texts mean is the model's business. Reads are bounded, only regular files are
//! opened, and nothing that a lab names is followed out of the lab's folder ([`inside`]).

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use vnflab_model::code;
use vnflab_model::diagnostic::{Diagnostic, Diagnostics};
use vnflab_model::format::{Input, InputFile};
use vnflab_model::span::Sources;
use vnflab_model::yaml::{TEXT_LIMIT, decode, too_large};

/// Names under which a folder's lab file is looked for first.
const LAB_FILES: [&str; 2] = ["lab.yaml", "lab.yml"];

/// Endings of other lab files.
const LAB_ENDINGS: [&str; 2] = [".lab.yaml", ".lab.yml"];

/// Endings of the origin's node files.
const NODE_ENDINGS: [&str; 2] = [".yaml", ".yml"];

/// Most node files of one lab, and most files that are listed beside them.
const FILE_COUNT_LIMIT: usize = 20_000;

/// How deep `files/` is listed; the origin's goes two levels down.
const LISTING_DEPTH: usize = 4;

/// A lab's files, as far as they could be read.
#[derive(Debug)]
pub struct Loaded {
    /// All texts.
    pub sources: Sources,
    /// What the formats read; `None` where nothing could be read at all.
    pub input: Option<Input>,
    /// What went wrong; without an input there is at least one error.
    pub diagnostics: Diagnostics,
    /// The lab's folder, absolute and without symbolic links; paths in the lab are relative to
    /// it.
    pub folder: PathBuf,
    /// The lab file, or the folder where there are many: absolute, without symbolic links. It
    /// tells labs of the same name apart.
    pub origin: PathBuf,
}

/// Reads the lab at a path: a lab file, a folder with one in it, the origin's folder, or the
/// origin's `nodes/` itself.
pub fn load(path: &Path) -> Loaded {
    let shown = path.display().to_string();
    let mut loaded = Loaded {
        sources: Sources::default(),
        input: None,
        diagnostics: Diagnostics::default(),
        folder: PathBuf::new(),
        origin: PathBuf::new(),
    };
    if let Err(diagnostic) = load_into(&mut loaded, path, &shown) {
        loaded.diagnostics.push(*diagnostic);
    }
    loaded
}

type Step<T> = Result<T, Box<Diagnostic>>;

fn load_into(loaded: &mut Loaded, path: &Path, shown: &str) -> Step<()> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(shown, &error))?;
    let real = fs::canonicalize(path).map_err(|error| unreadable(shown, &error))?;
    if !metadata.is_dir() {
        let folder = real.parent().unwrap_or(&real).to_owned();
        let name = file_name(&real);
        return load_file(loaded, path, shown, folder, name);
    }
    let names = names(path, shown)?;
    if let Some(name) = lab_file(&names, shown)? {
        let file = path.join(name);
        let file_shown = file.display().to_string();
        return load_file(loaded, &file, &file_shown, real, name.to_owned());
    }
    let is_node = |name: &&String| NODE_ENDINGS.iter().any(|ending| name.ends_with(ending));
    if file_name(&real) == "nodes" && names.iter().any(|name| is_node(&name)) {
        let folder = real.parent().unwrap_or(&real).to_owned();
        return load_nodes(loaded, path, shown, folder, &names);
    }
    if names.contains("nodes") {
        let nodes = path.join("nodes");
        let nodes_shown = nodes.display().to_string();
        let node_names = self::names(&nodes, &nodes_shown)?;
        if node_names.iter().any(|name| is_node(&name)) {
            return load_nodes(loaded, &nodes, shown, real, &node_names);
        }
    }
    Err(Box::new(
        Diagnostic::error(code::NO_LAB, format!("`{shown}` holds no lab"))
            .help("name a lab file, or a folder with a `lab.yaml` or a `nodes/` folder in it"),
    ))
}

/// The lab file among the names of a folder.
fn lab_file<'n>(names: &'n BTreeSet<String>, shown: &str) -> Step<Option<&'n str>> {
    if let Some(name) = LAB_FILES.iter().find_map(|name| names.get(*name)) {
        return Ok(Some(name));
    }
    let ends = |name: &&String| LAB_ENDINGS.iter().any(|ending| name.ends_with(ending));
    let labs: Vec<&str> = names.iter().filter(ends).map(String::as_str).collect();
    match labs[..] {
        [] => Ok(None),
        [name] => Ok(Some(name)),
        _ => Err(Box::new(
            Diagnostic::error(code::NO_LAB, format!("`{shown}` holds {} labs", labs.len()))
                .help(format!("name one of them: {}", labs.join(", "))),
        )),
    }
}

fn load_file(
    loaded: &mut Loaded,
    path: &Path,
    shown: &str,
    folder: PathBuf,
    name: String,
) -> Step<()> {
    loaded.origin = folder.join(&name);
    loaded.folder = folder;
    let bytes = read_bounded(path, shown)?;
    let source = decode(&mut loaded.sources, shown, &bytes)?;
    loaded.input = Some(Input {
        path: shown.to_owned(),
        ..Input::of_file(source, &name, &file_name(&loaded.folder))
    });
    Ok(())
}

fn load_nodes(
    loaded: &mut Loaded,
    nodes: &Path,
    shown: &str,
    folder: PathBuf,
    names: &BTreeSet<String>,
) -> Step<()> {
    let mut files = Vec::new();
    let mut total = 0;
    let mut unread = 0;
    for name in names {
        // Hidden files are editors' leftovers.
        let is_node = NODE_ENDINGS.iter().any(|ending| name.ends_with(ending));
        if !is_node || name.starts_with('.') {
            continue;
        }
        let path = nodes.join(name);
        let path_shown = path.display().to_string();
        let read = read_bounded(&path, &path_shown).and_then(|bytes| {
            total += bytes.len();
            match total > TEXT_LIMIT {
                true => Err(Box::new(too_large(shown))),
                false => decode(&mut loaded.sources, &path_shown, &bytes),
            }
        });
        match read {
            Ok(source) => files.push(InputFile {
                source,
                path: format!("nodes/{name}"),
            }),
            Err(diagnostic) => {
                unread += 1;
                loaded.diagnostics.push(*diagnostic);
            }
        }
        if total > TEXT_LIMIT {
            break;
        }
    }
    loaded.origin = folder.join("nodes");
    let mut listing = BTreeSet::new();
    list(&folder.join("files"), "files", LISTING_DEPTH, &mut listing);
    loaded.input = (!files.is_empty()).then(|| Input {
        path: shown.to_owned(),
        folder_name: file_name(&folder),
        files,
        unread,
        listing,
    });
    loaded.folder = folder;
    Ok(())
}

/// Lists the files below a folder. Folders behind symbolic links are left out, and so is what
/// cannot be read: a file that a lab needs is then reported as missing where it is named.
fn list(folder: &Path, prefix: &str, depth: usize, listing: &mut BTreeSet<String>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if listing.len() >= FILE_COUNT_LIMIT {
            return;
        }
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
            continue;
        };
        let relative = format!("{prefix}/{name}");
        if kind.is_dir() {
            if depth > 0 {
                list(&entry.path(), &relative, depth - 1, listing);
            }
        } else {
            listing.insert(relative);
        }
    }
}

/// The names in a folder; those that are not UTF-8 cannot be lab files.
fn names(folder: &Path, shown: &str) -> Step<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(shown, &error))? {
        let entry = entry.map_err(|error| unreadable(shown, &error))?;
        names.extend(entry.file_name().into_string().ok());
        if names.len() > FILE_COUNT_LIMIT {
            return Err(Box::new(
                Diagnostic::error(
                    code::FILE_LIMIT,
                    format!("`{shown}` holds more than {FILE_COUNT_LIMIT} files"),
                )
                .help("name the lab file itself"),
            ));
        }
    }
    Ok(names)
}

/// Reads a regular file of at most [`TEXT_LIMIT`] bytes.
fn read_bounded(path: &Path, shown: &str) -> Step<Vec<u8>> {
    let fail = |error: &io::Error| unreadable(shown, error);
    let metadata = fs::metadata(path).map_err(|error| fail(&error))?;
    if !metadata.is_file() {
        return Err(Box::new(
            Diagnostic::error(code::UNREADABLE, format!("`{shown}` is not a regular file"))
                .help("name a file or a folder"),
        ));
    }
    if metadata.len() > TEXT_LIMIT as u64 {
        return Err(Box::new(too_large(shown)));
    }
    let file = File::open(path).map_err(|error| fail(&error))?;
    let mut bytes = Vec::new();
    // The file may grow between the two looks; one byte too many is enough to refuse it.
    file.take(TEXT_LIMIT as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fail(&error))?;
    Ok(bytes)
}

fn unreadable(shown: &str, error: &io::Error) -> Box<Diagnostic> {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "its permissions forbid it".to_owned(),
        _ => error.to_string(),
    };
    Box::new(
        Diagnostic::error(
            code::UNREADABLE,
            format!("`{shown}` cannot be read: {reason}"),
        )
        .help("name a lab file, or a folder with a `lab.yaml` or a `nodes/` folder in it"),
    )
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Why a file that a lab names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InsideError {
    /// The path, or a symbolic link on it, leads out of the lab's folder.
    #[error("`{path}` leads out of the lab's folder")]
    Outside {
        /// As the lab names it.
        path: String,
    },
    /// It cannot be reached.
    #[error("`{path}` cannot be reached")]
    Io {
        /// As the lab names it.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// The real path of a file that a lab names, which lies in the lab's folder.
///
/// # Errors
///
/// When it does not exist, or when it lies elsewhere once symbolic links are followed.
pub fn inside(folder: &Path, relative: &str) -> Result<PathBuf, InsideError> {
    let path = relative.to_owned();
    let io = |source| InsideError::Io {
        path: path.clone(),
        source,
    };
    let folder = fs::canonicalize(folder).map_err(io)?;
    let real = fs::canonicalize(folder.join(relative)).map_err(io)?;
    match real.starts_with(&folder) {
        true => Ok(real),
        false => Err(InsideError::Outside { path }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn codes(loaded: &Loaded) -> Vec<&'static str> {
        loaded.diagnostics.iter().map(|one| one.code.id).collect()
    }

    #[test]
    fn a_lab_is_found_by_its_file_its_folder_and_its_nodes() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::write(root.join("a.lab.yaml"), "nodes:\n").unwrap();
        for path in [root.to_owned(), root.join("a.lab.yaml")] {
            let loaded = load(&path);
            assert_eq!(codes(&loaded), [""; 0]);
            let input = loaded.input.unwrap();
            assert_eq!(input.files[0].stem(), "a");
            assert!(loaded.origin.ends_with("a.lab.yaml"));
        }
        fs::write(root.join("b.lab.yaml"), "nodes:\n").unwrap();
        assert_eq!(codes(&load(root)), ["L0109"]);

        let old = root.join("old");
        fs::create_dir_all(old.join("nodes")).unwrap();
        fs::create_dir_all(old.join("files/OS")).unwrap();
        assert_eq!(codes(&load(&old)), ["L0109"]);
        fs::write(old.join("nodes/r1.yaml"), "enabled: no\n").unwrap();
        fs::write(old.join("files/OS/x.qcow2"), "").unwrap();
        for path in [old.clone(), old.join("nodes")] {
            let input = load(&path).input.unwrap();
            assert_eq!(input.folder_name, "old");
            assert_eq!(input.files[0].path, "nodes/r1.yaml");
            assert!(input.listing.contains("files/OS/x.qcow2"));
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(codes(&load(&root.join("none.yaml"))), ["L0108"]);
        assert_eq!(codes(&load(Path::new("/dev/zero"))), ["L0108"]);
        let large = root.join("large.yaml");
        File::create(&large).unwrap().set_len(100_000_000).unwrap();
        assert_eq!(codes(&load(&large)), ["L0106"]);
        fs::write(root.join("bad.yaml"), b"name: \xff\n").unwrap();
        assert_eq!(codes(&load(&root.join("bad.yaml"))), ["L0107"]);
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let lab = folder.path().join("lab");
        fs::create_dir(&lab).unwrap();
        fs::write(folder.path().join("secret"), "").unwrap();
        fs::write(lab.join("mine"), "").unwrap();
        symlink("../secret", lab.join("link")).unwrap();
        assert!(inside(&lab, "mine").is_ok());
        for path in ["link", "../secret", "/etc/hostname"] {
            assert!(
                matches!(inside(&lab, path), Err(InsideError::Outside { .. })),
                "{path}"
            );
        }
        assert!(matches!(inside(&lab, "none"), Err(InsideError::Io { .. })));
    }
}
