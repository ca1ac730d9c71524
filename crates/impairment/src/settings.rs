//! All that can be asked of the frames of one lane, by key.
//!
//! The table at the end of this file is the only list of keys: the fields of [`Settings`],
//! [`KEYS`] and the checks are made from it. Flags, lab files, schemas and documentation are made
//! from [`KEYS`] in turn.
//!
//! It holds: what [`Settings::entries`] gives, [`Settings::set`] takes, and the same settings come
//! out.

use crate::chance::Chance;
use crate::effect::{
    corrupt, delay, distribution, duplicate, loss, mtu, queue, rate, reorder, slot, trace,
};
use crate::error::{FileError, SettingError, SettingProblem, nearest};
use crate::profile::{self, ProfileName};
use crate::said::{OFF, Said};
use crate::unit::{Duration, Percent, Rate};
use crate::value::{Value, ValueError};
use serde::de::Error;
use std::collections::BTreeMap;

/// A key: what it is called, what its values look like, and what they mean.
pub struct SettingKey {
    /// Its name in files and flags, such as `delay-correlation`.
    pub name: &'static str,
    /// The form of its values for help, such as `TIME`.
    pub form: &'static str,
    /// A good value.
    pub example: &'static str,
    /// What it does, in one or two sentences.
    pub doc: &'static str,
    read: fn(&mut Settings, &str) -> Result<(), ValueError>,
    show: fn(&Settings) -> Option<String>,
    clear: fn(&mut Settings),
    overlay: fn(&mut Settings, &Settings),
    file: fn(&Settings) -> Option<&str>,
    attach: fn(&mut Settings, &str) -> Result<(), FileError>,
    content: fn(&Settings) -> Option<String>,
}

impl std::fmt::Debug for SettingKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("SettingKey")
            .field(&self.name)
            .finish()
    }
}

/// What a file's content is called in the serialized form, behind its key.
const CONTENT_SUFFIX: &str = "-content";

macro_rules! settings {
    ($($module:ident [$($check:path)?] { $($field:ident : $type:ty = $word:expr;)* })*) => {
        /// What is asked of the frames of one lane. The default asks for nothing.
        ///
        /// Serialized as a map from keys to texts. The content of a file that was attached goes
        /// with it as `KEY-content`, so that the reader needs no file.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct Settings {
            $($(
                #[doc = concat!("The key of the same name; see [`KEYS`].")]
                pub $field: Said<$type>,
            )*)*
        }

        /// Every key, in the order in which effects meet a frame.
        pub static KEYS: &[SettingKey] = &[$($(
            SettingKey {
                name: $word.name,
                form: $word.form,
                example: $word.example,
                doc: $word.doc,
                read: |settings, text| {
                    settings.$field = match text.trim() {
                        OFF => Said::Off,
                        text => Said::Value(text.parse::<$type>().map_err(ValueError::from)?),
                    };
                    Ok(())
                },
                show: |settings| match &settings.$field {
                    Said::Open => None,
                    Said::Off => Some(OFF.to_owned()),
                    Said::Value(value) => Some(value.to_string()),
                },
                clear: |settings| settings.$field = Said::Open,
                overlay: |settings, other| {
                    if !other.$field.is_open() {
                        settings.$field = other.$field.clone();
                    }
                },
                file: |settings| settings.$field.value().and_then(Value::file),
                attach: |settings, content| match &mut settings.$field {
                    Said::Value(value) => value.attach(content),
                    Said::Open | Said::Off => Ok(()),
                },
                content: |settings| settings.$field.value().and_then(Value::content),
            },
        )*)*];

        /// What looks for settings that do not go together.
        static CHECKS: &[fn(&Settings, &mut Vec<SettingProblem>)] = &[$($($check,)?)*];
    };
}

/// The key of this name.
fn key(name: &str) -> Result<&'static SettingKey, SettingError> {
    KEYS.iter()
        .find(|key| key.name == name)
        .ok_or_else(|| SettingError::Key {
            key: name.to_owned(),
            nearest: nearest(name, KEYS.iter().map(|key| key.name)),
        })
}

