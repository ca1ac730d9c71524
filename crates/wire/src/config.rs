//! What a wire shall be: its ends, links and segments, as users of the crate and of the control
//! socket write it. A file format: fields that are not known are refused.

use crate::core::junction::LinkState;
use crate::core::policy::{Policy, PolicyError};
use crate::shard::Spin;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use vnflab_impairment::Impairment;

/// Memory of waiting frames, in MiB, unless something else is asked for.
const MEMORY_LIMIT_MIB: u32 = 512;

/// Most ends of a wire: each is a file descriptor, and the ports of a host are as many.
pub const END_LIMIT: usize = 65_536;

/// Longest name of an end, link or segment, in bytes.
pub const NAME_LIMIT: usize = 256;

/// A whole wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct Config {
    /// What all chance follows from: the same seed drops the same frames.
    pub seed: u64,
    /// Most memory of frames that wait, in MiB; those of one end may take a quarter of it.
    pub memory_limit_mib: u32,
    /// How long the wire stays awake to be in time.
    pub spin: Spin,
    /// The ends by name, such as `r1:eth1`.
    pub ends: BTreeMap<String, EndConfig>,
    /// Links and segments by name.
    pub junctions: BTreeMap<String, JunctionConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            memory_limit_mib: MEMORY_LIMIT_MIB,
            spin: Spin::default(),
            ends: BTreeMap::new(),
            junctions: BTreeMap::new(),
        }
    }
}

/// What frames come out of and go into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type", deny_unknown_fields)]
pub enum EndConfig {
    /// A UDP tunnel. Only frames from `remote` are taken.
    Udp {
        /// Bound here.
        local: SocketAddr,
        /// Connected there.
        remote: SocketAddr,
    },
    /// A TAP device (needs `CAP_NET_ADMIN` unless it exists and is ours).
    Tap {
        /// Its name.
        device: String,
    },
    /// An interface of the host (needs `CAP_NET_RAW`).
    Host {
        /// Its name.
        interface: String,
    },
}

impl EndConfig {
    /// What a name stands for that says where it leads: `tap:NAME`, `host:NAME`,
    /// `udp:ADDRESS:PORT` (bound to the same port here) or `udp:ADDRESS:PORT@LOCAL-PORT`.
    pub fn from_name(name: &str) -> Option<Self> {
        let (kind, rest) = name.split_once(':')?;
        match kind {
            "tap" => Some(Self::Tap {
                device: rest.to_owned(),
            }),
            "host" => Some(Self::Host {
                interface: rest.to_owned(),
            }),
            "udp" => {
                let (remote, local_port) = match rest.split_once('@') {
                    Some((remote, port)) => (remote, Some(port.parse().ok()?)),
                    None => (rest, None),
                };
                let remote: SocketAddr = remote.parse().ok()?;
                let everywhere: IpAddr = match remote {
                    SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
                let local = SocketAddr::new(everywhere, local_port.unwrap_or(remote.port()));
                Some(Self::Udp { local, remote })
            }
            _ => None,
        }
    }
}

/// A link or a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct JunctionConfig {
    /// How it forwards.
    #[serde(default)]
    pub kind: JunctionKind,
    /// Names of the ends that are joined: at most two in a link.
    pub members: Vec<String>,
    /// Whether frames pass.
    #[serde(default)]
    pub state: LinkState,
    /// What is asked of the frames that each member sends.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub impairments: BTreeMap<String, Impairment>,
}

/// How a link or segment forwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type", deny_unknown_fields)]
pub enum JunctionKind {
    /// From each of two ends to the other.
    #[default]
    Link,
    /// A learning switch.
    #[serde(rename_all = "kebab-case")]
    Switch {
        /// An address that was not seen for so long is forgotten, in seconds.
        #[serde(default = "ageing")]
        ageing_seconds: u32,
        /// Most addresses that are learned.
        #[serde(default = "addresses")]
        addresses: u32,
    },
    /// From each end to all others.
    Hub,
}

