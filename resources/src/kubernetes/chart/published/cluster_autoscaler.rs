//! The cluster autoscaler.
//! Source: github.com/kubernetes/autoscaler at cluster-autoscaler-chart-9.59.0,
//! `cluster-autoscaler/charts/cluster-autoscaler`.

use rayplat_engine::value::Expr;
use serde_json::{Map, Value, json};

use super::{CLUSTER_AUTOSCALER, ROLE_HOLE, confined, fill, parts, resources, role_annotations};
use crate::kubernetes::chart::ChartSpec;

/// The autoscaler as the platform wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterAutoscaler {
    /// The cluster's name, by which it finds its groups.
    pub cluster: String,
    /// `us-east-1`.
    pub region: String,
    /// `1.35`: decides the image too.
    pub kube_version: String,
    /// The role's ARN, where the service account is to name it.
    pub role_arn: Option<Expr>,
    /// Names of Auto Scaling groups.
    pub groups: NodeGroupNames,
}

/// Names of the Auto Scaling groups behind node groups.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NodeGroupNames {
    /// Of pools: asked first, on the least waste among them.
    pub primary: Vec<Expr>,
    /// Of On-Demand fallbacks: asked when no pool in question has room.
    pub fallback: Vec<Expr>,
}

/// The newest release of each minor version; it simulates the scheduler of that version.
/// Source: github.com/kubernetes/autoscaler, tags, 2026-07-22; its README, "Releases".
const IMAGES: [(&str, &str); 5] =
    [("1.32", "v1.32.7"), ("1.33", "v1.33.6"), ("1.34", "v1.34.5"), ("1.35", "v1.35.2"), ("1.36", "v1.36.1")];

/// The image's tag for a cluster of this minor version; the newest known for a newer one.
fn image_tag(kube_version: &str) -> &'static str {
    let found = IMAGES.iter().find(|(minor, _)| *minor == kube_version);
    found.or(IMAGES.last()).map_or("v1.36.1", |(_, tag)| tag)
}

const NAME: &str = "cluster-autoscaler";

/// Higher ones are asked first. A group that no pattern knows is asked only when no known one
/// is in question, so that every group stands in the list.
/// Source: kubernetes/autoscaler, `cluster-autoscaler/expander/priority/priority.go`.
const PRIMARY: &str = "20";
const FALLBACK: &str = "10";

impl ClusterAutoscaler {
    /// The chart with its values.
    pub fn spec(&self) -> ChartSpec {
        let values = json!({
            "fullnameOverride": NAME,
            "nameOverride": NAME,
            "cloudProvider": "aws",
            "awsRegion": self.region,
            "autoDiscovery": {"clusterName": self.cluster},
            "image": {"tag": image_tag(&self.kube_version)},
            // Two, of which one leads: while its node is drained the other goes on. The budget lets
            // one go at a time.
            "replicaCount": 2,
            "podDisruptionBudget": {"maxUnavailable": 1},
            "topologySpreadConstraints": [{
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/instance": NAME}},
            }],
            "priorityClassName": "system-cluster-critical",
            // It asks AWS and the API server only, and must work when cluster DNS waits for a node.
            "dnsPolicy": "Default",
            "resources": resources("100m", "600Mi"),
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65534,
                "runAsGroup": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containerSecurityContext": confined(),
            "rbac": {"serviceAccount": {
                "create": true,
                "name": NAME,
                "annotations": role_annotations(self.role_arn.as_ref()),
            }},
            "extraArgs": {
                "expander": "priority,least-waste",
                "balance-similar-node-groups": true,
                // Ray's pods spill to disk and would hold every node; the head says by annotation
                // that it must stay.
                "skip-nodes-with-local-storage": false,
                "skip-nodes-with-system-pods": false,
                // A Spot group that gives nothing is given up on after this, for its fallback.
                "max-node-provision-time": "10m",
                "v": 2,
            },
        });
        let role = self.role_arn.clone().unwrap_or(Expr::Value(Value::Null));
        let mut values = fill(values, &[(ROLE_HOLE, &role)]);
        if let (Expr::Object(entries), Some(priorities)) = (&mut values, self.priorities()) {
            entries.push((Expr::Value("expanderPriorities".into()), priorities));
        }
        CLUSTER_AUTOSCALER.spec("kube-system", &self.kube_version, values)
    }

