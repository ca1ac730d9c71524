//! Kinds of nodes: the list and one of them in full.

use super::diagnostic::{self, DiagnosticJson};
use super::table::{Cell, Table};
use super::{Format, Screen, counted};
use crate::error::CommandError;
use serde::Serialize;
use std::time::Duration;
use vnflab_model::diagnostic::Severity;
use vnflab_model::kind::{
    Automation, Catalogue, CheckedKind, Kind, MediumDevice, Part, Ready, Support,
};
use vnflab_model::span::Sources;

/// All kinds.
pub(crate) fn list(screen: &Screen, catalogue: &Catalogue) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let kinds: Vec<KindJson> = catalogue.kinds().map(|kind| KindJson::new(kind)).collect();
        return screen.json("kinds", KindsJson { kinds });
    }
    let heads = [
        "NAME",
        "TITLE",
        "CPUS",
        "MEMORY",
        "NIC",
        "DISK",
        "INTERFACES",
        "TRIED",
    ];
    let mut table = Table::new(screen.out, &heads).right(2).right(3);
    for kind in catalogue.kinds() {
        let hardware = &kind.hardware;
        table.row([
            Cell::plain(&kind.name),
            Cell::plain(&kind.title),
            Cell::plain(hardware.cpus.to_string()),
            Cell::plain(format!("{} MiB", hardware.memory_mib)),
            Cell::plain(hardware.nic_model.word()),
            Cell::plain(hardware.disk_bus.word()),
            Cell::plain(kind.interfaces.name(1)),
            Cell::plain(support(kind.support)),
        ]);
    }
    screen.write(&table.text())
}

/// One kind.
pub(crate) fn one(screen: &Screen, kind: &Kind) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        return screen.json("kind", KindJson::new(kind));
    }
    let mut text = format!("{}  {}\n\n", screen.out.head(&kind.name), kind.title);
    for (name, value) in facts(kind) {
        text.push_str(&format!("  {name:<18}{}\n", super::clean(&value)));
    }
    for caveat in &kind.caveats {
        text.push_str(&format!("\n  {}\n", super::clean(caveat)));
    }
    screen.write(&text)
}

