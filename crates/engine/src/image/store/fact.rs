//! What the checks have to know of an image that a lab names, in the store or beside the lab.

use super::super::probe::{ProbeError, named_format, probe};
use super::super::{FileTrouble, file_trouble};
use super::{ImageStore, stem};
use crate::driver::DriverError;
use std::fs::File;
use std::io;
use std::path::Path;
use vnflab_model::facts::{BackingPlace, ImageDetails, ImageFact};
use vnflab_model::observed::{Host, Locality};
use vnflab_model::spec::ImageSpec;

impl ImageStore<'_> {
    /// What the checks have to know of an image that a lab names. A path is meant from the lab's
    /// folder; without a folder only absolute paths are found.
    ///
    /// # Errors
    ///
    /// When libvirt does not answer. All that is wrong with the image itself is in the fact.
    pub fn fact(
        &self,
        image: &ImageSpec,
        folder: &Path,
        host: &Host,
    ) -> Result<ImageFact, DriverError> {
        match image {
            ImageSpec::Stored(name) => self.fact_of_stored(name),
            ImageSpec::Path(path) => {
                let mut fact = fact_of_file(&folder.join(path), host);
                if let ImageFact::Present(image) = &mut fact {
                    self.place_backing(image)?;
                }
                Ok(fact)
            }
        }
    }

    /// Finds out whether the backing file of an image lies in the folder of the store.
    fn place_backing(&self, image: &mut ImageDetails) -> Result<(), DriverError> {
        let Some((backing, place)) = &mut image.backing else {
            return Ok(());
        };
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        // As QEMU does, a relative path is meant from the folder of the image.
        let beside = Path::new(&image.path).with_file_name(&*backing);
        let Some(folder) = real(&beside).parent().map(Path::to_path_buf) else {
            return Ok(());
        };
        // Where the store has no file, nothing lies on one.
        let stored = self.files()?.into_values().next();
        let store = stored.as_deref().map(Path::new).and_then(Path::parent);
        if store.map(real) == Some(folder) {
            *place = BackingPlace::Store;
        }
        Ok(())
    }

    fn fact_of_stored(&self, name: &str) -> Result<ImageFact, DriverError> {
        let files = self.files()?;
        // `frr` and `frr.qcow2` are the same image.
        let stem = named_format(name).and_then(|format| stem(name, format.word()));
        let name = stem.unwrap_or(name);
        if let Some(image) = self.image(&files, name)? {
            return Ok(ImageFact::Present(ImageDetails {
                path: image.path,
                format: image.format,
                named_format: None,
                virtual_size_bytes: image.virtual_size_bytes,
                backing: None,
            }));
        }
        let file = files.keys().find(|file| {
            named_format(file)
                .is_some_and(|format| file.strip_suffix(format.word()) == Some(&format!("{name}.")))
        });
        Ok(match file {
            Some(file) => ImageFact::Unreadable(format!(
                "the store's folder has `{file}`, but not through `vnflab image add`"
            )),
            None => ImageFact::Missing(vec![format!("image store: {name}")]),
        })
    }
}

/// What is known of an image that a lab uses where it lies.
fn fact_of_file(path: &Path, host: &Host) -> ImageFact {
    let text = path.display().to_string();
    if host.locality == Locality::Remote {
        return ImageFact::Unreadable(format!(
            "`{text}` is a file of this machine, but the VMs run on another: `vnflab image add` copies it there"
        ));
    }
    let path = match std::fs::canonicalize(path) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return ImageFact::Missing(vec![text]);
        }
        Err(error) => return ImageFact::Unreadable(error.to_string()),
    };
    if let Some(trouble) = file_trouble(&path, host.scope) {
        let remedy = trouble.remedy(&path);
        return ImageFact::Unreadable(match trouble {
            FileTrouble::NoFile => remedy,
            _ => format!("{remedy}, or copy it with `vnflab image add`"),
        });
    }
    let probed = File::open(&path)
        .map_err(ProbeError::from)
        .and_then(|mut file| probe(&mut file));
    match probed {
        Ok(header) => ImageFact::Present(ImageDetails {
            named_format: path
                .file_name()
                .and_then(|name| name.to_str())
                .and_then(named_format),
            path: path.display().to_string(),
            format: header.format,
            virtual_size_bytes: header.virtual_size_bytes,
            backing: header.backing.map(|file| (file, BackingPlace::Elsewhere)),
        }),
        Err(error) => ImageFact::Unreadable(error.to_string()),
    }
}
