//! What the server makes of objects of built-in kinds: defaults, canonical forms, addresses.
//! Source: Kubernetes, `pkg/apis/*/v1/defaults.go`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::{
    super::Account,
    kinds::Resource,
    pod_defaults::{claim_spec, default, each, pod_spec, quantities},
    world::{World, meta},
};

/// Fields that say nothing.
pub(super) fn strip_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(strip_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

/// Brings an object into the form in which the server keeps it.
pub(super) fn normalise(
    account: &mut Account,
    world: &World,
    resource: &Resource,
    object: &mut Value,
    live: Option<&Value>,
) {
    tidy_metadata(&mut object["metadata"]);
    match resource.kind.as_str() {
        "Deployment" | "StatefulSet" | "ReplicaSet" => workload(&resource.kind, object),
        "DaemonSet" => {
            workload(&resource.kind, object);
            template_generation(object, live);
        }
        "Job" => {
            let uid = meta(object, "uid").to_owned();
            let name = meta(object, "name").to_owned();
            job_spec(&mut object["spec"], Some((&uid, &name)));
            if object["metadata"]["labels"].is_null() {
                object["metadata"]["labels"] = object["spec"]["template"]["metadata"]["labels"].clone();
            }
        }
        "CronJob" => cron_job(&mut object["spec"]),
        "Pod" => pod(object, live),
        "Service" => service(account, world, object, live),
        "Secret" => secret(object),
        "Namespace" => namespace(object, live),
        "PersistentVolumeClaim" => {
            claim(world, object, live);
        }
        "PersistentVolume" => {
            let spec = &mut object["spec"];
            default(spec, "volumeMode", json!("Filesystem"));
            default(spec, "persistentVolumeReclaimPolicy", json!("Retain"));
            if spec.get("capacity").is_some() {
                quantities(&mut spec["capacity"]);
            }
        }
        "CustomResourceDefinition" => definition(&mut object["spec"]),
        _ => smaller(&resource.kind, object),
    }
}

/// Kinds with little to fill in.
fn smaller(kind: &str, object: &mut Value) {
    match kind {
        "StorageClass" => {
            default(object, "reclaimPolicy", json!("Delete"));
            default(object, "volumeBindingMode", json!("Immediate"));
        }
        "PriorityClass" => default(object, "preemptionPolicy", json!("PreemptLowerPriority")),
        "RoleBinding" | "ClusterRoleBinding" => binding(object),
        "NetworkPolicy" => network_policy(&mut object["spec"]),
        "HorizontalPodAutoscaler" => default(&mut object["spec"], "minReplicas", json!(1)),
        "ResourceQuota" if object["spec"].get("hard").is_some() => quantities(&mut object["spec"]["hard"]),
        "LimitRange" => {
            for limit in each(&mut object["spec"], "limits") {
                for map in ["default", "defaultRequest", "max", "min", "maxLimitRequestRatio"] {
                    limit.get_mut(map).into_iter().for_each(quantities);
                }
                if limit["type"] == "Container" {
                    for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
                        for (name, value) in limit[from].as_object().cloned().unwrap_or_default() {
                            default(limit, to, json!({}));
                            default(&mut limit[to], &name, value);
                        }
                    }
                }
            }
        }
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => {
            let mutating = kind.starts_with('M');
            each(object, "webhooks").for_each(|webhook| self::webhook(webhook, mutating));
        }
        "APIService" => {
            if let Some(service) = object["spec"].get_mut("service") {
                default(service, "port", json!(443));
            }
        }
        "CSIDriver" => {
            let spec = &mut object["spec"];
            for (field, value) in [
                ("attachRequired", json!(true)),
                ("fsGroupPolicy", json!("ReadWriteOnceWithFSType")),
                ("podInfoOnMount", json!(false)),
                ("requiresRepublish", json!(false)),
                ("seLinuxMount", json!(false)),
                ("storageCapacity", json!(false)),
                ("volumeLifecycleModes", json!(["Persistent"])),
            ] {
                default(spec, field, value);
            }
        }
        _ => {}
    }
}

