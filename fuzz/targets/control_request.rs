//! A line comes over the control socket: it is a request or is refused, and what it asks of the
//! configuration is made or refused, without a socket being opened.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use vnflab_wire::control::change::{Change, find};
use vnflab_wire::control::protocol::Request;
use vnflab_wire::{Config, EndConfig, JunctionConfig, JunctionKind};

fuzz_target!(|input: &[u8]| {
    let Ok(request) = serde_json::from_slice::<Request>(input) else {
        return;
    };
    let written = serde_json::to_vec(&request).expect("what was read can be written");
    let again: Request = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(again, request);
    match request {
        Request::Apply { config } => check(&config),
        Request::Change { change } => change_small(&change),
        Request::Capture { capture } => {
            let _ = find(&small(), &capture.what);
        }
        Request::Probe { junction, .. } => {
            let _ = find(&small(), &junction);
        }
        Request::Hello | Request::Config | Request::Counts | Request::Stop => {}
    }
});

/// What is wrong with a configuration is found and said, whatever it is.
fn check(config: &Config) {
    for problem in config.check() {
        assert!(!problem.to_string().is_empty());
    }
}

fn change_small(change: &Change) {
    let before = small();
    match change.make(&before) {
        Ok(after) => {
            check(&after);
            let members = |config: &Config| -> usize {
                let junctions = config.junctions.values();
                junctions.map(|junction| junction.members.len()).sum()
            };
            assert!(
                members(&after) <= after.ends.len(),
                "an end is in two places"
            );
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A link, a segment, and an end that is free.
fn small() -> Config {
    let names = ["r1:eth1", "r2:eth1", "r3:eth1", "r3:eth2", "r1:eth2"];
    let ends = (1_u16..).zip(names).map(|(port, name)| {
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let end = EndConfig::Udp {
            local: address(port),
            remote: address(port + 100),
        };
        (name.to_owned(), end)
    });
    let lan = JunctionConfig {
        kind: JunctionKind::Hub,
        ..JunctionConfig::link("r3:eth1", "r3:eth2")
    };
    Config {
        ends: ends.collect(),
        junctions: BTreeMap::from([
            (
                "r1:eth1--r2:eth1".to_owned(),
                JunctionConfig::link("r1:eth1", "r2:eth1"),
            ),
            ("lan".to_owned(), lan),
        ]),
        ..Config::default()
    }
}
