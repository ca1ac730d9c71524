//! Limits of what guests take of the host's CPUs: by the bandwidth that the kernel's control
//! groups give to QEMU's threads.
//!
//! libvirt does it on the system's connection alone, and only where a CPU controller is mounted
//! (`virDomainSetSchedulerParametersFlags`: "CPU tuning is not available in session mode",
//! "cgroup CPU controller is not mounted").

use super::LibvirtDriver;
use super::fault::refused;
use crate::driver::{DriverError, Operation};
use crate::host;
use virt::domain::{SchedBandwidth, SchedulerInfo};
use virt::sys;
use vnflab_model::observed::{Locality, Scope};

/// The time over which the kernel counts, in microseconds: its default.
const PERIOD_US: u32 = 100_000;

/// What lifts a limit.
const NO_QUOTA: i64 = -1;

impl LibvirtDriver {
    /// Why guests cannot be limited here; `None` where they can.
    pub(super) fn no_cpu_limits(&self) -> Option<String> {
        let reason = match (self.place.scope, self.place.locality) {
            (Scope::Session, _) => "libvirt limits CPUs on `qemu:///system` alone",
            // A node is limited once it is ready, which its console on that host tells.
            (_, Locality::Remote) => "from here nobody sees when a node on another host is ready",
            _ if !host::has_cpu_controller() => {
                "this host has no CPU controller of control groups, as in many containers"
            }
            _ => return None,
        };
        Some(reason.to_owned())
    }

    pub(super) fn set_own_cpu_limit(
        &self,
        name: &str,
        percent: Option<u32>,
    ) -> Result<(), DriverError> {
        let domain = self.existing_domain(name)?;
        let is_off = || !domain.is_active().unwrap_or(false);
        if is_off() {
            return Ok(());
        }
        let quota = percent.map_or(NO_QUOTA, |percent| i64::from(PERIOD_US * percent / 100));
        let bandwidth = SchedBandwidth {
            period: Some(u64::from(PERIOD_US)),
            quota: Some(quota),
        };
        let parameters = SchedulerInfo {
            vcpu_bw: bandwidth.clone(),
            // What works for the guest outside of its CPUs, such as disks and NICs.
            emulator_bw: bandwidth,
            ..SchedulerInfo::default()
        };
        match domain.set_scheduler_parameters_flags(&parameters, sys::VIR_DOMAIN_AFFECT_LIVE) {
            Ok(()) => Ok(()),
            Err(_) if is_off() => Ok(()),
            Err(error) => Err(refused(Operation::LimitCpu, name, &error)),
        }
    }
}
