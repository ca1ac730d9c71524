//! What is on a node's day-0 medium: its first configuration, in the form that its guest reads.

mod frr;
mod nocloud;

use crate::blueprint::{MediaContent, MediaNaming, Nic};
use crate::hash;
use crate::kind::MediaForm;
use crate::lab::Node;
use std::net::Ipv4Addr;

/// Everything that a first configuration follows from.
#[derive(Debug, Clone, Copy)]
pub struct Day0Request<'a> {
    /// The lab's name.
    pub lab: &'a str,
    /// The node.
    pub node: &'a Node,
    /// The configuration that the lab gives, if it does.
    pub startup_config: Option<&'a str>,
    /// The node's NICs, with their addresses.
    pub nics: &'a [Nic],
    /// The loopback address that a generated configuration uses.
    pub loopback: Ipv4Addr,
    /// Public SSH keys that may log in.
    pub authorized_keys: &'a [String],
}

/// A medium and what tells it from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day0Medium {
    /// What is on it.
    pub content: MediaContent,
    /// SHA-256 over label and files, in hex.
    pub digest: String,
    /// The digest that it would have if nothing were linked.
    pub digest_without_links: String,
}

/// The medium for a node; `None` where its guest takes none or there is nothing to say.
pub fn medium(request: &Day0Request<'_>) -> Option<Day0Medium> {
    let content = content(request)?;
    let unlinked: Vec<Nic> = request.nics.iter().map(Nic::without_link).collect();
    let digest_without_links = self::content(&Day0Request {
        nics: &unlinked,
        ..*request
    });
    Some(Day0Medium {
        digest: digest(&content),
        digest_without_links: digest_without_links
            .as_ref()
            .map_or_else(String::new, digest),
        content,
    })
}

fn content(request: &Day0Request<'_>) -> Option<MediaContent> {
    let day0 = &request.node.guest.day0;
    match day0.form {
        MediaForm::None => None,
        MediaForm::Iso => iso(request),
        MediaForm::Nocloud => Some(nocloud::content(request)),
    }
}

fn digest(content: &MediaContent) -> String {
    let mut parts: Vec<&[u8]> = vec![content.label.as_bytes()];
    for (path, bytes) in &content.files {
        parts.push(path.as_bytes());
        parts.push(bytes);
    }
    hash::hex_digest(&parts)
}

/// Whether the generated configuration makes the user that SSH logs in as.
pub fn makes_user(node: &Node) -> bool {
    node.guest.day0.form == MediaForm::Nocloud && node.guest.login.is_none()
}

/// One file in the root of an ISO, under the name that the guest looks for.
fn iso(request: &Day0Request<'_>) -> Option<MediaContent> {
    let day0 = &request.node.guest.day0;
    let (config, file) = (request.startup_config?, day0.file.clone()?);
    Some(MediaContent {
        naming: MediaNaming::Plain,
        label: day0.label.clone(),
        files: vec![(file, config.as_bytes().to_vec())],
    })
}
