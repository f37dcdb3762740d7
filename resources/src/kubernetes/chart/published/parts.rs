//! What outlines are made of.

use serde_json::{Map, Value, json};

use crate::kubernetes::chart::ChartSpec;

/// Labels that charts give to all that they make.
pub(super) fn labels(spec: &ChartSpec, name: &str) -> Value {
    json!({
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": spec.name,
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": format!("{}-{}", spec.chart, spec.version),
    })
}

/// Labels by which a workload finds its pods.
pub(super) fn selector(spec: &ChartSpec, name: &str) -> Value {
    json!({"app.kubernetes.io/name": name, "app.kubernetes.io/instance": spec.name})
}

/// One map with what another has more.
pub(super) fn merged(first: &Value, more: &Value) -> Value {
    let mut map = first.as_object().cloned().unwrap_or_default();
    map.extend(more.as_object().cloned().unwrap_or_default());
    Value::Object(map)
}

pub(super) fn object(api_version: &str, kind: &str, name: &str, labels: &Value, more: Value) -> Value {
    let base = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": labels}});
    merged(&base, &more)
}

pub(super) fn account(name: &str, labels: &Value, annotations: &Value) -> Value {
    let mut account = object("v1", "ServiceAccount", name, labels, json!({}));
    if annotations.as_object().is_some_and(|map| !map.is_empty()) {
        account["metadata"]["annotations"] = annotations.clone();
    }
    account
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";

pub(super) fn role(kind: &str, name: &str, labels: &Value, rules: &[(&str, &[&str], &[&str])]) -> Value {
    let rules: Vec<_> = rules
        .iter()
        .map(|(group, resources, verbs)| json!({"apiGroups": [group], "resources": resources, "verbs": verbs}))
        .collect();
    object(RBAC, kind, name, labels, json!({"rules": rules}))
}

/// A binding of a role to an account of the chart.
pub(super) fn binding(spec: &ChartSpec, name: &str, labels: &Value, role: (&str, &str), account: &str) -> Value {
    let kind = if role.0 == "Role" { "RoleBinding" } else { "ClusterRoleBinding" };
    object(
        RBAC,
        kind,
        name,
        labels,
        json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role.0, "name": role.1},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": spec.namespace}],
        }),
    )
}

/// A CRD whose objects may hold anything: what the real one would refuse is not refused.
pub(super) fn crd(group: &str, kind: &str, plural: &str, versions: &[&str]) -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let versions: Vec<_> = versions
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let mut version = json!({"name": name, "served": true, "storage": at == 0, "schema": schema});
            version["subresources"] = json!({"status": {}});
            version
        })
        .collect();
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase()},
            "scope": "Namespaced",
            "versions": versions,
        },
    })
}

pub(super) fn service(name: &str, labels: &Value, selector: &Value, port: (&str, u16)) -> Value {
    let ports = json!([{"name": port.0, "port": port.1, "targetPort": port.0, "protocol": "TCP"}]);
    object("v1", "Service", name, labels, json!({"spec": {"type": "ClusterIP", "ports": ports, "selector": selector}}))
}

pub(super) fn budget(name: &str, labels: &Value, selector: &Value) -> Value {
    let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": selector}});
    object("policy/v1", "PodDisruptionBudget", name, labels, json!({"spec": spec}))
}

/// A workload: `selector` finds its pods, and is among their labels.
pub(super) fn workload(kind: &str, name: &str, labels: &Value, selector: &Value, replicas: u64, pod: Value) -> Value {
    let mut spec = json!({
        "selector": {"matchLabels": selector},
        "template": {"metadata": {"labels": selector}, "spec": pod},
    });
    if kind == "Deployment" {
        spec["replicas"] = replicas.into();
    }
    object("apps/v1", kind, name, labels, json!({"spec": spec}))
}

/// The members that have something in them.
pub(super) fn some(entries: &[(&str, &Value)]) -> Value {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    };
    let map: Map<_, _> = entries
        .iter()
        .filter(|(_, value)| !empty(value))
        .map(|(key, value)| ((*key).to_owned(), (*value).clone()))
        .collect();
    Value::Object(map)
}
