//! A wire's counters in the text format that Prometheus reads (version 0.0.4).
//!
//! Pure text. One metric a family, one line an end; counters go on over restarts of the wire.

use std::fmt::Write as _;
use vnflab_wire::LinkState;
use vnflab_wire::control::protocol::{EndStatus, Status};

/// What the text is, as HTTP names it.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A family of metrics with one value an end.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&EndStatus) -> u64,
}

const FAMILIES: &[Family] = &[
    Family {
        name: "vnflab_end_up",
        kind: "gauge",
        help: "Whether frames of this end may pass now.",
        value: |end| u64::from(end.state == LinkState::Up),
    },
    Family {
        name: "vnflab_end_received_frames_total",
        kind: "counter",
        help: "Frames that came in from this end.",
        value: |end| end.received_frames,
    },
    Family {
        name: "vnflab_end_received_bytes_total",
        kind: "counter",
        help: "Bytes that came in from this end.",
        value: |end| end.received_bytes,
    },
    Family {
        name: "vnflab_end_sent_frames_total",
        kind: "counter",
        help: "Frames that were sent out to this end.",
        value: |end| end.sent_frames,
    },
    Family {
        name: "vnflab_end_sent_bytes_total",
        kind: "counter",
        help: "Bytes that were sent out to this end.",
        value: |end| end.sent_bytes,
    },
    Family {
        name: "vnflab_end_duplicates_total",
        kind: "counter",
        help: "Copies that were made of frames of this end.",
        value: |end| end.duplicates,
    },
    Family {
        name: "vnflab_end_held_frames",
        kind: "gauge",
        help: "Frames of this end that wait.",
        value: |end| end.held_frames,
    },
    Family {
        name: "vnflab_end_overruns_total",
        kind: "counter",
        help: "Frames that the kernel dropped because the wire did not take them in time, since it was started.",
        value: |end| end.overruns,
    },
];

/// All counters of a lab's wire.
pub(super) fn text(lab: &str, status: &Status) -> String {
    let mut text = Text(String::new());
    text.head(
        "vnflab_wire_waiting_bytes",
        "gauge",
        "Memory that waiting frames hold.",
    );
    let lab = label(lab);
    text.line(format_args!(
        "vnflab_wire_waiting_bytes{{lab=\"{lab}\"}} {}",
        status.waiting_bytes
    ));
    for family in FAMILIES {
        text.head(family.name, family.kind, family.help);
        for (name, end) in &status.ends {
            let (family_name, value) = (family.name, (family.value)(end));
            let name = label(name);
            text.line(format_args!(
                "{family_name}{{lab=\"{lab}\",end=\"{name}\"}} {value}"
            ));
        }
    }
    drops(&mut text, &lab, status);
    latency(&mut text, &lab, status);
    text.0
}

fn drops(text: &mut Text, lab: &str, status: &Status) {
    const NAME: &str = "vnflab_end_dropped_frames_total";
    text.head(
        NAME,
        "counter",
        "Frames of this end that were dropped, by cause.",
    );
    for (name, end) in &status.ends {
        let name = label(name);
        for (cause, count) in &end.drops {
            let cause = cause.word();
            text.line(format_args!(
                "{NAME}{{lab=\"{lab}\",end=\"{name}\",cause=\"{cause}\"}} {count}"
            ));
        }
    }
}

/// The time that frames spent in the wire. Its sum is not counted, so there is none.
fn latency(text: &mut Text, lab: &str, status: &Status) {
    const NAME: &str = "vnflab_end_latency_seconds";
    let measured = |end: &EndStatus| end.latency.iter().any(|count| *count > 0);
    if !status.ends.values().any(measured) {
        return;
    }
    text.head(
        NAME,
        "histogram",
        "Time that frames of this end spent in the wire, of links that ask for something.",
    );
    for (name, end) in status.ends.iter().filter(|(_, end)| measured(end)) {
        let name = label(name);
        let labels = format!("lab=\"{lab}\",end=\"{name}\"");
        let mut frames = 0;
        // The last bucket has no upper bound.
        let bounded = end.latency.len().saturating_sub(1);
        for (bucket, count) in end.latency.iter().take(bounded).enumerate() {
            frames += count;
            let bound = 2_f64.powi(i32::try_from(bucket).unwrap_or(i32::MAX)) / 1e6;
            text.line(format_args!(
                "{NAME}_bucket{{{labels},le=\"{bound}\"}} {frames}"
            ));
        }
        frames += end.latency.last().copied().unwrap_or_default();
        text.line(format_args!(
            "{NAME}_bucket{{{labels},le=\"+Inf\"}} {frames}"
        ));
        text.line(format_args!("{NAME}_count{{{labels}}} {frames}"));
    }
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("writing to a string does not fail");
    }
}

/// A text as the value of a label.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use vnflab_wire::core::cause::Cause;

    #[test]
    fn each_end_has_its_line_and_buckets_add_up() {
        let end = EndStatus {
            state: LinkState::Up,
            received_frames: 7,
            received_bytes: 700,
            sent_frames: 5,
            sent_bytes: 500,
            passed_frames: 6,
            duplicates: 0,
            held_frames: 1,
            drops: BTreeMap::from([(Cause::Loss, 2)]),
            latency: vec![1, 0, 2, 4],
            overruns: 0,
        };
        let silent = EndStatus {
            state: LinkState::Down,
            latency: vec![0; 4],
            drops: BTreeMap::new(),
            ..end.clone()
        };
        let status = Status {
            time_ns: 0,
            waiting_bytes: 60,
            ends: BTreeMap::from([("r1:eth1".to_owned(), end), ("r\"2".to_owned(), silent)]),
        };
        let text = text("lab", &status);
        for line in [
            "vnflab_wire_waiting_bytes{lab=\"lab\"} 60",
            "# TYPE vnflab_end_received_frames_total counter",
            "vnflab_end_received_frames_total{lab=\"lab\",end=\"r1:eth1\"} 7",
            "vnflab_end_up{lab=\"lab\",end=\"r\\\"2\"} 0",
            "vnflab_end_dropped_frames_total{lab=\"lab\",end=\"r1:eth1\",cause=\"loss\"} 2",
            "vnflab_end_latency_seconds_bucket{lab=\"lab\",end=\"r1:eth1\",le=\"0.000001\"} 1",
            "vnflab_end_latency_seconds_bucket{lab=\"lab\",end=\"r1:eth1\",le=\"0.000004\"} 3",
            "vnflab_end_latency_seconds_bucket{lab=\"lab\",end=\"r1:eth1\",le=\"+Inf\"} 7",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}\n{text}");
        }
        assert!(!text.contains("latency_seconds_bucket{lab=\"lab\",end=\"r\\\"2\""));
    }
}
