//! How a kind takes its first configuration: the medium, what is on it, and what we add of our own.

use super::file::LoginFile;
use super::mistake::Mistakes;
use super::{Bus, Hardware, Login, SmbiosField};
use crate::day0::template_mistake;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Size of a FAT disk where a kind says nothing, in MiB: FAT16 begins at 4, and configurations take
/// kilobytes.
const DISK_SIZE_MIB: u32 = 8;

/// Largest FAT disk that a kind may ask for, in MiB: disks are made in memory.
const DISK_SIZE_LIMIT_MIB: u32 = 256;

words! {
    /// Forms of the medium that brings the first configuration.
    MediaForm {
        /// None: the guest is configured by hand, or by SMBIOS alone.
        None = "none",
        /// One configuration file on an ISO 9660 image.
        Iso = "iso",
        /// One configuration file on a FAT disk.
        Fat = "fat",
        /// cloud-init's NoCloud: `user-data`, `meta-data` and `network-config`.
        Nocloud = "nocloud",
        /// OpenStack's config drive: `openstack/latest/user_data`, `meta_data.json` and
        /// `network_data.json`.
        ConfigDrive = "config-drive",
    }
}

words! {
    /// What the guest sees the medium as. CD-ROMs are ISO 9660 images, all others FAT disks.
    MediumDevice {
        /// A CD-ROM on the kind's bus for those.
        Cdrom = "cdrom",
        /// A disk behind all others, on the bus of the first.
        Disk = "disk",
        /// A USB stick.
        Usb = "usb",
    }
}

words! {
    /// How file names are written on a CD-ROM.
    MediaNames {
        /// ISO 9660 level 1: upper case, eight characters and three.
        Level1 = "level-1",
        /// Upper case, up to 30 characters: what `mkisofs -l` gives.
        Long = "long",
        /// As they are, by Joliet and Rock Ridge.
        Extended = "extended",
    }
}

words! {
    /// What kind of configuration is generated where the lab gives none.
    Dialect {
        /// None.
        None = "none",
        /// frr.conf: loopback, numbered links, OSPF.
        Frr = "frr",
    }
}

/// How a kind takes its first configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day0 {
    /// Form of the medium.
    pub form: MediaForm,
    /// What the guest sees it as.
    pub device: MediumDevice,
    /// Where it hangs.
    pub bus: Bus,
    /// How file names are written on a CD-ROM.
    pub names: MediaNames,
    /// Its volume label.
    pub label: String,
    /// The configuration file: its path on the medium or in the archive; for NoCloud and config
    /// drives its path in the guest.
    pub file: Option<String>,
    /// All files are packed into a tar.gz of this name, which is all that is on the medium.
    pub archive: Option<String>,
    /// Size of a FAT disk, in MiB.
    pub size_mib: u32,
    /// Whether a FAT disk has a partition.
    pub partitioned: bool,
    /// What is generated where the lab gives no configuration.
    pub dialect: Dialect,
    /// Template of what management needs: host name, user, SSH key, address.
    pub management: Option<String>,
    /// Template of the whole configuration file, from `management_config` and `config`, which are
    /// rendered already. By default one stands behind the other.
    pub document: Option<String>,
    /// Templates of further files, by path.
    pub files: BTreeMap<String, String>,
    /// Templates of SMBIOS fields, which go before those of the hardware.
    pub smbios: Vec<SmbiosField>,
    /// The shell of the user that is made by cloud-init.
    pub shell: String,
    /// The login that `management` makes.
    pub login: Option<Login>,
    /// Beginnings that a configuration must not have, and what to do instead.
    pub refuses: Vec<Refusal>,
}

impl Day0 {
    /// Whether anything can be said to a guest before it boots.
    pub fn takes_config(&self) -> bool {
        self.form != MediaForm::None
    }

    /// All templates, each with the key that it stands under.
    pub fn templates(&self) -> impl Iterator<Item = (String, &str)> {
        let named = [
            ("management", &self.management),
            ("document", &self.document),
        ];
        let named = named
            .into_iter()
            .filter_map(|(key, text)| Some((format!("day0.{key}"), text.as_deref()?)));
        let files = self.files.iter();
        let files = files.map(|(path, text)| (format!("day0.files.{path}"), text.as_str()));
        let smbios = self.smbios.iter().map(|one| {
            let key = format!("day0.smbios.{}.{}", one.table, one.field);
            (key, one.value.as_str())
        });
        named.chain(files).chain(smbios)
    }
}

/// A form of configuration that a kind cannot read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Refusal {
    /// How the first line that is no comment begins.
    pub begins: String,
    /// What to do instead.
    pub help: String,
}

