//! What has to be done, in which order, and why.
//!
//! Planning is pure and makes all choices; execution makes none. A plan is a list of [`Step`]s
//! in which every step names the earlier ones that it waits for. Every action is idempotent, so
//! that a plan that was broken off is simply made again.

mod down;
mod power;
mod sharing;
mod starts;
mod up;

pub use down::{Disks, plan_down};
pub use power::{
    Stop, plan_cpu_limit, plan_restart, plan_resume, plan_start, plan_stop, plan_suspend,
};
pub use up::{PlanError, plan_replace, plan_up};

use crate::blueprint::{
    Carrier, Lease, NetworkBlueprint, NodeBlueprint, Vm, WireBlueprint, WireChange,
};
use crate::record::NodeRecord;
use crate::typing::Typing;

/// Position of a step in its plan.
pub type StepId = usize;

/// An ordered list of steps; a step's `after` and `behind` only name earlier ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// What is to be done.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Appends a step and names it.
    fn push(
        &mut self,
        subject: &Subject,
        action: Action,
        reason: impl Into<String>,
        after: &[StepId],
    ) -> StepId {
        self.steps.push(Step {
            subject: subject.clone(),
            action,
            reason: reason.into(),
            after: after.to_vec(),
            behind: Vec::new(),
        });
        self.steps.len() - 1
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Whom it concerns.
    pub subject: Subject,
    /// What is done.
    pub action: Action,
    /// Why, in a few words.
    pub reason: String,
    /// Earlier steps that must have succeeded.
    pub after: Vec<StepId>,
    /// Earlier steps that must be over, however they ended.
    pub behind: Vec<StepId>,
}

/// Whom a step concerns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A node, by name; of a node of several VMs the main one.
    Node(String),
    /// A VM beside the main one of its node: `r1:vfp`.
    Part(String),
    /// A management network, by libvirt's name.
    Network(String),
    /// The wire, by the name of its lab.
    Wire(String),
    /// A link or segment of the wire, by name.
    Link(String),
}

impl Subject {
    /// A VM.
    fn of(vm: Vm<'_>) -> Self {
        match vm.part {
            Some(_) => Self::Part(vm.shown_name()),
            None => Self::Node(vm.node.to_owned()),
        }
    }

    /// The node whose VM it is, if it is one.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Node(name) => Some(name),
            Self::Part(name) => name.split(':').next(),
            Self::Network(_) | Self::Wire(_) | Self::Link(_) => None,
        }
    }

    /// The name to show.
    pub fn name(&self) -> &str {
        match self {
            Self::Node(name)
            | Self::Part(name)
            | Self::Network(name)
            | Self::Wire(name)
            | Self::Link(name) => name,
        }
    }
}

/// What is done. All of it is idempotent.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Define a management network.
    DefineNetwork {
        /// What it shall be.
        network: NetworkBlueprint,
    },
    /// Start a management network.
    StartNetwork {
        /// Its name.
        network: String,
    },
    /// Give a MAC address its address, while the network runs.
    AddLease {
        /// The network.
        network: String,
        /// The lease.
        lease: Lease,
    },
    /// Take a lease back, while the network runs.
    RemoveLease {
        /// The network.
        network: String,
        /// The lease.
        lease: Lease,
    },
    /// Stop and undefine a management network.
    RemoveNetwork {
        /// Its name.
        network: String,
    },
    /// Make a qcow2 overlay of an image.
    CreateOverlay {
        /// The volume to make.
        volume: String,
        /// The image.
        image_path: String,
        /// The image's format.
        image_format: String,
        /// Size of the disk in bytes.
        size_bytes: u64,
    },
    /// Make an empty qcow2 disk.
    CreateDisk {
        /// The volume to make.
        volume: String,
        /// Size of the disk in bytes.
        size_bytes: u64,
    },
    /// Write a day-0 medium, whether or not there is one of that name.
    WriteMedia {
        /// The volume; its content is in the blueprint.
        volume: String,
    },
    /// Remember what was typed on a node's console, while there is no domain that does.
    RememberTyping {
        /// The volume whose name says it.
        volume: String,
    },
    /// Delete a volume.
    DeleteVolume {
        /// The volume.
        volume: String,
    },
    /// Define a node's domain, or define it anew.
    DefineDomain {
        /// The domain.
        domain: String,
        /// What was typed on its console, where its disk is the one on which that was.
        typing: Option<Typing>,
    },
    /// Start a domain.
    StartDomain {
        /// The domain.
        domain: String,
    },
    /// Wait until a node says on its console that it is up. Fails when it does not in time.
    AwaitReady {
        /// The node.
        node: Box<NodeBlueprint>,
    },
    /// Hold the CPUs of a domain, which keeps its memory.
    SuspendDomain {
        /// The domain.
        domain: String,
    },
    /// Let a held domain go on.
    ResumeDomain {
        /// The domain.
        domain: String,
    },
    /// Ask the guest to shut down.
    ShutdownDomain {
        /// The domain.
        domain: String,
    },
    /// Take a domain's power away.
    DestroyDomain {
        /// The domain.
        domain: String,
    },
    /// Undefine a domain that does not run.
    UndefineDomain {
        /// The domain.
        domain: String,
    },
    /// Limit what a domain that runs takes of the host's CPUs, or lift the limit. It holds until
    /// the domain is off.
    SetCpuLimit {
        /// The domain.
        domain: String,
        /// Percent of a CPU of the host for each virtual CPU; `None` for no limit.
        percent: Option<u32>,
    },
    /// Give an interface a carrier or take it away, whether or not the domain runs.
    SetCarrier {
        /// The domain.
        domain: String,
        /// The interface, for people.
        interface: String,
        /// Its MAC address.
        mac: String,
        /// What the guest shall see.
        carrier: Carrier,
    },
    /// Write a domain's record anew, whether or not it runs.
    RecordNode {
        /// The record.
        record: Box<NodeRecord>,
    },
    /// Start the wire of a lab, and see to it that it is as it shall be.
    StartWire {
        /// The lab.
        lab: String,
        /// What it shall be; `None` for what it was when it last ran.
        wire: Option<Box<WireBlueprint>>,
    },
    /// Change a wire that runs.
    ChangeWire {
        /// The lab.
        lab: String,
        /// The change.
        change: WireChange,
    },
    /// Stop the wire of a lab, and forget what it was.
    StopWire {
        /// The lab.
        lab: String,
    },
}

