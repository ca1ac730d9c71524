//! Every code has a bad case, and the whole text that it leads to is a snapshot beside it.
//!
//! A case is a file or folder `CODE-WORDS` among the model's test cases. What it needs to know
//! of the world is in [`facts`] below. A new code without a case fails here.

use super::{text, to_json};
use crate::render::paint::Paint;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use vnflab_engine::load::load;
use vnflab_model::blueprint::Accelerator;
use vnflab_model::check::check;
use vnflab_model::code;
use vnflab_model::diagnostic::Diagnostics;
use vnflab_model::facts::{
    BackingPlace, DiskFormat, Facts, FileFact, ImageDetails, ImageFact, ImageKey,
};
use vnflab_model::format;
use vnflab_model::kind::{Catalogue, check_file};
use vnflab_model::resolve::{Resolved, read};
use vnflab_model::span::Sources;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../model/tests/cases")
        .join(name)
}

/// The cases of a folder: everything but the snapshots.
fn cases(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("the cases are there")
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".snap") && !name.ends_with(".snap.new"))
        .collect();
    names.sort();
    names
}

/// Reads, resolves and checks, as `vnflab check` does.
fn run(folder: &Path, case: &str) -> (Sources, Diagnostics) {
    let loaded = load(&folder.join(case));
    let mut found = loaded.diagnostics;
    let catalogue = Catalogue::embedded();
    let read = loaded
        .input
        .map(|input| read(&loaded.sources, &input, &catalogue));
    let resolved = read.unwrap_or_default();
    found.extend(resolved.found);
    if let Some(lab) = resolved.lab.or(resolved.remains) {
        found.extend(check(&lab, &facts(case)));
    }
    found.sort();
    (loaded.sources, found)
}

/// What the world is like in a case.
fn facts(case: &str) -> Facts {
    let mut facts = Facts {
        this_source: "here/lab.yaml".to_owned(),
        ..Facts::default()
    };
    let disk = ImageDetails {
        path: "/images/r1.qcow2".to_owned(),
        format: DiskFormat::Qcow2,
        named_format: Some(DiskFormat::Qcow2),
        virtual_size_bytes: 1 << 30,
        backing: None,
    };
    let mut image = |fact| {
        let key = ImageKey::Path("images/r1.qcow2".to_owned());
        facts.images.insert(key, fact);
    };
    match case.split('.').next().unwrap_or(case) {
        "L0107-config" => {
            let content = Some(vec![0xff, 0xfe]);
            let path = "/lab/r1.cfg".to_owned();
            let fact = FileFact::Present { path, content };
            facts.files.insert("r1.cfg".to_owned(), fact);
        }
        "L0108-config" => {
            let gone = "is a folder".to_owned();
            facts.files.insert("r1.cfg".to_owned(), FileFact::Missing);
            facts
                .files
                .insert("r2.cfg".to_owned(), FileFact::Unreadable(gone));
        }
        "L0215-console" => {
            facts.tcp_taken.insert("0.0.0.0:2001".parse().unwrap());
        }
        "L0215-tunnel" => {
            facts.udp_taken.insert("127.0.0.1:10201".parse().unwrap());
        }
        "L0228-trace" => {
            for (name, text) in [("train.up", "1\n2\nthree\n"), ("mine.dist", "1 x\n")] {
                let content = Some(text.as_bytes().to_vec());
                let path = format!("/lab/{name}");
                let fact = FileFact::Present { path, content };
                facts.files.insert(name.to_owned(), fact);
            }
            facts.files.insert("gone.up".to_owned(), FileFact::Missing);
        }
        "L0301-path" => image(ImageFact::Missing(vec!["/lab/images/r1.qcow2".to_owned()])),
        "L0301-stored" => {
            let fact = ImageFact::Missing(Vec::new());
            facts
                .images
                .insert(ImageKey::Stored("frr".to_owned()), fact);
        }
        "L0301-parts" => {
            for name in ["vmx", "forward", "vqfx", "vqfx-pfe"] {
                let missing = ImageFact::Missing(vec![format!("/store/{name}")]);
                facts
                    .images
                    .insert(ImageKey::Stored(name.to_owned()), missing);
            }
        }
        "L0302-image" => image(ImageFact::Unreadable("permission denied".to_owned())),
        "L0303-image" => image(ImageFact::Present(ImageDetails {
            format: DiskFormat::Raw,
            ..disk
        })),
        "L0303-iso" => image(ImageFact::Present(ImageDetails {
            format: DiskFormat::Iso,
            named_format: None,
            ..disk
        })),
        "L0304-image" => image(ImageFact::Present(ImageDetails {
            backing: Some(("/home/me/base.qcow2".to_owned(), BackingPlace::Elsewhere)),
            ..disk
        })),
        "L0604-emulated" => facts.accelerator = Some(Accelerator::Tcg),
        "L0305-memory" => facts.memory_available_mib = Some(7000),
        "L0310-limit" => facts.no_cpu_limits = Some("a user's libvirt limits no CPUs".to_owned()),
        "L0306-cpus" => facts.cpus = Some(2),
        "L0307-running" => {
            facts
                .labs
                .insert("ring".to_owned(), "there/lab.yaml".to_owned());
        }
        "L0204-all-at-once" => {
            let gone = ImageKey::Stored("gone".to_owned());
            facts.images.insert(gone, ImageFact::Missing(Vec::new()));
            facts.files.insert("gone.cfg".to_owned(), FileFact::Missing);
            for (name, text) in [
                ("malformed.j2", "{% if x %}\n"),
                (
                    "peer.j2",
                    "description {{ node.interfaces[1].peer.node }}\n",
                ),
            ] {
                let content = Some(text.as_bytes().to_vec());
                let path = format!("/lab/{name}");
                let fact = FileFact::Present { path, content };
                facts.files.insert(name.to_owned(), fact);
            }
        }
        "L0801-template" => {
            for (name, text) in [
                (
                    "router.j2",
                    "hostname {{ node.name }}\nrouter-id {{ node.loopbak }}\n",
                ),
                (
                    "malformed.j2",
                    "{% for interface in node.interfaces %}\nx\n",
                ),
            ] {
                let content = Some(text.as_bytes().to_vec());
                let path = format!("/lab/{name}");
                let fact = FileFact::Present { path, content };
                facts.files.insert(name.to_owned(), fact);
            }
        }
        "L0802-large" => {
            let content = Some(vec![b'!'; 9 * 1024 * 1024]);
            let path = "/lab/large.cfg".to_owned();
            let fact = FileFact::Present { path, content };
            facts.files.insert("large.cfg".to_owned(), fact);
        }
        _ => {}
    }
    facts
}

