//! Which kinds the API has: the built-in ones, and those of CustomResourceDefinitions.

use std::sync::Arc;

use serde_json::Value;

use super::{fields::Types, world::World};

/// A built-in kind: group, version, kind, plural, short names, and a letter for each of:
/// in a namespace, with a status, with a scale.
pub(super) type BuiltIn =
    (&'static str, &'static str, &'static str, &'static str, &'static [&'static str], &'static str);

/// Source: `kubectl api-resources` of Kubernetes 1.35.
pub(super) const BUILT_IN: &[BuiltIn] = &[
    ("", "v1", "ConfigMap", "configmaps", &["cm"], "n"),
    ("", "v1", "Endpoints", "endpoints", &["ep"], "n"),
    ("", "v1", "Event", "events", &["ev"], "n"),
    ("", "v1", "LimitRange", "limitranges", &["limits"], "n"),
    ("", "v1", "Namespace", "namespaces", &["ns"], "s"),
    ("", "v1", "Node", "nodes", &["no"], "s"),
    ("", "v1", "PersistentVolume", "persistentvolumes", &["pv"], "s"),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", &["pvc"], "ns"),
    ("", "v1", "Pod", "pods", &["po"], "ns"),
    ("", "v1", "PodTemplate", "podtemplates", &[], "n"),
    ("", "v1", "ReplicationController", "replicationcontrollers", &["rc"], "nsc"),
    ("", "v1", "ResourceQuota", "resourcequotas", &["quota"], "ns"),
    ("", "v1", "Secret", "secrets", &[], "n"),
    ("", "v1", "Service", "services", &["svc"], "ns"),
    ("", "v1", "ServiceAccount", "serviceaccounts", &["sa"], "n"),
    ("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", &[], ""),
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", &[], "s"),
    (
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
        &[],
        "",
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        &[],
        "",
    ),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", &["crd", "crds"], "s"),
    ("apiregistration.k8s.io", "v1", "APIService", "apiservices", &[], "s"),
    ("apps", "v1", "ControllerRevision", "controllerrevisions", &[], "n"),
    ("apps", "v1", "DaemonSet", "daemonsets", &["ds"], "ns"),
    ("apps", "v1", "Deployment", "deployments", &["deploy"], "nsc"),
    ("apps", "v1", "ReplicaSet", "replicasets", &["rs"], "nsc"),
    ("apps", "v1", "StatefulSet", "statefulsets", &["sts"], "nsc"),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", &["hpa"], "ns"),
    ("batch", "v1", "CronJob", "cronjobs", &["cj"], "ns"),
    ("batch", "v1", "Job", "jobs", &[], "ns"),
    ("coordination.k8s.io", "v1", "Lease", "leases", &[], "n"),
    ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", &[], "n"),
    ("events.k8s.io", "v1", "Event", "events", &["ev"], "n"),
    ("networking.k8s.io", "v1", "Ingress", "ingresses", &["ing"], "ns"),
    ("networking.k8s.io", "v1", "IngressClass", "ingressclasses", &[], ""),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", &["netpol"], "n"),
    ("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", &[], ""),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", &["pdb"], "ns"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", &[], ""),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", &[], ""),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles", &[], "n"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", &[], "n"),
    ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", &["pc"], ""),
    ("storage.k8s.io", "v1", "CSIDriver", "csidrivers", &[], ""),
    ("storage.k8s.io", "v1", "CSINode", "csinodes", &[], ""),
    ("storage.k8s.io", "v1", "StorageClass", "storageclasses", &["sc"], ""),
    ("storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", &[], "s"),
];

