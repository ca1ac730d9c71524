//! `vnflab link`: looks at and changes the links of a running lab, one at a time.

use super::link_end::{canonical, mistake};
use crate::cli::wire::{LinkCommand, LinkLabArgs, LinkProbeArgs, LinkSetArgs, LinkStateArgs};
use crate::cli::{Global, ScopeArgs};
use crate::context::{self, Listed, World};
use crate::error::{CommandError, ErrorKind};
use crate::render::{self, Screen};
use std::collections::BTreeMap;
use vnflab_engine::driver::Driver;
use vnflab_engine::wire::LocalWires;
use vnflab_engine::workspace::Workspace;
use vnflab_filter::Filter;
use vnflab_impairment::Settings;
use vnflab_model::blueprint::Carrier;
use vnflab_model::observed::{Observed, ObservedDomain, ObservedWire};
use vnflab_wire::control::change::Change;
use vnflab_wire::control::{Client, ClientError};
use vnflab_wire::{Config, JunctionKind, LinkState};

/// A running wire, and what exists beside it.
pub(super) struct Running {
    pub(super) workspace: Workspace,
    pub(super) world: World,
    pub(super) lab: String,
    pub(super) client: Client,
}

pub(super) fn run(
    global: &Global,
    command: &LinkCommand,
    screen: &Screen,
) -> Result<(), CommandError> {
    match command {
        LinkCommand::Set(arguments) => set(global, arguments, screen),
        LinkCommand::Reset(arguments) => {
            let change = Change::Reset {
                junction: arguments.link.link.clone(),
                from: arguments.from.clone(),
            };
            changed(global, &arguments.link.lab, change, Carriers::Keep, screen)
        }
        LinkCommand::Down(arguments) => state(global, arguments, LinkState::Down, screen),
        LinkCommand::Up(arguments) => state(global, arguments, LinkState::Up, screen),
        LinkCommand::Connect(arguments) => {
            let change = Change::Connect {
                a: arguments.a.clone(),
                b: arguments.b.clone(),
            };
            changed(global, &arguments.lab, change, Carriers::Follow, screen)
        }
        LinkCommand::Disconnect(arguments) => {
            let change = Change::Disconnect {
                junction: arguments.link.clone(),
            };
            changed(global, &arguments.lab, change, Carriers::Follow, screen)
        }
        LinkCommand::Move(arguments) => {
            let change = Change::Move {
                from: arguments.from.clone(),
                to: arguments.to.clone(),
            };
            changed(global, &arguments.lab, change, Carriers::Follow, screen)
        }
        LinkCommand::Join(arguments) => {
            let change = Change::Join {
                segment: arguments.segment.clone(),
                ends: arguments.ends.clone(),
                kind: match arguments.hub {
                    true => JunctionKind::Hub,
                    false => JunctionKind::switch(),
                },
            };
            changed(global, &arguments.lab, change, Carriers::Follow, screen)
        }
        LinkCommand::Leave(arguments) => {
            let change = Change::Leave {
                ends: arguments.ends.clone(),
            };
            changed(global, &arguments.lab, change, Carriers::Follow, screen)
        }
        LinkCommand::Probe(arguments) => probe(global, arguments, screen),
        LinkCommand::Show(arguments) => {
            let mut running = open(global, &arguments.lab)?;
            let name = running.find(&arguments.link)?;
            let (config, status) = (running.client.config()?, running.client.status()?);
            render::wire::show(screen, &name, &config, &status)
        }
        LinkCommand::Export(arguments) => {
            let mut running = open(global, arguments)?;
            let config = running.client.config()?;
            render::wire::export(screen, &config)
        }
    }
}

/// Connects to the wire of the lab that is meant.
pub(super) fn open(global: &Global, arguments: &LinkLabArgs) -> Result<Running, CommandError> {
    let workspace = context::workspace(global)?;
    let world = World::observe(&workspace)?;
    let lab = lab_of(&workspace, &world, arguments.lab.as_deref())?;
    let wires = context::wires_of(global, workspace.driver().scope())?;
    let client = connect(&wires, &lab)?;
    Ok(Running {
        workspace,
        world,
        lab,
        client,
    })
}

fn connect(wires: &LocalWires, lab: &str) -> Result<Client, CommandError> {
    Client::connect(&wires.folder(lab)).map_err(|error| match error {
        ClientError::NotRunning => {
            let message = format!("the lab `{lab}` has no wire that runs");
            CommandError::new(ErrorKind::NotFound, message)
                .hint("`vnflab up` starts it; a lab whose links are `direct` has none.")
        }
        error => error.into(),
    })
}

