//! What the cluster autoscaler must know of a node group that has no node: it makes a model
//! node of the tags of the Auto Scaling group. EKS itself sets the two discovery tags there
//! (`k8s.io/cluster-autoscaler/enabled` and `.../CLUSTER`), and nothing of labels, taints and
//! resources.
//! Source: kubernetes/autoscaler, `cluster-autoscaler/cloudprovider/aws/README.md`, "Auto-Discovery
//! Setup", and `buildNodeFromTemplate` in `aws_manager.go`.

use std::collections::BTreeMap;

use rayplat_engine::stack::{Added, StackError};

use super::{
    build::Builder,
    instance_types::{self, Accelerator},
    manifest::{ResolvedPool as Pool, types::TaintEffect},
};
use crate::aws::{
    Tags,
    autoscaling_group_tags::{GroupTags, GroupTagsArgs},
    eks_node_group::NodeGroup,
};

const PREFIX: &str = "k8s.io/cluster-autoscaler/node-template";

/// Auto Scaling's limit for a tag's key.
const LONGEST_KEY: usize = 128;

/// The nodes of one group.
pub(super) struct Nodes<'a> {
    /// The pool.
    pub pool: &'a Pool,
    /// The group's own types: a fallback has others than its pool.
    pub instance_types: &'a [String],
    /// `ON_DEMAND` or `SPOT`.
    pub capacity_type: &'a str,
    /// Kubernetes labels.
    pub labels: &'a BTreeMap<String, String>,
    /// Whether instance stores hold the pods' files.
    pub on_instance_stores: bool,
}

/// Tags the group behind a node group, if an autoscaler is to read them.
pub(super) fn tag_group(
    builder: &mut Builder<'_>,
    name: &str,
    group: &Added<NodeGroup>,
    nodes: &Nodes<'_>,
) -> Result<(), StackError> {
    if !builder.manifest.autoscaler.enabled {
        return Ok(());
    }
    let args = GroupTagsArgs { group: group.out.autoscaling_group().into(), tags: template_tags(nodes).into() };
    builder.stack.add::<GroupTags>(name, args)?;
    Ok(())
}

fn template_tags(nodes: &Nodes<'_>) -> Tags {
    let mut tags = Tags::new();
    for (label, value) in nodes.labels {
        tags.insert(format!("{PREFIX}/label/{label}"), value.clone());
    }
    tags.insert(format!("{PREFIX}/label/eks.amazonaws.com/capacityType"), nodes.capacity_type.to_owned());
    for taint in &nodes.pool.taints {
        let effect = match taint.effect {
            TaintEffect::NoSchedule => "NoSchedule",
            TaintEffect::PreferNoSchedule => "PreferNoSchedule",
            TaintEffect::NoExecute => "NoExecute",
        };
        tags.insert(format!("{PREFIX}/taint/{}", taint.key), format!("{}:{effect}", taint.value));
    }
    if let Some((resource, count)) = accelerators(nodes.instance_types) {
        tags.insert(format!("{PREFIX}/resources/{resource}"), count.to_string());
    }
    tags.insert(format!("{PREFIX}/resources/ephemeral-storage"), format!("{}Gi", ephemeral_gib(nodes)));
    // What is too long for a key, the autoscaler learns from DescribeNodegroup, which its role
    // may call.
    tags.retain(|key, _| key.len() <= LONGEST_KEY);
    tags
}

/// The resource that the device plugin offers, as many as the least of the types has.
fn accelerators(types: &[String]) -> Option<(&'static str, u32)> {
    let known = types.iter().filter_map(|name| instance_types::look_up(name));
    let least = known.min_by_key(|kind| kind.accelerators)?;
    match least.accelerator {
        Accelerator::Nvidia => Some(("nvidia.com/gpu", least.accelerators)),
        Accelerator::Neuron => Some(("aws.amazon.com/neuron", least.accelerators)),
        Accelerator::None => None,
    }
}

/// What pods may use of the least disk, GiB. The kubelet keeps a tenth free
/// (`nodefs.available<10%`) and one GiB for itself; another is the file system's.
/// Source: <https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/>
fn ephemeral_gib(nodes: &Nodes<'_>) -> u32 {
    let root = nodes.pool.disk.size_gb;
    let store_gib = |name: &String| match instance_types::instance_store_gb(name) {
        // Stores are sold by 10^9 bytes.
        Some(gb) => u32::try_from(u64::from(gb) * 1_000_000_000 / (1 << 30)).unwrap_or(u32::MAX),
        None => root,
    };
    let stores = nodes.instance_types.iter().filter(|_| nodes.on_instance_stores).map(store_gib);
    let disk = stores.min().unwrap_or(root);
    (disk - disk / 10).saturating_sub(2).max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::platform::manifest;

    fn resolved(pools: &str) -> manifest::Resolved {
        let text = format!(
            "name: ray\nregion: us-east-1\nnetwork:\n  vpc_id: vpc-0abcd1234ef567890\n  subnet_ids: \
             [subnet-0123456789abcdef0, subnet-0123456789abcdef1]\nnode_pools:\n{pools}"
        );
        let today = "2026-11-24".parse().unwrap();
        manifest::load("test.yaml", text.as_bytes(), today).unwrap_or_else(|found| panic!("{found}")).manifest
    }

    fn tags_of(pools: &str, types: &[&str], on_instance_stores: bool) -> Tags {
        let manifest = resolved(pools);
        let pool = manifest.node_pools.values().next().unwrap();
        let instance_types: Vec<String> = types.iter().map(|name| (*name).to_owned()).collect();
        let labels = BTreeMap::from([("team".to_owned(), "ml".to_owned()), ("x".repeat(200), "long".to_owned())]);
        let nodes =
            Nodes { pool, instance_types: &instance_types, capacity_type: "SPOT", labels: &labels, on_instance_stores };
        let tags = template_tags(&nodes);
        tags.into_iter().map(|(key, value)| (key.strip_prefix(PREFIX).unwrap().to_owned(), value)).collect()
    }

    fn pairs(tags: &Tags) -> Vec<(&str, &str)> {
        tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    #[test]
    fn a_gpu_pool_on_instance_stores() {
        let tags = tags_of("  gpu: {instance_types: [g4dn.xlarge], max: 5}\n", &["g4dn.2xlarge", "g4dn.xlarge"], true);
        assert_eq!(
            pairs(&tags),
            [
                ("/label/eks.amazonaws.com/capacityType", "SPOT"),
                ("/label/team", "ml"),
                // 125 GB are 116 GiB.
                ("/resources/ephemeral-storage", "103Gi"),
                ("/resources/nvidia.com/gpu", "1"),
                ("/taint/nvidia.com/gpu", "true:NoSchedule"),
            ]
        );
    }

    #[test]
    fn a_pool_of_ordinary_nodes() {
        let tags = tags_of("  cpu: {max: 5, disk: {size_gb: 200}}\n", &["m6g.xlarge"], false);
        assert_eq!(
            pairs(&tags),
            [
                ("/label/eks.amazonaws.com/capacityType", "SPOT"),
                ("/label/team", "ml"),
                ("/resources/ephemeral-storage", "178Gi"),
            ]
        );
    }

    #[test]
    fn a_store_of_unknown_size_counts_as_the_root_disk() {
        let tags = tags_of("  cpu: {max: 5, disk: {size_gb: 100}}\n", &["i3.large"], true);
        assert_eq!(tags["/resources/ephemeral-storage"], "88Gi");
    }
}
