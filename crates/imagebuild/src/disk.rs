//! Puts a boot partition (FAT with syslinux) and a root partition together into a qcow2 disk.
//!
//! The invariant: nothing on the disk depends on the time, the host or the user; serial numbers
//! and the disk signature are constants.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::tools::{Run, SYSLINUX_MBR};
use crate::{BuildError, io_error};

const SECTOR_BYTES: u64 = 512;
const MIB: u64 = 1 << 20;

/// Both partitions begin on a MiB, which suits every cluster and block size.
const BOOT_START_BYTES: u64 = MIB;

/// Volume serial of the boot partition and signature of the disk; any constants do.
const BOOT_SERIAL: &str = "564e4642";
const DISK_SIGNATURE: u32 = 0x564e_464c;

/// Heads and sectors of the disk geometry that FAT and MBR still name; all access is by LBA.
const HEADS: u64 = 16;
const SECTORS_PER_TRACK: u64 = 63;

const FIRST_SECTOR_CODE: &[u8] = include_bytes!("../frr/boot/first.bin");
const QUICK_CODE: &[u8] = include_bytes!("../frr/boot/quick.bin");

/// Room between the first sector and syslinux's; `first.S` and `quick.S` count on it.
const QUICK_CODE_LIMIT_BYTES: usize = 1024;

/// A partition of the MBR table.
struct Partition {
    start_bytes: u64,
    size_bytes: u64,
    kind: u8,
    active: bool,
}

/// Files of the boot partition, and its size.
pub(crate) struct BootPartition<'a> {
    pub(crate) size_bytes: u64,
    pub(crate) files: &'a [(&'a str, &'a [u8])],
}

/// Makes the boot partition in `image`: FAT16, syslinux and the files.
pub(crate) fn write_boot_partition(
    image: &Path,
    boot: &BootPartition<'_>,
    work: &Path,
) -> Result<(), BuildError> {
    fs::File::create(image)
        .and_then(|file| file.set_len(boot.size_bytes))
        .map_err(io_error(image))?;
    Run::new("mformat")
        .arg("-i")
        .arg(image)
        .args(["-T", &(boot.size_bytes / SECTOR_BYTES).to_string()])
        .args([
            "-h",
            &HEADS.to_string(),
            "-s",
            &SECTORS_PER_TRACK.to_string(),
        ])
        .args(["-H", &(BOOT_START_BYTES / SECTOR_BYTES).to_string()])
        .args(["-c", "8", "-N", BOOT_SERIAL, "-v", "VNFLAB", "::"])
        .output()?;
    // syslinux goes first: its loader must be found quickly and lie in one piece.
    Run::new("syslinux").arg("--install").arg(image).output()?;
    for (name, bytes) in boot.files {
        let file = work.join(name);
        fs::write(&file, bytes).map_err(io_error(&file))?;
        Run::new("mcopy")
            .arg("-i")
            .arg(image)
            .arg(&file)
            .arg(format!("::{name}"))
            .output()?;
    }
    Ok(())
}

/// Joins MBR, boot and root partition into the sparse raw file `disk` of `size_bytes`.
pub(crate) fn assemble(
    disk: &Path,
    size_bytes: u64,
    boot: &Path,
    root: &Path,
) -> Result<(), BuildError> {
    let length = |file: &Path| {
        fs::metadata(file)
            .map(|facts| facts.len())
            .map_err(io_error(file))
    };
    let (boot_bytes, root_bytes) = (length(boot)?, length(root)?);
    let partitions = [
        Partition {
            start_bytes: BOOT_START_BYTES,
            size_bytes: boot_bytes,
            kind: 0x0e,
            active: true,
        },
        Partition {
            start_bytes: BOOT_START_BYTES + boot_bytes,
            size_bytes: root_bytes,
            kind: 0x83,
            active: false,
        },
    ];
    let code = fs::read(SYSLINUX_MBR).map_err(io_error(Path::new(SYSLINUX_MBR)))?;
    let mut target = fs::File::create(disk).map_err(io_error(disk))?;
    target.set_len(size_bytes).map_err(io_error(disk))?;
    target
        .write_all(&boot_sectors(&code, &partitions))
        .map_err(io_error(disk))?;
    for (source, partition) in [boot, root].into_iter().zip(&partitions) {
        copy_sparse(source, &mut target, partition.start_bytes).map_err(io_error(source))?;
    }
    Ok(())
}

/// Bytes that a root partition gets on a disk of that size with that boot partition.
pub(crate) fn root_size_bytes(disk_bytes: u64, boot_bytes: u64) -> u64 {
    disk_bytes - BOOT_START_BYTES - boot_bytes
}

