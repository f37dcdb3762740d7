//! The KubeRay operator.
//! Source: github.com/ray-project/kuberay at v1.7.0, `helm-chart/kuberay-operator`.

use serde_json::{Value, json};

use super::{KUBERAY, confined, fill, parts, resources};
use crate::kubernetes::chart::ChartSpec;

/// The operator as the platform wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeRay {
    /// Where it runs.
    pub namespace: String,
    /// `1.35`.
    pub kube_version: String,
    /// Variables of the operator, such as `ENABLE_INIT_CONTAINER_INJECTION`.
    pub env: Vec<(String, String)>,
}

impl KubeRay {
    /// The chart with its values.
    pub fn spec(&self) -> ChartSpec {
        let env: Vec<_> = self.env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        let mut security = confined();
        security["runAsNonRoot"] = true.into();
        security["seccompProfile"] = json!({"type": "RuntimeDefault"});
        // About 1 MB a Ray pod, says the chart.
        let mut room = resources("100m", "512Mi");
        // The chart's own limit of a tenth of a CPU; a null takes it away.
        room["limits"]["cpu"] = Value::Null;
        let values = json!({
            "image": {"tag": "v1.7.0"},
            // One is enough: running Ray clusters do not notice its absence, and the chart
            // recreates rather than rolls. So no budget either: it would block every drain.
            "replicas": 1,
            "resources": room,
            "podSecurityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "securityContext": security,
            "priorityClassName": "system-cluster-critical",
            "env": env,
        });
        KUBERAY.spec(&self.namespace, &self.kube_version, fill(values, &[]))
    }
}

const NAME: &str = "kuberay-operator";

/// Plural, singular and kind; versions, the stored one first.
const KINDS: [(&str, &str, &str, &[&str]); 4] = [
    ("rayclusters", "raycluster", "RayCluster", &["v1", "v1alpha1"]),
    ("rayjobs", "rayjob", "RayJob", &["v1", "v1alpha1"]),
    ("rayservices", "rayservice", "RayService", &["v1", "v1alpha1"]),
    ("raycronjobs", "raycronjob", "RayCronJob", &["v1"]),
];

pub(super) fn outline(spec: &ChartSpec, values: &Value) -> Vec<Value> {
    let labels = parts::labels(spec, NAME);
    let selector = parts::selector(spec, NAME);
    let every: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];
    let look: &[&str] = &["get", "list", "watch"];
    let mut objects = vec![parts::account(NAME, &labels, &json!({}))];
    for (plural, singular, kind, versions) in KINDS {
        objects.push(parts::crd("ray.io", kind, plural, versions));
        // For people; the chart has none for clusters.
        let people = [("editor", every), ("viewer", look)];
        for (suffix, verbs) in people.into_iter().filter(|_| kind != "RayCluster") {
            let name = format!("{singular}-{suffix}-role");
            objects.push(parts::role("ClusterRole", &name, &labels, &[("ray.io", &[plural], verbs)]));
        }
    }
    let plurals = KINDS.map(|(plural, ..)| plural);
    let status = KINDS.map(|(plural, ..)| format!("{plural}/status"));
    let status: Vec<_> = status.iter().map(String::as_str).collect();
    let rules: [(&str, &[&str], &[&str]); 5] = [
        ("ray.io", &plurals, every),
        ("ray.io", &status, &["get", "patch", "update"]),
        ("", &["events", "pods", "secrets", "serviceaccounts", "services"], every),
        ("batch", &["jobs"], every),
        ("rbac.authorization.k8s.io", &["rolebindings", "roles"], every),
    ];
    objects.push(parts::role("ClusterRole", NAME, &labels, &rules));
    objects.push(parts::binding(spec, NAME, &labels, ("ClusterRole", NAME), NAME));
    let election = "kuberay-operator-leader-election";
    let leases: [(&str, &[&str], &[&str]); 1] = [("coordination.k8s.io", &["leases"], every)];
    objects.push(parts::role("Role", election, &labels, &leases));
    objects.push(parts::binding(spec, election, &labels, ("Role", election), NAME));
    objects.push(parts::service(NAME, &labels, &selector, ("http", 8080)));
    let probe = json!({"httpGet": {"path": "/metrics", "port": "http"}, "initialDelaySeconds": 10, "periodSeconds": 5});
    let container = parts::merged(
        &json!({
            "name": NAME,
            "image": format!("quay.io/kuberay/operator:{}", values["image"]["tag"].as_str().unwrap_or("v1.7.0")),
            "command": ["/manager"],
            "ports": [{"name": "http", "containerPort": 8080}],
            "livenessProbe": probe,
            "readinessProbe": probe,
        }),
        &parts::some(&[
            ("resources", &values["resources"]),
            ("securityContext", &values["securityContext"]),
            ("env", &values["env"]),
        ]),
    );
    let pod = parts::merged(
        &json!({"serviceAccountName": NAME, "containers": [container]}),
        &parts::some(&[
            ("securityContext", &values["podSecurityContext"]),
            ("priorityClassName", &values["priorityClassName"]),
        ]),
    );
    let replicas = values["replicas"].as_u64().unwrap_or(1);
    objects.push(parts::workload("Deployment", NAME, &labels, &selector, replicas, pod));
    objects
}