/// A kind's file that was checked.
pub(crate) fn checked(
    screen: &Screen,
    sources: &Sources,
    path: &str,
    checked: &CheckedKind,
    xml: bool,
) -> Result<(), CommandError> {
    let kind = checked
        .kind
        .as_ref()
        .filter(|_| !checked.found.has_errors());
    if screen.format() == Format::Json {
        let count = |severity| checked.found.count(severity);
        return screen.json(
            "kind-check",
            CheckJson {
                kind: kind.map(|kind| kind.name.as_str()),
                errors: count(Severity::Error),
                warnings: count(Severity::Warning),
                domain_xml: checked.domain_xml.as_deref().filter(|_| xml),
                diagnostics: diagnostic::to_json(sources, &checked.found),
            },
        );
    }
    diagnostic::show(screen, sources, &checked.found);
    if checked.found.has_errors() {
        return Ok(());
    }
    match kind {
        Some(kind) => screen.say(&format!(
            "`{}`: {}, first interface `{}`, no mistakes.",
            kind.name,
            kind.title,
            kind.interfaces.name(1)
        )),
        None => screen.say(&format!(
            "`{path}` is a family that kinds can name, no mistakes."
        )),
    }
    match checked.domain_xml.as_deref().filter(|_| xml) {
        Some(xml) => screen.write(xml),
        None => Ok(()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct CheckJson<'a> {
    kind: Option<&'a str>,
    errors: usize,
    warnings: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_xml: Option<&'a str>,
    diagnostics: Vec<DiagnosticJson<'a>>,
}

/// What users of some kinds should know, told once for each: notes, not mistakes.
pub(crate) fn notes<'k>(screen: &Screen, kinds: impl IntoIterator<Item = &'k Kind>) {
    for kind in kinds {
        for caveat in &kind.caveats {
            screen.say(&format!("note: `{}`: {}", kind.name, super::clean(caveat)));
        }
    }
}

/// What makes a kind count as ready, and how long it may take.
fn ready(ready: &Ready) -> String {
    let patterns: Vec<String> = ready
        .patterns
        .iter()
        .map(|pattern| format!("`{pattern}`"))
        .collect();
    let shows =
        (!patterns.is_empty()).then(|| format!("the console shows {}", patterns.join(" or ")));
    let greets = ready.ssh.then(|| "its SSH port greets".to_owned());
    let passed = |after: Duration| format!("{} s have passed", after.as_secs());
    let signs = [shows, greets, ready.after.map(passed)];
    let signs: Vec<String> = signs.into_iter().flatten().collect();
    format!(
        "{}, within {} s",
        signs.join(", or "),
        ready.timeout.as_secs()
    )
}

/// The facts of a kind as pairs of a name and a text, in the order for people.
pub(crate) fn facts(kind: &Kind) -> Vec<(&'static str, String)> {
    let hardware = &kind.hardware;
    let interfaces = &kind.interfaces;
    let mut facts = vec![
        ("tried", support(kind.support).to_owned()),
        ("source", kind.source.clone()),
        (
            "machine",
            format!("{}, {}", hardware.machine.word(), hardware.firmware.word()),
        ),
        (
            "CPUs",
            format!("{} (at least {})", hardware.cpus, hardware.minimum_cpus),
        ),
        (
            "memory",
            format!(
                "{} MiB (at least {} MiB)",
                hardware.memory_mib, hardware.minimum_memory_mib
            ),
        ),
        (
            "disk, CD-ROM",
            format!(
                "{}, {}",
                hardware.disk_bus.word(),
                hardware.cdrom_bus.word()
            ),
        ),
        ("NICs", hardware.nic_model.word().to_owned()),
        (
            "management",
            interfaces
                .management
                .clone()
                .unwrap_or_else(|| "none of its own".to_owned()),
        ),
        (
            "interfaces",
            format!(
                "{}, {}, ... (at most {})",
                interfaces.name(1),
                interfaces.name(2),
                interfaces.limit
            ),
        ),
        ("day-0", day0(kind)),
        ("ready when", ready(&kind.ready)),
    ];
    let mut optional = |name, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.push((name, value));
        }
    };
    optional("aliases", Some(kind.aliases.join(", ")));
    optional(
        "login",
        kind.login.as_ref().map(|login| match &login.password {
            Some(password) => format!("{} / {password}", login.user),
            None => format!("{}, no password", login.user),
        }),
    );
    optional(
        "day-0 login",
        kind.day0
            .login
            .as_ref()
            .filter(|_| kind.day0.takes_config() || kind.types_configuration())
            .map(|login| {
                let password = login.password.as_deref().unwrap_or("by key");
                format!("{} / {password}", login.user)
            }),
    );
    let automation = &kind.automation;
    optional("SSH login", Some(automation.ssh.word().to_owned()));
    optional("known as", Some(names(automation)));
    optional("checks", Some(kind.recipes.words().join("; ")));
    let switches = hardware.machine_features.iter().map(ToString::to_string);
    optional(
        "machine features",
        Some(switches.collect::<Vec<_>>().join(" ")),
    );
    let cpu = hardware.cpu_model.iter().chain(&hardware.cpu_features);
    optional("CPU", Some(cpu.cloned().collect::<Vec<_>>().join(" ")));
    let disks = hardware.extra_disks.iter();
    let disks = disks.map(|disk| format!("{} MiB on {}", disk.size_mib, disk.bus.word()));
    optional("further disks", Some(disks.collect::<Vec<_>>().join(", ")));
    let fields = hardware.smbios.iter();
    let fields = fields.map(|field| format!("{}.{}={}", field.table, field.field, field.value));
    optional("SMBIOS", Some(fields.collect::<Vec<_>>().join(", ")));
    if hardware.serial_ports > 1 {
        optional(
            "serial ports",
            Some(format!(
                "{}, the first is the console",
                hardware.serial_ports
            )),
        );
    }
    optional("console", console(kind));
    optional(
        "saved by",
        kind.commands
            .save
            .as_ref()
            .map(|save| format!("`{}`", save.run)),
    );
    optional("image names", Some(kind.image_patterns.join(", ")));
    optional("default image", kind.default_image.clone());
    for part in &kind.parts {
        optional("further VM", Some(part_words(part)));
    }
    facts
}

