//! Changes by hand: each a small edit of the configuration, and pure.

use crate::config::{Config, EndConfig, JunctionConfig, JunctionKind};
use crate::core::junction::LinkState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vnflab_impairment::{Impairment, Settings};

/// An edit. Links and segments go by their names; an end stands for the one it is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Change {
    /// Joins two ends by a link. Ends that say where they lead (`tap:`, `host:`, `udp:`) are
    /// made.
    Connect {
        /// One end.
        a: String,
        /// The other.
        b: String,
    },
    /// Takes a link away.
    Disconnect {
        /// The link, or an end of it.
        junction: String,
    },
    /// Adds a segment, or members to one.
    Join {
        /// The segment.
        segment: String,
        /// Whom.
        ends: Vec<String>,
        /// What it is if it is new.
        kind: JunctionKind,
    },
    /// Takes members out of a segment; the last takes the segment along.
    Leave {
        /// Whom.
        ends: Vec<String>,
    },
    /// Puts an end in another's place: the link then ends there.
    Move {
        /// The end that leaves.
        from: String,
        /// The end that takes its place.
        to: String,
    },
    /// Cuts or restores.
    State {
        /// The link or segment, or an end of it.
        junction: String,
        /// Whether frames pass.
        state: LinkState,
    },
    /// Lays settings over those that hold.
    Set {
        /// The link or segment, or an end of it.
        junction: String,
        /// Only frames that this end sends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// Only frames that match this pcap filter expression.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        matches: Option<String>,
        /// What is asked of them.
        settings: Box<Settings>,
    },
    /// Asks for nothing any more.
    Reset {
        /// The link or segment, or an end of it.
        junction: String,
        /// Only frames that this end sends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
    },
}

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No link, segment or end of that name.
    #[error("there is no link, segment or end `{0}`")]
    Unknown(String),
    /// An end of that name does not exist, and its name does not say where it leads.
    #[error("there is no end `{0}`")]
    UnknownEnd(String),
    /// The end is in no link or segment.
    #[error("`{0}` is in no link or segment")]
    Unconnected(String),
    /// The end is in a link already.
    #[error("`{end}` is in `{junction}` already")]
    Busy {
        /// The end.
        end: String,
        /// Where it is.
        junction: String,
    },
    /// The end is not a member.
    #[error("`{end}` is not in `{junction}`")]
    NotMember {
        /// The end.
        end: String,
        /// Where it was looked for.
        junction: String,
    },
    /// A link where a segment was asked for, or the other way round.
    #[error("`{0}` is a link, not a segment")]
    NotSegment(String),
    /// Two equal ends.
    #[error("both ends are `{0}`")]
    Self_(String),
}

/// What a link of two ends is called.
pub fn link_name(a: &str, b: &str) -> String {
    format!("{a}--{b}")
}

impl Change {
    /// The configuration with the change made.
    ///
    /// # Errors
    ///
    /// When what it names is not there, or is taken.
    pub fn make(&self, config: &Config) -> Result<Config, ChangeError> {
        let mut config = config.clone();
        match self {
            Self::Connect { a, b } => connect(&mut config, a, b)?,
            Self::Disconnect { junction } => {
                let name = find(&config, junction)?;
                config.junctions.remove(&name);
                drop_loose_ends(&mut config);
            }
            Self::Join {
                segment,
                ends,
                kind,
            } => join(&mut config, segment, ends, *kind)?,
            Self::Leave { ends } => leave(&mut config, ends)?,
            Self::Move { from, to } => replace(&mut config, from, to)?,
            Self::State { junction, state } => {
                let name = find(&config, junction)?;
                target(&mut config, &name)?.state = *state;
            }
            Self::Set {
                junction,
                from,
                matches,
                settings,
            } => {
                let name = find(&config, junction)?;
                for member in members(&config, &name, from.as_deref())? {
                    let asked = target(&mut config, &name)?
                        .impairments
                        .entry(member)
                        .or_default();
                    set(asked, matches.as_deref(), settings);
                }
            }
            Self::Reset { junction, from } => {
                let name = find(&config, junction)?;
                for member in members(&config, &name, from.as_deref())? {
                    target(&mut config, &name)?.impairments.remove(&member);
                }
            }
        }
        for junction in config.junctions.values_mut() {
            let asks =
                |_: &String, impairment: &mut Impairment| *impairment != Impairment::default();
            junction.impairments.retain(asks);
        }
        Ok(config)
    }
}

/// The link or segment that a word means: by its name, by its ends in the other order, or by one
/// of its ends.
pub fn find(config: &Config, word: &str) -> Result<String, ChangeError> {
    if config.junctions.contains_key(word) {
        return Ok(word.to_owned());
    }
    if let Some((a, b)) = word.split_once("--") {
        let turned = link_name(b.trim(), a.trim());
        let straight = link_name(a.trim(), b.trim());
        let known = [straight, turned]
            .into_iter()
            .find(|name| config.junctions.contains_key(name));
        if let Some(name) = known {
            return Ok(name);
        }
    }
    match config.home_of(word) {
        Some((name, _)) => Ok(name.to_owned()),
        None if config.ends.contains_key(word) => Err(ChangeError::Unconnected(word.to_owned())),
        None => Err(ChangeError::Unknown(word.to_owned())),
    }
}

