//! Puts a Debian cloud guest together: Debian's own packages with cloud-init, on a disk like that
//! of the `frr` image.
//!
//! `mmdebstrap` installs the packages, maintainer scripts and all, so unlike the `frr` image this
//! one needs root, and its bytes differ from build to build. The rest is as there: kernel and
//! initramfs lie on a small FAT partition with syslinux, the root file system is ext4.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::apt::RELEASE;
use crate::disk::BootPartition;
use crate::tools::{DEBIAN_TOOLS, Run};
use crate::workshop::{Disk, Ingredients, Workshop};
use crate::{BuildError, BuiltImage, ImageBuild, PackageVersion, Step, io_error};

const PACKAGES: &str = include_str!("../debian/packages.txt");
const MODULES: &str = include_str!("../debian/modules.txt");
const CLOUD_CONFIG: &str = include_str!("../debian/cloud.cfg");

/// Size of the disk that a guest sees: Debian takes a third of it.
const DISK_BYTES: u64 = 2 << 30;

/// Size of the boot partition: kernel and initramfs need about 20 MiB.
const BOOT_BYTES: u64 = 48 << 20;

/// An image above this size fails the build.
const IMAGE_LIMIT_BYTES: u64 = 400 << 20;

const ROOT_LABEL: &str = "vnflab-debian";

const SYSLINUX_CONFIGURATION: &str = "DEFAULT debian\nLABEL debian\n  LINUX linux\n  INITRD initrd\n  \
     APPEND root=LABEL=vnflab-debian ro console=ttyS0,115200 net.ifnames=0 quiet panic=10\n";

/// What would use a guest's time without use: its package lists are as old as the image.
const MASKED: &[&str] = &[
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
];

/// Builds the `debian` image.
///
/// Needs `mmdebstrap` and the tools that the error lists, root, and Debian's packages by the
/// network.
///
/// # Errors
/// See [`BuildError`]. After an error `request.output` is as it was before.
pub fn build_debian(
    request: &ImageBuild,
    progress: &dyn Fn(Step),
) -> Result<BuiltImage, BuildError> {
    let workshop = Workshop::open(request, DEBIAN_TOOLS, progress)?;
    progress(Step::Unpack);
    let root = workshop.folder().join("root");
    install(&root, workshop.folder(), request.mirror.as_deref())?;
    let packages = packages(&root)?;
    progress(Step::Kernel);
    let (kernel, initrd, kernel_version) = take_kernel(&root)?;
    settle(&root)?;

    let disk = Disk {
        size_bytes: DISK_BYTES,
        limit_bytes: IMAGE_LIMIT_BYTES,
        boot: BootPartition {
            size_bytes: BOOT_BYTES,
            files: &[
                ("linux", &kernel),
                ("initrd", &initrd),
                ("syslinux.cfg", SYSLINUX_CONFIGURATION.as_bytes()),
            ],
        },
    };
    let ingredients = Ingredients {
        kernel_version,
        packages,
    };
    let write_root = |image: &Path, size_bytes| write_root(image, size_bytes, &root);
    workshop.finish(&disk, write_root, ingredients)
}

/// Makes an ext4 file system of a folder.
fn write_root(image: &Path, size_bytes: u64, folder: &Path) -> Result<(), BuildError> {
    fs::File::create(image)
        .and_then(|file| file.set_len(size_bytes))
        .map_err(io_error(image))?;
    Run::new("mke2fs")
        .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0"])
        .args(["-L", ROOT_LABEL, "-J", "size=16"])
        .args(["-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"])
        .arg("-d")
        .arg(folder)
        .arg(image)
        .output()?;
    Ok(())
}

/// The first words of a list's lines.
fn words(list: &str) -> impl Iterator<Item = &str> {
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next())
}

/// Installs the packages into a folder.
fn install(root: &Path, work: &Path, mirror: Option<&str>) -> Result<(), BuildError> {
    let names: Vec<&str> = words(PACKAGES).collect();
    // What the kernel's package runs when it is installed must find its settings there.
    let settings = work.join("initramfs");
    let write = |path: &str, text: &str| {
        let path = settings.join(path);
        let folder = path.parent().unwrap_or(&settings);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(io_error(&path))
    };
    write(
        "etc/initramfs-tools/conf.d/vnflab",
        "MODULES=list\nCOMPRESS=lz4\n",
    )?;
    let modules: Vec<&str> = words(MODULES).collect();
    write(
        "usr/share/initramfs-tools/modules.d/vnflab",
        &(modules.join("\n") + "\n"),
    )?;
    let run = Run::new("mmdebstrap")
        .args(["--quiet", "--mode=root", "--variant=minbase"])
        .args(["--aptopt=APT::Install-Recommends \"false\""])
        .args(["--dpkgopt=path-exclude=/usr/share/man/*"])
        .args(["--dpkgopt=path-exclude=/usr/share/locale/*"])
        .args(["--dpkgopt=path-exclude=/usr/share/doc/*"])
        .args(["--dpkgopt=path-include=/usr/share/doc/*/copyright"])
        .arg(format!("--include={}", names.join(",")))
        .arg(format!(
            "--essential-hook=copy-in {0}/etc {0}/usr /",
            settings.display()
        ))
        .arg(RELEASE)
        .arg(root);
    match mirror {
        Some(mirror) => run.arg(format!("{mirror}/debian")).output()?,
        None => run.output()?,
    };
    Ok(())
}

