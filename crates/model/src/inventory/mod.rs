//! A lab's nodes, as other programs want them listed.
//!
//! Pure: an [`Inventory`] comes from the records of nodes and from their kinds, a [`Format`] makes
//! text of it. What a kind does not say of a program (`automation:` in its file) is left out.
//!
//! Passwords stand in an inventory only where a kind's SSH server takes nothing else: they are
//! those that the vendor ships, which everybody knows.

mod ansible;
mod containerlab;
mod hosts;
mod nornir;
mod pyats;
mod ssh_config;

use crate::blueprint::{Access, Attachment, Nic, NicRole, NodeBlueprint};
use crate::kind::{Algorithms, Automation, Kind, SshLogin};
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::path::Path;

pub use hosts::hosts;
pub use ssh_config::{Names, ssh_config};

/// Port of SSH servers where nothing is forwarded (RFC 4253, section 4.1).
pub const SSH_PORT: u16 = 22;

/// Options for servers that know only what clients no longer offer by themselves: SHA-1, CBC and
/// RSA host keys, as of routers of the last decade. They are offered last.
pub const LEGACY_OPTIONS: [(&str, &str); 4] = [
    (
        "KexAlgorithms",
        "+diffie-hellman-group14-sha1,diffie-hellman-group-exchange-sha1,diffie-hellman-group1-sha1",
    ),
    ("HostKeyAlgorithms", "+ssh-rsa"),
    ("PubkeyAcceptedKeyTypes", "+ssh-rsa"),
    ("Ciphers", "+aes128-cbc,aes192-cbc,aes256-cbc,3des-cbc"),
];

/// The nodes of a lab, and what this user logs in to them with.
#[derive(Debug, Clone)]
pub struct Inventory<'a> {
    /// The lab's name.
    pub lab: &'a str,
    /// Its nodes, in their order.
    pub members: Vec<Member<'a>>,
    /// File of the user's private key.
    pub key: &'a Path,
    /// File of the lab's host keys.
    pub known_hosts: &'a Path,
}

/// A node and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// What it was made from.
    pub node: &'a NodeBlueprint,
    /// The kind whose guest boots, where it is known here.
    pub kind: Option<&'a Kind>,
}

/// A form of inventories.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// What it is asked for by.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// Makes the text.
    pub write: fn(&Inventory<'_>) -> String,
}

/// All forms of inventories.
pub const FORMATS: &[Format] = &[
    Format {
        name: "ansible",
        title: "Ansible inventory, YAML",
        write: ansible::write,
    },
    Format {
        name: "nornir",
        title: "hosts file of Nornir's SimpleInventory, YAML",
        write: nornir::write,
    },
    Format {
        name: "pyats",
        title: "pyATS testbed, YAML",
        write: pyats::write,
    },
    Format {
        name: "containerlab",
        title: "containerlab's topology-data.json",
        write: containerlab::write,
    },
];

/// The form of a name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

impl<'a> Member<'a> {
    /// How it is reached from the host, where its kind has an SSH server at all.
    fn access(&self) -> Option<&'a Access> {
        let is_served = self
            .automation()
            .is_none_or(|automation| automation.ssh != SshLogin::None);
        self.node.access.as_ref().filter(|_| is_served)
    }

    fn automation(&self) -> Option<&'a Automation> {
        self.kind.map(|kind| &kind.automation)
    }

    /// The password, where only that opens its SSH server.
    fn password(&self) -> Option<&'a str> {
        let kind = self.kind?;
        let takes_password = kind.automation.ssh == SshLogin::Password;
        let password = kind.password_of(self.node.access.as_ref()?);
        password.filter(|_| takes_password)
    }

    /// Whether its SSH server takes our key, as far as we know.
    fn takes_key(&self) -> bool {
        self.automation()
            .is_none_or(|automation| automation.ssh == SshLogin::Key)
    }

    /// Options of `ssh` for it alone, each a pair of name and value.
    fn ssh_options(&self, inventory: &Inventory<'_>) -> Vec<(&'static str, String)> {
        let mut options = vec![
            (
                "UserKnownHostsFile",
                format!("\"{}\"", literal(inventory.known_hosts)),
            ),
            ("HostKeyAlias", self.node.domain()),
            ("GlobalKnownHostsFile", "none".to_owned()),
            ("StrictHostKeyChecking", "accept-new".to_owned()),
            ("HashKnownHosts", "no".to_owned()),
            ("IdentitiesOnly", "yes".to_owned()),
        ];
        let is_legacy = self
            .automation()
            .is_some_and(|automation| automation.algorithms == Algorithms::Legacy);
        if is_legacy {
            options.extend(LEGACY_OPTIONS.map(|(name, value)| (name, value.to_owned())));
        }
        options
    }

    /// The same as words for a command line that is split as a POSIX shell does.
    fn ssh_words(&self, inventory: &Inventory<'_>) -> String {
        let options = self.ssh_options(inventory).into_iter();
        let words: Vec<String> = options
            .map(|(name, value)| match value.contains(['"', ' ']) {
                true => format!("-o '{name}={value}'"),
                false => format!("-o {name}={value}"),
            })
            .collect();
        words.join(" ")
    }
}

/// A path in which `ssh` expands no `%` tokens.
fn literal(path: &Path) -> String {
    path.display().to_string().replace('%', "%%")
}

/// A link between two interfaces.
struct Link<'a> {
    ends: [(&'a NodeBlueprint, &'a Nic); 2],
}

/// The links of the lab between two nodes, each once.
fn links<'a>(inventory: &Inventory<'a>) -> Vec<Link<'a>> {
    let mut links = Vec::new();
    let nodes = || inventory.members.iter().map(|member| member.node);
    for node in nodes() {
        for nic in node.data_nics() {
            let Some(peer) = &nic.peer else { continue };
            let other = nodes().find_map(|other| {
                let nic = other.data_nics().find(|nic| other.end_name(nic) == *peer)?;
                Some((other, nic))
            });
            let Some(other) = other else { continue };
            if node.end_name(nic) < *peer {
                links.push(Link {
                    ends: [(node, nic), other],
                });
            }
        }
    }
    links
}

/// The management interface of a node.
fn management(node: &NodeBlueprint) -> Option<&Nic> {
    node.nics.iter().find(|nic| nic.role == NicRole::Management)
}

/// The forwarded SSH port of a node, where that is how it is reached.
fn forwarded(node: &NodeBlueprint) -> Option<SocketAddr> {
    node.nics.iter().find_map(|nic| match nic.attachment {
        Attachment::User { ssh } => Some(ssh),
        Attachment::Tunnel { .. } | Attachment::Bridge { .. } => None,
    })
}

/// An object that leaves out what is not known.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn set_some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    fn object(self) -> Value {
        Value::Object(self.0)
    }
}

/// YAML with its first line saying what it is.
fn yaml(title: &str, inventory: &Inventory<'_>, value: &Value) -> String {
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    let text = serde_saphyr::to_string_with_options(value, options)
        .expect("string keys, no foreign types");
    format!(
        "# {title} of the lab {}, made by vnflab.\n{text}",
        inventory.lab
    )
}
