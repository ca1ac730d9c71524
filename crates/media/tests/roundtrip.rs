//! Random file sets are read back byte for byte, and no request makes `build` panic.

#![expect(
    clippy::unwrap_used,
    reason = "this is a test, and its plain functions are too"
)]

mod iso_reader;

use iso_reader::{Contents, Names};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use vnflab_media::iso9660::{IsoError, IsoRequest, NameRules, build};
use vnflab_media::nocloud::{self, NoCloud};
use vnflab_media::{MediaFile, iso9660};

fn expected(files: &[MediaFile], stored: fn(&str) -> String) -> Contents {
    let mut contents = Contents::default();
    for file in files {
        let path = stored(&file.path);
        for (at, _) in path.match_indices('/') {
            contents.folders.insert(path[..at].to_owned());
        }
        contents.files.insert(path, file.content.clone());
    }
    contents
}

fn any_rules() -> impl Strategy<Value = NameRules> {
    prop_oneof![
        Just(NameRules::Level1),
        Just(NameRules::LongPlain),
        Just(NameRules::RockRidgeJoliet),
    ]
}

/// Files under paths that `name` makes, with sizes around the edges of sectors.
fn files(name: &'static str, most: usize) -> impl Strategy<Value = Vec<MediaFile>> {
    let path = prop::collection::vec(name, 1..=8).prop_map(|parts| parts.join("/"));
    let size = prop_oneof![Just(0), 1..100_usize, 2040..2056_usize, 4090..4100_usize];
    let content = size.prop_flat_map(|size| prop::collection::vec(any::<u8>(), size));
    prop::collection::vec((path, content), 0..most).prop_map(|files| {
        files
            .into_iter()
            .map(|(path, content)| MediaFile::new(path, content))
            .collect()
    })
}

proptest! {
    // An image is 346 KiB at least; this many take a few seconds in a debug build.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn long_plain_images_are_read_back(
        files in files("[a-z][a-z0-9_]{0,9}(\\.[a-z]{1,3})?", 40)
    ) {
        let files = without_refused(files, NameRules::LongPlain);
        let image = image(&files, NameRules::LongPlain);
        let stored = |path: &str| {
            let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
            let slash = if folders.is_empty() { "" } else { "/" };
            format!("{}{slash}{file}", folders.replace('.', "_")).to_uppercase()
        };
        prop_assert_eq!(iso_reader::read(&image, Names::Plain), expected(&files, stored));
    }

    #[test]
    fn level_1_images_are_read_back(
        files in files("[A-Z][A-Z0-9_]{0,7}", 40)
    ) {
        let files = without_refused(files, NameRules::Level1);
        let image = image(&files, NameRules::Level1);
        let expected = expected(&files, str::to_owned);
        prop_assert_eq!(iso_reader::read(&image, Names::Plain), expected);
    }

    #[test]
    fn exact_names_are_read_back_through_both_extensions(
        files in files("[^/\\x00-\\x1f\\x7f-\\x9f*:;?\\\\\u{10000}-\u{10ffff}]{1,24}", 40)
    ) {
        let files = without_refused(files, NameRules::RockRidgeJoliet);
        let image = image(&files, NameRules::RockRidgeJoliet);
        let expected = expected(&files, str::to_owned);
        prop_assert_eq!(&iso_reader::read(&image, Names::RockRidge), &expected);
        prop_assert_eq!(&iso_reader::read(&image, Names::Joliet), &expected);
        // The plain tree's names differ, but the reader checks its structure.
        prop_assert_eq!(
            iso_reader::read(&image, Names::Plain).files.len(),
            expected.files.len()
        );
    }

    #[test]
    fn no_request_panics_or_meets_an_inner_error(
        label in "\\PC{0,40}|[a-z]{1,32}",
        files in files(".{0,40}|[aA.]{1,3}", 12),
        names in any_rules(),
    ) {
        let result = build(&IsoRequest { volume_label: &label, files: &files, names });
        prop_assert!(
            !matches!(
                result,
                Err(IsoError::Layout { .. } | IsoError::NameChanged { .. })
            ),
            "{result:?}"
        );
    }
}

