//! The facts that we take from XML: libvirt's descriptions, and ours before libvirt sees them.
//!
//! Only reads. The XML that we write is the model's.

use super::{DriverError, ObjectKind};
use ipnet::Ipv4Net;
use roxmltree::{Document, Node};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use vnflab_model::blueprint::{Carrier, Lease, NetworkBlueprint};
use vnflab_model::record::{NAMESPACE, NodeRecord, RecordError, network_from_xml};
use vnflab_model::typing::{self, Typing, with_typing};

/// What a domain's or network's metadata say of its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership<T> {
    /// It carries our record.
    Ours(T),
    /// It carries a record of ours that we cannot read.
    Unreadable(String),
    /// It carries no record of ours.
    Foreign,
}

impl<T> Ownership<T> {
    fn new(xml: &str, read: impl Fn(&str) -> Result<T, RecordError>) -> Self {
        if !xml.contains(NAMESPACE) {
            return Self::Foreign;
        }
        match read(xml) {
            Ok(record) => Self::Ours(record),
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }

    /// The record, or the error that says why there is none.
    pub(crate) fn require(self, kind: ObjectKind, name: &str) -> Result<T, DriverError> {
        let name = name.to_owned();
        match self {
            Self::Ours(record) => Ok(record),
            Self::Unreadable(reason) => Err(DriverError::Record { kind, name, reason }),
            Self::Foreign => Err(DriverError::Foreign { kind, name }),
        }
    }
}

/// Whose domain it is, from the element that libvirt gives when asked for our namespace. It
/// leaves that namespace out of its answer.
#[cfg(feature = "libvirt")]
pub(crate) fn metadata_ownership(element: &str) -> Ownership<NodeRecord> {
    let element = element.trim_start();
    let end = element
        .find(|character: char| character.is_whitespace() || "/>".contains(character))
        .unwrap_or(element.len());
    let (tag, rest) = element.split_at(end);
    domain_ownership(&format!("{tag} xmlns=\"{NAMESPACE}\"{rest}"))
}

/// Whose domain it is, from its whole description.
pub fn domain_ownership(xml: &str) -> Ownership<NodeRecord> {
    Ownership::new(xml, NodeRecord::from_xml)
}

/// Whose network it is, from its whole description.
pub fn network_ownership(xml: &str) -> Ownership<NetworkBlueprint> {
    Ownership::new(xml, network_from_xml)
}

fn parse(xml: &str, kind: ObjectKind) -> Result<Document<'_>, DriverError> {
    Document::parse(xml).map_err(|error| DriverError::Description {
        kind,
        reason: error.to_string(),
    })
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn text_of(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name)?.text().map(str::to_owned)
}

/// The name in a description of a domain, network, pool or volume.
///
/// # Errors
///
/// When it is not well-formed or has none.
pub fn object_name(xml: &str, kind: ObjectKind) -> Result<String, DriverError> {
    let document = parse(xml, kind)?;
    text_of(document.root_element(), "name").ok_or_else(|| DriverError::Description {
        kind,
        reason: "it has no name".to_owned(),
    })
}

/// The same description with this UUID.
///
/// libvirt refuses a definition whose name is taken by an object of another UUID; with the UUID
/// of the object that has the name, it defines that one anew.
#[cfg(feature = "libvirt")]
pub(crate) fn with_uuid(xml: &str, kind: ObjectKind, uuid: &str) -> Result<String, DriverError> {
    let document = parse(xml, kind)?;
    let root = document.root_element();
    let replaced = match (child(root, "uuid"), child(root, "name")) {
        (Some(old), _) => old.range(),
        (None, Some(name)) => name.range().end..name.range().end,
        (None, None) => return Ok(xml.to_owned()),
    };
    let (before, after) = (&xml[..replaced.start], &xml[replaced.end..]);
    Ok(format!("{before}<uuid>{uuid}</uuid>{after}"))
}

/// The carrier of each interface in a description of a domain, by MAC address.
///
/// # Errors
///
/// When it is not well-formed.
pub fn interface_carriers(xml: &str) -> Result<BTreeMap<String, Carrier>, DriverError> {
    let document = parse(xml, ObjectKind::Domain)?;
    let nodes = document.descendants();
    let interfaces = nodes.filter(|node| node.has_tag_name("interface"));
    let carriers = interfaces.filter_map(|interface| {
        let state = child(interface, "link").and_then(|link| link.attribute("state"));
        let carrier = match state {
            Some("down") => Carrier::Down,
            _ => Carrier::Up,
        };
        let mac = child(interface, "mac")?.attribute("address")?;
        Some((mac.to_owned(), carrier))
    });
    Ok(carriers.collect())
}

