//! Builds the `frr` image for real, and boots it under QEMU without hardware acceleration.
//!
//! One test, because everything in it needs the same image. On a host without the tools or
//! without QEMU it says why and is ignored.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test tells and panics"
)]
#![allow(unreachable_pub, reason = "the machine module is this test's own")]

mod machine;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use machine::{Disk, Machine, MachineSpec, NicModel};
use vnflab_imagebuild::{BuildError, ImageBuild, build_frr, missing_tools};
use vnflab_testkit::{Proof, missing_program};

/// The image promises ten seconds on an idle host; a busy one with two machines gets more.
const BOOT_LIMIT: Duration = Duration::from_secs(180);

const COMMAND_LIMIT: Duration = Duration::from_secs(90);

fn main() {
    const PROGRAMS: [&str; 3] = ["qemu-system-x86_64", "qemu-img", "genisoimage"];
    let missing = missing_tools();
    let no_tools = (!missing.is_empty()).then(|| BuildError::ToolsMissing { missing }.to_string());
    vnflab_testkit::run(vec![Proof {
        name: "the_image_is_reproducible_and_boots_into_a_router",
        unmet: no_tools.or_else(|| missing_program(&PROGRAMS)),
        test: the_image_is_reproducible_and_boots_into_a_router,
    }]);
}

/// Downloads are kept between test runs; work files go with them.
fn cache_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("image-cache")
}

fn the_image_is_reproducible_and_boots_into_a_router() {
    let folder = tempfile::tempdir().unwrap();
    let build = |name: &str| {
        let request = ImageBuild {
            output: folder.path().join(name),
            cache_dir: cache_dir(),
            mirror: None,
        };
        let started = Instant::now();
        let built = build_frr(&request, &|step| println!("{name}: {step:?}"));
        println!("{name}: {:.1} s", started.elapsed().as_secs_f64());
        built
    };
    let first = build("first.qcow2").unwrap();
    let second = build("second.qcow2").unwrap();
    assert_eq!(
        first.sha256, second.sha256,
        "two builds from the same packages differ"
    );
    assert!(first.file_size_bytes <= 64 << 20);
    assert!(first.packages.iter().any(|package| package.name == "frr"));
    std::fs::remove_file(&second.path).unwrap();

    routers_become_neighbours(&first.path, folder.path());
    names_follow_pci_addresses(&first.path, folder.path());
}

/// Day-0 for router `number`, as an ISO image.
fn day0(folder: &Path, number: u8) -> PathBuf {
    let name = format!("r{number}");
    let place = folder.join(format!("day0-{name}"));
    std::fs::create_dir_all(&place).unwrap();
    let user_data = include_str!("day0/user-data").replace("{number}", &number.to_string());
    let network = include_str!("day0/network-config").replace("{number}", &number.to_string());
    let meta_data = format!("instance-id: {name}-1\nlocal-hostname: {name}\n");
    std::fs::write(place.join("user-data"), user_data).unwrap();
    std::fs::write(place.join("network-config"), network).unwrap();
    std::fs::write(place.join("meta-data"), meta_data).unwrap();
    let iso = folder.join(format!("{name}.iso"));
    let status = Command::new("genisoimage")
        .args(["-quiet", "-V", "cidata", "-J", "-R", "-o"])
        .arg(&iso)
        .arg(&place)
        .status()
        .unwrap();
    assert!(status.success());
    iso
}

