//! A first configuration that no medium brings: it is typed on the console, once.

use crate::harness::guest;
use crate::harness::lab::Lab;
use crate::harness::stage::Stage;
use crate::harness::witness::{DIALOGUES, Fingerprint};
use libtest_mimic::Trial;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// What is typed on the console of `typed`, behind what its kind says.
pub(super) const CONFIGURATION: &str = "\
vtysh -c 'configure terminal' -c 'interface eth1' -c 'ip address 10.90.3.2/24'
";

pub(super) fn trials(routers: &Arc<Stage<Lab>>) -> Vec<Trial> {
    let name = "configuration_is_typed_on_a_console_once_and_the_dialogue_is_kept";
    vec![routers.trial(name, was_typed)]
}

fn was_typed(lab: &Lab) {
    let domain = lab.domain("typed");
    let record = Path::new(DIALOGUES).join(format!("{domain}.log"));
    let dialogue = fs::read_to_string(&record).unwrap();
    // Long lines are wrapped there.
    for text in ["login: admin", "hostname by-console", "-c 'interface eth1'"] {
        assert!(dialogue.contains(text), "no `{text}` in\n{dialogue}");
    }
    // It logs in with the key that was typed.
    assert_eq!(guest::ask(lab, "typed", "hostname"), "by-console\n");
    guest::ask(lab, "disk", "ping -c 1 -W 5 10.90.3.2");

    let before = Fingerprint::of(&record);
    let again = lab.run("provision", &["--json"]).json("provision");
    assert_eq!(again["nodes"].as_array().unwrap().len(), 0, "{again}");
    lab.up().expect_said("nothing to do");
    assert_eq!(Fingerprint::of(&record), before);
}
