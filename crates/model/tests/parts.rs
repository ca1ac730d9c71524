//! Nodes of several VMs, from the lab file to plans.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::collections::BTreeSet;
use support::{CATALOGUE, blueprint, blueprint_with, built, native, shown};
use vnflab_model::blueprint::{
    Attachment, Blueprint, NicRole, NodeBlueprint, StartLimit, end_name,
};
use vnflab_model::observed::{DomainState, Observed, Scope};
use vnflab_model::plan::{
    Action, Disks, Plan, Stop, plan_down, plan_restart, plan_start, plan_stop, plan_up,
};
use vnflab_model::record::NodeRecord;
use vnflab_model::resolve::stand_in;
use vnflab_model::typing::Typing;

const LAB: &str = "\
name: two
nodes:
  r1: {kind: vmx, image: {vfp: forward.qcow2}}
  s1: {kind: vqfx}
links:
  - \"r1:ge-0/0/0 -- s1:xe-0/0/1\"
";

fn lab() -> Blueprint {
    blueprint(&native(LAB), Scope::Session)
}

fn vm<'a>(blueprint: &'a Blueprint, domain: &str) -> &'a NodeBlueprint {
    blueprint.vms().find(|vm| vm.domain() == domain).unwrap()
}

/// The NICs of a VM, as `name (role)`.
fn nics(vm: &NodeBlueprint) -> Vec<String> {
    let nics = vm.nics.iter().map(|nic| match nic.role {
        NicRole::Data { index } => format!("{} {index}", nic.name),
        NicRole::Management => format!("{} management", nic.name),
        NicRole::Internal => format!("{} internal", nic.name),
        NicRole::Dummy => "unused".to_owned(),
    });
    nics.collect()
}

/// The domains that steps of a sort concern.
fn starts(plan: &Plan) -> Vec<&str> {
    let steps = plan.steps.iter().filter_map(|step| match &step.action {
        Action::StartDomain { domain } => Some(domain.as_str()),
        _ => None,
    });
    steps.collect()
}

#[test]
fn each_nic_is_at_the_vm_that_has_it() {
    let lab = lab();
    assert_eq!(
        nics(vm(&lab, "two.r1")),
        ["fxp0 management", "em1 internal"]
    );
    let vfp = nics(vm(&lab, "two.r1.vfp"));
    assert_eq!(vfp[..4], ["unused", "int internal", "unused", "ge-0/0/0 1"]);
    let re = nics(vm(&lab, "two.s1"));
    assert_eq!(
        re[..4],
        ["em0 management", "em1 internal", "unused", "xe-0/0/0 1"]
    );
    assert_eq!(nics(vm(&lab, "two.s1.pfe")), ["unused", "em1 internal"]);
}

#[test]
fn an_internal_link_joins_two_vms_and_nobody_else() {
    let lab = lab();
    let tunnel = |domain: &str| {
        let vm = vm(&lab, domain);
        let nic = vm.nics.iter().find(|nic| nic.role == NicRole::Internal);
        match nic.unwrap().attachment {
            Attachment::Tunnel { local, remote } => (local, remote),
            ref other => panic!("{other:?}"),
        }
    };
    let (local, remote) = tunnel("two.r1");
    assert_eq!(tunnel("two.r1.vfp"), (remote, local));
    let all = lab.vms().flat_map(|vm| &vm.nics);
    let bound = all.filter_map(|nic| match nic.attachment {
        Attachment::Tunnel { local, .. } => Some(local),
        _ => None,
    });
    let wire = lab.wire.as_ref().unwrap();
    let bound: Vec<_> = bound
        .chain(wire.ends.values().filter_map(|end| end.local()))
        .collect();
    let once: BTreeSet<_> = bound.iter().collect();
    assert_eq!(once.len(), bound.len());
    // The wire has the link of the lab, whichever VM is at its end.
    assert!(wire.ends.contains_key("r1:ge-0/0/0") && wire.ends.contains_key("s1:xe-0/0/1"));
    assert_eq!(wire.junctions.len(), 1);
    assert!(!wire.ends.contains_key("r1:em1"));
}

