//! Running commands over SSH against servers of every temper: real ones in Python, and ports that
//! only look like one.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use support::TestLab;
use tempfile::TempDir;
use vnflab_engine::exec::{self, ExecError, OUTPUT_LIMIT, Output, Request, Way};
use vnflab_engine::ssh::Keyring;
use vnflab_model::blueprint::{Access, NodeBlueprint, UserOrigin};
use vnflab_model::kind::{Catalogue, Kind, Login};
use vnflab_testkit::Proof;

/// Long enough for a busy machine, short enough for a test that hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// The distribution's Python, which has the distribution's packages.
const PYTHON: &str = "/usr/bin/python3";

fn main() {
    let server = vnflab_testkit::missing_program(&["ssh"]).or_else(missing_module);
    let client = vnflab_testkit::missing_program(&["ssh"]);
    let with_server = |name, test| Proof {
        name,
        unmet: server.clone(),
        test,
    };
    let with_client = |name, test| Proof {
        name,
        unmet: client.clone(),
        test,
    };
    vnflab_testkit::run(vec![
        with_server(
            "a_command_is_run_with_the_key",
            a_command_is_run_with_the_key,
        ),
        with_server(
            "a_password_of_the_kind_is_given",
            a_password_of_the_kind_is_given,
        ),
        with_server(
            "a_wrong_password_is_told_at_once",
            a_wrong_password_is_told_at_once,
        ),
        with_server(
            "statuses_are_told_as_far_as_there_are_any",
            statuses_are_told,
        ),
        with_server(
            "a_connection_that_breaks_tells_no_status",
            a_connection_that_breaks,
        ),
        with_server("a_command_without_end_is_ended", a_command_without_end),
        with_server("a_flood_is_bounded", a_flood_is_bounded),
        with_server("a_command_is_cancelled", a_command_is_cancelled),
        with_server("another_host_key_is_refused", another_host_key_is_refused),
        with_client("a_closed_port_is_told", a_closed_port_is_told),
        with_client("garbage_instead_of_ssh_is_told", garbage_is_told),
        with_client("a_port_that_hangs_up_is_told", a_port_that_hangs_up),
        with_client("a_port_that_keeps_silent_is_told", a_port_that_keeps_silent),
        with_client(
            "a_node_without_address_is_asked_on_its_console",
            a_node_without_address,
        ),
    ]);
}

fn missing_module() -> Option<String> {
    let import = Command::new(PYTHON)
        .args(["-c", "import asyncssh"])
        .stderr(Stdio::null())
        .status();
    let is_there = import.is_ok_and(|status| status.success());
    (!is_there).then(|| "Python's `asyncssh` is not installed".to_owned())
}

/// A server in Python that ends with this value.
struct Server {
    address: SocketAddr,
    process: Child,
}

