//! What the server refuses in objects of built-in kinds.
//! Source: Kubernetes, `pkg/apis/*/validation/validation.go`, and apimachinery's `pkg/util/validation`.

use serde_json::{Value, json};

use super::{kinds::Resource, selectors, status::Wrong, world::meta};

/// All annotations of an object together.
/// Source: apimachinery, `pkg/api/validation/objectmeta.go`.
const MAX_ANNOTATIONS: usize = 256 * 1024;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SERVICE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().zip(bytes.last()).is_some_and(|(first, last)| plain(*first) && plain(*last));
    ends && bytes.iter().all(|byte| plain(*byte) || *byte == b'-')
}

fn is_label_value(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = bytes
        .first()
        .zip(bytes.last())
        .is_none_or(|(first, last)| first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric());
    ends && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// Name, labels and annotations.
pub(super) fn metadata(resource: &Resource, object: &Value) -> Vec<Wrong> {
    let name = meta(object, "name");
    let mut wrong = Vec::new();
    let rule = match resource.kind.as_str() {
        _ if resource.group == "rbac.authorization.k8s.io" => {
            (name.contains('/') || name.contains('%')).then_some("may not contain '/'")
        }
        "Namespace" => (!is_label(name)).then_some(LABEL),
        "Service" => (!is_label(name) || name.starts_with(|first: char| first.is_ascii_digit())).then_some(SERVICE),
        _ => (!name.split('.').all(is_label)).then_some(SUBDOMAIN),
    };
    wrong.extend(rule.map(|rule| Wrong::invalid("metadata.name", &json!(name), rule)));
    let most = if matches!(resource.kind.as_str(), "Namespace" | "Service") { 63 } else { 253 };
    if name.len() > most {
        let rule = format!("must be no more than {most} bytes");
        wrong.push(Wrong::invalid("metadata.name", &json!(name), &rule));
    }
    for (_, value) in object["metadata"]["labels"].as_object().into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            wrong.push(Wrong::invalid("metadata.labels", value, "must be no more than 63 bytes"));
        }
        if !is_label_value(text) {
            wrong.push(Wrong::invalid("metadata.labels", value, LABEL_VALUE));
        }
    }
    let annotations = object["metadata"]["annotations"].as_object().into_iter().flatten();
    let bytes: usize = annotations.map(|(key, value)| key.len() + value.as_str().unwrap_or_default().len()).sum();
    if bytes > MAX_ANNOTATIONS {
        wrong.push(Wrong::too_long("metadata.annotations", MAX_ANNOTATIONS));
    }
    wrong
}

/// The rules of the kind.
pub(super) fn built_in(resource: &Resource, object: &Value, live: Option<&Value>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    match resource.kind.as_str() {
        kind @ ("Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet") => workload(kind, object, live, &mut wrong),
        "Job" => {
            pods(&object["spec"]["template"]["spec"], &Value::Null, "spec.template.spec", &mut wrong);
            if live.is_some_and(|live| live["spec"]["template"] != object["spec"]["template"]) {
                wrong.push(Wrong::immutable("spec.template", &object["spec"]["template"]));
            }
        }
        "Pod" => pods(&object["spec"], &Value::Null, "spec", &mut wrong),
        "Service" => service(object, live, &mut wrong),
        "RoleBinding" | "ClusterRoleBinding" if live.is_some_and(|live| live["roleRef"] != object["roleRef"]) => {
            let role = &object["roleRef"];
            let shown = json!({"APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"]});
            wrong.push(Wrong::invalid("roleRef", &shown, "cannot change roleRef"));
        }
        "StorageClass" => storage_class(object, live, &mut wrong),
        "PersistentVolumeClaim" => claim(object, live, &mut wrong),
        "CustomResourceDefinition" => definition(object, live, &mut wrong),
        "Secret" | "ConfigMap" => {
            if let Some(live) = live.filter(|live| live["immutable"] == true) {
                for field in ["data", "binaryData", "immutable"] {
                    if live[field] != object[field] {
                        wrong.push(Wrong::forbidden(field, "field is immutable when `immutable` is set"));
                    }
                }
            }
            if live.is_some_and(|live| resource.kind == "Secret" && live["type"] != object["type"]) {
                wrong.push(Wrong::immutable("type", &object["type"]));
            }
        }
        "PriorityClass" if live.is_some_and(|live| live["value"] != object["value"]) => {
            wrong.push(Wrong::forbidden("value", "may not be changed in an update."));
        }
        _ => {}
    }
    wrong
}

fn workload(kind: &str, object: &Value, live: Option<&Value>, wrong: &mut Vec<Wrong>) {
    let spec = &object["spec"];
    let labels = &spec["template"]["metadata"]["labels"];
    let selector = &spec["selector"];
    let is_empty = selector.as_object().is_none_or(serde_json::Map::is_empty);
    if selector.is_null() {
        wrong.push(Wrong::required("spec.selector", ""));
    } else if is_empty {
        wrong.push(Wrong::invalid("spec.selector", selector, "empty selector is invalid for deployment"));
    } else if !selectors::label_selector(selector, labels) {
        let why = "`selector` does not match template `labels`";
        wrong.push(Wrong::invalid("spec.template.metadata.labels", labels, why));
    }
    pods(&spec["template"]["spec"], &spec["volumeClaimTemplates"], "spec.template.spec", wrong);
    let Some(live) = live else { return };
    if kind == "StatefulSet" {
        let changeable = [
            "replicas",
            "ordinals",
            "template",
            "updateStrategy",
            "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy",
            "minReadySeconds",
        ];
        let fixed = |spec: &Value| {
            let mut spec = spec.clone();
            for field in changeable {
                spec.as_object_mut().map(|fields| fields.shift_remove(field));
            }
            spec
        };
        if fixed(&live["spec"]) != fixed(spec) {
            wrong.push(Wrong::forbidden(
                "spec",
                "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
            ));
        }
    } else if live["spec"]["selector"] != *selector {
        wrong.push(Wrong::immutable("spec.selector", selector));
    }
}