impl JunctionKind {
    /// A switch as it is unless something else is asked for.
    pub fn switch() -> Self {
        Self::Switch {
            ageing_seconds: ageing(),
            addresses: addresses(),
        }
    }
}

/// The ageing time that IEEE 802.1Q recommends, in seconds.
fn ageing() -> u32 {
    300
}

/// As many addresses as a small switch has room for.
fn addresses() -> u32 {
    8192
}

/// Why a configuration cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigProblem {
    /// A name that is empty, too long, or has control characters in it.
    #[error("`{0}` is no name: 1 to {NAME_LIMIT} bytes without control characters are")]
    Name(String),
    /// More ends than a wire has room for.
    #[error("{0} ends, a wire has room for {END_LIMIT}")]
    Ends(usize),
    /// Two ends are bound to one address.
    #[error("`{first}` and `{second}` are both bound to {local}")]
    Bound {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// The address.
        local: SocketAddr,
    },
    /// A member that is no end.
    #[error("`{junction}` joins `{member}`, and there is no such end")]
    Member {
        /// The link or segment.
        junction: String,
        /// What it joins.
        member: String,
    },
    /// An end in two links or segments, or twice in one.
    #[error("`{member}` is in `{first}` and in `{second}`; an end is in one link or segment")]
    Twice {
        /// The end.
        member: String,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// A link of three or more.
    #[error("link `{junction}` joins {count} ends, a link joins two; a segment joins many")]
    Crowded {
        /// The link.
        junction: String,
        /// How many.
        count: usize,
    },
    /// An impairment for somebody who is no member.
    #[error("`{junction}` has an impairment for `{member}`, which is not a member")]
    Stranger {
        /// The link or segment.
        junction: String,
        /// For whom.
        member: String,
    },
    /// An impairment that cannot be done.
    #[error("`{junction}`, frames from `{member}`: {error}")]
    Impairment {
        /// The link or segment.
        junction: String,
        /// Whose frames.
        member: String,
        /// Why.
        error: PolicyError,
    },
}

impl Config {
    /// A relay of two UDP tunnels; what is asked of the frames holds in both directions.
    pub fn relay(ends: [(SocketAddr, SocketAddr); 2], impairment: &Impairment) -> Self {
        let names = ["a", "b"];
        let of_end = |(name, (local, remote)): (&str, (SocketAddr, SocketAddr))| {
            (name.to_owned(), EndConfig::Udp { local, remote })
        };
        let impairments = names.map(|name| (name.to_owned(), impairment.clone()));
        let link = JunctionConfig {
            kind: JunctionKind::Link,
            members: names.map(str::to_owned).to_vec(),
            state: LinkState::Up,
            impairments: impairments.into_iter().collect(),
        };
        Self {
            ends: names.into_iter().zip(ends).map(of_end).collect(),
            junctions: BTreeMap::from([("a--b".to_owned(), link)]),
            ..Self::default()
        }
    }

    /// Everything that is wrong with it.
    pub fn check(&self) -> Vec<ConfigProblem> {
        let mut found = Vec::new();
        let names = self.ends.keys().chain(self.junctions.keys());
        let bad = names.filter(|name| !is_name(name));
        found.extend(bad.map(|name| ConfigProblem::Name(name.clone())));
        if self.ends.len() > END_LIMIT {
            found.push(ConfigProblem::Ends(self.ends.len()));
        }
        self.check_addresses(&mut found);
        let mut homes: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, junction) in &self.junctions {
            for member in &junction.members {
                if !self.ends.contains_key(member) {
                    found.push(ConfigProblem::Member {
                        junction: name.clone(),
                        member: member.clone(),
                    });
                }
                if let Some(first) = homes.insert(member, name) {
                    found.push(ConfigProblem::Twice {
                        member: member.clone(),
                        first: first.to_owned(),
                        second: name.clone(),
                    });
                }
            }
            junction.check(name, &mut found);
        }
        found
    }

    fn check_addresses(&self, found: &mut Vec<ConfigProblem>) {
        let mut bound: BTreeMap<SocketAddr, &str> = BTreeMap::new();
        for (name, end) in &self.ends {
            let EndConfig::Udp { local, .. } = end else {
                continue;
            };
            if let Some(first) = bound.insert(*local, name)
                && local.port() != 0
            {
                found.push(ConfigProblem::Bound {
                    first: first.to_owned(),
                    second: name.clone(),
                    local: *local,
                });
            }
        }
    }

    /// What is asked of the frames of each end, where something is.
    pub(crate) fn asked(&self) -> BTreeMap<&str, &Impairment> {
        let junctions = self.junctions.values();
        junctions
            .flat_map(|junction| &junction.impairments)
            .map(|(end, impairment)| (end.as_str(), impairment))
            .collect()
    }

    /// The link or segment that an end is in.
    pub fn home_of(&self, end: &str) -> Option<(&str, &JunctionConfig)> {
        self.junctions
            .iter()
            .find(|(_, junction)| junction.members.iter().any(|member| member == end))
            .map(|(name, junction)| (name.as_str(), junction))
    }
}