#[test]
fn no_two_vms_share_a_console_a_log_a_volume_or_a_mac_address() {
    let lab = lab();
    let consoles = lab.vms().map(|vm| vm.console.listen.to_string());
    let logs = lab.vms().map(|vm| vm.console.log_path.clone());
    let volumes = lab.vms().flat_map(|vm| &vm.drives);
    let volumes = volumes
        .filter_map(|drive| drive.volume())
        .map(str::to_owned);
    let macs = lab.vms().flat_map(|vm| &vm.nics).map(|nic| nic.mac.clone());
    let all: Vec<String> = consoles.chain(logs).chain(volumes).chain(macs).collect();
    let once: BTreeSet<&String> = all.iter().collect();
    assert_eq!(once.len(), all.len());
    let disk = vm(&lab, "two.r1.vfp").drives[0].volume();
    assert_eq!(disk, Some("vnflab1.two.r1.vfp-disk.qcow2"));
}

#[test]
fn a_record_tells_whose_part_it_is() {
    let lab = lab();
    for vm in lab.vms() {
        let record = NodeRecord {
            source: "/lab.yaml".to_owned(),
            blueprint: vm.clone(),
        };
        let xml = record.to_xml();
        // A program that knows no parts must not take one for its node.
        assert_eq!(xml.contains("version=\"2\""), vm.part.is_some());
        assert_eq!(NodeRecord::from_xml(&xml).unwrap(), record);
    }
}

#[test]
fn a_plan_that_was_carried_out_leaves_nothing() {
    let first = lab();
    let observed = built(&first);
    let again = blueprint_with(&native(LAB), Scope::Session, &observed);
    assert_eq!(again, first);
    let plan = plan_up(&again, &observed, None).unwrap();
    assert!(plan.is_empty(), "{}", shown(&plan));
}

#[test]
fn a_node_starts_and_stops_as_a_whole() {
    let mut observed = built(&lab());
    let r1 = BTreeSet::from(["r1".to_owned()]);
    let whole = ["two.r1", "two.r1.vfp"];
    let plan = plan_restart("two", &observed, &r1, Stop::PowerOff, StartLimit::NONE).unwrap();
    assert_eq!(starts(&plan), whole);
    let plan = plan_stop("two", &observed, &r1, Stop::PowerOff).unwrap();
    assert_eq!(plan.steps.len(), 2, "{}", shown(&plan));
    for domain in &mut observed.domains {
        domain.state = DomainState::Off;
    }
    // The smallest batch takes both: the one may need the other to get ready.
    let limit = StartLimit::of_nodes(1);
    let plan = plan_start("two", &observed, &r1, limit).unwrap();
    assert_eq!(starts(&plan), whole);
    let waits = plan.steps.iter().any(|step| !step.behind.is_empty());
    assert!(!waits, "{}", shown(&plan));
    let plan = plan_up(&lab(), &observed, Some(&r1)).unwrap();
    assert_eq!(starts(&plan), whole);
}

#[test]
fn a_batch_counts_what_all_vms_of_a_node_need() {
    let mut lab = lab();
    // Room for either node alone: a vMX has four CPUs, a vQFX three.
    lab.start = StartLimit {
        cpus: Some(6),
        ..StartLimit::NONE
    };
    let plan = plan_up(&lab, &Observed::default(), None).unwrap();
    assert_eq!(
        starts(&plan),
        ["two.r1", "two.r1.vfp", "two.s1", "two.s1.pfe"]
    );
    let of_s1 = plan
        .steps
        .iter()
        .find(|step| matches!(&step.action, Action::StartDomain { domain } if domain == "two.s1"));
    assert!(!of_s1.unwrap().behind.is_empty(), "{}", shown(&plan));
}

