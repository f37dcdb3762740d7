//! Velero.
//! Source: github.com/vmware-tanzu/helm-charts at velero-12.1.0, `charts/velero`.

use rayplat_engine::value::Expr;
use serde_json::{Value, json};

use super::{ROLE_HOLE, VELERO, confined, fill, parts, resources, role_annotations};
use crate::kubernetes::chart::ChartSpec;

/// Velero as the platform wants it. Its namespace, `velero`, is not the chart's to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Velero {
    /// `us-east-1`.
    pub region: String,
    /// `1.35`.
    pub kube_version: String,
    /// The role's ARN, where the service account is to name it.
    pub role_arn: Option<Expr>,
    /// The bucket's name.
    pub bucket: Expr,
    /// Where in the bucket; the whole of it if there is none.
    pub prefix: Option<String>,
    /// The key's ARN.
    pub kms_key_arn: Option<Expr>,
    /// When, as cron writes it, in UTC.
    pub schedule: String,
    /// How long a backup is kept.
    pub retention_days: u32,
}

/// The service account, which the role is for.
const ACCOUNT: &str = "velero-server";

/// What Velero's own image runs as.
const NOBODY: u32 = 65532;

/// For Velero 1.18: <https://github.com/vmware-tanzu/velero-plugin-for-aws#compatibility>
const PLUGIN: &str = "velero/velero-plugin-for-aws:v1.14.0";

const BUCKET_HOLE: &str = "<bucket>";
const KEY_HOLE: &str = "<key>";

impl Velero {
    /// The chart with its values.
    pub fn spec(&self) -> ChartSpec {
        let nothing = Expr::Value(Value::Null);
        let or_nothing = |expr: &Option<Expr>| expr.clone().unwrap_or(nothing.clone());
        let (role, key) = (or_nothing(&self.role_arn), or_nothing(&self.kms_key_arn));
        let values = fill(self.values(), &[(ROLE_HOLE, &role), (KEY_HOLE, &key), (BUCKET_HOLE, &self.bucket)]);
        VELERO.spec("velero", &self.kube_version, values)
    }