fn tidy_metadata(metadata: &mut Value) {
    if let Some(fields) = metadata.as_object_mut() {
        fields.retain(|_, value| {
            !(value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty))
        });
    }
}

fn template(spec: &mut Value) {
    if let Some(template) = spec.get_mut("template") {
        default(template, "metadata", json!({}));
        tidy_metadata(&mut template["metadata"]);
        if let Some(spec) = template.get_mut("spec") {
            pod_spec(spec);
        }
    }
}

fn workload(kind: &str, object: &mut Value) {
    let spec = &mut object["spec"];
    template(spec);
    if kind != "DaemonSet" {
        default(spec, "replicas", json!(1));
    }
    if kind != "ReplicaSet" {
        default(spec, "revisionHistoryLimit", json!(10));
    }
    match kind {
        "Deployment" => {
            default(spec, "progressDeadlineSeconds", json!(600));
            default(spec, "strategy", json!({}));
            let strategy = &mut spec["strategy"];
            default(strategy, "type", json!("RollingUpdate"));
            if strategy["type"] == "RollingUpdate" {
                default(strategy, "rollingUpdate", json!({}));
                default(&mut strategy["rollingUpdate"], "maxUnavailable", json!("25%"));
                default(&mut strategy["rollingUpdate"], "maxSurge", json!("25%"));
            }
        }
        "DaemonSet" | "StatefulSet" => {
            default(spec, "updateStrategy", json!({}));
            let strategy = &mut spec["updateStrategy"];
            default(strategy, "type", json!("RollingUpdate"));
            if strategy["type"] == "RollingUpdate" {
                default(strategy, "rollingUpdate", json!({}));
                let rolling = &mut strategy["rollingUpdate"];
                if kind == "DaemonSet" {
                    default(rolling, "maxUnavailable", json!(1));
                    default(rolling, "maxSurge", json!(0));
                } else {
                    default(rolling, "partition", json!(0));
                }
            }
        }
        _ => {}
    }
    if kind == "StatefulSet" {
        default(spec, "podManagementPolicy", json!("OrderedReady"));
        default(spec, "persistentVolumeClaimRetentionPolicy", json!({"whenDeleted": "Retain", "whenScaled": "Retain"}));
        for claim in each(spec, "volumeClaimTemplates") {
            claim["apiVersion"] = json!("v1");
            claim["kind"] = json!("PersistentVolumeClaim");
            default(claim, "status", json!({"phase": "Pending"}));
            if let Some(spec) = claim.get_mut("spec") {
                claim_spec(spec);
            }
        }
    }
}

/// What DaemonSets counted their templates with before they had revisions.
fn template_generation(object: &mut Value, live: Option<&Value>) {
    const COUNTED: &str = "deprecated.daemonset.template.generation";
    let counted = live.and_then(|live| live["metadata"]["annotations"][COUNTED].as_str()?.parse::<u64>().ok());
    let changed = live.is_none_or(|live| live["spec"]["template"] != object["spec"]["template"]);
    let number = counted.unwrap_or(0) + u64::from(changed);
    object["metadata"]["annotations"][COUNTED] = json!(number.to_string());
}

fn job_spec(spec: &mut Value, of: Option<(&str, &str)>) {
    template(spec);
    let counted = spec.get("completions").is_some();
    let parallel = spec.get("parallelism").is_some();
    if !counted && !parallel {
        default(spec, "completions", json!(1));
    }
    for (field, value) in [
        ("parallelism", json!(1)),
        ("backoffLimit", json!(6)),
        ("completionMode", json!("NonIndexed")),
        ("suspend", json!(false)),
        ("podReplacementPolicy", json!("TerminatingOrFailed")),
    ] {
        default(spec, field, value);
    }
    let Some((uid, name)) = of.filter(|_| spec["manualSelector"] != true) else { return };
    default(spec, "manualSelector", json!(false));
    spec["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    for (label, value) in [
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", name),
        ("controller-uid", uid),
        ("job-name", name),
    ] {
        spec["template"]["metadata"]["labels"][label] = json!(value);
    }
}

