//! What is asked of both.

use serde_json::{Value, json};

const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub const JSON: &str = "application/json";

/// One request.
pub struct Asked {
    pub name: &'static str,
    pub method: &'static str,
    pub path: String,
    pub content: &'static str,
    pub body: Value,
}

pub fn ask(name: &'static str, method: &'static str, path: &str, content: &'static str, body: Value) -> Asked {
    Asked { name, method, path: path.to_owned(), content, body }
}

pub fn apply(name: &'static str, path: &str, manager: &str, body: Value) -> Asked {
    let sign = if path.contains('?') { '&' } else { '?' };
    ask(name, "PATCH", &format!("{path}{sign}fieldManager={manager}"), APPLY, body)
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "nodeSelector": {"none": "here"},
                    "serviceAccountName": "default",
                    "containers": [{
                        "name": "main",
                        "image": "example/app:1",
                        "args": ["a", "b"],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
                        "ports": [{"containerPort": 80, "name": "http"}],
                        "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
                        "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"cpu": 1.5}},
                        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                    }],
                    "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "0.5Gi"}}, {"name": "c", "configMap": {"name": "m"}}],
                    "tolerations": [{"key": "gpu", "operator": "Exists"}],
                },
            },
        },
    })
}

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    *object.pointer_mut(pointer).unwrap() = value;
    object
}

const MAP: &str = "/api/v1/namespaces/same/configmaps";
const WEB: &str = "/apis/apps/v1/namespaces/same/deployments/web";
pub const WIDGET: &str = "/apis/example.com/v1/namespaces/same/widgets/w";
pub const CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com";

pub fn small_objects() -> Vec<Asked> {
    let map = |data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "labels": {"l": "1"}}, "data": data});
    let one = format!("{MAP}/m");
    vec![
        ask("a namespace", "POST", "/api/v1/namespaces", JSON, json!({"metadata": {"name": "same"}})),
        ask("its end", "DELETE", "/api/v1/namespaces/kube-system", JSON, Value::Null),
        ask("a bad name", "POST", "/api/v1/namespaces", JSON, json!({"metadata": {"name": "Bad_Name"}})),
        ask("no name", "POST", MAP, JSON, json!({"data": {}})),
        ask("no namespace", "POST", "/api/v1/namespaces/none/configmaps", JSON, json!({"metadata": {"name": "m"}})),
        ask("no such kind", "GET", "/apis/example.com/v1/namespaces/same/widgets", JSON, Value::Null),
        ask("create", "POST", MAP, JSON, map(json!({"a": "1", "b": "1"}))),
        ask("create again", "POST", MAP, JSON, map(json!({"a": "1"}))),
        ask("a merge patch", "PATCH", &format!("{one}?fieldManager=kubectl-edit"), MERGE, json!({"data": {"a": "2"}})),
        apply("a conflict", &one, "rayplat", map(json!({"a": "3", "b": "1", "c": "1"}))),
        apply("forced", &format!("{one}?force=true"), "rayplat", map(json!({"a": "3", "b": "1", "c": "1"}))),
        apply("less", &one, "rayplat", map(json!({"c": "1"}))),
        apply("a dry run", &format!("{one}?dryRun=All"), "rayplat", map(json!({"c": "2"}))),
        apply(
            "another name",
            &one,
            "rayplat",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}),
        ),
        apply(
            "managed",
            &one,
            "rayplat",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "managedFields": [{"manager": "x"}]}}),
        ),
        ask("no manager", "PATCH", &one, APPLY, map(json!({}))),
        ask(
            "a JSON patch",
            "PATCH",
            &one,
            "application/json-patch+json",
            json!([{"op": "add", "path": "/data/j", "value": "1"}]),
        ),
        ask(
            "stale",
            "PUT",
            &one,
            JSON,
            with(map(json!({})), "/metadata", json!({"name": "m", "resourceVersion": "1"})),
        ),
        apply(
            "large annotations",
            &format!("{MAP}/large"),
            "rayplat",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large", "annotations": {"a": "x".repeat(262_144)}}}),
        ),
        ask("delete", "DELETE", &one, JSON, Value::Null),
        ask("gone", "GET", &one, JSON, Value::Null),
        apply(
            "a secret",
            "/api/v1/namespaces/same/secrets/s",
            "rayplat",
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "v"}}),
        ),
        apply(
            "a service",
            "/api/v1/namespaces/same/services/s",
            "rayplat",
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}}),
        ),
        apply(
            "a claim",
            "/api/v1/namespaces/same/persistentvolumeclaims/c",
            "rayplat",
            json!({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"},
                "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": "1024Mi"}}},
            }),
        ),
    ]
}

