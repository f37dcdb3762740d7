//! Launch templates and node groups.

use std::collections::BTreeMap;

use rayplat_engine::{
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
        types::{Capacity, TaintEffect, VolumeType},
    },
    scale_from_zero::{self, Nodes},
};
use crate::aws::{
    SubnetId,
    eks_node_group::{NodeGroup, NodeGroupArgs, Scaling, Taint},
    launch_template::{Disk, LaunchTemplate, LaunchTemplateArgs, Metadata},
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
) -> Result<BTreeMap<String, Added<LaunchTemplate>>, StackError> {
    let manifest = builder.manifest;
    let mut templates = BTreeMap::new();
    for (name, pool) in &manifest.node_pools {
        let mut tags = builder.tags();
        tags.insert("Name".to_owned(), format!("{}-{name}", manifest.name));
        let template = builder.stack.add::<LaunchTemplate>(
            name,
            LaunchTemplateArgs {
                name_prefix: format!("{}-{name}", manifest.name).into(),
                disk: Disk {
                    device_name: data_device(pool).to_owned(),
                    size_gb: pool.disk.size_gb,
                    volume_type: volume_type(pool.disk.volume_type).to_owned(),
                    encrypted: true,
                    ..Disk::default()
                }
                .into(),
                metadata: Metadata { http_tokens: "required".to_owned(), hop_limit: 1 }.into(),
                security_group_ids: vec![identity.node_group.out.id()].into(),
                user_data: node_config(pool).into(),
                instance_tags: tags.into(),
                tags: builder.tags().into(),
                ..LaunchTemplateArgs::default()
            },
        )?;
        templates.insert(name.clone(), template);
    }
    Ok(templates)
}

/// Instance stores become one RAID0 for the kubelet, containerd and pods: spilled
/// objects and images go there and not to the root volume. EKS merges the join
/// configuration into this part.
/// Source: <https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/api/>
fn node_config(pool: &Pool) -> Option<String> {
    uses_instance_stores(pool).then(|| {
        [
            "MIME-Version: 1.0",
            "Content-Type: multipart/mixed; boundary=\"BOUNDARY\"",
            "",
            "--BOUNDARY",
            "Content-Type: application/node.eks.aws",
            "",
            "apiVersion: node.eks.aws/v1alpha1",
            "kind: NodeConfig",
            "spec:",
            "  instance:",
            "    localStorage:",
            "      strategy: RAID0",
            "",
            "--BOUNDARY--",
            "",
        ]
        .join("\n")
    })
}

/// Whether instance stores hold what pods write.
fn uses_instance_stores(pool: &Pool) -> bool {
    let stores = pool.instance_types.iter().all(|name| instance_types::has_instance_store(name));
    stores && pool.ami.as_str().starts_with("AL2023")
}

pub(super) fn node_groups(
    builder: &mut Builder<'_>,
    identity: &Identity,
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
                    subnet_ids: subnets(manifest).into(),
                    instance_types: instance_types.to_vec().into(),
                    capacity: capacity_type(capacity).into(),
                    ami_type: pool.ami.as_str().into(),
                    scaling: scaling.into(),
                    template_id: template.out.id().into(),
                    template_version: template.out.latest_version().into(),
                    labels: labels.clone().into(),
                    taints: taints(pool).into(),
                    max_unavailable_percentage: 33.into(),
                    tags: builder.tags().into(),
                },
            )?;
            // EKS checks the role's policies, and nodes join with them.
            builder.after(&added, identity.node_role.attachments.iter().cloned())?;
            // Managed node groups compute max-pods when they are made: vpc-cni with prefix
            // delegation must stand before them (eksctl#4478); kube-proxy and the identity
            // agent must be there for pods to work.
            builder.after(&added, before.iter().cloned())?;
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

fn subnets(manifest: &super::manifest::Resolved) -> Vec<SubnetId> {
    manifest.network.subnet_ids.iter().map(|id| SubnetId::from(id.as_str())).collect()
}

/// The user's labels, and what the scheduler and the autoscaler need to tell pools apart.
fn labels(name: &str, pool: &Pool, capacity: Capacity) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = pool.labels.clone().into_iter().collect();
    labels.insert("rayplat.io/pool".to_owned(), name.to_owned());
    let kind = if capacity == Capacity::Spot { "spot" } else { "on-demand" };
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
    if pool.ami.as_str().starts_with("BOTTLEROCKET") { "/dev/xvdb" } else { "/dev/xvda" }
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
    }
}

fn taint_effect(effect: TaintEffect) -> &'static str {
    match effect {
        TaintEffect::NoSchedule => "NO_SCHEDULE",
        TaintEffect::PreferNoSchedule => "PREFER_NO_SCHEDULE",
        TaintEffect::NoExecute => "NO_EXECUTE",
    }
}
