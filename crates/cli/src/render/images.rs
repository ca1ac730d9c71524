//! Disk images of the store.

use super::table::{Cell, Table};
use super::{Format, Screen, time};
use crate::error::CommandError;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use vnflab_engine::image::store::{StoredImage, Verification};
use vnflab_imagebuild::{BuiltImage, Step};
use vnflab_model::kind::{Catalogue, Evidence, Kind, Part, Recognition};

const MIB: u64 = 1024 * 1024;

/// Letters of a checksum that tell images apart at a glance.
const SHORT_DIGEST: usize = 12;

/// An image that was compared with its checksum.
pub(crate) struct Verified {
    /// Its name.
    pub(crate) name: String,
    /// How it is.
    pub(crate) verification: Verification,
}

/// Of which kind an image is.
#[derive(Clone)]
pub(crate) struct Known {
    /// The kind's name.
    name: String,
    /// The kind, if it is still known.
    kind: Option<Arc<Kind>>,
    /// Which of its VMs boots from it, where that is known not to be the main one.
    part: Option<usize>,
    /// What says so, as JSON has it.
    by: &'static str,
}

impl Known {
    /// The user said so.
    pub(crate) fn said(kind: &Arc<Kind>) -> Self {
        Self {
            name: kind.name.clone(),
            kind: Some(Arc::clone(kind)),
            part: None,
            by: "record",
        }
    }

    /// Its record says so, or else its checksum or name.
    fn of(image: &StoredImage, catalogue: &Catalogue) -> Option<Self> {
        match &image.kind {
            Some(name) => {
                let known = Self {
                    name: name.clone(),
                    kind: catalogue.find(name).cloned(),
                    part: None,
                    by: "record",
                };
                Some(known.with_part_of(Self::recognised(image, catalogue)))
            }
            None => Self::recognised(image, catalogue),
        }
    }

    /// Which of the kind's VMs boots from it is not recorded, so name and checksum tell.
    pub(crate) fn with_part_of(self, recognised: Option<Self>) -> Self {
        let recognised = recognised.filter(|recognised| recognised.name == self.name);
        Self {
            part: recognised.and_then(|recognised| recognised.part),
            ..self
        }
    }

    fn recognised(image: &StoredImage, catalogue: &Catalogue) -> Option<Self> {
        let file_name = format!("{}.{}", image.name, image.format.word());
        let recognised = catalogue.recognise(&file_name, &image.checksums());
        recognised.map(Self::from)
    }

    /// The VM of its kind that boots from it, if it is not the main one.
    fn part(&self) -> Option<&Part> {
        self.kind.as_ref()?.parts.get(self.part?)
    }

    /// What it is, for people.
    fn title(&self) -> String {
        let kind = self.kind.as_ref();
        let title = kind.map_or(self.name.as_str(), |kind| kind.title.as_str());
        match self.part() {
            Some(part) => format!("the {} of {title}", part.title),
            None => title.to_owned(),
        }
    }

    /// How a lab names it.
    fn usage(&self, image: &str) -> String {
        let name = &self.name;
        let kind = self.kind.as_ref();
        let default = match self.part() {
            Some(part) => Some(&part.default_image),
            None => kind.and_then(|kind| kind.default_image.as_ref()),
        };
        if image == default.unwrap_or(name) {
            return format!("`{{kind: {name}}}`");
        }
        match self.part() {
            Some(part) => format!("`{{kind: {name}, image: {{{}: {image}}}}}`", part.name),
            None => format!("`{{kind: {name}, image: {image}}}`"),
        }
    }
}

impl From<Recognition> for Known {
    fn from(Recognition { kind, part, by }: Recognition) -> Self {
        Self {
            part,
            by: match by {
                Evidence::Checksum => "checksum",
                Evidence::FileName(_) => "name",
            },
            ..Self::said(&kind)
        }
    }
}

/// All of them.
pub(crate) fn list(
    screen: &Screen,
    images: &[StoredImage],
    catalogue: &Catalogue,
) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let images = images.iter();
        let images = images.map(|image| ImageJson::new(image).of_kind(Known::of(image, catalogue)));
        let images = images.collect();
        return screen.json("images", ImagesJson { images });
    }
    if images.is_empty() {
        screen.say("There are no images; `vnflab image build frr` makes our own.");
        return Ok(());
    }
    let heads = ["NAME", "KIND", "FORMAT", "SIZE", "DISK", "SHA-256", "PATH"];
    let mut table = Table::new(screen.out, &heads).right(3).right(4);
    for image in images {
        let kind = Known::of(image, catalogue);
        let kind = kind.map_or_else(|| "-".to_owned(), |known| known.name);
        table.row([
            Cell::plain(&image.name),
            Cell::plain(kind),
            Cell::plain(image.format.word()),
            Cell::plain(mib(image.size_bytes)),
            Cell::plain(mib(image.virtual_size_bytes)),
            Cell::plain(image.sha256.get(..SHORT_DIGEST).unwrap_or(&image.sha256)),
            Cell::plain(&image.path),
        ]);
    }
    screen.write(&table.text())
}