    fn priorities(&self) -> Option<Expr> {
        let list = |names: &[Expr]| Expr::List(names.iter().map(exactly).collect());
        let NodeGroupNames { primary, fallback } = &self.groups;
        let both = [(PRIMARY, primary), (FALLBACK, fallback)];
        let entries: Vec<_> = both
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(priority, names)| (Expr::Value(priority.into()), list(names)))
            .collect();
        (!entries.is_empty()).then_some(Expr::Object(entries))
    }
}

/// A pattern for this name and no other: `^eks-gpu-1` would match `eks-gpu-10`.
fn exactly(name: &Expr) -> Expr {
    Expr::Concat(vec![Expr::Value("^".into()), name.clone(), Expr::Value("$".into())])
}

pub(super) fn outline(spec: &ChartSpec, values: &Value) -> Vec<Value> {
    let labels = parts::labels(spec, NAME);
    let selector = parts::selector(spec, NAME);
    let account = &values["rbac"]["serviceAccount"];
    let look: &[&str] = &["get", "list", "watch"];
    let cluster: [(&str, &[&str], &[&str]); 6] = [
        (
            "",
            &["endpoints", "events", "nodes", "pods", "services"],
            &["create", "get", "list", "patch", "update", "watch"],
        ),
        ("", &["pods/eviction", "pods/status"], &["create", "update"]),
        ("apps", &["daemonsets", "replicasets", "statefulsets"], look),
        ("policy", &["poddisruptionbudgets"], look),
        ("storage.k8s.io", &["csidrivers", "csinodes", "csistoragecapacities", "storageclasses"], look),
        ("coordination.k8s.io", &["leases"], &["create", "get", "update"]),
    ];
    let local: [(&str, &[&str], &[&str]); 1] =
        [("", &["configmaps"], &["create", "delete", "get", "list", "update", "watch"])];
    let mut objects = vec![
        parts::account(NAME, &labels, &account["annotations"]),
        parts::role("ClusterRole", NAME, &labels, &cluster),
        parts::binding(spec, NAME, &labels, ("ClusterRole", NAME), NAME),
        parts::role("Role", NAME, &labels, &local),
        parts::binding(spec, NAME, &labels, ("Role", NAME), NAME),
        parts::service(NAME, &labels, &selector, ("http", 8085)),
        parts::budget(NAME, &labels, &selector),
    ];
    if let Some(priorities) = values["expanderPriorities"].as_object() {
        let data = json!({"data": {"priorities": listed(priorities)}});
        objects.push(parts::object("v1", "ConfigMap", "cluster-autoscaler-priority-expander", &labels, data));
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let extra = values["extraArgs"].as_object().into_iter().flatten();
    let mut command = vec!["./cluster-autoscaler".to_owned(), "--cloud-provider=aws".to_owned()];
    let cluster = text(&values["autoDiscovery"]["clusterName"]);
    command.push(format!(
        "--node-group-auto-discovery=asg:tag=k8s.io/cluster-autoscaler/enabled,k8s.io/cluster-autoscaler/{cluster}"
    ));
    command.extend(extra.map(|(name, value)| format!("--{name}={}", text(value))));
    let tag = text(&values["image"]["tag"]);
    let container = parts::merged(
        &json!({
            "name": NAME,
            "image": format!("registry.k8s.io/autoscaling/cluster-autoscaler:{tag}"),
            "command": command,
            "env": [{"name": "AWS_REGION", "value": values["awsRegion"]}],
            "ports": [{"containerPort": 8085}],
            "livenessProbe": {"httpGet": {"path": "/health-check", "port": 8085}},
        }),
        &parts::some(&[("resources", &values["resources"]), ("securityContext", &values["containerSecurityContext"])]),
    );
    let pod = parts::merged(
        &json!({"serviceAccountName": NAME, "containers": [container], "dnsPolicy": values["dnsPolicy"]}),
        &parts::some(&[
            ("securityContext", &values["securityContext"]),
            ("priorityClassName", &values["priorityClassName"]),
            ("topologySpreadConstraints", &values["topologySpreadConstraints"]),
        ]),
    );
    let replicas = values["replicaCount"].as_u64().unwrap_or(1);
    objects.push(parts::workload("Deployment", NAME, &labels, &selector, replicas, pod));
    objects
}

/// The expander's own form: patterns under their priority.
fn listed(priorities: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (priority, patterns) in priorities {
        text.push_str(&format!("{priority}:\n"));
        for pattern in patterns.as_array().into_iter().flatten() {
            text.push_str(&format!("  - {}\n", pattern.as_str().unwrap_or_default()));
        }
    }
    text
}
