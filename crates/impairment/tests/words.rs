//! Settings as words: what is written is what is meant, and comes back as it was.

use proptest::prelude::*;
use vnflab_impairment::{Impairment, KEYS, PROFILES, Said, SettingError, Settings};

/// Values of each key in canonical form, all its forms among them.
const CANONICAL: &[(&str, &[&str])] = &[
    ("profile", &["lte", "satellite"]),
    ("mtu", &["1500", "68", "65535"]),
    (
        "loss",
        &[
            "1%",
            "1% 25%",
            "gilbert-elliott 1% 10%",
            "gilbert-elliott 1% 10% 70%",
            "gilbert-elliott 1% 10% 70% 0.1%",
            "markov 1% 20%",
            "markov 1% 20% 5%",
            "markov 1% 20% 5% 50%",
            "markov 1% 20% 5% 50% 0.5%",
            "every 10",
        ],
    ),
    ("rate", &["10mbit", "1.5gbit", "64kbit", "800bit"]),
    ("overhead", &["24", "-14"]),
    ("cell-size", &["48"]),
    ("cell-overhead", &["5", "-1"]),
    ("trace", &["verizon lte.down"]),
    ("queue", &["64KiB", "1500b", "100frames"]),
    (
        "queue-discipline",
        &["drop-tail", "red 30KiB 90KiB 2%", "codel 5ms 100ms"],
    ),
    ("delay", &["20ms", "1.5s", "100us", "50ns", "0ms"]),
    ("jitter", &["5ms"]),
    ("delay-correlation", &["25%"]),
    (
        "distribution",
        &[
            "uniform",
            "normal",
            "pareto",
            "paretonormal",
            "table a b.dist",
        ],
    ),
    (
        "reorder",
        &["25%", "25% 50%", "25% gap 5", "25% 50% gap 5", "jitter"],
    ),
    (
        "slot",
        &[
            "5ms",
            "5ms 10ms",
            "5ms packets 3",
            "5ms 10ms packets 3 bytes 64KiB",
        ],
    ),
    ("duplicate", &["1%", "1% 25%"]),
    ("corrupt", &["0.1%", "0.1% 25%"]),
];

#[test]
fn every_key_has_its_forms_here() {
    let here: Vec<&str> = CANONICAL.iter().map(|(key, _)| *key).collect();
    let there: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(here, there);
}

#[test]
fn canonical_values_come_back_as_they_are() {
    for (key, values) in CANONICAL {
        for value in values.iter().copied().chain(["none"]) {
            let mut settings = Settings::default();
            settings.set(key, &format!(" {value} ")).unwrap();
            assert_eq!(settings.entries(), [(*key, value.to_owned())]);
            settings.unset(key).unwrap();
            assert_eq!(settings, Settings::default());
        }
    }
}

#[test]
fn every_example_is_read() {
    for key in KEYS {
        let mut settings = Settings::default();
        settings.set(key.name, key.example).unwrap();
        assert_eq!(settings.entries().len(), 1, "{}", key.name);
    }
}

#[test]
fn other_spellings_mean_the_same() {
    for (key, one, other) in [
        ("loss", "gemodel 1% 10%", "gilbert-elliott 1% 10%"),
        ("loss", "state 1% 20%", "markov 1% 20%"),
        ("loss", "1% 0%", "1%"),
        ("queue", "100 frames", "100frames"),
        ("queue-discipline", "codel", "codel 5ms 100ms"),
        ("slot", "5ms 5ms", "5ms"),
        ("reorder", "25% gap 1", "25%"),
    ] {
        let mut settings = Settings::default();
        settings.set(key, one).unwrap();
        assert_eq!(settings.entries(), [(key, other.to_owned())]);
    }
}

