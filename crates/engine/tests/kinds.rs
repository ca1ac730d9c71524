//! Every kind's machine, shown to those who have to make it: libvirt's schema, libvirt's own test
//! driver, and QEMU, which boots a stand-in disk on it.
//!
//! The stand-in is a boot sector, or a UEFI program on a FAT disk, of a few instructions: they
//! write a word to the first serial port. So a word in the console's log says that QEMU took the
//! machine, that its firmware found the disk on the kind's bus, and that the console is where the
//! kind says. What the vendor's own image makes of the machine is not shown here.

#![allow(clippy::unwrap_used, reason = "these are tests")]
#![allow(clippy::print_stdout, reason = "a test tells what it looked at")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};
use virt::connect::Connect;
use vnflab_engine::driver::libvirt::{LibvirtDriver, default_uri};
use vnflab_engine::driver::{Driver, Overlay};
use vnflab_media::MediaFile;
use vnflab_media::fat::{self, FatRequest, Partitioning};
use vnflab_model::allocate::{Request, allocate};
use vnflab_model::blueprint::{Accelerator, Blueprint, DriveContent, NodeBlueprint};
use vnflab_model::domain_xml::domain_xml;
use vnflab_model::facts::{DiskFormat, Facts, ImageDetails, ImageFact, ImageKey};
use vnflab_model::format::Input;
use vnflab_model::kind::{Catalogue, Firmware, Kind};
use vnflab_model::lab::Node;
use vnflab_model::observed::{Host, Locality, Observed, Scope};
use vnflab_model::resolve::{Resolved, read};
use vnflab_model::span::Sources;
use vnflab_testkit::{Proof, missing_program};

/// Beginning of the names of the labs that are made here, which nobody else may use.
const LAB: &str = "kindproof";

/// What the stand-in writes to the console.
const WORD: &str = "the stand-in runs";

/// Machines that are started side by side: more would only wait for the CPUs.
const SIDE_BY_SIDE: usize = 4;

/// Longest time from power-on to the word. It takes seconds where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Memory of a machine that has nothing to run, for each firmware.
const BIOS_MEMORY_MIB: u64 = 64;
const UEFI_MEMORY_MIB: u64 = 256;

fn main() {
    let no_libvirt = || {
        let found = LibvirtDriver::connect(Some(default_uri())).err();
        found.map(|error| error.to_string())
    };
    let no_firmware = || {
        let is_there = Path::new("/usr/share/qemu/firmware").is_dir();
        (!is_there).then(|| "no UEFI firmware is installed".to_owned())
    };
    vnflab_testkit::run(vec![
        Proof {
            name: "libvirts_schema_knows_every_machine",
            unmet: missing_program(&["virt-xml-validate", "xmllint"]),
            test: libvirts_schema_knows_every_machine,
        },
        Proof {
            name: "libvirts_test_driver_defines_every_machine",
            unmet: None,
            test: libvirts_test_driver_defines_every_machine,
        },
        Proof {
            name: "qemu_boots_a_stand_in_on_every_machine",
            unmet: no_libvirt().or_else(no_firmware),
            test: qemu_boots_a_stand_in_on_every_machine,
        },
        Proof {
            name: "qemu_boots_a_stand_in_on_the_fullest_machines",
            unmet: no_libvirt().or_else(no_firmware),
            test: qemu_boots_a_stand_in_on_the_fullest_machines,
        },
    ]);
}

