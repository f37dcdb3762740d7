//! No pod of the platform is refused by the Pod Security Standard of its namespace.
//! Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::kubernetes::sanity::pods;

/// From the laxest to the strictest.
const STANDARDS: [&str; 3] = ["privileged", "baseline", "restricted"];

/// Capabilities that the baseline lets a container add.
const HARMLESS: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Kinds of volumes that the restricted standard allows.
const VOLUMES: [&str; 8] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["containers", "initContainers", "ephemeralContainers"].into_iter().flat_map(|key| list(&pod[key]))
}

/// What a standard forbids of a pod.
fn violations(standard: &str, pod: &Value) -> Vec<String> {
    let level = STANDARDS.iter().position(|known| *known == standard).unwrap();
    let mut found = Vec::new();
    if level >= 1 {
        found.extend(against_baseline(pod));
    }
    if level >= 2 {
        found.extend(against_restricted(pod));
    }
    found
}

fn against_baseline(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for key in ["hostNetwork", "hostPID", "hostIPC"] {
        if pod[key] == true {
            found.push(key.to_owned());
        }
    }
    found.extend(list(&pod["volumes"]).filter(|volume| !volume["hostPath"].is_null()).map(|_| "hostPath".to_owned()));
    let contexts = containers(pod).map(|container| &container["securityContext"]).chain([&pod["securityContext"]]);
    for own in contexts {
        if own["privileged"] == true {
            found.push("privileged".to_owned());
        }
        let added = list(&own["capabilities"]["add"]).filter(|one| !HARMLESS.iter().any(|harmless| *one == *harmless));
        found.extend(added.map(|one| format!("adds {one}")));
        if own["seccompProfile"]["type"] == "Unconfined" {
            found.push("no seccomp".to_owned());
        }
        if !own["procMount"].is_null() && own["procMount"] != "Default" {
            found.push("procMount".to_owned());
        }
    }
    let ports = containers(pod).flat_map(|container| list(&container["ports"]));
    found.extend(ports.filter(|port| port["hostPort"].as_u64().unwrap_or(0) > 0).map(|_| "hostPort".to_owned()));
    found
}

fn against_restricted(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for volume in list(&pod["volumes"]) {
        let kinds = volume.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).filter(|key| *key != "name");
        found.extend(kinds.filter(|kind| !VOLUMES.contains(kind)).map(|kind| format!("a volume of the kind {kind}")));
    }
    for container in containers(pod) {
        let own = &container["securityContext"];
        let either = |key: &str| if own[key].is_null() { &pod["securityContext"][key] } else { &own[key] };
        let dropped = list(&own["capabilities"]["drop"]).any(|one| one == "ALL");
        let confined = ["RuntimeDefault", "Localhost"].iter().any(|kind| either("seccompProfile")["type"] == *kind);
        let checks = [
            (own["allowPrivilegeEscalation"] != false, "allowPrivilegeEscalation"),
            (either("runAsNonRoot") != true, "runAsNonRoot"),
            (either("runAsUser") == 0, "runAsUser"),
            (!confined, "seccompProfile"),
            (!dropped, "keeps capabilities"),
            (list(&own["capabilities"]["add"]).any(|one| one != "NET_BIND_SERVICE"), "adds a capability"),
        ];
        found.extend(checks.into_iter().filter(|(wrong, _)| *wrong).map(|(_, what)| what.to_owned()));
    }
    found
}

/// Namespaces with their standards, and what the pods in each would violate at each standard. EKS's own have none.
fn judged(more: &str) -> BTreeMap<String, (String, [BTreeSet<String>; 3])> {
    let objects = objects(more);
    let of = |namespace: &Value| {
        let name = text(namespace, "/metadata/name");
        let labels = &namespace["metadata"]["labels"];
        let standards: BTreeSet<&str> = ["enforce", "warn", "audit"]
            .iter()
            .map(|mode| labels[format!("pod-security.kubernetes.io/{mode}")].as_str().unwrap())
            .collect();
        assert_eq!(standards.len(), 1, "{name}: {standards:?}");
        let here = objects.iter().filter(|object| text(object, "/metadata/namespace") == name);
        let here: Vec<_> = here.flat_map(pods).collect();
        assert!(!here.is_empty(), "{name}");
        let wrong = STANDARDS.map(|standard| here.iter().flat_map(|pods| violations(standard, pods.spec)).collect());
        (name.to_owned(), (standards.into_iter().next().unwrap().to_owned(), wrong))
    };
    of_kind(&objects, "Namespace").map(of).collect()
}

#[test]
fn no_pod_is_refused_and_no_namespace_laxer_than_it_must_be() {
    let mut seen = BTreeMap::new();
    for more in EVERYTHING {
        for (namespace, (standard, wrong)) in judged(more) {
            let at = STANDARDS.iter().position(|known| *known == standard).unwrap();
            assert_eq!(wrong[at], BTreeSet::new(), "{namespace} enforces {standard}");
            if let Some(stricter) = wrong.get(at + 1) {
                assert_ne!(*stricter, BTreeSet::new(), "{namespace}: {} would do", STANDARDS[at + 1]);
            }
            seen.insert(namespace, standard);
        }
    }
    let seen: Vec<_> = seen.iter().map(|(name, standard)| (name.as_str(), standard.as_str())).collect();
    assert_eq!(seen, [("kuberay-system", "restricted"), ("ray", "restricted"), ("velero", "privileged")]);
}

/// Velero's node agent, where it was: its folder of the node is what the baseline refuses.
#[test]
fn the_baseline_would_refuse_veleros_node_agent() {
    let judged = judged(EVERYTHING[0]);
    assert_eq!(judged["velero"].1[1], BTreeSet::from(["hostPath".to_owned()]));
}

#[test]
fn the_standards_refuse_what_they_should() {
    let pod = json!({
        "hostNetwork": true, "hostPID": true, "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
        "containers": [{"ports": [{"hostPort": 80}], "securityContext": {
            "privileged": true, "capabilities": {"add": ["SYS_ADMIN", "CHOWN"]}, "seccompProfile": {"type": "Unconfined"},
        }}],
    });
    let expected = ["hostNetwork", "hostPID", "hostPath", "privileged", "adds \"SYS_ADMIN\"", "no seccomp", "hostPort"];
    assert_eq!(violations("baseline", &pod), expected);
    assert_eq!(violations("privileged", &pod), Vec::<String>::new());
    let plain = json!({"containers": [{"name": "c"}], "volumes": [{"name": "v", "nfs": {}}]});
    assert_eq!(violations("baseline", &plain), Vec::<String>::new());
    let expected = [
        "a volume of the kind nfs",
        "allowPrivilegeEscalation",
        "runAsNonRoot",
        "seccompProfile",
        "keeps capabilities",
    ];
    assert_eq!(violations("restricted", &plain), expected);
}
