//! Deployments, StatefulSets, DaemonSets and Jobs: their pods, and what they say of themselves.
//! Deployments have their pods without a ReplicaSet between.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    super::{
        super::{Account, params::iso_time},
        base::system,
        delete::mark,
        kinds::Resource,
        world::{World, condition, is_deleted, meta},
    },
    scheduler::{is_over, selected, untolerated},
};

/// The label that tells pods of one template from those of another.
const HASH: &str = "pod-template-hash";

pub(super) fn reconcile(account: &mut Account, world: &mut World) {
    // By what owns them.
    let mut pods: HashMap<String, Vec<Arc<Value>>> = HashMap::new();
    for pod in world.list("", "pods", None) {
        let owner = pod["metadata"]["ownerReferences"][0]["uid"].as_str().unwrap_or_default().to_owned();
        pods.entry(owner).or_default().push(pod);
    }
    for (group, plural) in
        [("apps", "deployments"), ("apps", "statefulsets"), ("apps", "daemonsets"), ("batch", "jobs")]
    {
        let standing: Vec<(String, Arc<Value>)> =
            world.keyed(group, plural, None).map(|(key, object)| (key.clone(), object.clone())).collect();
        for (key, object) in standing.into_iter().filter(|(_, object)| !is_deleted(object)) {
            let mine = pods.remove(meta(&object, "uid")).unwrap_or_default();
            let mut controller = Controller { account, world, key: &key, object: &object, pods: mine };
            match plural {
                "deployments" => controller.deployment(),
                "statefulsets" => controller.stateful_set(),
                "daemonsets" => controller.daemon_set(),
                _ => controller.job(),
            }
        }
    }
}

/// The owner of a pod, if it is of this kind.
pub(super) fn owner_of<'a>(pod: &'a Value, kind: &str) -> Option<&'a str> {
    let owner = &pod["metadata"]["ownerReferences"][0];
    owner["name"].as_str().filter(|_| owner["kind"] == kind)
}

/// `KIND/NAMESPACE/NAME` of what a pod belongs to.
pub(super) fn workload_of(pod: &Value) -> String {
    let owner = &pod["metadata"]["ownerReferences"][0];
    let namespace = meta(pod, "namespace");
    match (owner["kind"].as_str(), owner["name"].as_str()) {
        (Some(kind), Some(name)) => format!("{kind}/{namespace}/{name}"),
        _ => format!("Pod/{namespace}/{}", meta(pod, "name")),
    }
}

struct Controller<'a> {
    account: &'a mut Account,
    world: &'a mut World,
    key: &'a str,
    object: &'a Value,
    pods: Vec<Arc<Value>>,
}

/// Is the pod there and not on its way out?
fn lives(pod: &Value) -> bool {
    !is_deleted(pod) && !is_over(pod)
}

fn int(value: &Value, default: i64) -> i64 {
    value.as_i64().unwrap_or(default)
}

/// A number, or a share of the replicas.
fn part(value: &Value, replicas: i64, up: bool) -> i64 {
    let percent = value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|text| text.parse::<i64>().ok());
    match percent {
        Some(percent) if up => (percent * replicas + 99) / 100,
        Some(percent) => percent * replicas / 100,
        None => int(value, 0),
    }
}

/// A name for one state of a template.
fn hash(template: &Value) -> String {
    hex::encode(&Sha256::digest(template.to_string())[..5])
}

fn count(pods: &[Arc<Value>], which: impl Fn(&Value) -> bool) -> i64 {
    i64::try_from(pods.iter().filter(|pod| which(pod)).count()).unwrap_or(i64::MAX)
}

