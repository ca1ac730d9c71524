//! `vnflab explain`: what a code means.

use crate::cli::ExplainArgs;
use crate::error::CommandError;
use crate::render::explain::Explanation;
use crate::render::{self, Screen};
use vnflab_engine::doctor;
use vnflab_model::code;

pub(super) fn run(arguments: &ExplainArgs, screen: &Screen) -> Result<(), CommandError> {
    let codes = all();
    let Some(wanted) = &arguments.code else {
        return render::explain::list(screen, &codes);
    };
    match codes
        .iter()
        .find(|code| code.code.eq_ignore_ascii_case(wanted))
    {
        Some(code) => render::explain::one(screen, code),
        None => {
            let known = codes.iter().map(|code| code.code);
            Err(CommandError::unknown("code", wanted, known).hint("`vnflab explain` lists all."))
        }
    }
}

/// The codes of lab files, then those of the doctor.
pub(crate) fn all() -> Vec<Explanation> {
    let labs = code::ALL.iter().map(|code| Explanation {
        code: code.id,
        title: code.title,
        explanation: code.explanation,
    });
    let host = doctor::ALL.iter().map(|check| Explanation {
        code: check.id,
        title: check.title,
        explanation: check.explanation,
    });
    labs.chain(host).collect()
}
