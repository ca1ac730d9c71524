//! Repacks a distribution's kernel so that it starts quickly under software emulation.
//!
//! Debian compresses its kernel with xz, which takes a guest under emulation some four seconds to
//! undo. Here the kernel is unpacked at build time and packed with LZ4 behind an unpacker of our
//! own (`frr/kernel/stub.S`), which takes a few tenths. The real-mode part of the bzImage, with
//! which the boot loader talks, stays. Layout of the result:
//!
//! ```text
//! real-mode part | stub, zeros up to DATA_OFFSET | blocks: u32 length, LZ4 data ... | u32 0
//! ^ file start   ^ loaded at LOAD_ADDRESS
//! ```
//!
//! The kernel is laid out at its preferred address, so `CONFIG_RANDOMIZE_BASE` has no effect.
//! Facts about the header: the kernel's `Documentation/x86/boot.rst`, protocol 2.10 or newer.

use std::fs;
use std::path::Path;

use crate::tools::Run;
use crate::{BuildError, io_error};

const STUB: &[u8] = include_bytes!("../frr/kernel/stub.bin");

/// Where a boot loader puts the protected-mode part when it may not be moved.
const LOAD_ADDRESS: u64 = 0x10_0000;

/// Offset of the packed data behind the stub's code, page tables and stack.
const DATA_OFFSET: usize = 0x8000;

/// Offsets in the stub of the addresses that are filled in.
const STUB_DESTINATION: usize = 4;
const STUB_ENTRY: usize = 8;
const STUB_SOURCE: usize = 12;

/// No kernel image in memory is larger; a header that says so is not believed.
const IMAGE_LIMIT_BYTES: u64 = 256 << 20;

/// First bytes of an LZ4 file in the legacy format, which is a run of blocks as the stub wants it.
const LZ4_LEGACY_MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];

/// The kernel packed anew, or None when it is not of the form that we know (no xz, other
/// architecture, too large): then the kernel is to be used as it is.
pub(crate) fn repacked(bzimage: &[u8], work: &Path) -> Result<Option<Vec<u8>>, BuildError> {
    let Some(parts) = Parts::of(bzimage) else {
        return Ok(None);
    };
    let payload = work.join("kernel.xz");
    fs::write(&payload, parts.payload).map_err(io_error(&payload))?;
    let elf = Run::new("xz")
        .args(["--decompress", "--stdout"])
        .arg(&payload)
        .output()?
        .stdout;
    let Some(image) = MemoryImage::of(&elf) else {
        return Ok(None);
    };

    let flat = work.join("kernel.flat");
    fs::write(&flat, &image.bytes).map_err(io_error(&flat))?;
    let packed = Run::new("lz4")
        .args(["-l", "-9", "--stdout"])
        .arg(&flat)
        .output()?
        .stdout;
    let Some(blocks) = packed.strip_prefix(&LZ4_LEGACY_MAGIC) else {
        return Ok(None);
    };
    Ok(joined(parts.real_mode, blocks, &image))
}

/// The parts of a bzImage that matter here.
struct Parts<'a> {
    real_mode: &'a [u8],
    payload: &'a [u8],
}

impl Parts<'_> {
    fn of(bzimage: &[u8]) -> Option<Parts<'_>> {
        if bzimage.get(0x202..0x206)? != b"HdrS" || read_u16(bzimage, 0x206)? < 0x020a {
            return None;
        }
        let setup_sectors = match bzimage.get(0x1f1)? {
            0 => 4,
            count => usize::from(*count),
        };
        let (real_mode, protected_mode) = bzimage.split_at_checked((setup_sectors + 1) * 512)?;
        let offset = read_u32(bzimage, 0x248)? as usize;
        let length = read_u32(bzimage, 0x24c)? as usize;
        // The payload's last four bytes are its unpacked size and no part of the xz stream.
        let payload = protected_mode
            .get(offset..)?
            .get(..length.checked_sub(4)?)?;
        payload
            .starts_with(b"\xfd7zXZ\0")
            .then_some(Parts { real_mode, payload })
    }
}

/// What the kernel looks like in memory before it starts.
struct MemoryImage {
    address: u64,
    entry: u64,
    bytes: Vec<u8>,
}

