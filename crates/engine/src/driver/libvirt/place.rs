//! Where a connection leads, and the folders that go with it.

use crate::driver::{DriverError, Fault, Operation};
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use vnflab_model::observed::{Locality, Scope};

/// Where everything of the system's libvirt lies.
const SYSTEM_FOLDER: &str = "/var/lib/vnflab";

/// Where a connection leads.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The URI as given.
    pub(super) uri: String,
    /// Whose libvirt it is.
    pub(super) scope: Scope,
    /// Whether it is this machine.
    pub(super) locality: Locality,
}

impl Place {
    /// Reads a libvirt URI: `driver[+transport]://[user@][host][:port]/path`.
    pub(super) fn of(uri: &str) -> Result<Self, DriverError> {
        let wrong = |message: &str| DriverError::Connect {
            uri: uri.replace('\0', "\\0"),
            fault: Fault {
                code: 0,
                message: message.to_owned(),
            },
            hint: Some("a URI is, for example, `qemu+ssh://user@host/system`".to_owned()),
        };
        if uri.contains('\0') {
            return Err(wrong("a NUL byte in the URI"));
        }
        let (_, rest) = uri
            .split_once("://")
            .ok_or_else(|| wrong("this is no libvirt URI"))?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.split('?').next().unwrap_or_default();
        Ok(Self {
            uri: uri.to_owned(),
            scope: match path {
                "session" => Scope::Session,
                _ => Scope::System,
            },
            locality: match authority {
                "" => Locality::Local,
                _ => Locality::Remote,
            },
        })
    }

    /// The folder above our pools; `None` where it cannot be known: the home of a user of
    /// another host.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        match (self.scope, self.locality) {
            (Scope::System, _) => Some(PathBuf::from(SYSTEM_FOLDER)),
            (Scope::Session, Locality::Local) => data_home().map(|home| home.join("vnflab")),
            (Scope::Session, Locality::Remote) => None,
        }
    }

    /// Whether a folder of this machine is one of our own below `/var/lib`, through which the
    /// system's QEMU passes. A pool that the user defined elsewhere is the user's.
    pub(super) fn is_own_system_folder(&self, folder: &Path) -> bool {
        self.scope == Scope::System
            && self.locality == Locality::Local
            && folder.starts_with(SYSTEM_FOLDER)
    }

    /// libvirt's file with the process id of a domain's QEMU, on this machine.
    pub(super) fn process_file(&self, domain: &str) -> Option<PathBuf> {
        let folder = match (self.locality, self.scope) {
            (Locality::Remote, _) => return None,
            (Locality::Local, Scope::System) => PathBuf::from("/run/libvirt/qemu"),
            (Locality::Local, Scope::Session) => absolute("XDG_RUNTIME_DIR")
                .or_else(|| absolute("XDG_CACHE_HOME"))
                .or_else(|| absolute("HOME").map(|home| home.join(".cache")))?
                .join("libvirt/qemu/run"),
        };
        Some(folder.join(format!("{domain}.pid")))
    }
}

/// The value of an environment variable that holds an absolute path; others do not count.
fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
}

fn data_home() -> Option<PathBuf> {
    absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
}

/// The last `limit_bytes` of a file of this machine; `None` when there is none.
pub(super) fn read_end(path: &str, limit_bytes: u64) -> Result<Option<Vec<u8>>, DriverError> {
    let failed = |source| DriverError::File {
        operation: Operation::Read,
        path: path.to_owned(),
        source,
    };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let size = file.metadata().map_err(failed)?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(limit_bytes)))
        .map_err(failed)?;
    let mut content = Vec::new();
    file.take(limit_bytes)
        .read_to_end(&mut content)
        .map_err(failed)?;
    Ok(Some(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_tells_scope_and_locality() {
        let cases = [
            ("qemu:///system", Scope::System, Locality::Local),
            ("qemu:///session", Scope::Session, Locality::Local),
            (
                "qemu+unix:///session?socket=/x",
                Scope::Session,
                Locality::Local,
            ),
            ("qemu+ssh://a@b/system?x=y", Scope::System, Locality::Remote),
            (
                "qemu+tcp://[::1]:16509/session",
                Scope::Session,
                Locality::Remote,
            ),
            ("test:///default", Scope::System, Locality::Local),
        ];
        for (uri, scope, locality) in cases {
            let place = Place::of(uri).unwrap();
            assert_eq!((place.scope, place.locality), (scope, locality), "{uri}");
            let own = (scope, locality) == (Scope::System, Locality::Local);
            let volumes = Path::new("/var/lib/vnflab/volumes");
            assert_eq!(place.is_own_system_folder(volumes), own, "{uri}");
            assert!(!place.is_own_system_folder(Path::new("/var/lib")));
        }
        assert!(Place::of("system").is_err());
        assert!(Place::of("qemu:///sys\0tem").is_err());
    }

    #[test]
    fn the_end_of_a_log_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let text = path.display().to_string();
        assert_eq!(read_end(&text, 3).unwrap(), None);
        std::fs::write(&path, "abcdef").unwrap();
        assert_eq!(read_end(&text, 3).unwrap().unwrap(), b"def");
        assert_eq!(read_end(&text, 99).unwrap().unwrap(), b"abcdef");
    }
}