impl Action {
    /// The verb and object for people, such as `start the domain`.
    pub fn describe(&self) -> String {
        match self {
            Self::DefineNetwork { network } => format!("define the network on {}", network.bridge),
            Self::StartNetwork { .. } => "start the network".to_owned(),
            Self::AddLease { lease, .. } => format!("lease {} to {}", lease.address, lease.name),
            Self::RemoveLease { lease, .. } => {
                format!("take the lease of {} back", lease.address)
            }
            Self::RemoveNetwork { .. } => "remove the network".to_owned(),
            Self::CreateOverlay { .. } => "make the disk".to_owned(),
            Self::CreateDisk { .. } => "make an empty disk".to_owned(),
            Self::WriteMedia { .. } => "write the day-0 medium".to_owned(),
            Self::RememberTyping { .. } => "remember what was typed on it".to_owned(),
            Self::DeleteVolume { volume } => format!("delete {volume}"),
            Self::DefineDomain { .. } => "define the domain".to_owned(),
            Self::StartDomain { .. } => "start the VM".to_owned(),
            Self::AwaitReady { .. } => "wait until it is ready".to_owned(),
            Self::SuspendDomain { .. } => "suspend the VM".to_owned(),
            Self::ResumeDomain { .. } => "resume the VM".to_owned(),
            Self::ShutdownDomain { .. } => "shut the guest down".to_owned(),
            Self::DestroyDomain { .. } => "power the VM off".to_owned(),
            Self::UndefineDomain { .. } => "undefine the domain".to_owned(),
            Self::SetCpuLimit { percent, .. } => match percent {
                Some(percent) => format!("limit its CPU to {percent} %"),
                None => "lift the limit of its CPU".to_owned(),
            },
            Self::SetCarrier {
                interface, carrier, ..
            } => match carrier {
                Carrier::Up => format!("give {interface} a carrier"),
                Carrier::Down => format!("take the carrier of {interface}"),
            },
            Self::RecordNode { .. } => "record its links".to_owned(),
            Self::StartWire { .. } => "start the wire".to_owned(),
            Self::ChangeWire { change, .. } => change.describe(),
            Self::StopWire { .. } => "stop the wire".to_owned(),
        }
    }

    /// A stable word for JSON, such as `start-domain`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::DefineNetwork { .. } => "define-network",
            Self::StartNetwork { .. } => "start-network",
            Self::AddLease { .. } => "add-lease",
            Self::RemoveLease { .. } => "remove-lease",
            Self::RemoveNetwork { .. } => "remove-network",
            Self::CreateOverlay { .. } => "create-overlay",
            Self::CreateDisk { .. } => "create-disk",
            Self::WriteMedia { .. } => "write-media",
            Self::RememberTyping { .. } => "remember-typing",
            Self::DeleteVolume { .. } => "delete-volume",
            Self::DefineDomain { .. } => "define-domain",
            Self::StartDomain { .. } => "start-domain",
            Self::AwaitReady { .. } => "await-ready",
            Self::SuspendDomain { .. } => "suspend-domain",
            Self::ResumeDomain { .. } => "resume-domain",
            Self::ShutdownDomain { .. } => "shutdown-domain",
            Self::DestroyDomain { .. } => "destroy-domain",
            Self::UndefineDomain { .. } => "undefine-domain",
            Self::SetCpuLimit { .. } => "set-cpu-limit",
            Self::SetCarrier { .. } => "set-carrier",
            Self::RecordNode { .. } => "record-node",
            Self::StartWire { .. } => "start-wire",
            Self::ChangeWire { change, .. } => change.word(),
            Self::StopWire { .. } => "stop-wire",
        }
    }
}
