//! The one door to libvirt.
//!
//! [`Driver`] says what can be done to domains, networks and volumes; `libvirt` does it,
//! and [`fake`] does it in memory for tests. No driver decides anything: which step comes when is
//! the plan's business.
//!
//! Invariants, kept by every driver and by the contract suite in `tests/contract.rs`:
//! - What does not carry our record is never changed: every method that changes something looks
//!   first, and refuses with [`DriverError::Foreign`].
//! - Every method is idempotent: done twice, it does the same as done once.
//! - Methods take `&self` and may be called from many threads at once.

pub mod description;
mod error;
pub mod fake;
#[cfg(feature = "libvirt")]
pub mod libvirt;

pub use error::{DriverError, Fault, ObjectKind, Operation};

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::time::Duration;
use vnflab_model::blueprint::{Carrier, Lease};
use vnflab_model::observed::{Host, Observed, Scope};
use vnflab_model::record::NodeRecord;
use vnflab_model::typing::Typing;

/// Name of the pool that holds our volumes.
pub const VOLUME_POOL: &str = "vnflab";

/// Name of the pool that holds the image store.
pub const IMAGE_POOL: &str = "vnflab-images";

/// Name of the pool whose folder holds the console logs. It is a pool only because building one
/// is libvirt's way to make a folder on a host that may be another than this.
pub const CONSOLE_POOL: &str = "vnflab-consoles";

/// What can be done on a connection.
pub trait Driver: Send + Sync {
    /// Whose libvirt it is: known without asking it.
    fn scope(&self) -> Scope;

    /// What is known of the host.
    ///
    /// # Errors
    ///
    /// When libvirt does not answer.
    fn host(&self) -> Result<Host, DriverError>;

    /// What exists, of all labs.
    ///
    /// # Errors
    ///
    /// When libvirt does not answer. An object that vanishes while it is looked at is left out.
    fn observe(&self) -> Result<Observed, DriverError>;

    /// Makes the three pools and their folders where they do not exist, and starts them.
    ///
    /// # Errors
    ///
    /// When a folder cannot be made, or a pool of that name is no folder.
    fn ensure_pools(&self) -> Result<(), DriverError>;

    /// Defines a domain, or defines it anew. The XML must carry our record.
    ///
    /// # Errors
    ///
    /// When the XML is refused, or a domain of that name is not ours.
    fn define_domain(&self, xml: &str) -> Result<(), DriverError>;

    /// Starts a domain that does not run.
    ///
    /// # Errors
    ///
    /// When there is none, it is not ours, or QEMU does not start.
    fn start_domain(&self, name: &str) -> Result<(), DriverError>;

    /// Holds the CPUs of a domain that runs; its memory stays.
    ///
    /// # Errors
    ///
    /// When there is none, it is not ours, or it is off.
    fn suspend_domain(&self, name: &str) -> Result<(), DriverError>;

    /// Lets a held domain go on.
    ///
    /// # Errors
    ///
    /// When there is none or it is not ours.
    fn resume_domain(&self, name: &str) -> Result<(), DriverError>;

    /// Asks the guest to shut down and waits until it is off, at most for `patience`.
    ///
    /// # Errors
    ///
    /// When there is none or it is not ours. A guest that does not follow is no error.
    fn shutdown_domain(&self, name: &str, patience: Duration) -> Result<Shutdown, DriverError>;

    /// Takes a domain's power away. None of that name, or one that is off, is no error.
    ///
    /// # Errors
    ///
    /// When it is not ours.
    fn destroy_domain(&self, name: &str) -> Result<(), DriverError>;

    /// Removes the definition of a domain with all that libvirt keeps for it. None of that name
    /// is no error.
    ///
    /// # Errors
    ///
    /// When it is not ours or runs.
    fn undefine_domain(&self, name: &str) -> Result<(), DriverError>;

    /// The names of all domains that run, ours and others: one quick question.
    ///
    /// # Errors
    ///
    /// When libvirt does not answer.
    fn running_domains(&self) -> Result<BTreeSet<String>, DriverError>;

    /// Limits what a domain that runs takes of the host's CPUs: `percent` of one, from 1 to 100,
    /// for each virtual CPU and as much for QEMU beside them; `None` lifts the limit. It holds
    /// until the domain is off; one that is off already has nothing to be limited.
    ///
    /// # Errors
    ///
    /// When there is no such domain, it is not ours, or the host cannot limit it.
    fn set_cpu_limit(&self, name: &str, percent: Option<u32>) -> Result<(), DriverError>;

    /// Gives an interface a carrier or takes it away: at once where the domain runs, and for
    /// every later start.
    ///
    /// # Errors
    ///
    /// When there is no such domain or interface, or the domain is not ours.
    fn set_carrier(&self, name: &str, mac: &str, carrier: Carrier) -> Result<(), DriverError>;

    /// Writes a domain's record anew and leaves all else of it as it is.
    ///
    /// # Errors
    ///
    /// When there is no such domain or it is not ours.
    fn record_node(&self, record: &NodeRecord) -> Result<(), DriverError>;

    /// Notes on a domain how far the typing on its console is, in place of what it said; `None`
    /// forgets it.
    ///
    /// # Errors
    ///
    /// When there is no such domain or it is not ours.
    fn note_typing(&self, name: &str, typing: Option<&Typing>) -> Result<(), DriverError>;

