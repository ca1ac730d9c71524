//! Whatever is in a file: no reader panics, every place that is pointed at exists, and a lab
//! that comes out without an error is one that holds together. `PROPTEST_CASES=100000` looks
//! longer.

use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use vnflab_model::check::check;
use vnflab_model::facts::Facts;
use vnflab_model::format::Input;
use vnflab_model::kind::Catalogue;
use vnflab_model::resolve::{Resolved, read};
use vnflab_model::span::Sources;
use vnflab_model::yaml::decode;

/// All lab files of the test cases and of the examples.
fn corpus() -> Vec<Vec<u8>> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                collect(&path, files);
            } else if path.extension().is_some_and(|ending| ending == "yaml") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("tests/cases"), &mut files);
    collect(&root.join("../../examples"), &mut files);
    files.sort();
    assert!(files.len() > 50);
    files
        .iter()
        .map(|file| fs::read(file).expect("a readable file"))
        .collect()
}

/// Reads the bytes in every format, and looks at what comes out.
fn exercise(bytes: &[u8]) {
    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::embedded);
    for path in ["lab.yaml", "nodes/r1.yaml"] {
        let mut sources = Sources::default();
        let Ok(source) = decode(&mut sources, path, bytes) else {
            continue;
        };
        let input = Input::of_file(source, path, "lab");
        let Resolved {
            lab,
            remains,
            mut found,
        } = read(&sources, &input, &CATALOGUE);
        assert_ne!(lab.is_some(), found.has_errors());
        if let Some(lab) = lab.or(remains) {
            for link in &lab.links {
                let [left, right] = link.ends;
                assert_ne!(left, right);
                // Panics where an end does not exist.
                let _ = (lab.interface(left), lab.interface(right));
            }
            found.extend(check(&lab, &Facts::default()));
        }
        for diagnostic in found.iter() {
            let text = &sources.source(source).text;
            for label in diagnostic.primary.iter().chain(&diagnostic.secondary) {
                let range = label.span.start as usize..label.span.end as usize;
                let covered = text.get(range).expect("a span lies in the text");
                assert!(!covered.contains('\n'), "{diagnostic:?}");
            }
            let words = std::iter::once(&diagnostic.message).chain(&diagnostic.help);
            assert!(
                words
                    .into_iter()
                    .all(|text| !text.contains(char::is_control))
            );
        }
    }
}

/// One change to a file.
#[derive(Debug, Clone)]
enum Edit {
    Delete(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    Swap(prop::sample::Index, prop::sample::Index),
}

/// What is put in: bytes that mean something in YAML, letters of several bytes, and any.
fn insertion() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        ":",
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&a ",
        "*a",
        "<<: ",
        "!x ",
        "|\n",
        ">\n ",
        "\"",
        "'",
        "#",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "---\n",
        "...\n",
        "% ",
        "? ",
        "~",
        "ä",
        "漢",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "\\",
        "\0",
        "eth1",
        "--",
        "99999999999999999999",
        "-1",
        "10000",
    ];
    prop_oneof![
        4 => prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..8),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), 1_usize..20).prop_map(|(at, length)| Edit::Delete(at, length)),
        (at(), 1_usize..40).prop_map(|(at, length)| Edit::Repeat(at, length)),
        (at(), insertion()).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (at(), at()).prop_map(|(one, other)| Edit::Swap(one, other)),
    ]
}

fn apply(bytes: &mut Vec<u8>, edit: &Edit) {
    if bytes.is_empty() {
        return;
    }
    let range = |at: &prop::sample::Index, length: usize| {
        let start = at.index(bytes.len());
        start..(start + length).min(bytes.len())
    };
    match edit {
        Edit::Delete(at, length) => {
            bytes.drain(range(at, *length));
        }
        Edit::Repeat(at, length) => {
            let range = range(at, *length);
            let copy = bytes[range.clone()].to_vec();
            bytes.splice(range.start..range.start, copy);
        }
        Edit::Insert(at, new) => {
            let start = at.index(bytes.len());
            bytes.splice(start..start, new.iter().copied());
        }
        Edit::Swap(one, other) => {
            let (one, other) = (one.index(bytes.len()), other.index(bytes.len()));
            bytes.swap(one, other);
        }
    }
}

proptest! {
    #[test]
    fn files_that_were_good_once_do_no_harm(
        file in prop::sample::select(corpus()),
        edits in prop::collection::vec(edit(), 1..6),
    ) {
        let mut bytes = file;
        for edit in &edits {
            apply(&mut bytes, edit);
        }
        exercise(&bytes);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        exercise(&bytes);
    }

    #[test]
    fn arbitrary_yaml_does_no_harm(pieces in prop::collection::vec(insertion(), 0..60)) {
        exercise(&pieces.concat());
    }
}

#[test]
fn every_file_of_the_corpus_does_no_harm() {
    for bytes in corpus() {
        exercise(&bytes);
    }
}
