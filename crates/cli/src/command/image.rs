//! `vnflab image`: the store of disk images.

use crate::cli::{Global, ImageAddArgs, ImageCommand, ImageNamesArgs, ImageVerifyArgs};
use crate::context;
use crate::error::{CommandError, ErrorKind};
use crate::render::images::{Known, Verified};
use crate::render::progress::Progress;
use crate::render::{self, Screen};
use rustix::process::geteuid;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;
use vnflab_engine::driver::libvirt::LibvirtDriver;
use vnflab_engine::image::store::{ImageStore, StoreError, StoredImage, Verification};
use vnflab_imagebuild::{BuildError, BuiltImage, ImageBuild, Step, build_debian, build_frr};
use vnflab_model::kind::Catalogue;

/// The name of our own image in the store.
pub(super) const OWN_IMAGE: &str = "frr";

/// The Debian cloud guest's name there; only root can build it.
const DEBIAN_IMAGE: &str = "debian";

/// What follows an image's name in the store while it waits to take the place of an older one.
const NEXT: &str = ".next";

/// Where root's builds keep downloaded packages.
const ROOT_CACHE: &str = "/var/cache/vnflab/image-build";

pub(super) fn run(
    global: &Global,
    command: &ImageCommand,
    screen: &Screen,
) -> Result<(), CommandError> {
    let driver = LibvirtDriver::connect(global.connect.as_deref())?;
    let store = ImageStore::new(&driver);
    match command {
        ImageCommand::Ls => {
            render::images::list(screen, &store.list()?, &context::catalogue(global)?)
        }
        ImageCommand::Add(arguments) => {
            add(&store, arguments, &context::catalogue(global)?, screen)
        }
        ImageCommand::Rm(arguments) => remove(&store, arguments, screen),
        ImageCommand::Build(arguments) => build(&store, &arguments.name, screen),
        ImageCommand::Verify(arguments) => verify(&store, arguments, screen),
    }
}

fn add(
    store: &ImageStore,
    arguments: &ImageAddArgs,
    catalogue: &Catalogue,
    screen: &Screen,
) -> Result<(), CommandError> {
    let said = arguments.kind.as_deref();
    let said = said.map(|name| {
        let kind = catalogue.find(name);
        kind.ok_or_else(|| CommandError::unknown("kind", name, catalogue.names()))
    });
    let said = said.transpose()?;
    let file_name = arguments.file.file_name().unwrap_or_default();
    let recognise =
        |checksums: &[&str]| catalogue.recognise(&file_name.to_string_lossy(), checksums);
    let kind_of = |checksums: &[&str]| {
        let kind = said.cloned();
        let kind = kind.or_else(|| Some(recognise(checksums)?.kind));
        kind.map(|kind| kind.name.clone())
    };
    let name = arguments.name.as_deref();
    let image = copy_in(store, &arguments.file, name, &kind_of, screen)?;
    let recognised = recognise(&image.checksums()).map(Known::from);
    let kind = match said {
        Some(kind) => Some(Known::said(kind).with_part_of(recognised)),
        None => recognised,
    };
    render::images::added(screen, &image, kind)
}

/// Copies a file into the store, with its progress shown.
fn copy_in(
    store: &ImageStore,
    file: &Path,
    name: Option<&str>,
    kind_of: &dyn Fn(&[&str]) -> Option<String>,
    screen: &Screen,
) -> Result<StoredImage, StoreError> {
    let mut progress = Progress::new(screen);
    let subject = file.display().to_string();
    let image = store.add_of_kind(file, name, kind_of, &mut |done, all| {
        progress.begin(&subject, &part("copied", done, all));
    });
    progress.clear();
    image
}

fn part(verb: &str, done: u64, all: u64) -> String {
    let percent = (done.saturating_mul(100)).checked_div(all).unwrap_or(100);
    format!("{percent} % {verb}")
}

