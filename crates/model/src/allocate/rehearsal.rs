//! Templates of configurations, tried before anything of the host is known.
//!
//! A template names what allocation decides, so it is rendered from an allocation: of the same lab
//! on a host where nothing is. Values differ on the real one, what is defined does not.

use super::{Request, address, interfaces, listener, management, numbering, startup_config};
use crate::blueprint::Accelerator;
use crate::day0::{self, Day0Request, TemplateError};
use crate::facts::Facts;
use crate::lab::{Lab, Node};
use crate::observed::{Host, Locality, Observed, Scope};
use std::collections::BTreeSet;

/// What cannot be rendered, with the positions of the nodes. Whatever else is wrong with the lab
/// is not told here.
pub(crate) fn rehearse(lab: &Lab, facts: &Facts) -> Vec<(usize, TemplateError)> {
    if !lab.nodes.iter().any(Node::has_template) {
        return Vec::new();
    }
    let host = nowhere();
    let request = Request {
        lab,
        source: "",
        host: &host,
        observed: &Observed::default(),
        facts,
        authorized_keys: &["ssh-ed25519 AAAA".to_owned()],
    };
    let numbers = numbering::number_nodes(lab, request.observed);
    let addresses = address::allocate(&request);
    let Ok(management) = management::allocate(&request, &numbers) else {
        return Vec::new();
    };
    let listeners = listener::allocate(&request, &addresses, &numbers);
    let nics = interfaces::allocate(&request, &addresses, &management, &listeners);
    let (Ok(nics), Ok(loopbacks)) = (nics, numbering::loopbacks(lab, &numbers)) else {
        return Vec::new();
    };
    let nodes = lab.nodes.iter().enumerate().zip(&nics);
    let failed = nodes.filter(|((_, node), _)| node.has_template());
    let failed = failed.filter_map(|((position, node), nics)| {
        let config = startup_config(&request, node).ok()??;
        let request = Day0Request {
            lab: lab.name.as_str(),
            variables: &lab.variables,
            node,
            number: numbers[position],
            startup_config: Some(&config),
            nics: &nics.whole(),
            loopback: loopbacks[position],
            management: management.addresses(position),
            authorized_keys: request.authorized_keys,
        };
        Some((position, day0::medium(&request).err()?))
    });
    failed.collect()
}

/// A host without anything on it.
fn nowhere() -> Host {
    Host {
        uri: String::new(),
        scope: Scope::Session,
        locality: Locality::Local,
        accelerator: Accelerator::Tcg,
        accelerator_reason: String::new(),
        memory_mib: 0,
        cpus: 1,
        volume_folder: String::new(),
        console_folder: String::new(),
        bridges: BTreeSet::new(),
        no_cpu_limits: None,
        subnets: Vec::new(),
    }
}
