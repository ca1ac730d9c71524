//! What is on a node's day-0 medium: its first configuration, in the form that its guest reads.
//!
//! # Theory of operation
//!
//! 1. The lab's `startup-config` is taken as it is, or rendered where it is a template.
//! 2. The kind's template of what management needs (host name, user, SSH key, address) is
//!    rendered, unless the node wants none of it.
//! 3. Both become the configuration file: by the kind's `document` template, else one behind the
//!    other, ours first, so that what the user writes has the last word.
//! 4. The file goes onto a medium in the form of the kind, with whatever stands beside it there.
//!
//! Everything follows from the request: equal requests give equal bytes, and a digest tells a
//! medium from the one that was made before.

mod config_drive;
mod context;
mod frr;
mod nocloud;
mod template;

use crate::blueprint::{MediaContent, MediaFilesystem, MediaNaming, Nic};
use crate::hash;
use crate::kind::{Day0, MediaForm, MediaNames, MediumDevice};
use crate::lab::Node;
use ipnet::{Ipv4Net, Ipv6Net};
use minijinja::Value;
use std::net::{IpAddr, Ipv4Addr};

pub use template::{TemplateError, mistake as template_mistake};

/// User that is made where the kind ships no login.
pub const CLOUD_USER: &str = "admin";

/// The configuration that a lab gives to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Startup {
    /// Its text.
    pub text: String,
    /// Its path, if it is a template.
    pub template: Option<String>,
}

impl Startup {
    /// How the name of a template ends.
    pub const TEMPLATE_ENDING: &'static str = ".j2";

    /// A text from a file, which is a template if its name says so.
    pub fn from_file(path: &str, text: String) -> Self {
        let template = path
            .ends_with(Self::TEMPLATE_ENDING)
            .then(|| path.to_owned());
        Self { text, template }
    }

    /// A text that is no template.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            template: None,
        }
    }
}

/// The addresses that a node has on its management interface, as far as they are known beforehand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ManagementAddresses {
    /// In IPv4.
    pub ipv4: Option<ManagementAddress<Ipv4Net>>,
    /// In IPv6.
    pub ipv6: Option<ManagementAddress<Ipv6Net>>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagementAddress<Net> {
    /// The address in its network.
    pub net: Net,
    /// The way out, if there is one.
    pub gateway: Option<IpAddr>,
}

/// Everything that a first configuration follows from.
#[derive(Debug, Clone, Copy)]
pub struct Day0Request<'a> {
    /// The lab's name.
    pub lab: &'a str,
    /// The lab's own values for templates.
    pub variables: &'a serde_json::Map<String, serde_json::Value>,
    /// The node.
    pub node: &'a Node,
    /// Its number in the lab, from 1.
    pub number: u32,
    /// The configuration that the lab gives, if it does.
    pub startup_config: Option<&'a Startup>,
    /// The node's NICs, with their addresses.
    pub nics: &'a [Nic],
    /// The loopback address that a generated configuration uses.
    pub loopback: Ipv4Addr,
    /// Its management addresses.
    pub management: ManagementAddresses,
    /// Public SSH keys that may log in.
    pub authorized_keys: &'a [String],
}

/// A medium and what tells it from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day0Medium {
    /// What is on it.
    pub content: MediaContent,
    /// SHA-256 over label, form and files, in hex.
    pub digest: String,
    /// The digest that it would have if nothing were linked.
    pub digest_without_links: String,
}

/// The medium for a node; `None` where its guest takes none, there is nothing to say, or the lab
/// brings a medium that is ready.
///
/// # Errors
///
/// When a template cannot be rendered.
pub fn medium(request: &Day0Request<'_>) -> Result<Option<Day0Medium>, TemplateError> {
    let Some(content) = content(request)? else {
        return Ok(None);
    };
    let unlinked: Vec<Nic> = request.nics.iter().map(Nic::without_link).collect();
    let without_links = self::content(&Day0Request {
        nics: &unlinked,
        ..*request
    });
    // A template may well insist on a link; then every change of one is a change of the medium.
    let digest_without_links = match without_links {
        Ok(Some(content)) => digest(&content),
        Ok(None) | Err(_) => String::new(),
    };
    Ok(Some(Day0Medium {
        digest: digest(&content),
        digest_without_links,
        content,
    }))
}

/// The SMBIOS fields of a node: those of its hardware, and over them those of its first
/// configuration.
///
/// # Errors
///
/// When a template cannot be rendered.
pub fn smbios(request: &Day0Request<'_>) -> Result<Vec<(String, String, String)>, TemplateError> {
    let node = request.node;
    let hardware = node.kind.hardware.smbios.iter();
    let mut fields: Vec<(String, String, String)> = hardware
        .map(|one| (one.table.clone(), one.field.clone(), one.value.clone()))
        .collect();
    let own = &node.guest.day0.smbios;
    if own.is_empty() {
        return Ok(fields);
    }
    let facts = parts(request)?.facts;
    for field in own {
        let key = format!("day0.smbios.{}.{}", field.table, field.field);
        let value = template::render(&of_kind(node, &key), &field.value, &facts)?;
        // One line: a table of SMBIOS has no other.
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        let same = fields
            .iter_mut()
            .find(|(table, name, _)| (table, name) == (&field.table, &field.field));
        match same {
            Some(old) => old.2 = value,
            None => fields.push((field.table.clone(), field.field.clone(), value)),
        }
    }
    Ok(fields)
}

