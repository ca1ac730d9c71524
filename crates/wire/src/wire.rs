//! A running wire: keeps its configuration, and carries every change over to the shard.

use crate::config::{Config, ConfigProblem, EndConfig, JunctionConfig, JunctionKind};
use crate::core::counters::{END_WORDS, EndCounters, EndCounts};
use crate::core::fabric::Limits;
use crate::core::junction::{Forwarding, LinkState};
use crate::core::policy::Policy;
use crate::core::watch::{WatchId, WatchSpec};
use crate::core::{EndId, JunctionId};
use crate::shard::{Ended, Inlet, Shard, outlet};
use crate::sys::{Clock, PacketPort, Port, SharedWords, TapPort, UdpPort};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use vnflab_impairment::Impairment;

/// The part of the memory that the waiting frames of one end may take.
const LANE_SHARE: usize = 4;

/// Ends that are added or taken away, or looked at, between two batches of frames.
const ENDS_AT_A_TIME: usize = 64;

/// A wire that runs until it is dropped.
#[derive(Debug)]
pub struct Wire {
    shard: Shard,
    words: Arc<SharedWords>,
    config: Config,
    ends: BTreeMap<String, EndCounters>,
    ids: Ids,
    memory: Memory,
    next_watch: WatchId,
}

/// What a wire has to know again when it is started anew.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Memory {
    /// Where each end counts.
    places: BTreeMap<String, usize>,
    /// When what is asked of each end's frames was set: time of day in nanoseconds.
    set_at: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Ids {
    ends: BTreeMap<String, EndId>,
    junctions: BTreeMap<String, JunctionId>,
    next_end: EndId,
    next_junction: JunctionId,
    free_junctions: Vec<JunctionId>,
}

impl Ids {
    /// Numbers of ends are not used again, so that a frame that waits is not taken for one of a
    /// new end.
    fn next_end(&mut self) -> EndId {
        self.next_end += 1;
        self.next_end - 1
    }

    /// Nothing waits in a link or segment: its number is free when it is gone.
    fn next_junction(&mut self) -> JunctionId {
        self.free_junctions.pop().unwrap_or_else(|| {
            self.next_junction += 1;
            self.next_junction - 1
        })
    }
}

/// What only one end at a time can have.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place<'a> {
    /// A UDP port; of which addresses does not matter, since some stand for all.
    Port(u16),
    /// A TAP device.
    Device(&'a str),
}

impl<'a> Place<'a> {
    fn of(end: &'a EndConfig) -> Option<Self> {
        match end {
            EndConfig::Udp { local, .. } => Some(Self::Port(local.port())),
            EndConfig::Tap { device } => Some(Self::Device(device)),
            EndConfig::Host { .. } => None,
        }
    }
}

/// Why a wire does not do what was asked. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The configuration is wrong.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Config(Vec<ConfigProblem>),
    /// An end cannot be opened.
    #[error("`{end}` cannot be opened: {source}{}", missing_right(.source))]
    Open {
        /// The end.
        end: String,
        /// Why.
        source: io::Error,
    },
    /// There is no such end, link or segment.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The shard has ended.
    #[error(transparent)]
    Ended(#[from] Ended),
}

fn missing_right(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; TAP devices need CAP_NET_ADMIN, interfaces of the host CAP_NET_RAW"
        }
        _ => "",
    }
}

/// Number of counter words that a wire needs.
pub const COUNTER_WORDS: usize = crate::config::END_LIMIT * END_WORDS;

impl Wire {
    /// Starts a wire without ends, whose counters nobody keeps.
    ///
    /// # Errors
    ///
    /// When the process has no memory, threads or file descriptors left.
    pub fn start() -> io::Result<Self> {
        let words = SharedWords::anonymous(COUNTER_WORDS)?;
        Self::start_with(words, Memory::default())
    }

    /// Starts a wire without ends that counts in given words ([`COUNTER_WORDS`] of them), at the
    /// places that it remembers.
    ///
    /// # Errors
    ///
    /// When the process has no memory, threads or file descriptors left.
    pub fn start_with(words: SharedWords, memory: Memory) -> io::Result<Self> {
        // More ends than open files are allowed will show when they are opened.
        let _ = crate::sys::let_open_files();
        let config = Config::default();
        Ok(Self {
            shard: Shard::start(limits(&config))?,
            words: Arc::new(words),
            config,
            ends: BTreeMap::new(),
            ids: Ids::default(),
            memory,
            next_watch: 0,
        })
    }