impl Controller<'_> {
    fn hash(&self) -> String {
        hash(&self.object["spec"]["template"])
    }

    fn is_new(&self, pod: &Value, hash: &str) -> bool {
        pod["metadata"]["labels"][HASH] == hash
    }

    /// Makes a pod of the template.
    fn start(&mut self, name: &str, change: impl FnOnce(&mut Value)) {
        let template = &self.object["spec"]["template"];
        let kind = self.object["kind"].clone();
        let mut labels = template["metadata"]["labels"].clone();
        labels[HASH] = json!(self.hash());
        let mut metadata = json!({
            "name": name,
            "labels": labels,
            "ownerReferences": [{
                "apiVersion": self.object["apiVersion"],
                "kind": kind,
                "name": self.object["metadata"]["name"],
                "uid": self.object["metadata"]["uid"],
                "controller": true,
                "blockOwnerDeletion": true,
            }],
        });
        if template["metadata"]["annotations"].is_object() {
            metadata["annotations"] = template["metadata"]["annotations"].clone();
        }
        let mut pod = json!({"metadata": metadata, "spec": template["spec"]});
        change(&mut pod);
        system(self.account, self.world, "Pod", meta(self.object, "namespace"), pod);
    }

    fn stop(&mut self, pod: &Value) {
        let key = format!("/pods/{}/{}", meta(pod, "namespace"), meta(pod, "name"));
        mark(self.account, self.world, &key, None);
    }

    /// Does the namespace take new pods?
    fn may_start(&self) -> bool {
        let namespace = self.world.get("", "namespaces", "", meta(self.object, "namespace"));
        namespace.is_some_and(|namespace| !is_deleted(&namespace))
    }

    fn deployment(&mut self) {
        let spec = &self.object["spec"];
        let hash = self.hash();
        let replicas = int(&spec["replicas"], 1);
        let living: Vec<Arc<Value>> = self.pods.iter().filter(|pod| lives(pod)).cloned().collect();
        let (new, old): (Vec<_>, Vec<_>) = living.into_iter().partition(|pod| self.is_new(pod, &hash));
        let ready = |pods: &[Arc<Value>]| count(pods, |pod| condition(pod, "Ready"));
        let (has_new, has_old) = (count(&new, |_| true), count(&old, |_| true));
        let rolling = &spec["strategy"]["rollingUpdate"];
        let recreate = spec["strategy"]["type"] == "Recreate";
        let surge = part(&rolling["maxSurge"], replicas, true);
        let missing = part(&rolling["maxUnavailable"], replicas, false);
        let missing = if surge == 0 && missing == 0 { 1 } else { missing };
        let leaving = count(&self.pods, is_deleted);
        let room = match recreate {
            true if has_old + leaving > 0 => 0,
            true => replicas - has_new,
            false => (replicas + surge - has_new - has_old).min(replicas - has_new),
        };
        if self.may_start() {
            for _ in 0..room.max(0) {
                let suffix = self.account.draw_hex(5);
                let name = format!("{}-{hash}-{suffix}", meta(self.object, "name"));
                self.start(&name, |_| {});
            }
        }
        for pod in new.iter().take(usize::try_from(has_new - replicas).unwrap_or(0)) {
            self.stop(pod);
        }
        // Old ones that are not ready serve nobody; of the others so many as may be missing.
        let spare = if recreate { has_old } else { ready(&new) + ready(&old) - (replicas - missing) };
        let (serving, idle): (Vec<_>, Vec<_>) = old.iter().cloned().partition(|pod| condition(pod, "Ready"));
        for pod in idle.iter().chain(serving.iter().take(usize::try_from(spare).unwrap_or(0))) {
            self.stop(pod);
        }
        self.deployment_status(replicas, (has_new, ready(&new)), (has_old, ready(&old)), missing);
    }

    fn deployment_status(&mut self, replicas: i64, new: (i64, i64), old: (i64, i64), missing: i64) {
        let available = new.1 + old.1;
        let enough = available >= replicas - missing;
        let done = new.1 >= replicas && old.0 == 0;
        let (_, message) = self.waiting();
        let mut status = json!({
            "observedGeneration": self.object["metadata"]["generation"],
            "replicas": new.0 + old.0,
            "updatedReplicas": new.0,
            "readyReplicas": available,
            "availableReplicas": available,
            "unavailableReplicas": (replicas - available).max(0),
            "conditions": [
                self.condition("Available", enough, if enough { "MinimumReplicasAvailable" } else { "MinimumReplicasUnavailable" }, &message),
                self.condition("Progressing", true, if done { "NewReplicaSetAvailable" } else { "ReplicaSetUpdated" }, ""),
            ],
        });
        drop_zeros(&mut status);
        self.world.set_status(self.key, status);
        self.note(done);
    }

    /// A pod that waits, and why: what keeps the workload from being ready.
    fn waiting(&self) -> (bool, String) {
        for pod in self.pods.iter().filter(|pod| lives(pod) && !condition(pod, "Ready")) {
            let scheduled = &pod["status"]["conditions"][0];
            if scheduled["status"] == "False" && scheduled["reason"] == "Unschedulable" {
                let why = scheduled["message"].as_str().unwrap_or_default();
                return (true, format!("FailedScheduling: {why}"));
            }
        }
        (false, String::new())
    }

    fn condition(&self, kind: &str, holds: bool, reason: &str, message: &str) -> Value {
        let status = if holds { "True" } else { "False" };
        let before = self.object["status"]["conditions"].as_array().into_iter().flatten();
        let before = before.into_iter().find(|one| one["type"] == kind && one["status"] == status);
        let since =
            before.map_or_else(|| json!(iso_time(self.account.now_ms)), |one| one["lastTransitionTime"].clone());
        json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": if message.is_empty() { reason } else { message },
            "lastTransitionTime": since,
            "lastUpdateTime": since,
        })
    }

    /// Notes how long it took, once for each generation.
    fn note(&mut self, done: bool) {
        super::note(self.account, self.world, self.key, self.object, done);
    }

    fn stateful_set(&mut self) {
        let spec = &self.object["spec"];
        let hash = self.hash();
        let replicas = int(&spec["replicas"], 1);
        let parallel = spec["podManagementPolicy"] == "Parallel";
        let name = meta(self.object, "name").to_owned();
        let (mut ready, mut updated, mut has) = (0, 0, 0);
        let mut held = false;
        for ordinal in 0..replicas {
            let pod_name = format!("{name}-{ordinal}");
            let pod = self.pods.iter().find(|pod| meta(pod, "name") == pod_name).cloned();
            match pod {
                None if !held && self.may_start() => {
                    self.claims(ordinal);
                    self.start_ordinal(&pod_name, ordinal);
                    held = !parallel;
                }
                None => {}
                Some(pod) => {
                    has += 1;
                    let is_ready = condition(&pod, "Ready") && lives(&pod);
                    ready += i64::from(is_ready);
                    let new = self.is_new(&pod, &hash);
                    updated += i64::from(new);
                    // One after another, the next when this one is ready again.
                    if lives(&pod) && !new && !held {
                        self.stop(&pod);
                        held = true;
                    }
                    held |= !is_ready && !parallel;
                }
            }
        }
        let beyond = |pod: &Value| {
            let ordinal = meta(pod, "name").rsplit('-').next().and_then(|ordinal| ordinal.parse::<i64>().ok());
            ordinal.is_none_or(|ordinal| ordinal >= replicas)
        };
        for pod in self.pods.clone().iter().filter(|pod| lives(pod) && beyond(pod)) {
            self.stop(pod);
        }
        let done = ready == replicas && updated == replicas;
        let mut status = json!({
            "observedGeneration": self.object["metadata"]["generation"],
            "replicas": has,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "currentReplicas": updated,
            "updatedReplicas": updated,
            "currentRevision": format!("{name}-{hash}"),
            "updateRevision": format!("{name}-{hash}"),
            "collisionCount": 0,
        });
        drop_zeros(&mut status);
        status["replicas"] = json!(has);
        status["availableReplicas"] = json!(ready);
        self.world.set_status(self.key, status);
        self.note(done);
    }

    fn start_ordinal(&mut self, pod_name: &str, ordinal: i64) {
        let claims: Vec<Value> = self.object["spec"]["volumeClaimTemplates"].as_array().cloned().unwrap_or_default();
        let set = meta(self.object, "name").to_owned();
        let service = self.object["spec"]["serviceName"].clone();
        self.start(pod_name, |pod| {
            pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = json!(pod_name);
            pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] = json!(ordinal.to_string());
            pod["spec"]["hostname"] = json!(pod_name);
            if service.is_string() {
                pod["spec"]["subdomain"] = service;
            }
            for claim in &claims {
                let name = meta(claim, "name");
                let volume = json!({
                    "name": name,
                    "persistentVolumeClaim": {"claimName": format!("{name}-{set}-{ordinal}")},
                });
                match pod["spec"]["volumes"].as_array_mut() {
                    Some(volumes) => volumes.push(volume),
                    None => pod["spec"]["volumes"] = json!([volume]),
                }
            }
        });
    }

    /// The claims of one pod; they outlive it, and the set too unless it says otherwise.
    fn claims(&mut self, ordinal: i64) {
        let namespace = meta(self.object, "namespace").to_owned();
        let set = meta(self.object, "name").to_owned();
        for template in self.object["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
            let mut metadata = template["metadata"].clone();
            metadata["name"] = json!(format!("{}-{set}-{ordinal}", meta(template, "name")));
            let selector = &self.object["spec"]["selector"]["matchLabels"];
            for (key, value) in selector.as_object().into_iter().flatten() {
                metadata["labels"][key] = value.clone();
            }
            if self.object["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete" {
                metadata["ownerReferences"] = json!([{
                    "apiVersion": "apps/v1", "kind": "StatefulSet", "name": set, "uid": self.object["metadata"]["uid"],
                    "blockOwnerDeletion": true, "controller": true,
                }]);
            }
            let claim = json!({"metadata": metadata, "spec": template["spec"]});
            system(self.account, self.world, "PersistentVolumeClaim", &namespace, claim);
        }
    }

    fn daemon_set(&mut self) {
        let hash = self.hash();
        let spec = &self.object["spec"]["template"]["spec"];
        // The controller tolerates for them what has to do with the state of nodes.
        let mut tolerant = spec.clone();
        let everything = json!({"key": "node.kubernetes.io/unschedulable", "operator": "Exists"});
        match tolerant["tolerations"].as_array_mut() {
            Some(tolerations) => tolerations.push(everything),
            None => tolerant["tolerations"] = json!([everything]),
        }
        let nodes: Vec<String> = self
            .world
            .list("", "nodes", None)
            .iter()
            .filter(|node| selected(node, &tolerant) && untolerated(node, &tolerant).is_none())
            .map(|node| meta(node, "name").to_owned())
            .collect();
        let on = |pod: &Value, node: &str| pod["metadata"]["annotations"]["rehearsal/node"] == node;
        let (mut ready, mut updated, mut current) = (0, 0, 0);
        let mut rolling = 0;
        for node in &nodes {
            let pod = self.pods.iter().find(|pod| on(pod, node) && !is_over(pod)).cloned();
            match pod {
                None if self.may_start() => self.start_on(node),
                None => {}
                Some(pod) => {
                    current += 1;
                    let is_ready = condition(&pod, "Ready") && lives(&pod);
                    ready += i64::from(is_ready);
                    let new = self.is_new(&pod, &hash);
                    updated += i64::from(new);
                    if !new && lives(&pod) && rolling == 0 {
                        self.stop(&pod);
                    }
                    rolling += i64::from(!new || !is_ready);
                }
            }
        }
        for pod in self.pods.clone().iter().filter(|pod| lives(pod) && !nodes.iter().any(|node| on(pod, node))) {
            self.stop(pod);
        }
        let wanted = i64::try_from(nodes.len()).unwrap_or(i64::MAX);
        let mut status = json!({
            "observedGeneration": self.object["metadata"]["generation"],
            "currentNumberScheduled": current,
            "desiredNumberScheduled": wanted,
            "numberMisscheduled": 0,
            "numberReady": ready,
            "updatedNumberScheduled": updated,
            "numberAvailable": ready,
            "numberUnavailable": wanted - ready,
        });
        for field in ["updatedNumberScheduled", "numberAvailable", "numberUnavailable"] {
            if status[field] == 0 {
                status.as_object_mut().map(|status| status.shift_remove(field));
            }
        }
        self.world.set_status(self.key, status);
        self.note(ready == wanted && updated == wanted);
    }

    fn start_on(&mut self, node: &str) {
        let suffix = self.account.draw_hex(5);
        let name = format!("{}-{suffix}", meta(self.object, "name"));
        let term = json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]});
        self.start(&name, |pod| {
            pod["metadata"]["annotations"]["rehearsal/node"] = json!(node);
            pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
                json!({"nodeSelectorTerms": [term]});
            let tolerated =
                ["not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"];
            for key in tolerated {
                let toleration = json!({"key": format!("node.kubernetes.io/{key}"), "operator": "Exists"});
                match pod["spec"]["tolerations"].as_array_mut() {
                    Some(tolerations) => tolerations.push(toleration),
                    None => pod["spec"]["tolerations"] = json!([toleration]),
                }
            }
        });
    }

    fn job(&mut self) {
        let spec = &self.object["spec"];
        if condition(self.object, "Complete") || condition(self.object, "Failed") || spec["suspend"] == true {
            return;
        }
        let completions = int(&spec["completions"], 1);
        let parallelism = int(&spec["parallelism"], 1);
        let succeeded = count(&self.pods, |pod| pod["status"]["phase"] == "Succeeded");
        let active = count(&self.pods, lives);
        if self.may_start() {
            for _ in 0..parallelism.min(completions - succeeded - active).max(0) {
                let suffix = self.account.draw_hex(5);
                let name = format!("{}-{suffix}", meta(self.object, "name"));
                self.start(&name, |_| {});
            }
        }
        let done = succeeded >= completions;
        let ready = count(&self.pods, |pod| lives(pod) && condition(pod, "Ready"));
        let began = match &self.object["status"]["startTime"] {
            Value::Null => json!(iso_time(self.account.now_ms)),
            began => began.clone(),
        };
        let mut status = json!({
            "startTime": began, "active": active, "ready": ready, "succeeded": succeeded, "terminating": 0,
        });
        drop_zeros(&mut status);
        if done {
            status["completionTime"] = json!(iso_time(self.account.now_ms));
            status["conditions"] = json!([
                self.condition(
                    "SuccessCriteriaMet",
                    true,
                    "CompletionsReached",
                    "Reached expected number of succeeded pods"
                ),
                self.condition("Complete", true, "CompletionsReached", "Reached expected number of succeeded pods"),
            ]);
        }
        self.world.set_status(self.key, status);
        self.note(done);
    }
}

/// Go leaves out a number that is zero.
fn drop_zeros(status: &mut Value) {
    if let Some(status) = status.as_object_mut() {
        status.retain(|name, value| *value != json!(0) || name == "collisionCount");
    }
}

/// Is a Deployment of this name available anywhere? What runs, by a part of its image.
pub(super) fn runs(world: &World, image: &str) -> bool {
    let of = |object: &Value| {
        let containers = object["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten();
        containers.into_iter().any(|container| container["image"].as_str().is_some_and(|found| found.contains(image)))
    };
    let resource = Resource::named("Deployment");
    let deployments = resource.map(|kind| world.list(&kind.group, &kind.plural, None)).unwrap_or_default();
    deployments.iter().any(|object| {
        of(object) && condition(object, "Available") && int(&object["status"]["availableReplicas"], 0) > 0
    })
}
