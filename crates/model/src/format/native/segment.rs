//! Segments of the native format: names, each with its members.

use super::{asked, keys as key, link};
use crate::blueprint::{ADDRESS_LIMIT, AGEING_SECONDS, JunctionKind};
use crate::diagnostic::Diagnostics;
use crate::format::fields::{Fields, wrong_type};
use crate::span::Spanned;
use crate::spec::SegmentSpec;
use crate::yaml::scalar::Schema;
use crate::yaml::{Entry, Value};

/// Reads one entry of `segments`.
pub(super) fn read(entry: &Entry, found: &mut Diagnostics) -> Option<SegmentSpec> {
    let (node, place) = (&entry.value, entry.key_span);
    let fields = Fields::read(node, place, &key::SEGMENT, Schema::Core, found)?;
    let mode = fields.word(&key::SEGMENT_MODE, found);
    let ageing = fields.seconds(&key::AGEING, found);
    let addresses = fields.integer(&key::ADDRESSES, found);
    let kind = match mode.map(|mode| mode.value) {
        None | Some(0) => JunctionKind::Switch {
            ageing_seconds: ageing.map_or(AGEING_SECONDS, |ageing| ageing.value),
            addresses: addresses.map_or(ADDRESS_LIMIT, |addresses| addresses.value),
        },
        Some(_) => JunctionKind::Hub,
    };
    let asked = asked::read(&fields, found);
    let members = fields.node(&key::MEMBERS)?;
    let Value::Sequence(ends) = &members.value else {
        let expected = format!("`members` takes {}", key::MEMBERS.form.expected());
        found.push(wrong_type(members, &expected));
        return None;
    };
    Some(SegmentSpec {
        name: Spanned::new(entry.key.text.to_string(), entry.key_span),
        kind,
        asked,
        members: ends
            .iter()
            .filter_map(|end| link::long_end(end, found))
            .collect(),
    })
}