/// The section as it is written.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Day0File {
    /// Form of the medium; `none` by default.
    form: Option<MediaForm>,
    /// What the guest sees it as: `cdrom` by default, `disk` for the form `fat`.
    device: Option<MediumDevice>,
    /// Where it hangs, if not on the bus of the kind's CD-ROMs or of its disk.
    bus: Option<Bus>,
    /// How file names are written on a CD-ROM: `long` for the form `iso`, else `extended`.
    names: Option<MediaNames>,
    /// Its volume label.
    label: Option<String>,
    /// The configuration file: its path on the medium or in the archive; for `nocloud` and
    /// `config-drive` its path in the guest.
    file: Option<String>,
    /// Packs all files into a tar.gz of this name.
    archive: Option<String>,
    /// Size of a FAT disk in MiB.
    size_mib: Option<u32>,
    /// Whether a FAT disk has a partition; it has none by default.
    partitioned: Option<bool>,
    /// What is generated where the lab gives no configuration.
    dialect: Option<Dialect>,
    /// Template of what management needs: host name, user, SSH key, address.
    management: Option<String>,
    /// Template of the whole file, from `management_config` and `config`, which are rendered already.
    document: Option<String>,
    /// Templates of further files, by path.
    files: Option<BTreeMap<String, String>>,
    /// Templates of SMBIOS fields: table, then field, then text.
    smbios: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// The shell of the user that cloud-init makes; `/bin/bash` by default.
    shell: Option<String>,
    /// The login that `management` makes.
    login: Option<LoginFile>,
    /// Beginnings that a configuration must not have.
    refuses: Option<Vec<Refusal>>,
}

impl Day0File {
    /// Fills in what this section leaves to the parent's.
    pub(super) fn inherit(&mut self, parent: &Self) {
        macro_rules! inherit {
            ($($field:ident),* $(,)?) => {
                $( if self.$field.is_none() { self.$field = parent.$field.clone(); } )*
            };
        }
        inherit!(
            form,
            device,
            bus,
            names,
            label,
            file,
            archive,
            size_mib,
            partitioned,
            dialect,
            management,
            document,
            files,
            smbios,
            shell,
            login,
            refuses,
        );
    }

    /// The section, once everything is inherited.
    pub(super) fn into_day0(self, hardware: &Hardware, mistakes: &mut Mistakes) -> Day0 {
        let form = self.form.unwrap_or(MediaForm::None);
        let device = self.device.unwrap_or(match form {
            MediaForm::Fat => MediumDevice::Disk,
            _ => MediumDevice::Cdrom,
        });
        let day0 = Day0 {
            form,
            device,
            bus: self.bus.unwrap_or(match device {
                MediumDevice::Cdrom => hardware.cdrom_bus,
                MediumDevice::Disk => hardware.disk_bus,
                MediumDevice::Usb => Bus::Usb,
            }),
            names: self.names.unwrap_or(match form {
                MediaForm::Iso => MediaNames::Long,
                _ => MediaNames::Extended,
            }),
            label: self.label.unwrap_or_else(|| "config".to_owned()),
            file: self.file,
            archive: self.archive,
            size_mib: self.size_mib.unwrap_or(DISK_SIZE_MIB),
            partitioned: self.partitioned.unwrap_or(false),
            dialect: self.dialect.unwrap_or(Dialect::None),
            management: self.management.filter(|text| !text.trim().is_empty()),
            document: self.document,
            files: self.files.unwrap_or_default(),
            smbios: super::file::smbios(self.smbios),
            shell: self.shell.unwrap_or_else(|| "/bin/bash".to_owned()),
            login: self.login.map(Login::from),
            refuses: self.refuses.unwrap_or_default(),
        };
        check(&day0, mistakes);
        day0
    }
}

/// What a section can get wrong although its form is right.
fn check(day0: &Day0, mistakes: &mut Mistakes) {
    let is_one_file = matches!(day0.form, MediaForm::Iso | MediaForm::Fat);
    if is_one_file && day0.file.is_none() {
        let reason = format!("the form `{}` needs a `file`", day0.form.word());
        mistakes.advise(
            "day0.form",
            reason,
            "name the file that the guest looks for",
        );
    }
    if !(1..=DISK_SIZE_LIMIT_MIB).contains(&day0.size_mib) {
        let reason = format!("{} is not from 1 to {DISK_SIZE_LIMIT_MIB}", day0.size_mib);
        mistakes.add("day0.size-mib", reason);
    }
    let own = day0.file.iter().filter(|_| is_one_file);
    let own = own.map(|path| (vec!["file"], path));
    let archive = day0.archive.iter().map(|path| (vec!["archive"], path));
    let further = day0.files.keys();
    let further = further.map(|path| (vec!["files", path.as_str()], path));
    for (place, path) in own.chain(archive).chain(further) {
        let is_relative = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_relative {
            mistakes.advise_at(
                in_section(&place),
                format!("`{path}` is not a path on a medium"),
                "write it without a slash at its ends and without dots",
            );
        }
    }
    for (key, text) in day0.templates() {
        if let Some(mistake) = template_mistake(&key, text) {
            let key = key.strip_prefix("day0.").unwrap_or(&key);
            // A path on the medium may have dots of its own.
            let place: Vec<&str> = match key.split_once('.') {
                Some(("files", path)) => vec!["files", path],
                _ => key.split('.').collect(),
            };
            mistakes.add_at(in_section(&place), mistake.to_string());
        }
    }
}

fn in_section(keys: &[&str]) -> Vec<String> {
    let keys = ["day0"].iter().chain(keys);
    keys.map(|key| (*key).to_owned()).collect()
}
