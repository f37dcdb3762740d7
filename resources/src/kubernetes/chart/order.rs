//! What waits for what among the objects of one chart. Only true edges: each costs time in every run.

use std::collections::{BTreeMap, BTreeSet};

use rayplat_engine::value::Expr;
use serde_json::Value;

use super::{Rendered, RenderedObject};

/// Kinds in the order in which Helm makes them; kinds that are not here come last. No object
/// waits for one of a later kind, so this order is one that a stack can be built in.
/// Source: helm.sh/helm/v4, `pkg/release/v1/util/kind_sorter.go`, `InstallOrder`.
const KINDS: [&str; 33] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    // Not Helm's: pods that name one wait for it.
    "RuntimeClass",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// The place of a kind in that order.
pub(super) fn rank(kind: &str) -> usize {
    KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len())
}

/// Pairs of indices into `objects`: the second waits for the first. Sorted; the first is always
/// the smaller one.
pub fn edges(rendered: &Rendered) -> Vec<(usize, usize)> {
    let objects = &rendered.objects;
    let index = Index::of(objects);
    let mut edges = BTreeSet::new();
    for (at, object) in objects.iter().enumerate() {
        let mut waits = index.waits_for(at, object);
        waits.remove(&at);
        edges.extend(waits.into_iter().map(|before| (before, at)));
    }
    edges.into_iter().collect()
}

/// The objects by what others name them by.
struct Index<'a> {
    objects: &'a [RenderedObject],
    manifests: Vec<Value>,
    /// Kind, namespace, name.
    named: BTreeMap<(&'a str, &'a str, &'a str), usize>,
    crds: Vec<usize>,
}