    /// The configuration as it is.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What has to be remembered over a restart.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Becomes as the configuration says, and touches nothing that is so already.
    ///
    /// # Errors
    ///
    /// When it is wrong, or an end cannot be opened; then nothing has changed.
    pub fn apply(&mut self, config: &Config) -> Result<(), WireError> {
        let problems = config.check();
        if !problems.is_empty() {
            return Err(WireError::Config(problems));
        }
        let before = self.config.clone();
        let done = self.change_all(config);
        if done.is_err() {
            // Ends that had to be closed first are opened again. If that fails too, somebody has
            // taken their addresses in this moment; the first error is the one to tell.
            let _ = self.change_all(&before);
        }
        done
    }

    fn change_all(&mut self, config: &Config) -> Result<(), WireError> {
        let new = self.change_ends(config)?;
        self.change_junctions(config, &new)?;
        self.set_policies(config, &new)?;
        let (spin, limits) = (config.spin, limits(config));
        self.shard.ask(move |floor| {
            floor.set_spin(spin);
            floor.fabric.bound(limits);
        })?;
        self.config = config.clone();
        Ok(())
    }

    /// Takes away the links and segments that are gone, and sets those that are new or differ, or
    /// have new ends.
    fn change_junctions(
        &mut self,
        config: &Config,
        new_ends: &BTreeSet<String>,
    ) -> Result<(), WireError> {
        let names = self.config.junctions.keys();
        let gone: Vec<JunctionId> = names
            .filter(|name| !config.junctions.contains_key(*name))
            .filter_map(|name| self.ids.junctions.get(name).copied())
            .collect();
        let names = &config.junctions;
        self.ids
            .junctions
            .retain(|name, _| names.contains_key(name));
        self.ids.free_junctions.extend(&gone);
        let mut changed = Vec::new();
        for (name, junction) in &config.junctions {
            let known = self.ids.junctions.get(name).copied();
            let is_same = self.config.junctions.get(name) == Some(junction)
                && !junction.members.iter().any(|end| new_ends.contains(end));
            if known.is_some() && is_same {
                continue;
            }
            let id = known.unwrap_or_else(|| self.ids.next_junction());
            self.ids.junctions.insert(name.clone(), id);
            let members = self.end_ids(junction);
            changed.push((id, forwarding(junction.kind), junction.state, members));
        }
        self.shard.ask(move |floor| {
            floor.change(|fabric, _| {
                gone.into_iter().for_each(|id| fabric.remove_junction(id));
                for (id, forwarding, state, members) in changed {
                    fabric.put_junction(id, forwarding, state, members);
                }
            });
        })?;
        Ok(())
    }

    fn end_ids(&self, junction: &JunctionConfig) -> Vec<EndId> {
        let members = junction.members.iter();
        members.map(|member| self.ids.ends[member]).collect()
    }

    /// Opens new ends, and then closes those that are gone; the names of the new ones. An end
    /// that leads elsewhere is both. What one that is gone is in the way of is opened after that.
    fn change_ends(&mut self, config: &Config) -> Result<BTreeSet<String>, WireError> {
        let differs =
            |one: &Config, name: &String, end: &EndConfig| one.ends.get(name) != Some(end);
        let known = self.config.ends.iter();
        let gone: BTreeMap<String, EndConfig> = known
            .filter(|(name, end)| differs(config, name, end))
            .map(|(name, end)| (name.clone(), end.clone()))
            .collect();
        let wanted = config.ends.iter();
        let new = wanted.filter(|(name, end)| differs(&self.config, name, end));
        let places: BTreeSet<Place> = gone.values().filter_map(Place::of).collect();
        let (late, early): (Vec<_>, Vec<_>) =
            new.partition(|(_, end)| Place::of(end).is_some_and(|place| places.contains(&place)));
        let mut opened = open_all(&early)?;
        self.close(&gone)?;
        opened.extend(open_all(&late)?);
        let ends = &config.ends;
        self.memory.places.retain(|name, _| ends.contains_key(name));
        self.memory.set_at.retain(|name, _| ends.contains_key(name));
        let new: BTreeSet<String> = opened.iter().map(|(name, _)| name.clone()).collect();
        self.add(opened)?;
        for name in &new {
            self.config.ends.insert(name.clone(), ends[name].clone());
        }
        Ok(new)
    }

    fn close(&mut self, gone: &BTreeMap<String, EndConfig>) -> Result<(), WireError> {
        let mut ids = Vec::new();
        for name in gone.keys() {
            ids.extend(self.ids.ends.remove(name));
            self.ends.remove(name);
            self.config.ends.remove(name);
        }
        for some in ids.chunks(ENDS_AT_A_TIME) {
            let some = some.to_vec();
            self.shard
                .ask(move |floor| some.into_iter().for_each(|id| floor.remove_end(id)))?;
        }
        Ok(())
    }

