//! `vnflab links`: the links and segments that exist, once or with what they carry.

use super::watch;
use crate::cli::{Global, LinksArgs};
use crate::context::{self, World};
use crate::error::CommandError;
use crate::render::rate::Rates;
use crate::render::{self, Screen};
use std::cell::RefCell;

pub(super) fn run(
    global: &Global,
    arguments: &LinksArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let rates = RefCell::new(Rates::default());
    let watched = arguments.scope.watch;
    watch::show(screen, watched, |screen| {
        let world = World::observe(&workspace)?;
        let listed = world.listed(&workspace, &arguments.scope)?;
        let links = workspace.links(&world.observed, listed.lab())?;
        rates.borrow_mut().look(&links);
        let rates = rates.borrow();
        render::links::list(screen, &listed, &links, watched.then_some(&*rates))
    })
}
