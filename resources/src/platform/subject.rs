//! What of a platform can be verified while it lives.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    in_cluster::{RayPlace, tolerations},
    instance_types::{self, Accelerator},
    manifest::{Resolved, ResolvedAddon, ResolvedPool, ResolvedRay},
    room::Room,
};

/// A platform, as checks of a live one need to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The stack's name, which is the cluster's.
    pub stack: String,
    /// Ray; `None` where the manifest has none.
    pub ray: Option<RaySubject>,
    /// The node pools.
    pub pools: BTreeMap<String, PoolSubject>,
}

/// Ray on a platform.
#[derive(Debug, Clone, PartialEq)]
pub struct RaySubject {
    /// Where it is.
    pub place: RayPlace,
    /// An image with Python, which its nodes have already.
    pub image: String,
    /// Labels of the nodes that run the image.
    pub node_selector: Value,
    /// What pods there must tolerate.
    pub tolerations: Value,
    /// Whether Ray's autoscaler owns the number of workers.
    pub autoscaling: bool,
    /// The groups of workers.
    pub groups: BTreeMap<String, GroupSubject>,
}

/// A group of like workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSubject {
    /// Its node pool.
    pub pool: String,
    /// How many it has at least.
    pub min: u32,
    /// How many it may have.
    pub max: u32,
    /// How many workers fit one node of the pool; `None` if a type of the pool is not known.
    pub per_node: Option<u32>,
}

/// A node pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSubject {
    /// The most nodes, with those of its fallback.
    pub max: u32,
    /// Whether its nodes have NVIDIA GPUs.
    pub gpus: bool,
    /// The most pods of a node, where the manifest says it.
    pub max_pods: Option<u32>,
    /// Whether nodes give pods whole prefixes of addresses.
    pub prefix_delegation: bool,
}

impl PoolSubject {
    /// The pods and GPUs that a node of this instance type must have; `None` if the type is
    /// not known.
    #[must_use]
    pub fn expected(&self, instance_type: &str) -> Option<(u32, u32)> {
        let kind = instance_types::look_up(instance_type)?;
        let gpus = if kind.accelerator == Accelerator::Nvidia { kind.accelerators } else { 0 };
        Some((self.max_pods.unwrap_or_else(|| kind.max_pods(self.prefix_delegation)), gpus))
    }
}

impl Subject {
    /// The platform of a manifest.
    #[must_use]
    pub fn of(manifest: &Resolved) -> Self {
        let prefix_delegation = manifest.addons.get("vpc-cni").is_some_and(ResolvedAddon::delegates_prefixes);
        let pool = |pool: &ResolvedPool| PoolSubject {
            max: pool.max + pool.fallback.as_ref().map_or(0, |fallback| fallback.max),
            gpus: pool.accelerator == Accelerator::Nvidia,
            max_pods: pool.max_pods,
            prefix_delegation,
        };
        Self {
            stack: manifest.name.clone(),
            ray: manifest
                .ray
                .as_ref()
                .zip(RayPlace::of(manifest))
                .map(|(ray, place)| of_ray(manifest, ray, place, prefix_delegation)),
            pools: manifest.node_pools.iter().map(|(name, spec)| (name.clone(), pool(spec))).collect(),
        }
    }
}

fn of_ray(manifest: &Resolved, ray: &ResolvedRay, place: RayPlace, prefix_delegation: bool) -> RaySubject {
    let group = |(name, group): (&String, &super::manifest::ResolvedWorkers)| {
        let pods = &group.pods;
        let pool = manifest.node_pools.get(&pods.pool);
        let room = pool.and_then(|pool| {
            let mut types = pool.instance_types.clone();
            types.extend(pool.fallback.iter().flat_map(|fallback| fallback.instance_types.clone()));
            Room::of(&types, pool.max_pods, prefix_delegation)
        });
        let per_node = room.map(|room| {
            let by_gpus = room.accelerators.checked_div(pods.gpus).unwrap_or(u32::MAX);
            let by_memory = room.memory_mib / (pods.memory_gb * 1024).max(1);
            (room.cpu_milli / (pods.cpus * 1000).max(1)).min(by_memory).min(by_gpus)
        });
        (name.clone(), GroupSubject { pool: pods.pool.clone(), min: group.min, max: group.max, per_node })
    };
    RaySubject {
        place,
        image: ray.head.image.clone(),
        node_selector: json!({"rayplat.io/pool": ray.head.pool}),
        tolerations: manifest.node_pools.get(&ray.head.pool).map_or(json!([]), tolerations),
        autoscaling: ray.autoscaling,
        groups: ray.workers.iter().map(group).collect(),
    }
}
