//! The links of a running wire, written as a lab file has them.

use std::fmt::Write as _;
use vnflab_impairment::{Action, Impairment, MarkovSpec, Rule, Settings};
use vnflab_wire::{Config, JunctionConfig, JunctionKind, LinkState};

/// `links:` and `segments:` of a lab file.
pub(super) fn links(config: &Config) -> String {
    let of_kind = |link: bool| {
        let junctions = config.junctions.iter();
        junctions.filter(move |(_, one)| (one.kind == JunctionKind::Link) == link)
    };
    let mut text = String::from("links:\n");
    for (_, link) in of_kind(true) {
        write_link(&mut text, link);
    }
    if of_kind(false).next().is_some() {
        text.push_str("segments:\n");
    }
    for (name, segment) in of_kind(false) {
        write_segment(&mut text, name, segment);
    }
    text
}

fn push(text: &mut String, indent: usize, line: &str) {
    writeln!(text, "{:indent$}{line}", "").expect("a string takes it");
}

/// A word as a YAML scalar that is text, whatever is in it.
fn quoted(word: &str) -> String {
    serde_json::to_string(word).expect("text is JSON, and JSON is YAML")
}

fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

fn write_link(text: &mut String, link: &JunctionConfig) {
    if let ([a, b], true) = (&link.members[..], asks_nothing(link)) {
        return push(text, 2, &format!("- {}", quoted(&format!("{a} -- {b}"))));
    }
    push(text, 2, &format!("- endpoints: {}", list(&link.members)));
    write_asked(text, link);
}

fn write_segment(text: &mut String, name: &str, segment: &JunctionConfig) {
    push(text, 2, &format!("{}:", quoted(name)));
    push(text, 4, &format!("members: {}", list(&segment.members)));
    match segment.kind {
        JunctionKind::Hub => push(text, 4, "mode: hub"),
        JunctionKind::Switch {
            ageing_seconds,
            addresses,
        } => {
            push(text, 4, &format!("ageing: {ageing_seconds}s"));
            push(text, 4, &format!("addresses: {addresses}"));
        }
        JunctionKind::Link => {}
    }
    write_asked(text, segment);
}

fn asks_nothing(junction: &JunctionConfig) -> bool {
    junction.state == LinkState::Up && junction.impairments.is_empty()
}

fn write_asked(text: &mut String, junction: &JunctionConfig) {
    if junction.state == LinkState::Down {
        push(text, 4, "state: down");
    }
    let nothing = Impairment::default();
    let asked: Vec<(&String, &Impairment)> = junction
        .members
        .iter()
        .map(|member| (member, junction.impairments.get(member).unwrap_or(&nothing)))
        .collect();
    let Some((_, first)) = asked.first() else {
        return;
    };
    if asked.iter().all(|(_, one)| one.settings == first.settings) {
        if first.settings != Settings::default() {
            push(
                text,
                4,
                &format!("impairment: {}", mapping(&first.settings)),
            );
        }
    } else {
        push(text, 4, "impairment-from:");
        for (member, one) in &asked {
            push(
                text,
                6,
                &format!("{}: {}", quoted(member), mapping(&one.settings)),
            );
        }
    }
    if asked.iter().all(|(_, one)| one.rules == first.rules) {
        write_rules(text, &[(None, &first.rules)]);
    } else {
        let of_each = asked
            .iter()
            .map(|(member, one)| (Some(*member), &one.rules));
        write_rules(text, &of_each.collect::<Vec<_>>());
    }
    // A lab file has one schedule and one set of states for all members.
    let with =
        |has: fn(&Impairment) -> bool| asked.iter().map(|(_, one)| *one).find(|one| has(one));
    if let Some(one) = with(|one| !one.schedule.is_empty()) {
        write_schedule(text, one);
    }
    if let Some(markov) = with(|one| one.markov.is_some()).and_then(|one| one.markov.as_ref()) {
        write_states(text, markov);
    }
}

/// The rules of some members, or of all.
fn write_rules(text: &mut String, rules: &[(Option<&String>, &Vec<Rule>)]) {
    if rules.iter().all(|(_, rules)| rules.is_empty()) {
        return;
    }
    push(text, 4, "rules:");
    for (from, rules) in rules {
        let from = from.map_or(String::new(), |from| format!(", from: {}", quoted(from)));
        for rule in *rules {
            let settings = match rule.settings.drops_all() {
                true => "drop: true".to_owned(),
                false => mapping(&rule.settings).trim_matches(['{', '}']).to_owned(),
            };
            let comma = if settings.is_empty() { "" } else { ", " };
            let matches = quoted(&rule.matches);
            push(
                text,
                6,
                &format!("- {{match: {matches}{from}{comma}{settings}}}"),
            );
        }
    }
}

fn write_schedule(text: &mut String, asked: &Impairment) {
    push(text, 4, "schedule:");
    for change in &asked.schedule {
        let what = match &change.action {
            Action::Set(settings) => mapping(settings),
            Action::Reset => "reset".to_owned(),
            Action::Down => "down".to_owned(),
            Action::Up => "up".to_owned(),
        };
        push(text, 6, &format!("- at {}: {what}", change.at));
    }
}

fn write_states(text: &mut String, markov: &MarkovSpec) {
    push(text, 4, "markov:");
    push(text, 6, &format!("every: {}", markov.every));
    push(text, 6, "states:");
    for state in &markov.states {
        let settings = mapping(&state.settings);
        push(text, 8, &format!("{}: {settings}", quoted(&state.name)));
    }
    push(text, 6, "transitions:");
    for state in &markov.states {
        let next = state.next.iter();
        let next: Vec<String> = next
            .map(|(to, chance)| format!("{}: {chance}", quoted(to)))
            .collect();
        let next = next.join(", ");
        push(text, 8, &format!("{}: {{{next}}}", quoted(&state.name)));
    }
}

fn mapping(settings: &Settings) -> String {
    let entries = settings.entries().into_iter();
    let entries: Vec<String> = entries
        .map(|(key, value)| format!("{key}: {}", quoted(&value)))
        .collect();
    format!("{{{}}}", entries.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_can_be_asked_is_written_as_a_lab_file_has_it() {
        let config: Config = serde_json::from_str(
            r#"{"ends": {}, "junctions": {
                "a:1--b:1": {"members": ["a:1", "b:1"]},
                "a:2--b:2": {"members": ["a:2", "b:2"], "state": "down", "impairments": {
                    "a:2": {"settings": {"delay": "5ms"},
                        "rules": [{"matches": "arp", "settings": {"loss": "100%"}}],
                        "schedule": [{"at": "10s", "action": "down"},
                            {"at": "20s", "action": {"set": {"rate": "1mbit"}}}]},
                    "b:2": {"schedule": [{"at": "10s", "action": "down"},
                            {"at": "20s", "action": {"set": {"rate": "1mbit"}}}],
                        "markov": {"every": "100ms", "states": [
                            {"name": "good", "next": {"bad": "5%"}},
                            {"name": "bad", "settings": {"loss": "30%"}}]}}}},
                "lan": {"kind": {"type": "hub"}, "members": ["a:3", "tap:x"]}}}"#,
        )
        .unwrap();
        insta::assert_snapshot!(links(&config));
    }
}
