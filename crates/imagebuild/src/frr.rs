//! Puts the `frr` image together.
//!
//! Theory of operation: the packages' chosen files, the libraries that these need and our own
//! guest files become the root file system (ext4, mounted read-write, so that a router keeps what
//! was saved on it). The kernel lies on a small FAT partition with syslinux and an initramfs that
//! holds just the drivers for the disk. Nothing on the disk is compressed except by qcow2 itself:
//! QEMU undoes that at the host's speed, where a guest under software emulation would take
//! seconds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::apt::{Apt, PackageFile};
use crate::contents::{self, PackageContents};
use crate::deb::{self, PackedFile};
use crate::disk::BootPartition;
use crate::ext4::{self, Ext4Format};
use crate::modules::KernelModules;
use crate::tools::{FRR_TOOLS, Run};
use crate::tree::{Content, FileTree, canonical};
use crate::workshop::{Disk, Ingredients, Workshop};
use crate::{
    BuildError, BuiltImage, ImageBuild, PackageVersion, Step, cpio, elf, guest, io_error, kernel,
};

/// The package whose first dependency is the kernel: the full one, because the cloud kernel has
/// no driver for e1000 and other emulated hardware.
const KERNEL_META: &str = "linux-image-amd64";

/// Brings the checker for the root file system, used when a boot finds it damaged.
const CHECKER_PACKAGE: &str = "e2fsck-static";

/// Size of the disk that a guest sees. Roomy for logs and captures; holes cost nothing.
const DISK_BYTES: u64 = 512 << 20;

/// Size of the boot partition: kernel, initramfs and checker need about 20 MiB.
const BOOT_BYTES: u64 = 40 << 20;

/// An image above this size fails the build rather than the users' downloads.
const IMAGE_LIMIT_BYTES: u64 = 64 << 20;

const ROOT_FORMAT: Ext4Format<'static> = Ext4Format {
    label: "vnflab-root",
    uuid: "76e1ab00-0000-4000-8000-000000000001",
    size_bytes: 0,
    inodes: 16_384,
    journal_mib: 4,
};

/// Builds the `frr` image.
///
/// Needs the tools of [`crate::missing_tools`] and, unless all packages are in the cache, the network.
/// Runs as any user. Two builds with one cache folder take turns.
///
/// # Errors
/// See [`BuildError`]. After an error, and after a kill at any moment, `request.output` is as it
/// was before.
pub fn build_frr(request: &ImageBuild, progress: &dyn Fn(Step)) -> Result<BuiltImage, BuildError> {
    let workshop = Workshop::open(request, FRR_TOOLS, progress)?;
    let listed = contents::packages(guest::CONTENTS);
    let mut names: Vec<String> = listed.iter().map(|entry| entry.package.clone()).collect();
    names.push(CHECKER_PACKAGE.to_owned());
    let mut fetched = Apt::new(workshop.cache_dir(), request.mirror.as_deref()).fetch(
        &names,
        KERNEL_META,
        progress,
    )?;
    let kernel = fetched
        .last()
        .cloned()
        .expect("the kernel package is fetched last");

    progress(Step::Unpack);
    let mut root = FileTree::merged();
    let checker = install_packages(&listed, &fetched, &mut root)?;
    guest::install_system(&mut root);
    fetched.sort_by(|one, other| one.name.cmp(&other.name));
    root.add_file(
        "/usr/share/vnflab/packages",
        0o644,
        manifest(&fetched).into_bytes(),
    );

    progress(Step::Kernel);
    let (boot_files, kernel_version) = install_kernel(&kernel, workshop.folder(), &mut root)?;

    let mut files: Vec<(&str, &[u8])> = boot_files
        .iter()
        .map(|(name, bytes)| (*name, bytes.as_slice()))
        .collect();
    files.push(("e2fsck", &checker));
    files.push(("syslinux.cfg", guest::SYSLINUX_CONFIGURATION.as_bytes()));
    let disk = Disk {
        size_bytes: DISK_BYTES,
        limit_bytes: IMAGE_LIMIT_BYTES,
        boot: BootPartition {
            size_bytes: BOOT_BYTES,
            files: &files,
        },
    };
    let packages = fetched.into_iter().map(|package| PackageVersion {
        name: package.name,
        version: package.version,
    });
    let ingredients = Ingredients {
        kernel_version,
        packages: packages.collect(),
    };
    let write_root = |image: &Path, size_bytes| {
        let format = Ext4Format {
            size_bytes,
            ..ROOT_FORMAT
        };
        ext4::write(image, &format, &root, workshop.folder())
    };
    workshop.finish(&disk, write_root, ingredients)
}

