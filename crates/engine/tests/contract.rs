//! What every driver promises, checked on each of them by the same functions: the fake, libvirt's
//! own test driver, and real QEMU under the system's and under a user's libvirt.
//!
//! What a driver cannot do at all is named ([`Lack`]) and printed; a driver that cannot be
//! reached here is ignored.

#![allow(clippy::unwrap_used, reason = "these are tests")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

mod support;

use std::time::Duration;
use support::TestLab;
use vnflab_engine::driver::fake::FakeDriver;
use vnflab_engine::driver::{Driver, DriverError, Overlay, Shutdown};
use vnflab_engine::media::media_image;
use vnflab_engine::worker;
use vnflab_model::blueprint::{Blueprint, Carrier, DriveContent, Lease, NodeBlueprint};
use vnflab_model::domain_xml::{domain_xml, network_xml};
use vnflab_model::observed::{DomainState, NetworkState};
use vnflab_model::record::NodeRecord;
use vnflab_model::typing::{Typing, with_typing};
use vnflab_testkit::Proof;

fn main() {
    let fake = Proof {
        name: "the_fake_keeps_the_contract",
        unmet: None,
        test: the_fake_keeps_the_contract,
    };
    let proofs = [fake].into_iter();
    #[cfg(feature = "libvirt")]
    let proofs = proofs.chain(libvirt::proofs());
    vnflab_testkit::run(proofs.collect());
}

/// What a driver cannot do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// It keeps no files.
    Volumes,
    /// It has no networks (a user's libvirt has none).
    Networks,
    /// Its interfaces cannot be changed.
    Carriers,
    /// Nothing limits what its guests take of CPUs.
    CpuLimits,
}

/// A driver, and a lab for it.
struct Subject<'a> {
    driver: &'a dyn Driver,
    others: &'a dyn Others,
    lab: TestLab,
    lacks: &'static [Lack],
    /// The word for libvirt's type of domain.
    domain_type: &'static str,
}

/// What belongs to somebody else beside the lab, made and looked at without our driver.
trait Others {
    /// All of it in full; equal before and after, it was not touched.
    fn state(&self) -> String;
    /// The name of a domain, a network and a file in our pool.
    fn names(&self) -> [&str; 3];
    /// The bytes of one of our volumes.
    fn bytes(&self, volume: &str) -> Vec<u8>;
    /// The carrier of an interface, in every description that there is of its domain.
    fn carriers(&self, domain: &str, mac: &str) -> Vec<Carrier>;
}

