//! A node's first configuration.

use super::{Format, Screen, clean};
use crate::error::CommandError;
use serde::Serialize;
use std::fmt::Write as _;
use vnflab_model::blueprint::{Drive, MediaContent, MediaFilesystem, MediaNaming, NodeBlueprint};
use vnflab_model::kind::Bus;

/// The files of one node, and where they are.
pub(crate) struct Configured<'a> {
    /// The node.
    pub(crate) node: &'a NodeBlueprint,
    /// Its medium, if it gets one.
    pub(crate) medium: Option<(&'a Drive, &'a MediaContent)>,
}

/// Shows all of it.
pub(crate) fn shown(screen: &Screen, configured: &Configured<'_>) -> Result<(), CommandError> {
    match screen.format() {
        Format::Json => screen.json("config", ConfigJson::new(configured)),
        Format::Text => {
            screen.say(&heading(configured));
            screen.write(&files(configured))
        }
    }
}

fn device(drive: &Drive) -> &'static str {
    match (drive.is_cdrom(), drive.bus) {
        (true, _) => "CD-ROM",
        (false, Bus::Usb) => "USB stick",
        (false, _) => "disk",
    }
}

/// Where the files are, in a sentence.
fn heading(configured: &Configured<'_>) -> String {
    let node = &configured.node.node;
    match configured.medium {
        None => format!("`{node}` gets no day-0 medium."),
        Some((drive, medium)) => {
            let archive = match &medium.archive {
                Some(archive) => format!(", packed into `{archive}`"),
                None => String::new(),
            };
            format!(
                "`{node}` gets a {} labelled `{}` ({}){archive}.",
                device(drive),
                medium.label,
                filesystem(medium.filesystem),
            )
        }
    }
}

fn filesystem(filesystem: MediaFilesystem) -> String {
    match filesystem {
        MediaFilesystem::Iso { naming } => match naming {
            MediaNaming::Level1 => "ISO 9660 level 1".to_owned(),
            MediaNaming::Plain => "ISO 9660, upper case names".to_owned(),
            MediaNaming::Extended => "ISO 9660 with Joliet and Rock Ridge".to_owned(),
        },
        MediaFilesystem::Fat {
            size_bytes,
            partitioned,
        } => {
            let partition = if partitioned { ", one partition" } else { "" };
            format!("FAT, {} MiB{partition}", size_bytes / 1024 / 1024)
        }
    }
}

/// Every file under its name, as far as it is text, and what SMBIOS says.
fn files(configured: &Configured<'_>) -> String {
    let mut text = String::new();
    for (table, field, value) in &configured.node.machine.smbios {
        writeln!(text, "SMBIOS {table} {field}: {}", clean(value)).expect("a string takes all");
    }
    let files = configured
        .medium
        .iter()
        .flat_map(|(_, medium)| &medium.files);
    for (path, content) in files {
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("==> {path} <==\n");
        match std::str::from_utf8(content) {
            Ok(content) => text += &lines(content),
            Err(_) => text += &format!("({} bytes that are no text)\n", content.len()),
        }
    }
    text
}

/// A text line by line, so that nothing in it moves the cursor.
fn lines(content: &str) -> String {
    let lines = content.lines().map(|line| {
        let parts: Vec<String> = line.split('\t').map(clean).collect();
        parts.join("\t") + "\n"
    });
    lines.collect()
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ConfigJson<'a> {
    lab: &'a str,
    node: &'a str,
    medium: Option<MediumJson<'a>>,
    smbios: Vec<SmbiosJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct MediumJson<'a> {
    device: &'static str,
    bus: &'static str,
    filesystem: &'static str,
    label: &'a str,
    archive: Option<&'a str>,
    files: Vec<FileJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct FileJson<'a> {
    path: &'a str,
    size_bytes: usize,
    /// Absent where it is no text.
    text: Option<&'a str>,
}

#[derive(Serialize)]
struct SmbiosJson<'a> {
    table: &'a str,
    field: &'a str,
    value: &'a str,
}

impl<'a> ConfigJson<'a> {
    fn new(configured: &Configured<'a>) -> Self {
        let smbios = configured.node.machine.smbios.iter();
        let medium = configured.medium.map(|(drive, medium)| MediumJson {
            device: match (drive.is_cdrom(), drive.bus) {
                (true, _) => "cdrom",
                (false, Bus::Usb) => "usb",
                (false, _) => "disk",
            },
            bus: drive.bus.word(),
            filesystem: match medium.filesystem {
                MediaFilesystem::Iso { .. } => "iso9660",
                MediaFilesystem::Fat { .. } => "fat",
            },
            label: &medium.label,
            archive: medium.archive.as_deref(),
            files: medium
                .files
                .iter()
                .map(|(path, content)| FileJson {
                    path,
                    size_bytes: content.len(),
                    text: std::str::from_utf8(content).ok(),
                })
                .collect(),
        });
        Self {
            lab: &configured.node.lab,
            node: &configured.node.node,
            medium,
            smbios: smbios
                .map(|(table, field, value)| SmbiosJson {
                    table,
                    field,
                    value,
                })
                .collect(),
        }
    }
}
