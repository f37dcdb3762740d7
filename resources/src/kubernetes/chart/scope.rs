//! Which kinds belong to a namespace. A chart is rendered without a cluster that could be asked.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kubernetes::gvk;

/// Kinds of the cluster as a whole, with their groups, that `gvk` does not know: Kubernetes' own as of
/// 1.36 and of CRDs that charts often bring objects of.
/// Source: `kubectl api-resources --namespaced=false`.
const CLUSTER: [(&str, &str); 24] = [
    ("", "ComponentStatus"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("certificates.k8s.io", "CertificateSigningRequest"),
    ("certificates.k8s.io", "ClusterTrustBundle"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
    ("networking.k8s.io", "IPAddress"),
    ("networking.k8s.io", "ServiceCIDR"),
    ("node.k8s.io", "RuntimeClass"),
    ("resource.k8s.io", "DeviceClass"),
    ("resource.k8s.io", "ResourceSlice"),
    ("storage.k8s.io", "CSINode"),
    ("storage.k8s.io", "VolumeAttachment"),
    ("storage.k8s.io", "VolumeAttributesClass"),
    ("cert-manager.io", "ClusterIssuer"),
    ("external-secrets.io", "ClusterSecretStore"),
    ("gateway.networking.k8s.io", "GatewayClass"),
    ("karpenter.k8s.aws", "EC2NodeClass"),
    ("karpenter.sh", "NodePool"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotContent"),
];

/// Groups of Kubernetes' own, all of whose other kinds belong to a namespace.
const BUILT_IN: [&str; 20] = [
    "",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "apps",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "gateway.networking.k8s.io",
];

/// Where the objects of a kind live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Namespaced,
    Cluster,
    /// In no table and no CRD of the chart.
    Unknown,
}

/// What is known of scopes: the tables, and the chart's own CRDs.
#[derive(Debug, Default)]
pub(super) struct Scopes(BTreeMap<(String, String), Scope>);

impl Scopes {
    /// With the CRDs among these manifests.
    pub fn of<'a>(manifests: impl Iterator<Item = &'a Value>) -> Self {
        let own = manifests.filter(|manifest| manifest["kind"] == "CustomResourceDefinition").filter_map(|manifest| {
            let spec = &manifest["spec"];
            let name = (spec["group"].as_str()?.to_owned(), spec["names"]["kind"].as_str()?.to_owned());
            let cluster = spec["scope"] == "Cluster";
            Some((name, if cluster { Scope::Cluster } else { Scope::Namespaced }))
        });
        Self(own.collect())
    }

    /// A kind of a CRD that stands in the chart itself.
    pub fn is_own(&self, group: &str, kind: &str) -> bool {
        self.0.contains_key(&(group.to_owned(), kind.to_owned()))
    }

    pub fn get(&self, group: &str, kind: &str) -> Scope {
        if let Some(scope) = self.0.get(&(group.to_owned(), kind.to_owned())) {
            return *scope;
        }
        let api_version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
        if let Some(namespaced) = gvk::namespaced(&api_version, kind) {
            return if namespaced { Scope::Namespaced } else { Scope::Cluster };
        }
        if CLUSTER.contains(&(group, kind)) {
            return Scope::Cluster;
        }
        if BUILT_IN.contains(&group) { Scope::Namespaced } else { Scope::Unknown }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_charts_own_kinds_are_known_from_its_crds() {
        let crd = |kind: &str, scope: &str| {
            json!({
                "kind": "CustomResourceDefinition",
                "spec": {"group": "demo.example", "names": {"kind": kind}, "scope": scope},
            })
        };
        let crds = [crd("Thing", "Namespaced"), crd("World", "Cluster")];
        let scopes = Scopes::of(crds.iter());
        assert_eq!(scopes.get("demo.example", "Thing"), Scope::Namespaced);
        assert_eq!(scopes.get("demo.example", "World"), Scope::Cluster);
        assert_eq!(scopes.get("demo.example", "Other"), Scope::Unknown);
        assert_eq!(scopes.get("", "ConfigMap"), Scope::Namespaced);
        assert_eq!(scopes.get("apps", "Deployment"), Scope::Namespaced);
        assert_eq!(scopes.get("rbac.authorization.k8s.io", "ClusterRole"), Scope::Cluster);
        assert_eq!(scopes.get("rbac.authorization.k8s.io", "Role"), Scope::Namespaced);
        assert_eq!(scopes.get("storage.k8s.io", "CSINode"), Scope::Cluster);
        assert_eq!(scopes.get("storage.k8s.io", "CSIStorageCapacity"), Scope::Namespaced);
    }
}