/// What a VM beside the main one is.
fn part_words(part: &Part) -> String {
    let hardware = &part.hardware;
    let mut words = vec![
        format!("`{}`, the {}", part.name, part.title),
        counted(hardware.cpus as usize, "CPU"),
        format!("{} MiB", hardware.memory_mib),
        format!("disk on {}", hardware.disk_bus.word()),
        format!("NICs {}", hardware.nic_model.word()),
        format!(
            "joined by {} to its {}",
            part.internal.main, part.internal.part
        ),
        format!("default image {}", part.default_image),
    ];
    if !part.image_patterns.is_empty() {
        words.push(format!("image names {}", part.image_patterns.join(", ")));
    }
    words.join("; ")
}

/// What can be done on its console.
fn console(kind: &Kind) -> Option<String> {
    let can_exec = !kind.console.prompts.is_empty();
    let typed = kind.provision.as_ref().map(|provision| {
        let steps: Vec<&str> = provision
            .steps
            .iter()
            .map(|step| step.name.as_str())
            .collect();
        let seconds = provision.timeout.as_secs();
        format!(
            "types the configuration: {} (within {seconds} s)",
            steps.join(", ")
        )
    });
    let runs = can_exec.then(|| "runs commands".to_owned());
    let words: Vec<String> = runs.into_iter().chain(typed).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

fn day0(kind: &Kind) -> String {
    let day0 = &kind.day0;
    if kind.types_configuration() {
        return "typed on the console".to_owned();
    }
    let mut words = Vec::new();
    if day0.takes_config() {
        let device = match day0.device {
            MediumDevice::Cdrom => "CD-ROM",
            MediumDevice::Disk => "disk",
            MediumDevice::Usb => "USB stick",
        };
        words.push(format!(
            "{} medium `{}`, a {device}",
            day0.form.word(),
            day0.label
        ));
        words.extend(day0.file.as_ref().map(|file| format!("with `{file}`")));
        words.extend(
            day0.archive
                .as_ref()
                .map(|archive| format!("in `{archive}`")),
        );
    }
    if !day0.smbios.is_empty() {
        let joint = if words.is_empty() { "" } else { "and " };
        words.push(format!("{joint}SMBIOS strings"));
    }
    match words.is_empty() {
        true => "none".to_owned(),
        false => words.join(" "),
    }
}

/// What tools call a kind.
fn names(automation: &Automation) -> String {
    let names = [
        ("Ansible", &automation.ansible_network_os),
        ("Netmiko", &automation.netmiko),
        ("NAPALM", &automation.napalm),
        ("Scrapli", &automation.scrapli),
        ("pyATS", &automation.pyats),
        ("containerlab", &automation.containerlab),
    ];
    let known = names
        .iter()
        .filter_map(|(tool, name)| Some(format!("{} ({tool})", name.as_ref()?)));
    known.collect::<Vec<_>>().join(", ")
}

/// How far a kind was tried, in words.
pub(crate) fn support(support: Support) -> &'static str {
    match support {
        Support::Booted => "booted here",
        Support::PublicFacts => "from public facts",
    }
}

