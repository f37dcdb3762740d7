//! What a workload should have: what it asks for, a limit, signs of life, no more rights than it
//! needs, a budget. What cannot be had is in one table, with the reason.
//! Source: kube-score's checks, <https://github.com/zegl/kube-score/blob/master/README_CHECKS.md>

use serde_json::{Value, json};

/// Object (`every KIND` for all of a kind), the beginning of what is found there, and why it stays.
pub type Row = (&'static str, &'static str, &'static str);

const BY_KUBERAY: &str = "KubeRay adds it, over HTTP, for Ray 2.53 and newer";
const HOME: &str = "Ray's images keep packages and sessions below `/home/ray`";
const NO_CPU_LIMIT: &str = "it would throttle a controller just when there is much to do";

/// What stays, the special before the general.
pub const EXPLAINED: [Row; 29] = [
    ("DaemonSet nvidia-device-plugin-mps-control-daemon", "", "it runs only on nodes labelled for MPS: none of ours"),
    ("DaemonSet nvidia-device-plugin", "runs as root", "it registers at the kubelet's socket, which is root's"),
    ("DaemonSet nvidia-device-plugin", "writes to its root file system", "not known to work without"),
    ("DaemonSet nvidia-device-plugin", "has no readiness probe", "the chart has none; nobody calls it"),
    ("DaemonSet nvidia-device-plugin", "has no liveness probe", "the chart has none; the kubelet sees when it stops"),
    ("DaemonSet nvidia-device-plugin", "mounts a folder of the node", "the kubelet's socket is there"),
    ("DaemonSet node-agent", "runs as root", "it reads other pods' volumes"),
    ("DaemonSet node-agent", "writes to its root file system", "the uploader's cache is there"),
    ("DaemonSet node-agent", "keeps capabilities", "it reads files of any owner"),
    ("DaemonSet node-agent", "has no readiness probe", "the chart has none; nobody calls it"),
    ("DaemonSet node-agent", "has no liveness probe", "the chart has none; it ends when it cannot go on"),
    ("DaemonSet node-agent", "mounts a folder of the node", "other pods' volumes are there"),
    (
        "DaemonSet aws-node-termination-handler",
        "uses the node's network",
        "the metadata service is one hop away and no more",
    ),
    (
        "DaemonSet aws-node-termination-handler",
        "mounts a folder of the node",
        "`/proc/uptime` says whether the node has been started again",
    ),
    ("DaemonSet aws-node-termination-handler", "has no readiness probe", "the chart has none; nobody calls it"),
    ("Deployment aws-node-termination-handler", "has no readiness probe", "the chart has none; nobody calls it"),
    ("Deployment cluster-autoscaler", "has no readiness probe", "the chart has none; nobody calls it"),
    (
        "Deployment kuberay-operator",
        "runs once",
        "running Ray clusters do not notice; a budget would block every drain",
    ),
    ("Deployment velero", "runs once", "between backups nobody notices; a budget would block every drain"),
    ("every Deployment", "has no limit of CPU", NO_CPU_LIMIT),
    ("every DaemonSet", "has no limit of CPU", NO_CPU_LIMIT),
    ("StatefulSet ray-redis", "runs once", "while it moves, the head waits; a budget would block every drain"),
    ("every RayCluster", "has no readiness probe", BY_KUBERAY),
    ("every RayCluster", "has no liveness probe", BY_KUBERAY),
    ("every RayCluster", "writes to its root file system", HOME),
    ("every RayCluster", "runs once: head", "there is one head; a budget would block every drain or do nothing"),
    ("every RayCluster", "runs once: workers", "of one worker or none no budget keeps any; from two on there is one"),
    ("every RayJob", "writes to its root file system", HOME),
    ("Namespace kube-system", "has no NetworkPolicy", "EKS's own add-ons are there: to deny would cut off DNS"),
];

/// Pods that an object has made.
#[derive(Debug, Clone, PartialEq)]
pub struct Pods<'a> {
    /// Which of the object's pods they are; empty where all are alike.
    pub whose: String,
    /// Their specification.
    pub spec: &'a Value,
    /// The labels by which they are found.
    pub labels: Value,
    /// Whether they are to run for ever.
    pub stays: bool,
    /// How many there are at least; `None` if that is not the object's to say.
    pub count: Option<u64>,
}

