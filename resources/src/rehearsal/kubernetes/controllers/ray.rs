//! KubeRay's operator, where one runs: RayClusters become pods and a service.
//! Source: KubeRay 1.7, `ray-operator/controllers/ray/raycluster_controller.go` and
//! `ray-operator/controllers/ray/utils/{constant,util}.go`.

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    super::{
        super::{Account, params::iso_time},
        base::system,
        delete::{mark, release},
        kinds::Resource,
        world::{World, condition, is_deleted, meta},
    },
    scheduler::is_over,
};

pub(super) const GROUP: &str = "ray.io";
/// Holds a cluster until what it kept in Redis is gone.
const FINALIZER: &str = "ray.io/gcs-ft-redis-cleanup-finalizer";
/// How long that takes a Job of the operator's, in seconds.
const CLEANUP: (f64, f64) = (5.0, 20.0);

/// Does an operator run, and are its definitions established?
pub(super) fn works(world: &World, plural: &str) -> bool {
    Resource::find(world, GROUP, "v1", plural).is_some() && super::workloads::runs(world, "kuberay/operator")
}

pub(super) fn reconcile(account: &mut Account, world: &mut World) {
    if !works(world, "rayclusters") {
        return;
    }
    let keys: Vec<String> = world.keyed(GROUP, "rayclusters", None).map(|(key, _)| key.clone()).collect();
    for key in keys {
        let Some(cluster) = world.at(&key) else { continue };
        let mut operator = Operator { account, world, key: &key, cluster: &cluster };
        if is_deleted(&cluster) { operator.clean_up() } else { operator.reconcile() }
    }
}

/// A text that stands for a value.
pub(super) fn hash(value: &Value) -> String {
    hex::encode(&Sha256::digest(value.to_string())[..16])
}

fn tolerant(cluster: &Value) -> bool {
    let options = &cluster["spec"]["gcsFaultToleranceOptions"];
    options.is_object() || cluster["metadata"]["annotations"]["ray.io/ft-enabled"] == "true"
}

struct Operator<'a> {
    account: &'a mut Account,
    world: &'a mut World,
    key: &'a str,
    cluster: &'a Value,
}

