//! The AWS node termination handler.
//! Source: github.com/aws/aws-node-termination-handler, `config/helm/aws-node-termination-handler`.

use rayplat_engine::value::Expr;
use serde_json::{Value, json};

use super::{ROLE_HOLE, TERMINATION_HANDLER, fill, parts, resources, role_annotations};
use crate::kubernetes::chart::ChartSpec;

/// The handler as the platform wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct TerminationHandler {
    /// The cluster's name: instances of others are none of its business.
    pub cluster: String,
    /// `us-east-1`.
    pub region: String,
    /// `1.35`.
    pub kube_version: String,
    /// The role's ARN, where the service account is to name it.
    pub role_arn: Option<Expr>,
    /// How it hears of what is to come.
    pub mode: Mode,
}

/// How the handler hears of what is to come.
#[derive(Debug, Clone, PartialEq)]
pub enum Mode {
    /// From the metadata service, on every node.
    Imds,
    /// From a queue.
    Queue {
        /// The queue's URL.
        url: Expr,
    },
}

const NAME: &str = "aws-node-termination-handler";
const QUEUE_HOLE: &str = "<queue>";

impl TerminationHandler {
    /// The chart with its values.
    pub fn spec(&self) -> ChartSpec {
        let mut values = json!({
            "awsRegion": self.region,
            "serviceAccount": {
                "create": true,
                "name": NAME,
                "annotations": role_annotations(self.role_arn.as_ref()),
            },
            "rbac": {"pspEnabled": false},
            "resources": resources("50m", "128Mi"),
            "securityContext": {
                "readOnlyRootFilesystem": true,
                "runAsNonRoot": true,
                "allowPrivilegeEscalation": false,
                "runAsUser": 1000,
                "runAsGroup": 1000,
                "capabilities": {"drop": ["ALL"]},
            },
            "podSecurityContext": {"fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "emitKubernetesEvents": true,
        });
        let url = match &self.mode {
            Mode::Imds => {
                values["enableSpotInterruptionDraining"] = true.into();
                values["enableScheduledEventDraining"] = true.into();
                // Its probe is its only sign of life.
                values["enableProbesServer"] = true.into();
                values["daemonsetTolerations"] = json!([{"operator": "Exists"}]);
                // The metadata service is one hop away and no more.
                values["useHostNetwork"] = true.into();
                Expr::Value(Value::Null)
            }
            Mode::Queue { url } => {
                // Every member of the node groups has this tag, and no other instance whose events
                // the same rules bring.
                let tag = format!("kubernetes.io/cluster/{}", self.cluster);
                values["enableSqsTerminationDraining"] = true.into();
                values["queueURL"] = QUEUE_HOLE.into();
                values["checkTagBeforeDraining"] = true.into();
                values["managedTag"] = tag.clone().into();
                values["managedAsgTag"] = tag.into();
                values["useProviderId"] = true.into();
                // A node that has gone is drained; its message would come back for ever.
                values["deleteSqsMsgIfNodeNotFound"] = true.into();
                // Its own node may be the one to go.
                values["replicas"] = 2.into();
                values["podDisruptionBudget"] = json!({"maxUnavailable": 1});
                url.clone()
            }
        };
        let role = self.role_arn.clone().unwrap_or(Expr::Value(Value::Null));
        let values = fill(values, &[(ROLE_HOLE, &role), (QUEUE_HOLE, &url)]);
        TERMINATION_HANDLER.spec("kube-system", &self.kube_version, values)
    }
}

pub(super) fn outline(spec: &ChartSpec, values: &Value) -> Vec<Value> {
    let labels = parts::labels(spec, NAME);
    let queue = values["enableSqsTerminationDraining"] == true;
    let rules: [(&str, &[&str], &[&str]); 5] = [
        ("", &["nodes"], &["get", "list", "patch", "update"]),
        ("", &["pods"], &["get", "list"]),
        ("", &["pods/eviction"], &["create"]),
        ("", &["events"], &["create", "patch"]),
        ("apps", &["daemonsets"], &["get"]),
    ];
    let mut objects = vec![
        parts::account(NAME, &labels, &values["serviceAccount"]["annotations"]),
        parts::role("ClusterRole", NAME, &labels, &rules),
        parts::binding(spec, NAME, &labels, ("ClusterRole", NAME), NAME),
    ];
    let env = |name: &str, value: &Value| json!({"name": name, "value": value});
    let mut variables = vec![env("AWS_REGION", &values["awsRegion"])];
    if queue {
        variables.push(env("QUEUE_URL", &values["queueURL"]));
        variables.push(env("MANAGED_TAG", &values["managedTag"]));
    }
    let container = parts::merged(
        &json!({
            "name": NAME,
            "image": format!("public.ecr.aws/aws-ec2/{NAME}:v{}", TERMINATION_HANDLER.app_version),
            "env": variables,
            "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5},
        }),
        &parts::some(&[("resources", &values["resources"]), ("securityContext", &values["securityContext"])]),
    );
    let mut pod = parts::merged(
        &json!({
            "serviceAccountName": NAME,
            "containers": [container],
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "priorityClassName": "system-node-critical",
        }),
        &parts::some(&[("securityContext", &values["podSecurityContext"])]),
    );
    let component = if queue { "deployment" } else { "daemonset" };
    let selector = parts::merged(&parts::selector(spec, NAME), &json!({"app.kubernetes.io/component": component}));
    if queue {
        pod["priorityClassName"] = "system-cluster-critical".into();
        objects.push(parts::budget(NAME, &labels, &selector));
        let replicas = values["replicas"].as_u64().unwrap_or(1);
        objects.push(parts::workload("Deployment", NAME, &labels, &selector, replicas, pod));
    } else {
        pod["hostNetwork"] = true.into();
        pod["volumes"] = json!([{"name": "uptime", "hostPath": {"path": "/proc/uptime"}}]);
        pod["containers"][0]["volumeMounts"] =
            json!([{"name": "uptime", "mountPath": "/proc/uptime", "readOnly": true}]);
        pod["tolerations"] = values["daemonsetTolerations"].clone();
        objects.push(parts::workload("DaemonSet", NAME, &labels, &selector, 0, pod));
    }
    objects
}
