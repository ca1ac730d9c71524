//! `vnflab kinds`: what kinds of nodes there are.

use crate::cli::{Global, KindsArgs, KindsCheckArgs, KindsCommand};
use crate::context;
use crate::error::{CommandError, ErrorKind};
use crate::render::{self, Screen};
use vnflab_model::kind::check_file;
use vnflab_model::span::Sources;

pub(super) fn run(
    global: &Global,
    arguments: &KindsArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    if let Some(KindsCommand::Check(arguments)) = &arguments.command {
        return check(global, arguments, screen);
    }
    if arguments.schema {
        return render::schema(screen, &vnflab_model::kind::file_schema());
    }
    let catalogue = context::catalogue(global)?;
    match &arguments.name {
        None => render::kinds::list(screen, &catalogue),
        Some(name) => match catalogue.find(name) {
            Some(kind) => render::kinds::one(screen, kind),
            None => Err(CommandError::unknown("kind", name, catalogue.names())
                .hint("`vnflab kinds` lists all.")),
        },
    }
}

fn check(global: &Global, arguments: &KindsCheckArgs, screen: &Screen) -> Result<(), CommandError> {
    let (path, text) = context::read_kind(&arguments.file).map_err(|error| {
        let message = format!("`{}` cannot be read", arguments.file.display());
        CommandError::new(ErrorKind::Lab, message).caused_by(&error)
    })?;
    let mut others = context::overlay(global)?;
    // The same file may be one of the folder's, under another path.
    let is_same = |other: &str| {
        let real = |path: &std::path::Path| std::fs::canonicalize(path).ok();
        real(std::path::Path::new(other)) == real(&arguments.file)
    };
    others.retain(|(other, _)| !is_same(other));
    let mut sources = Sources::default();
    let file = sources.add(&path, text);
    let checked = check_file(&sources, file, &others);
    render::kinds::checked(screen, &sources, &path, &checked, arguments.xml)?;
    match checked.found.has_errors() {
        true => Err(CommandError::silent(ErrorKind::Lab)),
        false => Ok(()),
    }
}