/// Checks a kind's file, as `vnflab kinds check` does.
fn run_kind(folder: &Path, case: &str) -> (Sources, Diagnostics) {
    let path = folder.join(case);
    let text = fs::read_to_string(&path).unwrap();
    let mut sources = Sources::default();
    let file = sources.add(path.display().to_string(), text);
    let checked = check_file(&sources, file, &[]);
    (sources, checked.found)
}

#[test]
fn every_bad_case_is_explained() {
    explain("bad", run);
    explain("bad-kinds", run_kind);
}

fn explain(folder_name: &str, run: fn(&Path, &str) -> (Sources, Diagnostics)) {
    let folder = folder(folder_name);
    for case in cases(&folder) {
        let (sources, found) = run(&folder, &case);
        let code = case.split('-').next().unwrap();
        assert!(
            found.iter().any(|one| one.code.id == code),
            "{case} does not lead to {code}: {found:#?}"
        );
        // The folder's own path is different on every machine.
        let prefix = format!("{}/", folder.display());
        let shown = text(&sources, &found, Paint::plain()).replace(&prefix, "");
        let name = case.trim_end_matches(".yaml");
        insta::with_settings!({
            snapshot_path => &folder,
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(name, shown);
        });
    }
}

#[test]
fn every_code_has_a_bad_case() {
    let covered: BTreeSet<String> = ["bad", "bad-kinds"]
        .iter()
        .flat_map(|name| cases(&folder(name)))
        .map(|case| case.split('-').next().unwrap_or(&case).to_owned())
        .collect();
    let missing: Vec<_> = code::ALL
        .iter()
        .map(|code| code.id)
        .filter(|id| !covered.contains(*id))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn every_good_case_is_read_without_a_word() {
    let folder = folder("good");
    for case in cases(&folder) {
        let (sources, found) = run(&folder, &case);
        assert_eq!(text(&sources, &found, Paint::plain()), "", "{case}");
    }
}

#[test]
fn mistakes_as_json_have_their_places() {
    let folder = folder("bad");
    let (sources, found) = run(&folder, "L0204-kind.yaml");
    let json = serde_json::to_value(to_json(&sources, &found)).unwrap();
    let first = &json[0];
    assert_eq!(first["code"], "L0204");
    assert_eq!(first["severity"], "error");
    assert_eq!((&first["line"], &first["column"]), (&3.into(), &14.into()));
    assert_eq!(first["end-column"], 17);
    assert_eq!(first["labels"][0]["text"], "not known");
}

#[test]
fn what_a_file_says_cannot_paint_on_the_terminal() {
    let mut sources = Sources::default();
    let source = sources.add(
        "x\u{1b}[31m.yaml",
        "nodes:\n  r1: {kind: \"e\u{1b}[31mso\"}\n",
    );
    let input = format::Input::of_file(source, "x.yaml", "lab");
    let Resolved { found, .. } = read(&sources, &input, &Catalogue::embedded());
    let shown = text(&sources, &found, Paint::plain());
    assert!(!shown.is_empty() && !shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn mistakes_in_large_files_are_shown_in_little_time() {
    let mut text_of_file = "nodes:\n".to_owned();
    for number in 0..20_000 {
        text_of_file.push_str(&format!("  n{number}: {{kind: eso, bad: {number}}}\n"));
    }
    let mut sources = Sources::default();
    let source = sources.add("large.yaml", text_of_file);
    let input = format::Input::of_file(source, "large.yaml", "lab");
    let (_, found) = format::read(&sources, &input, &Catalogue::embedded());
    let shown = text(&sources, &found, Paint::plain());
    assert!(shown.contains("... and 19800 more") && shown.contains("20000 errors, 0 warnings"));
}
