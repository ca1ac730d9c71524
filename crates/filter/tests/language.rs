//! The language as its users meet it: what is understood, what is refused and how, and what holds
//! for every text and every frame.

use proptest::prelude::*;
use vnflab_filter::{Filter, FilterError, MAX_DEPTH, MAX_LENGTH, MAX_PRIMITIVES};

fn refused(text: &str) -> FilterError {
    Filter::parse(text).expect_err(text)
}

/// Ethernet, IPv4 from 10.0.0.1 to 10.0.0.2, TCP between these ports.
fn tcp(source: u16, destination: u16) -> Vec<u8> {
    let mut frame = vec![0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1, 8, 0];
    frame.extend([
        0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ]);
    frame.extend(source.to_be_bytes());
    frame.extend(destination.to_be_bytes());
    frame.extend([0; 16]);
    frame
}

#[test]
fn qualifiers_carry_over_to_what_follows_without_one() {
    let filter = Filter::parse("tcp dst port 80 or 443").unwrap();
    assert!(filter.matches(&tcp(1, 80)));
    assert!(filter.matches(&tcp(1, 443)));
    assert!(!filter.matches(&tcp(443, 1)));
}

#[test]
fn and_and_or_bind_equally_and_to_the_left() {
    let filter = Filter::parse("tcp or arp and udp").unwrap();
    assert!(!filter.matches(&tcp(1, 2)));
    let grouped = Filter::parse("tcp or (arp and udp)").unwrap();
    assert!(grouped.matches(&tcp(1, 2)));
}

#[test]
fn a_test_beyond_the_end_of_the_frame_rejects_it_whatever_stands_around() {
    let frame = tcp(1, 2);
    let beyond = Filter::parse("not ip[100] = 1").unwrap();
    assert!(!beyond.matches(&frame));
    let never_asked = Filter::parse("tcp or not ip[100] = 1").unwrap();
    assert!(never_asked.matches(&frame));
    assert!(!never_asked.matches(&frame[..20]));
}

#[test]
fn a_frame_is_matched_behind_its_vlan_tag_only_to_the_right_of_vlan() {
    let mut frame = tcp(1, 179);
    frame.splice(12..12, [0x81, 0, 0, 20]);
    assert!(
        Filter::parse("vlan 20 and tcp port 179")
            .unwrap()
            .matches(&frame)
    );
    assert!(
        !Filter::parse("tcp port 179 and vlan 20")
            .unwrap()
            .matches(&frame)
    );
    assert!(
        !Filter::parse("vlan 21 and tcp port 179")
            .unwrap()
            .matches(&frame)
    );
}

#[test]
fn the_empty_expression_matches_every_frame() {
    for text in ["", " \t\n"] {
        let filter = Filter::parse(text).unwrap();
        assert!(filter.matches(&[]));
        assert!(filter.matches(&tcp(1, 2)));
    }
}

