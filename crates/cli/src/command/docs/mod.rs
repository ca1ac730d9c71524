//! `vnflab docs`: writes the pages that are made from what the program knows.
//!
//! The pages are committed under `docs/`; a test fails when they are stale. Invariant: the same
//! program gives the same bytes, so no page holds a date or anything of this machine.

mod kinds;
mod man;
mod troubleshooting;

use crate::cli::DocsArgs;
use crate::error::{CommandError, ErrorKind};
use std::fs;
use std::io;
use std::path::Path;
use vnflab_model::kind::{self, Catalogue};

pub(super) fn run(arguments: &DocsArgs) -> Result<(), CommandError> {
    write_all(&arguments.folder).map_err(|error| {
        let message = format!("cannot write to `{}`", arguments.folder.display());
        CommandError::new(ErrorKind::Failed, message).caused_by(&error)
    })
}

fn write_all(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    man::write(&folder.join("man"))?;
    let catalogue = Catalogue::embedded();
    fs::write(folder.join("kinds.md"), kinds::overview(&catalogue))?;
    let pages = folder.join("kinds");
    fs::create_dir_all(&pages)?;
    for kind in catalogue.kinds() {
        fs::write(pages.join(format!("{}.md", kind.name)), kinds::page(kind))?;
    }
    fs::write(folder.join("troubleshooting.md"), troubleshooting::page())?;
    let schema = format!("{:#}\n", kind::file_schema());
    fs::write(folder.join("kind.schema.json"), schema)
}
