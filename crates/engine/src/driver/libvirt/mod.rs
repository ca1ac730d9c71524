//! The driver for libvirt itself.
//!
//! One connection, used from many threads: libvirt's own calls are safe for that. Everything
//! goes over the connection, so that another host is served like this one; only where a
//! connection leads to this very machine are folders made, process ids read and logs opened
//! directly.
//!
//! Invariant: a call that changes a domain or network is made on the handle whose record was
//! read. The handle names the object by UUID, so another one that takes over the name in the
//! meantime is not hit.

mod cpu_limit;
mod domain;
mod fault;
mod network;
mod place;
mod storage;

use super::description::{Ownership, network_facts};
use super::{
    DomainUsage, Driver, DriverError, ImageUser, ObjectKind, Operation, Overlay, Shutdown,
    StoredFile,
};
use crate::host;
use fault::refused;
use place::Place;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::time::Duration;
use virt::connect::Connect;
use vnflab_model::blueprint::{Accelerator, Carrier, Lease};
use vnflab_model::observed::{Host, Locality, Observed, Scope};
use vnflab_model::record::NodeRecord;
use vnflab_model::typing::Typing;

/// A connection to libvirt.
pub struct LibvirtDriver {
    connection: Connect,
    place: Place,
}

impl LibvirtDriver {
    /// Where the connection leads.
    pub fn locality(&self) -> Locality {
        self.place.locality
    }

    /// Connects to `uri`, or where there is none: as root to the system's libvirt, as anybody
    /// else to one's own.
    ///
    /// # Errors
    ///
    /// When there is no libvirt there, with a hint at what to start.
    pub fn connect(uri: Option<&str>) -> Result<Self, DriverError> {
        let uri = match uri {
            Some(uri) => uri,
            None => default_uri(),
        };
        // libvirt writes every error to stderr on its own, unless it has somebody to tell.
        virt::error::clear_error_callback();
        let place = Place::of(uri)?;
        let connection =
            Connect::open(Some(uri)).map_err(|error| fault::no_connection(uri, &error))?;
        Ok(Self { connection, place })
    }

    /// Where the connection leads.
    pub fn uri(&self) -> &str {
        &self.place.uri
    }

    fn accelerator(&self) -> host::AcceleratorFinding {
        match self.place.locality {
            Locality::Local => host::accelerator(),
            Locality::Remote => {
                let capabilities =
                    self.connection
                        .domain_capabilities(None, Some("x86_64"), None, Some("kvm"), 0);
                remote_accelerator(capabilities.ok().as_deref())
            }
        }
    }
}

/// The URI where none is given.
pub fn default_uri() -> &'static str {
    if rustix::process::geteuid().is_root() {
        "qemu:///system"
    } else {
        "qemu:///session"
    }
}

/// What libvirt's domain capabilities for KVM say. AMD's flag is part of the CPU models, so it
/// need not be listed; Intel's is always listed on its own.
fn remote_accelerator(capabilities: Option<&str>) -> host::AcceleratorFinding {
    let finding = |accelerator, reason: &str| host::AcceleratorFinding {
        accelerator,
        reason: reason.to_owned(),
    };
    let Some(capabilities) = capabilities else {
        return finding(Accelerator::Tcg, "that host's libvirt offers no KVM");
    };
    let has = |text: &str| capabilities.contains(text);
    if has("name='vmx'") || has("name='svm'") || has("<vendor>AMD</vendor>") {
        finding(
            Accelerator::Kvm,
            "that host's libvirt offers KVM, and its CPU virtualises",
        )
    } else {
        finding(
            Accelerator::Tcg,
            "that host's libvirt offers KVM, but its CPU has neither vmx nor svm",
        )
    }
}

impl Driver for LibvirtDriver {
    fn scope(&self) -> Scope {
        self.place.scope
    }

    fn host(&self) -> Result<Host, DriverError> {
        let looked = |error: &virt::error::Error| refused(Operation::Look, "the host", error);
        let node = self
            .connection
            .node_info()
            .map_err(|error| looked(&error))?;
        let folders = self.folders()?;
        let finding = self.accelerator();
        let mut bridges = BTreeSet::new();
        let mut subnets = Vec::new();
        let mut own_bridges = BTreeSet::new();
        for seen in self.networks()? {
            let facts = network_facts(&seen.xml)?;
            match seen.ownership {
                Ownership::Ours(_) => own_bridges.extend(facts.bridge),
                Ownership::Foreign | Ownership::Unreadable(_) => {
                    bridges.extend(facts.bridge);
                    subnets.extend(facts.subnets);
                }
            }
        }
        if self.place.locality == Locality::Local && self.place.scope == Scope::System {
            bridges.extend(host::bridges());
        }
        if self.place.locality == Locality::Local {
            let routed = host::routed_subnets().into_iter();
            subnets.extend(
                routed
                    .filter(|(interface, _)| !own_bridges.contains(interface))
                    .map(|(_, net)| net),
            );
        }
        subnets.sort();
        subnets.dedup();
        let memory_mib = match self.place.locality {
            Locality::Local => host::total_memory_mib(),
            Locality::Remote => None,
        };
        Ok(Host {
            uri: self.place.uri.clone(),
            scope: self.place.scope,
            locality: self.place.locality,
            accelerator: finding.accelerator,
            accelerator_reason: finding.reason,
            memory_mib: memory_mib.unwrap_or(node.memory / 1024),
            cpus: node.cpus,
            volume_folder: folders.volumes,
            console_folder: folders.consoles,
            bridges: &bridges - &own_bridges,
            no_cpu_limits: self.no_cpu_limits(),
            subnets,
        })
    }

