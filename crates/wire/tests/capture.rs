//! Captures over the control socket, of frames that real sockets send.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, and their plain functions are too"
)]

use std::collections::BTreeMap;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use vnflab_impairment::Impairment;
use vnflab_wire::capture::blocks::{BlockReader, Body};
use vnflab_wire::capture::pcapng::Direction;
use vnflab_wire::control::change::Change;
use vnflab_wire::control::protocol::CaptureRequest;
use vnflab_wire::control::{CaptureStream, Client, ClientError, Folder, serve};
use vnflab_wire::{Config, EndConfig, JunctionConfig, JunctionKind};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

const NODES: [&str; 3] = ["r1:eth1", "r2:eth1", "r3:eth1"];
const LINK: &str = "r1:eth1--r2:eth1";

/// A wire that is served, with a socket in the place of each node.
struct Lab {
    folder: Folder,
    nodes: Vec<UdpSocket>,
    server: Option<JoinHandle<()>>,
    _temporary: TempDir,
}

impl Lab {
    /// `r1` and `r2` are joined; `r3` is free.
    fn start(from_r1: &[(&str, &str)]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::new(temporary.path().join("ring"));
        let (ready, is_ready) = std::sync::mpsc::channel();
        let served = folder.clone();
        let server =
            std::thread::spawn(move || serve(&served, || ready.send(()).unwrap()).unwrap());
        is_ready.recv_timeout(PATIENCE).unwrap();
        let open = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let nodes: Vec<UdpSocket> = NODES.iter().map(|_| open()).collect();
        let locals: Vec<SocketAddr> = {
            let free: Vec<UdpSocket> = NODES.iter().map(|_| open()).collect();
            free.iter().map(|one| one.local_addr().unwrap()).collect()
        };
        let mut config = Config::default();
        for ((name, node), local) in NODES.iter().zip(&nodes).zip(&locals) {
            node.connect(local).unwrap();
            node.set_read_timeout(Some(PATIENCE)).unwrap();
            let (local, remote) = (*local, node.local_addr().unwrap());
            let end = EndConfig::Udp { local, remote };
            config.ends.insert((*name).to_owned(), end);
        }
        let mut link = JunctionConfig::link(NODES[0], NODES[1]);
        let mut asked = Impairment::default();
        for (matches, key) in from_r1 {
            let mut settings = vnflab_impairment::Settings::default();
            let (key, value) = key.split_once('=').unwrap();
            settings.set(key, value).unwrap();
            match *matches {
                "" => asked.settings = settings,
                matches => asked.rules.push(vnflab_impairment::Rule {
                    matches: matches.to_owned(),
                    settings,
                }),
            }
        }
        if asked != Impairment::default() {
            link.impairments.insert(NODES[0].to_owned(), asked);
        }
        config.junctions = BTreeMap::from([(LINK.to_owned(), link)]);
        Client::connect(&folder).unwrap().apply(&config).unwrap();
        Self {
            folder,
            nodes,
            server: Some(server),
            _temporary: temporary,
        }
    }

    fn client(&self) -> Client {
        Client::connect(&self.folder).unwrap()
    }

    fn capture(&self, what: &str, filter: Option<&str>, snap_length: u32) -> CaptureStream {
        self.client()
            .capture(CaptureRequest {
                what: what.to_owned(),
                filter: filter.map(str::to_owned),
                snap_length,
            })
            .unwrap()
    }

    fn stop(mut self) {
        self.client().stop().unwrap();
        self.server.take().unwrap().join().unwrap();
    }
}

fn frame(ether_type: u16, number: u8) -> Vec<u8> {
    let mut frame = vec![number; 100];
    frame[12..14].copy_from_slice(&ether_type.to_be_bytes());
    frame
}

/// A frame that was captured, in a few words.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    interface: String,
    direction: Option<Direction>,
    kept: usize,
    length: u32,
    number: u8,
    comment: String,
}

/// Everything in a stream that has come so far.
#[derive(Debug, Default)]
struct Transcript {
    reader: BlockReader,
    interfaces: Vec<String>,
    seen: Vec<Seen>,
    times: Vec<u64>,
    missed: u64,
    missed_in_the_end: Vec<u64>,
}

