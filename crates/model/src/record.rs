//! What domains and networks carry in their libvirt metadata.
//!
//! One element of our own namespace: attributes for people who look with other tools, and the
//! blueprint as JSON for us. From these records alone the state of every lab can be rebuilt.

use crate::blueprint::{NetworkBlueprint, NodeBlueprint};
use quick_xml::escape::escape;
use quick_xml::events::Event;
use serde::de::DeserializeOwned;

/// Namespace of our metadata elements.
pub const NAMESPACE: &str = "https://vnflab.dev/xmlns/lab";

/// Prefix that goes with it.
pub const PREFIX: &str = "vnflab";

/// Version of the form. A record of a later version is not read.
pub const VERSION: u32 = 2;

/// Version of what has no part: programs of that version need not know that there are any.
const WITHOUT_PARTS: u32 = 1;

/// What a domain carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRecord {
    /// The file or folder that the lab came from, as an absolute path.
    pub source: String,
    /// What the domain was made from.
    pub blueprint: NodeBlueprint,
}

/// Why a metadata element cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not the XML that we write.
    #[error("the metadata is not well-formed: {0}")]
    Form(String),
    /// Written by a later version of this program.
    #[error("the metadata is of version {0}, this program knows {VERSION}")]
    Version(u32),
    /// The JSON in it is not what we write.
    #[error("the recorded blueprint cannot be read: {0}")]
    Blueprint(String),
}

impl NodeRecord {
    /// The metadata element.
    pub fn to_xml(&self) -> String {
        let tag = format!("{PREFIX}:node");
        self.element(&tag, &format!(" xmlns:{PREFIX}=\"{NAMESPACE}\""))
    }

    /// The metadata element without its namespace, as libvirt takes it when it is told the
    /// namespace besides.
    pub fn to_bare_xml(&self) -> String {
        self.element("node", "")
    }

    fn element(&self, tag: &str, namespace: &str) -> String {
        let NodeBlueprint {
            lab, node, kind, ..
        } = &self.blueprint;
        let version = match self.blueprint.part {
            Some(_) => VERSION,
            None => WITHOUT_PARTS,
        };
        let json = serde_json::to_string(&self.blueprint).expect("string keys, no foreign types");
        format!(
            "<{tag}{namespace} version=\"{version}\" lab=\"{}\" name=\"{}\" kind=\"{}\" source=\"{}\">{}</{tag}>",
            escape(lab),
            escape(node),
            escape(kind),
            escape(&self.source),
            escape(&json),
        )
    }

    /// Reads the element back.
    ///
    /// # Errors
    ///
    /// When it is not ours, of a later version, or damaged.
    pub fn from_xml(xml: &str) -> Result<Self, RecordError> {
        let element = read_element(xml)?;
        let blueprint = element.json()?;
        Ok(Self {
            source: element.source,
            blueprint,
        })
    }
}

/// The metadata element of a network.
pub fn network_to_xml(network: &NetworkBlueprint) -> String {
    let json = serde_json::to_string(network).expect("string keys, no foreign types");
    format!(
        "<{PREFIX}:network xmlns:{PREFIX}=\"{NAMESPACE}\" version=\"{WITHOUT_PARTS}\" lab=\"{}\">{}</{PREFIX}:network>",
        escape(&network.lab),
        escape(&json),
    )
}

/// Reads a network's metadata element.
///
/// # Errors
///
/// When it is not ours, of a later version, or damaged.
pub fn network_from_xml(xml: &str) -> Result<NetworkBlueprint, RecordError> {
    read_element(xml)?.json()
}

/// Our element, as far as both kinds of record share it.
struct Element {
    source: String,
    text: String,
}

impl Element {
    fn json<T: DeserializeOwned>(&self) -> Result<T, RecordError> {
        serde_json::from_str(&self.text).map_err(|error| RecordError::Blueprint(error.to_string()))
    }
}

/// Finds our element wherever it stands in `xml`, be it the element alone or a whole document.
///
/// libvirt hands metadata out with or without our prefix, so only the local name is looked at
/// together with the namespace.
fn read_element(xml: &str) -> Result<Element, RecordError> {
    let form = |error: &dyn std::fmt::Display| RecordError::Form(error.to_string());
    let mut reader = quick_xml::NsReader::from_str(xml);
    let mut found: Option<Element> = None;
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(|error| form(&error))?;
        let ours = matches!(
            namespace,
            quick_xml::name::ResolveResult::Bound(quick_xml::name::Namespace(name))
                if name == NAMESPACE.as_bytes()
        );
        match event {
            Event::Start(start) if ours && found.is_none() => {
                let attribute = |name: &str| -> Result<Option<String>, RecordError> {
                    let attribute = start
                        .try_get_attribute(name)
                        .map_err(|error| form(&error))?;
                    attribute
                        .map(|value| value.unescape_value().map(std::borrow::Cow::into_owned))
                        .transpose()
                        .map_err(|error| form(&error))
                };
                let version = attribute("version")?.and_then(|text| text.parse().ok());
                match version {
                    Some(WITHOUT_PARTS..=VERSION) => {}
                    Some(later) => return Err(RecordError::Version(later)),
                    None => return Err(RecordError::Form("no version".to_owned())),
                }
                let source = attribute("source")?.unwrap_or_default();
                found = Some(Element {
                    source,
                    text: String::new(),
                });
            }
            Event::Text(text) => {
                if let Some(element) = &mut found {
                    element
                        .text
                        .push_str(&text.decode().map_err(|error| form(&error))?);
                }
            }
            Event::GeneralRef(reference) => {
                if let Some(element) = &mut found {
                    element.text.push(resolve_reference(&reference)?);
                }
            }
            Event::End(_) if ours => {
                return found.ok_or_else(|| RecordError::Form("no element of ours".to_owned()));
            }
            Event::Eof => return Err(RecordError::Form("no element of ours".to_owned())),
            _ => {}
        }
    }
}

/// The character that `&name;` or `&#number;` stands for.
fn resolve_reference(reference: &quick_xml::events::BytesRef<'_>) -> Result<char, RecordError> {
    let unknown = || RecordError::Form("an unknown character reference".to_owned());
    if let Some(character) = reference.resolve_char_ref().map_err(|_| unknown())? {
        return Ok(character);
    }
    let name = reference.decode().map_err(|_| unknown())?;
    let text = quick_xml::escape::resolve_predefined_entity(&name).ok_or_else(unknown)?;
    text.chars().next().ok_or_else(unknown)
}
