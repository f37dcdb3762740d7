//! The sweep of what others made through the cluster: its place in the order of the end.

use rayplat_engine::{stack::StackError, urn::Urn};

use super::{Inside, ray::RayParts};
use crate::kubernetes::sweep::{Sweep, SweepArgs};

/// Adds it. It waits for nothing but the way in, and nothing waits for it; where all goes, it goes
/// before `needed`: what it takes for load balancers and volumes to go.
pub(super) fn build(inside: &mut Inside<'_, '_>, ray: Option<&RayParts>, needed: Vec<Urn>) -> Result<(), StackError> {
    let sweep = inside.builder.stack.add::<Sweep>("cluster", SweepArgs { cluster: inside.access.clone() })?.urn;
    let stack = &mut inside.builder.stack;
    if let Some(ray) = ray {
        // Their volumes go with them, and the Services of Ray clusters: seen to their end here.
        ray.workloads.iter().try_for_each(|urn| stack.goes_before(urn, &sweep))?;
        // It is refused while claims of others are in it.
        stack.goes_before(&sweep, &ray.namespace)?;
    }
    // Pods of others detach volumes and may be controllers of load balancers.
    let nodes = inside.nodes.iter();
    nodes.chain(&needed).try_for_each(|urn| inside.builder.stack.goes_before(&sweep, urn))
}