/// One node of a kind, with so many data interfaces or as many as it usually has.
fn blueprint(
    kind: &Kind,
    catalogue: &Catalogue,
    count: Option<u32>,
    host: &Host,
    image: &Path,
) -> Blueprint {
    let name = &kind.name;
    let interfaces = count.map_or(String::new(), |count| format!(", interfaces: {count}"));
    let text = format!(
        "name: {LAB}-{name}\ntransport: direct\nnodes: {{r1: {{kind: {name}, image: x.img{interfaces}}}}}\n"
    );
    let mut sources = Sources::default();
    let source = sources.add("lab.yaml", text);
    let input = Input::of_file(source, "lab.yaml", "test");
    let Resolved { lab, found, .. } = read(&sources, &input, catalogue);
    let lab = lab.unwrap_or_else(|| panic!("{name}: {found:#?}"));
    let mut facts = Facts::default();
    for (wanted, _) in lab.nodes.iter().flat_map(Node::images) {
        let details = ImageDetails {
            path: image.to_str().unwrap().to_owned(),
            format: DiskFormat::Raw,
            named_format: None,
            virtual_size_bytes: fs::metadata(image).map_or(1 << 20, |metadata| metadata.len()),
            backing: None,
        };
        facts
            .images
            .insert(ImageKey::from(wanted), ImageFact::Present(details));
    }
    let request = Request {
        lab: &lab,
        source: "/kinds/lab.yaml",
        host,
        observed: &Observed::default(),
        facts: &facts,
        authorized_keys: &[],
    };
    let mut blueprint = allocate(request).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
    for node in blueprint.nodes.iter_mut().chain(&mut blueprint.parts) {
        node.accelerator = Accelerator::Tcg;
    }
    blueprint
}

/// A host for labs that are only described.
fn described_host() -> Host {
    Host {
        uri: "test:///default".to_owned(),
        scope: Scope::Session,
        locality: Locality::Local,
        accelerator: Accelerator::Tcg,
        accelerator_reason: "a test".to_owned(),
        memory_mib: 65536,
        cpus: 8,
        volume_folder: "/volumes".to_owned(),
        console_folder: "/consoles".to_owned(),
        bridges: BTreeSet::new(),
        no_cpu_limits: None,
        subnets: Vec::new(),
    }
}

/// The domains of all kinds: name of the kind and XML.
fn described() -> Vec<(String, String)> {
    let catalogue = Catalogue::embedded();
    let host = described_host();
    let mut all = Vec::new();
    for kind in catalogue.kinds() {
        for count in [None, Some(kind.interfaces.limit)] {
            let blueprint = blueprint(kind, &catalogue, count, &host, Path::new("/image.img"));
            for node in blueprint.vms() {
                let xml = domain_xml(node, &blueprint.source, Scope::Session);
                all.push((kind.name.clone(), xml));
            }
        }
    }
    all
}

fn libvirts_schema_knows_every_machine() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("domain.xml");
    for (kind, xml) in described() {
        fs::write(&file, xml).unwrap();
        let output = Command::new("virt-xml-validate")
            .arg(&file)
            .arg("domain")
            .output()
            .unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{kind}: {complaint}");
    }
}

fn libvirts_test_driver_defines_every_machine() {
    let connection = Connect::open(Some("test:///default")).unwrap();
    for (kind, xml) in described() {
        let xml = xml.replacen("<domain type='qemu'", "<domain type='test'", 1);
        let domain = connection.define_domain_xml(&xml);
        let domain = domain.unwrap_or_else(|error| panic!("{kind}: {error}"));
        domain.undefine().unwrap();
    }
}

/// The stand-in disks, where QEMU's own user can read them.
struct StandIns {
    folder: tempfile::TempDir,
}

impl StandIns {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), open).unwrap();
        let own = Self { folder };
        fs::write(own.of(Firmware::Bios), boot_sector_disk()).unwrap();
        fs::write(own.of(Firmware::Uefi), uefi_disk()).unwrap();
        own
    }

    fn of(&self, firmware: Firmware) -> PathBuf {
        self.folder.path().join(format!("{}.img", firmware.word()))
    }
}

