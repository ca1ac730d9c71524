//! Another kind's image in place of one that the user does not have.

use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::kind::Kind;
use crate::lab::{Lab, Node};
use crate::span::Span;
use crate::spec::ImageSpec;
use std::sync::Arc;

/// Lets the image of `with` boot in every node for which `missing` holds.
///
/// The hardware, the interfaces and their names stay those of the node's kind, so that the
/// wiring can be rehearsed. Memory and CPUs become those of the stand-in, never more than the
/// node had. The first configuration and the media go, with a warning: they speak the vendor's
/// language.
pub fn stand_in(lab: &mut Lab, with: &Arc<Kind>, missing: impl Fn(&Node) -> bool) -> Diagnostics {
    let mut found = Diagnostics::default();
    for node in &mut lab.nodes {
        if node.guest.name == with.name || !missing(node) {
            continue;
        }
        let image = with.default_image.as_ref().unwrap_or(&with.name);
        node.image = ImageSpec::Stored(image.clone());
        // One guest has all interfaces.
        node.parts.clear();
        node.memory_mib = node.memory_mib.min(with.hardware.memory_mib);
        node.cpus = node.cpus.min(with.hardware.cpus);
        if let Some(span) = configuration_span(node) {
            found.push(
                Diagnostic::warning(
                    code::IGNORED,
                    format!("`{}` boots without its own configuration", node.name),
                )
                .at(span, format!("is for `{}`", node.kind.name))
                .help(format!(
                    "`{}` stands in for it, with a configuration that is generated",
                    with.name
                )),
            );
        }
        node.startup_config = None;
        node.management_config = true;
        node.config_medium = None;
        node.cdrom = None;
        node.guest = Arc::clone(with);
    }
    found
}

/// Where the lab gives a node its configuration or a medium, if it does.
fn configuration_span(node: &Node) -> Option<Span> {
    let media = node.config_medium.iter().chain(&node.cdrom);
    node.startup_config
        .as_ref()
        .and(node.startup_config_span)
        .or_else(|| media.map(|(_, span)| *span).next())
}
