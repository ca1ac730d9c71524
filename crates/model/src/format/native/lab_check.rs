//! Checks of the native format: names, each with what it looks at.

use super::{asked, check_keys as key, setting_keys};
use crate::blueprint::JunctionState;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::{Expression, ExpressionError, JsonQuery};
use crate::format::fields::{Fields, shown, wrong_type};
use crate::format::key::{Key, quoted};
use crate::kind::Protocol;
use crate::lab_check::{
    ALL, Assertion, Body, Change, Conditions, Expect, LINKED, LabCheck, Nodes, Probe, Step, Target,
    With,
};
use crate::span::Spanned;
use crate::spec::CheckSpec;
use crate::yaml::scalar::Schema;
use crate::yaml::{Entry, Node, Value};
use std::collections::BTreeMap;
use std::time::Duration;
use vnflab_impairment::Settings;
use vnflab_impairment::unit::Percent;

/// How long is looked for frames, or counted, where a check does not say.
const USUAL_LOOK: Duration = Duration::from_secs(5);

/// Requests where losses are counted: one lost is 5 %.
const COUNT_FOR_LOSS: u32 = 20;

/// What a check or a step can look at.
const PROBES: &[&Key] = &[
    &key::PING,
    &key::TRACEROUTE,
    &key::CONNECT,
    &key::COMMAND,
    &key::NEIGHBORS,
    &key::LINK,
    &key::FRAMES,
    &key::RATE,
];

/// What else a step can do.
const CHANGES: &[&Key] = &[
    &key::CUT,
    &key::RESTORE,
    &key::STOP,
    &key::START,
    &key::IMPAIR,
    &key::PAUSE,
];

/// Reads one entry of `checks`.
pub(super) fn read(entry: &Entry, found: &mut Diagnostics) -> Option<CheckSpec> {
    let (node, place) = (&entry.value, entry.key_span);
    let fields = Fields::read(node, place, &key::CHECK, Schema::Core, found)?;
    let expected = Expected::read(&fields, found);
    let what = the_one(
        &fields,
        "a check",
        &[PROBES, &[&key::STEPS]].concat(),
        found,
    )?;
    let mut settings = BTreeMap::new();
    let body = match std::ptr::eq(what, &raw const key::STEPS) {
        false => Body::Single(assertion(&fields, what, expected, found)?),
        true => {
            for misplaced in [&key::EXPECT, &key::WITHIN] {
                if let Some(entry) = fields.entry(misplaced) {
                    let message = format!("`{}` belongs to a single step", misplaced.name);
                    found.push(
                        Diagnostic::error(code::INVALID_CHECK, message)
                            .at(entry.key_span, "beside `steps`")
                            .help("write it into the step that it is for"),
                    );
                }
            }
            Body::Steps(steps(&fields, &mut settings, found))
        }
    };
    Some(CheckSpec {
        check: LabCheck {
            name: Spanned::new(entry.key.text.to_string(), entry.key_span),
            body,
        },
        settings,
    })
}

/// The only one of some keys that is given.
fn the_one(
    fields: &Fields<'_>,
    title: &str,
    keys: &[&'static Key],
    found: &mut Diagnostics,
) -> Option<&'static Key> {
    let given: Vec<&'static Key> = keys
        .iter()
        .copied()
        .filter(|key| fields.entry(key).is_some())
        .collect();
    match given[..] {
        [one] => Some(one),
        // What is not known was meant to be one of them, and is reported.
        [] if fields.has_unknown => None,
        [] => {
            let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
            found.push(
                Diagnostic::error(
                    code::INVALID_CHECK,
                    format!("{title} without anything to do"),
                )
                .at(fields.span, "nothing is given here")
                .help(format!("give one of {}", quoted(&names))),
            );
            None
        }
        [first, second, ..] => {
            let place = |key| {
                fields
                    .entry(key)
                    .map_or(fields.span, |entry| entry.key_span)
            };
            found.push(
                Diagnostic::error(
                    code::INVALID_CHECK,
                    format!(
                        "{title} does one thing, not `{}` and `{}`",
                        first.name, second.name
                    ),
                )
                .at(place(second), "one more")
                .and_at(place(first), "the first")
                .help("make two of it"),
            );
            None
        }
    }
}

