//! The bytes of day-0 media, made in memory from what the blueprint says.

use vnflab_media::fat::{self, FatError, FatRequest, Partitioning};
use vnflab_media::iso9660::{self, IsoError, IsoRequest, NameRules};
use vnflab_media::{MediaFile, archive};
use vnflab_model::blueprint::{MediaContent, MediaFilesystem, MediaNaming};

/// Why a medium cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// A path or the whole is beyond what ISO 9660 holds.
    #[error(transparent)]
    Iso(#[from] IsoError),
    /// A path or the whole is beyond what the FAT disk holds.
    #[error(transparent)]
    Fat(#[from] FatError),
    /// A path is beyond what tar holds.
    #[error("the archive `{name}` cannot be made: {source}")]
    Archive {
        /// Its name.
        name: String,
        /// Why.
        source: std::io::Error,
    },
}

/// The bytes of a day-0 medium.
///
/// # Errors
///
/// When a path or the whole is beyond what the medium holds.
pub fn media_image(content: &MediaContent) -> Result<Vec<u8>, MediaError> {
    let files = content.files.iter();
    let mut files: Vec<MediaFile> = files
        .map(|(path, bytes)| MediaFile::new(path.clone(), bytes.clone()))
        .collect();
    if let Some(name) = &content.archive {
        let packed = archive::tar_gz(&files).map_err(|source| MediaError::Archive {
            name: name.clone(),
            source,
        })?;
        files = vec![MediaFile::new(name.clone(), packed)];
    }
    Ok(match content.filesystem {
        MediaFilesystem::Iso { naming } => iso9660::build(&IsoRequest {
            volume_label: &content.label,
            files: &files,
            names: match naming {
                MediaNaming::Level1 => NameRules::Level1,
                MediaNaming::Plain => NameRules::LongPlain,
                MediaNaming::Extended => NameRules::RockRidgeJoliet,
            },
        })?,
        MediaFilesystem::Fat {
            size_bytes,
            partitioned,
        } => fat::build(&FatRequest {
            volume_label: &content.label,
            files: &files,
            size_bytes,
            partitioning: match partitioned {
                true => Partitioning::Mbr,
                false => Partitioning::None,
            },
        })?,
    })
}
