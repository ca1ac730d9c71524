//! Fetches Debian packages with apt, as any user, into a cache folder of our own.
//!
//! Theory of operation: package indexes come from the host when it runs the release that the
//! image is made of and its indexes know every package; then nothing but the packages is
//! downloaded. In all other cases (other release, no or stale indexes) `apt-get update` fills
//! indexes of our own below the cache folder. apt checks the signatures and hashes either way.
//! A package file lies in the cache under its final name only when it is whole; it is checked
//! against the index's SHA-256 again before each use.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::tools::Run;
use crate::{BuildError, Step, io_error};

/// The Debian release that images are made of.
pub(crate) const RELEASE: &str = "bookworm";

/// Where packages come from unless the request names another mirror.
const DEFAULT_MIRROR: &str = "http://deb.debian.org";

/// Signs the release; from the package `debian-archive-keyring`.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Our own indexes are fetched again when older than this: security updates come daily.
const INDEX_AGE_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Name prefix of folders that hold unfinished downloads.
pub(crate) const DOWNLOAD_PREFIX: &str = "download-";

/// A package file that is in the cache, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackageFile {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) file: PathBuf,
    pub(crate) sha256: String,
}

/// One line of `apt-get download --print-uris`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Offer {
    name: String,
    version: String,
    file_name: String,
    size_bytes: u64,
    sha256: String,
}

/// Whose package indexes apt reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Indexes {
    Host,
    Own,
}

/// apt with its folders bent to a cache folder of ours.
pub(crate) struct Apt<'a> {
    cache_dir: &'a Path,
    mirror: Option<&'a str>,
}

impl<'a> Apt<'a> {
    pub(crate) fn new(cache_dir: &'a Path, mirror: Option<&'a str>) -> Apt<'a> {
        Apt { cache_dir, mirror }
    }

    /// Brings the newest version of every package in `names` into the cache.
    ///
    /// `kernel_meta` is a package without files whose first dependency is the kernel package
    /// proper; that one is fetched as well and comes last in the result.
    pub(crate) fn fetch(
        &self,
        names: &[String],
        kernel_meta: &str,
        progress: &dyn Fn(Step),
    ) -> Result<Vec<PackageFile>, BuildError> {
        self.prepare_folders()?;
        if self.mirror.is_none() && host_runs_release() {
            let fetched = self.fetch_with(Indexes::Host, names, kernel_meta, progress);
            if fetched.is_ok() {
                return fetched;
            }
        }
        let refreshed = self.refresh_own_indexes(progress);
        match self.fetch_with(Indexes::Own, names, kernel_meta, progress) {
            // The reason why indexes could not be fetched explains more than their absence.
            Err(error) => Err(refreshed.err().unwrap_or(error)),
            fetched => fetched,
        }
    }

    fn fetch_with(
        &self,
        indexes: Indexes,
        names: &[String],
        kernel_meta: &str,
        progress: &dyn Fn(Step),
    ) -> Result<Vec<PackageFile>, BuildError> {
        let shown = self
            .run("apt-cache", indexes)
            .args(["show", "--no-all-versions", kernel_meta])
            .output()?;
        let kernel =
            first_dependency(&String::from_utf8_lossy(&shown.stdout)).ok_or_else(|| {
                BuildError::NoKernelPackage {
                    meta: kernel_meta.to_owned(),
                }
            })?;
        let mut wanted = names.to_vec();
        wanted.push(kernel);

        let printed = self
            .run("apt-get", indexes)
            .args(["download", "--print-uris", "-qq"])
            .args(&wanted)
            .output()?;
        let offers = offers(&String::from_utf8_lossy(&printed.stdout));
        let mut fetched = Vec::new();
        let mut absent = Vec::new();
        for name in &wanted {
            let offer = offers
                .iter()
                .find(|offer| offer.name == *name)
                .ok_or_else(|| BuildError::PackageUnknown {
                    package: name.clone(),
                })?;
            if !self.is_cached(offer) {
                absent.push(offer.clone());
            }
            fetched.push(PackageFile {
                name: offer.name.clone(),
                version: offer.version.clone(),
                file: self.packages_dir().join(&offer.file_name),
                sha256: offer.sha256.clone(),
            });
        }
        if !absent.is_empty() {
            progress(Step::Download {
                packages: absent.len(),
                bytes: absent.iter().map(|offer| offer.size_bytes).sum(),
            });
            self.download(indexes, &absent)?;
        }
        Ok(fetched)
    }

    fn download(&self, indexes: Indexes, offers: &[Offer]) -> Result<(), BuildError> {
        let folder = tempfile::Builder::new()
            .prefix(DOWNLOAD_PREFIX)
            .tempdir_in(self.cache_dir)
            .map_err(io_error(self.cache_dir))?;
        let exact = offers
            .iter()
            .map(|offer| format!("{}={}", offer.name, offer.version));
        self.run("apt-get", indexes)
            .args(["download", "-qq"])
            .args(exact)
            .in_folder(folder.path())
            .output()?;
        for offer in offers {
            let file = folder.path().join(&offer.file_name);
            if file_sha256(&file)? != offer.sha256 {
                return Err(BuildError::PackageDamaged {
                    package: offer.name.clone(),
                });
            }
            let place = self.packages_dir().join(&offer.file_name);
            fs::rename(&file, &place).map_err(io_error(&place))?;
        }
        Ok(())
    }

    fn is_cached(&self, offer: &Offer) -> bool {
        let file = self.packages_dir().join(&offer.file_name);
        fs::metadata(&file).is_ok_and(|facts| facts.len() == offer.size_bytes)
            && file_sha256(&file).is_ok_and(|sum| sum == offer.sha256)
    }

    fn refresh_own_indexes(&self, progress: &dyn Fn(Step)) -> Result<(), BuildError> {
        let stamp = self.state_dir().join("refreshed");
        let age = fs::metadata(&stamp)
            .and_then(|facts| facts.modified())
            .ok()
            .and_then(|time| SystemTime::now().duration_since(time).ok());
        if age.is_some_and(|age| age < INDEX_AGE_LIMIT) {
            return Ok(());
        }
        progress(Step::RefreshIndexes);
        self.run("apt-get", Indexes::Own)
            .args(["update", "-qq"])
            .output()?;
        fs::write(&stamp, b"").map_err(io_error(&stamp))
    }

    fn run(&self, program: &'static str, indexes: Indexes) -> Run {
        let state = self.state_dir();
        let option = |name: &str, value: &Path| format!("{name}={}", value.display());
        let mut run = Run::new(program)
            .arg("-c")
            .arg(state.join("apt.conf"))
            .args([
                "-o",
                "APT::Architecture=amd64",
                "-o",
                "APT::Sandbox::User=root",
            ])
            .args(["-o", &option("Dir::Cache", &state.join("cache"))]);
        if indexes == Indexes::Own {
            run = run
                .args(["-o", &option("Dir::State", &state)])
                .args(["-o", &option("Dir::State::lists", &state.join("lists"))])
                .args(["-o", &option("Dir::State::status", &state.join("status"))])
                .args([
                    "-o",
                    &option("Dir::Etc::sourcelist", &state.join("sources.list")),
                ])
                .args(["-o", "Dir::Etc::sourceparts=-"]);
        }
        run
    }

    fn prepare_folders(&self) -> Result<(), BuildError> {
        let state = self.state_dir();
        let folders = [
            self.packages_dir(),
            state.join("cache/archives/partial"),
            state.join("lists/partial"),
        ];
        for folder in folders {
            fs::create_dir_all(&folder).map_err(io_error(&folder))?;
        }
        let mirror = self.mirror.unwrap_or(DEFAULT_MIRROR).trim_end_matches('/');
        let files = [
            ("status", String::new()),
            ("apt.conf", APT_CONFIGURATION.to_owned()),
            ("sources.list", sources(mirror)),
        ];
        for (name, text) in files {
            let file = state.join(name);
            fs::write(&file, text).map_err(io_error(&file))?;
        }
        Ok(())
    }

    fn packages_dir(&self) -> PathBuf {
        self.cache_dir.join("packages")
    }

    fn state_dir(&self) -> PathBuf {
        self.cache_dir.join("apt")
    }
}