impl Subject<'_> {
    fn has(&self, lack: Lack) -> bool {
        !self.lacks.contains(&lack)
    }

    fn xml(&self, node: &NodeBlueprint, source: &str) -> String {
        let xml = domain_xml(node, source, self.driver.scope());
        let wanted = format!("<domain type='{}'", self.domain_type);
        xml.replacen("<domain type='qemu'", &wanted, 1)
    }

    fn run(&self) {
        for lack in self.lacks {
            println!("skipped: {lack:?}");
        }
        let before = self.others.state();
        assert!(!before.is_empty());
        let blueprint = self.lab.blueprint();
        // What an earlier run that failed may have left.
        self.it_goes_down_twice(&blueprint);
        self.strangers_are_refused(&blueprint);
        assert_eq!(self.others.state(), before);
        self.what_is_missing_is_said(&blueprint);
        self.a_lab_comes_up_twice(&blueprint);
        self.it_is_observed_as_it_was_made(&blueprint);
        self.leases_change(&blueprint);
        self.carriers_and_records_change(&blueprint);
        self.what_was_typed_is_noted(&blueprint);
        self.a_running_domain_is_held_and_limited(&blueprint);
        self.a_running_domain_is_not_undefined(&blueprint);
        self.it_goes_down_twice(&blueprint);
        assert_eq!(self.others.state(), before);
    }

    fn strangers_are_refused(&self, blueprint: &Blueprint) {
        let driver = self.driver;
        let [domain, network, volume] = self.others.names();
        let foreign = |result: Result<(), DriverError>, what: &str| {
            assert!(
                matches!(result, Err(DriverError::Foreign { .. })),
                "{what}: {result:?}"
            );
        };
        let mut node = blueprint.nodes[0].clone();
        let (lab, name) = domain.split_once('.').expect("the name is of our form");
        (node.lab, node.node) = (lab.to_owned(), name.to_owned());
        foreign(driver.define_domain(&self.xml(&node, "/x")), "define");
        let xml_without_record = format!("<domain><name>{domain}</name></domain>");
        foreign(
            driver.define_domain(&xml_without_record),
            "define without record",
        );
        foreign(driver.start_domain(domain), "start");
        foreign(driver.set_cpu_limit(domain, None), "limit");
        foreign(driver.note_typing(domain, None), "note typing");
        foreign(driver.suspend_domain(domain), "suspend");
        foreign(driver.resume_domain(domain), "resume");
        let patience = Duration::from_secs(1);
        foreign(
            driver.shutdown_domain(domain, patience).map(drop),
            "shut down",
        );
        foreign(driver.destroy_domain(domain), "destroy");
        foreign(
            driver.set_carrier(domain, "52:54:00:00:00:01", Carrier::Up),
            "set a carrier",
        );
        let blueprint_of_another = node.clone();
        let record = NodeRecord {
            source: "/x".to_owned(),
            blueprint: blueprint_of_another,
        };
        foreign(driver.record_node(&record), "record");
        foreign(driver.undefine_domain(domain), "undefine");
        let observed = driver.observe().unwrap();
        assert!(observed.foreign_domains.contains(domain));
        if self.has(Lack::Networks) {
            let mut lab = self.lab.clone();
            lab.network = Some(77);
            let mut blueprint = lab.blueprint().networks.remove(0);
            blueprint.name = network.to_owned();
            foreign(
                driver.define_network(&network_xml(&blueprint)),
                "define network",
            );
            foreign(driver.start_network(network), "start network");
            foreign(driver.remove_network(network), "remove network");
            foreign(driver.add_lease(network, &lease(9)), "add lease");
            foreign(driver.remove_lease(network, &lease(9)), "remove lease");
            assert!(observed.foreign_networks.contains(network));
        }
        foreign(driver.delete_volume(volume), "delete volume");
        foreign(driver.write_volume(volume, b"x"), "write volume");
        foreign(driver.create_disk(volume, 1), "create disk");
    }

    fn what_is_missing_is_said(&self, blueprint: &Blueprint) {
        let driver = self.driver;
        let name = blueprint.nodes[0].domain();
        let missing = |result| assert!(matches!(result, Err(DriverError::Missing { .. })));
        missing(driver.start_domain(&name));
        missing(driver.set_cpu_limit(&name, Some(50)));
        missing(driver.note_typing(&name, None));
        missing(driver.suspend_domain(&name));
        missing(driver.resume_domain(&name));
        driver.destroy_domain(&name).unwrap();
        driver.undefine_domain(&name).unwrap();
        assert_eq!(driver.domain_usage(&name).unwrap(), None);
        if self.has(Lack::Volumes) {
            driver.delete_volume("vnflab1.a.b.c.qcow2").unwrap();
        }
        if self.has(Lack::Networks) {
            missing(driver.start_network("vnflab-no-such"));
            driver.remove_network("vnflab-no-such").unwrap();
        }
    }

    fn a_lab_comes_up_twice(&self, blueprint: &Blueprint) {
        let driver = self.driver;
        for _ in 0..2 {
            for network in &blueprint.networks {
                driver.define_network(&network_xml(network)).unwrap();
                driver.start_network(&network.name).unwrap();
            }
            if self.has(Lack::Volumes) {
                driver.ensure_pools().unwrap();
                self.make_volumes(blueprint);
            }
            for node in &blueprint.nodes {
                let xml = self.xml(node, &blueprint.source);
                driver.define_domain(&xml).unwrap();
                driver.start_domain(&node.domain()).unwrap();
                driver.resume_domain(&node.domain()).unwrap();
            }
        }
    }

    fn make_volumes(&self, blueprint: &Blueprint) {
        let driver = self.driver;
        for drive in blueprint.nodes.iter().flat_map(|node| &node.drives) {
            match &drive.content {
                DriveContent::Overlay {
                    volume,
                    image_path,
                    image_format,
                    size_bytes,
                } => {
                    let mut overlay = Overlay {
                        volume: volume.clone(),
                        image_path: image_path.clone(),
                        image_format: image_format.clone(),
                        size_bytes: *size_bytes,
                    };
                    driver.create_overlay(&overlay).unwrap();
                    overlay.image_path.push_str(".other");
                    let other = driver.create_overlay(&overlay);
                    assert!(
                        matches!(other, Err(DriverError::Exists { .. })),
                        "{other:?}"
                    );
                }
                DriveContent::Empty { volume, size_bytes } => {
                    driver.create_disk(volume, *size_bytes).unwrap();
                }
                DriveContent::Media { volume, .. } => {
                    let image = media_image(&blueprint.media[volume]).unwrap();
                    driver.write_volume(volume, b"something shorter").unwrap();
                    driver.write_volume(volume, &image).unwrap();
                    assert!(self.others.bytes(volume) == image, "{volume} differs");
                }
                DriveContent::HostIso { .. } => {}
            }
        }
    }

    fn it_is_observed_as_it_was_made(&self, blueprint: &Blueprint) {
        let observed = self.driver.observe().unwrap();
        for node in &blueprint.nodes {
            let domain = observed.domain(&blueprint.lab, &node.node).unwrap();
            assert_eq!(domain.record.blueprint, *node);
            assert_eq!(domain.record.source, blueprint.source);
            assert_eq!(domain.state, DomainState::Running);
            assert!(self.driver.domain_usage(&domain.name).unwrap().is_some());
        }
        for network in &blueprint.networks {
            let seen = observed
                .networks
                .iter()
                .find(|seen| seen.blueprint.name == network.name)
                .unwrap();
            assert_eq!(seen.blueprint, *network);
            assert_eq!(seen.state, NetworkState::Active);
        }
        if self.has(Lack::Volumes) {
            let of_lab = observed
                .volumes
                .iter()
                .filter(|volume| volume.name.lab == blueprint.lab);
            let disks = blueprint.nodes.iter().flat_map(|node| &node.drives);
            assert_eq!(of_lab.clone().count(), disks.count());
            for volume in of_lab {
                let lies_on = volume.backing_path.as_deref();
                let expected = (volume.name.part == "disk").then_some(self.lab.image.0.as_str());
                assert_eq!(lies_on, expected, "{}", volume.name);
            }
        }
        let host = self.driver.host().unwrap();
        for network in &blueprint.networks {
            assert!(
                !host.bridges.contains(&network.bridge),
                "ours is not foreign"
            );
        }
    }

    fn leases_change(&self, blueprint: &Blueprint) {
        let Some(network) = blueprint.networks.first() else {
            return;
        };
        let leases = || {
            let observed = self.driver.observe().unwrap();
            let mut networks = observed.networks.into_iter();
            let ours = networks.find(|seen| seen.blueprint.name == network.name);
            ours.unwrap().blueprint.leases
        };
        let third = self.lab.network.unwrap();
        for _ in 0..2 {
            self.driver.add_lease(&network.name, &lease(third)).unwrap();
            assert!(leases().contains(&lease(third)));
        }
        for _ in 0..2 {
            self.driver
                .remove_lease(&network.name, &lease(third))
                .unwrap();
            assert_eq!(leases(), network.leases);
        }
    }

    fn carriers_and_records_change(&self, blueprint: &Blueprint) {
        let driver = self.driver;
        let node = &blueprint.nodes[0];
        let mut record = NodeRecord {
            source: "/elsewhere/<lab>.yaml".to_owned(),
            blueprint: node.clone(),
        };
        record.blueprint.nics[0].peer = Some("r9:eth9".to_owned());
        for _ in 0..2 {
            driver.record_node(&record).unwrap();
            let observed = driver.observe().unwrap();
            let domain = observed.domain(&blueprint.lab, &node.node).unwrap();
            assert_eq!(domain.record, record);
            assert_eq!(domain.state, DomainState::Running);
        }
        let before = NodeRecord {
            source: blueprint.source.clone(),
            blueprint: node.clone(),
        };
        driver.record_node(&before).unwrap();
        if self.has(Lack::Carriers) {
            let nic = node.data_nics().next().unwrap();
            for carrier in [Carrier::Down, Carrier::Down, Carrier::Up] {
                driver
                    .set_carrier(&node.domain(), &nic.mac, carrier)
                    .unwrap();
                let observed = driver.observe().unwrap();
                let domain = observed.domain(&blueprint.lab, &node.node).unwrap();
                let mut states = self.others.carriers(&node.domain(), &nic.mac);
                states.push(domain.carriers[&nic.mac]);
                assert!(states.iter().all(|seen| *seen == carrier), "{states:?}");
            }
            let stranger = driver.set_carrier(&node.domain(), "52:54:00:ff:ff:ff", Carrier::Up);
            assert!(stranger.is_err());
        }
    }

    fn what_was_typed_is_noted(&self, blueprint: &Blueprint) {
        let driver = self.driver;
        let node = &blueprint.nodes[0];
        let name = node.domain();
        let noted = || {
            let observed = driver.observe().unwrap();
            let domain = observed.domain(&blueprint.lab, &node.node).unwrap();
            // The record is another matter.
            assert_eq!(domain.record.blueprint, *node);
            domain.typing.clone()
        };
        assert_eq!(noted(), None);
        driver.note_typing(&name, None).unwrap();
        let reason = "it said `<&\"'` and ]]>".to_owned();
        let done = Typing::Done {
            digest: "ab01".to_owned(),
        };
        for typing in [
            Typing::Typing {
                worker: worker::this_process(),
            },
            Typing::Failed { reason },
            done.clone(),
        ] {
            for _ in 0..2 {
                driver.note_typing(&name, Some(&typing)).unwrap();
                assert_eq!(noted(), Some(typing.clone()));
            }
        }
        // It stays when the power goes, and where it is defined with the domain.
        driver.destroy_domain(&name).unwrap();
        assert_eq!(noted(), Some(done.clone()));
        let xml = self.xml(node, &blueprint.source);
        driver.define_domain(&with_typing(&xml, &done)).unwrap();
        assert_eq!(noted(), Some(done));
        driver.define_domain(&xml).unwrap();
        assert_eq!(noted(), None);
        driver.start_domain(&name).unwrap();
    }

    fn a_running_domain_is_held_and_limited(&self, blueprint: &Blueprint) {
        let driver = self.driver;
        let node = &blueprint.nodes[0];
        let name = node.domain();
        let state = || {
            let observed = driver.observe().unwrap();
            let domain = observed.domain(&blueprint.lab, &node.node).unwrap();
            (domain.state, domain.cpu_limit_percent)
        };
        for _ in 0..2 {
            driver.suspend_domain(&name).unwrap();
            assert_eq!(state().0, DomainState::Paused);
        }
        for _ in 0..2 {
            driver.resume_domain(&name).unwrap();
            assert_eq!(state().0, DomainState::Running);
        }
        if !self.has(Lack::CpuLimits) {
            assert!(driver.set_cpu_limit(&name, Some(30)).is_err());
            return;
        }
        for percent in [Some(30), Some(30), Some(100), None, None, Some(1)] {
            driver.set_cpu_limit(&name, percent).unwrap();
            assert_eq!(state(), (DomainState::Running, percent));
        }
        // It goes with the power.
        driver.destroy_domain(&name).unwrap();
        driver.set_cpu_limit(&name, Some(30)).unwrap();
        assert_eq!(state(), (DomainState::Off, None));
        driver.start_domain(&name).unwrap();
        assert_eq!(state(), (DomainState::Running, None));
    }

    fn a_running_domain_is_not_undefined(&self, blueprint: &Blueprint) {
        let name = blueprint.nodes[0].domain();
        let refused = self.driver.undefine_domain(&name);
        assert!(
            matches!(refused, Err(DriverError::Exists { .. })),
            "{refused:?}"
        );
        // There is no guest that could listen, except in drivers that only play one.
        let patience = Duration::from_millis(500);
        let outcome = self.driver.shutdown_domain(&name, patience).unwrap();
        let observed = self.driver.observe().unwrap();
        let state = observed
            .domains
            .iter()
            .find(|one| one.name == name)
            .unwrap()
            .state;
        match outcome {
            Shutdown::Off => assert_eq!(state, DomainState::Off),
            Shutdown::StillRunning => assert_eq!(state, DomainState::Running),
        }
    }

    fn it_goes_down_twice(&self, blueprint: &Blueprint) {
        let driver = self.driver;
        for _ in 0..2 {
            for node in &blueprint.nodes {
                driver.destroy_domain(&node.domain()).unwrap();
                driver.destroy_domain(&node.domain()).unwrap();
                driver.undefine_domain(&node.domain()).unwrap();
            }
            if self.has(Lack::Volumes) {
                let drives = blueprint.nodes.iter().flat_map(|node| &node.drives);
                for volume in drives.filter_map(|drive| drive.volume()) {
                    driver.delete_volume(volume).unwrap();
                }
            }
            for network in &blueprint.networks {
                driver.remove_network(&network.name).unwrap();
            }
        }
        assert!(
            !driver
                .observe()
                .unwrap()
                .labs()
                .contains(blueprint.lab.as_str())
        );
    }
}

