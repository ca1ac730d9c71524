//! `vnflab ps`: the nodes that exist and their state.

use super::watch;
use crate::cli::{Global, PsArgs};
use crate::context::{self, World};
use crate::error::CommandError;
use crate::render::{self, Screen};
use std::collections::BTreeMap;
use vnflab_engine::provision::State;
use vnflab_engine::workspace::{NodeStatus, Workspace};

pub(super) fn run(
    global: &Global,
    arguments: &PsArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    watch::show(screen, arguments.scope.watch, |screen| {
        let world = World::observe(&workspace)?;
        let listed = world.listed(&workspace, &arguments.scope)?;
        let nodes = workspace.nodes(&world.observed, listed.lab())?;
        let provisioned = provisioned(&workspace, &nodes);
        render::ps::list(screen, &listed, &nodes, &provisioned)
    })
}

/// How far nodes are whose configuration is typed on their console, by domain.
fn provisioned(workspace: &Workspace, nodes: &[NodeStatus]) -> BTreeMap<String, State> {
    let is_typed = |node: &&NodeStatus| {
        let kind = workspace.catalogue().find(&node.blueprint.guest);
        kind.is_some_and(|kind| kind.types_configuration())
    };
    let typed = nodes.iter().filter(is_typed);
    let state = |node: &NodeStatus| State::of(node.typing());
    let states = typed.map(|node| (node.blueprint.domain(), state(node)));
    states.collect()
}
