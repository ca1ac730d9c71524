//! The page of all codes: what each means and what to do.

use std::fmt::Write;
use vnflab_engine::doctor;
use vnflab_model::code;

const HEAD: &str = "\
# Troubleshooting

<!-- Made by `vnflab docs docs` from the tables of codes. -->

`vnflab doctor` looks at this host and prints the command that mends what it misses. Every mistake
in a lab and every check of the doctor has a code; `vnflab explain CODE` prints the section below.

## The host

";

/// The whole page.
pub(super) fn page() -> String {
    let mut page = HEAD.to_owned();
    for check in doctor::ALL {
        section(&mut page, check.id, check.title, check.explanation);
    }
    page.push_str("## The lab\n\n");
    for code in code::ALL {
        section(&mut page, code.id, code.title, code.explanation);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn section(page: &mut String, id: &str, title: &str, explanation: &str) {
    let _ = write!(page, "### {id}: {title}\n\n{explanation}\n\n");
}