/// The pods of an object; none of other kinds. A RayService has those of its cluster.
pub fn pods(manifest: &Value) -> Vec<Pods<'_>> {
    let spec = &manifest["spec"];
    match manifest["kind"].as_str().unwrap_or_default() {
        "Deployment" | "StatefulSet" => {
            vec![templated(&spec["template"], true, Some(spec["replicas"].as_u64().unwrap_or(1)))]
        }
        "DaemonSet" => vec![templated(&spec["template"], true, None)],
        "Job" => vec![templated(&spec["template"], false, None)],
        "CronJob" => vec![templated(&spec["jobTemplate"]["spec"]["template"], false, None)],
        "RayJob" => vec![templated(&spec["submitterPodTemplate"], false, None)],
        "RayCluster" => of_ray(spec),
        "RayService" => of_ray(&spec["rayClusterConfig"]),
        _ => Vec::new(),
    }
}

fn templated(template: &Value, stays: bool, count: Option<u64>) -> Pods<'_> {
    let labels = template["metadata"]["labels"].clone();
    Pods { whose: String::new(), spec: &template["spec"], labels, stays, count }
}

/// KubeRay labels the pods itself.
/// Source: KubeRay 1.7.0 `ray-operator/controllers/ray/utils/constant.go`
fn of_ray(cluster: &Value) -> Vec<Pods<'_>> {
    let head = Pods {
        whose: "head".to_owned(),
        labels: json!({"ray.io/node-type": "head", "ray.io/group": "headgroup"}),
        ..templated(&cluster["headGroupSpec"]["template"], true, Some(1))
    };
    let groups = cluster["workerGroupSpecs"].as_array().into_iter().flatten();
    let workers = groups.map(|group| {
        let name = group["groupName"].as_str().unwrap_or_default();
        let least = group["minReplicas"].as_u64().unwrap_or_default();
        Pods {
            whose: format!("workers of {name}"),
            labels: json!({"ray.io/node-type": "worker", "ray.io/group": name}),
            ..templated(&group["template"], true, Some(least))
        }
    });
    std::iter::once(head).chain(workers).collect()
}

/// What is wrong with an object's pods, container by container; nothing for kinds without pods.
/// What is [`EXPLAINED`] is among it.
pub fn findings(manifest: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for pods in pods(manifest) {
        found.extend(with_node(pods.spec));
        for (key, main) in [("containers", true), ("initContainers", false)] {
            for container in list(&pods.spec[key]) {
                let name = container["name"].as_str().unwrap_or_default();
                let wrong =
                    asks(container).chain(lives(container, main && pods.stays)).chain(rights(container, pods.spec));
                found.extend(wrong.map(|what| format!("{what}: container {name}")));
            }
        }
    }
    found
}

/// What of the node a pod sees.
fn with_node(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if pod["hostNetwork"] == true {
        found.push("uses the node's network".to_owned());
    }
    if pod["hostPID"] == true || pod["hostIPC"] == true {
        found.push("sees the node's processes".to_owned());
    }
    let folders = list(&pod["volumes"]).iter().filter(|volume| !volume["hostPath"].is_null());
    found.extend(folders.map(|volume| {
        format!("mounts a folder of the node: {}", volume["hostPath"]["path"].as_str().unwrap_or_default())
    }));
    found
}

/// Those of the findings that hold.
fn held(all: impl IntoIterator<Item = (bool, &'static str)>) -> impl Iterator<Item = &'static str> {
    all.into_iter().filter(|(wrong, _)| *wrong).map(|(_, what)| what)
}

fn asks(container: &Value) -> impl Iterator<Item = &'static str> {
    let (requests, limits) = (&container["resources"]["requests"], &container["resources"]["limits"]);
    let image = container["image"].as_str().unwrap_or_default();
    let tag = image.rsplit('/').next().unwrap_or_default();
    held([
        (requests["cpu"].is_null(), "asks for no CPU"),
        (requests["memory"].is_null(), "asks for no memory"),
        (limits["cpu"].is_null(), "has no limit of CPU"),
        (limits["memory"].is_null(), "has no limit of memory"),
        (limits["memory"] != requests["memory"], "asks for less memory than it may take"),
        (!(tag.contains('@') || tag.contains(':')) || tag.ends_with(":latest"), "has an image of no fixed version"),
    ])
}

fn lives(container: &Value, stays: bool) -> impl Iterator<Item = &'static str> {
    held([
        (stays && container["readinessProbe"].is_null(), "has no readiness probe"),
        (stays && container["livenessProbe"].is_null(), "has no liveness probe"),
    ])
}