impl Operator<'_> {
    fn name(&self) -> &str {
        meta(self.cluster, "name")
    }

    fn pods(&self) -> Vec<Arc<Value>> {
        let pods = self.world.list("", "pods", Some(meta(self.cluster, "namespace")));
        let name = self.name();
        pods.into_iter().filter(|pod| pod["metadata"]["labels"]["ray.io/cluster"] == name).collect()
    }

    fn stop(&mut self, pod: &Value) {
        let key = format!("/pods/{}/{}", meta(pod, "namespace"), meta(pod, "name"));
        mark(self.account, self.world, &key, None);
    }

    /// Its pods end, then a Job empties Redis, then the finalizer goes.
    fn clean_up(&mut self) {
        let pods = self.pods();
        for pod in pods.iter().filter(|pod| !is_deleted(pod)) {
            self.stop(pod);
        }
        if self.pods().is_empty() && self.world.over(self.account, self.key, "cleanup", CLEANUP, None) {
            release(self.world, self.key, FINALIZER);
        }
    }

    fn reconcile(&mut self) {
        let finalizers = self.cluster["metadata"]["finalizers"].as_array().map(Vec::as_slice).unwrap_or_default();
        if tolerant(self.cluster) && !finalizers.iter().any(|one| one == FINALIZER) {
            self.world.change(self.key, |cluster| match cluster["metadata"]["finalizers"].as_array_mut() {
                Some(finalizers) => finalizers.push(json!(FINALIZER)),
                None => cluster["metadata"]["finalizers"] = json!([FINALIZER]),
            });
            return;
        }
        self.head_service();
        let suspended = self.cluster["spec"]["suspend"] == true;
        let pods: Vec<Arc<Value>> = self.pods().into_iter().filter(|pod| !is_deleted(pod)).collect();
        let outdated = self.outdated(&pods);
        if suspended || outdated {
            pods.iter().for_each(|pod| self.stop(pod));
        } else {
            self.head(&pods);
            for group in self.cluster["spec"]["workerGroupSpecs"].as_array().into_iter().flatten() {
                self.workers(group, &pods);
            }
            self.leftover_groups(&pods);
        }
        self.status(suspended);
    }

    /// A cluster that is to be recreated when its pods are to be others.
    fn outdated(&self, pods: &[Arc<Value>]) -> bool {
        let recreate = self.cluster["spec"]["upgradeStrategy"]["type"] == "Recreate";
        let wanted = self.template_hash();
        recreate
            && pods.iter().any(|pod| pod["metadata"]["annotations"]["ray.io/upgrade-strategy-recreate-hash"] != wanted)
    }

    /// What the pods are made from, whatever their number.
    fn template_hash(&self) -> String {
        let mut spec = self.cluster["spec"].clone();
        for group in spec["workerGroupSpecs"].as_array_mut().into_iter().flatten() {
            for field in ["replicas", "minReplicas", "maxReplicas", "scaleStrategy", "suspend"] {
                group.as_object_mut().map(|group| group.shift_remove(field));
            }
        }
        for field in ["suspend", "upgradeStrategy"] {
            spec.as_object_mut().map(|spec| spec.shift_remove(field));
        }
        hash(&spec)
    }

    fn head(&mut self, pods: &[Arc<Value>]) {
        let heads = pods.iter().filter(|pod| pod["metadata"]["labels"]["ray.io/node-type"] == "head");
        let (over, alive): (Vec<_>, Vec<_>) = heads.cloned().partition(|pod| is_over(pod));
        over.iter().for_each(|pod| self.stop(pod));
        let name = format!("{}-head", self.name());
        let key = format!("/pods/{}/{name}", meta(self.cluster, "namespace"));
        if alive.is_empty() && self.world.at(&key).is_none() {
            let mut template = self.cluster["spec"]["headGroupSpec"]["template"].clone();
            if self.cluster["spec"]["enableInTreeAutoscaling"] == true
                && let Some(containers) = template["spec"]["containers"].as_array_mut()
            {
                let image = containers.first().map(|container| container["image"].clone()).unwrap_or_default();
                let asked = &self.cluster["spec"]["autoscalerOptions"]["resources"];
                let usual = json!({"cpu": "500m", "memory": "512Mi"});
                let resources =
                    if asked.is_object() { asked.clone() } else { json!({"limits": usual, "requests": usual}) };
                containers.push(json!({"name": "autoscaler", "image": image, "resources": resources}));
            }
            self.start(&name, "head", "headgroup", &template);
        }
    }

    fn workers(&mut self, group: &Value, pods: &[Arc<Value>]) {
        let name = group["groupName"].as_str().unwrap_or_default();
        let of_group = |pod: &&Arc<Value>| {
            let labels = &pod["metadata"]["labels"];
            labels["ray.io/node-type"] == "worker" && labels["ray.io/group"] == name
        };
        let (over, alive): (Vec<_>, Vec<_>) = pods.iter().filter(of_group).cloned().partition(|pod| is_over(pod));
        over.iter().for_each(|pod| self.stop(pod));
        let wanted = usize::try_from(desired(group)).unwrap_or(0);
        for _ in alive.len()..wanted {
            let suffix = self.account.draw_hex(5);
            let pod = format!("{}-{name}-worker-{suffix}", self.name());
            self.start(&pod, "worker", name, &group["template"]);
        }
        for pod in alive.iter().skip(wanted) {
            self.stop(pod);
        }
    }

    /// Pods of groups that there are no more.
    fn leftover_groups(&mut self, pods: &[Arc<Value>]) {
        let groups = self.cluster["spec"]["workerGroupSpecs"].as_array().map(Vec::as_slice).unwrap_or_default();
        for pod in pods.iter().filter(|pod| pod["metadata"]["labels"]["ray.io/node-type"] == "worker") {
            if groups.iter().all(|group| group["groupName"] != pod["metadata"]["labels"]["ray.io/group"]) {
                self.stop(pod);
            }
        }
    }

    fn owner(&self) -> Value {
        json!([{
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "name": self.cluster["metadata"]["name"],
            "uid": self.cluster["metadata"]["uid"],
            "controller": true,
            "blockOwnerDeletion": true,
        }])
    }

    fn start(&mut self, name: &str, kind: &str, group: &str, template: &Value) {
        let namespace = meta(self.cluster, "namespace").to_owned();
        let gone = self.world.get("", "namespaces", "", &namespace).is_none_or(|namespace| is_deleted(&namespace));
        if gone {
            return;
        }
        let mut labels = template["metadata"]["labels"].clone();
        for (label, value) in [
            ("app.kubernetes.io/name", "kuberay"),
            ("app.kubernetes.io/created-by", "kuberay-operator"),
            ("ray.io/cluster", self.name()),
            ("ray.io/group", group),
            ("ray.io/identifier", &format!("{}-{kind}", self.name())),
            ("ray.io/is-ray-node", "yes"),
            ("ray.io/node-type", kind),
        ] {
            labels[label] = json!(value);
        }
        let serving = self.cluster["metadata"]["labels"]["ray.io/originated-from-crd"] == "RayService";
        if serving {
            labels["ray.io/serve"] = json!("true");
        }
        let mut annotations = template["metadata"]["annotations"].clone();
        annotations["ray.io/upgrade-strategy-recreate-hash"] = json!(self.template_hash());
        if tolerant(self.cluster) {
            annotations["ray.io/ft-enabled"] = json!("true");
        }
        let metadata = json!({
            "name": name, "labels": labels, "annotations": annotations, "ownerReferences": self.owner(),
        });
        let pod = json!({"metadata": metadata, "spec": template["spec"]});
        system(self.account, self.world, "Pod", &namespace, pod);
    }

    fn head_service(&mut self) {
        let name = format!("{}-head-svc", self.name());
        let service = head_service(&name, self.name(), &self.owner());
        system(self.account, self.world, "Service", meta(self.cluster, "namespace"), service);
    }

    fn status(&mut self, suspended: bool) {
        let pods = self.pods();
        let groups = self.cluster["spec"]["workerGroupSpecs"].as_array().map(Vec::as_slice).unwrap_or_default();
        let sum = |of: fn(&Value) -> i64| groups.iter().map(of).sum::<i64>();
        let hosts = |group: &Value| group["numOfHosts"].as_i64().unwrap_or(1);
        let wanted = sum(desired);
        let workers = pods.iter().filter(|pod| pod["metadata"]["labels"]["ray.io/node-type"] == "worker");
        let (mut available, mut ready) = (0_i64, 0_i64);
        for pod in workers {
            available += i64::from(pod["status"]["phase"] == "Running");
            ready += i64::from(condition(pod, "Ready"));
        }
        let head = pods.iter().find(|pod| pod["metadata"]["labels"]["ray.io/node-type"] == "head");
        let all = !pods.is_empty() && pods.iter().all(|pod| condition(pod, "Ready"));
        let complete = all && i64::try_from(pods.len()).is_ok_and(|count| count == wanted + 1);
        let mut status = self.cluster["status"].clone();
        status["observedGeneration"] = self.cluster["metadata"]["generation"].clone();
        status["desiredWorkerReplicas"] = json!(wanted);
        status["availableWorkerReplicas"] = json!(available);
        status["readyWorkerReplicas"] = json!(ready);
        status["minWorkerReplicas"] =
            json!(groups.iter().map(|group| int(&group["minReplicas"], 0) * hosts(group)).sum::<i64>());
        status["maxWorkerReplicas"] =
            json!(groups.iter().map(|group| int(&group["maxReplicas"], 0) * hosts(group)).sum::<i64>());
        let before = status["state"].clone();
        if complete {
            status["state"] = json!("ready");
        } else if suspended && pods.is_empty() {
            status["state"] = json!("suspended");
        }
        if status["state"] != before {
            let state = status["state"].as_str().unwrap_or_default().to_owned();
            status["stateTransitionTimes"][state] = json!(iso_time(self.account.now_ms));
        }
        status["head"] = json!({"serviceName": format!("{}-head-svc", self.name())});
        if let Some(head) = head {
            status["head"]["podName"] = head["metadata"]["name"].clone();
            status["head"]["podIP"] = head["status"]["podIP"].clone();
        }
        status["endpoints"] =
            json!({"client": "10001", "dashboard": "8265", "gcs-server": "6379", "metrics": "8080", "serve": "8000"});
        let head_ready = head.is_some_and(|head| condition(head, "Ready"));
        let head_reason = match head {
            Some(_) if head_ready => "HeadPodRunningAndReady",
            Some(_) => "ContainersNotReady",
            None => "HeadPodNotFound",
        };
        let provisioned = all || condition(self.cluster, "RayClusterProvisioned");
        let reason = if provisioned { "AllPodRunningAndReadyFirstTime" } else { "RayClusterPodsProvisioning" };
        status["conditions"] = json!([
            self.condition("HeadPodReady", head_ready, head_reason),
            self.condition("RayClusterProvisioned", provisioned && !suspended, reason),
            self.condition("RayClusterSuspended", suspended && pods.is_empty(), "RayClusterSuspended"),
            self.condition("RayClusterSuspending", suspended && !pods.is_empty(), "RayClusterSuspending"),
        ]);
        super::super::defaults::strip_nulls(&mut status);
        self.world.change(self.key, |cluster| cluster["status"] = status);
        self.note(complete);
    }

    fn condition(&self, kind: &str, holds: bool, reason: &str) -> Value {
        since(self.cluster, kind, holds, reason, self.account.now_ms)
    }

    /// Notes how long it took, once for each generation.
    fn note(&mut self, done: bool) {
        super::note(self.account, self.world, self.key, self.cluster, done);
    }
}

