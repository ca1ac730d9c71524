//! What is asked of a link's or segment's frames: impairments, rules, states and schedules.

use super::keys as key;
use super::setting_keys;
use crate::blueprint::JunctionState;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::format::fields::{Fields, printable, shown, wrong_type};
use crate::format::key::Key;
use crate::span::Spanned;
use crate::spec::{AskedSpec, ChangeSpec, MarkovSpec, RuleSpec, SettingsSpec, Then};
use crate::yaml::scalar::Schema;
use crate::yaml::{Entry, Node, Value};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;
use vnflab_filter::Filter;
use vnflab_impairment::{SettingError, Settings};

/// What stands before the time in an entry of a schedule.
const AT: &str = "at ";

/// Reads what a link or segment asks for.
pub(super) fn read(fields: &Fields<'_>, found: &mut Diagnostics) -> AskedSpec {
    let keys: [&'static Key; 6] = [
        &key::STATE,
        &key::IMPAIRMENT,
        &key::IMPAIRMENT_FROM,
        &key::RULES,
        &key::MARKOV,
        &key::SCHEDULE,
    ];
    let first = keys.iter().find_map(|key| fields.entry(key));
    let state = fields.word(&key::STATE, found);
    let both = fields.entry(&key::IMPAIRMENT);
    AskedSpec {
        state: match state.map(|state| state.value) {
            Some(1) => JunctionState::Down,
            _ => JunctionState::Up,
        },
        both: both.and_then(|entry| settings(entry, found)),
        from: mapping(fields, &key::IMPAIRMENT_FROM, found)
            .iter()
            .filter_map(|entry| Some((name(entry), settings(entry, found)?)))
            .collect(),
        rules: list(fields, &key::RULES, found)
            .iter()
            .filter_map(|node| rule(node, found))
            .collect(),
        markov: fields
            .entry(&key::MARKOV)
            .and_then(|entry| markov(entry, found)),
        schedule: list(fields, &key::SCHEDULE, found)
            .iter()
            .filter_map(|node| change(node, found))
            .collect(),
        place: first.map(|entry| entry.key_span),
    }
}

/// The settings of an entry, such as `impairment: {delay: 20ms}`.
pub(super) fn settings(entry: &Entry, found: &mut Diagnostics) -> Option<SettingsSpec> {
    let (node, place) = (&entry.value, entry.key_span);
    let fields = Fields::read(node, place, setting_keys::impairment(), Schema::Core, found)?;
    Some(settings_of(&fields, found))
}

/// Names with settings each, such as `profiles`.
pub(super) fn named(
    fields: &Fields<'_>,
    key: &'static Key,
    found: &mut Diagnostics,
) -> Vec<(Spanned<String>, SettingsSpec)> {
    mapping(fields, key, found)
        .iter()
        .filter_map(|entry| Some((name(entry), settings(entry, found)?)))
        .collect()
}

fn name(entry: &Entry) -> Spanned<String> {
    Spanned::new(entry.key.text.to_string(), entry.key_span)
}

pub(super) fn settings_of(fields: &Fields<'_>, found: &mut Diagnostics) -> SettingsSpec {
    let mut spec = SettingsSpec {
        profile: None,
        own: Settings::default(),
        places: Vec::new(),
        span: fields.span,
    };
    for (setting, node) in fields.settings() {
        let Some(scalar) = node.scalar() else {
            let expected = format!("`{}` takes {}", setting.name, setting.form);
            found.push(wrong_type(node, &expected).help(format!(
                "for example `{}: {}`",
                setting.name, setting.example
            )));
            continue;
        };
        spec.places.push((setting.name, node.span));
        // Which profiles there are, the whole file tells.
        if setting.name == "profile" && scalar.text.trim() != "none" {
            spec.profile = Some(Spanned::new(scalar.text.to_string(), node.span));
            continue;
        }
        if let Err(error) = spec.own.set(setting.name, &scalar.text) {
            found.push(invalid_setting(&error, node));
        }
    }
    spec
}

fn invalid_setting(error: &SettingError, node: &Node) -> Diagnostic {
    let written = node.scalar().map_or("", |scalar| &scalar.text);
    let (name, label, help) = match error {
        SettingError::Value {
            key,
            error,
            form,
            example,
            ..
        } => (
            *key,
            error.to_string(),
            format!("write {form}, such as `{key}: {example}`, or `none`"),
        ),
        other => ("the setting", other.to_string(), "write another".to_owned()),
    };
    Diagnostic::error(
        code::INVALID_SETTING,
        format!("`{name}` cannot be `{}`", shown(written)),
    )
    .at(node.span, printable(&label))
    .help(printable(&help))
}

fn rule(node: &Node, found: &mut Diagnostics) -> Option<RuleSpec> {
    let fields = Fields::read(node, node.span, setting_keys::rule(), Schema::Core, found)?;
    let drop = fields.boolean(&key::DROP, found);
    let from = fields.text(&key::FROM, found);
    let settings = settings_of(&fields, found);
    let drops = drop.as_ref().is_some_and(|drop| drop.value);
    if let (true, Some((_, place))) = (drops, settings.places.first()) {
        found.push(
            Diagnostic::error(code::WRONG_TYPE, "a rule drops frames or impairs them")
                .at(*place, "no frame is left for this")
                .help("remove it, or `drop`"),
        );
    }
    Some(RuleSpec {
        matches: filter(fields.node(&key::MATCH)?, found)?,
        from,
        drops,
        settings,
    })
}

