//! `vnflab xml`: the domain XML that would be defined for a node, of each of its VMs.

use super::lab;
use crate::cli::{Global, XmlArgs};
use crate::context;
use crate::error::CommandError;
use crate::render::Screen;
use crate::target;
use vnflab_model::domain_xml::domain_xml;

pub(super) fn run(
    global: &Global,
    arguments: &XmlArgs,
    screen: &Screen,
) -> Result<(), CommandError> {
    let workspace = context::workspace(global)?;
    let decided = lab::decide(&workspace, &arguments.lab, &arguments.variation, screen)?;
    let blueprint = &decided.blueprint;
    let scope = decided.survey.host.scope;
    let (name, part) = target::part_of(&arguments.node);
    if blueprint.node(name).is_none() {
        return Err(lab::unknown_node(blueprint, name));
    }
    let of_node: Vec<_> = blueprint.vms().filter(|vm| vm.node == name).collect();
    let wanted: Vec<_> = match part {
        None => of_node,
        Some(part) => {
            let kind = of_node.first().map(|vm| vm.kind.as_str());
            let kind = kind.and_then(|kind| workspace.catalogue().find(kind));
            vec![target::vm(&of_node, kind.map(AsRef::as_ref), part)?]
        }
    };
    let all = wanted.into_iter();
    let all = all.map(|vm| domain_xml(vm, &blueprint.source, scope));
    screen.write(&all.collect::<String>())
}
