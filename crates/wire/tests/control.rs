//! A wire as a process of its own, asked and provoked over its control socket.
//!
//! The process is this test binary, started again: see [`serves_the_folder_that_it_is_given`].

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests")]

mod common;

use common::{Node, PATIENCE, eventually};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use vnflab_impairment::Settings;
use vnflab_wire::control::change::Change;
use vnflab_wire::control::protocol::{
    CONNECTION_LIMIT, CaptureRequest, REQUEST_LIMIT, Status, VERSION,
};
use vnflab_wire::control::{Client, ClientError, Folder, serve};
use vnflab_wire::core::cause::Cause;
use vnflab_wire::{Config, JunctionConfig, JunctionKind, LinkState};

/// Names the folder to the process that serves it.
const FOLDER: &str = "VNFLAB_TEST_WIRE_FOLDER";

#[test]
fn serves_the_folder_that_it_is_given() {
    let Some(path) = std::env::var_os(FOLDER) else {
        // As a test among the others it has nothing to serve.
        return;
    };
    let served = serve(&Folder::new(path), || println!("\nready"));
    if let Err(error) = served {
        println!("\nerror: {error}");
    }
}

/// A wire's process; it is killed when it is dropped.
struct Process(Child);

impl Process {
    /// Starts one; the line that it says first.
    fn start(folder: &Folder) -> (Self, String) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "serves_the_folder_that_it_is_given",
                "--nocapture",
            ])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = lines.map(Result::unwrap);
        let said = lines.find(|line| line == "ready" || line.starts_with("error"));
        // Whatever it says later must not fill the pipe.
        thread::spawn(move || lines.for_each(drop));
        (Self(child), said.unwrap_or_default())
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A wire that is served, with a link of two nodes.
struct Lab {
    folder: Folder,
    process: Process,
    a: Node,
    b: Node,
    _home: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::new(home.path().join("wires").join("lab"));
        let (process, said) = Process::start(&folder);
        assert_eq!(said, "ready");
        let (a, b) = (Node::new(), Node::new());
        let mut config = Config {
            seed: 7,
            ..Config::default()
        };
        config.ends.insert("a:1".to_owned(), a.end());
        config.ends.insert("b:1".to_owned(), b.end());
        let link = JunctionConfig::link("a:1", "b:1");
        config.junctions.insert("a:1--b:1".to_owned(), link);
        let lab = Self {
            folder,
            process,
            a,
            b,
            _home: home,
        };
        lab.client().apply(&config).unwrap();
        lab
    }

    fn client(&self) -> Client {
        Client::connect(&self.folder).unwrap()
    }

    fn stream(&self) -> UnixStream {
        let stream = UnixStream::connect(self.folder.socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn status(&self) -> Status {
        self.client().status().unwrap()
    }

    /// Frames pass in both directions.
    fn passes(&self) {
        self.a.send(b"there");
        assert_eq!(self.b.receive(1), [b"there"]);
        self.b.send(b"back");
        assert_eq!(self.a.receive(1), [b"back"]);
    }
}

fn settings(key: &str, value: &str) -> Box<Settings> {
    let mut settings = Settings::default();
    settings.set(key, value).unwrap();
    Box::new(settings)
}

/// The answer to one line.
fn ask(stream: &mut UnixStream, line: &[u8]) -> String {
    stream.write_all(line).unwrap();
    stream.write_all(b"\n").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer
}

#[test]
fn every_request_is_answered() {
    let lab = Lab::new();
    let mut client = lab.client();
    let hello = client.hello().unwrap();
    assert_eq!(
        (hello.version, hello.process),
        (VERSION, lab.process.0.id())
    );
    let before = client.config().unwrap();
    assert_eq!(before.junctions.len(), 1);

    let link = || "a:1".to_owned();
    let state = |state| Change::State {
        junction: link(),
        state,
    };
    let changed = client.change(state(LinkState::Down)).unwrap();
    assert_eq!(changed.junctions["a:1--b:1"].state, LinkState::Down);
    assert_eq!(lab.status().ends["a:1"].state, LinkState::Down);
    client.change(state(LinkState::Up)).unwrap();
    let set = Change::Set {
        junction: link(),
        from: Some("a".to_owned()),
        matches: None,
        settings: settings("delay", "3ms"),
    };
    let changed = client.change(set).unwrap();
    assert_eq!(changed.junctions["a:1--b:1"].impairments.len(), 1);
    let reports = client.probe("b:1--a:1", 5).unwrap();
    assert_eq!(reports.len(), 2);
    for report in &reports {
        assert_eq!((report.sent, report.received), (5, 5), "{report:?}");
        let least = report.latency_ns.unwrap()[0];
        assert_eq!(least >= 3_000_000, report.from == "a:1", "{report:?}");
    }
    let reset = Change::Reset {
        junction: link(),
        from: None,
    };
    assert_eq!(client.change(reset).unwrap(), before);

    let disconnect = Change::Disconnect { junction: link() };
    assert_eq!(client.change(disconnect).unwrap().junctions.len(), 0);
    let join = Change::Join {
        segment: "lan".to_owned(),
        ends: vec!["a:1".to_owned(), "b:1".to_owned()],
        kind: JunctionKind::Hub,
    };
    assert_eq!(
        client.change(join).unwrap().junctions["lan"].members.len(),
        2
    );
    let leave = Change::Leave {
        ends: vec!["a:1".to_owned(), "b:1".to_owned()],
    };
    assert_eq!(client.change(leave).unwrap().junctions.len(), 0);
    let connect = Change::Connect {
        a: "a:1".to_owned(),
        b: "b:1".to_owned(),
    };
    assert_eq!(client.change(connect).unwrap(), before);
    lab.a.drain();
    lab.b.drain();
    lab.passes();
    let status = client.status().unwrap();
    assert_eq!(status.ends.len(), 2);
    assert!(status.ends["a:1"].received_frames > 0 && status.time_ns > hello.started_ns);
}

#[test]
fn a_capture_streams_what_passes() {
    let lab = Lab::new();
    let request = CaptureRequest {
        what: "a:1--b:1".to_owned(),
        filter: None,
        snap_length: 65_535,
    };
    let mut stream = lab.client().capture(request).unwrap();
    let mut magic = [0; 4];
    stream.read_exact(&mut magic).unwrap();
    assert_eq!(
        magic,
        [0x0a, 0x0d, 0x0d, 0x0a],
        "a section header of pcapng"
    );
    let has_ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !has_ended.load(Ordering::Relaxed) {
                lab.passes();
            }
        });
        let mut seen = Vec::new();
        let mut part = [0; 1000];
        while !seen.windows(5).any(|bytes| bytes == b"there") {
            let length = stream.read(&mut part).unwrap();
            assert!(length > 0, "the stream has ended");
            seen.extend_from_slice(&part[..length]);
        }
        has_ended.store(true, Ordering::Relaxed);
    });
    drop(stream);
    lab.passes();
}

