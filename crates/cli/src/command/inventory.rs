//! `vnflab inventory`, `ssh-config` and `hosts`: a lab's nodes, as other programs want them listed.

use crate::cli::Global;
use crate::cli::access::{HostsArgs, InventoryArgs, LabsArgs, SshConfigArgs};
use crate::context::{self, World};
use crate::error::{CommandError, ErrorKind};
use crate::render::{self, Screen};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use vnflab_engine::ssh::Keyring;
use vnflab_engine::workspace::Workspace;
use vnflab_model::inventory::{self, Inventory, Member, Names};

/// Permissions of files that are written: they may hold passwords.
const FILE_MODE: u32 = 0o600;

pub(super) fn inventory(
    global: &Global,
    arguments: &InventoryArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let world = World::observe(&workspace)?;
    let lab = world.lab(arguments.lab.as_deref())?;
    let listing = Listing::of(&workspace, &world, vec![lab])?;
    let Some(name) = &arguments.format else {
        return render::inventory::json(screen, &listing.inventories());
    };
    let format = inventory::format(name).expect("clap lets only these through");
    let texts: Vec<String> = listing.inventories().iter().map(format.write).collect();
    put(screen, arguments.output.as_deref(), &texts.concat())
}

pub(super) fn ssh_config(
    global: &Global,
    arguments: &SshConfigArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let world = World::observe(&workspace)?;
    let listing = Listing::of(&workspace, &world, labs(&world, &arguments.labs)?)?;
    if screen.is_json() {
        return render::inventory::json(screen, &listing.inventories());
    }
    let text = listing.text(inventory::ssh_config);
    put(screen, arguments.output.as_deref(), &text)
}

pub(super) fn hosts(
    global: &Global,
    arguments: &HostsArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let world = World::observe(&workspace)?;
    let listing = Listing::of(&workspace, &world, labs(&world, &arguments.labs)?)?;
    if screen.is_json() {
        return render::inventory::json(screen, &listing.inventories());
    }
    screen.write(&listing.text(inventory::hosts))
}

fn labs<'a>(world: &'a World, arguments: &LabsArgs) -> Result<Vec<&'a str>, CommandError> {
    match (&arguments.lab, arguments.all, world.current_lab()) {
        (Some(lab), _, _) => Ok(vec![world.lab(Some(lab))?]),
        (None, false, Some(lab)) => Ok(vec![lab]),
        (None, _, _) => Ok(world.observed.labs().into_iter().collect()),
    }
}

/// Labs, and what this user logs in with.
struct Listing<'a> {
    workspace: &'a Workspace,
    world: &'a World,
    keyring: Keyring,
    /// Each with the file of its host keys.
    labs: Vec<(&'a str, PathBuf)>,
}

impl<'a> Listing<'a> {
    fn of(
        workspace: &'a Workspace,
        world: &'a World,
        labs: Vec<&'a str>,
    ) -> Result<Self, CommandError> {
        let keyring = Keyring::open()?;
        let labs = labs.into_iter();
        let labs = labs.map(|lab| (lab, keyring.known_hosts(lab))).collect();
        Ok(Self {
            workspace,
            world,
            keyring,
            labs,
        })
    }

    fn inventories(&self) -> Vec<Inventory<'_>> {
        let labs = self.labs.iter();
        labs.map(|(lab, known_hosts)| {
            let domains = self.world.observed.of_lab(lab);
            let mut members: Vec<Member<'_>> = domains
                .map(|domain| {
                    let node = &domain.record.blueprint;
                    let kind = self.workspace.catalogue().find(&node.guest);
                    Member {
                        node,
                        kind: kind.map(AsRef::as_ref),
                    }
                })
                .collect();
            members.sort_by_key(|member| member.node.number);
            Inventory {
                lab,
                members,
                key: self.keyring.key(),
                known_hosts,
            }
        })
        .collect()
    }

    fn text(&self, write: fn(&Inventory<'_>, Names) -> String) -> String {
        let names = match self.labs.len() {
            1 => Names::Short,
            _ => Names::Full,
        };
        let texts = self.inventories().into_iter();
        texts
            .map(|inventory| write(&inventory, names))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Writes to a file, which is replaced whole, or to stdout.
fn put(screen: &Screen, path: Option<&Path>, text: &str) -> Result<(), CommandError> {
    let Some(path) = path else {
        return screen.write(text);
    };
    replace(path, text).map_err(|error| {
        let message = format!("`{}` cannot be written", path.display());
        CommandError::new(ErrorKind::Failed, message).caused_by(&error)
    })?;
    screen.say(&format!("Wrote `{}`.", path.display()));
    Ok(())
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let mut draft = name.to_owned();
    draft.push(format!(".{}.new", std::process::id()));
    let draft = path.with_file_name(draft);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(&draft)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}
