//! `vnflab exec`: one command in many nodes at the same time.

use crate::cli::Global;
use crate::cli::access::ExecArgs;
use crate::context::{self, World};
use crate::error::{CommandError, ErrorKind};
use crate::interrupt::Interrupt;
use crate::render::Screen;
use crate::render::exec::{Answer, Report};
use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};
use vnflab_engine::exec::{self, Request};
use vnflab_engine::ssh::Keyring;
use vnflab_engine::workspace::Workspace;
use vnflab_model::observed::{DomainState, Locality, ObservedDomain};

/// Most nodes that are asked at the same time. Each is a process of `ssh`, and a guest's part of
/// the key exchange keeps a CPU of the host busy.
const WORKERS: usize = 16;

pub(super) fn run(
    global: &Global,
    arguments: &ExecArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let world = World::observe(&workspace)?;
    let (command, nodes) = arguments.command_and_nodes();
    let domains = match arguments.all {
        true => all(&world, arguments.lab.as_deref(), nodes)?,
        false => named(&world, nodes)?,
    };
    let asker = Asker {
        workspace: &workspace,
        locality: workspace.driver().host()?.locality,
        keyring: Keyring::open()?,
        command,
        limit: arguments.timeout,
    };
    let interrupt = Interrupt::listen()?;
    let mut report = Report::new(screen, command, domains.len());
    let (sender, receiver) = mpsc::channel();
    let next = AtomicUsize::new(0);
    let shown = thread::scope(|scope| {
        for _ in 0..WORKERS.min(domains.len()) {
            let (domains, next, sender) = (&domains, &next, sender.clone());
            let (asker, cancel) = (&asker, interrupt.flag());
            scope.spawn(move || work(asker, domains, next, &sender, cancel));
        }
        drop(sender);
        for (index, answer) in receiver {
            let shown = report.add(index, answer);
            if shown.is_err() {
                // Whoever read the answers has left: nobody needs the others.
                interrupt.flag().store(true, Ordering::Relaxed);
                return shown;
            }
        }
        Ok(())
    });
    shown?;
    let all_well = report.finish()?;
    match (interrupt.is_set(), all_well) {
        (true, _) => Err(CommandError::silent(ErrorKind::Interrupted)),
        (false, true) => Ok(()),
        (false, false) => Err(CommandError::silent(ErrorKind::Failed)),
    }
}

/// All nodes of a lab that run.
fn all<'a>(
    world: &'a World,
    lab: Option<&str>,
    nodes: &[String],
) -> Result<Vec<&'a ObservedDomain>, CommandError> {
    if let Some(word) = nodes.first() {
        let message = format!("`--all` is all nodes, and `{word}` is one word too many");
        return Err(CommandError::new(ErrorKind::Usage, message)
            .hint("The command is one argument: quote it."));
    }
    let lab = world.lab(lab)?;
    let running = |domain: &&ObservedDomain| domain.state == DomainState::Running;
    let mut domains: Vec<_> = world.observed.of_lab(lab).filter(running).collect();
    domains.sort_by_key(|domain| domain.record.blueprint.number);
    match domains.is_empty() {
        false => Ok(domains),
        true => Err(CommandError::new(
            ErrorKind::Failed,
            format!("no node of `{lab}` runs"),
        )),
    }
}

/// The nodes that are named, each once.
fn named<'a>(world: &'a World, nodes: &[String]) -> Result<Vec<&'a ObservedDomain>, CommandError> {
    if nodes.is_empty() {
        return Err(CommandError::new(ErrorKind::Usage, "no node is named")
            .hint("`vnflab exec NODE COMMAND` asks one node, `vnflab exec --all COMMAND` all."));
    }
    let mut domains: Vec<&ObservedDomain> = Vec::new();
    for node in nodes {
        let domain = world.node(node)?;
        if domains.iter().all(|known| known.name != domain.name) {
            domains.push(domain);
        }
    }
    Ok(domains)
}

fn work(
    asker: &Asker<'_>,
    domains: &[&ObservedDomain],
    next: &AtomicUsize,
    sender: &Sender<(usize, Answer)>,
    cancel: &AtomicBool,
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(domain) = domains.get(index) else {
            return;
        };
        if cancel.load(Ordering::Relaxed)
            || sender.send((index, asker.ask(domain, cancel))).is_err()
        {
            return;
        }
    }
}

/// Who asks.
struct Asker<'a> {
    workspace: &'a Workspace,
    locality: Locality,
    keyring: Keyring,
    command: &'a str,
    limit: Duration,
}

impl Asker<'_> {
    fn ask(&self, domain: &ObservedDomain, cancel: &AtomicBool) -> Answer {
        let node = &domain.record.blueprint;
        let start = Instant::now();
        let mut answer = Answer::new(node);
        if let Some((error, hint)) = self.hindrance(domain) {
            answer.error = Some(error);
            answer.hint = Some(hint);
            return answer;
        }
        let result = exec::run(&Request {
            node,
            kind: self
                .workspace
                .catalogue()
                .find(&node.guest)
                .map(AsRef::as_ref),
            keyring: &self.keyring,
            command: self.command,
            limit: self.limit,
            cancel,
        });
        answer.elapsed = start.elapsed();
        match result {
            Ok(output) => answer.output = Some(output),
            Err(error) => {
                answer.hint = error.hint(&domain.name);
                answer.error = Some(match error.source() {
                    Some(source) => format!("{error}: {source}"),
                    None => error.to_string(),
                });
            }
        }
        answer
    }

    /// What stands in the way from the beginning, and what helps.
    fn hindrance(&self, domain: &ObservedDomain) -> Option<(String, String)> {
        let name = &domain.name;
        if domain.state != DomainState::Running {
            return Some((
                format!("it is {}", domain.state.word()),
                format!("`vnflab start {name}` starts it."),
            ));
        }
        let access = domain.record.blueprint.access.as_ref()?;
        (access.ssh.ip().is_loopback() && self.locality == Locality::Remote).then(|| {
            (
                "its SSH port is on another host's loopback".to_owned(),
                "Run `vnflab exec` on that host.".to_owned(),
            )
        })
    }
}