/// Installs the listed files and the libraries they need; returns the file system checker.
fn install_packages(
    listed: &[PackageContents],
    fetched: &[PackageFile],
    root: &mut FileTree,
) -> Result<Vec<u8>, BuildError> {
    let mut libraries = Libraries::default();
    let mut chosen: Vec<(String, PackedFile)> = Vec::new();
    for entry in listed {
        let package = fetched
            .iter()
            .find(|package| package.name == entry.package)
            .ok_or_else(|| BuildError::PackageUnknown {
                package: entry.package.clone(),
            })?;
        let files = deb::read(&package.file)?;
        for taken in &entry.paths {
            let found = chosen.len();
            let from = canonical(&taken.from);
            for (path, file) in &files {
                if *path == from {
                    chosen.push((canonical(&taken.to), file.clone()));
                } else if taken.from.ends_with('/')
                    && path
                        .strip_prefix(&from)
                        .is_some_and(|rest| rest.starts_with('/'))
                {
                    chosen.push((path.clone(), file.clone()));
                }
            }
            if chosen.len() == found {
                return Err(BuildError::FileAbsent {
                    package: entry.package.clone(),
                    path: taken.from.clone(),
                });
            }
        }
        libraries.collect(files);
    }
    libraries.close_over(&mut chosen)?;
    for (path, file) in chosen {
        match file.content {
            // The set-user-ID bit is left out: whoever logs in is the superuser anyway.
            Content::File(bytes) => root.add_file(&path, file.mode & 0o777, bytes),
            Content::Symlink(target) => root.add_symlink(&path, &target),
            Content::Directory => root.add_directory(&path, file.mode),
        }
    }
    let checker = fetched
        .iter()
        .find(|package| package.name == CHECKER_PACKAGE)
        .ok_or_else(|| BuildError::PackageUnknown {
            package: CHECKER_PACKAGE.to_owned(),
        })?;
    match deb::read(&checker.file)?
        .remove("usr/sbin/e2fsck.static")
        .map(|file| file.content)
    {
        Some(Content::File(bytes)) => Ok(bytes),
        _ => Err(BuildError::FileAbsent {
            package: CHECKER_PACKAGE.to_owned(),
            path: "/sbin/e2fsck.static".to_owned(),
        }),
    }
}

/// Shared libraries of all listed packages, by file name.
#[derive(Default)]
struct Libraries {
    files: BTreeMap<String, (String, PackedFile)>,
}

impl Libraries {
    fn collect(&mut self, files: BTreeMap<String, PackedFile>) {
        for (path, file) in files {
            let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
            if name.contains(".so") {
                self.files.entry(name).or_insert((path, file));
            }
        }
    }

    /// Adds to `chosen` every library that its files need, and what those need in turn.
    fn close_over(&self, chosen: &mut Vec<(String, PackedFile)>) -> Result<(), BuildError> {
        let mut next = 0;
        let mut have: std::collections::BTreeSet<String> =
            chosen.iter().map(|(path, _)| path.clone()).collect();
        while next < chosen.len() {
            let (path, file) = chosen[next].clone();
            next += 1;
            let (wanted, required) = match &file.content {
                Content::File(bytes) => (elf::needed_libraries(bytes), true),
                // A link is followed by name: libraries lie beside their links.
                Content::Symlink(target) if path.contains(".so") => (
                    vec![target.rsplit('/').next().unwrap_or(target).to_owned()],
                    false,
                ),
                _ => continue,
            };
            for library in wanted {
                let Some((place, packed)) = self.files.get(&library) else {
                    if required {
                        return Err(BuildError::LibraryAbsent {
                            library,
                            needed_by: path,
                        });
                    }
                    continue;
                };
                if have.insert(place.clone()) {
                    chosen.push((place.clone(), packed.clone()));
                }
            }
        }
        Ok(())
    }
}

/// `NAME VERSION` lines, for `/usr/share/vnflab/packages` in the guest.
fn manifest(packages: &[PackageFile]) -> String {
    packages
        .iter()
        .map(|package| format!("{} {}\n", package.name, package.version))
        .collect()
}

type BootFile = (&'static str, Vec<u8>);

/// Installs modules into the root tree; returns the boot partition's files and the release.
fn install_kernel(
    package: &PackageFile,
    work: &Path,
    root: &mut FileTree,
) -> Result<(Vec<BootFile>, String), BuildError> {
    let folder = work.join("kernel");
    let unpacked = deb::unpack(&package.file, &folder, |path| {
        path.starts_with("usr/lib/modules/") || path.starts_with("boot/vmlinuz-")
    })?;
    let image = unpacked
        .iter()
        .find(|path| path.starts_with("boot/vmlinuz-"));
    let (Some(image), Some(version)) = (
        image,
        image.and_then(|path| path.strip_prefix("boot/vmlinuz-")),
    ) else {
        return Err(BuildError::FileAbsent {
            package: package.name.clone(),
            path: "/boot/vmlinuz-*".to_owned(),
        });
    };
    let lists = contents::modules(guest::MODULES)?;
    let modules = KernelModules::new(&folder, version, &unpacked);
    let boot_modules = modules.closure(&lists.boot)?;
    let mut system_modules = modules.closure(&lists.system)?;
    system_modules.extend(boot_modules.iter().cloned());
    modules.install(&system_modules, work, root)?;

    let mut initramfs = FileTree::merged();
    guest::install_initramfs(&mut initramfs, root);
    modules.install(&boot_modules, work, &mut initramfs)?;
    let kernel_file = folder.join(image);
    let kernel = fs::read(&kernel_file).map_err(io_error(&kernel_file))?;
    let kernel = kernel::repacked(&kernel, work)?.unwrap_or(kernel);
    let archive = work.join("initrd.cpio");
    fs::write(&archive, cpio::archive(&initramfs)).map_err(io_error(&archive))?;
    // The legacy format is the one that the kernel reads. Fewer bytes matter where the BIOS reads
    // them word by word (IDE), and LZ4 costs the guest next to nothing.
    let initrd = Run::new("lz4")
        .args(["-l", "-9", "--stdout"])
        .arg(&archive)
        .output()?
        .stdout;
    let files = vec![("linux", kernel), ("initrd", initrd)];
    Ok((files, version.to_owned()))
}