impl MemoryImage {
    fn of(elf: &[u8]) -> Option<MemoryImage> {
        use object::read::elf::{FileHeader as _, ProgramHeader as _};
        let header = object::elf::FileHeader64::<object::Endianness>::parse(elf).ok()?;
        let endian = header.endian().ok()?;
        let segments: Vec<_> = header
            .program_headers(endian, elf)
            .ok()?
            .iter()
            .filter(|segment| segment.p_type(endian) == object::elf::PT_LOAD)
            .collect();
        let end = |segment: &&object::elf::ProgramHeader64<object::Endianness>| {
            segment.p_paddr(endian).checked_add(segment.p_memsz(endian))
        };
        let address = segments
            .iter()
            .map(|segment| segment.p_paddr(endian))
            .min()?;
        let size = segments
            .iter()
            .map(end)
            .collect::<Option<Vec<_>>>()?
            .into_iter()
            .max()?
            - address;
        if size > IMAGE_LIMIT_BYTES {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        for segment in segments {
            let data = segment.data(endian, elf).ok()?;
            let at = usize::try_from(segment.p_paddr(endian) - address).ok()?;
            bytes
                .get_mut(at..)?
                .get_mut(..data.len())?
                .copy_from_slice(data);
        }
        let entry = header.e_entry.get(endian);
        (address..address + size)
            .contains(&entry)
            .then_some(MemoryImage {
                address,
                entry,
                bytes,
            })
    }
}

fn joined(real_mode: &[u8], blocks: &[u8], image: &MemoryImage) -> Option<Vec<u8>> {
    let mut file = real_mode.to_vec();
    let start = file.len();
    file.extend_from_slice(STUB);
    file.resize(start + DATA_OFFSET, 0);
    file.extend_from_slice(blocks);
    file.extend_from_slice(&[0; 4]);
    file.resize(start + (file.len() - start).next_multiple_of(16), 0);
    let length = file.len() - start;
    if LOAD_ADDRESS + length as u64 > image.address {
        // The unpacked kernel would overwrite what it is unpacked from.
        return None;
    }
    let memory = image.address + image.bytes.len() as u64 - LOAD_ADDRESS;
    write_u32(
        &mut file,
        start + STUB_DESTINATION,
        u32::try_from(image.address).ok()?,
    );
    write_u32(
        &mut file,
        start + STUB_ENTRY,
        u32::try_from(image.entry).ok()?,
    );
    let source = u32::try_from(LOAD_ADDRESS).ok()? + u32::try_from(DATA_OFFSET).ok()?;
    write_u32(&mut file, start + STUB_SOURCE, source);

    write_u32(&mut file, 0x1f4, u32::try_from(length / 16).ok()?);
    file[0x234] = 0; // relocatable_kernel
    file[0x236..0x238].fill(0); // xloadflags: no entry points but the 32-bit one
    write_u32(&mut file, 0x248, 0); // payload_offset
    write_u32(&mut file, 0x24c, 0); // payload_length
    write_u32(&mut file, 0x260, u32::try_from(memory).ok()?); // init_size
    write_u32(&mut file, 0x264, 0); // handover_offset
    Some(file)
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn write_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_xz_bzimage_is_left_alone() {
        assert!(Parts::of(b"MZ").is_none());
        assert!(Parts::of(&[0; 4096]).is_none());
        let mut kernel = vec![0; 8192];
        kernel[0x1f1] = 1;
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        kernel[0x206..0x208].copy_from_slice(&0x020f_u16.to_le_bytes());
        kernel[0x24c] = 64;
        assert!(Parts::of(&kernel).is_none());
        kernel[1024..1030].copy_from_slice(b"\xfd7zXZ\0");
        assert_eq!(Parts::of(&kernel).unwrap().payload.len(), 60);
    }

    #[test]
    fn a_packed_kernel_that_would_overwrite_itself_is_refused() {
        let image = MemoryImage {
            address: 0x11_0000,
            entry: 0x11_0000,
            bytes: vec![0; 16],
        };
        assert!(joined(&[0; 1024], &[0; 100], &image).is_some());
        assert!(joined(&[0; 1024], &vec![0; 0x1_0000], &image).is_none());
    }

    #[test]
    fn the_stub_leaves_room_for_its_page_tables() {
        assert!(STUB.len() < 0x1000);
        assert_eq!(STUB[0], 0xeb);
    }
}
