//! Which kind a disk image is of, from its name and its checksum.
//!
//! A checksum that a kind lists is certain. A file name is a guess: of all patterns that match,
//! the one with most letters of its own says more than the others, as `vios_l2*` does beside
//! `vios*`. Two kinds whose best patterns say equally much make no guess.

use super::{Catalogue, Kind};
use std::sync::Arc;

/// What an image is thought to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognition {
    /// The kind.
    pub kind: Arc<Kind>,
    /// Which of its VMs boots from it; `None` for the main one.
    pub part: Option<usize>,
    /// What says so.
    pub by: Evidence,
}

/// What says of which kind an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// The kind lists its checksum.
    Checksum,
    /// Its file name is the kind's name, or as this pattern of the kind has it.
    FileName(String),
}

impl Catalogue {
    /// The kind of an image, from the name of its file and its checksums in hex, as far as they are
    /// known.
    pub fn recognise(&self, file_name: &str, checksums: &[&str]) -> Option<Recognition> {
        let listed = self.wants().find(|want| {
            let mut known = want.checksums.iter();
            known.any(|known| checksums.iter().any(|one| known.eq_ignore_ascii_case(one)))
        });
        if let Some(want) = listed {
            return Some(want.met_by(Evidence::Checksum));
        }
        let stem = file_name
            .split_once('.')
            .map_or(file_name, |(stem, _)| stem);
        let named = self.wants().find(|want| want.name == Some(stem));
        if let Some(want) = named {
            return Some(want.met_by(Evidence::FileName(stem.to_owned())));
        }
        if let Some(kind) = self.find(stem) {
            return Some(Recognition {
                kind: Arc::clone(kind),
                part: None,
                by: Evidence::FileName(stem.to_owned()),
            });
        }
        let mut matches: Vec<(usize, Want<'_>, &str)> = self
            .wants()
            .filter_map(|want| {
                let patterns = want.patterns.iter();
                let matching = patterns.filter(|pattern| matches_pattern(pattern, file_name));
                let best = matching.max_by_key(|pattern| weight(pattern))?;
                Some((weight(best), want, best.as_str()))
            })
            .collect();
        matches.sort_by_key(|(weight, ..)| std::cmp::Reverse(*weight));
        match matches[..] {
            [(first, ..), (second, ..), ..] if first == second => None,
            [(_, ref want, pattern), ..] => {
                Some(want.met_by(Evidence::FileName(pattern.to_owned())))
            }
            [] => None,
        }
    }

    /// The images that all VMs of all kinds want.
    fn wants(&self) -> impl Iterator<Item = Want<'_>> {
        self.kinds().flat_map(|kind| {
            let main = Want {
                kind,
                part: None,
                name: None,
                patterns: &kind.image_patterns,
                checksums: &kind.image_checksums,
            };
            let parts = kind.parts.iter().enumerate();
            let parts = parts.map(|(position, part)| Want {
                kind,
                part: Some(position),
                name: Some(&part.default_image),
                patterns: &part.image_patterns,
                checksums: &part.image_checksums,
            });
            std::iter::once(main).chain(parts)
        })
    }
}

/// An image that a VM of a kind wants.
struct Want<'a> {
    kind: &'a Arc<Kind>,
    part: Option<usize>,
    /// The name in the store by which a part has it; that of a main VM is its kind's.
    name: Option<&'a str>,
    patterns: &'a [String],
    checksums: &'a [String],
}

impl Want<'_> {
    fn met_by(&self, by: Evidence) -> Recognition {
        Recognition {
            kind: Arc::clone(self.kind),
            part: self.part,
            by,
        }
    }
}

/// Letters that a pattern asks for.
fn weight(pattern: &str) -> usize {
    pattern.chars().filter(|letter| *letter != '*').count()
}

