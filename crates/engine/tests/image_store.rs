//! The image store on the fake driver: what it promises, and what is left when it is broken off
//! at every single call.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use vnflab_engine::driver::fake::{FakeDriver, IMAGE_FOLDER, Mishap, Moment};
use vnflab_engine::driver::{Driver, Overlay};
use vnflab_engine::image::store::{ImageStore, StoreError, Verification};
use vnflab_engine::worker;
use vnflab_model::facts::{BackingPlace, DiskFormat, ImageFact};
use vnflab_model::observed::{Host, Scope};
use vnflab_model::spec::ImageSpec;
use vnflab_model::worker::Worker;

/// More calls than adding or removing makes.
const CALL_LIMIT: usize = 20;

/// A raw image, with a folder that is gone after the test.
fn source() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("router.img");
    std::fs::write(&path, vec![7; 4096]).unwrap();
    (folder, path)
}

/// A process that has been and is gone.
fn dead_worker() -> Worker {
    let mut child = Command::new("true").spawn().unwrap();
    let process = child.id();
    child.wait().unwrap();
    Worker {
        process,
        ..worker::this_process()
    }
}

fn ignore(_: u64, _: u64) {}

fn names(store: &ImageStore<'_>) -> Vec<String> {
    let images = store.list().unwrap();
    images.into_iter().map(|image| image.name).collect()
}

fn files(driver: &FakeDriver) -> Vec<String> {
    let files = driver.stored_files().unwrap();
    files.into_iter().map(|file| file.name).collect()
}

#[test]
fn an_added_image_is_listed_verified_and_found() {
    let (_folder, path) = source();
    let driver = FakeDriver::new();
    let store = ImageStore::new(&driver);
    let mut told = Vec::new();
    let image = store
        .add(&path, Some("router"), &mut |done, all| {
            told.push((done, all))
        })
        .unwrap();
    assert_eq!(told.last(), Some(&(4096, 4096)));
    assert_eq!(image.format, DiskFormat::Raw);
    assert_eq!(image.virtual_size_bytes, 4096);
    assert_eq!(image.sha256.len(), 64);
    assert_eq!(store.list().unwrap(), std::slice::from_ref(&image));
    assert_eq!(
        store.verify("router", &mut ignore).unwrap(),
        Verification::Intact
    );
    assert_eq!(files(&driver), ["router.json", "router.raw"]);
    let host = driver.host().unwrap();
    for name in ["router", "router.raw"] {
        let spec = ImageSpec::Stored(name.to_owned());
        let fact = store.fact(&spec, Path::new("/"), &host).unwrap();
        let ImageFact::Present(details) = fact else {
            panic!("{fact:?}");
        };
        assert_eq!(details.path, format!("{IMAGE_FOLDER}/router.raw"));
    }
    assert_eq!(std::fs::read(&path).unwrap(), vec![7; 4096]);
}

#[test]
fn the_kind_of_an_image_is_kept_whatever_the_image_is_called() {
    let (_folder, path) = source();
    let driver = FakeDriver::new();
    let store = ImageStore::new(&driver);
    let kind_of = |checksums: &[&str]| (!checksums.is_empty()).then(|| "ios".to_owned());
    let image = store.add_of_kind(&path, Some("edge"), &kind_of, &mut ignore);
    assert_eq!(image.unwrap().kind.as_deref(), Some("ios"));
    assert_eq!(store.list().unwrap()[0].kind.as_deref(), Some("ios"));
    let plain = store.add(&path, Some("plain"), &mut ignore).unwrap();
    assert_eq!(plain.kind, None);
}

#[test]
fn the_store_never_overwrites() {
    let (_folder, path) = source();
    let driver = FakeDriver::new();
    driver.add_foreign_image("mine.qcow2", b"precious");
    let store = ImageStore::new(&driver);
    store.add(&path, None, &mut ignore).unwrap();
    let again = store.add(&path, None, &mut ignore);
    assert!(matches!(again, Err(StoreError::Exists(name)) if name == "router"));
    let foreign = store.add(&path, Some("mine"), &mut ignore);
    assert!(matches!(foreign, Err(StoreError::Foreign(file)) if file == "mine.qcow2"));
    assert!(matches!(store.remove("mine"), Err(StoreError::Missing(_))));
    assert_eq!(files(&driver), ["mine.qcow2", "router.json", "router.raw"]);
    let spec = ImageSpec::Stored("mine".to_owned());
    let fact = store
        .fact(&spec, Path::new("/"), &driver.host().unwrap())
        .unwrap();
    assert!(matches!(fact, ImageFact::Unreadable(_)), "{fact:?}");
}