/// A pcap filter expression that can be compiled.
pub(super) fn filter(expression: &Node, found: &mut Diagnostics) -> Option<String> {
    let Some(scalar) = expression.scalar() else {
        found.push(wrong_type(
            expression,
            "`match` takes a pcap filter expression",
        ));
        return None;
    };
    if let Err(error) = Filter::parse(&scalar.text) {
        let place = error.place();
        let label = format!(
            "expected {}, found {}",
            error.expected(),
            error.what_was_found()
        );
        let diagnostic = Diagnostic::error(
            code::INVALID_FILTER,
            format!("`{}` is not a filter", shown(&scalar.text)),
        )
        .at(expression.part(place.start, place.end), printable(&label));
        found.push(match error.suggestion() {
            Some(suggestion) => diagnostic.help(format!("did you mean `{suggestion}`?")),
            None => diagnostic
                .help("write it as for `tcpdump`, such as `ip proto 89` or `vlan 20 and arp`"),
        });
        return None;
    }
    Some(scalar.text.to_string())
}

fn markov(entry: &Entry, found: &mut Diagnostics) -> Option<MarkovSpec> {
    let (node, place) = (&entry.value, entry.key_span);
    let fields = Fields::read(node, place, &key::MARKOV_TABLE, Schema::Core, found)?;
    let every = fields
        .node(&key::EVERY)
        .and_then(|node| parse(node, "`every` takes a time, such as `100ms`", found));
    let states = named(&fields, &key::STATES, found);
    let mut transitions = Vec::new();
    for from in mapping(&fields, &key::TRANSITIONS, found) {
        let Value::Mapping(entries) = &from.value.value else {
            let expected = "the next states are names, each with a percentage";
            found.push(wrong_type(&from.value, expected).help("write `good: {bad: 5%}`"));
            continue;
        };
        for to in entries.iter() {
            let expected = "the probability of a state is a percentage, such as `5%`";
            if let Some(chance) = parse(&to.value, expected, found) {
                transitions.push((name(from), name(to), chance));
            }
        }
    }
    Some(MarkovSpec {
        every: every?,
        states,
        transitions,
        span: place,
    })
}

/// One entry of a schedule: `at 10s: down`.
fn change(node: &Node, found: &mut Diagnostics) -> Option<ChangeSpec> {
    let one = match &node.value {
        Value::Mapping(entries) => match &**entries {
            [entry] if entry.key.text.starts_with(AT) => Some(entry),
            _ => None,
        },
        Value::Scalar(_) | Value::Sequence(_) => None,
    };
    let Some(entry) = one else {
        found.push(
            wrong_type(node, "a change is a time, and what happens then").help(
                "write `at 10s: down`, `at 20s: up`, `at 30s: {delay: 50ms}` or `at 1min: reset`",
            ),
        );
        return None;
    };
    let at = match entry.key.text[AT.len()..].parse() {
        Ok(at) => at,
        Err(error) => {
            found.push(invalid(&entry.key.text, entry.key_span, &error));
            return None;
        }
    };
    let words: BTreeSet<&str> = ["down", "up", "reset"].into();
    let then = match entry.value.scalar().map(|scalar| &*scalar.text) {
        Some("down") => Then::Down,
        Some("up") => Then::Up,
        Some("reset") => Then::Reset,
        Some(other) if !entry.value.is_null() => {
            let diagnostic = Diagnostic::error(
                code::WRONG_TYPE,
                format!("a change cannot be `{}`", shown(other)),
            )
            .at(entry.value.span, "not one of the known words");
            let nearest = crate::diagnostic::nearest(other, words.iter().copied());
            found.push(match nearest {
                Some(word) => diagnostic.help(format!("did you mean `{word}`?")),
                None => diagnostic.help("use `down`, `up`, `reset` or settings"),
            });
            return None;
        }
        _ => Then::Set(Box::new(settings(entry, found)?)),
    };
    Some(ChangeSpec { at, then })
}

fn invalid(written: &str, span: crate::span::Span, error: &dyn Display) -> Diagnostic {
    let message = format!("`{}` is not understood", shown(written));
    Diagnostic::error(code::INVALID_SETTING, message)
        .at(span, printable(&error.to_string()))
        .help("write a time such as `at 10s`")
}

/// Reads a scalar that has a text form of its own.
fn parse<T: FromStr<Err: Display>>(
    node: &Node,
    expected: &str,
    found: &mut Diagnostics,
) -> Option<T> {
    let Some(scalar) = node.scalar() else {
        found.push(wrong_type(node, expected));
        return None;
    };
    match scalar.text.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            found.push(
                Diagnostic::error(
                    code::INVALID_SETTING,
                    format!("`{}` is not understood", shown(&scalar.text)),
                )
                .at(node.span, printable(&error.to_string()))
                .help(expected),
            );
            None
        }
    }
}

/// The entries of a mapping below a key.
fn mapping<'n>(fields: &Fields<'n>, key: &'static Key, found: &mut Diagnostics) -> &'n [Entry] {
    match fields.node(key).map(|node| (node, &node.value)) {
        None => &[],
        Some((_, Value::Mapping(entries))) => entries,
        Some((node, _)) => {
            found.push(not_of_form(node, key));
            &[]
        }
    }
}

/// The values of a list below a key.
fn list<'n>(fields: &Fields<'n>, key: &'static Key, found: &mut Diagnostics) -> &'n [Node] {
    match fields.node(key).map(|node| (node, &node.value)) {
        None => &[],
        Some((_, Value::Sequence(nodes))) => nodes,
        Some((node, _)) => {
            found.push(not_of_form(node, key));
            &[]
        }
    }
}

fn not_of_form(node: &Node, key: &'static Key) -> Diagnostic {
    let expected = format!("`{}` takes {}", key.name, key.form.expected());
    wrong_type(node, &expected).help(format!("for example `{}: {}`", key.name, key.example))
}
