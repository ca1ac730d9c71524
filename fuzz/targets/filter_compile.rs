//! A text is compiled to a filter, or refused with a place in it; the filter decides about bytes.
//!
//! The input is the text, a zero byte, and the frame. Behind a `w` every byte of the text stands for
//! a word of the language: bytes alone seldom become two words that may stand together.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vnflab_filter::Filter;

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "ether", "iso", "isis", "l1",
    "stp", "llc", "host", "net", "port", "portrange", "proto", "src", "dst", "src or dst",
    "src and dst", "mask", "and", "or", "not", "vlan", "mpls", "pppoes", "len", "less", "greater",
    "broadcast", "multicast", "10.0.0.1", "10.0.0.0/8", "10.1", "255.0.0.0", "2001:db8::1",
    "fe80::/10", "1:2:3:4:5:6", "8000-8080", "domain", "\\tcp", "tcp[13]", "ip[6:2]", "ether[0]",
    "icmp6[", "ip[", "]", ":4]", "(", ")", "=", "!=", "<", ">=", "<<", ">>", "&", "|", "^", "+",
    "-", "*", "/", "%", "0", "1", "6", "80", "89", "443", "4095", "65535", "0xffffffff", "tcpflags",
    "tcp-syn", "icmp-echo", "ip host 10.0.0.1", "tcp port 80", "arp[7] = 1", "mpls and ip",
];

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let text = spelled(parts.next().unwrap_or_default());
    let frame = parts.next().unwrap_or_default();
    match Filter::parse(&text) {
        Ok(filter) => {
            let verdict = filter.matches(frame);
            let again = Filter::parse(filter.text()).expect("it was understood before");
            assert_eq!(again.matches(frame), verdict, "the same text decides");
            // Alone in parentheses it means the same, unless it is nested too deep or too long.
            if let Ok(grouped) = Filter::parse(&format!("({text})")) {
                assert_eq!(grouped.matches(frame), verdict, "parentheses decide");
            }
        }
        Err(error) => {
            assert!(text.get(error.place()).is_some(), "a place in the text");
            assert!(error.to_string().starts_with("expected "));
        }
    }
});

fn spelled(bytes: &[u8]) -> String {
    match bytes.split_first() {
        Some((b'w', numbers)) => {
            let words: Vec<&str> = numbers
                .iter()
                .map(|number| WORDS[usize::from(*number) % WORDS.len()])
                .collect();
            words.join(" ")
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}
