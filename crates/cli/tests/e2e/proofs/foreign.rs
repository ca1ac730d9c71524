//! What is not ours is not touched, whatever is done beside it.

use crate::harness::host::Host;
use crate::harness::lab::Lab;
use crate::harness::stage::Stage;
use crate::harness::witness::{self, Fingerprint};
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) fn trials(system: &Arc<Stage<Arc<Host>>>) -> Vec<Trial> {
    vec![
        system.trial(
            "foreign_vms_networks_volumes_and_files_are_not_touched",
            |host| others_are_left_alone(host),
        ),
        system.trial(
            "foreign_vm_with_a_nodes_name_is_refused_and_not_touched",
            |_| namesake_is_refused(),
        ),
    ]
}

/// A lab of two, which nobody waits for.
const LAB: &str = "nodes:\n  r1: {kind: frr}\n  r2: {kind: frr}\nlinks:\n  - r1:eth1 -- r2:eth1\n";

/// Things of somebody else's; they are gone when this value is.
struct Foreign {
    name: String,
    file: PathBuf,
    folder: PathBuf,
}

impl Foreign {
    /// A VM that is paused, one that is off, a network that runs, a volume in our own pool, a file
    /// in our own folder, and a folder among those of the wires.
    fn put() -> Self {
        let name = format!("t{}x-foreign", std::process::id());
        let folder = witness::pool_folder("vnflab");
        let foreign = Self {
            file: folder.join(format!("{name}.txt")),
            folder: witness::wire_folder(&name),
            name,
        };
        fs::write(&foreign.file, "somebody's notes\n").unwrap();
        fs::create_dir_all(&foreign.folder).unwrap();
        fs::write(foreign.note(), "more of them\n").unwrap();
        witness::define("define", &vm_xml(&foreign.paused()));
        witness::virsh(&["start", "--paused", &foreign.paused()]);
        witness::define("define", &vm_xml(&foreign.off()));
        witness::define("net-define", &network_xml(&foreign.name));
        witness::virsh(&["net-start", &foreign.name]);
        witness::virsh(&["vol-create-as", "vnflab", &foreign.volume(), "1M"]);
        foreign
    }

    fn paused(&self) -> String {
        format!("{}-paused", self.name)
    }

    fn off(&self) -> String {
        format!("{}-off", self.name)
    }

    fn note(&self) -> PathBuf {
        self.folder.join("note.txt")
    }

    fn volume(&self) -> String {
        format!("{}.img", self.name)
    }

    /// All that can be known of them.
    fn facts(&self) -> BTreeMap<&'static str, String> {
        let volume = witness::pool_folder("vnflab").join(self.volume());
        BTreeMap::from([
            ("paused VM", witness::domain_xml(&self.paused())),
            ("its state", witness::state(&self.paused())),
            (
                "its process",
                witness::qemu_process(&self.paused()).to_string(),
            ),
            ("VM that is off", witness::domain_xml(&self.off())),
            ("state of that", witness::state(&self.off())),
            ("network", witness::virsh(&["net-dumpxml", &self.name])),
            ("its state", witness::virsh(&["net-info", &self.name])),
            ("volume", format!("{:?}", Fingerprint::of(&volume))),
            ("file", format!("{:?}", Fingerprint::of(&self.file))),
            ("folder", format!("{:?}", Fingerprint::of(&self.note()))),
        ])
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let (paused, off, volume) = (self.paused(), self.off(), self.volume());
        let lines: [&[&str]; 6] = [
            &["destroy", &paused],
            &["undefine", &paused],
            &["undefine", &off],
            &["net-destroy", &self.name],
            &["net-undefine", &self.name],
            &["vol-delete", "--pool", "vnflab", &volume],
        ];
        for line in lines {
            // After a failure some of it may not be there.
            witness::try_virsh(line);
        }
        let _ = fs::remove_file(&self.file);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn vm_xml(name: &str) -> String {
    format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>\
         <os><type arch='x86_64' machine='pc'>hvm</type></os>\
         <description>somebody's</description></domain>"
    )
}

fn network_xml(name: &str) -> String {
    let bridge = format!("tx{}", std::process::id());
    format!("<network><name>{name}</name><bridge name='{bridge}'/></network>")
}

fn others_are_left_alone(host: &Host) {
    let image = host.image().unwrap();
    // The first `up` makes our pools, should there be none yet.
    let lab = Lab::native("beside", LAB);
    lab.up();
    lab.down_without_a_trace();

    let foreign = Foreign::put();
    let (facts, base) = (foreign.facts(), Fingerprint::of(&image));
    let unchanged = |moment: &str| {
        assert_eq!(foreign.facts(), facts, "{moment}");
        assert_eq!(Fingerprint::of(&image), base, "the base image, {moment}");
    };
    lab.up();
    unchanged("after `up`");
    lab.up().expect_said("nothing to do");
    unchanged("after a second `up`");
    let program = crate::harness::program::Program::new();
    program
        .run(&["restart", "--hard", &lab.domain("r1")])
        .expect_success();
    unchanged("after `restart`");
    // Ours that is asked for by a foreign name is not found.
    let stop = program.run(&["stop", "--hard", &foreign.paused()]);
    stop.expect_code(5);
    let down = program.run(&["down", "--lab", &foreign.name]);
    down.expect_code(5);
    lab.down_without_a_trace();
    unchanged("after `down`");
}

fn namesake_is_refused() {
    let lab = Lab::native("namesake", LAB);
    let name = lab.domain("r2");
    witness::define("define", &vm_xml(&name));
    let before = witness::domain_xml(&name);
    let up = lab.run("up", &[]);
    let unchanged = witness::domain_xml(&name) == before && witness::state(&name) == "shut off";
    let ours = lab.processes();
    witness::virsh(&["undefine", &name]);
    up.expect_code(1)
        .expect_said("that vnflab did not make")
        .expect_said(&name);
    assert!(unchanged, "the namesake is another than before");
    assert!(
        ours.is_empty(),
        "nothing is begun that cannot be ended: {ours:?}"
    );
}
