//! The calls of a driver, carried out in the fake's world.

use super::super::description::{
    Ownership, domain_files, domain_ownership, interface_carriers, interface_with_carrier,
    network_facts, network_ownership, noting_typing, object_name, typing_of, with_record,
};
use super::super::{
    DomainUsage, Driver, DriverError, ImageUser, ObjectKind, Operation, Overlay, Shutdown,
    StoredFile,
};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::time::Duration;
use vnflab_model::blueprint::{Accelerator, Carrier, Lease, NetworkBlueprint};
use vnflab_model::observed::{
    DomainState, Host, Locality, NetworkState, Observed, ObservedDomain, ObservedNetwork,
    ObservedVolume, Scope, VolumeName,
};
use vnflab_model::record::NodeRecord;
use vnflab_model::typing::Typing;

use super::world::{
    FakeDomain, FakeNetwork, FakeVolume, bridge_of, bridges_of, missing, refused,
    require_own_volume,
};
use super::{CONSOLE_FOLDER, Extent, FakeDriver, IMAGE_FOLDER, VOLUME_FOLDER};

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
                no_cpu_limits: None,
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
                        cpu_limit_percent: domain.cpu_limit_percent,
                        typing: typing_of(domain.current_xml())?,
                        uptime: None,
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
                cpu_limit_percent: before.as_ref().and_then(|domain| domain.cpu_limit_percent),
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
            if domain.state.is_active() {
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

    fn suspend_domain(&self, name: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let domain = world.existing_domain(name)?;
            if !domain.state.is_active() {
                return Err(refused(Operation::Suspend, name, "it does not run"));
            }
            if extent == Extent::Whole {
                domain.state = DomainState::Paused;
            }
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
            if deaf && domain.state.is_active() {
                return Ok(Shutdown::StillRunning);
            }
            if extent == Extent::Whole {
                domain.turn_off();
            }
            Ok(Shutdown::Off)
        })
    }

    fn destroy_domain(&self, name: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            if let (Some(domain), Extent::Whole) = (world.own_domain(name)?, extent) {
                domain.turn_off();
            }
            Ok(())
        })
    }

    fn undefine_domain(&self, name: &str) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let Some(domain) = world.own_domain(name)? else {
                return Ok(());
            };
            if domain.state.is_active() {
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

    fn set_cpu_limit(&self, name: &str, percent: Option<u32>) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let domain = world.existing_domain(name)?;
            if extent == Extent::Whole && domain.state.is_active() {
                domain.cpu_limit_percent = percent;
            }
            Ok(())
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

    fn note_typing(&self, name: &str, typing: Option<&Typing>) -> Result<(), DriverError> {
        self.change(|world, extent| {
            let domain = world.existing_domain(name)?;
            domain.describe_anew(extent, |xml| noting_typing(xml, typing))
        })
    }

    fn domain_usage(&self, name: &str) -> Result<Option<DomainUsage>, DriverError> {
        self.look(|world| {
            let domain = world.domains.get(name);
            Ok(domain
                .filter(|domain| domain.state.is_active())
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
