//! Ray: what the cluster is for.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::defaults::ResolvedPool;
use super::formats;
use super::types::{Capacity, string};
use crate::platform::{
    instance_types::{Accelerator, Architecture},
    room::Room,
};

/// The newest Ray when this was written: <https://pypi.org/project/ray/>, November 2026.
pub const VERSION: &str = "2.60.0";

/// What stands in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Kubernetes {
    /// Whether rayplat puts anything into the cluster. Without, the cluster stays empty and `ray` is
    /// not looked at: for those who fill it by other means.
    pub enabled: bool,
}

/// The Ray cluster, on KubeRay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ray {
    /// Whether there is one, with the KubeRay operator.
    pub enabled: bool,
    /// The version of Ray, 2.53.0 at least.
    #[schemars(schema_with = "ray_version")]
    pub version: String,
    /// The image of all pods. Default: rayproject/ray of the version, for the pool's architecture and
    /// GPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 300))]
    pub image: Option<String>,
    /// The namespace.
    #[schemars(schema_with = "dns_label")]
    pub namespace: String,
    /// The head.
    pub head: RayHead,
    /// The groups of workers, by name. Default: one for each node pool, of its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "workers")]
    pub workers: Option<BTreeMap<String, RayWorkers>>,
    /// Whether Ray's autoscaler adds and removes workers with the load.
    pub autoscaling: bool,
    /// Whether clients and the dashboard need the cluster's token. Without, whoever reaches the
    /// head runs code on it.
    pub token_auth: bool,
    /// What the head's death leaves.
    pub fault_tolerance: FaultTolerance,
    /// Other namespaces whose pods may reach the cluster.
    #[schemars(schema_with = "namespaces")]
    pub allow_from: Vec<String>,
    /// Ray Serve applications, as `serveConfigV2` has them: the cluster is then a RayService.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serve: Option<Map<String, Value>>,
    /// Jobs that run once on the cluster, by name.
    #[schemars(schema_with = "jobs")]
    pub jobs: BTreeMap<String, RayJob>,
}

/// The head of the Ray cluster. It runs nothing of its own, on On-Demand nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RayHead {
    /// The node pool. Default: `cpu`, else the first On-Demand pool without taints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// CPUs. Default: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 448))]
    pub cpus: Option<u32>,
    /// Memory in GiB. Default: 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 4, max = 24_576))]
    pub memory_gb: Option<u32>,
    /// Its image, where it is not the others'.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 300))]
    pub image: Option<String>,
}

/// A group of like workers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RayWorkers {
    /// The node pool. Default: the one of the group's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The fewest workers. Default: one less than the pool's nodes to begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100_000))]
    pub min: Option<u32>,
    /// The most workers. Default: as many as the pool and its fallback may have nodes, less the
    /// head's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max: Option<u32>,
    /// CPUs of a worker. Default: as many as fit the pool's smallest instance type.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 448))]
    pub cpus: Option<u32>,
    /// Memory of a worker in GiB. Default: as much as fits the pool's smallest instance type.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 24_576))]
    pub memory_gb: Option<u32>,
    /// GPUs of a worker. Default: all that the pool's smallest instance type has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 16))]
    pub gpus: Option<u32>,
    /// Its image, where it is not the others'.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 300))]
    pub image: Option<String>,
    /// How much of the node's disk spilled objects may take, in GiB. Default: two fifths of the root
    /// volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_536))]
    pub spill_gb: Option<u32>,
}

/// Whether the cluster outlives its head: the global control store in Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FaultTolerance {
    /// Whether it does.
    pub enabled: bool,
    /// A Redis of one's own, one shard, cluster mode off: `HOST:PORT` or `rediss://HOST:PORT`. Default: one in the
    /// cluster, with a volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 300))]
    pub redis_address: Option<String>,
    /// The Secret in Ray's namespace that has the password of one's own Redis under `password`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub password_secret: Option<String>,
    /// The volume of the Redis in the cluster, in GiB.
    #[schemars(range(min = 1, max = 16_384))]
    pub storage_gb: u32,
}

