//! What we know about a type of VNF: its hardware, interface names, day-0 media and habits.
//!
//! A kind is data. Code asks a [`Kind`] for a property and never looks at its name. The texts are
//! read by [`file`]; [`catalogue`] joins them with their parents and the user's own.

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// All of them, as they are written.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word for it, in files and in libvirt alike.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What a word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

mod automation;
mod catalogue;
mod check;
mod commands;
mod console;
mod day0;
mod dialogue;
mod file;
mod form;
mod hardware;
mod mistake;
mod part;
mod pattern;
mod provision;
mod recipes;
mod recognise;

use crate::blueprint::{Access, CarrierPolicy, UserOrigin};

use std::time::Duration;

pub use automation::{Algorithms, Automation, Cli, SshLogin};
pub use catalogue::{Catalogue, CatalogueError};
pub use check::{CheckedKind, check_file};
pub use commands::{Commands, Save};
pub use console::Console;
pub use day0::{Day0, Dialect, MediaForm, MediaNames, MediumDevice, Refusal};
pub use dialogue::{Said, Text, WORDS};
pub use file::schema as file_schema;
pub use mistake::Mistake;
pub use part::{Internal, Part};
pub use pattern::{InterfacePattern, PatternError};
pub use provision::{Provision, ProvisionStep, StepText};
pub(crate) use recipes::fill;
pub use recipes::{
    ConnectRecipe, NeighborEntries, NeighborRecipe, PeerSource, PingRecipe, Protocol, Recipes,
    TracerouteRecipe,
};
pub use recognise::{Evidence, Recognition};

/// A type of VNF, complete: everything its parents say is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// The name in lab files.
    pub name: String,
    /// Its name for people, such as `Arista vEOS`.
    pub title: String,
    /// Other spellings that lab files may use.
    pub aliases: Vec<String>,
    /// How far the facts below were tried.
    pub support: Support,
    /// Where the facts come from.
    pub source: String,
    /// The machine that the VNF expects; of several, the main one.
    pub hardware: Hardware,
    /// What the main VM is called, where there are several.
    pub main_part: Option<String>,
    /// The VMs beside the main one.
    pub parts: Vec<Part>,
    /// How its interfaces are counted and named.
    pub interfaces: Interfaces,
    /// How it takes its first configuration.
    pub day0: Day0,
    /// How one sees on the console that it is up.
    pub ready: Ready,
    /// Who can log in, where the vendor ships a login.
    pub login: Option<Login>,
    /// How programs log in, and what they call it.
    pub automation: Automation,
    /// What users should know before they wonder.
    pub caveats: Vec<String>,
    /// File names that images of this kind usually have (`*` matches anything).
    pub image_patterns: Vec<String>,
    /// Checksums, MD5 or SHA-256 in hex, of images that are known to be of this kind.
    pub image_checksums: Vec<String>,
    /// The image of the store that is used when the lab names none.
    pub default_image: Option<String>,
    /// Whether its image may boot in place of one that the user does not have.
    pub stand_in: bool,
    /// How its guests are asked whether the network works.
    pub recipes: Recipes,
    /// How one works on its serial console.
    pub console: Console,
    /// How a first configuration is typed there, where no medium brings it.
    pub provision: Option<Provision>,
    /// Commands for what we want of any device.
    pub commands: Commands,
}

impl Kind {
    /// Whether its first configuration is typed on its console.
    pub fn types_configuration(&self) -> bool {
        self.provision.is_some() && self.day0.form == MediaForm::None
    }
}

impl Kind {
    /// The password of the user that one logs in as: what the first configuration gives him, where
    /// that made him, else what the image comes with.
    pub fn password_of(&self, access: &Access) -> Option<&str> {
        let user = access.user.as_deref()?;
        let made = self.day0.login.as_ref();
        let made = made.filter(|_| access.user_origin == UserOrigin::Made);
        let mut logins = made.into_iter().chain(&self.login);
        logins.find(|login| login.user == user)?.password.as_deref()
    }
}

/// How far a kind's facts were tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Booted by this project's own tests.
    Booted,
    /// Written from public facts; never booted by us.
    PublicFacts,
}

