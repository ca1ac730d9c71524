//! What exists in the fake's world, and what one may do to it.

use super::super::description::{Ownership, domain_files, domain_ownership, network_ownership};
use super::super::{DriverError, Fault, ObjectKind, Operation, Overlay};
use std::collections::{BTreeMap, BTreeSet};
use vnflab_model::blueprint::{Lease, WireBlueprint};
use vnflab_model::observed::{DomainState, NetworkState, VolumeName};

use super::{Extent, Mishap, VOLUME_FOLDER};

#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) domains: BTreeMap<String, FakeDomain>,
    pub(super) networks: BTreeMap<String, FakeNetwork>,
    pub(super) volumes: BTreeMap<String, FakeVolume>,
    pub(super) images: BTreeMap<String, Vec<u8>>,
    /// What is known of wires, by lab, whether or not they run.
    pub(super) wires: BTreeMap<String, WireBlueprint>,
    pub(super) running_wires: BTreeSet<String>,
    pub(super) host_bridges: BTreeSet<String>,
    pub(super) deaf: BTreeSet<String>,
    pub(super) starts: usize,
    pub(super) calls: usize,
    pub(super) mishap: Option<Mishap>,
    pub(super) dead: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FakeDomain {
    /// As it is defined.
    pub(super) xml: String,
    /// As it was defined when it was started; what runs is this.
    pub(super) live_xml: Option<String>,
    pub(super) state: DomainState,
    /// What its QEMU may take of the host's CPUs.
    pub(super) cpu_limit_percent: Option<u32>,
}

impl FakeDomain {
    pub(super) fn turn_off(&mut self) {
        self.state = DomainState::Off;
        self.cpu_limit_percent = None;
    }

    /// The description that counts now.
    pub(super) fn current_xml(&self) -> &str {
        let live = self.live_xml.as_deref();
        live.filter(|_| self.state.is_active()).unwrap_or(&self.xml)
    }

    /// Changes the description, first of what runs and then of what is defined.
    pub(super) fn describe_anew(
        &mut self,
        extent: Extent,
        change: impl Fn(&str) -> Result<String, DriverError>,
    ) -> Result<(), DriverError> {
        let live = self.live_xml.as_deref().filter(|_| self.state.is_active());
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
pub(super) struct FakeNetwork {
    pub(super) xml: String,
    pub(super) leases: Vec<Lease>,
    pub(super) state: NetworkState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FakeVolume {
    Overlay(Overlay),
    Disk(u64),
    File(Vec<u8>),
}

pub(super) fn refused(operation: Operation, object: &str, message: &str) -> DriverError {
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

pub(super) fn missing(kind: ObjectKind, name: &str) -> DriverError {
    DriverError::Missing {
        kind,
        name: name.to_owned(),
    }
}

pub(super) fn require_own_volume(name: &str) -> Result<(), DriverError> {
    match VolumeName::parse(name) {
        Some(_) => Ok(()),
        None => Err(DriverError::Foreign {
            kind: ObjectKind::Volume,
            name: name.to_owned(),
        }),
    }
}

impl World {
    pub(super) fn own_domain(
        &mut self,
        name: &str,
    ) -> Result<Option<&mut FakeDomain>, DriverError> {
        let Some(domain) = self.domains.get_mut(name) else {
            return Ok(None);
        };
        domain_ownership(&domain.xml).require(ObjectKind::Domain, name)?;
        Ok(Some(domain))
    }

    pub(super) fn existing_domain(&mut self, name: &str) -> Result<&mut FakeDomain, DriverError> {
        self.own_domain(name)?
            .ok_or_else(|| missing(ObjectKind::Domain, name))
    }

    pub(super) fn own_network(
        &mut self,
        name: &str,
    ) -> Result<Option<&mut FakeNetwork>, DriverError> {
        let Some(network) = self.networks.get_mut(name) else {
            return Ok(None);
        };
        network_ownership(&network.xml).require(ObjectKind::Network, name)?;
        Ok(Some(network))
    }

    pub(super) fn existing_network(&mut self, name: &str) -> Result<&mut FakeNetwork, DriverError> {
        self.own_network(name)?
            .ok_or_else(|| missing(ObjectKind::Network, name))
    }

    /// Descriptions of the VMs that run.
    pub(super) fn running(&self) -> impl Iterator<Item = &str> {
        self.domains
            .values()
            .filter(|domain| domain.state.is_active())
            .map(FakeDomain::current_xml)
    }

    pub(super) fn require_parts(&self, name: &str, xml: &str) -> Result<(), DriverError> {
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

    pub(super) fn put_volume(&mut self, name: &str, volume: FakeVolume, extent: Extent) {
        // Volumes without content come into being whole: libvirt makes them, not the client.
        if extent == Extent::Whole {
            self.volumes.insert(name.to_owned(), volume);
        }
    }
}

/// The bridges that a domain's NICs hang on.
pub(super) fn bridges_of(xml: &str) -> Vec<String> {
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
pub(super) fn bridge_of(xml: &str) -> Option<&str> {
    let (_, rest) = xml.split_once("<bridge name='")?;
    rest.split('\'').next()
}
