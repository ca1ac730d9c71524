//! Configurations and media: missing, unreadable, or without effect.

use super::{Rule, paths};
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::{Facts, FileFact};
use crate::format::shown;
use crate::kind::MediaForm;
use crate::lab::{Lab, Node, StartupConfig};
use crate::observed::Scope;
use crate::span::Span;
use crate::spec::ManagementMode;
use std::collections::HashSet;

pub(super) const RULE: Rule = Rule {
    title: "configurations that are missing or have no effect",
    check,
};

fn check(lab: &Lab, facts: &Facts, found: &mut Diagnostics) {
    let mut told: HashSet<&str> = HashSet::new();
    for node in &lab.nodes {
        for (path, span) in paths::files(node) {
            let mistake = facts
                .files
                .get(path)
                .and_then(|fact| file(path, fact, span));
            if let Some(mistake) = mistake
                && told.insert(path)
            {
                found.push(mistake);
            }
        }
        config_without_effect(node, found);
        management_without_effect(lab, facts, node, found);
    }
    network_without_effect(lab, facts, found);
}

pub(super) fn file(path: &str, fact: &FileFact, span: Span) -> Option<Diagnostic> {
    let shown = shown(path);
    match fact {
        FileFact::Missing => Some(
            Diagnostic::error(
                code::UNREADABLE,
                format!("the file `{shown}` does not exist"),
            )
            .at(span, "named here")
            .help("paths are relative to the lab's folder"),
        ),
        FileFact::Unreadable(reason) => Some(
            Diagnostic::error(
                code::UNREADABLE,
                format!("the file `{shown}` cannot be read"),
            )
            .at(span, reason.clone())
            .help("look at its permissions and at what it is"),
        ),
        FileFact::Present { content, .. } => {
            let text = content.as_ref()?;
            let plain = std::str::from_utf8(text).is_ok_and(|text| !text.contains('\0'));
            (!plain).then(|| {
                Diagnostic::error(
                    code::ENCODING,
                    format!("the file `{shown}` is not plain UTF-8 text"),
                )
                .at(span, "named here as a configuration")
                .help("save it as UTF-8; a ready-made image is no configuration")
            })
        }
    }
}

fn config_without_effect(node: &Node, found: &mut Diagnostics) {
    let span = match &node.startup_config {
        Some(StartupConfig::File(_, span)) => *span,
        Some(StartupConfig::Inline(_)) => node.startup_config_span.unwrap_or(node.span),
        None => return,
    };
    if node.guest.day0.form != MediaForm::None || node.guest.provision.is_some() {
        return;
    }
    found.push(
        Diagnostic::warning(
            code::IGNORED,
            format!("the startup-config of `{}` has no effect", node.name),
        )
        .at(
            span,
            format!("the kind `{}` takes none from a disk", node.guest.name),
        )
        .help("configure the node on its console, or use an image that is configured"),
    );
}

fn management_without_effect(lab: &Lab, facts: &Facts, node: &Node, found: &mut Diagnostics) {
    let reason = if node.kind.interfaces.management.is_none() {
        format!("the kind `{}` has no management interface", node.kind.name)
    } else if lab.management.mode == Some(ManagementMode::None) {
        "the lab's management is `mode: none`".to_owned()
    } else if let Some(reason) = forwards_ports(lab, facts) {
        // The MAC address is the guest's, whatever it is connected to.
        let address = ("management address", node.management_ipv4_span);
        let ipv6 = ("management IPv6 address", node.management_ipv6_span);
        let help = "remove it: the guest has 10.0.2.15, and is reached by a port that stays";
        return ignored(node, &[address, ipv6], reason, help, found);
    } else {
        let has_no_network = lab.management.ipv6_subnet.is_none()
            && lab.management.bridge.is_none()
            && node.management_bridge.is_none();
        let span = node.management_ipv6_span.filter(|_| has_no_network);
        let ipv6 = ("management IPv6 address", span);
        let help = "give the network, too, such as `mgmt: {ipv6-subnet: fd00:10::/64}`";
        return ignored(node, &[ipv6], "management has no IPv6", help, found);
    };
    let settings = [
        ("management MAC address", node.management_mac_span),
        ("management address", node.management_ipv4_span),
        ("management IPv6 address", node.management_ipv6_span),
    ];
    ignored(node, &settings, &reason, "remove it", found);
}

/// Why nodes are reached by forwarded ports, if they are.
fn forwards_ports(lab: &Lab, facts: &Facts) -> Option<&'static str> {
    match (lab.management.mode, facts.scope) {
        (Some(ManagementMode::None), _) => None,
        (Some(ManagementMode::User), _) => Some("the lab's management is `mode: user`"),
        (_, Some(Scope::Session)) => Some("a user's session has no networks"),
        (_, Some(Scope::System) | None) => None,
    }
}

fn network_without_effect(lab: &Lab, facts: &Facts, found: &mut Diagnostics) {
    let Some(reason) = forwards_ports(lab, facts) else {
        return;
    };
    for (what, span) in &lab.management.network_spans {
        found.push(
            Diagnostic::warning(code::IGNORED, format!("{what} of `mgmt` has no effect"))
                .at(*span, reason)
                .help("it takes `qemu:///system` and `mode: nat` or `route`"),
        );
    }
}

fn ignored(
    node: &Node,
    settings: &[(&str, Option<Span>)],
    reason: &str,
    help: &str,
    found: &mut Diagnostics,
) {
    for (what, span) in settings {
        let Some(span) = span else {
            continue;
        };
        found.push(
            Diagnostic::warning(
                code::IGNORED,
                format!("the {what} of `{}` has no effect", node.name),
            )
            .at(*span, reason)
            .help(help),
        );
    }
}
