//! `vnflab kinds`: what kinds of nodes there are.

use crate::cli::{Global, KindsArgs};
use crate::context;
use crate::error::CommandError;
use crate::render::{self, Screen};

pub(super) fn run(
    global: &Global,
    arguments: &KindsArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
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