fn remove(
    store: &ImageStore,
    arguments: &ImageNamesArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    // All that can be removed is, and every reason is told.
    let mut failed: Option<CommandError> = None;
    for name in &arguments.names {
        match store.remove(name) {
            Ok(()) => screen.say(&format!("`{name}` is removed.")),
            Err(error) => {
                let error = known(error, name, store);
                match &mut failed {
                    None => failed = Some(error),
                    Some(first) => {
                        first.causes.push(error.message);
                        first.hints.extend(error.hints);
                        first.hints.dedup();
                    }
                }
            }
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Adds the nearest name where the store has none of this.
fn known(error: StoreError, name: &str, store: &ImageStore) -> CommandError {
    match error {
        StoreError::Missing(_) => {
            let images = store.list().unwrap_or_default();
            let names = images.iter().map(|image| image.name.as_str());
            CommandError::unknown("image", name, names).hint("`vnflab image ls` lists all.")
        }
        other => other.into(),
    }
}

fn verify(
    store: &ImageStore,
    arguments: &ImageVerifyArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let names: Vec<String> = match arguments.names.is_empty() {
        true => store.list()?.into_iter().map(|image| image.name).collect(),
        false => arguments.names.clone(),
    };
    let mut verified = Vec::new();
    for name in names {
        let mut progress = Progress::new(screen);
        let result = store.verify(&name, &mut |done, all| {
            progress.begin(&name, &part("read", done, all));
        });
        progress.clear();
        let verification = result.map_err(|error| known(error, &name, store))?;
        verified.push(Verified { name, verification });
    }
    render::images::verified(screen, &verified)?;
    let changed: Vec<String> = verified
        .iter()
        .filter(|one| one.verification != Verification::Intact)
        .map(|one| format!("`{}`", one.name))
        .collect();
    match changed.is_empty() {
        true => Ok(()),
        false => {
            let message = format!("changed since they were added: {}", changed.join(", "));
            Err(CommandError::new(ErrorKind::Failed, message)
                .hint("Remove them and add them again from where they came."))
        }
    }
}

/// Builds an image of our own and puts it in the place of an older one.
fn build(store: &ImageStore, name: &str, screen: &Screen) -> Result<(), CommandError> {
    let recipe = recipe(name)?;
    let cache_dir = cache_folder()?;
    let output = cache_dir.join(format!("{name}.qcow2"));
    let began = Instant::now();
    let progress = RefCell::new(Progress::new(screen));
    let built = recipe(
        &ImageBuild {
            output: output.clone(),
            cache_dir,
            mirror: None,
        },
        &|step| {
            let what = render::images::step(&step);
            progress.borrow_mut().stage(name, &what);
        },
    );
    progress.borrow_mut().clear();
    let built = built?;
    let present = match store.find(name) {
        Ok(image) => Some(image),
        Err(StoreError::Missing(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let image = match present {
        Some(image) if image.sha256 == built.sha256 => image,
        Some(_) => replace(store, name, &output, screen)?,
        None => copy_in(store, &output, Some(name), &own_kind(name), screen)?,
    };
    // The store has it now; whether the copy can be removed changes nothing.
    let _ = std::fs::remove_file(&output);
    render::images::built(screen, &image, &built, began.elapsed())
}

/// Our own images have the names of their kinds.
fn own_kind(name: &str) -> impl Fn(&[&str]) -> Option<String> {
    move |_| Some(name.to_owned())
}

/// How an image of ours is built.
type Recipe = fn(&ImageBuild, &dyn Fn(Step)) -> Result<BuiltImage, BuildError>;

fn recipe(name: &str) -> Result<Recipe, CommandError> {
    match name {
        DEBIAN_IMAGE if !geteuid().is_root() => {
            let message = "only root can build the `debian` image: its packages run scripts";
            Err(CommandError::new(ErrorKind::Host, message)
                .hint("Debian's own `genericcloud` image serves as well; add it with `image add`."))
        }
        DEBIAN_IMAGE => Ok(build_debian),
        // The argument takes no other name.
        _ => Ok(build_frr),
    }
}

/// Puts a new image of ours in the place of the older one.
///
/// The store has no renaming, so the new one is first copied in under a name of its own: what
/// commonly fails, such as a full disk, does so while the older one is still there.
fn replace(
    store: &ImageStore,
    name: &str,
    new: &Path,
    screen: &Screen,
) -> Result<StoredImage, CommandError> {
    let next = format!("{name}{NEXT}");
    match store.remove(&next) {
        // It is left from a replacement that was broken off.
        Ok(()) | Err(StoreError::Missing(_)) => {}
        Err(error) => return Err(error.into()),
    }
    copy_in(store, new, Some(&next), &own_kind(name), screen)?;
    let replaced = store
        .remove(name)
        .and_then(|()| copy_in(store, new, Some(name), &own_kind(name), screen));
    match replaced {
        Ok(image) => {
            store.remove(&next)?;
            Ok(image)
        }
        Err(error) => {
            Err(CommandError::from(error)
                .hint(format!("The new image is in the store as `{next}`.")))
        }
    }
}

/// Where builds keep downloaded packages.
fn cache_folder() -> Result<PathBuf, CommandError> {
    if geteuid().is_root() {
        return Ok(PathBuf::from(ROOT_CACHE));
    }
    let absolute = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_CACHE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".cache")))
        .map(|cache| cache.join("vnflab").join("image-build"))
        .ok_or_else(|| {
            let message = "neither XDG_CACHE_HOME nor HOME names an absolute folder";
            CommandError::new(ErrorKind::Host, message)
        })
}

/// The store refused.
impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Driver(error) => return error.into(),
            StoreError::Missing(_) => ErrorKind::NotFound,
            _ => ErrorKind::Failed,
        };
        let new = Self::new(kind, error.to_string());
        match error.hint() {
            Some(hint) => new.hint(hint),
            None if matches!(error, StoreError::Foreign(_)) => {
                new.hint("Move that file elsewhere, then try again.")
            }
            None => new,
        }
    }
}

/// The build failed.
impl From<BuildError> for CommandError {
    fn from(error: BuildError) -> Self {
        let kind = match error {
            BuildError::ToolsMissing { .. } => ErrorKind::Host,
            _ => ErrorKind::Failed,
        };
        let new = Self::new(kind, error.to_string());
        match std::error::Error::source(&error) {
            Some(source) => new.caused_by(source),
            None => new,
        }
    }
}
