//! What the server fills into pods and their templates.
//! Source: Kubernetes, `pkg/apis/core/v1/defaults.go`.

use serde_json::{Map, Value, json};

use super::quantity::canonical;

/// Sets a field that is not there.
pub(super) fn default(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.entry(field).or_insert(value);
    }
}

/// Quantities of `limits`, `requests` and their like.
pub(super) fn quantities(map: &mut Value) {
    for value in map.as_object_mut().into_iter().flat_map(Map::values_mut) {
        *value = canonical(value);
    }
}

/// The items of a list.
pub(super) fn each<'a>(object: &'a mut Value, list: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    object.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
}

/// A pod's spec, in a pod or in a template.
pub(super) fn pod_spec(spec: &mut Value) {
    if !spec.is_object() {
        return;
    }
    default(spec, "restartPolicy", json!("Always"));
    default(spec, "terminationGracePeriodSeconds", json!(30));
    default(spec, "dnsPolicy", json!("ClusterFirst"));
    default(spec, "securityContext", json!({}));
    default(spec, "schedulerName", json!("default-scheduler"));
    // The old name of the same field is always shown too.
    let account = spec.get("serviceAccountName").or_else(|| spec.get("serviceAccount")).cloned();
    if let Some(account) = account {
        spec["serviceAccountName"] = account.clone();
        spec["serviceAccount"] = account;
    }
    for list in ["initContainers", "containers"] {
        each(spec, list).for_each(container);
    }
    each(spec, "volumes").for_each(volume);
    if spec.get("overhead").is_some() {
        quantities(&mut spec["overhead"]);
    }
    // Nothing is what an empty list and a flag that is off are written as.
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|name, value| {
            let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
            let off = matches!(name.as_str(), "hostNetwork" | "hostPID" | "hostIPC") && *value == json!(false);
            !off && (!empty || matches!(name.as_str(), "securityContext" | "affinity"))
        });
    }
}

fn container(container: &mut Value) {
    let image = container["image"].as_str().unwrap_or_default();
    let name = image.rsplit('/').next().unwrap_or_default();
    let latest = !image.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    default(container, "terminationMessagePath", json!("/dev/termination-log"));
    default(container, "terminationMessagePolicy", json!("File"));
    default(container, "imagePullPolicy", json!(if latest { "Always" } else { "IfNotPresent" }));
    default(container, "resources", json!({}));
    for kind in ["limits", "requests"] {
        if let Some(map) = container["resources"].get_mut(kind) {
            quantities(map);
        }
    }
    each(container, "ports").for_each(|port| default(port, "protocol", json!("TCP")));
    for variable in each(container, "env") {
        if let Some(field) = variable.get_mut("valueFrom").and_then(|from| from.get_mut("fieldRef")) {
            default(field, "apiVersion", json!("v1"));
        }
        if let Some(field) = variable.get_mut("valueFrom").and_then(|from| from.get_mut("resourceFieldRef")) {
            default(field, "divisor", json!("0"));
        }
        // Go writes no empty text.
        if variable["value"] == "" {
            variable.as_object_mut().map(|fields| fields.shift_remove("value"));
        }
    }
    for kind in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(kind).filter(|probe| probe.is_object()) {
            for (field, value) in
                [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
            {
                default(probe, field, json!(value));
            }
            handler(probe);
        }
    }
    if let Some(lifecycle) = container.get_mut("lifecycle") {
        for kind in ["postStart", "preStop"] {
            lifecycle.get_mut(kind).into_iter().for_each(handler);
        }
    }
    if let Some(fields) = container.as_object_mut() {
        fields.retain(|name, value| {
            let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
            !empty || matches!(name.as_str(), "resources" | "securityContext")
        });
    }
}

fn handler(handler: &mut Value) {
    if let Some(get) = handler.get_mut("httpGet") {
        default(get, "path", json!("/"));
        default(get, "scheme", json!("HTTP"));
    }
    if let Some(call) = handler.get_mut("grpc") {
        default(call, "service", json!(""));
    }
}

fn volume(volume: &mut Value) {
    let sources = volume.as_object().map_or(0, Map::len);
    if sources <= 1 {
        default(volume, "emptyDir", json!({}));
    }
    for (kind, field, value) in [
        ("configMap", "defaultMode", json!(420)),
        ("secret", "defaultMode", json!(420)),
        ("projected", "defaultMode", json!(420)),
        ("downwardAPI", "defaultMode", json!(420)),
        ("hostPath", "type", json!("")),
    ] {
        if let Some(source) = volume.get_mut(kind) {
            default(source, field, value);
        }
    }
    if let Some(size) = volume.get_mut("emptyDir").and_then(|source| source.get_mut("sizeLimit")) {
        *size = canonical(size);
    }
    if let Some(projected) = volume.get_mut("projected") {
        for source in each(projected, "sources") {
            if let Some(token) = source.get_mut("serviceAccountToken") {
                default(token, "expirationSeconds", json!(3600));
            }
        }
    }
    if let Some(claim) = volume
        .get_mut("ephemeral")
        .and_then(|source| source.get_mut("volumeClaimTemplate"))
        .and_then(|it| it.get_mut("spec"))
    {
        claim_spec(claim);
    }
}

/// The spec of a claim for a volume.
pub(super) fn claim_spec(spec: &mut Value) {
    default(spec, "volumeMode", json!("Filesystem"));
    for kind in ["limits", "requests"] {
        if let Some(map) = spec.get_mut("resources").and_then(|resources| resources.get_mut(kind)) {
            quantities(map);
        }
    }
}
