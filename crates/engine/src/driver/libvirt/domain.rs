//! Domains.

use super::fault::refused;
use super::{LibvirtDriver, found};
use crate::driver::description::{
    Ownership, cpu_limit_percent, domain_ownership, interface_carriers, interface_with_carrier,
    metadata_ownership, object_name, typing_of, with_uuid,
};
use crate::driver::{DomainUsage, DriverError, ObjectKind, Operation, Shutdown};
use crate::host;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use virt::domain::{
    Domain, DomainPausedReason, DomainState as VirtState, DomainStateReason, DomainStateReasonEnum,
};
use virt::error::ErrorNumber;
use virt::sys;
use vnflab_model::blueprint::Carrier;
use vnflab_model::observed::{DomainState, Locality, Observed, ObservedDomain};
use vnflab_model::record::{NAMESPACE, NodeRecord, PREFIX};
use vnflab_model::typing::{self, Typing};

const KIND: ObjectKind = ObjectKind::Domain;

/// How often a domain that shuts down is looked at: seldom enough to cost nothing, often enough
/// not to be noticed beside the seconds that a guest takes. (The `virt` crate wraps no events.)
const SHUTDOWN_POLL: Duration = Duration::from_millis(200);

/// Most older parts of a console log that are removed: libvirt keeps three unless it was told
/// otherwise (`max_backups` of `virtlogd.conf`).
const LOG_PART_LIMIT: u32 = 100;

/// A guest that ignored a request to shut down is asked again this often: one that still boots
/// loses the first.
const SHUTDOWN_REPEAT: Duration = Duration::from_secs(5);

impl LibvirtDriver {
    pub(super) fn observe_domains(&self, observed: &mut Observed) -> Result<(), DriverError> {
        for domain in self.domains()? {
            let Ok(name) = domain.name() else { continue };
            // A running domain may be defined anew; what runs is what counts, and what is on disk
            // where nothing runs. That is the current state, flag 0.
            let xml = match domain.xml_desc(0) {
                Ok(xml) => xml,
                Err(error) if super::is_absent(&error) => continue,
                Err(error) => return Err(refused(Operation::Look, &name, &error)),
            };
            match domain_ownership(&xml) {
                Ownership::Ours(record) => {
                    let Some(state) = state(&domain) else {
                        continue;
                    };
                    let process = match state {
                        DomainState::Running | DomainState::Paused => self.process_of(&name),
                        DomainState::Off | DomainState::Crashed => None,
                    };
                    observed.domains.push(ObservedDomain {
                        name,
                        record,
                        state,
                        process,
                        cpu_limit_percent: cpu_limit_percent(&xml)?,
                        typing: typing_of(&xml)?,
                        uptime: process.and_then(host::process).map(|facts| facts.age),
                        carriers: interface_carriers(&xml)?,
                    });
                }
                Ownership::Foreign | Ownership::Unreadable(_) => {
                    observed.foreign_domains.insert(name);
                }
            }
        }
        observed
            .domains
            .sort_by(|one, other| one.name.cmp(&other.name));
        Ok(())
    }

    pub(super) fn domains(&self) -> Result<Vec<Domain>, DriverError> {
        self.connection
            .list_all_domains(0)
            .map_err(|error| refused(Operation::Look, "the VMs", &error))
    }

    /// A crashed or paused domain is active too, but does not run.
    pub(super) fn names_of_running_domains(&self) -> Result<BTreeSet<String>, DriverError> {
        let running = virt::sys::VIR_CONNECT_LIST_DOMAINS_RUNNING;
        let domains = self.connection.list_all_domains(running);
        let domains = domains.map_err(|error| refused(Operation::Look, "the VMs", &error))?;
        // libvirt's client knows the names; nothing more is asked.
        Ok(domains
            .iter()
            .filter_map(|domain| domain.name().ok())
            .collect())
    }

    /// The domain of a name, if there is one and it is ours.
    fn own_domain(&self, name: &str) -> Result<Option<Domain>, DriverError> {
        Ok(self.recorded_domain(name)?.map(|(domain, _)| domain))
    }

    fn recorded_domain(&self, name: &str) -> Result<Option<(Domain, NodeRecord)>, DriverError> {
        let found = found(self.connection.lookup_domain_by_name(name), KIND, name)?;
        let Some(domain) = found else { return Ok(None) };
        match ownership(&domain, name)? {
            Some(ownership) => ownership
                .require(KIND, name)
                .map(|record| Some((domain, record))),
            None => Ok(None),
        }
    }