#[test]
fn names_that_are_paths_are_refused() {
    let (_folder, path) = source();
    let driver = FakeDriver::new();
    let store = ImageStore::new(&driver);
    for name in ["", "a/b", "..", ".hidden", "a b", "-x", &"x".repeat(65)] {
        let added = store.add(&path, Some(name), &mut ignore);
        assert!(matches!(added, Err(StoreError::Name(_))), "{name:?}");
    }
    assert!(files(&driver).is_empty());
}

#[test]
fn an_image_in_use_is_not_removed() {
    let (_folder, path) = source();
    let driver = FakeDriver::new();
    let store = ImageStore::new(&driver);
    let image = store.add(&path, None, &mut ignore).unwrap();
    let volume = "vnflab1.lab.r1.disk.qcow2".to_owned();
    let overlay = Overlay {
        volume: volume.clone(),
        image_path: image.path,
        image_format: "raw".to_owned(),
        size_bytes: 4096,
    };
    driver.create_overlay(&overlay).unwrap();
    let refused = store.remove("router").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the image `router` is in use by volume vnflab1.lab.r1.disk.qcow2"
    );
    driver.delete_volume(&volume).unwrap();
    store.remove("router").unwrap();
    assert!(files(&driver).is_empty());
}

#[test]
fn a_changed_image_is_noticed() {
    let (_folder, path) = source();
    let driver = FakeDriver::new();
    let store = ImageStore::new(&driver);
    store.add(&path, None, &mut ignore).unwrap();
    driver.add_foreign_image("router.raw", &[8; 4096]);
    let verified = store.verify("router", &mut ignore).unwrap();
    assert!(matches!(verified, Verification::Changed(_)));
}

/// Writes the head of a qcow2 image that lies on another.
fn write_overlay(path: &Path, backing: &str) {
    let mut head = vec![0; 512];
    head[..8].copy_from_slice(b"QFI\xfb\0\0\0\x02");
    head[15] = 128;
    head[19] = u8::try_from(backing.len()).unwrap();
    head[128..128 + backing.len()].copy_from_slice(backing.as_bytes());
    std::fs::write(path, head).unwrap();
}

#[test]
fn a_backing_file_in_the_folder_of_the_store_is_told_from_others() {
    let (folder, path) = source();
    let driver = FakeDriver::new();
    let store = ImageStore::new(&driver);
    store.add(&path, None, &mut ignore).unwrap();
    let overlay = folder.path().join("overlay.qcow2");
    let stored = format!("{IMAGE_FOLDER}/router.raw");
    let cases = [
        (stored.as_str(), BackingPlace::Store),
        ("/elsewhere/router.raw", BackingPlace::Elsewhere),
        ("router.img", BackingPlace::Elsewhere),
    ];
    for (backing, place) in cases {
        write_overlay(&overlay, backing);
        let image = ImageSpec::Path("overlay.qcow2".to_owned());
        let host = Host {
            scope: Scope::Session,
            ..driver.host().unwrap()
        };
        let fact = store.fact(&image, folder.path(), &host).unwrap();
        let ImageFact::Present(image) = fact else {
            panic!("{fact:?}")
        };
        assert_eq!(image.backing, Some((backing.to_owned(), place)));
    }
}

#[test]
fn an_overlay_is_not_added() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("overlay.qcow2");
    write_overlay(&path, "/b");
    let driver = FakeDriver::new();
    let added = ImageStore::new(&driver).add(&path, None, &mut ignore);
    assert!(matches!(added, Err(StoreError::Backing { backing, .. }) if backing == "/b"));
}

