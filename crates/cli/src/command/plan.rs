//! `vnflab plan`: what `up` would do, and why.

use super::lab;
use crate::cli::{Global, PlanArgs};
use crate::context;
use crate::error::CommandError;
use crate::render::{self, Screen};
use vnflab_model::plan::{plan_replace, plan_up};

pub(super) fn run(
    global: &Global,
    arguments: &PlanArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let selection = lab::selection(&arguments.selection);
    let decided = lab::decide(&workspace, &selection.lab, &arguments.variation, screen)?;
    let nodes = selection.nodes.as_ref();
    lab::check_nodes(&decided.blueprint, nodes)?;
    let plan = match arguments.replace {
        true => plan_replace(&decided.blueprint, &decided.survey.observed, nodes)?,
        false => plan_up(&decided.blueprint, &decided.survey.observed, nodes)?,
    };
    render::plan::plan(screen, &decided.blueprint.lab, &plan)
}