#[derive(Serialize)]
struct KindsJson {
    kinds: Vec<KindJson>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct KindJson {
    name: String,
    title: String,
    aliases: Vec<String>,
    tried: &'static str,
    source: String,
    machine: &'static str,
    firmware: &'static str,
    cpus: u32,
    minimum_cpus: u32,
    memory_mib: u64,
    minimum_memory_mib: u64,
    disk_bus: &'static str,
    cdrom_bus: &'static str,
    nic_model: &'static str,
    management_interface: Option<String>,
    first_interfaces: Vec<String>,
    interface_limit: u32,
    day0_form: &'static str,
    day0_label: String,
    day0_file: Option<String>,
    ready_patterns: Vec<String>,
    ready_after_seconds: Option<u64>,
    ready_by_ssh: bool,
    ready_timeout_seconds: u64,
    login_user: Option<String>,
    login_password: Option<String>,
    automation: AutomationJson,
    image_patterns: Vec<String>,
    default_image: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<PartJson>,
    stand_in: bool,
    checks: Vec<String>,
    caveats: Vec<String>,
}

/// A VM beside the main one.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct PartJson {
    name: String,
    title: String,
    cpus: u32,
    memory_mib: u64,
    internal_interfaces: [String; 2],
    image_patterns: Vec<String>,
    default_image: String,
}

impl PartJson {
    fn new(part: &Part) -> Self {
        Self {
            name: part.name.clone(),
            title: part.title.clone(),
            cpus: part.hardware.cpus,
            memory_mib: part.hardware.memory_mib,
            internal_interfaces: [part.internal.main.clone(), part.internal.part.clone()],
            image_patterns: part.image_patterns.clone(),
            default_image: part.default_image.clone(),
        }
    }
}

impl KindJson {
    fn new(kind: &Kind) -> Self {
        let hardware = &kind.hardware;
        let login = kind.login.as_ref();
        Self {
            name: kind.name.clone(),
            title: kind.title.clone(),
            aliases: kind.aliases.clone(),
            tried: support(kind.support),
            source: kind.source.clone(),
            machine: hardware.machine.word(),
            firmware: hardware.firmware.word(),
            cpus: hardware.cpus,
            minimum_cpus: hardware.minimum_cpus,
            memory_mib: hardware.memory_mib,
            minimum_memory_mib: hardware.minimum_memory_mib,
            disk_bus: hardware.disk_bus.word(),
            cdrom_bus: hardware.cdrom_bus.word(),
            nic_model: hardware.nic_model.word(),
            management_interface: kind.interfaces.management.clone(),
            first_interfaces: (1..=2).map(|index| kind.interfaces.name(index)).collect(),
            interface_limit: kind.interfaces.limit,
            day0_form: kind.day0.form.word(),
            day0_label: kind.day0.label.clone(),
            day0_file: kind.day0.file.clone(),
            ready_patterns: kind.ready.patterns.clone(),
            ready_after_seconds: kind.ready.after.map(|after| after.as_secs()),
            ready_by_ssh: kind.ready.ssh,
            ready_timeout_seconds: kind.ready.timeout.as_secs(),
            login_user: login.map(|login| login.user.clone()),
            login_password: login.and_then(|login| login.password.clone()),
            automation: AutomationJson::new(&kind.automation),
            image_patterns: kind.image_patterns.clone(),
            default_image: kind.default_image.clone(),
            parts: kind.parts.iter().map(PartJson::new).collect(),
            stand_in: kind.stand_in,
            checks: kind.recipes.words(),
            caveats: kind.caveats.clone(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct AutomationJson {
    ssh: &'static str,
    algorithms: &'static str,
    ansible_network_os: Option<String>,
    ansible_connection: String,
    ansible_become: Option<String>,
    netmiko: Option<String>,
    napalm: Option<String>,
    scrapli: Option<String>,
    pyats: Option<String>,
    containerlab: Option<String>,
}

impl AutomationJson {
    fn new(automation: &Automation) -> Self {
        Self {
            ssh: automation.ssh.word(),
            algorithms: automation.algorithms.word(),
            ansible_network_os: automation.ansible_network_os.clone(),
            ansible_connection: automation.ansible_connection.clone(),
            ansible_become: automation.ansible_become.clone(),
            netmiko: automation.netmiko.clone(),
            napalm: automation.napalm.clone(),
            scrapli: automation.scrapli.clone(),
            pyats: automation.pyats.clone(),
            containerlab: automation.containerlab.clone(),
        }
    }
}
