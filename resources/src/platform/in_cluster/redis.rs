//! A Redis of the platform's own: it keeps what the Ray head knows, so that the cluster
//! outlives its head.
//!
//! One replica has no PodDisruptionBudget: any budget would either block every drain or do
//! nothing. While Redis moves to another node, the head waits for it.
//! Source: <https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/kuberay-gcs-ft.html>

use std::collections::BTreeMap;

use rayplat_engine::{stack::StackError, urn::Urn};
use serde_json::{Value, json};

use super::{Inside, pods};
use crate::kubernetes::{
    generated_secret::{GeneratedSecret, GeneratedSecretArgs},
    object::{Plain, Workload},
};

/// The last line under the BSD licence; multi-architecture.
const IMAGE: &str = "redis:7.2.11-alpine";

/// Name of everything here.
pub(super) const NAME: &str = "ray-redis";

/// The key of the password in the Secret.
pub(super) const PASSWORD: &str = "password";

/// Adds it; what Ray waits for.
pub(super) fn build(inside: &mut Inside<'_, '_>, namespace: &Urn, in_namespace: &str) -> Result<Vec<Urn>, StackError> {
    let labels = json!({"app.kubernetes.io/name": NAME});
    let storage_gb = inside.builder.manifest.ray.as_ref().map_or(5, |ray| ray.fault_tolerance.storage_gb);
    let secret = inside.builder.stack.add::<GeneratedSecret>(
        &format!("{in_namespace}/{NAME}"),
        GeneratedSecretArgs {
            cluster: inside.access.clone(),
            namespace: in_namespace.into(),
            name: NAME.into(),
            labels: BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), "rayplat".to_owned())]).into(),
            keys: BTreeMap::from([(PASSWORD.to_owned(), 40)]).into(),
        },
    )?;
    inside.builder.stack.after(&secret.urn, namespace)?;
    let service = inside.add::<Plain>(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": NAME, "namespace": in_namespace, "labels": labels},
        "spec": {
            "clusterIP": "None", "selector": labels,
            "ports": [{"name": "redis", "port": 6379, "protocol": "TCP", "targetPort": "redis"}],
        },
    }))?;
    inside.builder.stack.after(&service.urn, namespace)?;
    let redis = inside.add::<Workload>(stateful_set(in_namespace, &labels, storage_gb))?;
    for other in [namespace, &secret.urn, &service.urn] {
        inside.builder.stack.after(&redis.urn, other)?;
    }
    inside.has_pods(&redis.urn)?;
    inside.has_volumes(&redis.urn)?;
    Ok(vec![secret.urn, service.urn, redis.urn])
}

fn stateful_set(namespace: &str, labels: &Value, storage_gb: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": {"name": NAME, "namespace": namespace, "labels": labels},
        "spec": {
            "serviceName": NAME, "replicas": 1, "selector": {"matchLabels": labels},
            // The volume goes with Redis: without its head's cluster it is worth nothing.
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
            "template": {"metadata": {"labels": labels}, "spec": pod()},
            "volumeClaimTemplates": [{
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"], "storageClassName": "gp3",
                    "resources": {"requests": {"storage": format!("{storage_gb}Gi")}},
                },
            }],
        },
    })
}

fn pod() -> Value {
    let answers = json!({"exec": {"command": ["sh", "-c", "redis-cli ping | grep -q PONG"]}, "periodSeconds": 5, "timeoutSeconds": 3});
    json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {"runAsUser": 999, "runAsGroup": 1000, "fsGroup": 1000, "fsGroupChangePolicy": "OnRootMismatch"},
        // Spot nodes would take it away with two minutes' notice.
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 100,
            "preference": {"matchExpressions": [{"key": "rayplat.io/capacity", "operator": "In", "values": ["on-demand"]}]},
        }]}},
        "containers": [{
            "name": "redis", "image": IMAGE, "imagePullPolicy": "IfNotPresent",
            // Every write is on the disk before it is answered: the head trusts it.
            "command": ["redis-server", "--requirepass", "$(REDISCLI_AUTH)", "--dir", "/data",
                "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory", "384mb", "--maxmemory-policy", "noeviction"],
            "env": [{"name": "REDISCLI_AUTH", "valueFrom": {"secretKeyRef": {"name": NAME, "key": PASSWORD}}}],
            "ports": [{"name": "redis", "containerPort": 6379, "protocol": "TCP"}],
            "resources": {
                "requests": {"cpu": "100m", "memory": "512Mi", "ephemeral-storage": "100Mi"},
                "limits": {"cpu": "1", "memory": "512Mi", "ephemeral-storage": "1Gi"},
            },
            "readinessProbe": answers,
            "livenessProbe": {"tcpSocket": {"port": "redis"}, "initialDelaySeconds": 30, "periodSeconds": 10, "failureThreshold": 6},
            "securityContext": pods::restricted(true),
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }],
    })
}