/// What is installed, by dpkg's own list.
fn packages(root: &Path) -> Result<Vec<PackageVersion>, BuildError> {
    let listed = Run::new("dpkg-query")
        .arg(format!("--admindir={}/var/lib/dpkg", root.display()))
        .args(["--show", "--showformat=${Package} ${Version}\\n"])
        .output()?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let packages = listed.lines().filter_map(|line| line.split_once(' '));
    Ok(packages
        .map(|(name, version)| PackageVersion {
            name: name.to_owned(),
            version: version.to_owned(),
        })
        .collect())
}

/// Takes kernel and initramfs out of the tree; they lie on a partition of their own.
fn take_kernel(root: &Path) -> Result<(Vec<u8>, Vec<u8>, String), BuildError> {
    let boot = root.join("boot");
    let entries = fs::read_dir(&boot).map_err(io_error(&boot))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    let version = names.iter().find_map(|name| name.strip_prefix("vmlinuz-"));
    let Some(version) = version else {
        return Err(BuildError::FileAbsent {
            package: "linux-image-cloud-amd64".to_owned(),
            path: "/boot/vmlinuz-*".to_owned(),
        });
    };
    let read = |path: PathBuf| fs::read(&path).map_err(io_error(&path));
    let kernel = read(boot.join(format!("vmlinuz-{version}")))?;
    let initrd = read(boot.join(format!("initrd.img-{version}")))?;
    for name in &names {
        let path = boot.join(name);
        if path.is_file() {
            fs::remove_file(&path).map_err(io_error(&path))?;
        }
    }
    Ok((kernel, initrd, version.to_owned()))
}

/// What makes of a folder of packages a guest that waits for its first configuration.
fn settle(root: &Path) -> Result<(), BuildError> {
    let write = |path: &str, text: &str| {
        let path = root.join(path);
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(io_error(&path))
    };
    write("etc/cloud/cloud.cfg.d/90_vnflab.cfg", CLOUD_CONFIG)?;
    write(
        "etc/fstab",
        &format!("LABEL={ROOT_LABEL} / ext4 errors=remount-ro 0 1\n"),
    )?;
    write("etc/hostname", "debian\n")?;
    // systemd fills it in at the first boot.
    write("etc/machine-id", "")?;
    let units = root.join("etc/systemd/system");
    let link = |target: &str, path: PathBuf| {
        let folder = path.parent().unwrap_or(&units);
        fs::create_dir_all(folder).map_err(io_error(folder))?;
        match symlink(target, &path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(io_error(&path)(error))
            }
            _ => Ok(()),
        }
    };
    for unit in MASKED {
        link("/dev/null", units.join(unit))?;
    }
    let networkd = "/lib/systemd/system/systemd-networkd";
    link(
        &format!("{networkd}.service"),
        units.join("multi-user.target.wants/systemd-networkd.service"),
    )?;
    link(
        &format!("{networkd}.socket"),
        units.join("sockets.target.wants/systemd-networkd.socket"),
    )?;
    // Each guest makes host keys of its own.
    let ssh = root.join("etc/ssh");
    for entry in fs::read_dir(&ssh).map_err(io_error(&ssh))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("ssh_host_") {
            fs::remove_file(entry.path()).map_err(io_error(&entry.path()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_without_their_reasons() {
        let names: Vec<&str> = words(PACKAGES).collect();
        assert!(
            names.contains(&"cloud-init") && !names.contains(&"reads"),
            "{names:?}"
        );
        assert!(words(MODULES).all(|module| !module.contains('#')));
    }

    #[test]
    fn the_kernel_looks_for_the_root_by_the_label_that_it_has() {
        assert!(SYSLINUX_CONFIGURATION.contains(&format!("root=LABEL={ROOT_LABEL} ")));
    }
}
