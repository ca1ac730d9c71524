//! `vnflab config`: what a node's first configuration is, file by file.

use super::lab;
use crate::cli::{ConfigArgs, Global};
use crate::context;
use crate::error::{CommandError, ErrorKind};
use crate::render::config::{self, Configured};
use crate::render::{self, Screen};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path};
use vnflab_engine::media::media_image;
use vnflab_engine::ssh;
use vnflab_model::blueprint::{Blueprint, DriveContent, MediaContent};
use vnflab_model::facts::{DiskFormat, Facts, ImageDetails, ImageFact};

pub(super) fn run(
    global: &Global,
    arguments: &ConfigArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let mut reading = workspace.read(&arguments.lab);
    // What is wrong with the others' configurations is no reason not to show this one.
    if let Some(lab) = &mut reading.lab {
        lab.without_configurations_but(&arguments.node);
    }
    let mut survey = lab::survey(&workspace, &mut reading, &arguments.variation)?;
    without_images(&mut survey.facts);
    let key = ssh::ensure_key(&ssh::folder()?)?;
    let decision = workspace.decide(&reading, &survey, &[key.authorized])?;
    render::diagnostic::show(screen, &reading.sources, &decision.diagnostics);
    let Some(blueprint) = decision.blueprint else {
        return Err(CommandError::silent(ErrorKind::Lab));
    };
    let configured = configured(&blueprint, &arguments.node)?;
    if let Some((_, medium)) = &configured.medium {
        if let Some(folder) = &arguments.extract {
            extract(medium, folder)?;
        }
        if let Some(path) = &arguments.image {
            let image = media_image(medium).map_err(|error| failed("the medium", &error))?;
            write(path, &image).map_err(|error| failed(&path.display().to_string(), &error))?;
        }
    }
    config::shown(screen, &configured)
}

/// A configuration does not depend on the image that reads it, so that may be missing.
fn without_images(facts: &mut Facts) {
    for fact in facts.images.values_mut() {
        if !matches!(fact, ImageFact::Present(_)) {
            *fact = ImageFact::Present(ImageDetails {
                path: String::new(),
                format: DiskFormat::Qcow2,
                named_format: None,
                virtual_size_bytes: 0,
                backing: None,
            });
        }
    }
}

fn configured<'a>(blueprint: &'a Blueprint, node: &str) -> Result<Configured<'a>, CommandError> {
    let Some(node) = blueprint.node(node) else {
        return Err(lab::unknown_node(blueprint, node));
    };
    let medium = node.drives.iter().find_map(|drive| match &drive.content {
        DriveContent::Media { volume, .. } => Some((drive, blueprint.media.get(volume)?)),
        _ => None,
    });
    Ok(Configured { node, medium })
}

/// Writes the files of a medium below a folder, for their owner alone: they may hold passwords.
fn extract(medium: &MediaContent, folder: &Path) -> Result<(), CommandError> {
    for (path, content) in &medium.files {
        let parts = Path::new(path);
        let is_inside = parts
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let target = folder.join(parts);
        let written = match is_inside {
            true => write(&target, content),
            false => Err(io::ErrorKind::InvalidInput.into()),
        };
        written.map_err(|error| failed(&target.display().to_string(), &error))?;
    }
    Ok(())
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(content)
}

fn failed(what: &str, error: &dyn std::error::Error) -> CommandError {
    CommandError::new(ErrorKind::Failed, format!("cannot write {what}: {error}"))
}
