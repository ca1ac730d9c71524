//! The ends that a user's words mean, and what is said when they mean none.
//!
//! Pure. The wire knows an interface by its vendor's name alone; users may write any name that
//! the node's kind knows: `eth1`, `gi2` and `GigabitEthernet2` are one.

use crate::error::{CommandError, ErrorKind};
use vnflab_model::blueprint::NicRole;
use vnflab_model::kind::Catalogue;
use vnflab_model::observed::Observed;
use vnflab_wire::Config;
use vnflab_wire::control::change::ChangeError;

/// A link, a segment or an end, with all interfaces by the names that the wire knows. What is no
/// interface of the lab stays as it is.
pub(super) fn canonical(
    observed: &Observed,
    catalogue: &Catalogue,
    lab: &str,
    word: &str,
) -> String {
    let parts = word.split("--").map(str::trim);
    let parts = parts.map(|part| {
        let known = interface(observed, catalogue, lab, part);
        known.unwrap_or_else(|| part.to_owned())
    });
    parts.collect::<Vec<_>>().join("--")
}

fn interface(observed: &Observed, catalogue: &Catalogue, lab: &str, word: &str) -> Option<String> {
    let (node, name) = word.split_once(':')?;
    let node = observed.whole(lab, node)?;
    let mut nics = node.data_nics();
    // A name that is right is no alias, whatever else it could mean.
    if let Some(nic) = nics.find(|nic| nic.name == name) {
        return Some(node.end_name(nic));
    }
    let index = catalogue.find(&node.kind)?.interfaces.index(name)?;
    let nic = node
        .data_nics()
        .find(|nic| nic.role == NicRole::Data { index })?;
    Some(node.end_name(nic))
}

/// What is wrong with a change or a name, and what to do.
pub(super) fn mistake(error: &ChangeError, config: &Config) -> CommandError {
    let told = CommandError::new(ErrorKind::NotFound, error.to_string());
    let ends = || config.ends.keys().map(String::as_str);
    match error {
        ChangeError::Unknown(word) => {
            let junctions = config.junctions.keys().map(String::as_str);
            told.hint_of_node(word, config)
                .suggest(word, junctions.chain(ends()))
                .hint("`vnflab links` lists the links and their ends.")
        }
        ChangeError::UnknownEnd(word) => told
            .hint_of_node(word.split(':').next().unwrap_or(word), config)
            .suggest(word, ends()),
        ChangeError::Unconnected(word) => told.hint(format!(
            "`vnflab link connect {word} NODE:INTERFACE` joins it to another one that is free."
        )),
        ChangeError::Busy { end, .. } => told.hint(format!(
            "`vnflab link disconnect {end}` takes that link away; `vnflab link move` plugs one \
             of its ends into another interface."
        )),
        ChangeError::NotMember { junction, .. } => {
            let members = config.junctions.get(junction);
            let members = members.map(|junction| quoted(&junction.members));
            told.hint(format!("Its ends are {}.", members.unwrap_or_default()))
        }
        ChangeError::NotSegment(_) | ChangeError::Self_(_) => told,
    }
}

impl CommandError {
    /// Where a node was named alone, the interfaces that it has.
    fn hint_of_node(self, node: &str, config: &Config) -> Self {
        let of_node = format!("{node}:");
        let ends: Vec<&String> = config
            .ends
            .keys()
            .filter(|end| end.starts_with(&of_node))
            .collect();
        match ends.is_empty() {
            true => self,
            false => self.hint(format!("`{node}` has {}.", quoted(ends))),
        }
    }
}

fn quoted<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names = names.into_iter();
    let names = names.map(|name| format!("`{}`", name.as_ref()));
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use std::net::{Ipv4Addr, SocketAddr};
    use vnflab_model::blueprint::{Attachment, Carrier, Nic};
    use vnflab_model::kind::NicModel;

    fn lab() -> Observed {
        let mut observed = sample::observed(&[("ring", "r1"), ("ring", "r2")]);
        let nic = |index: u32, name: &str| Nic {
            role: NicRole::Data { index },
            name: name.to_owned(),
            model: NicModel::Virtio,
            mac: format!("52:54:00:00:00:0{index}"),
            attachment: Attachment::Tunnel {
                local: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 10000),
                remote: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 20000),
            },
            carrier: Carrier::Up,
            peer: None,
            segment: None,
            addresses: Vec::new(),
            mtu: None,
        };
        let ios = &mut observed.domains[0].record.blueprint;
        ios.kind = "ios".to_owned();
        ios.nics = vec![nic(1, "GigabitEthernet2"), nic(2, "GigabitEthernet3")];
        observed.domains[1].record.blueprint.nics = vec![nic(1, "eth1")];
        observed
    }

    #[test]
    fn every_name_that_a_kind_knows_means_the_interface() {
        let (observed, kinds) = (lab(), Catalogue::embedded());
        let meant = |word| canonical(&observed, &kinds, "ring", word);
        for word in ["r1:GigabitEthernet2", "r1:eth1", "r1:gi2", "r1:Gi2"] {
            assert_eq!(meant(word), "r1:GigabitEthernet2");
        }
        assert_eq!(meant("r2:eth1 -- r1:eth2"), "r2:eth1--r1:GigabitEthernet3");
    }

    #[test]
    fn what_is_no_interface_of_the_lab_stays_as_it_is() {
        let (observed, kinds) = (lab(), Catalogue::embedded());
        let words = [
            "lan",
            "r1:gi9",
            "r7:eth1",
            "tap:lab0",
            "udp:192.0.2.1:4000",
            "",
        ];
        for word in words {
            assert_eq!(canonical(&observed, &kinds, "ring", word), word);
        }
    }

    #[test]
    fn mistakes_say_what_to_do() {
        let mut config = Config::default();
        for end in ["r1:eth1", "r1:eth2"] {
            let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 20001);
            let remote = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 10001);
            let end_config = vnflab_wire::EndConfig::Udp { local, remote };
            config.ends.insert(end.to_owned(), end_config);
        }
        let hints = |error: ChangeError| mistake(&error, &config).hints;
        let word = |word: &str| word.to_owned();
        assert_eq!(
            hints(ChangeError::Unknown(word("r1"))),
            [
                "`r1` has `r1:eth1`, `r1:eth2`.",
                "`vnflab links` lists the links and their ends."
            ]
        );
        assert_eq!(
            hints(ChangeError::UnknownEnd(word("r1:eth9")))[0],
            "`r1` has `r1:eth1`, `r1:eth2`."
        );
        assert!(
            hints(ChangeError::Unconnected(word("r1:eth1")))[0].contains("link connect r1:eth1")
        );
    }
}
