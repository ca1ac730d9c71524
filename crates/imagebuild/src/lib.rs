//! Builds vnflab's own VM images from Debian packages, without loop devices, and the `frr` image
//! without root.
//!
//! It is not an image store and knows nothing of labs: a request goes in, a bootable qcow2 file
//! and facts about it come out. Two invariants: the output path holds a whole image or what it
//! held before, at any moment; and the same packages give the same bytes (the `frr` image).
//!
//! ```text
//! lists (frr/*.txt) ─► apt ─► packages ─┬─► file tree ────────► ext4 ─┐
//! guest files (frr/guest) ──────────────┘                            ├─► raw disk ─► qcow2
//!                     kernel ─► modules ─► initramfs ─► FAT+syslinux ─┘
//! ```

use std::path::{Path, PathBuf};

mod apt;
mod contents;
mod cpio;
mod deb;
mod debian;
mod disk;
mod elf;
mod ext4;
mod frr;
mod guest;
mod kernel;
mod modules;
mod tools;
mod tree;
mod workshop;

pub use debian::build_debian;
pub use frr::build_frr;
pub use tools::{Tool, missing_tools};

/// Time stamp of everything in an image: 1 January 2024, 00:00 UTC. Any constant does; a guest
/// whose clock is behind its files' times would be odd, so it lies in the past.
pub(crate) const EPOCH_SECONDS: u64 = 1_704_067_200;

/// What to build an image from, and where to.
#[derive(Debug, Clone)]
pub struct ImageBuild {
    /// Path of the qcow2 file; replaced in one step when the image is whole.
    pub output: PathBuf,
    /// Folder for downloaded packages, package indexes and work files. It is created when
    /// absent, may be deleted at any time, and takes about 100 MB (600 MB during a build).
    pub cache_dir: PathBuf,
    /// Base URL below which `/debian` and `/debian-security` lie. None: the host's own package
    /// sources where the host runs the image's release, else `http://deb.debian.org`.
    pub mirror: Option<String>,
}

/// What a build is doing, for a progress display. Steps come in this order; the ones that are
/// not needed are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Another build uses the same cache folder; this one waits for it.
    WaitForOtherBuild,
    /// Package indexes are fetched.
    RefreshIndexes,
    /// Packages are fetched.
    Download {
        /// How many.
        packages: usize,
        /// Their size together.
        bytes: u64,
    },
    /// Packages are unpacked and the guest's file tree is put together.
    Unpack,
    /// The kernel's modules are picked and the initramfs is made.
    Kernel,
    /// The file systems and the disk are written.
    Disk,
    /// The disk is compressed into a qcow2 file.
    Compress,
}

/// A built image and facts about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltImage {
    /// Where it lies.
    pub path: PathBuf,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Size of the file.
    pub file_size_bytes: u64,
    /// Size of the disk that a guest sees.
    pub virtual_size_bytes: u64,
    /// Release of the kernel in it, as `uname -r` says.
    pub kernel_version: String,
    /// Debian packages it is made of, sorted by name.
    pub packages: Vec<PackageVersion>,
}

/// A Debian package in an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageVersion {
    /// Name of the package.
    pub name: String,
    /// Its version, with the epoch.
    pub version: String,
}

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Programs are missing on this host; all of them are listed.
    #[error("programs are missing on this host: {}; install them with `apt-get install {}`",
        programs(.missing), packages(.missing))]
    ToolsMissing {
        /// The missing ones.
        missing: Vec<Tool>,
    },
    /// A program could not be started or waited for.
    #[error("`{program}` could not be run")]
    ToolNotStarted {
        /// Name of the program.
        program: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// A program ran and failed.
    #[error("`{program}` failed ({status}): {said}")]
    ToolFailed {
        /// Name of the program.
        program: &'static str,
        /// Its exit status.
        status: String,
        /// The last lines that it wrote to standard error.
        said: String,
    },
    /// A file could not be read or written.
    #[error("`{}`", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No package index knows the package.
    #[error(
        "package `{package}` is in no package index of Debian {}",
        apt::RELEASE
    )]
    PackageUnknown {
        /// Name of the package.
        package: String,
    },
    /// A fetched package is not what the index says.
    #[error("package `{package}` was damaged on its way: its SHA-256 is not the index's")]
    PackageDamaged {
        /// Name of the package.
        package: String,
    },
    /// The kernel's meta package names no kernel.
    #[error("package `{meta}` names no kernel package in its `Depends:`")]
    NoKernelPackage {
        /// Name of the meta package.
        meta: String,
    },
    /// A package does not hold a file that the image needs.
    #[error("package `{package}` holds no `{path}`")]
    FileAbsent {
        /// Name of the package.
        package: String,
        /// Path that was looked for.
        path: String,
    },
    /// No package holds a shared library that a program needs.
    #[error("no listed package holds the library `{library}` that `{needed_by}` needs")]
    LibraryAbsent {
        /// Name of the library.
        library: String,
        /// Path of the program or library that needs it.
        needed_by: String,
    },
    /// The kernel has no such module.
    #[error("the kernel has no module `{module}`")]
    ModuleUnknown {
        /// Name of the module.
        module: String,
    },
    /// The module list has a line outside of its parts.
    #[error("module list: `{line}` stands before any `[boot]` or `[system]`")]
    ModuleList {
        /// The line.
        line: String,
    },
    /// The image came out larger than allowed.
    #[error("the image has {size_bytes} bytes; the limit is {limit_bytes}")]
    ImageTooLarge {
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
}

fn programs(missing: &[Tool]) -> String {
    missing
        .iter()
        .map(|tool| format!("`{}`", tool.program))
        .collect::<Vec<_>>()
        .join(", ")
}

fn packages(missing: &[Tool]) -> String {
    let mut names: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    names.sort_unstable();
    names.dedup();
    names.join(" ")
}

/// Turns an I/O error into [`BuildError::Io`] for a path.
pub(crate) fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> BuildError + use<> {
    let path = path.to_owned();
    move |source| BuildError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_programs_are_named_together_with_each_package_once() {
        let tool = |program| Tool {
            program,
            package: "mtools",
        };
        let missing = vec![tool("mformat"), tool("mcopy")];
        assert_eq!(
            BuildError::ToolsMissing { missing }.to_string(),
            "programs are missing on this host: `mformat`, `mcopy`; \
             install them with `apt-get install mtools`"
        );
    }
}