impl JunctionConfig {
    /// A link of two ends that asks for nothing.
    pub fn link(a: &str, b: &str) -> Self {
        Self {
            kind: JunctionKind::Link,
            members: vec![a.to_owned(), b.to_owned()],
            state: LinkState::Up,
            impairments: BTreeMap::new(),
        }
    }

    fn check(&self, name: &str, found: &mut Vec<ConfigProblem>) {
        if self.kind == JunctionKind::Link && self.members.len() > 2 {
            found.push(ConfigProblem::Crowded {
                junction: name.to_owned(),
                count: self.members.len(),
            });
        }
        let members: BTreeSet<&String> = self.members.iter().collect();
        for (member, impairment) in &self.impairments {
            let (junction, member) = (name.to_owned(), member.clone());
            if !members.contains(&member) {
                found.push(ConfigProblem::Stranger { junction, member });
            } else if let Err(error) = Policy::new(impairment, 0, 0) {
                found.push(ConfigProblem::Impairment {
                    junction,
                    member,
                    error,
                });
            }
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_LIMIT && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay() -> Config {
        let address = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let ends = [(address(1), address(2)), (address(3), address(4))];
        Config::relay(ends, &Impairment::default())
    }

    #[test]
    fn a_relay_is_a_good_configuration() {
        assert_eq!(relay().check(), []);
        let json = serde_json::to_string(&relay()).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), relay());
    }

    #[test]
    fn every_mistake_is_found_at_once() {
        let mut config = relay();
        let mut link = config.junctions["a--b"].clone();
        link.members = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        link.impairments
            .insert("d".to_owned(), Impairment::default());
        config.junctions.insert(String::new(), link);
        let again = config.ends["a"].clone();
        config.ends.insert("z".to_owned(), again);
        let found: Vec<String> = config.check().iter().map(ToString::to_string).collect();
        for part in [
            "is no name",
            "both bound to",
            "no such end",
            "one link or segment",
            "joins 3 ends",
            "not a member",
        ] {
            assert!(
                found.iter().any(|text| text.contains(part)),
                "{part}: {found:?}"
            );
        }
    }

    #[test]
    fn names_say_where_they_lead() {
        let udp = EndConfig::from_name("udp:192.0.2.1:4789@5000");
        let (local, remote) = (
            "0.0.0.0:5000".parse().unwrap(),
            "192.0.2.1:4789".parse().unwrap(),
        );
        assert_eq!(udp, Some(EndConfig::Udp { local, remote }));
        assert!(matches!(
            EndConfig::from_name("udp:[2001:db8::1]:7"),
            Some(EndConfig::Udp { .. })
        ));
        assert!(matches!(
            EndConfig::from_name("tap:lab0"),
            Some(EndConfig::Tap { .. })
        ));
        for other in ["r1:eth1", "udp:somewhere:1", "udp:192.0.2.1", "lab0"] {
            assert_eq!(EndConfig::from_name(other), None, "{other}");
        }
    }
}