/// The machine of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardware {
    /// QEMU's machine type.
    pub machine: Machine,
    /// Features of the machine that are not as QEMU has them.
    pub machine_features: Vec<MachineSwitch>,
    /// QEMU's CPU model, or one of the words `host` and `max`; `None` leaves it to the accelerator.
    pub cpu_model: Option<String>,
    /// CPU features to switch on (`+vmx`) or off (`-x2apic`).
    pub cpu_features: Vec<String>,
    /// What starts the guest.
    pub firmware: Firmware,
    /// Virtual CPUs, as delivered.
    pub cpus: u32,
    /// Fewest virtual CPUs that it boots with.
    pub minimum_cpus: u32,
    /// Percent of a CPU of the host that each virtual CPU may take once it is ready; `None` for
    /// no limit.
    pub cpu_limit_percent: Option<u32>,
    /// Memory as delivered, in MiB.
    pub memory_mib: u64,
    /// Least memory that it boots with, in MiB.
    pub minimum_memory_mib: u64,
    /// Where its disk hangs.
    pub disk_bus: Bus,
    /// How QEMU caches what is written to its disks; `None` leaves it to QEMU.
    pub disk_cache: Option<DiskCache>,
    /// Where CD-ROMs hang.
    pub cdrom_bus: Bus,
    /// Empty disks that it wants besides its image.
    pub extra_disks: Vec<ExtraDisk>,
    /// Model of every NIC.
    pub nic_model: NicModel,
    /// SMBIOS fields.
    pub smbios: Vec<SmbiosField>,
    /// Number of serial ports; the first is the console.
    pub serial_ports: u32,
    /// The graphics adapter.
    pub video: Video,
}

/// An empty disk beside the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraDisk {
    /// Size in MiB.
    pub size_mib: u64,
    /// Where it hangs.
    pub bus: Bus,
}

/// One field of an SMBIOS table, such as `system.product` = `VM-VMX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmbiosField {
    /// `bios`, `system`, `baseBoard` or `chassis`: libvirt's names of the tables.
    pub table: String,
    /// The field, as libvirt names it.
    pub field: String,
    /// Its text.
    pub value: String,
}

words! {
    /// QEMU's machine types.
    Machine {
        /// i440FX, with conventional PCI.
        Pc = "pc",
        /// Q35, with PCI Express.
        Q35 = "q35",
    }
}

words! {
    /// Features of a machine that some guests want, and some do not bear.
    MachineFeature {
        /// ACPI; on unless it is switched off.
        Acpi = "acpi",
        /// The interrupt controller of multiprocessors; on unless it is switched off.
        Apic = "apic",
        /// Physical address extension, for guests of 32 bits.
        Pae = "pae",
        /// System management mode.
        Smm = "smm",
        /// The high precision event timer.
        Hpet = "hpet",
        /// VMware's port of 0x5658.
        Vmport = "vmport",
    }
}

words! {
    /// Whether a feature is there.
    Switch {
        /// It is.
        On = "on",
        /// It is not.
        Off = "off",
    }
}

/// A feature that is switched on or off: `+pae`, `-smm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineSwitch {
    /// The feature.
    pub feature: MachineFeature,
    /// Whether it shall be there.
    pub switch: Switch,
}

impl MachineSwitch {
    /// Reads `+FEATURE` or `-FEATURE`.
    ///
    /// # Errors
    ///
    /// The words that are known, where the text is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (switch, word) = match text.split_at_checked(1) {
            Some(("+", word)) => (Switch::On, word),
            Some(("-", word)) => (Switch::Off, word),
            _ => (Switch::On, ""),
        };
        match MachineFeature::from_word(word) {
            Some(feature) => Ok(Self { feature, switch }),
            None => Err(format!(
                "`{text}` is not `+` or `-` and one of {}",
                MachineFeature::WORDS.join(", ")
            )),
        }
    }
}

