//! What has to be asked of which node, and how its answer is read.

use super::judge::{self, Answer, Wanted, Way};
use super::target::Places;
use super::{Conditions, Nodes, Probe, Target, Verdict, With};
use crate::blueprint::NodeBlueprint;
use crate::kind::{
    ConnectRecipe, Kind, NeighborRecipe, PingRecipe, Protocol, TracerouteRecipe, fill,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use vnflab_impairment::unit::Percent;

/// Length of an IPv4 header without options (RFC 791), in bytes.
const IPV4_HEADER: u32 = 20;

/// Length of an IPv6 header (RFC 8200), in bytes.
const IPV6_HEADER: u32 = 40;

/// Length of the header of an echo request (RFC 792, RFC 4443), in bytes.
const ECHO_HEADER: u32 = 8;

/// One command for one node.
#[derive(Debug, Clone)]
pub struct Question {
    /// The node.
    pub node: String,
    /// What is run there.
    pub command: String,
    reading: Reading,
}

/// How an answer is read.
#[derive(Debug, Clone)]
enum Reading {
    Ping(PingRecipe, String, Percent),
    Traceroute(TracerouteRecipe, Way, Arc<BTreeMap<IpAddr, String>>),
    Connect(ConnectRecipe, String),
    Command(Conditions),
    Neighbors(NeighborRecipe, Wanted, Arc<Names>),
}

/// What neighbours call the nodes, by node.
type Names = Vec<(String, std::collections::BTreeSet<String>)>;

impl Question {
    /// What the answer means.
    pub fn judge(&self, answer: &Answer<'_>) -> Verdict {
        match &self.reading {
            Reading::Ping(recipe, way, loss) => judge::ping(recipe, way, *loss, answer),
            Reading::Traceroute(recipe, way, owners) => {
                let owner = |address: IpAddr| owners.get(&address).cloned();
                judge::traceroute(recipe, way, &owner, answer)
            }
            Reading::Connect(recipe, way) => judge::connect(recipe, way, answer),
            Reading::Command(conditions) => judge::command(&self.node, conditions, answer),
            Reading::Neighbors(recipe, wanted, names) => {
                let who = |peers: &[String]| {
                    let is = |known: &std::collections::BTreeSet<String>| {
                        let mut peers = peers.iter();
                        peers.any(|peer| known.contains(&peer.to_lowercase()))
                    };
                    let found = names.iter().find(|(_, known)| is(known));
                    found.map(|(name, _)| name.clone())
                };
                judge::neighborhood(recipe, wanted, &who, answer)
            }
        }
    }
}

/// What has to be asked to know what a probe wants to know; nothing for those that no guest is
/// asked for. `kind` is the kind whose guest boots in a node.
///
/// # Errors
///
/// Why it cannot be asked: a node that is not up, an address that is not known, a kind without the
/// recipe.
pub fn questions(
    probe: &Probe,
    places: &Places<'_>,
    kind: &dyn Fn(&NodeBlueprint) -> Option<Arc<Kind>>,
) -> Result<Vec<Question>, String> {
    let asker = Asker { places, kind };
    match probe {
        Probe::Ping {
            from,
            to,
            count,
            size,
            loss,
        } => asker.ways(from, to, |node, way, address| {
            let recipe = asker.recipe(node, "ping", |kind| kind.recipes.ping.as_ref())?;
            let command = match size {
                None => &recipe.command,
                Some(_) => recipe
                    .sized_command
                    .as_ref()
                    .ok_or_else(|| format!("the kind `{}` has no recipe for `size`", node.guest))?,
            };
            let size = size.unwrap_or_default();
            let header = match address {
                IpAddr::V4(_) => IPV4_HEADER,
                IpAddr::V6(_) => IPV6_HEADER,
            };
            let values = [
                ("address", address.to_string()),
                ("count", count.to_string()),
                ("size", size.to_string()),
                (
                    "payload",
                    size.saturating_sub(header + ECHO_HEADER).to_string(),
                ),
            ];
            let command = fill(command, &values);
            Ok((command, Reading::Ping(recipe, way, *loss)))
        }),
        Probe::Traceroute {
            from,
            to,
            through,
            avoids,
        } => {
            let owners = Arc::new(places.owners());
            let values = |names: &[crate::span::Spanned<String>]| -> Vec<String> {
                names.iter().map(|name| name.value.clone()).collect()
            };
            asker.ways(from, std::slice::from_ref(to), |node, told, address| {
                let of = |kind: &Kind| kind.recipes.traceroute.clone();
                let recipe = asker.recipe_of(node, "traceroute", of)?;
                let command = fill(&recipe.command, &[("address", address.to_string())]);
                let way = Way {
                    told,
                    end: address,
                    through: through.as_deref().map(values),
                    avoids: values(avoids),
                };
                let owners = Arc::clone(&owners);
                Ok((command, Reading::Traceroute(recipe, way, owners)))
            })
        }
        Probe::Connect { from, to, port } => asker.ways(from, to, |node, way, address| {
            let of = |kind: &Kind| kind.recipes.connect.clone();
            let recipe = asker.recipe_of(node, "connect", of)?;
            let values = [("address", address.to_string()), ("port", port.to_string())];
            let command = fill(&recipe.command, &values);
            let way = format!("{way}, port {port}");
            Ok((command, Reading::Connect(recipe, way)))
        }),
        Probe::Command {
            node,
            run,
            conditions,
        } => {
            let nodes = places.meant(node)?.into_iter();
            let question = |node: &NodeBlueprint| Question {
                node: node.node.clone(),
                command: run.clone(),
                reading: Reading::Command(conditions.clone()),
            };
            Ok(nodes.map(question).collect())
        }
        Probe::Neighbors {
            node,
            protocol,
            with,
            count,
        } => {
            let nodes = places.meant(node)?;
            let names = asker.names();
            nodes
                .into_iter()
                .map(|node| asker.neighbors(node, *protocol, with, *count, &names))
                .collect()
        }
        Probe::Link { .. } | Probe::Frames { .. } | Probe::Rate { .. } => Ok(Vec::new()),
    }
}

struct Asker<'a> {
    places: &'a Places<'a>,
    kind: &'a dyn Fn(&NodeBlueprint) -> Option<Arc<Kind>>,
}