/// An image that was added.
pub(crate) fn added(
    screen: &Screen,
    image: &StoredImage,
    kind: Option<Known>,
) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        return screen.json("image", ImageJson::new(image).of_kind(kind));
    }
    let size = mib(image.size_bytes);
    screen.say(&format!("`{}` is in the store ({size}).", image.name));
    screen.say(&match kind {
        None => {
            "It is not known of which kind it is; say so in the lab: `kind: KIND`, or here: `--kind KIND`."
                .to_owned()
        }
        Some(known) => {
            let (title, usage) = (known.title(), known.usage(&image.name));
            match known.by {
                "name" => format!("By its name it is {title}: {usage}."),
                _ => format!("It is {title}: {usage}."),
            }
        }
    });
    Ok(())
}

/// An image that was built.
pub(crate) fn built(
    screen: &Screen,
    image: &StoredImage,
    built: &BuiltImage,
    elapsed: Duration,
) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let packages = built
            .packages
            .iter()
            .map(|package| PackageJson {
                name: &package.name,
                version: &package.version,
            })
            .collect();
        return screen.json(
            "image-build",
            BuildJson {
                image: ImageJson::new(image),
                kernel_version: &built.kernel_version,
                packages,
                elapsed_seconds: elapsed.as_secs_f64(),
            },
        );
    }
    screen.say(&format!(
        "`{}` is in the store: {}, Linux {}, {} packages, built in {}.",
        image.name,
        mib(image.size_bytes),
        built.kernel_version,
        built.packages.len(),
        time::fine(elapsed)
    ));
    Ok(())
}

/// What a build is doing.
pub(crate) fn step(step: &Step) -> String {
    match step {
        Step::WaitForOtherBuild => "waits for another build".to_owned(),
        Step::RefreshIndexes => "fetches package indexes".to_owned(),
        Step::Download { packages, bytes } => {
            format!("fetches {packages} packages ({})", mib(*bytes))
        }
        Step::Unpack => "unpacks the packages".to_owned(),
        Step::Kernel => "picks the kernel's modules".to_owned(),
        Step::Disk => "writes the disk".to_owned(),
        Step::Compress => "compresses the disk".to_owned(),
        _ => "works on".to_owned(),
    }
}

/// Images that were compared with their checksums.
pub(crate) fn verified(screen: &Screen, verified: &[Verified]) -> Result<(), CommandError> {
    if screen.format() == Format::Json {
        let images = verified.iter().map(VerifiedJson::new).collect();
        return screen.json("image-verify", VerifyJson { images });
    }
    let mut table = Table::new(screen.out, &["NAME", "STATE"]);
    for one in verified {
        let state = match one.verification {
            Verification::Intact => screen.out.good("intact"),
            Verification::Changed(_) => screen.out.error("changed"),
        };
        table.row([Cell::plain(&one.name), Cell::painted(state)]);
    }
    screen.write(&table.text())
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(MIB))
}

#[derive(Serialize)]
struct ImagesJson<'a> {
    images: Vec<ImageJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct ImageJson<'a> {
    name: &'a str,
    format: &'static str,
    path: &'a str,
    size_bytes: u64,
    virtual_size_bytes: u64,
    sha256: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5: Option<&'a str>,
    added_at_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind_by: Option<&'static str>,
}

impl<'a> ImageJson<'a> {
    fn new(image: &'a StoredImage) -> Self {
        Self {
            name: &image.name,
            format: image.format.word(),
            path: &image.path,
            size_bytes: image.size_bytes,
            virtual_size_bytes: image.virtual_size_bytes,
            sha256: &image.sha256,
            md5: image.md5.as_deref(),
            added_at_seconds: image.added_at_seconds,
            kind: None,
            kind_by: None,
        }
    }

    fn of_kind(mut self, known: Option<Known>) -> Self {
        if let Some(Known { name, by, .. }) = known {
            self.kind = Some(name);
            self.kind_by = Some(by);
        }
        self
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct BuildJson<'a> {
    image: ImageJson<'a>,
    kernel_version: &'a str,
    packages: Vec<PackageJson<'a>>,
    elapsed_seconds: f64,
}

#[derive(Serialize)]
struct PackageJson<'a> {
    name: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct VerifyJson<'a> {
    images: Vec<VerifiedJson<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct VerifiedJson<'a> {
    name: &'a str,
    intact: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    found_sha256: Option<&'a str>,
}

impl<'a> VerifiedJson<'a> {
    fn new(verified: &'a Verified) -> Self {
        let found_sha256 = match &verified.verification {
            Verification::Intact => None,
            Verification::Changed(found) => Some(found.as_str()),
        };
        Self {
            name: &verified.name,
            intact: found_sha256.is_none(),
            found_sha256,
        }
    }
}
