//! Getting into guests: our key, and how the system's `ssh` is called.
//!
//! Each user has one Ed25519 key that day-0 configurations authorise; guests are thrown away, and
//! the key opens nothing else. Host keys are kept in a file of the lab, by `LAB.NODE`, so that
//! addresses that are used again never clash with the user's own `known_hosts`. Invariants: a key
//! that exists is never written over, and its file is readable by its user alone.

use crate::folder;
use rustix::process::geteuid;
use ssh_key::{Algorithm, LineEnding, PrivateKey};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use vnflab_model::inventory::LEGACY_OPTIONS;
use vnflab_model::kind::Algorithms;

/// Comment of our keys, which shows whose they are in a guest.
const KEY_COMMENT: &str = "vnflab";

/// Name of the private key in its folder.
const KEY_FILE: &str = "id_ed25519";

/// Where root's key and host keys lie.
const ROOT_FOLDER: &str = "/var/lib/vnflab/ssh";

/// How long a connection may take to be made: a guest that is up answers in milliseconds, even
/// without acceleration.
const CONNECT_SECONDS: u32 = 15;

/// Largest file of host keys in bytes that is edited; a line has about a hundred.
const KNOWN_HOSTS_LIMIT: u64 = 4 * 1024 * 1024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// No home to keep it in.
    #[error("neither XDG_DATA_HOME nor HOME names an absolute folder")]
    NoHome,
    /// A file or folder cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The key file holds something else, or a key with a passphrase.
    #[error("`{}` is not a key that can be used", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What its reader said.
        source: ssh_key::Error,
    },
}

/// A user's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// File of the private half.
    pub path: PathBuf,
    /// The public half as a line of `authorized_keys`, without a line end.
    pub authorized: String,
}

/// The folder for keys: root's is the system's, other users have their own.
///
/// # Errors
///
/// When the user has no home.
pub fn folder() -> Result<PathBuf, SshError> {
    if geteuid().is_root() {
        return Ok(PathBuf::from(ROOT_FOLDER));
    }
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".local/share")))
        .map(|data| data.join("vnflab").join("ssh"))
        .ok_or(SshError::NoHome)
}

/// The key in a folder, which is made with the folder where there is none.
///
/// # Errors
///
/// When the folder cannot be used or its key cannot be read.
pub fn ensure_key(folder: &Path) -> Result<Key, SshError> {
    let path = folder.join(KEY_FILE);
    let file_error = |source| SshError::File {
        path: path.clone(),
        source,
    };
    let key_error = |source| SshError::Key {
        path: path.clone(),
        source,
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            folder::make(folder, folder::PRIVATE).map_err(|source| SshError::File {
                path: folder.to_owned(),
                source,
            })?;
            let key = new_key().map_err(key_error)?;
            publish(&path, key.as_bytes()).map_err(file_error)?;
            // Another process may have been first; its key is as good.
            fs::read_to_string(&path).map_err(file_error)?
        }
        Err(error) => return Err(file_error(error)),
    };
    let key = PrivateKey::from_openssh(&text).map_err(key_error)?;
    let authorized = key.public_key().to_openssh().map_err(key_error)?;
    Ok(Key { path, authorized })
}

fn new_key() -> Result<String, ssh_key::Error> {
    let mut key = PrivateKey::random(&mut ssh_key::rand_core::OsRng, Algorithm::Ed25519)?;
    key.set_comment(KEY_COMMENT);
    Ok(key.to_openssh(LineEnding::LF)?.to_string())
}

/// Puts a file in place whole, unless there is one already.
fn publish(path: &Path, content: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    let linked = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    };
    fs::remove_file(&draft)?;
    linked
}

/// The file of a lab's host keys.
pub fn known_hosts(folder: &Path, lab: &str) -> PathBuf {
    folder.join(format!("{lab}.known_hosts"))
}

/// What a user logs in to nodes with: the key, and the host keys of labs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyring {
    folder: PathBuf,
    key: PathBuf,
}

impl Keyring {
    /// The user's own, which is made where there is none.
    ///
    /// # Errors
    ///
    /// When the user has no home, or the key cannot be used.
    pub fn open() -> Result<Self, SshError> {
        Self::at(&folder()?)
    }

    /// The one in a folder, which is made where there is none.
    ///
    /// # Errors
    ///
    /// When the folder or its key cannot be used.
    pub fn at(folder: &Path) -> Result<Self, SshError> {
        Ok(Self {
            folder: folder.to_owned(),
            key: ensure_key(folder)?.path,
        })
    }

    /// The folder, which is the user's alone.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of the private key.
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// The file of a lab's host keys.
    pub fn known_hosts(&self, lab: &str) -> PathBuf {
        known_hosts(&self.folder, lab)
    }
}

/// A login over SSH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login<'a> {
    /// The SSH server as seen from here.
    pub server: SocketAddr,
    /// The user, if the kind has one.
    pub user: Option<&'a str>,
    /// File of our private key.
    pub key: &'a Path,
    /// File of the lab's host keys.
    pub known_hosts: &'a Path,
    /// `LAB.NODE`, under which the host key is known.
    pub alias: &'a str,
    /// Which algorithms the server knows.
    pub algorithms: Algorithms,
    /// What to run there; empty for a shell.
    pub command: &'a [String],
}

