//! The defaults of a manifest, and the manifest with every one filled in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::network::ResolvedNetwork;
use super::ray::ResolvedRay;
use super::types::{
    Addon, Addons, AmiType, AuthenticationMode, Autoscaler, Backup, Capacity, CapacityReservation, Cluster, Disk,
    Endpoint, Environment, Fallback, Identity, Kubernetes, LogType, Logs, Manifest, Monitoring, NodePool, NodeRepair,
    Oidc, Policy, PoolUpdate, Support, Taint, TaintEffect, TerminationHandler, VolumeType, WarmPool,
};
use super::versions;
use crate::platform::instance_types::{self, Accelerator, Architecture};

/// A manifest with every default filled in: what the platform is built from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resolved {
    /// The cluster's name.
    pub name: String,
    /// The AWS region.
    pub region: String,
    /// What the platform is for.
    pub environment: Environment,
    /// AWS tags for every resource that can carry tags.
    pub tags: BTreeMap<String, String>,
    /// The network.
    pub network: ResolvedNetwork,
    /// The control plane.
    pub cluster: Cluster,
    /// The node pools by name.
    pub node_pools: BTreeMap<String, ResolvedPool>,
    /// The addons by EKS's name; one that is switched off is not here.
    pub addons: BTreeMap<String, ResolvedAddon>,
    /// The cluster autoscaler.
    pub autoscaler: Autoscaler,
    /// The node termination handler.
    #[serde(default)]
    pub termination_handler: TerminationHandler,
    /// Backups.
    #[serde(default)]
    pub backup: Backup,
    /// What stands in the cluster.
    #[serde(default)]
    pub kubernetes: Kubernetes,
    /// The Ray cluster; `None` without one.
    #[serde(default)]
    pub ray: Option<ResolvedRay>,
    /// Dashboards and monitors.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// Files and folders of policies, relative to the manifest.
    pub policies: Vec<String>,
    /// The built-in policies.
    pub policy: Policy,
}

/// A node pool with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedPool {
    /// The EC2 instance types; at least one.
    pub instance_types: Vec<String>,
    /// Their common architecture.
    pub architecture: Architecture,
    /// Their common kind of accelerator.
    pub accelerator: Accelerator,
    /// How the nodes are bought.
    pub capacity: Capacity,
    /// The fewest nodes.
    pub min: u32,
    /// How many nodes to begin with.
    pub desired: u32,
    /// The most nodes.
    pub max: u32,
    /// The AMI type.
    pub ami: AmiType,
    /// The AMI's release, if it is pinned.
    pub ami_release: Option<String>,
    /// How nodes are replaced.
    pub update: PoolUpdate,
    /// The root volume.
    pub disk: ResolvedDisk,
    /// Kubernetes labels.
    pub labels: BTreeMap<String, String>,
    /// Kubernetes taints.
    pub taints: Vec<Taint>,
    /// The On-Demand pool that stands in for Spot; `None` without Spot or when
    /// switched off. It has the pool's AMI, disk, labels and taints.
    pub fallback: Option<ResolvedFallback>,
    /// An AMI of one's own, built on `ami`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// The subnets of the nodes; `None`: all of the network's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_ids: Option<Vec<String>>,
    /// The most pods of a node; `None`: EKS computes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pods: Option<u32>,
    /// Reserved capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_reservation: Option<CapacityReservation>,
    /// An Elastic Fabric Adapter on every network card.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub efa: bool,
    /// A warm pool; `None` without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_pool: Option<WarmPool>,
    /// Automatic repair; `None` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_repair: Option<NodeRepair>,
}

/// A root volume with every default filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedDisk {
    /// Its size in GiB.
    pub size_gb: u32,
    /// Its EBS volume type.
    #[serde(rename = "type")]
    pub volume_type: VolumeType,
}

/// An On-Demand fallback with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedFallback {
    /// The EC2 instance types; at least one.
    pub instance_types: Vec<String>,
    /// The fewest nodes.
    pub min: u32,
    /// How many nodes to begin with.
    pub desired: u32,
    /// The most nodes.
    pub max: u32,
}