#[test]
fn mistakes_are_told_with_what_was_expected() {
    let mut settings = Settings::default();
    let told: Vec<String> = [
        ("dealy", "20ms"),
        ("colour", "red"),
        ("delay", "20"),
        ("delay", "20ms 5ms"),
        ("loss", "0.1"),
        ("loss", "101%"),
        ("loss", "gilbert 1% 2%"),
        ("loss", "gilbert-elliott 1%"),
        ("loss", "markov 60% 20% 0% 0% 50%"),
        ("loss", "every 0"),
        ("loss", ""),
        ("rate", "10mbps"),
        ("queue", "1000"),
        ("queue-discipline", "red 90KiB 30KiB 2%"),
        ("queue-discipline", "codel 200ms 100ms"),
        ("mtu", "9"),
        ("slot", "10ms 5ms"),
        ("slot", "10ms packets"),
        ("distribution", "table"),
        ("trace", ""),
        ("profile", "sattelite"),
        ("reorder", "25% 5% 5%"),
    ]
    .into_iter()
    .map(|(key, value)| settings.set(key, value).unwrap_err().to_string())
    .collect();
    assert_eq!(settings, Settings::default());
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn problems_are_told_together() {
    let mut told = Vec::new();
    for entries in [
        &[("jitter", "5ms")][..],
        &[("delay-correlation", "25%"), ("distribution", "normal")],
        &[
            ("queue", "64KiB"),
            ("overhead", "24"),
            ("queue-discipline", "codel"),
        ],
        &[("reorder", "25%")],
        &[("reorder", "jitter"), ("delay", "10ms")],
        &[("cell-overhead", "5")],
        &[
            ("rate", "1mbit"),
            ("cell-size", "10"),
            ("cell-overhead", "-10"),
        ],
        &[("trace", "a.down"), ("rate", "1mbit")],
        &[
            ("delay", "1ms"),
            ("jitter", "1ms"),
            ("distribution", "table x"),
        ],
        &[
            ("loss", "100% 20%"),
            ("corrupt", "0% 20%"),
            ("duplicate", "0% 1%"),
        ],
        &[("loss", "gilbert-elliott 1% 0%")],
        &[("loss", "markov 1% 0%")],
        &[
            ("rate", "1mbit"),
            ("queue", "10KiB"),
            ("queue-discipline", "red 10KiB 20KiB 5%"),
        ],
    ] {
        let mut settings = Settings::default();
        for (key, value) in entries {
            settings.set(key, value).unwrap();
        }
        let problems = settings.check();
        assert!(!problems.is_empty(), "{entries:?}");
        for problem in problems {
            told.push(format!(
                "{}: {} ({:?})",
                problem.key, problem.text, problem.severity
            ));
        }
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn later_settings_win_key_by_key_and_profiles_start_afresh() {
    let read = |entries: &[(&str, &str)]| {
        let mut settings = Settings::default();
        for (key, value) in entries {
            settings.set(key, value).unwrap();
        }
        settings
    };
    let mut settings = read(&[("delay", "5ms"), ("loss", "1%")]);
    settings.overlay(&read(&[("delay", "7ms"), ("mtu", "1500")]));
    assert_eq!(
        settings,
        read(&[("delay", "7ms"), ("loss", "1%"), ("mtu", "1500")])
    );

    settings.overlay(&read(&[
        ("profile", "dsl"),
        ("delay", "40ms"),
        ("rate", "none"),
    ]));
    assert_eq!(
        settings,
        read(&[("profile", "dsl"), ("delay", "40ms"), ("rate", "none")])
    );
    let resolved = settings.resolved();
    assert_eq!(resolved.profile, Said::Open);
    assert_eq!(resolved.rate, Said::Off);
    assert_eq!(
        resolved.entries(),
        [
            ("rate", "none".to_owned()),
            ("queue", "64KiB".to_owned()),
            ("delay", "40ms".to_owned())
        ]
    );
}

#[test]
fn what_changes_nothing_is_plain() {
    let mut settings = Settings::default();
    for (key, value) in [
        ("delay", "0ms"),
        ("loss", "0% 20%"),
        ("rate", "none"),
        ("queue", "100frames"),
        ("reorder", "25%"),
        ("distribution", "normal"),
    ] {
        assert!(settings.is_plain(), "{key}");
        settings.set(key, value).unwrap();
    }
    assert!(settings.is_plain());
    settings.set("mtu", "1500").unwrap();
    assert!(!settings.is_plain());
    for (value, all) in [("100%", true), ("99.9999999%", false), ("every 1", true)] {
        settings.set("loss", value).unwrap();
        assert_eq!(settings.drops_all(), all, "{value}");
    }
}

#[test]
fn files_travel_with_the_settings() {
    let mut settings = Settings::default();
    settings.set("trace", "lte.down").unwrap();
    settings.set("distribution", "table my.dist").unwrap();
    assert_eq!(
        settings.files(),
        [("trace", "lte.down"), ("distribution", "my.dist")]
    );
    settings.attach("trace", "0\n3\n3\n\n10\n").unwrap();
    settings
        .attach("distribution", "# mine\n5 -3\n8192 # far\n")
        .unwrap();
    assert_eq!(
        settings.trace.value().unwrap().opportunities(),
        Some(&[0, 3, 3, 10][..])
    );
    let json = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
    assert!(matches!(
        settings.attach("delay", "1"),
        Err(SettingError::NoFile { .. })
    ));
    for (key, content, told) in [
        ("trace", "1\n0\n", "line 2"),
        ("trace", "1\n-1\n", "line 2"),
        ("trace", "", "not 0"),
        ("trace", "0\n0\n", "takes no time"),
        ("distribution", "1 2\n3 x", "line 2"),
        ("distribution", "# none", "not 0"),
        ("distribution", "40000", "line 1"),
    ] {
        let error = settings.attach(key, content).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn an_impairment_is_json() {
    let text = r#"{
        "settings": {"profile": "lte", "loss": "1%"},
        "rules": [{"matches": "ip proto 89", "settings": {"loss": "100%"}}],
        "markov": {"every": "1s", "states": [
            {"name": "good", "next": {"bad": "5%"}},
            {"name": "bad", "settings": {"loss": "50%"}, "next": {"good": "30%"}}
        ]},
        "schedule": [
            {"at": "10s", "action": "down"},
            {"at": "20s", "action": "up"},
            {"at": "30s", "action": {"set": {"delay": "50ms"}}},
            {"at": "40s", "action": "reset"}
        ]
    }"#;
    let impairment: Impairment = serde_json::from_str(text).unwrap();
    assert_eq!(impairment.check(), []);
    let again = serde_json::to_string(&impairment).unwrap();
    assert_eq!(
        serde_json::from_str::<Impairment>(&again).unwrap(),
        impairment
    );
    assert_eq!(serde_json::to_string(&Impairment::default()).unwrap(), "{}");
    assert!(Impairment::default().is_plain());
    for bad in [
        r#"{"rule": []}"#,
        r#"{"settings": {"dealy": "1ms"}}"#,
        r#"{"settings": {"delay": 1}}"#,
        r#"{"settings": {"delay-content": "1"}}"#,
        r#"{"settings": {"trace": "x", "trace-content-content": "1"}}"#,
        r#"{"schedule": [{"at": "1", "action": "up"}]}"#,
    ] {
        assert!(serde_json::from_str::<Impairment>(bad).is_err(), "{bad}");
    }
}

#[test]
fn chains_that_lead_nowhere_are_refused() {
    let text = r#"{"markov": {"every": "1us", "states": [
        {"name": "good", "next": {"bad": "60%", "bda": "50%"}},
        {"name": "bad"}, {"name": "bad"}
    ]}}"#;
    let impairment: Impairment = serde_json::from_str(text).unwrap();
    let told: Vec<String> = impairment.check().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"));
}

/// Texts that are near enough to values to get past the first checks.
fn near_values() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("gilbert-elliott".to_owned()),
        Just("markov".to_owned()),
        Just("every".to_owned()),
        Just("red".to_owned()),
        Just("codel".to_owned()),
        Just("gap".to_owned()),
        Just("packets".to_owned()),
        Just("bytes".to_owned()),
        Just("table".to_owned()),
        "-?[0-9]{1,20}(\\.[0-9]{1,20})?(%|ms|s|mbit|KiB|frames|)",
        "[ -~]{0,6}",
    ];
    prop::collection::vec(word, 0..7).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_value_panics_and_what_is_taken_comes_back(text in near_values(), any in ".*") {
        for key in KEYS {
            for text in [&text, &any] {
                let mut settings = Settings::default();
                if settings.set(key.name, text).is_err() {
                    prop_assert_eq!(&settings, &Settings::default());
                    continue;
                }
                let mut again = Settings::default();
                for (key, value) in settings.entries() {
                    again.set(key, &value).unwrap();
                }
                prop_assert_eq!(&again, &settings);
                let _ = (settings.check(), settings.is_plain(), settings.resolved());
            }
        }
    }

    #[test]
    fn no_file_panics(text in "[0-9 \n#x-]{0,200}", any in ".*") {
        let mut settings = Settings::default();
        settings.set("trace", "t").unwrap();
        settings.set("distribution", "table d").unwrap();
        for key in ["trace", "distribution", "delay", "no"] {
            for text in [&text, &any] {
                let _ = settings.attach(key, text);
            }
        }
        let json = serde_json::to_string(&settings).unwrap();
        prop_assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings);
    }
}

#[test]
fn profiles_are_distinct() {
    for (index, profile) in PROFILES.iter().enumerate() {
        assert!(
            PROFILES[..index]
                .iter()
                .all(|other| other.name != profile.name)
        );
    }
}