/// The lab that is named, that of the current folder, or the only one that has a wire. In the
/// folder of a lab that is not up no other one is meant.
fn lab_of(
    workspace: &Workspace,
    world: &World,
    named: Option<&str>,
) -> Result<String, CommandError> {
    let scope = ScopeArgs {
        lab: named.map(str::to_owned),
        all: false,
        watch: false,
    };
    match world.listed(workspace, &scope)? {
        Listed::Lab(lab) => return Ok(lab),
        Listed::NotUp(lab) => {
            let message = format!("the lab `{lab}` of this folder is not up");
            return Err(CommandError::new(ErrorKind::NotFound, message)
                .hint("`vnflab up` makes it run; `--lab NAME` names another one."));
        }
        Listed::All => {}
    }
    let running = |(_, wire): &(&String, &ObservedWire)| wire.config().is_some();
    let labs: Vec<&String> = world
        .observed
        .wires
        .iter()
        .filter(running)
        .map(|(lab, _)| lab)
        .collect();
    match labs[..] {
        [lab] => Ok(lab.clone()),
        [] => Err(
            CommandError::new(ErrorKind::NotFound, "no lab with a wire is up")
                .hint("`vnflab up` makes one run."),
        ),
        [..] => {
            let names: Vec<String> = labs.iter().map(|lab| format!("`{lab}`")).collect();
            let message = format!("{} labs have a wire: {}", labs.len(), names.join(", "));
            Err(CommandError::new(ErrorKind::NotFound, message)
                .hint("Say which with `--lab NAME`, or go to its folder."))
        }
    }
}

/// The name of the link or segment that a word means, interfaces by the names that the wire knows.
pub(super) fn find(config: &Config, word: &str) -> Result<String, CommandError> {
    vnflab_wire::control::change::find(config, word).map_err(|error| mistake(&error, config))
}

impl Running {
    /// The name of the link or segment that a word means.
    pub(super) fn find(&mut self, word: &str) -> Result<String, CommandError> {
        let config = self.client.config()?;
        find(&config, &self.end_name(word))
    }

    /// A word with its interfaces by the names that the wire knows.
    pub(super) fn end_name(&self, word: &str) -> String {
        let kinds = self.workspace.catalogue();
        canonical(&self.world.observed, kinds, &self.lab, word)
    }

    /// A change with all of its interfaces by the names that the wire knows.
    fn spelt(&self, mut change: Change) -> Change {
        let words: Vec<&mut String> = match &mut change {
            Change::Connect { a, b } => vec![a, b],
            Change::Move { from, to } => vec![from, to],
            Change::Disconnect { junction } | Change::State { junction, .. } => vec![junction],
            Change::Set { junction, from, .. } | Change::Reset { junction, from } => {
                from.iter_mut().chain([junction]).collect()
            }
            Change::Join { ends, .. } | Change::Leave { ends } => ends.iter_mut().collect(),
        };
        for word in words {
            *word = self.end_name(word);
        }
        change
    }

    /// Whether the guest behind each end shall see a carrier: its link is up, and the node at the
    /// other end runs.
    fn carriers<'a>(&self, config: &'a Config) -> BTreeMap<&'a str, Carrier> {
        let ends = config.ends.keys();
        let mut found: BTreeMap<&str, Carrier> =
            ends.map(|end| (end.as_str(), Carrier::Down)).collect();
        for junction in config.junctions.values() {
            let members = &junction.members;
            if junction.state != LinkState::Up {
                continue;
            }
            let has_peer = |end: &&String| {
                let peer = members.iter().find(|member| member != end);
                junction.kind != JunctionKind::Link
                    || peer.is_none_or(|peer| self.is_there(end, peer))
            };
            let with_carrier = members.iter().filter(has_peer);
            found.extend(with_carrier.map(|end| (end.as_str(), Carrier::Up)));
        }
        found
    }

    /// Whether an end has somebody at its link's other end, or does not mind.
    fn is_there(&self, end: &str, peer: &str) -> bool {
        let domain = |end: &str| {
            let (node, _) = end.split_once(':')?;
            self.world.observed.domain(&self.lab, node)
        };
        let follows = domain(end).is_some_and(|one| one.record.blueprint.carrier.is_follow());
        // What is no node of the lab is always there.
        let runs = |(node, _): (&str, &str)| self.world.observed.runs(&self.lab, node);
        let is_off = peer.split_once(':').and_then(runs) == Some(false);
        !(follows && is_off)
    }
}