fn cron_job(spec: &mut Value) {
    for (field, value) in [
        ("concurrencyPolicy", json!("Allow")),
        ("suspend", json!(false)),
        ("successfulJobsHistoryLimit", json!(3)),
        ("failedJobsHistoryLimit", json!(1)),
    ] {
        default(spec, field, value);
    }
    if let Some(job) = spec.get_mut("jobTemplate") {
        default(job, "metadata", json!({}));
        if let Some(spec) = job.get_mut("spec") {
            template(spec);
        }
    }
}

fn pod(object: &mut Value, live: Option<&Value>) {
    let spec = &mut object["spec"];
    pod_spec(spec);
    // What is limited and not requested is requested; only of pods, not of templates.
    for list in ["initContainers", "containers"] {
        for container in each(spec, list) {
            let limits = container["resources"].get("limits").and_then(Value::as_object).cloned().unwrap_or_default();
            for (name, limit) in limits {
                default(&mut container["resources"], "requests", json!({}));
                default(&mut container["resources"]["requests"], &name, limit);
            }
        }
    }
    default(spec, "enableServiceLinks", json!(true));
    default(spec, "serviceAccountName", json!("default"));
    default(spec, "serviceAccount", json!("default"));
    default(spec, "preemptionPolicy", json!("PreemptLowerPriority"));
    default(spec, "priority", json!(0));
    default(spec, "tolerations", json!([]));
    if let Some(tolerations) = spec["tolerations"].as_array_mut() {
        for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
            if tolerations.iter().all(|one| one["key"] != key) {
                tolerations
                    .push(json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}));
            }
        }
    }
    if live.is_none() {
        object["status"] = json!({"phase": "Pending", "qosClass": "Burstable"});
    }
}

fn service(account: &mut Account, world: &World, object: &mut Value, live: Option<&Value>) {
    let name = meta(object, "name").to_owned();
    let was = live.map_or(&Value::Null, |live| &live["spec"]);
    let spec = &mut object["spec"];
    if !spec.is_object() {
        return;
    }
    default(spec, "type", json!("ClusterIP"));
    default(spec, "sessionAffinity", json!("None"));
    for port in each(spec, "ports") {
        default(port, "protocol", json!("TCP"));
        let number = port["port"].clone();
        default(port, "targetPort", number);
    }
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    if kind != "ExternalName" {
        default(spec, "internalTrafficPolicy", json!("Cluster"));
        default(spec, "ipFamilies", json!(["IPv4"]));
        default(spec, "ipFamilyPolicy", json!("SingleStack"));
        let standing = was["clusterIP"].as_str().map(str::to_owned);
        let address = standing.unwrap_or_else(|| free_address(account, world));
        default(spec, "clusterIP", json!(address));
        let address = spec["clusterIP"].clone();
        default(spec, "clusterIPs", json!([address]));
    }
    if kind == "NodePort" || kind == "LoadBalancer" {
        default(spec, "externalTrafficPolicy", json!("Cluster"));
        for port in each(spec, "ports") {
            let standing = was["ports"].as_array().into_iter().flatten().find(|one| one["port"] == port["port"]);
            let node_port = standing.map(|one| one["nodePort"].clone()).filter(|port| !port.is_null());
            // Each name and number has a port of its own, near enough.
            let drawn =
                name.bytes().fold(port["port"].as_u64().unwrap_or(0), |sum, byte| sum * 31 % 2767 + u64::from(byte));
            default(port, "nodePort", node_port.unwrap_or_else(|| json!(30_000 + drawn % 2767)));
        }
    }
    if kind == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", json!(true));
    }
    if live.is_none() {
        object["status"] = json!({"loadBalancer": {}});
    }
}

/// An address of the services' network that none has.
fn free_address(account: &mut Account, world: &World) -> String {
    let taken: Vec<String> = world
        .list("", "services", None)
        .iter()
        .filter_map(|service| service["spec"]["clusterIP"].as_str().map(str::to_owned))
        .collect();
    loop {
        let drawn = account.draw_u64();
        let address = format!("10.100.{}.{}", (drawn >> 8) % 256, 2 + drawn % 253);
        if !taken.contains(&address) {
            return address;
        }
    }
}