fn int(value: &Value, default: i64) -> i64 {
    value.as_i64().unwrap_or(default)
}

/// How many pods a worker group is to have.
fn desired(group: &Value) -> i64 {
    if group["suspend"] == true {
        return 0;
    }
    let least = int(&group["minReplicas"], 0);
    let replicas = int(&group["replicas"], least).clamp(least, int(&group["maxReplicas"], i64::MAX).max(least));
    replicas * int(&group["numOfHosts"], 1)
}

/// A condition, with the time since which it holds.
pub(super) fn since(object: &Value, kind: &str, holds: bool, reason: &str, now_ms: u64) -> Value {
    let status = if holds { "True" } else { "False" };
    let before = object["status"]["conditions"].as_array().into_iter().flatten();
    let before = before.into_iter().find(|one| one["type"] == kind && one["status"] == status);
    json!({
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "",
        "lastTransitionTime": before.map_or_else(|| json!(iso_time(now_ms)), |one| one["lastTransitionTime"].clone()),
    })
}

/// The service of a head; it has no address of its own unless the operator is told so.
pub(super) fn head_service(name: &str, cluster: &str, owner: &Value) -> Value {
    let ports: Vec<Value> =
        [("client", 10001), ("dashboard", 8265), ("gcs-server", 6379), ("metrics", 8080), ("serve", 8000)]
            .iter()
            .map(|(name, port)| json!({"name": name, "port": port, "appProtocol": "tcp"}))
            .collect();
    json!({
        "metadata": {
            "name": name,
            "labels": {
                "app.kubernetes.io/created-by": "kuberay-operator",
                "app.kubernetes.io/name": "kuberay",
                "ray.io/cluster": cluster,
                "ray.io/identifier": format!("{cluster}-head"),
                "ray.io/node-type": "head",
            },
            "ownerReferences": owner,
        },
        "spec": {
            "clusterIP": "None",
            "ports": ports,
            "publishNotReadyAddresses": true,
            "selector": {
                "app.kubernetes.io/created-by": "kuberay-operator",
                "app.kubernetes.io/name": "kuberay",
                "ray.io/cluster": cluster,
                "ray.io/identifier": format!("{cluster}-head"),
                "ray.io/node-type": "head",
            },
        },
    })
}

fn cluster_of(pod: &Value, kind: &str) -> Option<(String, String)> {
    let labels = &pod["metadata"]["labels"];
    let cluster = labels["ray.io/cluster"].as_str().filter(|_| labels["ray.io/node-type"] == kind)?;
    Some((meta(pod, "namespace").to_owned(), cluster.to_owned()))
}

/// The namespace and the cluster of a pod that is a head.
pub(super) fn head_of(pod: &Value) -> Option<(String, String)> {
    cluster_of(pod, "head")
}

/// The namespace and the cluster whose head a worker waits for: its init container does.
pub(super) fn head_for(pod: &Value) -> Option<(String, String)> {
    cluster_of(pod, "worker")
}