/// A lease that no node of a test lab has.
fn lease(third: u8) -> Lease {
    Lease {
        mac: "52:54:00:77:77:77".to_owned(),
        address: [10, 213, third, 99].into(),
        name: "late".to_owned(),
        ipv6: Some([0xfd00, 213, u16::from(third), 0, 0, 0, 0, 99].into()),
    }
}

struct FakeOthers<'a>(&'a FakeDriver);

impl Others for FakeOthers<'_> {
    fn state(&self) -> String {
        self.0.foreign_state()
    }

    fn names(&self) -> [&str; 3] {
        ["contract.foreign", "default", "somebody.qcow2"]
    }

    fn bytes(&self, volume: &str) -> Vec<u8> {
        self.0.volume_bytes(volume).unwrap()
    }

    fn carriers(&self, domain: &str, mac: &str) -> Vec<Carrier> {
        vec![self.0.carriers(domain)[mac]]
    }
}

fn the_fake_keeps_the_contract() {
    let driver = FakeDriver::new();
    driver.add_foreign_domain("contract.foreign", DomainState::Running);
    driver.add_foreign_network("default", "virbr0");
    driver.add_foreign_volume("somebody.qcow2", b"precious");
    let mut lab = TestLab::new("contract", 2);
    lab.network = Some(71);
    lab.nodes[0].extra_disk = true;
    Subject {
        driver: &driver,
        others: &FakeOthers(&driver),
        lab,
        lacks: &[],
        domain_type: "qemu",
    }
    .run();
}