    fn observe(&self) -> Result<Observed, DriverError> {
        let mut observed = Observed::default();
        self.observe_domains(&mut observed)?;
        self.observe_networks(&mut observed)?;
        self.observe_volumes(&mut observed)?;
        Ok(observed)
    }

    fn ensure_pools(&self) -> Result<(), DriverError> {
        self.ensure_all_pools()
    }

    fn define_domain(&self, xml: &str) -> Result<(), DriverError> {
        self.define_own_domain(xml)
    }

    fn start_domain(&self, name: &str) -> Result<(), DriverError> {
        self.start_own_domain(name)
    }

    fn suspend_domain(&self, name: &str) -> Result<(), DriverError> {
        self.suspend_own_domain(name)
    }

    fn resume_domain(&self, name: &str) -> Result<(), DriverError> {
        self.resume_own_domain(name)
    }

    fn shutdown_domain(&self, name: &str, patience: Duration) -> Result<Shutdown, DriverError> {
        self.shutdown_own_domain(name, patience)
    }

    fn destroy_domain(&self, name: &str) -> Result<(), DriverError> {
        self.destroy_own_domain(name)
    }

    fn undefine_domain(&self, name: &str) -> Result<(), DriverError> {
        self.undefine_own_domain(name)
    }

    fn running_domains(&self) -> Result<BTreeSet<String>, DriverError> {
        self.names_of_running_domains()
    }

    fn set_cpu_limit(&self, name: &str, percent: Option<u32>) -> Result<(), DriverError> {
        self.set_own_cpu_limit(name, percent)
    }

    fn set_carrier(&self, name: &str, mac: &str, carrier: Carrier) -> Result<(), DriverError> {
        self.set_own_carrier(name, mac, carrier)
    }

    fn record_node(&self, record: &NodeRecord) -> Result<(), DriverError> {
        self.record_own_domain(record)
    }

    fn note_typing(&self, name: &str, typing: Option<&Typing>) -> Result<(), DriverError> {
        self.note_own_typing(name, typing)
    }

    fn domain_usage(&self, name: &str) -> Result<Option<DomainUsage>, DriverError> {
        self.usage_of_domain(name)
    }

    fn create_overlay(&self, overlay: &Overlay) -> Result<(), DriverError> {
        self.create_own_overlay(overlay)
    }

    fn create_disk(&self, volume: &str, size_bytes: u64) -> Result<(), DriverError> {
        self.create_own_disk(volume, size_bytes)
    }

    fn write_volume(&self, volume: &str, content: &[u8]) -> Result<(), DriverError> {
        self.write_own_volume(volume, content)
    }

    fn delete_volume(&self, volume: &str) -> Result<(), DriverError> {
        self.delete_own_volume(volume)
    }

    fn define_network(&self, xml: &str) -> Result<(), DriverError> {
        self.define_own_network(xml)
    }

    fn start_network(&self, name: &str) -> Result<(), DriverError> {
        self.start_own_network(name)
    }

    fn remove_network(&self, name: &str) -> Result<(), DriverError> {
        self.remove_own_network(name)
    }

    fn add_lease(&self, network: &str, lease: &Lease) -> Result<(), DriverError> {
        self.add_own_lease(network, lease)
    }

    fn remove_lease(&self, network: &str, lease: &Lease) -> Result<(), DriverError> {
        self.remove_own_lease(network, lease)
    }

    fn stored_files(&self) -> Result<Vec<StoredFile>, DriverError> {
        self.list_stored_files()
    }

    fn store_file(
        &self,
        name: &str,
        size_bytes: u64,
        content: &mut dyn Read,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), DriverError> {
        self.upload_stored_file(name, size_bytes, content, progress)
    }

    fn read_stored_file(
        &self,
        name: &str,
        limit_bytes: Option<u64>,
        sink: &mut dyn Write,
    ) -> Result<(), DriverError> {
        self.download_stored_file(name, limit_bytes, sink)
    }

    fn delete_stored_file(&self, name: &str) -> Result<(), DriverError> {
        self.remove_stored_file(name)
    }

    fn image_users(&self) -> Result<Vec<ImageUser>, DriverError> {
        self.list_image_users()
    }

    fn console_log(&self, path: &str, limit_bytes: u64) -> Result<Option<Vec<u8>>, DriverError> {
        match self.place.locality {
            Locality::Local => place::read_end(path, limit_bytes),
            Locality::Remote => self.download_console_log(path, limit_bytes),
        }
    }
}

/// Whether libvirt says that there is no such object, rather than that something failed.
fn is_absent(error: &virt::error::Error) -> bool {
    use virt::error::ErrorNumber::{NoDomain, NoNetwork, NoStoragePool, NoStorageVolume};
    let absent = [NoDomain, NoNetwork, NoStoragePool, NoStorageVolume];
    error.code().is_known_and(|code| absent.contains(&code))
}

/// `None` where libvirt says that there is no such object.
fn found<T>(
    result: Result<T, virt::error::Error>,
    kind: ObjectKind,
    name: &str,
) -> Result<Option<T>, DriverError> {
    match result {
        Ok(object) => Ok(Some(object)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(refused(Operation::Look, &format!("{kind} {name}"), &error)),
    }
}
