//! The reference page is made from the tables, and is not stale. `VNFLAB_UPDATE=1` writes it anew.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use vnflab_impairment::{Impairment, KEYS, PROFILES, Settings};

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/impairments.md")
}

fn read() -> String {
    fs::read_to_string(page()).expect("the page is there")
}

/// Compares a generated part of the page with what it shall be, or makes it so.
fn hold_part(name: &str, wanted: &str) {
    let (begin, end) = (
        format!("<!-- generated: begin{name} -->\n"),
        format!("<!-- generated: end{name} -->\n"),
    );
    let text = read();
    let (before, rest) = text.split_once(&begin).expect("the page has the mark");
    let (current, after) = rest.split_once(&end).expect("the page has both marks");
    if current == wanted {
        return;
    }
    assert!(
        std::env::var_os("VNFLAB_UPDATE").is_some(),
        "docs/impairments.md is stale; `VNFLAB_UPDATE=1 cargo test -p vnflab-impairment --test generated -- --test-threads=1` writes it anew"
    );
    fs::write(page(), format!("{before}{begin}{wanted}{end}{after}")).expect("docs can be written");
}

/// A text as code in a table, where a bar would end the cell.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

#[test]
fn the_table_of_settings_is_not_stale() {
    let mut table = "| setting | form | example | what it does |\n|---|---|---|---|\n".to_owned();
    for key in KEYS {
        let (name, form, example) = (code(key.name), code(key.form), code(key.example));
        writeln!(table, "| {name} | {form} | {example} | {} |", key.doc).expect("text takes all");
    }
    hold_part("", &table);
}

#[test]
fn the_table_of_profiles_is_not_stale() {
    let mut table = "| profile | what it is | settings | source |\n|---|---|---|---|\n".to_owned();
    for profile in PROFILES {
        let entries = profile.entries.iter();
        let entries: Vec<String> = entries
            .map(|(key, value)| code(&format!("{key} {value}")))
            .collect();
        let (name, entries) = (code(profile.name), entries.join(", "));
        writeln!(
            table,
            "| {name} | {} | {entries} | {} |",
            profile.doc, profile.source
        )
        .expect("text takes all");
    }
    hold_part(" profiles", &table);
}

#[test]
fn every_command_on_the_page_asks_for_what_there_is() {
    let text = read();
    let mut commands = 0;
    for line in text
        .lines()
        .filter(|line| line.starts_with("vnflab link set "))
    {
        // Odd pieces are within quotes; blanks there belong to the value.
        let pieces = line.split('"').enumerate();
        let words: Vec<String> = pieces
            .flat_map(|(index, piece)| match index % 2 {
                0 => piece.split_whitespace().map(str::to_owned).collect(),
                _ => vec![piece.to_owned()],
            })
            .collect();
        let mut settings = Settings::default();
        for pair in words[4..].chunks(2) {
            let flag = pair[0].strip_prefix("--").expect("a flag");
            if flag != "from" {
                settings.set(flag, &pair[1]).expect(line);
            }
        }
        assert_eq!(settings.check(), [], "{line}");
        commands += 1;
    }
    assert!(commands >= 3, "{commands}");
}

#[test]
fn the_json_on_the_page_is_read() {
    let text = read();
    let (_, rest) = text.split_once("```json\n").expect("a block");
    let (json, _) = rest.split_once("```").expect("its end");
    let impairment: Impairment = serde_json::from_str(json).expect("an impairment");
    assert_eq!(impairment.check(), []);
}