/// Percent of a CPU of the host that each virtual CPU may take by a description of a domain;
/// `None` for no limit.
///
/// # Errors
///
/// When it is not well-formed.
#[cfg(feature = "libvirt")]
pub(crate) fn cpu_limit_percent(xml: &str) -> Result<Option<u32>, DriverError> {
    let document = parse(xml, ObjectKind::Domain)?;
    let Some(tuning) = child(document.root_element(), "cputune") else {
        return Ok(None);
    };
    let number = |name: &str| text_of(tuning, name)?.trim().parse::<i64>().ok();
    // A quota that is not positive is none.
    let percent = match (number("quota"), number("period")) {
        (Some(quota @ 1..), Some(period @ 1..)) => quota.saturating_mul(100) / period,
        _ => return Ok(None),
    };
    Ok(u32::try_from(percent).ok())
}

/// The interface with this MAC address in a description of a domain: where it stands, and how it
/// reads with the carrier; `None` when there is none.
///
/// # Errors
///
/// When it is not well-formed.
pub(crate) fn interface_with_carrier(
    xml: &str,
    mac: &str,
    carrier: Carrier,
) -> Result<Option<(Range<usize>, String)>, DriverError> {
    let document = parse(xml, ObjectKind::Domain)?;
    let has_mac = |interface: &Node<'_, '_>| {
        child(*interface, "mac")
            .and_then(|mac| mac.attribute("address"))
            .is_some_and(|address| address.eq_ignore_ascii_case(mac))
    };
    let mut nodes = document.descendants();
    let found = nodes.find(|node| node.has_tag_name("interface") && has_mac(node));
    let (Some(interface), Some(mac)) = (found, found.and_then(|node| child(node, "mac"))) else {
        return Ok(None);
    };
    let whole = interface.range();
    let state = match carrier {
        Carrier::Up => "up",
        Carrier::Down => "down",
    };
    let link = format!("<link state='{state}'/>");
    let old = child(interface, "link").map_or(mac.range().end..mac.range().end, |old| old.range());
    let (before, after) = (&xml[whole.start..old.start], &xml[old.end..whole.end]);
    Ok(Some((whole, format!("{before}{link}{after}"))))
}

/// How far the typing on a domain's console is, by its description.
///
/// # Errors
///
/// When it is not well-formed.
pub(crate) fn typing_of(xml: &str) -> Result<Option<Typing>, DriverError> {
    let document = parse(xml, ObjectKind::Domain)?;
    let element = typing_element(&document);
    Ok(element.and_then(|node| Typing::from_text(node.text().unwrap_or_default())))
}

fn typing_element<'a, 'input>(document: &'a Document<'input>) -> Option<Node<'a, 'input>> {
    let mut nodes = document.descendants();
    nodes.find(|node| node.tag_name().namespace() == Some(typing::NAMESPACE))
}

/// The same description that says how far the typing is, or nothing of it.
///
/// # Errors
///
/// When it is not well-formed.
pub(crate) fn noting_typing(xml: &str, typing: Option<&Typing>) -> Result<String, DriverError> {
    let document = parse(xml, ObjectKind::Domain)?;
    let old = typing_element(&document).map_or(0..0, |old| old.range());
    let without = format!("{}{}", &xml[..old.start], &xml[old.end..]);
    Ok(match typing {
        Some(typing) => with_typing(&without, typing),
        None => without,
    })
}

/// The same description with another record of ours.
///
/// # Errors
///
/// When it is not well-formed or carries none.
pub(crate) fn with_record(xml: &str, record: &NodeRecord) -> Result<String, DriverError> {
    let document = parse(xml, ObjectKind::Domain)?;
    let mut nodes = document.descendants();
    let ours = nodes.find(|node| node.tag_name().namespace() == Some(NAMESPACE));
    let Some(ours) = ours.map(|node| node.range()) else {
        return Err(DriverError::Description {
            kind: ObjectKind::Domain,
            reason: "it has no record".to_owned(),
        });
    };
    let (before, after) = (&xml[..ours.start], &xml[ours.end..]);
    Ok(format!("{before}{}{after}", record.to_xml()))
}

/// What a network's description says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    /// Its bridge, if it has one.
    pub bridge: Option<String>,
    /// Its IPv4 subnets.
    pub subnets: Vec<Ipv4Net>,
    /// Its DHCP leases, fixed by MAC address.
    pub leases: Vec<Lease>,
}