/// A job that runs once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RayJob {
    /// What to run, for example `python train.py`.
    #[schemars(length(min = 1))]
    pub entrypoint: String,
    /// Ray's runtime environment: packages, working directory, variables.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub runtime_env: Map<String, Value>,
    /// How often it is tried again.
    #[serde(default)]
    #[schemars(range(max = 100))]
    pub retries: u32,
}

impl Default for Kubernetes {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for Ray {
    fn default() -> Self {
        Self {
            enabled: true,
            version: VERSION.to_owned(),
            image: None,
            namespace: "ray".to_owned(),
            head: RayHead::default(),
            workers: None,
            autoscaling: true,
            token_auth: true,
            fault_tolerance: FaultTolerance::default(),
            allow_from: Vec::new(),
            serve: None,
            jobs: BTreeMap::new(),
        }
    }
}

impl Default for FaultTolerance {
    fn default() -> Self {
        Self { enabled: true, redis_address: None, password_secret: None, storage_gb: 5 }
    }
}

/// Ray with every default filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResolvedRay {
    /// The version.
    pub version: String,
    /// The namespace.
    pub namespace: String,
    /// The head.
    pub head: ResolvedPods,
    /// The workers by group.
    pub workers: BTreeMap<String, ResolvedWorkers>,
    /// Whether Ray's autoscaler runs.
    pub autoscaling: bool,
    /// Whether a token is needed.
    pub token_auth: bool,
    /// What the head's death leaves.
    pub fault_tolerance: FaultTolerance,
    /// Namespaces that may reach it.
    pub allow_from: Vec<String>,
    /// Serve applications.
    pub serve: Option<Map<String, Value>>,
    /// Jobs.
    pub jobs: BTreeMap<String, RayJob>,
}

/// Like pods of a Ray cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedPods {
    /// The node pool.
    pub pool: String,
    /// The image.
    pub image: String,
    /// CPUs.
    pub cpus: u32,
    /// Memory in GiB.
    pub memory_gb: u32,
    /// GPUs.
    pub gpus: u32,
    /// Disk for spilled objects and logs, GiB.
    pub spill_gb: u32,
}

/// A group of workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedWorkers {
    /// Each of them.
    pub pods: ResolvedPods,
    /// The fewest.
    pub min: u32,
    /// The most.
    pub max: u32,
}

/// What is kept free beside a worker on nodes that take ordinary pods: CoreDNS, controllers,
/// Redis.
const OTHERS_MILLI: u32 = 500;
/// The same for memory, MiB.
const OTHERS_MIB: u32 = 1024;

impl Ray {
    /// With every default filled in; `None` where there is no pool for the head.
    #[must_use]
    pub fn resolve(&self, pools: &BTreeMap<String, ResolvedPool>, prefix_delegation: bool) -> Option<ResolvedRay> {
        let head = head_pool(self.head.pool.as_deref(), pools)?;
        let named = self
            .workers
            .clone()
            .unwrap_or_else(|| pools.keys().map(|name| (name.clone(), RayWorkers::default())).collect());
        let group = |(name, group): (&String, &RayWorkers)| {
            let pool_name = group.pool.clone().unwrap_or_else(|| name.clone());
            let pool = pools.get(&pool_name)?;
            Some((name.clone(), self.workers(group, &pool_name, pool, pool_name == head, prefix_delegation)))
        };
        let pool = pools.get(&head)?;
        Some(ResolvedRay {
            version: self.version.clone(),
            namespace: self.namespace.clone(),
            head: ResolvedPods {
                image: self.image(self.head.image.as_ref(), pool, false),
                cpus: self.head.cpus.unwrap_or(2),
                memory_gb: self.head.memory_gb.unwrap_or(8),
                gpus: 0,
                spill_gb: pool.disk.size_gb / 5,
                pool: head.clone(),
            },
            workers: named.iter().filter_map(group).collect(),
            autoscaling: self.autoscaling,
            token_auth: self.token_auth,
            fault_tolerance: self.fault_tolerance.clone(),
            allow_from: self.allow_from.clone(),
            serve: self.serve.clone(),
            jobs: self.jobs.clone(),
        })
    }