pub fn workloads() -> Vec<Asked> {
    let job = |image: &str| {
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"},
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": image}]}}},
        })
    };
    let set = |service: &str| {
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "s"},
            "spec": {
                "replicas": 0, "serviceName": service, "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}},
            },
        })
    };
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "other:2"}]}}}});
    vec![
        apply("a deployment", WEB, "rayplat", deployment()),
        apply("the same", WEB, "rayplat", deployment()),
        ask("a strategic patch", "PATCH", &format!("{WEB}?fieldManager=kubectl-edit"), STRATEGIC, image),
        apply(
            "two conflicts",
            &format!("{WEB}/scale"),
            "scaler",
            json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 2}}),
        ),
        ask("a scale", "PATCH", &format!("{WEB}/scale?fieldManager=kubectl"), MERGE, json!({"spec": {"replicas": 5}})),
        apply("conflicts", WEB, "rayplat", deployment()),
        apply("forced", &format!("{WEB}?force=true"), "rayplat", deployment()),
        apply(
            "another selector",
            WEB,
            "rayplat",
            with(deployment(), "/spec/selector", json!({"matchLabels": {"x": "y"}})),
        ),
        apply("no containers", WEB, "rayplat", with(deployment(), "/spec/template/spec/containers", json!([]))),
        apply(
            "twice the same",
            WEB,
            "rayplat",
            with(deployment(), "/spec/template/spec/containers/0/env", json!([{"name": "A"}, {"name": "A"}])),
        ),
        apply("a job", "/apis/batch/v1/namespaces/same/jobs/j", "rayplat", job("a:1")),
        apply("another job", "/apis/batch/v1/namespaces/same/jobs/j", "rayplat", job("a:2")),
        apply("a set", "/apis/apps/v1/namespaces/same/statefulsets/s", "rayplat", set("x")),
        apply("another set", "/apis/apps/v1/namespaces/same/statefulsets/s", "rayplat", set("y")),
        apply(
            "a class",
            "/apis/storage.k8s.io/v1/storageclasses/c",
            "rayplat",
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "c"}, "provisioner": "p", "parameters": {"a": "1"}}),
        ),
        apply(
            "another class",
            "/apis/storage.k8s.io/v1/storageclasses/c",
            "rayplat",
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "c"}, "provisioner": "p", "parameters": {"a": "2"}}),
        ),
    ]
}

/// A pod template with much of what there is.
fn rich() -> Value {
    json!({
        "metadata": {"labels": {"app": "rich"}, "annotations": {"a": "b"}},
        "spec": {
            "affinity": {
                "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["none"]}]},
                ]}},
                "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "rich"}}}},
                ]},
            },
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "main",
                "image": "example/app",
                "command": ["/bin/sh"],
                "envFrom": [{"secretRef": {"name": "s", "optional": true}}],
                "env": [
                    {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
                    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                    {"name": "EMPTY", "value": ""},
                ],
                "lifecycle": {"preStop": {"exec": {"command": ["sleep", "1"]}}},
                "livenessProbe": {"tcpSocket": {"port": 80}, "initialDelaySeconds": 5},
                "startupProbe": {"exec": {"command": ["true"]}, "failureThreshold": 30},
                "ports": [{"containerPort": 53, "name": "dns", "protocol": "UDP"}, {"containerPort": 53, "name": "dns-tcp"}],
                "resources": {"limits": {"memory": "1G", "ephemeral-storage": "10Gi"}},
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": true, "runAsUser": 1000},
                "volumeMounts": [{"name": "token", "mountPath": "/token", "readOnly": true}, {"name": "host", "mountPath": "/host"}],
            }],
            "dnsConfig": {"options": [{"name": "ndots", "value": "2"}]},
            "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
            "imagePullSecrets": [{"name": "pull"}],
            "initContainers": [{"name": "init", "image": "example/init:latest", "resources": {}}],
            "priorityClassName": "system-cluster-critical",
            "securityContext": {"fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "serviceAccountName": "x",
            "terminationGracePeriodSeconds": 120,
            "tolerations": [],
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": {"app": "rich"}}},
            ],
            "volumes": [
                {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}, {"configMap": {"name": "c"}}]}},
                {"name": "host", "hostPath": {"path": "/tmp"}},
                {"name": "secret", "secret": {"secretName": "s"}},
                {"name": "claim", "persistentVolumeClaim": {"claimName": "c"}},
                {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1024Mi"}},
            ],
        },
    })
}

