//! What a workload should have: what it asks for, a limit, a sign of life, no more rights than it
//! needs. What charts do not let us give is in one table, with the reason.
//! Source: kube-score's checks, <https://github.com/zegl/kube-score/blob/master/README_CHECKS.md>

use serde_json::Value;

/// Object, the beginning of what is found there, and why it stays.
pub const EXPLAINED: [(&str, &str, &str); 8] = [
    ("DaemonSet nvidia-device-plugin", "runs as root", "it registers at the kubelet's socket, which is root's"),
    ("DaemonSet nvidia-device-plugin", "writes to its root file system", "not known to work without"),
    ("DaemonSet nvidia-device-plugin", "has no probe", "the chart has none; the kubelet sees when it stops"),
    ("DaemonSet nvidia-device-plugin-mps-control-daemon", "", "it runs only on nodes labelled for MPS: none of ours"),
    ("DaemonSet node-agent", "runs as root", "it reads other pods' volumes"),
    ("DaemonSet node-agent", "writes to its root file system", "the uploader's cache is there"),
    ("DaemonSet node-agent", "keeps capabilities", "it reads files of any owner"),
    ("DaemonSet node-agent", "has no probe", "the chart has none; it ends when it cannot go on"),
];

/// What is wrong with a workload, container by container; nothing for other kinds. What is
/// [`EXPLAINED`] is among it.
pub fn findings(manifest: &Value) -> Vec<String> {
    let kind = manifest["kind"].as_str().unwrap_or_default();
    let pod = match kind {
        "Deployment" | "DaemonSet" | "StatefulSet" | "Job" => &manifest["spec"]["template"]["spec"],
        "CronJob" => &manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        "Pod" => &manifest["spec"],
        _ => return Vec::new(),
    };
    let served = !matches!(kind, "Job" | "CronJob");
    let of = |key: &str| pod[key].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for (container, main) in
        of("containers").iter().map(|one| (one, true)).chain(of("initContainers").iter().map(|one| (one, false)))
    {
        let name = container["name"].as_str().unwrap_or_default();
        let mut say = |wrong: bool, what: &str| {
            if wrong {
                found.push(format!("{what}: container {name}"));
            }
        };
        let resources = &container["resources"];
        say(resources["requests"]["cpu"].is_null(), "asks for no CPU");
        say(resources["requests"]["memory"].is_null(), "asks for no memory");
        say(resources["limits"]["memory"].is_null(), "has no limit of memory");
        say(resources["limits"]["memory"] != resources["requests"]["memory"], "asks for less memory than it may take");
        let probes = ["readinessProbe", "livenessProbe", "startupProbe"];
        say(main && served && probes.iter().all(|probe| container[probe].is_null()), "has no probe");
        let own = &container["securityContext"];
        let either = |key: &str| if own[key].is_null() { &pod["securityContext"][key] } else { &own[key] };
        say(either("runAsNonRoot") != true, "runs as root");
        say(own["readOnlyRootFilesystem"] != true, "writes to its root file system");
        say(own["allowPrivilegeEscalation"] != false, "may gain rights");
        let drops = own["capabilities"]["drop"].as_array().is_some_and(|drop| drop.iter().any(|one| one == "ALL"));
        say(!drops, "keeps capabilities");
        let image = container["image"].as_str().unwrap_or_default();
        let tag = image.rsplit('/').next().unwrap_or_default();
        say(!(tag.contains('@') || tag.contains(':')) || tag.ends_with(":latest"), "has an image of no fixed version");
    }
    found
}

/// Why a finding of an object stays, if it does.
pub fn explanation(kind: &str, name: &str, finding: &str) -> Option<&'static str> {
    let object = format!("{kind} {name}");
    EXPLAINED.iter().find(|(known, what, _)| *known == object && finding.starts_with(what)).map(|(.., why)| *why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_careless_workload_is_found_out() {
        let careless = json!({
            "kind": "Deployment",
            "spec": {"template": {"spec": {"containers": [{"name": "c", "image": "registry:5000/x"}]}}},
        });
        let expected = [
            "asks for no CPU",
            "asks for no memory",
            "has no limit of memory",
            "has no probe",
            "runs as root",
            "writes to its root file system",
            "may gain rights",
            "keeps capabilities",
            "has an image of no fixed version",
        ];
        assert_eq!(findings(&careless), expected.map(|what| format!("{what}: container c")));
        assert_eq!(findings(&json!({"kind": "ConfigMap"})), Vec::<String>::new());
    }

    #[test]
    fn a_careful_one_passes_and_one_mistake_shows() {
        let careful = json!({
            "kind": "Job",
            "spec": {"template": {"spec": {"securityContext": {"runAsNonRoot": true}, "containers": [{
                "name": "c",
                "image": "x@sha256:00",
                "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
                "securityContext": {
                    "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                },
            }]}}},
        });
        assert_eq!(findings(&careful), Vec::<String>::new());
        let mut greedy = careful.clone();
        greedy["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "2Gi".into();
        assert_eq!(findings(&greedy), ["asks for less memory than it may take: container c"]);
        let mut root = careful;
        root["spec"]["template"]["spec"]["containers"][0]["securityContext"]["runAsNonRoot"] = false.into();
        assert_eq!(findings(&root), ["runs as root: container c"]);
    }

    /// People read the table in the docs.
    #[test]
    fn the_docs_have_the_table() {
        let docs = include_str!("../../../../docs/charts.md");
        for (object, what, why) in EXPLAINED {
            let what = if what.is_empty() { "anything" } else { what };
            let row = format!("| {object} | {what} | {why} |");
            assert!(docs.contains(&row), "{row}");
        }
        assert_eq!(docs.lines().filter(|line| line.starts_with("| DaemonSet ")).count(), EXPLAINED.len());
    }

    #[test]
    fn only_what_is_in_the_table_is_explained() {
        assert!(explanation("DaemonSet", "node-agent", "runs as root: container node-agent").is_some());
        assert!(explanation("DaemonSet", "node-agent", "asks for no CPU: container node-agent").is_none());
        assert!(explanation("Deployment", "node-agent", "runs as root: container node-agent").is_none());
    }
}
