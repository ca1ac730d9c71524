//! Gathers what the checks and the allocation have to know of the world.

use super::{Reading, WorkspaceError};
use crate::driver::Driver;
use crate::host;
use crate::image::file_trouble;
use crate::image::store::ImageStore;
use crate::load::{self, InsideError};
use rustix::fs::OFlags;
use std::collections::btree_map::{BTreeMap, Entry};
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use vnflab_model::blueprint::{Attachment, NodeBlueprint, WireEnd};
use vnflab_model::facts::{Facts, FileFact, ImageFact, ImageKey};
use vnflab_model::kind::Kind;
use vnflab_model::lab::{Lab, Node, StartupConfig};
use vnflab_model::observed::{DomainState, Host, Locality, Observed, ObservedWire};
use vnflab_model::resolve::stand_in;

/// Largest configuration file in bytes: a hundred times that of a large router.
const CONFIG_LIMIT: u64 = 16 * 1024 * 1024;

pub(super) fn gather(
    driver: &dyn Driver,
    reading: &mut Reading,
    host: &Host,
    observed: &Observed,
    replacement: Option<&Arc<Kind>>,
) -> Result<Facts, WorkspaceError> {
    let mut facts = Facts {
        cpus: Some(host.cpus),
        accelerator: Some(host.accelerator),
        no_cpu_limits: host.no_cpu_limits.clone(),
        scope: Some(host.scope),
        labs: labs(observed),
        this_source: reading.origin.display().to_string(),
        ..Facts::default()
    };
    let Some(lab) = reading.lab.as_mut().or(reading.remains.as_mut()) else {
        return Ok(facts);
    };
    let store = ImageStore::new(driver);
    facts.images = images(&store, lab, &reading.folder, host)?;
    if let Some(replacement) = replacement {
        let images = &facts.images;
        let missing = |node: &Node| {
            let mut facts = node
                .images()
                .map(|(image, _)| images.get(&ImageKey::from(image)));
            facts.any(|fact| matches!(fact, Some(ImageFact::Missing(_))))
        };
        reading
            .diagnostics
            .extend(stand_in(lab, replacement, missing));
        facts.images = images_again(&store, lab, &reading.folder, host, facts.images)?;
    }
    facts.files = files(lab, &reading.folder, Some(host));
    let own = own_sockets(lab.name.as_str(), observed);
    let others = sockets_of_other_labs(lab.name.as_str(), observed);
    if host.locality == Locality::Local {
        facts.udp_taken = host::bound_udp();
        facts.tcp_taken = host::listening_tcp();
        facts.memory_available_mib = host::available_memory_mib();
    }
    facts.udp_taken.extend(others.udp.keys());
    facts.tcp_taken.extend(others.tcp.keys());
    facts.holders.extend(others.udp);
    facts.holders.extend(others.tcp);
    facts
        .udp_taken
        .retain(|address| !own.udp.contains_key(address));
    facts
        .tcp_taken
        .retain(|address| !own.tcp.contains_key(address));
    // What the lab's own VMs use is theirs already.
    facts.memory_available_mib = facts.memory_available_mib.map(|available| {
        let running = observed.vms_of_lab(lab.name.as_str());
        let running = running.filter(|domain| domain.state == DomainState::Running);
        available
            + running
                .map(|domain| domain.record.blueprint.machine.memory_mib)
                .sum::<u64>()
    });
    Ok(facts)
}

fn labs(observed: &Observed) -> BTreeMap<String, String> {
    let domains = observed.domains.iter();
    domains
        .map(|domain| {
            (
                domain.record.blueprint.lab.clone(),
                domain.record.source.clone(),
            )
        })
        .collect()
}

fn images(
    store: &ImageStore<'_>,
    lab: &Lab,
    folder: &Path,
    host: &Host,
) -> Result<BTreeMap<ImageKey, ImageFact>, WorkspaceError> {
    images_again(store, lab, folder, host, BTreeMap::new())
}