#[cfg(feature = "libvirt")]
mod libvirt {
    use super::{Carrier, Lack, Others, Subject, TestLab};
    use std::path::Path;
    use std::process::Command;
    use virt::connect::Connect;
    use virt::domain::Domain;
    use virt::network::Network;
    use virt::storage_vol::StorageVol;
    use vnflab_engine::driver::description::interface_carriers;
    use vnflab_engine::driver::libvirt::LibvirtDriver;
    use vnflab_engine::driver::{Driver, VOLUME_POOL};
    use vnflab_testkit::{Proof, missing_program};

    const DOMAIN: &str = "contract.foreign";
    const NETWORK: &str = "vnflab-contract-foreign";
    const VOLUME: &str = "contract-somebody.raw";

    pub(super) fn proofs() -> Vec<Proof> {
        let unreachable = |uri| {
            LibvirtDriver::connect(Some(uri))
                .err()
                .map(|error| error.to_string())
        };
        let no_system = || match is_root() {
            true => unreachable("qemu:///system"),
            false => Some("the system's libvirt is for root".to_owned()),
        };
        let no_session = || match is_root() {
            true => missing_program(&["setpriv", "libvirtd"]),
            false => unreachable("qemu:///session"),
        };
        vec![
            Proof {
                name: "libvirts_test_driver_keeps_the_contract",
                unmet: None,
                test: libvirts_test_driver_keeps_the_contract,
            },
            Proof {
                name: "the_systems_qemu_keeps_the_contract",
                unmet: no_system(),
                test: the_systems_qemu_keeps_the_contract,
            },
            Proof {
                name: "a_users_qemu_keeps_the_contract",
                unmet: no_session(),
                test: a_users_qemu_keeps_the_contract,
            },
        ]
    }