fn steps(
    fields: &Fields<'_>,
    settings: &mut BTreeMap<usize, crate::spec::SettingsSpec>,
    found: &mut Diagnostics,
) -> Vec<Step> {
    let Some(node) = fields.node(&key::STEPS) else {
        return Vec::new();
    };
    let Value::Sequence(entries) = &node.value else {
        let expected = format!("`steps` takes {}", key::STEPS.form.expected());
        found.push(wrong_type(node, &expected).help("write each step as `- cut: r1:eth1`"));
        return Vec::new();
    };
    let mut steps = Vec::new();
    for entry in entries.iter() {
        if let Some((step, asked)) = step(entry, found) {
            settings.extend(asked.map(|asked| (steps.len(), asked)));
            steps.push(step);
        }
    }
    steps
}

type StepSpec = (Step, Option<crate::spec::SettingsSpec>);

fn step(node: &Node, found: &mut Diagnostics) -> Option<StepSpec> {
    let fields = Fields::read(node, node.span, &key::STEP, Schema::Core, found)?;
    let expected = Expected::read(&fields, found);
    let silent = fields.boolean(&key::SILENT, found);
    let what = the_one(&fields, "a step", &[PROBES, CHANGES].concat(), found)?;
    let is = |one: &'static Key| std::ptr::eq(what, one);
    if !is(&key::CUT)
        && let Some(entry) = fields.entry(&key::SILENT)
    {
        found.push(
            Diagnostic::error(code::INVALID_CHECK, "only a link that is cut is `silent`")
                .at(entry.key_span, "without effect")
                .help("remove it"),
        );
    }
    if PROBES.iter().any(|probe| std::ptr::eq(*probe, what)) {
        let assertion = assertion(&fields, what, expected, found)?;
        return Some((Step::Assert(assertion), None));
    }
    for misplaced in [&key::EXPECT, &key::WITHIN] {
        if let Some(entry) = fields.entry(misplaced) {
            found.push(
                Diagnostic::error(
                    code::INVALID_CHECK,
                    format!(
                        "`{}` looks at nothing, so nothing is expected of it",
                        what.name
                    ),
                )
                .at(entry.key_span, "without effect")
                .help("write it beside a step that looks, such as `ping`"),
            );
        }
    }
    if is(&key::PAUSE) {
        let time = fields.seconds(&key::PAUSE, found)?;
        return Some((Step::Pause(seconds(time.value)), None));
    }
    if is(&key::IMPAIR) {
        let entry = fields.entry(&key::IMPAIR)?;
        let (node, place) = (&entry.value, entry.key_span);
        let inner = Fields::read(node, place, setting_keys::impair(), Schema::Core, found)?;
        let settings = asked::settings_of(&inner, found);
        let from = inner.text(&key::FROM, found);
        let change = Change::Impair {
            link: inner.text(&key::IMPAIRED, found)?,
            from,
            settings: Box::new(Settings::default()),
        };
        return Some((Step::Change(change), Some(settings)));
    }
    let named = fields.text(what, found)?;
    let change = if is(&key::CUT) {
        let silent = silent.is_some_and(|silent| silent.value);
        Change::Cut {
            link: named,
            silent,
        }
    } else if is(&key::RESTORE) {
        Change::Restore { link: named }
    } else if is(&key::STOP) {
        Change::Stop { node: named }
    } else {
        Change::Start { node: named }
    };
    Some((Step::Change(change), None))
}

/// What is expected of a look, and how soon.
struct Expected {
    expect: Expect,
    within: Option<Duration>,
}

