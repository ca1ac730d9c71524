//! One command over SSH, by the system's client.
//!
//! The client writes what it has to say into memory of ours (`-E`), apart from what the command
//! says, so that a guest's words are never taken for the client's. That it logged in, the client
//! says itself; what hindered it is told from its words and from a look at the port.

use super::child::{self, Caught, End};
use super::greeting::{self, Greeting};
use super::password::{Password, in_memory};
use super::{ExecError, OUTPUT_LIMIT, Output, Request, Way};
use crate::ssh::Login;
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};
use vnflab_model::blueprint::Access;
use vnflab_model::kind::Algorithms;

/// Longest that the connection alone may take, in seconds: a guest that is up answers in
/// milliseconds, even without acceleration.
const CONNECT_SECONDS: u64 = 15;

/// How long a look at the port may take after the client gave up.
const LOOK_LIMIT: Duration = Duration::from_secs(2);

/// Most that is read of the client's own words, in bytes: ten thousand are usual.
const LOG_LIMIT: u64 = 1024 * 1024;

/// What the client says when it is told the status of the command.
const STATUS_TOLD: &str = "rtype exit-status";

/// Status of the client when it failed itself; a command may end with it, too.
const CLIENT_FAILED: i32 = 255;

pub(super) fn run(request: &Request<'_>, access: &Access) -> Result<Output, ExecError> {
    let node = request.node;
    let deadline = Instant::now() + request.limit;
    let keyring = request.keyring;
    let known_hosts = keyring.known_hosts(&node.lab);
    let alias = node.domain();
    let automation = request.kind.map(|kind| &kind.automation);
    let command = [automation.map_or_else(
        || request.command.to_owned(),
        |automation| automation.command_line(request.command),
    )];
    let login = Login {
        server: access.ssh,
        user: access.user.as_deref(),
        key: keyring.key(),
        known_hosts: &known_hosts,
        alias: &alias,
        algorithms: automation.map_or(Algorithms::Modern, |automation| automation.algorithms),
        command: &command,
    };
    let password = request
        .kind
        .and_then(|kind| kind.password_of(access))
        .map(|password| Password::new(keyring.folder(), password))
        .transpose()?;
    let mut log = File::from(memfd_create("ssh", MemfdFlags::CLOEXEC).map_err(io::Error::from)?);
    let connect = request.limit.as_secs().clamp(1, CONNECT_SECONDS);
    let mut options = vec![
        "-T".to_owned(),
        // Neither the user's nor the system's configuration of the client.
        "-F".to_owned(),
        "none".to_owned(),
        "-E".to_owned(),
        in_memory(&log),
    ];
    let settings = [
        "LogLevel=DEBUG1".to_owned(),
        format!("ConnectTimeout={connect}"),
        "NumberOfPasswordPrompts=1".to_owned(),
        // Without a password nobody is asked for one.
        format!("BatchMode={}", yes_or_no(password.is_none())),
    ];
    for setting in settings {
        options.extend(["-o".to_owned(), setting]);
    }
    let mut client = login.command_with(&options);
    client.env("LC_ALL", "C");
    if let Some(password) = &password {
        password.offer(&mut client);
    }
    let caught = child::run(&mut client, OUTPUT_LIMIT, deadline, request.cancel).map_err(
        |error| match error.kind() {
            io::ErrorKind::NotFound => ExecError::NoClient,
            _ => ExecError::Client(error),
        },
    )?;
    let said = read_log(&mut log)?;
    let tried = match password {
        Some(_) => "our key and the kind's password",
        None => "our key",
    };
    judge(request, access, caught, &said, tried)
}

fn yes_or_no(is_so: bool) -> &'static str {
    match is_so {
        true => "yes",
        false => "no",
    }
}

