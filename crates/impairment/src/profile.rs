//! Named settings: what well-known kinds of links are like.
//!
//! A profile is the base of the settings that name it: what else they say is laid over it. It
//! speaks for one direction; where the two directions differ there is a second one, `NAME-up`.

use crate::effect::Word;
use crate::error::{SettingError, nearest};
use crate::said::Said;
use crate::settings::Settings;
use crate::value::{Value, ValueError};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

pub(crate) const PROFILE: Word = Word {
    name: "profile",
    form: "NAME",
    example: "lte",
    doc: "What kind of link it is: the base over which all other settings are laid.",
};

/// A built-in profile.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// What it stands for.
    pub doc: &'static str,
    /// Where its figures come from; "typical" are those that are only our experience.
    pub source: &'static str,
    /// Its settings, as key and value.
    pub entries: &'static [(&'static str, &'static str)],
}

const WEBPAGETEST: &str = "WebPageTest's connectivity profile of that name; half of its round trip";

/// The built-in profiles.
pub static PROFILES: &[Profile] = &[
    Profile {
        name: "lan",
        doc: "A switched gigabit network in one building",
        source: "typical",
        entries: &[
            ("rate", "1gbit"),
            ("delay", "100us"),
            ("jitter", "20us"),
            ("distribution", "normal"),
        ],
    },
    Profile {
        name: "wan",
        doc: "A leased line across a country",
        source: "typical",
        entries: &[
            ("rate", "100mbit"),
            ("delay", "20ms"),
            ("jitter", "500us"),
            ("distribution", "normal"),
            ("loss", "0.01%"),
        ],
    },
    Profile {
        name: "transatlantic",
        doc: "Between Europe's and North America's east coast",
        source: "typical: 70 ms there and back, of which light in fibre takes 55",
        entries: &[
            ("rate", "1gbit"),
            ("delay", "35ms"),
            ("jitter", "500us"),
            ("distribution", "normal"),
            ("loss", "0.01%"),
        ],
    },
    Profile {
        name: "dsl",
        doc: "ADSL, towards the home",
        source: WEBPAGETEST,
        entries: &[("rate", "1.5mbit"), ("queue", "64KiB"), ("delay", "25ms")],
    },
    Profile {
        name: "dsl-up",
        doc: "ADSL, from the home",
        source: WEBPAGETEST,
        entries: &[("rate", "384kbit"), ("queue", "64KiB"), ("delay", "25ms")],
    },
    Profile {
        name: "cable",
        doc: "Cable television's network, towards the home",
        source: WEBPAGETEST,
        entries: &[("rate", "5mbit"), ("queue", "256KiB"), ("delay", "14ms")],
    },
    Profile {
        name: "cable-up",
        doc: "Cable television's network, from the home",
        source: WEBPAGETEST,
        entries: &[("rate", "1mbit"), ("queue", "256KiB"), ("delay", "14ms")],
    },
    Profile {
        name: "3g",
        doc: "UMTS, towards the phone",
        source: WEBPAGETEST,
        entries: &[
            ("rate", "1.6mbit"),
            ("queue", "256KiB"),
            ("delay", "150ms"),
            ("jitter", "20ms"),
            ("distribution", "paretonormal"),
            ("delay-correlation", "50%"),
        ],
    },
    Profile {
        name: "3g-up",
        doc: "UMTS, from the phone",
        source: WEBPAGETEST,
        entries: &[
            ("rate", "768kbit"),
            ("queue", "256KiB"),
            ("delay", "150ms"),
            ("jitter", "20ms"),
            ("distribution", "paretonormal"),
            ("delay-correlation", "50%"),
        ],
    },
    Profile {
        name: "lte",
        doc: "LTE, either way",
        source: WEBPAGETEST,
        entries: &[
            ("rate", "12mbit"),
            ("queue", "512KiB"),
            ("delay", "35ms"),
            ("jitter", "5ms"),
            ("distribution", "paretonormal"),
            ("delay-correlation", "50%"),
        ],
    },
    Profile {
        name: "5g",
        doc: "5G below 6 GHz, towards the phone",
        source: "typical",
        entries: &[
            ("rate", "200mbit"),
            ("queue", "2MiB"),
            ("delay", "10ms"),
            ("jitter", "2ms"),
            ("distribution", "paretonormal"),
            ("delay-correlation", "25%"),
        ],
    },
    Profile {
        name: "satellite",
        doc: "A geostationary satellite",
        source: "RFC 2488, section 2: 239.6 to 279.0 ms one way; rate and loss are typical",
        entries: &[
            ("rate", "20mbit"),
            ("queue", "1MiB"),
            ("delay", "260ms"),
            ("jitter", "5ms"),
            ("distribution", "normal"),
            ("loss", "0.1%"),
        ],
    },
    Profile {
        name: "leo",
        doc: "Satellites in a low orbit, towards the ground",
        source: "typical",
        entries: &[
            ("rate", "100mbit"),
            ("queue", "1MiB"),
            ("delay", "20ms"),
            ("jitter", "4ms"),
            ("distribution", "paretonormal"),
            ("delay-correlation", "50%"),
            ("loss", "gilbert-elliott 0.02% 10%"),
        ],
    },
    Profile {
        name: "wifi",
        doc: "A good wireless network in one room",
        source: "typical",
        entries: &[
            ("rate", "100mbit"),
            ("queue", "512KiB"),
            ("delay", "2ms"),
            ("jitter", "1ms"),
            ("distribution", "paretonormal"),
            ("loss", "0.01%"),
        ],
    },
    Profile {
        name: "wifi-lossy",
        doc: "A wireless network at the edge of its reach",
        source: "typical",
        entries: &[
            ("rate", "10mbit"),
            ("queue", "256KiB"),
            ("delay", "6ms"),
            ("jitter", "4ms"),
            ("distribution", "pareto"),
            ("delay-correlation", "25%"),
            ("loss", "gilbert-elliott 1% 25% 60% 0.5%"),
        ],
    },
];

