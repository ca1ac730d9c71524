//! `vnflab provision`, and what `up` does of it: first configurations typed on consoles.

use super::lab;
use crate::cli::{Global, ProvisionArgs};
use crate::context;
use crate::error::{CommandError, ErrorKind};
use crate::interrupt::Interrupt;
use crate::render::progress::Progress;
use crate::render::{self, Screen};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use vnflab_dialogue::Refused;
use vnflab_engine::driver::Driver;
use vnflab_engine::provision::{self, Place, ProvisionError, Request, State};
use vnflab_engine::workspace::Workspace;
use vnflab_model::blueprint::{Blueprint, NodeBlueprint};
use vnflab_model::observed::{DomainState, Locality};

/// Most consoles that are typed on at one time: a dialogue mostly waits.
const WORKERS: usize = 32;

/// What became of a node.
#[derive(Debug)]
pub(crate) struct Provisioned {
    pub(crate) node: String,
    pub(crate) record: PathBuf,
    pub(crate) elapsed: Duration,
    pub(crate) outcome: Outcome,
}

/// How it ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// All of it was typed; the device refused these lines.
    Done(Vec<Refused>),
    /// It was not.
    Failed {
        reason: String,
        last_lines: Vec<String>,
    },
    /// The user gave up.
    Cancelled,
}

/// Which nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that have not been, or that have another configuration now.
    Left,
    /// All.
    All,
}

pub(super) fn run(
    global: &Global,
    arguments: &ProvisionArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let interrupt = Interrupt::listen()?;
    let selection = lab::selection(&arguments.selection);
    let decided = lab::decide(&workspace, &selection.lab, &arguments.variation, screen)?;
    let blueprint = &decided.blueprint;
    let nodes = selection.nodes.as_ref();
    lab::check_nodes(blueprint, nodes)?;
    for name in nodes.into_iter().flatten() {
        if !blueprint.typed.contains_key(name) {
            let message = format!("nothing is typed on the console of `{name}`");
            return Err(CommandError::new(ErrorKind::Failed, message).hint(
                "Its kind takes its first configuration from a medium, or there is nothing to say.",
            ));
        }
    }
    let observed = &decided.survey.observed;
    let is_off = |name: &&String| {
        let selected = nodes.is_none_or(|nodes| nodes.contains(*name));
        let domain = observed.domain(&blueprint.lab, name);
        selected && domain.is_none_or(|domain| domain.state != DomainState::Running)
    };
    if let Some(name) = blueprint.typed.keys().find(is_off) {
        return Err(
            CommandError::new(ErrorKind::Failed, format!("`{name}` is not running"))
                .hint("`vnflab up` starts it."),
        );
    }
    let which = match arguments.again {
        true => Which::All,
        false => Which::Left,
    };
    let done = all(&workspace, blueprint, nodes, which, &interrupt, screen)?;
    render::provision::report(screen, &blueprint.lab, &done)
}

/// Provisions the nodes of a lab, all at the same time.
pub(super) fn all(
    workspace: &Workspace,
    blueprint: &Blueprint,
    nodes: Option<&BTreeSet<String>>,
    which: Which,
    interrupt: &Interrupt,
    screen: &Screen,
) -> Result<Vec<Provisioned>, CommandError> {
    if blueprint.typed.is_empty() {
        return Ok(Vec::new());
    }
    let place = Place::of_user()?;
    // What is made anew has begun anew.
    let observed = workspace.driver().observe()?;
    let is_left = |node: &NodeBlueprint, configuration: &str| {
        let domain = observed.domain(&node.lab, &node.node);
        match State::of(domain.and_then(|domain| domain.typing.as_ref())) {
            State::Done { digest } => digest != provision::digest(configuration),
            State::Pending | State::Failed { .. } => true,
            // Whoever types now says how it ends.
            State::Typing => false,
        }
    };
    let mut requests = Vec::new();
    for node in &blueprint.nodes {
        let Some(configuration) = blueprint.typed.get(&node.node) else {
            continue;
        };
        let Some(kind) = workspace.catalogue().find(&node.guest) else {
            continue;
        };
        let is_selected = nodes.is_none_or(|nodes| nodes.contains(&node.node));
        if is_selected && (which == Which::All || is_left(node, configuration)) {
            requests.push(Request {
                node,
                kind,
                configuration,
                cancel: interrupt.flag(),
            });
        }
    }
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    if workspace.driver().host()?.locality == Locality::Remote {
        let message = "the consoles are on another host, so nothing can be typed there from here";
        return Err(CommandError::new(ErrorKind::Failed, message)
            .hint("Run `vnflab provision` on that host."));
    }
    Ok(at_once(workspace.driver(), &place, &requests, screen))
}

enum Told {
    Typed(usize, usize, usize),
    Ended(Box<Provisioned>),
}

fn at_once(
    driver: &dyn Driver,
    place: &Place,
    requests: &[Request<'_>],
    screen: &Screen,
) -> Vec<Provisioned> {
    let mut progress = Progress::new(screen);
    for request in requests {
        progress.stage(&request.node.node, "configuration over the console");
    }
    let left = Mutex::new(requests.iter().enumerate());
    let (tell, told) = mpsc::channel();
    let mut all = Vec::new();
    thread::scope(|scope| {
        for _ in 0..WORKERS.min(requests.len()) {
            let (tell, left) = (tell.clone(), &left);
            scope.spawn(move || {
                loop {
                    let next = left.lock().unwrap_or_else(PoisonError::into_inner).next();
                    let Some((index, request)) = next else {
                        return;
                    };
                    let mut on_progress = |typed, lines| {
                        let _ = tell.send(Told::Typed(index, typed, lines));
                    };
                    let done = one(driver, place, request, &mut on_progress);
                    let _ = tell.send(Told::Ended(Box::new(done)));
                }
            });
        }
        drop(tell);
        for message in told {
            match message {
                Told::Typed(index, typed, lines) if lines > 0 => {
                    let what = format!("types line {} of {lines}", (typed + 1).min(lines));
                    progress.begin(&requests[index].node.node, &what);
                }
                Told::Typed(..) => {}
                Told::Ended(done) => {
                    match &done.outcome {
                        Outcome::Done(_) => {
                            progress.done(&done.node, "configured", done.elapsed);
                        }
                        Outcome::Failed { .. } => progress.failed(&done.node, "configuration"),
                        Outcome::Cancelled => {}
                    }
                    progress.end(&done.node);
                    all.push(*done);
                }
            }
        }
    });
    progress.clear();
    all.sort_by(|one, other| one.node.cmp(&other.node));
    all
}

fn one(
    driver: &dyn Driver,
    place: &Place,
    request: &Request<'_>,
    on_progress: &mut dyn FnMut(usize, usize),
) -> Provisioned {
    let began = Instant::now();
    let outcome = match provision::provision(driver, place, request, on_progress) {
        Ok(refused) => Outcome::Done(refused),
        Err(error) if error.is_cancelled() => Outcome::Cancelled,
        Err(error) => Outcome::Failed {
            last_lines: error.last_lines().to_vec(),
            reason: with_causes(&error),
        },
    };
    Provisioned {
        node: request.node.node.clone(),
        record: place.record(request.node),
        elapsed: began.elapsed(),
        outcome,
    }
}

fn with_causes(error: &ProvisionError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}