#[test]
fn a_filter_is_its_text_everywhere() {
    let filter: Filter = "tcp port  179".parse().unwrap();
    assert_eq!(filter.text(), "tcp port  179");
    assert_eq!(filter.to_string(), "tcp port  179");
    assert_eq!(format!("{filter:?}"), r#"Filter("tcp port  179")"#);
    let json = serde_json::to_string(&filter).unwrap();
    assert_eq!(json, r#""tcp port  179""#);
    assert_eq!(serde_json::from_str::<Filter>(&json).unwrap(), filter);
    let error = serde_json::from_str::<Filter>(r#""tcp prot 1""#).unwrap_err();
    assert!(error.to_string().contains("found `prot`"), "{error}");
}

#[test]
fn errors_say_where_what_was_expected_and_what_was_found() {
    let cases = [
        (
            "tcp prot 80",
            4..8,
            "expected `and`, `or` or the end, found `prot`; did you mean `port`?",
        ),
        (
            "tpc",
            0..3,
            "expected a primitive such as `host 10.0.0.1`, `tcp port 179` or `arp`, found `tpc`; \
             did you mean `tcp`?",
        ),
        (
            "TCP",
            0..3,
            "expected a primitive such as `host 10.0.0.1`, `tcp port 179` or `arp`, found `TCP`; \
             did you mean `tcp`?",
        ),
        (
            "arp or",
            6..6,
            "expected a primitive such as `host 10.0.0.1`, `tcp port 179` or `arp`, found the end",
        ),
        (
            "host r1",
            5..7,
            "expected an IPv4 or IPv6 address; names are not looked up, found `r1`",
        ),
        (
            "tcp port htpp",
            9..13,
            "expected the number or well-known name of a port, found `htpp`; did you mean `http`?",
        ),
        (
            "ip proto tcp",
            9..12,
            "expected the number or name of an IP protocol, found `tcp`; did you mean `\\tcp`?",
        ),
        (
            "ip proto opsf",
            9..13,
            "expected the number or name of an IP protocol, found `opsf`; did you mean `ospf`?",
        ),
        (
            "net 10.0.0.1/8",
            4..14,
            "expected a network whose bits outside of the mask are zero, found `10.0.0.1/8`",
        ),
        (
            "tcp host 10.0.0.1",
            0..8,
            "expected `ip`, `arp`, `rarp` or nothing before an IPv4 address, found `tcp host`",
        ),
        (
            "vlan 4096",
            5..9,
            "expected a VLAN of at most 4095, found `4096`",
        ),
        (
            "inbound",
            0..7,
            "expected a word that a frame alone can answer, found `inbound`",
        ),
        (
            "mpls and arp",
            9..12,
            "expected `ip` or `ip6`, the only protocols that can be told behind `mpls`, found `arp`",
        ),
        (
            "len / (3 - 3) = 1",
            6..13,
            "expected a divisor that is not zero, found `(3 - 3)`",
        ),
        (
            "ip[0:3] = 1",
            5..6,
            "expected a size of 1, 2 or 4 bytes, found `3`",
        ),
        (
            "port 080",
            5..8,
            "expected a number whose digits are octal, as it begins with `0`, found `080`",
        ),
        (
            "arp or ü",
            7..9,
            "expected a word, a number, an address or an operator, found `ü`",
        ),
        ("(arp", 4..4, "expected `and`, `or` or `)`, found the end"),
        (
            "host 1:2:3",
            5..10,
            "expected an IPv6 or Ethernet address, found `1:2:3`",
        ),
    ];
    for (text, place, message) in cases {
        let error = refused(text);
        assert_eq!(
            (error.place(), error.to_string()),
            (place, message.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn an_error_has_its_parts() {
    let error = refused("arp and tpc");
    assert_eq!(error.what_was_found(), "`tpc`");
    assert_eq!(error.suggestion(), Some("tcp"));
    assert!(error.expected().starts_with("a primitive"));
}

#[test]
fn expressions_beyond_the_limits_are_refused() {
    let fits = format!("{}arp", " ".repeat(MAX_LENGTH - 3));
    assert!(Filter::parse(&fits).is_ok());
    assert_eq!(
        refused(&format!("{fits} ")).to_string(),
        "expected an expression of at most 4096 bytes, found 4097 bytes"
    );
    let nested = |depth| format!("{}arp{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&nested(MAX_DEPTH)).is_ok());
    assert!(
        refused(&nested(MAX_DEPTH + 1))
            .expected()
            .contains("64 levels")
    );
    let many = |count| vec!["ip"; count].join(" or ");
    assert!(Filter::parse(&many(MAX_PRIMITIVES)).is_ok());
    assert!(
        refused(&many(MAX_PRIMITIVES + 1))
            .expected()
            .contains("512 primitives")
    );
    let held = |count: usize| {
        format!(
            "len = {}len{}",
            "len + (".repeat(count - 1),
            ")".repeat(count - 1)
        )
    };
    assert!(Filter::parse(&held(16)).is_ok());
    assert!(refused(&held(17)).expected().contains("at most 16 values"));
}

#[test]
fn nothing_that_is_nested_without_end_overflows_the_stack() {
    for part in [
        "(",
        "!",
        "not ",
        "-",
        "ip[",
        "len%",
        "len^",
        "1+",
        "tcp port (",
        "((",
        "(-",
    ] {
        let text = part.repeat(MAX_LENGTH / part.len());
        assert!(Filter::parse(&text).is_err(), "{part}");
    }
    assert!(Filter::parse(&format!("{}arp", "!".repeat(4000))).is_ok());
    assert!(Filter::parse(&format!("len = {}1", "1+".repeat(2000))).is_ok());
}

#[test]
fn the_largest_programs_fit() {
    let ports = (1..MAX_PRIMITIVES)
        .map(|port| format!(" or {port}"))
        .collect::<String>();
    let many = format!("portrange 1-2{}", &ports[..3000]);
    let many = many.rsplit_once(" or ").unwrap().0;
    let filter = Filter::parse(many).unwrap();
    assert!(filter.matches(&tcp(9999, 300)));
    assert!(!filter.matches(&tcp(9999, 9998)));
    let types = vec!["l1"; MAX_PRIMITIVES].join(" or ");
    assert!(!Filter::parse(&types).unwrap().matches(&tcp(1, 2)));
}

/// Texts that are made of the language's own words, so that many of them are understood.
fn wordy() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "tcp",
        "ip",
        "ip6",
        "ether",
        "arp",
        "host",
        "net",
        "port",
        "portrange",
        "proto",
        "src",
        "dst",
        "and",
        "or",
        "not",
        "(",
        ")",
        "[",
        "]",
        ":",
        "=",
        "<",
        "&",
        "%",
        "-",
        "+",
        "/",
        "80",
        "10.0.0.1",
        "10.0.0.0/8",
        "::1",
        "fe80::/10",
        "1:2:3:4:5:6",
        "vlan",
        "mpls",
        "pppoes",
        "isis",
        "len",
        "8000-8080",
        "tcpflags",
        "1",
        "4",
        "0xffffffff",
        "icmp6",
        "less",
        "broadcast",
        "multicast",
        "\\tcp",
        "mask",
        "255.0.0.0",
        "llc",
        "domain",
    ]);
    prop::collection::vec(word, 0..24).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_text_panics(text in ".{0,80}", frame in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(filter) = Filter::parse(&text) {
            filter.matches(&frame);
        }
    }

    #[test]
    fn no_words_panic_and_what_is_understood_is_its_text(
        text in wordy(),
        frame in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        match Filter::parse(&text) {
            Ok(filter) => {
                let again = Filter::parse(filter.text()).unwrap();
                prop_assert_eq!(again.matches(&frame), filter.matches(&frame));
                prop_assert_eq!(again, filter);
            }
            Err(error) => {
                prop_assert!(error.place().end <= text.len());
                prop_assert!(text.get(error.place()).is_some());
            }
        }
    }

    #[test]
    fn not_is_the_opposite_of_frames_that_are_long_enough(
        primitive in prop::sample::select(vec![
            "tcp port 80", "host 10.0.0.1", "arp", "ip6", "vlan 5", "isis", "less 70", "ip[8] = 64",
            "broadcast", "portrange 1-1000", "net 10.0.0.0/8", "tcp[13] & 2 != 0",
        ]),
        frame in prop::collection::vec(any::<u8>(), 200..300),
    ) {
        let plain = Filter::parse(primitive).unwrap();
        let negated = Filter::parse(&format!("not ({primitive})")).unwrap();
        prop_assert_ne!(plain.matches(&frame), negated.matches(&frame));
    }
}
