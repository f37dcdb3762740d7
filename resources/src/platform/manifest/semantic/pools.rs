//! Rules of the node pools: sizes, instance types, AMIs, Spot.

use std::collections::BTreeMap;

use super::super::defaults::default_pools;
use super::super::diagnostic::{Code, Diagnostic, nearest, quoted};
use super::super::types::{AmiType, Capacity, NodePool};
use super::Context;
use super::{capacity, labels};
use crate::platform::instance_types::{self, Accelerator};

/// The most nodes of a managed node group without a quota increase (EKS user
/// guide, service quotas).
const NODES_PER_GROUP: u32 = 450;
/// The most managed node groups of a cluster, likewise.
const GROUPS_PER_CLUSTER: usize = 30;

pub fn check(context: &mut Context<'_>) {
    let pools: BTreeMap<String, NodePool> = match context.json.get("node_pools") {
        None => default_pools(),
        Some(_) => context.section("/node_pools").unwrap_or_default(),
    };
    for (name, pool) in &pools {
        check_pool(context, name, pool);
    }
    let groups: usize = pools.iter().map(|(name, pool)| 1 + usize::from(pool.resolve(name).fallback.is_some())).sum();
    if groups > GROUPS_PER_CLUSTER {
        let found = Diagnostic::error(
            Code::OutOfRange,
            format!(
                "the pools and their fallbacks make {groups} node groups; a cluster has at most {GROUPS_PER_CLUSTER}"
            ),
            "join pools of one shape, or split the platform into several clusters",
        );
        context.at_key("node_pools", found);
    }
    let all_spot = pools
        .iter()
        .all(|(name, pool)| pool.capacity_of(name) == Capacity::Spot && capacity_known(context, name, pool));
    if !pools.is_empty() && all_spot {
        let found = Diagnostic::warning(
            Code::Risk,
            "every pool is Spot: the Ray head and cluster DNS would lose their node when AWS takes it back",
            "add a pool with `capacity: on_demand` for them, such as `cpu: {}`",
        )
        .rule("all-spot");
        context.at_key("node_pools", found);
    }
}

/// Whether the pool's capacity is the manifest's or the default, and not a wrong
/// value that the schema's check has refused. Nothing follows from such a one.
fn capacity_known(context: &Context<'_>, name: &str, pool: &NodePool) -> bool {
    pool.capacity.is_some() || !context.written(&format!("node_pools.{name}.capacity"))
}

fn check_pool(context: &mut Context<'_>, name: &str, pool: &NodePool) {
    let path = format!("node_pools.{name}");
    order(context, &path, [pool.min, pool.desired, pool.max]);
    labels::check_labels(context, &format!("{path}.labels"), &pool.labels);
    if let Some(taints) = &pool.taints {
        labels::check_taints(context, &format!("{path}.taints"), taints);
    }
    let refused = pool.instance_types.is_none() && context.written(&format!("{path}.instance_types"));
    let types = pool.types_of(name);
    if types.is_empty() && !refused {
        let found = Diagnostic::error(
            Code::MissingKey,
            format!("the pool `{name}` has no `instance_types`; only the pools `cpu` and `gpu` have a default"),
            "add `instance_types`, for example [m6g.xlarge]",
        );
        context.at_key(&path, found);
    }
    // What follows depends on the types.
    if types.is_empty() || refused {
        return;
    }
    instance_types(context, &path, &types);
    ami(context, &path, pool.ami, &types);
    budget(context, &path, name, pool);
    if capacity_known(context, name, pool) {
        spot(context, &path, name, pool, &types);
        fallback(context, &path, name, pool, &types);
        let capacity = pool.capacity_of(name);
        capacity::check(context, &capacity::Pool { name, path: &path, pool, types: &types, capacity });
    }
}

