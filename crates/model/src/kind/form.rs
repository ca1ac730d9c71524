//! Whether a kind's file has the form of its schema: every key known, every value of its type.
//!
//! The schema is made from the types that read the file, so a section that is added there is
//! checked here without a line more. Only the words of JSON Schema that `schemars` writes for
//! such types are understood: references, objects, lists, choices of words, and numbers with
//! bounds. What it cannot tell is left to the reader itself.

use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::span::Span;
use crate::yaml::scalar::{self, Schema};
use crate::yaml::{Node, Value as Yaml};
use serde_json::Value;

/// Adds everything that is not in the form of the schema. `span` is the place of what holds
/// `node`, for keys that are missing.
pub(super) fn check(root: &Value, node: &Node, span: Span, found: &mut Diagnostics) {
    Form { root }.check(root, node, span, found);
}

struct Form<'a> {
    root: &'a Value,
}

impl<'a> Form<'a> {
    /// The schema itself where one refers to it.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let target = reference.and_then(|reference| reference.strip_prefix('#'));
        match target.and_then(|pointer| self.root.pointer(pointer)) {
            Some(target) => self.resolved(target),
            None => schema,
        }
    }

    /// The schemas of which one has to hold, without the one that stands for nothing.
    fn choices(&self, schema: &'a Value) -> Vec<&'a Value> {
        let schema = self.resolved(schema);
        let lists = ["anyOf", "oneOf"].into_iter();
        let lists = lists.filter_map(|word| schema.get(word).and_then(Value::as_array));
        let mut choices: Vec<&Value> = lists
            .flatten()
            .filter(|choice| choice.get("type").and_then(Value::as_str) != Some("null"))
            .flat_map(|choice| self.choices(choice))
            .collect();
        if choices.is_empty() {
            choices.push(schema);
        }
        choices
    }

    fn check(&self, schema: &'a Value, node: &Node, span: Span, found: &mut Diagnostics) {
        if node.is_null() {
            return;
        }
        let choices = self.choices(schema);
        let words: Vec<&str> = choices.iter().flat_map(|choice| words(choice)).collect();
        let is_word = |choice: &&&Value| !words_of(choice).is_empty();
        if choices.iter().all(|choice| is_word(&choice)) && !words.is_empty() {
            self.word(&words, node, found);
            return;
        }
        let fitting = choices.iter().find(|choice| fits(choice, node));
        match fitting {
            Some(choice) => self.inside(choice, node, span, found),
            None => {
                let expected: Vec<_> = choices.iter().map(|choice| describe(choice)).collect();
                found.push(wrong(node, &expected.join(" or ")));
            }
        }
    }

    fn word(&self, words: &[&str], node: &Node, found: &mut Diagnostics) {
        let text = node.scalar().map(|scalar| &*scalar.text);
        if text.is_some_and(|text| words.contains(&text)) {
            return;
        }
        let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        let mistake = wrong(node, &format!("one of {}", quoted.join(", ")));
        let near = text.and_then(|text| nearest(text, words.iter().copied()));
        found.push(match near {
            Some(near) => mistake.help(format!("did you mean `{near}`?")),
            None => mistake,
        });
    }

    /// A value that has the right type: what is in it.
    fn inside(&self, schema: &'a Value, node: &Node, span: Span, found: &mut Diagnostics) {
        match &node.value {
            Yaml::Sequence(items) => {
                if let Some(of_items) = schema.get("items") {
                    for item in items.iter() {
                        self.check(of_items, item, item.span, found);
                    }
                }
            }
            Yaml::Mapping(entries) => {
                let known = schema.get("properties").and_then(Value::as_object);
                let others = schema.get("additionalProperties");
                for entry in entries.iter() {
                    let key = &*entry.key.text;
                    let of_key = known.and_then(|known| known.get(key));
                    match (of_key, others) {
                        (Some(of_key), _) => {
                            self.check(of_key, &entry.value, entry.key_span, found);
                        }
                        (None, Some(of_all)) if of_all.is_object() => {
                            self.check(of_all, &entry.value, entry.key_span, found);
                        }
                        (None, Some(Value::Bool(false))) => {
                            let keys = known.into_iter().flatten().map(|(key, _)| key.as_str());
                            found.push(unknown(key, entry.key_span, keys.collect()));
                        }
                        (None, _) => {}
                    }
                }
                let required = schema.get("required").and_then(Value::as_array);
                for key in required.into_iter().flatten().filter_map(Value::as_str) {
                    if !entries.iter().any(|entry| &*entry.key.text == key) {
                        found.push(
                            Diagnostic::error(code::MISSING_KEY, format!("there is no `{key}`"))
                                .at(span, format!("`{key}` is required here")),
                        );
                    }
                }
            }
            Yaml::Scalar(text) => {
                let number = scalar::integer(text, Schema::Core);
                let bound = |word| schema.get(word).and_then(Value::as_i64);
                let low = number
                    .zip(bound("minimum"))
                    .is_some_and(|(is, least)| is < least);
                let high = number
                    .zip(bound("maximum"))
                    .is_some_and(|(is, most)| is > most);
                if low || high {
                    found.push(
                        Diagnostic::error(
                            code::VALUE_RANGE,
                            format!("`{}` is out of range", text.text),
                        )
                        .at(node.span, "out of range"),
                    );
                }
            }
        }
    }
}

