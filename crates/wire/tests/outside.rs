//! Ends that lead out of the lab: a TAP device and an interface of the host, in a network
//! namespace of our own.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::process::Command;
use std::time::Duration;
use vnflab_testkit::{Proof, missing_program};
use vnflab_wire::control::change::Change;
use vnflab_wire::{Config, EndConfig, Wire};

/// Where the test runs again inside a namespace of its own.
const INSIDE: &str = "VNFLAB_TEST_INSIDE";

fn main() {
    if std::env::var_os(INSIDE).is_some() {
        return frames_reach_a_tap_device_and_an_interface();
    }
    vnflab_testkit::run(vec![Proof {
        name: "frames_reach_a_tap_device_and_an_interface",
        unmet: missing_program(&["unshare", "ip"]).or_else(no_namespace),
        test: in_a_namespace,
    }]);
}

/// Why no network namespace can be had, if none can.
fn no_namespace() -> Option<String> {
    let tried = Command::new("unshare").args(["--net", "true"]).output();
    let made = tried.is_ok_and(|output| output.status.success());
    (!made).then(|| "a network namespace needs CAP_SYS_ADMIN".to_owned())
}

fn in_a_namespace() {
    let inside = Command::new("unshare")
        .arg("--net")
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(inside.success());
}

fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .unwrap();
    assert!(status.success(), "ip {arguments}");
}

fn broadcast(mark: u8) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, mark, 0x88, 0xb5]);
    frame.resize(60, mark);
    frame
}

/// The next frame of ours; others (IPv6's own, say) are passed over.
fn next(node: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2048];
    loop {
        let length = node.recv(&mut buffer).unwrap();
        if buffer[12..14] == [0x88, 0xb5] {
            return buffer[..length].to_vec();
        }
    }
}

fn frames_reach_a_tap_device_and_an_interface() {
    ip("link set lo up");
    ip("link add outside type veth peer name inside");
    ip("link set outside up");
    ip("link set inside up");
    let node = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tunnel = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    node.connect(tunnel).unwrap();
    node.set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let end = EndConfig::Udp {
        local: tunnel,
        remote: node.local_addr().unwrap(),
    };
    let mut config = Config {
        ends: BTreeMap::from([("r1:eth1".to_owned(), end)]),
        ..Config::default()
    };
    let mut wire = Wire::start().unwrap();
    wire.apply(&config).unwrap();

    // A link to an interface of the host: whoever is at the other end of the cable is reached.
    let connect = |a: &str, b: &str| Change::Connect {
        a: a.to_owned(),
        b: b.to_owned(),
    };
    config = connect("r1:eth1", "host:inside").make(&config).unwrap();
    wire.apply(&config).unwrap();
    let echo = UdpSocket::bind("127.0.0.1:0").unwrap();
    let echo_tunnel = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    echo.connect(echo_tunnel).unwrap();
    echo.set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut far = Config {
        ends: BTreeMap::from([(
            "x:1".to_owned(),
            EndConfig::Udp {
                local: echo_tunnel,
                remote: echo.local_addr().unwrap(),
            },
        )]),
        ..Config::default()
    };
    far = connect("x:1", "host:outside").make(&far).unwrap();
    let mut far_wire = Wire::start().unwrap();
    far_wire.apply(&far).unwrap();
    node.send(&broadcast(1)).unwrap();
    assert_eq!(next(&echo), broadcast(1));
    echo.send(&broadcast(2)).unwrap();
    assert_eq!(next(&node), broadcast(2));

    // The same interface plugged into a TAP device, which is made: the host itself answers there.
    let change = Change::Move {
        from: "host:inside".to_owned(),
        to: "tap:lab0".to_owned(),
    };
    config = change.make(&config).unwrap();
    wire.apply(&config).unwrap();
    ip("link set lab0 up");
    ip("addr add 192.0.2.1/24 dev lab0");
    // Who has 192.0.2.1? Tell 192.0.2.2.
    let mut request = vec![0xff; 6];
    request.extend([2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    request.extend([
        2, 0, 0, 0, 0, 9, 192, 0, 2, 2, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1,
    ]);
    node.send(&request).unwrap();
    let mut answer = [0; 2048];
    loop {
        let length = node.recv(&mut answer).unwrap();
        let is_reply = length >= 42 && answer[12..14] == [8, 6] && answer[21] == 2;
        if is_reply && answer[28..32] == [192, 0, 2, 1] {
            break;
        }
    }
    // The device goes with its end.
    let change = Change::Disconnect {
        junction: "tap:lab0".to_owned(),
    };
    wire.apply(&change.make(&config).unwrap()).unwrap();
    let gone = Command::new("ip")
        .args(["link", "show", "lab0"])
        .output()
        .unwrap();
    assert!(!gone.status.success(), "the TAP device is still there");
}