/// min <= desired <= max, for those of the three that the manifest gives.
fn order(context: &mut Context<'_>, path: &str, sizes: [Option<u32>; 3]) {
    let [min, desired, max] = sizes;
    let pairs = [("min", min, "max", max), ("desired", desired, "max", max), ("min", min, "desired", desired)];
    for (low_name, low, high_name, high) in pairs {
        let (Some(low), Some(high)) = (low, high) else {
            continue;
        };
        // `desired` too small or too large is said once each.
        if low > high {
            let at = if low_name == "min" && high_name == "desired" { "desired" } else { low_name };
            let found = Diagnostic::error(
                Code::Conflict,
                format!(
                    "`{low_name}` is {low} and `{high_name}` is {high}: `{low_name}` cannot be more than `{high_name}`"
                ),
                format!("lower `{low_name}` to at most {high}, or raise `{high_name}` to at least {low}"),
            );
            context.at(&format!("{path}.{at}"), found);
        }
    }
    if let Some(max) = max.filter(|max| *max > NODES_PER_GROUP) {
        let found = Diagnostic::warning(
            Code::Risk,
            format!("{max} nodes are more than the {NODES_PER_GROUP} that a node group has without a quota increase"),
            "ask for a higher quota of EKS, or split the pool",
        )
        .rule("node-group-quota");
        context.at(&format!("{path}.max"), found);
    }
}

/// One architecture, one kind of accelerator, one shape; types that exist.
fn instance_types(context: &mut Context<'_>, path: &str, types: &[String]) {
    let first = &types[0];
    let (architecture, accelerator) = (instance_types::architecture(first), instance_types::accelerator(first));
    let shape = instance_types::look_up(first);
    for (index, name) in types.iter().enumerate() {
        let path = format!("{path}.instance_types[{index}]");
        let known = instance_types::look_up(name);
        if known.is_none() {
            unknown_type(context, &path, name);
        }
        let other = instance_types::architecture(name);
        if other != architecture {
            let found = Diagnostic::error(
                Code::InstanceType,
                format!(
                    "{name} is {} and {first} is {}: one pool has one architecture",
                    other.as_str(),
                    architecture.as_str()
                ),
                "make two pools, one for each architecture",
            );
            context.at(&path, found);
        } else if instance_types::accelerator(name) != accelerator {
            let found = Diagnostic::error(
                Code::InstanceType,
                format!("{name} and {first} have not the same kind of accelerator: one pool has one AMI"),
                "make two pools, one with accelerators and one without",
            );
            context.at(&path, found);
        } else if let (Some(known), Some(shape)) = (known, &shape)
            && (known.vcpus, known.memory_gib, known.accelerators)
                != (shape.vcpus, shape.memory_gib, shape.accelerators)
        {
            let message = format!(
                "{name} ({} vCPU, {} GiB) has not the shape of {first} ({} vCPU, {} GiB): the cluster autoscaler plans with the first type only",
                known.vcpus, known.memory_gib, shape.vcpus, shape.memory_gib
            );
            let cure = "make a pool for each shape";
            let found = Diagnostic::warning(Code::InstanceType, message, cure).rule("mixed-shapes");
            context.at(&path, found);
        }
    }
}

fn unknown_type(context: &mut Context<'_>, path: &str, name: &str) {
    let names: Vec<String> = instance_types::names().collect();
    let near = nearest(name, names.iter().map(String::as_str));
    let by_name = instance_types::architecture(name).as_str();
    let message = if instance_types::knows_family_of(name) {
        format!("{} is not a size of its family that rayplat knows", quoted(name))
    } else {
        format!("rayplat does not know {}; by its name it is {by_name}", quoted(name))
    };
    let cure = match near {
        Some(near) => format!("did you mean {near}? If not, check that the region offers the type"),
        None => "check that the region offers the type, and that its nodes fit the pods".to_owned(),
    };
    context.at(path, Diagnostic::warning(Code::InstanceType, message, cure).rule("unknown-instance-type"));
}

