//! The NVIDIA device plugin: without it nobody in the cluster knows of a node's GPUs.
//! Source: github.com/NVIDIA/k8s-device-plugin, `deployments/helm/nvidia-device-plugin`.

use serde_json::{Value, json};

use super::{DEVICE_PLUGIN, fill, parts, resources};
use crate::kubernetes::chart::ChartSpec;

/// The plugin as the platform wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePlugin {
    /// `1.35`.
    pub kube_version: String,
    /// Pools of Amazon Linux 2023 with NVIDIA GPUs; Bottlerocket's images have the plugin in them.
    pub pools: Vec<String>,
}

/// The label of a pool's nodes.
const POOL: &str = "rayplat.io/pool";

impl DevicePlugin {
    /// The chart with its values.
    pub fn spec(&self) -> ChartSpec {
        let on_pools = json!({"key": POOL, "operator": "In", "values": self.pools});
        let values = json!({
            // The chart's own rule waits for labels of node-feature-discovery, which is not there.
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [on_pools]}],
            }}},
            // On these nodes whatever taints a pool has: without the plugin they are of no use.
            "tolerations": [{"operator": "Exists"}],
            "resources": resources("50m", "128Mi"),
            "priorityClassName": "system-node-critical",
            "podSecurityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "gfd": {"enabled": false},
            "nfd": {"enabled": false},
        });
        DEVICE_PLUGIN.spec("kube-system", &self.kube_version, fill(values, &[]))
    }
}

const NAME: &str = "nvidia-device-plugin";

pub(super) fn outline(spec: &ChartSpec, values: &Value) -> Vec<Value> {
    let labels = parts::labels(spec, NAME);
    let account = format!("{NAME}-service-account");
    let role = format!("{NAME}-role");
    let rules: [(&str, &[&str], &[&str]); 1] = [("", &["nodes"], &["get", "list", "watch"])];
    let image = format!("nvcr.io/nvidia/k8s-device-plugin:v{}", spec.version);
    let plugin = parts::merged(
        &json!({
            "name": "nvidia-device-plugin-ctr",
            "image": image,
            "command": ["nvidia-device-plugin"],
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": "kubelet-device-plugins-dir", "mountPath": "/var/lib/kubelet/device-plugins"}],
        }),
        &parts::some(&[("resources", &values["resources"])]),
    );
    let mut pod = parts::merged(
        &json!({
            "serviceAccountName": account,
            "containers": [plugin],
            "volumes": [{"name": "kubelet-device-plugins-dir", "hostPath": {"path": "/var/lib/kubelet/device-plugins"}}],
        }),
        &parts::some(&[
            ("securityContext", &values["podSecurityContext"]),
            ("affinity", &values["affinity"]),
            ("tolerations", &values["tolerations"]),
            ("priorityClassName", &values["priorityClassName"]),
        ]),
    );
    let selector = parts::selector(spec, NAME);
    let daemons = parts::workload("DaemonSet", NAME, &labels, &selector, 0, pod.clone());
    // Sharing by MPS: on nodes with a label that ours do not have.
    let mps = format!("{NAME}-mps-control-daemon");
    pod["nodeSelector"] = json!({"nvidia.com/mps.capable": "true"});
    pod["containers"][0]["name"] = "mps-control-daemon-ctr".into();
    pod["containers"][0]["command"] = json!(["mps-control-daemon"]);
    pod["containers"][0]["securityContext"] = json!({"privileged": true});
    let mps_selector = parts::merged(&selector, &json!({"app.kubernetes.io/component": "mps-control-daemon"}));
    vec![
        parts::account(&account, &labels, &json!({})),
        parts::role("ClusterRole", &role, &labels, &rules),
        parts::binding(spec, &format!("{NAME}-role-binding"), &labels, ("ClusterRole", &role), &account),
        daemons,
        parts::workload("DaemonSet", &mps, &labels, &mps_selector, 0, pod),
    ]
}