/// Kinds whose objects count the changes of what is asked for.
const GENERATIONS: &[&str] = &[
    "CronJob",
    "CustomResourceDefinition",
    "DaemonSet",
    "Deployment",
    "Ingress",
    "IngressClass",
    "Job",
    "MutatingWebhookConfiguration",
    "NetworkPolicy",
    "Pod",
    "PodDisruptionBudget",
    "PriorityClass",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

/// A kind in one of its versions.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub plural: String,
    pub short: Vec<String>,
    pub namespaced: bool,
    pub status: bool,
    pub scale: bool,
    /// The definition, and which of its versions this is.
    custom: Option<(Arc<Value>, usize)>,
}

impl Resource {
    fn built_in(row: &BuiltIn) -> Self {
        let (group, version, kind, plural, short, has) = *row;
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            short: short.iter().map(|one| (*one).to_owned()).collect(),
            namespaced: has.contains('n'),
            status: has.contains('s'),
            scale: has.contains('c'),
            custom: None,
        }
    }

    /// The kinds of a definition, one for each version that is served. None before it is established.
    fn of_definition(definition: &Arc<Value>) -> Vec<Self> {
        if !super::world::condition(definition, "Established") {
            return Vec::new();
        }
        let spec = &definition["spec"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let versions = spec["versions"].as_array().into_iter().flatten().enumerate();
        let served = versions.filter(|(_, version)| version["served"] == true);
        served
            .map(|(index, version)| Self {
                group: text(&spec["group"]),
                version: text(&version["name"]),
                kind: text(&spec["names"]["kind"]),
                plural: text(&spec["names"]["plural"]),
                short: spec["names"]["shortNames"].as_array().into_iter().flatten().map(text).collect(),
                namespaced: spec["scope"] == "Namespaced",
                status: version["subresources"]["status"].is_object(),
                scale: version["subresources"]["scale"].is_object(),
                custom: Some((definition.clone(), index)),
            })
            .collect()
    }

    /// Every kind in every version.
    pub fn all(world: &World) -> Vec<Self> {
        let mut all: Vec<Self> = BUILT_IN.iter().map(Self::built_in).collect();
        for definition in world.list("apiextensions.k8s.io", "customresourcedefinitions", None) {
            all.extend(Self::of_definition(&definition));
        }
        all
    }

    /// The kind that a path names.
    pub fn find(world: &World, group: &str, version: &str, plural: &str) -> Option<Self> {
        let row = BUILT_IN.iter().find(|row| row.0 == group && row.1 == version && row.3 == plural);
        if let Some(row) = row {
            return Some(Self::built_in(row));
        }
        let name = format!("{plural}.{group}");
        let definition = world.get("apiextensions.k8s.io", "customresourcedefinitions", "", &name)?;
        Self::of_definition(&definition).into_iter().find(|resource| resource.version == version)
    }

    /// A built-in kind by its name.
    pub fn named(kind: &str) -> Option<Self> {
        BUILT_IN.iter().find(|row| row.2 == kind).map(Self::built_in)
    }

    /// `apps/v1`, or `v1` of the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `deployments.apps`
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    pub fn is_custom(&self) -> bool {
        self.custom.is_some()
    }

    /// The schema of a custom resource; nothing is known of one without.
    pub fn schema(&self) -> Option<&Value> {
        let (definition, index) = self.custom.as_ref()?;
        Some(&definition["spec"]["versions"][*index]["schema"]["openAPIV3Schema"]).filter(|schema| schema.is_object())
    }

    /// The definition's entry of this version.
    pub fn definition_version(&self) -> Option<&Value> {
        let (definition, index) = self.custom.as_ref()?;
        Some(&definition["spec"]["versions"][*index])
    }

    /// What the fields are.
    pub fn types(&self) -> Types<'_> {
        match (self.schema(), self.is_custom()) {
            (Some(schema), _) => Types::Root(schema),
            (None, true) => Types::Deduced,
            (None, false) => Types::BuiltIn { kind: &self.kind, parent: "", name: &self.kind },
        }
    }

    /// Has `metadata.generation` a meaning?
    pub fn counts_generations(&self) -> bool {
        self.is_custom() || GENERATIONS.contains(&self.kind.as_str())
    }
}