/// Workloads and services with what they seldom have.
pub fn rich_objects() -> Vec<Asked> {
    let deployment = |template: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "rich", "labels": {}, "annotations": {}},
            "spec": {
                "replicas": 0, "strategy": {"type": "Recreate"}, "revisionHistoryLimit": 2,
                "selector": {"matchLabels": {"app": "rich"}}, "template": template,
            },
        })
    };
    let service = |name: &str, spec: Value| {
        let body = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec});
        apply("a service", &format!("/api/v1/namespaces/same/services/{name}"), "rayplat", body)
    };
    let ports = json!([{"name": "a", "port": 53, "protocol": "UDP"}, {"name": "b", "port": 53, "targetPort": "dns"}]);
    let path = "/apis/apps/v1/namespaces/same/deployments/rich";
    let mut other = rich();
    other["spec"]["tolerations"] = json!([{"operator": "Exists"}]);
    other["spec"]["containers"][0]["ports"] = json!([{"containerPort": 53, "name": "dns-tcp"}]);
    other["spec"]["volumes"].as_array_mut().unwrap().remove(2);
    other["spec"].as_object_mut().unwrap().remove("topologySpreadConstraints");
    vec![
        apply("a rich one", path, "rayplat", deployment(rich())),
        apply("the same", path, "rayplat", deployment(rich())),
        apply("less", path, "rayplat", deployment(other)),
        service(
            "headless",
            json!({"clusterIP": "None", "selector": {"a": "b"}, "ports": ports.clone(), "publishNotReadyAddresses": true}),
        ),
        service("names", json!({"type": "ExternalName", "externalName": "example.com"})),
        service("nothing", json!({"selector": {"a": "b"}})),
        service("nameless", json!({"ports": [{"port": 1}, {"port": 2}]})),
        apply(
            "an autoscaler",
            "/apis/autoscaling/v2/namespaces/same/horizontalpodautoscalers/h",
            "rayplat",
            json!({
                "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
                "spec": {
                    "maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "rich"},
                    "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
                },
            }),
        ),
        apply(
            "an ingress",
            "/apis/networking.k8s.io/v1/namespaces/same/ingresses/i",
            "rayplat",
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"},
                "spec": {"rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "x", "port": {"number": 80}}}}]}}]},
            }),
        ),
        apply(
            "a lease",
            "/apis/coordination.k8s.io/v1/namespaces/same/leases/l",
            "rayplat",
            json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"}, "spec": {"holderIdentity": "x"}}),
        ),
        apply(
            "a driver",
            "/apis/storage.k8s.io/v1/csidrivers/d.example.com",
            "rayplat",
            json!({"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": "d.example.com"}, "spec": {"attachRequired": false}}),
        ),
        ask("a namespace's end", "DELETE", "/api/v1/namespaces/none", JSON, Value::Null),
        ask("all of a kind", "DELETE", "/api/v1/namespaces/same/services?labelSelector=none%3Dhere", JSON, Value::Null),
    ]
}

const VOLUME: &str = "/api/v1/persistentvolumes/other";

/// What the sweep applies to a volume.
fn retained(metadata: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata,
        "spec": {"persistentVolumeReclaimPolicy": "Retain"},
    })
}