/// A disk whose first sector writes the word and halts.
fn boot_sector_disk() -> Vec<u8> {
    let code: &[u8] = &[
        0x31, 0xc0, // xor ax, ax
        0x8e, 0xd8, // mov ds, ax
        0xbe, 0x15, 0x7c, // mov si, word (0x7c00 + 21)
        0xac, // next: lodsb
        0x84, 0xc0, // test al, al
        0x74, 0x06, // jz halt
        0xba, 0xf8, 0x03, // mov dx, 0x3f8
        0xee, // out dx, al
        0xeb, 0xf5, // jmp next
        0xf4, // halt: hlt
        0xeb, 0xfd, // jmp halt
    ];
    assert_eq!(code.len(), 21);
    let mut disk = vec![0; 1 << 20];
    disk[..code.len()].copy_from_slice(code);
    disk[code.len()..][..WORD.len()].copy_from_slice(WORD.as_bytes());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

/// A FAT disk with a UEFI program that does the same.
fn uefi_disk() -> Vec<u8> {
    let program = MediaFile::new("EFI/BOOT/BOOTX64.EFI", uefi_program());
    fat::build(&FatRequest {
        volume_label: "STANDIN",
        files: &[program],
        size_bytes: 16 << 20,
        partitioning: Partitioning::None,
    })
    .unwrap()
}

/// A PE32+ image of one section (Microsoft PE format; UEFI 2.10, 2.1.1).
fn uefi_program() -> Vec<u8> {
    let code: &[u8] = &[
        0x48, 0x8d, 0x35, 0x10, 0x00, 0x00, 0x00, // lea rsi, [rip + 16] (the word)
        0xac, // next: lodsb
        0x84, 0xc0, // test al, al
        0x74, 0x08, // jz halt
        0x66, 0xba, 0xf8, 0x03, // mov dx, 0x3f8
        0xee, // out dx, al
        0xeb, 0xf4, // jmp next
        0x90, // filler
        0xf4, // halt: hlt
        0xeb, 0xfd, // jmp halt
    ];
    assert_eq!(code.len(), 23);
    const ALIGNMENT: usize = 0x200;
    let mut image = vec![0; 2 * ALIGNMENT];
    let mut put = |offset: usize, bytes: &[u8]| {
        image[offset..][..bytes.len()].copy_from_slice(bytes);
    };
    put(0, b"MZ");
    put(0x3c, &0x40_u32.to_le_bytes());
    put(0x40, b"PE\0\0");
    put(0x44, &0x8664_u16.to_le_bytes()); // x86-64
    put(0x46, &1_u16.to_le_bytes()); // sections
    put(0x54, &0xf0_u16.to_le_bytes()); // size of the optional header
    put(0x56, &0x0222_u16.to_le_bytes()); // executable, large addresses, no debugging
    put(0x58, &0x020b_u16.to_le_bytes()); // PE32+
    put(0x5c, &0x200_u32.to_le_bytes()); // size of code
    put(0x68, &0x1000_u32.to_le_bytes()); // entry point
    put(0x6c, &0x1000_u32.to_le_bytes()); // base of code
    put(0x78, &0x1000_u32.to_le_bytes()); // section alignment
    put(0x7c, &0x200_u32.to_le_bytes()); // file alignment
    put(0x90, &0x2000_u32.to_le_bytes()); // size of the image
    put(0x94, &0x200_u32.to_le_bytes()); // size of the headers
    put(0x9c, &10_u16.to_le_bytes()); // an EFI application
    put(0xc4, &16_u32.to_le_bytes()); // data directories, all empty
    put(0x148, b".text\0\0\0");
    put(0x150, &0x200_u32.to_le_bytes()); // virtual size
    put(0x154, &0x1000_u32.to_le_bytes()); // address
    put(0x158, &0x200_u32.to_le_bytes()); // size in the file
    put(0x15c, &0x200_u32.to_le_bytes()); // place in the file
    put(0x16c, &0x6000_0020_u32.to_le_bytes()); // code, readable, executable
    put(ALIGNMENT, code);
    put(ALIGNMENT + code.len(), WORD.as_bytes());
    image
}

/// A machine that goes away with its volumes, whatever becomes of the test.
struct Machine<'a> {
    driver: &'a LibvirtDriver,
    blueprint: &'a Blueprint,
}

