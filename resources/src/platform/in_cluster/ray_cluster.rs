//! The RayCluster's spec, with the cures for what goes wrong with Ray on EKS.
//!
//! KubeRay adds what is not here: HTTP probes of head and workers (Ray 2.53 and newer), the init
//! container that waits for the head, `/dev/shm`.
//! Source: <https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/config.html>,
//! KubeRay 1.7.0 `ray-operator/apis/ray/v1/raycluster_types.go`

use serde_json::{Value, json};

use super::{pods, redis};
use crate::platform::manifest::{Resolved, ResolvedPods, ResolvedRay, ResolvedWorkers};

/// Seconds from the first sign of the end to the last: a Spot node goes after 120.
const GRACE: u32 = 90;

/// Seconds that `ray stop` gives its processes.
const STOP: u32 = 60;

/// The object store's share of a pod's memory, percent: Ray's own 30 leave too little when it
/// fills up while tasks are at their peak.
const OBJECT_STORE: u64 = 25;

/// The spec of a RayCluster, alone or in a RayService.
pub(super) fn spec(manifest: &Resolved, ray: &ResolvedRay) -> Value {
    let groups: Vec<Value> = ray.workers.iter().map(|(name, group)| workers(manifest, ray, name, group)).collect();
    let mut spec = json!({
        "rayVersion": ray.version,
        "enableInTreeAutoscaling": ray.autoscaling,
        // Without it a new version or image is taken up by new pods only.
        "upgradeStrategy": {"type": "Recreate"},
        "headGroupSpec": head(manifest, ray),
        "workerGroupSpecs": groups,
    });
    if ray.token_auth {
        spec["authOptions"] = json!({"mode": "token"});
    }
    if ray.autoscaling {
        spec["autoscalerOptions"] = json!({
            "version": "v2",
            "idleTimeoutSeconds": 300,
            "resources": {"requests": {"cpu": "200m", "memory": "512Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}},
            "securityContext": pods::restricted(false),
        });
    }
    if ray.fault_tolerance.enabled {
        spec["gcsFaultToleranceOptions"] = fault_tolerance(ray);
    }
    spec
}

fn fault_tolerance(ray: &ResolvedRay) -> Value {
    let spec = &ray.fault_tolerance;
    let own = format!("redis://{}.{}.svc.cluster.local:6379", redis::NAME, ray.namespace);
    let mut options = json!({"redisAddress": spec.redis_address.clone().unwrap_or(own)});
    let secret = match &spec.redis_address {
        None => Some(redis::NAME),
        Some(_) => spec.password_secret.as_deref(),
    };
    if let Some(name) = secret {
        options["redisPassword"] = json!({"valueFrom": {"secretKeyRef": {"name": name, "key": redis::PASSWORD}}});
    }
    options
}

fn head(manifest: &Resolved, ray: &ResolvedRay) -> Value {
    let mut pod = pod(manifest, ray, "ray-head", &ray.head);
    // Whoever lets the head go ends the work of all.
    pod["metadata"] = json!({"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}});
    pod["spec"]["containers"][0]["ports"] = json!([
        {"name": "gcs", "containerPort": 6379, "protocol": "TCP"},
        {"name": "dashboard", "containerPort": 8265, "protocol": "TCP"},
        {"name": "client", "containerPort": 10_001, "protocol": "TCP"},
        {"name": "serve", "containerPort": 8000, "protocol": "TCP"},
        {"name": "metrics", "containerPort": 8080, "protocol": "TCP"},
    ]);
    if !ray.autoscaling {
        // Ray's autoscaler runs in the head's pod and needs the Kubernetes API.
        pod["spec"]["automountServiceAccountToken"] = json!(false);
    }
    json!({
        "rayStartParams": {
            "dashboard-host": "0.0.0.0",
            // Tasks on the head take the memory that its control store needs.
            "num-cpus": "0",
            "object-store-memory": object_store(&ray.head),
        },
        "template": pod,
    })
}

fn workers(manifest: &Resolved, ray: &ResolvedRay, name: &str, group: &ResolvedWorkers) -> Value {
    let mut pod = pod(manifest, ray, "ray-worker", &group.pods);
    pod["spec"]["automountServiceAccountToken"] = json!(false);
    pod["spec"]["containers"][0]["ports"] = json!([{"name": "metrics", "containerPort": 8080, "protocol": "TCP"}]);
    let mut spec = json!({
        "groupName": name,
        "minReplicas": group.min,
        "maxReplicas": group.max,
        "rayStartParams": {"object-store-memory": object_store(&group.pods)},
        "template": pod,
    });
    // The autoscaler owns the number, where it runs.
    if !ray.autoscaling {
        spec["replicas"] = json!(group.min);
    }
    spec
}

/// Bytes, as text: `ray start` takes no units.
fn object_store(pods: &ResolvedPods) -> String {
    (u64::from(pods.memory_gb) * 1024 * 1024 * 1024 * OBJECT_STORE / 100).to_string()
}

fn pod(manifest: &Resolved, ray: &ResolvedRay, container: &str, pods: &ResolvedPods) -> Value {
    let pool = manifest.node_pools.get(&pods.pool);
    // Logs and spilled objects are in the volume; 5 GiB beside it are for what else is written.
    let disk = format!("{}Gi", pods.spill_gb + 5);
    let mut resources = pods::guaranteed(&pods.cpus.to_string(), &format!("{}Gi", pods.memory_gb), &disk);
    if pods.gpus > 0 {
        for side in ["requests", "limits"] {
            resources[side]["nvidia.com/gpu"] = json!(pods.gpus.to_string());
        }
    }
    let mut spec = json!({
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": GRACE,
        "dnsConfig": pods::dns_config(),
        "nodeSelector": {"rayplat.io/pool": pods.pool},
        "tolerations": pool.map_or(json!([]), pods::tolerations),
        // The user `ray` of Ray's images.
        "securityContext": {"runAsUser": 1000, "runAsGroup": 100, "fsGroup": 100, "fsGroupChangePolicy": "OnRootMismatch"},
        "containers": [{
            "name": container, "image": pods.image, "imagePullPolicy": "IfNotPresent",
            "resources": resources,
            "securityContext": pods::restricted(false),
            // KubeRay sets none (kuberay#5004): work in flight would be cut off.
            "lifecycle": {"preStop": {"exec": {"command": ["/bin/sh", "-c", format!("ray stop --grace-period {STOP}")]}}},
            "volumeMounts": [{"name": "ray", "mountPath": "/tmp/ray"}],
        }],
        // On the disk, and with a limit: in memory, spilled objects would kill the pod that
        // spills them.
        "volumes": [{"name": "ray", "emptyDir": {"sizeLimit": format!("{}Gi", pods.spill_gb)}}],
    });
    if ray.autoscaling {
        // Autoscaler v2 tells a pod that came back from one that never was.
        spec["restartPolicy"] = json!("Never");
    }
    json!({"spec": spec})
}