/// Looks at the images that are not known yet.
fn images_again(
    store: &ImageStore<'_>,
    lab: &Lab,
    folder: &Path,
    host: &Host,
    mut known: BTreeMap<ImageKey, ImageFact>,
) -> Result<BTreeMap<ImageKey, ImageFact>, WorkspaceError> {
    for (image, _) in lab.nodes.iter().flat_map(Node::images) {
        let key = ImageKey::from(image);
        if let Entry::Vacant(unknown) = known.entry(key) {
            unknown.insert(store.fact(image, folder, host)?);
        }
    }
    Ok(known)
}

/// What can be known without libvirt: the files beside the lab.
pub(super) fn gather_without_host(reading: &Reading) -> Facts {
    let lab = reading.lab.as_ref().or(reading.remains.as_ref());
    Facts {
        files: lab.map_or_else(BTreeMap::new, |lab| files(lab, &reading.folder, None)),
        this_source: reading.origin.display().to_string(),
        ..Facts::default()
    }
}

/// Looks at the files that the lab names: configurations are read, media are only looked at.
/// Whether QEMU may open them is only known where there is a host.
fn files(lab: &Lab, folder: &Path, host: Option<&Host>) -> BTreeMap<String, FileFact> {
    // One file may serve as both.
    let mut uses: BTreeMap<&str, Use> = BTreeMap::new();
    for node in &lab.nodes {
        if let Some(StartupConfig::File(path, _)) = &node.startup_config {
            uses.entry(path).or_default().is_read = true;
        }
        for (path, _) in node.config_medium.iter().chain(&node.cdrom) {
            uses.entry(path).or_default().is_attached = true;
        }
    }
    for file in lab.impairment_files() {
        uses.entry(&file.path).or_default().is_read = true;
    }
    uses.into_iter()
        .map(|(path, used)| (path.to_owned(), file(folder, path, used, host)))
        .collect()
}

/// What a file is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Use {
    /// Its content is needed here.
    is_read: bool,
    /// QEMU opens it.
    is_attached: bool,
}

fn file(folder: &Path, relative: &str, used: Use, host: Option<&Host>) -> FileFact {
    let path = match load::inside(folder, relative) {
        Ok(path) => path,
        Err(InsideError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return FileFact::Missing;
        }
        Err(error) => return FileFact::Unreadable(error.to_string()),
    };
    if used.is_attached
        && let Some(host) = host.filter(|host| host.locality == Locality::Local)
        && let Some(trouble) = file_trouble(&path, host.scope)
    {
        return FileFact::Unreadable(trouble.remedy(&path));
    }
    let unreadable = |error: std::io::Error| FileFact::Unreadable(error.to_string());
    let not_regular = || FileFact::Unreadable("not a regular file".to_owned());
    // To open a FIFO or a device can take for ever or do something, so the look comes first; and
    // what takes the file's place in between is opened without waiting for it.
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return not_regular(),
        Err(error) => return unreadable(error),
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(&path);
    let file = match file {
        Ok(file) => file,
        Err(error) => return unreadable(error),
    };
    let size = match file.metadata() {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return not_regular(),
        Err(error) => return unreadable(error),
    };
    let path = path.display().to_string();
    if !used.is_read {
        return FileFact::Present {
            path,
            content: None,
        };
    }
    if size > CONFIG_LIMIT {
        let reason = format!("larger than {} MiB", CONFIG_LIMIT / 1024 / 1024);
        return FileFact::Unreadable(reason);
    }
    let mut bytes = Vec::new();
    match file.take(CONFIG_LIMIT).read_to_end(&mut bytes) {
        Ok(_) => FileFact::Present {
            path,
            content: Some(bytes),
        },
        Err(error) => unreadable(error),
    }
}

/// Sockets that VMs have, or will have when they are started, and whose they are.
#[derive(Default)]
struct Sockets {
    udp: BTreeMap<SocketAddr, String>,
    tcp: BTreeMap<SocketAddr, String>,
}

