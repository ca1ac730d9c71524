//! `vnflab links`: the links that exist, with both ends.

use super::watch;
use crate::cli::{Global, LinksArgs};
use crate::context::{self, World};
use crate::error::CommandError;
use crate::render::{self, Screen};

pub(super) fn run(
    global: &Global,
    arguments: &LinksArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    watch::show(screen, arguments.scope.watch, |screen| {
        let world = World::observe(&workspace)?;
        let listed = world.listed(&workspace, &arguments.scope)?;
        let links = workspace.links(&world.observed, listed.lab());
        render::links::list(screen, &listed, &links)
    })
}
