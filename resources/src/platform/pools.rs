//! Launch templates and node groups.

use std::collections::BTreeMap;

use rayplat_engine::{
    input::Input,
    stack::{Added, StackError},
    urn::Urn,
};

use super::{
    build::Builder,
    cluster::ClusterParts,
    identity::Identity,
    instance_types,
    manifest::{
        ResolvedPool as Pool,
        types::{self, Capacity, RepairAction, TaintEffect, VolumeType, WarmState},
    },
    network::Network,
    scale_from_zero::{self, Nodes},
    user_data::{user_data, uses_instance_stores},
};
use crate::aws::{
    SubnetId,
    eks_node_group::{NodeGroup, NodeGroupArgs, NodeRepair, RepairOverride, Scaling, Taint, WarmPool},
    launch_template::{Disk, LaunchTemplate, LaunchTemplateArgs, Metadata, Reservation},
};

/// A pool's node group, and its On-Demand fallback where it has one.
pub(super) struct PoolParts {
    pub primary: Added<NodeGroup>,
    pub fallback: Option<Added<NodeGroup>>,
    /// True if ordinary pods may run there: add-ons need such nodes.
    pub open: bool,
}

/// One template a pool: the fallback has the same disk and settings.
pub(super) fn templates(
    builder: &mut Builder<'_>,
    identity: &Identity,
    cluster: &ClusterParts,
) -> Result<BTreeMap<String, Added<LaunchTemplate>>, StackError> {
    let manifest = builder.manifest;
    let mut templates = BTreeMap::new();
    for (name, pool) in &manifest.node_pools {
        let mut tags = builder.instance_tags();
        tags.insert("Name".to_owned(), format!("{}-{name}", manifest.name));
        let template = builder.stack.add::<LaunchTemplate>(
            name,
            LaunchTemplateArgs {
                name_prefix: format!("{}-{name}", manifest.name).into(),
                disk: disk(data_device(pool), pool.disk.size_gb, volume_type(pool.disk.volume_type)).into(),
                system_disk: system_disk(pool).into(),
                metadata: Metadata { http_tokens: "required".to_owned(), hop_limit: 1 }.into(),
                security_group_ids: vec![identity.node_group.out.id()].into(),
                user_data: user_data(name, pool, cluster),
                instance_tags: tags.into(),
                tags: builder.tags().into(),
                image_id: pool.image_id.clone().into(),
                instance_type: block_type(pool).into(),
                market_type: block_type(pool).map(|_| "capacity-block".to_owned()).into(),
                reservation: pool.capacity_reservation.as_ref().map(reservation).into(),
                efa_cards: efa_cards(pool).into(),
                ..LaunchTemplateArgs::default()
            },
        )?;
        templates.insert(name.clone(), template);
    }
    Ok(templates)
}

pub(super) fn node_groups(
    builder: &mut Builder<'_>,
    identity: &Identity,
    network: &Network,
    cluster: &ClusterParts,
    templates: &BTreeMap<String, Added<LaunchTemplate>>,
    before: &[Urn],
) -> Result<BTreeMap<String, PoolParts>, StackError> {
    let manifest = builder.manifest;
    let mut parts = BTreeMap::new();
    for (name, pool) in &manifest.node_pools {
        let Some(template) = templates.get(name) else { continue };
        let mut group = |suffix: &str, capacity: Capacity, instance_types: &[String], scaling: Scaling| {
            let labels = labels(name, pool, capacity);
            let group_name = format!("{name}{suffix}");
            let added = builder.stack.add::<NodeGroup>(
                &group_name,
                NodeGroupArgs {
                    cluster: cluster.cluster.out.name().into(),
                    name_prefix: group_name.as_str().into(),
                    role_arn: identity.node_role.role.out.arn().into(),
                    subnet_ids: subnets(network, pool),
                    // A Capacity Block's type stands in the template, and EKS takes it once.
                    instance_types: block_type(pool).map_or_else(|| instance_types.to_vec(), |_| Vec::new()).into(),
                    capacity: capacity_type(capacity).into(),
                    ami_type: pool.image_id.as_ref().map_or(pool.ami.as_str(), |_| "CUSTOM").into(),
                    scaling: scaling.into(),
                    template_id: template.out.id().into(),
                    template_version: template.out.latest_version().into(),
                    labels: labels.clone().into(),
                    taints: taints(pool).into(),
                    max_unavailable_percentage: pool.update.share().into(),
                    max_unavailable: pool.update.max_unavailable.into(),
                    update_strategy: pool.update.strategy_name().into(),
                    force_update: pool.update.force.into(),
                    // Not the cluster's output: any update of the cluster would leave that unknown.
                    kubernetes_version: Some(manifest.cluster.kubernetes_version.clone()).into(),
                    ami_release: pool.ami_release.clone().into(),
                    tags: builder.tags().into(),
                    // On-Demand only, so that a fallback beside its Spot group has none.
                    warm_pool: pool.warm_pool.as_ref().map(warm_pool).into(),
                    node_repair: pool.node_repair.as_ref().map(node_repair).into(),
                },
            )?;
            // EKS checks the role's policies, and nodes join with them.
            builder.after(&added, identity.node_role.attachments.iter().cloned())?;
            // Managed node groups compute max-pods when they are made: vpc-cni with prefix
            // delegation must stand before them (eksctl#4478); kube-proxy and the identity
            // agent must be there for pods to work.
            builder.after(&added, before.iter().cloned())?;
            // Nodes fetch their images at boot: by then their subnets must lead out.
            builder.after(&added, network.way_out.iter().cloned())?;
            // Without the rule the kubelets do not reach the control plane.
            builder.after(&added, [identity.node_group_rule.clone()])?;
            let nodes = Nodes {
                pool,
                instance_types,
                capacity_type: capacity_type(capacity),
                labels: &labels,
                on_instance_stores: uses_instance_stores(pool),
            };
            scale_from_zero::tag_group(builder, &group_name, &added, &nodes)?;
            Ok::<_, StackError>(added)
        };
        let primary = group(
            "",
            pool.capacity,
            &pool.instance_types,
            Scaling { min: pool.min, desired: pool.desired, max: pool.max },
        )?;
        let fallback = match &pool.fallback {
            Some(spec) => Some(group(
                "-fallback",
                Capacity::OnDemand,
                &spec.instance_types,
                Scaling { min: spec.min, desired: spec.desired, max: spec.max },
            )?),
            None => None,
        };
        parts.insert(name.clone(), PoolParts { primary, fallback, open: pool.taints.is_empty() });
    }
    Ok(parts)
}