impl Asker<'_> {
    /// A question for each way from a node to a target.
    fn ways(
        &self,
        from: &Nodes,
        to: &[Target],
        make: impl Fn(&NodeBlueprint, String, IpAddr) -> Result<(String, Reading), String>,
    ) -> Result<Vec<Question>, String> {
        let mut questions = Vec::new();
        for node in self.places.meant(from)? {
            for target in to {
                for (name, address) in self.places.addresses(node, target)? {
                    let way = format!("{} → {name}", node.node);
                    let (command, reading) = make(node, way, address)?;
                    questions.push(Question {
                        node: node.node.clone(),
                        command,
                        reading,
                    });
                }
            }
        }
        match questions.is_empty() {
            true => Err("there is no node to be asked".to_owned()),
            false => Ok(questions),
        }
    }

    fn recipe<T: Clone>(
        &self,
        node: &NodeBlueprint,
        what: &str,
        of: impl Fn(&Kind) -> Option<&T>,
    ) -> Result<T, String> {
        self.recipe_of(node, what, |kind| of(kind).cloned())
    }

    fn recipe_of<T>(
        &self,
        node: &NodeBlueprint,
        what: &str,
        of: impl Fn(&Kind) -> Option<T>,
    ) -> Result<T, String> {
        let guest = &node.guest;
        let kind = (self.kind)(node).ok_or_else(|| format!("the kind `{guest}` is not known"))?;
        of(&kind).ok_or_else(|| format!("the kind `{guest}` has no recipe for `{what}`"))
    }

    fn names(&self) -> Arc<Names> {
        let nodes = self.places.meant(&Nodes::All).unwrap_or_default();
        let names = nodes
            .into_iter()
            .map(|node| (node.node.clone(), self.places.identifiers(node)));
        Arc::new(names.collect())
    }

    fn neighbors(
        &self,
        node: &NodeBlueprint,
        protocol: Protocol,
        with: &With,
        count: Option<u32>,
        names: &Arc<Names>,
    ) -> Result<Question, String> {
        let what = format!("neighbors.{}", protocol.word());
        let of = |kind: &Kind| kind.recipes.neighbors.get(&protocol).cloned();
        let recipe = self.recipe_of(node, &what, of)?;
        let nodes = match with {
            With::Any => None,
            With::Linked => {
                let linked = self.places.linked(node).into_iter();
                Some(linked.map(|one| one.node.clone()).collect())
            }
            With::Named(names) => {
                let names = names.iter();
                let own = names.filter(|name| name.value != node.node);
                let existing = own.map(|name| Ok(self.places.existing(name)?.node.clone()));
                Some(existing.collect::<Result<_, String>>()?)
            }
        };
        // A node does not answer to its own names.
        let others = names.iter().filter(|(name, _)| *name != node.node);
        let others = Arc::new(others.cloned().collect());
        Ok(Question {
            node: node.node.clone(),
            command: recipe.command.clone(),
            reading: Reading::Neighbors(
                recipe,
                Wanted {
                    told: format!("{} of {}", protocol.word(), node.node),
                    nodes,
                    count,
                },
                others,
            ),
        })
    }
}
