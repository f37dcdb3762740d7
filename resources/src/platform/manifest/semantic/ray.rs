//! Rules of Ray: pools that exist, pods that fit their nodes, images of the right architecture.

use std::collections::BTreeMap;

use super::super::defaults::{ResolvedPool, default_pools};
use super::super::diagnostic::{Code, Diagnostic};
use super::super::ray::{Kubernetes, Ray, ResolvedPods};
use super::super::types::{Addons, Capacity, NodePool};
use super::Context;
use crate::platform::{instance_types::Architecture, room::Room};

/// What the platform's own pods need beside the head, MiB and thousandths of a CPU: see
/// `manifest/ray.rs`.
const NO_POD: &str = "such a pod would wait for ever";

pub(super) fn check(context: &mut Context<'_>) {
    let ray: Ray = context.section("/ray").unwrap_or_default();
    let kubernetes: Kubernetes = context.section("/kubernetes").unwrap_or_default();
    if !ray.enabled || !kubernetes.enabled {
        return;
    }
    let named: BTreeMap<String, NodePool> = match context.json.pointer("/node_pools") {
        Some(_) => match context.section("/node_pools") {
            Some(pools) => pools,
            // Its shape is wrong, and that is said already.
            None => return,
        },
        None => default_pools(),
    };
    let pools: BTreeMap<String, ResolvedPool> =
        named.iter().map(|(name, pool)| (name.clone(), pool.resolve(name))).collect();
    let addons: Addons = context.section("/addons").unwrap_or_default();
    let prefix = addons.prefix_delegation();
    if !names(context, &ray, &pools) {
        return;
    }
    let Some(resolved) = ray.resolve(&pools, prefix) else { return };
    version(context, &ray);
    head_capacity(context, &ray, &pools);
    let look = Look { pools: &pools, prefix };
    look.pods(context, "ray.head", "the head", &resolved.head);
    for (name, group) in &resolved.workers {
        let path = format!("ray.workers.{name}");
        look.pods(context, &path, &format!("a worker of `{name}`"), &group.pods);
        if group.min > group.max {
            let found = Diagnostic::error(
                Code::Conflict,
                format!("the group has {} workers at least and {} at most", group.min, group.max),
                "raise `max` or lower `min`",
            );
            context.at(&path, found);
        }
    }
    fault_tolerance(context, &ray);
}

/// True if every pool that is named exists.
fn names(context: &mut Context<'_>, ray: &Ray, pools: &BTreeMap<String, ResolvedPool>) -> bool {
    let known = pools.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let mut wrong: Vec<(String, String)> = Vec::new();
    if let Some(pool) = ray.head.pool.as_ref().filter(|pool| !pools.contains_key(*pool)) {
        wrong.push(("ray.head.pool".to_owned(), pool.clone()));
    }
    for (name, group) in ray.workers.iter().flatten() {
        let pool = group.pool.as_ref().unwrap_or(name);
        if !pools.contains_key(pool) {
            let key = if group.pool.is_some() { ".pool" } else { "" };
            wrong.push((format!("ray.workers.{name}{key}"), pool.clone()));
        }
    }
    for (path, pool) in &wrong {
        let found = Diagnostic::error(
            Code::Conflict,
            format!("there is no node pool `{pool}`"),
            format!("name one of the pools ({known}) with `pool`, or add it under `node_pools`"),
        );
        context.at(path, found);
    }
    wrong.is_empty()
}

/// KubeRay's HTTP probes and token authentication need it.
/// Source: <https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/kuberay-auth.html>
fn version(context: &mut Context<'_>, ray: &Ray) {
    let mut parts = ray.version.split('.').filter_map(|part| part.parse::<u32>().ok());
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if (major, minor) < (2, 53) {
        let found = Diagnostic::error(
            Code::OutOfRange,
            format!(
                "Ray {} has no health check over HTTP and no token authentication as KubeRay uses them",
                ray.version
            ),
            "write 2.53.0 or newer",
        );
        context.at("ray.version", found);
    }
}

fn head_capacity(context: &mut Context<'_>, ray: &Ray, pools: &BTreeMap<String, ResolvedPool>) {
    // A platform of Spot pools alone is the lint's concern.
    let Some(name) = ray.head.pool.clone() else { return };
    if pools.get(&name).is_some_and(|pool| pool.capacity == Capacity::Spot) {
        let found = Diagnostic::warning(
            Code::Risk,
            format!("the head runs on Spot nodes (pool `{name}`): AWS may take them within two minutes"),
            "give the head an On-Demand pool: `ray: {head: {pool: NAME}}`",
        );
        context.at("ray.head.pool", found);
    }
}

struct Look<'a> {
    pools: &'a BTreeMap<String, ResolvedPool>,
    prefix: bool,
}