/// The pool's own, or all of the network's.
fn subnets(network: &Network, pool: &Pool) -> Input<Vec<SubnetId>> {
    let own = pool.subnet_ids.as_ref().map(|ids| ids.iter().map(|id| SubnetId::from(id.as_str())).collect::<Vec<_>>());
    own.map_or_else(|| network.subnet_ids.clone(), Into::into)
}

fn disk(device_name: &str, size_gb: u32, volume_type: &str) -> Disk {
    Disk {
        device_name: device_name.to_owned(),
        size_gb,
        volume_type: volume_type.to_owned(),
        encrypted: true,
        ..Disk::default()
    }
}

/// Bottlerocket's own volume: named, it is encrypted whatever the account's default is. It
/// holds the system alone, 4 GiB.
/// Source: <https://karpenter.sh/docs/concepts/nodeclasses/#specblockdevicemappings>
fn system_disk(pool: &Pool) -> Option<Disk> {
    pool.ami.is_bottlerocket().then(|| disk("/dev/xvda", 4, "gp3"))
}

/// The instance type of a Capacity Block, which its template names.
fn block_type(pool: &Pool) -> Option<String> {
    pool.instance_types.first().filter(|_| pool.capacity == Capacity::CapacityBlock).cloned()
}

fn reservation(reservation: &types::CapacityReservation) -> Reservation {
    Reservation { id: reservation.id.clone(), resource_group_arn: reservation.resource_group_arn.clone() }
}

fn efa_cards(pool: &Pool) -> Option<u32> {
    pool.instance_types.first().filter(|_| pool.efa).and_then(|name| instance_types::efa_cards(name))
}

fn warm_pool(pool: &types::WarmPool) -> WarmPool {
    let state = match pool.state {
        WarmState::Stopped => "STOPPED",
        WarmState::Running => "RUNNING",
        WarmState::Hibernated => "HIBERNATED",
    };
    WarmPool {
        min: pool.min,
        max_prepared: pool.max_prepared,
        state: state.to_owned(),
        reuse_on_scale_in: pool.reuse_on_scale_in,
    }
}

fn node_repair(repair: &types::NodeRepair) -> NodeRepair {
    let overrides = repair.overrides.iter().map(|one| RepairOverride {
        condition: one.condition.clone(),
        reason: one.reason.clone(),
        wait_minutes: one.wait_minutes,
        action: match one.action {
            RepairAction::Replace => "Replace",
            RepairAction::Reboot => "Reboot",
            RepairAction::NoAction => "NoAction",
        }
        .to_owned(),
    });
    NodeRepair {
        max_unhealthy_nodes: repair.max_unhealthy_nodes,
        max_unhealthy_percent: repair.max_unhealthy_percent,
        max_parallel_nodes: repair.max_parallel_nodes,
        max_parallel_percent: repair.max_parallel_percent,
        overrides: overrides.collect(),
    }
}

/// The user's labels, and what the scheduler and the autoscaler need to tell pools apart.
fn labels(name: &str, pool: &Pool, capacity: Capacity) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = pool.labels.clone().into_iter().collect();
    labels.insert("rayplat.io/pool".to_owned(), name.to_owned());
    let kind = match capacity {
        Capacity::OnDemand => "on-demand",
        Capacity::Spot => "spot",
        Capacity::CapacityBlock => "capacity-block",
    };
    labels.insert("rayplat.io/capacity".to_owned(), kind.to_owned());
    labels
}

fn taints(pool: &Pool) -> Vec<Taint> {
    pool.taints
        .iter()
        .map(|taint| Taint {
            key: taint.key.clone(),
            value: taint.value.clone(),
            effect: taint_effect(taint.effect).to_owned(),
        })
        .collect()
}

/// The volume that holds images and pods: on Bottlerocket the second one, beside the
/// read-only system.
fn data_device(pool: &Pool) -> &'static str {
    if pool.ami.is_bottlerocket() { "/dev/xvdb" } else { "/dev/xvda" }
}

fn volume_type(kind: VolumeType) -> &'static str {
    match kind {
        VolumeType::Gp3 => "gp3",
        VolumeType::Gp2 => "gp2",
    }
}

fn capacity_type(capacity: Capacity) -> &'static str {
    match capacity {
        Capacity::OnDemand => "ON_DEMAND",
        Capacity::Spot => "SPOT",
        Capacity::CapacityBlock => "CAPACITY_BLOCK",
    }
}

fn taint_effect(effect: TaintEffect) -> &'static str {
    match effect {
        TaintEffect::NoSchedule => "NO_SCHEDULE",
        TaintEffect::PreferNoSchedule => "PREFER_NO_SCHEDULE",
        TaintEffect::NoExecute => "NO_EXECUTE",
    }
}
