//! Rules of reserved capacity, EFA, warm pools, repair, AMIs of one's own and pods.

use super::super::diagnostic::{Code, Diagnostic};
use super::super::types::{AmiType, Capacity, CapacityReservation, NodePool, NodeRepair, WarmPool, WarmState};
use super::Context;
use crate::platform::instance_types;

/// A pool that is looked at.
pub(super) struct Pool<'a> {
    pub name: &'a str,
    pub path: &'a str,
    pub pool: &'a NodePool,
    pub types: &'a [String],
    pub capacity: Capacity,
}

pub(super) fn check(context: &mut Context<'_>, pool: &Pool<'_>) {
    subnets(context, pool);
    reservation(context, pool);
    if pool.capacity == Capacity::CapacityBlock {
        capacity_block(context, pool);
    }
    if pool.pool.efa {
        efa(context, pool);
    }
    if let Some(warm) = pool.pool.warm_pool.as_ref().filter(|warm| warm.enabled) {
        warm_pool(context, pool, warm);
    }
    if let Some(repair) = &pool.pool.node_repair {
        node_repair(context, pool, repair);
    }
    max_pods(context, pool);
}

/// The pool's subnets are some of the network's: the emulated account, and whoever reads
/// the manifest, knows the others from there.
fn subnets(context: &mut Context<'_>, pool: &Pool<'_>) {
    let Some(wanted) = &pool.pool.subnet_ids else { return };
    if context.written("network.create") {
        let found = Diagnostic::error(
            Code::Conflict,
            "the network is the platform's own (`network.create`), and its subnets have no ids yet",
            "remove `subnet_ids`: the pool then has all private subnets",
        );
        context.at_key(&format!("{}.subnet_ids", pool.path), found);
        return;
    }
    let Some(all) = context.section::<Vec<String>>("/network/subnet_ids") else { return };
    for (index, id) in wanted.iter().enumerate().filter(|(_, id)| !all.contains(id)) {
        let found = Diagnostic::error(
            Code::Conflict,
            format!("{id} is not among the subnets of `network`"),
            "add it to `network.subnet_ids`, or name one that is there",
        );
        context.at(&format!("{}.subnet_ids[{index}]", pool.path), found);
    }
}

/// True if the pool may be in more than one subnet, and so in more than one zone.
fn several_subnets(context: &Context<'_>, pool: &Pool<'_>) -> bool {
    match &pool.pool.subnet_ids {
        Some(subnets) => subnets.len() > 1,
        None => context.section::<Vec<String>>("/network/subnet_ids").is_none_or(|all| all.len() > 1),
    }
}

/// Where a finding about a key stands, or about the pool when the key is not written.
fn place(context: &Context<'_>, pool: &Pool<'_>, key: &str) -> String {
    let path = format!("{}.{key}", pool.path);
    if context.written(&path) { path } else { pool.path.to_owned() }
}

fn reservation(context: &mut Context<'_>, pool: &Pool<'_>) {
    let Some(reservation) = &pool.pool.capacity_reservation else { return };
    let path = format!("{}.capacity_reservation", pool.path);
    let CapacityReservation { id, resource_group_arn } = reservation;
    // A value that the schema's check has refused is said already.
    let refused = id.is_none() && context.written(&format!("{path}.id"))
        || resource_group_arn.is_none() && context.written(&format!("{path}.resource_group_arn"));
    if id.is_some() == resource_group_arn.is_some() && !refused {
        let found = Diagnostic::error(
            Code::Conflict,
            "`capacity_reservation` must have exactly one of `id` and `resource_group_arn`",
            "write `capacity_reservation: {id: cr-...}` for one reservation, or the ARN of a resource group for several",
        );
        context.at_key(&path, found);
    }
    if pool.capacity == Capacity::Spot {
        let found = Diagnostic::error(
            Code::Conflict,
            format!("the pool `{}` is Spot, and Spot instances never run in reserved capacity", pool.name),
            "write `capacity: on_demand`, or `capacity: capacity_block` for a Capacity Block",
        );
        context.at_key(&path, found);
    } else if pool.capacity == Capacity::OnDemand && several_subnets(context, pool) {
        let found = Diagnostic::warning(
            Code::Risk,
            "reserved capacity is in one zone, and these nodes may be launched in others, where it does not count",
            "write the subnet of the reservation's zone: `subnet_ids: [subnet-...]`",
        );
        context.at_key(&path, found);
    }
}

/// Source: EKS user guide, "Create a managed node group with Capacity Blocks for ML": the template
/// names the block and the instance type.
fn capacity_block(context: &mut Context<'_>, pool: &Pool<'_>) {
    let id = pool.pool.capacity_reservation.as_ref().and_then(|reservation| reservation.id.as_ref());
    if id.is_none() {
        let found = Diagnostic::error(
            Code::MissingKey,
            format!("the pool `{}` is a Capacity Block and does not say which", pool.name),
            "add `capacity_reservation: {id: cr-...}`",
        );
        context.at_key(&place(context, pool, "capacity"), found);
    }
    if pool.types.len() > 1 {
        let found = Diagnostic::error(
            Code::InstanceType,
            format!("a Capacity Block has one instance type, and the pool `{}` names {}", pool.name, pool.types.len()),
            "keep the type that was reserved",
        );
        context.at_key(&place(context, pool, "instance_types"), found);
    }
    if several_subnets(context, pool) {
        let found = Diagnostic::error(
            Code::Conflict,
            "a Capacity Block is in one zone, and the pool in several subnets",
            "write the subnet of the block's zone: `subnet_ids: [subnet-...]`",
        );
        context.at_key(&place(context, pool, "subnet_ids"), found);
    }
}

