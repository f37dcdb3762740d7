//! What a Prometheus and a Grafana of the user's own are told of the platform: dashboards, and whom
//! to ask for metrics.

mod cost;
mod health;
mod panels;
#[cfg(test)]
mod tests;

use rayplat_engine::{stack::StackError, urn::Urn};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Inside;
use crate::{
    kubernetes::object::Plain,
    platform::manifest::{Resolved, types::Monitoring},
};

/// The label that the sidecar of Grafana's chart looks for, kube-prometheus-stack's too.
/// Source: github.com/grafana-community/helm-charts, `charts/grafana/README.md`, `sidecar.dashboards.label`
const SIDECAR: &str = "grafana_dashboard";

/// The port of Ray's metrics, by name: head and workers have it.
/// Source: <https://docs.ray.io/en/latest/cluster/kubernetes/k8s-ecosystem/prometheus-grafana.html>
const PORT: &str = "metrics";

/// Adds what the manifest asks for; `ray` is the namespace of Ray, if there is one.
pub(super) fn build(inside: &mut Inside<'_, '_>, ray: Option<&Urn>) -> Result<(), StackError> {
    // A namespace that the manifest names is not the platform's, and stands.
    let ray = ray.filter(|_| inside.builder.manifest.monitoring.namespace.is_none());
    for object in objects(inside.builder.manifest) {
        let added = inside.add::<Plain>(object)?;
        ray.map_or(Ok(()), |ray| inside.builder.stack.after(&added.urn, ray))?;
    }
    Ok(())
}

/// Grafana's identities have 40 characters at most.
fn short(name: &str) -> String {
    hex::encode(&Sha256::digest(name)[..6])
}

fn objects(manifest: &Resolved) -> Vec<Value> {
    let spec = &manifest.monitoring;
    let ray = manifest.ray.as_ref().map(|ray| ray.namespace.as_str());
    let Some(namespace) = spec.namespace.as_deref().or(ray) else { return Vec::new() };
    let mut objects = Vec::new();
    if spec.dashboards {
        objects.push(dashboard(spec, namespace, "rayplat-health", &health::dashboard(manifest)));
        objects.push(dashboard(spec, namespace, "rayplat-cost", &cost::dashboard(manifest)));
    }
    if let Some(ray) = ray.filter(|_| spec.pod_monitors) {
        objects.extend(["head", "worker"].map(|kind| pod_monitor(spec, namespace, ray, kind)));
    }
    objects
}

fn dashboard(spec: &Monitoring, namespace: &str, name: &str, model: &Value) -> Value {
    let mut labels = json!(spec.labels);
    labels[SIDECAR] = json!("1");
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        // The sidecar writes a file of this name beside all others.
        "data": {format!("{name}.json"): model.to_string()},
    })
}

/// Source: <https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.PodMonitor>
fn pod_monitor(spec: &Monitoring, namespace: &str, ray: &str, kind: &str) -> Value {
    let from = |label: &str, to: &str| json!({"action": "replace", "sourceLabels": [format!("__meta_kubernetes_pod_label_{label}")], "targetLabel": to});
    json!({
        "apiVersion": "monitoring.coreos.com/v1", "kind": "PodMonitor",
        "metadata": {"name": format!("rayplat-ray-{kind}"), "namespace": namespace, "labels": spec.labels},
        "spec": {
            "jobLabel": "ray.io/node-type",
            "namespaceSelector": {"matchNames": [ray]},
            "selector": {"matchLabels": {"ray.io/node-type": kind}},
            "podMetricsEndpoints": [{
                "port": PORT,
                "interval": "30s",
                "relabelings": [from("ray_io_cluster", "ray_io_cluster"), from("ray_io_group", "ray_io_group")],
            }],
        },
    })
}