/// What goes into a medium, rendered.
struct Parts {
    /// The lab's own configuration.
    config: Option<String>,
    /// What management needs; empty where nothing is generated.
    management: String,
    /// The facts for templates, with the two above.
    facts: Value,
}

fn parts(request: &Day0Request<'_>) -> Result<Parts, TemplateError> {
    let node = request.node;
    let facts = context::facts(request);
    let config = match request.startup_config {
        None => None,
        Some(Startup {
            text,
            template: None,
        }) => Some(text.clone()),
        Some(Startup {
            text,
            template: Some(path),
        }) => Some(template::render(path, text, &facts)?),
    };
    let template = node.guest.day0.management.as_ref();
    let management = match template.filter(|_| node.management_config) {
        None => String::new(),
        Some(text) => template::render(&of_kind(node, "day0.management"), text, &facts)?,
    };
    let facts = minijinja::context! {
        management_config => with_newline(management.clone()),
        config => with_newline(config.clone().unwrap_or_default()),
        ..facts
    };
    Ok(Parts {
        config,
        management,
        facts,
    })
}

/// The whole configuration file; `None` where there is nothing to say.
fn document(request: &Day0Request<'_>, parts: &Parts) -> Result<Option<String>, TemplateError> {
    let node = request.node;
    if parts.config.is_none() && parts.management.is_empty() {
        return Ok(None);
    }
    let text = match &node.guest.day0.document {
        Some(document) => {
            template::render(&of_kind(node, "day0.document"), document, &parts.facts)?
        }
        // A configuration alone stays as it is, to the last byte.
        None if parts.management.is_empty() => parts.config.clone().unwrap_or_default(),
        None => {
            let config = parts.config.clone().unwrap_or_default();
            with_newline(parts.management.clone()) + &config
        }
    };
    Ok(Some(text))
}

fn with_newline(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// What a template of a kind is called in messages.
fn of_kind(node: &Node, key: &str) -> String {
    format!("{}.yaml: {key}", node.guest.name)
}

fn content(request: &Day0Request<'_>) -> Result<Option<MediaContent>, TemplateError> {
    let (node, day0) = (request.node, &request.node.guest.day0);
    // A medium that the user made takes the place of ours.
    if node.config_medium.is_some() || day0.form == MediaForm::None {
        return Ok(None);
    }
    let parts = parts(request)?;
    let mut files = match day0.form {
        MediaForm::None => return Ok(None),
        MediaForm::Iso | MediaForm::Fat => match (document(request, &parts)?, &day0.file) {
            (Some(text), Some(file)) => vec![(file.clone(), text.into_bytes())],
            _ if day0.files.is_empty() => return Ok(None),
            _ => Vec::new(),
        },
        MediaForm::Nocloud => nocloud::files(request, &parts)?,
        MediaForm::ConfigDrive => config_drive::files(request, &parts)?,
    };
    for (path, text) in &day0.files {
        let key = format!("day0.files.{path}");
        let text = template::render(&of_kind(node, &key), text, &parts.facts)?;
        files.retain(|(other, _)| other != path);
        files.push((path.clone(), text.into_bytes()));
    }
    files.sort();
    Ok(Some(MediaContent {
        filesystem: filesystem(day0),
        label: day0.label.clone(),
        archive: day0.archive.clone(),
        files,
    }))
}

fn filesystem(day0: &Day0) -> MediaFilesystem {
    match day0.device {
        MediumDevice::Cdrom => MediaFilesystem::Iso {
            naming: match day0.names {
                MediaNames::Level1 => MediaNaming::Level1,
                MediaNames::Long => MediaNaming::Plain,
                MediaNames::Extended => MediaNaming::Extended,
            },
        },
        MediumDevice::Disk | MediumDevice::Usb => MediaFilesystem::Fat {
            size_bytes: u64::from(day0.size_mib) * 1024 * 1024,
            partitioned: day0.partitioned,
        },
    }
}

/// The configuration that is typed on the console of a node; `None` where a medium brings it.
///
/// # Errors
///
/// When a template cannot be rendered.
pub fn typed(request: &Day0Request<'_>) -> Result<Option<String>, TemplateError> {
    if !request.node.guest.types_configuration() {
        return Ok(None);
    }
    let text = document(request, &parts(request)?)?;
    Ok(Some(text.unwrap_or_default()))
}

fn digest(content: &MediaContent) -> String {
    // Names on a CD-ROM follow from the kind, and were never part of it.
    let form = match content.filesystem {
        MediaFilesystem::Iso { .. } => None,
        MediaFilesystem::Fat {
            size_bytes,
            partitioned,
        } => Some(format!("fat {size_bytes} {partitioned}")),
    };
    let mut parts: Vec<&[u8]> = vec![content.label.as_bytes()];
    parts.extend(form.as_ref().map(|form| form.as_bytes()));
    parts.extend(content.archive.as_ref().map(|archive| archive.as_bytes()));
    for (path, bytes) in &content.files {
        parts.push(path.as_bytes());
        parts.push(bytes);
    }
    hash::hex_digest(&parts)
}

/// Whether the generated configuration makes the user that SSH logs in as.
pub fn makes_user(node: &Node) -> bool {
    let day0 = &node.guest.day0;
    let is_cloud = matches!(day0.form, MediaForm::Nocloud | MediaForm::ConfigDrive);
    let by_cloud = is_cloud && day0.document.is_none() && node.management_config;
    node.guest.login.is_none() && (by_cloud || node.has_management_config())
}