fn secret(object: &mut Value) {
    default(object, "type", json!("Opaque"));
    let plain = object.as_object_mut().and_then(|fields| fields.shift_remove("stringData"));
    for (name, value) in plain.as_ref().and_then(Value::as_object).into_iter().flatten() {
        object["data"][name] = json!(STANDARD.encode(value.as_str().unwrap_or_default()));
    }
}

fn namespace(object: &mut Value, live: Option<&Value>) {
    let name = meta(object, "name").to_owned();
    object["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(name);
    default(object, "spec", json!({}));
    match live {
        Some(live) => object["spec"]["finalizers"] = live["spec"]["finalizers"].clone(),
        None => {
            object["spec"]["finalizers"] = json!(["kubernetes"]);
            object["status"] = json!({"phase": "Active"});
        }
    }
    strip_nulls(object);
}

fn claim(world: &World, object: &mut Value, live: Option<&Value>) {
    claim_spec(&mut object["spec"]);
    if let Some(live) = live {
        // What was filled in stays, whoever applies an object without it.
        for field in ["storageClassName", "volumeName"] {
            let standing = live["spec"][field].clone();
            if !standing.is_null() {
                default(&mut object["spec"], field, standing);
            }
        }
        return;
    }
    let classes = world.list("storage.k8s.io", "storageclasses", None);
    let is_default =
        |class: &Value| class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true";
    // Of several the newest.
    let chosen = classes.iter().filter(|class| is_default(class)).max_by_key(|class| {
        (meta(class, "creationTimestamp").to_owned(), std::cmp::Reverse(meta(class, "name").to_owned()))
    });
    if let Some(class) = chosen {
        default(&mut object["spec"], "storageClassName", class["metadata"]["name"].clone());
    }
    object["status"] = json!({"phase": "Pending"});
    // While a pod uses it, it stays.
    if object["metadata"]["finalizers"].is_null() {
        object["metadata"]["finalizers"] = json!(["kubernetes.io/pvc-protection"]);
    }
}

fn binding(object: &mut Value) {
    default(&mut object["roleRef"], "apiGroup", json!("rbac.authorization.k8s.io"));
    for subject in each(object, "subjects") {
        if matches!(subject["kind"].as_str(), Some("User" | "Group")) {
            default(subject, "apiGroup", json!("rbac.authorization.k8s.io"));
        }
        if subject["apiGroup"] == "" {
            subject.as_object_mut().map(|fields| fields.shift_remove("apiGroup"));
        }
    }
}

fn network_policy(spec: &mut Value) {
    let mut kinds = vec!["Ingress"];
    if spec.get("egress").is_some_and(|rules| rules.as_array().is_some_and(|rules| !rules.is_empty())) {
        kinds.push("Egress");
    }
    default(spec, "policyTypes", json!(kinds));
    for list in ["ingress", "egress"] {
        for rule in each(spec, list) {
            each(rule, "ports").for_each(|port| default(port, "protocol", json!("TCP")));
        }
    }
}

fn webhook(webhook: &mut Value, mutating: bool) {
    for (field, value) in [
        ("failurePolicy", json!("Fail")),
        ("matchPolicy", json!("Equivalent")),
        ("namespaceSelector", json!({})),
        ("objectSelector", json!({})),
        ("timeoutSeconds", json!(10)),
    ] {
        default(webhook, field, value);
    }
    if mutating {
        default(webhook, "reinvocationPolicy", json!("Never"));
    }
    if let Some(service) = webhook.get_mut("clientConfig").and_then(|config| config.get_mut("service")) {
        default(service, "port", json!(443));
    }
    each(webhook, "rules").for_each(|rule| default(rule, "scope", json!("*")));
}

fn definition(spec: &mut Value) {
    default(spec, "conversion", json!({"strategy": "None"}));
    let kind = spec["names"]["kind"].as_str().unwrap_or_default().to_owned();
    default(&mut spec["names"], "singular", json!(kind.to_lowercase()));
    default(&mut spec["names"], "listKind", json!(format!("{kind}List")));
}