/// Takes the host's hooks away (they tend packages of the host, which we do not touch) and keeps
/// what it says about proxies.
const APT_CONFIGURATION: &str = "\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::IndexTargets::deb::DEP-11;
Acquire::Languages \"none\";
";

fn sources(mirror: &str) -> String {
    let signed = format!("deb [signed-by={KEYRING}]");
    format!(
        "{signed} {mirror}/debian {RELEASE} main\n\
         {signed} {mirror}/debian {RELEASE}-updates main\n\
         {signed} {mirror}/debian-security {RELEASE}-security main\n"
    )
}

fn host_runs_release() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| {
        text.lines()
            .any(|line| line == format!("VERSION_CODENAME={RELEASE}"))
    })
}

/// The first package named in the `Depends:` line of a control record.
fn first_dependency(control: &str) -> Option<String> {
    let line = control
        .lines()
        .find_map(|line| line.strip_prefix("Depends:"))?;
    let name = line
        .split([',', '|', '(', ' '])
        .find(|word| !word.is_empty())?;
    Some(name.to_owned())
}

/// Reads `'URI' NAME_VERSION_ARCH.deb SIZE SHA256:HEX` lines; others are passed over.
fn offers(text: &str) -> Vec<Offer> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let (file_name, size, hash) = (words.next()?, words.next()?, words.next()?);
            let mut parts = file_name.split('_');
            let (name, version) = (parts.next()?, parts.next()?);
            Some(Offer {
                name: name.to_owned(),
                version: version.replace("%3a", ":"),
                file_name: file_name.to_owned(),
                size_bytes: size.parse().ok()?,
                sha256: hash.strip_prefix("SHA256:")?.to_owned(),
            })
        })
        .collect()
}

/// SHA-256 of a file, in lower-case hex.
pub(crate) fn file_sha256(file: &Path) -> Result<String, BuildError> {
    let mut reader = fs::File::open(file).map_err(io_error(file))?;
    let mut hasher = Sha256::new();
    std::io::copy(&mut reader, &mut hasher).map_err(io_error(file))?;
    Ok(hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_the_first_dependency_of_its_meta_package() {
        let control =
            "Package: linux-image-amd64\nDepends: linux-image-6.1.0-56-amd64 (= 6.1.192-2)\n";
        assert_eq!(
            first_dependency(control).as_deref(),
            Some("linux-image-6.1.0-56-amd64")
        );
        assert_eq!(first_dependency("Package: x\n"), None);
    }

    #[test]
    fn offers_are_read_with_epochs_and_without_noise() {
        let text = "W: something\n'http://x/b.deb' busybox-static_1%3a1.35.0-4_amd64.deb 928188 SHA256:ab12\n";
        let offers = offers(text);
        assert_eq!(offers.len(), 1);
        assert_eq!(offers[0].name, "busybox-static");
        assert_eq!(offers[0].version, "1:1.35.0-4");
        assert_eq!(offers[0].size_bytes, 928_188);
        assert_eq!(offers[0].sha256, "ab12");
    }

    #[test]
    fn own_sources_are_signed() {
        assert_eq!(sources("http://m").matches("[signed-by=/").count(), 3);
    }
}