/// An object of each kind that a platform has besides.
pub fn others() -> Vec<Asked> {
    let pods = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a", "ports": [{"containerPort": 1}]}]}});
    let rbac = "rbac.authorization.k8s.io";
    let objects = [
        (
            "ServiceAccount",
            "v1",
            "serviceaccounts",
            json!({"imagePullSecrets": [{"name": "x"}], "secrets": [{"name": "y"}]}),
        ),
        (
            "Role",
            "rbac.authorization.k8s.io/v1",
            "roles",
            json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
        ),
        (
            "RoleBinding",
            "rbac.authorization.k8s.io/v1",
            "rolebindings",
            json!({
                "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "x"},
                "subjects": [{"kind": "ServiceAccount", "name": "x", "namespace": "same"}, {"kind": "User", "name": "u", "apiGroup": rbac}],
            }),
        ),
        (
            "NetworkPolicy",
            "networking.k8s.io/v1",
            "networkpolicies",
            json!({"spec": {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}], "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]}}),
        ),
        (
            "PodDisruptionBudget",
            "policy/v1",
            "poddisruptionbudgets",
            json!({"spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"a": "b"}}}}),
        ),
        (
            "DaemonSet",
            "apps/v1",
            "daemonsets",
            json!({"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": pods}}),
        ),
        (
            "CronJob",
            "batch/v1",
            "cronjobs",
            json!({"spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "OnFailure", "containers": [{"name": "a", "image": "a"}],
            }}}}}}),
        ),
        ("ResourceQuota", "v1", "resourcequotas", json!({"spec": {"hard": {"requests.cpu": "1000m", "pods": 4}}})),
        (
            "LimitRange",
            "v1",
            "limitranges",
            json!({"spec": {"limits": [{"type": "Container", "default": {"cpu": "0.5"}}]}}),
        ),
        (
            "StatefulSet",
            "apps/v1",
            "statefulsets",
            json!({"spec": {
                "replicas": 0, "serviceName": "x", "selector": {"matchLabels": {"a": "b"}}, "template": pods,
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}],
            }}),
        ),
    ];
    let mut asked: Vec<Asked> = objects
        .into_iter()
        .map(|(kind, version, plural, mut body)| {
            body["apiVersion"] = json!(version);
            body["kind"] = json!(kind);
            body["metadata"] = json!({"name": "other"});
            let root = if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
            apply(kind, &format!("{root}/namespaces/same/{plural}/other"), "rayplat", body)
        })
        .collect();
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "other"}, "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "y"}});
    asked.extend([
        apply("another role", "/apis/rbac.authorization.k8s.io/v1/namespaces/same/rolebindings/other", "rayplat", binding),
        apply(
            "a priority",
            "/apis/scheduling.k8s.io/v1/priorityclasses/other",
            "rayplat",
            json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "other"}, "value": 5}),
        ),
        apply(
            "another value",
            "/apis/scheduling.k8s.io/v1/priorityclasses/other",
            "rayplat",
            json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "other"}, "value": 6}),
        ),
        apply(
            "a webhook",
            "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/other",
            "rayplat",
            json!({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "other"},
                "webhooks": [{
                    "name": "a.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"],
                    "clientConfig": {"service": {"name": "x", "namespace": "same"}},
                    "rules": [{"apiGroups": ["none.example.com"], "apiVersions": ["v1"], "resources": ["none"], "operations": ["CREATE"]}],
                }],
            }),
        ),
        apply(
            "a volume",
            VOLUME,
            "tester",
            json!({
                // The server would put the finalizer there.
                "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "other", "finalizers": ["kubernetes.io/pv-protection"]},
                "spec": {
                    "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "20Gi"}, "persistentVolumeReclaimPolicy": "Delete",
                    "csi": {"driver": "none.example.com", "volumeHandle": "vol-0"},
                },
            }),
        ),
        apply("a volume that is to stay", VOLUME, "rayplat", retained(json!({"name": "other"}))),
        apply(
            "a volume that stays",
            &format!("{VOLUME}?force=true"),
            "rayplat",
            retained(json!({"name": "other"})),
        ),
        ask("created", "POST", "/apis/apps/v1/namespaces/same/deployments", JSON, with(deployment(), "/metadata", json!({"name": "posted"}))),
        ask("evicted", "DELETE", "/apis/apps/v1/namespaces/same/deployments/posted?propagationPolicy=Foreground", JSON, Value::Null),
    ]);
    asked
}

/// KubeRay's own definition, and a cluster.
pub fn ray(definition: &str) -> Vec<Asked> {
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rayclusters.ray.io";
    vec![
        ask("KubeRay's definition", "PATCH", &format!("{path}?fieldManager=rayplat"), APPLY, json!(definition)),
        ask("the same", "PATCH", &format!("{path}?fieldManager=rayplat"), APPLY, json!(definition)),
    ]
}