impl Profile {
    /// What it asks for.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        for (key, value) in self.entries {
            settings
                .set(key, value)
                .expect("a test reads every value of the table");
        }
        settings
    }
}

/// The name of a built-in profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileName(&'static Profile);

impl ProfileName {
    /// What the name stands for.
    pub const fn profile(self) -> &'static Profile {
        self.0
    }
}

impl FromStr for ProfileName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let text = text.trim();
        PROFILES
            .iter()
            .find(|profile| profile.name == text)
            .map(Self)
            .ok_or_else(|| ValueError::Profile {
                name: text.to_owned(),
                nearest: nearest(text, PROFILES.iter().map(|profile| profile.name)),
            })
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.0.name)
    }
}

impl Value for ProfileName {}

/// The profiles that a lab knows: its own, and the built-in ones that it has none of its own for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profiles {
    own: BTreeMap<String, Settings>,
}

impl Profiles {
    /// Adds one of the lab's own. It goes before a built-in one of the same name.
    pub fn add(&mut self, name: impl Into<String>, settings: Settings) {
        self.own.insert(name.into(), settings);
    }

    /// The names of all profiles, the lab's own first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let built_in = PROFILES.iter().map(|profile| profile.name);
        self.own
            .keys()
            .map(String::as_str)
            .chain(built_in.filter(|name| !self.own.contains_key(*name)))
    }

    /// The settings to begin with where this profile is named, over which all others are laid: a
    /// copy of the lab's own, or settings that name the built-in one.
    ///
    /// # Errors
    ///
    /// When there is no such profile.
    pub fn base(&self, name: &str) -> Result<Settings, SettingError> {
        let name = name.trim();
        if let Some(settings) = self.own.get(name) {
            return Ok(settings.clone());
        }
        let mut settings = Settings::default();
        match name.parse::<ProfileName>() {
            Ok(name) => settings.profile = Said::Value(name),
            Err(_) => settings.set(PROFILE.name, name)?,
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_is_read_and_has_no_problems() {
        for profile in PROFILES {
            let settings = profile.settings();
            assert_eq!(
                settings.entries().len(),
                profile.entries.len(),
                "{}",
                profile.name
            );
            assert_eq!(settings.check(), [], "{}", profile.name);
            assert!(!settings.is_plain(), "{}", profile.name);
            for (key, value) in profile.entries {
                let shown = settings.entries().into_iter().find(|(name, _)| name == key);
                assert_eq!(shown.map(|(_, value)| value).as_deref(), Some(*value));
            }
        }
    }

    #[test]
    fn own_profiles_go_before_built_in_ones() {
        let mut profiles = Profiles::default();
        let mut own = Settings::default();
        own.set("delay", "1ms").unwrap();
        profiles.add("lte", own.clone());
        assert_eq!(profiles.base("lte"), Ok(own));
        let built_in = profiles.base("dsl").unwrap();
        assert_eq!(built_in.entries(), [("profile", "dsl".to_owned())]);
        assert_eq!(profiles.names().filter(|name| *name == "lte").count(), 1);
        let error = profiles.base("dls").unwrap_err().to_string();
        assert!(error.contains("did you mean `dsl`"), "{error}");
    }
}