    /// What a running domain uses; `None` when it does not run or does not exist.
    ///
    /// # Errors
    ///
    /// When libvirt does not answer.
    fn domain_usage(&self, name: &str) -> Result<Option<DomainUsage>, DriverError>;

    /// Makes a qcow2 overlay of an image. One that lies on the same image already is kept.
    ///
    /// # Errors
    ///
    /// When the name is not of our form, or a volume of that name lies on another image.
    fn create_overlay(&self, overlay: &Overlay) -> Result<(), DriverError>;

    /// Makes an empty qcow2 disk. One of that name is kept.
    ///
    /// # Errors
    ///
    /// When the name is not of our form.
    fn create_disk(&self, volume: &str, size_bytes: u64) -> Result<(), DriverError>;

    /// Writes a volume whole, in place of any of that name.
    ///
    /// # Errors
    ///
    /// When the name is not of our form.
    fn write_volume(&self, volume: &str, content: &[u8]) -> Result<(), DriverError>;

    /// Deletes a volume. None of that name is no error.
    ///
    /// # Errors
    ///
    /// When the name is not of our form.
    fn delete_volume(&self, volume: &str) -> Result<(), DriverError>;

    /// Defines a network. The XML must carry our record.
    ///
    /// # Errors
    ///
    /// When the XML is refused, or a network of that name is not ours.
    fn define_network(&self, xml: &str) -> Result<(), DriverError>;

    /// Starts a network that does not run.
    ///
    /// # Errors
    ///
    /// When there is none, it is not ours, or it does not start.
    fn start_network(&self, name: &str) -> Result<(), DriverError>;

    /// Stops and undefines a network. None of that name is no error.
    ///
    /// # Errors
    ///
    /// When it is not ours.
    fn remove_network(&self, name: &str) -> Result<(), DriverError>;

    /// Gives a MAC address its address, in the definition and in the running network.
    ///
    /// # Errors
    ///
    /// When there is no such network or it is not ours.
    fn add_lease(&self, network: &str, lease: &Lease) -> Result<(), DriverError>;

    /// Takes a lease back, from the definition and from the running network.
    ///
    /// # Errors
    ///
    /// When there is no such network or it is not ours.
    fn remove_lease(&self, network: &str, lease: &Lease) -> Result<(), DriverError>;

    /// The files of the image store's pool, ours and others.
    ///
    /// # Errors
    ///
    /// When libvirt does not answer.
    fn stored_files(&self) -> Result<Vec<StoredFile>, DriverError>;

    /// Writes a file of the image store from `content`, which gives exactly `size_bytes`. A file
    /// of that name is an error: the store never overwrites.
    ///
    /// # Errors
    ///
    /// When there is one of that name, or reading or writing fails; then what was written stays
    /// for the store to clean up.
    fn store_file(
        &self,
        name: &str,
        size_bytes: u64,
        content: &mut dyn Read,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), DriverError>;

    /// Reads a file of the image store, at most `limit_bytes` of it, into `sink`.
    ///
    /// # Errors
    ///
    /// When there is none, or reading or writing fails.
    fn read_stored_file(
        &self,
        name: &str,
        limit_bytes: Option<u64>,
        sink: &mut dyn Write,
    ) -> Result<(), DriverError>;

    /// Deletes a file of the image store. None of that name is no error.
    ///
    /// The store alone calls this, and only for files that its own records name.
    ///
    /// # Errors
    ///
    /// When libvirt refuses.
    fn delete_stored_file(&self, name: &str) -> Result<(), DriverError>;

    /// Paths that disks of any domain or any volume of our pools lie on, with who uses each.
    ///
    /// # Errors
    ///
    /// When libvirt does not answer.
    fn image_users(&self) -> Result<Vec<ImageUser>, DriverError>;

    /// What a console wrote, at most the last `limit_bytes`; `None` when there is no log yet.
    ///
    /// # Errors
    ///
    /// When the log cannot be read: on another host, or without the right to.
    fn console_log(&self, path: &str, limit_bytes: u64) -> Result<Option<Vec<u8>>, DriverError>;
}

/// How a guest took the request to shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// It is off.
    Off,
    /// It still runs: time was up.
    StillRunning,
}

/// An overlay to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The volume to make.
    pub volume: String,
    /// Absolute path of the image on the host.
    pub image_path: String,
    /// The image's format, as QEMU calls it.
    pub image_format: String,
    /// Size of the disk in bytes.
    pub size_bytes: u64,
}

/// What a running domain uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DomainUsage {
    /// CPU time since its start.
    pub cpu_time: Duration,
    /// Time since its start, where it can be known: only on this host.
    pub uptime: Option<Duration>,
    /// Memory that it really takes up in KiB, where it can be known.
    pub resident_kib: Option<u64>,
    /// Memory that the guest was given in KiB.
    pub guest_memory_kib: u64,
}

/// A file in the image store's pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its name.
    pub name: String,
    /// Its absolute path on the host.
    pub path: String,
    /// Size that it takes up, in bytes.
    pub allocation_bytes: u64,
}

/// Somebody whose disk lies on an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUser {
    /// Absolute path of the image.
    pub image_path: String,
    /// What it is, for people: `VM lab.r1`, `volume vnflab1.lab.r1.disk.qcow2`.
    pub user: String,
}