/// An addon that is installed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResolvedAddon {
    /// Its version; `None` for the one that EKS recommends.
    pub version: Option<String>,
    /// Its configuration: rayplat's defaults with the manifest's merged over them.
    pub configuration: Map<String, Value>,
    /// How it gets the credentials of its role; `None` for one that has no role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

impl Manifest {
    /// The manifest with every default filled in.
    ///
    /// Sizes that the manifest does not give bend to those it gives: `max: 1`
    /// lowers the pool `cpu`'s default `min` to 1, `min: 12` raises its `max`.
    #[must_use]
    pub fn resolve(&self) -> Resolved {
        let named = self.node_pools.clone().unwrap_or_else(default_pools);
        let node_pools = named.iter().map(|(name, pool)| (name.clone(), pool.resolve(name))).collect();
        let wanted = self.kubernetes.enabled && self.ray.enabled;
        let ray = wanted.then(|| self.ray.resolve(&node_pools, self.addons.prefix_delegation())).flatten();
        Resolved {
            name: self.name.clone(),
            region: self.region.clone(),
            environment: self.environment,
            tags: self.tags.clone(),
            network: self.network.resolve(self.environment),
            cluster: self.cluster.clone(),
            node_pools,
            addons: self.addons.resolve(),
            autoscaler: self.autoscaler.clone(),
            termination_handler: self.termination_handler.clone(),
            backup: self.backup.clone(),
            kubernetes: self.kubernetes.clone(),
            ray,
            monitoring: self.monitoring.clone(),
            policies: self.policies.clone(),
            policy: self.policy.clone(),
        }
    }
}

/// The pools of a manifest that names none.
#[must_use]
pub fn default_pools() -> BTreeMap<String, NodePool> {
    ["cpu", "gpu"].map(|name| (name.to_owned(), NodePool::default())).into()
}

impl NodePool {
    /// The instance types that a pool of this name has; none for a pool that
    /// must name its own and does not, which the check refuses.
    #[must_use]
    pub fn types_of(&self, name: &str) -> Vec<String> {
        let default = || match name {
            "cpu" => vec!["m6g.xlarge".to_owned()],
            "gpu" => vec!["g4dn.xlarge".to_owned()],
            _ => Vec::new(),
        };
        self.instance_types.clone().unwrap_or_else(default)
    }

    /// How the nodes of a pool of this name are bought.
    #[must_use]
    pub fn capacity_of(&self, name: &str) -> Capacity {
        self.capacity.unwrap_or(match name {
            "gpu" => Capacity::Spot,
            _ => Capacity::OnDemand,
        })
    }

    /// The pool with every default filled in.
    #[must_use]
    pub fn resolve(&self, name: &str) -> ResolvedPool {
        let instance_types = self.types_of(name);
        let first = instance_types.first().map_or("", String::as_str);
        let architecture = instance_types::architecture(first);
        let accelerator = instance_types::accelerator(first);
        let accelerated = accelerator != Accelerator::None;
        let (min, desired, max) = match (name, accelerated) {
            ("cpu", false) => (2, Some(3), 10),
            (_, false) => (0, None, 10),
            (_, true) => (0, None, 5),
        };
        let (min, desired, max) = sizes([self.min, self.desired, self.max], min, desired, max);
        let capacity = self.capacity_of(name);
        let disk = self.disk.clone().unwrap_or_default();
        ResolvedPool {
            architecture,
            accelerator,
            capacity,
            min,
            desired,
            max,
            ami: self.ami.unwrap_or_else(|| ami(architecture, accelerator)),
            ami_release: self.ami_release.clone(),
            update: self.update.clone(),
            disk: disk.resolve(accelerated),
            labels: self.labels.clone(),
            taints: self.taints.clone().unwrap_or_else(|| taints(accelerator)),
            fallback: match capacity {
                Capacity::Spot => self.fallback.clone().unwrap_or_default().resolve(first),
                Capacity::OnDemand | Capacity::CapacityBlock => None,
            },
            image_id: self.image_id.clone(),
            subnet_ids: self.subnet_ids.clone(),
            max_pods: self.max_pods,
            capacity_reservation: self.capacity_reservation.clone(),
            efa: self.efa,
            warm_pool: self.warm_pool.clone().filter(|pool| pool.enabled),
            node_repair: self.node_repair.clone().filter(|repair| repair.enabled),
            instance_types,
        }
    }
}

