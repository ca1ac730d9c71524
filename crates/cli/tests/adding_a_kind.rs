//! The worked example of `docs/adding-a-kind.md` is what it says.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use assert_cmd::cargo::cargo_bin;
use std::fs;
use std::path::Path;
use std::process::Command;

const GUIDE: &str = include_str!("../../../docs/adding-a-kind.md");

/// The text of the block that begins with a fence.
fn block(fence: &str) -> &'static str {
    let (_, after) = GUIDE.split_once(&format!("```{fence}\n")).unwrap();
    after.split_once("```").unwrap().0
}

fn vnflab(folder: &Path, arguments: &[&str]) -> std::process::Output {
    Command::new(cargo_bin("vnflab"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .output()
        .unwrap()
}

#[test]
fn the_worked_example_is_a_kind_without_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = folder.join("acme-r2.yaml");
    fs::write(&file, block("yaml acme-r2.yaml")).unwrap();
    let (command, said) = block("console").split_once('\n').unwrap();
    let arguments: Vec<_> = command.trim_start_matches("$ vnflab ").split(' ').collect();
    let checked = vnflab(folder, &arguments);
    assert!(checked.status.success());
    assert_eq!(String::from_utf8(checked.stderr).unwrap(), said);

    let xml = vnflab(folder, &["kinds", "check", "acme-r2.yaml", "--xml"]);
    let xml = String::from_utf8(xml.stdout).unwrap();
    for part in ["machine='q35'", "firmware='efi'", "type=1,uuid=3f0b2b3c"] {
        assert!(xml.contains(part), "{part}: {xml}");
    }
    // Management is there in its own way; the dummy and four data interfaces follow.
    assert_eq!(xml.matches("<interface type='udp'>").count(), 5, "{xml}");

    let kinds = folder.to_str().unwrap();
    let shown = vnflab(folder, &["--kinds", kinds, "kinds", "acme"]);
    assert!(shown.status.success(), "it is found by an alias");
    let lab =
        "name: acme\nnodes: {a: {kind: r2}, b: {kind: acme-r2}}\nlinks: [a:slot0/3 -- b:p16]\n";
    fs::create_dir(folder.join("lab")).unwrap();
    fs::write(folder.join("lab/lab.yaml"), lab).unwrap();
    let socket = "qemu+unix:///system?socket=/nonexistent/socket";
    let arguments = ["--kinds", kinds, "--connect", socket, "check", "lab"];
    let checked = vnflab(folder, &arguments);
    let said = String::from_utf8(checked.stderr).unwrap();
    assert!(checked.status.success(), "{said}");
    assert!(said.contains("note: `acme-r2`: The first boot"), "{said}");
}
