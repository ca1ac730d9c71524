//! What a FAT disk refuses, and that its bytes follow from the request alone.

#![expect(clippy::unwrap_used, reason = "this is a test")]

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use vnflab_media::fat::{FatError, FatRequest, Partitioning, build};
use vnflab_media::{MediaFile, archive};

const MIB: u64 = 1024 * 1024;

fn disk(files: &[MediaFile], size_bytes: u64) -> Result<Vec<u8>, FatError> {
    build(&FatRequest {
        volume_label: "cidata",
        files,
        size_bytes,
        partitioning: Partitioning::None,
    })
}

/// Every file, by its path.
fn read(image: &[u8]) -> BTreeMap<String, Vec<u8>> {
    type Folder<'a> = fatfs::Dir<'a, Cursor<Vec<u8>>>;
    fn walk(folder: &Folder<'_>, above: &str, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in folder.iter() {
            let entry = entry.unwrap();
            let path = format!("{above}{}", entry.file_name());
            if entry.is_dir() && !matches!(entry.file_name().as_str(), "." | "..") {
                walk(&entry.to_dir(), &format!("{path}/"), files);
            } else if entry.is_file() {
                let mut content = Vec::new();
                entry.to_file().read_to_end(&mut content).unwrap();
                files.insert(path, content);
            }
        }
    }
    let system = fatfs::FileSystem::new(Cursor::new(image.to_vec()), fatfs::FsOptions::new());
    let mut files = BTreeMap::new();
    walk(&system.unwrap().root_dir(), "", &mut files);
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn files_are_read_back(
        files in prop::collection::btree_map(
            "[a-z][a-z0-9_. -]{0,20}[a-z0-9](/[A-Za-z0-9_]{1,30}){0,3}",
            prop::collection::vec(any::<u8>(), 0..6000),
            0..20,
        )
    ) {
        let given: Vec<_> =
            files.iter().map(|(path, content)| MediaFile::new(path.clone(), content.clone())).collect();
        match disk(&given, MIB) {
            Ok(image) => prop_assert_eq!(read(&image), files),
            Err(error) => prop_assert!(matches!(error, FatError::DuplicateName { .. }), "{}", error),
        }
    }

    #[test]
    fn no_request_panics_or_meets_an_inner_error(
        label in "\\PC{0,14}",
        paths in prop::collection::vec("\\PC{0,20}(/\\PC{0,20}){0,2}", 0..4),
        size in prop_oneof![0..300 * MIB, 60_000..70_000_u64, 2 * MIB..5 * MIB],
        is_partitioned in any::<bool>(),
    ) {
        let files: Vec<_> = paths.into_iter().map(|path| MediaFile::new(path, "x")).collect();
        let result = build(&FatRequest {
            volume_label: &label,
            files: &files,
            size_bytes: size,
            partitioning: if is_partitioned { Partitioning::Mbr } else { Partitioning::None },
        });
        prop_assert!(!matches!(result, Err(FatError::Layout(_))), "{:?}", result.err());
    }
}

#[test]
fn what_does_not_fit_is_told_with_figures() {
    let files = [MediaFile::new("config.txt", vec![b'x'; 2 * 1024 * 1024])];
    let error = disk(&files, MIB).unwrap_err();
    let FatError::Full {
        needed_bytes,
        free_bytes,
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(needed_bytes, 2 * MIB);
    assert!(
        free_bytes < MIB && free_bytes > MIB * 9 / 10,
        "{free_bytes}"
    );
}

#[test]
fn names_that_differ_in_case_alone_are_one_name() {
    let files = [MediaFile::new("a/B", "1"), MediaFile::new("A/b", "2")];
    let error = disk(&files, MIB).unwrap_err();
    assert_eq!(error.to_string(), "`a/B` and `A/b` have one path");
    let files = [MediaFile::new("a", "1"), MediaFile::new("a/b", "2")];
    assert!(matches!(
        disk(&files, MIB),
        Err(FatError::DuplicateName { .. })
    ));
}

/// The bytes must not change unnoticed, be it by time, host or a new layout crate.
#[test]
fn a_disk_and_an_archive_have_the_same_bytes_wherever_they_are_made() {
    let sum = |bytes: &[u8]| format!("{:x}", Sha256::digest(bytes));
    let packed = archive::tar_gz(&[
        MediaFile::new("b", "2"),
        MediaFile::new("config/juniper.conf", "system { }\n"),
    ]);
    let packed = packed.unwrap();
    let mut files = vec![
        MediaFile::new("vmm-config.tgz", packed.clone()),
        MediaFile::new("a long name/b", "x"),
    ];
    let image = disk(&files, MIB).unwrap();
    files.reverse();
    assert!(image == disk(&files, MIB).unwrap(), "the order counts");
    assert_eq!(
        [sum(&packed), sum(&image)],
        [
            "ebd26b32612e070b0ac1510fb27821b0f064b5ea8be164f44983d654e9c14923",
            "bf93940c0f559a9ba15b5817b98bd3571d79c7cfa396c1df740b50e69d46c5b9",
        ]
    );
}
