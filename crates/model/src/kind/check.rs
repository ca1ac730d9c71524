//! Every mistake of a kind's file at once, each with its place.
//!
//! First the form ([`super::form`]), then the sense: parents, names, values, and whether a
//! machine can be made of it at all, for which a lab of one node is allocated in the mind.

use super::catalogue::{Catalogue, CatalogueError};
use super::{Kind, Mistake, file_schema, form};
use crate::allocate::{self, Request};
use crate::blueprint::Accelerator;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::domain_xml::domain_xml;
use crate::facts::{DiskFormat, Facts, ImageDetails, ImageFact, ImageKey};
use crate::format::Input;
use crate::observed::{Host, Locality, Observed, Scope};
use crate::resolve::{Resolved, read};
use crate::span::{SourceId, Sources, Span};
use crate::yaml::{self, Node, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a check of a file found.
#[derive(Debug)]
pub struct CheckedKind {
    /// The kind, if the file makes one; an abstract one is none.
    pub kind: Option<Arc<Kind>>,
    /// The domain XML of a node of it on a user's libvirt.
    pub domain_xml: Option<String>,
    /// What is wrong with the file.
    pub found: Diagnostics,
}

/// Checks a file whose text is among `sources`, beside the user's other files: names and texts.
pub fn check_file(sources: &Sources, file: SourceId, others: &[(String, String)]) -> CheckedKind {
    let source = sources.source(file);
    let (path, text) = (source.path.clone(), source.text.clone());
    let (node, mut found) = yaml::load(file, &path, &text);
    let mut checked = CheckedKind {
        kind: None,
        domain_xml: None,
        found: Diagnostics::default(),
    };
    let top = Span::start_of(file);
    if let Some(node) = &node {
        form::check(&file_schema(), node, top, &mut found);
        if !found.has_errors() {
            sense(
                node,
                top,
                (path, text.to_string()),
                others,
                &mut checked,
                &mut found,
            );
        }
    }
    found.sort();
    checked.found = found;
    checked
}

fn sense(
    node: &Node,
    top: Span,
    file: (String, String),
    others: &[(String, String)],
    checked: &mut CheckedKind,
    found: &mut Diagnostics,
) {
    let path = file.0.clone();
    let others = others.iter().filter(|(other, _)| *other != path);
    let overlay: Vec<_> = others.cloned().chain([file]).collect();
    let name = at(node, &["name"]).and_then(Node::scalar);
    let Some(name) = name.map(|scalar| scalar.text.to_string()) else {
        return;
    };
    let catalogue = match Catalogue::with_overlay(&overlay) {
        Ok(catalogue) => catalogue,
        Err(errors) => {
            for error in errors {
                if let Some(mistake) = diagnose(node, top, &path, &name, &error) {
                    found.push(mistake);
                }
            }
            return;
        }
    };
    checked.kind = catalogue.find(&name).cloned();
    if let Some(kind) = checked.kind.clone() {
        match machine(&kind, &catalogue) {
            Ok(xml) => checked.domain_xml = Some(xml),
            Err(reasons) => {
                for reason in reasons {
                    let span = at(node, &["hardware"]).map_or(top, |hardware| hardware.span);
                    let message = format!("no machine can be made of it: {reason}");
                    found.push(Diagnostic::error(code::KIND_VALUE, message).at(span, "here"));
                }
            }
        }
    }
}

/// A mistake of the catalogue, where it concerns this file.
fn diagnose(
    node: &Node,
    top: Span,
    path: &str,
    name: &str,
    error: &CatalogueError,
) -> Option<Diagnostic> {
    let place = |keys: &[&str]| at(node, keys).map_or(top, |node| node.span);
    let error = match error {
        CatalogueError::Form { file, reason } if file == path => {
            Diagnostic::error(code::WRONG_TYPE, reason.clone()).at(top, "in this file")
        }
        CatalogueError::Parent { file, parent } if file == path => {
            let mistake = Diagnostic::error(
                code::KIND_PARENT,
                format!("the parent `{parent}` is not known"),
            )
            .at(place(&["parent"]), "not known");
            match nearest(parent, Catalogue::embedded_names()) {
                Some(near) => mistake.help(format!("did you mean `{near}`?")),
                None => mistake.help("name a kind, or one of the families `base-...`"),
            }
        }
        CatalogueError::Ancestry { file } if file == path => Diagnostic::error(
            code::KIND_PARENT,
            "its parents form a circle, or are too many",
        )
        .at(place(&["parent"]), "leads back here"),
        CatalogueError::Value { file, mistake } if file == path => value(node, top, mistake),
        CatalogueError::Name {
            name: clash,
            first,
            second,
        } if first == name || second == name => {
            let other = if second == name { first } else { second };
            let aliases = at(node, &["aliases"]).map(|node| &node.value);
            let alias = match aliases {
                Some(Value::Sequence(items)) => items.iter().find(|item| {
                    let text = item.scalar().map(|scalar| &*scalar.text);
                    text.is_some_and(|text| text.eq_ignore_ascii_case(clash))
                }),
                _ => None,
            };
            let span = alias.map_or_else(|| place(&["name"]), |alias| alias.span);
            Diagnostic::error(
                code::KIND_NAME,
                format!("`{clash}` is a name of the kind `{other}` already"),
            )
            .at(span, "taken")
            .help("leave it out; a kind of the same `name` takes the place of ours")
        }
        _ => return None,
    };
    Some(error)
}

/// A value that makes no sense: where it stands, or where the kind is named if it is inherited.
fn value(node: &Node, top: Span, mistake: &Mistake) -> Diagnostic {
    let keys: Vec<&str> = mistake.path.iter().map(String::as_str).collect();
    let span = at(node, &keys).or_else(|| {
        let outer = keys.split_last().map_or(&[][..], |(_, outer)| outer);
        (!outer.is_empty()).then(|| at(node, outer)).flatten()
    });
    let text = match span {
        Some(_) => "makes no sense".to_owned(),
        None => format!("`{}` is inherited", mistake.path.join(".")),
    };
    let span = span
        .or_else(|| at(node, &["name"]))
        .map_or(top, |node| node.span);
    let diagnostic = Diagnostic::error(code::KIND_VALUE, mistake.reason.clone()).at(span, text);
    match &mistake.help {
        Some(help) => diagnostic.help(help.clone()),
        None => diagnostic,
    }
}

/// What stands behind some keys and list positions.
fn at<'n>(node: &'n Node, keys: &[&str]) -> Option<&'n Node> {
    let Some((key, rest)) = keys.split_first() else {
        return Some(node);
    };
    let inner = match &node.value {
        Value::Mapping(entries) => {
            let mut entries = entries.iter();
            let entry = entries.find(|entry| &*entry.key.text == *key);
            entry.map(|entry| &entry.value)
        }
        Value::Sequence(items) => key.parse().ok().and_then(|index: usize| items.get(index)),
        Value::Scalar(_) => None,
    };
    at(inner?, rest)
}