impl Expected {
    fn read(fields: &Fields<'_>, found: &mut Diagnostics) -> Self {
        let expect = fields.word(&key::EXPECT, found);
        let within = fields.seconds(&key::WITHIN, found);
        Self {
            expect: expect.map_or(Expect::Pass, |word| Expect::ALL[word.value]),
            within: within.map(|time| seconds(time.value)),
        }
    }
}

fn assertion(
    fields: &Fields<'_>,
    what: &'static Key,
    expected: Expected,
    found: &mut Diagnostics,
) -> Option<Assertion> {
    let span = fields.entry(what)?.key_span;
    Some(Assertion {
        probe: probe(fields, what, found)?,
        expect: expected.expect,
        within: expected.within,
        span,
    })
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

fn probe(fields: &Fields<'_>, what: &'static Key, found: &mut Diagnostics) -> Option<Probe> {
    let inner = fields.table(what, found)?;
    let is = |one: &'static Key| std::ptr::eq(what, one);
    if is(&key::PING) {
        let loss = inner.parsed_text::<Percent>(&key::LOSS, found);
        let count = inner.integer(&key::COUNT, found);
        let usual = if loss.is_some() { COUNT_FOR_LOSS } else { 1 };
        let size = inner.integer(&key::SIZE, found);
        let from = nodes(&inner, &key::SOURCES, found);
        let to = targets(&inner, found);
        return Some(Probe::Ping {
            from: from?,
            to: to?,
            count: count.map_or(usual, |count| count.value),
            size: size.map(|size| size.value),
            loss: loss.map_or(Percent::ZERO, |loss| loss.value),
        });
    }
    if is(&key::TRACEROUTE) {
        let from = nodes(&inner, &key::SOURCES, found);
        let to = inner.text(&key::TARGET, found);
        let through = inner.texts(&key::THROUGH, found);
        let avoids = inner.texts(&key::AVOIDS, found);
        return Some(Probe::Traceroute {
            from: from?,
            to: target(to?),
            through,
            avoids: avoids.unwrap_or_default(),
        });
    }
    if is(&key::CONNECT) {
        let from = nodes(&inner, &key::SOURCES, found);
        let to = targets(&inner, found);
        let port = inner.integer(&key::PORT, found)?;
        return Some(Probe::Connect {
            from: from?,
            to: to?,
            port: u16::try_from(port.value).ok()?,
        });
    }
    if is(&key::COMMAND) {
        let node = nodes(&inner, &key::NODES, found);
        let run = inner.text(&key::RUN, found);
        let conditions = conditions(&inner, found);
        return Some(Probe::Command {
            node: node?,
            run: run?.value,
            conditions,
        });
    }
    if is(&key::NEIGHBORS) {
        let node = nodes(&inner, &key::NODES, found);
        let protocol = inner.word(&key::PROTOCOL, found);
        let with = inner.some_texts(&key::WITH, found);
        let count = inner.integer(&key::NEIGHBOR_COUNT, found);
        return Some(Probe::Neighbors {
            node: node?,
            protocol: Protocol::ALL[protocol?.value],
            with: match with {
                None => With::Any,
                Some(names) if is_word(&names, LINKED) => With::Linked,
                Some(names) => With::Named(names),
            },
            count: count.map(|count| count.value),
        });
    }
    if is(&key::LINK) {
        let state = inner.word(&key::LINK_STATE, found);
        return Some(Probe::Link {
            name: inner.text(&key::LINK_NAME, found)?,
            state: match state.map(|state| state.value) {
                Some(1) => JunctionState::Down,
                _ => JunctionState::Up,
            },
        });
    }
    let on = inner.text(&key::ON, found);
    let from = inner.text(&key::FROM, found);
    let during = inner.seconds(&key::DURING, found);
    let during = during.map_or(USUAL_LOOK, |time| seconds(time.value));
    if is(&key::FRAMES) {
        let filter = inner.node(&key::FILTER);
        let count = inner.integer(&key::FRAME_COUNT, found);
        return Some(Probe::Frames {
            filter: match filter {
                None => None,
                Some(node) => Some(asked::filter(node, found)?),
            },
            on: on?,
            from,
            count: count.map_or(1, |count| count.value),
            during,
        });
    }
    let least = inner.parsed_text(&key::LEAST, found);
    let most = inner.parsed_text(&key::MOST, found);
    if least.is_none() && most.is_none() {
        let given = inner.entry(&key::LEAST).or(inner.entry(&key::MOST));
        if given.is_none() {
            found.push(
                Diagnostic::error(
                    code::INVALID_CHECK,
                    "a rate that is neither too little nor too much",
                )
                .at(inner.span, "nothing is expected of it")
                .help("give `least`, `most` or both"),
            );
        }
        return None;
    }
    Some(Probe::Rate {
        on: on?,
        from,
        least: least.map(|rate| rate.value),
        most: most.map(|rate| rate.value),
        during,
    })
}

fn is_word(names: &[Spanned<String>], word: &str) -> bool {
    matches!(names, [one] if one.value == word)
}

fn nodes(fields: &Fields<'_>, key: &'static Key, found: &mut Diagnostics) -> Option<Nodes> {
    let names = fields.some_texts(key, found)?;
    Some(match is_word(&names, ALL) {
        true => Nodes::All,
        false => Nodes::Named(names),
    })
}

fn targets(fields: &Fields<'_>, found: &mut Diagnostics) -> Option<Vec<Target>> {
    let names = fields.some_texts(&key::TARGETS, found)?;
    Some(match is_word(&names, ALL) {
        true => vec![Target::All],
        false => names.into_iter().map(target).collect(),
    })
}

/// An address, an interface or a node; whether there is one of that name, resolving tells.
fn target(text: Spanned<String>) -> Target {
    match text.value.parse() {
        Ok(address) => Target::Address(address),
        Err(_) if text.value.contains(':') => Target::Interface(text),
        Err(_) => Target::Node(text),
    }
}

fn conditions(fields: &Fields<'_>, found: &mut Diagnostics) -> Conditions {
    let mut expressions = |key: &'static Key| -> Vec<Expression> {
        let texts = fields.some_texts(key, found).unwrap_or_default();
        let read = |text: &Spanned<String>| match Expression::parse(text) {
            Ok(expression) => Some(expression),
            Err(error) => {
                found.push(malformed(text, "a regular expression", &error));
                None
            }
        };
        texts.iter().filter_map(read).collect()
    };
    let (matches, lacks) = (expressions(&key::MATCHES), expressions(&key::LACKS));
    let json = fields.text(&key::JSON, found);
    let equals = fields.text(&key::EQUALS, found);
    if let (None, Some(equals)) = (&json, fields.entry(&key::EQUALS)) {
        found.push(
            Diagnostic::error(code::INVALID_CHECK, "`equals` without `json`")
                .at(equals.key_span, "there is nothing to compare it with")
                .help("say with `json` where in the output it is, such as `json: $.state`; or use `matches`"),
        );
    }
    let json = json.and_then(|text| match JsonQuery::parse(&text) {
        Ok(query) => Some(query),
        Err(error) => {
            found.push(malformed(&text, "a JSON path", &error));
            None
        }
    });
    Conditions {
        matches,
        lacks,
        json,
        equals: equals.map(|text| text.value),
    }
}

fn malformed(text: &Spanned<String>, what: &str, error: &ExpressionError) -> Diagnostic {
    let help = match what {
        "a JSON path" => "write it as RFC 9535 has it, such as `$.peers.*.state`",
        _ => "characters such as `(`, `*` and `+` have a meaning; a backslash takes it away",
    };
    Diagnostic::error(
        code::INVALID_EXPRESSION,
        format!("`{}` is not {what}", shown(text)),
    )
    .at(text.span, crate::format::printable(&error.to_string()))
    .help(help)
}