impl TryFrom<String> for MachineSwitch {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<MachineSwitch> for String {
    fn from(switch: MachineSwitch) -> Self {
        switch.to_string()
    }
}

impl std::fmt::Display for MachineSwitch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = match self.switch {
            Switch::On => '+',
            Switch::Off => '-',
        };
        write!(formatter, "{sign}{}", self.feature.word())
    }
}

words! {
    /// How QEMU caches what a guest writes to its disks, by libvirt's names.
    DiskCache {
        /// Not at all on the host.
        None = "none",
        /// In the host's memory, written when the guest says so.
        Writeback = "writeback",
        /// In the host's memory, for reading.
        Writethrough = "writethrough",
        /// Not at all, and each write is waited for.
        Directsync = "directsync",
        /// In the host's memory, written some time: quick, and lost with the host.
        Unsafe = "unsafe",
    }
}

words! {
    /// What starts the guest.
    Firmware {
        /// SeaBIOS.
        Bios = "bios",
        /// OVMF.
        Uefi = "uefi",
    }
}

words! {
    /// Where a disk hangs.
    Bus {
        /// Parallel ATA: four drives at most.
        Ide = "ide",
        /// AHCI.
        Sata = "sata",
        /// virtio-scsi.
        Scsi = "scsi",
        /// virtio-blk.
        Virtio = "virtio",
        /// A USB stick.
        Usb = "usb",
    }
}

words! {
    /// Models of NICs, by libvirt's names.
    NicModel {
        /// virtio-net.
        Virtio = "virtio",
        /// Intel 82540EM.
        E1000 = "e1000",
        /// Intel 82574L.
        E1000e = "e1000e",
        /// VMware's paravirtual NIC.
        Vmxnet3 = "vmxnet3",
        /// Realtek 8139.
        Rtl8139 = "rtl8139",
    }
}

words! {
    /// Graphics adapters. Nobody looks at them, yet some boot loaders do not start without one.
    Video {
        /// None.
        None = "none",
        /// QEMU's standard VGA.
        Vga = "vga",
    }
}

/// How a kind's interfaces are counted and named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interfaces {
    /// Name of the management interface; `None` where the first NIC is a data interface already.
    pub management: Option<String>,
    /// NICs of the main VM between management and data that the guest keeps for itself.
    pub dummies: u32,
    /// The part whose NICs they are; `None` for the main VM.
    pub part: Option<String>,
    /// How the n-th data interface is called; the first pattern is the one that is shown.
    pub patterns: Vec<InterfacePattern>,
    /// Data interfaces of a node whose lab does not say how many.
    pub default_count: u32,
    /// Fewest data interfaces that it boots with.
    pub minimum_count: u32,
    /// Most data interfaces.
    pub limit: u32,
    /// Whether they lose their carrier when the node at the other end of a link is off.
    pub carrier: CarrierPolicy,
}

impl Interfaces {
    /// The vendor's name of the data interface `index` (from 1).
    pub fn name(&self, index: u32) -> String {
        self.patterns
            .first()
            .map_or_else(|| format!("eth{index}"), |pattern| pattern.name(index))
    }

    /// The data interface that a name means, from 1: the vendor's name, one of its short forms
    /// (upper and lower case are the same), or `ethN`. The limit is not looked at.
    pub fn index(&self, name: &str) -> Option<u32> {
        let by_vendor = self.patterns.iter().find_map(|pattern| pattern.index(name));
        by_vendor.or_else(|| {
            let number = name.strip_prefix("eth")?;
            let plain = !number.starts_with('0') && number.bytes().all(|b| b.is_ascii_digit());
            number.parse().ok().filter(|_| plain)
        })
    }
}

/// How one sees that a node is up: by the first of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Texts of which one shows on the console when the node is up.
    pub patterns: Vec<String>,
    /// Time since its start after which it counts as up, without hardware acceleration: for kinds
    /// whose console is silent.
    pub after: Option<Duration>,
    /// Whether it counts as up once its SSH port greets as an SSH server does.
    pub ssh: bool,
    /// How long the node may take, without hardware acceleration.
    pub timeout: Duration,
}

/// A login that the image has when it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password; `None` where none is asked for.
    pub password: Option<String>,
}
