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

mod wires;

use super::description::{
    Ownership, domain_files, domain_ownership, interface_carriers, interface_with_carrier,
    network_facts, network_ownership, object_name, with_record,
};
use super::{
    DomainUsage, Driver, DriverError, Fault, ImageUser, ObjectKind, Operation, Overlay, Shutdown,
    StoredFile,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use vnflab_model::blueprint::{Accelerator, Carrier, Lease, NetworkBlueprint, WireBlueprint};
use vnflab_model::observed::{
    DomainState, Host, Locality, NetworkState, Observed, ObservedDomain, ObservedNetwork,
    ObservedVolume, Scope, VolumeName,
};
use vnflab_model::record::NodeRecord;

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

#[derive(Debug, Default)]
struct World {
    domains: BTreeMap<String, FakeDomain>,
    networks: BTreeMap<String, FakeNetwork>,
    volumes: BTreeMap<String, FakeVolume>,
    images: BTreeMap<String, Vec<u8>>,
    /// What is known of wires, by lab, whether or not they run.
    wires: BTreeMap<String, WireBlueprint>,
    running_wires: BTreeSet<String>,
    host_bridges: BTreeSet<String>,
    deaf: BTreeSet<String>,
    starts: usize,
    calls: usize,
    mishap: Option<Mishap>,
    dead: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FakeDomain {
    /// As it is defined.
    xml: String,
    /// As it was defined when it was started; what runs is this.
    live_xml: Option<String>,
    state: DomainState,
}

impl FakeDomain {
    /// The description that counts now.
    fn current_xml(&self) -> &str {
        let live = self.live_xml.as_deref();
        live.filter(|_| is_active(self.state)).unwrap_or(&self.xml)
    }

    /// Changes the description, first of what runs and then of what is defined.
    fn describe_anew(
        &mut self,
        extent: Extent,
        change: impl Fn(&str) -> Result<String, DriverError>,
    ) -> Result<(), DriverError> {
        let live = self.live_xml.as_deref().filter(|_| is_active(self.state));
        let live = live.map(&change).transpose()?;
        let runs = live.is_some();
        if runs {
            self.live_xml = live;
        }
        if extent == Extent::Whole {
            self.xml = change(&self.xml)?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FakeNetwork {
    xml: String,
    leases: Vec<Lease>,
    state: NetworkState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum FakeVolume {
    Overlay(Overlay),
    Disk(u64),
    File(Vec<u8>),
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

fn refused(operation: Operation, object: &str, message: &str) -> DriverError {
    DriverError::Refused {
        operation,
        object: object.to_owned(),
        fault: Fault {
            code: 0,
            message: message.to_owned(),
        },
        hint: None,
    }
}

fn missing(kind: ObjectKind, name: &str) -> DriverError {
    DriverError::Missing {
        kind,
        name: name.to_owned(),
    }
}

fn require_own_volume(name: &str) -> Result<(), DriverError> {
    match VolumeName::parse(name) {
        Some(_) => Ok(()),
        None => Err(DriverError::Foreign {
            kind: ObjectKind::Volume,
            name: name.to_owned(),
        }),
    }
}

fn is_active(state: DomainState) -> bool {
    matches!(state, DomainState::Running | DomainState::Paused)
}

impl World {
    fn own_domain(&mut self, name: &str) -> Result<Option<&mut FakeDomain>, DriverError> {
        let Some(domain) = self.domains.get_mut(name) else {
            return Ok(None);
        };
        domain_ownership(&domain.xml).require(ObjectKind::Domain, name)?;
        Ok(Some(domain))
    }

    fn existing_domain(&mut self, name: &str) -> Result<&mut FakeDomain, DriverError> {
        self.own_domain(name)?
            .ok_or_else(|| missing(ObjectKind::Domain, name))
    }

    fn own_network(&mut self, name: &str) -> Result<Option<&mut FakeNetwork>, DriverError> {
        let Some(network) = self.networks.get_mut(name) else {
            return Ok(None);
        };
        network_ownership(&network.xml).require(ObjectKind::Network, name)?;
        Ok(Some(network))
    }

    fn existing_network(&mut self, name: &str) -> Result<&mut FakeNetwork, DriverError> {
        self.own_network(name)?
            .ok_or_else(|| missing(ObjectKind::Network, name))
    }

    /// Descriptions of the VMs that run.
    fn running(&self) -> impl Iterator<Item = &str> {
        self.domains
            .values()
            .filter(|domain| is_active(domain.state))
            .map(FakeDomain::current_xml)
    }

    fn require_parts(&self, name: &str, xml: &str) -> Result<(), DriverError> {
        for path in domain_files(xml)? {
            let volume = path
                .strip_prefix(VOLUME_FOLDER)
                .map(|rest| rest.trim_start_matches('/'));
            if volume.is_some_and(|volume| !self.volumes.contains_key(volume)) {
                return Err(refused(Operation::Start, name, &format!("no {path}")));
            }
        }
        if let Ownership::Ours(record) = domain_ownership(xml)
            && let Some(interface) = self.unheard_interface(&record.blueprint)
        {
            let reason = format!("no end of a wire for {interface}");
            return Err(refused(Operation::Start, name, &reason));
        }
        for bridge in bridges_of(xml) {
            let served = self.networks.values().any(|network| {
                network.state == NetworkState::Active && bridge_of(&network.xml) == Some(&bridge)
            });
            if !served && !self.host_bridges.contains(&bridge) {
                return Err(refused(Operation::Start, name, &format!("no {bridge}")));
            }
        }
        Ok(())
    }

    fn put_volume(&mut self, name: &str, volume: FakeVolume, extent: Extent) {
        // Volumes without content come into being whole: libvirt makes them, not the client.
        if extent == Extent::Whole {
            self.volumes.insert(name.to_owned(), volume);
        }
    }
}

/// The bridges that a domain's NICs hang on.
fn bridges_of(xml: &str) -> Vec<String> {
    let Ok(document) = roxmltree::Document::parse(xml) else {
        return Vec::new();
    };
    document
        .descendants()
        .filter(|node| node.has_tag_name("source"))
        .filter_map(|node| node.attribute("bridge"))
        .map(str::to_owned)
        .collect()
}

/// The bridge of a network, found without taking the whole apart.
fn bridge_of(xml: &str) -> Option<&str> {
    let (_, rest) = xml.split_once("<bridge name='")?;
    rest.split('\'').next()
}

impl Driver for FakeDriver {
    fn scope(&self) -> Scope {
        Scope::System
    }

    fn host(&self) -> Result<Host, DriverError> {
        self.look(|world| {
            Ok(Host {
                uri: "fake:///".to_owned(),
                scope: Scope::System,
                locality: Locality::Local,
                accelerator: Accelerator::Tcg,
                accelerator_reason: "nothing is executed at all".to_owned(),
                memory_mib: 16 * 1024,
                cpus: 8,
                volume_folder: VOLUME_FOLDER.to_owned(),
                console_folder: CONSOLE_FOLDER.to_owned(),
                bridges: world.host_bridges.clone(),
                subnets: Vec::new(),
            })
        })
    }

    fn observe(&self) -> Result<Observed, DriverError> {
        self.look(|world| {
            let mut observed = Observed::default();
            for (name, domain) in &world.domains {
                match domain_ownership(domain.current_xml()) {
                    Ownership::Ours(record) => observed.domains.push(ObservedDomain {
                        name: name.clone(),
                        record,
                        state: domain.state,
                        process: None,
                        carriers: interface_carriers(domain.current_xml())?,
                    }),
                    Ownership::Foreign | Ownership::Unreadable(_) => {
                        observed.foreign_domains.insert(name.clone());
                    }
                }
            }
            for (name, network) in &world.networks {
                match network_ownership(&network.xml) {
                    Ownership::Ours(blueprint) => observed.networks.push(ObservedNetwork {
                        blueprint: NetworkBlueprint {
                            leases: network.leases.clone(),
                            ..blueprint
                        },
                        state: network.state,
                    }),
                    Ownership::Foreign | Ownership::Unreadable(_) => {
                        observed.foreign_networks.insert(name.clone());
                        let bridge = bridge_of(&network.xml).map(str::to_owned);
                        observed.foreign_bridges.extend(bridge);
                    }
                }
            }
            for (name, volume) in &world.volumes {
                let Some(name) = VolumeName::parse(name) else {
                    continue;
                };
                let (backing_path, size) = match volume {
                    FakeVolume::Overlay(overlay) => {
                        (Some(overlay.image_path.clone()), overlay.size_bytes)
                    }
                    FakeVolume::Disk(size) => (None, *size),
                    FakeVolume::File(bytes) => (None, bytes.len() as u64),
                };
                observed.volumes.push(ObservedVolume {
                    name,
                    backing_path,
                    capacity_bytes: size,
                    allocation_bytes: size,
                });
            }
            Ok(observed)
        })
    }

    fn ensure_pools(&self) -> Result<(), DriverError> {
        self.change(|_, _| Ok(()))
    }

    fn define_domain(&self, xml: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let name = object_name(xml, ObjectKind::Domain)?;
            domain_ownership(xml).require(ObjectKind::Domain, &name)?;
            let before = world.own_domain(&name)?.cloned();
            let domain = FakeDomain {
                xml: xml.to_owned(),
                state: before
                    .as_ref()
                    .map_or(DomainState::Off, |domain| domain.state),
                live_xml: before.and_then(|domain| domain.live_xml),
            };
            if extent == Extent::Whole {
                world.domains.insert(name, domain);
            }
            Ok(())
        })
    }

    fn start_domain(&self, name: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let domain = world.existing_domain(name)?;
            if is_active(domain.state) {
                return Ok(());
            }
            let xml = domain.xml.clone();
            world.require_parts(name, &xml)?;
            // libvirt starts a VM with its CPUs held, and then lets them go.
            let domain = world.existing_domain(name)?;
            domain.live_xml = Some(xml);
            world.starts += 1;
            let domain = world.existing_domain(name)?;
            domain.state = match extent {
                Extent::Whole => DomainState::Running,
                Extent::Half => DomainState::Paused,
            };
            Ok(())
        })
    }

    fn resume_domain(&self, name: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let domain = world.existing_domain(name)?;
            match (domain.state, extent) {
                (DomainState::Paused, Extent::Whole) => domain.state = DomainState::Running,
                (DomainState::Off | DomainState::Crashed, _) => {
                    return Err(refused(Operation::Resume, name, "it does not run"));
                }
                _ => {}
            }
            Ok(())
        })
    }

    fn shutdown_domain(&self, name: &str, _: Duration) -> Result<Shutdown, DriverError> {
        self.change(|world, extent| {
            let deaf = world.deaf.contains(name);
            let domain = world.existing_domain(name)?;
            if deaf && is_active(domain.state) {
                return Ok(Shutdown::StillRunning);
            }
            if extent == Extent::Whole {
                domain.state = DomainState::Off;
            }
            Ok(Shutdown::Off)
        })
    }

    fn destroy_domain(&self, name: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            if let (Some(domain), Extent::Whole) = (world.own_domain(name)?, extent) {
                domain.state = DomainState::Off;
            }
            Ok(())
        })
    }

    fn undefine_domain(&self, name: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let Some(domain) = world.own_domain(name)? else {
                return Ok(());
            };
            if is_active(domain.state) {
                return Err(DriverError::Exists {
                    kind: ObjectKind::Domain,
                    name: name.to_owned(),
                    difference: "it runs, and is undefined only when it is off".to_owned(),
                });
            }
            if extent == Extent::Whole {
                world.domains.remove(name);
            }
            Ok(())
        })
    }

    fn running_domains(&self) -> Result<BTreeSet<String>, DriverError> {
        self.look(|world| {
            let domains = world.domains.iter();
            let running = domains.filter(|(_, domain)| domain.state == DomainState::Running);
            Ok(running.map(|(name, _)| name.clone()).collect())
        })
    }

    fn set_carrier(&self, name: &str, mac: &str, carrier: Carrier) -> Result<(), DriverError> {
        self.change(|world, extent| {
            world
                .existing_domain(name)?
                .describe_anew(extent, |xml| {
                    match interface_with_carrier(xml, mac, carrier)? {
                        Some((place, device)) => {
                            let (before, after) = (&xml[..place.start], &xml[place.end..]);
                            Ok(format!("{before}{device}{after}"))
                        }
                        None => Err(refused(Operation::Carrier, name, &format!("no {mac}"))),
                    }
                })
        })
    }

    fn record_node(&self, record: &NodeRecord) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let domain = world.existing_domain(&record.blueprint.domain())?;
            domain.describe_anew(extent, |xml| with_record(xml, record))
        })
    }

    fn domain_usage(&self, name: &str) -> Result<Option<DomainUsage>, DriverError> {
        self.look(|world| {
            let domain = world.domains.get(name);
            Ok(domain
                .filter(|domain| is_active(domain.state))
                .map(|_| DomainUsage::default()))
        })
    }

    fn create_overlay(&self, overlay: &Overlay) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let name = &overlay.volume;
            require_own_volume(name)?;
            match world.volumes.get(name) {
                Some(FakeVolume::Overlay(there)) if there.image_path == overlay.image_path => {
                    Ok(())
                }
                Some(_) => Err(DriverError::Exists {
                    kind: ObjectKind::Volume,
                    name: name.clone(),
                    difference: "it lies on another image".to_owned(),
                }),
                None => {
                    world.put_volume(name, FakeVolume::Overlay(overlay.clone()), extent);
                    Ok(())
                }
            }
        })
    }

    fn create_disk(&self, volume: &str, size_bytes: u64) -> Result<(), DriverError> {
        self.change(|world, extent| {
            require_own_volume(volume)?;
            if !world.volumes.contains_key(volume) {
                world.put_volume(volume, FakeVolume::Disk(size_bytes), extent);
            }
            Ok(())
        })
    }

    fn write_volume(&self, volume: &str, content: &[u8]) -> Result<(), DriverError> {
        self.change(|world, extent| {
            require_own_volume(volume)?;
            let written = match extent {
                Extent::Whole => content,
                Extent::Half => &content[..content.len() / 2],
            };
            let file = FakeVolume::File(written.to_vec());
            world.volumes.insert(volume.to_owned(), file);
            Ok(())
        })
    }

    fn delete_volume(&self, volume: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            require_own_volume(volume)?;
            let path = format!("{VOLUME_FOLDER}/{volume}");
            for xml in world.running() {
                if domain_files(xml)?.contains(&path) {
                    return Err(refused(Operation::Delete, volume, "a running VM uses it"));
                }
            }
            if extent == Extent::Whole {
                world.volumes.remove(volume);
            }
            Ok(())
        })
    }

    fn define_network(&self, xml: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let name = object_name(xml, ObjectKind::Network)?;
            network_ownership(xml).require(ObjectKind::Network, &name)?;
            let state = match world.own_network(&name)? {
                Some(network) => network.state,
                None => NetworkState::Inactive,
            };
            let leases = network_facts(xml)?.leases;
            let network = FakeNetwork {
                xml: xml.to_owned(),
                leases,
                state,
            };
            if extent == Extent::Whole {
                world.networks.insert(name, network);
            }
            Ok(())
        })
    }

    fn start_network(&self, name: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let network = world.existing_network(name)?;
            if extent == Extent::Whole {
                network.state = NetworkState::Active;
            }
            Ok(())
        })
    }

    fn remove_network(&self, name: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let Some(network) = world.own_network(name)? else {
                return Ok(());
            };
            let bridge = bridge_of(&network.xml).unwrap_or_default().to_owned();
            if world.running().any(|xml| bridges_of(xml).contains(&bridge)) {
                return Err(refused(Operation::Stop, name, "a running VM is on it"));
            }
            match extent {
                Extent::Whole => drop(world.networks.remove(name)),
                Extent::Half => world.existing_network(name)?.state = NetworkState::Inactive,
            }
            Ok(())
        })
    }

    fn add_lease(&self, network: &str, lease: &Lease) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let leases = &mut world.existing_network(network)?.leases;
            if extent == Extent::Whole && !leases.contains(lease) {
                let same = |other: &Lease| other.mac == lease.mac || other.address == lease.address;
                if leases.iter().any(same) {
                    return Err(refused(Operation::Lease, network, "there is one like it"));
                }
                leases.push(lease.clone());
            }
            Ok(())
        })
    }

    fn remove_lease(&self, network: &str, lease: &Lease) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let leases = &mut world.existing_network(network)?.leases;
            if extent == Extent::Whole {
                leases.retain(|other| other != lease);
            }
            Ok(())
        })
    }

    fn stored_files(&self) -> Result<Vec<StoredFile>, DriverError> {
        self.look(|world| {
            let file = |(name, bytes): (&String, &Vec<u8>)| StoredFile {
                name: name.clone(),
                path: format!("{IMAGE_FOLDER}/{name}"),
                allocation_bytes: bytes.len() as u64,
            };
            Ok(world.images.iter().map(file).collect())
        })
    }

    fn store_file(
        &self,
        name: &str,
        size_bytes: u64,
        content: &mut dyn Read,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), DriverError> {
        self.change(|world, extent| {
            if world.images.contains_key(name) {
                return Err(DriverError::Exists {
                    kind: ObjectKind::Image,
                    name: name.to_owned(),
                    difference: "the store never overwrites".to_owned(),
                });
            }
            let unreadable = |source| DriverError::File {
                operation: Operation::Read,
                path: name.to_owned(),
                source,
            };
            let wanted = match extent {
                Extent::Whole => size_bytes,
                Extent::Half => size_bytes / 2,
            };
            let stored = world.images.entry(name.to_owned()).or_default();
            let read = content
                .take(wanted)
                .read_to_end(stored)
                .map_err(unreadable)?;
            progress(read as u64);
            match read as u64 == wanted {
                true => Ok(()),
                false => Err(unreadable(std::io::ErrorKind::UnexpectedEof.into())),
            }
        })
    }

    fn read_stored_file(
        &self,
        name: &str,
        limit_bytes: Option<u64>,
        sink: &mut dyn Write,
    ) -> Result<(), DriverError> {
        self.look(|world| {
            let bytes = world
                .images
                .get(name)
                .ok_or_else(|| missing(ObjectKind::Image, name))?;
            let limit = limit_bytes.and_then(|limit| usize::try_from(limit).ok());
            let end = limit.unwrap_or(usize::MAX).min(bytes.len());
            sink.write_all(&bytes[..end])
                .map_err(|source| DriverError::File {
                    operation: Operation::Write,
                    path: name.to_owned(),
                    source,
                })
        })
    }

    fn delete_stored_file(&self, name: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            if extent == Extent::Whole {
                world.images.remove(name);
            }
            Ok(())
        })
    }

    fn image_users(&self) -> Result<Vec<ImageUser>, DriverError> {
        self.look(|world| {
            let mut users = Vec::new();
            for (name, volume) in &world.volumes {
                if let FakeVolume::Overlay(overlay) = volume {
                    users.push(ImageUser {
                        image_path: overlay.image_path.clone(),
                        user: format!("volume {name}"),
                    });
                }
            }
            for (name, domain) in &world.domains {
                users.extend(
                    domain_files(&domain.xml)?
                        .into_iter()
                        .map(|image_path| ImageUser {
                            image_path,
                            user: format!("VM {name}"),
                        }),
                );
            }
            Ok(users)
        })
    }

    fn console_log(&self, _: &str, _: u64) -> Result<Option<Vec<u8>>, DriverError> {
        self.look(|_| Ok(None))
    }
}
