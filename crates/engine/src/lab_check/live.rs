//! A lab that runs, for its checks.
//!
//! Nodes are asked through [`crate::exec`], links changed through the wires as a plan would, and
//! frames seen through a capture. What a check changes is remembered link by link, as it was before
//! the first change, carriers of the guests included.

use super::power::Power;
use super::{FrameLook, Hands, Said, frames};
use crate::exec::{self, Request};
use crate::ssh::Keyring;
use crate::workspace::{LinkState as State, Workspace};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use vnflab_impairment::Impairment;
use vnflab_model::blueprint::{
    Carrier, Junction, JunctionState, NodeBlueprint, WireBlueprint, WireChange,
};
use vnflab_model::kind::Kind;
use vnflab_model::lab_check::{Change, Places, Probe, Question, questions};
use vnflab_model::observed::{DomainState, Observed, ObservedDomain, ObservedWire};
use vnflab_wire::control::protocol::CaptureRequest;
use vnflab_wire::control::{Client, ClientError};

/// How long a command may take, logging in included: a traceroute that finds nobody takes a
/// minute.
const ASK_LIMIT: Duration = Duration::from_secs(90);

/// Most commands that run in a node at the same time. Small SSH servers let few strangers wait at
/// once (dropbear: 5), and a guest has few processors.
const ASKS_OF_NODE: usize = 3;

/// Most commands that run in all nodes at the same time: each is a client on this host.
const ASKS: usize = 24;

/// Bytes kept of a captured frame: they are only counted.
const SNAP_BYTES: u32 = 64;

/// How a wire is spoken to.
pub type Connect<'a> = dyn Fn() -> Result<Client, ClientError> + Sync + 'a;

/// A lab that runs.
pub struct LiveLab<'a> {
    workspace: &'a Workspace,
    lab: &'a str,
    nodes: BTreeMap<String, NodeBlueprint>,
    keyring: Keyring,
    connect: &'a Connect<'a>,
    cancel: &'a AtomicBool,
    /// How many commands run in each node.
    asking: Mutex<BTreeMap<String, usize>>,
    freed: Condvar,
    power: Power<'a>,
    /// Links and segments as they were before they were changed.
    before: Mutex<Vec<Before>>,
    began: Instant,
}

/// A link or segment as it was.
struct Before {
    name: String,
    junction: Junction,
    /// Domain, address of the NIC, and its carrier.
    carriers: Vec<(String, String, Carrier)>,
}

impl<'a> LiveLab<'a> {
    /// The lab of a name, as it was observed. `connect` leads to its wire.
    pub fn new(
        workspace: &'a Workspace,
        observed: &Observed,
        lab: &'a str,
        keyring: Keyring,
        connect: &'a Connect<'a>,
        cancel: &'a AtomicBool,
    ) -> Self {
        let nodes = observed.of_lab(lab).filter_map(|domain| {
            let node = &domain.record.blueprint.node;
            Some((node.clone(), observed.whole(lab, node)?))
        });
        Self {
            workspace,
            lab,
            nodes: nodes.collect(),
            keyring,
            connect,
            cancel,
            asking: Mutex::default(),
            freed: Condvar::new(),
            power: Power::new(workspace, lab),
            before: Mutex::default(),
            began: Instant::now(),
        }
    }

    /// The kind whose guest boots in a node.
    fn guest(&self, node: &NodeBlueprint) -> Option<Arc<Kind>> {
        self.workspace.catalogue().find(&node.guest).cloned()
    }

    fn observe(&self) -> Result<Observed, String> {
        let observed = self.workspace.observe();
        observed.map_err(|error| error.to_string())
    }

