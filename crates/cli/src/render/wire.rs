//! Links of a wire: what is asked of them, what changed, and what probes found.

use super::table::{Cell, Table};
use super::{Format, Screen};
use crate::error::{CommandError, ErrorKind};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use vnflab_impairment::{Action, Change, Impairment, Rule, Settings};
use vnflab_wire::control::protocol::{ProbeReport, Status};
use vnflab_wire::{Config, JunctionConfig, JunctionKind, LinkState};

/// What a change has done.
pub(crate) fn changed(
    screen: &Screen,
    lab: &str,
    before: &Config,
    after: &Config,
) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let junctions = &after.junctions;
        return screen.json("link-change", ChangeJson { lab, junctions });
    }
    let names = before.junctions.keys().chain(after.junctions.keys());
    let mut names: Vec<&String> = names.collect();
    names.sort();
    names.dedup();
    let mut text = String::new();
    for name in names {
        match (before.junctions.get(name), after.junctions.get(name)) {
            (was, Some(is)) if was != Some(is) => {
                line(&mut text, &format!("{name}: {}", summary(is)));
            }
            (Some(_), None) => line(&mut text, &format!("{name}: gone")),
            _ => {}
        }
    }
    if text.is_empty() {
        screen.say("Nothing changed.");
    }
    screen.write(&text)
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("a string takes it");
}

#[derive(Serialize)]
struct ChangeJson<'a> {
    lab: &'a str,
    junctions: &'a BTreeMap<String, JunctionConfig>,
}

/// A link in a few words: its state, and what is asked of it. What holds for all members is said
/// once.
pub(crate) fn summary(junction: &JunctionConfig) -> String {
    let mut parts = Vec::new();
    if junction.state == LinkState::Down {
        parts.push("down".to_owned());
    }
    for words in [
        words_of_settings,
        words_of_rules,
        words_of_states,
        words_of_schedule,
    ] {
        let nothing = Impairment::default();
        let of = |member| words(junction.impairments.get(member).unwrap_or(&nothing));
        let said: Vec<String> = junction.members.iter().map(of).collect();
        let Some(first) = said.first() else {
            continue;
        };
        if said.iter().all(|words| words == first) {
            parts.extend(Some(first.clone()).filter(|words| !words.is_empty()));
            continue;
        }
        let each = junction.members.iter().zip(said);
        let each = each.filter(|(_, words)| !words.is_empty());
        parts.extend(each.map(|(member, words)| format!("from {member}: {words}")));
    }
    if parts.is_empty() {
        parts.push("up, asks for nothing".to_owned());
    }
    parts.join("; ")
}

fn words_of_settings(asked: &Impairment) -> String {
    settings_words(&asked.settings)
}

fn words_of_rules(asked: &Impairment) -> String {
    let rule = |rule: &Rule| match rule.settings.drops_all() {
        true => format!("`{}` dropped", rule.matches),
        false => format!("`{}` {}", rule.matches, settings_words(&rule.settings)),
    };
    asked.rules.iter().map(rule).collect::<Vec<_>>().join(", ")
}

fn words_of_states(asked: &Impairment) -> String {
    let Some(markov) = &asked.markov else {
        return String::new();
    };
    let names: Vec<&str> = markov
        .states
        .iter()
        .map(|state| state.name.as_str())
        .collect();
    format!("states {}", names.join("/"))
}

fn words_of_schedule(asked: &Impairment) -> String {
    let change = |change: &Change| {
        let what = match &change.action {
            Action::Set(settings) => settings_words(settings),
            Action::Reset => "reset".to_owned(),
            Action::Down => "down".to_owned(),
            Action::Up => "up".to_owned(),
        };
        format!("at {} {what}", change.at)
    };
    asked
        .schedule
        .iter()
        .map(change)
        .collect::<Vec<_>>()
        .join(", ")
}

fn settings_words(settings: &Settings) -> String {
    let entries = settings.entries().into_iter();
    let words: Vec<String> = entries
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    words.join(", ")
}

/// One link with its counts.
pub(crate) fn show(
    screen: &Screen,
    name: &str,
    config: &Config,
    status: &Status,
) -> Result<(), CommandError> {
    let junction = &config.junctions[name];
    let ends: BTreeMap<_, _> = junction
        .members
        .iter()
        .filter_map(|member| Some((member, status.ends.get(member)?)))
        .collect();
    if screen.format() == Format::Json {
        return screen.json(
            "link",
            serde_json::json!({"name": name, "junction": junction, "seed": config.seed, "ends": ends}),
        );
    }
    let kind = match junction.kind {
        JunctionKind::Link => "link",
        JunctionKind::Switch { .. } => "switch",
        JunctionKind::Hub => "hub",
    };
    let mut text = format!(
        "{name} ({kind}): {}\nseed {}\n",
        summary(junction),
        config.seed
    );
    for (member, end) in ends {
        let (frames, bytes) = (end.received_frames, end.received_bytes);
        writeln!(text, "\n{member}").expect("a string takes it");
        line(
            &mut text,
            &format!("  sent by it       {frames} frames, {bytes} bytes"),
        );
        let (frames, bytes) = (end.sent_frames, end.sent_bytes);
        line(
            &mut text,
            &format!("  delivered to it  {frames} frames, {bytes} bytes"),
        );
        if end.held_frames > 0 {
            line(
                &mut text,
                &format!("  waiting          {} frames", end.held_frames),
            );
        }
        if end.duplicates > 0 {
            line(&mut text, &format!("  duplicates       {}", end.duplicates));
        }
        for (cause, count) in &end.drops {
            line(
                &mut text,
                &format!("  dropped          {count} ({})", cause.word()),
            );
        }
        if end.overruns > 0 {
            line(
                &mut text,
                &format!(
                    "  overruns         {} (the kernel had no room)",
                    end.overruns
                ),
            );
        }
        if let Some(latency) = latency_words(&end.latency) {
            line(&mut text, &format!("  time in the wire {latency}"));
        }
    }
    screen.write(&text)
}