/// The words that a schema takes, where it takes nothing else.
fn words_of(schema: &Value) -> Vec<&str> {
    let one = schema.get("const").and_then(Value::as_str);
    let many = schema.get("enum").and_then(Value::as_array);
    one.into_iter()
        .chain(many.into_iter().flatten().filter_map(Value::as_str))
        .collect()
}

fn words<'a>(schema: &&'a Value) -> Vec<&'a str> {
    words_of(schema)
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .filter(|word| *word != "null")
            .collect(),
        _ => Vec::new(),
    }
}

/// Whether a value can be of a schema's type; one without a type takes everything.
fn fits(schema: &Value, node: &Node) -> bool {
    let types = types(schema);
    let words = words_of(schema);
    types.is_empty()
        || types.iter().any(|word| match (*word, &node.value) {
            ("object", Yaml::Mapping(_)) | ("array", Yaml::Sequence(_)) => true,
            ("string", Yaml::Scalar(text)) => words.is_empty() || words.contains(&&*text.text),
            ("integer", Yaml::Scalar(text)) => scalar::integer(text, Schema::Core).is_some(),
            ("number", Yaml::Scalar(text)) => text.text.parse::<f64>().is_ok(),
            ("boolean", Yaml::Scalar(text)) => scalar::boolean(text, Schema::Core).is_some(),
            _ => false,
        })
}

/// What a schema takes, in words.
fn describe(schema: &Value) -> String {
    let words = words_of(schema);
    if !words.is_empty() {
        let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        return quoted.join(" or ");
    }
    let described = types(schema).into_iter().map(|word| match word {
        "object" => "a mapping",
        "array" => "a list",
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        other => other,
    });
    described.collect::<Vec<_>>().join(" or ")
}

fn wrong(node: &Node, expected: &str) -> Diagnostic {
    let message = format!("expected {expected}, found {}", node.describe());
    Diagnostic::error(code::WRONG_TYPE, message).at(node.span, "not understood")
}

fn unknown(key: &str, span: Span, known: Vec<&str>) -> Diagnostic {
    let shown: String = key.chars().take(60).collect();
    let mistake = Diagnostic::error(code::UNKNOWN_KEY, format!("unknown key `{shown}`"))
        .at(span, "not known here");
    match nearest(key, known.iter().copied()) {
        Some(near) => mistake.help(format!("did you mean `{near}`?")),
        None => mistake.help(format!("the keys are {}", known.join(", "))),
    }
}