    fn wire_of<'o>(&self, observed: &'o Observed) -> Result<&'o WireBlueprint, String> {
        let wire = observed.wires.get(self.lab).and_then(ObservedWire::config);
        wire.ok_or_else(|| "the lab's wire does not run".to_owned())
    }

    fn change_wire(&self, change: &WireChange) -> Result<(), String> {
        let changed = self.workspace.wires().change(self.lab, change);
        changed.map_err(|error| error.to_string())
    }

    fn client(&self) -> Result<Client, String> {
        (self.connect)().map_err(|error| error.to_string())
    }

    /// The NICs of a junction's members that are interfaces of nodes: the domain and the address.
    fn nics<'o>(
        &self,
        observed: &'o Observed,
        junction: &Junction,
    ) -> Vec<(&'o ObservedDomain, &'o str)> {
        let nic = |member: &String| {
            let (domain, nic) = observed.nic(self.lab, member)?;
            Some((domain, nic.mac.as_str()))
        };
        junction.members.iter().filter_map(nic).collect()
    }

    /// Remembers a junction as it is, unless it was changed before.
    fn remember(&self, observed: &Observed, name: &str, junction: &Junction) {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        if before.iter().any(|known| known.name == name) {
            return;
        }
        let carriers = self.nics(observed, junction).into_iter();
        before.push(Before {
            name: name.to_owned(),
            junction: junction.clone(),
            carriers: carriers
                .filter_map(|(domain, mac)| {
                    let carrier = *domain.carriers.get(mac)?;
                    Some((domain.name.clone(), mac.to_owned(), carrier))
                })
                .collect(),
        });
    }

    fn set_state(&self, name: &str, state: JunctionState) -> Result<(), String> {
        self.change_wire(&WireChange::SetState {
            name: name.to_owned(),
            state,
        })
    }

    /// Gives carriers to all members of a junction, or takes them.
    fn set_carriers(
        &self,
        observed: &Observed,
        junction: &Junction,
        carrier: Carrier,
    ) -> Result<(), String> {
        let nics = self.nics(observed, junction);
        // Who is off gives its peer no carrier, where that follows.
        let all_run = nics
            .iter()
            .all(|(domain, _)| domain.state == DomainState::Running);
        for (domain, mac) in &nics {
            let follows = domain.record.blueprint.carrier.is_follow();
            let is_dark = carrier == Carrier::Up && follows && !all_run && nics.len() == 2;
            if domain.carriers.get(*mac) != Some(&carrier) && !is_dark {
                let set = self
                    .workspace
                    .driver()
                    .set_carrier(&domain.name, mac, carrier);
                set.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    fn restore(&self, before: &Before) -> Result<(), String> {
        let nothing = Impairment::default();
        for member in &before.junction.members {
            let impairment = before.junction.impairments.get(member);
            self.change_wire(&WireChange::Impair {
                name: before.name.clone(),
                member: member.clone(),
                impairment: Box::new(impairment.unwrap_or(&nothing).clone()),
            })?;
        }
        self.set_state(&before.name, before.junction.state)?;
        for (domain, mac, carrier) in &before.carriers {
            let set = self.workspace.driver().set_carrier(domain, mac, *carrier);
            set.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Waits until a node can be asked.
    fn take_turn(&self, node: &str) -> Turn<'_> {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let is_free = |asking: &BTreeMap<String, usize>| {
            let of_node = asking.get(node).copied().unwrap_or_default();
            of_node < ASKS_OF_NODE && asking.values().sum::<usize>() < ASKS
        };
        while !is_free(&asking) {
            asking = self
                .freed
                .wait(asking)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *asking.entry(node.to_owned()).or_default() += 1;
        Turn {
            asking: &self.asking,
            freed: &self.freed,
            node: node.to_owned(),
        }
    }
}

/// A command that runs in a node, until it is dropped.
struct Turn<'a> {
    asking: &'a Mutex<BTreeMap<String, usize>>,
    freed: &'a Condvar,
    node: String,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = asking.get_mut(&self.node) {
            *count = count.saturating_sub(1);
        }
        self.freed.notify_all();
    }
}

impl Hands for LiveLab<'_> {
    fn questions(&self, probe: &Probe) -> Result<Vec<Question>, String> {
        let places = Places::new(self.nodes.values());
        questions(probe, &places, &|node| self.guest(node))
    }

    fn ask(&self, node: &str, command: &str) -> Result<Said, String> {
        let Some(blueprint) = self.nodes.get(node) else {
            return Err("it is not up".to_owned());
        };
        let _turn = self.take_turn(node);
        let kind = self.guest(blueprint);
        let output = exec::run(&Request {
            node: blueprint,
            kind: kind.as_deref(),
            keyring: &self.keyring,
            command,
            limit: ASK_LIMIT,
            cancel: self.cancel,
        });
        match output {
            Ok(output) => Ok(Said {
                stdout: output.stdout,
                stderr: output.stderr,
                status: output.status,
            }),
            Err(error) => Err(error.to_string()),
        }
    }

    fn link(&self, name: &str) -> Result<(JunctionState, String), String> {
        let observed = self.observe()?;
        let links = self.workspace.links(&observed, Some(self.lab));
        let links = links.map_err(|error| error.to_string())?;
        let turned = name.split_once("--").map(|(a, b)| format!("{b}--{a}"));
        let is_meant = |link: &str| link == name || turned.as_deref() == Some(link);
        let link = links.iter().find(|link| is_meant(&link.name));
        let link = link.ok_or_else(|| format!("`{name}` is not joined now"))?;
        if link.state == State::Up {
            return Ok((JunctionState::Up, String::new()));
        }
        let mut reasons = Vec::new();
        if let Some(junction) = &link.junction
            && junction.state == vnflab_wire::LinkState::Down
        {
            reasons.push("it is cut".to_owned());
        }
        for end in link.ends.iter().filter_map(|end| end.interface.as_ref()) {
            if end.state != DomainState::Running {
                reasons.push(format!("{} is {}", end.node, end.state.word()));
            } else if end.carrier == Carrier::Down {
                reasons.push(format!("{}:{} has no carrier", end.node, end.name));
            }
        }
        Ok((JunctionState::Down, reasons.join(", ")))
    }

    fn frames(&self, look: &FrameLook<'_>) -> Result<u64, String> {
        let request = CaptureRequest {
            what: look.on.to_owned(),
            filter: look.filter.map(str::to_owned),
            snap_length: SNAP_BYTES,
        };
        let stream = self.client()?.capture(request);
        let mut stream = stream.map_err(|error| error.to_string())?;
        frames::count(&mut stream, look)
    }

    fn bytes(&self, on: &str, from: Option<&str>) -> Result<u64, String> {
        let mut client = self.client()?;
        let told = |error: ClientError| error.to_string();
        let config = client.config().map_err(told)?;
        let status = client.status().map_err(told)?;
        let junction = config.junctions.get(on);
        let junction = junction.ok_or_else(|| format!("`{on}` is not joined now"))?;
        let members = junction.members.iter();
        let meant = members.filter(|member| from.is_none_or(|from| from == *member));
        let ends = meant.filter_map(|member| status.ends.get(member));
        Ok(ends.map(|end| end.received_bytes).sum())
    }

    fn change(&self, change: &Change) -> Result<(), String> {
        let name = match change {
            Change::Stop { node } => return self.power.stop(node, self.cancel),
            Change::Start { node } => return self.power.start(node, self.cancel),
            Change::Cut { link, .. } | Change::Restore { link } | Change::Impair { link, .. } => {
                &link.value
            }
        };
        let observed = self.observe()?;
        let junction = self.wire_of(&observed)?.junctions.get(name);
        let junction = junction.ok_or_else(|| format!("`{name}` is not joined now"))?;
        self.remember(&observed, name, junction);
        match change {
            Change::Cut { silent, .. } => {
                self.set_state(name, JunctionState::Down)?;
                match silent {
                    true => Ok(()),
                    false => self.set_carriers(&observed, junction, Carrier::Down),
                }
            }
            Change::Restore { .. } => {
                self.set_state(name, JunctionState::Up)?;
                self.set_carriers(&observed, junction, Carrier::Up)
            }
            Change::Impair { from, settings, .. } => {
                let is_meant =
                    |member: &&String| from.as_ref().is_none_or(|from| from.value == **member);
                for member in junction.members.iter().filter(is_meant) {
                    let mut impairment = junction
                        .impairments
                        .get(member)
                        .cloned()
                        .unwrap_or_default();
                    impairment.settings.overlay(settings);
                    self.change_wire(&WireChange::Impair {
                        name: name.clone(),
                        member: member.clone(),
                        impairment: Box::new(impairment),
                    })?;
                }
                Ok(())
            }
            Change::Stop { .. } | Change::Start { .. } => Ok(()),
        }
    }

    fn put_back(&self) -> Result<(), String> {
        let before = {
            let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *before)
        };
        let power = self.power.put_back(self.cancel).err();
        let links = before.iter().filter_map(|before| {
            let error = self.restore(before).err()?;
            Some(format!("{}: {error}", before.name))
        });
        let failures: Vec<String> = power.into_iter().chain(links).collect();
        match failures.is_empty() {
            true => Ok(()),
            false => Err(format!("{}; `vnflab up` restores it", failures.join("; "))),
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