    fn add(&mut self, opened: Vec<(String, Port)>) -> Result<(), WireError> {
        let taken: BTreeSet<usize> = self.memory.places.values().copied().collect();
        let mut free = (0..).filter(|place| !taken.contains(place));
        let mut opened = opened.into_iter().peekable();
        while opened.peek().is_some() {
            let mut some = Vec::with_capacity(ENDS_AT_A_TIME);
            for (name, port) in opened.by_ref().take(ENDS_AT_A_TIME) {
                let counters = match self.memory.places.get(&name) {
                    Some(place) => EndCounters::new(Arc::clone(&self.words), *place),
                    None => {
                        let place = free.next().expect("there is always a next number");
                        let counters = EndCounters::new(Arc::clone(&self.words), place);
                        counters.clear();
                        self.memory.places.insert(name.clone(), place);
                        counters
                    }
                };
                let id = self.ids.next_end();
                self.ids.ends.insert(name.clone(), id);
                self.ends.insert(name.clone(), counters.clone());
                some.push((name, id, port, counters));
            }
            let added: Result<(), WireError> = self.shard.ask(move |floor| {
                for (name, id, port, counters) in some {
                    floor
                        .add_end(id, port, counters)
                        .map_err(|source| WireError::Open { end: name, source })?;
                }
                Ok(())
            })?;
            added?;
        }
        Ok(())
    }

    /// Hands every member what is asked of its frames, where that has changed.
    fn set_policies(
        &mut self,
        config: &Config,
        new_ends: &BTreeSet<String>,
    ) -> Result<(), WireError> {
        let nothing = Impairment::default();
        let (before, after) = (self.config.asked(), config.asked());
        let mut changes: Vec<(EndId, Option<Box<Policy>>)> = Vec::new();
        let mut set = Vec::new();
        let clock = Clock::read();
        for (end, id) in &self.ids.ends {
            let asked = after.get(end.as_str()).copied().unwrap_or(&nothing);
            let was = before.get(end.as_str()).copied().unwrap_or(&nothing);
            let is_new = new_ends.contains(end);
            if was == asked && self.config.seed == config.seed && !is_new {
                continue;
            }
            // After a restart the wire is empty, and remembers when things were set.
            let known = self.memory.set_at.get(end).copied();
            let known = known.filter(|_| before.is_empty() || was == asked);
            let set_at = known.unwrap_or_else(Clock::time_of_day);
            let seed = seed_of(config.seed, end);
            let policy = Policy::new(asked, seed, clock.to_monotonic(set_at));
            let policy = policy.expect("the configuration was checked");
            set.push((end.clone(), policy.is_some().then_some(set_at)));
            changes.push((*id, policy));
        }
        for (end, set_at) in set {
            match set_at {
                Some(set_at) => self.memory.set_at.insert(end, set_at),
                None => self.memory.set_at.remove(&end),
            };
        }
        self.shard.ask(move |floor| {
            floor.change(|fabric, out| {
                for (id, policy) in changes {
                    fabric.set_policy(id, policy, out);
                }
            });
        })?;
        Ok(())
    }

    /// The counts of all ends, by name.
    pub fn counts(&self) -> BTreeMap<&str, EndCounts> {
        let ends = self.ends.iter();
        ends.map(|(name, counters)| (name.as_str(), counters.read()))
            .collect()
    }

    /// What only the shard knows.
    ///
    /// # Errors
    ///
    /// When the shard has ended.
    pub fn facts(&self) -> Result<WireFacts, WireError> {
        let mut ends = BTreeMap::new();
        let all: Vec<(&String, &EndId)> = self.ids.ends.iter().collect();
        for some in all.chunks(ENDS_AT_A_TIME) {
            let ids: Vec<EndId> = some.iter().map(|(_, id)| **id).collect();
            let facts = self.shard.ask(move |floor| {
                let now_ns = Clock::now();
                let facts = ids.into_iter().map(|id| EndFacts {
                    state: floor.fabric.state(id, now_ns),
                    overruns: floor.overruns(id),
                });
                facts.collect::<Vec<_>>()
            })?;
            let names = some.iter().map(|(name, _)| (*name).clone());
            ends.extend(names.zip(facts));
        }
        let waiting = |floor: &mut crate::shard::Floor| floor.fabric.waiting_bytes() as u64;
        Ok(WireFacts {
            ends,
            waiting_bytes: self.shard.ask(waiting)?,
        })
    }

    /// Begins to copy frames. `sent_by` and `received_by` name ends; see [`WatchSpec`].
    ///
    /// # Errors
    ///
    /// When there is no such end.
    pub fn watch(&mut self, request: WatchRequest) -> Result<(WatchId, Inlet), WireError> {
        let id = self.next_watch;
        self.next_watch += 1;
        let spec = self.watch_spec(request)?;
        let (outlet, inlet) = outlet();
        self.shard.ask(move |floor| {
            floor.attach(id, outlet);
            floor.change(|fabric, _| fabric.watch(id, spec));
        })?;
        Ok((id, inlet))
    }