/// Minimum, desired and maximum: what is given stands, the rest bends to it.
fn sizes(given: [Option<u32>; 3], min: u32, desired: Option<u32>, max: u32) -> (u32, u32, u32) {
    let [given_min, given_desired, given_max] = given;
    let max = given_max.unwrap_or_else(|| max.max(given_min.unwrap_or(0)).max(given_desired.unwrap_or(0)));
    let min = given_min.unwrap_or_else(|| min.min(given_desired.unwrap_or(max)).min(max));
    let desired = given_desired.unwrap_or_else(|| desired.unwrap_or(min).min(max).max(min));
    (min, desired, max)
}

/// Amazon Linux 2023 for an architecture and an accelerator.
fn ami(architecture: Architecture, accelerator: Accelerator) -> AmiType {
    match (accelerator, architecture) {
        (Accelerator::None, Architecture::X86_64) => AmiType::Al2023X86Standard,
        (Accelerator::None, Architecture::Arm64) => AmiType::Al2023ArmStandard,
        (Accelerator::Nvidia, Architecture::X86_64) => AmiType::Al2023X86Nvidia,
        (Accelerator::Nvidia, Architecture::Arm64) => AmiType::Al2023ArmNvidia,
        (Accelerator::Neuron, _) => AmiType::Al2023X86Neuron,
    }
}

fn taints(accelerator: Accelerator) -> Vec<Taint> {
    if accelerator != Accelerator::Nvidia {
        return Vec::new();
    }
    vec![Taint { key: "nvidia.com/gpu".to_owned(), value: "true".to_owned(), effect: TaintEffect::NoSchedule }]
}

impl Disk {
    fn resolve(&self, accelerated: bool) -> ResolvedDisk {
        ResolvedDisk {
            size_gb: self.size_gb.unwrap_or(if accelerated { 200 } else { 100 }),
            volume_type: self.volume_type.unwrap_or_default(),
        }
    }
}

impl Fallback {
    fn resolve(&self, first_type: &str) -> Option<ResolvedFallback> {
        if !self.enabled {
            return None;
        }
        let (min, desired, max) = sizes([self.min, self.desired, self.max], 0, None, 1);
        Some(ResolvedFallback {
            instance_types: self.instance_types.clone().unwrap_or_else(|| vec![first_type.to_owned()]),
            min,
            desired,
            max,
        })
    }
}

impl AmiType {
    /// EKS's name for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Al2023X86Standard => "AL2023_x86_64_STANDARD",
            Self::Al2023ArmStandard => "AL2023_ARM_64_STANDARD",
            Self::Al2023X86Nvidia => "AL2023_x86_64_NVIDIA",
            Self::Al2023ArmNvidia => "AL2023_ARM_64_NVIDIA",
            Self::Al2023X86Neuron => "AL2023_x86_64_NEURON",
            Self::BottlerocketX86 => "BOTTLEROCKET_x86_64",
            Self::BottlerocketArm => "BOTTLEROCKET_ARM_64",
            Self::BottlerocketX86Fips => "BOTTLEROCKET_x86_64_FIPS",
            Self::BottlerocketArmFips => "BOTTLEROCKET_ARM_64_FIPS",
            Self::BottlerocketX86Nvidia => "BOTTLEROCKET_x86_64_NVIDIA",
            Self::BottlerocketArmNvidia => "BOTTLEROCKET_ARM_64_NVIDIA",
        }
    }

    /// True for Bottlerocket, which is told things in TOML and keeps images on a second volume.
    #[must_use]
    pub fn is_bottlerocket(self) -> bool {
        self.as_str().starts_with("BOTTLEROCKET")
    }

    /// The architecture that it runs on.
    #[must_use]
    pub fn architecture(self) -> Architecture {
        if self.as_str().contains("ARM_64") { Architecture::Arm64 } else { Architecture::X86_64 }
    }

    /// The accelerators that it has the driver of.
    #[must_use]
    pub fn accelerator(self) -> Accelerator {
        match self {
            Self::Al2023X86Nvidia
            | Self::Al2023ArmNvidia
            | Self::BottlerocketX86Nvidia
            | Self::BottlerocketArmNvidia => Accelerator::Nvidia,
            Self::Al2023X86Neuron => Accelerator::Neuron,
            _ => Accelerator::None,
        }
    }
}

