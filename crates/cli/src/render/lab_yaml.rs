//! The links of a running wire, written as a lab file has them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use vnflab_impairment::{Action, Impairment, Settings};
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
    let of = |member: &String| junction.impairments.get(member).unwrap_or(&nothing);
    let Some(first) = junction.members.first().map(of) else {
        return;
    };
    if junction.members.iter().all(|member| of(member) == first) {
        write_impairment(text, 4, None, first);
        return;
    }
    let settings: BTreeMap<&String, &Settings> = junction
        .impairments
        .iter()
        .map(|(member, asked)| (member, &asked.settings))
        .filter(|(_, settings)| **settings != Settings::default())
        .collect();
    if !settings.is_empty() {
        push(text, 4, "impairment-from:");
    }
    for (member, settings) in settings {
        push(
            text,
            6,
            &format!("{}: {}", quoted(member), mapping(settings)),
        );
    }
    for (member, asked) in &junction.impairments {
        let rest = Impairment {
            settings: Settings::default(),
            ..asked.clone()
        };
        write_impairment(text, 4, Some(member), &rest);
    }
}

fn mapping(settings: &Settings) -> String {
    let entries = settings.entries().into_iter();
    let entries: Vec<String> = entries
        .map(|(key, value)| format!("{key}: {}", quoted(&value)))
        .collect();
    format!("{{{}}}", entries.join(", "))
}

fn write_impairment(text: &mut String, indent: usize, from: Option<&String>, asked: &Impairment) {
    if asked.settings != Settings::default() {
        push(
            text,
            indent,
            &format!("impairment: {}", mapping(&asked.settings)),
        );
    }
    let from = from.map_or(String::new(), |from| format!(", from: {}", quoted(from)));
    if !asked.rules.is_empty() {
        push(text, indent, "rules:");
    }
    for rule in &asked.rules {
        let settings = mapping(&rule.settings);
        let settings = settings.trim_matches(['{', '}']);
        let line = format!("- {{match: {}{from}, {settings}}}", quoted(&rule.matches));
        push(text, indent + 2, &line);
    }
    if !asked.schedule.is_empty() {
        push(text, indent, "schedule:");
    }
    for change in &asked.schedule {
        let what = match &change.action {
            Action::Set(settings) => mapping(settings),
            Action::Reset => "reset".to_owned(),
            Action::Down => "down".to_owned(),
            Action::Up => "up".to_owned(),
        };
        push(
            text,
            indent + 2,
            &format!("- {{at {}: {what}{from}}}", change.at),
        );
    }
    if let Some(markov) = &asked.markov {
        push(text, indent, "markov:");
        push(text, indent + 2, &format!("every: {}", markov.every));
        push(text, indent + 2, "states:");
        for state in &markov.states {
            push(
                text,
                indent + 4,
                &format!("{}: {}", quoted(&state.name), mapping(&state.settings)),
            );
        }
        push(text, indent + 2, "transitions:");
        for state in &markov.states {
            let next = state.next.iter();
            let next: Vec<String> = next
                .map(|(to, chance)| format!("{}: {chance}", quoted(to)))
                .collect();
            push(
                text,
                indent + 4,
                &format!("{}: {{{}}}", quoted(&state.name), next.join(", ")),
            );
        }
    }
}