    pub(super) fn existing_domain(&self, name: &str) -> Result<Domain, DriverError> {
        self.own_domain(name)?.ok_or_else(|| DriverError::Missing {
            kind: KIND,
            name: name.to_owned(),
        })
    }

    pub(super) fn define_own_domain(&self, xml: &str) -> Result<(), DriverError> {
        let name = object_name(xml, KIND)?;
        domain_ownership(xml).require(KIND, &name)?;
        let failed = |error: virt::error::Error| refused(Operation::Define, &name, &error);
        let xml = match self.own_domain(&name)? {
            Some(domain) => with_uuid(xml, KIND, &domain.uuid_string().map_err(failed)?)?,
            None => xml.to_owned(),
        };
        self.connection
            .define_domain_xml_flags(&xml, 0)
            .map(drop)
            .map_err(failed)
    }

    pub(super) fn start_own_domain(&self, name: &str) -> Result<(), DriverError> {
        let domain = self.existing_domain(name)?;
        match state(&domain) {
            Some(DomainState::Running | DomainState::Paused) => return Ok(()),
            // A crashed guest whose QEMU is kept for looking at: it has to go first.
            Some(DomainState::Crashed) if domain.id().is_some() => power_off(&domain, name)?,
            _ => {}
        }
        match domain.create() {
            Ok(()) => Ok(()),
            Err(error) if is_active(&domain) && is(&error, ErrorNumber::OperationInvalid) => Ok(()),
            Err(error) => Err(refused(Operation::Start, name, &error)),
        }
    }

    pub(super) fn suspend_own_domain(&self, name: &str) -> Result<(), DriverError> {
        let domain = self.existing_domain(name)?;
        match state(&domain) {
            Some(DomainState::Paused) => Ok(()),
            _ => match domain.suspend() {
                Ok(_) => Ok(()),
                Err(error) => Err(refused(Operation::Suspend, name, &error)),
            },
        }
    }

    pub(super) fn resume_own_domain(&self, name: &str) -> Result<(), DriverError> {
        let domain = self.existing_domain(name)?;
        if state(&domain) == Some(DomainState::Running) {
            return Ok(());
        }
        match domain.resume() {
            Ok(_) => Ok(()),
            // It was held because libvirt was starting it, for a process that was killed since;
            // and that has come to its end meanwhile.
            Err(_) if state(&domain) == Some(DomainState::Running) => Ok(()),
            Err(error) => Err(refused(Operation::Resume, name, &error)),
        }
    }

