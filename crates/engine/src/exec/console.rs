//! One command on the serial console: log in where that is asked for, type it, take what it says,
//! and leave the console as it was found.
//!
//! Invariant: of the requests of this process, one is on a console at a time.

use super::{ExecError, Output, Request, Way};
use crate::console::conversation::{Conversation, TalkError};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use vnflab_dialogue::{Failure, Script};
use vnflab_model::script::{self, Words};

/// How long the status of a command and the logout may take: they are short lines.
const AFTERWARDS: Duration = Duration::from_secs(10);

/// Wait before it is looked whether the request is still wanted.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn run(request: &Request<'_>) -> Result<Output, ExecError> {
    let node = request.node;
    let Some(kind) = request.kind else {
        return Err(ExecError::NoAddress);
    };
    let words = Words {
        lab: &node.lab,
        node: &node.node,
        hostname: &node.hostname,
    };
    let end = Instant::now() + request.limit;
    let no_prompt = || ExecError::NoPrompt {
        kind: kind.name.clone(),
    };
    // Asked first, so that nobody waits for a console without use.
    script::command(kind, words, request.command, request.limit).ok_or_else(no_prompt)?;
    let _turn = Turn::take(node.console.listen, request, end)?;
    let left = end.saturating_duration_since(Instant::now());
    let script = script::command(kind, words, request.command, left).ok_or_else(no_prompt)?;
    let mut conversation = Conversation::connect(node.console.listen, None)?;
    let mut follow = |script: Script| conversation.follow(script, &mut |_| {}, request.cancel);
    let heard = follow(script).map_err(|error| judge(request, error))?;
    let refused = heard
        .refused
        .iter()
        .any(|refused| refused.line == request.command);
    let status = script::status(kind, words, AFTERWARDS)
        .and_then(|script| follow(script).ok())
        .and_then(|heard| heard.output.first()?.trim().parse().ok());
    if conversation.has_logged_in()
        && let Some(script) = script::leave(kind, words, AFTERWARDS)
    {
        // A command whose output is there is not spoilt by a logout that fails.
        let _ = conversation.follow(script, &mut |_| {}, request.cancel);
    }
    let mut stdout = heard.output.join("\n");
    if !stdout.is_empty() {
        stdout.push('\n');
    }
    Ok(Output {
        stdout,
        stderr: String::new(),
        // A router says in words what a shell says by a number.
        status: status.or(refused.then_some(1)),
        way: Way::Console,
        truncated: false,
    })
}

fn judge(request: &Request<'_>, error: TalkError) -> ExecError {
    match error {
        TalkError::Cancelled => ExecError::Cancelled,
        TalkError::Connect(error) => ExecError::NoConsole(error),
        TalkError::Failed(Failure::LoginRefused { .. }) => ExecError::Denied {
            user: request
                .kind
                .and_then(|kind| kind.login.as_ref())
                .map_or_else(String::new, |login| login.user.clone()),
            tried: "the kind's password on the console",
            accepts: None,
        },
        error => ExecError::Console(error),
    }
}

/// The consoles on which a request of this process is.
static BUSY: Mutex<BTreeSet<SocketAddr>> = Mutex::new(BTreeSet::new());

/// A console became free.
static FREE: Condvar = Condvar::new();

/// A request's turn on a console; it ends with this value.
struct Turn(SocketAddr);

impl Turn {
    fn take(console: SocketAddr, request: &Request<'_>, end: Instant) -> Result<Self, ExecError> {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        while busy.contains(&console) {
            if request.cancel.load(Ordering::Relaxed) {
                return Err(ExecError::Cancelled);
            }
            if Instant::now() >= end {
                return Err(ExecError::TimedOut {
                    limit: request.limit,
                });
            }
            let waited = FREE.wait_timeout(busy, TICK);
            busy = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        busy.insert(console);
        Ok(Self(console))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.0);
        FREE.notify_all();
    }
}