    fn workers(
        &self,
        group: &RayWorkers,
        pool_name: &str,
        pool: &ResolvedPool,
        with_head: bool,
        prefix_delegation: bool,
    ) -> ResolvedWorkers {
        let mut types = pool.instance_types.clone();
        types.extend(pool.fallback.iter().flat_map(|fallback| fallback.instance_types.clone()));
        let room = Room::of(&types, pool.max_pods, prefix_delegation);
        let (other_milli, other_mib) =
            if pool.taints.is_empty() { (OTHERS_MILLI, OTHERS_MIB) } else { (0, OTHERS_MIB / 2) };
        let cpus = room.map_or(1, |room| room.cpu_milli.saturating_sub(other_milli) / 1000).max(1);
        let memory_gb = room.map_or(4, |room| room.memory_mib.saturating_sub(other_mib) / 1024).max(1);
        let most = pool.max + pool.fallback.as_ref().map_or(0, |fallback| fallback.max);
        let max = group.max.unwrap_or_else(|| most.saturating_sub(u32::from(with_head)).max(1));
        let beginning = pool.desired.saturating_sub(u32::from(with_head));
        ResolvedWorkers {
            pods: ResolvedPods {
                pool: pool_name.to_owned(),
                image: self.image(group.image.as_ref(), pool, pool.accelerator == Accelerator::Nvidia),
                cpus: group.cpus.unwrap_or(cpus),
                memory_gb: group.memory_gb.unwrap_or(memory_gb),
                gpus: group.gpus.unwrap_or_else(|| match pool.accelerator {
                    Accelerator::Nvidia => room.map_or(1, |room| room.accelerators),
                    _ => 0,
                }),
                spill_gb: group.spill_gb.unwrap_or(pool.disk.size_gb * 2 / 5),
            },
            min: group.min.unwrap_or_else(|| beginning.min(max)),
            max,
        }
    }

    fn image(&self, own: Option<&String>, pool: &ResolvedPool, gpu: bool) -> String {
        own.or(self.image.as_ref()).cloned().unwrap_or_else(|| default_image(&self.version, pool.architecture, gpu))
    }
}

/// Ray's own image. Tags: <https://docs.ray.io/en/latest/ray-overview/installation.html#docker-source-images>
fn default_image(version: &str, architecture: Architecture, gpu: bool) -> String {
    let gpu = if gpu { "-gpu" } else { "" };
    let arm = if architecture == Architecture::Arm64 { "-aarch64" } else { "" };
    format!("rayproject/ray:{version}-py312{gpu}{arm}")
}

/// The pool of the head: the one that is named, `cpu`, the first On-Demand pool without
/// taints, any without taints.
#[must_use]
fn head_pool(named: Option<&str>, pools: &BTreeMap<String, ResolvedPool>) -> Option<String> {
    if let Some(named) = named {
        return pools.contains_key(named).then(|| named.to_owned());
    }
    let open = || pools.iter().filter(|(_, pool)| pool.taints.is_empty());
    let steady = || open().filter(|(_, pool)| pool.capacity != Capacity::Spot);
    let usual = steady().find(|(name, _)| *name == "cpu");
    let found = usual.or_else(|| steady().next()).or_else(|| open().next()).or_else(|| pools.iter().next());
    found.map(|(name, _)| name.clone())
}

fn ray_version(_: &mut SchemaGenerator) -> Schema {
    string(&formats::RAY_VERSION)
}

fn dns_label(_: &mut SchemaGenerator) -> Schema {
    string(&formats::DNS_LABEL)
}

fn namespaces(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": string(&formats::DNS_LABEL), "uniqueItems": true })
}

fn workers(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": string(&formats::POOL_NAME),
        "additionalProperties": generator.subschema_for::<RayWorkers>(),
    })
}

fn jobs(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": string(&formats::POOL_NAME),
        "additionalProperties": generator.subschema_for::<RayJob>(),
    })
}
