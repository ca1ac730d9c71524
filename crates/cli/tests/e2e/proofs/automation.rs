//! Other programs reach the nodes: plain `ssh`, Ansible, and many commands at once.

use crate::harness::dns;
use crate::harness::guest;
use crate::harness::host::{Host, need};
use crate::harness::lab::Lab;
use crate::harness::program::Ran;
use crate::harness::stage::Stage;
use crate::harness::verdict::CannotRun;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

/// Two routers of which one is called as a word of YAML.
const LAB: &str = "\
nodes:
  r1: {kind: frr}
  no: {kind: frr}
links:
  - r1:eth1 -- no:eth1
mgmt: {ipv6-subnet: \"fd00:766e:6c61::/64\"}
";

/// What Ansible is to do: configure both routers, and look whether it did.
const PLAYBOOK: &str = "\
- hosts: frr
  gather_facts: false
  tasks:
    - ansible.builtin.raw: >-
        vtysh -c 'configure terminal' -c 'interface eth1' -c 'description by-ansible-{{ vnflab_node }}'
    - ansible.builtin.raw: vtysh -c 'show running-config'
      register: running
      failed_when: \"('by-ansible-' ~ vnflab_node) not in running.stdout\"
";

pub(super) fn stage(host: &Arc<Host>) -> Arc<Stage<Lab>> {
    let host = Arc::clone(host);
    Stage::new("automation", move || boot(&host))
}

pub(super) fn trials(two: &Arc<Stage<Lab>>) -> Vec<Trial> {
    vec![
        two.trial(
            "automation_runs_a_command_in_all_nodes_at_once",
            commands_in_all_nodes,
        ),
        two.trial("automation_by_ipv6_and_by_name", ipv6_and_names),
        two.trial("automation_goes_on_where_one_node_is_off", one_node_is_off),
        two.trial("automation_by_plain_ssh_knows_the_nodes_by_name", plain_ssh),
        two.trial("automation_by_ansible_configures_two_routers", ansible),
    ]
}

fn boot(host: &Arc<Host>) -> Result<Lab, CannotRun> {
    host.with_system()?;
    need("ansible-playbook", "ansible-core")?;
    let lab = Lab::native("auto", LAB);
    lab.up_and_wait(&[]);
    Ok(lab)
}

/// `vnflab VERB --json` with these arguments, whatever its exit code.
fn answers(ran: &Ran) -> Vec<Value> {
    let document: Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{}", ran.told()));
    assert_eq!(document["format"], "vnflab/exec");
    document["nodes"].as_array().unwrap().clone()
}

fn commands_in_all_nodes(lab: &Lab) {
    for node in ["r1", "no"] {
        guest::ask(lab, node, "true");
    }
    let exec = |more: &[&str]| {
        let line = [&["exec", "--all", "--lab", lab.name()], more].concat();
        lab.program().run(&line)
    };
    let ran = exec(&["--json", "show version"]).expect_success();
    let nodes = answers(&ran);
    let names: Vec<&str> = nodes
        .iter()
        .map(|node| node["node"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["r1", "no"]);
    for node in &nodes {
        assert_eq!(node["way"], "ssh");
        assert_eq!(node["status"], 0);
        let stdout = node["stdout"].as_str().unwrap();
        assert!(stdout.contains("FRRouting"), "{stdout}");
    }
    // The shell of the guests takes all other commands, and tells how they ended.
    let ran = exec(&["hostname; exit 3"]).expect_code(1);
    assert_eq!(ran.stdout, "== r1\nr1\n== no\nno\n");
    ran.expect_said("`no`: the command ended with status 3");
}

fn ipv6_and_names(lab: &Lab) {
    let ps = lab.ps();
    for node in ["r1", "no"] {
        let shown = ps.iter().find(|shown| shown["node"] == node).unwrap();
        let address: Ipv4Addr = shown["address"].as_str().unwrap().parse().unwrap();
        let ipv6: Ipv6Addr = shown["ipv6"].as_str().unwrap().parse().unwrap();
        let hosts = lab.program().run(&["hosts", lab.name()]).expect_success();
        for line in [format!("{address}\t"), format!("{ipv6}\t")] {
            assert!(hosts.stdout.contains(&line), "{}", hosts.stdout);
        }
        let hostname = ["ssh", "-6", &lab.domain(node), "--", "hostname"];
        let ran = lab.program().run(&hostname).expect_success();
        assert_eq!(ran.stdout, format!("{node}\n"));
        // The host's own address on the network is that of its DNS server.
        let [a, b, c, _] = address.octets();
        let server = Ipv4Addr::new(a, b, c, 1);
        for name in [node.to_owned(), format!("{node}.{}", lab.name())] {
            assert_eq!(
                dns::addresses(server, &name, dns::A),
                [address.into()] as [IpAddr; 1]
            );
            assert_eq!(
                dns::addresses(server, &name, dns::AAAA),
                [ipv6.into()] as [IpAddr; 1]
            );
        }
    }
}

fn one_node_is_off(lab: &Lab) {
    let (r1, no) = (lab.domain("r1"), lab.domain("no"));
    let program = lab.program();
    program.run(&["stop", "--hard", &no]).expect_success();
    let ran = program.run(&["exec", &no, &r1, "hostname", "--json"]);
    let nodes = answers(&ran.expect_code(1));
    assert_eq!(nodes[0]["error"], "it is off");
    assert_eq!(nodes[0]["stdout"], Value::Null);
    assert_eq!(nodes[1]["stdout"], "r1\n");
    lab.up_and_wait(&[]);
}

fn plain_ssh(lab: &Lab) {
    let config = lab.folder().join("ssh.conf");
    let path = config.to_str().unwrap();
    lab.program()
        .run(&["ssh-config", lab.name(), "-o", path])
        .expect_success();
    let mode = fs::metadata(&config).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    guest::ask(lab, "no", "true");
    for name in ["no".to_owned(), lab.domain("no"), "no_v6".to_owned()] {
        let mut ssh = lab.program().any("ssh");
        ssh.args(["-F", path, "-o", "BatchMode=yes", &name, "hostname"]);
        assert_eq!(Ran::of(ssh, "").expect_success().stdout, "no\n");
    }
    let hosts = lab.program().run(&["hosts", lab.name()]).expect_success();
    let line = hosts.stdout.lines().find(|line| line.ends_with(" no"));
    let address = line.unwrap().split('\t').next().unwrap().to_owned();
    let own = guest::ask(lab, "no", "ip -4 -oneline address show dev eth0");
    assert!(own.contains(&format!(" {address}/")), "{address}: {own}");
}

fn ansible(lab: &Lab) {
    let file = |name: &str| -> PathBuf { lab.folder().join(name) };
    let inventory = file("inventory.yaml");
    fs::write(file("site.yaml"), PLAYBOOK).unwrap();
    let line = ["inventory", lab.name(), "--format", "ansible", "-o"];
    let line = [&line[..], &[inventory.to_str().unwrap()]].concat();
    lab.program().run(&line).expect_success();
    for node in ["r1", "no"] {
        guest::ask(lab, node, "true");
    }
    let mut playbook = lab.program().any("ansible-playbook");
    playbook
        .current_dir(lab.folder())
        .env("ANSIBLE_HOME", file(".ansible"))
        .env("ANSIBLE_LOCAL_TEMP", file(".ansible/tmp"))
        .arg("-i")
        .arg(&inventory)
        .arg("site.yaml");
    let ran = Ran::of(playbook, "").expect_success();
    for node in ["r1", "no"] {
        let recap = ran.stdout.lines().rev();
        let line = recap.clone().find(|line| line.starts_with(node));
        let line = line.unwrap_or_else(|| panic!("{}", ran.told()));
        assert!(line.contains("ok=2") && line.contains("failed=0"), "{line}");
        let running = guest::ask(lab, node, "vtysh -c 'show running-config'");
        assert!(
            running.contains(&format!("description by-ansible-{node}")),
            "{running}"
        );
    }
}
