//! The guest's own readers, run by the host's awk, and the committed machine code, assembled anew.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test tells and panics"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn crate_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a script of the guest on a text. Panics when it takes no end or fails.
fn awk(script: &str, text: &str) -> String {
    let mut child = Command::new("timeout")
        .args(["20", "awk", "-f"])
        .arg(crate_file(&format!("frr/guest/vnflab/{script}")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = text.as_bytes().to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{script}: {}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn flat(yaml: &str) -> Vec<String> {
    awk("yaml.awk", yaml)
        .lines()
        .map(|line| line.replace('\u{1}', "¶"))
        .collect()
}

fn settings(yaml: &str) -> Vec<String> {
    awk("network.awk", &awk("yaml.awk", yaml))
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn yaml_of_a_cloud_config_is_flattened() {
    let yaml = "#cloud-config\nhostname: r1 # name\nlist: [a, 'b, c', {d: 1}]\nwrite_files:\n- path: /x\n  \
                content: |\n    one\n     two\n\n    three\n  permissions: \"0640\"\nruncmd:\n  - echo 'a b'\n  \
                - [ls, -l]\n";
    let expected = [
        "hostname\tr1",
        "list/0\ta",
        "list/1\tb, c",
        "list/2/d\t1",
        "write_files/0/path\t/x",
        "write_files/0/content\tone¶ two¶¶three¶",
        "write_files/0/permissions\t0640",
        "runcmd/0\techo 'a b'",
        "runcmd/1/0\tls",
        "runcmd/1/1\t-l",
    ];
    assert_eq!(flat(yaml), expected);
}

#[test]
fn odd_yaml_neither_hangs_nor_takes_the_rest_along() {
    let deep = "[".repeat(5000);
    for odd in [
        "a: \"open\n",
        "- - - -\n",
        "\t\tx: 1\n",
        "a: [1, {b: 2\n",
        &deep,
        "? x\n: y\n",
        "---\n---\n",
    ] {
        awk("yaml.awk", odd);
    }
    assert_eq!(
        flat("good: 1\n  bad line\nalso: 2\n"),
        ["good\t1 bad line", "also\t2"]
    );
    assert_eq!(flat("a:\n  b: 1\n   c: 2\nd: 3\n"), ["a/b\t1", "d\t3"]);
}

#[test]
fn both_versions_of_a_network_config_give_plain_settings() {
    let second = "version: 2\nethernets:\n  eth0: {dhcp4: true}\n  eth1:\n    mtu: 9000\n    addresses: \
                  [10.0.0.1/24, \"2001:db8::1/64\"]\n    routes:\n    - to: default\n      via: 10.0.0.254\n  m:\n    \
                  match: {macaddress: \"52:54:00:AA:00:01\"}\n    addresses: [10.1.0.1/24]\n";
    let expected = [
        "eth0\tdhcp4",
        "eth1\tmtu\t9000",
        "eth1\taddress\t10.0.0.1/24",
        "eth1\taddress\t2001:db8::1/64",
        "52:54:00:aa:00:01\taddress\t10.1.0.1/24",
        "eth1\troute\t0.0.0.0/0\t10.0.0.254\t\t",
    ];
    assert_eq!(settings(second), expected.map(str::to_owned));
    let first = "version: 1\nconfig:\n- type: physical\n  name: eth1\n  subnets:\n  - type: static\n    \
                 address: 10.1.1.1\n    netmask: 255.255.252.0\n";
    assert_eq!(settings(first), ["eth1\taddress\t10.1.1.1/22"]);
}

#[test]
fn network_data_of_openstack_gives_plain_settings() {
    let json = r#"{
  "links": [
    {"id": "eth0", "type": "phy", "ethernet_mac_address": "52:54:24:C4:15:d1"},
    {
      "id": "eth1",
      "ethernet_mac_address": "52:54:4d:1b:26:1e",
      "mtu": 9000
    }
  ],
  "networks": [
    {"id": "management", "link": "eth0", "type": "ipv4_dhcp"},
    {"id": "a", "link": "eth1", "type": "ipv4", "ip_address": "10.0.0.1", "netmask": "255.255.255.254"},
    {"id": "b", "link": "eth1", "type": "ipv6", "ip_address": "2001:db8::1", "netmask": "ffff:ffff:ffff:fffe::"}
  ],
  "services": []
}"#;
    assert_eq!(
        settings(json),
        [
            "52:54:4d:1b:26:1e\tmtu\t9000",
            "52:54:24:c4:15:d1\tdhcp4",
            "52:54:4d:1b:26:1e\taddress\t10.0.0.1/31",
            "52:54:4d:1b:26:1e\taddress\t2001:db8::1/63",
        ]
    );
}

#[test]
fn daemons_are_read_from_the_configuration() {
    let text =
        "router ospf\n network 10.0.0.0/8 area 0\nrouter bgp 65000\n neighbor 10.0.0.2 bfd\n";
    let found = awk("daemons-needed.awk", text);
    assert_eq!(found.lines().collect::<Vec<_>>(), ["ospfd", "bgpd", "bfdd"]);
}

#[test]
fn committed_machine_code_is_what_its_source_gives() {
    if Command::new("as").arg("--version").output().is_err() {
        println!("skipped: `as` (package binutils) is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, width, address) in [
        ("boot/first", "--32", "0x7c00"),
        ("boot/quick", "--32", "0x8000"),
        ("kernel/stub", "--64", "0x100000"),
    ] {
        let object = folder.path().join("object");
        let binary = folder.path().join("binary");
        let source = crate_file(&format!("frr/{name}.S"));
        let assembled = Command::new("as")
            .arg(width)
            .arg(&source)
            .arg("-o")
            .arg(&object)
            .status()
            .unwrap();
        assert!(assembled.success());
        let emulation = if width == "--32" {
            "elf_i386"
        } else {
            "elf_x86_64"
        };
        let linked = Command::new("ld")
            .args(["-m", emulation, "--oformat", "binary"])
            .arg(format!("-Ttext={address}"))
            .arg(&object)
            .arg("-o")
            .arg(&binary)
            .status()
            .unwrap();
        assert!(linked.success());
        let committed = std::fs::read(crate_file(&format!("frr/{name}.bin"))).unwrap();
        assert!(
            std::fs::read(&binary).unwrap() == committed,
            "{name}.bin is stale"
        );
    }
}