fn target<'a>(config: &'a mut Config, name: &str) -> Result<&'a mut JunctionConfig, ChangeError> {
    let unknown = || ChangeError::Unknown(name.to_owned());
    config.junctions.get_mut(name).ok_or_else(unknown)
}

/// All members, or the one that is named; a node's name alone means its end.
fn members(config: &Config, name: &str, from: Option<&str>) -> Result<Vec<String>, ChangeError> {
    let all = &config.junctions[name].members;
    let Some(from) = from else {
        return Ok(all.clone());
    };
    let of_node = format!("{from}:");
    let is_meant = |member: &&String| *member == from || member.starts_with(&of_node);
    let found: Vec<String> = all.iter().filter(is_meant).cloned().collect();
    if found.is_empty() {
        return Err(ChangeError::NotMember {
            end: from.to_owned(),
            junction: name.to_owned(),
        });
    }
    Ok(found)
}

fn set(asked: &mut Impairment, matches: Option<&str>, settings: &Settings) {
    let Some(matches) = matches else {
        asked.settings.overlay(settings);
        return;
    };
    match asked.rules.iter_mut().find(|rule| rule.matches == matches) {
        Some(rule) => rule.settings.overlay(settings),
        None => asked.rules.push(vnflab_impairment::Rule {
            matches: matches.to_owned(),
            settings: settings.clone(),
        }),
    }
}

/// An end that may be joined: it exists, or its name says where it leads; and it is free.
fn free_end(config: &mut Config, name: &str) -> Result<(), ChangeError> {
    if let Some((junction, _)) = config.home_of(name) {
        return Err(ChangeError::Busy {
            end: name.to_owned(),
            junction: junction.to_owned(),
        });
    }
    if !config.ends.contains_key(name) {
        let unknown = || ChangeError::UnknownEnd(name.to_owned());
        let end = EndConfig::from_name(name).ok_or_else(unknown)?;
        config.ends.insert(name.to_owned(), end);
    }
    Ok(())
}

fn connect(config: &mut Config, a: &str, b: &str) -> Result<(), ChangeError> {
    if a == b {
        return Err(ChangeError::Self_(a.to_owned()));
    }
    free_end(config, a)?;
    free_end(config, b)?;
    config
        .junctions
        .insert(link_name(a, b), JunctionConfig::link(a, b));
    Ok(())
}

fn join(
    config: &mut Config,
    segment: &str,
    ends: &[String],
    kind: JunctionKind,
) -> Result<(), ChangeError> {
    for end in ends {
        free_end(config, end)?;
        let new = || JunctionConfig {
            kind,
            members: Vec::new(),
            state: LinkState::Up,
            impairments: BTreeMap::new(),
        };
        let junction = config
            .junctions
            .entry(segment.to_owned())
            .or_insert_with(new);
        if junction.kind == JunctionKind::Link {
            return Err(ChangeError::NotSegment(segment.to_owned()));
        }
        junction.members.push(end.clone());
    }
    Ok(())
}

fn leave(config: &mut Config, ends: &[String]) -> Result<(), ChangeError> {
    for end in ends {
        let name = match config.home_of(end) {
            Some((name, _)) => name.to_owned(),
            None => return Err(ChangeError::Unconnected(end.clone())),
        };
        let junction = target(config, &name)?;
        if junction.kind == JunctionKind::Link {
            return Err(ChangeError::NotSegment(name));
        }
        junction.members.retain(|member| member != end);
        junction.impairments.remove(end);
        if junction.members.is_empty() {
            config.junctions.remove(&name);
        }
    }
    drop_loose_ends(config);
    Ok(())
}

fn replace(config: &mut Config, from: &str, to: &str) -> Result<(), ChangeError> {
    let name = match config.home_of(from) {
        Some((name, _)) => name.to_owned(),
        None if config.ends.contains_key(from) => {
            return Err(ChangeError::Unconnected(from.to_owned()));
        }
        None => return Err(ChangeError::UnknownEnd(from.to_owned())),
    };
    free_end(config, to)?;
    let Some(mut junction) = config.junctions.remove(&name) else {
        return Err(ChangeError::Unknown(name));
    };
    for member in junction.members.iter_mut().filter(|member| *member == from) {
        *member = to.to_owned();
    }
    if let Some(asked) = junction.impairments.remove(from) {
        junction.impairments.insert(to.to_owned(), asked);
    }
    let name = match (junction.kind, &junction.members[..]) {
        (JunctionKind::Link, [a, b]) => link_name(a, b),
        _ => name,
    };
    config.junctions.insert(name, junction);
    drop_loose_ends(config);
    Ok(())
}