    /// Lets a watch look at something else, without missing a frame of what stays.
    ///
    /// # Errors
    ///
    /// When there is no such end; then it looks at what it did.
    pub fn rewatch(&self, id: WatchId, request: WatchRequest) -> Result<(), WireError> {
        let spec = self.watch_spec(request)?;
        Ok(self.shard.ask(move |floor| {
            floor.change(|fabric, _| {
                fabric.unwatch(id);
                fabric.watch(id, spec);
            });
        })?)
    }

    fn watch_spec(&self, request: WatchRequest) -> Result<WatchSpec, WireError> {
        Ok(WatchSpec {
            sent_by: self.all_ids(&request.sent_by)?,
            received_by: self.all_ids(&request.received_by)?,
            filter: request.filter,
            snap_length: request.snap_length,
        })
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// When the shard has ended.
    pub fn unwatch(&self, id: WatchId) -> Result<(), WireError> {
        Ok(self.shard.ask(move |floor| floor.detach(id))?)
    }

    /// Lets frames come in at an end, as if its node had sent them.
    ///
    /// # Errors
    ///
    /// When there is no such end.
    pub fn inject(&self, end: &str, frames: Vec<Vec<u8>>) -> Result<(), WireError> {
        let id = self.id_of(end)?;
        Ok(self.shard.ask(move |floor| floor.inject(id, &frames))?)
    }

    /// The names of all ends by their numbers, as records of a watch give them.
    pub fn names(&self) -> BTreeMap<EndId, String> {
        let ends = self.ids.ends.iter();
        ends.map(|(name, id)| (*id, name.clone())).collect()
    }

    fn all_ids(&self, names: &[String]) -> Result<Vec<EndId>, WireError> {
        names.iter().map(|name| self.id_of(name)).collect()
    }

    /// The number of an end. One that is opened anew has another.
    ///
    /// # Errors
    ///
    /// When there is no such end.
    pub fn id_of(&self, name: &str) -> Result<EndId, WireError> {
        let unknown = || WireError::Unknown {
            what: "end",
            name: name.to_owned(),
        };
        self.ids.ends.get(name).copied().ok_or_else(unknown)
    }
}

/// What only the shard knows of a wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireFacts {
    /// Each end by name.
    pub ends: BTreeMap<String, EndFacts>,
    /// Bytes of memory that waiting frames hold.
    pub waiting_bytes: u64,
}

/// What only the shard knows of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndFacts {
    /// Whether its frames may pass now, schedules included.
    pub state: LinkState,
    /// Frames that the kernel dropped before the wire could take them, since it was opened.
    pub overruns: u64,
}

/// What is to be copied.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchRequest {
    /// Ends whose sent frames are copied.
    pub sent_by: Vec<String>,
    /// Ends to which frames are delivered that are copied.
    pub received_by: Vec<String>,
    /// Only frames that match.
    pub filter: Option<vnflab_filter::Filter>,
    /// Bytes kept of each frame.
    pub snap_length: u32,
}

fn open_all(ends: &[(&String, &EndConfig)]) -> Result<Vec<(String, Port)>, WireError> {
    let ends = ends.iter();
    ends.map(|(name, end)| Ok(((*name).clone(), open(name, end)?)))
        .collect()
}

fn open(name: &str, end: &EndConfig) -> Result<Port, WireError> {
    let port = match end {
        EndConfig::Udp { local, remote } => UdpPort::open(*local, *remote).map(Port::Udp),
        EndConfig::Tap { device } => TapPort::open(device).map(Port::Tap),
        EndConfig::Host { interface } => PacketPort::open(interface).map(Port::Packet),
    };
    port.map_err(|source| WireError::Open {
        end: name.to_owned(),
        source,
    })
}

fn limits(config: &Config) -> Limits {
    let total_bytes = (config.memory_limit_mib as usize) << 20;
    Limits {
        total_bytes,
        lane_bytes: total_bytes / LANE_SHARE,
    }
}

fn forwarding(kind: JunctionKind) -> Forwarding {
    match kind {
        JunctionKind::Link => Forwarding::Link,
        JunctionKind::Hub => Forwarding::Hub,
        JunctionKind::Switch {
            ageing_seconds,
            addresses,
        } => Forwarding::Switch {
            ageing_ns: u64::from(ageing_seconds) * 1_000_000_000,
            addresses: addresses as usize,
        },
    }
}

/// The seed of one end's lane: FNV-1a of its name, over that of the wire.
fn seed_of(seed: u64, end: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ seed;
    end.bytes().fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