#[test]
fn what_is_left_of_a_part_goes() {
    let observed = built(&lab());
    let single = LAB.replace(
        "kind: vmx, image: {vfp: forward.qcow2}",
        "kind: vjunos-router",
    );
    let single = blueprint_with(&native(&single), Scope::Session, &observed);
    let plan = plan_up(&single, &observed, None).unwrap();
    let has = |wanted: &Action| plan.steps.iter().any(|step| step.action == *wanted);
    let domain = "two.r1.vfp".to_owned();
    assert!(has(&Action::UndefineDomain { domain }), "{}", shown(&plan));
    let volume = "vnflab1.two.r1.vfp-disk.qcow2".to_owned();
    assert!(has(&Action::DeleteVolume { volume }), "{}", shown(&plan));
    // It would hold the ports of the node's tunnels, so it goes with the node that is selected.
    let selected = |node: &str| {
        let selection = BTreeSet::from([node.to_owned()]);
        plan_up(&single, &observed, Some(&selection)).unwrap()
    };
    let undefines = |plan: &Plan| {
        let domain = "two.r1.vfp".to_owned();
        let wanted = Action::UndefineDomain { domain };
        plan.steps.iter().any(|step| step.action == wanted)
    };
    assert!(undefines(&selected("r1")) && !undefines(&selected("s1")));

    let plan = plan_down("two", &observed, Disks::Delete);
    let gone =
        |step: &&vnflab_model::plan::Step| matches!(step.action, Action::UndefineDomain { .. });
    assert_eq!(plan.steps.iter().filter(gone).count(), 4);
    // A main VM that is gone takes nobody's place, and its part is still found.
    let mut broken = built(&lab());
    broken.domains.retain(|domain| domain.name != "two.r1");
    let plan = plan_up(&lab(), &broken, None).unwrap();
    assert_eq!(starts(&plan), ["two.r1"]);
    assert_eq!(
        plan_down("two", &broken, Disks::Delete)
            .steps
            .iter()
            .filter(gone)
            .count(),
        3
    );
}

#[test]
fn what_was_typed_is_the_main_vms() {
    let mut observed = built(&lab());
    for domain in &mut observed.domains {
        let digest = "ab01".to_owned();
        domain.typing = Some(Typing::Done { digest });
    }
    let plan = plan_down("two", &observed, Disks::Keep);
    let remembered = plan.steps.iter().filter_map(|step| match &step.action {
        Action::RememberTyping { volume } => Some(volume.as_str()),
        _ => None,
    });
    let remembered: BTreeSet<&str> = remembered.collect();
    let expected = ["vnflab1.two.r1.typed.ab01", "vnflab1.two.s1.typed.ab01"];
    assert_eq!(remembered, BTreeSet::from(expected));
    let remembering = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::RememberTyping { .. }));
    assert_eq!(remembering.count(), 2);
}

#[test]
fn interfaces_are_found_wherever_they_are() {
    let observed = built(&lab());
    let (domain, nic) = observed.nic("two", &end_name("r1", "ge-0/0/0")).unwrap();
    assert_eq!(
        (&*domain.name, nic.peer.as_deref()),
        ("two.r1.vfp", Some("s1:xe-0/0/1"))
    );
    assert_eq!(observed.nic("two", "r1:int"), None);
    let whole = observed.whole("two", "r1").unwrap();
    assert!(whole.part.is_none() && whole.data_nics().count() == 4);
    assert_eq!(observed.of_lab("two").count(), 2);
    assert_eq!(observed.runs("two", "r1"), Some(true));
}

#[test]
fn a_stand_in_is_one_vm_with_all_interfaces() {
    let mut lab = native(LAB);
    let frr = CATALOGUE.find("frr").unwrap();
    stand_in(&mut lab, frr, |_| true);
    let lab = blueprint(&lab, Scope::Session);
    assert!(lab.parts.is_empty());
    let r1 = nics(vm(&lab, "two.r1"));
    assert_eq!(r1[..2], ["fxp0 management", "ge-0/0/0 1"]);
}