/// Whether a name is as a pattern has it: `*` is any text, upper and lower case are the same.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, name, expected) in [
            ("vEOS*.qcow2", "veos-4.32.1F.qcow2", true),
            ("vEOS*.qcow2", "veos.vmdk", false),
            ("*csr1000*", "my-csr1000v.img", true),
            ("frr", "frr.qcow2", false),
            ("a*b*b", "ab", false),
            ("a*b*b", "abb", true),
            ("*", "", true),
        ] {
            assert_eq!(matches_pattern(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn images_are_told_by_the_names_that_vendors_give_them() {
        let catalogue = Catalogue::embedded();
        for (name, kind) in [
            ("junos-vmx-x86-64-21.1R1.11.qcow2", Some("vmx")),
            ("vFPC-20210211.img", Some("vmx")),
            ("vqfx-20.2R1-2019010209-pfe-qemu.qcow", Some("vqfx")),
            ("vmx-vfp.qcow2", Some("vmx")),
            ("csr1000v-universalk9.17.03.08a-serial.qcow2", Some("ios")),
            (
                "c8000v-universalk9_8G_serial.17.11.01a.qcow2",
                Some("c8000v"),
            ),
            ("cat9kv-prd-17.12.01prd9.qcow2", Some("cat9kv")),
            ("vios-adventerprisek9-m.spa.159-3.m6.qcow2", Some("iosv")),
            (
                "vios_l2-adventerprisek9-m.ssa.high_iron_20200929.qcow2",
                Some("iosvl2"),
            ),
            ("iosxrv-k9-demo-6.1.3.qcow2", Some("xrv")),
            ("xrv9k-fullk9-x-7.11.1.qcow2", Some("xrv9k")),
            ("nexus9300v64.10.4.2.F.qcow2", Some("nxos")),
            ("asav9-20-2.qcow2", Some("asav")),
            (
                "Cisco_Secure_Firewall_Threat_Defense_Virtual-7.2.0-82.qcow2",
                Some("ftdv"),
            ),
            ("vEOS-lab-4.32.1F.qcow2", Some("eos")),
            ("junos-vmx-x86-64-22.2R1.9.qcow2", Some("vmx")),
            ("vqfx-20.2R1.10-re-qemu.qcow2", Some("vqfx")),
            ("vJunos-router-23.4R2-S2.1.qcow2", Some("vjunos-router")),
            ("vJunos-switch-23.2R1.14.qcow2", Some("vjunos-switch")),
            (
                "vJunosEvolved-23.4R2-S2.1-EVO.qcow2",
                Some("vjunos-evolved"),
            ),
            ("junos-vsrx3-x86-64-23.2R2.21.qcow2", Some("vsrx")),
            ("sros-vm-24.3.R1.qcow2", Some("sros")),
            ("vyos-1.5-rolling-202405.qcow2", Some("vyos")),
            ("cumulus-linux-5.4.0-vx-amd64-qemu.qcow2", Some("cumulus")),
            ("sonic-vs-202311.qcow2", Some("sonic")),
            (
                "openwrt-23.05.3-x86-64-generic-ext4-combined.img",
                Some("openwrt"),
            ),
            ("chr-7.16.2.img", Some("chr")),
            (
                "FGT_VM64_KVM-v7.4.4.F-build2573-FORTINET.out.kvm.qcow2",
                Some("fortigate"),
            ),
            ("PA-VM-KVM-11.0.0.qcow2", Some("panos")),
            (
                "arubaoscx-disk-image-genericx86-p4-20240731173624.qcow2",
                Some("aoscx"),
            ),
            ("debian-12-genericcloud-amd64.qcow2", Some("debian")),
            ("noble-server-cloudimg-amd64.img", Some("ubuntu")),
            (
                "Fedora-Cloud-Base-Generic-41-1.4.x86_64.qcow2",
                Some("fedora"),
            ),
            (
                "nocloud_alpine-3.20.3-x86_64-bios-cloudinit-r0.qcow2",
                Some("alpine"),
            ),
            (
                "CentOS-Stream-GenericCloud-9-latest.x86_64.qcow2",
                Some("centos"),
            ),
            (
                "FreeBSD-14.1-RELEASE-amd64-BASIC-CLOUDINIT-ufs.qcow2",
                Some("freebsd"),
            ),
            ("frr.qcow2", Some("frr")),
            ("holiday-photos.qcow2", None),
        ] {
            let found = catalogue.recognise(name, &[]);
            let found = found.as_ref().map(|found| found.kind.name.as_str());
            assert_eq!(found, kind, "{name}");
        }
    }

    #[test]
    fn a_checksum_says_more_than_a_name() {
        let catalogue = Catalogue::embedded();
        let checksums = [
            "0".repeat(64),
            "A4C2D00A87E73B3129CD66A4E0743C9A".to_owned(),
        ];
        let checksums = checksums.each_ref().map(String::as_str);
        let found = catalogue.recognise("vEOS-lab.qcow2", &checksums).unwrap();
        assert_eq!(
            (found.kind.name.as_str(), found.by),
            ("chr", Evidence::Checksum)
        );
    }

    #[test]
    fn no_two_kinds_list_one_checksum() {
        let catalogue = Catalogue::embedded();
        let mut listed: Vec<&str> = catalogue
            .kinds()
            .flat_map(|kind| kind.image_checksums.iter().map(String::as_str))
            .collect();
        let all = listed.len();
        listed.sort_unstable();
        listed.dedup();
        assert!(
            all > 100 && listed.len() == all,
            "{all} and {}",
            listed.len()
        );
    }
}