impl Sockets {
    fn add(&mut self, node: &NodeBlueprint) {
        let owner = || format!("`{}` of lab `{}`", node.shown_name(), node.lab);
        self.tcp.insert(node.console.listen, owner());
        for nic in &node.nics {
            match &nic.attachment {
                Attachment::Tunnel { local, .. } => {
                    self.udp.insert(*local, owner());
                }
                Attachment::User { ssh } => {
                    self.tcp.insert(*ssh, owner());
                }
                Attachment::Bridge { .. } => {}
            }
            if let Some(end) = node.wire_end(nic) {
                self.udp.insert(end, wire_of(&node.lab));
            }
        }
    }

    fn add_wire(&mut self, lab: &str, wire: &ObservedWire) {
        let ends = wire
            .config()
            .into_iter()
            .flat_map(|wire| wire.ends.values());
        for local in ends.filter_map(WireEnd::local) {
            self.udp.insert(local, wire_of(lab));
        }
    }
}

fn wire_of(lab: &str) -> String {
    format!("the wire of lab `{lab}`")
}

/// Sockets of the lab's VMs that run, which QEMU holds now, and those of its wire.
fn own_sockets(lab: &str, observed: &Observed) -> Sockets {
    let mut sockets = Sockets::default();
    for domain in observed.vms_of_lab(lab) {
        if !matches!(domain.state, DomainState::Off | DomainState::Crashed) {
            sockets.add(&domain.record.blueprint);
        }
    }
    for (of, wire) in &observed.wires {
        if of == lab {
            sockets.add_wire(of, wire);
        }
    }
    sockets
}

/// Sockets of other labs' VMs, running or not: a VM that is off wants them back. Those of their
/// wires too.
fn sockets_of_other_labs(lab: &str, observed: &Observed) -> Sockets {
    let mut sockets = Sockets::default();
    for domain in &observed.domains {
        if domain.record.blueprint.lab != lab {
            sockets.add(&domain.record.blueprint);
        }
    }
    for (of, wire) in &observed.wires {
        if of != lab {
            sockets.add_wire(of, wire);
        }
    }
    sockets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::fake::FakeDriver;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::mpsc;
    use std::time::Duration;
    use vnflab_model::observed::Scope;

    const READ: Use = Use {
        is_read: true,
        is_attached: false,
    };
    const ATTACHED: Use = Use {
        is_read: false,
        is_attached: true,
    };

    fn host(scope: Scope) -> Host {
        Host {
            scope,
            ..FakeDriver::new().host().unwrap()
        }
    }

    #[test]
    fn a_fifo_is_refused_without_waiting_for_a_writer() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("r1.cfg");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        for used in [READ, ATTACHED] {
            let (tell, told) = mpsc::channel();
            let root = folder.path().to_owned();
            // A thread of its own, since it would hang for ever.
            std::thread::spawn(move || {
                let _ = tell.send(file(&root, "r1.cfg", used, Some(&host(Scope::Session))));
            });
            let fact = told.recv_timeout(Duration::from_secs(10)).unwrap();
            assert!(matches!(fact, FileFact::Unreadable(_)), "{fact:?}");
        }
    }

    #[test]
    fn a_file_that_is_attached_too_keeps_its_content() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("both"), "x").unwrap();
        let used = Use {
            is_read: true,
            is_attached: true,
        };
        let fact = file(folder.path(), "both", used, Some(&host(Scope::Session)));
        let FileFact::Present { content, .. } = fact else {
            panic!("{fact:?}")
        };
        assert_eq!(content.as_deref(), Some(&b"x"[..]));
    }

    #[test]
    fn a_medium_that_the_systems_qemu_may_not_open_is_told_beforehand() {
        // The folder of a test is for its user alone.
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::write(folder.path().join("cd.iso"), "x").unwrap();
        let fact = |used, scope| file(folder.path(), "cd.iso", used, Some(&host(scope)));
        let FileFact::Unreadable(reason) = fact(ATTACHED, Scope::System) else {
            panic!("QEMU may not pass")
        };
        assert!(reason.contains("chmod o+x"), "{reason}");
        for (used, scope) in [(READ, Scope::System), (ATTACHED, Scope::Session)] {
            assert!(matches!(fact(used, scope), FileFact::Present { .. }));
        }
    }
}