fn rights(container: &Value, pod: &Value) -> impl Iterator<Item = &'static str> {
    let own = &container["securityContext"];
    let either = |key: &str| if own[key].is_null() { &pod["securityContext"][key] } else { &own[key] };
    let drops = list(&own["capabilities"]["drop"]).iter().any(|one| one == "ALL");
    let confined = ["RuntimeDefault", "Localhost"].iter().any(|kind| either("seccompProfile")["type"] == *kind);
    held([
        (either("runAsNonRoot") != true || either("runAsUser") == 0, "runs as root"),
        (own["readOnlyRootFilesystem"] != true, "writes to its root file system"),
        (own["allowPrivilegeEscalation"] != false, "may gain rights"),
        (own["privileged"] == true, "is privileged"),
        (!drops || !list(&own["capabilities"]["add"]).is_empty(), "keeps capabilities"),
        (!confined, "has no seccomp profile"),
    ])
}

/// What is wrong with how many pods there are of an object, and how many of them must stay:
/// `budgets` are the PodDisruptionBudgets of its namespace.
/// Source: <https://kubernetes.io/docs/tasks/run-application/configure-pdb/>
pub fn numbers(manifest: &Value, budgets: &[&Value]) -> Vec<String> {
    let mut found = Vec::new();
    for pods in pods(manifest) {
        let Some(count) = pods.count else { continue };
        let has_budget = budgets.iter().any(|budget| selects(&budget["spec"]["selector"]["matchLabels"], &pods.labels));
        let what = match (count > 1, has_budget) {
            (true, true) => continue,
            (true, false) => "may all go at once",
            (false, true) => "has a budget that blocks every drain",
            (false, false) => "runs once",
        };
        let whose = if pods.whose.is_empty() { String::new() } else { format!(": {}", pods.whose) };
        found.push(format!("{what}{whose}"));
    }
    found
}

/// An empty selector is nobody's here: it would be a mistake of ours.
fn selects(selector: &Value, labels: &Value) -> bool {
    let wanted = selector.as_object().filter(|wanted| !wanted.is_empty());
    wanted.is_some_and(|wanted| wanted.iter().all(|(key, value)| labels[key.as_str()] == *value))
}