    /// Objects made through libvirt's own calls, and removed when the test ends.
    struct LibvirtOthers {
        domain: Domain,
        network: Option<Network>,
        volume: Option<StorageVol>,
        volume_folder: String,
    }

    impl LibvirtOthers {
        fn new(
            connection: &Connect,
            driver: &dyn Driver,
            lacks: &[Lack],
            domain_type: &str,
        ) -> Self {
            let xml = format!(
                "<domain type='{domain_type}'><name>{DOMAIN}</name><memory unit='MiB'>32</memory><os><type arch='{}'>hvm</type></os></domain>",
                if domain_type == "test" {
                    "i686"
                } else {
                    "x86_64"
                }
            );
            let network = || {
                let xml = format!(
                    "<network><name>{NETWORK}</name><bridge name='vtforeign'/><ip address='10.213.250.1' prefix='24'/></network>"
                );
                connection.define_network_xml(&xml).unwrap()
            };
            let volume = || {
                driver.ensure_pools().unwrap();
                let pool = connection.lookup_storage_pool_by_name(VOLUME_POOL).unwrap();
                let xml = format!(
                    "<volume><name>{VOLUME}</name><capacity>4096</capacity><target><format type='raw'/></target></volume>"
                );
                StorageVol::create_xml(&pool, &xml, 0).unwrap()
            };
            Self {
                domain: connection.define_domain_xml(&xml).unwrap(),
                network: (!lacks.contains(&Lack::Networks)).then(network),
                volume: (!lacks.contains(&Lack::Volumes)).then(volume),
                volume_folder: driver.host().unwrap().volume_folder,
            }
        }
    }

