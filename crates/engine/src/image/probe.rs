//! What the header of a disk image says: format, size, and the file that it lies on.
//!
//! Reads a bounded number of bytes at known places, and believes no length that it finds there.
//! The layouts are those of QEMU's documentation (qcow2), of VMware's, VirtualBox's and
//! Microsoft's specifications, and of ECMA-119 (ISO 9660).

use std::io::{self, Read, Seek, SeekFrom};
use vnflab_model::facts::DiskFormat;

/// Bytes from the start that hold all that is looked for, VHDX's tables aside. The descriptor of
/// a VMDK and the backing name of a qcow2 lie in the first cluster.
const HEAD_BYTES: u64 = 64 * 1024;

/// The longest backing file name: qcow2's own limit.
const MAX_BACKING_NAME_BYTES: usize = 1023;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageHeader {
    /// The format of the content.
    pub format: DiskFormat,
    /// Size of the disk that the guest sees, in bytes.
    pub virtual_size_bytes: u64,
    /// The file that this one lies on, as its header names it.
    pub backing: Option<String>,
}

/// Why a file is no image that we can use.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It begins like an image, but its header contradicts itself.
    #[error("its {0} header is damaged")]
    Damaged(&'static str),
    /// It is something that QEMU cannot boot from as it is.
    #[error("{0}")]
    Unusable(&'static str),
}

/// Reads the header of an image.
///
/// # Errors
///
/// When it cannot be read, is damaged, or is known not to be a disk image.
pub fn probe(image: &mut (impl Read + Seek)) -> Result<ImageHeader, ProbeError> {
    let size = image.seek(SeekFrom::End(0))?;
    image.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    image.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    if size == 0 {
        return Err(ProbeError::Unusable("it is empty"));
    }
    for (magic, complaint) in UNUSABLE {
        if head.starts_with(magic) {
            return Err(ProbeError::Unusable(complaint));
        }
    }
    if head.starts_with(b"QFI\xfb") {
        return qcow2(&head);
    }
    if head.starts_with(b"KDMV") {
        return vmdk(&head);
    }
    if head.get(0x40..0x44) == Some(&0xbeda_107f_u32.to_le_bytes()) {
        return vdi(&head);
    }
    if head.starts_with(b"vhdxfile") {
        return vhdx(image);
    }
    let format = match head.get(0x8001..0x8006) {
        Some(b"CD001") => DiskFormat::Iso,
        _ => DiskFormat::Raw,
    };
    Ok(ImageHeader {
        format,
        virtual_size_bytes: size,
        backing: None,
    })
}

/// The format that a file's name says; `.img` and others say none.
pub fn named_format(name: &str) -> Option<DiskFormat> {
    let (_, extension) = name.rsplit_once('.')?;
    FORMATS
        .into_iter()
        .find(|format| extension.eq_ignore_ascii_case(format.word()))
}

/// All formats.
pub(super) const FORMATS: [DiskFormat; 6] = [
    DiskFormat::Qcow2,
    DiskFormat::Raw,
    DiskFormat::Vmdk,
    DiskFormat::Vdi,
    DiskFormat::Vhdx,
    DiskFormat::Iso,
];

const COMPRESSED: &str = "it is compressed: unpack it first";

/// How things begin that one could mistake for an image.
const UNUSABLE: [(&[u8], &str); 8] = [
    (b"\x1f\x8b", COMPRESSED),
    (b"\xfd7zXZ\0", COMPRESSED),
    (b"BZh", COMPRESSED),
    (b"\x28\xb5\x2f\xfd", COMPRESSED),
    (b"PK\x03\x04", COMPRESSED),
    (b"7z\xbc\xaf\x27\x1c", COMPRESSED),
    (
        b"# Disk DescriptorFile",
        "it is only the description of a VMDK, whose extents are files of their own: convert it with qemu-img",
    ),
    (
        b"QED\0",
        "it is of QEMU's old format QED: convert it with qemu-img",
    ),
];

fn bytes<const N: usize>(head: &[u8], at: usize) -> Option<[u8; N]> {
    head.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn qcow2(head: &[u8]) -> Result<ImageHeader, ProbeError> {
    const DAMAGED: ProbeError = ProbeError::Damaged("qcow2");
    /// Bit of the incompatible features: the data lie in another file.
    const EXTERNAL_DATA: u64 = 1 << 2;
    let word = |at| bytes(head, at).map(u32::from_be_bytes).ok_or(DAMAGED);
    let long = |at| bytes(head, at).map(u64::from_be_bytes).ok_or(DAMAGED);
    match word(4)? {
        2 => {}
        3 if long(72)? & EXTERNAL_DATA != 0 => {
            return Err(ProbeError::Unusable(
                "it is a qcow2 whose data lie in another file",
            ));
        }
        3 => {}
        _ => {
            return Err(ProbeError::Unusable(
                "it is a qcow of a version other than 2 and 3",
            ));
        }
    }
    let backing = match (long(8)?, word(16)?) {
        (0, _) | (_, 0) => None,
        (offset, length) => {
            let offset = usize::try_from(offset).map_err(|_| DAMAGED)?;
            let length = usize::try_from(length).map_err(|_| DAMAGED)?;
            let end = offset.checked_add(length).ok_or(DAMAGED)?;
            let name = head.get(offset..end).ok_or(DAMAGED)?;
            if length > MAX_BACKING_NAME_BYTES {
                return Err(DAMAGED);
            }
            Some(String::from_utf8_lossy(name).into_owned())
        }
    };
    Ok(ImageHeader {
        format: DiskFormat::Qcow2,
        virtual_size_bytes: long(24)?,
        backing,
    })
}

fn vmdk(head: &[u8]) -> Result<ImageHeader, ProbeError> {
    const SECTOR_BYTES: u64 = 512;
    const DAMAGED: ProbeError = ProbeError::Damaged("VMDK");
    let sectors = bytes(head, 12).map(u64::from_le_bytes).ok_or(DAMAGED)?;
    let text = String::from_utf8_lossy(head);
    let parent = text.split_once("parentFileNameHint=\"");
    Ok(ImageHeader {
        format: DiskFormat::Vmdk,
        virtual_size_bytes: sectors.checked_mul(SECTOR_BYTES).ok_or(DAMAGED)?,
        backing: parent
            .and_then(|(_, rest)| rest.split('"').next())
            .map(str::to_owned),
    })
}

fn vdi(head: &[u8]) -> Result<ImageHeader, ProbeError> {
    const DAMAGED: ProbeError = ProbeError::Damaged("VDI");
    /// An image that only holds what differs from another.
    const DIFFERENCING: u32 = 4;
    let kind = bytes(head, 0x4c).map(u32::from_le_bytes).ok_or(DAMAGED)?;
    Ok(ImageHeader {
        format: DiskFormat::Vdi,
        virtual_size_bytes: bytes(head, 0x170).map(u64::from_le_bytes).ok_or(DAMAGED)?,
        backing: (kind == DIFFERENCING).then(|| "an image that it names by UUID".to_owned()),
    })
}

/// VHDX keeps its size in a table of items, which a table of regions points to.
fn vhdx(image: &mut (impl Read + Seek)) -> Result<ImageHeader, ProbeError> {
    const DAMAGED: ProbeError = ProbeError::Damaged("VHDX");
    const REGION_TABLE: u64 = 192 * 1024;
    const TABLE_BYTES: u64 = 64 * 1024;
    // GUIDs as they lie in the file.
    const METADATA_REGION: [u8; 16] =
        *b"\x06\xa2\x7c\x8b\x90\x47\x9a\x4b\xb8\xfe\x57\x5f\x05\x0f\x88\x6e";
    const VIRTUAL_SIZE: [u8; 16] =
        *b"\x24\x42\xa5\x2f\x1b\xcd\x76\x48\xb2\x11\x5d\xbe\xd8\x3b\xf4\xb8";
    const FILE_PARAMETERS: [u8; 16] =
        *b"\x37\x67\xa1\xca\x36\xfa\x43\x4d\xb3\xb6\x33\xf0\xaa\x44\xe7\x6b";
    const HAS_PARENT: u32 = 1 << 1;
    let mut table_at = |offset| -> io::Result<Vec<u8>> {
        let mut table = Vec::new();
        image.seek(SeekFrom::Start(offset))?;
        image.by_ref().take(TABLE_BYTES).read_to_end(&mut table)?;
        Ok(table)
    };
    let regions = table_at(REGION_TABLE)?;
    let metadata_offset = regions
        .get(16..)
        .into_iter()
        .flat_map(|entries| entries.chunks_exact(32))
        .find(|entry| entry.starts_with(&METADATA_REGION))
        .and_then(|entry| bytes(entry, 16))
        .map(u64::from_le_bytes)
        .ok_or(DAMAGED)?;
    let items = table_at(metadata_offset)?;
    let mut item = |guid: [u8; 16]| -> Result<Vec<u8>, ProbeError> {
        let offset = items
            .get(32..)
            .into_iter()
            .flat_map(|entries| entries.chunks_exact(32))
            .find(|entry| entry.starts_with(&guid))
            .and_then(|entry| bytes(entry, 16))
            .map(u32::from_le_bytes)
            .ok_or(DAMAGED)?;
        let at = metadata_offset.checked_add(offset.into()).ok_or(DAMAGED)?;
        Ok(table_at(at)?)
    };
    let size = item(VIRTUAL_SIZE)?;
    let parameters = item(FILE_PARAMETERS)?;
    let flags = bytes(&parameters, 4).map(u32::from_le_bytes);
    Ok(ImageHeader {
        format: DiskFormat::Vhdx,
        virtual_size_bytes: bytes(&size, 0).map(u64::from_le_bytes).ok_or(DAMAGED)?,
        backing: (flags.ok_or(DAMAGED)? & HAS_PARENT != 0)
            .then(|| "an image that it names by UUID".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;
    use std::process::Command;

    fn qcow2_header(version: u32, backing: &str, size: u64) -> Vec<u8> {
        let mut head = vec![0; 512];
        head[..4].copy_from_slice(b"QFI\xfb");
        head[4..8].copy_from_slice(&version.to_be_bytes());
        head[24..32].copy_from_slice(&size.to_be_bytes());
        if !backing.is_empty() {
            head[8..16].copy_from_slice(&128_u64.to_be_bytes());
            head[16..20].copy_from_slice(&u32::try_from(backing.len()).unwrap().to_be_bytes());
            head[128..128 + backing.len()].copy_from_slice(backing.as_bytes());
        }
        head
    }

    fn of(bytes: Vec<u8>) -> Result<ImageHeader, String> {
        probe(&mut Cursor::new(bytes)).map_err(|error| error.to_string())
    }

    #[test]
    fn qcow2_headers_tell_size_and_backing_file() {
        for version in [2, 3] {
            let header = of(qcow2_header(version, "/a/base.qcow2", 1 << 30)).unwrap();
            assert_eq!(header.format, DiskFormat::Qcow2);
            assert_eq!(header.virtual_size_bytes, 1 << 30);
            assert_eq!(header.backing.as_deref(), Some("/a/base.qcow2"));
        }
        assert_eq!(of(qcow2_header(3, "", 7)).unwrap().backing, None);
        assert!(of(qcow2_header(1, "", 7)).is_err());
        let mut external = qcow2_header(3, "", 7);
        external[79] = 4;
        assert!(of(external).unwrap_err().contains("another file"));
    }

    #[test]
    fn lengths_beyond_the_file_are_damage() {
        let mut head = qcow2_header(3, "x", 7);
        head[8..16].copy_from_slice(&u64::MAX.to_be_bytes());
        assert_eq!(of(head).unwrap_err(), "its qcow2 header is damaged");
        assert_eq!(
            of(b"QFI\xfb".to_vec()).unwrap_err(),
            "its qcow2 header is damaged"
        );
    }

    #[test]
    fn what_is_no_image_is_said() {
        assert_eq!(of(Vec::new()).unwrap_err(), "it is empty");
        assert_eq!(of(b"\x1f\x8bxxxx".to_vec()).unwrap_err(), COMPRESSED);
    }

    #[test]
    fn what_has_no_header_is_raw_or_an_iso() {
        assert_eq!(of(vec![0; 1024]).unwrap().format, DiskFormat::Raw);
        let mut iso = vec![0; 0x9000];
        iso[0x8001..0x8006].copy_from_slice(b"CD001");
        let header = of(iso).unwrap();
        assert_eq!(
            (header.format, header.virtual_size_bytes),
            (DiskFormat::Iso, 0x9000)
        );
    }

    #[test]
    fn names_tell_formats() {
        assert_eq!(named_format("a.b.QCOW2"), Some(DiskFormat::Qcow2));
        assert_eq!(named_format("a.vmdk"), Some(DiskFormat::Vmdk));
        assert_eq!(named_format("a.img"), None);
        assert_eq!(named_format("qcow2"), None);
    }

    /// qemu-img as an independent witness of every format that it can write.
    #[test]
    fn images_of_qemu_img_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for format in [
            DiskFormat::Qcow2,
            DiskFormat::Vmdk,
            DiskFormat::Vdi,
            DiskFormat::Vhdx,
        ] {
            let path = folder.path().join(format!("image.{}", format.word()));
            let made = Command::new("qemu-img")
                .args(["create", "-q", "-f", format.word()])
                .arg(&path)
                .arg("48M")
                .status();
            let Ok(status) = made else {
                println!("skipped: qemu-img is not installed");
                return;
            };
            assert!(status.success(), "{format:?}");
            let header = probe(&mut std::fs::File::open(&path).unwrap()).unwrap();
            assert_eq!(header.format, format);
            assert_eq!(header.virtual_size_bytes, 48 << 20, "{format:?}");
            assert_eq!(header.backing, None);
        }
        let overlay = folder.path().join("overlay.qcow2");
        let base = folder.path().join("image.qcow2");
        let made = Command::new("qemu-img")
            .args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"])
            .args([&base, &overlay])
            .status();
        assert!(made.unwrap().success());
        let header = probe(&mut std::fs::File::open(&overlay).unwrap()).unwrap();
        assert_eq!(header.backing.as_deref(), base.to_str());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            magic in proptest::sample::select(vec![&b"QFI\xfb"[..], b"KDMV", b"vhdxfile", b""]),
            rest in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let _ = of([magic, &rest].concat());
        }
    }
}