impl ResolvedAddon {
    /// Whether nodes give pods whole prefixes of addresses, where this is the vpc-cni.
    #[must_use]
    pub fn delegates_prefixes(&self) -> bool {
        self.configuration.get("env").is_some_and(|env| env["ENABLE_PREFIX_DELEGATION"] == "true")
    }
}

impl Addons {
    /// Every addon that can be named, with EKS's name, what the manifest says
    /// of it and whether it is there by default.
    #[must_use]
    pub fn all(&self) -> [(&'static str, Option<&Addon>, bool); 6] {
        [
            ("vpc-cni", self.vpc_cni.as_ref(), true),
            ("kube-proxy", self.kube_proxy.as_ref(), true),
            ("eks-pod-identity-agent", self.eks_pod_identity_agent.as_ref(), true),
            ("coredns", self.coredns.as_ref(), true),
            ("aws-ebs-csi-driver", self.aws_ebs_csi_driver.as_ref(), true),
            ("metrics-server", self.metrics_server.as_ref(), false),
        ]
    }

    /// Whether nodes give pods whole prefixes of addresses.
    #[must_use]
    pub fn prefix_delegation(&self) -> bool {
        self.resolve().get("vpc-cni").is_some_and(ResolvedAddon::delegates_prefixes)
    }

    fn resolve(&self) -> BTreeMap<String, ResolvedAddon> {
        let mut resolved = BTreeMap::new();
        for (name, given, by_default) in self.all() {
            if given.map_or(by_default, |addon| addon.enabled) {
                let given = given.cloned().unwrap_or_default();
                let mut configuration = addon_configuration(name);
                merge(&mut configuration, given.configuration);
                let version = given.version;
                let identity =
                    (has_role(name) && given.own_role).then(|| given.identity.unwrap_or(Identity::PodIdentity));
                resolved.insert(name.to_owned(), ResolvedAddon { version, configuration, identity });
            }
        }
        resolved
    }
}

/// Whether an addon calls AWS, and so has an IAM role.
#[must_use]
pub fn has_role(addon: &str) -> bool {
    matches!(addon, "vpc-cni" | "aws-ebs-csi-driver")
}

/// The configuration that rayplat gives an addon. Prefix delegation is what
/// keeps large nodes from running out of addresses; CoreDNS has four replicas
/// at least and follows the cluster's size.
fn addon_configuration(name: &str) -> Map<String, Value> {
    let configuration = match name {
        "vpc-cni" => json!({
            "env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"},
            // Else NetworkPolicies are objects that nobody heeds.
            "enableNetworkPolicy": "true",
        }),
        "coredns" => json!({
            "autoScaling": {"enabled": true, "minReplicas": 4, "maxReplicas": 10},
        }),
        _ => Value::Null,
    };
    match configuration {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// JSON Merge Patch (RFC 7386): mappings merge, `null` removes, all else replaces.
fn merge(into: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match value {
            Value::Null => {
                into.shift_remove(&key);
            }
            Value::Object(patch) => {
                let slot = into.entry(key).or_insert_with(|| Value::Object(Map::new()));
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Some(slot) = slot.as_object_mut() {
                    merge(slot, patch);
                }
            }
            other => {
                into.insert(key, other);
            }
        }
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            kubernetes_version: versions::DEFAULT.to_owned(),
            support: Support::default(),
            endpoint: Endpoint::default(),
            secrets_key_arn: None,
            logs: Logs::default(),
            oidc: Oidc::default(),
            admins: Vec::new(),
            deletion_protection: false,
            zonal_shift: false,
            service_cidr: None,
            authentication_mode: AuthenticationMode::default(),
            secrets_encryption: true,
            role_policies: vec!["AmazonEKSClusterPolicy".to_owned()],
            // No CNI policy: that belongs to the aws-node service account's own role.
            node_role_policies: [
                "AmazonEKSWorkerNodePolicy",
                "AmazonEC2ContainerRegistryPullOnly",
                "AmazonSSMManagedInstanceCore",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self { public: false, private: true, public_cidrs: Vec::new(), routed: false }
    }
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            enabled: true,
            retention_days: 7,
            types: vec![
                LogType::Api,
                LogType::Audit,
                LogType::Authenticator,
                LogType::ControllerManager,
                LogType::Scheduler,
            ],
        }
    }
}