    impl Drop for LibvirtOthers {
        fn drop(&mut self) {
            // After a failed test there may be nothing left to remove.
            let _ = self.domain.undefine();
            let _ = self.network.as_ref().map(Network::undefine);
            let _ = self.volume.as_ref().map(|volume| volume.delete(0));
        }
    }

    impl Others for LibvirtOthers {
        fn state(&self) -> String {
            let network = self
                .network
                .as_ref()
                .map(|network| (network.xml_desc(0).unwrap(), network.is_active().unwrap()));
            let volume = self.volume.as_ref().map(|volume| {
                let path = volume.path().unwrap();
                (volume.xml_desc(0).unwrap(), std::fs::read(path).unwrap())
            });
            let domain = (
                self.domain.xml_desc(0).unwrap(),
                self.domain.is_active().unwrap(),
            );
            format!("{domain:?} {network:?} {volume:?}")
        }

        fn names(&self) -> [&str; 3] {
            [DOMAIN, NETWORK, VOLUME]
        }

        fn bytes(&self, volume: &str) -> Vec<u8> {
            std::fs::read(Path::new(&self.volume_folder).join(volume)).unwrap()
        }

        fn carriers(&self, domain: &str, mac: &str) -> Vec<Carrier> {
            let connection = self.domain.connect().unwrap();
            let domain = connection.lookup_domain_by_name(domain).unwrap();
            let descriptions = [0, virt::sys::VIR_DOMAIN_XML_INACTIVE];
            let descriptions = descriptions.map(|flags| domain.xml_desc(flags).unwrap());
            descriptions
                .map(|xml| interface_carriers(&xml).unwrap()[mac])
                .to_vec()
        }
    }