fn spot(context: &mut Context<'_>, path: &str, name: &str, pool: &NodePool, types: &[String]) {
    if pool.capacity_of(name) == Capacity::Spot && types.len() == 1 {
        let found = Diagnostic::warning(
            Code::Risk,
            format!("a Spot pool of one type, {}, waits whenever AWS has none of it", types[0]),
            "add types of the same shape; five or more make a steady pool",
        )
        .rule("spot-diversity");
        let key = format!("{path}.instance_types");
        let key = if context.written(&key) { key } else { path.to_owned() };
        context.at_key(&key, found);
    }
}

fn fallback(context: &mut Context<'_>, path: &str, name: &str, pool: &NodePool, types: &[String]) {
    let Some(fallback) = &pool.fallback else {
        return;
    };
    let path = format!("{path}.fallback");
    let capacity = pool.capacity_of(name);
    if capacity != Capacity::Spot {
        let kind = if capacity == Capacity::OnDemand { "On-Demand" } else { "a Capacity Block" };
        let found = Diagnostic::error(
            Code::Conflict,
            format!("the pool `{name}` is {kind}, and a fallback stands in for Spot"),
            "write `capacity: spot`, or remove `fallback`",
        );
        context.at_key(&path, found);
        return;
    }
    order(context, &path, [fallback.min, fallback.desired, fallback.max]);
    let Some(others) = &fallback.instance_types else {
        return;
    };
    if others.is_empty() {
        return;
    }
    instance_types(context, &path, others);
    let (pool_type, other) = (&types[0], &others[0]);
    let same = instance_types::architecture(pool_type) == instance_types::architecture(other)
        && instance_types::accelerator(pool_type) == instance_types::accelerator(other);
    if !same {
        let found = Diagnostic::error(
            Code::InstanceType,
            format!(
                "{other} cannot stand in for {pool_type}: architecture or accelerator differ, and pods for one do not run on the other"
            ),
            "name types of the pool's own architecture and accelerator",
        );
        context.at(&format!("{path}.instance_types[0]"), found);
    }
}

fn ami(context: &mut Context<'_>, path: &str, ami: Option<AmiType>, types: &[String]) {
    let Some(ami) = ami else { return };
    let first = &types[0];
    let (name, architecture) = (ami.as_str(), instance_types::architecture(first));
    let accelerator = instance_types::accelerator(first);
    let path = format!("{path}.ami");
    let cure = "remove `ami`: the right one follows from the instance types";
    if ami.architecture() != architecture {
        let found = Diagnostic::error(
            Code::Conflict,
            format!("{name} is for {} and {first} is {}", ami.architecture().as_str(), architecture.as_str()),
            cure,
        );
        context.at(&path, found);
    } else if accelerator != Accelerator::None && ami.accelerator() != accelerator {
        let found =
            Diagnostic::error(Code::Conflict, format!("{name} has no driver for the accelerator of {first}"), cure);
        context.at(&path, found);
    } else if accelerator == Accelerator::None && ami.accelerator() != Accelerator::None {
        let found = Diagnostic::warning(Code::Risk, format!("{name} is for accelerators, and {first} has none"), cure)
            .rule("ami-accelerator");
        context.at(&path, found);
    }
}

/// The limits of the Terraform module that rayplat succeeds. They held costs
/// and nothing technical, so that they warn.
fn budget(context: &mut Context<'_>, path: &str, name: &str, pool: &NodePool) {
    let resolved = pool.resolve(name);
    let limits = match (name, resolved.accelerator) {
        ("cpu", Accelerator::None) => [("min", resolved.min, 1, 10), ("max", resolved.max, 1, 20)],
        (_, Accelerator::None) => return,
        (_, _) => [("min", resolved.min, 0, 5), ("max", resolved.max, 0, 10)],
    };
    for (key, value, least, most) in limits {
        let path = format!("{path}.{key}");
        if (least..=most).contains(&value) || !context.written(&path) {
            continue;
        }
        let found = Diagnostic::warning(
            Code::Budget,
            format!("`{key}` is {value}, outside the budget's {least} to {most} for this kind of pool"),
            "keep it if the cost is meant; the limit is a policy's and not AWS's",
        )
        .rule("budget");
        context.at(&path, found);
    }
}