/// `claims` are volumes that a StatefulSet gives to each of its pods.
fn pods(spec: &Value, claims: &Value, place: &str, wrong: &mut Vec<Wrong>) {
    let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() {
        wrong.push(Wrong::required(&format!("{place}.containers"), ""));
    }
    let claims = claims.as_array().into_iter().flatten().map(|claim| &claim["metadata"]["name"]);
    let volumes = spec["volumes"].as_array().into_iter().flatten().map(|volume| &volume["name"]);
    let volumes: Vec<&Value> = volumes.chain(claims).collect();
    for (index, container) in containers.iter().enumerate() {
        let place = format!("{place}.containers[{index}]");
        let name = container["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            wrong.push(Wrong::required(&format!("{place}.name"), ""));
        } else if !is_label(name) {
            wrong.push(Wrong::invalid(&format!("{place}.name"), &json!(name), LABEL));
        }
        if container["image"].as_str().unwrap_or_default().is_empty() {
            wrong.push(Wrong::required(&format!("{place}.image"), ""));
        }
        for (at, mount) in container["volumeMounts"].as_array().into_iter().flatten().enumerate() {
            if !volumes.contains(&&mount["name"]) {
                let place = format!("{place}.volumeMounts[{at}].name");
                wrong.push(Wrong::not_found(&place, &mount["name"]));
            }
        }
        let resources = &container["resources"];
        for (name, request) in resources["requests"].as_object().into_iter().flatten() {
            let (request_is, limit_is) =
                (super::quantity::millis(request), super::quantity::millis(&resources["limits"][name.as_str()]));
            if request_is.zip(limit_is).is_some_and(|(request, limit)| request > limit) {
                let limit = resources["limits"][name.as_str()].as_str().unwrap_or_default();
                let why = format!("must be less than or equal to {name} limit of {limit}");
                wrong.push(Wrong::invalid(&format!("{place}.resources.requests"), request, &why));
            }
        }
    }
}

fn service(object: &Value, live: Option<&Value>, wrong: &mut Vec<Wrong>) {
    let spec = &object["spec"];
    let ports = spec["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let headless = spec["clusterIP"] == "None";
    if ports.is_empty() && !headless && spec["type"] != "ExternalName" {
        wrong.push(Wrong::required("spec.ports", ""));
    }
    if ports.len() > 1 {
        for (index, port) in ports.iter().enumerate() {
            if port["name"].as_str().unwrap_or_default().is_empty() {
                wrong.push(Wrong::required(&format!("spec.ports[{index}].name"), ""));
            }
        }
    }
    let Some(live) = live else { return };
    let kept = live["spec"]["type"] != "ExternalName" && spec["type"] != "ExternalName";
    if kept && live["spec"]["clusterIP"] != spec["clusterIP"] {
        wrong.push(Wrong::invalid("spec.clusterIPs[0]", &json!([spec["clusterIP"]]), "may not change once set"));
    }
}

fn storage_class(object: &Value, live: Option<&Value>, wrong: &mut Vec<Wrong>) {
    if object["provisioner"].as_str().unwrap_or_default().is_empty() {
        wrong.push(Wrong::required("provisioner", ""));
    }
    let Some(live) = live else { return };
    for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        if live[field] != object[field] {
            wrong.push(Wrong::immutable(field, &object[field]));
        }
    }
}

fn claim(object: &Value, live: Option<&Value>, wrong: &mut Vec<Wrong>) {
    let fixed = |object: &Value| {
        let mut spec = object["spec"].clone();
        for field in ["resources", "volumeName", "volumeAttributesClassName"] {
            spec.as_object_mut().map(|fields| fields.shift_remove(field));
        }
        spec
    };
    let Some(live) = live else {
        if object["spec"]["accessModes"].as_array().is_none_or(Vec::is_empty) {
            wrong.push(Wrong::required("spec.accessModes", "at least 1 access mode is required"));
        }
        return;
    };
    if fixed(live) != fixed(object) {
        wrong.push(Wrong::forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        ));
    }
    let size = |object: &Value| super::quantity::millis(&object["spec"]["resources"]["requests"]["storage"]);
    if live["status"]["phase"] == "Bound" && size(object) < size(live) {
        wrong.push(Wrong::forbidden("spec.resources.requests.storage", "field can not be less than status.capacity"));
    }
}

fn definition(object: &Value, live: Option<&Value>, wrong: &mut Vec<Wrong>) {
    let spec = &object["spec"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let expected = format!("{}.{}", text(&spec["names"]["plural"]), text(&spec["group"]));
    if meta(object, "name") != expected {
        let why = "must be spec.names.plural+\".\"+spec.group";
        wrong.push(Wrong::invalid("metadata.name", &object["metadata"]["name"], why));
    }
    let versions = spec["versions"].as_array().map(Vec::as_slice).unwrap_or_default();
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        wrong.push(Wrong::invalid("spec.versions", &json!(versions.len()), why));
    }
    for (index, version) in versions.iter().enumerate() {
        if !version["schema"]["openAPIV3Schema"].is_object() {
            let place = format!("spec.versions[{index}].schema.openAPIV3Schema");
            wrong.push(Wrong::required(&place, "schemas are required"));
        }
    }
    if live.is_some_and(|live| live["spec"]["scope"] != spec["scope"]) {
        wrong.push(Wrong::immutable("spec.scope", &spec["scope"]));
    }
}
