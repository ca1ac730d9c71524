//! Values of the user's own, for templates.
//!
//! They keep the types that YAML gives them: a number is no text, so that templates can count with it.

use crate::diagnostic::Diagnostics;
use crate::format::fields::{Fields, wrong_type};
use crate::format::key::Key;
use crate::yaml::scalar::{self, Schema};
use crate::yaml::{Entry, Node, Scalar, Style, Value};
use serde_json::{Map, Value as Json};

/// What stands below a key; nothing where that is left out or empty.
pub(super) fn read(
    fields: &Fields<'_>,
    key: &'static Key,
    found: &mut Diagnostics,
) -> Map<String, Json> {
    match fields.node(key).map(|node| (node, &node.value)) {
        None => Map::new(),
        Some((node, _)) if node.is_null() => Map::new(),
        Some((_, Value::Mapping(entries))) => mapping(entries),
        Some((node, _)) => {
            let expected = format!("`{}` takes {}", key.name, key.form.expected());
            let example = format!("for example `{}: {}`", key.name, key.example);
            found.push(wrong_type(node, &expected).help(example));
            Map::new()
        }
    }
}

fn mapping(entries: &[Entry]) -> Map<String, Json> {
    let values = entries.iter();
    values
        .map(|entry| (entry.key.text.to_string(), value(&entry.value)))
        .collect()
}

fn value(node: &Node) -> Json {
    match &node.value {
        Value::Scalar(_) if node.is_null() => Json::Null,
        Value::Scalar(scalar) => of_scalar(scalar),
        Value::Sequence(nodes) => nodes.iter().map(value).collect(),
        Value::Mapping(entries) => Json::Object(mapping(entries)),
    }
}

fn of_scalar(scalar: &Scalar) -> Json {
    if let Some(truth) = scalar::boolean(scalar, Schema::Core) {
        return truth.into();
    }
    if let Some(number) = scalar::integer(scalar, Schema::Core) {
        return number.into();
    }
    // A version such as `1.2.3` and an address are texts; so is what no number can hold, such as
    // an integer that is too long: as a float it would lose digits.
    let is_decimal = |text: &str| {
        let mut bytes = text.bytes();
        text.contains('.') && bytes.all(|byte| byte.is_ascii_digit() || b".-".contains(&byte))
    };
    let decimal = scalar.text.parse::<f64>().ok();
    let decimal = decimal.filter(|_| scalar.style == Style::Plain && is_decimal(&scalar.text));
    match decimal.and_then(serde_json::Number::from_f64) {
        Some(number) => Json::Number(number),
        None => scalar.text.to_string().into(),
    }
}
