//! `vnflab ps`: the nodes that exist and their state.

use super::watch;
use crate::cli::{Global, PsArgs};
use crate::context::{self, World};
use crate::error::CommandError;
use crate::render::{self, Screen};

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
        render::ps::list(screen, &listed, &nodes)
    })
}
