//! ISO images are compared with those of `genisoimage`, by the eyes of `isoinfo` and `xorriso`;
//! FAT disks are read by mtools, archives by `tar`.
//!
//! A test whose tools are not installed says so and is ignored.

#![expect(
    clippy::unwrap_used,
    reason = "this is a test, and its plain functions are too"
)]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use vnflab_media::fat::{FatRequest, Partitioning};
use vnflab_media::iso9660::{IsoRequest, NameRules, build};
use vnflab_media::{MediaFile, archive, fat};
use vnflab_testkit::{Proof, missing_program};

fn main() {
    let genisoimage = || missing_program(&["genisoimage", "isoinfo"]);
    vnflab_testkit::run(vec![
        Proof {
            name: "long_plain_images_list_and_hold_what_genisoimage_makes",
            unmet: genisoimage(),
            test: long_plain_images_list_and_hold_what_genisoimage_makes,
        },
        Proof {
            name: "exact_images_list_and_hold_what_genisoimage_makes",
            unmet: genisoimage(),
            test: exact_images_list_and_hold_what_genisoimage_makes,
        },
        Proof {
            name: "level_1_images_list_and_hold_what_genisoimage_makes",
            unmet: genisoimage(),
            test: level_1_images_list_and_hold_what_genisoimage_makes,
        },
        Proof {
            name: "forty_files_list_and_hold_what_genisoimage_makes",
            unmet: genisoimage(),
            test: forty_files_list_and_hold_what_genisoimage_makes,
        },
        Proof {
            name: "an_image_of_no_files_lists_what_genisoimage_makes",
            unmet: genisoimage(),
            test: an_image_of_no_files_lists_what_genisoimage_makes,
        },
        Proof {
            name: "xorriso_reads_an_image_without_complaint",
            unmet: missing_program(&["xorriso"]),
            test: xorriso_reads_an_image_without_complaint,
        },
        Proof {
            name: "mtools_reads_every_file_of_a_fat_disk",
            unmet: missing_program(&["mtype", "mdir", "minfo"]),
            test: mtools_reads_every_file_of_a_fat_disk,
        },
        Proof {
            name: "tar_unpacks_an_archive_from_a_fat_disk",
            unmet: missing_program(&["mtype", "tar"]),
            test: tar_unpacks_an_archive_from_a_fat_disk,
        },
    ]);
}

/// What the options of `isoinfo` and `genisoimage` are for some name rules.
struct Flavour {
    names: NameRules,
    genisoimage: &'static [&'static str],
    /// One set of options for each tree of names.
    isoinfo: &'static [&'static [&'static str]],
}

const LEVEL_1: Flavour = Flavour {
    names: NameRules::Level1,
    genisoimage: &["-iso-level", "1"],
    isoinfo: &[&[]],
};
const LONG_PLAIN: Flavour = Flavour {
    names: NameRules::LongPlain,
    genisoimage: &["-l"],
    isoinfo: &[&[]],
};
const ROCK_RIDGE_JOLIET: Flavour = Flavour {
    names: NameRules::RockRidgeJoliet,
    genisoimage: &["-J", "-r"],
    isoinfo: &[&["-R"], &["-J"]],
};

const LABEL: &str = "cidata";

fn text(path: &str, content: &str) -> MediaFile {
    MediaFile::new(path, content)
}