/// Ends that were made for a link go with it; those of nodes stay.
fn drop_loose_ends(config: &mut Config) {
    let homes: Vec<String> = config
        .junctions
        .values()
        .flat_map(|junction| junction.members.clone())
        .collect();
    config
        .ends
        .retain(|name, _| EndConfig::from_name(name).is_none() || homes.contains(name));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};

    fn config() -> Config {
        let ends = ["r1:eth1", "r1:eth2", "r2:eth1", "r3:eth1"];
        let udp = |port: u16| EndConfig::Udp {
            local: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            remote: SocketAddr::from((Ipv4Addr::LOCALHOST, port + 100)),
        };
        let link = JunctionConfig::link("r1:eth1", "r2:eth1");
        Config {
            ends: (1..)
                .zip(ends)
                .map(|(port, end)| (end.to_owned(), udp(port)))
                .collect(),
            junctions: BTreeMap::from([("r1:eth1--r2:eth1".to_owned(), link)]),
            ..Config::default()
        }
    }

    fn make(config: &Config, change: &Change) -> Config {
        let changed = change.make(config).unwrap();
        assert_eq!(changed.check(), []);
        changed
    }

    fn settings(key: &str, value: &str) -> Box<Settings> {
        let mut settings = Settings::default();
        settings.set(key, value).unwrap();
        Box::new(settings)
    }

    #[test]
    fn a_link_goes_by_its_name_turned_round_or_by_an_end() {
        for word in [
            "r1:eth1--r2:eth1",
            "r2:eth1--r1:eth1",
            "r2:eth1 -- r1:eth1",
            "r1:eth1",
        ] {
            assert_eq!(find(&config(), word).unwrap(), "r1:eth1--r2:eth1", "{word}");
        }
        let unconnected = ChangeError::Unconnected("r1:eth2".to_owned());
        assert_eq!(find(&config(), "r1:eth2"), Err(unconnected));
        assert!(matches!(
            find(&config(), "r9:eth9"),
            Err(ChangeError::Unknown(_))
        ));
    }

    #[test]
    fn settings_are_laid_over_each_other_for_both_directions_or_one() {
        let junction = || "r1:eth1".to_owned();
        let delay = Change::Set {
            junction: junction(),
            from: None,
            matches: None,
            settings: settings("delay", "20ms"),
        };
        let loss = Change::Set {
            junction: junction(),
            from: Some("r2".to_owned()),
            matches: None,
            settings: settings("loss", "1%"),
        };
        let changed = make(&make(&config(), &delay), &loss);
        let asked = &changed.junctions["r1:eth1--r2:eth1"].impairments;
        let words = |end: &str| asked[end].settings.entries().len();
        assert_eq!((words("r1:eth1"), words("r2:eth1")), (1, 2));
        let reset = Change::Reset {
            junction: junction(),
            from: None,
        };
        assert_eq!(make(&changed, &reset), config());
    }

    #[test]
    fn a_moved_link_keeps_what_was_asked_of_it() {
        let set = Change::Set {
            junction: "r1:eth1".to_owned(),
            from: Some("r2:eth1".to_owned()),
            matches: Some("arp".to_owned()),
            settings: settings("loss", "100%"),
        };
        let moved = Change::Move {
            from: "r2:eth1".to_owned(),
            to: "r3:eth1".to_owned(),
        };
        let changed = make(&make(&config(), &set), &moved);
        let link = &changed.junctions["r1:eth1--r3:eth1"];
        assert_eq!(link.impairments["r3:eth1"].rules[0].matches, "arp");
        assert_eq!(changed.junctions.len(), 1);
    }

    #[test]
    fn what_is_taken_or_missing_is_refused() {
        let connect = |a: &str, b: &str| Change::Connect {
            a: a.to_owned(),
            b: b.to_owned(),
        };
        let refused = |change: Change| change.make(&config()).unwrap_err();
        assert!(matches!(
            refused(connect("r1:eth1", "r3:eth1")),
            ChangeError::Busy { .. }
        ));
        assert!(matches!(
            refused(connect("r1:eth2", "r7:eth1")),
            ChangeError::UnknownEnd(_)
        ));
        assert!(matches!(
            refused(connect("r3:eth1", "r3:eth1")),
            ChangeError::Self_(_)
        ));
        let join = Change::Join {
            segment: "r1:eth1--r2:eth1".to_owned(),
            ends: vec!["r3:eth1".to_owned()],
            kind: JunctionKind::Hub,
        };
        assert!(matches!(refused(join), ChangeError::NotSegment(_)));
    }

    #[test]
    fn ends_that_lead_outside_come_and_go_with_their_link() {
        let connect = Change::Connect {
            a: "r3:eth1".to_owned(),
            b: "tap:lab0".to_owned(),
        };
        let changed = make(&config(), &connect);
        assert!(changed.ends.contains_key("tap:lab0"));
        let disconnect = Change::Disconnect {
            junction: "tap:lab0".to_owned(),
        };
        assert_eq!(make(&changed, &disconnect), config());
    }

    #[test]
    fn a_segment_is_there_while_it_has_members() {
        let ends = vec!["r1:eth2".to_owned(), "r3:eth1".to_owned()];
        let join = Change::Join {
            segment: "lan".to_owned(),
            ends: ends.clone(),
            kind: JunctionKind::Hub,
        };
        let changed = make(&config(), &join);
        assert_eq!(changed.junctions["lan"].members, ends);
        assert_eq!(make(&changed, &Change::Leave { ends }), config());
    }
}