fn routers_become_neighbours(image: &Path, folder: &Path) {
    let [one_end, other_end] = machine::free_udp_ports();
    let specs = [
        (1, Disk::Virtio, NicModel::Virtio, one_end, other_end),
        (2, Disk::Ide, NicModel::E1000, other_end, one_end),
    ];
    let [mut one, mut two] = specs.map(|(number, disk, nic, local, remote)| {
        let spec = MachineSpec::new(image, folder, &format!("r{number}"))
            .disk(disk)
            .cdrom(&day0(folder, number))
            .user_nic(nic)
            .tunnel_nic(nic, local, remote);
        Machine::start(&spec)
    });
    for (machine, name) in [(&mut one, "r1"), (&mut two, "r2")] {
        let said = machine.expect(&format!("{name} login:"), BOOT_LIMIT);
        assert!(said.contains("vnflab-frr ready in "), "{said}");
        assert!(said.contains("user-data: ignored: packages"), "{said}");
        println!("{name}: login after {:.1} s", machine.age().as_secs_f64());
        machine.log_in("admin", "admin");
    }

    one.run_until("vtysh -c 'show ip ospf neighbor'", "Full/", COMMAND_LIMIT);
    one.run_until("/bin/ip route show 10.255.0.2", "proto ospf", COMMAND_LIMIT);
    let ping = one.run("ping -c 2 -W 5 10.255.0.2", COMMAND_LIMIT);
    assert!(ping.contains("2 received"), "{ping}");
    let jumbo = one.run("ping -c 2 -W 5 -M do -s 8972 10.0.0.2", COMMAND_LIMIT);
    assert!(jumbo.contains("2 received"), "{jumbo}");
    let kept = one.run(
        "cat /root/commands; ls -l /root/script; cat /root/.ssh/authorized_keys",
        COMMAND_LIMIT,
    );
    assert!(
        kept.contains("ran on r1") && kept.contains("-rwxr-x---"),
        "{kept}"
    );
    assert!(kept.contains("ssh-ed25519 AAAA"), "{kept}");

    // A link-local multicast frame that any bridge would drop comes through.
    two.send_line("timeout 60 tcpdump -n -e -c 1 -i eth1 ether proto 0x8809");
    two.expect("listening on eth1", COMMAND_LIMIT);
    one.run(
        "send-frame eth1 0180c2000002025400000001880901 124",
        COMMAND_LIMIT,
    );
    two.expect("Slow Protocols", COMMAND_LIMIT);
    two.expect_prompt(COMMAND_LIMIT);

    // What was saved is there after a power cut; day-0 is not applied over it.
    let saved = one.run(
        "vtysh -c 'configure terminal' -c 'interface eth1' -c 'description kept' -c end \
         -c 'write memory'",
        COMMAND_LIMIT,
    );
    assert!(saved.contains("[OK]"), "{saved}");
    one.run("sync", COMMAND_LIMIT);
    let mut one = one.power_cycle();
    one.expect("r1 login:", BOOT_LIMIT);
    one.log_in("root", "s3cret:x");
    let shown = one.run("vtysh -c 'show running-config'", COMMAND_LIMIT);
    assert!(shown.contains("description kept"), "{shown}");
    let free = one.run("grep MemAvailable /proc/meminfo", COMMAND_LIMIT);
    println!("r1: {free}");

    one.press_power_button();
    one.wait_until_off(Duration::from_secs(60));
    two.press_power_button();
    two.wait_until_off(Duration::from_secs(60));
}

/// Mixed drivers, and cards behind a bridge: names go by PCI address.
fn names_follow_pci_addresses(image: &Path, folder: &Path) {
    let mut spec = MachineSpec::new(image, folder, "many")
        .argument("-device")
        .argument("pci-bridge,id=behind,chassis_nr=1,addr=0x3");
    let models = ["virtio-net-pci", "e1000", "vmxnet3", "rtl8139", "e1000e"];
    let mut expected = Vec::new();
    for index in 0..24_usize {
        let address = if index < 12 {
            format!("bus=pci.0,addr={:#x}", index + 8)
        } else {
            format!("bus=behind,addr={:#x}", index - 11)
        };
        let mac = format!("52:54:00:00:02:{index:02x}");
        spec = spec.argument("-device").argument(&format!(
            "{},mac={mac},{address}",
            models[index % models.len()]
        ));
        expected.push(mac);
    }
    let mut machine = Machine::start(&spec);
    machine.expect("frr login:", BOOT_LIMIT);
    machine.log_in("root", "admin");
    let said = machine.run(
        "for i in $(seq 0 23); do cat /sys/class/net/eth$i/address; done",
        COMMAND_LIMIT,
    );
    let found: Vec<&str> = said
        .split_whitespace()
        .filter(|word| word.contains(':'))
        .collect();
    assert_eq!(found, expected);
}