    fn values(&self) -> Value {
        json!({
            "image": {"tag": "v1.18.1"},
            // CRDs are resources of ours, and upgraded by us: no job for it.
            "upgradeCRDs": false,
            "initContainers": [self.plugin()],
            "credentials": {"useSecret": false},
            "serviceAccount": {"server": {
                "create": true,
                "name": ACCOUNT,
                "annotations": role_annotations(self.role_arn.as_ref()),
            }},
            "configuration": self.configuration(),
            "resources": resources("100m", "512Mi"),
            "podSecurityContext": {
                "runAsNonRoot": true,
                "runAsUser": NOBODY,
                "runAsGroup": NOBODY,
                // The role's token is a file.
                "fsGroup": NOBODY,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containerSecurityContext": confined(),
            "backupsEnabled": true,
            "snapshotsEnabled": true,
            "deployNodeAgent": true,
            "nodeAgent": {
                "resources": resources("100m", "512Mi"),
                // Volumes are where pods are, whatever the node's taints.
                "tolerations": [{"operator": "Exists"}],
                // It reads other pods' volumes through the kubelet's folder.
                "podSecurityContext": {"runAsUser": 0, "fsGroup": NOBODY, "seccompProfile": {"type": "RuntimeDefault"}},
                "containerSecurityContext": {"allowPrivilegeEscalation": false},
            },
            "schedules": {"platform": {
                "schedule": self.schedule,
                "template": {
                    "ttl": format!("{}h0m0s", u64::from(self.retention_days) * 24),
                    "storageLocation": "default",
                    "snapshotVolumes": true,
                    "includedNamespaces": ["*"],
                },
            }},
        })
    }

    fn plugin(&self) -> Value {
        let mut security = confined();
        security["runAsNonRoot"] = true.into();
        json!({
            "name": "velero-plugin-for-aws",
            "image": PLUGIN,
            "imagePullPolicy": "IfNotPresent",
            "volumeMounts": [{"mountPath": "/target", "name": "plugins"}],
            "resources": resources("50m", "64Mi"),
            "securityContext": security,
        })
    }

    fn configuration(&self) -> Value {
        let mut config = json!({"region": self.region});
        if self.kms_key_arn.is_some() {
            config["kmsKeyId"] = KEY_HOLE.into();
        }
        let mut location =
            json!({"name": "default", "provider": "aws", "bucket": BUCKET_HOLE, "default": true, "config": config});
        if let Some(prefix) = &self.prefix {
            location["prefix"] = prefix.as_str().into();
        }
        json!({
            "backupStorageLocation": [location],
            "volumeSnapshotLocation": [{"name": "default", "provider": "aws", "config": {"region": self.region}}],
            // It keeps its repositories' settings under HOME, which the image has on the root
            // file system: velero#10300.
            "extraEnvVars": [{"name": "HOME", "value": "/scratch"}],
        })
    }
}

const NAME: &str = "velero";

/// Kind and plural; two of them at their second alpha.
const KINDS: [(&str, &str, &str); 13] = [
    ("Backup", "backups", "v1"),
    ("BackupRepository", "backuprepositories", "v1"),
    ("BackupStorageLocation", "backupstoragelocations", "v1"),
    ("DataDownload", "datadownloads", "v2alpha1"),
    ("DataUpload", "datauploads", "v2alpha1"),
    ("DeleteBackupRequest", "deletebackuprequests", "v1"),
    ("DownloadRequest", "downloadrequests", "v1"),
    ("PodVolumeBackup", "podvolumebackups", "v1"),
    ("PodVolumeRestore", "podvolumerestores", "v1"),
    ("Restore", "restores", "v1"),
    ("Schedule", "schedules", "v1"),
    ("ServerStatusRequest", "serverstatusrequests", "v1"),
    ("VolumeSnapshotLocation", "volumesnapshotlocations", "v1"),
];

pub(super) fn outline(spec: &ChartSpec, values: &Value) -> Vec<Value> {
    let labels = parts::labels(spec, NAME);
    let server = format!("{NAME}-server");
    let mut objects: Vec<_> =
        KINDS.iter().map(|(kind, plural, version)| parts::crd("velero.io", kind, plural, &[version])).collect();
    objects.push(parts::account(ACCOUNT, &labels, &values["serviceAccount"]["server"]["annotations"]));
    objects.push(parts::binding(spec, &server, &labels, ("ClusterRole", "cluster-admin"), ACCOUNT));
    objects.push(parts::role("Role", &server, &labels, &[("*", &["*"], &["*"])]));
    objects.push(parts::binding(spec, &server, &labels, ("Role", &server), ACCOUNT));
    let maintenance = json!({"data": {"global": "{\n  \"keepLatestMaintenanceJobs\": 3\n}"}});
    objects.push(parts::object("v1", "ConfigMap", "velero-repo-maintenance", &labels, maintenance));
    let selector = parts::merged(&parts::selector(spec, NAME), &json!({"name": NAME}));
    objects.push(parts::service(NAME, &labels, &selector, ("http-monitoring", 8085)));
    objects.push(deployment(spec, values, &labels));
    objects.push(node_agent(spec, values, &labels));
    for location in values["configuration"]["backupStorageLocation"].as_array().into_iter().flatten() {
        let storage = parts::some(&[("bucket", &location["bucket"]), ("prefix", &location["prefix"])]);
        let more = json!({"spec": {
            "provider": location["provider"], "accessMode": "ReadWrite", "default": location["default"],
            "objectStorage": storage, "config": location["config"],
        }});
        objects.push(parts::object("velero.io/v1", "BackupStorageLocation", text(&location["name"]), &labels, more));
    }
    for location in values["configuration"]["volumeSnapshotLocation"].as_array().into_iter().flatten() {
        let more = json!({"spec": {"provider": location["provider"], "config": location["config"]}});
        objects.push(parts::object("velero.io/v1", "VolumeSnapshotLocation", text(&location["name"]), &labels, more));
    }
    for (name, schedule) in values["schedules"].as_object().into_iter().flatten() {
        let more = json!({"spec": {"schedule": schedule["schedule"], "template": schedule["template"]}});
        objects.push(parts::object("velero.io/v1", "Schedule", &format!("{NAME}-{name}"), &labels, more));
    }
    objects
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn image(values: &Value) -> String {
    format!("docker.io/velero/velero:{}", text(&values["image"]["tag"]))
}

fn deployment(spec: &ChartSpec, values: &Value, labels: &Value) -> Value {
    let probe = json!({"httpGet": {"path": "/metrics", "port": "http-monitoring"}, "periodSeconds": 30});
    let container = parts::merged(
        &json!({
            "name": NAME,
            "image": image(values),
            "command": ["/velero"],
            "args": ["server", "--uploader-type=kopia"],
            "ports": [{"name": "http-monitoring", "containerPort": 8085}],
            "livenessProbe": probe,
            "readinessProbe": probe,
            "volumeMounts": [{"name": "plugins", "mountPath": "/plugins"}, {"name": "scratch", "mountPath": "/scratch"}],
        }),
        &parts::some(&[
            ("resources", &values["resources"]),
            ("securityContext", &values["containerSecurityContext"]),
            ("env", &values["configuration"]["extraEnvVars"]),
        ]),
    );
    let pod = parts::merged(
        &json!({
            "serviceAccountName": ACCOUNT,
            "containers": [container],
            "initContainers": values["initContainers"],
            "volumes": [{"name": "plugins", "emptyDir": {}}, {"name": "scratch", "emptyDir": {}}],
        }),
        &parts::some(&[("securityContext", &values["podSecurityContext"])]),
    );
    let selector = parts::merged(&parts::selector(spec, NAME), &json!({"name": NAME}));
    parts::workload("Deployment", NAME, labels, &selector, 1, pod)
}

fn node_agent(spec: &ChartSpec, values: &Value, labels: &Value) -> Value {
    let agent = &values["nodeAgent"];
    let container = parts::merged(
        &json!({
            "name": "node-agent",
            "image": image(values),
            "command": ["/velero"],
            "args": ["node-agent", "server"],
            "volumeMounts": [{"name": "host-pods", "mountPath": "/host_pods"}],
        }),
        &parts::some(&[("resources", &agent["resources"]), ("securityContext", &agent["containerSecurityContext"])]),
    );
    let pod = parts::merged(
        &json!({
            "serviceAccountName": ACCOUNT,
            "containers": [container],
            "volumes": [{"name": "host-pods", "hostPath": {"path": "/var/lib/kubelet/pods"}}],
        }),
        &parts::some(&[("securityContext", &agent["podSecurityContext"]), ("tolerations", &agent["tolerations"])]),
    );
    let selector = parts::merged(&parts::selector(spec, NAME), &json!({"name": "node-agent"}));
    parts::workload("DaemonSet", "node-agent", labels, &selector, 0, pod)
}
