//! RayServices and RayJobs: clusters of their own, and what runs on them.
//! Source: KubeRay 1.7, `ray-operator/controllers/ray/{rayservice,rayjob}_controller.go`.

use serde_json::{Value, json};

use super::{
    super::{
        super::{Account, params::iso_time},
        base::{place, system},
        delete::mark,
        kinds::Resource,
        world::{World, condition, is_deleted, key, meta},
    },
    ray::{GROUP, hash, head_service, since, works},
};

/// From a ready head to applications that serve, in seconds.
const DEPLOY: (f64, f64) = (5.0, 20.0);
/// How long a job works.
const WORK: (f64, f64) = (10.0, 30.0);
/// How long a replaced cluster stays (`rayClusterDeletionDelaySeconds`).
const RETIRE: (f64, f64) = (60.0, 60.001);
/// On a cluster: what it was made from.
const MADE_FROM: &str = "ray.io/hash-without-replicas-and-workers-to-delete";

pub(super) fn reconcile(account: &mut Account, world: &mut World) {
    for plural in ["rayservices", "rayjobs"] {
        if !works(world, plural) {
            continue;
        }
        let keys: Vec<String> = world.keyed(GROUP, plural, None).map(|(key, _)| key.clone()).collect();
        for key in keys {
            let Some(object) = world.at(&key).filter(|object| !is_deleted(object)) else { continue };
            match plural {
                "rayservices" => service(account, world, &key, &object),
                _ => job(account, world, &key, &object),
            }
        }
    }
}