/// EFA: every type has it, all with as many cards, and the nodes are in one subnet (EC2 user
/// guide, "Elastic Fabric Adapter": its traffic cannot leave the subnet's zone).
fn efa(context: &mut Context<'_>, pool: &Pool<'_>) {
    let Some(first) = pool.types.first() else { return };
    let cards = instance_types::efa_cards(first);
    for (index, name) in pool.types.iter().enumerate() {
        let path = format!("{}.instance_types[{index}]", pool.path);
        let path = if context.written(&path) { path } else { format!("{}.efa", pool.path) };
        match instance_types::efa_cards(name) {
            None => {
                let message = format!("rayplat knows no Elastic Fabric Adapter of {name}");
                let cure = "name types that have one, such as p5.48xlarge or g6.8xlarge, or remove `efa`";
                context.at(&path, Diagnostic::error(Code::InstanceType, message, cure));
            }
            other if other != cards && cards.is_some() => {
                let message =
                    format!("{name} has not as many network cards as {first}: one template serves one number");
                let cure = "make two pools, one for each number";
                context.at(&path, Diagnostic::error(Code::InstanceType, message, cure));
            }
            Some(_) => {}
        }
    }
    if several_subnets(context, pool) {
        let found = Diagnostic::warning(
            Code::Risk,
            "EFA traffic stays in one zone, and these nodes may be in several",
            "write one subnet: `subnet_ids: [subnet-...]`",
        );
        context.at_key(&format!("{}.efa", pool.path), found);
    }
}

/// Source: EKS user guide, "Decrease latency for applications with long boot times using warm
/// pools", considerations; EC2 Auto Scaling user guide, "Warm pools", limitations (Spot).
fn warm_pool(context: &mut Context<'_>, pool: &Pool<'_>, warm: &WarmPool) {
    let path = format!("{}.warm_pool", pool.path);
    if pool.capacity != Capacity::OnDemand {
        let found = Diagnostic::error(
            Code::Conflict,
            format!("the pool `{}` is not On-Demand, and only On-Demand instances can wait in a warm pool", pool.name),
            "write `capacity: on_demand`, or remove `warm_pool`",
        );
        context.at_key(&path, found);
    }
    if pool.pool.image_id.is_some() {
        let found = Diagnostic::error(
            Code::Conflict,
            "EKS has no warm pools of AMIs of one's own",
            "remove `warm_pool`, or `image_id`",
        );
        context.at_key(&path, found);
    }
    let bottlerocket = pool.pool.ami.is_some_and(AmiType::is_bottlerocket);
    if bottlerocket && (warm.state == WarmState::Hibernated || warm.reuse_on_scale_in) {
        let key = if warm.reuse_on_scale_in { "reuse_on_scale_in" } else { "state" };
        let found = Diagnostic::error(
            Code::Conflict,
            "on Bottlerocket instances neither hibernate nor go back into the warm pool",
            "write `state: stopped` or `state: running`, and remove `reuse_on_scale_in`",
        );
        context.at(&format!("{path}.{key}"), found);
    }
    if let Some(most) = warm.max_prepared.filter(|most| *most < warm.min) {
        let found = Diagnostic::error(
            Code::Conflict,
            format!(
                "`min` is {} and `max_prepared` is {most}: the instances that wait are among those prepared",
                warm.min
            ),
            format!("raise `max_prepared` to at least {}", warm.min),
        );
        context.at(&format!("{path}.max_prepared"), found);
    }
}

/// EKS takes a number or a share, not both (API reference, `NodeRepairConfig`).
fn node_repair(context: &mut Context<'_>, pool: &Pool<'_>, repair: &NodeRepair) {
    let pairs = [
        ("max_unhealthy_nodes", repair.max_unhealthy_nodes, "max_unhealthy_percent", repair.max_unhealthy_percent),
        ("max_parallel_nodes", repair.max_parallel_nodes, "max_parallel_percent", repair.max_parallel_percent),
    ];
    for (number, given, share, also) in pairs {
        if given.is_some() && also.is_some() {
            let found = Diagnostic::error(
                Code::Conflict,
                format!("`{number}` and `{share}` say the same thing twice"),
                "keep one of the two",
            );
            context.at_key(&format!("{}.node_repair.{share}", pool.path), found);
        }
    }
}

/// Managed node groups hold nodes under 30 vCPUs to 110 pods and others to 250 (EKS user
/// guide, "Choose an optimal Amazon EC2 node instance type").
fn max_pods(context: &mut Context<'_>, pool: &Pool<'_>) {
    let Some(most) = pool.pool.max_pods else { return };
    let small = pool.types.iter().filter_map(|name| instance_types::look_up(name)).find(|known| known.vcpus < 30);
    if let Some(small) = small.filter(|_| most > 110) {
        let found = Diagnostic::error(
            Code::OutOfRange,
            format!("{} has {} vCPUs, and EKS lets nodes under 30 run at most 110 pods", small.name, small.vcpus),
            "write at most 110, or remove `max_pods`: EKS computes it",
        );
        context.at(&format!("{}.max_pods", pool.path), found);
    }
}
