//! Where a wire's counters can be read over HTTP: written down in the wire's folder, and served
//! by its keeper.
//!
//! # Theory of operation
//!
//! A file in the folder says where, so that it is known again after a restart of anything. The
//! keeper looks at it once a second and listens there; a thread of its own answers one request
//! after the other, each with what the wire says at that moment. The wire itself, and with it the
//! frames, has no part in it.

use super::exposition;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use vnflab_model::blueprint::Metrics;
use vnflab_wire::control::{Client, Folder};

/// Between two looks at whether somebody asks.
const LOOK: Duration = Duration::from_millis(100);

/// How long a request and its answer may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Largest request that is read, in bytes; Prometheus asks with some hundred.
const REQUEST_LIMIT: usize = 8 * 1024;

fn path(folder: &Folder) -> PathBuf {
    folder.path().join("metrics")
}

/// Where the counters of a folder's wire can be read, if anywhere.
pub(super) fn read(folder: &Folder) -> Option<Metrics> {
    let text = fs::read_to_string(path(folder)).ok()?;
    text.trim().parse().ok()
}

/// Writes down where the counters can be read from now on. A place that somebody else has is an
/// error.
pub(super) fn write(folder: &Folder, metrics: Option<&Metrics>) -> io::Result<()> {
    if read(folder).as_ref() == metrics {
        return Ok(());
    }
    match metrics {
        None => match fs::remove_file(path(folder)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
        Some(metrics) => {
            drop(Listener::bind(metrics)?);
            fs::write(path(folder), metrics.to_string())
        }
    }
}

enum Listener {
    Address(TcpListener),
    Socket(UnixListener, PathBuf),
}

impl Listener {
    fn bind(metrics: &Metrics) -> io::Result<Self> {
        match metrics {
            Metrics::Address(address) => {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Address(listener))
            }
            Metrics::Socket(path) => {
                // A socket that nobody serves any more is in the way; anything else is somebody's.
                let stale = fs::symlink_metadata(path)
                    .is_ok_and(|facts| facts.file_type().is_socket())
                    && UnixStream::connect(path).is_err();
                if stale {
                    fs::remove_file(path)?;
                }
                let listener = UnixListener::bind(path)?;
                fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
                listener.set_nonblocking(true)?;
                Ok(Self::Socket(listener, path.into()))
            }
        }
    }

    /// Answers whoever asks now; `false` when nobody does.
    fn answer(&self, text: impl Fn() -> Option<String>) -> bool {
        match self {
            Self::Address(listener) => match listener.accept() {
                Ok((stream, _)) => {
                    // A client that goes away is its own loss.
                    let _ = answer_address(stream, text);
                    true
                }
                Err(_) => false,
            },
            Self::Socket(listener, _) => match listener.accept() {
                Ok((stream, _)) => {
                    let _ = answer_socket(stream, text);
                    true
                }
                Err(_) => false,
            },
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Socket(_, path) = self {
            let _ = fs::remove_file(path);
        }
    }
}

fn answer_address(stream: TcpStream, text: impl Fn() -> Option<String>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    answer(stream, text)
}

fn answer_socket(stream: UnixStream, text: impl Fn() -> Option<String>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    answer(stream, text)
}

fn answer(mut stream: impl Read + Write, text: impl Fn() -> Option<String>) -> io::Result<()> {
    let mut request = Vec::new();
    let mut part = [0; 1024];
    let began = Instant::now();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut part)?;
        // One that comes byte by byte would keep others from being answered.
        let is_late = began.elapsed() > PATIENCE;
        if read == 0 || is_late || request.len() > REQUEST_LIMIT {
            return Ok(());
        }
        request.extend_from_slice(&part[..read]);
    }
    let is_wanted = [&b"GET / "[..], b"GET /metrics ", b"GET /metrics?"]
        .iter()
        .any(|start| request.starts_with(start));
    let (status, body) = match (is_wanted, is_wanted.then(text).flatten()) {
        (false, _) => ("404 Not Found", "the counters are at /metrics\n".to_owned()),
        (true, None) => (
            "503 Service Unavailable",
            "the wire does not run\n".to_owned(),
        ),
        (true, Some(text)) => ("200 OK", text),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        exposition::CONTENT_TYPE,
        body.len()
    )?;
    stream.flush()
}

/// Serves the counters of one wire, wherever its folder says.
pub(super) struct Service {
    folder: Folder,
    lab: String,
    at: Option<Metrics>,
    thread: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Service {
    /// Nothing is served yet.
    pub(super) fn new(folder: &Folder, lab: &str) -> Self {
        Self {
            folder: folder.clone(),
            lab: lab.to_owned(),
            at: None,
            thread: None,
        }
    }

    /// Listens where the folder says now. What cannot be had is tried again at the next look.
    pub(super) fn look(&mut self) {
        let wanted = read(&self.folder);
        if wanted == self.at {
            return;
        }
        self.stop();
        if let Some(listener) = wanted.as_ref().and_then(|at| Listener::bind(at).ok()) {
            self.start(listener);
            self.at = wanted;
        }
    }

    fn start(&mut self, listener: Listener) {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, folder, lab) = (Arc::clone(&stop), self.folder.clone(), self.lab.clone());
        let thread = std::thread::spawn(move || {
            let text = || {
                let mut client = Client::connect(&folder).ok()?;
                Some(exposition::text(&lab, &client.status().ok()?))
            };
            while !told.load(Ordering::Relaxed) {
                if !listener.answer(text) {
                    std::thread::sleep(LOOK);
                }
            }
        });
        self.thread = Some((stop, thread));
    }

    fn stop(&mut self) {
        self.at = None;
        if let Some((stop, thread)) = self.thread.take() {
            stop.store(true, Ordering::Relaxed);
            // A thread that panicked serves nobody either.
            let _ = thread.join();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(mut stream: impl Read + Write, request: &str) -> String {
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn the_folder_says_where_and_requests_are_answered() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().join("lab"));
        folder.ensure().unwrap();
        let socket = place.path().join("metrics.socket").display().to_string();
        let at = Metrics::Socket(socket.clone());
        write(&folder, Some(&at)).unwrap();
        assert_eq!(read(&folder), Some(at));
        let mut service = Service::new(&folder, "lab");
        service.look();
        let ask_at = |request| ask(UnixStream::connect(&socket).unwrap(), request);
        let answer = ask_at("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        // No wire runs in this folder.
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        let answer = ask_at("GET /etc/passwd HTTP/1.1\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        let mode = fs::metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        write(&folder, None).unwrap();
        service.look();
        assert!(UnixStream::connect(&socket).is_err());
    }

    #[test]
    fn a_request_that_comes_byte_by_byte_is_given_up() {
        let (client, server) = UnixStream::pair().unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        let began = Instant::now();
        let slow = std::thread::spawn(move || {
            let mut client = client;
            while client.write_all(b"G").is_ok() && began.elapsed() < PATIENCE * 5 {
                std::thread::sleep(PATIENCE / 20);
            }
        });
        answer(server, || None).unwrap();
        slow.join().unwrap();
        assert!(began.elapsed() < PATIENCE * 4, "{:?}", began.elapsed());
    }

    #[test]
    fn a_place_that_somebody_has_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path());
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = Metrics::Address(taken.local_addr().unwrap());
        assert!(write(&folder, Some(&at)).is_err());
        let file = place.path().join("precious");
        fs::write(&file, "x").unwrap();
        let at = Metrics::Socket(file.display().to_string());
        assert!(write(&folder, Some(&at)).is_err());
        assert_eq!(fs::read_to_string(file).unwrap(), "x");
        assert_eq!(read(&folder), None);
    }
}
