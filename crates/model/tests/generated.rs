//! Pages and schemas made from the tables are committed, and are not stale.
//! `VNFLAB_UPDATE=1` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};
use vnflab_model::check::check;
use vnflab_model::diagnostic::Diagnostics;
use vnflab_model::facts::Facts;
use vnflab_model::format::{Input, native, origin};
use vnflab_model::kind::Catalogue;
use vnflab_model::resolve::{Resolved, read};
use vnflab_model::span::Sources;

/// What stands around the generated part of a page.
const BEGIN: &str = "<!-- generated: begin -->\n";
const END: &str = "<!-- generated: end -->\n";

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name)
}

/// Compares a file with what it shall hold, or makes it so.
fn hold(name: &str, wanted: &str) {
    let path = docs(name);
    let current = fs::read_to_string(&path).unwrap_or_default();
    if current == wanted {
        return;
    }
    assert!(
        std::env::var_os("VNFLAB_UPDATE").is_some(),
        "docs/{name} is stale; `VNFLAB_UPDATE=1 cargo test -p vnflab-model --test generated` writes it anew"
    );
    fs::write(&path, wanted).expect("the docs can be written");
}

/// The same for the generated part of a page.
fn hold_part(name: &str, part: &str) {
    let page = fs::read_to_string(docs(name)).expect("the page is there");
    let (before, rest) = page.split_once(BEGIN).expect("the page has the marks");
    let (_, after) = rest.split_once(END).expect("the page has both marks");
    hold(name, &format!("{before}{BEGIN}{part}{END}{after}"));
}

#[test]
fn the_schema_of_lab_files_is_not_stale() {
    hold(
        "lab-file.schema.json",
        &format!("{:#}\n", native::json_schema()),
    );
}

#[test]
fn the_reference_of_lab_files_is_not_stale() {
    hold_part("lab-file.md", &native::reference());
}

#[test]
fn the_reference_of_node_files_is_not_stale() {
    hold_part("coming-from-the-origin.md", &origin::reference());
}

#[test]
fn every_lab_in_the_reference_is_read_without_a_word() {
    labs_are_read_without_a_word("lab-file.md");
    labs_are_read_without_a_word("checks.md");
}

fn labs_are_read_without_a_word(page: &str) {
    let page = fs::read_to_string(docs(page)).expect("the page is there");
    let blocks: Vec<&str> = page
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or(rest))
        .collect();
    assert!(blocks.len() >= 3, "{}", blocks.len());
    for block in blocks {
        let mut sources = Sources::default();
        let source = sources.add("lab.yaml", block);
        let input = Input::of_file(source, "lab.yaml", "lab");
        let Resolved { lab, found, .. } = read(&sources, &input, &Catalogue::embedded());
        assert_eq!(found, Diagnostics::default(), "{block}");
        let lab = lab.expect("there were no mistakes");
        assert_eq!(
            check(&lab, &Facts::default()),
            Diagnostics::default(),
            "{block}"
        );
    }
}
