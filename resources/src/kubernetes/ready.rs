//! When an object serves, by kind. What is read here is the status that its controller writes
//! for the generation that was applied; an older one says nothing.

use serde_json::Value;

/// How far an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It serves.
    Ready,
    /// Not yet; what it waits for.
    Pending(String),
    /// It will not by itself; why.
    Failed(String),
}

use Readiness::{Failed, Pending, Ready};

/// How far a live object is. A kind without a life of its own is ready once it is there.
pub(super) fn readiness(live: &Value) -> Readiness {
    match live["kind"].as_str().unwrap_or_default() {
        "Deployment" => deployment(live),
        "DaemonSet" => daemon_set(live),
        "StatefulSet" => stateful_set(live),
        "Job" => job(live),
        "Pod" => pod(live),
        "CustomResourceDefinition" => definition(live),
        "APIService" => by_condition(live, "Available"),
        "PersistentVolumeClaim" => claim(live),
        "Namespace" => namespace(live),
        "Service" => service(live),
        "RayCluster" if of_ray(live) => ray_cluster(live),
        "RayService" if of_ray(live) => ray_service(live),
        "RayJob" if of_ray(live) => ray_job(live),
        _ => Ready,
    }
}

fn of_ray(live: &Value) -> bool {
    live["apiVersion"].as_str().is_some_and(|version| version.starts_with("ray.io/"))
}

fn count(live: &Value, pointer: &str) -> u64 {
    live.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}

/// A controller has seen what was applied.
fn seen(live: &Value) -> bool {
    live.pointer("/status/observedGeneration").and_then(Value::as_u64)
        >= live.pointer("/metadata/generation").and_then(Value::as_u64)
}

fn condition<'a>(live: &'a Value, kind: &str) -> Option<&'a Value> {
    live.pointer("/status/conditions")?.as_array()?.iter().find(|condition| condition["type"] == kind)
}

pub(super) fn holds(live: &Value, kind: &str) -> bool {
    condition(live, kind).is_some_and(|condition| condition["status"] == "True")
}

