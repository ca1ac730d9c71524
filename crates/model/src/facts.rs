//! What the checks have to know of the world, gathered by the engine beforehand.

use crate::blueprint::Accelerator;
use crate::observed::Scope;
use crate::spec::ImageSpec;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Facts about the host and the files that a lab names.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Each image that the lab names.
    pub images: BTreeMap<ImageKey, ImageFact>,
    /// Each other file that the lab names (configurations, media), by the path as written.
    pub files: BTreeMap<String, FileFact>,
    /// UDP sockets on the host that are not this lab's own.
    pub udp_taken: BTreeSet<SocketAddr>,
    /// TCP listeners on the host that are not this lab's own.
    pub tcp_taken: BTreeSet<SocketAddr>,
    /// Of the sockets above, those of other labs: whose they are, such as `` `r1` of lab `x` ``.
    pub holders: BTreeMap<SocketAddr, String>,
    /// Memory of the host that can be had, in MiB.
    pub memory_available_mib: Option<u64>,
    /// How the host executes guests; `None` where it was not looked at.
    pub accelerator: Option<Accelerator>,
    /// Whose libvirt it is; `None` where it was not looked at.
    pub scope: Option<Scope>,
    /// CPUs of the host.
    pub cpus: Option<u32>,
    /// Why guests cannot be limited in what they take of the host's CPUs; `None` where they can.
    pub no_cpu_limits: Option<String>,
    /// Labs that exist on the connection: name, and the file that they came from.
    pub labs: BTreeMap<String, String>,
    /// The path of the lab that is being checked, in the same form as in `labs`.
    pub this_source: String,
}

impl Facts {
    /// Whether a socket of the host keeps `address` from being bound: one on this very address,
    /// one on all addresses, or, where `address` is all addresses, any on its port.
    pub fn is_taken(taken: &BTreeSet<SocketAddr>, address: SocketAddr) -> bool {
        if address.ip().is_unspecified() {
            return taken.iter().any(|other| other.port() == address.port());
        }
        let on_all = [
            IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        ];
        let on_all = on_all.map(|ip| SocketAddr::new(ip, address.port()));
        taken.contains(&address) || on_all.iter().any(|address| taken.contains(address))
    }

    /// Who has a socket that is taken, as far as it is known.
    pub fn holder(&self, address: SocketAddr) -> &str {
        self.holders
            .get(&address)
            .map_or("another process", String::as_str)
    }
}

/// An image as a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageKey {
    /// A path as written.
    Path(String),
    /// A name in the store.
    Stored(String),
}

impl From<&ImageSpec> for ImageKey {
    fn from(image: &ImageSpec) -> Self {
        match image {
            ImageSpec::Path(path) => Self::Path(path.clone()),
            ImageSpec::Stored(name) => Self::Stored(name.clone()),
        }
    }
}

/// What is known of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageFact {
    /// It can be used.
    Present(ImageDetails),
    /// There is none; the places that were looked at.
    Missing(Vec<String>),
    /// It is there, but cannot be read; the reason.
    Unreadable(String),
}

/// What the header of an image says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDetails {
    /// Absolute path on the host that runs the VMs.
    pub path: String,
    /// The format that the content has.
    pub format: DiskFormat,
    /// The format that the file's name says, where it says one.
    pub named_format: Option<DiskFormat>,
    /// Size of the disk that the guest sees, in bytes.
    pub virtual_size_bytes: u64,
    /// The backing file that the header names, and whether it lies in the image store.
    pub backing: Option<(String, BackingPlace)>,
}

/// Where a backing file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackingPlace {
    /// In the image store.
    Store,
    /// Elsewhere.
    Elsewhere,
}

/// Formats of disk images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DiskFormat {
    /// QEMU's own, version 2 or 3.
    Qcow2,
    /// No format at all.
    Raw,
    /// VMware.
    Vmdk,
    /// VirtualBox.
    Vdi,
    /// Hyper-V.
    Vhdx,
    /// An ISO 9660 image.
    Iso,
}

impl DiskFormat {
    /// libvirt's and QEMU's word for the format.
    pub fn word(self) -> &'static str {
        match self {
            Self::Qcow2 => "qcow2",
            Self::Raw => "raw",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Vhdx => "vhdx",
            Self::Iso => "iso",
        }
    }
}

/// What is known of another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFact {
    /// It was read; the path on this host and the content.
    Present {
        /// Absolute path.
        path: String,
        /// The bytes; absent for media, which are too large to hold.
        content: Option<Vec<u8>>,
    },
    /// It does not exist.
    Missing,
    /// It cannot be used; the reason.
    Unreadable(String),
}
