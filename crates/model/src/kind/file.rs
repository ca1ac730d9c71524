//! The form of a kind's file (`kinds/NAME.yaml`): everything optional but the name, so that a
//! child says only what differs from its parent.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

use crate::blueprint::CarrierPolicy;

use super::automation::AutomationFile;
use super::commands::CommandsFile;
use super::console::ConsoleFile;
use super::day0::Day0File;
use super::hardware as rules;
use super::mistake::{Author, Mistake, Mistakes};
use super::part::{self, PartFile};
use super::provision::ProvisionFile;
use super::recipes::RecipesFile;
use super::{
    Bus, DiskCache, ExtraDisk, Firmware, Hardware, InterfacePattern, Interfaces, Kind, Login,
    Machine, NicModel, Ready, SmbiosField, Support, Video,
};

/// Most interfaces that a kind may claim: more than any VNF has, and few enough to be counted
/// through. What one machine has room for is told when a lab is allocated.
const INTERFACE_LIMIT: u32 = 1000;

/// A kind as it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct KindFile {
    /// The name in lab files.
    pub(super) name: String,
    /// The kind whose facts hold where this file is silent.
    pub(super) parent: Option<String>,
    /// A kind that only serves as a parent is not offered in labs.
    #[serde(default, rename = "abstract")]
    pub(super) is_abstract: bool,
    title: Option<String>,
    aliases: Option<Vec<String>>,
    support: Option<SupportWord>,
    source: Option<String>,
    /// What the main VM is called, where the kind is several.
    part: Option<String>,
    /// The VMs beside the main one, which is what all other keys describe.
    parts: Option<Vec<PartFile>>,
    #[serde(default)]
    hardware: HardwareFile,
    #[serde(default)]
    interfaces: InterfacesFile,
    #[serde(default)]
    day0: Day0File,
    #[serde(default)]
    ready: ReadyFile,
    login: Option<LoginFile>,
    #[serde(default)]
    automation: AutomationFile,
    caveats: Option<Vec<String>>,
    image_patterns: Option<Vec<String>>,
    /// MD5 or SHA-256 in hex.
    image_checksums: Option<Vec<String>>,
    default_image: Option<String>,
    stand_in: Option<bool>,
    /// How its guests are asked whether the network works.
    #[serde(default)]
    pub(super) recipes: RecipesFile,
    /// How one works on its serial console.
    #[serde(default)]
    console: ConsoleFile,
    /// How a first configuration is typed on the console, where no medium brings it.
    provision: Option<ProvisionFile>,
    /// Commands for what we want of any device.
    #[serde(default)]
    commands: CommandsFile,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, schemars::JsonSchema)]
