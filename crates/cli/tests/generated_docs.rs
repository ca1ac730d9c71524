//! The pages under docs/ that the program makes are those that it would make now.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use assert_cmd::cargo::cargo_bin;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All files below a folder, by their path in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(current).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(folder).unwrap().to_owned();
                    found.insert(name, fs::read(&path).unwrap());
                }
            }
        }
    }
    found
}

#[test]
fn the_committed_pages_are_fresh() {
    let made = tempfile::tempdir().unwrap();
    let status = Command::new(cargo_bin("vnflab"))
        .arg("docs")
        .arg(made.path())
        .env("COLUMNS", "20")
        .status()
        .unwrap();
    assert!(status.success());
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let fresh = files(made.path());
    let committed = files(&docs);
    let stale: Vec<_> = fresh
        .iter()
        .filter(|(name, content)| committed.get(*name) != Some(content))
        .map(|(name, _)| name)
        .collect();
    let left_over: Vec<_> = committed
        .keys()
        .filter(|name| name.starts_with("man") && !fresh.contains_key(*name))
        .collect();
    assert!(
        stale.is_empty() && left_over.is_empty(),
        "run `cargo run -p vnflab-cli -- docs docs`: stale {stale:?}, left over {left_over:?}"
    );
}