fn read_log(log: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    log.seek(SeekFrom::Start(0))?;
    log.take(LOG_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
}

/// What became of it.
fn judge(
    request: &Request<'_>,
    access: &Access,
    caught: Caught,
    said: &str,
    tried: &'static str,
) -> Result<Output, ExecError> {
    let logged_in = said
        .lines()
        .any(|line| line.starts_with("Authenticated to "));
    let status = match caught.end {
        End::Cancelled => return Err(ExecError::Cancelled),
        End::TimeUp if logged_in => {
            return Err(ExecError::Endless {
                limit: request.limit,
            });
        }
        End::TimeUp => return Err(unanswered(request, access)),
        End::Exited(status) => status.code(),
    };
    let status = match status {
        Some(CLIENT_FAILED) if !logged_in => {
            return Err(refusal(request, access, said, tried));
        }
        Some(CLIENT_FAILED) if !says(said, STATUS_TOLD) => match broken(said) {
            Some(said) => return Err(ExecError::Lost { said }),
            // Routers often end the connection instead of telling a status.
            None => None,
        },
        Some(status) => Some(status),
        None => {
            return Err(ExecError::Failed {
                said: last_line(said),
            });
        }
    };
    Ok(Output {
        truncated: caught.stdout.truncated || caught.stderr.truncated,
        stdout: text(&caught.stdout.bytes),
        stderr: text(&caught.stderr.bytes),
        status,
        way: Way::Ssh,
    })
}

/// Lines as they are on this side.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("\r\n", "\n")
}

fn says(said: &str, words: &str) -> bool {
    said.lines().any(|line| line.contains(words))
}

/// What the client says of a connection that broke.
fn broken(said: &str) -> Option<String> {
    let words = [
        "Connection reset",
        "Broken pipe",
        "not responding",
        "Corrupted MAC",
    ];
    let line = said
        .lines()
        .filter(|line| !line.starts_with("debug1: "))
        .find(|line| words.iter().any(|words| line.contains(words)))?;
    Some(line.to_owned())
}

/// Why nobody could log in.
fn refusal(request: &Request<'_>, access: &Access, said: &str, tried: &'static str) -> ExecError {
    if says(said, "Host key verification failed") || says(said, "IDENTIFICATION HAS CHANGED") {
        return ExecError::HostKeyChanged {
            known_hosts: request.keyring.known_hosts(&request.node.lab),
            alias: request.node.domain(),
        };
    }
    if let Some(line) = said.lines().find(|line| line.contains("Permission denied")) {
        return ExecError::Denied {
            user: access.user.clone().unwrap_or_default(),
            tried,
            accepts: in_parentheses(line),
        };
    }
    if says(said, "Too many authentication failures") {
        return ExecError::Denied {
            user: access.user.clone().unwrap_or_default(),
            tried,
            accepts: None,
        };
    }
    if let Some(line) = said
        .lines()
        .find(|line| line.contains("Unable to negotiate"))
    {
        return ExecError::NoAgreement {
            said: line.to_owned(),
        };
    }
    look(access).unwrap_or_else(|| ExecError::Failed {
        said: last_line(said),
    })
}

/// Why nobody answered in time.
fn unanswered(request: &Request<'_>, access: &Access) -> ExecError {
    look(access).unwrap_or(ExecError::TimedOut {
        limit: request.limit,
    })
}

/// What is wrong with the port, if something is.
fn look(access: &Access) -> Option<ExecError> {
    let server = access.ssh;
    match greeting::look(server, LOOK_LIMIT) {
        Greeting::Ssh => None,
        Greeting::None(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Some(ExecError::PortClosed { server })
        }
        Greeting::None(source) => Some(ExecError::Unreachable { server, source }),
        Greeting::HungUp => Some(ExecError::HungUp { server }),
        Greeting::Silent => Some(ExecError::Silent { server }),
        Greeting::Other(said) => Some(ExecError::NotSsh { server, said }),
    }
}

/// The methods in `Permission denied (publickey,password).`
fn in_parentheses(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('(')?;
    let (methods, _) = rest.split_once(')')?;
    Some(methods.replace(',', ", "))
}

fn last_line(said: &str) -> String {
    let mut lines = said.lines().rev();
    let line = lines.find(|line| !line.trim().is_empty() && !line.starts_with("debug1: "));
    line.unwrap_or("it said nothing").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_methods_of_a_refusal_are_told() {
        let line = "admin@127.0.0.1: Permission denied (publickey,password).";
        assert_eq!(in_parentheses(line).unwrap(), "publickey, password");
        assert_eq!(in_parentheses("Permission denied"), None);
    }

    #[test]
    fn carriage_returns_at_the_ends_of_lines_are_taken_away() {
        assert_eq!(text(b"a\r\nb\rc\n"), "a\nb\rc\n");
    }
}
