//! Everything that a platform puts into its cluster, with everything switched on, before a real API server: it
//! takes every object as a dry run, and its admission lets every pod into the namespace that it is meant for.
#![allow(clippy::unwrap_used)]

use std::{fs, sync::Arc, time::Duration};

use rayplat_engine::value::Lookup;
use rayplat_integration_tests::{
    WHOLE,
    kubernetes::{self, ControlPlane, Inside},
};
use rayplat_resources::kubernetes::sanity::pods;
use serde_json::{Value, json};

const EVERYTHING: [&str; 2] = [
    "
termination_handler: {enabled: true}
backup: {enabled: true}
ray:
  workers: {cpu: {min: 2}, gpu: {}}
  jobs: {train: {entrypoint: python train.py}}
monitoring: {dashboards: true, pod_monitors: true, namespace: prometheus, labels: {release: stack}}
",
    "
termination_handler: {enabled: true, mode: queue}
ray: {autoscaling: false, token_auth: false, serve: {applications: []}}
",
];

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The objects of the quick start with `more`, with KubeRay's own kinds.
fn objects(plane: &Arc<ControlPlane>, more: &str) -> Vec<Value> {
    let stack = Inside::new(plane).with_kuberays_kinds().stack(&format!("{WHOLE}{more}"), &[]);
    let inputs =
        stack.resources().map(|resource| resource.inputs.eval(&|_, _| Lookup::Known("known-later".into())).unwrap());
    inputs.filter_map(|inputs| inputs.get("manifest")?.known().cloned()).collect()
}

fn list(objects: &[&Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": objects})
}

/// What kubectl says to these; warnings are among it.
fn ask(plane: &ControlPlane, name: &str, args: &[&str], manifest: &Value) -> (bool, String) {
    let file = plane.folder().join(format!("{name}.json"));
    fs::write(&file, manifest.to_string()).unwrap();
    let path = file.display().to_string();
    let output = plane.kubectl(&[args, &["--dry-run=server", "--validate=strict", "-f", &path]].concat());
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Namespaces, kinds and service accounts, which the rest stands on.
fn ground(plane: &ControlPlane, objects: &[Value]) {
    let of = |kinds: &[&str]| -> Vec<&Value> {
        objects.iter().filter(|object| kinds.contains(&text(object, "/kind"))).collect()
    };
    // What the manifest takes for granted: a Prometheus of the user's own.
    let (prometheus, monitors) = (prometheus(), pod_monitors());
    let mut kinds = of(&["CustomResourceDefinition"]);
    kinds.push(&monitors);
    plane.apply("ground", &list(&[of(&["Namespace"]), vec![&prometheus], kinds.clone()].concat()));
    for kind in kinds {
        let name = format!("crd/{}", text(kind, "/metadata/name"));
        plane.kubectl_ok(&["wait", "--for=condition=Established", "--timeout=60s", &name]);
    }
    plane.apply("accounts", &list(&of(&["ServiceAccount"])));
    for namespace in of(&["Namespace"]) {
        let name = text(namespace, "/metadata/name");
        plane.wait("the default service account", Duration::from_secs(60), || {
            plane.has(&["serviceaccount", "default", "-n", name])
        });
    }
}

fn prometheus() -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prometheus"}})
}

/// The Prometheus operator's kind, as far as it is used here: unknown fields are refused.
/// Source: <https://prometheus-operator.dev/docs/api-reference/api/#monitoring.coreos.com/v1.PodMonitor>
fn pod_monitors() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    let relabeling =
        json!({"type": "object", "properties": {"action": text, "sourceLabels": texts, "targetLabel": text}});
    let endpoint = json!({"type": "object", "properties": {
        "port": text, "interval": text, "relabelings": {"type": "array", "items": relabeling},
    }});
    let labels = json!({"type": "object", "additionalProperties": text});
    let spec = json!({"type": "object", "required": ["podMetricsEndpoints", "selector"], "properties": {
        "jobLabel": text,
        "namespaceSelector": {"type": "object", "properties": {"any": {"type": "boolean"}, "matchNames": texts}},
        "selector": {"type": "object", "properties": {"matchLabels": labels}},
        "podMetricsEndpoints": {"type": "array", "items": endpoint},
    }});
    let schema = json!({"type": "object", "required": ["spec"], "properties": {"spec": spec}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "podmonitors.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com", "scope": "Namespaced",
            "names": {"kind": "PodMonitor", "listKind": "PodMonitorList", "plural": "podmonitors", "singular": "podmonitor"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
        },
    })
}

#[test]
fn a_real_api_server_takes_every_object_and_lets_every_pod_in() {
    let Some(tools) = kubernetes::find("a_real_api_server_takes_every_object_and_lets_every_pod_in") else { return };
    let plane = Arc::new(ControlPlane::start(&tools));
    for (at, more) in EVERYTHING.iter().enumerate() {
        let objects = objects(&plane, more);
        ground(&plane, &objects);
        let all: Vec<&Value> = objects.iter().collect();
        let server_side = ["apply", "--server-side", "--force-conflicts", "--field-manager=rayplat"];
        let (taken, said) = ask(&plane, &format!("all-{at}"), &server_side, &list(&all));
        // Pod Security warns of workloads whose pods it would refuse.
        assert!(taken && !said.contains("Warning"), "{said}");
        // The same from the client, but for kinds, which are too large for it.
        let small: Vec<&Value> =
            objects.iter().filter(|object| text(object, "/kind") != "CustomResourceDefinition").collect();
        let (taken, said) = ask(&plane, &format!("small-{at}"), &["apply"], &list(&small));
        assert!(taken, "{said}");

        let mut seen = 0;
        for object in &objects {
            for one in pods(object) {
                let (name, namespace) = (format!("pod-{at}-{seen}"), &object["metadata"]["namespace"]);
                let mut pod = json!({
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": name, "namespace": namespace, "labels": one.labels}, "spec": one.spec,
                });
                // The claim's volume is the StatefulSet's to add.
                if !object["spec"]["volumeClaimTemplates"].is_null() {
                    pod["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
                }
                let (taken, said) = ask(&plane, &name, &["create"], &pod);
                assert!(taken, "{} {}: {said}", text(object, "/kind"), text(object, "/metadata/name"));
                seen += 1;
            }
        }
        assert!(seen >= 6, "{seen}");
    }
    baseline_refuses_veleros_node_agent(&plane);
}

/// That admission is in force here, and why Velero's namespace is laxer than others.
fn baseline_refuses_veleros_node_agent(plane: &Arc<ControlPlane>) {
    let objects = objects(plane, EVERYTHING[0]);
    let agent = objects.iter().find(|object| text(object, "/metadata/name") == "node-agent").unwrap();
    let labels = json!({"pod-security.kubernetes.io/enforce": "baseline"});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "strict", "labels": labels}});
    plane.apply("strict", &namespace);
    plane.wait("the default service account", Duration::from_secs(60), || {
        plane.has(&["serviceaccount", "default", "-n", "strict"])
    });
    let mut spec = agent["spec"]["template"]["spec"].clone();
    spec["serviceAccountName"] = "default".into();
    let metadata = json!({"name": "agent", "namespace": "strict"});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
    let (taken, said) = ask(plane, "agent", &["create"], &pod);
    assert!(!taken && said.contains("violates PodSecurity \"baseline") && said.contains("hostPath"), "{said}");
}