impl Settings {
    /// Reads a key's value from text. `none` switches it off, even if a profile asks for it.
    ///
    /// # Errors
    ///
    /// When there is no such key or the value is not of its form; nothing is changed then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
        let key = key(name)?;
        (key.read)(self, value).map_err(|error| SettingError::Value {
            key: key.name,
            value: value.to_owned(),
            error: Box::new(error),
            form: key.form,
            example: key.example,
        })
    }

    /// Leaves a key open again.
    ///
    /// # Errors
    ///
    /// When there is no such key.
    pub fn unset(&mut self, name: &str) -> Result<(), SettingError> {
        (key(name)?.clear)(self);
        Ok(())
    }

    /// All that was said, by key, in the order of [`KEYS`] and in canonical form.
    pub fn entries(&self) -> Vec<(&'static str, String)> {
        KEYS.iter()
            .filter_map(|key| Some((key.name, (key.show)(self)?)))
            .collect()
    }

    /// Takes over all that the other settings say; what they leave open stays.
    ///
    /// Settings that name a profile stand on it, so that what was said before them is gone.
    pub fn overlay(&mut self, other: &Self) {
        if other.profile.value().is_some() {
            *self = Self::default();
        }
        for key in KEYS {
            (key.overlay)(self, other);
        }
    }

    /// The same with the profile's settings in place of its name.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let mut resolved = self
            .profile
            .value()
            .map_or_else(Self::default, |name| name.profile().settings());
        let own = Self {
            profile: Said::Open,
            ..self.clone()
        };
        resolved.overlay(&own);
        resolved
    }

    /// Whether frames pass as they are: nothing was said, or only what changes nothing.
    pub fn is_plain(&self) -> bool {
        let said = self.resolved();
        let still = |time: &Said<Duration>| time.value().is_none_or(|time| time.ns() == 0);
        let never = |chance: &Said<Chance>| chance.value().is_none_or(|it| it.percent.is_zero());
        still(&said.delay)
            && still(&said.jitter)
            && never(&said.duplicate)
            && never(&said.corrupt)
            && said.loss.value().is_none_or(loss::Loss::is_nothing)
            && said.rate.value().is_none()
            && said.trace.value().is_none()
            && said.mtu.value().is_none()
            && said.slot.value().is_none()
    }

    /// Whether no frame passes.
    pub fn drops_all(&self) -> bool {
        self.resolved().loss.value().is_some_and(loss::Loss::is_all)
    }

    /// The files that settings name, as key and path as written.
    pub fn files(&self) -> Vec<(&'static str, &str)> {
        KEYS.iter()
            .filter_map(|key| Some((key.name, (key.file)(self)?)))
            .collect()
    }

    /// Takes the content of the file that a key names.
    ///
    /// # Errors
    ///
    /// When there is no such key, it names no file, or the content is not of its format.
    pub fn attach(&mut self, name: &str, content: &str) -> Result<(), SettingError> {
        let key = key(name)?;
        if (key.file)(self).is_none() {
            return Err(SettingError::NoFile {
                key: name.to_owned(),
            });
        }
        (key.attach)(self, content).map_err(|error| SettingError::File {
            key: key.name,
            error,
        })
    }

    /// Settings that have no effect beside the others, or cannot be had together.
    pub fn check(&self) -> Vec<SettingProblem> {
        let resolved = self.resolved();
        let mut found = Vec::new();
        for check in CHECKS {
            check(&resolved, &mut found);
        }
        found
    }
}

impl serde::Serialize for Settings {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let contents = KEYS.iter().filter_map(|key| {
            let content = (key.content)(self)?;
            Some((format!("{}{CONTENT_SUFFIX}", key.name), content))
        });
        let entries = self.entries().into_iter();
        to.collect_map(
            entries
                .map(|(key, value)| (key.to_owned(), value))
                .chain(contents),
        )
    }
}

impl<'de> serde::Deserialize<'de> for Settings {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let entries = BTreeMap::<String, String>::deserialize(from)?;
        let mut settings = Self::default();
        let (contents, words): (Vec<_>, Vec<_>) = entries
            .iter()
            .partition(|(key, _)| key.ends_with(CONTENT_SUFFIX));
        for (key, value) in words {
            settings.set(key, value).map_err(D::Error::custom)?;
        }
        for (key, content) in contents {
            let key = key.strip_suffix(CONTENT_SUFFIX).unwrap_or(key);
            settings.attach(key, content).map_err(D::Error::custom)?;
        }
        Ok(settings)
    }
}

settings! {
    profile [] { profile: ProfileName = profile::PROFILE; }
    mtu [] { mtu: mtu::Mtu = mtu::MTU; }
    loss [loss::check] { loss: loss::Loss = loss::LOSS; }
    rate [rate::check] {
        rate: Rate = rate::RATE;
        overhead: rate::Overhead = rate::OVERHEAD;
        cell_size: rate::CellSize = rate::CELL_SIZE;
        cell_overhead: rate::Overhead = rate::CELL_OVERHEAD;
    }
    trace [trace::check] { trace: trace::Trace = trace::TRACE; }
    queue [queue::check] {
        queue: queue::QueueLimit = queue::QUEUE;
        queue_discipline: queue::Discipline = queue::DISCIPLINE;
    }
    delay [delay::check] {
        delay: Duration = delay::DELAY;
        jitter: Duration = delay::JITTER;
        delay_correlation: Percent = delay::CORRELATION;
    }
    distribution [distribution::check] {
        distribution: distribution::Distribution = distribution::DISTRIBUTION;
    }
    reorder [reorder::check] { reorder: reorder::Reorder = reorder::REORDER; }
    slot [] { slot: slot::Slot = slot::SLOT; }
    duplicate [duplicate::check] { duplicate: Chance = duplicate::DUPLICATE; }
    corrupt [corrupt::check] { corrupt: Chance = corrupt::CORRUPT; }
}
