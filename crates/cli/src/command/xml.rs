//! `vnflab xml`: the domain XML that would be defined for a node.

use super::lab;
use crate::cli::{Global, XmlArgs};
use crate::context;
use crate::error::CommandError;
use crate::render::Screen;
use vnflab_model::domain_xml::domain_xml;

pub(super) fn run(
    global: &Global,
    arguments: &XmlArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let decided = lab::decide(&workspace, &arguments.lab, &arguments.variation, screen)?;
    let blueprint = &decided.blueprint;
    let Some(node) = blueprint.node(&arguments.node) else {
        return Err(lab::unknown_node(blueprint, &arguments.node));
    };
    screen.write(&domain_xml(
        node,
        &blueprint.source,
        decided.survey.host.scope,
    ))
}