impl Server {
    /// Lets in whoever has a key (`key`), or this password.
    fn start(method: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ssh_server.py");
        let mut process = Command::new(PYTHON)
            .args(["-W", "ignore", script, method])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().expect("the server prints its port");
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            process,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port on which each client meets a function.
fn port(serve: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A node, its kind, and whoever asks it.
struct Subject {
    node: NodeBlueprint,
    kind: Kind,
    keyring: Keyring,
    limit: Duration,
    cancel: AtomicBool,
    _folder: TempDir,
}

impl Subject {
    fn at(server: SocketAddr) -> Self {
        let mut node = TestLab::new("lab", 1).blueprint().nodes.remove(0);
        node.access = Some(Access {
            ssh: server,
            address: server.ip(),
            ipv6: None,
            user: Some("admin".to_owned()),
            user_origin: UserOrigin::Made,
        });
        let catalogue = Catalogue::with_overlay(&[]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self {
            node,
            kind: Kind::clone(catalogue.find("frr").unwrap()),
            keyring: Keyring::at(folder.path()).unwrap(),
            limit: LIMIT,
            cancel: AtomicBool::new(false),
            _folder: folder,
        }
    }

    fn with_password(mut self, password: Option<&str>) -> Self {
        self.kind.day0.login = None;
        self.kind.login = Some(Login {
            user: "admin".to_owned(),
            password: password.map(str::to_owned),
        });
        self
    }

    fn run(&self, command: &str) -> Result<Output, ExecError> {
        exec::run(&Request {
            node: &self.node,
            kind: Some(&self.kind),
            keyring: &self.keyring,
            command,
            limit: self.limit,
            cancel: &self.cancel,
        })
    }
}

fn a_command_is_run_with_the_key() {
    let server = Server::start("key");
    for password in [None, Some("not asked for")] {
        let subject = Subject::at(server.address).with_password(password);
        let expected = Output {
            stdout: "Version 1\non two lines\n".to_owned(),
            stderr: String::new(),
            status: Some(0),
            way: Way::Ssh,
            truncated: false,
        };
        assert_eq!(subject.run("show version").unwrap(), expected);
        // The host key that was seen is known from now on.
        assert_eq!(subject.run("show version").unwrap(), expected);
        let known = std::fs::read_to_string(subject.keyring.known_hosts("lab")).unwrap();
        assert_eq!(known.lines().count(), 1);
        assert!(known.starts_with("lab.r1 ssh-ed25519 "), "{known}");
    }
}

fn a_password_of_the_kind_is_given() {
    let server = Server::start("pass word");
    let subject = Subject::at(server.address).with_password(Some("pass word"));
    assert!(subject.run("show version").unwrap().is_success());
}

fn a_wrong_password_is_told_at_once() {
    let server = Server::start("right");
    for (password, expected) in [
        (Some("wrong"), "our key and the kind's password"),
        (None, "our key"),
    ] {
        let error = Subject::at(server.address)
            .with_password(password)
            .run("show version")
            .unwrap_err();
        let ExecError::Denied { tried, accepts, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(*tried, expected);
        assert_eq!(accepts.as_deref(), Some("keyboard-interactive, password"));
        assert!(!error.is_passing());
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
}

fn statuses_are_told() {
    let server = Server::start("key");
    let subject = Subject::at(server.address);
    let output = subject.run("nonsense").unwrap();
    assert_eq!(output.status, Some(2));
    assert_eq!(output.stderr, "% Invalid input\n");
    assert!(!output.is_success());
    assert_eq!(
        subject.run("status of the client").unwrap().status,
        Some(255)
    );
    let output = subject.run("router").unwrap();
    assert_eq!(output.status, None);
    assert_eq!(output.stdout, "as routers do\n");
    assert!(output.is_success());
}

fn a_connection_that_breaks() {
    let server = Server::start("key");
    let result = Subject::at(server.address).run("break");
    // Whether it reaches the client as an end, as with routers, or as a reset is up to the kernel.
    match result {
        Err(ExecError::Lost { .. }) => {}
        Ok(output) => assert_eq!(output.status, None, "{output:?}"),
        Err(error) => panic!("{error:?}"),
    }
}

fn a_command_without_end() {
    let server = Server::start("key");
    let mut subject = Subject::at(server.address);
    subject.run("show version").unwrap();
    subject.limit = Duration::from_secs(10);
    let start = Instant::now();
    let error = subject.run("hang").unwrap_err();
    assert!(matches!(error, ExecError::Endless { .. }), "{error:?}");
    assert_eq!(error.to_string(), "the command did not end within 10 s");
    assert!(start.elapsed() < LIMIT);
}

fn a_flood_is_bounded() {
    let server = Server::start("key");
    let mut subject = Subject::at(server.address);
    subject.limit = Duration::from_secs(10);
    let error = subject.run("flood").unwrap_err();
    assert!(matches!(error, ExecError::Endless { .. }), "{error:?}");
    assert_eq!(OUTPUT_LIMIT, 16 << 20);
}

fn a_command_is_cancelled() {
    let server = Server::start("key");
    let subject = Subject::at(server.address);
    thread::scope(|scope| {
        let run = scope.spawn(|| subject.run("hang"));
        subject.cancel.store(true, Ordering::Relaxed);
        let result = run.join().unwrap();
        assert!(matches!(result, Err(ExecError::Cancelled)), "{result:?}");
    });
}

fn another_host_key_is_refused() {
    let first = Server::start("key");
    let mut subject = Subject::at(first.address);
    subject.run("show version").unwrap();
    let second = Server::start("key");
    subject.node.access.as_mut().unwrap().ssh = second.address;
    let error = subject.run("show version").unwrap_err();
    let ExecError::HostKeyChanged { alias, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(alias, "lab.r1");
    assert!(error.hint("r1").unwrap().contains("ssh-keygen -R lab.r1"));
}

fn a_closed_port_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    drop(listener);
    let error = Subject::at(server).run("x").unwrap_err();
    assert!(matches!(error, ExecError::PortClosed { .. }), "{error:?}");
    assert!(error.is_passing());
}

fn garbage_is_told() {
    let server = port(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        let _ = stream.read(&mut [0; 100]);
    });
    let error = Subject::at(server).run("x").unwrap_err();
    let ExecError::NotSsh { said, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(said.starts_with("HTTP/1.1 400 Bad Request"), "{said}");
    assert!(!error.is_passing());
}

fn a_port_that_hangs_up() {
    let error = Subject::at(port(drop)).run("x").unwrap_err();
    assert!(matches!(error, ExecError::HungUp { .. }), "{error:?}");
    assert!(error.is_passing());
}

fn a_port_that_keeps_silent() {
    let server = port(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    let mut subject = Subject::at(server);
    subject.limit = Duration::from_secs(2);
    let error = subject.run("x").unwrap_err();
    assert!(matches!(error, ExecError::Silent { .. }), "{error:?}");
}

fn a_node_without_address() {
    let mut subject = Subject::at(SocketAddr::from(([127, 0, 0, 1], 1)));
    subject.node.access = None;
    // Its console is asked then, and nobody listens there.
    assert!(matches!(subject.run("x"), Err(ExecError::NoConsole(_))));
}