impl Default for Fallback {
    fn default() -> Self {
        Self { enabled: true, instance_types: None, min: None, desired: None, max: None }
    }
}

impl Default for Addon {
    fn default() -> Self {
        Self { enabled: true, version: None, configuration: Map::new(), identity: None, own_role: true }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn given_sizes_stand_and_defaults_bend() {
        let cpu = |given| sizes(given, 2, Some(3), 10);
        assert_eq!(cpu([None, None, None]), (2, 3, 10));
        assert_eq!(cpu([None, None, Some(1)]), (1, 1, 1));
        assert_eq!(cpu([Some(12), None, None]), (12, 12, 12));
        assert_eq!(cpu([None, Some(20), None]), (2, 20, 20));
        assert_eq!(cpu([None, Some(1), None]), (1, 1, 10));
        assert_eq!(cpu([Some(4), None, Some(6)]), (4, 4, 6));
        assert_eq!(cpu([None, Some(0), Some(5)]), (0, 0, 5));
    }

    proptest! {
        /// Whatever part of consistent sizes is given, the whole is consistent.
        #[test]
        fn sizes_are_in_order(min in 0..50u32, more in 0..50u32, most in 0..50u32, mask in 0..8u8) {
            let all = [min, min + more, (min + more + most).max(1)];
            let given = [0, 1, 2].map(|i| (mask & (1 << i) != 0).then_some(all[i]));
            for (default_min, desired, max) in [(2, Some(3), 10), (0, None, 5), (0, None, 1)] {
                let (min, desired, max) = sizes(given, default_min, desired, max);
                prop_assert!(min <= desired && desired <= max, "{given:?}: {min} {desired} {max}");
                for (given, is) in given.into_iter().zip([min, desired, max]) {
                    prop_assert!(given.is_none_or(|given| given == is));
                }
            }
        }
    }

    #[test]
    fn a_gpu_type_makes_a_gpu_pool_whatever_its_name() {
        let pool = NodePool { instance_types: Some(vec!["g6.xlarge".to_owned()]), ..NodePool::default() };
        let pool = pool.resolve("training");
        assert_eq!((pool.min, pool.desired, pool.max), (0, 0, 5));
        assert_eq!(pool.disk.size_gb, 200);
        assert_eq!(pool.taints, taints(Accelerator::Nvidia));
        assert_eq!(pool.ami, AmiType::Al2023X86Nvidia);
        assert_eq!((pool.capacity, pool.fallback), (Capacity::OnDemand, None));
    }

    #[test]
    fn a_configuration_merges_over_the_default() {
        let mut cni = addon_configuration("vpc-cni");
        let patch = json!({"env": {"WARM_PREFIX_TARGET": null, "A": "1"}, "enableNetworkPolicy": "true"});
        merge(&mut cni, patch.as_object().cloned().unwrap_or_default());
        assert_eq!(
            Value::Object(cni),
            json!({
                "env": {"ENABLE_PREFIX_DELEGATION": "true", "A": "1"},
                "enableNetworkPolicy": "true",
            })
        );
    }
}