/// What a condition says of itself.
fn says(condition: &Value) -> String {
    let text = |key: &str| condition[key].as_str().unwrap_or_default();
    match (text("reason"), text("message")) {
        (reason, "") => reason.to_owned(),
        ("", message) => message.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

fn by_condition(live: &Value, kind: &str) -> Readiness {
    match condition(live, kind) {
        Some(condition) if condition["status"] == "True" => Ready,
        Some(condition) => Pending(says(condition)),
        None => Pending(format!("not {kind} yet")),
    }
}

fn of(have: u64, want: u64, what: &str) -> String {
    format!("{have} of {want} {what}")
}

fn deployment(live: &Value) -> Readiness {
    if !seen(live) {
        return Pending("not looked at yet".to_owned());
    }
    if let Some(stuck) =
        condition(live, "Progressing").filter(|progress| progress["reason"] == "ProgressDeadlineExceeded")
    {
        return Failed(says(stuck));
    }
    let want = live.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let (updated, available) = (count(live, "/status/updatedReplicas"), count(live, "/status/availableReplicas"));
    match () {
        () if updated < want => Pending(of(updated, want, "pods of the new version")),
        () if count(live, "/status/replicas") > updated => {
            Pending("pods of the old version are still there".to_owned())
        }
        () if available < want => Pending(of(available, want, "pods are available")),
        () => Ready,
    }
}

fn daemon_set(live: &Value) -> Readiness {
    if !seen(live) {
        return Pending("not looked at yet".to_owned());
    }
    let want = count(live, "/status/desiredNumberScheduled");
    let rolls = live.pointer("/spec/updateStrategy/type").and_then(Value::as_str) != Some("OnDelete");
    let updated = count(live, "/status/updatedNumberScheduled");
    let available = count(live, "/status/numberAvailable");
    match () {
        () if rolls && updated < want => Pending(of(updated, want, "nodes have the new version")),
        () if available < want => Pending(of(available, want, "nodes have it available")),
        () => Ready,
    }
}

fn stateful_set(live: &Value) -> Readiness {
    if !seen(live) {
        return Pending("not looked at yet".to_owned());
    }
    let want = live.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let (updated, ready) = (count(live, "/status/updatedReplicas"), count(live, "/status/readyReplicas"));
    let rolls = live.pointer("/spec/updateStrategy/type").and_then(Value::as_str) != Some("OnDelete");
    let moved = live.pointer("/status/currentRevision") == live.pointer("/status/updateRevision");
    match () {
        () if ready < want => Pending(of(ready, want, "pods are ready")),
        () if rolls && !moved && updated < want => Pending(of(updated, want, "pods of the new version")),
        () => Ready,
    }
}

fn job(live: &Value) -> Readiness {
    if let Some(failed) = condition(live, "Failed").filter(|failed| failed["status"] == "True") {
        return Failed(says(failed));
    }
    if holds(live, "Complete") {
        return Ready;
    }
    let want = live.pointer("/spec/completions").and_then(Value::as_u64).unwrap_or(1);
    Pending(of(count(live, "/status/succeeded"), want, "pods have succeeded"))
}

fn pod(live: &Value) -> Readiness {
    match live.pointer("/status/phase").and_then(Value::as_str) {
        Some("Succeeded") => Ready,
        Some("Failed") => {
            Failed(live.pointer("/status/message").and_then(Value::as_str).unwrap_or("it failed").to_owned())
        }
        _ => by_condition(live, "Ready"),
    }
}

fn definition(live: &Value) -> Readiness {
    if let Some(refused) = condition(live, "NamesAccepted").filter(|names| names["status"] == "False") {
        return Failed(says(refused));
    }
    by_condition(live, "Established")
}

/// A claim that waits for its first pod is as ready as it can be.
fn claim(live: &Value) -> Readiness {
    match live.pointer("/status/phase").and_then(Value::as_str) {
        Some("Lost") => Failed("its volume is lost".to_owned()),
        _ => Ready,
    }
}

fn namespace(live: &Value) -> Readiness {
    match live.pointer("/status/phase").and_then(Value::as_str) {
        Some("Terminating") => Pending("it is being deleted".to_owned()),
        _ => Ready,
    }
}

fn service(live: &Value) -> Readiness {
    let balanced = live.pointer("/spec/type").and_then(Value::as_str) == Some("LoadBalancer");
    let address = live.pointer("/status/loadBalancer/ingress/0");
    if balanced && address.is_none() { Pending("it has no load balancer yet".to_owned()) } else { Ready }
}

/// Source: KubeRay `apis/ray/v1/raycluster_types.go` (`ClusterState`, conditions).
fn ray_cluster(live: &Value) -> Readiness {
    if !seen(live) {
        return Pending("the operator has not looked at it yet".to_owned());
    }
    match live.pointer("/status/state").and_then(Value::as_str) {
        Some("ready") => {
            let (have, want) =
                (count(live, "/status/availableWorkerReplicas"), count(live, "/status/desiredWorkerReplicas"));
            if have < want { Pending(of(have, want, "workers are ready")) } else { Ready }
        }
        Some("suspended") => Ready,
        Some("failed") => Failed(reason(live)),
        _ => match condition(live, "HeadPodReady").filter(|head| head["status"] != "True") {
            Some(head) => Pending(format!("head: {}", says(head))),
            None => {
                let (have, want) =
                    (count(live, "/status/availableWorkerReplicas"), count(live, "/status/desiredWorkerReplicas"));
                Pending(of(have, want, "workers are ready"))
            }
        },
    }
}

fn reason(live: &Value) -> String {
    live.pointer("/status/reason").and_then(Value::as_str).unwrap_or("the operator gives no reason").to_owned()
}

/// Source: KubeRay `apis/ray/v1/rayservice_types.go` (condition `Ready`).
fn ray_service(live: &Value) -> Readiness {
    if !seen(live) {
        return Pending("the operator has not looked at it yet".to_owned());
    }
    by_condition(live, "Ready")
}

/// Source: KubeRay `apis/ray/v1/rayjob_types.go` (`JobDeploymentStatus`).
fn ray_job(live: &Value) -> Readiness {
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match text("/status/jobDeploymentStatus") {
        "Complete" | "Suspended" => Ready,
        "Failed" => Failed(format!("{}: {}", text("/status/reason"), text("/status/message"))),
        "" => Pending("the operator has not looked at it yet".to_owned()),
        status => Pending(status.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pending(text: &str) -> Readiness {
        Pending(text.to_owned())
    }

    #[test]
    fn a_deployment_is_ready_when_all_its_new_pods_are_available() {
        let with = |status: Value| json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status});
        let cases = [
            (
                json!({"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 2}),
                pending("not looked at yet"),
            ),
            (json!({"observedGeneration": 2, "updatedReplicas": 1}), pending("1 of 2 pods of the new version")),
            (
                json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}),
                pending("pods of the old version are still there"),
            ),
            (
                json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}),
                pending("1 of 2 pods are available"),
            ),
            (json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}), Ready),
            (
                json!({"observedGeneration": 2, "conditions": [
                    {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "timed out"},
                ]}),
                Failed("ProgressDeadlineExceeded: timed out".to_owned()),
            ),
        ];
        for (status, expected) in cases {
            assert_eq!(readiness(&with(status.clone())), expected, "{status}");
        }
        assert_eq!(
            readiness(&json!({"kind": "Deployment", "metadata": {"generation": 1}})),
            pending("not looked at yet")
        );
    }

    #[test]
    fn others() {
        let cases = [
            (json!({"kind": "ConfigMap"}), Ready),
            (json!({"kind": "CustomResourceDefinition"}), pending("not Established yet")),
            (
                json!({"kind": "CustomResourceDefinition", "status": {"conditions": [{"type": "Established", "status": "True"}]}}),
                Ready,
            ),
            (
                json!({"kind": "Job", "status": {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}}),
                Failed("BackoffLimitExceeded".to_owned()),
            ),
            (json!({"kind": "Service", "spec": {"type": "LoadBalancer"}}), pending("it has no load balancer yet")),
            (json!({"kind": "Service", "spec": {"type": "ClusterIP"}}), Ready),
            (
                json!({"kind": "RayCluster", "apiVersion": "ray.io/v1", "metadata": {"generation": 1}, "status": {
                    "observedGeneration": 1, "state": "ready", "availableWorkerReplicas": 1, "desiredWorkerReplicas": 2}}),
                pending("1 of 2 workers are ready"),
            ),
            (json!({"kind": "RayCluster", "apiVersion": "other/v1"}), Ready),
            (
                json!({"kind": "DaemonSet", "metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 0}}),
                Ready,
            ),
        ];
        for (live, expected) in cases {
            assert_eq!(readiness(&live), expected, "{live}");
        }
    }
}