enum SupportWord {
    #[serde(rename = "booted here")]
    Booted,
    #[serde(rename = "from public facts")]
    PublicFacts,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HardwareFile {
    machine: Option<Machine>,
    /// `+FEATURE` or `-FEATURE`, of acpi, apic, pae, smm, hpet, vmport.
    machine_features: Option<Vec<String>>,
    cpu_model: Option<String>,
    cpu_features: Option<Vec<String>>,
    firmware: Option<Firmware>,
    cpus: Option<u32>,
    minimum_cpus: Option<u32>,
    /// Percent of a CPU of the host for each virtual CPU once it is ready, from 1 to 100.
    cpu_limit_percent: Option<u32>,
    memory_mib: Option<u64>,
    minimum_memory_mib: Option<u64>,
    disk_bus: Option<Bus>,
    disk_cache: Option<DiskCache>,
    cdrom_bus: Option<Bus>,
    extra_disks: Option<Vec<ExtraDiskFile>>,
    nic_model: Option<NicModel>,
    /// Table, then field, then text.
    smbios: Option<BTreeMap<String, BTreeMap<String, String>>>,
    serial_ports: Option<u32>,
    video: Option<Video>,
}

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ExtraDiskFile {
    size_mib: u64,
    bus: Bus,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct InterfacesFile {
    management: Option<String>,
    dummies: Option<u32>,
    /// The part whose NICs the data interfaces are; the main VM unless it is said.
    part: Option<String>,
    names: Option<Vec<String>>,
    default_count: Option<u32>,
    minimum_count: Option<u32>,
    limit: Option<u32>,
    /// Whether they lose their carrier when the node at the other end of a link is off.
    carrier: Option<CarrierPolicy>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ReadyFile {
    /// Texts of which one shows on the console.
    pub(super) patterns: Option<Vec<String>>,
    /// Seconds since its start after which it counts as ready whatever the console shows, without
    /// hardware acceleration; in hardware a third.
    pub(super) after_seconds: Option<u64>,
    /// Whether it counts as ready once its SSH port greets as an SSH server does.
    pub(super) ssh: Option<bool>,
    pub(super) timeout_seconds: Option<u64>,
}

/// How long a kind may take that does not say so, in seconds.
const READY_TIMEOUT_SECONDS: u64 = 300;

impl ReadyFile {
    /// `path` is that of the whole section, `default` the texts where none are given.
    pub(super) fn into_ready(self, path: &str, default: &[&str], mistakes: &mut Mistakes) -> Ready {
        let timeout_seconds = self.timeout_seconds.unwrap_or(READY_TIMEOUT_SECONDS);
        if self
            .after_seconds
            .is_some_and(|after| after > timeout_seconds)
        {
            mistakes.add(
                &format!("{path}.after-seconds"),
                format!("its time is over after {timeout_seconds} s already"),
            );
        }
        Ready {
            patterns: self
                .patterns
                .unwrap_or_else(|| default.iter().map(ToString::to_string).collect()),
            after: self.after_seconds.map(Duration::from_secs),
            ssh: self.ssh.unwrap_or(false),
            timeout: Duration::from_secs(timeout_seconds),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LoginFile {
    user: String,
    password: Option<String>,
}

impl From<LoginFile> for Login {
    fn from(file: LoginFile) -> Self {
        Self {
            user: file.user,
            password: file.password,
        }
    }
}

/// SMBIOS fields in a row.
pub(super) fn smbios(
    tables: Option<BTreeMap<String, BTreeMap<String, String>>>,
) -> Vec<SmbiosField> {
    let fields = |(table, fields): (String, BTreeMap<String, String>)| {
        fields.into_iter().map(move |(field, value)| SmbiosField {
            table: table.clone(),
            field,
            value,
        })
    };
    tables
        .unwrap_or_default()
        .into_iter()
        .flat_map(fields)
        .collect()
}

/// The JSON schema of a kind's file, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(KindFile).to_value()
}

/// Fills every field that is empty on the left with the right's.
macro_rules! inherit {
    ($child:expr, $parent:expr, $($($field:ident).+),* $(,)?) => {
        $( if $child.$($field).+.is_none() { $child.$($field).+ = $parent.$($field).+.clone(); } )*
    };
}

impl HardwareFile {
    /// The machine, once everything is inherited. `path` leads to where it is written.
    pub(super) fn into_hardware(self, path: &str, mistakes: &mut Mistakes) -> Hardware {
        let cpus = self.cpus.unwrap_or(1);
        let memory_mib = self.memory_mib.unwrap_or(1024);
        Hardware {
            machine: self.machine.unwrap_or(Machine::Pc),
            machine_features: rules::machine_features(self.machine_features, path, mistakes),
            cpu_model: self.cpu_model,
            cpu_features: self.cpu_features.unwrap_or_default(),
            firmware: self.firmware.unwrap_or(Firmware::Bios),
            cpus,
            minimum_cpus: self.minimum_cpus.unwrap_or(1).min(cpus),
            cpu_limit_percent: self.cpu_limit_percent,
            memory_mib,
            minimum_memory_mib: self.minimum_memory_mib.unwrap_or(64).min(memory_mib),
            disk_bus: self.disk_bus.unwrap_or(Bus::Virtio),
            disk_cache: self.disk_cache,
            cdrom_bus: self.cdrom_bus.unwrap_or(Bus::Ide),
            extra_disks: self
                .extra_disks
                .unwrap_or_default()
                .into_iter()
                .map(|disk| ExtraDisk {
                    size_mib: disk.size_mib,
                    bus: disk.bus,
                })
                .collect(),
            nic_model: self.nic_model.unwrap_or(NicModel::Virtio),
            smbios: smbios(self.smbios),
            serial_ports: self.serial_ports.unwrap_or(1),
            video: self.video.unwrap_or(Video::Vga),
        }
    }
}

impl KindFile {
    /// Fills in what this file leaves to its parent. Names, aliases and image patterns are a
    /// kind's own and are not inherited.
    pub(super) fn inherit(&mut self, parent: &Self) {
        inherit!(
            self,
            parent,
            support,
            source,
            login,
            caveats,
            default_image,
            stand_in,
            part,
            parts,
            hardware.machine,
            hardware.machine_features,
            hardware.cpu_model,
            hardware.cpu_features,
            hardware.firmware,
            hardware.cpus,
            hardware.minimum_cpus,
            hardware.cpu_limit_percent,
            hardware.memory_mib,
            hardware.minimum_memory_mib,
            hardware.disk_bus,
            hardware.disk_cache,
            hardware.cdrom_bus,
            hardware.extra_disks,
            hardware.nic_model,
            hardware.smbios,
            hardware.serial_ports,
            hardware.video,
            interfaces.management,
            interfaces.dummies,
            interfaces.part,
            interfaces.names,
            interfaces.default_count,
            interfaces.minimum_count,
            interfaces.limit,
            interfaces.carrier,
            ready.patterns,
            ready.after_seconds,
            ready.ssh,
            ready.timeout_seconds,
            provision,
        );
        self.day0.inherit(&parent.day0);
        self.automation.inherit(&parent.automation);
        self.console.inherit(&parent.console);
        self.commands.inherit(&parent.commands);
    }

    /// The kind, once everything is inherited.
    ///
    /// # Errors
    ///
    /// Every value that makes no sense.
    pub(super) fn into_kind(self, author: Author) -> Result<Kind, Vec<Mistake>> {
        let mut mistakes = Mistakes::of(author);
        let kind = self.completed(&mut mistakes);
        rules::check(&kind, &mut mistakes);
        let found = mistakes.into_found();
        if found.is_empty() {
            Ok(kind)
        } else {
            Err(found)
        }
    }

    fn completed(self, mistakes: &mut Mistakes) -> Kind {
        let interfaces = self.interfaces;
        let data_part = interfaces
            .part
            .clone()
            .filter(|name| self.part.as_ref() != Some(name));
        let parts = part::parts(
            self.parts,
            &self.name,
            self.part.as_deref(),
            interfaces.part.as_deref(),
            mistakes,
        );
        let names = interfaces
            .names
            .unwrap_or_else(|| vec!["eth{n}".to_owned()]);
        let patterns = names.iter().enumerate().filter_map(|(index, name)| {
            let path = format!("interfaces.names.{index}");
            mistakes.keep(&path, InterfacePattern::parse(name))
        });
        let patterns: Vec<_> = patterns.collect();
        let limit = interfaces.limit.unwrap_or(25).min(INTERFACE_LIMIT);
        let hardware = self.hardware.into_hardware("hardware", mistakes);
        let day0 = self.day0.into_day0(&hardware, mistakes);
        Kind {
            title: self.title.unwrap_or_else(|| self.name.clone()),
            name: self.name,
            aliases: self.aliases.unwrap_or_default(),
            support: match self.support {
                Some(SupportWord::Booted) => Support::Booted,
                Some(SupportWord::PublicFacts) | None => Support::PublicFacts,
            },
            source: self.source.unwrap_or_default(),
            main_part: self.part,
            hardware,
            parts,
            interfaces: Interfaces {
                part: data_part,
                management: interfaces.management,
                dummies: interfaces.dummies.unwrap_or(0).min(rules::DUMMY_LIMIT),
                patterns,
                default_count: interfaces.default_count.unwrap_or(4).min(limit),
                minimum_count: interfaces.minimum_count.unwrap_or(0).min(INTERFACE_LIMIT),
                limit,
                carrier: interfaces.carrier.unwrap_or_default(),
            },
            day0,
            ready: self.ready.into_ready("ready", &["login:"], mistakes),
            login: self.login.map(Login::from),
            automation: self.automation.into_automation(mistakes),
            caveats: self.caveats.unwrap_or_default(),
            image_patterns: self.image_patterns.unwrap_or_default(),
            image_checksums: rules::checksums(self.image_checksums, "", mistakes),
            default_image: self.default_image,
            stand_in: self.stand_in.unwrap_or(false),
            recipes: self.recipes.into_recipes(mistakes),
            console: self.console.into_console(mistakes),
            provision: self
                .provision
                .map(|provision| provision.into_provision(mistakes)),
            commands: self.commands.into_commands(mistakes),
        }
    }
}