/// Converts a raw disk into a compressed qcow2 file.
pub(crate) fn convert_to_qcow2(disk: &Path, qcow2: &Path) -> Result<(), BuildError> {
    Run::new("qemu-img")
        // Several coroutines would let clusters land in any order.
        .args(["convert", "-m", "1", "-f", "raw", "-O", "qcow2", "-c"])
        .args(["-o", "compat=1.1,compression_type=zstd"])
        .arg(disk)
        .arg(qcow2)
        .output()?;
    Ok(())
}

/// The disk's first sectors: ours (`frr/boot/first.S`), the code that makes IDE disks quick
/// (`frr/boot/quick.S`, which expects the rest three sectors in), and syslinux's own first sector.
fn boot_sectors(syslinux: &[u8], partitions: &[Partition]) -> Vec<u8> {
    let mut sectors = master_boot_record(FIRST_SECTOR_CODE, partitions).to_vec();
    sectors.extend_from_slice(QUICK_CODE);
    sectors.resize(512 + QUICK_CODE_LIMIT_BYTES, 0);
    sectors.extend_from_slice(&master_boot_record(syslinux, partitions));
    sectors
}

fn master_boot_record(code: &[u8], partitions: &[Partition]) -> [u8; 512] {
    let mut sector = [0_u8; 512];
    let code = &code[..code.len().min(440)];
    sector[..code.len()].copy_from_slice(code);
    sector[440..444].copy_from_slice(&DISK_SIGNATURE.to_le_bytes());
    for (index, partition) in partitions.iter().enumerate() {
        let at = 446 + index * 16;
        let entry = &mut sector[at..at + 16];
        entry[0] = if partition.active { 0x80 } else { 0 };
        entry[1..4].copy_from_slice(&[0xfe, 0xff, 0xff]);
        entry[4] = partition.kind;
        entry[5..8].copy_from_slice(&[0xfe, 0xff, 0xff]);
        entry[8..12].copy_from_slice(&sectors(partition.start_bytes).to_le_bytes());
        entry[12..16].copy_from_slice(&sectors(partition.size_bytes).to_le_bytes());
    }
    sector[510..].copy_from_slice(&[0x55, 0xaa]);
    sector
}

fn sectors(bytes: u64) -> u32 {
    u32::try_from(bytes / SECTOR_BYTES).expect("our disks are far smaller than 2 TiB")
}

/// Copies a file to an offset and leaves holes where it is zero.
fn copy_sparse(source: &Path, target: &mut fs::File, offset: u64) -> std::io::Result<()> {
    let mut reader = fs::File::open(source)?;
    let mut block = vec![0_u8; 64 << 10];
    let mut position = offset;
    loop {
        let length = reader.read(&mut block)?;
        if length == 0 {
            return Ok(());
        }
        if block[..length].iter().any(|byte| *byte != 0) {
            target.seek(SeekFrom::Start(position))?;
            target.write_all(&block[..length])?;
        }
        position += length as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_record_names_both_partitions() {
        let partitions = [
            Partition {
                start_bytes: MIB,
                size_bytes: 16 * MIB,
                kind: 0x0e,
                active: true,
            },
            Partition {
                start_bytes: 17 * MIB,
                size_bytes: 4 * MIB,
                kind: 0x83,
                active: false,
            },
        ];
        let sector = master_boot_record(&[0xeb; 600], &partitions);
        assert_eq!(sector[439], 0xeb);
        assert_eq!(&sector[440..444], b"LFNV");
        assert_eq!((sector[446], sector[450]), (0x80, 0x0e));
        assert_eq!(sector[454..458], 2048_u32.to_le_bytes());
        assert_eq!(sector[470..474], (17 * 2048_u32).to_le_bytes());
        assert_eq!(&sector[510..], [0x55, 0xaa]);
    }

    #[test]
    fn the_boot_code_fits_its_places() {
        assert!(FIRST_SECTOR_CODE.len() <= 440);
        assert!(QUICK_CODE.len() <= QUICK_CODE_LIMIT_BYTES);
        let sectors = boot_sectors(&[0xeb; 440], &[]);
        assert_eq!(sectors.len(), 4 * 512);
        assert_eq!(sectors[3 * 512], 0xeb);
    }

    #[test]
    fn zero_blocks_stay_holes_and_data_lands_at_its_offset() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source");
        let mut bytes = vec![0_u8; 128 << 10];
        bytes[70_000] = 7;
        fs::write(&source, &bytes).unwrap();
        let target_path = folder.path().join("target");
        let mut target = fs::File::create(&target_path).unwrap();
        copy_sparse(&source, &mut target, 4096).unwrap();
        let copied = fs::read(&target_path).unwrap();
        assert_eq!(copied[4096 + 70_000], 7);
        assert_eq!(copied.iter().filter(|byte| **byte != 0).count(), 1);
    }
}
