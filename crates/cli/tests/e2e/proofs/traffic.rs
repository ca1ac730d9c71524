//! Traffic between guests, and what of it arrived.

use crate::harness::guest;
use crate::harness::lab::Lab;
use crate::harness::wait::{PATIENCE, until};
use serde_json::Value;
use std::collections::BTreeSet;

/// Pings that go on, five a second, until they are stopped.
pub(super) struct Pings<'a> {
    lab: &'a Lab,
    node: &'a str,
}

/// What became of pings.
#[derive(Debug)]
pub(super) struct Answers {
    /// Sent.
    pub(super) sent: u64,
    /// Answered.
    pub(super) answered: u64,
}

impl Answers {
    /// How many were not answered.
    pub(super) fn lost(&self) -> u64 {
        self.sent - self.answered
    }
}

impl<'a> Pings<'a> {
    /// Starts them in a guest.
    pub(super) fn start(lab: &'a Lab, node: &'a str, address: &str) -> Self {
        let script =
            format!("ping -i 0.2 {address} >/tmp/pings 2>&1 </dev/null & echo $! >/tmp/pings.pid");
        guest::ask(lab, node, &script);
        let pings = Self { lab, node };
        pings.wait_for(1);
        pings
    }

    /// Waits until so many more are answered.
    pub(super) fn wait_for(&self, more: u64) {
        let count = || -> u64 {
            let text = guest::ask(self.lab, self.node, "grep -c 'bytes from' /tmp/pings; true");
            text.trim().parse().unwrap()
        };
        let before = count();
        until(&format!("{more} more answers"), PATIENCE, || {
            let now = count();
            (now >= before + more)
                .then_some(())
                .ok_or_else(|| format!("{before} before, {now} now"))
        });
    }

    /// Stops them, and tells what became of them. The last few may still have been under way: they
    /// count as sent only where a later one was answered.
    pub(super) fn stop(self) -> Answers {
        let script = "kill -INT $(cat /tmp/pings.pid); \
             until grep -q 'packets transmitted' /tmp/pings; do usleep 50000; done; \
             cat /tmp/pings; rm /tmp/pings /tmp/pings.pid";
        let text = guest::ask(self.lab, self.node, script);
        // `64 bytes from 10.128.0.2: icmp_seq=41 ttl=64 time=1.9 ms`
        let numbers: BTreeSet<u64> = text.lines().filter_map(sequence_number).collect();
        // `41 packets transmitted, 41 received, 0% packet loss, time 8134ms`
        let summary = text.lines().find(|line| line.contains("transmitted"));
        let first_word = summary.and_then(|line| line.split_whitespace().next());
        let sent: u64 = first_word
            .and_then(|word| word.parse().ok())
            .unwrap_or_else(|| panic!("no summary of pings: {text}"));
        let last = numbers.last().copied().unwrap_or(0);
        let under_way = (sent - last).min(UNDER_WAY);
        Answers {
            sent: sent - under_way,
            answered: numbers.len() as u64,
        }
    }
}

/// How many pings can be under way at one time: those of half a second.
const UNDER_WAY: u64 = 3;

/// The number of the ping that a line answers.
fn sequence_number(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("icmp_seq=")?;
    rest.split(' ').next()?.parse().ok()
}

/// Bits of TCP's payload a second that arrive from one guest at another, measured by `iperf3`
/// over some seconds in which the stream has found its rate.
pub(super) fn bits_received(lab: &Lab, from: &str, to: &str, address: &str) -> f64 {
    guest::ask(lab, to, "iperf3 --server --daemon --one-off");
    let command = format!("iperf3 --client {address} --omit 2 --time 8 --json");
    let text = guest::ask(lab, from, &command);
    let result: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    result["end"]["sum_received"]["bits_per_second"]
        .as_f64()
        .unwrap_or_else(|| panic!("iperf3 measured nothing: {text}"))
}