/// Reads a network's description.
///
/// # Errors
///
/// When it is not well-formed.
pub fn network_facts(xml: &str) -> Result<NetworkFacts, DriverError> {
    let document = parse(xml, ObjectKind::Network)?;
    let root = document.root_element();
    let bridge = child(root, "bridge").and_then(|bridge| bridge.attribute("name"));
    let mut facts = NetworkFacts {
        bridge: bridge.map(str::to_owned),
        ..NetworkFacts::default()
    };
    for ip in root.children().filter(|child| child.has_tag_name("ip")) {
        facts.subnets.extend(subnet(ip));
        let hosts = child(ip, "dhcp")
            .into_iter()
            .flat_map(|dhcp| dhcp.children());
        facts.leases.extend(
            hosts
                .filter(|host| host.has_tag_name("host"))
                .filter_map(lease),
        );
    }
    let dns = child(root, "dns")
        .into_iter()
        .flat_map(|dns| dns.children());
    let names: Vec<(String, Ipv6Addr)> = dns
        .filter(|host| host.has_tag_name("host"))
        .filter_map(|host| {
            Some((
                text_of(host, "hostname")?,
                host.attribute("ip")?.parse().ok()?,
            ))
        })
        .collect();
    for lease in &mut facts.leases {
        let name = names.iter().find(|(name, _)| *name == lease.name);
        lease.ipv6 = name.map(|(_, address)| *address);
    }
    Ok(facts)
}

fn subnet(ip: Node<'_, '_>) -> Option<Ipv4Net> {
    let address: Ipv4Addr = ip.attribute("address")?.parse().ok()?;
    let net = match (ip.attribute("prefix"), ip.attribute("netmask")) {
        (Some(prefix), _) => Ipv4Net::new(address, prefix.parse().ok()?).ok()?,
        (None, Some(mask)) => Ipv4Net::with_netmask(address, mask.parse().ok()?).ok()?,
        (None, None) => return None,
    };
    Some(net.trunc())
}

fn lease(host: Node<'_, '_>) -> Option<Lease> {
    Some(Lease {
        mac: host.attribute("mac")?.to_owned(),
        address: host.attribute("ip")?.parse().ok()?,
        name: host.attribute("name").unwrap_or_default().to_owned(),
        ipv6: None,
    })
}

/// Text that is safe in an attribute or between tags.
#[cfg(feature = "libvirt")]
pub(crate) fn escape(text: &str) -> std::borrow::Cow<'_, str> {
    quick_xml::escape::escape(text)
}

/// What a volume's description says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VolumeFacts {
    /// Its absolute path on the host.
    pub path: String,
    /// Size that the guest sees, in bytes.
    pub capacity_bytes: u64,
    /// Size that it takes up, in bytes.
    pub allocation_bytes: u64,
    /// Path of the image that it lies on.
    pub backing_path: Option<String>,
}

/// Reads a volume's description.
///
/// # Errors
///
/// When it is not well-formed.
pub fn volume_facts(xml: &str) -> Result<VolumeFacts, DriverError> {
    let document = parse(xml, ObjectKind::Volume)?;
    let root = document.root_element();
    let bytes = |name: &str| {
        text_of(root, name)
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or(0)
    };
    let path_in = |name: &str| child(root, name).and_then(|node| text_of(node, "path"));
    Ok(VolumeFacts {
        path: path_in("target").unwrap_or_default(),
        capacity_bytes: bytes("capacity"),
        allocation_bytes: bytes("allocation"),
        backing_path: path_in("backingStore").filter(|path| !path.is_empty()),
    })
}

/// The type and folder of a pool.
///
/// # Errors
///
/// When the description is not well-formed.
#[cfg(feature = "libvirt")]
pub(crate) fn pool_facts(xml: &str) -> Result<(String, Option<String>), DriverError> {
    let document = parse(xml, ObjectKind::Volume)?;
    let root = document.root_element();
    let kind = root.attribute("type").unwrap_or_default().to_owned();
    let path = child(root, "target").and_then(|target| text_of(target, "path"));
    Ok((kind, path))
}

/// Paths of all files that a domain's drives lie on, down to the last backing file.
///
/// # Errors
///
/// When it is not well-formed.
pub fn domain_files(xml: &str) -> Result<Vec<String>, DriverError> {
    let document = parse(xml, ObjectKind::Domain)?;
    let sources = document
        .descendants()
        .filter(|node| node.has_tag_name("disk"))
        .flat_map(|disk| disk.descendants())
        .filter(|node| node.has_tag_name("source"));
    Ok(sources
        .filter_map(|source| source.attribute("file").or(source.attribute("dev")))
        .map(str::to_owned)
        .collect())
}