#[test]
fn what_cannot_be_done_is_said_and_changes_nothing() {
    let lab = Lab::new();
    let mut client = lab.client();
    let before = client.config().unwrap();
    let mut wrong = before.clone();
    wrong
        .junctions
        .get_mut("a:1--b:1")
        .unwrap()
        .members
        .push("c:1".to_owned());
    let error = client.apply(&wrong).unwrap_err();
    assert!(matches!(error, ClientError::Refused(_)), "{error}");
    let filter = Change::Set {
        junction: "a:1".to_owned(),
        from: None,
        matches: Some("prto 89".to_owned()),
        settings: settings("loss", "100%"),
    };
    let nobody = Change::Disconnect {
        junction: "z:9".to_owned(),
    };
    for (change, part) in [(filter, "prto 89"), (nobody, "z:9")] {
        let error = client.change(change).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!(client.probe("z:9", 1).is_err());
    for count in [0, 1001, u32::MAX] {
        assert!(client.probe("a:1", count).is_err());
    }
    for (what, filter) in [("z:9", None), ("a:1", Some("prto 89".to_owned()))] {
        let request = CaptureRequest {
            what: what.to_owned(),
            filter,
            snap_length: 100,
        };
        assert!(lab.client().capture(request).is_err());
    }
    assert_eq!(client.config().unwrap(), before);
    lab.passes();
}

#[test]
fn lines_that_are_no_requests_are_answered_and_the_connection_stays() {
    let lab = Lab::new();
    let mut stream = lab.stream();
    let deep = b"[".repeat(100_000);
    let deep_inside = [&br#"{"do":"apply","config":"#[..], &b"[".repeat(100_000)].concat();
    let lines: &[&[u8]] = &[
        b"",
        b"hello",
        b"{}",
        b"null",
        b"\0\0\0",
        b"\xff\xfe",
        br#"{"do":"dance"}"#,
        br#"{"do":"hello"} {"do":"hello"}"#,
        br#"{"do":"apply"}"#,
        br#"{"do":"apply","config":{"colour":"red"}}"#,
        br#"{"do":"apply","config":{"memory-limit-mib":-1}}"#,
        br#"{"do":"apply","config":{"seed":1e400}}"#,
        br#"{"do":"probe","junction":"a:1","count":99999999999999999999}"#,
        br#"{"do":"change","change":{"type":"state","junction":"a:1","state":"sideways"}}"#,
        br#"{"do":"change","change":{"type":"set","junction":"a:1","settings":{"delay":"soon"}}}"#,
        &deep,
        &deep_inside,
    ];
    for line in lines {
        let answer = ask(&mut stream, line);
        let shown = String::from_utf8_lossy(&line[..line.len().min(60)]);
        assert!(answer.starts_with(r#"{"error":"#), "{shown}: {answer}");
    }
    assert!(ask(&mut stream, br#"{"do":"hello"}"#).starts_with(r#"{"ok":"#));
    lab.passes();
}

#[test]
fn a_line_without_end_is_cut_off() {
    let lab = Lab::new();
    let mut stream = lab.stream();
    let part = vec![b' '; 1 << 20];
    for _ in 0..=REQUEST_LIMIT >> 20 {
        // The wire may have hung up before it has read all.
        if stream.write_all(&part).is_err() {
            break;
        }
    }
    let mut answer = String::new();
    if BufReader::new(&stream).read_line(&mut answer).is_ok() {
        assert!(answer.contains("at most"), "{answer}");
    }
    lab.passes();
    lab.client().hello().unwrap();
}

#[test]
fn whoever_says_nothing_keeps_nobody_waiting_but_those_beyond_the_limit_are_told() {
    let lab = Lab::new();
    let mut silent: Vec<UnixStream> = (0..10).map(|_| lab.stream()).collect();
    lab.client().hello().unwrap();
    lab.passes();
    // Threads of their own count who comes and goes, so the limit is met a little earlier or later.
    silent.extend((silent.len()..CONNECTION_LIMIT).map(|_| lab.stream()));
    eventually("somebody is one too many", || {
        let mut answer = String::new();
        let stream = lab.stream();
        stream
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let read = BufReader::new(&stream).read_line(&mut answer);
        silent.push(stream);
        read.is_ok() && answer.contains("too many connections")
    });
    drop(silent);
    eventually("there is room again", || {
        Client::connect(&lab.folder).is_ok_and(|mut client| client.hello().is_ok())
    });
    lab.passes();
}

#[test]
fn thousands_of_requests_cost_no_frame() {
    let lab = Lab::new();
    thread::scope(|scope| {
        for number in 0..4_u32 {
            let mut client = lab.client();
            scope.spawn(move || {
                for round in 0..1000 {
                    match (number, round % 10) {
                        (0, _) => drop(client.hello().unwrap()),
                        (1, _) => drop(client.status().unwrap()),
                        (2, 0) => {
                            let mtu = ["2000", "none"][round / 10 % 2];
                            let set = Change::Set {
                                junction: "a:1".to_owned(),
                                from: None,
                                matches: None,
                                settings: settings("mtu", mtu),
                            };
                            drop(client.change(set).unwrap());
                        }
                        _ => drop(client.config().unwrap()),
                    }
                }
            });
        }
        for number in 0..2000_u32 {
            lab.a.send(&number.to_be_bytes());
            assert_eq!(lab.b.receive(1), [number.to_be_bytes()]);
        }
    });
    let ends = lab.status().ends;
    assert_eq!((ends["a:1"].passed_frames, ends["a:1"].overruns), (2000, 0));
}

#[test]
fn a_wire_that_was_killed_comes_back_as_it_was() {
    let mut lab = Lab::new();
    let mut client = lab.client();
    lab.passes();
    let set = Change::Set {
        junction: "a:1".to_owned(),
        from: Some("a:1".to_owned()),
        matches: Some("greater 100".to_owned()),
        settings: settings("loss", "100%"),
    };
    let config = client.change(set).unwrap();
    lab.a.send(&[1; 200]);
    lab.passes();
    let before = lab.status();
    assert_eq!(before.ends["a:1"].drops[&Cause::Rule], 1);
    lab.process.kill();
    assert!(client.hello().is_err(), "nobody answers any more");
    assert!(matches!(
        Client::connect(&lab.folder),
        Err(ClientError::NotRunning)
    ));
    lab.a.send(b"into the void");

    let (process, said) = Process::start(&lab.folder);
    assert_eq!(said, "ready");
    lab.process = process;
    assert_eq!(lab.client().config().unwrap(), config);
    lab.a.send(&[2; 200]);
    lab.passes();
    let after = lab.status();
    let counts = |status: &Status, end: &str| {
        let end = &status.ends[end];
        (end.received_frames, end.sent_frames, end.dropped())
    };
    let (received, sent, dropped) = counts(&before, "a:1");
    assert_eq!(counts(&after, "a:1"), (received + 2, sent + 1, dropped + 1));
}

#[test]
fn the_folder_is_its_users_alone_and_goes_with_the_wire() {
    let mut lab = Lab::new();
    let mode = |path: &std::path::Path| {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        mode & 0o777
    };
    assert_eq!(mode(lab.folder.path()), 0o700);
    for file in std::fs::read_dir(lab.folder.path()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    lab.client().stop().unwrap();
    assert!(lab.process.0.wait().unwrap().success());
    assert!(!lab.folder.path().exists());
    assert!(matches!(
        Client::connect(&lab.folder),
        Err(ClientError::NotRunning)
    ));
}

#[test]
fn a_folder_is_served_by_one_process() {
    let lab = Lab::new();
    let (mut second, said) = Process::start(&lab.folder);
    assert_eq!(said, "error: a wire runs in this folder already");
    second.0.wait().unwrap();
    lab.client().hello().unwrap();
    lab.passes();
}
