//! Formats of lab files.
//!
//! Every format ends in the same [`LabSpec`]; nothing behind it knows which one a lab came from.
//! One more format is one more file here and one more line in [`FORMATS`]. Nothing here reads
//! files: whoever does hands over the texts and the names of the files beside them.

mod fields;
pub mod key;
pub mod native;
pub mod origin;
mod schema;

use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::kind::Catalogue;
use crate::name::NAME_LIMIT;
use crate::span::{SourceId, Sources, Span};
use crate::spec::LabSpec;
use std::collections::BTreeSet;

pub(crate) use fields::{printable, shown};

/// What was found where the user pointed.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The path as the user gave it, for messages.
    pub path: String,
    /// The name of the lab's folder, from which a lab without a name takes its own.
    pub folder_name: String,
    /// The lab's files that could be decoded.
    pub files: Vec<InputFile>,
    /// How many of the lab's files could not be decoded, which was reported already.
    pub unread: usize,
    /// Files that exist in the lab's folder, relative to it, with `/` between the parts. Only
    /// what the format asks for needs to be listed: the origin's `files/`.
    pub listing: BTreeSet<String>,
}

impl Input {
    /// A lab that is one text.
    ///
    /// `path` is relative to the lab's folder, and what messages name.
    pub fn of_file(source: SourceId, path: &str, folder_name: &str) -> Self {
        Self {
            path: path.to_owned(),
            folder_name: folder_name.to_owned(),
            files: vec![InputFile {
                source,
                path: path.to_owned(),
            }],
            ..Self::default()
        }
    }
}

/// One file of a lab.
#[derive(Debug, Clone)]
pub struct InputFile {
    /// Its text.
    pub source: SourceId,
    /// Its path relative to the lab's folder, with `/` between the parts.
    pub path: String,
}

impl InputFile {
    /// The file's name without folders and without `.yaml`, `.yml` or `.lab.yaml`.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        let stem = [".yaml", ".yml"]
            .iter()
            .find_map(|ending| name.strip_suffix(ending))
            .unwrap_or(name);
        stem.strip_suffix(".lab").unwrap_or(stem)
    }
}

/// A format of lab files.
pub struct Format {
    /// What it is called.
    pub name: &'static str,
    /// Whether it is the one for this input.
    pub reads: fn(&Input) -> bool,
    /// Reads as much as can be read; without a lab there is at least one error.
    pub read: fn(&Sources, &Input, &Catalogue) -> (Option<LabSpec>, Diagnostics),
}

/// All formats; the first that reads an input gets it.
pub const FORMATS: &[Format] = &[origin::FORMAT, native::FORMAT];

/// Reads a lab in whatever format it is.
pub fn read(
    sources: &Sources,
    input: &Input,
    catalogue: &Catalogue,
) -> (Option<LabSpec>, Diagnostics) {
    match FORMATS.iter().find(|format| (format.reads)(input)) {
        Some(format) => (format.read)(sources, input, catalogue),
        None => {
            let mut found = Diagnostics::default();
            found.push(
                Diagnostic::error(
                    code::NO_LAB,
                    format!("`{}` holds no lab", shown(&input.path)),
                )
                .help("name a lab file, or a folder with a `lab.yaml` or a `nodes/` folder in it"),
            );
            (None, found)
        }
    }
}

/// A valid name made from that of a file or folder: whatever cannot be in a name becomes a
/// hyphen.
fn name_from(text: &str) -> String {
    let name: String = text
        .chars()
        .map(|letter| match letter {
            letter if letter.is_ascii_alphanumeric() => letter,
            _ => '-',
        })
        .take(NAME_LIMIT)
        .collect();
    match name.trim_matches('-') {
        "" => "lab".to_owned(),
        name => name.to_owned(),
    }
}

/// The place for what concerns the first file of a lab as a whole.
fn first_place(input: &Input) -> Option<Span> {
    input.files.first().map(|file| Span::start_of(file.source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;

    #[test]
    fn a_name_taken_from_a_folder_is_always_valid() {
        for text in [
            "my_lab",
            "..",
            "",
            "a b",
            &"x".repeat(99),
            "-ä-",
            "two.words",
        ] {
            assert!(Name::new(name_from(text)).is_ok(), "{text}");
        }
        assert_eq!(name_from("my_lab"), "my-lab");
    }
}