/// The row that says why a finding of an object stays, if there is one.
pub fn explanation(kind: &str, name: &str, finding: &str) -> Option<&'static Row> {
    let kind = if kind == "RayService" { "RayCluster" } else { kind };
    let objects = [format!("{kind} {name}"), format!("every {kind}")];
    EXPLAINED.iter().find(|(known, what, _)| objects.iter().any(|one| one == known) && finding.starts_with(what))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_careless_workload_is_found_out() {
        let careless = json!({
            "kind": "Deployment",
            "spec": {"template": {"spec": {
                "hostNetwork": true, "hostPID": true, "volumes": [{"name": "v", "hostPath": {"path": "/etc"}}, {"name": "w"}],
                "containers": [{"name": "c", "image": "registry:5000/x", "securityContext": {"privileged": true}}],
            }}},
        });
        let of_container = [
            "asks for no CPU",
            "asks for no memory",
            "has no limit of CPU",
            "has no limit of memory",
            "has an image of no fixed version",
            "has no readiness probe",
            "has no liveness probe",
            "runs as root",
            "writes to its root file system",
            "may gain rights",
            "is privileged",
            "keeps capabilities",
            "has no seccomp profile",
        ];
        let mut expected =
            ["uses the node's network", "sees the node's processes", "mounts a folder of the node: /etc"]
                .map(str::to_owned)
                .to_vec();
        expected.extend(of_container.map(|what| format!("{what}: container c")));
        assert_eq!(findings(&careless), expected);
        assert_eq!(findings(&json!({"kind": "ConfigMap"})), Vec::<String>::new());
    }

    fn careful() -> Value {
        json!({
            "kind": "Job",
            "spec": {"template": {"spec": {
                "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{
                    "name": "c",
                    "image": "x@sha256:00",
                    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
                    "securityContext": {
                        "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                    },
                }],
            }}},
        })
    }

    #[test]
    fn a_careful_one_passes_and_one_mistake_shows() {
        assert_eq!(findings(&careful()), Vec::<String>::new());
        for (pointer, value, expected) in [
            ("resources/limits/memory", json!("2Gi"), "asks for less memory than it may take"),
            ("securityContext/runAsNonRoot", json!(false), "runs as root"),
            ("securityContext/runAsUser", json!(0), "runs as root"),
            ("securityContext/capabilities/add", json!(["SYS_ADMIN"]), "keeps capabilities"),
            ("securityContext/seccompProfile", json!({"type": "Unconfined"}), "has no seccomp profile"),
            ("image", json!("x:latest"), "has an image of no fixed version"),
        ] {
            let mut one = careful();
            let mut place = &mut one["spec"]["template"]["spec"]["containers"][0];
            for key in pointer.split('/') {
                place = &mut place[key];
            }
            *place = value;
            assert_eq!(findings(&one), [format!("{expected}: container c")], "{pointer}");
        }
    }

    #[test]
    fn numbers_and_budgets_go_together() {
        let budget = json!({"spec": {"selector": {"matchLabels": {"app": "web"}}}});
        let empty = json!({"spec": {"selector": {}}});
        let of = |replicas: u64, budgets: &[&Value]| {
            let template = json!({"metadata": {"labels": {"app": "web", "more": "1"}}, "spec": {}});
            numbers(&json!({"kind": "Deployment", "spec": {"replicas": replicas, "template": template}}), budgets)
        };
        assert_eq!(of(2, &[&empty, &budget]), Vec::<String>::new());
        assert_eq!(of(2, &[&empty]), ["may all go at once"]);
        assert_eq!(of(1, &[&budget]), ["has a budget that blocks every drain"]);
        assert_eq!(of(1, &[]), ["runs once"]);
        let group = |name: &str, least: u64| json!({"groupName": name, "minReplicas": least, "template": {"spec": {}}});
        let cluster = json!({"kind": "RayService", "spec": {"rayClusterConfig": {
            "headGroupSpec": {"template": {"spec": {}}}, "workerGroupSpecs": [group("cpu", 2), group("gpu", 0)],
        }}});
        assert_eq!(
            numbers(&cluster, &[]),
            ["runs once: head", "may all go at once: workers of cpu", "runs once: workers of gpu"]
        );
        let budget =
            json!({"spec": {"selector": {"matchLabels": {"ray.io/node-type": "worker", "ray.io/group": "cpu"}}}});
        assert_eq!(numbers(&cluster, &[&budget]), ["runs once: head", "runs once: workers of gpu"]);
    }

    /// People read the table in the docs.
    #[test]
    fn the_docs_have_the_table() {
        let docs = include_str!("../../../docs/charts.md");
        let rows: Vec<String> = EXPLAINED
            .iter()
            .map(|(object, what, why)| {
                let what = if what.is_empty() { "anything" } else { what };
                format!("| {object} | {what} | {why} |")
            })
            .collect();
        let table = docs.lines().skip_while(|line| *line != "| object | what | why |").skip(2);
        assert_eq!(table.take_while(|line| line.starts_with('|')).collect::<Vec<_>>(), rows);
    }

    #[test]
    fn only_what_is_in_the_table_is_explained() {
        assert!(explanation("DaemonSet", "node-agent", "runs as root: container node-agent").is_some());
        assert!(explanation("DaemonSet", "node-agent", "asks for no CPU: container node-agent").is_none());
        assert!(explanation("Deployment", "node-agent", "runs as root: container node-agent").is_none());
        assert!(explanation("RayService", "ray", "runs once: head").is_some());
        assert!(explanation("RayJob", "ray", "has no limit of CPU: container c").is_none());
    }
}