impl<'a> Index<'a> {
    fn of(objects: &'a [RenderedObject]) -> Self {
        let name = |object: &'a RenderedObject| {
            (object.kind.as_str(), object.namespace.as_deref().unwrap_or_default(), object.name.as_str())
        };
        let of_kind = |kind: &str| (0..objects.len()).filter(|at| objects[*at].kind == kind).collect();
        Self {
            objects,
            manifests: objects.iter().map(|object| plain(&object.manifest)).collect(),
            named: objects.iter().enumerate().map(|(at, object)| (name(object), at)).collect(),
            crds: of_kind("CustomResourceDefinition"),
        }
    }

    fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<usize> {
        self.named.get(&(kind, namespace, name)).copied()
    }

    fn waits_for(&self, at: usize, object: &RenderedObject) -> BTreeSet<usize> {
        let manifest = &self.manifests[at];
        let namespace = object.namespace.as_deref().unwrap_or_default();
        let mut waits: BTreeSet<usize> = self.find("Namespace", "", namespace).into_iter().collect();
        waits.extend(self.crds.iter().copied().filter(|crd| {
            let spec = &self.manifests[*crd]["spec"];
            spec["group"] == object.group() && spec["names"]["kind"] == object.kind
        }));
        match object.kind.as_str() {
            "RoleBinding" | "ClusterRoleBinding" => {
                let role = &manifest["roleRef"];
                let of = if role["kind"] == "Role" { namespace } else { "" };
                waits.extend(self.find(text(&role["kind"]), of, text(&role["name"])));
            }
            // Without its account such a Secret is deleted as soon as it is made.
            "Secret" => {
                let account = &manifest["metadata"]["annotations"]["kubernetes.io/service-account.name"];
                waits.extend(self.find("ServiceAccount", namespace, text(account)));
            }
            "PersistentVolumeClaim" => {
                let spec = &manifest["spec"];
                waits.extend(self.find("StorageClass", "", text(&spec["storageClassName"])));
                waits.extend(self.find("PersistentVolume", "", text(&spec["volumeName"])));
            }
            // They stand between callers and everything of a kind, and refuse while nobody answers.
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => {
                for webhook in list(&manifest["webhooks"]) {
                    waits.extend(self.behind(&webhook["clientConfig"]["service"]));
                }
            }
            "APIService" => waits.extend(self.behind(&manifest["spec"]["service"])),
            _ => {}
        }
        if let Some(pod) = pod_spec(&object.kind, manifest) {
            waits.extend(self.workload(namespace, pod, manifest));
        }
        waits
    }

    /// What a workload's pods need to start and to do their work from the first moment.
    fn workload(&self, namespace: &str, pod: &Value, manifest: &Value) -> BTreeSet<usize> {
        // An operator that finds its kinds missing exits, and waits longer and longer before
        // it is started again.
        let mut waits: BTreeSet<usize> = self.crds.iter().copied().collect();
        let mut names: Vec<(&str, &str, &Value)> = vec![
            ("ServiceAccount", namespace, &pod["serviceAccountName"]),
            ("PriorityClass", "", &pod["priorityClassName"]),
            ("RuntimeClass", "", &pod["runtimeClassName"]),
        ];
        for secret in list(&pod["imagePullSecrets"]) {
            names.push(("Secret", namespace, &secret["name"]));
        }
        for volume in list(&pod["volumes"]) {
            names.push(("ConfigMap", namespace, &volume["configMap"]["name"]));
            names.push(("Secret", namespace, &volume["secret"]["secretName"]));
            names.push(("PersistentVolumeClaim", namespace, &volume["persistentVolumeClaim"]["claimName"]));
            for source in list(&volume["projected"]["sources"]) {
                names.push(("ConfigMap", namespace, &source["configMap"]["name"]));
                names.push(("Secret", namespace, &source["secret"]["name"]));
            }
        }
        for container in list(&pod["containers"]).iter().chain(list(&pod["initContainers"])) {
            for from in list(&container["envFrom"]) {
                names.push(("ConfigMap", namespace, &from["configMapRef"]["name"]));
                names.push(("Secret", namespace, &from["secretRef"]["name"]));
            }
            for variable in list(&container["env"]) {
                names.push(("ConfigMap", namespace, &variable["valueFrom"]["configMapKeyRef"]["name"]));
                names.push(("Secret", namespace, &variable["valueFrom"]["secretKeyRef"]["name"]));
            }
        }
        for claim in list(&manifest["spec"]["volumeClaimTemplates"]) {
            names.push(("StorageClass", "", &claim["spec"]["storageClassName"]));
        }
        waits.extend(names.into_iter().filter_map(|(kind, of, name)| self.find(kind, of, text(name))));
        waits.extend(self.bindings_of(namespace, pod["serviceAccountName"].as_str().unwrap_or("default")));
        waits
    }

    /// Bindings that give something to a service account, by name or as one of a group.
    /// Source: <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects>
    fn bindings_of<'b>(&'b self, namespace: &'b str, account: &'b str) -> impl Iterator<Item = usize> + 'b {
        let groups = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
        let names = move |at: &usize| {
            let own = self.objects[*at].namespace.as_deref().unwrap_or_default();
            list(&self.manifests[*at]["subjects"]).iter().any(|subject| match text(&subject["kind"]) {
                "ServiceAccount" => {
                    subject["name"] == account && subject["namespace"].as_str().unwrap_or(own) == namespace
                }
                "Group" => groups.iter().any(|group| subject["name"] == group.as_str()),
                _ => false,
            })
        };
        let is_binding = |kind: &str| kind == "RoleBinding" || kind == "ClusterRoleBinding";
        (0..self.objects.len()).filter(move |at| is_binding(&self.objects[*at].kind) && names(at))
    }

    /// A Service that somebody calls, and the workloads whose pods answer there.
    fn behind(&self, service: &Value) -> Vec<usize> {
        let namespace = text(&service["namespace"]);
        let Some(at) = self.find("Service", namespace, text(&service["name"])) else { return Vec::new() };
        let mut found = vec![at];
        let Some(selector) = self.manifests[at]["spec"]["selector"].as_object().filter(|map| !map.is_empty()) else {
            return found;
        };
        found.extend((0..self.objects.len()).filter(|workload| {
            let object = &self.objects[*workload];
            let manifest = &self.manifests[*workload];
            let labels = match object.kind.as_str() {
                "Pod" => &manifest["metadata"]["labels"],
                // They end, and answer nobody.
                "Job" | "CronJob" => return false,
                _ => &manifest["spec"]["template"]["metadata"]["labels"],
            };
            object.namespace.as_deref() == Some(namespace)
                && pod_spec(&object.kind, manifest).is_some()
                && selector.iter().all(|(key, value)| &labels[key.as_str()] == value)
        }));
        found
    }
}

/// Where a workload has its pods' specification.
fn pod_spec<'a>(kind: &str, manifest: &'a Value) -> Option<&'a Value> {
    let spec = &manifest["spec"];
    let found = match kind {
        "Pod" => spec,
        "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet" | "ReplicationController" | "Job" => {
            &spec["template"]["spec"]
        }
        "CronJob" => &spec["jobTemplate"]["spec"]["template"]["spec"],
        _ => return None,
    };
    Some(found)
}

/// The manifest with nothing where a reference stands.
pub(super) fn plain(expr: &Expr) -> Value {
    match expr {
        Expr::Value(value) => value.clone(),
        Expr::List(items) => Value::Array(items.iter().map(plain).collect()),
        Expr::Object(entries) => {
            let known = entries.iter().filter_map(|(key, value)| Some((plain(key).as_str()?.to_owned(), plain(value))));
            Value::Object(known.collect())
        }
        _ => Value::Null,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
