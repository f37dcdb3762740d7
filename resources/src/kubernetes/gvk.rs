//! Which resource an object's kind is served as.

use rayplat_engine::error::{ErrorClass, ProviderError};
use serde_json::Value;

/// An object's identity in its cluster, as its manifest says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// `apps/v1`, or `v1` of the core group.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// `None` for what is cluster-wide.
    pub namespace: Option<String>,
    /// The name.
    pub name: String,
}

impl Reference {
    /// The identity that a manifest gives.
    ///
    /// # Errors
    /// One of its three parts is missing.
    pub fn of(manifest: &Value) -> Result<Self, ProviderError> {
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        let need = |pointer: &str| {
            text(pointer).map(str::to_owned).ok_or_else(|| {
                let path = pointer.trim_start_matches('/').replace('/', ".");
                ProviderError::new(ErrorClass::Invalid, format!("a Kubernetes object has no {path}"))
                    .hint("Give it apiVersion, kind and metadata.name.")
            })
        };
        Ok(Self {
            api_version: need("/apiVersion")?,
            kind: need("/kind")?,
            namespace: text("/metadata/namespace").map(str::to_owned),
            name: need("/metadata/name")?,
        })
    }

    /// `apps`; empty for the core group.
    pub fn group(&self) -> &str {
        group(&self.api_version)
    }

    /// What the id of such an object is in the state: `Deployment.apps/NAMESPACE/NAME`.
    pub fn id(&self) -> String {
        let dot = if self.group().is_empty() { "" } else { "." };
        format!("{}{dot}{}/{}/{}", self.kind, self.group(), self.namespace.as_deref().unwrap_or(""), self.name)
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// The group of an `apiVersion`.
pub(super) fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// A resource as an API serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Served {
    /// `deployments`.
    pub plural: String,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
}

/// Kinds that every cluster serves under these names, so that nobody need ask for them.
/// Source: <https://kubernetes.io/docs/reference/kubernetes-api/>
const BUILT_IN: [(&str, &str, &str, bool); 36] = [
    ("", "ConfigMap", "configmaps", true),
    ("", "Endpoints", "endpoints", true),
    ("", "Event", "events", true),
    ("", "LimitRange", "limitranges", true),
    ("", "Namespace", "namespaces", false),
    ("", "Node", "nodes", false),
    ("", "PersistentVolume", "persistentvolumes", false),
    ("", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("", "Pod", "pods", true),
    ("", "ResourceQuota", "resourcequotas", true),
    ("", "Secret", "secrets", true),
    ("", "Service", "services", true),
    ("", "ServiceAccount", "serviceaccounts", true),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", false),
    ("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", false),
    ("apiregistration.k8s.io", "APIService", "apiservices", false),
    ("apps", "DaemonSet", "daemonsets", true),
    ("apps", "Deployment", "deployments", true),
    ("apps", "ReplicaSet", "replicasets", true),
    ("apps", "StatefulSet", "statefulsets", true),
    ("autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
    ("batch", "CronJob", "cronjobs", true),
    ("batch", "Job", "jobs", true),
    ("coordination.k8s.io", "Lease", "leases", true),
    ("networking.k8s.io", "Ingress", "ingresses", true),
    ("networking.k8s.io", "IngressClass", "ingressclasses", false),
    ("networking.k8s.io", "NetworkPolicy", "networkpolicies", true),
    ("policy", "PodDisruptionBudget", "poddisruptionbudgets", true),
    ("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", false),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings", false),
    ("rbac.authorization.k8s.io", "Role", "roles", true),
    ("rbac.authorization.k8s.io", "RoleBinding", "rolebindings", true),
    ("scheduling.k8s.io", "PriorityClass", "priorityclasses", false),
    ("storage.k8s.io", "CSIDriver", "csidrivers", false),
    ("storage.k8s.io", "StorageClass", "storageclasses", false),
];

/// How a kind of Kubernetes' own is served.
pub(super) fn built_in(api_version: &str, kind: &str) -> Option<Served> {
    let group = group(api_version);
    let found = BUILT_IN.iter().find(|(of, name, ..)| *of == group && *name == kind)?;
    Some(Served { plural: found.2.to_owned(), namespaced: found.3 })
}

/// Whether objects of a kind of Kubernetes' own are in namespaces; `None` for a custom kind.
pub fn namespaced(api_version: &str, kind: &str) -> Option<bool> {
    built_in(api_version, kind).map(|served| served.namespaced)
}

/// The path of a resource's collection.
pub(super) fn path(api_version: &str, served: &Served, namespace: Option<&str>) -> String {
    let root = if api_version.contains('/') { "apis" } else { "api" };
    match namespace.filter(|_| served.namespaced) {
        Some(namespace) => format!("/{root}/{api_version}/namespaces/{namespace}/{}", served.plural),
        None => format!("/{root}/{api_version}/{}", served.plural),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_manifest_says_what_it_is() {
        let manifest =
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "ray", "name": "redis"}});
        let reference = Reference::of(&manifest).unwrap();
        assert_eq!(reference.id(), "Deployment.apps/ray/redis");
        assert_eq!(reference.to_string(), "Deployment ray/redis");
        let error = Reference::of(&json!({"apiVersion": "v1", "kind": "Namespace"})).unwrap_err();
        assert_eq!(error.message, "a Kubernetes object has no metadata.name");
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ray"}});
        assert_eq!(Reference::of(&namespace).unwrap().id(), "Namespace//ray");
    }

    #[test]
    fn paths() {
        let served = built_in("apps/v1", "Deployment").unwrap();
        assert_eq!(path("apps/v1", &served, Some("ray")), "/apis/apps/v1/namespaces/ray/deployments");
        assert_eq!(path("v1", &built_in("v1", "Namespace").unwrap(), Some("x")), "/api/v1/namespaces");
        assert_eq!(built_in("ray.io/v1", "RayCluster"), None);
        assert_eq!(namespaced("v1", "Secret"), Some(true));
    }
}