impl Transcript {
    /// Reads once; whether the stream goes on.
    fn read(&mut self, stream: &mut CaptureStream) -> bool {
        let mut bytes = [0; 1 << 16];
        let length = stream.read(&mut bytes).unwrap();
        self.reader.push(&bytes[..length]);
        while let Some(block) = self.reader.next_block().unwrap() {
            match block.body {
                Body::Interface { name } => self.interfaces.push(name.unwrap().to_owned()),
                Body::Packet(packet) => {
                    self.missed += packet.missed;
                    self.times.push(packet.nanoseconds);
                    self.seen.push(Seen {
                        interface: self.interfaces[packet.interface as usize].clone(),
                        direction: packet.direction,
                        kept: packet.frame.len(),
                        length: packet.length,
                        number: packet.frame[14],
                        comment: packet.comment.to_owned(),
                    });
                }
                Body::Statistics { missed, .. } => self.missed_in_the_end.push(missed),
                Body::Section | Body::Other => {}
            }
        }
        length > 0
    }

    /// Reads until some frames have come.
    fn of(stream: &mut CaptureStream, frames: usize) -> Self {
        let mut transcript = Self::default();
        while transcript.seen.len() < frames && transcript.read(stream) {}
        assert_eq!(transcript.seen.len(), frames);
        transcript
    }

    fn rest(&mut self, stream: &mut CaptureStream) {
        while self.read(stream) {}
    }
}

fn seen(interface: &str, direction: Direction, number: u8, comment: &str) -> Seen {
    Seen {
        interface: interface.to_owned(),
        direction: Some(direction),
        kept: 100,
        length: 100,
        number,
        comment: comment.to_owned(),
    }
}

fn now_ns() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    u64::try_from(since.as_nanos()).unwrap()
}

#[test]
fn a_link_shows_what_each_end_sends_and_what_became_of_it() {
    let lab = Lab::start(&[("arp", "loss=100%")]);
    let mut stream = lab.capture("r2:eth1--r1:eth1", None, 0);
    let began_ns = now_ns();
    lab.nodes[0].send(&frame(0x0800, 1)).unwrap();
    lab.nodes[1].recv(&mut [0; 200]).unwrap();
    lab.nodes[0].send(&frame(0x0806, 2)).unwrap();
    // The next frame may not overtake the one before: they come from different sockets.
    let mut first = Transcript::of(&mut stream, 2);
    lab.nodes[1].send(&frame(0x0800, 3)).unwrap();
    while first.seen.len() < 3 && first.read(&mut stream) {}
    let expected = [
        seen("r1:eth1", Direction::Outbound, 1, ""),
        seen(
            "r1:eth1",
            Direction::Outbound,
            2,
            "dropped: rule at r1:eth1",
        ),
        seen("r2:eth1", Direction::Outbound, 3, ""),
    ];
    assert_eq!(first.seen, expected);
    let ended_ns = now_ns();
    let within = |time: &u64| (began_ns..=ended_ns).contains(time);
    assert!(first.times.iter().all(within) && first.times.is_sorted());
    stream.finish().unwrap();
    first.rest(&mut stream);
    assert_eq!(first.missed_in_the_end, [0, 0]);
    lab.stop();
}

#[test]
fn an_end_shows_both_directions_and_one_without_a_link_why_nothing_gets_through() {
    let lab = Lab::start(&[("", "delay=1ms")]);
    let mut both = lab.capture("r2:eth1", None, 60);
    lab.nodes[0].send(&frame(0x0800, 1)).unwrap();
    lab.nodes[1].recv(&mut [0; 200]).unwrap();
    lab.nodes[1].send(&frame(0x0800, 2)).unwrap();
    let found = Transcript::of(&mut both, 2);
    let cut = |one: Seen| Seen { kept: 60, ..one };
    let expected = [
        cut(seen("r2:eth1", Direction::Inbound, 1, "")),
        cut(seen("r2:eth1", Direction::Outbound, 2, "")),
    ];
    assert_eq!(found.seen, expected);
    let mut free = lab.capture("r3:eth1", None, 0);
    lab.nodes[2].send(&frame(0x0800, 3)).unwrap();
    let found = Transcript::of(&mut free, 1);
    let comment = "dropped: unconnected at r3:eth1";
    assert_eq!(
        found.seen,
        [seen("r3:eth1", Direction::Outbound, 3, comment)]
    );
    lab.stop();
}