fn owner(object: &Value) -> Value {
    json!([{
        "apiVersion": "ray.io/v1",
        "kind": object["kind"],
        "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    }])
}

/// Makes a cluster for a RayService or a RayJob; its name.
fn cluster_for(account: &mut Account, world: &mut World, object: &Value, spec: &Value, made_from: &str) -> String {
    let name = format!("{}-{}", meta(object, "name"), account.draw_hex(5));
    let cluster = json!({
        "metadata": {
            "name": name,
            "annotations": {MADE_FROM: made_from},
            "labels": {
                "ray.io/originated-from-cr-name": object["metadata"]["name"],
                "ray.io/originated-from-crd": object["kind"],
            },
            "ownerReferences": owner(object),
        },
        "spec": spec,
    });
    if let Some(resource) = Resource::find(world, GROUP, "v1", "rayclusters") {
        place(account, world, &resource, meta(object, "namespace"), cluster);
    }
    name
}

fn cluster_key(object: &Value, name: &str) -> String {
    key(GROUP, "rayclusters", meta(object, "namespace"), name)
}

/// Have its applications been deployed on this cluster?
fn serves(account: &mut Account, world: &mut World, object: &Value, cluster: &str) -> bool {
    let key = cluster_key(object, cluster);
    let head = world.at(&key).is_some_and(|cluster| condition(&cluster, "HeadPodReady"));
    head && world.over(account, &key, "deploy", DEPLOY, None)
}

/// The spec whose change makes another cluster: numbers of workers do not.
fn made_from(spec: &Value) -> String {
    let mut spec = spec.clone();
    for group in spec["workerGroupSpecs"].as_array_mut().into_iter().flatten() {
        for field in ["replicas", "minReplicas", "maxReplicas", "scaleStrategy"] {
            group.as_object_mut().map(|group| group.shift_remove(field));
        }
    }
    hash(&spec)
}

fn service(account: &mut Account, world: &mut World, key: &str, object: &Value) {
    let spec = &object["spec"]["rayClusterConfig"];
    let wanted = made_from(spec);
    let named = |which: &str| {
        let name = object["status"][which]["rayClusterName"].as_str().unwrap_or_default();
        world.at(&cluster_key(object, name)).map(|cluster| (name.to_owned(), cluster))
    };
    let (mut active, mut pending) = (named("activeServiceStatus"), named("pendingServiceStatus"));
    let fits = |cluster: &Option<(String, std::sync::Arc<Value>)>| {
        cluster.as_ref().is_some_and(|(_, cluster)| cluster["metadata"]["annotations"][MADE_FROM] == wanted.as_str())
    };
    if fits(&active) {
        // Only numbers differ: they are taken over.
        if let Some((name, _)) = &active {
            let groups = spec["workerGroupSpecs"].clone();
            let key = cluster_key(object, name);
            world.change(&key, |cluster| {
                if cluster["spec"]["workerGroupSpecs"] != groups {
                    cluster["spec"]["workerGroupSpecs"] = groups;
                    let generation = cluster["metadata"]["generation"].as_u64().unwrap_or(1);
                    cluster["metadata"]["generation"] = json!(generation + 1);
                }
            });
        }
    } else if !fits(&pending) {
        if let Some((name, _)) = &pending {
            mark(account, world, &cluster_key(object, name), None);
        }
        let name = cluster_for(account, world, object, spec, &wanted);
        pending = world.at(&cluster_key(object, &name)).map(|cluster| (name, cluster));
    }
    if let Some((name, _)) = pending.clone()
        && serves(account, world, object, &name)
    {
        active = pending.take();
    }
    let deployed = active.as_ref().map(|(name, _)| name.clone());
    let deployed = deployed.filter(|name| serves(account, world, object, name));
    if let Some(name) = &deployed {
        services(account, world, object, name);
    }
    retire(account, world, object, &[&active, &pending].map(|one| one.as_ref().map(|(name, _)| name.as_str())));
    let status = service_status(
        account,
        world,
        object,
        active.map(|(name, _)| name),
        pending.map(|(name, _)| name),
        deployed.is_some(),
    );
    world.set_status(key, status);
}

fn service_status(
    account: &Account,
    world: &World,
    object: &Value,
    active: Option<String>,
    pending: Option<String>,
    deployed: bool,
) -> Value {
    let shown = |name: Option<String>| match name {
        Some(name) => json!({"rayClusterName": name}),
        None => json!({}),
    };
    let pods = world.list("", "pods", Some(meta(object, "namespace")));
    let serving = pods.iter().filter(|pod| {
        let of = &pod["metadata"]["labels"]["ray.io/cluster"];
        active.as_deref().is_some_and(|active| *of == active) && condition(pod, "Ready")
    });
    let upgrading = active.is_some() && pending.is_some();
    let endpoints = if deployed { serving.count() } else { 0 };
    let mut status = json!({
        "observedGeneration": object["metadata"]["generation"],
        "activeServiceStatus": shown(active),
        "pendingServiceStatus": shown(pending),
        "conditions": [
            since(object, "Ready", deployed, if deployed { "NonZeroServeEndpoints" } else { "Initializing" }, account.now_ms),
            since(object, "UpgradeInProgress", upgrading, if upgrading { "BothActivePendingClustersExist" } else { "NoPendingCluster" }, account.now_ms),
        ],
    });
    if deployed {
        status["serviceStatus"] = json!("Running");
        status["numServeEndpoints"] = json!(endpoints);
    }
    status
}

/// The two services that have the RayService's name and lead to its cluster of the moment.
fn services(account: &mut Account, world: &mut World, object: &Value, cluster: &str) {
    let (name, namespace) = (meta(object, "name"), meta(object, "namespace"));
    let head = head_service(&format!("{name}-head-svc"), cluster, &owner(object));
    let serve = json!({
        "metadata": {
            "name": format!("{name}-serve-svc"),
            "labels": {"ray.io/originated-from-cr-name": name, "ray.io/originated-from-crd": "RayService"},
            "ownerReferences": owner(object),
        },
        "spec": {
            "ports": [{"name": "serve", "port": 8000}],
            "selector": {"ray.io/cluster": cluster, "ray.io/serve": "true"},
        },
    });
    for service in [head, serve] {
        let selector = service["spec"]["selector"].clone();
        let placed = system(account, world, "Service", namespace, service);
        world.change(&placed, |service| service["spec"]["selector"] = selector);
    }
}

/// Clusters that serve no more go after a minute.
fn retire(account: &mut Account, world: &mut World, object: &Value, kept: &[Option<&str>]) {
    let uid = &object["metadata"]["uid"];
    let stale: Vec<String> = world
        .keyed(GROUP, "rayclusters", Some(meta(object, "namespace")))
        .filter(|(_, cluster)| cluster["metadata"]["ownerReferences"][0]["uid"] == *uid && !is_deleted(cluster))
        .filter(|(_, cluster)| !kept.contains(&Some(meta(cluster, "name"))))
        .map(|(key, _)| key.clone())
        .collect();
    for key in stale {
        if world.over(account, &key, "retire", RETIRE, None) {
            mark(account, world, &key, None);
        }
    }
}

fn job(account: &mut Account, world: &mut World, key: &str, object: &Value) {
    let status = &object["status"];
    let finished = status["jobDeploymentStatus"] == "Complete";
    if object["spec"]["suspend"] == true || finished {
        return;
    }
    let name = status["rayClusterName"].as_str().unwrap_or_default().to_owned();
    let mut new = status.clone();
    let cluster = world.at(&cluster_key(object, &name));
    let state = match cluster {
        None => {
            let spec = &object["spec"]["rayClusterSpec"];
            let name = cluster_for(account, world, object, spec, &made_from(spec));
            new["rayClusterName"] = json!(name);
            new["jobId"] = json!(format!("{}-{}", meta(object, "name"), account.draw_hex(5)));
            new["startTime"] = json!(iso_time(account.now_ms));
            "Initializing"
        }
        Some(cluster) if cluster["status"]["state"] != "ready" => "Initializing",
        Some(_) if world.over(account, key, "work", WORK, None) => {
            new["jobStatus"] = json!("SUCCEEDED");
            new["succeeded"] = json!(1);
            new["failed"] = json!(0);
            new["endTime"] = json!(iso_time(account.now_ms));
            if object["spec"]["shutdownAfterJobFinishes"] == true {
                mark(account, world, &cluster_key(object, &name), None);
            }
            "Complete"
        }
        Some(_) => {
            new["jobStatus"] = json!("RUNNING");
            "Running"
        }
    };
    new["jobDeploymentStatus"] = json!(state);
    new["observedGeneration"] = object["metadata"]["generation"].clone();
    world.set_status(key, new);
}
