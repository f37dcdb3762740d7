//! Fields that the API server lets nobody change: a change of them needs a new object.
//! Source: the validation of each kind, `pkg/apis/*/validation` in kubernetes/kubernetes.

/// Below `manifest`, of a kind; `apiVersion` is watched by its group elsewhere.
pub(super) fn fields(kind: &str) -> &'static [&'static str] {
    match kind {
        "Deployment" | "DaemonSet" | "ReplicaSet" => &["manifest.spec.selector"],
        "StatefulSet" => &[
            "manifest.spec.selector",
            "manifest.spec.serviceName",
            "manifest.spec.volumeClaimTemplates",
            "manifest.spec.podManagementPolicy",
        ],
        "Job" => &["manifest.spec.selector", "manifest.spec.template", "manifest.spec.completionMode"],
        "RoleBinding" | "ClusterRoleBinding" => &["manifest.roleRef"],
        "StorageClass" => {
            &["manifest.provisioner", "manifest.parameters", "manifest.reclaimPolicy", "manifest.volumeBindingMode"]
        }
        "PriorityClass" => &["manifest.value"],
        "Secret" => &["manifest.type"],
        "Service" => &["manifest.spec.clusterIP"],
        "PersistentVolumeClaim" => &[
            "manifest.spec.storageClassName",
            "manifest.spec.accessModes",
            "manifest.spec.volumeName",
            "manifest.spec.selector",
        ],
        "CustomResourceDefinition" => {
            &["manifest.spec.group", "manifest.spec.scope", "manifest.spec.names.plural", "manifest.spec.names.kind"]
        }
        _ => &[],
    }
}
