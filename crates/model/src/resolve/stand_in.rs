//! Another kind's image in place of one that the user does not have.

use crate::kind::Kind;
use crate::lab::{Lab, Node};
use crate::spec::ImageSpec;
use std::sync::Arc;

/// Lets the image of `with` boot in every node for which `missing` holds.
///
/// The hardware, the interfaces and their names stay those of the node's kind, so that the
/// wiring can be rehearsed. Memory and CPUs become those of the stand-in, never more than the
/// node had. The first configuration and the media go: they speak the vendor's language.
pub fn stand_in(lab: &mut Lab, with: &Arc<Kind>, missing: impl Fn(&Node) -> bool) {
    for node in &mut lab.nodes {
        if node.guest.name == with.name || !missing(node) {
            continue;
        }
        let image = with.default_image.as_ref().unwrap_or(&with.name);
        node.image = ImageSpec::Stored(image.clone());
        node.memory_mib = node.memory_mib.min(with.hardware.memory_mib);
        node.cpus = node.cpus.min(with.hardware.cpus);
        node.startup_config = None;
        node.config_medium = None;
        node.cdrom = None;
        node.guest = Arc::clone(with);
    }
}