impl Login<'_> {
    /// The call of the system's `ssh`.
    ///
    /// A host key is trusted at first sight and must stay the same from then on. Nothing that a
    /// lab file says becomes an option: the server is an address and the user follows `-l`.
    pub fn command(&self) -> Command {
        self.command_with(&[])
    }

    /// The same with options that go before all others, as the first one counts for `ssh`.
    pub(crate) fn command_with(&self, options: &[String]) -> Command {
        let mut command = Command::new("ssh");
        command.args(options);
        command.arg("-i").arg(literal(self.key));
        command.args(["-p", &self.server.port().to_string()]);
        if let Some(user) = self.user {
            command.args(["-l", user]);
        }
        let options = [
            format!("UserKnownHostsFile=\"{}\"", literal(self.known_hosts)),
            format!("HostKeyAlias={}", self.alias),
            format!("ConnectTimeout={CONNECT_SECONDS}"),
            "GlobalKnownHostsFile=none".to_owned(),
            "StrictHostKeyChecking=accept-new".to_owned(),
            "HashKnownHosts=no".to_owned(),
            "IdentitiesOnly=yes".to_owned(),
            // Else the first login to every node says that its key was added.
            "LogLevel=ERROR".to_owned(),
        ];
        let legacy = match self.algorithms {
            Algorithms::Modern => &[],
            Algorithms::Legacy => &LEGACY_OPTIONS[..],
        };
        let legacy = legacy.iter().map(|(name, value)| format!("{name}={value}"));
        for option in options.into_iter().chain(legacy) {
            command.args(["-o", &option]);
        }
        command.arg("--").arg(self.server.ip().to_string());
        command.args(self.command);
        command
    }
}

/// A path in which `ssh` expands no `%` tokens.
fn literal(path: &Path) -> String {
    path.display().to_string().replace('%', "%%")
}

/// Forgets the host key of a node whose disk is gone: its successor has another.
///
/// # Errors
///
/// When the file cannot be read or written. A file that does not exist has nothing to forget.
pub fn forget_host(known_hosts: &Path, alias: &str) -> io::Result<()> {
    match fs::metadata(known_hosts) {
        Ok(file) if file.len() > KNOWN_HOSTS_LIMIT => {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    let text = fs::read_to_string(known_hosts)?;
    let kept: String = text
        .split_inclusive('\n')
        .filter(|line| line.split(' ').next() != Some(alias))
        .collect();
    if kept.is_empty() {
        return fs::remove_file(known_hosts);
    }
    if kept == text {
        return Ok(());
    }
    fs::write(known_hosts, kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_readable_by_its_user_alone() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        let first = ensure_key(&folder).unwrap();
        let second = ensure_key(&folder).unwrap();
        assert_eq!(first, second);
        assert!(first.authorized.starts_with("ssh-ed25519 "));
        assert!(first.authorized.ends_with(" vnflab"));
        let mode = fs::metadata(&first.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        // QEMU passes through the folder above to the volumes beside.
        assert_eq!(mode(&root.path().join("a")), 0o711);
    }

    #[test]
    fn ssh_itself_accepts_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = ensure_key(folder.path()).unwrap();
        let output = Command::new("ssh-keygen")
            .args(["-y", "-f"])
            .arg(&key.path)
            .output();
        let Ok(output) = output else {
            eprintln!("skipped: ssh-keygen is not installed");
            return;
        };
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            key.authorized
        );
    }

    #[test]
    fn a_foreign_file_in_place_of_the_key_is_told_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(KEY_FILE);
        fs::write(&path, "mine").unwrap();
        assert!(matches!(
            ensure_key(folder.path()),
            Err(SshError::Key { .. })
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn a_login_names_everything_and_lets_no_option_in() {
        let login = Login {
            server: "127.1.2.3:2201".parse().unwrap(),
            user: Some("-oProxyCommand=x"),
            key: Path::new("/a %b/key"),
            known_hosts: Path::new("/a %b/lab.known_hosts"),
            alias: "lab.r1",
            algorithms: Algorithms::Legacy,
            command: &["show".to_owned(), "version".to_owned()],
        };
        let command = login.command();
        let arguments: Vec<_> = command
            .get_args()
            .map(|argument| argument.to_str().unwrap())
            .collect();
        assert_eq!(&arguments[..2], ["-i", "/a %%b/key"]);
        assert!(arguments.contains(&"UserKnownHostsFile=\"/a %%b/lab.known_hosts\""));
        let user = arguments
            .iter()
            .position(|argument| argument.starts_with("-oProxy"));
        assert_eq!(arguments[user.unwrap() - 1], "-l");
        assert!(arguments.ends_with(&["--", "127.1.2.3", "show", "version"]));
    }

    #[test]
    fn the_client_knows_every_legacy_algorithm() {
        let mut command = Command::new("ssh");
        for (name, value) in LEGACY_OPTIONS {
            command.args(["-o", &format!("{name}={value}")]);
        }
        // Prints the settings instead of connecting.
        let Ok(output) = command.args(["-F", "none", "-G", "host"]).output() else {
            eprintln!("skipped: ssh is not installed");
            return;
        };
        assert!(output.status.success(), "{output:?}");
    }

    #[test]
    fn one_host_is_forgotten_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = known_hosts(folder.path(), "lab");
        forget_host(&path, "lab.r1").unwrap();
        fs::write(&path, "lab.r1 ssh-ed25519 A\nlab.r10 ssh-ed25519 B\n").unwrap();
        forget_host(&path, "lab.r1").unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "lab.r10 ssh-ed25519 B\n"
        );
        forget_host(&path, "lab.r10").unwrap();
        assert!(!path.exists());
    }
}