pub fn ray_clusters() -> Vec<Asked> {
    let path = "/apis/ray.io/v1/namespaces/same/rayclusters/c";
    let template = |cpu: &str| {
        json!({"spec": {
            "containers": [{
                "name": "ray", "image": "rayproject/ray:2.60.0",
                "env": [{"name": "A", "value": "1"}],
                "ports": [{"containerPort": 6379, "name": "gcs"}],
                "resources": {"requests": {"cpu": cpu, "memory": "1024Mi"}, "limits": {"cpu": cpu, "memory": "1024Mi"}},
            }],
            "volumes": [{"name": "t", "emptyDir": {}}],
        }})
    };
    let cluster = |cpu: &str| {
        json!({
            "apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "c"},
            "spec": {
                "rayVersion": "2.60.0",
                "headGroupSpec": {"rayStartParams": {"num-cpus": "0"}, "template": template(cpu)},
                "workerGroupSpecs": [{"groupName": "w", "replicas": 1, "minReplicas": 0, "maxReplicas": 3, "rayStartParams": {}, "template": template("1")}],
            },
        })
    };
    vec![
        apply("a cluster", path, "rayplat", cluster("1000m")),
        apply("the same", path, "rayplat", cluster("1000m")),
        apply("more", path, "rayplat", cluster("2")),
        apply("unknown", path, "rayplat", with(cluster("2"), "/spec/rayVersion", json!(2))),
        apply(
            "nothing",
            path,
            "other",
            json!({"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "d"}}),
        ),
        apply(
            "no head",
            &path.replace("/c", "/d"),
            "other",
            json!({"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "d"}, "spec": {}}),
        ),
        ask(
            "an edit",
            "PATCH",
            &format!("{path}?fieldManager=kubectl-edit"),
            MERGE,
            json!({"spec": {"suspend": true}}),
        ),
    ]
}

pub fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {
                            "type": "object",
                            "required": ["size"],
                            "properties": {
                                "size": {"type": "integer", "minimum": 1},
                                "color": {"type": "string", "default": "red", "enum": ["red", "blue"]},
                                "parts": {
                                    "type": "array",
                                    "x-kubernetes-list-type": "map",
                                    "x-kubernetes-list-map-keys": ["name"],
                                    "items": {"type": "object", "required": ["name"], "properties": {
                                        "name": {"type": "string"}, "count": {"type": "integer"},
                                    }},
                                },
                            },
                        },
                        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    },
                }},
            }],
        },
    })
}

pub fn custom_resources() -> Vec<Asked> {
    let of = |spec: Value| json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec});
    vec![
        apply("a widget", WIDGET, "rayplat", of(json!({"size": 1, "parts": [{"name": "a", "count": 1}]}))),
        apply("another's part", WIDGET, "other", of(json!({"size": 1, "parts": [{"name": "b"}]}))),
        apply("less", WIDGET, "rayplat", of(json!({"size": 1}))),
        apply("a conflict", WIDGET, "rayplat", of(json!({"size": 2}))),
        apply("nothing required", WIDGET, "third", of(json!({"color": "red"}))),
        apply("a wrong type", &format!("{WIDGET}?force=true"), "rayplat", of(json!({"size": "1"}))),
        apply("a wrong value", &format!("{WIDGET}?force=true"), "rayplat", of(json!({"size": 1, "color": "green"}))),
        apply("too small", &format!("{WIDGET}?force=true"), "rayplat", of(json!({"size": 0}))),
        apply("unknown", WIDGET, "rayplat", of(json!({"size": 1, "smell": 1}))),
        ask(
            "a status",
            "PATCH",
            &format!("{WIDGET}/status?fieldManager=s"),
            MERGE,
            json!({"status": {"phase": "x"}, "spec": {"size": 9}}),
        ),
        ask("a strategic patch", "PATCH", WIDGET, STRATEGIC, json!({"spec": {"size": 9}})),
        ask("a merge patch", "PATCH", &format!("{WIDGET}?fieldManager=e"), MERGE, json!({"spec": {"color": "blue"}})),
        ask("no version", "PUT", WIDGET, JSON, of(json!({"size": 3}))),
    ]
}
