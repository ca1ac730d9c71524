//! The image store on real libvirt: as root on the system's, as anybody else on one's own.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use vnflab_engine::driver::libvirt::LibvirtDriver;
use vnflab_engine::driver::{Driver, Overlay};
use vnflab_engine::image::store::{ImageStore, StoreError, Verification};
use vnflab_testkit::Proof;

const NAME: &str = "vnflab-test-image";

fn main() {
    let unreachable = LibvirtDriver::connect(None).err();
    vnflab_testkit::run(vec![Proof {
        name: "libvirts_pool_keeps_images",
        unmet: unreachable.map(|error| error.to_string()),
        test: libvirts_pool_keeps_images,
    }]);
}

fn has(store: &ImageStore<'_>) -> bool {
    store.list().unwrap().iter().any(|image| image.name == NAME)
}

fn libvirts_pool_keeps_images() {
    let driver = LibvirtDriver::connect(None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("router.img");
    // Several packets of the connection, and not a whole number of them.
    let content: Vec<u8> = (0..1_000_003_u32).map(|at| (at % 251) as u8).collect();
    std::fs::write(&path, &content).unwrap();
    let store = ImageStore::new(&driver);
    // What an earlier run that failed may have left.
    let _ = store.remove(NAME);
    let mut told = Vec::new();
    let image = store
        .add(&path, Some(NAME), &mut |done, _| told.push(done))
        .unwrap();
    assert!(told.len() > 2 && told.is_sorted(), "{told:?}");
    assert_eq!(std::fs::read(&image.path).unwrap(), content);
    let mode = std::fs::metadata(&image.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o444);
    assert!(has(&store));
    let verified = store.verify(NAME, &mut |_, _| {}).unwrap();
    assert_eq!(verified, Verification::Intact);
    let again = store.add(&path, Some(NAME), &mut |_, _| {});
    assert!(matches!(again, Err(StoreError::Exists(_))), "{again:?}");

    let volume = "vnflab1.vnflab-test.image.disk.qcow2".to_owned();
    let overlay = Overlay {
        volume: volume.clone(),
        image_path: image.path.clone(),
        image_format: "raw".to_owned(),
        size_bytes: 1 << 20,
    };
    driver.create_overlay(&overlay).unwrap();
    let in_use = store.remove(NAME);
    driver.delete_volume(&volume).unwrap();
    assert!(
        matches!(in_use, Err(StoreError::InUse { .. })),
        "{in_use:?}"
    );
    store.remove(NAME).unwrap();
    assert!(!has(&store));
    assert!(!Path::new(&image.path).exists());
}
