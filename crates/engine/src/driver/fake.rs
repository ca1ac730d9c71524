//! A driver in memory, for tests: complete, deterministic, and stricter than libvirt. It has the
//! wires of labs too.
//!
//! It keeps every invariant of [`super`], and beyond that refuses what a right plan never asks
//! for: to start a VM whose disks, bridges or wire are not there, or to take away a disk or a network
//! that a running VM uses. So a wrong order shows.
//!
//! Changing calls are counted from 0, and one of them can be made to go wrong ([`Mishap`]): to
//! fail, or to take the whole process with it before, in the middle of, or after its work. After
//! a crash every call fails until [`FakeDriver::revive`].

mod calls;
mod wires;
mod world;

use super::DriverError;
use super::description::{Ownership, domain_ownership, interface_carriers, network_ownership};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use vnflab_model::blueprint::Carrier;
use vnflab_model::observed::{DomainState, NetworkState, VolumeName};
use world::{FakeDomain, FakeNetwork, FakeVolume, World};

/// Where the fake's volumes are said to lie.
pub const VOLUME_FOLDER: &str = "/fake/volumes";

/// Where the fake's image store is said to lie.
pub const IMAGE_FOLDER: &str = "/fake/images";

/// Where the fake's console logs are said to lie.
pub const CONSOLE_FOLDER: &str = "/fake/consoles";

/// What goes wrong, and at which changing call, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// That call fails and does nothing; later ones work.
    Fail(usize),
    /// The process dies in that call.
    Crash(usize, Moment),
}

/// When in a call the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing is done.
    Before,
    /// Of several things the first is done; a file is half written.
    Midway,
    /// All is done, but nobody learns of it.
    After,
}

/// How much of its work a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Half,
}

/// A libvirt in memory.
#[derive(Debug, Default)]
pub struct FakeDriver {
    world: Mutex<World>,
}

impl FakeDriver {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// One call is to go wrong from now on; the count starts anew.
    pub fn expect_mishap(&self, mishap: Mishap) {
        let mut world = self.world();
        world.calls = 0;
        world.mishap = Some(mishap);
    }

    /// After a crash, a new process: nothing goes wrong any more.
    pub fn revive(&self) {
        let mut world = self.world();
        world.calls = 0;
        world.mishap = None;
        world.dead = false;
    }

    /// Changing calls since the count began.
    pub fn calls(&self) -> usize {
        self.world().calls
    }

    /// A domain as somebody else defines it.
    pub fn add_foreign_domain(&self, name: &str, state: DomainState) {
        let xml = format!("<domain><name>{name}</name></domain>");
        let live_xml = None;
        let domain = FakeDomain {
            xml,
            live_xml,
            state,
            cpu_limit_percent: None,
        };
        self.world().domains.insert(name.to_owned(), domain);
    }

    /// A network as somebody else defines it; it runs.
    pub fn add_foreign_network(&self, name: &str, bridge: &str) {
        let network = FakeNetwork {
            xml: format!("<network><name>{name}</name><bridge name='{bridge}'/></network>"),
            leases: Vec::new(),
            state: NetworkState::Active,
        };
        self.world().networks.insert(name.to_owned(), network);
    }

    /// A file that somebody else put into the folder of our volumes.
    pub fn add_foreign_volume(&self, name: &str, content: &[u8]) {
        let volume = FakeVolume::File(content.to_vec());
        self.world().volumes.insert(name.to_owned(), volume);
    }

    /// A file that somebody else put into the image store's folder.
    pub fn add_foreign_image(&self, name: &str, content: &[u8]) {
        self.world()
            .images
            .insert(name.to_owned(), content.to_vec());
    }

    /// A bridge of the host.
    pub fn add_host_bridge(&self, name: &str) {
        self.world().host_bridges.insert(name.to_owned());
    }

    /// A domain's state, set from outside.
    pub fn set_state(&self, name: &str, state: DomainState) {
        if let Some(domain) = self.world().domains.get_mut(name) {
            if !state.is_active() {
                domain.turn_off();
            }
            domain.state = state;
        }
    }

    /// A guest that does not listen when it is asked to shut down.
    pub fn set_deaf(&self, name: &str) {
        self.world().deaf.insert(name.to_owned());
    }

    /// Bytes of a volume that was written whole.
    pub fn volume_bytes(&self, name: &str) -> Option<Vec<u8>> {
        match self.world().volumes.get(name) {
            Some(FakeVolume::File(bytes)) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// How often a VM was started.
    pub fn starts(&self) -> usize {
        self.world().starts
    }

    /// The carrier that each interface of a domain has now, by MAC address.
    pub fn carriers(&self, name: &str) -> BTreeMap<String, Carrier> {
        let world = self.world();
        let xml = world.domains.get(name).map(FakeDomain::current_xml);
        xml.and_then(|xml| interface_carriers(xml).ok())
            .unwrap_or_default()
    }

    /// Everything that is not ours, in full: equal before and after, it was not touched.
    pub fn foreign_state(&self) -> String {
        let world = self.world();
        let domains: Vec<_> = world
            .domains
            .iter()
            .filter(|(_, domain)| domain_ownership(&domain.xml) == Ownership::Foreign)
            .collect();
        let networks: Vec<_> = world
            .networks
            .iter()
            .filter(|(_, network)| network_ownership(&network.xml) == Ownership::Foreign)
            .collect();
        let volumes: Vec<_> = world
            .volumes
            .iter()
            .filter(|(name, _)| VolumeName::parse(name).is_none())
            .collect();
        format!(
            "{domains:?}\n{networks:?}\n{volumes:?}\n{:?}",
            world.host_bridges
        )
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // A test that panicked meanwhile has failed already.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look<T>(
        &self,
        action: impl FnOnce(&World) -> Result<T, DriverError>,
    ) -> Result<T, DriverError> {
        let world = self.world();
        match world.dead {
            true => Err(DriverError::Injected(world.calls)),
            false => action(&world),
        }
    }

    fn change<T>(
        &self,
        action: impl FnOnce(&mut World, Extent) -> Result<T, DriverError>,
    ) -> Result<T, DriverError> {
        let mut world = self.world();
        let call = world.calls;
        let gone_wrong = Err(DriverError::Injected(call));
        if world.dead {
            return gone_wrong;
        }
        world.calls += 1;
        match world.mishap {
            Some(Mishap::Fail(at)) if at == call => gone_wrong,
            Some(Mishap::Crash(at, moment)) if at == call => {
                // What the call would have returned, nobody is left to see.
                let _ = match moment {
                    Moment::Before => None,
                    Moment::Midway => Some(action(&mut world, Extent::Half)),
                    Moment::After => Some(action(&mut world, Extent::Whole)),
                };
                world.dead = true;
                gone_wrong
            }
            _ => action(&mut world, Extent::Whole),
        }
    }
}