impl Machine<'_> {
    fn remove(&self) {
        for node in self.blueprint.vms() {
            let _ = self.driver.destroy_domain(&node.domain());
            let _ = self.driver.undefine_domain(&node.domain());
            for volume in node.drives.iter().filter_map(|drive| drive.volume()) {
                let _ = self.driver.delete_volume(volume);
            }
        }
    }

    fn boot(&self, node: &NodeBlueprint) -> Result<(), String> {
        let driver = self.driver;
        let failed = |error: vnflab_engine::driver::DriverError| error.to_string();
        for drive in &node.drives {
            match &drive.content {
                DriveContent::Overlay {
                    volume,
                    image_path,
                    image_format,
                    size_bytes,
                } => {
                    let overlay = Overlay {
                        volume: volume.clone(),
                        image_path: image_path.clone(),
                        image_format: image_format.clone(),
                        size_bytes: *size_bytes,
                    };
                    driver.create_overlay(&overlay).map_err(failed)?;
                }
                DriveContent::Empty { volume, size_bytes } => {
                    driver.create_disk(volume, *size_bytes).map_err(failed)?;
                }
                DriveContent::Media { volume, .. } => {
                    driver.write_volume(volume, &[0; 4096]).map_err(failed)?;
                }
                DriveContent::HostIso { .. } => {}
            }
        }
        let xml = domain_xml(node, &self.blueprint.source, driver.scope());
        driver.define_domain(&xml).map_err(failed)?;
        driver.start_domain(&node.domain()).map_err(failed)?;
        driver.resume_domain(&node.domain()).map_err(failed)
    }

    /// Waits until the word is in the console's log.
    fn await_word(&self, node: &NodeBlueprint) -> Result<Duration, String> {
        const LOG_LIMIT: u64 = 1 << 20;
        let begun = Instant::now();
        loop {
            let log = self.driver.console_log(&node.console.log_path, LOG_LIMIT);
            let log = log.map_err(|error| error.to_string())?.unwrap_or_default();
            let log = String::from_utf8_lossy(&log).into_owned();
            if log.contains(WORD) {
                return Ok(begun.elapsed());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!(
                    "no word after {PATIENCE:?}; the console says {log:?}"
                ));
            }
            thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Boots the stand-in on each of some machines.
fn boot_all(wanted: Vec<(&Kind, Option<u32>)>, catalogue: &Catalogue) {
    let uri = default_uri();
    let driver = LibvirtDriver::connect(Some(uri)).unwrap();
    driver.ensure_pools().unwrap();
    // As in a user's libvirt: management without a network.
    let host = Host {
        scope: Scope::Session,
        ..driver.host().unwrap()
    };
    let stand_ins = StandIns::new();
    let left = Mutex::new(wanted.into_iter());
    let failures = Mutex::new(Vec::new());
    let work = || {
        loop {
            let Some((kind, count)) = left.lock().unwrap().next() else {
                return;
            };
            let image = stand_ins.of(kind.hardware.firmware);
            let mut blueprint = blueprint(kind, catalogue, count, &host, &image);
            for node in blueprint.nodes.iter_mut().chain(&mut blueprint.parts) {
                node.machine.memory_mib = match node.machine.firmware {
                    Firmware::Bios => BIOS_MEMORY_MIB,
                    Firmware::Uefi => UEFI_MEMORY_MIB,
                };
            }
            let machine = Machine {
                driver: &driver,
                blueprint: &blueprint,
            };
            machine.remove();
            for node in blueprint.vms() {
                let part = node
                    .part
                    .as_deref()
                    .map_or_else(String::new, |part| format!(":{part}"));
                let (name, nics) = (format!("{}{part}", kind.name), node.nics.len());
                let outcome = machine.boot(node).and_then(|()| machine.await_word(node));
                match outcome {
                    Ok(took) => println!("{name} with {nics} NICs: {:.1} s", took.as_secs_f64()),
                    Err(reason) => failures
                        .lock()
                        .unwrap()
                        .push(format!("{name} with {nics} NICs: {reason}")),
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn qemu_boots_a_stand_in_on_every_machine() {
    let catalogue = Catalogue::embedded();
    let kinds = catalogue.kinds().map(|kind| (&**kind, None)).collect();
    boot_all(kinds, &catalogue);
}

/// Of each sort of machine the one with the most interfaces, all of them there.
fn qemu_boots_a_stand_in_on_the_fullest_machines() {
    let catalogue = Catalogue::embedded();
    let sort = |kind: &Kind| {
        let hardware = &kind.hardware;
        (hardware.machine, hardware.firmware, hardware.nic_model)
    };
    let sorts: BTreeSet<_> = catalogue.kinds().map(|kind| sort(kind)).collect();
    let fullest = sorts.into_iter().filter_map(|wanted| {
        let of_sort = catalogue.kinds().filter(|kind| sort(kind) == wanted);
        let fullest = of_sort.max_by_key(|kind| kind.interfaces.limit)?;
        Some((&**fullest, Some(fullest.interfaces.limit)))
    });
    boot_all(fullest.collect(), &catalogue);
}
