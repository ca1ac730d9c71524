//! The tables of keys as a JSON schema, for editors, and as pages of the reference.

use super::key::{Form, Key, Table};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// The JSON schema (2020-12) of files whose top is `table`.
pub(super) fn json_schema(table: &'static Table, title: &str) -> Value {
    let tables = reachable(table);
    let definitions: Map<String, Value> = tables
        .iter()
        .skip(1)
        .map(|table| (slug(table), object(table)))
        .collect();
    let mut schema = object(table);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!(title);
    schema["$defs"] = Value::Object(definitions);
    schema
}

/// One section for each mapping, with its keys.
pub(super) fn markdown(table: &'static Table) -> String {
    let mut text = String::new();
    for table in reachable(table) {
        let (first, rest) = table.title.split_at(1);
        let title = format!("{}{rest}", first.to_uppercase());
        let line = "| key | takes | meaning | example |\n| --- | --- | --- | --- |";
        write!(text, "### {title}\n\n{line}\n").expect("a string takes it");
        for key in table.keys {
            let required = if table.required.iter().any(|one| std::ptr::eq(*one, *key)) {
                " (required)"
            } else {
                ""
            };
            writeln!(
                text,
                "| `{}`{required} | {} | {} | `{}` |",
                key.name,
                cell(&takes(&key.form)),
                cell(key.doc),
                cell(key.example)
            )
            .expect("a string takes it");
        }
        text.push('\n');
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn takes(form: &Form) -> String {
    match form {
        Form::Table(table) => format!("a mapping: see [{}](#{})", plain(table), anchor(table)),
        Form::Named(table) => format!("names, each with [{}](#{})", plain(table), anchor(table)),
        Form::List(table) => format!("a list of [{}](#{})", plain(table), anchor(table)),
        Form::MadeTable(made) => takes(&Form::Table(made())),
        Form::MadeNamed(made) => takes(&Form::Named(made())),
        Form::MadeList(made) => takes(&Form::List(made())),
        Form::Schedule(made) => format!(
            "{}, or with [{}](#{})",
            form.expected(),
            plain(made()),
            anchor(made())
        ),
        form => form.expected(),
    }
}

fn plain(table: &Table) -> String {
    table.title.replace('`', "")
}

/// The anchor that web views give to the heading.
fn anchor(table: &Table) -> String {
    let letters = table.title.to_lowercase();
    letters
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-'))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// A name for a table in the schema's definitions.
fn slug(table: &Table) -> String {
    let anchor = anchor(table);
    ["a-", "an-", "the-"]
        .iter()
        .find_map(|article| anchor.strip_prefix(article))
        .unwrap_or(&anchor)
        .to_owned()
}

/// A table and all that its keys lead to, each once, in the order in which they are met.
fn reachable(table: &'static Table) -> Vec<&'static Table> {
    let mut tables = vec![table];
    let mut next = 0;
    while let Some(table) = tables.get(next) {
        let inner: Vec<_> = table
            .keys
            .iter()
            .filter_map(|key| inner(&key.form))
            .collect();
        for table in inner {
            if !tables.iter().any(|known| std::ptr::eq(*known, table)) {
                tables.push(table);
            }
        }
        next += 1;
    }
    tables
}

fn inner(form: &Form) -> Option<&'static Table> {
    match form {
        Form::Config(table)
        | Form::Table(table)
        | Form::Named(table)
        | Form::List(table)
        | Form::Links(table)
        | Form::Ends(table)
        | Form::Members(table) => Some(table),
        Form::MadeTable(made)
        | Form::MadeNamed(made)
        | Form::MadeList(made)
        | Form::Schedule(made) => Some(made()),
        _ => None,
    }
}

fn object(table: &Table) -> Value {
    let properties: Map<String, Value> = table
        .keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    let required: Vec<&str> = table.required.iter().map(|key| key.name).collect();
    let mut object = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn property(key: &Key) -> Value {
    let mut property = schema(&key.form);
    property["description"] = json!(key.doc);
    property
}

fn schema(form: &Form) -> Value {
    let reference = |table: &Table| json!({ "$ref": format!("#/$defs/{}", slug(table)) });
    let or_null = |schema: Value| json!({ "anyOf": [schema, { "type": "null" }] });
    match form {
        // Whatever is written is taken by its letters, so `7` and `no` are texts too.
        Form::Text => json!({ "type": ["string", "number", "boolean"] }),
        Form::Words(words) => json!({ "enum": words }),
        Form::Integer { least, most } => {
            json!({ "type": "integer", "minimum": least, "maximum": most })
        }
        Form::Boolean => json!({ "type": "boolean" }),
        Form::Memory => json!({ "anyOf": [
            { "type": "integer", "minimum": 16 },
            { "type": "string", "pattern": "^ *[0-9]+ *([mMgGtT]([iI]?[bB])?)? *$" },
        ] }),
        Form::Port => json!({ "type": "integer", "minimum": 1024, "maximum": 65535 }),
        Form::Mac => json!({
            "type": "string",
            "pattern": "^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$",
        }),
        Form::Ipv4 => json!({ "type": "string", "format": "ipv4" }),
        Form::Ipv6 => json!({ "type": "string", "format": "ipv6" }),
        Form::Ipv4Net | Form::Ipv6Net | Form::InterfaceAddress => json!({
            "type": "string",
            "pattern": "^[0-9a-fA-F.:]+/[0-9]+$",
        }),
        Form::Address | Form::Path => json!({ "type": "string" }),
        Form::Image => json!({ "anyOf": [
            { "type": "string" },
            { "type": "object", "additionalProperties": { "type": "string" } },
        ] }),
        Form::Config(table) => json!({ "anyOf": [{ "type": "string" }, reference(table)] }),
        Form::Table(table) => or_null(reference(table)),
        Form::Named(table) => json!({
            "type": "object",
            "additionalProperties": or_null(reference(table)),
        }),
        Form::List(table) => json!({ "type": "array", "items": reference(table) }),
        Form::Links(table) => json!({ "type": "array", "items": { "anyOf": [
            { "type": "string", "pattern": "^[^:]+:.+--[^:]+:.+$" },
            reference(table),
        ] } }),
        Form::Ends(table) => json!({
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "items": { "anyOf": [{ "type": "string", "pattern": "^[^:]+:.+$" }, reference(table)] },
        }),
        Form::Members(table) => json!({
            "type": "array",
            "items": { "anyOf": [{ "type": "string", "pattern": "^[^:]+:.+$" }, reference(table)] },
        }),
        Form::Seconds { .. } => json!({
            "type": "string",
            "pattern": "^ *[0-9]+(\\.[0-9]+)? *(s|sec|secs|m|min|h) *$",
        }),
        Form::Setting(_) => json!({ "type": ["string", "number", "boolean"] }),
        Form::MadeTable(made) => or_null(reference(made())),
        Form::MadeNamed(made) => json!({
            "type": "object",
            "additionalProperties": or_null(reference(made())),
        }),
        Form::MadeList(made) => json!({ "type": "array", "items": reference(made()) }),
        Form::After(words) => json!({ "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": "string" } },
            { "type": "object", "additionalProperties": { "enum": words } },
        ] }),
        Form::Transitions => json!({
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": { "type": "string", "pattern": "^ *[0-9.]+ *% *$" },
            },
        }),
        Form::Time => json!({ "type": "string" }),
        Form::Schedule(made) => json!({ "type": "array", "items": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "patternProperties": { "^at .+$": { "anyOf": [
                { "enum": ["down", "up", "reset"] },
                reference(made()),
            ] } },
            "additionalProperties": false,
        } }),
        Form::Variables => json!({ "type": ["object", "null"] }),
        Form::Filter | Form::Listener | Form::Rate => json!({ "type": "string" }),
        Form::Percent => json!({ "type": "string", "pattern": "^ *[0-9.]+ *% *$" }),
        Form::Texts => json!({ "anyOf": [
            { "type": ["string", "number", "boolean"] },
            { "type": "array", "items": { "type": ["string", "number", "boolean"] } },
        ] }),
        Form::Pair(form) => json!({
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "items": { "anyOf": [schema(form), { "type": "null" }, { "const": "" }] },
        }),
    }
}