/// Three megabytes and a bit that no sector repeats.
fn three_megabytes() -> Vec<u8> {
    (0..3_000_001_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

fn day_0_files() -> Vec<MediaFile> {
    vec![
        text("iosxe_config.txt", "hostname csr1\n"),
        text("day0-config", "hostname asa1\n"),
        text("empty.txt", ""),
        MediaFile::new("package.bin", three_megabytes()),
        text("openstack/latest/user_data", "config system global\n"),
        text("openstack/content/0000", "licence\n"),
        text("a/b/c/d/e/deep.txt", "deep\n"),
        text("two.dots.txt", "2\n"),
        text(".hidden", "h\n"),
    ]
}

fn long_plain_images_list_and_hold_what_genisoimage_makes() {
    compare_with_genisoimage(&LONG_PLAIN, &day_0_files());
}

fn exact_images_list_and_hold_what_genisoimage_makes() {
    let mut files = day_0_files();
    files.push(text("grüße.txt", "ü\n"));
    files.push(text(
        &format!("{:x<64}", "as-long-as-joliet-holds-"),
        "64\n",
    ));
    compare_with_genisoimage(&ROCK_RIDGE_JOLIET, &files);
}

fn level_1_images_list_and_hold_what_genisoimage_makes() {
    let files = [
        text("config.txt", "c\n"),
        text("empty", ""),
        text("folder/startup.cfg", "s\n"),
    ];
    compare_with_genisoimage(&LEVEL_1, &files);
}

fn forty_files_list_and_hold_what_genisoimage_makes() {
    let files: Vec<_> = (0..40)
        .map(|n| text(&format!("file{n:02}.txt"), &"x".repeat(n * 100)))
        .collect();
    for flavour in [&LEVEL_1, &LONG_PLAIN, &ROCK_RIDGE_JOLIET] {
        compare_with_genisoimage(flavour, &files);
    }
}

fn an_image_of_no_files_lists_what_genisoimage_makes() {
    for flavour in [&LEVEL_1, &LONG_PLAIN, &ROCK_RIDGE_JOLIET] {
        compare_with_genisoimage(flavour, &[]);
    }
}

fn xorriso_reads_an_image_without_complaint() {
    let scratch = TempDir::new().unwrap();
    let cases = [
        (&LONG_PLAIN, "/IOSXE_CONFIG.TXT"),
        (&ROCK_RIDGE_JOLIET, "/iosxe_config.txt"),
    ];
    for (flavour, path) in cases {
        let image = write_image(scratch.path(), flavour, &day_0_files());
        let extracted = scratch.path().join("extracted");
        // It fails if there is anything to warn of: a size that is wrong, a tree that is broken.
        let output = run(Command::new("xorriso")
            .args(["-report_about", "WARNING"])
            .args(["-return_with", "WARNING", "32"])
            .args(["-osirrox", "on"])
            .arg("-indev")
            .arg(&image)
            .args(["-check_media", "--", "-extract", path])
            .arg(&extracted));
        let output = String::from_utf8(output).unwrap();
        let sectors = fs::metadata(&image).unwrap().len() / 2048;
        let checked = output.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            checked.ends_with(&format!("0 , {sectors} , + good")),
            "{output}"
        );
        assert_eq!(fs::read_to_string(&extracted).unwrap(), "hostname csr1\n");
        fs::remove_file(&extracted).unwrap();
    }
}

fn mtools_reads_every_file_of_a_fat_disk() {
    const MIB: u64 = 1024 * 1024;
    let files = [
        text("ios_config.txt", "hostname r1\n"),
        text("EMPTY.TXT", ""),
        text("a long name with spaces.cfg", &"x".repeat(100_000)),
        text("openstack/latest/user_data", "#cloud-config\n"),
    ];
    let scratch = TempDir::new().unwrap();
    let cases = [
        (MIB, Partitioning::None, ""),
        (2 * MIB, Partitioning::Mbr, "@@1M"),
        (8 * MIB, Partitioning::None, ""),
        (32 * MIB, Partitioning::Mbr, "@@1M"),
    ];
    for (size_bytes, partitioning, offset) in cases {
        let request = FatRequest {
            volume_label: "vmm-data",
            files: &files,
            size_bytes,
            partitioning,
        };
        let image = fat::build(&request).unwrap();
        assert_eq!(image.len() as u64, size_bytes);
        let path = scratch.path().join("disk.img");
        fs::write(&path, &image).unwrap();
        let volume = format!("{}{offset}", path.display());
        let listing = run(Command::new("mdir").args(["-i", &volume, "-/", "::"]));
        let listing = String::from_utf8(listing).unwrap();
        assert!(
            listing.contains("Volume in drive : is vmm-data"),
            "{listing}"
        );
        assert!(listing.contains("1980-01-01"), "{listing}");
        for file in &files {
            let read =
                run(Command::new("mtype").args(["-i", &volume, &format!("::{}", file.path)]));
            assert!(read == file.content, "{} on {size_bytes} bytes", file.path);
        }
        let geometry = run(Command::new("minfo").args(["-i", &volume, "::"]));
        let geometry = String::from_utf8(geometry).unwrap();
        let hidden = if offset.is_empty() { 0 } else { 2048 };
        assert!(
            geometry.contains(&format!("hidden sectors: {hidden}")),
            "{geometry}"
        );
    }
}

fn tar_unpacks_an_archive_from_a_fat_disk() {
    let scratch = TempDir::new().unwrap();
    let packed = archive::tar_gz(&[text("config/juniper.conf", "system { }\n")]).unwrap();
    let request = FatRequest {
        volume_label: "vmm-data",
        files: &[MediaFile::new("vmm-config.tgz", packed)],
        size_bytes: fat::MIN_SIZE_BYTES,
        partitioning: Partitioning::None,
    };
    let disk = scratch.path().join("disk.img");
    fs::write(&disk, fat::build(&request).unwrap()).unwrap();
    let read = run(Command::new("mtype")
        .arg("-i")
        .arg(&disk)
        .arg("::vmm-config.tgz"));
    let archive = scratch.path().join("vmm-config.tgz");
    fs::write(&archive, read).unwrap();
    let listing = run(Command::new("tar")
        .arg("-tzvf")
        .arg(&archive)
        .arg("--numeric-owner"));
    let listing = String::from_utf8(listing).unwrap();
    let columns: Vec<Vec<&str>> = listing
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(columns[0][..3], ["drwxr-xr-x", "0/0", "0"], "{listing}");
    assert_eq!(columns[1][..3], ["-rw-r--r--", "0/0", "11"], "{listing}");
    let read = run(Command::new("tar")
        .arg("-xzOf")
        .arg(&archive)
        .arg("config/juniper.conf"));
    assert_eq!(read, b"system { }\n");
}

/// Both images must have one label, one listing (kinds, modes, sizes, names) and one content.
fn compare_with_genisoimage(flavour: &Flavour, files: &[MediaFile]) {
    let scratch = TempDir::new().unwrap();
    let ours = write_image(scratch.path(), flavour, files);
    let theirs = genisoimage(scratch.path(), flavour, files);
    let descriptor = String::from_utf8(isoinfo(&ours, &["-d"])).unwrap();
    assert!(
        descriptor.contains(&format!("\nVolume id: {LABEL}\n")),
        "{descriptor}"
    );
    for options in flavour.isoinfo {
        assert_eq!(
            listing(&ours, options),
            listing(&theirs, options),
            "isoinfo {options:?}"
        );
        let paths = file_paths(&ours, options);
        assert_eq!(paths, file_paths(&theirs, options));
        assert_eq!(paths.len(), files.len());
        let mut contents = Vec::new();
        for path in paths {
            let content = extract(&ours, options, &path);
            assert!(
                content == extract(&theirs, options, &path),
                "{path:?} differs"
            );
            contents.push(content);
        }
        // A path that isoinfo does not find yields nothing, and that from both images.
        contents.sort();
        let mut given: Vec<_> = files.iter().map(|file| file.content.clone()).collect();
        given.sort();
        assert!(
            contents == given,
            "isoinfo {options:?} yields other contents than those given"
        );
    }
}

fn write_image(folder: &Path, flavour: &Flavour, files: &[MediaFile]) -> PathBuf {
    let request = IsoRequest {
        volume_label: LABEL,
        files,
        names: flavour.names,
    };
    let path = folder.join("ours.iso");
    fs::write(&path, build(&request).unwrap()).unwrap();
    path
}

fn genisoimage(folder: &Path, flavour: &Flavour, files: &[MediaFile]) -> PathBuf {
    let (source, image) = (folder.join("source"), folder.join("theirs.iso"));
    fs::create_dir(&source).unwrap();
    for file in files {
        let path = source.join(&file.path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &file.content).unwrap();
    }
    run(Command::new("genisoimage")
        .args(["-quiet", "-input-charset", "UTF-8", "-V", LABEL])
        .args(flavour.genisoimage)
        .arg("-o")
        .args([&image, &source]));
    image
}

fn isoinfo(image: &Path, options: &[&str]) -> Vec<u8> {
    run(Command::new("isoinfo").arg("-i").arg(image).args(options))
}

/// The lines of `isoinfo -l` without what may differ: dates, places on the disc, and the order of
/// folders. The entries `.` and `..` are left out as well.
fn listing(image: &Path, options: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut folder = String::new();
    let text = isoinfo(image, &[options, &["-l"]].concat());
    for line in String::from_utf8_lossy(&text).lines() {
        if let Some(path) = line.strip_prefix("Directory listing of ") {
            folder = path.to_owned();
            lines.push(folder.clone());
        } else if let Some((entry, name)) = line.split_once(']') {
            let name = name.trim();
            let fields: Vec<_> = entry.split_whitespace().collect();
            let [mode, links, uid, gid, size, ..] = fields[..] else {
                panic!("{line}")
            };
            if !matches!(name, "" | "." | "..") {
                lines.push(format!("{folder}{name} {mode} {links} {uid} {gid} {size}"));
            }
        }
    }
    lines.sort();
    lines
}

/// The paths of all files, in the bytes in which `isoinfo -x` takes them: it prints Joliet names in
/// Latin-1, whatever the locale.
fn file_paths(image: &Path, options: &[&str]) -> Vec<OsString> {
    let folders: Vec<_> = listing(image, options)
        .into_iter()
        .filter_map(|line| Some(line.strip_suffix('/')?.to_owned()))
        .collect();
    let all = isoinfo(image, &[options, &["-f"]].concat());
    let mut paths: Vec<_> = all
        .split(|&byte| byte == b'\n')
        .filter(|path| !path.is_empty())
        .filter(|path| !folders.contains(&String::from_utf8_lossy(path).into_owned()))
        .map(|path| OsString::from_vec(path.to_vec()))
        .collect();
    paths.sort();
    paths
}

fn extract(image: &Path, options: &[&str], path: &OsStr) -> Vec<u8> {
    run(Command::new("isoinfo")
        .arg("-i")
        .arg(image)
        .args(options)
        .arg("-x")
        .arg(path))
}

/// The standard output of a command that must succeed.
fn run(command: &mut Command) -> Vec<u8> {
    let output = command
        .stdin(Stdio::null())
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{errors}");
    output.stdout
}
