//! How far the typing of a first configuration on a node's console is: what a domain carries
//! beside its record.
//!
//! It is an element of its own, in a namespace of its own, so that it changes while nobody plans.
//! What was typed belongs to the node's disk: it is kept where a domain is defined anew on the
//! disk that it had, and goes with the disk. While a lab is down and its disks are kept, a volume
//! that is empty but for its name remembers it ([`remembered`]).

use crate::blueprint::NodeBlueprint;
use crate::observed::VolumeName;
use crate::worker::Worker;
use quick_xml::escape::escape;
use serde::{Deserialize, Serialize};

/// Namespace of the element.
pub const NAMESPACE: &str = "https://vnflab.dev/xmlns/typing";

/// Prefix that goes with it.
pub const PREFIX: &str = "vnflab-typing";

/// The part of a node that the remembering volume is.
const PART: &str = "typed";

/// How far it is. A domain without says that nothing was typed, or that it was broken off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Typing {
    /// A process types now.
    Typing {
        /// It.
        worker: Worker,
    },
    /// All of it was typed.
    #[serde(rename_all = "kebab-case")]
    Done {
        /// What was typed, by its digest.
        digest: String,
    },
    /// It was tried, and failed.
    #[serde(rename_all = "kebab-case")]
    Failed {
        /// Why.
        reason: String,
    },
}

impl Typing {
    /// The element.
    pub fn to_xml(&self) -> String {
        self.element(
            &format!("{PREFIX}:typing"),
            &format!(" xmlns:{PREFIX}=\"{NAMESPACE}\""),
        )
    }

    /// The element without its namespace, as libvirt takes it when it is told the namespace
    /// besides.
    pub fn to_bare_xml(&self) -> String {
        self.element("typing", "")
    }

    fn element(&self, tag: &str, namespace: &str) -> String {
        let json = serde_json::to_string(self).expect("string keys, no foreign types");
        // JSON escapes what XML cannot hold, but for two code points.
        let json = json.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
        format!("<{tag}{namespace}>{}</{tag}>", escape(&json))
    }

    /// Reads the element's text. One that makes no sense says nothing.
    pub fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str(text.trim()).ok()
    }

    /// The name of the volume that remembers it of a node; `None` where there is nothing to
    /// remember.
    pub fn memory(&self, node: &NodeBlueprint) -> Option<VolumeName> {
        // Of several VMs the main one is typed to.
        match self {
            _ if node.part.is_some() => None,
            Self::Done { digest } => Some(VolumeName::new(&node.lab, &node.node, PART, digest)),
            Self::Typing { .. } | Self::Failed { .. } => None,
        }
    }
}

/// What a volume remembers; `None` for volumes that are something else.
pub fn remembered(volume: &VolumeName) -> Option<Typing> {
    (volume.part == PART).then(|| Typing::Done {
        digest: volume.extension.clone(),
    })
}

/// A domain's description with the element in it.
pub fn with_typing(domain_xml: &str, typing: &Typing) -> String {
    let end = "</metadata>";
    domain_xml.replacen(end, &format!("{}{end}", typing.to_xml()), 1)
}
