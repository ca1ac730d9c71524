//! One step from one state of a wire to another.
//!
//! [`WireBlueprint::apply`] says what each means, for whoever carries it out and for the plans that
//! are made of them. All of them keep the invariants of a [`WireBlueprint`].

use super::wire::{Junction, JunctionState, Metrics, WireBlueprint, WireEnd};
use std::collections::{BTreeMap, BTreeSet};
use vnflab_impairment::Impairment;

/// One change of a wire that runs. Each is idempotent.
#[derive(Debug, Clone, PartialEq)]
pub enum WireChange {
    /// Opens ends, or opens them anew at other addresses.
    OpenEnds {
        /// The ends by name.
        ends: BTreeMap<String, WireEnd>,
    },
    /// Closes ends, and takes them out of their junctions.
    CloseEnds {
        /// Their names.
        names: BTreeSet<String>,
    },
    /// Makes a junction, in place of any of that name. Ends that are members of others leave
    /// them.
    Connect {
        /// Its name.
        name: String,
        /// What it shall be.
        junction: Junction,
    },
    /// Removes a junction; its ends stay open.
    Disconnect {
        /// Its name.
        name: String,
    },
    /// Gives a junction other members. Ends that are members of others leave them.
    Move {
        /// Its name.
        name: String,
        /// The members that it shall have.
        members: Vec<String>,
    },
    /// Cuts a junction or restores it.
    SetState {
        /// Its name.
        name: String,
        /// What it shall be.
        state: JunctionState,
    },
    /// Impairs the frames that a member sends, in place of whatever was done to them.
    Impair {
        /// The junction's name.
        name: String,
        /// The member.
        member: String,
        /// What is done; the default for nothing.
        impairment: Box<Impairment>,
    },
    /// Lets the counters be read elsewhere.
    Serve {
        /// Where, if anywhere.
        metrics: Option<Metrics>,
    },
    /// Lets chance begin anew.
    Seed {
        /// What it follows from.
        seed: u64,
    },
}

impl WireBlueprint {
    /// What the wire is after a change.
    pub fn apply(&mut self, change: &WireChange) {
        match change {
            WireChange::OpenEnds { ends } => self.ends.extend(ends.clone()),
            WireChange::CloseEnds { names } => {
                self.ends.retain(|name, _| !names.contains(name));
                for junction in self.junctions.values_mut() {
                    junction.members.retain(|member| !names.contains(member));
                    junction
                        .impairments
                        .retain(|member, _| !names.contains(member));
                }
            }
            WireChange::Connect { name, junction } => {
                self.release(&junction.members);
                self.junctions.insert(name.clone(), junction.clone());
            }
            WireChange::Disconnect { name } => drop(self.junctions.remove(name)),
            WireChange::Move { name, members } => {
                self.release(members);
                if let Some(junction) = self.junctions.get_mut(name) {
                    junction.members.clone_from(members);
                    let stay = |member: &String| members.contains(member);
                    junction.impairments.retain(|member, _| stay(member));
                }
            }
            WireChange::SetState { name, state } => {
                if let Some(junction) = self.junctions.get_mut(name) {
                    junction.state = *state;
                }
            }
            WireChange::Impair {
                name,
                member,
                impairment,
            } => {
                if let Some(junction) = self.junctions.get_mut(name) {
                    match **impairment == Impairment::default() {
                        true => junction.impairments.remove(member),
                        false => junction
                            .impairments
                            .insert(member.clone(), (**impairment).clone()),
                    };
                }
            }
            WireChange::Serve { metrics } => self.metrics.clone_from(metrics),
            WireChange::Seed { seed } => self.seed = *seed,
        }
    }

    /// Takes ends out of the junctions that they are in.
    fn release(&mut self, ends: &[String]) {
        for junction in self.junctions.values_mut() {
            junction.members.retain(|member| !ends.contains(member));
            junction
                .impairments
                .retain(|member, _| !ends.contains(member));
        }
    }
}

impl WireChange {
    /// The junction that it concerns; `None` where it concerns the wire as a whole.
    pub fn junction(&self) -> Option<&str> {
        match self {
            Self::OpenEnds { .. }
            | Self::CloseEnds { .. }
            | Self::Serve { .. }
            | Self::Seed { .. } => None,
            Self::Connect { name, .. }
            | Self::Disconnect { name }
            | Self::Move { name, .. }
            | Self::Impair { name, .. }
            | Self::SetState { name, .. } => Some(name),
        }
    }

    /// The verb and object for people, such as `cut the link`.
    pub fn describe(&self) -> String {
        match self {
            Self::OpenEnds { ends } => format!("open {}", tunnel_ends(ends.len())),
            Self::CloseEnds { names } => format!("close {}", tunnel_ends(names.len())),
            Self::Connect { junction, .. } => {
                format!("connect the {}", junction.kind.word())
            }
            Self::Disconnect { .. } => "disconnect it".to_owned(),
            Self::Move { .. } => "move its ends".to_owned(),
            Self::SetState {
                state: JunctionState::Up,
                ..
            } => "restore it".to_owned(),
            Self::SetState {
                state: JunctionState::Down,
                ..
            } => "cut it".to_owned(),
            Self::Impair { member, .. } => format!("impair what {member} sends"),
            Self::Serve { metrics: None } => "serve no metrics".to_owned(),
            Self::Serve {
                metrics: Some(metrics),
            } => format!("serve metrics at {metrics}"),
            Self::Seed { seed } => format!("seed chance with {seed}"),
        }
    }

    /// A stable word for JSON, such as `connect`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::OpenEnds { .. } => "open-ends",
            Self::CloseEnds { .. } => "close-ends",
            Self::Connect { .. } => "connect",
            Self::Disconnect { .. } => "disconnect",
            Self::Move { .. } => "move",
            Self::SetState {
                state: JunctionState::Up,
                ..
            } => "link-up",
            Self::SetState {
                state: JunctionState::Down,
                ..
            } => "link-down",
            Self::Impair { .. } => "impair",
            Self::Serve { .. } => "serve-metrics",
            Self::Seed { .. } => "seed",
        }
    }
}

fn tunnel_ends(count: usize) -> String {
    match count {
        1 => "1 end".to_owned(),
        _ => format!("{count} ends"),
    }
}