fn set(global: &Global, arguments: &LinkSetArgs, screen: &Screen) -> Result<(), CommandError> {
    let mut settings = arguments.impairment.settings.clone();
    attach_files(&mut settings)?;
    if settings == Settings::default() {
        return Err(CommandError::new(ErrorKind::Usage, "nothing is set")
            .hint("Give a flag such as `--delay 20ms`; `vnflab link set --help` lists them."));
    }
    if let Some(text) = &arguments.matches {
        Filter::parse(text).map_err(|error| {
            CommandError::new(
                ErrorKind::Usage,
                format!("`{text}` is no filter expression"),
            )
            .caused_by(&error)
        })?;
    }
    for problem in settings.check() {
        screen.warn(&problem.text);
    }
    let change = Change::Set {
        junction: arguments.link.link.clone(),
        from: arguments.from.clone(),
        matches: arguments.matches.clone(),
        settings: Box::new(settings),
    };
    changed(global, &arguments.link.lab, change, Carriers::Keep, screen)
}

fn state(
    global: &Global,
    arguments: &LinkStateArgs,
    state: LinkState,
    screen: &Screen,
) -> Result<(), CommandError> {
    let change = Change::State {
        junction: arguments.link.link.clone(),
        state,
    };
    let carriers = match arguments.silent {
        true => Carriers::Keep,
        false => Carriers::Follow,
    };
    changed(global, &arguments.link.lab, change, carriers, screen)
}

/// Whether the guests are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carriers {
    Follow,
    Keep,
}

fn changed(
    global: &Global,
    lab: &LinkLabArgs,
    change: Change,
    carriers: Carriers,
    screen: &Screen,
) -> Result<(), CommandError> {
    let mut running = open(global, lab)?;
    let before = running.client.config()?;
    let change = running.spelt(change);
    // What the wire would refuse is said in more words here.
    change
        .make(&before)
        .map_err(|error| mistake(&error, &before))?;
    let after = running
        .client
        .change(change.clone())
        .map_err(|error| match error {
            ClientError::Refused(reason) => CommandError::new(ErrorKind::Failed, reason),
            error => error.into(),
        })?;
    if carriers == Carriers::Follow {
        tell_guests(&running, &change, &before, &after, screen);
    }
    render::wire::changed(screen, &running.lab, &before, &after)
}

/// Gives the guests the carriers that follow from a change, at all ends that it concerns.
fn tell_guests(
    running: &Running,
    change: &Change,
    before: &Config,
    after: &Config,
    screen: &Screen,
) {
    let (was, is) = (homes(before), homes(after));
    // Who cuts a link that was cut in silence wants it to be told now.
    let asked_for = match change {
        Change::State { junction, .. } => find(after, junction).ok(),
        _ => None,
    };
    for (end, carrier) in running.carriers(after) {
        let home = is.get(end);
        let is_asked_for = home.is_some_and(|(name, _)| asked_for.as_deref() == Some(name));
        if home == was.get(end) && !is_asked_for {
            continue;
        }
        let Some((domain, mac)) = nic_of(&running.world.observed, &running.lab, end) else {
            continue;
        };
        if domain.carriers.get(mac) == Some(&carrier) {
            continue;
        }
        let driver: &dyn Driver = running.workspace.driver();
        if let Err(error) = driver.set_carrier(&domain.name, mac, carrier) {
            screen.warn(&format!("{end} keeps its carrier: {error}"));
        }
    }
}

/// Where each end is, and whether frames pass there.
fn homes(config: &Config) -> BTreeMap<&str, (&str, LinkState)> {
    let junctions = config.junctions.iter();
    let ends = junctions.flat_map(|(name, junction)| {
        let members = junction.members.iter();
        members.map(move |end| (end.as_str(), (name.as_str(), junction.state)))
    });
    ends.collect()
}

/// The domain behind an end, and the address of its NIC.
fn nic_of<'a>(
    observed: &'a Observed,
    lab: &str,
    end: &str,
) -> Option<(&'a ObservedDomain, &'a str)> {
    let (domain, nic) = observed.nic(lab, end)?;
    Some((domain, &nic.mac))
}

fn probe(global: &Global, arguments: &LinkProbeArgs, screen: &Screen) -> Result<(), CommandError> {
    let mut running = open(global, &arguments.link.lab)?;
    let name = running.find(&arguments.link.link)?;
    let reports = running.client.probe(&name, arguments.count)?;
    render::wire::probe(screen, &name, &reports)
}

/// Reads the files that settings name, relative to the current folder.
pub(super) fn attach_files(settings: &mut Settings) -> Result<(), CommandError> {
    let files: Vec<(&'static str, String)> = settings
        .files()
        .into_iter()
        .map(|(key, path)| (key, path.to_owned()))
        .collect();
    for (key, path) in files {
        let content = std::fs::read_to_string(&path).map_err(|error| {
            let message = format!("`{path}` cannot be read");
            CommandError::new(ErrorKind::NotFound, message).caused_by(&error)
        })?;
        settings.attach(key, &content).map_err(|error| {
            CommandError::new(ErrorKind::Usage, format!("`{path}` makes no sense"))
                .caused_by(&error)
        })?;
    }
    Ok(())
}