#[test]
fn an_end_that_joins_a_segment_joins_its_capture() {
    let lab = Lab::start(&[]);
    let change = |change: Change| lab.client().change(change).map(drop).unwrap();
    let ends = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    change(Change::Disconnect {
        junction: LINK.to_owned(),
    });
    let join = |names: &[&str]| Change::Join {
        segment: "lan".to_owned(),
        ends: ends(names),
        kind: JunctionKind::Hub,
    };
    change(join(&NODES[..2]));
    let mut stream = lab.capture("lan", None, 0);
    lab.nodes[0].send(&frame(0x0800, 1)).unwrap();
    let mut found = Transcript::of(&mut stream, 1);
    change(join(&NODES[2..]));
    let began = Instant::now();
    // It looks now and then.
    while found.interfaces.len() < 3 {
        lab.nodes[1].send(&frame(0x0800, 2)).unwrap();
        found.read(&mut stream);
        assert!(began.elapsed() < PATIENCE, "it has not joined");
        std::thread::sleep(Duration::from_millis(10));
    }
    lab.nodes[2].send(&frame(0x0800, 3)).unwrap();
    while found.seen.iter().all(|one| one.number != 3) {
        assert!(found.read(&mut stream));
    }
    let last = found.seen.iter().find(|one| one.number == 3);
    assert_eq!(last, Some(&seen("r3:eth1", Direction::Outbound, 3, "")));
    change(Change::Leave {
        ends: ends(&NODES[1..2]),
    });
    stream.finish().unwrap();
    found.rest(&mut stream);
    assert_eq!(found.missed_in_the_end, [0, 0, 0]);
    lab.stop();
}

#[test]
fn several_captures_have_filters_of_their_own_and_mistakes_are_told() {
    let lab = Lab::start(&[]);
    let mut captures = ["arp", "ip"].map(|filter| lab.capture(LINK, Some(filter), 0));
    for (number, ether_type) in [(1, 0x0806), (2, 0x0800), (3, 0x0806), (4, 0x0800)] {
        lab.nodes[0].send(&frame(ether_type, number)).unwrap();
    }
    let found = captures
        .each_mut()
        .map(|stream| Transcript::of(stream, 2).seen)
        .map(|seen| seen.iter().map(|one| one.number).collect::<Vec<u8>>());
    assert_eq!(found, [[1, 3], [2, 4]]);
    for (what, filter, expected) in [
        (
            "r9:eth9",
            None,
            "there is no link, segment or end `r9:eth9`",
        ),
        (LINK, Some("arpp"), "expected"),
    ] {
        let refused = lab.client().capture(CaptureRequest {
            what: what.to_owned(),
            filter: filter.map(str::to_owned),
            snap_length: 0,
        });
        match refused {
            Err(ClientError::Refused(text)) => assert!(text.contains(expected), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    lab.stop();
}

#[test]
fn a_reader_that_does_not_read_loses_no_frame_of_the_link_and_is_told_what_it_missed() {
    const FRAMES: u64 = 6000;
    const LENGTH: usize = 8000;
    let lab = Lab::start(&[]);
    let mut stream = lab.capture(LINK, None, 0);
    let big = vec![7; LENGTH];
    let mut received = [0; LENGTH + 1];
    // One at a time, so that no socket on the way overflows.
    for _ in 0..FRAMES {
        lab.nodes[0].send(&big).unwrap();
        assert_eq!(lab.nodes[1].recv(&mut received).unwrap(), LENGTH);
    }
    let mut found = Transcript::default();
    stream.finish().unwrap();
    found.rest(&mut stream);
    let captured = found.seen.len() as u64;
    let missed: u64 = found.missed_in_the_end.iter().sum();
    assert!(missed > 0 && captured > 0, "{captured} and {missed}");
    assert_eq!(captured + missed, FRAMES);
    assert!(found.missed <= missed);
    lab.stop();
}

#[test]
fn a_client_that_leaves_is_noticed_though_no_frames_come() {
    let lab = Lab::start(&[]);
    drop(lab.capture(LINK, None, 0));
    // A link that nobody looks at counts no latencies.
    let latencies = |lab: &Lab| -> u64 {
        let status = lab.client().status().unwrap();
        status.ends[NODES[0]].latency.iter().sum()
    };
    let began = Instant::now();
    loop {
        let before = latencies(&lab);
        lab.nodes[0].send(&frame(0x0800, 1)).unwrap();
        lab.nodes[1].recv(&mut [0; 200]).unwrap();
        if latencies(&lab) == before {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "it is still watched");
        std::thread::sleep(Duration::from_millis(20));
    }
    lab.stop();
}

#[test]
fn the_end_of_the_wire_ends_the_stream_in_good_order() {
    let lab = Lab::start(&[]);
    let mut stream = lab.capture(LINK, None, 0);
    lab.nodes[0].send(&frame(0x0800, 1)).unwrap();
    let mut found = Transcript::of(&mut stream, 1);
    lab.stop();
    found.rest(&mut stream);
    assert_eq!(found.missed_in_the_end, [0, 0]);
}