/// `files` without those that meet others, or whose paths turned out too long.
fn without_refused(mut files: Vec<MediaFile>, names: NameRules) -> Vec<MediaFile> {
    loop {
        let refused = match build(&IsoRequest {
            volume_label: "disk",
            files: &files,
            names,
        }) {
            Ok(_) => return files,
            Err(IsoError::DuplicateName { second, .. }) => second,
            Err(IsoError::PathTooLong { path, .. } | IsoError::NameReserved { path, .. }) => path,
            Err(other) => panic!("these names were to be storable: {other}"),
        };
        files.retain(|file| {
            let rest = file.path.strip_prefix(&refused);
            rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/'))
        });
    }
}

fn image(files: &[MediaFile], names: NameRules) -> Vec<u8> {
    iso9660::build(&IsoRequest {
        volume_label: "disk",
        files,
        names,
    })
    .unwrap()
}

#[test]
fn many_files_with_one_beginning_are_read_back() {
    let files: Vec<_> = (0..iso9660::MAX_FILES)
        .map(|n| {
            MediaFile::new(
                format!("a-name-that-is-as-long-as-level-two-has-it-{n}"),
                [7],
            )
        })
        .collect();
    let image = image(&files, NameRules::RockRidgeJoliet);
    let expected = expected(&files, str::to_owned);
    assert_eq!(iso_reader::read(&image, Names::RockRidge), expected);
    assert_eq!(iso_reader::read(&image, Names::Joliet), expected);
}

#[test]
fn longest_names_in_the_deepest_folder_are_read_back() {
    let path = format!("1/2/3/4/5/6/7/{}", "ü".repeat(64));
    let files = [MediaFile::new(path, "deep")];
    let image = image(&files, NameRules::RockRidgeJoliet);
    let expected = expected(&files, str::to_owned);
    assert_eq!(iso_reader::read(&image, Names::RockRidge), expected);
    assert_eq!(iso_reader::read(&image, Names::Joliet), expected);
}

/// The bytes of an image must not change unnoticed, be it by time, host or a new layout crate.
#[test]
fn an_image_has_the_same_bytes_wherever_it_is_made() {
    let files = [
        MediaFile::new("iosxe_config.txt", "hostname csr1\n"),
        MediaFile::new("a/b/c", ""),
        MediaFile::new("b", vec![3; 5000]),
    ];
    let sums = [NameRules::LongPlain, NameRules::RockRidgeJoliet]
        .map(|names| format!("{:x}", Sha256::digest(image(&files, names))));
    assert_eq!(
        sums,
        [
            "dc7fad53620e3f202be66a576fd1469b3b11d8885d39e2f91a115c060aaa6b44",
            "85f81b7ed36f057f43c6adcd0a8e31c33b4ef23cc138851b2f0f5f66063574b8",
        ]
    );
}

#[test]
fn a_nocloud_image_has_the_names_that_cloud_init_looks_for() {
    let image = nocloud::build(NoCloud {
        user_data: b"#cloud-config\n".to_vec(),
        meta_data: b"instance-id: r1\n".to_vec(),
        network_config: Some(b"version: 2\n".to_vec()),
        vendor_data: None,
        extra_files: vec![MediaFile::new("frr/daemons", "bgpd=yes\n")],
    })
    .unwrap();
    for names in [Names::RockRidge, Names::Joliet] {
        assert_eq!(iso_reader::label(&image, names), "cidata");
        let files = iso_reader::read(&image, names).files;
        let files: Vec<_> = files
            .iter()
            .map(|(path, data)| (path.as_str(), &data[..]))
            .collect();
        assert_eq!(
            files,
            [
                ("frr/daemons", &b"bgpd=yes\n"[..]),
                ("meta-data", b"instance-id: r1\n"),
                ("network-config", b"version: 2\n"),
                ("user-data", b"#cloud-config\n"),
            ]
        );
    }
}

#[test]
fn an_extra_file_does_not_replace_user_data() {
    let error = nocloud::build(NoCloud {
        extra_files: vec![MediaFile::new("user-data", "")],
        ..NoCloud::default()
    })
    .unwrap_err();
    assert!(matches!(error, IsoError::DuplicateName { .. }), "{error}");
}