#[test]
fn a_broken_add_leaves_no_image_and_no_file() {
    let (_folder, path) = source();
    let mut broken = 0;
    for call in 0..CALL_LIMIT {
        for moment in [Moment::Before, Moment::Midway, Moment::After] {
            let driver = FakeDriver::new();
            driver.add_foreign_image("router.txt", b"precious");
            let dead = ImageStore::of_worker(&driver, dead_worker());
            driver.expect_mishap(Mishap::Crash(call, moment));
            broken += usize::from(dead.add(&path, None, &mut ignore).is_err());
            driver.revive();
            let context = format!("call {call}, {moment:?}");
            let store = ImageStore::new(&driver);
            let listed = names(&store);
            if listed.is_empty() {
                // A note that is half written is cleared by the removal.
                match store.add(&path, None, &mut ignore) {
                    Err(StoreError::Busy(_)) => {
                        store.remove("router").unwrap();
                        store.add(&path, None, &mut ignore).unwrap();
                    }
                    other => drop(other.unwrap()),
                }
            }
            assert_eq!(names(&store), ["router"], "{context}");
            let verified = store.verify("router", &mut ignore).unwrap();
            assert_eq!(verified, Verification::Intact, "{context}");
            assert_eq!(
                files(&driver),
                ["router.json", "router.raw", "router.txt"],
                "{context}"
            );
        }
    }
    assert!(broken >= 12, "the mishaps were hardly reached: {broken}");
}

#[test]
fn a_broken_removal_leaves_a_whole_image_or_none() {
    let (_folder, path) = source();
    for call in 0..CALL_LIMIT {
        for moment in [Moment::Before, Moment::Midway, Moment::After] {
            let driver = FakeDriver::new();
            let dead = ImageStore::of_worker(&driver, dead_worker());
            dead.add(&path, None, &mut ignore).unwrap();
            driver.expect_mishap(Mishap::Crash(call, moment));
            // Whether it came to that is of no account here.
            let _ = dead.remove("router");
            driver.revive();
            let store = ImageStore::new(&driver);
            for image in store.list().unwrap() {
                let verified = store.verify(&image.name, &mut ignore).unwrap();
                assert_eq!(verified, Verification::Intact, "call {call}, {moment:?}");
                store.remove(&image.name).unwrap();
            }
            let left = files(&driver);
            assert!(left.is_empty(), "call {call}, {moment:?}: {left:?}");
        }
    }
}

#[test]
fn the_work_of_a_living_process_is_left_alone() {
    let (_folder, path) = source();
    let driver = FakeDriver::new();
    let living = ImageStore::new(&driver);
    driver.expect_mishap(Mishap::Crash(2, Moment::Midway));
    assert!(living.add(&path, None, &mut ignore).is_err());
    driver.revive();
    let before = files(&driver);
    assert!(before.contains(&"router.changing".to_owned()), "{before:?}");
    assert!(names(&living).is_empty());
    let added = living.add(&path, None, &mut ignore);
    assert!(matches!(added, Err(StoreError::Busy(_))));
    assert_eq!(files(&driver), before);
    living.remove("router").unwrap();
    assert!(files(&driver).is_empty());
}

#[test]
fn files_of_the_user_are_used_where_they_lie_if_qemu_reaches_them() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = source();
    let driver = FakeDriver::new();
    let store = ImageStore::new(&driver);
    let host = driver.host().unwrap();
    let mut session = host.clone();
    session.scope = Scope::Session;
    let spec = ImageSpec::Path("router.img".to_owned());
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    let fact = |host: &_| store.fact(&spec, folder.path(), host).unwrap();
    mode(folder.path(), 0o700);
    let closed = fact(&host);
    assert!(
        matches!(&closed, ImageFact::Unreadable(why) if why.contains("chmod o+x")),
        "{closed:?}"
    );
    mode(folder.path(), 0o711);
    mode(&path, 0o600);
    let closed = fact(&host);
    assert!(
        matches!(&closed, ImageFact::Unreadable(why) if why.contains("chmod o+r")),
        "{closed:?}"
    );
    assert!(matches!(fact(&session), ImageFact::Present(_)));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(fact(&host), ImageFact::Missing(_)));
}