/// Median and 99th percentile of a histogram of powers of two, as upper bounds.
fn latency_words(latency: &[u64]) -> Option<String> {
    let total: u64 = latency.iter().sum();
    if total == 0 {
        return None;
    }
    let bound = |share: f64| {
        let wanted = (total as f64 * share).ceil() as u64;
        let mut seen = 0;
        let bucket = latency.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        let microseconds = 1_u64 << bucket.unwrap_or(latency.len());
        match microseconds {
            0..1000 => format!("{microseconds} us"),
            1000..1_000_000 => format!("{} ms", microseconds.div_ceil(1000)),
            _ => format!("{} s", microseconds.div_ceil(1_000_000)),
        }
    };
    Some(format!(
        "half below {}, 99% below {}",
        bound(0.5),
        bound(0.99)
    ))
}

/// Links and segments as a lab file has them.
pub(crate) fn export(screen: &Screen, config: &Config) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        return screen.json(
            "link-export",
            serde_json::json!({"junctions": &config.junctions}),
        );
    }
    screen.write(&super::lab_yaml::links(config))
}

/// What probes found; fails when a direction is not joined.
pub(crate) fn probe(
    screen: &Screen,
    name: &str,
    reports: &[ProbeReport],
) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        screen.json(
            "link-probe",
            serde_json::json!({"link": name, "directions": reports}),
        )?;
    } else {
        let heads = ["FROM", "TO", "SENT", "ARRIVED", "MEDIAN", "TUNNEL"];
        let mut table = Table::new(screen.out, &heads);
        for report in reports {
            let arrived = format!("{}", report.received);
            let painted = match report.received {
                0 => screen.out.error(&arrived),
                count if count < report.sent => screen.out.warning(&arrived),
                _ => screen.out.good(&arrived),
            };
            let median = report.latency_ns.map_or("-".to_owned(), |[_, median, _]| {
                format!("{:.1} us", median as f64 / 1000.0)
            });
            let listens = match report.listens {
                true => screen.out.good("open"),
                false => screen.out.error("nobody listens"),
            };
            table.row([
                Cell::plain(&report.from),
                Cell::plain(&report.to),
                Cell::plain(report.sent.to_string()),
                Cell::painted(painted),
                Cell::plain(median),
                Cell::painted(listens),
            ]);
        }
        screen.write(&table.text())?;
    }
    let broken = |report: &&ProbeReport| report.received == 0 || !report.listens;
    match reports.iter().filter(broken).count() {
        0 => Ok(()),
        count => {
            let message = format!(
                "{name}: {count} of {} directions are not joined",
                reports.len()
            );
            Err(CommandError::new(ErrorKind::Failed, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(asked: [&str; 2]) -> JunctionConfig {
        let mut link = JunctionConfig::link("r1:eth1", "r2:eth1");
        for (member, asked) in ["r1:eth1", "r2:eth1"].into_iter().zip(asked) {
            let asked = serde_json::from_str(asked).unwrap();
            link.impairments.insert(member.to_owned(), asked);
        }
        link
    }

    #[test]
    fn what_holds_both_ways_is_said_once() {
        let schedule = r#""schedule": [{"at": "1s", "action": "down"}]"#;
        let slow = format!(r#"{{"settings": {{"delay": "5ms"}}, {schedule}}}"#);
        let lossy = format!(r#"{{"settings": {{"loss": "1%"}}, {schedule}}}"#);
        assert_eq!(summary(&link([&slow, &slow])), "delay 5ms; at 1s down");
        assert_eq!(
            summary(&link([&slow, &lossy])),
            "from r1:eth1: delay 5ms; from r2:eth1: loss 1%; at 1s down"
        );
        assert_eq!(summary(&link(["{}", "{}"])), "up, asks for nothing");
    }

    #[test]
    fn latencies_are_upper_bounds() {
        let mut latency = vec![0; 24];
        (latency[3], latency[15]) = (90, 10);
        let words = latency_words(&latency).unwrap();
        assert_eq!(words, "half below 8 us, 99% below 33 ms");
        assert_eq!(latency_words(&[0; 24]), None);
    }
}