impl Look<'_> {
    fn pods(&self, context: &mut Context<'_>, path: &str, what: &str, pods: &ResolvedPods) {
        let Some(pool) = self.pools.get(&pods.pool) else { return };
        self.architecture(context, path, pods, pool);
        let mut types = pool.instance_types.clone();
        types.extend(pool.fallback.iter().flat_map(|fallback| fallback.instance_types.clone()));
        // A type that is not known is judged by whoever wrote it.
        let Some(smallest) = types
            .iter()
            .filter_map(|name| Some((Room::of(std::slice::from_ref(name), pool.max_pods, self.prefix)?, name)))
            .min_by_key(|(room, _)| (room.memory_mib, room.cpu_milli))
        else {
            return;
        };
        let (room, name) = smallest;
        let told = || Room::told(name, pool.max_pods, self.prefix);
        let mut wrong = Vec::new();
        if pods.cpus * 1000 > room.cpu_milli {
            wrong.push(("cpus", format!("{what} asks for {} CPUs", pods.cpus), room.cpu_milli / 1000));
        }
        if pods.memory_gb * 1024 > room.memory_mib {
            wrong.push(("memory_gb", format!("{what} asks for {} GiB", pods.memory_gb), room.memory_mib / 1024));
        }
        for (key, asks, most) in wrong {
            let found = Diagnostic::error(
                Code::Conflict,
                format!("{asks} and does not fit a node of pool `{}`: {}; {NO_POD}", pods.pool, told()),
                format!("write `{key}: {most}` or less, or give the pool larger instance types"),
            );
            context.at(&format!("{path}.{key}"), found);
        }
        if pods.gpus > room.accelerators {
            let found = Diagnostic::error(
                Code::Conflict,
                format!(
                    "{what} asks for {} GPUs, and {name} of pool `{}` has {}; {NO_POD}",
                    pods.gpus, pods.pool, room.accelerators
                ),
                "lower `gpus`, or give the pool an instance type with as many",
            );
            context.at(&format!("{path}.gpus"), found);
        }
        if pods.spill_gb > pool.disk.size_gb * 7 / 10 && !crate::platform::uses_instance_stores(pool) {
            let found = Diagnostic::error(
                Code::Conflict,
                format!(
                    "{what} may spill {} GiB, and the root volume has {} for images, logs and all pods: the node would run into \
                     DiskPressure and evict",
                    pods.spill_gb, pool.disk.size_gb
                ),
                format!(
                    "write `spill_gb: {}` or less, or enlarge `node_pools.{}.disk.size_gb`",
                    pool.disk.size_gb * 2 / 5,
                    pods.pool
                ),
            );
            context.at(&format!("{path}.spill_gb"), found);
        }
    }

    /// Ray's own tags say their architecture; what others say is theirs.
    fn architecture(&self, context: &mut Context<'_>, path: &str, pods: &ResolvedPods, pool: &ResolvedPool) {
        let Some(tag) =
            pods.image.strip_prefix("rayproject/").and_then(|image| image.split_once(':')).map(|(_, tag)| tag)
        else {
            return;
        };
        let arm = tag.ends_with("-aarch64");
        if arm == (pool.architecture == Architecture::Arm64) {
            return;
        }
        let (image, nodes, cure) = if arm {
            ("arm64", "x86_64", tag.trim_end_matches("-aarch64").to_owned())
        } else {
            ("x86_64", "arm64", format!("{tag}-aarch64"))
        };
        let found = Diagnostic::error(
            Code::Conflict,
            format!(
                "the image {} is for {image}, and the nodes of pool `{}` are {nodes}: its pods would crash",
                pods.image, pods.pool
            ),
            format!("write the tag {cure}, or leave `image` out"),
        );
        let own = format!("{path}.image");
        let place = if context.written(&own) { own } else { "ray.image".to_owned() };
        context.at(&place, found);
    }
}

fn fault_tolerance(context: &mut Context<'_>, ray: &Ray) {
    let spec = &ray.fault_tolerance;
    if spec.password_secret.is_some() && spec.redis_address.is_none() {
        let found = Diagnostic::error(
            Code::Conflict,
            "the Redis in the cluster draws its own password",
            "leave `password_secret` out, or name a Redis of your own with `redis_address`",
        );
        context.at("ray.fault_tolerance.password_secret", found);
    }
    if let Some(address) = &spec.redis_address
        && !address.contains(':')
    {
        let found = Diagnostic::error(
            Code::BadFormat,
            format!("`{address}` has no port"),
            "write HOST:PORT, for example redis.example.com:6379",
        );
        context.at("ray.fault_tolerance.redis_address", found);
    }
}
