//! What the pcapng writer writes, as `tshark` and `capinfos` show it.
//!
//! A test whose tools are not installed says so and is ignored.

#![expect(
    clippy::unwrap_used,
    reason = "this is a test, and its plain functions are too"
)]

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use vnflab_testkit::{Proof, missing_program};
use vnflab_wire::capture::pcapng::{Direction, Interface, Packet, PcapngWriter, Statistics};

fn main() {
    vnflab_testkit::run(vec![
        Proof {
            name: "tshark_shows_interfaces_directions_remarks_and_nanoseconds",
            unmet: missing_program(&["tshark"]),
            test: tshark_shows_interfaces_directions_remarks_and_nanoseconds,
        },
        Proof {
            name: "capinfos_shows_what_is_said_of_interfaces",
            unmet: missing_program(&["capinfos"]),
            test: capinfos_shows_what_is_said_of_interfaces,
        },
    ]);
}

/// A stream of two ends, with a frame that was cut off and one that was dropped.
fn stream() -> Vec<u8> {
    let mut writer = PcapngWriter::new("vnflab");
    let mut stream = Vec::new();
    writer.begin(&mut stream);
    let [r1, r2] = ["r1:eth1", "r2:eth1"].map(|name| {
        let interface = Interface {
            name: name.to_owned(),
            description: Some(format!("end {name} of a link")),
            filter: Some("not arp".to_owned()),
            snaplen: 64,
        };
        writer.interface(interface, &mut stream)
    });
    let mut frame = [0xee; 100];
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    let arrived = Packet {
        interface: r1,
        nanoseconds: 1_700_000_000_000_000_007,
        direction: Direction::Inbound,
        frame: &frame,
        length: 1200,
        comment: "",
        missed: 0,
    };
    let dropped = Packet {
        interface: r2,
        nanoseconds: 1_700_000_000_123_456_789,
        direction: Direction::Outbound,
        frame: &frame[..61],
        length: 61,
        comment: "dropped: queue",
        missed: 5,
    };
    writer.packet(&arrived, &mut stream);
    writer.packet(&dropped, &mut stream);
    for end in [r1, r2] {
        let statistics = Statistics {
            started_nanoseconds: 1_700_000_000_000_000_000,
            ended_nanoseconds: 1_700_000_001_000_000_000,
            received: 11,
            dropped: 1,
            missed: 5,
        };
        writer.statistics(end, &statistics, &mut stream);
    }
    stream
}

fn output(program: &str, arguments: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("link.pcapng");
    fs::write(&file, stream()).unwrap();
    let output = Command::new(program)
        .args(arguments)
        .arg(&file)
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn tshark_shows_interfaces_directions_remarks_and_nanoseconds() {
    let fields = [
        "frame.interface_name",
        "frame.interface_description",
        "frame.packet_flags_direction",
        "frame.time_epoch",
        "frame.cap_len",
        "frame.len",
        "frame.drop_count",
        "frame.comment",
    ];
    let mut arguments = vec!["-n", "-T", "fields"];
    for field in fields {
        arguments.extend(["-e", field]);
    }
    arguments.push("-r");
    let shown = output("tshark", &arguments);
    let lines: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(
        lines,
        [
            vec![
                "r1:eth1",
                "end r1:eth1 of a link",
                "0x00000001",
                "1700000000.000000007",
                "64",
                "1200",
                "",
                "",
            ],
            vec![
                "r2:eth1",
                "end r2:eth1 of a link",
                "0x00000002",
                "1700000000.123456789",
                "61",
                "61",
                "5",
                "dropped: queue",
            ],
        ]
    );
}

fn capinfos_shows_what_is_said_of_interfaces() {
    let shown = output("capinfos", &[]);
    for expected in [
        "File type:           Wireshark/... - pcapng",
        "File timestamp precision:  nanoseconds (9)",
        "Number of packets:   2",
        "Capture application: vnflab",
        "Name = r1:eth1",
        "Name = r2:eth1",
        "Description = end r2:eth1 of a link",
        "Encapsulation = Ethernet",
        "Capture length = 64",
        "Filter string = not arp",
        "Number of stat entries = 1",
    ] {
        assert!(
            shown.contains(expected),
            "`{expected}` is missing in\n{shown}"
        );
    }
}
