//! The keys of impairments, as tables: those that the impairments themselves have, beside ours.
//!
//! A new impairment brings its key with it; the reader, the schema and the reference follow.

use super::{check_keys, keys as key};
use crate::format::key::{Form, Key, Table};
use std::sync::LazyLock;
use vnflab_impairment::KEYS;

static SETTINGS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let keys = KEYS.iter().map(|setting| Key {
        name: setting.name,
        form: Form::Setting(setting),
        example: setting.example,
        doc: setting.doc,
    });
    keys.collect()
});

static SETTING_KEYS: LazyLock<Vec<&'static Key>> =
    LazyLock::new(|| LazyLock::force(&SETTINGS).iter().collect());

static RULE_KEYS: LazyLock<Vec<&'static Key>> = LazyLock::new(|| {
    let own = [&key::MATCH, &key::FROM, &key::DROP].into_iter();
    own.chain(SETTING_KEYS.iter().copied()).collect()
});

static IMPAIRMENT_TABLE: LazyLock<Table> = LazyLock::new(|| Table {
    title: "an impairment",
    keys: SETTING_KEYS.as_slice(),
    required: &[],
    hints: HINTS,
});

static RULE_TABLE: LazyLock<Table> = LazyLock::new(|| Table {
    title: "a rule",
    keys: RULE_KEYS.as_slice(),
    required: RULE_REQUIRED,
    hints: HINTS,
});

static IMPAIR_KEYS: LazyLock<Vec<&'static Key>> = LazyLock::new(|| {
    let own = [&check_keys::IMPAIRED, &check_keys::FROM].into_iter();
    own.chain(SETTING_KEYS.iter().copied()).collect()
});

static IMPAIR_TABLE: LazyLock<Table> = LazyLock::new(|| Table {
    title: "`impair`",
    keys: IMPAIR_KEYS.as_slice(),
    required: IMPAIR_REQUIRED,
    hints: HINTS,
});

static IMPAIR_REQUIRED: &[&Key] = &[&check_keys::IMPAIRED];

static RULE_REQUIRED: &[&Key] = &[&key::MATCH];

/// What other tools call them.
static HINTS: &[(&str, &str)] = &[
    ("latency", "the key is `delay`"),
    ("bandwidth", "the key is `rate`"),
    ("limit", "the key is `queue`"),
    ("corruption", "the key is `corrupt`"),
    ("duplication", "the key is `duplicate`"),
    ("filter", "the key is `match`, in an entry of `rules`"),
];

/// All settings of an impairment.
pub(super) fn impairment() -> &'static Table {
    &IMPAIRMENT_TABLE
}

/// A rule: which frames, and settings.
pub(super) fn rule() -> &'static Table {
    &RULE_TABLE
}

/// What a step of a check does to a link: which, whose frames, and settings.
pub(super) fn impair() -> &'static Table {
    &IMPAIR_TABLE
}