    fn run(uri: &str, lab: TestLab, lacks: &'static [Lack], domain_type: &'static str) {
        let driver = LibvirtDriver::connect(Some(uri)).unwrap();
        let connection = Connect::open(Some(uri)).unwrap();
        let others = LibvirtOthers::new(&connection, &driver, lacks, domain_type);
        Subject {
            driver: &driver,
            others: &others,
            lab,
            lacks,
            domain_type,
        }
        .run();
    }

    fn libvirts_test_driver_keeps_the_contract() {
        let mut lab = TestLab::new("contract", 2);
        lab.network = Some(72);
        run(
            "test:///default",
            lab,
            &[Lack::Volumes, Lack::Carriers, Lack::CpuLimits],
            "test",
        );
    }

    /// A lab on an empty raw image: its VMs run, though there is nothing to boot.
    fn lab_on_an_empty_image(uri: &str, folder: &Path, loopback: u8) -> TestLab {
        let driver = LibvirtDriver::connect(Some(uri)).unwrap();
        driver.ensure_pools().unwrap();
        let host = driver.host().unwrap();
        let image = folder.join("empty.raw");
        std::fs::write(&image, vec![0; 1 << 20]).unwrap();
        let mut lab = TestLab::new("contract", 2);
        lab.volume_folder = host.volume_folder;
        lab.console_folder = host.console_folder;
        lab.image = (image.to_str().unwrap().to_owned(), "raw".to_owned());
        lab.nodes[0].extra_disk = true;
        lab.loopback = loopback;
        lab
    }

    fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    /// A folder that QEMU's own user may pass through.
    fn open_folder() -> tempfile::TempDir {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), mode).unwrap();
        folder
    }

    fn the_systems_qemu_keeps_the_contract() {
        const URI: &str = "qemu:///system";
        let folder = open_folder();
        let mut lab = lab_on_an_empty_image(URI, folder.path(), 204);
        lab.network = Some(73);
        let image = folder.path().join("empty.raw");
        let owner = || std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&image).unwrap());
        let before = owner();
        run(URI, lab, &[], "qemu");
        assert_eq!(owner(), before, "the image changed hands");
    }

    /// As root it runs itself again as an ordinary user, with a home of its own.
    fn a_users_qemu_keeps_the_contract() {
        const URI: &str = "qemu:///session";
        const NOBODY: u32 = 65534;
        if is_root() {
            let folder = open_folder();
            let program = folder.path().join("contract");
            std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
            let home = folder.path().join("home");
            std::fs::create_dir(&home).unwrap();
            std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
            let started = Command::new("setpriv")
                .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
                .arg(&program)
                .args(["--exact", "a_users_qemu_keeps_the_contract", "--nocapture"])
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                .env("HOME", &home)
                .env("XDG_RUNTIME_DIR", &home)
                .env("TMPDIR", &home)
                .current_dir("/")
                .output();
            match started {
                Ok(output) => {
                    // Marked, so that nobody counts the child's results beside ours.
                    for line in String::from_utf8_lossy(&output.stdout).lines() {
                        println!("as a user: {line}");
                    }
                    let complaint = String::from_utf8_lossy(&output.stderr);
                    assert!(output.status.success(), "{complaint}");
                }
                Err(error) => panic!("cannot become an ordinary user: {error}"),
            }
            return;
        }
        let folder = open_folder();
        let lab = lab_on_an_empty_image(URI, folder.path(), 205);
        run(URI, lab, &[Lack::Networks, Lack::CpuLimits], "qemu");
    }
}
