//! Files that impairments name: missing, unreadable, or not of their format.

use super::{Rule, configuration};
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::{Facts, FileFact};
use crate::format::shown;
use crate::lab::{Lab, NamedFile};
use std::collections::BTreeSet;
use vnflab_impairment::Settings;

pub(super) const RULE: Rule = Rule {
    title: "files of impairments that cannot be used",
    check,
};

fn check(lab: &Lab, facts: &Facts, found: &mut Diagnostics) {
    let mut told: BTreeSet<(&str, &str)> = BTreeSet::new();
    for file in lab.impairment_files() {
        let Some(fact) = facts.files.get(&file.path) else {
            continue;
        };
        if told.insert((file.key, &file.path))
            && let Some(mistake) = mistake(file, fact)
        {
            found.push(mistake);
        }
    }
}

fn mistake(file: &NamedFile, fact: &FileFact) -> Option<Diagnostic> {
    if let Some(diagnostic) = configuration::file(&file.path, fact, file.span) {
        return Some(diagnostic);
    }
    let FileFact::Present {
        content: Some(content),
        ..
    } = fact
    else {
        return None;
    };
    let content = std::str::from_utf8(content).ok()?;
    let mut settings = Settings::default();
    // The value that names the file, as the setting itself writes it.
    settings.set(file.key, &file.value).ok()?;
    let error = settings.attach(file.key, content).err()?;
    let text: String = error
        .to_string()
        .chars()
        .filter(|letter| !letter.is_control())
        .collect();
    Some(
        Diagnostic::error(
            code::INVALID_FILE,
            format!("the file `{}` is not of its format", shown(&file.path)),
        )
        .at(file.span, text)
        .help(format!(
            "`vnflab explain {}` says what it holds",
            code::INVALID_FILE.id
        )),
    )
}
