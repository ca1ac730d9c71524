//! The disk that cloud-init's NoCloud source reads: an ISO image with the label `cidata`.
//!
//! File names and the label are those of cloud-init's NoCloud documentation: `user-data` and
//! `meta-data` are required there, `network-config` and `vendor-data` may be left out.
//!
//! This module does not write or check what is in the files: that they start with
//! `#cloud-config`, or that `meta-data` has an `instance-id`, is the caller's business.

use crate::MediaFile;
use crate::iso9660::{self, IsoError, IsoRequest, NameRules};

/// The volume label by which cloud-init finds the disk.
pub const VOLUME_LABEL: &str = "cidata";

/// The contents of a NoCloud disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoCloud {
    /// What to set up: `#cloud-config` YAML or a script.
    pub user_data: Vec<u8>,
    /// The instance: YAML with at least `instance-id`. cloud-init runs anew when that changes.
    pub meta_data: Vec<u8>,
    /// The network configuration (version 1 or 2, YAML); without it cloud-init uses DHCP.
    pub network_config: Option<Vec<u8>>,
    /// Defaults that user data may override.
    pub vendor_data: Option<Vec<u8>>,
    /// Files besides, which scripts in the guest may read.
    pub extra_files: Vec<MediaFile>,
}

/// Makes the `cidata` image, with Rock Ridge and Joliet names.
///
/// # Errors
///
/// Those of [`iso9660::build`]. An extra file by a name that NoCloud uses and that is present
/// already is an [`IsoError::DuplicateName`].
pub fn build(contents: NoCloud) -> Result<Vec<u8>, IsoError> {
    let mut files = vec![
        MediaFile::new("user-data", contents.user_data),
        MediaFile::new("meta-data", contents.meta_data),
    ];
    files.extend(
        contents
            .network_config
            .map(|yaml| MediaFile::new("network-config", yaml)),
    );
    files.extend(
        contents
            .vendor_data
            .map(|yaml| MediaFile::new("vendor-data", yaml)),
    );
    files.extend(contents.extra_files);
    iso9660::build(&IsoRequest {
        volume_label: VOLUME_LABEL,
        files: &files,
        names: NameRules::RockRidgeJoliet,
    })
}
