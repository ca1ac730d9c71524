//! A small number for every node, and the addresses that follow from it.

use super::AllocateError;
use crate::lab::Lab;
use crate::observed::Observed;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// One number a node, from 1, in the order of the lab. A node that exists keeps its number; a
/// new one takes the lowest that is free.
pub(super) fn number_nodes(lab: &Lab, observed: &Observed) -> Vec<u32> {
    let existing: std::collections::BTreeMap<&str, u32> = observed
        .vms_of_lab(lab.name.as_str())
        .map(|domain| {
            (
                domain.record.blueprint.node.as_str(),
                domain.record.blueprint.number,
            )
        })
        .collect();
    let kept: BTreeSet<u32> = lab
        .nodes
        .iter()
        .filter_map(|node| existing.get(node.name.as_str()).copied())
        .collect();
    let mut free = (1..).filter(|number| !kept.contains(number));
    lab.nodes
        .iter()
        .map(|node| match existing.get(node.name.as_str()) {
            Some(number) => *number,
            None => free.next().expect("there are more numbers than nodes"),
        })
        .collect()
}

/// The loopback address of every node, inside the guest: the pool's network address plus the
/// node's number.
pub(super) fn loopbacks(lab: &Lab, numbers: &[u32]) -> Result<Vec<Ipv4Addr>, AllocateError> {
    let pool = lab.loopback_pool;
    let size = 1_u64 << (32 - pool.prefix_len());
    numbers
        .iter()
        .map(|number| {
            if u64::from(*number) >= size {
                return Err(AllocateError::PoolExhausted {
                    pool: pool.to_string(),
                });
            }
            Ok(Ipv4Addr::from(u32::from(pool.network()) + number))
        })
        .collect()
}