    pub(super) fn shutdown_own_domain(
        &self,
        name: &str,
        patience: Duration,
    ) -> Result<Shutdown, DriverError> {
        let domain = self.existing_domain(name)?;
        let begun = Instant::now();
        let mut asked: Option<Instant> = None;
        while is_active(&domain) {
            if asked.is_none_or(|at| at.elapsed() >= SHUTDOWN_REPEAT) {
                match domain.shutdown() {
                    Ok(_) => {}
                    // It went off by itself in between.
                    Err(_) if !is_active(&domain) => break,
                    Err(error) => return Err(refused(Operation::ShutDown, name, &error)),
                }
                asked = Some(Instant::now());
            }
            let left = patience.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(Shutdown::StillRunning);
            }
            std::thread::sleep(SHUTDOWN_POLL.min(left));
        }
        Ok(Shutdown::Off)
    }

    pub(super) fn destroy_own_domain(&self, name: &str) -> Result<(), DriverError> {
        match self.own_domain(name)? {
            Some(domain) if is_active(&domain) => power_off(&domain, name),
            _ => Ok(()),
        }
    }

    pub(super) fn undefine_own_domain(&self, name: &str) -> Result<(), DriverError> {
        let Some((domain, record)) = self.recorded_domain(name)? else {
            return Ok(());
        };
        let failed = |error: virt::error::Error| refused(Operation::Undefine, name, &error);
        if is_active(&domain) {
            return Err(DriverError::Exists {
                kind: KIND,
                name: name.to_owned(),
                difference: "it runs, and is undefined only when it is off".to_owned(),
            });
        }
        let everything = sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
            | sys::VIR_DOMAIN_UNDEFINE_NVRAM;
        // Drivers that keep no such things refuse the flags.
        let unflagged = [ErrorNumber::InvalidArg, ErrorNumber::ArgumentUnsupported];
        match domain.undefine_flags(everything) {
            Ok(()) => {}
            Err(error) if unflagged.iter().any(|code| is(&error, *code)) => {
                domain.undefine().map_err(failed)?;
            }
            Err(error) if super::is_absent(&error) => {}
            Err(error) => return Err(failed(error)),
        }
        self.remove_console_log(&record);
        Ok(())
    }

    pub(super) fn set_own_carrier(
        &self,
        name: &str,
        mac: &str,
        carrier: Carrier,
    ) -> Result<(), DriverError> {
        let domain = self.existing_domain(name)?;
        let failed = |error: virt::error::Error| refused(Operation::Carrier, name, &error);
        // What runs and what is defined each have a description of the device of their own.
        let defined = (sys::VIR_DOMAIN_XML_INACTIVE, sys::VIR_DOMAIN_AFFECT_CONFIG);
        let runs = is_active(&domain).then_some((0, sys::VIR_DOMAIN_AFFECT_LIVE));
        for (look, change) in runs.into_iter().chain([defined]) {
            let xml = domain.xml_desc(look).map_err(failed)?;
            let Some((_, device)) = interface_with_carrier(&xml, mac, carrier)? else {
                return Err(DriverError::Description {
                    kind: KIND,
                    reason: format!("`{name}` has no interface {mac}"),
                });
            };
            match domain.update_device_flags(&device, change) {
                Ok(()) => {}
                // It went off by itself in between; what is defined holds for its next start.
                Err(_) if change == sys::VIR_DOMAIN_AFFECT_LIVE && !is_active(&domain) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    pub(super) fn record_own_domain(&self, record: &NodeRecord) -> Result<(), DriverError> {
        let name = record.blueprint.domain();
        let domain = self.existing_domain(&name)?;
        let xml = record.to_bare_xml();
        write_metadata(&domain, &name, Some(&xml), (PREFIX, NAMESPACE))
    }

    pub(super) fn note_own_typing(
        &self,
        name: &str,
        typing: Option<&Typing>,
    ) -> Result<(), DriverError> {
        let domain = self.existing_domain(name)?;
        let xml = typing.map(Typing::to_bare_xml);
        let names = (typing::PREFIX, typing::NAMESPACE);
        write_metadata(&domain, name, xml.as_deref(), names)
    }

    /// The console's log goes with its domain; the next start would empty it anyway. One that
    /// cannot be removed is no reason to fail, and on another host it stays.
    fn remove_console_log(&self, record: &NodeRecord) {
        let blueprint = &record.blueprint;
        let path = Path::new(&blueprint.console.log_path);
        let own_name = format!("{}.log", blueprint.domain());
        let is_own = path
            .file_name()
            .is_some_and(|name| name == own_name.as_str());
        if self.place.locality == Locality::Local && is_own {
            remove_log(path);
        }
    }

    pub(super) fn usage_of_domain(&self, name: &str) -> Result<Option<DomainUsage>, DriverError> {
        let found = found(self.connection.lookup_domain_by_name(name), KIND, name)?;
        let Some(domain) = found.filter(is_active) else {
            return Ok(None);
        };
        let Ok(info) = domain.info() else {
            return Ok(None);
        };
        let process = self.process_of(name).and_then(host::process);
        let resident_kib = match process {
            Some(facts) => Some(facts.resident_kib),
            None => resident_kib(&domain),
        };
        Ok(Some(DomainUsage {
            cpu_time: Duration::from_nanos(info.cpu_time),
            uptime: process.map(|facts| facts.age),
            resident_kib,
            guest_memory_kib: info.memory,
        }))
    }

    /// The process of a domain's QEMU, as libvirt noted it on this machine.
    fn process_of(&self, name: &str) -> Option<u32> {
        if self.place.locality == Locality::Remote {
            return None;
        }
        let text = std::fs::read_to_string(self.place.process_file(name)?).ok()?;
        text.trim().parse().ok()
    }
}

/// Removes a log and the older parts of it that libvirt's log keeper moved aside as `LOG.0`,
/// `LOG.1` and so on, without a gap.
fn remove_log(path: &Path) {
    let _ = std::fs::remove_file(path);
    for number in 0..LOG_PART_LIMIT {
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{number}"));
        if std::fs::remove_file(Path::new(&part)).is_err() {
            return;
        }
    }
}

/// Writes an element of metadata with its prefix and namespace, or removes it: where the domain
/// runs, and where it is defined.
fn write_metadata(
    domain: &Domain,
    name: &str,
    element: Option<&str>,
    (prefix, namespace): (&str, &str),
) -> Result<(), DriverError> {
    let kind = sys::VIR_DOMAIN_METADATA_ELEMENT as i32;
    let write = |flags| {
        let written = domain.set_metadata(kind, element, Some(prefix), Some(namespace), flags);
        match written {
            // What is not there need not be removed.
            Err(error) if element.is_none() && is(&error, ErrorNumber::NoDomainMetadata) => Ok(()),
            other => other,
        }
    };
    if is_active(domain) {
        match write(sys::VIR_DOMAIN_AFFECT_LIVE) {
            Ok(()) => {}
            Err(_) if !is_active(domain) => {}
            Err(error) => return Err(refused(Operation::Record, name, &error)),
        }
    }
    write(sys::VIR_DOMAIN_AFFECT_CONFIG).map_err(|error| refused(Operation::Record, name, &error))
}

/// Whose domain it is; `None` when it vanished in the meantime.
fn ownership(domain: &Domain, name: &str) -> Result<Option<Ownership<NodeRecord>>, DriverError> {
    let kind = sys::VIR_DOMAIN_METADATA_ELEMENT as i32;
    match domain.metadata(kind, Some(NAMESPACE), 0) {
        Ok(element) => Ok(Some(metadata_ownership(&element))),
        Err(error) if is(&error, ErrorNumber::NoDomainMetadata) => Ok(Some(Ownership::Foreign)),
        Err(error) if super::is_absent(&error) => Ok(None),
        Err(error) => Err(refused(Operation::Look, name, &error)),
    }
}

/// Whether it runs; `None` when it vanished in the meantime.
fn state(domain: &Domain) -> Option<DomainState> {
    let (state, reason) = domain.state().ok()?;
    if !state.is_known() {
        return None;
    }
    if is_starting(reason) {
        return Some(DomainState::Running);
    }
    Some(match state.unwrap_or(VirtState::NoState) {
        VirtState::NoState | VirtState::Running | VirtState::Blocked | VirtState::Shutdown => {
            DomainState::Running
        }
        VirtState::Paused | VirtState::PMSuspended => DomainState::Paused,
        VirtState::Shutoff => DomainState::Off,
        VirtState::Crashed => DomainState::Crashed,
    })
}

/// Whether libvirt holds the guest only until its QEMU is set up, and lets it go on by itself.
/// Such a one counts as running: who resumed it would be told that it runs already.
fn is_starting(reason: DomainStateReasonEnum) -> bool {
    match reason {
        DomainStateReasonEnum::Known(DomainStateReason::Paused(reason)) => {
            reason.is_known_and(|reason| reason == DomainPausedReason::StartingUp)
        }
        _ => false,
    }
}

fn is_active(domain: &Domain) -> bool {
    domain.is_active().unwrap_or(false)
}

fn is(error: &virt::error::Error, number: ErrorNumber) -> bool {
    error.code().is_known_and(|code| code == number)
}

fn power_off(domain: &Domain, name: &str) -> Result<(), DriverError> {
    match domain.destroy() {
        Ok(()) => Ok(()),
        Err(_) if !is_active(domain) => Ok(()),
        Err(error) => Err(refused(Operation::Stop, name, &error)),
    }
}

/// Memory of the process as libvirt tells it: the way on another host.
fn resident_kib(domain: &Domain) -> Option<u64> {
    let stats = domain.memory_stats(0).ok()?;
    stats
        .iter()
        .find(|stat| stat.tag == sys::VIR_DOMAIN_MEMORY_STAT_RSS)
        .map(|stat| stat.val)
}

#[cfg(test)]
mod tests {
    use super::*;
    use virt::domain::DomainPausedReasonEnum;

    #[test]
    fn the_older_parts_of_a_log_go_with_it_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let own = ["a.log", "a.log.0", "a.log.1", "a.log.2"];
        let others = ["a.log.old", "a.log.00", "aa.log", "aa.log.0"];
        for name in own.iter().chain(&others) {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        remove_log(&folder.path().join("a.log"));
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["a.log.00", "a.log.old", "aa.log", "aa.log.0"]);
    }

    #[test]
    fn a_guest_that_is_starting_is_not_taken_for_a_paused_one() {
        let paused = |reason| {
            let reason = DomainPausedReasonEnum::from_raw(reason);
            is_starting(DomainStateReasonEnum::Known(DomainStateReason::Paused(
                reason,
            )))
        };
        assert!(paused(sys::VIR_DOMAIN_PAUSED_STARTING_UP));
        assert!(!paused(sys::VIR_DOMAIN_PAUSED_USER));
        assert!(!is_starting(DomainStateReasonEnum::Unknown(11)));
    }
}
