//! `after`: the nodes that a node starts after.

use super::keys as key;
use crate::blueprint::Until;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::format::fields::{Fields, shown, text_of, wrong_type};
use crate::format::key::quoted;
use crate::span::Spanned;
use crate::yaml::{Entry, Value};

/// Reads `r1`, `[r1, r2]` or `{r1: ready, r2: started}`.
pub(super) fn read(fields: &Fields<'_>, found: &mut Diagnostics) -> Vec<(Spanned<String>, Until)> {
    let Some(node) = fields.node(&key::AFTER) else {
        return Vec::new();
    };
    let mut started = |node| {
        let name = text_of(node, &key::AFTER, found)?;
        Some((Spanned::new(name.to_owned(), node.span), Until::Started))
    };
    match &node.value {
        Value::Scalar(_) => started(node).into_iter().collect(),
        Value::Sequence(nodes) => nodes.iter().filter_map(started).collect(),
        Value::Mapping(entries) => {
            let entries = entries.iter();
            entries.filter_map(|entry| one(entry, found)).collect()
        }
    }
}

fn one(entry: &Entry, found: &mut Diagnostics) -> Option<(Spanned<String>, Until)> {
    let name = Spanned::new(entry.key.text.to_string(), entry.key_span);
    let Some(scalar) = entry.value.scalar() else {
        let expected = format!("how far a node must be is one of {}", quoted(Until::WORDS));
        found.push(wrong_type(&entry.value, &expected).help("write `{r1: ready}`"));
        return None;
    };
    let position = Until::WORDS.iter().position(|word| *word == &*scalar.text);
    let Some(position) = position else {
        let message = format!("a node cannot be `{}`", shown(&scalar.text));
        let diagnostic = Diagnostic::error(code::WRONG_TYPE, message)
            .at(entry.value.span, "not one of the known words");
        found.push(match nearest(&scalar.text, Until::WORDS.iter().copied()) {
            Some(word) => diagnostic.help(format!("did you mean `{word}`?")),
            None => diagnostic.help(format!("use one of {}", quoted(Until::WORDS))),
        });
        return None;
    };
    Some((name, Until::ALL[position]))
}
