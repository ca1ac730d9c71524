//! Images: missing, unreadable, of another format than they seem, or backed by strangers.

use super::Rule;
use crate::code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::facts::{BackingPlace, DiskFormat, Facts, ImageDetails, ImageFact, ImageKey};
use crate::format::shown;
use crate::lab::{Lab, Node};
use crate::span::Span;
use std::collections::BTreeMap;

pub(super) const RULE: Rule = Rule {
    title: "images that cannot be used",
    check,
};

fn check(lab: &Lab, facts: &Facts, found: &mut Diagnostics) {
    // An image that many nodes share is one mistake.
    let mut users: BTreeMap<ImageKey, Vec<(&Node, Span)>> = BTreeMap::new();
    for node in &lab.nodes {
        for (image, span) in node.images() {
            let users = users.entry(ImageKey::from(image)).or_default();
            if users.last().is_none_or(|(last, _)| last.name != node.name) {
                users.push((node, span));
            }
        }
    }
    for (key, nodes) in &users {
        match facts.images.get(key) {
            Some(ImageFact::Missing(places)) => found.push(missing(key, nodes, places)),
            Some(ImageFact::Unreadable(reason)) => found.push(
                Diagnostic::error(
                    code::IMAGE_UNREADABLE,
                    format!("the image {} cannot be read", named(key)),
                )
                .at(nodes[0].1, reason.clone())
                .help("QEMU's user must be able to read the file and to pass through its folders"),
            ),
            Some(ImageFact::Present(details)) => present(key, nodes, details, found),
            None => {}
        }
    }
}

fn named(key: &ImageKey) -> String {
    match key {
        ImageKey::Path(name) | ImageKey::Stored(name) => format!("`{}`", shown(name)),
    }
}

fn missing(key: &ImageKey, nodes: &[(&Node, Span)], places: &[String]) -> Diagnostic {
    let (first, span) = nodes[0];
    let users = match nodes.len() {
        1 => format!("`{}` boots from it", first.name),
        2 => format!("`{}` and `{}` boot from it", first.name, nodes[1].0.name),
        many => format!("`{}` and {} other nodes boot from it", first.name, many - 1),
    };
    let mut diagnostic = Diagnostic::error(
        code::IMAGE_MISSING,
        format!("the image {} is missing", named(key)),
    )
    .at(span, users);
    if !places.is_empty() {
        let places: Vec<_> = places.iter().map(|place| format!("`{place}`")).collect();
        diagnostic = diagnostic.help(format!("looked at {}", places.join(", ")));
    }
    let guest = &first.guest;
    match key {
        // The kinds whose images may stand in for others are those that are free to build.
        ImageKey::Stored(name) if guest.stand_in && guest.default_image.as_ref() == Some(name) => {
            diagnostic.help(format!("`vnflab image build {name}` makes it"))
        }
        ImageKey::Path(_) | ImageKey::Stored(_) => diagnostic.help(
            "put it there or `vnflab image add` it; `--stand-in frr` boots our own image in its place",
        ),
    }
}

fn present(
    key: &ImageKey,
    nodes: &[(&Node, Span)],
    details: &ImageDetails,
    found: &mut Diagnostics,
) {
    let span = nodes[0].1;
    let actual = details.format;
    if let Some(named_format) = details.named_format.filter(|format| *format != actual) {
        found.push(
            Diagnostic::error(
                code::IMAGE_FORMAT,
                format!(
                    "the image {} is {}, not {} as its name says",
                    named(key),
                    actual.word(),
                    named_format.word()
                ),
            )
            .at(span, format!("the content is {}", actual.word()))
            .help(format!(
                "rename it, or convert it: `qemu-img convert -O {} ...`",
                named_format.word()
            )),
        );
    } else if actual == DiskFormat::Iso {
        found.push(
            Diagnostic::error(
                code::IMAGE_FORMAT,
                format!("the image {} is an ISO, not a disk", named(key)),
            )
            .at(span, "a node boots from a disk")
            .help("insert it with `cdrom:`, beside a disk to install on"),
        );
    }
    if let Some((backing, BackingPlace::Elsewhere)) = &details.backing {
        found.push(
            Diagnostic::error(
                code::IMAGE_BACKING,
                format!(
                    "the image {} is backed by a file outside of the image store",
                    named(key)
                ),
            )
            .at(span, format!("backed by `{}`", shown(backing)))
            .help("flatten it with `qemu-img convert`, or add the backing file to the store first"),
        );
    }
}