/// The domain XML of a node with as many interfaces as the kind has at most, or why there is
/// none.
fn machine(kind: &Kind, catalogue: &Catalogue) -> Result<String, Vec<String>> {
    let mut xml = String::new();
    // The usual node last: its XML is the one that is shown.
    for count in [Some(kind.interfaces.limit), None] {
        let interfaces = count.map_or(String::new(), |count| format!(", interfaces: {count}"));
        let name = &kind.name;
        let text = format!(
            "name: kind\nnodes: {{r1: {{kind: \"{name}\", image: disk.qcow2{interfaces}}}}}\n"
        );
        let mut sources = Sources::default();
        let source = sources.add("lab.yaml", text);
        let input = Input::of_file(source, "lab.yaml", "kind");
        let Resolved { lab, found, .. } = read(&sources, &input, catalogue);
        let Some(lab) = lab else {
            let messages = found.iter().map(|mistake| mistake.message.clone());
            return Err(messages.collect());
        };
        let mut facts = Facts::default();
        let images = lab.nodes.iter().flat_map(|node| node.images());
        for (image, _) in images {
            let details = ImageDetails {
                path: "/disk.qcow2".to_owned(),
                format: DiskFormat::Qcow2,
                named_format: None,
                virtual_size_bytes: 1 << 30,
                backing: None,
            };
            let key = ImageKey::from(image);
            facts.images.insert(key, ImageFact::Present(details));
        }
        let blueprint = allocate::allocate(Request {
            lab: &lab,
            source: "lab.yaml",
            host: &imagined_host(),
            observed: &Observed::default(),
            facts: &facts,
            authorized_keys: &[],
        })
        .map_err(|errors| {
            let reasons = errors.iter().map(ToString::to_string);
            reasons.collect::<Vec<_>>()
        })?;
        xml = blueprint
            .vms()
            .map(|node| domain_xml(node, &blueprint.source, Scope::Session))
            .collect();
    }
    Ok(xml)
}

fn imagined_host() -> Host {
    Host {
        uri: "qemu:///session".to_owned(),
        scope: Scope::Session,
        locality: Locality::Local,
        accelerator: Accelerator::Kvm,
        accelerator_reason: "imagined".to_owned(),
        memory_mib: 1 << 20,
        cpus: 64,
        volume_folder: "/volumes".to_owned(),
        console_folder: "/consoles".to_owned(),
        bridges: BTreeSet::new(),
        no_cpu_limits: None,
        subnets: Vec::new(),
    }
}
